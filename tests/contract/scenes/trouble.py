"""Evacuations that go wrong: no host, a failing start, a second request, a dying destination."""

import time

from tests.contract.facts import refusal
from tests.contract.side import Kind, Lever, Service
from tests.contract.stage import Scene, Stage

DEAD = "cmp1"
A_WHILE_S = 4.0

CLAIMS = {
    "no_host_disabled": "pinned to a disabled host: 200, then ERROR with a fault, record `error`",
    "no_host_forced_down": "pinned to a host that is forced down: the same",
    "no_host_down": "pinned to a host whose nova-compute is dead: the same",
    "no_host_at_all": "every other host is disabled, and none is named: the same",
    "no_host_retry": "ERROR for want of a host is no end: the next evacuate ends ACTIVE",
    "spawn_fails": "a start that fails: ERROR with the fault, record `failed`, host unchanged",
    "spawn_fails_course": "a start that fails: the server's and its record's states in order",
    "not_shared": "at 2.13 with `onSharedStorage` a host that does not see the disk refuses: ERROR with"
    " the fault, record `failed`, the disk untouched",
    "retry": "after a failed start an evacuate to another host ends ACTIVE",
    "second_accepted": "a second evacuate during the first is accepted",
    "second_ruins": "a second evacuate during the first: what becomes of records and server",
    "second_runs_twice": "a second evacuate during the first: its guest runs on both destinations",
    "destination_dies": "the destination's nova-compute dies in the start: REBUILD, pre-migrating",
    "destination_returns": "its return changes nothing: REBUILD for good",
    "destination_retry": "reset-state and another evacuate bring it back; the old record stays",
    "conductor_dead": "with nova-conductor dead an evacuate is accepted, and nothing follows",
}


def play(stage: Stage) -> None:
    """Kill the host, and let each of its servers meet its own trouble."""
    pinned, failing, doubled, orphan, waiting = stage.boot(DEAD, Kind.BFV, 5)
    unseen = stage.boot(DEAD, Kind.IMAGE)[0]
    disk = stage.disks(unseen, DEAD)
    stage.side.pull(DEAD, Lever.POWER)
    stage.put_service(DEAD, status="disabled", disabled_reason="x", forced_down=True)
    _not_shared(stage, unseen, disk)
    _spawn_fails(stage, failing)
    _second(stage, doubled)
    _destination_dies(stage, orphan)
    _no_host(stage, pinned)
    _conductor_dead(stage, waiting)


def _end(stage: Stage, claim: str, server: str) -> None:
    stage.settled(server)
    fault = stage.row(server).get("fault", {}).get("message")
    stage.tell(claim, stage.state(server), fault, stage.record_states(server))


def _no_host(stage: Stage, server: str) -> None:
    """Pin to a host that will not do, in each of three ways; then let nobody do."""
    stage.put_service("cmp2", forced_down=True)
    stage.api.act(server, "evacuate", {"host": "cmp2"})
    _end(stage, "no_host_forced_down", server)
    stage.put_service("cmp2", forced_down=False)
    stage.side.pull("cmp2", Lever.PROCESS)
    stage.until(lambda: stage.services()["cmp2"]["state"] == "down", "cmp2 to be down")
    stage.tell("no_host_down", refusal(stage.api.act(server, "evacuate", {"host": "cmp2"})))
    _end(stage, "no_host_down", server)
    stage.side.pull("cmp2", Lever.START)
    for host in ("cmp3", "cmp4"):
        stage.put_service(host, status="disabled", disabled_reason="x")
    stage.api.act(server, "evacuate", {"host": "cmp3"})
    _end(stage, "no_host_disabled", server)
    stage.until(lambda: stage.services()["cmp2"]["state"] == "up", "cmp2 to be up")
    stage.put_service("cmp2", status="disabled", disabled_reason="x")
    stage.api.act(server, "evacuate", {})
    _end(stage, "no_host_at_all", server)
    for host in ("cmp2", "cmp3", "cmp4"):
        stage.put_service(host, status="enabled")
    stage.api.act(server, "evacuate", {"host": "cmp3"})
    _end(stage, "no_host_retry", server)


