"""Observe mode changes nothing at all in the cloud."""

from typing import Any

from lab import Lab
from lab.rig.nova import Nova

from .conftest import MakeKoboshi
from .judge import boot, moved_to, stays

HOST = "cmp2"
MOVES_BY_ITSELF = {"host_status", "progress"}


def everything(lab: Lab, nova: Nova) -> dict[str, Any]:
    """Return all that Koboshi could have changed."""
    return {
        "services": {
            s.host: (s.enabled, s.forced_down, s.disabled_reason) for s in nova.services().values()
        },
        "servers": [
            {key: value for key, value in row.items() if key not in MOVES_BY_ITSELF}
            for row in nova.raw_servers()
        ],
        "migrations": nova.migrations(),
        "truth": lab.truth(),
        "power": {host: state["power"] for host, state in lab.status()["hosts"].items()},
    }


def test_it_says_what_it_would_do_and_changes_nothing(
    lab: Lab, nova: Nova, make_koboshi: MakeKoboshi
) -> None:
    boot(lab, HOST, bfv=1, image=1)
    koboshi = make_koboshi(mode="observe")
    koboshi.start()
    koboshi.wait_armed()
    before = everything(lab, nova)

    # Cut, not off: if it fenced, the lab would see a host go off that was on.
    lab.fault(HOST, "cut")
    koboshi.wait_for(moved_to("would_act"), 60)
    stays(15, lambda: None)

    assert everything(lab, nova) == before
    assert [h for h in koboshi.happenings() if h.kind == "command_intended"] == []
    assert HOST in koboshi.run("status").out


def test_it_needs_nothing_but_a_cloud(lab: Lab, make_koboshi: MakeKoboshi) -> None:
    """Without fencing and without windows, a configuration of two lines starts observing."""
    koboshi = make_koboshi(mode=None, windows=None, fencing=None)

    koboshi.start()

    assert koboshi.get("/livez").status == 200
    assert koboshi.run("status").code == 0
