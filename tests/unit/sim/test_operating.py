"""Start, stop, reboot, reset, delete, diagnostics and services, as Nova answers and does them."""

import anyio
import pytest

from koboshi.domain.facts.cloud import Running
from koboshi.sim import operating
from koboshi.sim.refusal import NovaRefused
from koboshi.sim.samples import image_server, server
from tests.unit.sim.lab import H1, H2, A, lab

pytestmark = pytest.mark.anyio


async def test_start_is_for_the_stopped_alone_and_a_hard_reboot_for_nearly_all() -> None:
    async with lab([server("a", vm_state="error")]) as w:
        with pytest.raises(NovaRefused) as error:
            w.cloud.accept_start(A)
        assert error.value.status == 409
        w.cloud.accept_reboot(A)
        await anyio.sleep(5)
        assert w.shows() == ("active", None, "h1")
        assert w.physics.where(A) == (H1,)


async def test_a_suspended_server_is_off_until_it_is_resumed() -> None:
    async with lab([server("a")]) as w:
        operating.suspend(w.cloud, A)
        assert w.shows() == ("active", "suspending", "h1")
        await anyio.sleep(5)
        assert w.shows() == ("suspended", None, "h1")
        assert w.physics.where(A) == ()
        with pytest.raises(NovaRefused):
            w.cloud.accept_start(A)
        operating.resume(w.cloud, A)
        await anyio.sleep(5)
        assert w.shows() == ("active", None, "h1")
        assert w.physics.where(A) == (H1,)


async def test_stop_takes_its_time() -> None:
    async with lab([server("a")]) as w:
        w.cloud.accept_stop(A)
        assert w.shows() == ("active", "powering-off", "h1")
        with pytest.raises(NovaRefused):
            w.cloud.accept_stop(A)
        await anyio.sleep(5)
        assert w.shows() == ("stopped", None, "h1")
        assert w.row().status == "SHUTOFF"


async def test_a_message_for_a_dead_host_waits_and_runs_when_it_returns() -> None:
    async with lab([server("a")]) as w:
        w.physics.cut_power(H1)
        w.cloud.accept_stop(A)
        await anyio.sleep(300)
        assert w.shows() == ("active", "powering-off", "h1")
        await w.back()
        assert w.shows() == ("stopped", None, "h1")


async def test_reset_state_sets_the_state_and_no_task_and_nothing_else() -> None:
    async with lab([server("a")]) as w:
        w.cloud.change(A, task_state="rebuilding")
        w.cloud.accept_reset(A, "error")
        assert w.shows() == ("error", None, "h1")
        assert w.row().power_state == 1
        assert [a.name for a in w.cloud.acted[A]] == ["resetState"]
        with pytest.raises(NovaRefused):
            w.cloud.accept_reset(A, "stopped")


async def test_a_delete_is_in_the_database_at_once_and_on_a_dead_host_much_later() -> None:
    async with lab([image_server("a")]) as w:
        w.physics.cut_power(H1)
        w.cloud.accept_delete(A)
        assert A not in w.cloud.servers_by_id
        assert A in w.cloud.deleted
        assert w.cloud.placement.used(H1).vcpus == 0
        assert w.physics.copies(A)
        await w.back()
        assert A not in w.host().defined
        assert w.physics.copies(A) == ()
        assert w.physics.roots[A] == "data"  # nobody lost it: its owner wanted it gone


async def test_diagnostics_ask_the_hypervisor() -> None:
    async with lab([server("a")]) as w:
        assert await w.cloud.diagnose(A)
        w.cloud.guest_dies(A)
        assert w.row().status == "ACTIVE"
        assert not await w.cloud.diagnose(A)
        assert await w.cloud.is_running(A) is Running.NO


async def test_diagnostics_of_a_host_that_is_down_take_a_minute() -> None:
    async with lab([server("a")]) as w:
        w.lose()
        began_s = anyio.current_time()
        with pytest.raises(NovaRefused) as error:
            await w.cloud.diagnose(A)
        assert error.value.status == 500
        assert anyio.current_time() - began_s == pytest.approx(60)
        assert await w.cloud.is_running(A) is Running.UNKNOWN
        assert anyio.current_time() - began_s == pytest.approx(65.02)


async def test_heartbeats_and_edits_move_updated_at_and_forced_down_hides_the_state() -> None:
    async with lab([server("a")]) as w:
        w.cloud.accept_service_update(H1, forced_down=True)
        edited = w.cloud.row(H1).updated_at
        assert not w.cloud.is_up(H1)
        await anyio.sleep(15)
        beaten = w.cloud.row(H1).updated_at
        assert edited is not None
        assert beaten is not None
        assert beaten > edited
        assert not w.cloud.is_up(H1)
        w.cloud.accept_service_update(H1, forced_down=False)
        assert w.cloud.is_up(H1)


async def test_enabling_clears_the_reason() -> None:
    async with lab([server("a")]) as w:
        w.cloud.accept_service_update(H1, enabled=False, disabled_reason="maintenance")
        assert w.cloud.row(H1).disabled_reason == "maintenance"
        w.cloud.accept_service_update(H1, enabled=True)
        assert w.cloud.row(H1).disabled_reason is None


async def test_a_killed_qemu_reads_shutoff_after_a_while_by_a_stop_of_nobody() -> None:
    async with lab([server("a")]) as w:
        w.cloud.guest_dies(A)
        await anyio.sleep(15)
        assert w.row().status == "ACTIVE"
        await anyio.sleep(2)
        assert w.row().status == "SHUTOFF"
        assert [(a.name, a.user) for a in w.cloud.acted[A]] == [("stop", None)]


async def test_a_server_whose_disk_was_destroyed_does_not_start() -> None:
    async with lab([image_server("a", vm_state="stopped")]) as w:
        w.physics.destroy_disks(A, H1, "test")
        w.cloud.accept_start(A)
        await anyio.sleep(5)
        assert w.shows() == ("stopped", None, "h1")
        assert w.row().fault == "its disk is not there"


async def test_placement_counts_what_is_held_and_not_what_is_true() -> None:
    async with lab([server("a")]) as w:
        whole = w.cloud.free(H2).vcpus
        w.lose()
        await w.evacuated()
        assert w.cloud.free(H1).vcpus == whole - 1
        assert w.cloud.free(H2).vcpus == whole - 1