def _not_shared(stage: Stage, server: str, disk: tuple[str, ...]) -> None:
    asked = {"host": "cmp4", "onSharedStorage": True}
    stage.tell("not_shared", refusal(stage.api.act(server, "evacuate", asked, version="2.13")))
    _end(stage, "not_shared", server)
    stage.tell("not_shared", stage.runs_on(server), stage.disks(server, "cmp4"))
    stage.tell("not_shared", disk != () and stage.disks(server, DEAD) == disk)


def _spawn_fails(stage: Stage, server: str) -> None:
    stage.side.spawns("cmp3", fail=True)
    with stage.watch(server) as watch:
        stage.api.act(server, "evacuate", {"host": "cmp3"})
        stage.settled(server)
    stage.tell("spawn_fails_course", watch.server(server), watch.records(server))
    _end(stage, "spawn_fails", server)
    stage.tell("spawn_fails", stage.runs_on(server))
    stage.side.spawns("cmp3")
    stage.api.act(server, "evacuate", {"host": "cmp4"})
    _end(stage, "retry", server)
    stage.tell("retry", stage.runs_on(server))


def _is_spawning(stage: Stage, server: str) -> bool:
    return stage.row(server)["OS-EXT-STS:task_state"] == "rebuild_spawning"


def _second(stage: Stage, server: str) -> None:
    stage.side.spawns("cmp3", take_s=8.0)
    stage.api.act(server, "evacuate", {"host": "cmp3"})
    stage.until(lambda: _is_spawning(stage, server), "the first to start its guest")
    with stage.watch(server) as watch:
        told = stage.api.act(server, "evacuate", {"host": "cmp4"})
        stage.until(lambda: len(stage.runs_on(server)) > 1, "the first one's guest to start")
        # The audit below may end its record before its own work ends, with the ERROR.
        stage.until(lambda: stage.row(server)["status"] == "ERROR", "the first one to fail")
        stage.settled(server)
    stage.side.spawns("cmp3")
    stage.tell("second_accepted", refusal(told))
    # Its records are compared at the end: an audit may mark the older one `error` meanwhile
    # (compute/resource_tracker.py, each minute), and its own work then marks it `failed`.
    stage.tell("second_ruins", watch.server(server))
    _end(stage, "second_ruins", server)
    stage.tell("second_runs_twice", stage.runs_on(server))


def _destination_dies(stage: Stage, server: str) -> None:
    stage.side.spawns("cmp4", take_s=6.0)
    stage.api.act(server, "evacuate", {"host": "cmp4"})
    stage.until(lambda: _is_spawning(stage, server), "the evacuation to be at its destination")
    time.sleep(1.0)
    stage.side.pull("cmp4", Lever.PROCESS)
    stage.side.spawns("cmp4")
    time.sleep(A_WHILE_S)
    stage.tell("destination_dies", stage.state(server), stage.record_states(server))
    stage.side.pull("cmp4", Lever.START)
    stage.until(lambda: stage.services()["cmp4"]["state"] == "up", "cmp4 to be up")
    time.sleep(A_WHILE_S)
    stage.tell("destination_returns", stage.state(server), stage.record_states(server))
    told = stage.api.act(server, "os-resetState", {"state": "error"})
    stage.tell("destination_retry", refusal(told), stage.state(server))
    stage.api.act(server, "evacuate", {"host": "cmp3"})
    stage.until(lambda: stage.row(server)["OS-EXT-SRV-ATTR:host"] == "cmp3", "the retry")
    stage.until(lambda: stage.records(server)[-1]["status"] == "done", "the retry's record")
    stage.tell("destination_retry", stage.state(server), stage.record_states(server))
    stage.tell("destination_retry", stage.runs_on(server))


def _conductor_dead(stage: Stage, server: str) -> None:
    stage.side.stop_service(Service.CONDUCTOR)
    stage.tell("conductor_dead", refusal(stage.api.act(server, "evacuate", {"host": "cmp4"})))
    time.sleep(A_WHILE_S)
    stage.tell("conductor_dead", stage.state(server), stage.record_states(server))
    stage.side.start_service(Service.CONDUCTOR)
    stage.until(
        lambda: all(r["state"] == "up" for h, r in stage.services().items() if h != DEAD),
        "the heartbeats to be written again",
    )


SCENE = Scene(name="trouble", claims=CLAIMS, play=play)
