"""The hosts' management addresses, for probes of another process: real sockets on the loopback.

A host without power must be *silent*, and a loopback without a listener is not: its kernel refuses,
which is a sign of life. So each host has an address of its own with a listener whose queue is filled
on purpose while the host is silent: Linux drops the SYN of whoever comes then, as a dead host would
not answer it (tcp_conn_request drops it whatever tcp_abort_on_overflow says). No root is needed.
"""

import asyncio
import errno
import select
import socket
import struct
from collections import deque
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager, suppress
from enum import Enum, auto
from ipaddress import IPv4Address

import anyio

from koboshi.domain.errors import KoboshiError
from koboshi.domain.names import HostName
from koboshi.sim.physics import Host
from koboshi.sim.prober import SimProbe
from koboshi.sim.world import World

FIRST = IPv4Address("127.77.0.1")
"""The first host's; 127.0.0.0/8 is all loopback on Linux."""
GREETING = b"SSH-2.0-simulated\r\n"
BACKLOG = 128
LOOK_S = 0.05
"""How soon a listener follows its host."""
SPARE_S = 0.4
"""How long the trial of silence waits: a local answer takes less than a millisecond."""
MAX_FILLERS = 16
HUNG_CALLERS = 64
"""Conversations with a hung host that are kept open; older ones are closed."""
PORT_TRIES = 20
AT_ONCE = struct.pack("ii", 1, 0)
"""SO_LINGER: close with a reset, and leave nothing behind."""


class LoopbackUnfit(KoboshiError):
    """This machine's loopback cannot play hosts that fall silent."""


class Says(Enum):
    """What a host's management address answers."""

    GREETING = auto()
    KERNEL = auto()
    """Accepts, and says nothing."""
    NOTHING = auto()


def says(host: Host, probe: SimProbe) -> Says:
    """Return what a caller of a host would notice."""
    if probe.blind or not host.power or not (host.link and host.link_in):
        return Says.NOTHING
    return Says.GREETING if host.userland else Says.KERNEL


class Door:
    """One listener, and what it answers; used on one asyncio loop."""

    def __init__(self, address: str, port: int = 0) -> None:
        self._loop = asyncio.get_running_loop()
        self._listener = socket.socket()
        self._fillers: list[socket.socket] = []
        self._callers: deque[socket.socket] = deque()
        self._answer: Says | None = None
        self.answered = 0
        """Callers whom it answered, a greeting or not."""
        try:
            self._listener.setblocking(False)
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            self._listener.bind((address, port))
            self._listener.listen(BACKLOG)
        except OSError:
            self._listener.close()
            raise
        self.address: tuple[str, int] = self._listener.getsockname()

    def follow(self, answer: Says) -> None:
        """Answer like this from now on; called again and again."""
        if answer is Says.NOTHING:
            if self._answer is not Says.NOTHING:
                self._loop.remove_reader(self._listener)
                self._listener.listen(0)
            self._fill()
        elif self._answer in {None, Says.NOTHING}:
            self._listener.listen(BACKLOG)
            self._empty()
            self._loop.add_reader(self._listener, self._accept)
        if answer is not Says.KERNEL:
            self._hang_up(0)
        self._answer = answer

    def close(self) -> None:
        """Close it with every connection."""
        self._loop.remove_reader(self._listener)
        self._empty()
        self._hang_up(0)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                caller, _ = self._listener.accept()
            except OSError:  # nobody is left, or who was there is gone
                return
            self.answered += 1
            caller.setblocking(False)
            if self._answer is Says.KERNEL:
                self._callers.append(caller)
                self._hang_up(HUNG_CALLERS)
                continue
            with caller, suppress(OSError):
                caller.send(GREETING)

    def _hang_up(self, keep: int) -> None:
        while len(self._callers) > keep:
            self._callers.popleft().close()

    def _fill(self) -> None:
        """Keep the queue full: the newest of our own calls is one that gets no answer."""
        while len(self._fillers) < MAX_FILLERS:
            if self._fillers and not _is_over(self._fillers[-1]):
                return
            filler = socket.socket()
            filler.setblocking(False)
            filler.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
            filler.connect_ex(self.address)
            self._fillers.append(filler)
        self._fillers.pop(0).close()

    def _empty(self) -> None:
        for filler in self._fillers:
            filler.close()
        self._fillers.clear()


