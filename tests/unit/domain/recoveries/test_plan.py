"""Whose turn it is, and where each goes: order, limits, room, zones, groups, and when nobody goes."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from koboshi.domain.facts.cloud import Demand, Flavor, Power
from koboshi.domain.facts.world import ApiView
from koboshi.domain.incidents.incident import IncidentState
from koboshi.domain.interest import interest_of
from koboshi.domain.memory.commands import Evacuate, Outcome
from koboshi.domain.memory.events import (
    CommandEnded,
    DataLossCommitted,
    IncidentMoved,
    NoHostFound,
    RecoveryMoved,
    ServersListed,
)
from koboshi.domain.names import HostName, ServerId
from koboshi.domain.recoveries.fitting import in_order
from koboshi.domain.recoveries.plan import give_up_without_room, plan, retry_after
from koboshi.domain.recoveries.priority import Priority
from koboshi.domain.recoveries.recovery import Candidate, RecoveryState, Treatment
from koboshi.domain.rules import Mode, OnLocalDisk, Rules
from koboshi.sim.samples import image_server, server
from tests.fakes.scene import (
    INCIDENT,
    Scene,
    candidate,
    destinations,
    evacuation_record,
    probe,
    readings,
    room,
)


def bfv(name: str, *, ram_mb: int = 1024, vm_state: str = "active", vcpus: int = 1) -> Candidate:
    flavor = Flavor(name="f", vcpus=vcpus, ram_mb=ram_mb, disk_gb=1)
    return candidate(server(name, flavor=flavor, vm_state=vm_state))


def rebuilt(name: str) -> Candidate:
    return candidate(image_server(name), OnLocalDisk.REBUILD)


def dead_host(*candidates: Candidate, hosts: int = 6, rules: Rules | None = None) -> Scene:
    scene = Scene(hosts, rules).recovering(*candidates)
    return scene.rooms(*(room(f"h{n}") for n in range(1, hosts + 1)))


def moved(server_name: str, to: RecoveryState) -> RecoveryMoved:
    return RecoveryMoved(incident=INCIDENT, server=ServerId(server_name), to=to, reason="test")


def sent(scene: Scene) -> dict[str, str]:
    return destinations(plan(scene.picture()).commands)


def test_all_go_at_once_spread_over_fresh_hosts() -> None:
    scene = dead_host(*(bfv(f"s{n}") for n in range(5)))
    assert sorted(sent(scene).values()) == ["h2", "h3", "h4", "h5", "h6"]


def test_the_order() -> None:
    """What loses nothing first, running before stopped, larger first."""
    scene = dead_host(
        rebuilt("a-rebuilt"),
        bfv("b-stopped", vm_state="stopped"),
        bfv("c-small", ram_mb=512),
        bfv("d-large", ram_mb=4096),
        hosts=10,
    )
    assert list(sent(scene)) == ["d-large", "c-small", "b-stopped", "a-rebuilt"]


def test_the_window_bounds_what_is_on_its_way() -> None:
    names = [f"s{n}" for n in range(12)]
    scene = dead_host(*(bfv(n) for n in names), hosts=20)
    assert len(sent(scene)) == 8
    for name in names[:5]:
        scene.sent(name, "h9")
    assert len(sent(scene)) == 3


def test_two_per_destination() -> None:
    scene = dead_host(*(bfv(f"s{n}") for n in range(8)), hosts=3)
    assert sorted(sent(scene).values()) == ["h2", "h2", "h3", "h3"]


def test_eight_per_volume_back_end() -> None:
    """Two whose volumes are elsewhere do not wait; those of which nothing is known are one more's."""

    def on(backend: str, name: str) -> Candidate:
        return replace(bfv(name), backends=frozenset({backend}))

    ceph = [on("ctl1@ceph", f"a{n}") for n in range(10)]
    unknown = [on("", f"b{n}") for n in range(9)]
    both = replace(bfv("c0"), backends=frozenset({"ctl1@ceph", "ctl2@lvm"}))
    rules = replace(Scene().rules, window=40)
    scene = dead_host(*ceph, *unknown, both, on("ctl2@lvm", "d0"), hosts=40, rules=rules)
    assert Counter(name[0] for name in sent(scene)) == {"a": 8, "b": 8, "d": 1}
    for name in sent(scene):
        scene.sent(name, "h9")
    assert sent(scene) == {}
    scene.tell(3, moved("a0", RecoveryState.CONFIRMING))
    assert set(sent(scene)) == {"a8"}


