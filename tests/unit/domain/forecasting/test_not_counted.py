"""What no count of room tells, asked for by a flavor, an image or a port: never a false "fits"."""

from dataclasses import replace
from typing import Any

import pytest

from koboshi.domain.facts.cloud import Server
from koboshi.domain.facts.stock import Gap, Image, Port, Stock, Volume
from koboshi.domain.forecasting.claims import Verdict, any_may_die, domains_may_die
from koboshi.domain.forecasting.disk_forecast import DiskKind, DiskOutcome
from koboshi.domain.forecasting.forecast import Outcome, WaitsFor
from koboshi.domain.forecasting.not_counted import not_counted, servers_not_counted
from koboshi.domain.forecasting.stopping import ok_to_stop
from koboshi.domain.names import DomainName, HostName, ServerId
from koboshi.sim.samples import SMALL, image_server, server
from tests.unit.domain.forecasting.test_survival import big, cloud, first

H1 = HostName("h1")
PINNED = replace(SMALL, extra_specs={"hw:cpu_policy": "dedicated"})
DEDICATED = {"hw_cpu_policy": "dedicated"}


@pytest.mark.parametrize(
    ("key", "value", "is_counted"),
    [
        ("hw:cpu_policy", "dedicated", False),
        ("hw:cpu_policy", "shared", True),
        ("hw:cpu_thread_policy", "isolate", False),
        ("hw:emulator_threads_policy", "isolate", False),
        ("hw:mem_page_size", "1GB", False),
        ("hw:mem_encryption", "False", True),
        ("hw:mem_encryption", "true", False),
        ("hw:numa_nodes", "2", False),
        ("pci_passthrough:alias", "gpu:1", False),
        ("accel:device_profile", "fpga", False),
        ("resources:VGPU", "1", False),
        ("resources:VCPU", "0", False),
        ("resources1:CUSTOM_X", "1", False),
        ("trait:HW_CPU_X86_AVX", "required", True),
        ("trait:HW_CPU_X86_AVX", "forbidden", False),
        ("trait1:HW_NIC_OFFLOAD_TSO", "required", False),
        ("hw:watchdog_action", "reset", True),
        ("koboshi:priority", "high", True),
    ],
)
def test_what_is_counted(key: str, value: str, *, is_counted: bool) -> None:
    asks = server("a", flavor=replace(SMALL, extra_specs={key: value}))
    assert not_counted(asks, {}) == (() if is_counted else (key,))


@pytest.mark.parametrize(
    ("name", "value", "is_counted"),
    [
        ("hw_cpu_policy", "dedicated", False),
        ("hw_cpu_policy", "shared", True),
        ("hw_cpu_thread_policy", "require", False),
        ("hw_emulator_threads_policy", "share", False),
        ("hw_mem_page_size", "large", False),
        ("hw_numa_nodes", "2", False),
        ("hw_numa_cpus.0", "0,1", False),
        ("hw_firmware_stateless", "no", True),
        ("trait:HW_CPU_X86_AVX", "required", True),
        ("trait:HW_CPU_X86_AVX", "forbidden", True),
        ("hw_disk_bus", "virtio", True),
        ("hw_cpu_cores", "2", True),
    ],
)
def test_what_is_counted_of_an_image(name: str, value: str, *, is_counted: bool) -> None:
    assert not_counted(server("a"), {name: value}) == (() if is_counted else (name,))


def test_what_ports_ask_for() -> None:
    ports = (
        Port(id="p1", server=ServerId("a"), vnic_type="direct"),
        Port(id="p2", server=ServerId("a"), vnic_type="direct"),
        Port(id="p3", server=ServerId("a"), resources=("NET_BW_EGR_KILOBIT_PER_SEC",)),
    )
    assert not_counted(server("a"), {}, ports) == (
        "a port of type direct",
        "a port with NET_BW_EGR_KILOBIT_PER_SEC",
    )


def of(row: Server, **more: Any) -> Stock:
    return Stock(services=(), hypervisors=(), servers=(row,), **more)


def test_the_image_is_glances_or_lies_with_the_volumes() -> None:
    image = {"image-1": Image(id="image-1", active=True, wishes=DEDICATED)}
    volume = {"vol-a": Volume(id="vol-a", wishes=DEDICATED)}
    asks = {ServerId("a"): "hw_cpu_policy"}
    assert servers_not_counted(of(image_server("a"), images=image)) == asks
    assert servers_not_counted(of(server("a"), volumes=volume)) == asks
    assert servers_not_counted(of(server("a", image=True), volumes=volume, images={})) == {}
    assert servers_not_counted(of(server("a"), volumes=None, images=None, ports=None)) == {}


