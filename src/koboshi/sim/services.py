"""Nova's services: their rows, who writes heartbeats into them, and what Nova makes of these.

`updated_at` moves by heartbeats and by edits that change something alike, forced down or not; `state` comes from the age
of the last heartbeat alone, unless forced_down hides it (nova servicegroup/api.py and
drivers/db.py, nova/db/main/api.py:service_update).
"""

import uuid
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from typing import Any

import anyio

from koboshi.domain.facts.cloud import COMPUTE_BINARY, ComputeService
from koboshi.domain.names import HostName, ServiceId
from koboshi.sim.truth import By, ServiceEdited

NAMES = uuid.UUID("5f0d4c3e-2b61-4f0a-9d5c-0c6f2a1b7e88")
JOIN_S = 5.0
"""nova's INITIAL_REPORTING_DELAY: so long after its start a service sends its first heartbeat."""
CONTROL_HOST = HostName("ctl1")
BEATS_KEPT = 6
FIRST_PHASE_S, PHASE_S = 0.37, 1.3
"""Services never beat all at once: each began at a time of its own."""


def key_of(host: HostName, binary: str = COMPUTE_BINARY) -> str:
    """Return the name under which a service's row is kept."""
    return f"{binary}@{host}"


class Services:
    """The table of services."""

    def __init__(
        self, *, interval_s: float, down_after_s: float, now: Callable[[], datetime]
    ) -> None:
        self.interval_s = interval_s
        self.down_after_s = down_after_s
        self.conductor_clock_ahead_s = 0.0
        """It stamps the heartbeats; the API compares them with its own clock."""
        self._now = now
        self._rows: dict[str, ComputeService] = {}
        self._beats: dict[str, float] = {}
        self._written: dict[str, deque[float]] = {}
        """When each row's newest heartbeats were really written."""
        self.hidden_s: dict[str, float] = {}
        """Which rows vanished from the list, and when."""
        self._keys: dict[ServiceId, str] = {}

    def begin(self, key: str, zone: str) -> None:
        """Add a service's row, its first heartbeat just written."""
        binary, _, host = key.partition("@")
        identity = ServiceId(str(uuid.uuid5(NAMES, key)))
        self._rows[key] = ComputeService(
            host=HostName(host),
            binary=binary,
            id=identity,
            zone=zone,
            up=True,
            updated_at=self._now(),
        )
        self._keys[identity] = key
        self._beats[key] = anyio.current_time()
        self._written[key] = deque((anyio.current_time(),), maxlen=BEATS_KEPT)

    def beat(self, key: str) -> None:
        """Write one heartbeat, due or late."""
        self._beats[key] = anyio.current_time() + self.conductor_clock_ahead_s
        self._written[key].append(anyio.current_time())
        self._rows[key] = replace(self._rows[key], updated_at=self._now())

    def unheard_s(self, key: str) -> tuple[float, float]:
        """Return how long no heartbeat of a row was written, and the longest pause before that."""
        times = self._written[key]
        pauses = (later - sooner for sooner, later in pairwise(times))
        return anyio.current_time() - times[-1], max(pauses, default=self.interval_s)

    def edit(
        self, key: str, changes: Mapping[str, Any], by: By, tell: Callable[[ServiceEdited], None]
    ) -> None:
        """Change a row, as a PUT does."""
        before = self._rows[key]
        after = replace(before, **changes)
        if after != before:  # saving what is so already touches no row (seen on the lab)
            after = replace(after, updated_at=self._now())
        self._rows[key] = after
        tell(ServiceEdited(at_s=anyio.current_time(), by=by, before=before, after=after))

    def row(self, key: str) -> ComputeService:
        """Return a row as the database has it."""
        return self._rows[key]

    def put(self, row: ComputeService) -> None:
        """Let the database have this row."""
        key = key_of(row.host, row.binary)
        self._rows[key] = row
        if row.id is not None:
            self._keys[row.id] = key

    def key_by_id(self, service: ServiceId) -> str:
        """Return the name of the row with this id; raises KeyError without it."""
        return self._keys[service]

    def is_up(self, key: str) -> bool:
        """Return Nova's own opinion.

        The age counts as an absolute value: a clock that is ahead counts as down, too
        (servicegroup/drivers/db.py:is_up).
        """
        return self._is_up_at(key, anyio.current_time())

    def _is_up_at(self, key: str, now_s: float) -> bool:
        age_s = now_s - self._beats[key]
        return not self._rows[key].forced_down and abs(age_s) <= self.down_after_s

    def judged(self, key: str) -> ComputeService:
        """Return a row with Nova's opinion of now."""
        return self._judged_at(key, anyio.current_time())

    def _judged_at(self, key: str, now_s: float) -> ComputeService:
        row, up = self._rows[key], self._is_up_at(key, now_s)
        return row if row.up == up else replace(row, up=up)

    def all(self) -> tuple[ComputeService, ...]:
        """Return every row with Nova's opinion of now."""
        now_s = anyio.current_time()
        return tuple(self._judged_at(key, now_s) for key in self._rows)

    def listed(self, *, cell_works: bool) -> tuple[ComputeService, ...]:
        """Return what a list shows: hidden rows left out, a dead cell's as stubs.

        2.69 and later: a stub a host mapping (compute/api.py:_service_get_all_cells).
        """
        now_s = anyio.current_time()
        return tuple(
            ComputeService(host=row.host, binary=row.binary)
            if not cell_works and row.binary == COMPUTE_BINARY
            else self._judged_at(key, now_s)
            for key, row in self._rows.items()
            if key not in self.hidden_s
        )

    def hide(self, key: str) -> None:
        """Let a row vanish from the list."""
        self.hidden_s.setdefault(key, anyio.current_time())

    def show(self, key: str) -> None:
        """Let it be listed again."""
        self.hidden_s.pop(key, None)