def test_one_rebuild_per_destination() -> None:
    scene = dead_host(*(rebuilt(f"s{n}") for n in range(8)), hosts=3)
    assert sorted(sent(scene).values()) == ["h2", "h3"]


@pytest.mark.parametrize(
    ("to", "frees"),
    [
        (None, False),
        (RecoveryState.STUCK, False),
        (RecoveryState.CONFIRMING, True),
        (RecoveryState.GIVEN_UP, True),
    ],
)
def test_a_slot_is_freed_by_a_terminal_record_only(
    to: RecoveryState | None, *, frees: bool
) -> None:
    scene = dead_host(*(bfv(f"s{n}") for n in range(3)), hosts=2)
    scene.sent("s0").sent("s1")
    if to is not None:
        moved = RecoveryMoved(incident=INCIDENT, server=ServerId("s0"), to=to, reason="test")
        scene.tell(5, moved)
    assert bool(sent(scene)) is frees


def closed(scene: Scene) -> None:
    for host in ("h2", "h3"):
        scene.set_heartbeat(host, 3, enabled=False)


def forced_down(scene: Scene) -> None:
    for host in ("h2", "h3"):
        scene.set_heartbeat(host, 3, forced_down=True)


def late(scene: Scene) -> None:
    for host in ("h2", "h3"):
        scene.set_heartbeat(host, 14)


def quiet(scene: Scene) -> None:
    for host in ("h2", "h3"):
        scene.set_probe(host, probe(host, 2))


def in_trouble(scene: Scene) -> None:
    for host in ("h2", "h3"):
        scene.incident(IncidentState.HELD, host=host)


def in_another_zone(scene: Scene) -> None:
    for host in ("h2", "h3"):
        scene.set_heartbeat(host, 3, zone="far")


@pytest.mark.parametrize("spoil", [closed, forced_down, late, quiet, in_trouble, in_another_zone])
def test_destinations_are_fresh_open_and_of_the_right_zone(spoil: Callable[[Scene], None]) -> None:
    placed = replace(bfv("a"), availability_zone="nova")
    scene = dead_host(placed, hosts=3)
    assert sent(scene)
    spoil(scene)
    assert sent(scene) == {}


def test_a_server_without_a_zone_goes_anywhere() -> None:
    scene = dead_host(bfv("a"), hosts=3)
    in_another_zone(scene)
    assert sent(scene)


@pytest.mark.parametrize(
    "demand",
    [
        Demand(vcpus=33, ram_mb=1, disk_gb=1),
        Demand(vcpus=1, ram_mb=70_000, disk_gb=1),
        Demand(vcpus=1, ram_mb=1, disk_gb=1001),
    ],
)
def test_nobody_is_sent_where_no_room_is_known(demand: Demand) -> None:
    """NoValidHost would turn an ACTIVE server into ERROR."""
    assert sent(dead_host(replace(bfv("a"), demand=demand))) == {}


def test_room_that_was_read_long_ago_is_not_known() -> None:
    scene = dead_host(bfv("a"))
    assert sent(scene.rooms(room("h2"), age_s=14.9))
    assert sent(scene.rooms(room("h2"), age_s=15.1)) == {}
    scene.world = replace(scene.world, room={})
    assert sent(scene) == {}


def test_room_is_not_given_away_twice() -> None:
    scene = dead_host(bfv("a", vcpus=20), bfv("b", vcpus=20), bfv("c", vcpus=20), hosts=3)
    assert sorted(sent(scene).values()) == ["h2", "h3"]


