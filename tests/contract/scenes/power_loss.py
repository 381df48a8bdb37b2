"""A host loses its power: its servers are evacuated from every state, and the host comes back."""

import time
from typing import Any

from tests.contract.facts import plain, refusal
from tests.contract.side import Kind, Lever
from tests.contract.stage import Scene, Stage

DEAD, TO = "cmp1", "cmp2"
REASON = "koboshi:contract:1"
SHORT_S = 4.0
SERVICE_FIELDS = ("status", "state", "forced_down", "disabled_reason")

CLAIMS = {
    "silent_diagnostics": "diagnostics of a server on a dead host: nobody answers for seconds",
    "still_in_use": "evacuate is refused until Nova takes the host for down",
    "isolate": "disable and force down in one PUT: the fields, and updated_at moves",
    "isolate_again": "the same PUT once more: 200, and updated_at moves",
    "host_status": "a server on a forced-down host says DOWN, a disabled one MAINTENANCE",
    "not_in_this_state": "a paused server cannot be evacuated: 409",
    "accepted": "an evacuate is answered with 200 and no body, a locked server's too",
    "active": "an evacuation: the server's states in order, ACTIVE before the host changes",
    "active_records": "an evacuation: its record's states in order",
    "done_last": "when the record is done, the server is ACTIVE on its new host, without a task",
    "volume_kept": "a server on a volume runs on the new host alone, with no disk made there",
    "image_made_again": "a server on a local disk gets another one; the old one stays on its host",
    "stopped_stays": "a stopped server is started and stopped again: it ends SHUTOFF",
    "error_ends_active": "a server that was ERROR ends ACTIVE, at 2.95 too",
    "ends_stopped": "from 2.95 on an evacuated server ends SHUTOFF",
    "action_listed": "the server's actions: `evacuate` is the newest",
    "allocations": "Placement counts the server on both hosts until the source has cleaned up",
    "lift_refused": "forced_down cannot be lifted while records of the host are done: 400",
    "records_completed": "when the host is back its records turn from done to completed",
    "leftovers_gone": "when the host is back it destroys the disks of what was evacuated",
    "held_stopped": "a server that was left there becomes SHUTOFF after the return, on its disk",
    "lift_accepted": "then forced_down can be lifted and the service enabled: the fields",
    "held_started": "it can be started where it is",
    "left_behind": "a paused server that was left there, and an ERROR one, after the return",
}


def play(stage: Stage) -> None:
    """Kill the host, evacuate, bring it back."""
    volumes = stage.boot(DEAD, Kind.BFV, 6)
    active, stopped, broken, locked, later, paused = volumes
    images = stage.boot(DEAD, Kind.IMAGE, 4)
    image, held, broken_later, left = images
    elsewhere = stage.boot("cmp4", Kind.BFV)[0]
    before = {s: stage.disks(s, DEAD) for s in images}
    stage.api.act(stopped, "os-stop")
    stage.api.act(paused, "pause")
    stage.api.act(locked, "lock")
    stage.settled(stopped, paused)
    for server in (broken, broken_later, left):
        stage.api.act(server, "os-resetState", {"state": "error"})
    stage.side.pull(DEAD, Lever.POWER)
    _isolate(stage, active, elsewhere)
    stage.tell("not_in_this_state", refusal(stage.api.act(paused, "evacuate", {"host": TO})))
    with stage.watch(active, stopped, image) as watch:
        stage.side.spawns(TO, take_s=2.0)
        for server in (active, image, stopped, broken, locked):
            stage.tell("accepted", refusal(stage.api.act(server, "evacuate", {"host": TO})))
        for server in (later, broken_later):
            told = stage.api.act(server, "evacuate", {"host": TO}, version="2.95")
            stage.tell("accepted", refusal(told))
        stage.settled(active, image, stopped)
    stage.side.spawns(TO)
    stage.settled(broken, locked, later, broken_later)
    stage.tell("active", watch.server(active), watch.server(image))
    stage.tell("active_records", *(watch.records(s) for s in (active, image, stopped)))
    stage.tell("stopped_stays", watch.server(stopped), stage.runs_on(stopped))
    _landed(stage, active, image, locked, before[image])
    stage.tell("ends_stopped", stage.state(later), stage.runs_on(later))
    for server in (broken, broken_later):
        stage.tell("error_ends_active", stage.state(server), stage.record_states(server))
    _allocations(stage, active)
    stage.tell("lift_refused", refusal(stage.put_service(DEAD, forced_down=False)))
    _return(stage, active, image, held, before[held])
    stage.tell("left_behind", stage.state(paused), stage.state(left))


