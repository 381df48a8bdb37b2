"""How calls to the fake cloud fail: reads that get no answer, commands whose answer is lost."""

import math
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar, cast

import anyio

from koboshi.domain.errors import CloudUnavailable, CommandRefused, OutcomeUnknown
from koboshi.domain.facts.world import ApiHealth
from koboshi.sim.truth import By, CommandArrived, Watcher
from koboshi.sim.uplink import Uplink

T = TypeVar("T")

HEALTH_WINDOW_S = 30.0
BESIDE_NOVA = frozenset({"image", "volume_services", "volumes"})
"""Questions to Glance and Cinder: whatever becomes of them says nothing of Nova."""


class Fails(StrEnum):
    """In which way a call fails."""

    NO_ANSWER = "no_answer"
    """A read fails; a command is not carried out, and nobody knows."""
    ANSWER_LOST = "answer_lost"
    """A command is carried out, its answer is lost."""
    LATE = "late"
    """A command is carried out long after its sender gave up."""
    REFUSED = "refused"
    """A command is refused by a 4xx."""
    NEVER_SENT = "never_sent"
    """The connection is refused: certainly nothing happened."""


@dataclass(kw_only=True, eq=False)
class Fault:
    """One way in which one kind of call fails, for a while or so many times."""

    call: str
    how: Fails
    from_s: float = 0.0
    until_s: float = float("inf")
    times: int | None = None
    status: int = 409
    late_s: float = 20.0
    when: Callable[[], bool] = lambda: True


@dataclass(frozen=True, kw_only=True)
class Sent:
    """One command that reached the cloud."""

    at_s: float
    call: str
    subject: str
    detail: str = ""


