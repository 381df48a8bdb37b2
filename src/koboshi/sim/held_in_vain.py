"""The judge of how long the brake is held: as long as anything in the world's truth speaks for it, and a little.

A brake that is held for ever is no recovery of anybody, ever: whatever holds it must end, or be told.
"""

from koboshi.domain.names import THE_CELL
from koboshi.sim.braking import bound_of, in_doubt
from koboshi.sim.breach import Rule
from koboshi.sim.brownouts import why_unwell
from koboshi.sim.casebook import Casebook

NEW_LOOK_S = 60.0
"""A daemon that began again, or whose own loop stood still, looks anew for some time."""


class HeldInVain:
    """Watches one brake from look to look."""

    def __init__(self) -> None:
        self._since_s: float | None = None
        """Since when nothing speaks for holding it; None while something does, or it is not held."""
        self._told = False

    def look(self, book: Casebook, now_s: float) -> None:
        """Judge the brake as it is now."""
        hold = book.state.holds.brakes.get(THE_CELL)
        if hold is None or hold.is_released or _what_speaks_for_it(book, now_s):
            self._since_s = None
            return
        if self._since_s is None:
            self._since_s = now_s
        may_last_s = book.rules.release_after.total_seconds() + NEW_LOOK_S
        if now_s - max(self._since_s, book.began_s) > may_last_s and not self._told:
            self._told = True
            facts = (
                f"the brake is held for {now_s - self._since_s:.0f} s, and nothing speaks for it"
            )
            book.tell(Rule.UNFINISHED, f"{facts}: {hold.reason}")


def _what_speaks_for_it(book: Casebook, now_s: float) -> bool:
    return why_unwell(book, now_s) is not None or len(in_doubt(book, now_s)) > bound_of(book)


def is_held(book: Casebook) -> bool:
    """Return whether the brake is held, or eased and not released yet."""
    hold = book.state.holds.brakes.get(THE_CELL)
    return hold is not None and not hold.is_released
