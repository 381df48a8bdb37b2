"""The judge of hosts that are fenced though they answer: they must be down inside, and it be wanted.

Told by the machine's own boot and by what runs on it, never by what Koboshi read of either.
"""

from koboshi.domain.memory.commands import FenceOff
from koboshi.sim.casebook import Casebook

DOWN_FOR_S = 600.0


def why_not_down_inside(book: Casebook, command: FenceOff, now_s: float) -> str | None:
    """Return why a host that answers must not be switched off; None when it may."""
    machine = book.world.physics.hosts[command.host]
    word = book.state.incidents[command.incident].word
    if not (book.rules.fence_down_inside or (word is not None and word.to_fence)):
        return "nobody wants it"
    up_s = now_s - machine.booted_s
    unheard_s, _pause_s = book.world.cloud.service_table.unheard_s(f"nova-compute@{command.host}")
    if machine.booted_s < 0 or unheard_s < up_s:
        return "its nova-compute reported after it booted"
    if up_s < DOWN_FOR_S:
        return f"it booted only {up_s:.0f} s ago"
    if machine.domains and not machine.resumes_guests:
        return f"{len(machine.domains)} guests run there"
    book.near["fenced_down_inside"] += 1
    return None
