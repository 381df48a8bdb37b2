"""What becomes of a server and each of its disks, and what would change that."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from koboshi.domain.facts.cloud import Aggregate, Flavor, Server
from koboshi.domain.facts.stock import Image, Volume
from koboshi.domain.forecasting.disk_forecast import (
    DISK_OUTCOME_MEANING,
    DiskKind,
    DiskOutcome,
    Storage,
)
from koboshi.domain.forecasting.forecast import (
    OUTCOME_MEANING,
    Facts,
    Outcome,
    ServerForecast,
    WaitsFor,
    forecast,
    forecasts,
)
from koboshi.domain.names import HostName
from koboshi.domain.rules import OnLocalDisk
from koboshi.rehearsal.windows import shortened
from koboshi.sim.samples import SMALL, image_server, server

H1, H2 = HostName("h1"), HostName("h2")
HOLD, REBUILD = OnLocalDisk.HOLD, OnLocalDisk.REBUILD
SHARED = Aggregate(name="nfs", hosts=frozenset({H1, H2}))


def flavor(**specs: str) -> Flavor:
    return replace(SMALL, extra_specs=specs)


def told(
    what: Server,
    *,
    policy: OnLocalDisk = HOLD,
    images_active: dict[str, bool] | None = None,
    protected: frozenset[HostName] = frozenset({H1}),
    volume: Volume | None = None,
    **storage: Any,
) -> ServerForecast:
    known: dict[str, Any] = {"volumes": {}, "destinations": frozenset({H1, H2})}
    known.update(storage)
    if known["volumes"] is not None:
        backs = {v: Volume(id=v, backend="ctl@ceph#pool") for v in what.volume_ids}
        known["volumes"] = backs | ({volume.id: volume} if volume else {})
    facts = Facts(
        groups={},
        images_active={"image-1": True} if images_active is None else images_active,
        storage=Storage(**known),
        rules=shortened(on_local_disk=policy),
        protected=protected,
    )
    return forecast(what, H1, facts)


def disks(found: ServerForecast) -> dict[str, DiskOutcome]:
    return {d.kind.value: d.outcome for d in found.disks}


def test_every_outcome_has_its_sentence_in_the_documents_too() -> None:
    assert set(OUTCOME_MEANING) == set(Outcome)
    assert set(DISK_OUTCOME_MEANING) == set(DiskOutcome)
    page = Path(__file__).parents[4].joinpath("docs", "forecast.md").read_text()
    for outcome, meaning in (*OUTCOME_MEANING.items(), *DISK_OUTCOME_MEANING.items()):
        assert any(f"`{outcome}`" in line and meaning in line for line in page.splitlines())


def test_a_server_of_volumes_returns() -> None:
    found = told(server("a", config_drive=True))
    assert (found.outcome, found.waits_for, found.change) == (
        Outcome.RETURNS,
        WaitsFor.NOTHING,
        "",
    )
    assert disks(found) == {
        DiskKind.VOLUME: DiskOutcome.SURVIVES,
        DiskKind.CONFIG_DRIVE: DiskOutcome.SURVIVES,
    }
    assert found.candidate is not None


def test_a_local_root_waits_for_its_host_and_says_what_would_change_it() -> None:
    found = told(server("a", image=True))
    assert (found.outcome, found.waits_for) == (Outcome.WAITS, WaitsFor.HOST)
    assert disks(found) == {"root": DiskOutcome.WAITS_FOR_HOST, "volume": DiskOutcome.SURVIVES}
    assert "on_local_disk = 'rebuild'" in found.change
    assert found.candidate is None


def test_by_policy_it_returns_empty() -> None:
    what = replace(image_server("a"), flavor=replace(SMALL, ephemeral_gb=5, swap_mb=512))
    found = told(what, policy=REBUILD)
    assert found.outcome is Outcome.RETURNS_EMPTY
    assert disks(found) == {
        "root": DiskOutcome.BACK_TO_IMAGE,
        "ephemeral": DiskOutcome.LOST,
        "swap": DiskOutcome.LOST,
    }


@pytest.mark.parametrize("policy", [HOLD, REBUILD, OnLocalDisk.REBUILD_AFTER])
def test_without_its_image_only_the_host_helps(policy: OnLocalDisk) -> None:
    found = told(image_server("a"), policy=policy, images_active={"image-1": False})
    assert (found.outcome, found.waits_for) == (Outcome.WAITS, WaitsFor.HOST)
    assert "only its host's return" in found.change


@pytest.mark.parametrize(
    ("what", "outcome", "waits_for"),
    [
        (server("a", vm_state="paused"), Outcome.WAITS, WaitsFor.HOST),
        (server("a", vm_state="suspended"), Outcome.WAITS, WaitsFor.HOST),
        (server("a", vm_state="soft-delete"), Outcome.WAITS, WaitsFor.HOST),
        (server("a", vm_state="error"), Outcome.NOT_RECOVERABLE, WaitsFor.NOTHING),
        (server("a", vm_state="building"), Outcome.NOT_RECOVERABLE, WaitsFor.NOTHING),
        (server("a", launched=False), Outcome.NOT_RECOVERABLE, WaitsFor.NOTHING),
        (server("a", task_state="migrating"), Outcome.WAITS, WaitsFor.PERSON),
        (server("a", task_state="resize_prep"), Outcome.WAITS, WaitsFor.PERSON),
        (server("a", flavor=flavor(**{"hw:tpm_version": "2.0"})), Outcome.WAITS, WaitsFor.HOST),
        (
            server("a", metadata={"HA_Enabled": "False"}),
            Outcome.NOT_RECOVERABLE,
            WaitsFor.NOTHING,
        ),
    ],
)
def test_what_is_held(what: Server, outcome: Outcome, waits_for: WaitsFor) -> None:
    found = told(what)
    assert (found.outcome, found.waits_for) == (outcome, waits_for)
    assert found.why
    assert found.change


def test_a_host_that_is_not_protected_is_not_recovered() -> None:
    found = told(server("a"), protected=frozenset({H2}))
    assert found.outcome is Outcome.NOT_RECOVERABLE
    assert "not protected" in found.why


def test_a_volume_on_the_hosts_own_back_end_is_stranded() -> None:
    found = told(server("a"), volume=Volume(id="vol-a", backend="h1@lvm#pool"))
    assert (found.outcome, found.waits_for) == (Outcome.WAITS, WaitsFor.HOST)
    assert disks(found) == {"volume": DiskOutcome.WAITS_FOR_HOST}
    assert "vol-a" in found.why
    assert found.candidate is None


@pytest.mark.parametrize("volume", [Volume(id="vol-a"), None])
def test_what_cinder_does_not_tell_is_unknown(volume: Volume | None) -> None:
    found = told(server("a"), volume=volume, volumes=None if volume is None else {})
    assert disks(found) == {"volume": DiskOutcome.UNKNOWN}
    assert found.outcome is Outcome.RETURNS  # as the recovery takes it


@pytest.mark.parametrize("policy", [HOLD, REBUILD])
def test_shared_storage_brings_it_back_whole(policy: OnLocalDisk) -> None:
    found = told(image_server("a"), policy=policy, shared=(SHARED,))
    assert disks(found) == {"root": DiskOutcome.SURVIVES}
    assert (found.outcome, found.change) == (Outcome.RETURNS, "")


def test_a_destination_that_does_not_share_it_may_be_chosen_and_refuses() -> None:
    hosts = frozenset({H1, H2, HostName("h3")})
    found = told(image_server("a"), policy=REBUILD, shared=(SHARED,), destinations=hosts)
    assert disks(found) == {"root": DiskOutcome.SURVIVES}
    assert found.outcome is Outcome.RETURNS
    assert "1 hosts take servers and do not share it" in found.change


def test_firmware_is_not_on_shared_storage() -> None:
    uefi = Image(id="image-1", active=True, firmware="uefi")
    found = told(image_server("a"), shared=(SHARED,), images={"image-1": uefi})
    assert disks(found)["NVRAM"] is DiskOutcome.LOST


def test_firmware_and_tpm_come_with_the_image() -> None:
    uefi = Image(id="image-1", active=True, firmware="uefi")
    assert disks(told(image_server("a"), images={"image-1": uefi}))["NVRAM"] is (
        DiskOutcome.WAITS_FOR_HOST
    )
    volume = Volume(id="vol-a", backend="ctl@ceph", firmware="uefi")
    assert disks(told(server("a"), volume=volume))["NVRAM"] is DiskOutcome.LOST
    tpm = Volume(id="vol-a", backend="ctl@ceph", tpm="2.0")
    found = told(server("a"), volume=tpm)
    assert disks(found)["vTPM"] is DiskOutcome.WAITS_FOR_HOST
    assert (found.outcome, found.candidate) == (Outcome.WAITS, None)


def test_devices_are_named_and_not_known() -> None:
    specs = {"pci_passthrough:alias": "nvme:2,gpu:1", "resources:VGPU": "1"}
    found = told(server("a", flavor=flavor(**specs)))
    devices = [d for d in found.disks if d.kind is DiskKind.DEVICE]
    assert [d.name for d in devices] == ["nvme", "gpu", "VGPU"]
    assert {d.outcome for d in devices} == {DiskOutcome.UNKNOWN}


def test_a_server_without_a_host_is_left_out() -> None:
    facts = Facts(
        groups={},
        images_active={},
        storage=Storage(volumes={}),
        rules=shortened(),
        protected=frozenset(),
    )
    assert list(forecasts((server("a", None),), facts)) == []
