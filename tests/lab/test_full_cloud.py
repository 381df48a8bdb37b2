"""A full cloud: priorities decide who returns, the rest is listed at once, and returns when a host opens."""

from lab import Lab
from lab.rig.nova import Nova
from lab.rig.things import Things

from .conftest import MakeKoboshi
from .judge import RECOVERY_S, Judge, is_done
from .test_forecast import forecast

HOST, FULL, CLOSED = "cmp1", "cmp2", ("cmp3", "cmp4")
A_THIRD_MB = 40000
"""Three of them fill one of the lab's hosts."""


def test_the_dearest_returns_and_the_others_when_there_is_room(
    lab: Lab, nova: Nova, make_koboshi: MakeKoboshi, things: Things
) -> None:
    koboshi = make_koboshi()
    koboshi.start()
    third = things.flavor("lab.third", {}, disk_gb=0, ram_mb=A_THIRD_MB)
    ranks = ("high", "normal", "low")
    servers = [lab.boot(host=HOST, kind="bfv", name=r, wishes={"flavor": third})[0] for r in ranks]
    lab.boot(host=FULL, kind="bfv", count=2, wishes={"flavor": third})
    for server in servers:
        nova.set_metadata(server.id, **{"koboshi:priority": server.name})
    for host in CLOSED:
        nova.change_service(nova.services()[host], status="disabled", disabled_reason="new")
    judge = Judge(lab, nova, servers)
    koboshi.wait_armed()
    told = {row["name"]: row["destination"] for row in forecast(koboshi, "--fail", HOST)}

    lab.fault(HOST, "power")
    done = koboshi.wait_for(is_done, RECOVERY_S)

    assert done.data["server"] == servers[0].id
    assert {name: bool(where) for name, where in told.items()} == {
        "high": True,
        "normal": False,
        "low": False,
    }
    (incident,) = koboshi.run("incident", "list", "-f", "json").json()
    detail = koboshi.run("incident", "show", incident["id"], "-f", "json").json()
    reasons = {r["name"]: r["reason"] for r in detail["recoveries"]}
    for rank in ranks[1:]:
        assert "room" in reasons[rank], reasons
    judge.back(servers[:1])
    judge.held(servers[1:])

    nova.change_service(nova.services()[CLOSED[0]], status="enabled")
    for _ in ranks[1:]:
        done = koboshi.wait_for(is_done, RECOVERY_S, after=done.seq)
    judge.back(servers)
    assert {nova.servers()[s.id].host for s in servers[1:]} == {CLOSED[0]}
    judge.disks_kept(servers, kinds=["volume"])
