"""How faults befall the world: begin, and the end of those that last."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import anyio
from anyio.abc import TaskGroup

from koboshi.domain.errors import CommandRefused
from koboshi.domain.names import HostName, ServerId
from koboshi.sim import operating, resizing
from koboshi.sim.bmc import Bmc
from koboshi.sim.faults import Fault, FaultKind, Way
from koboshi.sim.network import Network
from koboshi.sim.physics import Host
from koboshi.sim.world import World

FOREVER_S = float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened:
    """A fault that befell, and what came of it at once."""

    at_s: float
    fault: Fault
    refused: str = ""
    """What Nova said to the person who was refused; empty if nobody was."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Setting:
    """One thing of the world that a lasting fault sets, and how it is at rest.

    Faults that meet on one thing do not end one another: the newest counts, and the thing comes to
    rest with the last of them.
    """

    name: str
    put: Callable[[Any], None]
    value: Any
    rest: Any


class Happenings:
    """Lets faults befall one world, and remembers which of them last."""

    def __init__(self, world: World, tasks: TaskGroup) -> None:
        self.happened: list[Happened] = []
        self._world = world
        self._tasks = tasks
        self._held: dict[str, list[tuple[int, _Setting]]] = {}
        self._lasting: dict[int, tuple[Fault, tuple[_Setting, ...]]] = {}
        self._number = 0

    def begin(self, fault: Fault) -> None:
        """Let a fault befall; returns at once. What lasts ends after `for_s`, or by a `calm`."""
        refused = ""
        if fault.kind is FaultKind.CALM:
            self.calm(fault.host)
        elif (settings := _LASTING.get(fault.kind)) is not None:
            self._hold(fault, settings(self._world, fault))
        else:
            try:
                _MOMENTARY[fault.kind](self._world, self._tasks, fault)
            except CommandRefused as error:
                refused = str(error)
        self.happened.append(Happened(at_s=anyio.current_time(), fault=fault, refused=refused))

    def calm(self, host: str | None = None) -> None:
        """End every fault that lasts (of one host); what has no power, or no process, stays so."""
        for number, (fault, _) in list(self._lasting.items()):
            if host is None or fault.host == host:
                self._end(number)

    @property
    def lasting(self) -> tuple[Fault, ...]:
        """Return the faults that have not ended."""
        return tuple(fault for fault, _ in self._lasting.values())

    def _hold(self, fault: Fault, settings: tuple[_Setting, ...]) -> None:
        self._number += 1
        number = self._number
        self._lasting[number] = (fault, settings)
        for setting in settings:
            self._held.setdefault(setting.name, []).append((number, setting))
            setting.put(setting.value)
        if fault.for_s is not None:
            self._tasks.start_soon(self._end_later, number, fault.for_s)

    async def _end_later(self, number: int, after_s: float) -> None:
        await anyio.sleep(after_s)
        self._end(number)

    def _end(self, number: int) -> None:
        _, settings = self._lasting.pop(number, (None, ()))
        for setting in settings:
            held = [(n, s) for n, s in self._held[setting.name] if n != number]
            self._held[setting.name] = held
            setting.put(held[-1][1].value if held else setting.rest)


def _attribute(of: object, name: str, value: Any, rest: Any, key: str) -> _Setting:
    return _Setting(
        name=f"{key}.{name}", put=lambda v: setattr(of, name, v), value=value, rest=rest
    )


def _on_host(name: str, value: Any, rest: Any) -> Callable[[World, Fault], tuple[_Setting, ...]]:
    def settings(world: World, fault: Fault) -> tuple[_Setting, ...]:
        host = _host(fault)
        return (_attribute(world.host(host), name, value, rest, host),)

    return settings


def _on_cloud(name: str, value: Any, rest: Any) -> Callable[[World, Fault], tuple[_Setting, ...]]:
    return lambda world, _fault: (_attribute(world.cloud, name, value, rest, "cloud"),)


def _on_probe(name: str) -> Callable[[World, Fault], tuple[_Setting, ...]]:
    return lambda world, _fault: (
        _attribute(world.probe, name, value=True, rest=False, key="probe"),
    )


def _uplink_down(world: World, _fault: Fault) -> tuple[_Setting, ...]:
    return (_attribute(world.uplink, "works", value=False, rest=True, key="uplink"),)


def _prometheus_down(world: World, _fault: Fault) -> tuple[_Setting, ...]:
    return (_attribute(world.prometheus, "works", value=False, rest=True, key="prometheus"),)


def _slow_heartbeats(world: World, fault: Fault) -> tuple[_Setting, ...]:
    return tuple(
        _attribute(h, "beat_late_s", fault.by_s, 0.0, h.name) for h in _hosts(world, fault)
    )


