"""A flavor that asks for what no count of room tells: never a false "fits", and a refutation stands."""

from dataclasses import replace

import pytest

from koboshi.domain.forecasting.claims import Verdict, any_may_die, domains_may_die
from koboshi.domain.forecasting.not_counted import not_counted
from koboshi.domain.forecasting.stopping import ok_to_stop
from koboshi.domain.names import DomainName, HostName
from koboshi.sim.samples import SMALL, server
from tests.unit.domain.forecasting.test_survival import big, cloud, first

PINNED = replace(SMALL, extra_specs={"hw:cpu_policy": "dedicated"})


@pytest.mark.parametrize(
    ("key", "value", "is_counted"),
    [
        ("hw:cpu_policy", "dedicated", False),
        ("hw:cpu_policy", "shared", True),
        ("hw:mem_page_size", "1GB", False),
        ("hw:numa_nodes", "2", False),
        ("pci_passthrough:alias", "gpu:1", False),
        ("accel:device_profile", "fpga", False),
        ("resources:VGPU", "1", False),
        ("resources:VCPU", "0", False),
        ("resources1:CUSTOM_X", "1", False),
        ("trait:HW_CPU_X86_AVX", "required", True),
        ("trait:HW_CPU_X86_AVX", "forbidden", False),
        ("hw:watchdog_action", "reset", True),
        ("koboshi:priority", "high", True),
    ],
)
def test_what_is_counted(key: str, value: str, *, is_counted: bool) -> None:
    assert not_counted(replace(SMALL, extra_specs={key: value})) == (() if is_counted else (key,))


def test_where_all_seems_to_fit_it_is_unknown() -> None:
    domains = {DomainName("r1"): frozenset({HostName("h1")})}
    survival = cloud([server("a", "h1", flavor=PINNED), server("b", "h2")], domains=domains)
    for claim in (any_may_die(survival, 1, first), *domains_may_die(survival)):
        assert claim.verdict is Verdict.UNKNOWN
        assert "1 servers ask for what no count of room tells: hw:cpu_policy" in claim.how
    (told,) = survival.if_dies(HostName("h1")).servers
    assert told.why.endswith("whether it fits is unknown: hw:cpu_policy")
    (other,) = survival.if_dies(HostName("h2")).servers
    assert "unknown" not in other.why


def test_what_is_refuted_by_what_is_counted_stays_so() -> None:
    huge = big("a", "h1", 10**9)
    pinned = replace(huge, flavor=replace(huge.flavor, extra_specs=PINNED.extra_specs))
    assert any_may_die(cloud([pinned]), 1, first).verdict is Verdict.REFUTED


def test_nobody_is_told_that_such_a_host_may_be_stopped() -> None:
    survival = cloud([server("a", "h1", flavor=PINNED), server("b", "h2")])
    (objection,) = ok_to_stop(survival, (HostName("h1"),)).objections
    assert "hw:cpu_policy" in objection.why
    assert ok_to_stop(survival, (HostName("h2"),)).is_safe
