"""A host loses its power: what comes back, how often, and what is left alone."""

import anyio
import pytest

from koboshi.domain.incidents.incident import IncidentState
from koboshi.domain.recoveries.recovery import RecoveryState
from koboshi.domain.rules import OnLocalDisk
from koboshi.rehearsal.story import story
from koboshi.rehearsal.windows import shortened
from koboshi.sim.physics import LOST
from koboshi.sim.samples import image_server, server

pytestmark = pytest.mark.anyio

THREE_KINDS = (server("bfv"), server("both", image=True), image_server("image"))


async def test_servers_on_volumes_come_back_and_those_with_a_local_disk_are_held() -> None:
    async with story([*THREE_KINDS, server("other", "h2")]) as s:
        s.power_loss()
        await s.until_settled(within_s=40)
        s.assert_back("bfv")
        assert s.recovery_states() == {
            "bfv": RecoveryState.DONE,
            "both": RecoveryState.HELD,
            "image": RecoveryState.HELD,
        }
        assert set(s.posts()) == {"bfv"}
        assert s.cloud.physics.roots == {
            "bfv": "data",
            "both": "data",
            "image": "data",
            "other": "data",
        }
        assert s.where("other") == ("h2",)
        assert not s.cloud.row(s.incident().host).enabled
        assert s.cloud.row(s.incident().host).disabled_reason == f"koboshi:test:{s.incident().id}"


async def test_the_policy_rebuild_brings_all_back_and_says_what_it_cost() -> None:
    async with story(THREE_KINDS, rules=shortened(on_local_disk=OnLocalDisk.REBUILD)) as s:
        s.power_loss()
        await s.until_settled(within_s=60)
        s.assert_back("bfv", "both", "image")
        assert s.cloud.physics.roots == {"bfv": "data", "both": LOST, "image": LOST}
        told = s.kinds()
        assert told.count("data_loss_committed") == 2
        assert "data_loss_committed" in s.notifier.kinds()


async def test_twelve_servers_come_back_once_each_spread_over_the_hosts() -> None:
    names = [f"s{n}" for n in range(12)]
    async with story([server(n) for n in names]) as s:
        s.power_loss()
        await s.until_settled(within_s=90)
        s.assert_back(*names)
        used = [s.where(n)[0] for n in names]
        assert {h: used.count(h) for h in set(used)} == {"h2": 4, "h3": 4, "h4": 4}


async def test_a_stopped_server_is_moved_and_stays_stopped() -> None:
    async with story([server("asleep", vm_state="stopped")]) as s:
        s.power_loss()
        await s.until_settled(within_s=60)
        assert s.recovery("asleep").state is RecoveryState.DONE
        assert s.where("asleep") == ()
        assert s.records("asleep") == ["done"]


async def test_a_server_that_was_in_error_before_is_held() -> None:
    async with story([server("broken", vm_state="error"), server("well")]) as s:
        s.power_loss()
        await s.until_settled(within_s=60)
        s.assert_back("well")
        assert s.recovery("broken").state is RecoveryState.HELD
        assert s.posts()["broken"] == 0


async def test_a_missing_image_holds_only_the_server_that_needs_it() -> None:
    rules = shortened(on_local_disk=OnLocalDisk.REBUILD)
    async with story(THREE_KINDS, rules=rules) as s:
        s.cloud.dead_images.add("image-1")
        s.power_loss()
        await s.until_settled(within_s=60)
        s.assert_back("bfv")
        assert s.recovery("image").state is RecoveryState.HELD
        assert s.posts()["image"] == 0


async def test_glance_that_does_not_answer_keeps_nobody_waiting_who_needs_no_image() -> None:
    rules = shortened(on_local_disk=OnLocalDisk.REBUILD)
    async with story(THREE_KINDS, rules=rules) as s:
        s.cloud.line.fail("image")
        s.power_loss()
        await s.until(lambda: s.recovery_states().get("bfv") is RecoveryState.DONE, 60)
        assert s.posts()["image"] == 0
        s.cloud.line.mend()
        await s.until(lambda: s.recovery_states().get("image") is RecoveryState.DONE, 90)
        s.assert_back("bfv", "both", "image")


async def test_an_unprotected_server_is_left_alone() -> None:
    async with story([server("free", metadata={"HA_Enabled": "False"}), server("a")]) as s:
        s.power_loss()
        await s.until_settled(within_s=60)
        assert s.recovery("free").state is RecoveryState.IGNORED
        assert s.posts()["free"] == 0


async def test_an_empty_host_is_isolated_and_that_is_all() -> None:
    async with story() as s:
        s.power_loss()
        await s.until_settled(within_s=60)
        assert s.cloud.row(s.incident().host).forced_down
        assert s.posts() == {}


async def test_a_settled_incident_says_nothing_more() -> None:
    async with story(THREE_KINDS) as s:
        s.power_loss()
        await s.until_settled(within_s=60)
        told = len(s.disk.recorded)
        await anyio.sleep(150)
        assert len(s.disk.recorded) == told, s.timeline()
        assert s.incident_state() is IncidentState.SETTLED
