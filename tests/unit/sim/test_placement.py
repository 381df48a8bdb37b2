"""Placement's account: who holds what, doubled where Nova doubles it."""

from koboshi.domain.facts.cloud import Demand
from koboshi.domain.names import HostName, ServerId
from koboshi.sim.placement import NOTHING, Placement, Used

A, H1, H2 = ServerId("a"), HostName("h1"), HostName("h2")
SMALL = Demand(vcpus=1, ram_mb=2, disk_gb=3)
ONE = Used(vcpus=1, ram_mb=2, disk_gb=3)


def test_what_is_claimed_is_used_until_it_is_released() -> None:
    placement = Placement()
    placement.claim(A, H1, SMALL)
    placement.claim(A, H2, SMALL)
    assert placement.holds(A) == (H1, H2)
    assert placement.used(H1) == placement.used(H2) == ONE
    placement.release(A, H1)
    assert placement.holds(A) == (H2,)
    assert placement.used(H1) == NOTHING


def test_a_second_claim_on_the_same_host_counts_twice_and_goes_as_one() -> None:
    placement = Placement()
    placement.claim(A, H1, SMALL)
    placement.claim(A, H1, SMALL)
    assert placement.used(H1) == ONE.plus(SMALL)
    placement.release_all(A)
    assert placement.used(H1) == NOTHING
    assert placement.holds(A) == ()


def test_releasing_nothing_is_all_right() -> None:
    placement = Placement()
    placement.release(A, H1)
    placement.release_all(A)
    assert placement.used(H1) == NOTHING
