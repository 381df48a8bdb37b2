"""One of four hosts loses its power: the main job."""

from lab import Lab
from lab.rig.koboshi import Koboshi
from lab.rig.nova import Nova

from .conftest import MakeKoboshi
from .judge import Judge, await_settled, boot, intended

HOST = "cmp1"
OTHERS = ("cmp2", "cmp3", "cmp4")


def test_what_can_come_back_is_back_and_the_rest_is_held(
    lab: Lab, nova: Nova, koboshi: Koboshi
) -> None:
    servers = boot(lab, HOST, bfv=4, volume=4, image=4)
    free, tied = servers[:4], servers[4:]
    bystanders = [server for host in OTHERS for server in boot(lab, host, bfv=1)]
    judge = Judge(lab, nova, [*servers, *bystanders])

    lab.fault(HOST, "power")
    await_settled(koboshi)

    judge.back(free)
    judge.disks_kept(free, kinds=["volume"])
    judge.held(tied)
    judge.untouched(bystanders)
    service = nova.services()[HOST]
    assert service.forced_down
    assert not service.enabled
    assert (service.disabled_reason or "").startswith("koboshi:")
    assert all(nova.services()[other].enabled for other in OTHERS)


def test_the_way_home_is_printed_for_the_host_and_its_held_servers(
    lab: Lab, nova: Nova, koboshi: Koboshi
) -> None:
    free, tied = boot(lab, HOST, bfv=1), boot(lab, HOST, image=1)
    judge = Judge(lab, nova, [*free, *tied])
    lab.fault(HOST, "power")
    await_settled(koboshi)
    judge.back(free)

    (incident,) = koboshi.run("incident", "list", "-f", "json").json()
    shown = koboshi.run("incident", "show", incident["id"])
    status = koboshi.run("status")

    for text in (shown.out, status.out + status.err):
        assert HOST in text
        assert tied[0].id in text or tied[0].name in text
        assert "openstack compute service set" in text


def test_rebuild_brings_back_all_and_says_beforehand_what_is_lost(
    lab: Lab, nova: Nova, make_koboshi: MakeKoboshi
) -> None:
    koboshi = make_koboshi(policy={"on_local_disk": "rebuild"})
    koboshi.start()
    koboshi.wait_armed()
    servers = boot(lab, HOST, bfv=4, volume=4, image=4)
    judge = Judge(lab, nova, servers)

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


def test_a_server_that_opted_out_is_left_alone(lab: Lab, nova: Nova, koboshi: Koboshi) -> None:
    out, protected = boot(lab, HOST, bfv=2)
    nova.set_metadata(out.id, HA_Enabled="False")
    judge = Judge(lab, nova, [out, protected])

    lab.fault(HOST, "power")
    await_settled(koboshi)

    judge.back([protected])
    judge.held([out])