def _hosts(world: World, fault: Fault) -> list[Host]:
    """Return the host that is named, or all."""
    return [h for h in world.physics.hosts.values() if fault.host in {None, h.name}]


def _host(fault: Fault) -> HostName:
    return HostName(fault.host or "")


def _server(fault: Fault) -> ServerId:
    return ServerId(fault.server or "")


def _to(fault: Fault) -> HostName | None:
    return None if fault.to is None else HostName(fault.to)


def _cut(world: World, fault: Fault) -> tuple[_Setting, ...]:
    return _cut_of(world, fault, _host(fault))


def _switch_dies(world: World, fault: Fault) -> tuple[_Setting, ...]:
    hosts = world.physics.in_rack(fault.rack or "")
    return tuple(setting for h in hosts for setting in _cut_of(world, fault, h.name))


def _cut_of(world: World, fault: Fault, host: HostName) -> tuple[_Setting, ...]:
    names = {
        (Network.MANAGEMENT, Way.IN): ("link_in",),
        (Network.MANAGEMENT, Way.OUT): ("link_out",),
        (Network.MANAGEMENT, Way.BOTH): ("link_in", "link_out"),
    }.get((fault.network, fault.way), (f"{fault.network}_link",))
    machine = world.host(host)
    return tuple(_attribute(machine, name, value=False, rest=True, key=host) for name in names)


def _bmc(world: World, fault: Fault) -> tuple[_Setting, ...]:
    host = _host(fault)
    device = world.device(host, fault.device)
    return (_attribute(device, "mode", fault.bmc, Bmc.NORMAL, f"{fault.device}:{host}"),)


def _wrong_mapping(world: World, fault: Fault) -> tuple[_Setting, ...]:
    host = _host(fault)
    device = world.device(host, fault.device)
    return (_attribute(device, "wired_to", _to(fault), host, f"{fault.device}:{host}"),)


def _row_vanishes(world: World, fault: Fault) -> tuple[_Setting, ...]:
    host = _host(fault)

    def put(hidden: bool) -> None:  # noqa: FBT001 a setting's one value
        if hidden:
            world.cloud.hide(host)
        else:
            world.cloud.show(world.cloud.row(host))

    return (_Setting(name=f"{host}.hidden", put=put, value=True, rest=False),)


def _stale(world: World, fault: Fault) -> tuple[_Setting, ...]:
    line, call = world.cloud.line, fault.call

    def put(stale: bool) -> None:  # noqa: FBT001 a setting's one value
        line.stale(call) if stale else line.fresh(call)

    return (_Setting(name=f"stale:{call}", put=put, value=True, rest=False),)


def _image_vanishes(world: World, fault: Fault) -> tuple[_Setting, ...]:
    images, image = world.cloud.dead_images, fault.image or ""

    def put(dead: bool) -> None:  # noqa: FBT001 a setting's one value
        images.add(image) if dead else images.discard(image)

    return (_Setting(name=f"image:{image}", put=put, value=True, rest=False),)


def _api_fails(world: World, fault: Fault) -> tuple[_Setting, ...]:
    line = world.cloud.line
    begun = line.fail(
        fault.call, fault.how, status=fault.status, late_s=fault.by_s, times=fault.times
    )
    return (
        _Setting(
            name=f"api:{id(begun)}",
            put=lambda on: None if on else line.end(begun),
            value=True,
            rest=False,
        ),
    )


def _api_slow(world: World, fault: Fault) -> tuple[_Setting, ...]:
    line, call = world.cloud.line, fault.call
    return (
        _Setting(
            name=f"slow:{call}",
            put=lambda by_s: line.slow_answers(call, by_s, lambda: by_s > 0),
            value=fault.by_s,
            rest=0.0,
        ),
    )


def _clock_skew(world: World, fault: Fault) -> tuple[_Setting, ...]:
    if fault.host is None:
        return _on_cloud("conductor_clock_ahead_s", fault.by_s, 0.0)(world, fault)
    return _on_host("clock_ahead_s", fault.by_s, 0.0)(world, fault)


def _spawns_slow(world: World, fault: Fault) -> tuple[_Setting, ...]:
    return tuple(
        _attribute(h, "spawn_more_s", fault.by_s, 0.0, h.name) for h in _hosts(world, fault)
    )


def _spawns_fail(world: World, fault: Fault) -> tuple[_Setting, ...]:
    return _on_host("spawn_fault", fault.text, None)(world, fault)