class Line:
    """The way to the API: its faults, its latency, and what was sent over it."""

    def __init__(
        self,
        works: Callable[[], bool] = lambda: True,
        tell: Watcher = lambda _event: None,
        uplink: Uplink | None = None,
    ) -> None:
        self._works = works
        self.uplink = uplink or Uplink()
        self._tell = tell
        self.faults: list[Fault] = []
        self.latency_s = 0.02
        self.calls: Counter[str] = Counter()
        self.sent: list[Sent] = []
        self._ended: deque[tuple[float, float | None]] = deque(maxlen=4096)
        """When each read ended, and how long it took; None: without an answer."""
        self._slow: dict[str, tuple[float, Callable[[], bool]]] = {}
        self._stale: dict[str, dict[str, object]] = {}

    def fail(
        self,
        call: str,
        how: Fails = Fails.NO_ANSWER,
        *,
        for_s: float | None = None,
        times: int | None = None,
        status: int = 409,
        late_s: float = 20.0,
    ) -> Fault:
        """Let `call` (or `*`) fail from now on, for `for_s` seconds if given, or `times` times."""
        now_s = anyio.current_time()
        fault = Fault(
            call=call,
            how=how,
            from_s=now_s,
            until_s=now_s + (float("inf") if for_s is None else for_s),
            times=times,
            status=status,
            late_s=late_s,
        )
        self.faults.append(fault)
        return fault

    def end(self, fault: Fault) -> None:
        """End one fault, over already or not."""
        fault.until_s = 0.0
        if fault in self.faults:
            self.faults.remove(fault)

    def fail_once_when(self, call: str, condition: Callable[[], bool]) -> None:
        """Let the next read of a kind fail that comes while something is so."""
        self.faults.append(Fault(call=call, how=Fails.NO_ANSWER, times=1, when=condition))

    def mend(self) -> None:
        """End every fault."""
        self.faults.clear()

    def spoils(self, call: str) -> Fault | None:
        """Return the fault that the next call of a kind would meet now."""
        now_s = anyio.current_time()
        return next(
            (
                fault
                for fault in self.faults
                if fault.call in {call, "*"}
                and fault.from_s <= now_s < fault.until_s
                and (fault.times is None or fault.times > 0)
                and fault.when()
            ),
            None,
        )

    def _fault(self, call: str) -> Fault | None:
        fault = self.spoils(call)
        if fault is not None and fault.times is not None:
            fault.times -= 1
        return fault

    def slow_answers(self, call: str, by_s: float, when: Callable[[], bool]) -> None:
        """Let the answers of a kind of read, long true, arrive this much later while `when`."""
        self._slow[call] = (by_s, when)

    def stale(self, call: str) -> None:
        """Let a kind of read go on answering what it answers next."""
        self._stale.setdefault(call, {})

    def fresh(self, call: str) -> None:
        """Let it tell the truth again."""
        self._stale.pop(call, None)

    def told(self, call: str, question: str, truth: T) -> T:
        """Return the answer to a question: the truth, or what was true when it began to be stale."""
        kept = self._stale.get(call)
        return truth if kept is None else cast("T", kept.setdefault(question, truth))

    async def way_back(self, call: str) -> None:
        """Carry what was read back to who asked."""
        for name in (call, "*"):
            by_s, when = self._slow.get(name, (0.0, bool))
            if by_s and when():
                await anyio.sleep(by_s)
                self._ended.append((anyio.current_time(), by_s))

    async def read(self, call: str) -> None:
        """Carry a question; the caller reads the database when this returns."""
        self.calls[call] += 1
        took_s: float | None = None
        try:
            await anyio.sleep(self.latency_s)
            if not self.uplink.works:
                await anyio.sleep(self.uplink.gives_up_s)
                raise CloudUnavailable(f"GET {call}: no answer")
            if self._fault(call) or not self._works():
                raise CloudUnavailable(f"GET {call}: 500")
            took_s = self.latency_s
        finally:
            if call not in BESIDE_NOVA:
                self._ended.append((anyio.current_time(), took_s))

    def health(self, ago_s: float = 0.0) -> ApiHealth:
        """Return how the reads of 30 s went, as their sender counts them: the last ones, or those then."""
        until_s = anyio.current_time() - ago_s
        since_s = until_s - HEALTH_WINDOW_S
        ended = [took_s for at_s, took_s in self._ended if since_s <= at_s <= until_s]
        answered = sorted(took_s for took_s in ended if took_s is not None)
        p95_s = answered[math.ceil(0.95 * len(answered)) - 1] if answered else None
        return ApiHealth(asked=len(ended), failed=len(ended) - len(answered), p95_s=p95_s)

    async def command(
        self, call: str, subject: str, detail: str = "", by: By = By.KOBOSHI
    ) -> Fault | None:
        """Carry a command; returns the fault that spoils its answer, if any.

        What was cancelled in here never arrived. What others send over this line meets the same
        faults, and is nobody's evidence of what Koboshi did.
        """
        self.calls[call] += 1
        await anyio.sleep(self.latency_s)
        if by is By.KOBOSHI and not self.uplink.works:
            await anyio.sleep(self.uplink.gives_up_s)
            raise OutcomeUnknown(f"{call}: no answer")
        fault = self._fault(call)
        if fault is not None and fault.how is Fails.NEVER_SENT:
            raise CommandRefused(f"{call}: never sent: connection refused")
        sent = Sent(at_s=anyio.current_time(), call=call, subject=subject, detail=detail)
        if by is By.KOBOSHI:
            self.sent.append(sent)
            self._tell(CommandArrived(at_s=sent.at_s, call=call, subject=subject, detail=detail))
        if fault is not None and fault.how is Fails.REFUSED:
            raise CommandRefused(f"{call}: {fault.status}", status=fault.status)
        if (fault is not None and fault.how is Fails.NO_ANSWER) or not self._works():
            raise OutcomeUnknown(f"{call}: 500, and nothing was done")
        return fault

    async def answer(self, call: str, fault: Fault | None) -> None:
        """Carry the answer back."""
        await anyio.sleep(self.latency_s)
        if fault is not None:
            raise OutcomeUnknown(f"{call}: the answer was lost")
