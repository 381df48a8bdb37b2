"""A person asks whether a host can be switched off and on: only an empty, disabled one is tried."""

from koboshi.domain.decision import Decision, Picture, Refused
from koboshi.domain.facts.ownership import disabled_by_operator
from koboshi.domain.incidents.incident import ACTING, IncidentState
from koboshi.domain.judging.quarantine import has_trusted_device
from koboshi.domain.memory.commands import TryFence
from koboshi.domain.names import CommandId, HostName
from koboshi.domain.restraint.arming import why_not_acting

_UNSETTLED = ACTING | {IncidentState.CONFIRMED, IncidentState.HELD}


def try_fence(picture: Picture, host: HostName, by: str) -> Decision | Refused:
    """Return the command that tries the host's power devices, or why it is not tried."""
    if refused := _not_possible(picture, host) or _not_now(picture, host):
        return refused
    number = picture.state.command_count + 1
    return Decision(commands=(TryFence(id=CommandId(f"{host}/try-{number}"), host=host, by=by),))


def _not_possible(picture: Picture, host: HostName) -> Refused | None:
    world = picture.world
    if host not in world.services or host not in world.fenced:
        return Refused(
            reason=f"{host} has no power device, or Nova does not know it",
            cure="write its name as 'koboshi status' does; add [fencing.hosts.NAME]",
        )
    if host in world.ours:
        return Refused(
            reason=f"{host} carries Koboshi or its database: it is never switched off",
            cure="run Koboshi elsewhere",
        )
    if not has_trusted_device(host, world, picture.state):
        return Refused(
            reason=f"the power device of {host} is quarantined: it may be another host's",
            cure=f"mend its settings first; see 'koboshi host explain {host}'",
        )
    if not disabled_by_operator(host, world):
        return Refused(
            reason=f"{host} is in service",
            cure=f"openstack compute service set --disable {host} nova-compute; and move its servers away",
        )
    sweep = picture.world.sweep
    servers = None if sweep is None else sweep.on(host)
    if servers is None or servers:
        count = "unknown" if servers is None else len(servers)
        return Refused(
            reason=f"{host} is not empty: its servers are {count}",
            cure=f"openstack server list --all-projects --host {host}; move them away first",
        )
    return None


def _not_now(picture: Picture, host: HostName) -> Refused | None:
    if why := why_not_acting(picture.rules, picture.state, picture.now):
        return Refused(reason=f"Koboshi does not act: {why}", cure="arm it first: koboshi arm")
    if picture.state.open_incident(host) is not None:
        return Refused(
            reason=f"{host} has an open incident", cure="koboshi incident list; bring it home first"
        )
    acted_upon = next((i for i in picture.state.open_incidents() if i.state in _UNSETTLED), None)
    if acted_upon is not None:
        return Refused(
            reason=f"{acted_upon.host} is being recovered: nothing is tried meanwhile",
            cure="wait until its incident is settled",
        )
    if picture.state.is_busy(f"host:{host}") or any(
        isinstance(c.command, TryFence) for c in picture.state.commands.values()
    ):
        return Refused(reason="a fence test is running", cure="wait for its end: koboshi status")
    return None
