"""The executor: carries out one journalled command, and tells what became of it.

It trusts nobody, the planner included: before anything leaves it asks the guard again with what it
has just read itself. It sends each request once; what it cannot know, it calls unknown.
"""

from collections.abc import Mapping
from datetime import timedelta

import anyio
import structlog

from koboshi.domain.errors import (
    CloudError,
    CommandRefused,
    FenceError,
    OutcomeUnknown,
    SafetyRefusal,
)
from koboshi.domain.facts.cloud import ComputeService
from koboshi.domain.facts.device import BMC, Identity
from koboshi.domain.facts.nova_time import nova_now
from koboshi.domain.facts.ownership import others_hand
from koboshi.domain.facts.shared_storage import storage_of
from koboshi.domain.facts.stock import made_from
from koboshi.domain.incidents.incident import IncidentState, Isolation
from koboshi.domain.judging.identification import why_not_switch
from koboshi.domain.judging.proof import heard_elsewhere, noise_of, why_host_not_proven_now
from koboshi.domain.memory.commands import (
    Command,
    EnableService,
    Evacuate,
    FenceOff,
    Isolate,
    LiftForceDown,
    Outcome,
    PowerOn,
    RebootServer,
    RestoreDisable,
    StartServer,
    StopServer,
    TryFence,
)
from koboshi.domain.memory.events import (
    CommandAccepted,
    CommandEnded,
    CommandUnknown,
    Event,
    HostIsolated,
    RecoveryMoved,
)
from koboshi.domain.names import HostName
from koboshi.domain.recoveries.guard import LastLook, Refusal, why_not_evacuate
from koboshi.domain.recoveries.poison import why_nowhere_any_more
from koboshi.domain.recoveries.recovery import RecoveryState
from koboshi.domain.restraint.arming import why_not_acting
from koboshi.domain.restraint.brake import why_first_fence_held
from koboshi.domain.rules import Mode, Rules
from koboshi.engine.fence_trial import FenceTrial
from koboshi.engine.homeward import Homecomer, Homeward
from koboshi.engine.memory import Memory
from koboshi.engine.starting import start_or_reboot
from koboshi.engine.whiteboard import Whiteboard
from koboshi.ports.clock import Clock
from koboshi.ports.cloud import Cloud
from koboshi.ports.fence import Fence, trusted

log = structlog.get_logger(__name__)

FENCE_DEADLINE = timedelta(seconds=10)
IDENTITY_DEADLINE = timedelta(seconds=5)
"""How long a device may take to say whose it is, before what is sent to it: a deaf one has no *off*."""
LOOK_DEADLINE = timedelta(seconds=5)
"""What was read for the guard must be fresh when the request leaves."""
SERVICES_MAX_AGE = timedelta(seconds=1)
"""How old a read of the services may be that several evacuations share."""
RETRIED_LATER = frozenset({400, 401, 404, 413, 429})
"""Refusals that a later try may see otherwise: still in use, not found any more, too many, and a
token that was refused while Keystone is away."""
NOT_SUPPORTED = "not supported"
"""Nova's word for a kind of server that it never evacuates, one with a vTPM that nobody told us of among
them (nova 34 exception.py: OperationNotSupportedForVTPM, ForVDPAInterface): no later try sees it otherwise."""
UNAUTHORISED = 401
MAX_REFUSALS = 12
"""How many of them in a row are enough for a person to look."""


