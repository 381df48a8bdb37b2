"""Whether hosts may be stopped: only if every server on them would come back whole elsewhere."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import timedelta

from koboshi.domain.forecasting.forecast import Outcome, ServerForecast
from koboshi.domain.forecasting.survival import Survival
from koboshi.domain.names import HostName


@dataclass(frozen=True, slots=True, kw_only=True)
class Objection:
    """One reason why it is not safe."""

    why: str
    cure: str
    servers: tuple[ServerForecast, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OkToStop:
    """The answer: safe if there is no objection."""

    hosts: tuple[HostName, ...]
    servers: int
    back_after: timedelta
    """When the last of them would be back, about."""
    objections: tuple[Objection, ...]

    @property
    def is_safe(self) -> bool:
        """Return whether nothing speaks against it."""
        return not self.objections


def ok_to_stop(survival: Survival, hosts: tuple[HostName, ...]) -> OkToStop:
    """Return whether these hosts may be stopped together, should nobody move their servers before."""
    turns = {t.candidate.server: t for t in survival.bring_back(hosts)}
    servers = [
        survival.seen_with(s, turns.get(s.server))
        for host in hosts
        for s in survival.servers_of(host)
    ]
    return OkToStop(
        hosts=hosts,
        servers=len(servers),
        back_after=max((t.ends for t in turns.values()), default=timedelta()),
        objections=(
            *_of_servers(servers),
            *_of_bombs(survival, hosts),
            *_of_others(survival, hosts),
            *_of_gaps(survival, servers),
            *_of_what_is_not_counted(survival, hosts, servers),
        ),
    )


def _of_servers(servers: Collection[ServerForecast]) -> Iterator[Objection]:
    words = {
        Outcome.RETURNS_EMPTY: "would be made again from their image, and lose their local disks",
        Outcome.WAITS: "would stay down",
        Outcome.NOT_RECOVERABLE: "would stay down, and Koboshi would do nothing for them",
    }
    for outcome, what in words.items():
        found = tuple(s for s in servers if s.outcome is outcome)
        if found:
            yield Objection(
                why=f"{len(found)} of {len(servers)} servers {what}",
                cure="move them away first: openstack server migrate --live-migration SERVER",
                servers=found,
            )


def _of_bombs(survival: Survival, hosts: Collection[HostName]) -> Iterator[Objection]:
    for bomb in survival.bombs:
        if bomb.host in hosts:
            name = bomb.server_name or bomb.server
            yield Objection(
                why=f"time bomb on {bomb.host} (server {name}): {bomb.what}", cure=bomb.cure
            )


def _of_others(survival: Survival, hosts: Collection[HostName]) -> Iterator[Objection]:
    down = [h for h in survival.down if h not in hosts and survival.servers_of(h)]
    if down:
        yield Objection(
            why=f"{', '.join(down)} is down already, with servers: should these fail to come back, "
            "more than one host would be gone, and Koboshi may hold still",
            cure=f"bring {', '.join(down)} back first, or disable it in Nova if it is gone for long",
        )


def _of_gaps(survival: Survival, servers: Collection[ServerForecast]) -> Iterator[Objection]:
    if servers:
        for gap in survival.gaps:
            yield Objection(why=f"{gap.what}: not known: {gap.why}", cure=gap.cure)


def _of_what_is_not_counted(
    survival: Survival, hosts: Collection[HostName], servers: Collection[ServerForecast]
) -> Iterator[Objection]:
    if why := survival.why_not_counted(hosts):
        yield Objection(
            why=f"whether all would find a place is not known: {why}",
            cure="move them away first: openstack server migrate --live-migration SERVER",
            servers=tuple(s for s in servers if not s.is_sure),
        )
