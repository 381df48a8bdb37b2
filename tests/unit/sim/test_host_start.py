"""A source that returns: what it destroys, what it leaves, and when forced_down can be lifted."""

import anyio
import pytest

from koboshi.domain.names import ServerId
from koboshi.sim.physics import LOST
from koboshi.sim.refusal import NovaRefused
from koboshi.sim.samples import image_server, server
from tests.unit.sim.lab import H1, H2, H3, A, Lab, lab

pytestmark = pytest.mark.anyio


def lifts(w: Lab) -> bool:
    """Return whether Nova lets forced_down of h1 be lifted."""
    try:
        w.cloud.accept_service_update(H1, forced_down=False)
    except NovaRefused as error:
        return error.status != 400
    return True


async def test_forced_down_stays_until_the_source_has_cleaned_up() -> None:
    async with lab([image_server("a")]) as w:
        w.lose()
        await w.evacuated()
        assert not lifts(w)
        assert set(w.cloud.placement.holds(A)) == {H1, H2}
        await w.back()
        assert w.records() == [("completed", "h2")]
        assert w.cloud.placement.holds(A) == (H2,)
        assert A not in w.host(H1).defined
        assert {c.place for c in w.physics.copies(A)} == {"h2"}
        assert lifts(w)


async def test_the_first_heartbeat_comes_after_the_clean_up() -> None:
    async with lab([server("a")]) as w:
        w.lose()
        await w.evacuated()
        baseline = w.cloud.row(H1).updated_at
        await w.cloud.boot(H1)
        for _ in range(100):
            await anyio.sleep(0.1)
            if w.cloud.row(H1).updated_at != baseline:
                break
        assert w.cloud.row(H1).updated_at != baseline
        assert w.records() == [("completed", "h2")]


@pytest.mark.parametrize("destination", ["h2", None])
async def test_the_bomb(destination: str | None) -> None:
    async with lab([image_server("a")]) as w:
        w.lose()
        w.cloud.scheduler_works = False
        w.cloud.accept_evacuate(A, H2 if destination else None)
        await anyio.sleep(70)
        w.cloud.scheduler_works = True
        await w.back(after_s=70)
        assert w.records() == [("completed", destination)]
        assert A not in w.host(H1).defined
        assert w.shows() == ("active", "rebuilding", "h1")  # nobody looks at it
        # Without a destination the host asks itself, in vain: the disk counts as shared.
        assert w.physics.roots[A] == (LOST if destination else "data")


async def test_a_record_that_failed_harms_nobody() -> None:
    async with lab([image_server("a")]) as w:
        w.host(H2).spawn_fault = "no"
        w.lose()
        await w.evacuated()
        await w.back()
        assert w.records() == [("failed", "h2")]
        assert A in w.host(H1).defined
        assert w.physics.roots[A] == "data"


async def test_of_two_records_one_start_handles_the_last_alone() -> None:
    async with lab([server("a")]) as w:
        w.host(H2).die_in_spawn = "before"
        w.lose()
        await w.evacuated(H2)
        await w.evacuated(H3)
        assert w.records() == [("pre-migrating", "h2"), ("done", "h3")]
        await w.back()
        assert w.records() == [("pre-migrating", "h2"), ("completed", "h3")]
        assert lifts(w)  # and the older one stays: a bomb with a long fuse


async def test_the_bomb_with_the_long_fuse() -> None:
    async with lab([server("a")]) as w:
        w.host(H2).die_in_spawn = "before"
        w.lose()
        await w.evacuated(H2)
        await w.evacuated(H3)
        await w.back()
        assert lifts(w)
        w.cloud.accept_live_migrate(A, H1)
        await anyio.sleep(30)
        assert w.physics.where(A) == (H1,)
        w.physics.kill_compute(H1)
        w.cloud.start_compute(H1)
        await anyio.sleep(70)
        assert w.physics.where(A) == ()
        await anyio.sleep(1200)
        assert w.shows() == ("active", None, "h1")  # Nova goes on showing it


async def test_a_source_that_returns_too_early_needs_one_more_start() -> None:
    async with lab([server("a")]) as w:
        w.lose()
        w.host(H2).spawn_more_s = 60
        w.cloud.accept_evacuate(A, H2)
        await anyio.sleep(5)
        await w.back()
        assert w.records() == [("completed", "h2")]
        await anyio.sleep(60)
        assert w.records() == [("done", "h2")]
        assert w.shows() == ("active", None, "h2")
        assert not lifts(w)
        w.physics.kill_compute(H1)
        w.cloud.start_compute(H1)
        await anyio.sleep(10)
        assert lifts(w)


async def test_a_destination_that_is_dead_blocks_the_start_for_a_minute() -> None:
    async with lab([image_server("a")]) as w:
        w.lose()
        await w.evacuated()
        w.physics.cut_power(H2)
        await w.back(after_s=50)
        assert not w.host(H1).serving
        assert w.records() == [("done", "h2")]
        await anyio.sleep(20)
        assert w.records() == [("completed", "h2")]
        assert {c.place for c in w.physics.copies(A)} == {"h1", "h2"}  # counted as shared: kept


async def test_what_was_not_evacuated_ends_shutoff_by_nova_s_own_stop() -> None:
    async with lab([server("a"), server("b", vm_state="error")]) as w:
        w.lose()
        await anyio.sleep(60)
        await w.back(after_s=3)
        assert w.shows() == ("stopped", None, "h1")
        assert [(a.name, a.user) for a in w.cloud.acted[A]] == [("stop", None)]
        assert w.row(ServerId("b")).vm_state == "error"
        w.cloud.accept_start(A)
        await anyio.sleep(3)
        assert w.physics.where(A) == (H1,)


async def test_with_resume_guests_they_simply_run() -> None:
    async with lab([server("a")]) as w:
        w.host().resumes_guests = True
        w.physics.cut_power(H1)
        await anyio.sleep(100)
        await w.back()
        assert w.shows() == ("active", None, "h1")
        assert w.physics.where(A) == (H1,)
        assert w.cloud.acted.get(A) is None


async def test_a_quick_reboot_is_never_shown_down() -> None:
    async with lab([server("a")]) as w:
        w.physics.cut_power(H1)
        w.cloud.tasks.start_soon(w.cloud.boot, H1)
        for _ in range(400):
            await anyio.sleep(0.1)
            assert w.cloud.is_up(H1)
        assert w.row().status == "SHUTOFF"


async def test_a_restart_of_nova_compute_alone_touches_no_guest() -> None:
    async with lab([server("a")]) as w:
        w.physics.kill_compute(H1)
        w.cloud.start_compute(H1)
        await anyio.sleep(700)
        assert w.physics.where(A) == (H1,)
        assert w.shows() == ("active", None, "h1")
        assert w.physics.started()[A] == 1


async def test_a_half_done_rebuild_without_a_record_becomes_an_error() -> None:
    async with lab([server("a")]) as w:
        w.cloud.change(A, task_state="rebuild_spawning")
        w.physics.kill_compute(H1)
        w.cloud.start_compute(H1)
        await anyio.sleep(5)
        assert w.shows() == ("error", None, "h1")


async def test_power_taken_again_during_the_boot_ends_it() -> None:
    async with lab([server("a")]) as w:
        w.lose()
        w.cloud.tasks.start_soon(w.cloud.boot, H1)
        await anyio.sleep(5)
        w.physics.cut_power(H1)
        await anyio.sleep(60)
        assert not w.host().works