class Executor:
    """Carries out commands against the ports."""

    def __init__(
        self,
        *,
        memory: Memory,
        board: Whiteboard,
        clock: Clock,
        cloud: Cloud,
        fences: Mapping[HostName, Fence],
        rules: Rules,
    ) -> None:
        self._memory = memory
        self._board = board
        self._clock = clock
        self._cloud = cloud
        self._fences = fences
        self._rules = rules
        self._services_lock = anyio.Lock()

    async def execute(self, command: Command) -> None:
        """Carry out `command` and journal its outcome; never raises but for cancellation.

        When the daemon is asked to stop, what was sent is still followed to its answer (every call
        has its time-out), and what was not sent yet is not sent any more.
        """
        try:
            events = await self._outcome(command)
        except anyio.get_cancelled_exc_class():
            with anyio.CancelScope(shield=True):
                await self._memory.tell(self._refused(command, "not sent: the daemon is stopping"))
            raise
        with anyio.CancelScope(shield=True):
            await self._memory.tell(events)

    async def _outcome(self, command: Command) -> tuple[Event, ...]:
        try:
            self._assert_may_act(command)
            if why := self._why_held(command):
                return self._refused(command, f"not sent: {why}")
            match command:
                case FenceOff():
                    return await self._fence_off(command)
                case Isolate():
                    return await self._isolate(command)
                case Evacuate():
                    return await self._evacuate(command)
                case StopServer():
                    return await self._stop(command)
                case TryFence():
                    return await self._try_fence(command)
                case PowerOn() | LiftForceDown() | EnableService() | RestoreDisable():
                    return (await self._go_home(command),)
                case StartServer() | RebootServer():
                    ended = await start_or_reboot(
                        command, memory=self._memory, board=self._board, cloud=self._cloud
                    )
                    return (ended,)
        except SafetyRefusal as refusal:
            log.error("safety_refusal", command=command.id, reason=str(refusal))  # noqa: TRY400 a refusal is no crash
            return self._refused(command, str(refusal))
        except Exception as error:  # a bug must not take the other recoveries with it
            log.exception("command_crashed", command=command.id)
            return _unclear(command, f"an internal error: {type(error).__name__}")

    def _assert_may_act(self, command: Command) -> None:
        if self._rules.mode is not Mode.ACT and self._memory.state.holds.armed is None:
            raise SafetyRefusal("observe mode: no command may be carried out")
        if isinstance(command, FenceOff | PowerOn) and command.host in self._board.world.ours:
            raise SafetyRefusal(f"{command.host} carries Koboshi itself or its database")
        opened = self._memory.state.commands.get(command.id)
        if opened is None or opened.command != command:
            raise SafetyRefusal("its intent is not in the journal")

    def _why_held(self, command: Command) -> str | None:
        """Return what came between the intent and this moment: a person's word, or the brake."""
        state, now = self._memory.state, self._clock.now()
        if why := why_not_acting(self._rules, state, now):
            return why
        if not isinstance(command, FenceOff) or command.incident in state.recoveries:
            return None
        return why_first_fence_held(command.host, self._board.world, state)

    def _refused(self, command: Command, reason: str) -> tuple[Event, ...]:
        ended = CommandEnded(command=command.id, outcome=Outcome.REFUSED, detail=reason)
        if not isinstance(command, Evacuate):
            return (ended,)
        return (ended, _recovery_moved(command, RecoveryState.QUEUED, reason))

    async def _fence_off(self, command: FenceOff) -> tuple[Event, ...]:
        incident = self._memory.state.incidents[command.incident]
        if incident.state is not IncidentState.FENCING or incident.host != command.host:
            raise SafetyRefusal(f"its incident is {incident.state}, not fencing")
        begun = self._clock.now()
        fence, why = await self._identified(command.host)
        if fence is None:
            return (CommandEnded(command=command.id, outcome=Outcome.REFUSED, detail=why),)
        left = FENCE_DEADLINE - self._clock.now().since(begun)
        try:
            with anyio.fail_after(left.total_seconds(), shield=True):
                await fence.power_off()
        except FenceError as error:
            return (CommandEnded(command=command.id, outcome=Outcome.FAILED, detail=str(error)),)
        except TimeoutError:
            detail = f"no answer within {FENCE_DEADLINE.total_seconds():.0f} s"
            return (CommandEnded(command=command.id, outcome=Outcome.FAILED, detail=detail),)
        detail = "the device accepted it; only the power that is read back counts"
        return (CommandEnded(command=command.id, outcome=Outcome.DONE, detail=detail),)

    def _fence_of(self, host: HostName) -> Fence:
        """Return what may switch the host; what is quarantined may be another host's."""
        configured = self._fences.get(host)
        if configured is None:
            raise SafetyRefusal(f"no fencing is configured for {host}")
        if host in self._board.world.ours:
            raise SafetyRefusal(f"{host} carries Koboshi itself, or its database")
        fence = trusted(configured, self._memory.state.devices.distrusted(host))
        if fence is None:
            raise SafetyRefusal(f"the power device of {host} is quarantined")
        return fence

    async def _go_home(self, command: Homeward) -> CommandEnded:
        async def read(host: HostName) -> ComputeService | None:
            return await self._read_service(host, fresh=True)

        homecomer = Homecomer(
            memory=self._memory, clock=self._clock, cloud=self._cloud, read_service=read
        )
        match command:
            case PowerOn():
                return await homecomer.power_on(command, self._fence_of(command.host))
            case LiftForceDown():
                return await homecomer.lift(command)
            case EnableService():
                return await homecomer.enable(command)
            case RestoreDisable():
                return await homecomer.disable_again(command)

    async def _identified(self, host: HostName) -> tuple[Fence | None, str]:
        """Return what may switch the host after its device said whose it is; None, and why not."""
        fence = self._fence_of(host)
        told: Identity | None = None
        trouble = ""
        try:
            with anyio.move_on_after(IDENTITY_DEADLINE.total_seconds()):
                told = await fence.identity()
        except FenceError as error:
            trouble = f" ({error})"
        if told is None:
            self._board.miss_identity(host)
        else:
            self._board.see_identity(host, told)
        why = why_not_switch(host, self._board.world)
        if why is None:
            return fence, ""
        log.error("device_not_identified", host=host, reason=why)
        distrusted = self._memory.state.devices.distrusted(host) | {BMC}
        return trusted(self._fences[host], distrusted), f"not sent: {why}{trouble}"

    async def _try_fence(self, command: TryFence) -> tuple[Event, ...]:
        if self._memory.state.open_incident(command.host) is not None:
            raise SafetyRefusal(f"{command.host} has an open incident: nothing is tried on it")
        fence, why = await self._identified(command.host)
        if fence is None:
            return (CommandEnded(command=command.id, outcome=Outcome.REFUSED, detail=why),)
        trial = FenceTrial(
            command,
            fence,
            memory=self._memory,
            board=self._board,
            clock=self._clock,
            cloud=self._cloud,
        )
        found: list[Event] = []
        with anyio.CancelScope(shield=True):  # a host that was switched off is switched on again
            found += await trial.run()
        return tuple(found)

    async def _isolate(self, command: Isolate) -> tuple[Event, ...]:
        incident = self._memory.state.incidents[command.incident]
        if incident.state is not IncidentState.ISOLATING or incident.proof is None:
            raise SafetyRefusal("a host is forced down only after its death is proven")
        if why := await self._why_not_isolate(command):
            return (CommandEnded(command=command.id, outcome=Outcome.REFUSED, detail=why),)
        try:
            with anyio.CancelScope(shield=True):
                await self._cloud.isolate(command.service, command.marker)
            detail = ""
        except CommandRefused as error:
            return (CommandEnded(command=command.id, outcome=Outcome.REFUSED, detail=str(error)),)
        except OutcomeUnknown as error:
            detail = str(error)  # the row itself tells, below
        return await self._read_back(command, detail)

    async def _why_not_isolate(self, command: Isolate) -> str | None:
        """Return why the host is not ours to force down; whoever cannot read it cannot know."""
        try:
            with anyio.fail_after(LOOK_DEADLINE.total_seconds()):
                service = await self._read_service(command.host)
        except CloudError as error:
            return f"not sent, the last look failed: {error}"
        except TimeoutError:
            return f"not sent: the last look took over {LOOK_DEADLINE.total_seconds():.0f} s"
        if service is None or service.id != command.service:
            return "not sent: Nova does not list its compute service"
        incident = self._memory.state.incidents[command.incident]
        hand = others_hand(service, command.marker, incident.handed_over)
        return f"not sent: {hand}" if hand else None

    async def _read_back(self, command: Isolate, detail: str) -> tuple[Event, ...]:
        service: ComputeService | None = None
        try:
            with anyio.CancelScope(shield=True):
                service = await self._read_service(command.host, fresh=True)
        except CloudError as error:
            return _unclear(command, detail or str(error))
        if service is None or service.id != command.service or not _is_isolated(service, command):
            return _unclear(command, detail or "the service does not read back as isolated")
        isolation = Isolation(
            service=command.service, marker=command.marker, baseline=service.updated_at
        )
        return (
            HostIsolated(incident=command.incident, isolation=isolation),
            CommandEnded(command=command.id, outcome=Outcome.DONE, detail="read back"),
        )

    async def _read_service(self, host: HostName, *, fresh: bool = False) -> ComputeService | None:
        """Return the host's nova-compute row, at most SERVICES_MAX_AGE old."""
        async with self._services_lock:
            read_at = self._board.world.services_read_at
            now = self._clock.now()
            if fresh or read_at is None or now.since(read_at) > SERVICES_MAX_AGE:
                rows = await self._cloud.services()
                self._board.see_services(rows, self._clock.now(), now)
        track = self._board.world.services.get(host)
        if track is None or track.read_at != self._board.world.services_read_at:
            return None
        return track.service

    async def _evacuate(self, command: Evacuate) -> tuple[Event, ...]:
        try:
            with anyio.fail_after(LOOK_DEADLINE.total_seconds()):
                refusal = await self._look(command)
        except CloudError as error:
            return self._refused(command, f"not sent, the last look failed: {error}")
        except TimeoutError:
            why = f"not sent: the last look took over {LOOK_DEADLINE.total_seconds():.0f} s"
            return self._refused(command, why)
        if refusal is not None:
            return (
                CommandEnded(command=command.id, outcome=Outcome.REFUSED, detail=refusal.reason),
                _recovery_moved(command, refusal.to, refusal.reason),
            )
        try:
            with anyio.CancelScope(shield=True):
                await self._send(command)
        except CommandRefused as error:
            recovery = self._memory.state.recoveries[command.incident][command.server]
            later = error.status in {None, UNAUTHORISED} or (
                error.status in RETRIED_LATER
                and recovery.refusals < MAX_REFUSALS
                and NOT_SUPPORTED not in str(error)
            )
            to = RecoveryState.QUEUED if later else RecoveryState.REFUSED
            return (
                CommandEnded(command=command.id, outcome=Outcome.REFUSED, detail=str(error)),
                _recovery_moved(command, to, str(error)),
            )
        except OutcomeUnknown as error:
            return (CommandUnknown(command=command.id, detail=str(error)),)
        return (CommandAccepted(command=command.id, detail=f"Nova accepted it; {command.to}"),)

    async def _send(self, command: Evacuate) -> None:
        """Send it in the one way that cannot cost a disk which another host may see."""
        recovery = self._memory.state.recoveries[command.incident][command.server]
        if (command.destination is None) != bool(recovery.candidate.storage):
            raise SafetyRefusal("only a server on shared storage goes where Nova sends it")
        if command.destination is None:
            await self._cloud.evacuate_on_shared_storage(command.server)
        else:
            await self._cloud.evacuate(command.server, command.destination)

    async def _look(self, command: Evacuate) -> Refusal | None:
        """Read everything that the guard asks for, the records last, and ask it."""
        service = await self._read_service(command.host)
        server = await self._cloud.server(command.server)
        records = await self._cloud.migrations(server=command.server)
        state, world = self._memory.state, self._board.world
        now = self._clock.now()
        look = LastLook(
            incident=state.incidents[command.incident],
            recovery=state.recoveries[command.incident][command.server],
            server=server,
            records=records,
            service=service,
            probe=world.probes.get(command.host),
            power=world.power.get(command.host),
            elsewhere=heard_elsewhere(state.incidents[command.incident], world),
            noise=noise_of(state.incidents[command.incident], world, now),
            proven_dead=frozenset(
                i.host
                for i in state.open_incidents()
                if i.host != command.host and why_host_not_proven_now(i, world, now) is None
            ),
            now=now,
            poison=why_nowhere_any_more(state, command.server),
            storage=storage_of(command.host, world, self._rules),
            made_from=made_from(server, world.images_told, world.volumes_told) if server else None,
            nova_now=nova_now(world),
        )
        return why_not_evacuate(command, look)

    async def _stop(self, command: StopServer) -> tuple[Event, ...]:
        recovery = self._memory.state.recoveries[command.incident][command.server]
        if recovery.candidate.vm_state != "stopped":
            raise SafetyRefusal("only a server that had been stopped is stopped again")
        try:
            with anyio.CancelScope(shield=True):
                await self._cloud.stop(command.server)
        except CommandRefused as error:
            return (CommandEnded(command=command.id, outcome=Outcome.REFUSED, detail=str(error)),)
        except OutcomeUnknown as error:
            return _unclear(command, str(error))
        return (CommandEnded(command=command.id, outcome=Outcome.DONE, detail="accepted"),)


def _recovery_moved(command: Evacuate, to: RecoveryState, reason: str) -> RecoveryMoved:
    return RecoveryMoved(incident=command.incident, server=command.server, to=to, reason=reason)


def _is_isolated(service: ComputeService, command: Isolate) -> bool:
    return service.forced_down and not service.enabled and service.disabled_reason == command.marker


def _unclear(command: Command, detail: str) -> tuple[Event, ...]:
    """Return the outcome of a command of which nobody knows whether it had its effect."""
    if isinstance(command, Evacuate):
        return (CommandUnknown(command=command.id, detail=detail),)
    return (CommandEnded(command=command.id, outcome=Outcome.UNRESOLVED, detail=detail),)
