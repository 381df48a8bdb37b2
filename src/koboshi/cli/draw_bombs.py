"""Time bombs, for eyes: what will happen when, and the cure on a line of its own, to be copied."""

from collections.abc import Sequence

from rich.console import RenderableType
from rich.padding import Padding
from rich.text import Text

from koboshi.api.views import TimeBombView
from koboshi.cli.words import clean, count


def draw_bombs(bombs: Sequence[TimeBombView]) -> list[RenderableType]:
    """Return the bombs, drawable, under their heading; nothing where there are none."""
    if not bombs:
        return []
    parts: list[RenderableType] = [
        Text(f"\nTime bombs: {count(len(bombs), 'evacuation')} that never ended", style="bold red")
    ]
    for bomb in bombs:
        name = f"{bomb.name} ({bomb.server})" if bomb.name else bomb.server
        style = "bold red" if bomb.destroys_a_server_now else "yellow"
        parts += [
            Text(f"  {clean(bomb.host)}: server {clean(name)}, record {bomb.record} {bomb.status}"),
            Padding(Text(clean(bomb.what), style=style), (0, 0, 0, 4), expand=False),
            Text(f"    → {clean(bomb.cure)}", style="cyan", no_wrap=True, overflow="ignore"),
        ]
    return parts
