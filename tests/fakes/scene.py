"""A picture of the world as a test of one rule wants it: all is well, but for what it says."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from koboshi.domain.decision import Picture
from koboshi.domain.facts.cloud import (
    ComputeService,
    Hypervisor,
    Migration,
    Power,
    ProbeAnswer,
    Room,
    Running,
    Server,
)
from koboshi.domain.facts.stock import Image
from koboshi.domain.facts.sweep import Sweep, sweep_of
from koboshi.domain.facts.world import (
    GroupsRead,
    ImageRead,
    MigrationsRead,
    RoomRead,
    RunningRead,
    ServerRead,
    World,
)
from koboshi.domain.incidents.incident import Incident, IncidentState, Isolation, Proof, ProofKind
from koboshi.domain.instant import Instant
from koboshi.domain.judging.evidence import Heartbeat, PowerReading, PowerTrack, ProbeTrack
from koboshi.domain.judging.verdict import Judgement
from koboshi.domain.memory.commands import Command, Evacuate
from koboshi.domain.memory.events import (
    CommandAccepted,
    CommandIntended,
    CommandUnknown,
    DeathProven,
    Event,
    HostIsolated,
    IncidentMoved,
    IncidentOpened,
    ServersListed,
)
from koboshi.domain.memory.state import State, Trust, apply
from koboshi.domain.names import CommandId, HostName, IncidentId, MigrationId, ServerId, ServiceId
from koboshi.domain.picture import take_picture
from koboshi.domain.policies.policy import candidate_of, swept
from koboshi.domain.policies.resolving import Policy, policy_of
from koboshi.domain.policies.statements import Sources
from koboshi.domain.recoveries.recovery import Candidate, Recovery
from koboshi.domain.rules import Mode, OnLocalDisk, PolicyRules, Rules
from koboshi.sim.virtual_time import BEGINNING

NOW_S = 7200.0
READ_AGO_S = 0.2
"""When Nova's services were read last."""
INTERVAL = timedelta(seconds=10)
INCIDENT = IncidentId("h1-incident")
MARKER = f"koboshi:test:{INCIDENT}"
NOVA_IS_AHEAD = timedelta(minutes=37)
H1 = HostName("h1")
S_ = IncidentState
TO_RECOVERING = (S_.PROVEN, S_.ISOLATING, S_.RECOVERING)


def at(elapsed_s: float) -> Instant:
    """Return the moment `elapsed_s` after the beginning of the test's time."""
    elapsed = timedelta(seconds=elapsed_s)
    return Instant(wall=BEGINNING + elapsed, boot=timedelta(hours=1) + elapsed, boot_id="test")


def ago(age_s: float) -> Instant:
    """Return the moment `age_s` before NOW_S."""
    return at(NOW_S - age_s)


def heartbeat(host: str, age_s: float | None = 3.0, **row: Any) -> Heartbeat:
    """Return the track of a service whose newest heartbeat is `age_s` old."""
    fields: dict[str, Any] = {"up": True, "zone": "nova", **row}
    service = ComputeService(
        host=HostName(host),
        binary="nova-compute",
        id=ServiceId(f"service-{host}"),
        updated_at=BEGINNING + timedelta(seconds=NOW_S - (age_s or 0)) + NOVA_IS_AHEAD,
        **fields,
    )
    return Heartbeat(
        service=service,
        asked_at=ago(READ_AGO_S + 0.05),
        read_at=ago(READ_AGO_S),
        advanced_at=None if age_s is None else ago(age_s),
        intervals=() if age_s is None else (INTERVAL,) * 3,
    )


def probe(host: str, silent_s: float | None = None, *, kernel_only: bool = False) -> ProbeTrack:
    """Return the track of a prober whom the host has answered for long, until `silent_s` ago."""
    last = ago(silent_s + 0.5) if silent_s else ago(0.5)
    return ProbeTrack(
        asked_at=ago(0.5),
        target=f"ssh:22@{host}",
        answer=ProbeAnswer.SILENT if silent_s else ProbeAnswer.USERLAND,
        userland_at=ago(3000) if kernel_only else last,
        kernel_at=last,
        answering_since=None if silent_s and silent_s >= 5 else ago(5000),
        silent_since=ago(silent_s) if silent_s else None,
    )


def readings(*of: tuple[float, Power]) -> PowerTrack:
    """Return a track of power readings, each with its age in seconds, oldest first."""
    return PowerTrack(readings=tuple(PowerReading(at=ago(a), power=p) for a, p in of))


def sweep(*servers: Server, age_s: float = 30.0) -> Sweep:
    """Return a sweep that saw these servers."""
    return sweep_of((swept(s) for s in servers), ago(age_s))


OFF_THRICE = readings((6.0, Power.OFF), (3.5, Power.OFF), (1.0, Power.OFF))


