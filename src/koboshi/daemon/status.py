"""How the daemon is: for its API, its metrics and its service manager."""

from collections import Counter
from datetime import timedelta

from koboshi.adapters.telemetry.metrics import Metrics, Witness
from koboshi.api.source import Health, HealthCheck
from koboshi.domain.decision import Decision, Picture, Refused
from koboshi.domain.facts.world import World
from koboshi.domain.forecasting.time_bombs import bombs_seen
from koboshi.domain.instant import Instant, latest
from koboshi.domain.judging.verdict import Verdict, seconds
from koboshi.domain.memory.state import State
from koboshi.domain.picture import take_picture
from koboshi.domain.rules import Rules
from koboshi.domain.word import Word
from koboshi.engine.loop import Engine
from koboshi.engine.memory import Memory
from koboshi.engine.whiteboard import Whiteboard
from koboshi.ports.clock import Clock
from koboshi.ports.journal import JournalReader

STANDSTILL = timedelta(seconds=15)
"""A loop that has not turned for this long is dead: the service manager should restart it."""
EVIDENCE_MAX_AGE = timedelta(seconds=30)


class DaemonStatus:
    """Implements `koboshi.api.source.StatusSource` from memory."""

    def __init__(
        self,
        *,
        engine: Engine,
        memory: Memory,
        board: Whiteboard,
        rules: Rules,
        clock: Clock,
        cloud: str,
    ) -> None:
        self._engine = engine
        self._memory = memory
        self._board = board
        self._rules = rules
        self._clock = clock
        self._cloud = cloud

    def state(self) -> State:
        """Return the memory, folded."""
        return self._memory.state

    def world(self) -> World:
        """Return the newest picture of the cloud."""
        return self._board.world

    def rules(self) -> Rules:
        """Return what the operator decided."""
        return self._rules

    def now(self) -> Instant:
        """Return the present moment."""
        return self._clock.now()

    def cloud(self) -> str:
        """Return the cloud's name and region, for people."""
        return self._cloud

    def journal(self) -> JournalReader:
        """Return the journal, for timelines."""
        return self._memory.journal

    async def hear(self, word: Word, by: str) -> Decision | Refused:
        """Answer what a person says, in the deciding loop."""
        return await self._engine.hear(word, by)

    def health(self) -> Health:
        """Return how the daemon is."""
        return self._health(self.look())

    def is_alive(self) -> bool:
        """Return whether the loop turns."""
        ticked = self._engine.ticked_at
        return ticked is not None and self._clock.now().since(ticked) < STANDSTILL

    def look(self) -> Picture:
        """Return everything judged as of now; what the loop judged just before is not judged again."""
        return take_picture(
            self._board.world,
            self._memory.state,
            self._rules,
            self._clock.now(),
            before=self._engine.seen,
        )

    def _health(self, picture: Picture) -> Health:
        now, alive = picture.now, self.is_alive()
        checks = (self._nova(now), self._probes(now), self._journal_check())
        failed = [check.detail for check in checks if not check.is_ok]
        if why := picture.why_not_acting:
            acting, reason = False, why
        elif failed or not alive:
            acting, reason = False, failed[0] if failed else "its loop stands still"
        elif (braked := _brake(picture)) is not None:
            acting, reason = True, f"armed; but a host that died now would be held: {braked}"
        else:
            acting, reason = True, "armed, and everything that it needs is well"
        return Health(is_alive=alive, is_acting=acting, acting_reason=reason, checks=checks)

    def _nova(self, now: Instant) -> HealthCheck:
        world = self._board.world
        if world.api.failing_since is not None:
            since = seconds(now.since(world.api.failing_since))
            detail = f"Nova's services cannot be read for {since}: {world.api.error}"
            return HealthCheck(name="nova", is_ok=False, detail=detail)
        return self._age("nova", "Nova's services", world.services_read_at, now)

    def _probes(self, now: Instant) -> HealthCheck:
        newest = self._newest_probe()
        if not self._board.world.protected:
            detail = "no host is protected: is any hypervisor of type QEMU or KVM?"
            return HealthCheck(name="probes", is_ok=False, detail=detail)
        return self._age("probes", "the hosts", newest, now)

    def _newest_probe(self) -> Instant | None:
        asked = [track.asked_at for track in self._board.world.probes.values()]
        return latest(*asked) if asked else None

    def _newest_power(self) -> Instant | None:
        tracks = self._board.world.power.values()
        known = [track.known_at for track in tracks if track.known_at is not None]
        return latest(*known) if known else None

    @staticmethod
    def _age(name: str, what: str, at: Instant | None, now: Instant) -> HealthCheck:
        if at is None:
            return HealthCheck(name=name, is_ok=False, detail=f"{what} were not read yet")
        age = now.since(at)
        return HealthCheck(
            name=name, is_ok=age < EVIDENCE_MAX_AGE, detail=f"{what} were read {seconds(age)} ago"
        )

    def _journal_check(self) -> HealthCheck:
        failure = self._memory.failure
        return HealthCheck(
            name="journal", is_ok=failure is None, detail=failure or "the journal is written"
        )

    def measure(self, metrics: Metrics) -> None:
        """Set every gauge."""
        picture = self.look()
        now, world, state = picture.now, picture.world, picture.state
        health = self._health(picture)
        verdicts = (j.verdict for j in picture.judgements.values() if j.host in world.protected)
        metrics.mode(self._rules.mode)
        metrics.armed(is_armed=picture.why_not_acting is None)
        metrics.acting(is_acting=health.is_acting)
        metrics.hosts(Counter(verdicts))
        metrics.incidents(Counter(i.state for i in state.incidents.values()))
        metrics.time_bombs(sum(not b.is_harmless for b in bombs_seen(world, state)))
        outlook = world.outlook
        known = outlook is not None and outlook.hosts > 0
        metrics.hosts_without_room(
            sum(s.domain is None for s in outlook.short) if outlook and known else None
        )
        tests = state.devices.tests.values()
        metrics.fence_tests([t.worked_at.wall for t in tests if t.worked_at is not None])
        for witness, at in (
            (Witness.NOVA, world.services_read_at),
            (Witness.PROBES, self._newest_probe()),
            (Witness.POWER, self._newest_power()),
        ):
            metrics.evidence_age(witness, None if at is None else now.since(at))


def _brake(picture: Picture) -> str | None:
    """Return what would hold back the next host that dies; None when nothing would."""
    world, judgements = picture.world, picture.judgements
    living = (
        j.host for j in judgements.values() if j.verdict is Verdict.UP and j.host in world.protected
    )
    host = next(living, None)
    if host is None:
        return "no protected host is seen up"
    return picture.brake.why(host)
