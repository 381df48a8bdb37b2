"""Evacuations as nova 34 does them: what is accepted, the order of its steps, and how they go wrong."""

from typing import Any

import anyio
import pytest

from koboshi.domain.facts.cloud import Flavor, Server, ServerGroup
from koboshi.domain.names import HostName, ServerId
from koboshi.sim.physics import LOST
from koboshi.sim.refusal import NovaRefused
from koboshi.sim.samples import SMALL, image_server, server
from tests.unit.sim.lab import H1, H2, H3, A, Lab, lab

pytestmark = pytest.mark.anyio
B = ServerId("b")
TPM = Flavor(name="tpm", vcpus=1, ram_mb=1, disk_gb=1, extra_specs={"hw:tpm_version": "2.0"})


def refused(w: Lab, to: HostName | None = H2, **more: Any) -> tuple[int | None, str]:
    with pytest.raises(NovaRefused) as error:
        w.cloud.accept_evacuate(A, to, **more)
    return error.value.status, str(error.value)


async def test_the_api_s_refusals() -> None:
    async with lab([server("a")]) as w:
        assert refused(w) == (400, "Compute service of h1 is still in use.")
        w.lose()
        assert refused(w, HostName("h9")) == (404, "Compute host h9 not found.")
        assert refused(w, H1) == (400, "The target host can't be the same one.")
        assert refused(w, None, microversion=(2, 60), force=True)[0] == 400
        w.cloud.change(A, vm_state="paused")
        assert refused(w) == (409, "Cannot 'evacuate' instance a while it is in vm_state paused")
        w.cloud.change(A, vm_state="error", launched=False)
        assert refused(w) == (409, "Instance a is in an invalid state for 'evacuate'")
        w.cloud.change(A, vm_state="active", launched=True, flavor=TPM)
        assert refused(w)[0] == 400
        w.cloud.change(A, flavor=SMALL)
        w.cloud.shares.add(A)
        assert refused(w)[0] == 409
        with pytest.raises(NovaRefused):
            w.cloud.accept_evacuate(ServerId("nobody"), H2)
        assert w.records() == []


async def test_neither_lock_nor_task_keeps_an_evacuation_away() -> None:
    async with lab([server("a", locked=True)]) as w:
        w.lose()
        w.cloud.change(A, task_state="powering-off")
        await w.evacuated()
        assert w.shows() == ("active", None, "h2")
        assert w.row().locked


async def test_active_without_a_task_is_not_yet_evacuated() -> None:
    async with lab([server("a")]) as w:
        w.lose()
        w.cloud.accept_evacuate(A, H2)
        assert w.row().status == "REBUILD"
        seen: list[tuple[str, str | None, str | None, str]] = []
        for _ in range(200):
            now = (*w.shows(), w.records()[0][0])
            if not seen or seen[-1] != now:
                seen.append(now)
            await anyio.sleep(0.05)
        assert seen == [
            ("active", "rebuilding", "h1", "accepted"),
            ("active", "rebuilding", "h1", "pre-migrating"),
            ("active", "rebuild_block_device_mapping", "h1", "pre-migrating"),
            ("active", "rebuild_spawning", "h1", "pre-migrating"),
            ("active", None, "h1", "pre-migrating"),
            ("active", None, "h2", "pre-migrating"),
            ("active", None, "h2", "done"),
        ]


@pytest.mark.parametrize(
    ("vm_state", "microversion", "ends"),
    [
        ("active", (2, 94), "active"),
        ("stopped", (2, 94), "stopped"),
        ("error", (2, 94), "active"),
        ("active", (2, 95), "stopped"),
        ("stopped", (2, 95), "stopped"),
        ("error", (2, 95), "active"),
    ],
)
async def test_how_each_state_ends(vm_state: str, microversion: tuple[int, int], ends: str) -> None:
    async with lab([server("a", vm_state=vm_state)]) as w:
        w.lose()
        w.cloud.accept_evacuate(A, H2, microversion=microversion)
        await anyio.sleep(10)
        assert w.shows() == (ends, None, "h2")
        assert w.physics.started()[A] == (2 if vm_state == "active" else 1)  # booted in any case
        assert w.physics.where(A) == ((H2,) if ends == "active" else ())


async def test_a_second_request_during_the_first_ruins_both() -> None:
    async with lab([server("a")]) as w:
        w.lose()
        w.host(H2).spawn_more_s = 60
        w.cloud.accept_evacuate(A, H2)
        await anyio.sleep(5)
        w.cloud.accept_evacuate(A, H3)
        await anyio.sleep(10)
        assert w.shows() == ("active", None, "h3")
        w.host(H2).spawn_more_s = 0
        await anyio.sleep(10)
        assert w.records() == [("failed", "h2"), ("done", "h3")]
        assert w.shows() == ("error", None, "h3")
        assert w.physics.where(A) == (H2, H3)  # and nothing of Nova ever removes the first
        assert w.physics.violations


