"""The judge of the brake: whether Koboshi may begin to act upon one more host, and whether at all.

Counted anew from the truth and from what our probers heard, never from what the brake made of it.
"""

from collections.abc import Iterable

from koboshi.domain.incidents.incident import IncidentState
from koboshi.domain.instant import Instant
from koboshi.domain.memory.events import (
    Armed,
    DaemonStarted,
    Disarmed,
    DisarmEnded,
    DomainConfirmed,
)
from koboshi.domain.names import HostName, IncidentId
from koboshi.domain.rules import Mode
from koboshi.sim.breach import Rule
from koboshi.sim.casebook import LOOK_S, Casebook
from koboshi.sim.network import Network

DARK_S = 10.0
"""A host that has answered nothing for so long is in doubt by any account."""
SHARE, MOST = 0.08, 20
"""The bound on hosts that may be acted upon: 3 hosts 1, 25 hosts 2, 250 and more 20."""
LEAST_DOMAINS, LARGEST_PART = 3, 3


def judge_first_act(book: Casebook, host: HostName, incident: IncidentId, now_s: float) -> None:
    """Judge the moment that Koboshi begins to act upon a host."""
    if book.world.cloud.types.get(host, "QEMU").upper() not in {"QEMU", "KVM"}:
        book.tell(Rule.NOT_OURS, f"the death of {host}'s nova-compute kills no server")
    if host in book.state.found_down and host not in book.words:
        book.tell(Rule.NOT_OURS, f"{host} was found down at the very first start")
    row = book.world.cloud.row(host)
    recently = now_s - book.edited_by_others.get(host, 0.0) <= LOOK_S
    if book.is_others(row) and not recently and not book.was_handed_over(row):
        book.tell(Rule.NOT_OURS, f"{host} was disabled or forced down by somebody else")
    if host in book.words:
        return  # a person answers for it: the brake holds back what we conclude
    doubtful = {host, *in_doubt(book, now_s)} - book.words
    bound = bound_of(book)
    if len(doubtful) > bound and not _is_explained(book, doubtful):
        others = ", ".join(sorted(doubtful - {host}))
        facts = f"{incident} of {host} begins beside {others}: at most {bound} at once"
        book.tell(Rule.BRAKED, facts)


def bound_of(book: Casebook) -> int:
    """Return on how many hosts Koboshi may act at once, whatever is wrong with them."""
    return max(1, min(MOST, int(SHARE * len(_in_service(book)))))


def in_doubt(book: Casebook, now_s: float) -> set[HostName]:
    """Return the hosts that are dark, or failed of late."""
    return {*_recent(book, now_s), *_dark(book, now_s)}


def _in_service(book: Casebook) -> set[HostName]:
    return {h for h in book.world.physics.hosts if not book.is_others(book.world.cloud.row(h))}


def _recent(book: Casebook, now_s: float) -> Iterable[HostName]:
    """Yield the hosts that failed so short a time ago that they still count."""
    memory_s = book.rules.incident_memory.total_seconds()
    return (i.host for i in book.state.incidents.values() if now_s - book.opened_s[i.id] < memory_s)


def _dark(book: Casebook, now_s: float) -> Iterable[HostName]:
    return (
        h
        for h, since_s in book.world.probe.dark_since.items()
        if now_s - since_s > DARK_S and _counts(book, h, now_s)
    )


def _counts(book: Casebook, host: HostName, now_s: float) -> bool:
    """Return whether a dark host holds others back: nothing explains its darkness yet."""
    row, incident = book.world.cloud.row(host), book.state.open_incident(host)
    ours_is_old = (
        incident is not None
        and incident.state is not IncidentState.HELD
        and now_s - book.opened_s[incident.id] > book.rules.incident_memory.total_seconds()
    )
    return row.enabled and host not in book.state.found_down and not ours_is_old


def _is_explained(book: Casebook, doubtful: set[HostName]) -> bool:
    """Return whether one domain's death explains all hosts in doubt but one."""
    if len(doubtful - book.confirmed) <= 1:
        return True
    racks = {h.rack for h in book.world.physics.hosts.values() if h.rack}
    if len(racks) < LEAST_DOMAINS:
        return False
    for rack in racks:
        inside = {h.name for h in book.world.physics.in_rack(rack)}
        small = LARGEST_PART * len(inside) <= len(_in_service(book))
        if small and len(doubtful - inside) <= 1:
            return all(_is_surely_gone(book, h) for h in doubtful & inside)
    return False


def _is_surely_gone(book: Casebook, host: HostName) -> bool:
    """Return whether more than the management switch tells that a host is gone."""
    fenced_s = book.fenced_s.get(host)
    reads = [r for r in book.told(host) if fenced_s is None or r.at_s < fenced_s]
    was_off = bool(reads) and reads[-1].power == "off"
    return was_off or host in book.world.further[Network.STORAGE].dark_since


class Arming:
    """What people said of whether Koboshi may act; judged by its own count of the words."""

    def __init__(self) -> None:
        self._until_s: float | None = None
        """Until when it is disarmed; None: it is not."""
        self._armed = False
        self._keeps = False

    def hear(
        self,
        event: Armed | Disarmed | DisarmEnded | DaemonStarted,
        at: Instant,
        now_s: float,
    ) -> None:
        """Note what was said."""
        match event:
            case Armed():
                self._until_s, self._armed, self._keeps = None, True, event.keep
            case Disarmed(until=None):
                self._until_s = float("inf")
            case Disarmed(until=until):
                self._until_s = now_s + (until.since(at).total_seconds() if until else 0.0)
            case DisarmEnded():
                self._until_s = None
            case DaemonStarted():
                self._armed = self._armed and self._keeps

    def why_not(self, mode: Mode, now_s: float) -> str | None:
        """Return why nothing may be meant now; None when something may."""
        if self._until_s is not None and now_s < self._until_s:
            return "while it is disarmed"
        return None if mode is Mode.ACT or self._armed else "in observe mode"


def hear_domain(book: Casebook, event: DomainConfirmed) -> None:
    """Note that a person confirmed a domain; whoever answers then need not be in it."""
    book.near["domain_confirmed"] += 1
    book.confirmed |= event.hosts