def evacuation_record(
    server: str = "a", status: str = "pre-migrating", number: int = 1, **more: Any
) -> Migration:
    """Return an evacuation record of a server of h1, onto h2."""
    fields: dict[str, Any] = {
        "source": H1,
        "destination": HostName("h2"),
        "type": "evacuation",
        "updated_at": BEGINNING + timedelta(seconds=NOW_S - 60) + NOVA_IS_AHEAD,
        **more,
    }
    return Migration(
        id=MigrationId(f"record-{number}"), server=ServerId(server), status=status, **fields
    )


NOBODY_ELSE = Sources(images={}, aggregates=(), rules=PolicyRules())
"""Where only the server itself and the configuration say anything."""


def candidate(
    server: Server, on_local_disk: OnLocalDisk = OnLocalDisk.HOLD, *, storage: str | None = None
) -> Candidate:
    """Return what the policy means for a server, without groups, its image being active."""
    return candidate_of(
        server,
        groups=(),
        seen_before=None,
        images_active={"image-1": True},
        policy=policy(server, on_local_disk),
        storage=storage,
    )


def policy(
    server: Server, on_local_disk: OnLocalDisk = OnLocalDisk.HOLD, sources: Sources = NOBODY_ELSE
) -> Policy:
    """Return what is wanted for a server, where the configuration says `on_local_disk`."""
    rules = Rules(mode=Mode.ACT, on_local_disk=on_local_disk, policy=sources.rules)
    return policy_of(server, sources, rules)


