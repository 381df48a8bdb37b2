"""Nova's cells, as far as the settings declare them, and since when silence in each of them counts."""

from koboshi.domain.facts.world import World
from koboshi.domain.instant import Instant, latest
from koboshi.domain.memory.state import State
from koboshi.domain.names import THE_CELL, CellName, HostName


def cell_of(host: HostName, world: World) -> CellName:
    """Return the cell of a compute host; no API of Nova's tells it, so it must be declared."""
    return next((cell for cell, hosts in world.cells.items() if host in hosts), THE_CELL)


def all_cells(world: World) -> tuple[CellName, ...]:
    """Return every cell, the one of all other hosts first."""
    return (THE_CELL, *(cell for cell in world.cells if cell != THE_CELL))


def counted_from(host: HostName, world: World, state: State) -> Instant:
    """Return since when the silence of `host` counts.

    What was silent while our own loop stood still, or while the picture of its cell was implausible,
    is no evidence: it counts anew.
    """
    hold = state.holds.brakes.get(cell_of(host, world))
    if hold is None or hold.eased_at is None:
        return world.began_at
    return latest(hold.eased_at, world.began_at)