def _is_over(filler: socket.socket) -> bool:
    """Return whether a call was answered, or given up: its place in the queue proves nothing."""
    _, writable, _ = select.select([], [filler], [], 0)
    return bool(writable)


class Doors:
    """The listeners of all hosts of a world, one port for all of them."""

    def __init__(self, world: World, doors: dict[HostName, Door]) -> None:
        self._world = world
        self._doors = doors
        self.port = next(iter(doors.values())).address[1]
        """What a prober must ask."""

    async def follow(self) -> None:
        """Let each listener follow its host, until cancelled."""
        seen = dict.fromkeys(self._doors, 0)
        while True:
            for name, door in self._doors.items():
                answer = says(self._world.host(name), self._world.probe)
                door.follow(answer)
                # Judges ask the prober of the world what was there to be seen.
                if answer is Says.NOTHING:
                    self._world.probe.was_silent(name)
                elif door.answered > seen[name]:
                    seen[name] = door.answered
                    self._world.probe.was_heard(name)
            await anyio.sleep(LOOK_S)

    def close(self) -> None:
        """Close all of them."""
        for door in self._doors.values():
            door.close()


@asynccontextmanager
async def listening(world: World, *, first: IPv4Address = FIRST) -> AsyncGenerator[Doors]:
    """Give every host of a world an address on the loopback, from `first` on, until the block ends.

    The hosts' `address` is set to it. Raises LoopbackUnfit where that cannot be.
    """
    await _try_silence(first)
    doors = _open_all(world, first)
    try:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(doors.follow)
            yield doors
            tasks.cancel_scope.cancel()
    finally:
        doors.close()


def _open_all(world: World, first: IPv4Address) -> Doors:
    names = list(world.physics.hosts)
    addresses = [str(first + number) for number in range(len(names))]
    for _ in range(PORT_TRIES):
        doors = _open(addresses)
        if doors is None:
            continue
        for name, address in zip(names, addresses, strict=True):
            world.host(name).address = address
        return Doors(world, dict(zip(names, doors, strict=True)))
    raise LoopbackUnfit(f"no port is free on all of {addresses[0]} to {addresses[-1]}")


def _open(addresses: Iterable[str]) -> list[Door] | None:
    """Return a listener at each address, all on one port; None if another has that port."""
    doors: list[Door] = []
    port, address = 0, ""
    try:
        for address in addresses:
            doors.append(Door(address, port))
            port = doors[0].address[1]
    except OSError as error:
        for door in doors:
            door.close()
        if error.errno == errno.EADDRINUSE:
            return None
        raise LoopbackUnfit(
            f"{address} and the addresses after it cannot be used ({error.strerror}): each simulated "
            "host needs one of its own. Linux has all of 127.0.0.0/8; elsewhere they must be added "
            f"to the loopback, e.g. on macOS for each: sudo ifconfig lo0 alias {address}"
        ) from error
    return doors


async def _try_silence(first: IPv4Address) -> None:
    """Raise LoopbackUnfit unless a listener here can fall silent."""
    trial = _open([str(first)])
    if trial is None:
        raise LoopbackUnfit(f"no port is free on {first}")
    (door,) = trial
    try:
        door.follow(Says.NOTHING)
        with socket.socket() as caller:
            caller.setblocking(False)
            with anyio.move_on_after(SPARE_S) as waited, suppress(OSError):
                await asyncio.get_running_loop().sock_connect(caller, door.address)
            if not waited.cancelled_caught:
                raise LoopbackUnfit(
                    "a listener with a full queue still answers on this system, so that no "
                    "simulated host could fall silent; use Linux"
                )
    finally:
        door.close()