_LASTING: Mapping[FaultKind, Callable[[World, Fault], tuple[_Setting, ...]]] = {
    FaultKind.HANG: _on_host("hung", value=True, rest=False),
    FaultKind.CLOCK_SKEW: _clock_skew,
    FaultKind.CUT: _cut,
    FaultKind.SWITCH_DIES: _switch_dies,
    FaultKind.UPLINK_DOWN: _uplink_down,
    FaultKind.PROMETHEUS_DOWN: _prometheus_down,
    FaultKind.AGENT_DIES: _on_host("agent", value=False, rest=True),
    FaultKind.SLOW_HEARTBEATS: _slow_heartbeats,
    FaultKind.WRONG_MAPPING: _wrong_mapping,
    FaultKind.BLIND: _on_probe("blind"),
    FaultKind.OWN_TROUBLE: _on_probe("own_trouble"),
    FaultKind.BUS_DOWN: _on_cloud("bus_works", value=False, rest=True),
    FaultKind.DATABASE_DOWN: _on_cloud("database_works", value=False, rest=True),
    FaultKind.CONDUCTOR_DIES: _on_cloud("conductor_works", value=False, rest=True),
    FaultKind.SCHEDULER_DIES: _on_cloud("scheduler_works", value=False, rest=True),
    FaultKind.CELL_DOWN: _on_cloud("cell_works", value=False, rest=True),
    FaultKind.ROW_VANISHES: _row_vanishes,
    FaultKind.STALE: _stale,
    FaultKind.IMAGE_VANISHES: _image_vanishes,
    FaultKind.API_FAILS: _api_fails,
    FaultKind.API_SLOW: _api_slow,
    FaultKind.BMC: _bmc,
    FaultKind.SPAWNS_FAIL: _spawns_fail,
    FaultKind.SPAWNS_SLOW: _spawns_slow,
    FaultKind.SPAWNS_HANG: _on_host("spawn_more_s", FOREVER_S, 0.0),
    FaultKind.FILTER_REFUSES: _on_host("filtered", value=True, rest=False),
    FaultKind.CLAIMS_FAIL: _on_host("claims_fail", value=True, rest=False),
}


def _rack_loses_power(world: World, tasks: TaskGroup, fault: Fault) -> None:
    for host in world.physics.in_rack(fault.rack or ""):
        host.fed = False
        _power_loss(
            world, tasks, replace(fault, kind=FaultKind.POWER_LOSS, rack=None, host=host.name)
        )


def _kernel_crashes(world: World, tasks: TaskGroup, fault: Fault) -> None:
    host = world.host(_host(fault))
    if not host.power or host.crashed:
        return
    world.physics.crash(host.name)
    tasks.start_soon(_dump, world, fault)


async def _dump(world: World, fault: Fault) -> None:
    """Send the kernel's last words, and reboot when they are said."""
    host = world.host(_host(fault))
    with anyio.move_on_after(FOREVER_S if fault.for_s is None else fault.for_s) as said:
        await world.kdump.dump(host, signed=fault.signed)
    if said.cancelled_caught and host.crashed:
        world.physics.cut_power(host.name)
        await _start_later(world, fault, 0.0)


def _power_loss(world: World, tasks: TaskGroup, fault: Fault) -> None:
    host = _host(fault)
    world.physics.cut_power(host)
    if fault.for_s is not None:
        tasks.start_soon(_start_later, world, fault, fault.for_s)


def _start(world: World, tasks: TaskGroup, fault: Fault) -> None:
    tasks.start_soon(_start_later, world, fault, 0.0)


async def _start_later(world: World, fault: Fault, after_s: float) -> None:
    await anyio.sleep(after_s)
    host = world.host(_host(fault))
    if not host.power:
        host.resumes_guests = fault.resumes_guests
        await world.cloud.boot(host.name)


def _quick_reboot(world: World, tasks: TaskGroup, fault: Fault) -> None:
    if world.host(_host(fault)).power:
        world.physics.cut_power(_host(fault))
        tasks.start_soon(_start_later, world, fault, 0.0)


def _compute_dies(world: World, tasks: TaskGroup, fault: Fault) -> None:
    world.physics.kill_compute(_host(fault))
    if fault.for_s is not None:
        tasks.start_soon(_compute_starts_later, world, fault, fault.for_s)


def _compute_starts(world: World, tasks: TaskGroup, fault: Fault) -> None:
    if world.host(_host(fault)).power:
        world.physics.kill_compute(_host(fault))  # a restart ends what it was doing
        tasks.start_soon(_compute_starts_later, world, fault, 0.0)


async def _compute_starts_later(world: World, fault: Fault, after_s: float) -> None:
    await anyio.sleep(after_s)
    host = world.host(_host(fault))
    if host.power and not host.compute:
        world.cloud.start_compute(host.name)


def _guest_dies(world: World, _tasks: TaskGroup, fault: Fault) -> None:
    world.cloud.guest_dies(_server(fault))


