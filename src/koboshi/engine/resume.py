"""After a crash: what was meant is known, what became of it is not."""

from koboshi.domain.commands import Evacuate, Outcome
from koboshi.domain.events import CommandEnded, CommandUnknown, Event
from koboshi.domain.state import State

_WHY = "the daemon ended before the answer was known"


def resume(state: State) -> tuple[Event, ...]:
    """Return what a new daemon must remember before its first decision.

    A request to evacuate whose answer is missing is *unknown*: it is resolved by reading, and is
    not sent again on a guess. Everything else may be repeated, and is asserted by level.
    """
    events: list[Event] = []
    for opened in state.commands.values():
        command = opened.command
        if not isinstance(command, Evacuate):
            events.append(CommandEnded(command=command.id, outcome=Outcome.UNRESOLVED, detail=_WHY))
        elif not opened.accepted and opened.unknown_since is None:
            events.append(CommandUnknown(command=command.id, detail=_WHY))
    return tuple(events)
