"""The judge of the brake: whether Koboshi may begin to act upon one more host."""

from koboshi.domain.incident import IncidentState
from koboshi.domain.names import HostName, IncidentId
from koboshi.sim.breach import Rule
from koboshi.sim.casebook import LOOK_S, Casebook

DARK_S = 10.0
"""A host that has answered nothing for so long is in doubt by any account."""


def judge_first_act(book: Casebook, host: HostName, incident: IncidentId, now_s: float) -> None:
    """Judge the moment that Koboshi begins to act upon a host."""
    if book.world.cloud.types.get(host, "QEMU").upper() not in {"QEMU", "KVM"}:
        book.tell(Rule.NOT_OURS, f"the death of {host}'s nova-compute kills no server")
    if host in book.state.found_down:
        book.tell(Rule.NOT_OURS, f"{host} was found down at the very first start")
    row = book.world.cloud.row(host)
    if book.is_others(row) and now_s - book.edited_by_others.get(host, 0.0) > LOOK_S:
        book.tell(Rule.NOT_OURS, f"{host} was disabled or forced down by somebody else")
    memory_s = book.rules.incident_memory.total_seconds()
    for other in book.state.incidents.values():
        age_s = now_s - book.opened_s[other.id]
        if other.host != host and age_s < memory_s:
            book.tell(
                Rule.BRAKED,
                f"{incident} of {host} begins, and that of {other.host} is {age_s:.0f} s old",
            )
    dark = [h for h in _dark_hosts(book, now_s) if h != host and _counts(book, h, now_s)]
    if dark:
        book.tell(Rule.BRAKED, f"{incident} of {host} begins while {', '.join(dark)} is dark")


def _dark_hosts(book: Casebook, now_s: float) -> list[HostName]:
    return [h for h, since_s in book.world.probe.dark_since.items() if now_s - since_s > DARK_S]


def _counts(book: Casebook, host: HostName, now_s: float) -> bool:
    """Return whether a dark host holds others back: nothing explains its darkness yet."""
    row, incident = book.world.cloud.row(host), book.state.open_incident(host)
    ours_is_old = (
        incident is not None
        and incident.state is not IncidentState.HELD
        and now_s - book.opened_s[incident.id] > book.rules.incident_memory.total_seconds()
    )
    return row.enabled and host not in book.state.found_down and not ours_is_old
