"""An evacuation that the control plane lost is found by a Koboshi that starts there for the first time."""

import subprocess
import time

from lab import Lab
from lab.rig.home import until
from lab.rig.koboshi import Koboshi
from lab.rig.nova import Nova

from .conftest import MakeKoboshi
from .judge import boot

HOST = "cmp3"
CELL = "nova"
"""The database of the lab's one cell."""
COUNTED = "koboshi_time_bombs 1.0"
SURELY_OLD = "UPDATE migrations SET created_at = created_at - INTERVAL 90 DAY, updated_at = NULL"


def sql(lab: Lab, statement: str) -> None:
    """Do in Nova's database what no API does."""
    command = ["mariadb", "--no-defaults", "-h127.0.0.1", "-uroot", CELL, "-e", statement]
    with lab.inside():
        subprocess.run(command, check=True, capture_output=True, text=True)


def leave_open(lab: Lab, nova: Nova, server: str) -> None:
    """Evacuate a server by hand, and kill conductor and scheduler amid it; then bring its host back."""
    lab.fault(HOST, "power")
    nova.change_service(nova.services()[HOST], forced_down=True)
    lab.api_stop("scheduler")
    nova.act(server, "evacuate", {})
    time.sleep(3)
    lab.api_stop("conductor")
    lab.api_start("conductor")
    lab.api_start("scheduler")


def test_it_is_found_at_the_first_start_and_its_cure_cures(
    lab: Lab, nova: Nova, make_koboshi: MakeKoboshi
) -> None:
    (server,) = boot(lab, HOST, bfv=1)
    leave_open(lab, nova, server.id)
    (record,) = nova.evacuations(source=HOST)
    assert record.status == "accepted"
    sql(lab, f"{SURELY_OLD} WHERE instance_uuid = '{server.id}'")

    koboshi = make_koboshi(mode="observe")
    koboshi.start()
    koboshi.wait_for(lambda h: h.kind == "host_noticed" and "stale_record" in str(h), 30)
    (bomb,) = koboshi.run("status", "-f", "json").json()["time_bombs"]

    assert (bomb["host"], bomb["server"], bomb["status"]) == (HOST, server.id, "accepted")
    assert bomb["destroys_a_server_now"]
    assert f"the next start of nova-compute on {HOST} destroys its guest" in bomb["what"]
    deadline = time.monotonic() + 30
    until(lambda: COUNTED in koboshi.get("/metrics").text, deadline, "the gauge to count it")
    assert time_bombs(koboshi) == [("warn", HOST)]

    statement = bomb["cure"].removeprefix("in Nova's database: ")
    koboshi.stop()
    sql(lab, statement)
    assert [r.status for r in nova.evacuations(source=HOST)] == ["error"]
    assert time_bombs(koboshi) == [("ok", "")]
    koboshi.start()
    koboshi.wait_for(lambda h: h.kind == "host_notice_cleared" and "stale_record" in str(h), 30)
    assert koboshi.run("status", "-f", "json").json()["time_bombs"] == []

    # Its nova-compute starts, and the server is still there.
    before = nova.services()[HOST].updated_at
    lab.fault(HOST, "start")
    deadline = time.monotonic() + 60
    until(lambda: nova.services()[HOST].updated_at != before, deadline, f"{HOST} to report")
    assert server.id in {entry["server"] for entry in lab.truth() if entry["host"] == HOST}


def time_bombs(koboshi: Koboshi) -> list[tuple[str, str]]:
    """Return what `koboshi check` says of time bombs."""
    rows = koboshi.run("check", "-f", "json").json()
    return [(r["result"], r["subject"]) for r in rows if r["check"].startswith("time bomb")]
