"""What people ask of servers whose host is well; meanwhile nova-scheduler is dead."""

import time
from typing import Any

from tests.contract.facts import form, refusal, shape
from tests.contract.side import Kind, Lever, Service
from tests.contract.stage import Scene, Stage

DEAD = "cmp4"
RPC_TIMEOUT_S = 60.0
"""Nova's default rpc_response_timeout: so long the conductor waits for the scheduler."""
LEFT_S, LATE_S = 12.0, 4.0

CLAIMS = {
    "live_migration": "a live migration: 202, the server's states in order, where it runs",
    "live_migration_record": "a live migration: its record's states in order",
    "live_migration_refused": (
        "a live migration is refused for a server that is stopped, for an unknown host, and for a"
        " body that says too little; to its own host it ends without a move"
    ),
    "record_shape": "os-migrations: a record's fields at 2.1, 2.23, 2.59 and 2.80",
    "record_pages": "os-migrations: pages, newest first, each full one with a next link",
    "record_filters": "os-migrations: by source, server, type and status",
    "diagnostics": "diagnostics at 2.48: the fields of one that runs, 409 of one that is off",
    "stop": "os-stop: 202, states in order, SHUTOFF; refused (409) when it is stopped already",
    "start": "os-start: 202, states in order, ACTIVE; refused (409) when it is active already",
    "pause": "a paused server: PAUSED, start and stop refused (409), unpause brings it back",
    "reboot": "a hard reboot: 202, states in order; of one that is stopped, too",
    "reboot_refused": "a reboot of an unknown kind is refused",
    "reset": "os-resetState: error and active at once, nothing else changes; anything else refused",
    "error_rules": "an ERROR server: start 409, hard reboot 202 and ACTIVE",
    "lock": "a locked server obeys an administrator",
    "delete": "a delete: 204, gone from list and host, 404 afterwards",
    "scheduler_dead": "with nova-scheduler dead: accepted, REBUILD, and the record stays accepted",
    "scheduler_back": "the scheduler is back within the time-out: the evacuation goes on",
    "scheduler_too_late": "the scheduler is back after the time-out: REBUILD for good",
}


def play(stage: Stage) -> None:
    """Do a day's work, with the scheduler dead behind it."""
    stuck, late = stage.boot(DEAD, Kind.BFV, 2)
    one, two = stage.boot("cmp1", Kind.BFV, 2)
    image = stage.boot("cmp1", Kind.IMAGE)[0]
    _live_migration(stage, one, image)
    stage.side.pull(DEAD, Lever.POWER)
    stage.put_service(DEAD, status="disabled", disabled_reason="x", forced_down=True)
    stage.side.stop_service(Service.SCHEDULER)
    began_s = time.monotonic()
    stage.tell("scheduler_dead", refusal(stage.api.act(stuck, "evacuate", {"host": "cmp3"})))
    _work(stage, one, two, image)
    _sleep_until(began_s + RPC_TIMEOUT_S - LEFT_S)
    stage.tell("scheduler_dead", stage.state(stuck), stage.record_states(stuck))
    stage.api.act(late, "evacuate", {"host": "cmp3"})
    _sleep_until(began_s + RPC_TIMEOUT_S + LATE_S)
    stage.side.start_service(Service.SCHEDULER)
    stage.settled(late)
    stage.tell("scheduler_back", stage.state(late), stage.record_states(late))
    stage.tell("scheduler_too_late", stage.state(stuck), stage.record_states(stuck))


def _sleep_until(moment_s: float) -> None:
    time.sleep(max(0.0, moment_s - time.monotonic()))


def _live(host: str | None) -> dict[str, Any]:
    return {"host": host, "block_migration": "auto"}


def _live_migration(stage: Stage, server: str, image: str) -> None:
    api = stage.api
    for body in ({"host": "cmp2"}, {**_live("cmp2"), "force": True}, _live("nowhere")):
        stage.tell("live_migration_refused", refusal(api.act(server, "os-migrateLive", body)))
    with stage.watch(server) as watch:
        stage.tell("live_migration", refusal(api.act(server, "os-migrateLive", _live("cmp2"))))
        api.act(image, "os-migrateLive", _live("cmp3"))
        stage.settled(server, image)
    stage.tell("live_migration", watch.server(server), stage.runs_on(server))
    stage.tell("live_migration_record", watch.records(server))
    told = api.act(server, "os-migrateLive", _live("cmp2"))
    stage.tell("live_migration_refused", refusal(told))
    api.act(image, "os-migrateLive", _live("cmp2"))
    stage.settled(server, image)
    stage.tell("live_migration", stage.runs_on(image), stage.record_states(image))
    stage.tell("live_migration_refused", stage.state(server), stage.record_states(server)[0])
    _records(stage, image)


