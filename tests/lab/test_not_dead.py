"""Hosts that are not dead, or may not be: what looks like a death is proven or left alone."""

from lab import Lab
from lab.rig.koboshi import Koboshi
from lab.rig.nova import Nova

from .conftest import MakeKoboshi
from .judge import Judge, await_settled, boot, intended, stays

HOST = "cmp2"


def test_a_dead_nova_compute_on_a_living_host_is_a_notice_and_nothing_more(
    lab: Lab, nova: Nova, koboshi: Koboshi
) -> None:
    servers = boot(lab, HOST, bfv=2, image=1)
    judge = Judge(lab, nova, servers)

    koboshi.wait_armed()
    lab.fault(HOST, "process")
    noticed = koboshi.wait_for(lambda h: h.kind == "host_noticed" and h.data["host"] == HOST, 60)

    assert noticed.data["topic"] == "service_failed"
    stays(15, judge.nothing_evacuated)
    judge.untouched(servers)
    assert intended(koboshi, "fence_off") == []
    assert lab.status()["hosts"][HOST]["power"] == "on"
    service = nova.services()[HOST]
    assert service.enabled
    assert not service.forced_down
    assert "incident_opened" not in {h.kind for h in koboshi.happenings()}


def test_a_quick_restart_of_nova_compute_is_nothing_at_all(
    lab: Lab, nova: Nova, koboshi: Koboshi
) -> None:
    judge = Judge(lab, nova, boot(lab, HOST, bfv=1))
    koboshi.wait_armed()
    before = len(koboshi.happenings())

    lab.fault(HOST, "restart")
    stays(15, judge.nothing_evacuated)

    judge.untouched(judge.servers)
    told = {h.kind for h in koboshi.happenings()[before:]}
    assert told <= {"host_noticed", "host_notice_cleared"}, "more than a slow start is told of"
    rows = {r["host"]: r["verdict"] for r in koboshi.run("status", "-f", "json").json()["hosts"]}
    assert rows[HOST] == "up"


def test_a_cut_host_is_fenced_before_its_servers_start_elsewhere(
    lab: Lab, nova: Nova, koboshi: Koboshi
) -> None:
    servers = boot(lab, HOST, bfv=3)
    judge = Judge(lab, nova, servers)

    koboshi.wait_armed()
    lab.fault(HOST, "cut")
    await_settled(koboshi)

    assert lab.status()["hosts"][HOST]["power"] == "off"
    judge.back(servers)
    for server in servers:
        own = [e for e in lab.events() if e["server"] == server.id]
        stopped = [e["at"] for e in own if e["event"] == "stop" and e["host"] == HOST]
        started = [e["at"] for e in own if e["event"] == "start" and e["host"] != HOST]
        assert len(stopped) == len(started) == 1
        assert stopped < started
    kinds = [h.kind if h.kind != "command_intended" else h.command for h in koboshi.happenings()]
    order = [kinds.index(k) for k in ("fence_off", "death_proven", "host_isolated", "evacuate")]
    assert order == sorted(order)


def test_a_hung_host_is_not_fenced(lab: Lab, nova: Nova, koboshi: Koboshi) -> None:
    servers = boot(lab, HOST, bfv=1)
    judge = Judge(lab, nova, servers)

    koboshi.wait_armed()
    lab.fault(HOST, "hang")
    koboshi.wait_for(lambda h: h.kind == "host_noticed" and h.data["topic"] == "hung", 60)

    stays(10, judge.nothing_evacuated)
    assert intended(koboshi, "fence_off") == []


def test_two_hosts_at_once_are_implausible(lab: Lab, nova: Nova, koboshi: Koboshi) -> None:
    servers = [*boot(lab, "cmp1", bfv=1), *boot(lab, HOST, bfv=1)]
    judge = Judge(lab, nova, servers)

    koboshi.wait_armed()
    for host in ("cmp1", HOST):
        lab.fault(host, "cut")

    stays(30, judge.nothing_evacuated)
    assert intended(koboshi, "fence_off") == []
    judge.untouched(servers)


def test_a_host_that_was_down_at_the_very_first_start_waits_for_a_word(
    lab: Lab, nova: Nova, make_koboshi: MakeKoboshi
) -> None:
    servers = boot(lab, HOST, bfv=1)
    judge = Judge(lab, nova, servers)
    lab.fault(HOST, "power")
    stays(8, lambda: None)

    koboshi = make_koboshi()
    koboshi.start()
    koboshi.wait_for(lambda h: h.kind == "host_found_down" and h.data["host"] == HOST, 60)

    stays(20, judge.nothing_evacuated)
    assert HOST in koboshi.run("status").out


def test_with_the_default_windows_an_untried_prober_proves_nothing(
    lab: Lab, nova: Nova, make_koboshi: MakeKoboshi
) -> None:
    """The one test with the windows as they ship: none of them may be shortened by mistake."""
    koboshi = make_koboshi(windows=None)
    koboshi.start()
    servers = boot(lab, HOST, bfv=1)
    judge = Judge(lab, nova, servers)

    lab.fault(HOST, "cut")

    stays(25, judge.nothing_evacuated)
    assert intended(koboshi, "fence_off") == []
    assert koboshi.trusted() == set()
    (row,) = [r for r in koboshi.run("status", "-f", "json").json()["hosts"] if r["host"] == HOST]
    assert any("600 s" in reason for reason in row["reasons"]), row
