"""The way home, until it is automatic: the exact commands that bring a host and its servers back.

The order matters (nova 34, and measured on the lab): nova-compute must start while the host is
still forced down, so that it clears away what was evacuated; only then does Nova let force-down be
lifted; only then may the servers that waited for their disks be started, and only then may the
host take new ones.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from koboshi.domain.cloud import Migration
from koboshi.domain.incident import Incident, IncidentState
from koboshi.domain.names import ServerId
from koboshi.domain.recovery import Recovery, RecoveryState
from koboshi.domain.stale import cure


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeStep:
    """One step: what to do and why, and the commands for it (none where it is a look or a wait)."""

    text: str
    commands: tuple[str, ...] = ()


_NOT_YET = frozenset(
    {
        IncidentState.CONFIRMED,
        IncidentState.HELD,
        IncidentState.WOULD_ACT,
        IncidentState.FENCING,
        IncidentState.CLOSED,
    },
)


def way_home(
    incident: Incident,
    recoveries: Mapping[ServerId, Recovery],
    records: Iterable[Migration] | None = None,
) -> tuple[HomeStep, ...]:
    """Return the steps home for the incident's host; empty while there is nothing to bring home.

    `records` are the evacuation records with this source as read last; without them the first step
    is to look at them.
    """
    if incident.state in _NOT_YET or incident.proof is None:
        return ()
    host = incident.host
    moving = [r for r in recoveries.values() if r.state not in _SETTLED]
    if moving:
        return (
            HomeStep(
                text=f"Leave {host} off: {len(moving)} of its servers are on their way, and a host that "
                "comes back meanwhile may run them twice",
            ),
        )
    bombs = [r for r in records or () if r.is_open and r.is_evacuation]
    steps = [
        HomeStep(
            text=f"Find out why {host} died, and mend it. Keep it off until the next step is done",
        ),
        _bomb_step(incident, bombs, known=records is not None),
        HomeStep(
            text=f"Switch {host} on and wait for nova-compute there: it removes what was evacuated. Its "
            "'Updated At' must advance twice, and no record may be left 'done'",
            commands=(
                f"openstack compute service list --service nova-compute --host {host} --long",
                f"openstack server migration list --host {host} --type evacuation",
            ),
        ),
        HomeStep(
            text="Lift force-down. A 400 means that records are still 'done': wait, or restart "
            f"nova-compute on {host} once more",
            commands=(f"openstack compute service set --up {host} nova-compute",),
        ),
        *_held_steps(incident, recoveries),
        HomeStep(
            text=f"Let {host} take servers again; Koboshi closes the incident when it has been healthy "
            "for a while",
            commands=(f"openstack compute service set --enable {host} nova-compute",),
        ),
    ]
    return tuple(steps)


_SETTLED = frozenset(RecoveryState) - {
    RecoveryState.QUEUED,
    RecoveryState.POSTING,
    RecoveryState.UNKNOWN,
    RecoveryState.BUILDING,
    RecoveryState.CONFIRMING,
    RecoveryState.SETTLING,
    RecoveryState.STUCK,
}


def _bomb_step(incident: Incident, bombs: list[Migration], *, known: bool) -> HomeStep:
    host = incident.host
    look = f"openstack server migration list --host {host} --type evacuation"
    if bombs:
        return HomeStep(
            text=f"DANGER: {len(bombs)} evacuation record(s) of {host} were never ended. At its next "
            "start nova-compute there would destroy these servers' guests and disks, moved or not. "
            "No API ends such a record; run this first",
            commands=tuple(cure(record) for record in bombs),
        )
    seen = "none is left open now" if known else "they were not read"
    return HomeStep(
        text=f"Look at its evacuation records ({seen}): with one 'accepted' or 'pre-migrating', do not "
        f"start {host}",
        commands=(look,),
    )


def _held_steps(incident: Incident, recoveries: Mapping[ServerId, Recovery]) -> Iterable[HomeStep]:
    held = [r for r in recoveries.values() if r.state is RecoveryState.HELD]
    running = [r for r in held if r.candidate.vm_state == "active"]
    if running:
        yield HomeStep(
            text=f"Start the {len(running)} held servers where their data is: once nova-compute on "
            f"{incident.host} is up for 20 s they read SHUTOFF. (One that reads ACTIVE or ERROR instead: "
            "openstack server reboot --hard ID)",
            commands=tuple(f"openstack server start {r.server}" for r in running),
        )
