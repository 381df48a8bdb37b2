"""What is meant for each server: the least destructive cure, and the reason for each hold."""

from typing import Any

import pytest

from koboshi.domain.facts.cloud import Flavor, Server, ServerGroup
from koboshi.domain.names import ServerId
from koboshi.domain.policies.policy import candidate_of, images_wanted, is_protected, swept
from koboshi.domain.recoveries.recovery import Candidate, Treatment
from koboshi.domain.rules import OnLocalDisk
from koboshi.sim.samples import image_server, server
from tests.fakes.scene import policy

HOLD, REBUILD = OnLocalDisk.HOLD, OnLocalDisk.REBUILD
TPM = Flavor(name="f", vcpus=1, ram_mb=1, disk_gb=1, extra_specs={"hw:tpm_version": "2.0"})
EPHEMERAL = Flavor(name="f", vcpus=1, ram_mb=1, disk_gb=1, ephemeral_gb=1)


def meant(
    what: Server,
    *,
    before: Server | None = None,
    on_local_disk: OnLocalDisk = REBUILD,
    groups: tuple[ServerGroup, ...] = (),
    images_active: dict[str, bool] | None = None,
    storage: str | None = None,
) -> Candidate:
    return candidate_of(
        what,
        groups=groups,
        seen_before=swept(before).seen if before else None,
        images_active={"image-1": True} if images_active is None else images_active,
        policy=policy(what, on_local_disk),
        storage=storage,
    )


@pytest.mark.parametrize("on_local_disk", OnLocalDisk)
def test_boot_from_volume_is_evacuated_whatever_the_policy(on_local_disk: OnLocalDisk) -> None:
    assert meant(server("a"), on_local_disk=on_local_disk).treatment is Treatment.EVACUATE


@pytest.mark.parametrize(
    "what", [image_server("a"), server("a", image=True), server("a", flavor=EPHEMERAL)]
)
def test_a_local_disk_is_held_unless_the_policy_says_rebuild(what: Server) -> None:
    held = meant(what, on_local_disk=HOLD)
    assert held.treatment is Treatment.HOLD
    assert "would be lost" in held.reason
    rebuilt = meant(what)
    assert rebuilt.treatment is Treatment.REBUILD
    assert all(disk in rebuilt.reason for disk in rebuilt.local_disks)
    assert rebuilt.local_disks == held.local_disks != ()


@pytest.mark.parametrize("on_local_disk", OnLocalDisk)
@pytest.mark.parametrize("what", [image_server("a"), server("a", flavor=EPHEMERAL)])
def test_disks_on_shared_storage_come_along_whatever_the_policy_and_the_image(
    what: Server, on_local_disk: OnLocalDisk
) -> None:
    found = meant(what, on_local_disk=on_local_disk, storage="nfs", images_active={})
    assert (found.treatment, found.storage) == (Treatment.EVACUATE, "nfs")
    assert found.local_disks == ()


def test_boot_from_volume_has_nothing_on_its_host_s_shared_storage() -> None:
    assert meant(server("a"), storage="nfs").storage == ""


@pytest.mark.parametrize(
    "vm_state",
    [
        "paused",
        "suspended",
        "rescued",
        "resized",
        "shelved",
        "shelved_offloaded",
        "building",
        "soft-delete",
        "something new",
    ],
)
@pytest.mark.parametrize("image", [True, False])
def test_states_that_nova_refuses_are_held_whatever_the_policy(
    vm_state: str, *, image: bool
) -> None:
    held = meant(server("a", vm_state=vm_state, image=image))
    assert held.treatment is Treatment.HOLD
    assert held.reason.startswith(f"it is {vm_state}: ")


@pytest.mark.parametrize("vm_state", ["active", "stopped"])
def test_running_and_stopped_servers_are_evacuated(vm_state: str) -> None:
    candidate = meant(server("a", vm_state=vm_state))
    assert (candidate.treatment, candidate.vm_state) == (Treatment.EVACUATE, vm_state)


@pytest.mark.parametrize(
    ("before", "treatment", "vm_state"),
    [
        (None, Treatment.HOLD, "error"),
        ("error", Treatment.HOLD, "error"),
        ("active", Treatment.EVACUATE, "active"),
        ("stopped", Treatment.EVACUATE, "stopped"),
        ("paused", Treatment.HOLD, "paused"),
    ],
)
def test_error_counts_by_what_it_was_before(
    before: str | None, treatment: Treatment, vm_state: str
) -> None:
    seen = server("a", vm_state=before) if before else None
    candidate = meant(server("a", vm_state="error"), before=seen)
    assert (candidate.treatment, candidate.vm_state) == (treatment, vm_state)


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"launched": False}, "never up"),
        ({"flavor": TPM}, "vTPM"),
        ({"task_state": "migrating"}, "live migration"),
        ({"task_state": "resize_migrating"}, "resize"),
        ({"task_state": "resize_prep"}, "resize"),
        ({"task_state": "resize_finish"}, "resize"),
    ],
)
def test_what_else_is_held_and_why(more: dict[str, Any], word: str) -> None:
    held = meant(server("a", **more))
    assert held.treatment is Treatment.HOLD
    assert word in held.reason


@pytest.mark.parametrize("task", [None, "powering-off", "image_snapshot", "rebooting"])
def test_other_tasks_die_with_the_host(task: str | None) -> None:
    assert meant(server("a", task_state=task)).treatment is Treatment.EVACUATE


@pytest.mark.parametrize(
    ("kind", "treatment"),
    [
        ("affinity", Treatment.HOLD),
        ("anti-affinity", Treatment.EVACUATE),
        ("soft-affinity", Treatment.EVACUATE),
        ("soft-anti-affinity", Treatment.EVACUATE),
    ],
)
def test_groups(kind: str, treatment: Treatment) -> None:
    members = frozenset({ServerId("a"), ServerId("b")})
    group = ServerGroup(id="g", policy=kind, members=members)
    candidate = meant(server("a"), groups=(group,))
    assert candidate.treatment is treatment
    assert candidate.separate_from == ({"b"} if kind == "anti-affinity" else set())
    stranger = meant(server("c"), groups=(group,))
    assert (stranger.treatment, stranger.separate_from) == (Treatment.EVACUATE, frozenset())


@pytest.mark.parametrize("active", [{"image-1": False}, {}])
def test_an_image_that_is_missing_or_inactive_is_no_source_for_a_rebuild(
    active: dict[str, bool],
) -> None:
    held = meant(image_server("a"), images_active=active)
    assert held.treatment is Treatment.HOLD
    assert "image-1" in held.reason
    assert meant(server("b"), images_active=active).treatment is Treatment.EVACUATE


@pytest.mark.parametrize("word", ["False", "false", "FALSE", " false ", "0", "no", "No"])
def test_ha_enabled_false_in_any_spelling_is_left_alone(word: str) -> None:
    what = server("a", metadata={"HA_Enabled": word})
    assert not is_protected(what.metadata)
    assert meant(what).treatment is Treatment.IGNORE


@pytest.mark.parametrize("metadata", [{}, {"HA_Enabled": "True"}, {"HA_Enabled": ""}, {"x": "no"}])
def test_everything_else_is_protected(metadata: dict[str, str]) -> None:
    assert is_protected(metadata)


def test_locked_servers_are_evacuated_like_others() -> None:
    assert meant(server("a", locked=True)).treatment is Treatment.EVACUATE


def test_every_image_may_say_something() -> None:
    assert images_wanted((server("a"), image_server("b"))) == {"image-1"}
