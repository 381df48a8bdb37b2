"""The daemon's own adapters, over HTTP in virtual time: a recovery goes as on the simulated ports."""

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import anyio
import pytest

from koboshi.domain.facts.cloud import Server
from koboshi.domain.recoveries.recovery import RecoveryState
from koboshi.domain.rules import OnLocalDisk
from koboshi.rehearsal.campaign.cases import draw_case
from koboshi.rehearsal.campaign.trial import try_case
from koboshi.rehearsal.ports import Opens, real_adapters
from koboshi.rehearsal.stage import over_http
from koboshi.rehearsal.story import Story, story
from koboshi.rehearsal.windows import shortened
from koboshi.sim.bmc import Bmc
from koboshi.sim.http import Face
from koboshi.sim.line import Fails
from koboshi.sim.physics import LOST
from koboshi.sim.samples import image_server, server
from koboshi.sim.world import World

pytestmark = pytest.mark.anyio

THREE_KINDS = (server("bfv"), server("both", image=True), image_server("image"))
NAMES = ("a", "b", "c", "d")
SERVERS = tuple(server(n) for n in NAMES)


@asynccontextmanager
async def told_over_http(
    servers: Sequence[Server], on_local_disk: OnLocalDisk = OnLocalDisk.HOLD
) -> AsyncGenerator[tuple[Story, Face]]:
    faces: list[Face] = []

    def ports(world: World) -> Opens:
        faces.append(Face(world))
        return real_adapters(faces[-1])

    async with story(servers, rules=shortened(on_local_disk=on_local_disk), ports=ports) as s:
        yield s, faces[-1]


async def test_a_power_loss_volumes_come_back_and_local_disks_are_held() -> None:
    began = time.monotonic()
    async with told_over_http([*THREE_KINDS, server("other", "h2")]) as (s, _):
        s.power_loss()
        await s.until_settled(within_s=60)
        s.assert_back("bfv")
        assert s.recovery_states() == {
            "bfv": RecoveryState.DONE,
            "both": RecoveryState.HELD,
            "image": RecoveryState.HELD,
        }
        assert set(s.cloud.physics.roots.values()) == {"data"}
        assert s.cloud.row(s.incident().host).disabled_reason == f"koboshi:test:{s.incident().id}"
        lived_s = anyio.current_time()
    assert lived_s > 45
    assert time.monotonic() - began < lived_s


async def test_the_policy_rebuild_asks_glance_and_brings_all_back() -> None:
    async with told_over_http(THREE_KINDS, OnLocalDisk.REBUILD) as (s, _):
        s.power_loss()
        await s.until_settled(within_s=90)
        s.assert_back("bfv", "both", "image")
        assert s.cloud.physics.roots == {"bfv": "data", "both": LOST, "image": LOST}
        assert s.cloud.line.calls["image"] > 0


async def test_a_lost_answer_is_found_in_the_records() -> None:
    async with told_over_http(SERVERS) as (s, _):
        s.cloud.line.fail("evacuate", Fails.ANSWER_LOST, times=2)
        s.power_loss()
        await s.until_settled(within_s=90)
        s.assert_back(*NAMES)


async def test_a_storm_of_500s_in_the_middle_is_sat_out() -> None:
    async with told_over_http(SERVERS) as (s, _):
        s.power_loss()
        await s.until(lambda: bool(s.posts()), 60)
        s.cloud.line.fail("*", Fails.NO_ANSWER, for_s=25)
        await s.until_settled(within_s=240)
        s.assert_back(*NAMES)


async def test_a_token_that_is_refused_in_the_middle_is_replaced_by_another() -> None:
    async with told_over_http(SERVERS) as (s, face):
        s.power_loss()
        await s.until(lambda: bool(s.posts()), 60)
        face.keystone.revoke_all()
        issued = s.cloud.line.calls["token"]
        await s.until_settled(within_s=60)
        s.assert_back(*NAMES)
        assert s.cloud.line.calls["token"] == issued + 1


async def test_a_connection_that_is_refused_is_certainly_without_effect() -> None:
    async with told_over_http([server("a")]) as (s, _):
        s.cloud.line.fail("evacuate", Fails.NEVER_SENT, times=1)
        s.power_loss()
        await s.until_settled(within_s=60)
        s.assert_back("a")


async def test_a_request_whose_sender_was_killed_goes_on_its_way() -> None:
    async with told_over_http(SERVERS) as (s, _):
        s.cloud.line.latency_s = 0.5
        s.power_loss()
        await s.until(lambda: s.cloud.line.calls["evacuate"] > 0, 90, every_s=0.05)
        await s.restart_daemon()
        await s.until_settled(within_s=240)
        s.assert_back(*NAMES)


@pytest.mark.parametrize("mode", [Bmc.GONE, Bmc.HANG, Bmc.REFUSE, Bmc.ACCEPT_ONLY])
async def test_without_a_bmc_that_switches_off_nothing_is_evacuated(mode: Bmc) -> None:
    async with told_over_http(SERVERS) as (s, _):
        s.fences[s.machine("h1").name].mode = mode
        s.machine("h1").link = False
        await anyio.sleep(120)
        assert s.posts() == {}
        s.fences[s.machine("h1").name].mode = Bmc.NORMAL
        await s.until_settled(within_s=300)
        s.assert_back(*NAMES)


@pytest.mark.parametrize("seed", range(5))
def test_a_campaign_breaks_no_rule_with_them_either(seed: int) -> None:
    assert try_case(draw_case(seed), compose=over_http).breaches == ()
