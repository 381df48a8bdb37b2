"""The story of the demo: a host loses its power, and what Koboshi makes of it, told as it happens."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import anyio

from koboshi.domain.errors import KoboshiError
from koboshi.domain.incidents.incident import IncidentState
from koboshi.domain.memory import events as ev
from koboshi.domain.memory.commands import EnableService, Outcome
from koboshi.domain.names import CommandId
from koboshi.ports.journal import Recorded
from koboshi.rehearsal.demo.cloud import (
    BOOT_S,
    DOWN_AFTER_S,
    HEARTBEAT_S,
    NEIGHBOURS,
    SERVERS,
    SPAWN_S,
    VICTIM,
    Fate,
)
from koboshi.rehearsal.demo.ending import Ending, end, look
from koboshi.rehearsal.demo.show import LOOK_S, Show
from koboshi.rehearsal.demo.telling import Kind, Line, Said, Telling
from koboshi.sim.faults import Fault, FaultKind

Say = Callable[[Said], None]

RECOVERY_S = 120.0
"""How long the story may last at most; a power loss takes about 15 s."""
STATUS_S = 0.5
CALM_S = 0.2
"""What Koboshi may still do after all is settled, it does within this."""
RETURN_S = 180.0
"""... and the host's return; it takes about half a minute."""
_LEFT = frozenset({IncidentState.NEEDS_HUMAN, IncidentState.FOREIGN, IncidentState.CLOSED})
_SAFE = _LEFT | {IncidentState.SETTLED}


async def play(show: Show, say: Say) -> Ending:
    """Tell the whole story; return how it ended. Raises KoboshiError if it comes to no end."""
    scene(show, say)
    await show.until_watching()
    hosts = len(show.world.physics.hosts)
    _say(
        say,
        Kind.CHECKS,
        f"all {hosts} hosts answer probes, their heartbeats are fresh: Koboshi may act",
    )
    before = look(show.world)
    teller = Teller(show, say)
    _say(say, Kind.HAPPENS, f"the power of {VICTIM} is cut: {len(SERVERS)} servers are gone")
    teller.count()
    teller.listen()
    show.happenings.begin(Fault(kind=FaultKind.POWER_LOSS, host=VICTIM))
    await teller.until(_SAFE, RECOVERY_S)
    await anyio.sleep(CALM_S)
    show.following.read()
    _say(
        say,
        Kind.HAPPENS,
        f"somebody mends {VICTIM} and presses its power button: {count(Fate.HELD)} servers wait for it",
    )
    show.happenings.begin(Fault(kind=FaultKind.START, host=VICTIM))
    await teller.until(_LEFT, RETURN_S)
    await anyio.sleep(CALM_S)
    show.following.read()
    if teller.is_home:
        teller.close(show.settings.rules().latch.total_seconds())
    return end(show.judge, before)


def count(fate: Fate) -> int:
    """Return how many servers of the demo come to this end."""
    return sum(cast.fate is fate for cast in SERVERS)


def scene(show: Show, say: Say) -> None:
    """Tell what there is before anything happens."""
    hosts = show.world.physics.hosts
    _say(
        say,
        Kind.SCENE,
        f"a simulated OpenStack with {len(hosts)} hosts and {len(SERVERS) + len(NEIGHBOURS)} servers",
        f"Keystone, Nova, Placement, Glance, Neutron, Cinder and the hosts' BMCs at {show.served.url}",
        f"a heartbeat every {HEARTBEAT_S:.0f} s, down after {DOWN_AFTER_S:.0f} s (Nova's defaults: 10"
        " s, 60 s)",
        f"its hosts boot in {BOOT_S:.0f} s, and a server spawns in {SPAWN_S:.1f} s",
    )
    _say(
        say,
        Kind.SCENE,
        f"koboshi run, a process of its own ({show.daemon.pid}), with its real adapters over HTTP",
        *(f"shortened: {window}" for window in show.settings.shortened_windows()),
    )
    _say(say, Kind.CHECKS, "getting to know the hosts: a silence counts only of who has answered")


def _say(say: Say, kind: Kind, text: str, *details: str) -> None:
    say(Said(kind=kind, text=text, details=details))


class Teller:
    """Follows Koboshi and tells what it does, with the seconds since the fault."""

    def __init__(self, show: Show, say: Say) -> None:
        self._show = show
        self._say = say
        self._telling = Telling()
        self._lost_at: datetime | None = None
        self._ends = _SAFE
        self._over = False
        self._enable: CommandId | None = None
        self.is_home = False
        """Whether the host was enabled again; it is watched for some minutes after that."""

    def count(self) -> None:
        """Count the seconds from now on."""
        self._lost_at = datetime.now(UTC)

    def close(self, latch_s: float) -> None:
        """Say that the host is home, and what would still come."""
        text = (
            f"{VICTIM} is enabled and home; its incident stays open until it has been healthy for "
            f"{latch_s:.0f} s (ten minutes by default), which is not waited for here"
        )
        self._tell(iter(((Kind.SETTLED, text, ()),)), datetime.now(UTC))

    def listen(self) -> None:
        """Tell from now on."""
        self._show.following.read()
        self._show.following.listeners.append(self._hear)

    async def until(self, ends: frozenset[IncidentState], within_s: float) -> None:
        """Go on until the incident came to such an end, or its host is enabled.

        Raises KoboshiError if it does not, or if Koboshi ends.
        """
        self._ends, self._over = ends, False
        limit = anyio.move_on_after(within_s)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self.watch_status)
            with limit:
                while not self._over:
                    self._show.daemon.assert_alive()
                    self._show.following.read()
                    await anyio.sleep(LOOK_S)
            tasks.cancel_scope.cancel()
        if limit.cancelled_caught:
            raise KoboshiError(f"not over after {within_s:.0f} s:\n{self._show.daemon.tail()}")

    async def watch_status(self) -> None:
        """Tell each host's verdict when it changes, until cancelled."""
        while True:
            status = await self._show.daemon.status()
            if status is not None:
                self._tell(self._telling.status(status), status.at)
            await anyio.sleep(STATUS_S)

    def _hear(self, recorded: Recorded) -> None:
        event = recorded.event
        self._tell(self._telling.event(event), recorded.at.wall)
        match event:
            case ev.IncidentMoved():
                self._over = event.to in self._ends
            case ev.CommandIntended(command=EnableService(id=command)):
                self._enable = command
            case ev.CommandEnded(outcome=Outcome.DONE) if event.command == self._enable:
                self._over = self.is_home = True
            case _:
                pass

    def _tell(self, lines: Iterator[Line], at: datetime) -> None:
        after_s = None if self._lost_at is None else (at - self._lost_at).total_seconds()
        for kind, text, details in lines:
            self._say(Said(kind=kind, text=text, details=details, after_s=after_s))