def _records(stage: Stage, server: str) -> None:
    api, of = stage.api, f"instance_uuid={server}"
    for version in ("2.1", "2.23", "2.59", "2.80"):
        found = api.get(f"/os-migrations?{of}", version=version)["migrations"]
        stage.tell("record_shape", shape([r for r in found if r["instance_uuid"] == server]))
    ids = [r["uuid"] for r in api.get(f"/os-migrations?{of}")["migrations"]]
    for query in ("limit=1", f"limit=1&marker={ids[0]}", f"limit=1&marker={ids[-1]}"):
        answer = api.get(f"/os-migrations?{of}&{query}")
        shown = [ids.index(r["uuid"]) for r in answer["migrations"]]
        stage.tell("record_pages", [shown, answer.body.get("migrations_links")])
    for query in (
        "migration_type=live-migration",
        "migration_type=evacuation",
        "status=completed",
        "status=done",
        "source_compute=cmp1",
        "source_compute=cmp3",
        "host=cmp2",
    ):
        found = api.get(f"/os-migrations?{of}&{query}")["migrations"]
        stage.tell("record_filters", [query, [ids.index(r["uuid"]) for r in found]])


def _work(stage: Stage, one: str, two: str, image: str) -> None:
    _power(stage, one, image)
    _pause(stage, two)
    _reset(stage, two)
    api = stage.api
    api.act(two, "lock")
    stage.tell("lock", stage.row(two)["locked"], refusal(api.act(two, "os-stop")))
    stage.settled(two)
    stage.tell("delete", refusal(api.ask("DELETE", f"/servers/{two}")))
    stage.until(lambda: api.get(f"/servers/{two}").status == 404, "the server to be gone")
    stage.until(lambda: not stage.side.truth(two), "its guest to be gone")
    stage.tell("delete", refusal(api.get(f"/servers/{two}")))
    stage.tell("delete", two in {s["id"] for s in api.get("/servers?all_tenants=1")["servers"]})
    stage.tell("delete", refusal(api.ask("DELETE", f"/servers/{two}")))


def _power(stage: Stage, server: str, image: str) -> None:
    api = stage.api
    stage.tell("diagnostics", form(api.get(f"/servers/{server}/diagnostics", version="2.48")))
    stage.tell("start", refusal(api.act(server, "os-start")))
    for claim, action, told in (
        ("stop", "os-stop", None),
        ("start", "os-start", None),
        ("reboot", "reboot", {"type": "HARD"}),
    ):
        with stage.watch(server) as watch:
            stage.tell(claim, refusal(api.act(server, action, told)))
            stage.settled(server)
        stage.tell(claim, watch.server(server), stage.runs_on(server))
    api.act(image, "os-stop")
    stage.settled(image)
    stage.tell("diagnostics", form(api.get(f"/servers/{image}/diagnostics", version="2.48")))
    stage.tell("stop", refusal(api.act(image, "os-stop")))
    stage.tell("live_migration_refused", refusal(api.act(image, "os-migrateLive", _live("cmp1"))))
    stage.tell("reboot", refusal(api.act(image, "reboot", {"type": "HARD"})))
    stage.settled(image)
    stage.tell("reboot", stage.state(image), stage.runs_on(image))
    for told in ({"type": "WARM"}, {}, {"type": "HARD", "why": "x"}):
        stage.tell("reboot_refused", refusal(api.act(image, "reboot", told)))


def _pause(stage: Stage, server: str) -> None:
    api = stage.api
    stage.tell("pause", refusal(api.act(server, "pause")))
    stage.settled(server)
    stage.tell("pause", stage.state(server))
    for action in ("os-stop", "os-start", "pause"):
        stage.tell("pause", refusal(api.act(server, action)))
    stage.tell("pause", refusal(api.act(server, "unpause")))
    stage.settled(server)
    stage.tell("pause", stage.state(server), refusal(api.act(server, "unpause")))


def _reset(stage: Stage, server: str) -> None:
    api = stage.api
    for told in ({"state": "stopped"}, {}, {"state": "error", "why": "x"}):
        stage.tell("reset", refusal(api.act(server, "os-resetState", told)))
    for state in ("error", "active", "error"):
        stage.tell("reset", refusal(api.act(server, "os-resetState", {"state": state})))
        stage.tell("reset", stage.state(server), stage.runs_on(server))
    stage.tell("error_rules", refusal(api.act(server, "os-start")))
    stage.tell("error_rules", refusal(api.act(server, "reboot", {"type": "HARD"})))
    stage.settled(server)
    stage.tell("error_rules", stage.state(server), stage.runs_on(server))


SCENE = Scene(name="daily", claims=CLAIMS, play=play)