def _guest_hangs(world: World, tasks: TaskGroup, fault: Fault) -> None:
    hanging, server = world.physics.hanging, _server(fault)
    hanging[server] = 1 + (fault.times or 0)
    world.physics.hung_s[server] = anyio.current_time()

    async def answers_later(after_s: float) -> None:
        await anyio.sleep(after_s)
        hanging.pop(server, None)

    if fault.for_s is not None:
        tasks.start_soon(answers_later, fault.for_s)


def _late_heartbeat(world: World, _tasks: TaskGroup, fault: Fault) -> None:
    world.cloud.heartbeat(f"nova-compute@{_host(fault)}")


def _dies_in_spawn(world: World, _tasks: TaskGroup, fault: Fault) -> None:
    host = world.host(_host(fault))
    host.die_in_spawn, host.dies_with_power = fault.moment.value, fault.dies.value == "power"


def _operator(act: Callable[[World, Fault], None]) -> Callable[[World, TaskGroup, Fault], None]:
    return lambda world, _tasks, fault: act(world, fault)


_MOMENTARY: Mapping[FaultKind, Callable[[World, TaskGroup, Fault], None]] = {
    FaultKind.POWER_LOSS: _power_loss,
    FaultKind.RACK_LOSES_POWER: _rack_loses_power,
    FaultKind.KERNEL_CRASHES: _kernel_crashes,
    FaultKind.KDUMP_FORGED: lambda world, _tasks, fault: world.kdump.say(_host(fault)),
    FaultKind.START: _start,
    FaultKind.QUICK_REBOOT: _quick_reboot,
    FaultKind.COMPUTE_DIES: _compute_dies,
    FaultKind.COMPUTE_STARTS: _compute_starts,
    FaultKind.GUEST_DIES: _guest_dies,
    FaultKind.GUEST_HANGS: _guest_hangs,
    FaultKind.LATE_HEARTBEAT: _late_heartbeat,
    FaultKind.DIES_IN_SPAWN: _dies_in_spawn,
    FaultKind.OPERATOR_EVACUATES: _operator(
        lambda w, f: w.cloud.accept_evacuate(_server(f), _to(f))
    ),
    FaultKind.OPERATOR_MIGRATES: _operator(
        lambda w, f: w.cloud.accept_live_migrate(_server(f), _to(f))
    ),
    FaultKind.OPERATOR_COLD_MIGRATES: _operator(
        lambda w, f: w.cloud.accept_cold_migrate(_server(f), _to(f))
    ),
    FaultKind.OPERATOR_CONFIRMS: _operator(lambda w, f: w.cloud.accept_confirm(_server(f))),
    FaultKind.OPERATOR_REVERTS: _operator(lambda w, f: resizing.revert(w.cloud, _server(f))),
    FaultKind.OPERATOR_ENABLES: _operator(
        lambda w, f: w.cloud.accept_service_update(
            _host(f), enabled=True, disabled_reason=None, forced_down=False
        )
    ),
    FaultKind.OPERATOR_DISABLES: _operator(
        lambda w, f: w.cloud.accept_service_update(_host(f), enabled=False, disabled_reason=f.text)
    ),
    FaultKind.OPERATOR_FORCES_DOWN: _operator(
        lambda w, f: w.cloud.accept_service_update(_host(f), forced_down=True)
    ),
    FaultKind.OPERATOR_LIFTS: _operator(
        lambda w, f: w.cloud.accept_service_update(_host(f), forced_down=False)
    ),
    FaultKind.OPERATOR_RESETS: _operator(lambda w, f: w.cloud.accept_reset(_server(f), f.state)),
    FaultKind.OPERATOR_ENDS_RECORDS: _operator(lambda w, f: w.cloud.end_records(_server(f))),
    FaultKind.USER_STARTS: _operator(lambda w, f: w.cloud.accept_start(_server(f))),
    FaultKind.USER_STOPS: _operator(lambda w, f: w.cloud.accept_stop(_server(f))),
    FaultKind.USER_REBOOTS: _operator(lambda w, f: w.cloud.accept_reboot(_server(f))),
    FaultKind.USER_DELETES: _operator(lambda w, f: w.cloud.accept_delete(_server(f))),
    FaultKind.USER_PAUSES: _operator(lambda w, f: operating.pause(w.cloud, _server(f))),
    FaultKind.USER_UNPAUSES: _operator(lambda w, f: operating.unpause(w.cloud, _server(f))),
    FaultKind.USER_SUSPENDS: _operator(lambda w, f: operating.suspend(w.cloud, _server(f))),
    FaultKind.USER_RESUMES: _operator(lambda w, f: operating.resume(w.cloud, _server(f))),
}
