"""The way home in words: what Koboshi does by itself, and the exact commands where a person must.

The order matters (nova 34, and measured on the lab): nova-compute must start while the host is
still forced down, so that it clears away what was evacuated; only then does Nova let force-down be
lifted; only then may the servers that waited for their disks be started, and only then may the
host take new ones.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from shlex import quote

from koboshi.domain.facts.cloud import Migration
from koboshi.domain.forecasting.stale import cure
from koboshi.domain.home.restoring import waits_for_its_host
from koboshi.domain.incidents.incident import NO_MORE_EVACUATIONS, Incident, IncidentState
from koboshi.domain.names import ServerId
from koboshi.domain.recoveries.recovery import ON_ITS_WAY, Recovery, RecoveryState


@dataclass(frozen=True, slots=True, kw_only=True)
class HomeStep:
    """One step: what to do and why, and the commands for it (none where it is a look or a wait)."""

    text: str
    commands: tuple[str, ...] = ()


_AFTERWARDS = frozenset({IncidentState.SETTLED, IncidentState.NEEDS_HUMAN, IncidentState.FOREIGN})
_MOVING = ON_ITS_WAY | {RecoveryState.STUCK}
_BY_ITSELF = frozenset({IncidentState.SETTLED, IncidentState.PARKED}) | NO_MORE_EVACUATIONS
_NEXT: Mapping[IncidentState, int] = {
    IncidentState.SETTLED: 0,
    IncidentState.PARKED: 0,
    IncidentState.POWERING_ON: 1,
    IncidentState.RETURNING: 1,
    IncidentState.RECONCILING: 2,
    IncidentState.RESTORING: 3,
    IncidentState.ENABLING: 4,
    IncidentState.QUARANTINED: 4,
}
"""Which of the steps home comes next."""


def _by_itself(incident: Incident, recoveries: Mapping[ServerId, Recovery]) -> Iterable[HomeStep]:
    """Return the steps that Koboshi takes by itself from here, and the one that is a person's."""
    host = incident.host
    waiting = sum(waits_for_its_host(r) for r in recoveries.values())
    if incident.state is IncidentState.QUARANTINED:
        yield HomeStep(
            text=f"{host} is home, and stays disabled because it failed again and again. When you are "
            "sure of it, let it serve",
            commands=(f"koboshi host release {host}",),
        )
        return
    by_a_person = incident.state is IncidentState.PARKED or (
        incident.state is IncidentState.SETTLED and not incident.switched_off
    )
    first = (
        f"Koboshi switches {host} on, 30 s after its off at the earliest and two hosts at a time"
    )
    if by_a_person:
        yield HomeStep(text=f"Yours: find out why {host} died, mend it, and switch it on")
        first = f"Koboshi goes on from the first sign of life of {host}"
    steps = (
        first,
        "waits until its nova-compute has reported twice: by then Nova has removed what was evacuated",
        "lifts force-down as soon as no evacuation record stands against it",
        (
            f"starts the {waiting} servers that waited for their disks, where its hypervisor says that "
            "they do not run; what its owner had stopped stays off"
        ),
        f"{_last_step(incident)}, and closes the incident when it has been healthy for a while",
    )
    for text in steps[_NEXT[incident.state] :]:
        yield HomeStep(text=text if text.startswith("Koboshi") else f"Koboshi {text}")


def way_home(
    incident: Incident,
    recoveries: Mapping[ServerId, Recovery],
    records: Iterable[Migration] | None = None,
    *,
    acts: bool = True,
) -> tuple[HomeStep, ...]:
    """Return the steps home for the incident's host; empty while there is nothing to bring home.

    `records` are the evacuation records with this source as read last; without them the first step
    is to look at them. Unless Koboshi `acts`, a person does all of it.
    """
    host = incident.host
    if incident.proof is None or incident.is_over:
        return ()
    moving = sum(r.state in _MOVING and r.command is not None for r in recoveries.values())
    if incident.state not in _AFTERWARDS | _BY_ITSELF or moving:
        return (
            HomeStep(
                text=f"Leave {host} off: its servers are being recovered ({moving} on their way), and a "
                "host that comes back meanwhile may run them twice",
            ),
        )
    bombs = [r for r in records or () if r.is_open and r.is_evacuation]
    if acts and not bombs and incident.state in _BY_ITSELF:
        return (*_by_itself(incident, recoveries), *_unfinished_steps(recoveries))
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
        *_unfinished_steps(recoveries),
        _given_back(incident),
    ]
    return tuple(steps)


def _last_step(incident: Incident) -> str:
    if incident.handed_over is None:
        return "enables it in Nova"
    return (
        f"leaves it disabled, as its operator had it ({incident.handed_over or 'without a reason'})"
    )


def _given_back(incident: Incident) -> HomeStep:
    closes = "Koboshi closes the incident when it has been healthy for a while"
    change = "openstack compute service set"
    if incident.handed_over is None:
        return HomeStep(
            text=f"Let {incident.host} take servers again; {closes}",
            commands=(f"{change} --enable {incident.host} nova-compute",),
        )
    reason = f" --disable-reason {quote(incident.handed_over)}" if incident.handed_over else ""
    return HomeStep(
        text=f"Leave {incident.host} disabled as it was before it died; {closes}",
        commands=(f"{change} --disable{reason} {incident.host} nova-compute",),
    )


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


_LOOK = {
    RecoveryState.GIVEN_UP: "every try failed; when there is room again: openstack server evacuate ID",
    RecoveryState.REFUSED: "Nova refuses to evacuate it; once its host is home: openstack server start ID",
    RecoveryState.FOREIGN: "somebody else moves it; ask them",
    RecoveryState.ORPHAN_SUSPECTED: (
        "a second copy may run: look for its domain on every host (virsh list --all) and stop all but "
        "the one that Nova shows, before any other command"
    ),
    RecoveryState.STUCK: "look at nova-compute on its destination",
}


def _unfinished_steps(recoveries: Mapping[ServerId, Recovery]) -> Iterable[HomeStep]:
    for recovery in recoveries.values():
        look = _LOOK.get(recovery.state)
        if look is not None:
            text = (
                f"Look at {recovery.candidate.name} ({recovery.state}: {recovery.reason}): {look}"
            )
            shown = f"openstack server show {recovery.server}"
            yield HomeStep(text=text, commands=(shown,))
