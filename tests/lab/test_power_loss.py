"""One of four hosts loses its power: the main job."""

import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from lab import Lab, LabError, layout
from lab.rig.koboshi import Koboshi
from lab.rig.nova import Nova

from .conftest import MakeKoboshi
from .judge import Judge, await_settled, boot, intended, is_done, stays

HOST = "cmp1"
OTHERS = ("cmp2", "cmp3", "cmp4")
READY_AT = (layout.CONTROL_IP, 5999)
"""Where the database's program answers; Koboshi asks from that network."""
NOT_READY_S = 5.0


def test_what_can_come_back_is_back_in_order_and_the_rest_is_held(
    lab: Lab, nova: Nova, make_koboshi: MakeKoboshi
) -> None:
    """One of them names another, and goes when that one's program answers; nobody else waits with it."""
    koboshi = make_koboshi(policy={"ready_networks": [f"{READY_AT[0]}/32"]})
    koboshi.start()
    servers = boot(lab, HOST, bfv=4, volume=4, image=4)
    free, tied = servers[:4], servers[4:]
    database, web, *_ = free
    nova.set_metadata(database.id, **{"koboshi:ready": "tcp:{}:{}".format(*READY_AT)})
    nova.set_metadata(web.id, **{"koboshi:after": database.name})
    (opted_out,) = boot(lab, HOST, bfv=1)
    nova.set_metadata(opted_out.id, HA_Enabled="False")
    bystanders = [server for host in OTHERS for server in boot(lab, host, bfv=1)]
    judge = Judge(lab, nova, [*servers, opted_out, *bystanders])
    koboshi.wait_armed()

    lab.fault(HOST, "power")
    up = koboshi.wait_for(lambda h: is_done(h) and h.data["server"] == database.id, 90)

    def web_waits() -> None:
        assert "evacuate" not in nova.actions(web.id)

    stays(NOT_READY_S, web_waits)
    assert {h.data["server"] for h in koboshi.happenings(after=up.seq) if is_done(h)} <= {
        server.id for server in free[2:]
    }
    (waits,) = [h for h in koboshi.happenings() if h.kind == "waits_for_others"]
    assert waits.data["server"] == web.id
    with answering(lab, READY_AT):
        await_settled(koboshi)

    judge.back(free)
    judge.disks_kept(free, kinds=["volume"])
    judge.held([*tied, opted_out])
    judge.untouched(bystanders)
    service = nova.services()[HOST]
    assert service.forced_down
    assert not service.enabled
    assert (service.disabled_reason or "").startswith("koboshi:")
    assert all(nova.services()[other].enabled for other in OTHERS)
    prints_the_way_home(koboshi, [server.id for server in tied])


@contextmanager
def answering(lab: Lab, address: tuple[str, int]) -> Generator[None]:
    """Accept connections in the control plane's namespace, as a server's program does once it is up."""
    with lab.inside():
        listener = socket.create_server(address)

    def accept() -> None:
        while True:
            try:
                listener.accept()[0].close()
            except OSError:
                return

    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


def prints_the_way_home(koboshi: Koboshi, held: list[str]) -> None:
    """Hold incident and status to naming the commands, for the host and each held server."""
    (incident,) = koboshi.run("incident", "list", "-f", "json").json()
    for words in (("incident", "show", incident["id"]), ("status",)):
        told = koboshi.run(*words).out
        assert "openstack compute service set" in told, words
        assert HOST in told, words
        assert [server for server in held if server not in told] == [], words


def test_rebuild_brings_back_all_and_says_beforehand_what_is_lost(
    lab: Lab, nova: Nova, make_koboshi: MakeKoboshi
) -> None:
    """The project's quotas are used up meanwhile: Nova counts nothing when it evacuates."""
    koboshi = make_koboshi(policy={"on_local_disk": "rebuild"})
    koboshi.start()
    servers = boot(lab, HOST, bfv=4, volume=4, image=4)
    judge = Judge(lab, nova, servers)
    koboshi.wait_armed()

    with nova.quotas_used_up():
        with pytest.raises(LabError, match=r"[Qq]uota"):
            boot(lab, OTHERS[0], image=1)
        lab.fault(HOST, "power")
        await_settled(koboshi)

    judge.back(servers)
    judge.disks_kept(servers[:8], kinds=["volume"])
    judge.disks_new(servers[4:])
    committed = {
        h.data["server"]: h.seq for h in koboshi.happenings() if h.kind == "data_loss_committed"
    }
    assert set(committed) == {server.id for server in servers[4:]}
    for intent in intended(koboshi, "evacuate"):
        server = intent.data["command"]["server"]
        assert committed.get(server, 0) < intent.seq
