"""The bench's stopwatch: the same instrument for everyone who is measured.

It reads Nova's migration records four times a second, and the lab's truth; both are on one machine
with one clock. Nova's own timestamps have whole seconds only, so they serve as a cross-check.
"""

import threading
import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from lab import Lab, LabError
from lab.rig.nova import Nova

EVERY_S = 0.25
ARRIVED = frozenset({"done", "completed"})


@dataclass
class Reading:
    """What was seen of one recovery; moments are wall-clock seconds."""

    first_record: float | None = None
    first_created_at: datetime | None = None
    last_back: float | None = None
    records: dict[str, list[str]] = field(default_factory=dict[str, list[str]])
    """Every record's status, by server."""


class Observer:
    """Watches the evacuations of one host until all of the expected servers are back."""

    def __init__(self, lab: Lab, host: str, servers: set[str]) -> None:
        self._host = host
        self._servers = servers
        self._nova = Nova(lab)
        # Records of earlier failures of this host are no part of this one.
        self._old = {record.uuid for record in self._nova.evacuations(source=host)}
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._stop = threading.Event()
        self.reading = Reading()

    def __enter__(self) -> Self:
        """Start watching."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop watching."""
        self._stop.set()
        self._thread.join(70)

    def wait(self, timeout_s: float) -> Reading:
        """Return the reading once all servers are back."""
        deadline = time.monotonic() + timeout_s
        while self.reading.last_back is None:
            if time.monotonic() > deadline:
                raise LabError(f"not all servers are back after {timeout_s:.0f} s: {self.reading}")
            time.sleep(0.1)
        return self.reading

    def _watch(self) -> None:
        while not self._stop.is_set() and self.reading.last_back is None:
            began = time.monotonic()
            try:
                self._look()
            except LabError as error:
                print(f"observer: {error}", flush=True)
            self._stop.wait(max(0.0, EVERY_S - (time.monotonic() - began)))

    def _look(self) -> None:
        new = [r for r in self._nova.evacuations(source=self._host) if r.uuid not in self._old]
        seen_at = time.time()
        if new and self.reading.first_record is None:
            self.reading.first_record = seen_at
            self.reading.first_created_at = new[0].created_at
        records: dict[str, list[str]] = {}
        for record in new:
            records.setdefault(record.server, []).append(record.status)
        self.reading.records = records
        arrived = {server for server, statuses in records.items() if statuses[-1] in ARRIVED}
        if self._servers <= arrived and self._all_well():
            self.reading.last_back = time.time()

    def _all_well(self) -> bool:
        rows = self._nova.servers()
        return all(rows[s].is_well and rows[s].host != self._host for s in self._servers)
