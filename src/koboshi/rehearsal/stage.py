"""Where a story is played: the simulated cloud, the daemon that watches it, and what befalls both."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from fnmatch import fnmatchcase

import anyio
from anyio.abc import TaskGroup

from koboshi.domain.decision import Refused
from koboshi.domain.facts.cloud import ComputeService
from koboshi.domain.facts.places import Places
from koboshi.domain.names import HostName, ServerId
from koboshi.engine.pace import Pace
from koboshi.rehearsal.chronicle import Chronicle, Voice
from koboshi.rehearsal.devices import Devices
from koboshi.rehearsal.life import Daemon
from koboshi.rehearsal.ports import Opens, real_adapters, simulated
from koboshi.rehearsal.script import Befalling
from koboshi.rehearsal.settings import StorySettings
from koboshi.rehearsal.spec import CloudSpec, build_cloud, furnish
from koboshi.rehearsal.troubles import Trouble, TroubleKind
from koboshi.rehearsal.witnesses import Asked
from koboshi.rehearsal.words import SPEAKER, Spoken, word_of
from koboshi.settings.braking import places_of
from koboshi.sim import truth
from koboshi.sim.faults import Fault, entry_of
from koboshi.sim.happening import Happenings
from koboshi.sim.http import Face
from koboshi.sim.invariants import Judge
from koboshi.sim.journal import Disk
from koboshi.sim.notifier import SimNotifier
from koboshi.sim.physics import LOST
from koboshi.sim.virtual_time import VirtualClock
from koboshi.sim.world import World

Compose = Callable[["Stage", VirtualClock], Daemon]
"""Builds one life of the daemon on a stage, on whichever face of the cloud."""

UP_BEFORE_S = 20.0
"""How long our own machine is up at most before its daemon starts, after a reboot."""


def on_ports(stage: "Stage", clock: VirtualClock) -> Daemon:
    """Build a daemon on the ports themselves: the fast face."""
    return _daemon(stage, clock, simulated(stage.world, _devices(stage), _asked(stage)))


def over_http(stage: "Stage", clock: VirtualClock) -> Daemon:
    """Build a daemon with the real adapters: the face that speaks as the services do."""
    return _daemon(stage, clock, real_adapters(Face(stage.world), _devices(stage), _asked(stage)))


def _devices(stage: "Stage") -> Devices:
    hosts = ((h, stage.spec.of_host(h)) for h in stage.world.fences)
    return {h: spec.devices for h, spec in hosts if spec.fenced and spec.devices}


def _asked(stage: "Stage") -> Asked:
    return Asked(
        networks={name: said.independent for name, said in stage.settings.networks.items()},
        agents=stage.spec.agents is not None,
        samples=stage.spec.prometheus is not None,
        servers=tuple(str(n) for n in stage.settings.health.networks),
    )


def _daemon(stage: "Stage", clock: VirtualClock, ports: Opens) -> Daemon:
    return Daemon(
        ports=ports,
        disk=stage.disk,
        rules=stage.settings.rules(),
        notifier=stage.notifier,
        clock=clock,
        is_protected=stage.settings.hosts.is_protected,
        pace=_pace(stage.settings),
        places=_places(stage.settings),
    )


def _places(settings: StorySettings) -> Places:
    places = places_of(settings.brake, settings.domains)
    ours = settings.brake.never_fence

    def is_ours(host: HostName, _address: str | None) -> bool:
        return any(fnmatchcase(host, pattern) for pattern in ours)

    return replace(places, is_ours=is_ours)


def _pace(settings: StorySettings) -> Pace:
    evidence = settings.evidence
    return Pace(
        services=evidence.services_interval,
        services_suspect=evidence.services_interval_suspect,
        sweep=evidence.sweep_interval,
        sweep_again=evidence.sweep_again_interval,
        power=evidence.power_interval,
    )


class Stage:
    """One cloud and its daemon; must be made on the loop on which the story is played."""

    def __init__(
        self, tasks: TaskGroup, spec: CloudSpec, settings: StorySettings, compose: Compose
    ) -> None:
        self.tasks = tasks
        self.spec = spec
        self.settings = settings
        self.world = World.around(build_cloud(spec))
        self.happenings = Happenings(self.world, tasks)
        self.disk = Disk()
        self.notifier = SimNotifier()
        self.chronicle = Chronicle()
        self.judge = Judge(self.world, self.disk, settings.rules())
        never = settings.brake.never_fence
        self.judge.never_fenced = frozenset(
            h for h in self.world.physics.hosts if any(fnmatchcase(h, p) for p in never)
        )
        self.daemon: Daemon | None = None
        """The newest daemon, alive or not; None before the first start."""
        self._compose = compose
        self._wall_is_off = timedelta()
        self._boots = 0
        self._booted_s = -3600.0

    def begin(self) -> None:
        """Let the cloud run, and watch it."""
        self.world.cloud.begin(self.tasks)
        furnish(self.world.cloud, self.spec)
        if self.spec.agents is not None:
            self.world.agents.interval_s = self.spec.agents.total_seconds()
            self.world.agents.begin(self.tasks)
        if self.spec.prometheus is not None:
            self.world.prometheus.interval_s = self.spec.prometheus.total_seconds()
            self.world.prometheus.begin(self.tasks)
        self.world.physics.witnesses.watch(self._see)
        self.disk.watchers.append(lambda recorded: self.chronicle.event(recorded.event))

    def start_daemon(self) -> Daemon:
        """Start a daemon on the journal, beside whichever runs."""
        clock = VirtualClock(
            f"boot-{self._boots}", booted_s=self._booted_s, wall_is_off=self._wall_is_off
        )
        self.daemon = self._compose(self, clock)
        self.daemon.begin(self.tasks)
        return self.daemon

    def befall(self, what: Befalling) -> None:
        """Let something happen now."""
        match what:
            case Fault():
                self.chronicle.write(Voice.WORLD, _words("fault", entry_of(what)))
                self.happenings.begin(what)
                if refused := self.happenings.happened[-1].refused:
                    self.chronicle.write(Voice.WORLD, f"refused {what.kind}", refused)
            case Trouble():
                self.chronicle.write(Voice.WORLD, _words("trouble", entry_of(what)))
                self._trouble(what)
            case Spoken():
                self.chronicle.write(Voice.WORLD, _words("word", entry_of(what)))
                if self.daemon is not None:
                    self.tasks.start_soon(self._say, self.daemon, what)

    async def _say(self, daemon: Daemon, what: Spoken) -> None:
        answered = await daemon.hear(word_of(what, daemon.clock.now()), SPEAKER)
        if answered is None:
            self.chronicle.write(Voice.WORLD, f"unheard {what.kind}")
        elif isinstance(answered, Refused):
            why = f"{answered.reason}; {answered.cure}"
            self.chronicle.write(Voice.WORLD, f"refused {what.kind}", why)

    def _trouble(self, what: Trouble) -> None:
        daemon = self.daemon
        match what.kind:
            case TroubleKind.STARTED | TroubleKind.SECOND:
                self.start_daemon()
            case TroubleKind.CLOCK_JUMPS:
                self._wall_is_off += timedelta(seconds=what.by_s)
                if daemon is not None:
                    daemon.clock.jump(timedelta(seconds=what.by_s))
            case _ if daemon is None:
                return
            case TroubleKind.KILLED:
                daemon.kill()
                self.tasks.start_soon(self._start_again, what)
            case TroubleKind.STOPPED:
                daemon.stop()
                self.tasks.start_soon(self._start_again, what)
            case TroubleKind.KILLED_AT_STEP:
                number = self.disk.appends + what.step
                if what.written:
                    daemon.journal.kill_after = number
                else:
                    daemon.journal.kill_before = number
                self.tasks.start_soon(self._start_after_death, daemon, what)
            case TroubleKind.FROZEN:
                daemon.clock.freeze(timedelta(seconds=what.for_s or 0.0))
            case TroubleKind.JOURNAL_FULL:
                daemon.journal.failing = "the disk is full"
                self.tasks.start_soon(self._empty_journal, daemon, what)
            case TroubleKind.MACHINE_REBOOTS:
                daemon.kill()
                self._wall_is_off += timedelta(seconds=what.by_s)
                self.tasks.start_soon(self._reboot, what)

    async def _start_after_death(self, daemon: Daemon, what: Trouble) -> None:
        await daemon.killed.wait()
        self.chronicle.write(Voice.WORLD, "daemon dies")
        await self._start_again(what)

    async def _start_again(self, what: Trouble) -> None:
        if what.for_s is not None:
            await anyio.sleep(what.for_s)
            self.start_daemon()

    async def _empty_journal(self, daemon: Daemon, what: Trouble) -> None:
        if what.for_s is not None:
            await anyio.sleep(what.for_s)
            daemon.journal.failing = None

    async def _reboot(self, what: Trouble) -> None:
        await anyio.sleep(what.for_s or 0.0)
        self._boots += 1
        self._booted_s = anyio.current_time() - min(UP_BEFORE_S, what.for_s or 0.0)
        self.start_daemon()

    def _see(self, event: truth.TrueEvent) -> None:
        text, why = _true_words(event)
        self.chronicle.write(Voice.WORLD, text, why)

    def close(self) -> None:
        """Write down how things stand."""
        for name in self.world.physics.hosts:
            self.chronicle.write(Voice.END, _host_stands(self.world, name))
        for name in self.spec.server:
            self.chronicle.write(Voice.END, server_stands(self.world, name))


def _words(kind: str, entry: dict[str, object]) -> str:
    subjects = [
        str(entry.pop(k)) for k in ("kind", "host", "server", "rack", "domain") if k in entry
    ]
    facts = (f"{name.removesuffix('_s')}={value}" for name, value in entry.items())
    return " ".join((kind, *subjects, *facts))


def _true_words(event: truth.TrueEvent) -> tuple[str, str]:
    match event:
        case truth.GuestStarted():
            twice = " and elsewhere" if event.elsewhere else ""
            return f"guest {event.server} runs on {event.host}{twice}", ""
        case truth.GuestStopped():
            return f"guest {event.server} is off on {event.host}", ""
        case truth.GuestMoved():
            return f"guest {event.server} moved from {event.source} to {event.destination}", ""
        case truth.DataLost():
            return f"data {event.server} lost on {event.host}", event.how
        case truth.PowerSwitched():
            return f"power {event.host} {'on' if event.on else 'off'}", ""
        case truth.CommandArrived():
            to = f" {event.detail}" if event.call == "evacuate" else ""
            return f"arrived {event.call} {event.subject}{to}", event.detail
        case truth.EvacuationBegan():
            return f"evacuation {event.server} begun by {event.by}", f"record {event.record}"
        case truth.ServiceEdited():
            return f"service {event.after.host} {_service(event.after)} by {event.by}", ""


def _service(row: ComputeService) -> str:
    words = "enabled" if row.enabled else "disabled"
    return f"{words} forced_down" if row.forced_down else words


def _host_stands(world: World, name: HostName) -> str:
    machine = world.physics.hosts[name]
    power = "on" if machine.power else "off"
    return f"host {name} {power} {_service(world.cloud.row(name))}"


def server_stands(world: World, name: str) -> str:
    """Return what Nova says of a server, where it really runs, and what its root disk holds."""
    row = world.cloud.servers_by_id.get(ServerId(name))
    runs = " ".join(world.physics.where(ServerId(name))) or "nowhere"
    if row is None:
        return f"server {name} deleted, runs {runs}"
    data = "lost" if world.physics.roots[ServerId(name)] == LOST else "kept"
    return f"server {name} {row.status} on {row.host}, runs {runs}, data {data}"
