"""What follows by itself from a scene, look by look."""

from koboshi.domain.decide import decide
from koboshi.domain.memory.events import IncidentMoved
from tests.fakes.scene import Scene

LOOKS = 6


def moves(scene: Scene, *reasons: str) -> list[str]:
    """Return the states that follow, up to the first command; for each of `reasons` one is reached."""
    found: list[str] = []
    told: list[str] = []
    for _ in range(LOOKS):
        decision = decide(scene.picture())
        moved = [e for e in decision.events if isinstance(e, IncidentMoved)]
        found += [str(e.to) for e in moved]
        told += [e.reason for e in moved]
        scene.tell(0.0, *decision.events)
        if decision.commands or not decision.events:
            break
    assert all(any(reason in text for text in told) for reason in reasons)
    return found
