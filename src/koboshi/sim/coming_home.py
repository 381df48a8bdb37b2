"""The judge of a host's way home: what is started there, and whether it might be."""

import anyio

from koboshi.domain.incidents.incident import Incident, IncidentState
from koboshi.domain.memory.commands import (
    NO_INCIDENT,
    EnableService,
    LiftForceDown,
    PowerOn,
    RebootServer,
    RestoreDisable,
    StartServer,
)
from koboshi.domain.names import HostName
from koboshi.sim.breach import Rule
from koboshi.sim.casebook import LOOK_S, Casebook

_I = IncidentState

Homeward = PowerOn | LiftForceDown | EnableService | RestoreDisable | StartServer | RebootServer


def judge_homeward(book: Casebook, command: Homeward, now_s: float) -> None:
    """Judge one command that arrived."""
    match command:
        case PowerOn():
            judge_power_on(book, command, now_s)
        case LiftForceDown():
            judge_lift(book, command)
        case EnableService():
            judge_enable(book, command)
        case RestoreDisable():
            judge_restore_disable(book, command)
        case StartServer() | RebootServer():
            judge_start(book, command)


def judge_start(book: Casebook, command: StartServer | RebootServer) -> None:
    """Judge a start or a HARD reboot that arrived: never of what runs, moves, or was off before."""
    row = book.world.cloud.servers_by_id.get(command.server)
    what = f"{command.server} is {'started' if isinstance(command, StartServer) else 'rebooted'}"
    runs_on = [h.name for h in book.world.physics.hosts.values() if command.server in h.domains]
    if row is not None and any(host != row.host for host in runs_on):
        book.tell(Rule.TWICE, f"{what} on {row.host}, and runs on {runs_on}")
    if isinstance(command, RebootServer) and runs_on and not command.guest_may_run:
        book.tell(Rule.HELD, f"{what} while it runs")
    if command.incident == NO_INCIDENT:
        return
    recovery = book.state.recoveries.get(command.incident, {}).get(command.server)
    if recovery is None or recovery.candidate.vm_state != "active":
        book.tell(Rule.HELD, f"{what}, and was not active before its host failed")


OFF_FOR_S = 30.0
"""So long at least a host that was switched off stays off."""
AT_ONCE = 2
BEFORE_IT_LIVES = frozenset(
    {_I.POWERING_ON, _I.RETURNING, _I.RECONCILING, _I.RESTORING},
)
HOMEWARD = BEFORE_IT_LIVES | {_I.ENABLING, _I.SETTLED}
SETTLES_FOR_S = 50.0
"""So long after it settled, at the latest, a host is switched on that Koboshi may switch on."""
BOOTS_FOR_S = 60.0


def judge_power_on(book: Casebook, command: PowerOn, now_s: float) -> None:
    """Judge an *on*: only of what we switched off, with nothing under way, and no bomb on it."""
    host, what = command.host, f"{command.host} is switched on"
    offs = [a.at_s for a in book.arrived if a.call == "power_off" and a.subject == host]
    if not any(at_s >= book.opened_s.get(command.incident, now_s) for at_s in offs):
        book.tell(Rule.NOT_OURS, f"{what}, and Koboshi had not switched it off")
    fenced_s = book.fenced_s.get(host)
    if fenced_s is not None and now_s - fenced_s < OFF_FOR_S:
        book.tell(Rule.HELD, f"{what} {now_s - fenced_s:.0f} s after an off was meant")
    open_records = [
        r for r in book.world.cloud.records if r.is_evacuation and r.source == host and r.is_open
    ]
    # Whoever opens one in the very moment in which it is switched on was not there to be read.
    if open_records and not _just_begun(book, host, now_s):
        book.tell(Rule.DATA, f"{what}, and record {open_records[0].id} is {open_records[0].status}")
    coming = [
        i.host
        for i in book.state.open_incidents()
        if i.state in BEFORE_IT_LIVES and i.id != command.incident and i.home.power_ons
    ]
    if len(coming) >= AT_ONCE:
        book.tell(Rule.STORM, f"{what}, and {', '.join(coming)} are on their way home")