class Scene:
    """World, memory, rules and time, put together step by step."""

    def __init__(self, hosts: int = 6, rules: Rules | None = None) -> None:
        self.rules = rules or Rules(mode=Mode.ACT, install="test", comes_home=False)
        self.now = at(NOW_S)
        names = [HostName(f"h{n}") for n in range(1, hosts + 1)]
        self.state = State(
            starts=1, trusted={h: Trust(at=ago(4000), target=f"ssh:22@{h}") for h in names}
        )
        self.world = World(
            began_at=at(0),
            services={h: heartbeat(h) for h in names},
            control={
                "nova-conductor@ctl": heartbeat("ctl"),
                "nova-scheduler@ctl": heartbeat("ctl"),
            },
            services_read_at=ago(READ_AGO_S),
            hypervisors={
                h: Hypervisor(id=h, host=h, hypervisor_hostname=h, type="QEMU", address=h)
                for h in names
            },
            protected=frozenset(names),
            fenced=frozenset(names),
            probes={h: probe(h) for h in names},
            power={h: readings((300.0, Power.ON)) for h in names},
            groups=GroupsRead(at=ago(1), groups=()),
            sweep=sweep(),
            evacuations=MigrationsRead(at=ago(30), records=(), unbroken_since=ago(30)),
            aggregates=(),
            images={"image-1": ImageRead(at=ago(1), image=Image(id="image-1", active=True))},
        )

    # The world

    def dark(self, host: str = "h1", for_s: float = 20.0) -> "Scene":
        """Let a host be silent on every path; nothing is said of its power."""
        self.set_heartbeat(host, for_s + 5)
        self.set_probe(host, probe(host, for_s))
        return self

    def set_heartbeat(self, host: str, age_s: float | None, **row: Any) -> "Scene":
        track = heartbeat(host, age_s, **row)
        self.world = replace(self.world, services={**self.world.services, HostName(host): track})
        return self

    def set_probe(self, host: str, track: ProbeTrack | None) -> "Scene":
        probes = {h: t for h, t in self.world.probes.items() if h != host}
        if track is not None:
            probes[HostName(host)] = track
        self.world = replace(self.world, probes=probes)
        return self

    def set_power(self, host: str, track: PowerTrack | None) -> "Scene":
        power = {h: t for h, t in self.world.power.items() if h != host}
        if track is not None:
            power[HostName(host)] = track
        self.world = replace(self.world, power=power)
        return self

    def read_records(
        self, *records: Migration, age_s: float = 0.5, since_s: float = 0.5, count: int = 1
    ) -> "Scene":
        """Let the evacuation records of h1 have been read."""
        read = MigrationsRead(
            at=ago(age_s), records=records, unbroken_since=ago(since_s), count=count
        )
        self.world = replace(self.world, from_host={**self.world.from_host, H1: read})
        return self

    def read_server(self, server: Server | None, name: str = "a", age_s: float = 0.3) -> "Scene":
        """Let a server have been read by id."""
        read = ServerRead(at=ago(age_s), server=server)
        self.world = replace(self.world, servers={**self.world.servers, ServerId(name): read})
        return self

    def read_running(self, running: Running, name: str = "a", age_s: float = 0.3) -> "Scene":
        """Let a server's hypervisor have answered."""
        read = RunningRead(at=ago(age_s), running=running)
        self.world = replace(self.world, running={**self.world.running, ServerId(name): read})
        return self

    def rooms(self, *rooms: Room, age_s: float = 1.0) -> "Scene":
        """Let Placement have answered, the same for every demand that waits."""
        demands = {r.candidate.demand for of in self.state.recoveries.values() for r in of.values()}
        self.world = replace(
            self.world, room={d: RoomRead(at=ago(age_s), rooms=rooms) for d in demands}
        )
        return self

    # The memory

    def tell(self, age_s: float, *events: Event) -> "Scene":
        """Let events have been journalled so long ago."""
        for event in events:
            self.state = apply(self.state, ago(age_s), event)
        return self

    def incident(self, *path: IncidentState, host: str = "h1", age_s: float = 30.0) -> "Scene":
        """Let an incident be open, and have gone through these states."""
        identity = INCIDENT if host == "h1" else IncidentId(f"{host}-incident")
        self.tell(
            age_s, IncidentOpened(incident=identity, host=HostName(host), evidence=("silent",))
        )
        for to in path:
            self.tell(age_s, IncidentMoved(incident=identity, to=to, reason="test"))
        return self

    def recovering(self, *candidates: Candidate, host: str = "h1", age_s: float = 20.0) -> "Scene":
        """Let a host be dark, proven off, isolated, and its servers listed."""
        identity = INCIDENT if host == "h1" else IncidentId(f"{host}-incident")
        marker = f"koboshi:test:{identity}"
        self.dark(host, for_s=60)
        row = {"enabled": False, "forced_down": True, "disabled_reason": marker}
        self.set_heartbeat(host, 65, **row)
        self.set_power(
            host,
            readings(*((s, Power.OFF) for s in (26.0, 24.0, 22.0, 4.0, 2.0, 0.5))),
        )
        self.incident(host=host, age_s=age_s + 10)
        proof = Proof(kind=ProofKind.FOUND_OFF, at=ago(22.0))
        service = self.world.services[HostName(host)].service
        assert service.id is not None
        isolation = Isolation(service=service.id, marker=marker, baseline=service.updated_at)
        self.tell(age_s + 2, DeathProven(incident=identity, proof=proof))
        for to in (S_.PROVEN, S_.ISOLATING):
            self.tell(age_s + 1, IncidentMoved(incident=identity, to=to, reason="test"))
        self.tell(age_s, HostIsolated(incident=identity, isolation=isolation))
        self.tell(age_s, IncidentMoved(incident=identity, to=S_.RECOVERING, reason="test"))
        self.tell(age_s, ServersListed(incident=identity, candidates=candidates))
        if host == "h1":
            self.read_records()
        return self

    def intend(self, command: Command, age_s: float = 10.0) -> "Scene":
        """Let a command have been meant."""
        return self.tell(age_s, CommandIntended(command=command))

    def evacuate(
        self, server: str = "a", to: str = "h2", *, number: int = 1, **more: Any
    ) -> Evacuate:
        """Return the command that sends a server to a host."""
        isolation = self.state.incidents[INCIDENT].isolation
        fields: dict[str, Any] = {"known_records": frozenset(), "rebuilds": False, **more}
        return Evacuate(
            id=CommandId(f"evacuate-{server}-{number}"),
            incident=INCIDENT,
            host=H1,
            server=ServerId(server),
            destination=HostName(to),
            baseline=isolation.baseline if isolation else None,
            **fields,
        )

    def sent(self, server: str = "a", to: str = "h2", age_s: float = 10.0) -> "Scene":
        """Let a server's evacuation have been accepted so long ago."""
        command = self.evacuate(server, to)
        self.intend(command, age_s)
        return self.tell(age_s, CommandAccepted(command=command.id))

    def lost(self, server: str = "a", to: str = "h2", age_s: float = 10.0, **more: Any) -> "Scene":
        """Let the answer to a server's evacuation have been lost so long ago."""
        command = self.evacuate(server, to, **more)
        self.intend(command, age_s)
        return self.tell(age_s, CommandUnknown(command=command.id, detail="lost"))

    # The questions

    def picture(self) -> Picture:
        return take_picture(self.world, self.state, self.rules, self.now)

    def judgement(self, host: str = "h1") -> Judgement:
        return self.picture().judgements[HostName(host)]

    def the_incident(self, host: str = "h1") -> Incident:
        found = self.state.open_incident(HostName(host))
        assert found is not None
        return found

    def recovery(self, server: str = "a") -> Recovery:
        return self.state.recoveries[INCIDENT][ServerId(server)]


def room(host: str, *, vcpus: int = 32, ram_mb: int = 65_536, disk_gb: int = 1000) -> Room:
    """Return what a host can take."""
    return Room(host=HostName(host), vcpus=vcpus, ram_mb=ram_mb, disk_gb=disk_gb)


def destinations(commands: Sequence[Command]) -> dict[str, str]:
    """Return where each server is sent, by name."""
    sent = [c for c in commands if isinstance(c, Evacuate)]
    return {c.server: c.destination for c in sent if c.destination is not None}
