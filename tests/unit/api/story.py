"""One small story that API, command line and documents tell: host cmp1 dies, one server is held."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from koboshi.api.source import Health, HealthCheck
from koboshi.domain.decision import Decision, Picture, Refused
from koboshi.domain.facts.cloud import (
    ComputeService,
    Demand,
    Flavor,
    Hypervisor,
    Power,
    ProbeAnswer,
    Server,
)
from koboshi.domain.facts.stock import Image
from koboshi.domain.facts.sweep import sweep_of
from koboshi.domain.facts.world import GroupsRead, ImageRead, MigrationsRead, ServersRead, World
from koboshi.domain.incidents.incident import IncidentState, Isolation, Proof, ProofKind
from koboshi.domain.instant import Instant
from koboshi.domain.judging.evidence import Heartbeat, PowerReading, PowerTrack, ProbeTrack
from koboshi.domain.memory import events as ev
from koboshi.domain.memory.commands import Evacuate, FenceOff, Outcome
from koboshi.domain.memory.state import State, fold
from koboshi.domain.names import CommandId, DomainName, HostName, IncidentId, ServerId, ServiceId
from koboshi.domain.picture import take_picture
from koboshi.domain.policies.policy import swept
from koboshi.domain.recoveries.rebuild_order import order_rebuild
from koboshi.domain.recoveries.recovery import Candidate, RecoveryState, Treatment
from koboshi.domain.rules import Mode, Rules
from koboshi.domain.word import Arm, ConfirmDead, ConfirmDomain, Disarm, RebuildServer, Word
from koboshi.ports.journal import JournalReader, Recorded

START = Instant(
    wall=datetime(2026, 3, 1, 12, 0, tzinfo=UTC), boot=timedelta(hours=1), boot_id="boot"
)
HOST = HostName("cmp1")
INCIDENT = IncidentId("cmp1-20260301T120010Z")
RACK = DomainName("rack1")
IMAGE = "33333333-3333-4333-8333-333333333333"
WEB = ServerId("11111111-1111-4111-8111-111111111111")
DB = ServerId("22222222-2222-4222-8222-222222222222")
FENCE, MOVE = CommandId("fence-1"), CommandId("evacuate-2")
DEMAND = Demand(vcpus=1, ram_mb=512, disk_gb=0)


def after(seconds: float) -> Instant:
    """Return a moment of the story."""
    return START.later(timedelta(seconds=seconds))


def _candidate(server: ServerId, name: str, treatment: Treatment) -> Candidate:
    is_held = treatment is Treatment.HOLD
    return Candidate(
        server=server,
        name=name,
        treatment=treatment,
        reason="its root disk lies on cmp1" if is_held else "every disk of it is a volume",
        local_disks=("root",) if is_held else (),
        demand=DEMAND,
        availability_zone="nova",
        vm_state="active",
    )


OPENING: tuple[tuple[float, ev.Event], ...] = (
    (0, ev.DaemonStarted(version="0.1.0", mode="act", install="koboshi")),
    (5, ev.HostNoticed(host=HostName("cmp2"), topic="service_failed", text="nova-compute is dead")),
    (
        10,
        ev.IncidentOpened(
            incident=INCIDENT,
            host=HOST,
            evidence=("its management address is silent for 7 s", "no heartbeat was seen for 13 s"),
        ),
    ),
    (10, ev.IncidentMoved(incident=INCIDENT, to=IncidentState.FENCING, reason="nothing braked")),
    (10, ev.CommandIntended(command=FenceOff(id=FENCE, incident=INCIDENT, host=HOST))),
    (11, ev.CommandEnded(command=FENCE, outcome=Outcome.DONE, detail="reads off")),
)

REST: tuple[tuple[float, ev.Event], ...] = (
    (
        15,
        ev.DeathProven(incident=INCIDENT, proof=Proof(kind=ProofKind.FENCED_OFF, at=after(15))),
    ),
    (15, ev.IncidentMoved(incident=INCIDENT, to=IncidentState.PROVEN, reason="read off thrice")),
    (15, ev.IncidentMoved(incident=INCIDENT, to=IncidentState.ISOLATING, reason="proven")),
    (
        16,
        ev.HostIsolated(
            incident=INCIDENT,
            isolation=Isolation(
                service=ServiceId("s-cmp1"), marker=f"koboshi:koboshi:{INCIDENT}", baseline=None
            ),
        ),
    ),
    (
        16,
        ev.ServersListed(
            incident=INCIDENT,
            candidates=(
                _candidate(WEB, "web", Treatment.EVACUATE),
                _candidate(DB, "db\x1b[31m", Treatment.HOLD),
            ),
        ),
    ),
    (16, ev.IncidentMoved(incident=INCIDENT, to=IncidentState.RECOVERING, reason="listed")),
    (
        17,
        ev.CommandIntended(
            command=Evacuate(
                id=MOVE,
                incident=INCIDENT,
                host=HOST,
                server=WEB,
                destination=HostName("cmp2"),
                rebuilds=False,
                known_records=frozenset(),
                baseline=None,
            )
        ),
    ),
    (18, ev.CommandAccepted(command=MOVE)),
    (20, ev.DaemonStarted(version="0.1.0", mode="act", install="koboshi")),
    (
        25,
        ev.RecoveryMoved(
            incident=INCIDENT, server=WEB, to=RecoveryState.CONFIRMING, reason="record m-1 is done"
        ),
    ),
    (
        26,
        ev.RecoveryMoved(
            incident=INCIDENT, server=WEB, to=RecoveryState.SETTLING, reason="on cmp2, no task"
        ),
    ),
    (27, ev.CommandEnded(command=MOVE, outcome=Outcome.DONE)),
    (
        27,
        ev.RecoveryMoved(
            incident=INCIDENT, server=WEB, to=RecoveryState.DONE, reason="runs on cmp2"
        ),
    ),
    (
        28,
        ev.IncidentMoved(
            incident=INCIDENT, to=IncidentState.SETTLED, reason="no server is on its way"
        ),
    ),
)

EVENTS = OPENING + REST


def recorded(events: Sequence[tuple[float, ev.Event]] = EVENTS) -> tuple[Recorded, ...]:
    """Return the story as the journal holds it."""
    return tuple(
        Recorded(seq=number, at=after(seconds), event=event)
        for number, (seconds, event) in enumerate(events, start=1)
    )


def state(events: Sequence[tuple[float, ev.Event]] = EVENTS) -> State:
    """Return the memory of the story."""
    return fold((after(seconds), event) for seconds, event in events)


def _service(host: str, *, up: bool) -> Heartbeat:
    row = ComputeService(
        host=HostName(host),
        binary="nova-compute",
        id=ServiceId(f"s-{host}"),
        enabled=up,
        disabled_reason=None if up else f"koboshi:koboshi:{INCIDENT}",
        up=up,
        forced_down=not up,
    )
    seen = after(28 if up else 2)
    return Heartbeat(
        service=row,
        asked_at=after(29),
        read_at=after(29),
        advanced_at=seen,
        intervals=(timedelta(seconds=10),),
    )


def _probe(*, up: bool) -> ProbeTrack:
    if up:
        return ProbeTrack(
            target="ssh:22@10.0.0.2",
            asked_at=after(30),
            answer=ProbeAnswer.USERLAND,
            userland_at=after(30),
            kernel_at=after(30),
            answering_since=START,
        )
    return ProbeTrack(
        target="ssh:22@10.0.0.1",
        asked_at=after(30),
        answer=ProbeAnswer.SILENT,
        silent_since=after(3),
    )


def world() -> World:
    """Return the picture at the end of the story."""
    names = [HostName(f"cmp{n}") for n in (1, 2, 3, 4)]
    power = {n: Power.OFF if n == HOST else Power.ON for n in names}
    return World(
        began_at=START,
        services={n: _service(n, up=n != HOST) for n in names},
        services_read_at=after(29),
        hypervisors={
            n: Hypervisor(id=n, host=n, hypervisor_hostname=n, type="QEMU") for n in names
        },
        protected=frozenset(names),
        fenced=frozenset(names[:3]),
        probes={n: _probe(up=n != HOST) for n in names},
        power={
            n: PowerTrack(readings=(PowerReading(at=after(28), power=p),)) for n, p in power.items()
        },
        domains={RACK: frozenset(names[:2])},
        on_host={HOST: ServersRead(at=after(27), servers=(held_server(),))},
        from_host={HOST: MigrationsRead(at=after(27), records=(), unbroken_since=after(27))},
        groups=GroupsRead(at=after(27), groups=()),
        aggregates=(),
        images={IMAGE: ImageRead(at=after(27), image=Image(id=IMAGE, active=True))},
        sweep=sweep_of((swept(server(DB, HOST)), swept(server(WEB, HOST))), after(20)),
    )


def held_server() -> Server:
    """Return the server that is held, as Nova lists it."""
    return replace(server(DB, HOST), name="db", image_id=IMAGE, config_drive=True)


def server(server_id: ServerId, host: str) -> Server:
    """Return a server on a host."""
    return Server(
        id=server_id,
        name="x",
        project_id="p",
        host=HostName(host),
        status="ACTIVE",
        vm_state="active",
        task_state=None,
        power_state=1,
        flavor=Flavor(name="f", vcpus=1, ram_mb=512, disk_gb=0),
    )


class StoryJournal:
    """Implements `koboshi.ports.journal.JournalReader`."""

    def __init__(self, records: tuple[Recorded, ...]) -> None:
        self._records = records

    async def read(self, *, after: int = 0, limit: int = 10_000) -> tuple[Recorded, ...]:
        """Return a page."""
        return tuple(r for r in self._records if r.seq > after)[:limit]


class StorySource:
    """Implements `koboshi.api.source.StatusSource`."""

    def __init__(self, *, is_alive: bool = True, is_ready: bool = True) -> None:
        self.heard: list[tuple[Word, str]] = []
        """What was said, and by whom."""
        self.is_alive = is_alive
        self.is_ready = is_ready

    def state(self) -> State:
        """Return the story's memory."""
        return state()

    def world(self) -> World:
        """Return the story's end."""
        return world()

    def rules(self) -> Rules:
        """Return the defaults."""
        return Rules(mode=Mode.ACT, comes_home=False)

    def now(self) -> Instant:
        """Return the end of the story."""
        return after(30)

    def look(self) -> Picture:
        """Return it judged."""
        return take_picture(self.world(), self.state(), self.rules(), self.now())

    def cloud(self) -> str:
        """Return a name."""
        return "cloud 'lab'"

    def health(self) -> Health:
        """Return what the test wants."""
        return Health(
            is_alive=self.is_alive,
            is_acting=self.is_ready,
            acting_reason="cmp1 is being recovered",
            checks=(HealthCheck(name="nova", is_ok=self.is_ready, detail="read for cmp1"),),
        )

    async def hear(self, word: Word, by: str) -> Decision | Refused:
        """Take every word but one about cmp2, which answers."""
        self.heard.append((word, by))
        if isinstance(word, Arm):
            return Decision(events=(ev.Armed(by=by, reason="ordered", keep=word.keep),))
        if isinstance(word, Disarm):
            return Decision(events=(ev.Disarmed(until=word.until, by=by, reason=word.reason),))
        if isinstance(word, ConfirmDomain):
            dead = frozenset({HOST})
            return Decision(events=(ev.DomainConfirmed(domain=word.domain, hosts=dead, by=by),))
        if isinstance(word, RebuildServer):
            return order_rebuild(self.look(), word.server, by, word.note)
        if isinstance(word, ConfirmDead) and word.host == HOST:
            given = ev.WordGiven(host=HOST, incident=INCIDENT, by=by, note=word.note)
            return Decision(events=(given,))
        return Refused(reason="cmp2 may be alive: it answers", cure="switch it off")

    def journal(self) -> JournalReader:
        """Return the story's journal."""
        return StoryJournal(recorded())