@pytest.mark.parametrize(("read_s_ago", "goes"), [(3.0, {}), (1.0, {"b": "h2"})])
def test_who_arrived_since_the_room_was_read_takes_its_part(
    read_s_ago: float, goes: dict[str, str]
) -> None:
    scene = dead_host(bfv("a", vcpus=20), bfv("b", vcpus=20), hosts=2).sent("a", "h2", age_s=8)
    for to, age_s in ((RecoveryState.CONFIRMING, 4.0), (RecoveryState.SETTLING, 3.5)):
        scene.tell(age_s, moved("a", to))
    command = scene.recovery("a").command
    assert command is not None
    scene.tell(3.5, CommandEnded(command=command, outcome=Outcome.DONE))
    scene.tell(2.0, moved("a", RecoveryState.DONE))
    assert sent(scene.rooms(room("h2"), age_s=read_s_ago)) == goes


def test_a_host_whose_servers_are_known_is_listed_calmly() -> None:
    hosts = interest_of(dead_host(bfv("a")).picture())
    assert hosts.list_servers == hosts.list_again == {"h1"}
    before = interest_of(Scene().incident().picture())
    assert not before.list_again


def test_an_anti_affinity_group_goes_one_at_a_time_and_never_onto_one_host() -> None:
    names = frozenset(ServerId(n) for n in "abc")
    group = [replace(bfv(n), separate_from=names - {n}) for n in "abc"]
    scene = dead_host(*group, hosts=3)
    assert sent(scene) == {"a": "h2"}
    scene.sent("a", "h2")
    assert sent(scene) == {}
    done = (
        RecoveryMoved(
            incident=INCIDENT, server=ServerId("a"), to=RecoveryState.CONFIRMING, reason=""
        ),
    )
    scene.tell(3, *done)
    assert sent(scene) == {"b": "h3"}


def test_a_destination_that_failed_is_not_tried_again() -> None:
    scene = dead_host(bfv("a"), hosts=3).sent("a", "h2")
    command = scene.recovery("a").command
    assert command is not None
    scene.tell(
        5,
        CommandEnded(command=command, outcome=Outcome.FAILED),
        RecoveryMoved(incident=INCIDENT, server=ServerId("a"), to=RecoveryState.QUEUED, reason=""),
    )
    assert sent(scene) == {"a": "h3"}


def test_a_request_whose_answer_was_lost_is_asked_again_only_there() -> None:
    scene = dead_host(bfv("a"), hosts=6).lost("a", "h5", age_s=200)
    command = scene.recovery("a").command
    assert command is not None
    scene.tell(
        50,
        CommandEnded(command=command, outcome=Outcome.UNRESOLVED),
    )
    again = scene.evacuate("a", "h5", number=2)
    scene.intend(again, 50)
    scene.tell(
        49,
        CommandEnded(command=again.id, outcome=Outcome.REFUSED),
        RecoveryMoved(incident=INCIDENT, server=ServerId("a"), to=RecoveryState.QUEUED, reason=""),
    )
    assert sent(scene) == {"a": "h5"}
    scene.set_heartbeat("h5", 3, enabled=False)
    assert sent(scene) == {}


NOTHING_IS_SENT: dict[str, Callable[[Scene], object]] = {
    "observe": lambda s: setattr(s, "rules", Rules(mode=Mode.OBSERVE)),
    "api fails": lambda s: setattr(s, "world", replace(s.world, api=ApiView(failing_since=s.now))),
    "no records": lambda s: setattr(s, "world", replace(s.world, from_host={})),
    "old records": lambda s: s.read_records(age_s=10.5),
    "old proof": lambda s: s.set_power("h1", readings((11.0, Power.OFF))),
    "life": lambda s: s.set_probe("h1", probe("h1")),
    "source back": lambda s: s.tell(
        1, IncidentMoved(incident=INCIDENT, to=IncidentState.SOURCE_BACK, reason="")
    ),
}


