"""After a crash: what was meant is known, what became of it is not."""

from koboshi.domain.memory.commands import Evacuate, Outcome, TryFence
from koboshi.domain.memory.events import CommandEnded, CommandUnknown, Event, FenceTested
from koboshi.domain.memory.state import State

_WHY = "the daemon ended before the answer was known"
_WHY_OFF = "the daemon ended in the middle of it: the host may be OFF. Look, and switch it on"


def resume(state: State) -> tuple[Event, ...]:
    """Return what a new daemon must remember before its first decision.

    A request to evacuate whose answer is missing is *unknown*: it is resolved by reading, and is
    not sent again on a guess. Everything else may be repeated, and is asserted by level.
    """
    events: list[Event] = []
    for opened in state.commands.values():
        command = opened.command
        if isinstance(command, TryFence):
            events.append(FenceTested(host=command.host, ok=False, detail=_WHY_OFF))
        if not isinstance(command, Evacuate):
            events.append(CommandEnded(command=command.id, outcome=Outcome.UNRESOLVED, detail=_WHY))
        elif not opened.accepted and opened.unknown_since is None:
            events.append(CommandUnknown(command=command.id, detail=_WHY))
    return tuple(events)