async def test_a_message_that_was_late_breaks_a_server_that_is_well() -> None:
    async with lab([server("a")]) as w:
        w.lose()
        w.host(H2).hung = True
        w.cloud.accept_evacuate(A, H2)
        await anyio.sleep(5)
        w.cloud.accept_evacuate(A, H3)
        await anyio.sleep(10)
        assert w.records() == [("done", "h3"), ("accepted", "h3")]  # the oldest was taken
        w.host(H2).hung = False
        await anyio.sleep(10)
        assert w.records()[0] == ("failed", "h2")
        assert w.shows() == ("error", "rebuilding", "h3")
        assert w.row().status == "REBUILD"
        assert w.physics.where(A) == (H3,)


async def test_no_valid_host_is_an_error() -> None:
    async with lab([server("a")], hosts=2) as w:
        w.lose()
        w.cloud.accept_service_update(H2, enabled=False)
        await w.evacuated()
        assert w.shows() == ("error", None, "h1")
        assert w.records() == [("error", "h2")]
        assert w.cloud.placement.holds(A) == (H1,)


async def test_a_forced_host_without_room_leaves_the_state() -> None:
    async with lab([server("a")]) as w:
        w.lose()
        w.host(H2).vcpus = 0
        w.cloud.accept_evacuate(A, H2, microversion=(2, 60), force=True)
        await anyio.sleep(10)
        assert w.shows() == ("active", None, "h1")
        assert w.records() == [("error", "h2")]


async def test_force_asks_no_filter() -> None:
    async with lab([server("a")]) as w:
        w.lose()
        w.cloud.accept_service_update(H2, enabled=False)
        w.cloud.accept_evacuate(A, H2, microversion=(2, 60), force=True)
        await anyio.sleep(10)
        assert w.shows() == ("active", None, "h2")


async def test_a_claim_that_fails_leaves_the_state() -> None:
    async with lab([server("a")]) as w:
        w.lose()
        w.host(H2).claims_fail = True
        await w.evacuated()
        assert w.shows() == ("active", None, "h1")
        assert w.records() == [("failed", "h2")]
        assert w.cloud.placement.holds(A) == (H1,)


async def test_a_spawn_that_fails_leaves_ports_and_volumes_there() -> None:
    async with lab([server("a")]) as w:
        w.lose()
        w.host(H2).spawn_fault = "Virtual Interface creation failed"
        await w.evacuated()
        assert w.shows() == ("error", None, "h1")
        assert w.row().fault == "Virtual Interface creation failed"
        assert w.cloud.port_hosts[A] == H2
        assert w.cloud.attachments["vol-a"][2] == H2
        w.host(H2).spawn_fault = None
        await w.evacuated()
        assert w.shows() == ("active", None, "h2")
        assert w.records() == [("failed", "h2"), ("done", "h2")]


async def test_hard_affinity_never_finds_a_host() -> None:
    async with lab([server("a"), server("b", "h2")]) as w:
        w.cloud.groups.append(ServerGroup(id="g", policy="affinity", members=frozenset({A})))
        w.lose()
        await w.evacuated(None)
        assert w.shows() == ("error", None, "h1")
        assert w.records() == [("error", None)]


async def test_of_two_that_must_be_apart_and_have_one_host_the_second_fails_late() -> None:
    async with lab([server("a"), server("b")], hosts=2) as w:
        members = frozenset({A, B})
        w.cloud.groups.append(ServerGroup(id="g", policy="anti-affinity", members=members))
        w.lose()
        w.cloud.accept_evacuate(A, H2)
        w.cloud.accept_evacuate(B, H2)
        await anyio.sleep(10)
        assert w.shows(A) == ("active", None, "h2")
        assert w.shows(B) == ("error", None, "h1")
        assert w.row(B).fault == "Anti-affinity instance group policy was violated."
        assert w.cloud.placement.holds(B) == (H1,)


async def test_a_pinned_zone_is_kept_to() -> None:
    async with lab([server("a", availability_zone="elsewhere")]) as w:
        w.lose()
        await w.evacuated()
        assert w.shows() == ("error", None, "h1")