def test_of_several_volumes_what_any_was_made_from_counts() -> None:
    volumes = {
        "v1": Volume(id="v1", firmware="uefi"),
        "v2": Volume(id="v2", tpm="2.0", wishes=DEDICATED),
    }
    survival = cloud([replace(server("a"), volume_ids=("v1", "v2"))], volumes=volumes)
    (told,) = survival.if_dies(H1).servers
    assert told.outcome is Outcome.WAITS
    assert "its image gives it a vTPM" in told.why
    assert {d.kind for d in told.disks} >= {DiskKind.VTPM, DiskKind.NVRAM}


def test_an_image_requires_a_trait_of_its_servers_hosts() -> None:
    wishes = {"trait:CUSTOM_FAST": "required"}
    survival = cloud([server("a")], volumes={"vol-a": Volume(id="vol-a", wishes=wishes)})
    (told,) = survival.if_dies(H1).servers
    assert (told.outcome, told.waits_for) == (Outcome.WAITS, WaitsFor.ROOM)
    assert "without trait CUSTOM_FAST (2)" in told.why


def test_a_device_behind_a_port_is_told_among_the_disks() -> None:
    port = Port(id="p1", server=ServerId("a"), vnic_type="macvtap")
    survival = cloud([server("a")], ports={ServerId("a"): (port,)})
    (told,) = survival.if_dies(H1).servers
    assert (told.outcome, told.not_counted) == (Outcome.RETURNS, "a port of type macvtap")
    (device,) = [d for d in told.disks if d.kind is DiskKind.DEVICE]
    assert (device.name, device.outcome) == ("port p1", DiskOutcome.UNKNOWN)


def test_nova_never_evacuates_an_accelerators_port() -> None:
    port = Port(id="p1", server=ServerId("a"), vnic_type="accelerator-direct")
    survival = cloud([server("a")], ports={ServerId("a"): (port,)})
    (told,) = survival.if_dies(H1).servers
    assert (told.outcome, told.waits_for) == (Outcome.WAITS, WaitsFor.HOST)
    assert "its port p1 is an accelerator's" in told.why


@pytest.mark.parametrize("what", ["ports", "images", "volumes"])
def test_while_it_could_not_be_read_who_asks_nothing_is_claimed(what: str) -> None:
    survival = cloud([server("a")], gaps=(Gap(what=what, why="403", cure="mend it"),))
    claim = any_may_die(survival, 1, first)
    assert claim.verdict is Verdict.UNKNOWN
    assert claim.how == f"{what}, which may ask for such, could not be read"


def test_where_all_seems_to_fit_it_is_unknown() -> None:
    domains = {DomainName("r1"): frozenset({HostName("h1")})}
    survival = cloud([server("a", "h1", flavor=PINNED), server("b", "h2")], domains=domains)
    for claim in (any_may_die(survival, 1, first), *domains_may_die(survival)):
        assert claim.verdict is Verdict.UNKNOWN
        assert "1 server asks for what no count of room tells: hw:cpu_policy" in claim.how
    (told,) = survival.if_dies(HostName("h1")).servers
    assert told.why.endswith("is unknown (not counted: hw:cpu_policy)")
    assert (told.outcome, told.not_counted) == (Outcome.RETURNS, "hw:cpu_policy")
    assert told.change
    (other,) = survival.if_dies(HostName("h2")).servers
    assert "unknown" not in other.why
    assert other.is_sure


def test_what_is_refuted_by_what_is_counted_stays_so() -> None:
    huge = big("a", "h1", 10**9)
    pinned = replace(huge, flavor=replace(huge.flavor, extra_specs=PINNED.extra_specs))
    assert any_may_die(cloud([pinned]), 1, first).verdict is Verdict.REFUTED


def test_nobody_is_told_that_such_a_host_may_be_stopped() -> None:
    survival = cloud([server("a", "h1", flavor=PINNED), server("b", "h2")])
    (objection,) = ok_to_stop(survival, (HostName("h1"),)).objections
    assert "hw:cpu_policy" in objection.why
    assert [s.name for s in objection.servers] == ["a"]
    assert ok_to_stop(survival, (HostName("h2"),)).is_safe


@pytest.mark.parametrize("tpm_hosts", [frozenset({H1}), None])
def test_who_may_hide_a_vtpm_waits_for_cinder(tpm_hosts: frozenset[HostName] | None) -> None:
    silent = cloud([server("a")], volumes=None, tpm_hosts=tpm_hosts).if_dies(H1).servers[0]
    assert (silent.outcome, silent.waits_for) == (Outcome.WAITS, WaitsFor.PERSON)
    hidden = cloud([server("a")], volumes={}, tpm_hosts=tpm_hosts).if_dies(H1).servers[0]
    assert (hidden.outcome, hidden.waits_for) == (Outcome.WAITS, WaitsFor.HOST)
    assert "not known whether its image gives it a vTPM" in hidden.why
    elsewhere = frozenset({HostName("h2")})
    safe = cloud([server("a")], volumes=None, tpm_hosts=elsewhere).if_dies(H1).servers[0]
    assert safe.outcome is Outcome.RETURNS
