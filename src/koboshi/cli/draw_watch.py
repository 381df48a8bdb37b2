"""The overview on a screen that is drawn again and again: what is most urgent first, and no more than fits.

Nothing of it is cut off in silence: the last line says how much stands below.
"""

from rich.console import Console, RenderableType
from rich.segment import Segment, SegmentLines
from rich.style import Style
from rich.text import Text

from koboshi.api.views import StatusView
from koboshi.cli.draw_status import Chapter, chapters
from koboshi.cli.words import count

_C = Chapter
URGENT_FIRST = (
    _C.HEAD, _C.INCIDENTS, _C.BOMBS, _C.NOT_UP, _C.UNWELL, _C.STOPPED, _C.NOTICES, _C.NEXT,
    _C.HELD, _C.WAYS_HOME, _C.HOSTS, _C.OUTLOOK, _C.EVIDENCE,
)  # fmt: skip


def watch_page(status: StatusView, console: Console) -> SegmentLines:
    """Return as much of the overview as fits the screen."""
    told = chapters(status, console.width)
    lines: list[list[Segment]] = []
    begins: dict[Chapter, int] = {}
    for name in (name for name in URGENT_FIRST if name in told):
        begins[name] = len(lines)
        for part in told[name]:
            lines += console.render_lines(_folded(part), pad=False)
    if len(lines) <= console.height:
        return SegmentLines(lines, new_lines=True)
    fits = max(console.height - 1, 0)
    below = [name for name, at in begins.items() if at >= fits]
    last = _more(len(lines) - fits, below, console.width)
    return SegmentLines([*lines[:fits], [last]], new_lines=True)


def _more(lines: int, below: list[Chapter], width: int) -> Segment:
    """Return the last line: how much stands below, and where all of it is to be read."""
    brief = f"… {count(lines, 'more line')} below; all of it: koboshi status"
    full = f"{brief} ({', '.join(below)})" if below else brief
    return Segment((full if len(full) <= width else brief)[:width], Style(reverse=True))


def _folded(part: RenderableType) -> RenderableType:
    """Return a line that is never wrapped, wrapped: on a screen its end could not be read at all."""
    if not isinstance(part, Text) or not part.no_wrap:
        return part
    folded = part.copy()
    folded.no_wrap, folded.overflow = False, "fold"
    return folded