@pytest.mark.parametrize("case", NOTHING_IS_SENT)
def test_nothing_is_sent(case: str) -> None:
    scene = dead_host(bfv("a"))
    assert sent(scene)
    NOTHING_IS_SENT[case](scene)
    assert sent(scene) == {}


def test_held_servers_are_never_sent() -> None:
    held = candidate(image_server("a"))
    assert held.treatment is Treatment.HOLD
    assert sent(dead_host(held, bfv("b"))) == {"b": "h2"}


def test_a_rebuild_is_committed_in_the_same_breath() -> None:
    decision = plan(dead_host(rebuilt("a"), bfv("b")).picture())
    assert decision.events == (
        DataLossCommitted(
            incident=INCIDENT,
            server=ServerId("a"),
            disks=("root",),
            policy="on_local_disk is 'rebuild': its root will be lost",
        ),
    )


def test_the_records_that_are_there_already_are_known_to_the_request() -> None:
    scene = dead_host(bfv("a"), bfv("b"))
    scene.read_records(evacuation_record("a", "error", 1), evacuation_record("b", "failed", 2))
    commands = plan(scene.picture()).commands
    known = {c.server: c.known_records for c in commands if isinstance(c, Evacuate)}
    assert known == {"a": {"record-1"}, "b": {"record-2"}}


def test_incidents_take_turns() -> None:
    rules = Rules(mode=Mode.ACT, install="test", window=4, window_most=4)
    scene = Scene(20, rules)
    scene.recovering(*(bfv(f"a{n}") for n in range(6)))
    scene.recovering(*(bfv(f"b{n}") for n in range(6)), host="h2")
    read = scene.world.from_host[HostName("h1")]
    scene.world = replace(scene.world, from_host={**scene.world.from_host, HostName("h2"): read})
    scene.rooms(*(room(f"h{n}") for n in range(3, 20)))
    assert sorted(sent(scene)) == ["a0", "a1", "b0", "b1"]


@pytest.mark.parametrize(
    ("refusals", "wait_s"), [(0, 0), (1, 2), (2, 4), (3, 8), (4, 16), (5, 30), (99, 30)]
)
def test_refused_requests_come_ever_less_often(refusals: int, wait_s: int) -> None:
    scene = dead_host(bfv("a"))
    recovery = replace(scene.recovery("a"), refusals=refusals)
    assert retry_after(recovery) == timedelta(seconds=wait_s)


def test_who_waits_for_room_in_vain_is_given_up_and_offered_again() -> None:
    scene = Scene().recovering(bfv("a"), age_s=700)
    scene.rooms()
    events = give_up_without_room(scene.picture()).events
    assert [e.to for e in events if isinstance(e, RecoveryMoved)] == [RecoveryState.GIVEN_UP]
    scene.tell(0, *events)
    assert not give_up_without_room(scene.picture())
    scene.rooms(room("h2"))
    events = give_up_without_room(scene.picture()).events
    assert [e.to for e in events if isinstance(e, RecoveryMoved)] == [RecoveryState.QUEUED]


def test_without_room_it_is_listed_at_once_with_the_reason() -> None:
    scene = dead_host(bfv("big", vcpus=40), bfv("small"))
    scene.rooms(room("h2"), room("h3"))
    (event,) = give_up_without_room(scene.picture()).events
    assert isinstance(event, RecoveryMoved)
    assert event.server == "big"
    assert event.reason == "none of 5 other hosts can take it: too little room (5)"


def test_before_the_room_is_read_nobody_is_given_up() -> None:
    scene = Scene().recovering(bfv("a"))
    assert not give_up_without_room(scene.picture())


