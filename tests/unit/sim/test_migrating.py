"""Live migrations: one guest, wherever its records say it is, and who dies in the middle."""

import anyio
import pytest

from koboshi.domain.names import ServerId
from koboshi.sim.refusal import NovaRefused
from koboshi.sim.samples import server
from tests.unit.sim.lab import H1, H2, H3, A, Lab, lab

pytestmark = pytest.mark.anyio


async def under_way(w: Lab) -> None:
    w.cloud.accept_live_migrate(A, H2)
    await anyio.sleep(3)
    assert w.row().status == "MIGRATING"
    assert w.records() == [("running", "h2")]


async def test_the_host_changes_last() -> None:
    async with lab([server("a")]) as w:
        await under_way(w)
        await anyio.sleep(6)
        assert w.physics.where(A) == (H2,)
        assert w.shows() == ("active", "migrating", "h1")
        await anyio.sleep(3)
        assert w.shows() == ("active", None, "h2")
        assert w.records() == [("completed", "h2")]
        assert w.cloud.placement.holds(A) == (H2,)
        assert w.physics.violations == []


async def test_what_may_not_be_migrated() -> None:
    async with lab([server("a", vm_state="stopped")]) as w:
        with pytest.raises(NovaRefused) as error:
            w.cloud.accept_live_migrate(A, H2)
        assert error.value.status == 409
        with pytest.raises(NovaRefused):
            w.cloud.accept_live_migrate(ServerId("nobody"), H2)


async def test_no_host_leaves_the_server_and_an_error_in_the_record() -> None:
    async with lab([server("a")]) as w:
        w.cloud.accept_service_update(H2, enabled=False)
        w.cloud.accept_live_migrate(A, H2)
        await anyio.sleep(5)
        assert w.shows() == ("active", None, "h1")
        assert w.records() == [("error", None)]


async def test_a_destination_that_dies_leaves_the_server_on_its_source() -> None:
    async with lab([server("a")]) as w:
        await under_way(w)
        w.physics.cut_power(H2)
        await anyio.sleep(20)
        assert w.shows() == ("active", None, "h1")
        assert w.physics.where(A) == (H1,)
        assert w.records() == [("failed", "h2")]


async def test_a_source_that_dies_leaves_the_record_running_for_good() -> None:
    async with lab([server("a")]) as w:
        await under_way(w)
        w.lose()
        await anyio.sleep(600)
        assert w.records() == [("running", "h2")]
        assert w.shows() == ("active", "migrating", "h1")
        assert w.physics.where(A) == ()
        await w.evacuated(H3)  # accepted: nothing looks at the task
        assert w.shows() == ("active", None, "h3")


async def test_a_source_that_dies_after_the_switch_over_leaves_a_guest_nobody_knows_of() -> None:
    async with lab([server("a")]) as w:
        await under_way(w)
        await anyio.sleep(6)
        w.lose()
        await anyio.sleep(60)
        assert w.shows() == ("active", "migrating", "h1")
        assert w.physics.where(A) == (H2,)
        await w.evacuated(H2)
        assert w.row().fault == "Instance a already exists."
        await w.evacuated(H3)
        assert w.physics.where(A) == (H2, H3)


async def test_a_source_whose_nova_compute_restarts_gives_it_up() -> None:
    async with lab([server("a")]) as w:
        await under_way(w)
        w.physics.kill_compute(H1)
        w.cloud.start_compute(H1)
        await anyio.sleep(30)
        assert w.shows() == ("active", None, "h1")
        assert w.physics.where(A) == (H1,)
