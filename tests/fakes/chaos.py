"""Random trouble: what may happen to a cloud, its API and the daemon, at any time, in any order."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import timedelta

import anyio
from hypothesis import strategies as st

from koboshi.domain.names import HostName, ServerId
from koboshi.rehearsal.story import Story
from koboshi.sim.bmc import Bmc
from koboshi.sim.line import Fails

READS = ("services", "migrations", "server", "servers", "room", "server_groups", "*")
COMMANDS = ("evacuate", "isolate", "stop")
HOSTS = ("h1", "h2", "h3", "h4")


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """One thing that happens."""

    after_s: float
    """How long after the one before."""
    what: str
    host: str
    for_s: float
    call: str = "*"
    how: Fails = Fails.NO_ANSWER
    bmc: Bmc = Bmc.NORMAL


def _trouble(kinds: tuple[str, ...]) -> st.SearchStrategy[Trouble]:
    return st.builds(
        Trouble,
        after_s=st.integers(0, 100).map(lambda n: n / 5),
        # What spoils a request while it is on its way, most of all.
        what=st.sampled_from((*kinds, *(k for k in kinds if k in {"lost", "bmc", "api"}))),
        # The first host most of all: troubles that meet make the story.
        host=st.sampled_from(("h1", "h1", "h1", *HOSTS)),
        for_s=st.integers(1, 40).map(float),
        call=st.sampled_from((*READS, *COMMANDS)),
        how=st.sampled_from(
            (Fails.NO_ANSWER, Fails.ANSWER_LOST, Fails.LATE, Fails.NEVER_SENT, Fails.REFUSED)
        ),
        # A BMC that reads off for a host that runs, dark on every path, cannot be told from a dead
        # host: the one assumption of the whole argument, so it is not in here.
        bmc=st.sampled_from((Bmc.NORMAL, Bmc.REFUSE, Bmc.HANG, Bmc.ACCEPT_ONLY, Bmc.GONE)),
    )


def troubles(max_size: int = 10) -> st.SearchStrategy[list[Trouble]]:
    """Return lists of anything that may happen."""
    return st.lists(_trouble(tuple(_ACTIONS)), min_size=1, max_size=max_size)


def passing_troubles(max_size: int = 4) -> st.SearchStrategy[list[Trouble]]:
    """Return lists of troubles of our own side that pass: none may keep a server from coming back."""
    return st.lists(_trouble(PASSING), min_size=1, max_size=max_size)


async def happen(s: Story, list_of: list[Trouble]) -> None:
    """Let all of it happen, one after the other, each for its time."""
    for trouble in list_of:
        await anyio.sleep(trouble.after_s)
        s.tasks.start_soon(_ACTIONS[trouble.what], s, trouble)


async def _power_loss(s: Story, t: Trouble) -> None:
    s.power_loss(t.host)


async def _boot(s: Story, t: Trouble) -> None:
    if not s.machine(t.host).power:
        s.machine(t.host).resumes_guests = int(t.for_s) % 2 == 0
        await s.cloud.boot(HostName(t.host))


async def _cut(s: Story, t: Trouble) -> None:
    s.machine(t.host).link = False
    await anyio.sleep(3 * t.for_s)
    s.machine(t.host).link = True


async def _hang(s: Story, t: Trouble) -> None:
    s.machine(t.host).hung = True
    await anyio.sleep(3 * t.for_s)
    s.machine(t.host).hung = False


async def _compute_dies(s: Story, t: Trouble) -> None:
    s.cloud.physics.kill_compute(HostName(t.host))
    await anyio.sleep(3 * t.for_s)
    if s.machine(t.host).power:
        s.cloud.start_compute(HostName(t.host))


async def _bmc(s: Story, t: Trouble) -> None:
    s.fences[HostName(t.host)].mode = t.bmc
    await anyio.sleep(2 * t.for_s)
    s.fences[HostName(t.host)].mode = Bmc.NORMAL


async def _api(s: Story, t: Trouble) -> None:
    s.cloud.line.fail(t.call, t.how, for_s=t.for_s, status=409, late_s=2 * t.for_s)


async def _lost(s: Story, t: Trouble) -> None:
    how = Fails.NO_ANSWER if t.how is Fails.REFUSED else t.how
    s.cloud.line.fail("evacuate", how, times=2, late_s=2 * t.for_s)


async def _slow(s: Story, t: Trouble) -> None:
    end_s = anyio.current_time() + t.for_s
    call = "services" if int(t.for_s) % 2 else "migrations"
    s.cloud.line.slow_answers(call, 3.0, lambda: anyio.current_time() < end_s)


async def _bus(s: Story, t: Trouble) -> None:
    s.cloud.bus_works = False
    await anyio.sleep(t.for_s)
    s.cloud.bus_works = True


async def _blind(s: Story, t: Trouble) -> None:
    s.probe.blind = True
    await anyio.sleep(t.for_s)
    s.probe.blind = False


async def _freeze(s: Story, t: Trouble) -> None:
    s.daemon.clock.freeze(timedelta(seconds=t.for_s))


async def _kill_daemon(s: Story, t: Trouble) -> None:
    await s.restart_daemon(after_s=t.for_s / 4)


async def _journal(s: Story, t: Trouble) -> None:
    journal = s.daemon.journal
    journal.failing = "the disk is full"
    await anyio.sleep(t.for_s)
    journal.failing = None


async def _spawns_fail(s: Story, t: Trouble) -> None:
    s.machine(t.host).spawn_fault = "Virtual Interface creation failed"
    await anyio.sleep(t.for_s)
    s.machine(t.host).spawn_fault = None


async def _spawns_last(s: Story, t: Trouble) -> None:
    for host in s.cloud.physics.hosts.values():
        host.spawn_s = t.for_s


async def _dies_in_spawn(s: Story, t: Trouble) -> None:
    s.machine(t.host).die_in_spawn = "after" if int(t.for_s) % 2 else "before"


async def _late_heartbeat(s: Story, t: Trouble) -> None:
    s.cloud.heartbeat(f"nova-compute@{t.host}")


async def _operator_lifts(s: Story, t: Trouble) -> None:
    s.cloud.edit(f"nova-compute@{t.host}", forced_down=False)


async def _operator_enables(s: Story, t: Trouble) -> None:
    s.cloud.edit(f"nova-compute@{t.host}", forced_down=False, enabled=True, disabled_reason=None)


async def _owner_deletes(s: Story, t: Trouble) -> None:
    ids = sorted(s.cloud.servers_by_id)
    if ids:
        s.cloud.delete(ServerId(ids[int(t.for_s) % len(ids)]))


_ACTIONS: dict[str, Callable[[Story, Trouble], Coroutine[None, None, None]]] = {
    "power_loss": _power_loss,
    "boot": _boot,
    "cut": _cut,
    "hang": _hang,
    "compute_dies": _compute_dies,
    "bmc": _bmc,
    "api": _api,
    "lost": _lost,
    "slow": _slow,
    "bus": _bus,
    "blind": _blind,
    "freeze": _freeze,
    "kill_daemon": _kill_daemon,
    "journal": _journal,
    "spawns_fail": _spawns_fail,
    "spawns_last": _spawns_last,
    "dies_in_spawn": _dies_in_spawn,
    "late_heartbeat": _late_heartbeat,
    "operator_lifts": _operator_lifts,
    "operator_enables": _operator_enables,
    "owner_deletes": _owner_deletes,
}
PASSING = ("slow", "freeze", "kill_daemon", "journal", "late_heartbeat", "bus", "blind", "lost")
