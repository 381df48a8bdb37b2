"""What Prometheus reads: every series exists from the start, so that an absence means trouble.

No server or host is a label: their number is the cloud's, and their names are the operator's.
"""

import math
import platform
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Info,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)

from koboshi import __version__
from koboshi.domain.incidents.incident import IncidentState
from koboshi.domain.judging.verdict import Verdict
from koboshi.domain.memory.commands import Command, Evacuate, FenceOff, Outcome
from koboshi.domain.memory.events import CommandEnded, CommandIntended, Event
from koboshi.domain.names import CommandId
from koboshi.domain.rules import Mode


class Witness(StrEnum):
    """Who tells us about hosts."""

    NOVA = "nova"
    """Heartbeats: the services as Nova lists them."""
    PROBES = "probes"
    """Our own probes of the management network."""
    POWER = "power"
    """The power devices."""


class Metrics:
    """The daemon's numbers; every method returns at once."""

    def __init__(self) -> None:
        disable_created_metrics()  # a second series for each counter, which nobody reads
        registry = self.registry = CollectorRegistry()
        """For whoever serves it."""
        ProcessCollector(registry=registry)
        self._open: dict[CommandId, Command] = {}

        def gauge(name: str, text: str, *labels: str) -> Gauge:
            return Gauge(f"koboshi_{name}", text, labels, registry=registry)

        def counter(name: str, text: str) -> Counter:
            return Counter(f"koboshi_{name}", text, registry=registry)

        self._acting = gauge("acting", "1 if it would act upon a dead host now, else 0.")
        self._armed = gauge("armed", "1 if it may act: by its mode or a person's word, else 0.")
        self._mode = gauge("mode", "1 for the mode that is set.", "mode")
        self._hosts = gauge("hosts", "Protected hosts by verdict.", "verdict")
        self._incidents = gauge("incidents", "Incidents in the journal by state.", "state")
        self._bombs = gauge(
            "time_bombs", "Evacuation records left open that would destroy a server, now or later."
        )
        self._short = gauge(
            "hosts_without_room",
            "Hosts of which some servers would find no place if they died, by the newest look ahead.",
        )
        self._age = gauge(
            "evidence_age_seconds", "Since the witness last told anything; +Inf: never.", "witness"
        )
        self._evacuations = counter("evacuations_attempted", "Evacuate requests that were begun.")
        self._evacuations_failed = counter(
            "evacuations_failed", "Evacuations that ended as failed or refused."
        )
        self._fences = counter("fences_attempted", "Hosts that were being switched off.")
        self._tested_at = gauge(
            "fence_last_tested_timestamp_seconds",
            "When a fence test last worked, on any host; 0: never.",
        )
        self._tested = gauge("fence_tested_hosts", "Hosts of which a fence test has worked.")
        self._fences_failed = counter(
            "fences_failed", "Fences that ended without the host read as off."
        )
        self._requests = counter("api_requests", "Requests to the cloud's API.")
        self._requests_failed = counter(
            "api_requests_failed", "Requests to the cloud's API without a usable answer."
        )
        self._dropped = counter("notices_dropped", "Notices that did not reach the webhook.")
        self._events = counter("journal_events", "Events that were written to the journal.")
        build = Info("koboshi_build", "Which Koboshi this is.", registry=registry)
        build.info({"version": __version__, "python": platform.python_version()})
        self._begin_at_zero()

    def _begin_at_zero(self) -> None:
        self._acting.set(0)
        self._armed.set(0)
        for mode in Mode:
            self._mode.labels(mode.value).set(0)
        self.hosts({})
        self.incidents({})
        self.time_bombs(0)
        self.hosts_without_room(None)
        for witness in Witness:
            self.evidence_age(witness, None)

    def acting(self, *, is_acting: bool) -> None:
        """Set whether it would act upon a dead host now."""
        self._acting.set(int(is_acting))

    def armed(self, *, is_armed: bool) -> None:
        """Set whether it may act: by its mode, or by a person's word."""
        self._armed.set(int(is_armed))

    def mode(self, mode: Mode) -> None:
        """Set the mode."""
        for one in Mode:
            self._mode.labels(one.value).set(int(one is mode))

    def hosts(self, count: Mapping[Verdict, int]) -> None:
        """Set how many hosts have each verdict; those not named have none."""
        for verdict in Verdict:
            self._hosts.labels(verdict.value).set(count.get(verdict, 0))

    def incidents(self, count: Mapping[IncidentState, int]) -> None:
        """Set how many incidents are in each state; those not named have none."""
        for state in IncidentState:
            self._incidents.labels(state.value).set(count.get(state, 0))

    def time_bombs(self, count: int) -> None:
        """Set how many evacuation records were left open, those of deleted servers left out."""
        self._bombs.set(count)

    def hosts_without_room(self, count: int | None) -> None:
        """Set how many hosts the cloud could not lose; None: nobody knows (NaN)."""
        self._short.set(math.nan if count is None else count)

    def evidence_age(self, witness: Witness, age: timedelta | None) -> None:
        """Set how old the newest word of a witness is; None: it never said any.

        Never is infinitely old rather than zero: an alert on the age must see a blind daemon.
        """
        seconds = math.inf if age is None else age.total_seconds()
        self._age.labels(witness.value).set(seconds)

    def fence_tests(self, worked: Collection[datetime]) -> None:
        """Set when the fence of each host last worked, of those of which it did."""
        self._tested.set(len(worked))
        self._tested_at.set(max((at.timestamp() for at in worked), default=0.0))

    def resume(self, open_commands: Iterable[Command]) -> None:
        """Know the commands that an earlier life left open, so that their ends are counted."""
        self._open.update((command.id, command) for command in open_commands)

    def journalled(self, events: Iterable[Event]) -> None:
        """Count what was just written to the journal: attempts, failures, events."""
        for event in events:
            self._events.inc()
            if isinstance(event, CommandIntended):
                self._open[event.command.id] = event.command
                self._count(event.command, self._evacuations, self._fences)
            elif isinstance(event, CommandEnded):
                command = self._open.pop(event.command, None)
                if command is not None and event.outcome is not Outcome.DONE:
                    self._count(command, self._evacuations_failed, self._fences_failed)

    def api_request(self, is_answered: bool) -> None:  # noqa: FBT001 - a callback's only word
        """Count one request to the cloud's API, and whether it got no usable answer."""
        self._requests.inc()
        if not is_answered:
            self._requests_failed.inc()

    def notice_dropped(self) -> None:
        """Count one notice that did not reach the webhook."""
        self._dropped.inc()

    def render(self) -> bytes:
        """Return the text for /metrics; an API may also encode `registry` as its reader asks."""
        return generate_latest(self.registry)

    @staticmethod
    def _count(command: Command, evacuations: Counter, fences: Counter) -> None:
        if isinstance(command, Evacuate):
            evacuations.inc()
        elif isinstance(command, FenceOff):
            fences.inc()
