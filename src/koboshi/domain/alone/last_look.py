"""Whether all is still so, right before a server that stopped alone is started."""

from dataclasses import dataclass

from koboshi.domain.alone.actions import STARTS, is_novas_own_stop
from koboshi.domain.alone.stops import Stop, StopCause, StopState
from koboshi.domain.facts.cloud import InstanceAction
from koboshi.domain.memory.commands import RebootServer, StartServer


@dataclass(frozen=True, slots=True, kw_only=True)
class LoneLook:
    """What was just read and is remembered of one server."""

    stop: Stop | None
    actions: tuple[InstanceAction, ...]
    """What was asked of it of late, newest first."""
    host_is_up: bool
    """Whether Nova shows its host's service as up, and not forced down."""
    is_unwell: bool = False
    """Whether its check fails still."""
    is_left: bool = False
    """Whether its own metadata say by now that it stays off when its guest ended alone."""
    brake: str | None
    """Why no host of its cell may be acted upon now."""


def why_not_start_alone(command: StartServer | RebootServer, look: LoneLook) -> str | None:
    """Return why a server that stopped alone must not be started now; None when it may."""
    stop = look.stop
    if isinstance(command, RebootServer):
        return look.brake or (None if look.is_unwell else "its check does not fail any more")
    if stop is None or stop.state is not StopState.STARTING or stop.host != command.host:
        return "nothing is remembered of a stop that nobody wanted"
    if stop.cause is StopCause.LONE and look.is_left:
        return "its metadata say now that it stays off"
    if look.brake is not None:
        return look.brake
    if not look.host_is_up:
        return f"{command.host} is not up in Nova"
    # A start that we asked for before is no order of anybody else's.
    actions = look.actions
    while stop.tries > 1 and actions and actions[0].name == STARTS:
        actions = actions[1:]
    if not is_novas_own_stop(actions):
        newest = actions[0].name if actions else "nothing"
        return f"somebody has decided about it: its newest action is {newest}"
    return None
