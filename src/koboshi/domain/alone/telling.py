"""Events of servers that fail alone, as a line of a log: stable words, and the sentence that says why."""

from koboshi.domain.memory.events import HealthBack, HealthGivenUp, HealthLost, StopMoved, StopsSeen

AloneEvent = StopsSeen | StopMoved | HealthLost | HealthBack | HealthGivenUp


def words_for(event: AloneEvent) -> tuple[str, str]:
    """Return an event as a line, and why."""
    match event:
        case StopsSeen():
            names = " ".join(sorted(server.id for server in event.servers))
            return f"stops {event.host} {event.cause} {event.to} {names}", event.reason
        case StopMoved():
            return f"stop {event.server} {event.to}", event.reason
        case HealthLost():
            return f"health {event.server} lost", event.reason
        case HealthBack():
            return f"health {event.server} back", event.reason
        case HealthGivenUp():
            return f"health {event.server} given_up", event.reason
