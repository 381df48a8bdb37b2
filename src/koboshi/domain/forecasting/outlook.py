"""The forecast that stands all the time: which host, which declared domain, must not die today."""

from collections.abc import Collection, Iterator

from koboshi.domain.decision import Picture
from koboshi.domain.facts.outlook import Outlook, Shortfall
from koboshi.domain.forecasting.capacity import stays_behind
from koboshi.domain.forecasting.survival import Survival
from koboshi.domain.incidents.incident import ACTING, COMING_HOME, IncidentState
from koboshi.domain.judging.calm import NO_ROOM
from koboshi.domain.memory.events import HostNoticeCleared, HostNoticed
from koboshi.domain.memory.state import State
from koboshi.domain.names import DomainName, HostName
from koboshi.domain.recoveries.recovery import ON_ITS_WAY

TOLD_AT_ONCE = 5
"""So many hosts are noticed one by one; a cloud that is full is told of them all by `status`."""
NAMED = 3


_IN_TROUBLE = (ACTING | COMING_HOME | {IncidentState.CONFIRMED}) - {
    IncidentState.UNPROVEN,
    IncidentState.RECOVERING,
}


def why_not_now(picture: Picture | None) -> str | None:
    """Return why the cloud is left in peace; None when all is well, but for what waits for a person."""
    if picture is None or picture.world.services_read_at is None:
        return "nothing was read yet"
    if picture.world.api.failing_since is not None:
        return f"Nova does not answer: {picture.world.api.error}"
    for incident in picture.state.open_incidents():
        recoveries = picture.state.recoveries.get(incident.id, {}).values()
        if incident.state in _IN_TROUBLE or any(r.state in ON_ITS_WAY for r in recoveries):
            return f"{incident.host} is {incident.state}"
    return None


def to_play(survival: Survival) -> Iterator[tuple[tuple[HostName, ...], DomainName | None]]:
    """Yield what could die: each host that is recovered and has servers to evacuate, each domain."""
    for host in survival.open_hosts:
        if survival.candidates_of(host):
            yield (host,), None
    for name, members in sorted(survival.domains.items()):
        hosts = tuple(sorted(members & frozenset(survival.open_hosts)))
        if len(hosts) > 1:
            yield hosts, name


def shortfall(
    survival: Survival, hosts: Collection[HostName], domain: DomainName | None = None
) -> Shortfall | None:
    """Return which servers would find no place if these hosts died together; None: all would."""
    turns = survival.bring_back(hosts)
    nowhere = stays_behind(turns)
    if not nowhere:
        return None
    return Shortfall(
        hosts=tuple(sorted(hosts)),
        domain=domain,
        servers=tuple(t.candidate.name for t in nowhere),
        of=len(turns),
        lacking=nowhere[0].lacking,
    )


def room_notices(
    outlook: Outlook | None, state: State
) -> Iterator[HostNoticed | HostNoticeCleared]:
    """Tell once of hosts that the cloud could not lose, and once when it can again.

    What could not be read ends no notice: nothing is known then.
    """
    if outlook is None:
        return
    short = {s.hosts[0]: s for s in outlook.short if s.domain is None}
    told = {host for host, topic in state.notices if topic == NO_ROOM}
    if not outlook.trouble:
        for host in sorted(told - short.keys()):
            yield HostNoticeCleared(host=host, topic=NO_ROOM)
    still = told & short.keys()
    fresh = [s for host, s in sorted(short.items()) if host not in told]
    for found in fresh[: max(TOLD_AT_ONCE - len(still), 0)]:
        yield HostNoticed(
            host=found.hosts[0], topic=NO_ROOM, text=_text(found, others=len(short) - 1)
        )


def _text(found: Shortfall, *, others: int) -> str:
    host = found.hosts[0]
    names = ", ".join(found.servers[:NAMED]) + (" …" if len(found.servers) > NAMED else "")
    more = f" {others} more hosts are like it (koboshi status)." if others else ""
    return (
        f"should {host} die now, {len(found.servers)} of the {found.of} servers that would be "
        f"evacuated would find no place: {names} ({found.lacking}). Add room, or see what goes where: "
        f"koboshi forecast --fail {host}.{more}"
    )