def _fields(row: Any) -> list[Any]:
    return [row[name] for name in SERVICE_FIELDS]


def _isolate(stage: Stage, server: str, other: str) -> None:
    stage.tell("still_in_use", refusal(stage.api.act(server, "evacuate", {"host": TO})))
    answer = stage.api.get(f"/servers/{server}/diagnostics", version="2.48", timeout_s=SHORT_S)
    stage.tell("silent_diagnostics", answer.status)
    before = stage.services()[DEAD]["updated_at"]
    for claim in ("isolate", "isolate_again"):
        answer = stage.put_service(
            DEAD, status="disabled", disabled_reason=REASON, forced_down=True
        )
        now = answer["service"]["updated_at"]
        stage.tell(claim, refusal(answer), _fields(stage.services()[DEAD]), now > before)
        before = now
        time.sleep(1.1)
    stage.put_service("cmp4", status="disabled", disabled_reason="x")
    for one in (server, other):
        stage.tell("host_status", stage.row(one)["host_status"])
    stage.put_service("cmp4", status="enabled")


def _landed(stage: Stage, active: str, image: str, locked: str, disk: tuple[str, ...]) -> None:
    for server in (active, image):
        stage.tell("done_last", stage.state(server), stage.record_states(server))
    stage.tell("volume_kept", stage.runs_on(active), stage.disks(active, TO))
    new = stage.disks(image, TO)
    stage.tell("image_made_again", stage.runs_on(image), new != disk, len(new))
    stage.tell("image_made_again", len(stage.disks(image, DEAD)))
    stage.tell("accepted", stage.state(locked), stage.row(locked)["locked"])
    found = stage.api.get(f"/servers/{active}/os-instance-actions")
    rows = found["instanceActions"]
    stage.tell("action_listed", plain(rows[0]["action"]), sorted(rows[0]))


def _allocations(stage: Stage, server: str) -> None:
    names = {
        p["uuid"]: p["name"]
        for p in stage.api.get("/resource_providers", service="placement", version="1.39")[
            "resource_providers"
        ]
    }
    found = stage.api.get(f"/allocations/{server}", service="placement", version="1.39")
    held = {names[p]: told["resources"] for p, told in found["allocations"].items()}
    stage.tell("allocations", held)


def _return(stage: Stage, active: str, image: str, held: str, disk: tuple[str, ...]) -> None:
    with stage.watch(held) as watch:
        stage.side.pull(DEAD, Lever.START)
        stage.until(lambda: stage.record_states(active)[-1][1] == "completed", "completed")
        stage.until(lambda: stage.row(held)["status"] == "SHUTOFF", "the held server to stop")
    for server in (active, image):
        stage.tell("records_completed", stage.record_states(server))
    stage.until(lambda: not stage.disks(image, DEAD), "the old disk to be destroyed")
    stage.tell("leftovers_gone", stage.disks(image, DEAD), stage.runs_on(image))
    stage.tell("held_stopped", watch.server(held), stage.disks(held, DEAD) == disk)
    _allocations(stage, active)
    answer = stage.put_service(DEAD, status="enabled", forced_down=False)
    stage.tell("lift_accepted", answer.status)
    stage.until(lambda: stage.services()[DEAD]["state"] == "up", "the host to be up")
    stage.tell("lift_accepted", _fields(stage.services()[DEAD]))
    with stage.watch(held) as watch:
        stage.tell("held_started", refusal(stage.api.act(held, "os-start")))
        stage.until(lambda: stage.row(held)["status"] == "ACTIVE", "the held server to start")
        stage.settled(held)
    stage.tell("held_started", watch.server(held), stage.runs_on(held))


SCENE = Scene(name="power_loss", claims=CLAIMS, play=play)