def no_host(scene: Scene, server_name: str, *open_hosts: str, age_s: float) -> Scene:
    """Let Nova have found no host for a server that was sent to h2."""
    scene.sent(server_name, "h2", age_s=age_s + 5)
    command = scene.recovery(server_name).command
    assert command is not None
    hosts = frozenset(map(HostName, open_hosts))
    found = NoHostFound(incident=INCIDENT, server=ServerId(server_name), open_hosts=hosts)
    ended = CommandEnded(command=command, outcome=Outcome.FAILED)
    return scene.tell(age_s, found, ended, moved(server_name, RecoveryState.QUEUED))


def test_after_no_valid_host_its_like_waits() -> None:
    """Each of them would become ERROR, too; others go on."""
    scene = dead_host(bfv("a"), bfv("alike"), bfv("other", ram_mb=512), hosts=3)
    no_host(scene, "a", "h2", "h3", age_s=60)
    assert list(sent(scene)) == ["other"]


def test_it_goes_on_after_two_minutes_elsewhere_first() -> None:
    scene = dead_host(bfv("a"), bfv("alike"), hosts=3)
    no_host(scene, "a", "h2", "h3", age_s=120)
    assert sent(scene)["a"] == "h3"
    assert set(sent(scene)) == {"a", "alike"}


def test_it_goes_on_when_a_host_opens() -> None:
    scene = dead_host(bfv("a"), hosts=3)
    no_host(scene, "a", "h2", age_s=10)
    assert sent(scene) == {"a": "h3"}


def test_three_tries_in_vain_are_worth_three_more_when_a_host_opens() -> None:
    scene = dead_host(bfv("a"), hosts=3)
    for age_s in (500, 300, 100):
        no_host(scene, "a", "h2", "h3", age_s=age_s)
    scene.tell(90, moved("a", RecoveryState.GIVEN_UP))
    assert not give_up_without_room(scene.picture())
    no_hosts = {
        s: replace(f, open_hosts=frozenset({HostName("h2")})) for s, f in scene.state.full.items()
    }
    scene.state = replace(scene.state, full=no_hosts)
    events = give_up_without_room(scene.picture()).events
    assert [e.to for e in events if isinstance(e, RecoveryMoved)] == [RecoveryState.QUEUED]
    assert scene.tell(0, *events).recovery("a").posts == 0


def test_the_classes_take_turns_by_weight() -> None:
    of = [replace(bfv(f"{p}{n:02}"), priority=p) for p in Priority for n in range(15)]
    order = in_order(of, lambda c: c, {})
    first = Counter(c.priority for c in order[:15])
    assert first == {Priority.CRITICAL: 8, Priority.HIGH: 4, Priority.NORMAL: 2, Priority.LOW: 1}
    assert order[0].priority is Priority.CRITICAL


def test_who_had_their_turns_let_others_have_theirs() -> None:
    of = [replace(bfv(p), priority=p) for p in (Priority.CRITICAL, Priority.LOW)]
    assert [c.server for c in in_order(of, lambda c: c, {Priority.CRITICAL: 8})] == [
        "low",
        "critical",
    ]


def test_who_has_waited_long_goes_first_whatever_its_class() -> None:
    low, critical = (replace(bfv(p), priority=p) for p in (Priority.LOW, Priority.CRITICAL))
    scene = Scene(10).recovering(low, age_s=650)
    scene.tell(5, ServersListed(incident=INCIDENT, candidates=(critical,)))
    scene.rooms(room("h2"))
    assert list(sent(scene)) == ["low", "critical"]


def test_nothing_is_sent_while_the_newest_suspicion_is_young() -> None:
    scene = dead_host(bfv("a"))
    assert sent(scene.set_probe("h6", probe("h6", 5)))
    assert sent(scene.set_probe("h6", probe("h6", 1)))
    assert not sent(scene.set_probe("h6", probe("h6", 4)))


def test_who_waits_behind_others_is_not_given_up() -> None:
    scene = Scene(2).recovering(*(bfv(f"s{n}") for n in range(3)), age_s=700)
    scene.sent("s0").sent("s1").rooms(room("h2"))
    assert not give_up_without_room(scene.picture())
