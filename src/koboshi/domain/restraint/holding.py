"""The brake through time: held when the picture is implausible, eased, and released only later.

Held, it stops fences and new hosts of its cell; hosts already proven go on. Eased, all silence counts
anew. Released, when the picture has been plausible for `release_after` since.
"""

from collections.abc import Iterator

from koboshi.domain.decision import NOTHING, Decision, Picture
from koboshi.domain.facts.cells import all_cells
from koboshi.domain.memory.events import BrakeEased, BrakeHeld, BrakeReleased, DisarmEnded, Event
from koboshi.domain.names import CellName
from koboshi.domain.rules import LEAST_HOLD


def keep_holds(picture: Picture) -> Decision:
    """Return what changes of the brake, cell by cell, and the end of a disarm whose time is over."""
    events = tuple(_ended_disarm(picture))
    if picture.brake.why_too_early() is None:  # too little is known to hold anew, or to ease
        for cell in all_cells(picture.world):
            events += tuple(_keep(picture, cell))
    return Decision(events=events) if events else NOTHING


def _ended_disarm(picture: Picture) -> Iterator[Event]:
    disarmed = picture.state.holds.disarmed
    if disarmed is None or disarmed.until is None:
        return
    if picture.now.has_passed(disarmed.until):
        yield DisarmEnded()


def _keep(picture: Picture, cell: CellName) -> Iterator[Event]:
    hold = picture.state.holds.brakes.get(cell)
    is_tight = hold is not None and not hold.is_released and hold.eased_at is None
    if not is_tight and (why := picture.brake.why_implausible(cell)):
        yield BrakeHeld(cell=cell, reason=why)
        return
    if hold is None or hold.is_released:
        return
    if hold.eased_at is None:
        held_for = picture.now.surely_since(hold.held_at)
        if held_for >= LEAST_HOLD and picture.brake.is_plausible(cell):
            yield BrakeEased(cell=cell)
    elif picture.now.surely_since(hold.eased_at) >= picture.rules.release_after:
        yield BrakeReleased(cell=cell)
