"""A host that Koboshi switched off comes home by itself, disabled if it fails again; one with a time bomb stays off."""

import time

from lab import Lab
from lab.boot import Booted
from lab.rig.home import until
from lab.rig.koboshi import Happening
from lab.rig.nova import Nova

from .conftest import MakeKoboshi
from .judge import Judge, await_settled, boot, intended, moved_to
from .test_quick_reboot import await_status

HOST, BOMBED = "cmp1", "cmp2"
HOME_WITHIN_S = 150.0
FENCED_WITHIN_S = 60.0
STAYS_OFF_S = 60.0


def test_a_host_comes_home_and_its_held_servers_with_it_and_stays_disabled_the_second_time(
    lab: Lab, nova: Nova, make_koboshi: MakeKoboshi
) -> None:
    moved, held, stopped = (
        boot(lab, HOST, bfv=2),
        boot(lab, HOST, image=2),
        boot(lab, HOST, image=1),
    )
    nova.act(stopped[0].id, "os-stop")
    await_status(nova, stopped, "SHUTOFF", 30)
    judge = Judge(lab, nova, [*moved, *held, *stopped])
    koboshi = make_koboshi(home={"automatic": True})
    koboshi.start()
    koboshi.wait_armed()

    lab.fault(HOST, "cut")
    await_settled(koboshi)
    judge.held([*held, *stopped])
    lab.fault(HOST, "plug")
    koboshi.wait_for(moved_to("closed"), HOME_WITHIN_S)

    service, rows = nova.services()[HOST], nova.servers()
    assert service.enabled
    assert service.up
    assert not service.forced_down
    assert [r.status for r in nova.evacuations(source=HOST)] == ["completed"] * len(moved)
    for server in moved:
        assert judge.running_on(server) == [rows[server.id].host] != [HOST], server
    for server in held:
        assert judge.running_on(server) == [HOST], server
        assert rows[server.id].is_well
    judge.disks_kept(held, kinds=["local"])
    assert judge.running_on(stopped[0]) == []
    assert rows[stopped[0].id].status == "SHUTOFF"
    assert {h.data["command"]["server"] for h in intended(koboshi, "start_server")} == {
        server.id for server in held
    }

    # It fails again within a day: it and its servers come home, and it stays disabled until a person releases it.
    first = koboshi.happenings()[-1].seq
    lab.fault(HOST, "cut")
    await_settled(koboshi, after=first)
    lab.fault(HOST, "plug")
    koboshi.wait_for(moved_to("quarantined"), HOME_WITHIN_S, after=first)
    service = nova.services()[HOST]
    assert service.up
    assert not service.forced_down
    assert not service.enabled
    assert (service.disabled_reason or "").startswith("koboshi:")
    for server in held:
        assert judge.running_on(server) == [HOST], server
    judge.disks_kept(held, kinds=["local"])
    assert judge.running_on(stopped[0]) == []
    assert f"host release {HOST}" in koboshi.run("status").out
    answer = koboshi.run("host", "release", HOST)
    assert answer.code == 0, answer
    until(lambda: nova.services()[HOST].enabled, time.monotonic() + 30, f"{HOST} to be enabled")


def test_a_host_with_a_bomb_stays_off_and_another_comes_home(
    lab: Lab, nova: Nova, make_koboshi: MakeKoboshi
) -> None:
    """The scheduler dies amid the evacuation of one host: Nova never ends its record.

    Then its destination dies. It stays off until the server runs elsewhere, and comes home by itself.
    """
    (bombed,) = boot(lab, BOMBED, bfv=1)
    koboshi = make_koboshi(home={"automatic": True})
    koboshi.start()
    koboshi.wait_armed()
    lab.api_stop("scheduler")
    lab.fault(BOMBED, "cut")
    its = koboshi.wait_for(lambda h: is_of(h, "incident_opened", BOMBED), 60).data["incident"]
    koboshi.wait_for(lambda h: h.kind == "command_intended" and h.command == "evacuate", 60)
    time.sleep(3)
    lab.api_stop("conductor")
    lab.api_start("conductor")
    lab.api_start("scheduler")
    lab.fault(BOMBED, "plug")
    (record,) = nova.evacuations(source=BOMBED)
    assert record.status == "accepted"
    host = record.destination
    assert host is not None

    (moved,) = boot(lab, host, bfv=1)
    judge = Judge(lab, nova, [bombed, moved])
    lab.fault(host, "cut")
    opened = koboshi.wait_for(lambda h: is_of(h, "incident_opened", host), FENCED_WITHIN_S)
    mine = opened.data["incident"]
    koboshi.wait_for(lambda h: is_step(h, mine, "settled"), 150)
    lab.fault(host, "plug")
    koboshi.wait_for(lambda h: is_step(h, mine, "closed"), HOME_WITHIN_S)

    until(
        lambda: nova.services()[host].enabled and nova.services()[host].up,
        time.monotonic() + 20,
        f"{host} to serve",
    )
    assert judge.running_on(moved) == [nova.servers()[moved.id].host] != [host]
    assert lab.status()["hosts"][BOMBED]["power"] == "off"
    (switched_on,) = intended(koboshi, "power_on")
    assert switched_on.data["command"]["host"] == host
    (elsewhere,) = [
        h for h in koboshi.happenings() if h.kind == "recovery_moved" and is_done(h, bombed)
    ]
    assert elsewhere.seq < switched_on.seq
    (stays,) = [h for h in koboshi.happenings() if is_step(h, its, "needs_human")]
    # Nova ended the first record with the second evacuation, and left the second one open.
    assert bombed.id in stays.data["reason"]
    assert "UPDATE migrations SET status='error'" in stays.data["reason"]


def is_of(happening: Happening, kind: str, host: str) -> bool:
    """Return whether this event is of that kind, and about that host."""
    return happening.kind == kind and happening.data["host"] == host


def is_done(happening: Happening, server: Booted) -> bool:
    """Return whether this server's recovery ended well."""
    return happening.data["server"] == server.id and happening.data["to"] == "done"


def is_step(happening: Happening, incident: str, to: str) -> bool:
    """Return whether an incident went to that state."""
    return moved_to(to)(happening) and happening.data["incident"] == incident
