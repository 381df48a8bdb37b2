"""What is noticed of many hosts in one moment is one matter, and is told once, with all their names.

Twenty messages at once are read by nobody, and the one that matters is not found among them.
"""

from collections.abc import Iterator

from koboshi.domain.judging.calm import BMC_UNREADABLE, NO_FENCING
from koboshi.domain.memory.events import HostFoundDown, HostNoticeCleared, HostNoticed
from koboshi.domain.names import HostName
from koboshi.ports.journal import Recorded

MANY = 3
"""Hosts: two may have two causes."""
NAMED = 20
"""Hosts: a sentence with more names is read by nobody; `koboshi host list` has them all."""
FOUND_DOWN = "found_down"
OfOneHost = HostNoticed | HostNoticeCleared | HostFoundDown
IN_COMMON = {
    "silent_unconfirmed": "they may be dead, but their silence cannot be confirmed, so nothing is done. So "
    "many at once are mostly our own network, a switch or the control plane: look there first",
    BMC_UNREADABLE: "their power cannot be read: should one of them die, nothing could be evacuated. Look at "
    "the way from here to their power devices first",
    "service_failed": "nova-compute does not report, but they answer: their servers run, nothing is fenced and "
    "nothing is evacuated. Look at the message bus first, then at nova-compute there",
    "hung": "their kernels answer, but no program does. Nothing is fenced by itself",
    NO_FENCING: "should one die, nothing proves it",
    FOUND_DOWN: "they were down before Koboshi first saw them, so they are not recovered by themselves. Bring "
    "them back; or say of each that is dead for sure: koboshi host confirm-dead HOST",
}
"""What may be noticed of many hosts for one cause, and what it means then; all else is each host's own."""


class Together:
    """Gathers the notices of one transaction; remembers of whom there was told together."""

    def __init__(self) -> None:
        self._records: list[tuple[Recorded, OfOneHost]] = []
        self._groups: dict[str, set[HostName]] = {}

    def add(self, record: Recorded, event: OfOneHost) -> None:
        """Take what was noticed of one host."""
        self._records.append((record, event))

    def matters(self) -> Iterator[tuple[Recorded, str | None]]:
        """Return what is to be told, once each: a record alone, or with the sentence for many hosts."""
        records, self._records = self._records, []
        gathered: dict[tuple[str, str], list[tuple[Recorded, OfOneHost]]] = {}
        for record, event in records:
            topic = topic_of(event)
            group = self._groups.get(topic, set())
            if topic not in IN_COMMON:
                yield record, None
            elif not isinstance(event, HostNoticeCleared) or event.host in group:
                gathered.setdefault((event.kind, topic), []).append((record, event))
            else:
                yield record, None
        for (_, topic), found in gathered.items():
            hosts = {event.host for _, event in found}
            first, event = found[0]
            if isinstance(event, HostNoticeCleared):
                self._groups[topic] -= hosts
                yield first, _over(topic, hosts, self._groups[topic])
            elif len(found) < MANY:
                yield from ((record, None) for record, _ in found)
            elif isinstance(event, HostFoundDown):  # whose end nobody is told of
                yield first, f"{len(hosts)} hosts at once: {IN_COMMON[topic]} ({_names(hosts)})"
            else:
                self._groups.setdefault(topic, set()).update(hosts)
                said = f"{len(hosts)} hosts at once: {IN_COMMON[topic]} ({_names(hosts)})"
                yield first, f"{said}. Of one of them: {event.text}"


def topic_of(event: OfOneHost) -> str:
    """Return what an event of one host is about."""
    return FOUND_DOWN if isinstance(event, HostFoundDown) else event.topic


def _over(topic: str, hosts: set[HostName], left: set[HostName]) -> str:
    told = f"{_names(hosts)}: '{topic}' is over"
    return f"{told}; it goes on for {_names(left)}" if left else f"{told}, and for all"


def _names(hosts: set[HostName]) -> str:
    named = ", ".join(sorted(hosts)[:NAMED])
    left = len(hosts) - NAMED
    return f"{named} and {left} more: koboshi host list" if left > 0 else named
