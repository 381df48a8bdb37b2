"""The composition root: the one place that builds adapters and gives them to the engine."""

import signal
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from itertools import count

import anyio
import structlog
from anyio.abc import TaskGroup
from pydantic import SecretStr

from koboshi import __version__
from koboshi.adapters.clock import SystemClock
from koboshi.adapters.journal.sql import SqlJournal
from koboshi.adapters.notify.fanout import Notifiers
from koboshi.adapters.notify.log import LogNotifier
from koboshi.adapters.notify.webhook import Delivery, WebhookNotifier
from koboshi.adapters.openstack.access import load
from koboshi.adapters.openstack.cloud import OpenStackCloud, connect
from koboshi.adapters.ourselves import OurMachine
from koboshi.adapters.systemd import ServiceManager
from koboshi.adapters.telemetry.logs import configure_logs
from koboshi.adapters.telemetry.metrics import Metrics
from koboshi.api.server import serve
from koboshi.daemon import wiring, witnesses
from koboshi.daemon.foresight import Foresight
from koboshi.daemon.status import DaemonStatus
from koboshi.domain.errors import CloudUnavailable, ConfigurationError, KoboshiError
from koboshi.domain.facts.cloud import Hypervisor
from koboshi.domain.forecasting.outlook import why_not_now
from koboshi.domain.names import HostName
from koboshi.domain.rules import Mode, ProofPolicy
from koboshi.engine.execute import Executor
from koboshi.engine.loop import Engine
from koboshi.engine.memory import Memory
from koboshi.engine.observe import Observers
from koboshi.engine.pace import Pace
from koboshi.engine.tell import Teller
from koboshi.engine.whiteboard import Whiteboard
from koboshi.ports.fence import Fence
from koboshi.ports.notify import Notifier
from koboshi.ports.probe import Probe
from koboshi.settings import Settings
from koboshi.settings.braking import places_of
from koboshi.settings.telling import LogFormat

log = structlog.get_logger(__name__)

CLOUD_RETRY = timedelta(seconds=5)
"""How long to wait for a cloud that does not answer at the start: it may be down too."""
PULSE = timedelta(seconds=2)
"""How often the service manager is told that the loop turns."""
PULSES_A_MEASUREMENT = 5
"""The metrics are set every ten seconds: nobody reads them more often, and each host is counted."""


def run(settings: Settings, *, probe: Probe | None = None) -> int:
    """Run the daemon until SIGTERM or SIGINT; return its exit code.

    `probe` replaces the way of asking hosts that the settings choose. Raises KoboshiError when it
    cannot start: nothing was touched then.
    """
    _configure_logs(settings)
    return anyio.run(_run, settings, probe or witnesses.probe(settings))


def _configure_logs(settings: Settings) -> None:
    as_json = {LogFormat.JSON: True, LogFormat.CONSOLE: False}.get(settings.log.format)
    secrets: list[SecretStr] = [*settings.fencing.secrets(), *settings.webhook.secrets()]
    secrets += [s for s in (settings.prometheus.password, settings.kdump.secret) if s is not None]
    with suppress(ConfigurationError):  # whoever connects says it
        secrets += load(wiring.cloud_access(settings)).secrets
    configure_logs(level=settings.log.level.value, as_json=as_json, secrets=secrets)


async def _run(settings: Settings, probe: Probe) -> int:
    errors: list[KoboshiError] = []
    try:
        async with AsyncExitStack() as stack, anyio.create_task_group() as tasks:
            tasks.start_soon(_cancel_on_signal, tasks)
            await _serve(settings, probe, stack, tasks)
    except* KoboshiError as group:
        errors.append(_first(group))  # raised in here it would be put into a group again
    if errors:
        raise errors[0]
    return 0


def _first(group: BaseExceptionGroup[KoboshiError]) -> KoboshiError:
    """Return the first error of a group: a person reads one cause at a time."""
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error


async def _cancel_on_signal(tasks: TaskGroup) -> None:
    with anyio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for number in signals:
            log.info("stopping", signal=signal.Signals(number).name)
            tasks.cancel_scope.cancel()
            return


