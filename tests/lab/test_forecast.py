"""The forecast of a real cloud, with nothing but clouds.yaml; and what then happens is what it said."""

from typing import Any

from lab import Lab
from lab.rig.koboshi import Koboshi
from lab.rig.nova import Nova

from .judge import Judge, await_settled, boot
from .test_observe import everything

HOST = "cmp1"
OTHERS = ("cmp2", "cmp3", "cmp4")


def forecast(koboshi: Koboshi, *words: str) -> Any:
    """Ask with no configuration at all."""
    answer = koboshi.run("--os-cloud", "lab", "forecast", *words, "-f", "json", config=False)
    assert answer.code == 0, answer
    return answer.json()


def test_it_says_what_then_happens(lab: Lab, nova: Nova, koboshi: Koboshi) -> None:
    servers = boot(lab, HOST, bfv=3, volume=1, image=2)
    (opted_out,) = boot(lab, HOST, bfv=1)
    nova.set_metadata(opted_out.id, HA_Enabled="False")
    judge = Judge(lab, nova, [*servers, opted_out])
    koboshi.wait_armed()
    before = everything(lab, nova)

    told = {row["server"]: row for row in forecast(koboshi, "--host", HOST)}
    turns = {row["server"]: row for row in forecast(koboshi, "--fail", HOST)}
    summary = forecast(koboshi)

    assert everything(lab, nova) == before
    assert summary["unknown"] == summary["time_bombs"] == []
    assert {told[s.id]["outcome"] for s in servers[:3]} == {"returns"}
    assert {told[s.id]["outcome"] for s in servers[3:]} == {"waits"}
    assert told[opted_out.id]["outcome"] == "not_recoverable"
    disks = {d["disk"]: d["outcome"] for d in told[servers[3].id]["disks"]}
    assert disks == {"root": "waits_for_host", "volume": "survives"}
    assert {turns[s.id]["destination"] for s in servers[:3]} <= set(OTHERS)

    lab.fault(HOST, "power")
    await_settled(koboshi)

    judge.back(servers[:3])
    judge.disks_kept(servers[:3], kinds=["volume"])
    judge.held([*servers[3:], opted_out])
    rows = nova.servers()
    first = next(row for row in turns.values() if row["order"] == 1)
    assert rows[first["server"]].host == first["destination"]


def test_may_it_be_stopped(lab: Lab, koboshi: Koboshi) -> None:
    boot(lab, HOST, bfv=1)
    asked = ("--os-cloud", "lab", "host", "ok-to-stop", HOST)
    safe = koboshi.run(*asked, config=False)
    assert safe.code == 0, safe
    boot(lab, HOST, image=1)
    unsafe = koboshi.run(*asked, config=False)
    assert unsafe.code == 4, unsafe
