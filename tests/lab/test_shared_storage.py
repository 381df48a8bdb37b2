"""Disks on storage that hosts are declared to share: a real Nova's word on `onSharedStorage` at 2.13."""

from lab import Lab
from lab.rig.nova import Nova
from lab.rig.things import Things

from .conftest import MakeKoboshi
from .judge import Judge, await_settled, boot, intended

HOST = "cmp1"
STORAGE = {"shared_aggregates": ["lab-nfs"]}


def test_a_false_declaration_costs_no_disk_and_is_loud(
    lab: Lab, nova: Nova, make_koboshi: MakeKoboshi, things: Things
) -> None:
    things.aggregate("lab-nfs", lab.hosts)
    koboshi = make_koboshi(storage=STORAGE, policy={"on_local_disk": "rebuild"})
    koboshi.start()
    servers = boot(lab, HOST, bfv=1, image=3)
    judge = Judge(lab, nova, servers)
    koboshi.wait_armed()

    lab.fault(HOST, "power")
    await_settled(koboshi)

    judge.back(servers[:1])
    (unseen,) = [h for h in koboshi.happenings() if h.kind == "storage_not_seen"]
    asked = [s for s in servers[1:] if "evacuate" in nova.actions(s.id)]
    assert [s.id for s in asked] == [unseen.data["server"]]
    assert [r.status for r in nova.evacuations() if r.server == asked[0].id] == ["failed"]
    row = nova.servers()[asked[0].id]
    assert (row.status, row.host) == ("ERROR", HOST)
    judge.held([s for s in servers[1:] if s not in asked])
    for server in servers[1:]:
        assert judge.running_on(server) == []
    judge.disks_kept(servers[1:], kinds=["local"])
    noticed = [h for h in koboshi.happenings() if h.data.get("topic") == "storage_not_seen"]
    assert [h.data["host"] for h in noticed] == [HOST]
    assert "lab-nfs" in str(noticed[0].data)


def test_a_true_one_brings_the_disks_along_and_a_host_outside_refuses(
    lab: Lab, nova: Nova, make_koboshi: MakeKoboshi, things: Things
) -> None:
    """Nova knows nothing of the storage: its first choice is the emptiest host, which does not see it."""
    sharing = ["cmp1", "cmp2", "cmp3"]
    things.aggregate("lab-nfs", sharing)
    koboshi = make_koboshi(storage=STORAGE)
    koboshi.start()
    for host in sharing:
        lab.knob(host, shared_storage=True)
    servers = [*boot(lab, HOST, image=1), *lab.boot(host=HOST, kind="ephemeral")]
    for host in sharing[1:]:
        boot(lab, host, bfv=2)
    judge = Judge(lab, nova, servers)
    koboshi.wait_armed()

    lab.fault(HOST, "power")
    koboshi.wait_for(
        lambda h: h.kind == "destination_chosen" and h.data["destination"] == "cmp4", 60
    )
    nova.change_service(nova.services()["cmp4"], status="disabled", disabled_reason="no such disk")
    await_settled(koboshi)

    rows = nova.servers()
    for server in servers:
        own = [(r.status, r.destination) for r in nova.evacuations() if r.server == server.id]
        assert own[-1] == ("done", rows[server.id].host), own
        assert all(one == ("failed", "cmp4") for one in own[:-1]), own
        assert judge.running_on(server) == [rows[server.id].host]
        assert rows[server.id].host in sharing[1:]
    judge.disks_kept(servers, kinds=["shared"])
    sent = [h.data["command"] for h in intended(koboshi, "evacuate")]
    assert {c["destination"] for c in sent} == {None}
