"""The judge of brownouts: nothing is begun on the word of a control plane that is itself unwell.

Counted from who really wrote heartbeats, which rows are listed and how the API answered; told only
of what has been so for long enough that whoever looked must have seen it.
"""

from koboshi.domain.facts.world import ApiHealth
from koboshi.domain.memory.commands import Evacuate, FenceOff
from koboshi.domain.names import HostName
from koboshi.domain.restraint.bound import bound
from koboshi.sim.breach import Rule
from koboshi.sim.casebook import LOOK_S, SEEN_S, Casebook

MARGIN_S = 3.0
NEXT_LOOK_S = 12.0
"""Nova's services are read at least so often, whatever is wrong."""
SKIPPED = 2
"""Reads may miss a heartbeat between two others: then a pause looks twice as long."""
LEAST_LATE, LATE_PART = 2, 0.05
LEAST_FAILED, FAILED_PART = 3, 0.2
LEAST_ANSWERED, SLOW_S = 5, 5.0


def judge_in_brownout(book: Casebook, command: Evacuate | FenceOff, now_s: float) -> None:
    """Judge a command that arrived: a host is switched off then only to save what is on its way."""
    if command.id in book.saves:
        return
    if isinstance(command, FenceOff) and _is_off_already(book, command):
        return
    if why := why_unwell(book, now_s):
        what = command.server if isinstance(command, Evacuate) else f"an off for {command.host}"
        book.tell(Rule.BROWNOUT, f"{what} is sent, and {why}")


def _is_off_already(book: Casebook, command: FenceOff) -> bool:
    """Return whether a host that was proven dead has no power: an *off* more does nothing to it."""
    is_proven = command.incident in book.proven_s
    return is_proven and not book.world.physics.hosts[command.host].power


def why_unwell(book: Casebook, now_s: float) -> str | None:
    """Return since when, in words, the control plane cannot be trusted; None when it can."""
    cloud, table = book.world.cloud, book.world.cloud.service_table
    for key, since_s in table.hidden_s.items():
        if now_s - since_s > NEXT_LOOK_S:
            return f"the row of {key} vanished {now_s - since_s:.0f} s ago"
    rows = [row for row in table.all() if f"{row.binary}@{row.host}" not in table.hidden_s]
    late = {
        f"{row.binary}@{row.host}" for row in rows if _is_late(book, f"{row.binary}@{row.host}")
    }
    for row in rows:
        key = f"{row.binary}@{row.host}"
        if row.binary != "nova-compute" and key in late and row.up:
            return f"{key} does not report"
    computes = [row for row in rows if row.binary == "nova-compute"]
    if computes and all(f"nova-compute@{row.host}" in late for row in computes):
        return "no host reports"
    answering = [
        row for row in computes if now_s - book.world.probe.heard.get(row.host, -99.0) < SEEN_S
    ]
    counted = [
        row.host
        for row in answering
        if row.enabled and not row.forced_down and not _is_known(book, row.host)
    ]
    alive_late = [h for h in counted if f"nova-compute@{h}" in late]
    down = _down_alone(book, alive_late, len(computes))
    alive_late = [h for h in alive_late if h not in down]
    if len(alive_late) >= LEAST_LATE and len(alive_late) > LATE_PART * (len(counted) - len(down)):
        return f"{', '.join(alive_late)} answer and report late"
    line = cloud.line
    if all(_is_api_unwell(line.health(ago_s)) for ago_s in (0.0, LOOK_S / 2, LOOK_S)):
        return "Nova's API fails or is slow"
    return None


def _is_late(book: Casebook, key: str) -> bool:
    unheard_s, pause_s = book.world.cloud.service_table.unheard_s(key)
    return unheard_s > SKIPPED * pause_s + MARGIN_S + LOOK_S


def _down_alone(book: Casebook, late: list[HostName], everyone: int) -> frozenset[HostName]:
    """Return the few that wrote nothing for as long as incidents are remembered: it is their own."""
    table, rules = book.world.cloud.service_table, book.rules
    memory_s = rules.incident_memory.total_seconds()
    down = frozenset(h for h in late if table.unheard_s(f"nova-compute@{h}")[0] > memory_s)
    return down if len(down) <= max(LEAST_LATE, bound(everyone, rules)) else frozenset()


def _is_known(book: Casebook, host: str) -> bool:
    """Return whether its nova-compute was told to have failed, alone and long ago."""
    return any(h == host and topic == "service_failed" for h, topic in book.state.notices)


def _is_api_unwell(health: ApiHealth) -> bool:
    if health.failed >= LEAST_FAILED and health.failed > FAILED_PART * health.asked:
        return True
    answered = health.asked - health.failed
    return answered >= LEAST_ANSWERED and health.p95_s is not None and health.p95_s > SLOW_S
