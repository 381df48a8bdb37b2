"""The control plane, or our own uplink, is away for minutes: nobody is fenced, nothing is changed, and it is said."""

import os
import time
from collections.abc import Callable

import pytest

from lab import Lab
from lab.rig.koboshi import Happening, Koboshi
from lab.rig.nova import Nova
from tests.real_cloud import TEST_TIMEOUT_S

from .conftest import MakeKoboshi
from .judge import Judge, boot, stays

HELD_WITHIN_S = 30.0
CLEAN_WITHIN_S = 90.0
LONG = bool(os.environ.get("LAB_LONG"))
"""Twenty hosts and three minutes each; without it twelve hosts, and less time than patience asks for."""
OUTAGE_S = 180.0 if LONG else 35.0
OUTAGES = [["rabbit"], ["mysql"], ["nova"]] if LONG else [["rabbit"], ["mysql", "nova"]]


@pytest.mark.timeout(3600 if LONG else TEST_TIMEOUT_S)
def test_an_outage_is_held_and_leaves_nothing_behind(
    wide: Lab, nova: Nova, make_koboshi: MakeKoboshi
) -> None:
    """One life of a daemon: the message bus, the database, Nova's API, Keystone, and its own uplink."""
    koboshi = make_koboshi(station=True, brake={"release_after": "10s"})
    koboshi.start()
    judge = Judge(wide, nova, boot(wide, "cmp1", bfv=2))
    koboshi.wait_armed()
    time.sleep(5)

    for services in OUTAGES:
        outage(
            koboshi,
            " and ".join(services),
            lambda services=services: [wide.api_stop(service) for service in services],
            lambda services=services: [wide.api_start(service) for service in services],
        )
    # Nova knows our token for five minutes: while Keystone is away it goes on to answer.
    wide.api_stop("keystone")
    outage(
        koboshi,
        "uplink",
        lambda: wide.switch("station", on=False),
        lambda: wide.switch("station", on=True),
        between=lambda: wide.api_start("keystone"),
    )

    judge.untouched(judge.servers)
    judge.nothing_evacuated()
    assert all(s.enabled and not s.forced_down for s in nova.services().values())
    assert {state["power"] for state in wide.status()["hosts"].values()} == {"on"}


def outage(
    koboshi: Koboshi,
    what: str,
    stop: Callable[[], object],
    start: Callable[[], object],
    between: Callable[[], object] = lambda: None,
) -> None:
    """Stop something for a while; it must be held soon, and released after it is back."""
    before = max(h.seq for h in koboshi.happenings())

    def nothing_is_done() -> None:
        done = [h for h in koboshi.happenings(after=before) if h.kind == "command_intended"]
        assert done == [], what

    began = time.monotonic()
    stop()
    held = koboshi.wait_for(held_or_told, HELD_WITHIN_S, after=before)
    told = koboshi.run("status", "-f", "json").json()
    assert "held" in told["acting_reason"] or not told["is_acting"], (what, told["acting_reason"])
    between()
    stays(OUTAGE_S - (time.monotonic() - began), nothing_is_done)
    start()
    koboshi.wait_for(lambda h: h.kind == "brake_released", CLEAN_WITHIN_S, after=held.seq)
    nothing_is_done()
    rows = koboshi.run("status", "-f", "json").json()["hosts"]
    assert {row["verdict"] for row in rows} == {"up"}, what
    assert not [h for h in koboshi.happenings(after=before) if h.kind == "incident_opened"], what


def held_or_told(happening: Happening) -> bool:
    """Return whether the picture of the cloud was called implausible."""
    return happening.kind == "brake_held"
