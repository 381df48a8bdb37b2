"""What became of a server's data, by the copies of its disks."""

import anyio
import pytest

from koboshi.sim.disks import FATE_MEANING, Copy, Fate, fate
from koboshi.sim.samples import SMALL, image_server, server
from tests.unit.sim.lab import H1, H2, A, Lab, lab

pytestmark = pytest.mark.anyio


def fates(w: Lab, before: tuple[Copy, ...]) -> dict[str, Fate]:
    place = w.host(w.row().host or H1).place
    return {c.disk: fate(c, w.physics.copies(A), place) for c in before}


def test_every_fate_has_its_meaning() -> None:
    assert set(FATE_MEANING) == set(Fate)


async def test_what_is_written_grows_while_the_guest_runs() -> None:
    async with lab([server("a")]) as w:
        await anyio.sleep(30)
        (before,) = w.physics.copies(A)
        assert before.written_s == pytest.approx(30)
        w.physics.cut_power(H1)
        await anyio.sleep(30)
        assert w.physics.copies(A)[0].written_s == pytest.approx(30)


async def test_an_evacuation_keeps_volumes_and_leaves_the_root_behind() -> None:
    async with lab([server("a", image=True)]) as w:
        await anyio.sleep(10)
        w.lose()
        before = w.physics.copies(A)
        await w.evacuated()
        assert fates(w, before) == {"root": Fate.LEFT_BEHIND, "vol-a": Fate.KEPT}
        await w.back()
        assert fates(w, before) == {"root": Fate.DESTROYED, "vol-a": Fate.KEPT}


async def test_ephemeral_and_swap_of_a_volume_s_server_lie_on_the_host() -> None:
    flavor = SMALL.__class__(name="f", vcpus=1, ram_mb=1, disk_gb=1, ephemeral_gb=1, swap_mb=512)
    async with lab([server("a", flavor=flavor)]) as w:
        assert {(c.disk, c.place) for c in w.physics.copies(A)} == {
            ("ephemeral", "h1"),
            ("swap", "h1"),
            ("vol-a", "cinder"),
        }


async def test_shared_storage_keeps_everything() -> None:
    async with lab([image_server("a")], shared=(H1, H2)) as w:
        await anyio.sleep(10)
        before = w.physics.copies(A)
        w.lose()
        await w.evacuated()
        await w.back()
        assert fates(w, before) == {"root": Fate.KEPT}
        assert w.physics.roots[A] == "data"


async def test_a_live_migration_takes_the_disk_along() -> None:
    async with lab([image_server("a")]) as w:
        before = w.physics.copies(A)
        w.cloud.accept_live_migrate(A, H2)
        await anyio.sleep(30)
        assert fates(w, before) == {"root": Fate.KEPT}
        assert {c.place for c in w.physics.copies(A)} == {"h2"}


async def test_two_guests_on_one_volume_tear_it() -> None:
    async with lab([server("a")]) as w:
        before = w.physics.copies(A)
        w.cloud.accept_service_update(H1, forced_down=True)  # it runs on
        await w.evacuated()
        assert w.physics.where(A) == (H1, H2)
        assert fates(w, before) == {"vol-a": Fate.TORN}


async def test_a_leftover_is_used_as_it_is() -> None:
    async with lab([image_server("a")]) as w:
        w.physics.disks.make(A, "root", "h2")
        w.lose()
        await w.evacuated()
        assert w.physics.roots[A] == "data"  # nothing was made, and nobody noticed
        assert [c.made for c in w.physics.copies(A) if c.place == "h2"] == [2]
