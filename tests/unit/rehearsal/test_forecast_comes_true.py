"""What the forecast says of a host is what the recovery then does: server by server, host by host."""

from dataclasses import replace

import pytest

from koboshi.adapters.openstack import OpenStackCloud, take_stock
from koboshi.domain.facts.cloud import Flavor, Server, ServerGroup
from koboshi.domain.forecasting.capacity import Turn
from koboshi.domain.forecasting.forecast import Outcome, ServerForecast, WaitsFor
from koboshi.domain.forecasting.survival import Survival
from koboshi.domain.memory.commands import Evacuate
from koboshi.domain.memory.events import CommandIntended
from koboshi.domain.names import HostName, ServerId
from koboshi.domain.recoveries.recovery import RecoveryState
from koboshi.domain.rules import OnLocalDisk
from koboshi.rehearsal.ports import Opens, real_adapters
from koboshi.rehearsal.story import Story, story
from koboshi.rehearsal.windows import shortened
from koboshi.sim.http import Face
from koboshi.sim.physics import LOST
from koboshi.sim.samples import SMALL, image_server, server
from koboshi.sim.virtual_time import VirtualClock
from koboshi.sim.world import World

pytestmark = pytest.mark.anyio

H1 = HostName("h1")


def flavor(name: str, **more: int) -> Flavor:
    return replace(SMALL, name=name, **more)


TPM = replace(SMALL, name="tpm", extra_specs={"hw:tpm_version": "2.0"})
SERVERS: tuple[Server, ...] = (
    server("bfv"),
    server("big", flavor=flavor("big", ram_mb=4096)),
    server("off", vm_state="stopped"),
    server("swap", flavor=flavor("swap", swap_mb=512)),
    server("ephemeral", flavor=flavor("eph", ephemeral_gb=5)),
    server("both", image=True),
    image_server("image"),
    server("paused", vm_state="paused"),
    server("broken", vm_state="error"),
    server("tpm", flavor=TPM),
    server("left", metadata={"HA_Enabled": "False"}),
    server("huge", flavor=flavor("huge", ram_mb=500_000)),
    server("near", "h1"),
    server("apart1"),
    server("apart2"),
    server("apart3", "h2"),
    server("elsewhere", "h3", flavor=flavor("mid", ram_mb=2048)),
)
GROUPS = (
    ServerGroup(id="g1", policy="affinity", members=frozenset({ServerId("near")})),
    ServerGroup(
        id="g2",
        policy="anti-affinity",
        members=frozenset(map(ServerId, ("apart1", "apart2", "apart3"))),
    ),
)
ENDS = {
    Outcome.RETURNS: {RecoveryState.DONE},
    Outcome.RETURNS_EMPTY: {RecoveryState.DONE},
    Outcome.WAITS: {RecoveryState.HELD, RecoveryState.GIVEN_UP},
    Outcome.NOT_RECOVERABLE: {RecoveryState.HELD, RecoveryState.IGNORED},
}


async def survival_of(face: Face, told: Story) -> Survival:
    async with real_adapters(face)(VirtualClock()) as ports:
        assert isinstance(ports.cloud, OpenStackCloud)
        stock = await take_stock(ports.cloud)
    protected = frozenset(h.host for h in stock.hypervisors)
    return Survival(stock, told.rules, protected)


def came_true(forecast: ServerForecast, turn: Turn | None, told: Story) -> None:
    name, state = forecast.server, told.recovery_states()[forecast.server]
    assert state in ENDS[forecast.outcome], (name, forecast, state)
    recovery = told.recovery(name)
    if forecast.waits_for is WaitsFor.ROOM:
        assert state is RecoveryState.GIVEN_UP
    elif forecast.outcome is Outcome.WAITS:
        assert forecast.why == recovery.reason
    if state is RecoveryState.DONE:
        assert turn is not None
        # Where rebuilds go depends on how long the others take, which is assumed.
        if told.rules.on_local_disk is OnLocalDisk.HOLD:
            assert recovery.destination == turn.destination, (name, turn)


@pytest.mark.parametrize("on_local_disk", OnLocalDisk)
async def test_each_server_ends_as_forecast(on_local_disk: OnLocalDisk) -> None:
    faces: list[Face] = []

    def ports(world: World) -> Opens:
        faces.append(Face(world))
        return real_adapters(faces[-1])

    async with story(SERVERS, rules=shortened(on_local_disk=on_local_disk), ports=ports) as told:
        told.cloud.groups.extend(GROUPS)
        survival = await survival_of(faces[-1], told)
        turns = {t.candidate.server: t for t in survival.bring_back([H1])}
        forecasts = survival.if_dies(H1).servers
        told.power_loss()
        await told.until_settled(within_s=1200)
        for forecast in forecasts:
            came_true(forecast, turns.get(forecast.server), told)
        # As they were meant: those of one moment travel together, and may overtake one another.
        events = (r.event for r in told.disk.recorded)
        commands = [e.command for e in events if isinstance(e, CommandIntended)]
        sent = [c.server for c in commands if isinstance(c, Evacuate)]
        lost = {s for s, data in told.cloud.physics.roots.items() if data == LOST}
    assert len(forecasts) == sum(s.host == H1 for s in SERVERS)
    assert {f.outcome for f in forecasts} >= {
        Outcome.RETURNS,
        Outcome.WAITS,
        Outcome.NOT_RECOVERABLE,
    }
    if on_local_disk is OnLocalDisk.HOLD:
        assert sent == sorted(sent, key=lambda name: turns[ServerId(name)].order)
    assert lost == {
        f.server
        for f in forecasts
        for d in f.disks
        if d.kind.value == "root" and d.outcome.value == "back_to_image"
    }