def _just_begun(book: Casebook, host: HostName, now_s: float) -> bool:
    begun = [e.at_s for of in book.requests.values() for e in of if e.at_s >= now_s - 8.0]
    return bool(begun) and host in {i.host for i in book.state.open_incidents()}


def judge_lift(book: Casebook, command: LiftForceDown) -> None:
    """Judge a lift: only after nova-compute has cleared away what was evacuated."""
    machine = book.world.physics.hosts[command.host]
    if not machine.serving and machine.power:
        book.tell(Rule.UNPROVEN, f"{command.host} is lifted before its nova-compute serves")


def judge_enable(book: Casebook, command: EnableService) -> None:
    """Judge an enable: only of what carries our own mark, and of no host that fails for ever."""
    row = book.world.cloud.row(command.host)
    recently = anyio.current_time() - book.edited_by_others.get(command.host, -LOOK_S) < LOOK_S
    if not row.enabled and row.disabled_reason != command.marker and not recently:
        book.tell(
            Rule.NOT_OURS, f"{command.host} is enabled, and {row.disabled_reason} disabled it"
        )
    if (reason := book.disabled_by_others.get(command.host)) is not None and not recently:
        book.tell(Rule.NOT_OURS, f"{command.host} is enabled, and was disabled before ({reason!r})")
    incident = book.state.incidents[command.incident]
    failures = [
        i
        for i in book.state.incidents.values()
        if i.host == command.host and i.isolation is not None
    ]
    first = failures[0].opened_at if failures else incident.opened_at
    flapping = incident.opened_at.since(first) <= book.rules.flapping
    if len(failures) > 1 and flapping and not incident.home.released_by:
        book.tell(Rule.HELD, f"{command.host} failed {len(failures)} times, and is enabled")


def judge_restore_disable(book: Casebook, command: RestoreDisable) -> None:
    """Judge a disable that is given back: to whoever had made it, in their own words."""
    theirs = book.disabled_by_others.get(command.host)
    recently = anyio.current_time() - book.edited_by_others.get(command.host, -LOOK_S) < LOOK_S
    if command.reason != theirs and not recently:
        facts = (
            f"{command.host} is disabled as {command.reason!r}, and others' reason was {theirs!r}"
        )
        book.tell(Rule.NOT_OURS, facts)


def comes_home(book: Casebook, incident: Incident) -> bool:
    """Return whether an incident goes on by itself on its way home: what it waits for is there."""
    if not book.rules.comes_home:
        return False
    host, now_s = incident.host, anyio.current_time()
    machine, row = book.world.physics.hosts[host], book.world.cloud.row(host)
    moved_s = book.moved_s.get(incident.id, now_s)
    ours = (row.disabled_reason or "").startswith(book.marker)
    records = [r for r in book.world.cloud.records if r.is_evacuation and r.source == host]
    match incident.state:
        case _I.SETTLED:
            return incident.switched_off and now_s - moved_s < SETTLES_FOR_S
        case _I.POWERING_ON:
            return True
        case _I.RETURNING:
            switched_s = book.switched_on_s.get(host, -BOOTS_FOR_S)
            return machine.power and (machine.reports or now_s - switched_s < BOOTS_FOR_S)
        case _I.RECONCILING:
            blocked = any(r.is_open or r.status == "done" for r in records)
            return machine.reports and ours and not blocked
        case _I.RESTORING:
            return machine.reports and not row.forced_down
        case _I.ENABLING:
            return machine.reports and ours and not row.enabled and not row.forced_down
        case _:
            return False


def why_left_to_a_person(book: Casebook, incident: Incident) -> str | None:
    """Return what on the way home is a person's to mend; None when nothing is."""
    records = [r for r in book.world.cloud.records if r.is_evacuation and r.source == incident.host]
    if any(r.is_open for r in records):
        return "an evacuation record of it was never ended"
    if incident.home.power_ons > 1:
        return "it was switched on twice"
    if incident.home.beats:
        return "it had come back, and did not stay"
    return None