async def _serve(settings: Settings, probe: Probe, stack: AsyncExitStack, tasks: TaskGroup) -> None:
    clock, metrics, manager = SystemClock(), Metrics(), ServiceManager()
    access, limits = wiring.cloud_access(settings), wiring.time_limits(settings)
    cloud = await stack.enter_async_context(
        connect(access, clock=clock, limits=limits, on_request=metrics.api_request)
    )
    fences = await stack.enter_async_context(_fences(settings))
    _assert_fenced(settings, await _until_reachable(cloud, clock))

    journal = await SqlJournal.open_to_lead(settings.journal_path, f"koboshi {__version__}")
    stack.push_async_callback(journal.close)

    notifier = _notifier(settings, clock, metrics, tasks)
    teller = Teller(notifier, settings.install)
    memory = Memory(
        journal,
        clock,
        listeners=(lambda record, _state: metrics.journalled((record.event,)), teller),
        ended=(teller.flush,),
    )
    board = Whiteboard(
        clock.now(),
        fenced=frozenset(fences),
        devices=wiring.device_tables(settings),
        declared=settings.fencing.machines(),
    )
    who = await witnesses.witnesses(settings, cloud, stack)
    await witnesses.hear_kdumps(settings, board, who, clock, stack)
    rules = settings.rules()
    ourselves = OurMachine(settings.brake.never_fence)
    engine = Engine(
        version=__version__,
        rules=rules,
        clock=clock,
        memory=memory,
        board=board,
        observers=Observers(
            board=board,
            clock=clock,
            cloud=cloud,
            probe=probe,
            fences=fences,
            pace=_pace(settings),
            is_protected=settings.hosts.is_protected,
            witnesses=who,
            reads_aggregates=bool(rules.shared_aggregates),
            places=replace(places_of(settings.brake, settings.domains), is_ours=ourselves.is_it),
            api_health=cloud.api_health,
        ),
        executor=Executor(
            memory=memory, board=board, clock=clock, cloud=cloud, fences=fences, rules=rules
        ),
    )
    await engine.start()
    metrics.resume(c.command for c in memory.state.commands.values())
    status = DaemonStatus(
        engine=engine, memory=memory, board=board, rules=rules, clock=clock, cloud=cloud.label
    )
    tasks.start_soon(_foresight(settings, board, clock, engine).run)
    await tasks.start(serve, settings, status, metrics.registry)
    log.info("started", version=__version__, mode=rules.mode.value, cloud=cloud.label)
    manager.ready()
    tasks.start_soon(_pulse, status, metrics, manager, clock)
    stack.callback(manager.stopping)
    await engine.run()


async def _until_reachable(cloud: OpenStackCloud, clock: SystemClock) -> tuple[Hypervisor, ...]:
    """Return the hypervisors, once the cloud answers what the daemon will ask all the time.

    Wrong settings and missing rights raise; a cloud that is down is waited for: it may be down
    together with the host that this daemon should recover.
    """
    told = False
    while True:
        try:
            await cloud.verify()
            await cloud.services()
            return await cloud.hypervisors()
        except CloudUnavailable as error:
            if not told:
                log.warning("cloud_unreachable", error=str(error), meaning="waiting for it")
                told = True
            await clock.sleep(CLOUD_RETRY)


def _assert_fenced(settings: Settings, hypervisors: tuple[Hypervisor, ...]) -> None:
    """Refuse to act where a host that should be protected could never be proven dead."""
    if settings.mode is not Mode.ACT:
        return
    by_power = settings.policy.proof is ProofPolicy.POWER
    missing = sorted(
        host
        for host in wiring.protected_hosts(settings, hypervisors)
        if settings.fencing.device(host) is None
    )
    if missing and not by_power:
        log.warning("hosts_without_power_control", hosts=missing, proof=settings.policy.proof.value)
    elif missing:
        raise ConfigurationError(
            f'mode = "act" needs fencing for every host that it protects, and {", ".join(missing)} '
            f"has none: without a power device no death can be proven. Add [fencing.hosts.{missing[0]}], "
            'exclude it under [hosts], set mode = "observe", or, where there is no power control, '
            'proof = "word" in [policy]: then a person says that a host is dead',
        )


@asynccontextmanager
async def _fences(settings: Settings) -> AsyncGenerator[dict[HostName, Fence]]:
    async with AsyncExitStack() as stack:
        fences: dict[HostName, Fence] = {}
        for host in settings.fencing.known_hosts():
            devices = settings.fencing.of(host)
            if devices is not None:
                fences[HostName(host)] = await stack.enter_async_context(wiring.fence(devices))
        yield fences


def _pace(settings: Settings) -> Pace:
    evidence = settings.evidence
    return Pace(
        probes=settings.probe.interval,
        services=evidence.services_interval,
        services_suspect=evidence.services_interval_suspect,
        sweep=evidence.sweep_interval,
        sweep_again=evidence.sweep_again_interval,
        power=evidence.power_interval,
    )


def _notifier(
    settings: Settings, clock: SystemClock, metrics: Metrics, tasks: TaskGroup
) -> Notifier:
    notifiers: list[Notifier] = [LogNotifier()]
    webhook = settings.webhook
    if webhook.url is not None and webhook.secret is not None:
        sender = WebhookNotifier(
            url=SecretStr(webhook.url),
            secret=webhook.secret,
            source=f"koboshi/{settings.install}",
            clock=clock,
            on_drop=metrics.notice_dropped,
            delivery=Delivery(timeout=webhook.timeout),
        )
        tasks.start_soon(sender.run)
        notifiers.append(sender)
    return Notifiers(*notifiers)


def _foresight(
    settings: Settings, board: Whiteboard, clock: SystemClock, engine: Engine
) -> Foresight:
    return Foresight(
        settings=settings,
        board=board,
        clock=clock,
        why_not_now=lambda: why_not_now(engine.seen),
    )


async def _pulse(
    status: DaemonStatus, metrics: Metrics, manager: ServiceManager, clock: SystemClock
) -> None:
    """Set the metrics now and again, and tell the service manager that the loop turns while it does."""
    for pulse in count():
        if pulse % PULSES_A_MEASUREMENT == 0:
            status.measure(metrics)
        if status.is_alive():
            manager.alive()
        await clock.sleep(PULSE)