async def test_a_destination_that_dies_after_the_spawn_runs_the_guest_unseen() -> None:
    async with lab([server("a")]) as w:
        w.lose()
        w.host(H2).die_in_spawn = "after"
        await w.evacuated()
        assert w.shows() == ("active", "rebuild_spawning", "h1")
        assert w.records() == [("pre-migrating", "h2")]
        assert w.physics.where(A) == (H2,)
        assert set(w.cloud.placement.holds(A)) == {H1, H2}
        w.cloud.start_compute(H2)
        await anyio.sleep(30)
        await w.evacuated(H2)  # the same destination: a question that is answered
        assert w.row().fault == "Instance a already exists."
        assert w.records()[1] == ("failed", "h2")
        await w.evacuated(H3)  # another one: it runs twice
        assert w.physics.where(A) == (H2, H3)


async def test_shared_storage_that_the_destination_does_not_see_is_refused_by_2_13_alone() -> None:
    async with lab([image_server("a")], shared=(H1, H3)) as w:
        w.lose()
        w.cloud.accept_evacuate(A, H2, microversion=(2, 13), on_shared_storage=True)
        await anyio.sleep(10)
        assert w.shows() == ("error", None, "h1")
        assert w.row().fault == "Invalid state of instance files on shared storage"
        assert w.cloud.port_hosts[A] == H1
        w.cloud.accept_evacuate(A, H3, microversion=(2, 13), on_shared_storage=True)
        await anyio.sleep(10)
        assert w.shows() == ("active", None, "h3")
        assert w.physics.roots[A] == "data"


async def test_2_68_silently_builds_anew_and_the_good_disk_dies_with_the_return() -> None:
    async with lab([image_server("a")], shared=(H1, H3)) as w:
        w.lose()
        await w.evacuated(H2)
        assert w.row().fault is None
        assert w.physics.roots[A] == LOST
        assert {c.place for c in w.physics.copies(A)} == {"nfs", "h2"}
        await w.back()
        assert {c.place for c in w.physics.copies(A)} == {"h2"}


@pytest.mark.parametrize("row", [server("a"), image_server("a")])
async def test_the_flag_for_other_disks_is_always_refused(row: Server) -> None:
    async with lab([row]) as w:
        w.lose()
        w.cloud.accept_evacuate(A, H2, microversion=(2, 13), on_shared_storage=True)
        await anyio.sleep(10)
        assert w.row().fault == "Invalid state of instance files on shared storage"
        assert w.cloud.attachments.get("vol-a", ("", A, H1))[2] == H1


async def test_an_image_that_is_gone_fails_a_rebuild() -> None:
    async with lab([image_server("a")]) as w:
        w.cloud.dead_images.add("image-1")
        w.lose()
        await w.evacuated()
        assert w.shows() == ("error", None, "h1")
        assert w.row().fault == "Image image-1 could not be found."


async def test_without_storage_a_volume_cannot_be_attached() -> None:
    async with lab([server("a")]) as w:
        w.host(H2).storage_link = False
        w.lose()
        w.cloud.accept_evacuate(A, H2)
        await anyio.sleep(60)
        assert w.shows() == ("error", None, "h1")


async def test_a_server_that_is_deleted_meanwhile_leaves_nothing() -> None:
    async with lab([image_server("a")]) as w:
        w.lose()
        w.host(H2).spawn_s = 20
        w.cloud.accept_evacuate(A, H2)
        await anyio.sleep(5)
        w.cloud.accept_delete(A)
        await anyio.sleep(30)
        assert w.records() == [("failed", "h2")]
        assert w.physics.where(A) == ()
        assert w.cloud.placement.used(H2).vcpus == 0


async def test_a_scheduler_that_is_dead_for_a_minute_leaves_the_record_accepted_for_good() -> None:
    async with lab([server("a")]) as w:
        w.lose()
        w.cloud.scheduler_works = False
        w.cloud.accept_evacuate(A, H2)
        await anyio.sleep(70)
        w.cloud.scheduler_works = True
        await anyio.sleep(600)
        assert w.records() == [("accepted", "h2")]
        assert w.shows() == ("active", "rebuilding", "h1")
        await w.evacuated(H3)  # and the retry crosses the records
        assert w.records() == [("done", "h3"), ("accepted", "h3")]
        assert w.shows() == ("active", None, "h3")


async def test_a_scheduler_that_is_back_within_the_minute_is_waited_for() -> None:
    async with lab([server("a")]) as w:
        w.lose()
        w.cloud.scheduler_works = False
        w.cloud.accept_evacuate(A, H2)
        await anyio.sleep(40)
        w.cloud.scheduler_works = True
        await anyio.sleep(10)
        assert w.records() == [("done", "h2")]


async def test_image_locks_keep_a_volume_from_two_writers() -> None:
    async with lab([server("a")]) as w:
        w.physics.locks_images = True
        w.cloud.accept_service_update(H1, forced_down=True)  # it runs on
        await w.evacuated()
        assert w.shows() == ("error", None, "h1")
        assert w.physics.where(A) == (H1,)
        assert "lock" in (w.row().fault or "")
