"""Cold migrations: where the disk is while the host says otherwise."""

import anyio
import pytest

from koboshi.sim.disks import Fate, fate
from koboshi.sim.physics import LOST
from koboshi.sim.refusal import NovaRefused
from koboshi.sim.resizing import revert
from koboshi.sim.samples import image_server
from tests.unit.sim.lab import H1, H2, H3, A, lab

pytestmark = pytest.mark.anyio


async def test_a_cold_migration_waits_for_a_person() -> None:
    async with lab([image_server("a")]) as w:
        await anyio.sleep(10)
        before = w.physics.copies(A)
        w.cloud.accept_cold_migrate(A, H2)
        await anyio.sleep(5)
        assert w.shows() == ("active", "resize_migrating", "h1")
        assert w.row().status == "RESIZE"
        await anyio.sleep(15)
        assert w.shows() == ("resized", None, "h2")
        assert w.row().status == "VERIFY_RESIZE"
        assert w.physics.where(A) == (H2,)
        assert len(w.physics.copies(A)) == 2
        with pytest.raises(NovaRefused):
            w.cloud.accept_evacuate(A, H3)
        w.cloud.accept_confirm(A)
        await anyio.sleep(3)
        assert w.shows() == ("active", None, "h2")
        assert w.records() == [("confirmed", "h2")]
        assert fate(before[0], w.physics.copies(A), "h2") is Fate.KEPT
        assert w.cloud.placement.holds(A) == (H2,)


async def test_a_cold_migration_is_taken_back_to_the_disk_that_was_kept() -> None:
    async with lab([image_server("a")]) as w:
        before = w.physics.copies(A)
        w.cloud.accept_cold_migrate(A, H2)
        await anyio.sleep(20)
        revert(w.cloud, A)
        assert w.row().status == "REVERT_RESIZE"
        await anyio.sleep(8)
        assert w.shows() == ("active", None, "h1")
        assert w.records() == [("reverted", "h2")]
        assert w.physics.where(A) == (H1,)
        assert fate(before[0], w.physics.copies(A), "h1") is Fate.KEPT
        assert w.cloud.placement.holds(A) == (H1,)


async def test_a_revert_waits_for_a_source_that_is_dead() -> None:
    async with lab([image_server("a")]) as w:
        w.cloud.accept_cold_migrate(A, H2)
        await anyio.sleep(20)
        w.lose(H1)
        revert(w.cloud, A)
        await anyio.sleep(60)
        assert w.shows() == ("resized", "resize_reverting", "h2")
        assert w.physics.where(A) == ()


async def test_a_destination_that_dies_leaves_the_disk_on_the_source() -> None:
    async with lab([image_server("a")]) as w:
        before = w.physics.copies(A)
        w.cloud.accept_cold_migrate(A, H2)
        await anyio.sleep(9.5)
        assert w.shows() == ("active", "resize_finish", "h2")
        w.lose(H2)
        await w.evacuated(H3)
        assert w.shows() == ("active", None, "h3")
        assert w.physics.roots[A] == LOST
        assert fate(before[0], w.physics.copies(A), "h3") is Fate.LEFT_BEHIND


async def test_a_host_that_is_down_refuses() -> None:
    async with lab([image_server("a")]) as w:
        w.lose()
        with pytest.raises(NovaRefused) as error:
            w.cloud.accept_cold_migrate(A, H2)
        assert error.value.status == 409
