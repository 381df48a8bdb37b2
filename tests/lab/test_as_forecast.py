"""A host with one server of every sort dies: each ends as the forecast said before, line by line."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from typing import Any

from lab import Lab
from lab.boot import Booted
from lab.rig.nova import Nova
from lab.rig.things import Things

from .conftest import MakeKoboshi
from .judge import Judge, await_settled
from .test_forecast import forecast

HOST = "cmp1"
OTHERS = ("cmp2", "cmp3", "cmp4")
SLOW_S = 3.0
AT_ONCE = 2
"""Boots; with more at once the lab's Nova fails one now and then."""
Order = tuple[str, str, str, dict[str, str]]
"""Name, host, kind, wishes."""
ZONE = "lab-island"
"""The host is the only one in it; of its servers one was asked into it."""
PLAIN = ("free", "deleted", "by-hand", "locked", "stopped", "paused", "not-ours")
PRIORITIES = {"free": "high", "locked": "high", "apart": "high", "by-hand": "low", "deleted": "low"}
"""The first three have every destination to themselves while a person gets ahead of Koboshi."""
OUTCOMES = {
    "free": "returns",
    "locked": "returns",
    "stopped": "returns",
    "apart": "returns",
    "by-hand": "returns",
    "deleted": "returns",
    "by-flavor": "returns_empty",
    "by-tag": "returns_empty",
    "data": "waits",
    "swap": "waits",
    "tied-1": "waits",
    "tied-2": "waits",
    "paused": "waits",
    "resized": "waits",
    "lonely": "waits",
    "not-ours": "not_recoverable",
}


def test_each_ends_as_the_forecast_said(
    lab: Lab, nova: Nova, make_koboshi: MakeKoboshi, things: Things
) -> None:
    koboshi = make_koboshi(pace={"per_destination": 1})
    servers, partner = mixed(lab, nova, things)
    koboshi.start()  # its first sweep tells it where the partner is
    judge = Judge(lab, nova, [*servers.values(), partner])
    koboshi.wait_armed()
    asked = ("--host", HOST, "--disks")
    told = {row["name"]: row for row in forecast(koboshi, *asked[:2])}
    disks = forecast(koboshi, *asked)
    assert {name: row["outcome"] for name, row in told.items()} == OUTCOMES
    goes = {row["name"]: bool(row["destination"]) for row in forecast(koboshi, "--fail", HOST)}
    assert goes.pop("deleted")

    things.quota(instances=1, cores=1)
    for host in OTHERS:
        lab.knob(host, spawn_seconds=SLOW_S)
    lab.fault(HOST, "power")
    koboshi.wait_for(lambda h: h.kind == "servers_listed", 60)
    nova.act(servers["by-hand"].id, "evacuate", {})
    nova.delete(servers["deleted"].id)
    await_settled(koboshi)

    for name, server in servers.items():
        if name == "deleted":
            assert server.id not in nova.servers()
            continue
        ends_as_told(judge, nova, server, told[name]["outcome"], stopped=name == "stopped")
        rows = [row for row in disks if row["name"] == name]
        assert rows, name
        for row in rows:
            disk_ends_as_told(judge, server, row)
    judge.untouched([partner])
    sent = str([h.data["command"] for h in koboshi.happenings() if h.kind == "command_accepted"])
    assert all(servers[name].id not in sent for name in ("by-hand", "deleted"))
    rows = nova.servers()
    assert {name: rows[servers[name].id].host != HOST for name in goes} == goes
    assert rows[servers["apart"].id].host != partner.host
    nova_finds_no_host_either(nova, servers["lonely"])


def nova_finds_no_host_either(nova: Nova, server: Booted) -> None:
    """Let Nova's scheduler choose any host for a server of which the forecast said that it has none."""
    nova.act(server.id, "evacuate", {})
    nova.wait_for_status({server.id: "ERROR"})
    assert nova.servers()[server.id].host == HOST
    assert [r.status for r in nova.evacuations() if r.server == server.id] == ["error"]


def booted(lab: Lab, order: Order) -> tuple[str, Booted]:
    """Boot one server; returns it by its name."""
    name, host, kind, wishes = order
    return name, lab.boot(host=host, kind=kind, name=name, wishes=wishes)[0]


def ends_as_told(
    judge: Judge, nova: Nova, server: Booted, outcome: str, *, stopped: bool = False
) -> None:
    """Hold a server to its line of the forecast."""
    if outcome in {"waits", "not_recoverable"}:
        judge.held([server])
    elif stopped:
        row = nova.servers()[server.id]
        assert (row.status, row.host != HOST) == ("SHUTOFF", True), row
        assert judge.running_on(server) == []
    else:
        judge.back([server])


def disk_ends_as_told(judge: Judge, server: Booted, row: dict[str, Any]) -> None:
    """Hold one of its disks to its line."""
    kind = "volume" if row["disk"] == "volume" or server.kind == "bfv" else "local"
    if row["outcome"] in {"survives", "waits_for_host"}:
        judge.disks_kept([server], kinds=[kind])
    else:
        assert (row["outcome"], kind) in {("back_to_image", "local"), ("lost", "local")}, row
        judge.disks_new([server])


def mixed(lab: Lab, nova: Nova, things: Things) -> tuple[dict[str, Booted], Booted]:
    """Boot one of every sort on the host; the other of the anti-affinity group elsewhere."""
    things.aggregate(ZONE, [HOST], {"availability_zone": ZONE})
    together, apart = things.group("affinity"), things.group("anti-affinity")
    rebuilt = things.flavor("lab.ci", {"koboshi:on_local_disk": "rebuild"})
    orders: list[Order] = [
        *((name, HOST, "bfv", {}) for name in PLAIN),
        ("tied-1", HOST, "bfv", {"group": together}),
        ("apart", HOST, "bfv", {"group": apart}),
        ("partner", "cmp2", "bfv", {"group": apart}),
        ("lonely", HOST, "bfv", {"zone": ZONE}),
        ("data", HOST, "volume", {}),
        ("swap", HOST, "ephemeral", {}),
        ("by-tag", HOST, "ephemeral", {}),
        ("by-flavor", HOST, "image", {"flavor": rebuilt}),
        ("resized", "cmp3", "bfv", {}),
    ]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        made = dict(pool.map(partial(booted, lab), orders))
    second = ("tied-2", HOST, "bfv", {"group": together})  # Nova fails two at once
    made |= [booted(lab, second)]
    partner, guest = made.pop("partner"), made["resized"]
    nova.act(guest.id, "migrate", {"host": HOST})
    for name, priority in PRIORITIES.items():
        nova.set_metadata(made[name].id, **{"koboshi:priority": priority})
    things.tag(made["by-tag"].id, "koboshi:on_local_disk=rebuild")
    nova.set_metadata(made["not-ours"].id, HA_Enabled="False")
    for name, action in (("locked", "lock"), ("stopped", "os-stop"), ("paused", "pause")):
        nova.act(made[name].id, action)
    wanted = {made["stopped"].id: "SHUTOFF", made["paused"].id: "PAUSED", guest.id: "VERIFY_RESIZE"}
    nova.wait_for_status(wanted)
    made["resized"] = replace(guest, host=HOST)
    return made, partner
