"""Restart order: who waits for whom, for how long, and when waiting is in vain."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from koboshi.domain.facts.cloud import Power, ProbeAnswer, Server, ServerGroup
from koboshi.domain.facts.world import GroupsRead, ReadyRead, ServersRead
from koboshi.domain.incidents.incident import IncidentState
from koboshi.domain.incidents.laid_down import give_over
from koboshi.domain.interest import interest_of
from koboshi.domain.memory.commands import Outcome
from koboshi.domain.memory.events import CommandEnded, IncidentMoved, RecoveryMoved, WaitsForOthers
from koboshi.domain.names import ServerId
from koboshi.domain.policies.readiness import readiness_of
from koboshi.domain.recoveries.plan import plan
from koboshi.domain.recoveries.recovery import Candidate, RecoveryState
from koboshi.domain.recoveries.restart_order import MOST_ASKED, RestartOrder
from koboshi.domain.recoveries.stall import stalled_notice
from koboshi.domain.rules import Mode, PolicyRules, Rules
from koboshi.sim.samples import image_server, server
from tests.fakes.scene import (
    H1,
    INCIDENT,
    Scene,
    ago,
    candidate,
    destinations,
    readings,
    room,
)

S = RecoveryState
NETWORK = ("10.20.0.0/16",)
RULES = Rules(
    mode=Mode.ACT,
    install="test",
    policy=PolicyRules(ready_networks=NETWORK, wait_at_most=timedelta(minutes=10)),
)
TO_DONE = (S.CONFIRMING, S.SETTLING, S.DONE)


def named(name: str, after: str = "", ready: str = "", **more: Any) -> Server:
    metadata = {"koboshi:after": after, "koboshi:ready": ready}
    return server(name, metadata={k: v for k, v in metadata.items() if v}, **more)


def wanted(one: Server) -> Candidate:
    """Return what is meant for a server; where it may be asked is what the operator allows."""
    found = candidate(one)
    ready = readiness_of(one.metadata.get("koboshi:ready", "none"))
    return replace(found, ready=ready)


def scene(*dead: Server, alive: tuple[Server, ...] = (), age_s: float = 20.0) -> Scene:
    """Return a host that died with some servers; the project has others, which run."""
    made = Scene(6, RULES).recovering(*(wanted(s) for s in dead), age_s=age_s)
    read = ServersRead(at=ago(1), servers=(*dead, *alive))
    made.world = replace(made.world, of_project={"p": read})
    return made.rooms(*(room(f"h{n}") for n in range(2, 7)))


def end(made: Scene, name: str, *to: RecoveryState, age_s: float = 3.0) -> Scene:
    made.sent(name, age_s=age_s + 5)
    command = made.recovery(name).command
    assert command is not None
    made.tell(age_s, CommandEnded(command=command, outcome=Outcome.DONE))
    for step in to:
        made.tell(
            age_s, RecoveryMoved(incident=INCIDENT, server=ServerId(name), to=step, reason="test")
        )
    return made


def look(made: Scene) -> tuple[set[str], list[WaitsForOthers]]:
    """Return who is sent now, and what is told of waits."""
    decision = plan(made.picture())
    told = [e for e in decision.events if isinstance(e, WaitsForOthers)]
    return set(destinations(decision.commands)), told


def waited(made: Scene, age_s: float, *awaits: str) -> Scene:
    event = WaitsForOthers(incident=INCIDENT, server=ServerId("web"), awaits=awaits, reason="waits")
    return made.tell(age_s, event)


def test_it_waits_and_the_others_go() -> None:
    made = scene(named("web", "db"), named("db"), named("other"))
    sent, told = look(made)
    assert sent == {"db", "other"}
    assert [(e.server, e.awaits, e.without) for e in told] == [("web", ("db",), ())]


def test_it_is_told_once_and_holds_no_slot() -> None:
    made = scene(*(named(f"web{n}", "db") for n in range(20)), named("db"), named("z-other"))
    _, told = look(made)
    assert len(told) == 20
    made.tell(1, *told)
    assert look(made) == ({"db", "z-other"}, [])


def test_it_goes_when_what_it_waits_for_is_done() -> None:
    made = waited(scene(named("web", "db"), named("db")), 15, "db")
    assert look(end(made, "db", S.CONFIRMING, S.SETTLING)) == (set(), [])
    made.tell(2, RecoveryMoved(incident=INCIDENT, server=ServerId("db"), to=S.DONE, reason="test"))
    sent, told = look(made)
    assert sent == {"web"}
    assert [(e.awaits, e.without) for e in told] == [((), ())]


def test_who_never_waited_is_not_told_of() -> None:
    made = scene(named("web", "db"), alive=(named("db", on="h2"),))
    assert look(made) == ({"web"}, [])


READY = "tcp:10.20.0.7:5432"


def answered(made: Scene, answer: ProbeAnswer, age_s: float) -> Scene:
    asked = readiness_of(READY)
    assert asked is not None
    made.world = replace(made.world, ready={asked: ReadyRead(at=ago(age_s), answer=answer)})
    return made


@pytest.mark.parametrize(
    ("answer", "age_s", "is_up"),
    [
        (ProbeAnswer.USERLAND, 1, True),
        (ProbeAnswer.USERLAND, 4, False),  # asked before it was up again
        (ProbeAnswer.KERNEL, 1, False),  # refused: a kernel, and no program
        (ProbeAnswer.SILENT, 1, False),
        (ProbeAnswer.OWN_TROUBLE, 1, False),
    ],
)
def test_who_came_back_must_answer_since(answer: ProbeAnswer, age_s: float, *, is_up: bool) -> None:
    made = waited(scene(named("web", "db"), named("db", ready=READY)), 15, "db")
    made = answered(end(made, "db", *TO_DONE), answer, age_s)
    assert look(made)[0] == ({"web"} if is_up else set())
    assert interest_of(made.picture()).ready == {readiness_of(READY)}


@pytest.mark.parametrize(("age_s", "is_up"), [(5, True), (31, False)])
def test_who_was_not_hit_must_answer_now(age_s: float, *, is_up: bool) -> None:
    alive = named("db", on="h2", ready=READY)
    made = answered(scene(named("web", "db"), alive=(alive,)), ProbeAnswer.USERLAND, age_s)
    assert look(made)[0] == ({"web"} if is_up else set())


def test_nobody_is_asked_where_the_operator_does_not_allow_it() -> None:
    alive = named("db", on="h2", ready="tcp:192.0.2.1:22")
    made = scene(named("web", "db"), alive=(alive,))
    assert look(made)[0] == {"web"}
    assert not interest_of(made.picture()).ready


def test_so_many_places_are_asked_at_most() -> None:
    alive = tuple(
        named(f"db{n}", on="h2", ready=f"tcp:10.20.0.7:{n + 1}") for n in range(MOST_ASKED + 5)
    )
    made = scene(named("web", ",".join(s.name for s in alive)), alive=alive)
    assert len(interest_of(made.picture()).ready) == MOST_ASKED


@pytest.mark.parametrize(
    ("alive", "why"),
    [
        ((), "its project has no server db"),
        ((replace(named("db", on="h2"), project_id="q"),), "its project has no server db"),
        ((named("db", on="h2", vm_state="stopped"),), "db is stopped"),
        ((named("db", on="h2", vm_state="error"),), "db is error"),
    ],
)
def test_it_does_not_wait_in_vain(alive: tuple[Server, ...], why: str) -> None:
    mine = tuple(s for s in alive if s.project_id == "p")
    sent, told = look(scene(named("web", "db"), alive=mine))
    assert sent == {"web"}
    assert told[0].without == ("db",)
    assert why in told[0].reason


@pytest.mark.parametrize(
    ("to", "waits"),
    [
        ((S.POSTING,), True),
        ((S.POSTING, S.BUILDING), True),
        ((S.POSTING, S.UNKNOWN), True),
        ((S.POSTING, S.BUILDING, S.STUCK), True),
        ((S.FOREIGN,), True),
        ((S.HELD,), False),
        ((S.GIVEN_UP,), False),
        ((S.REFUSED,), False),
        ((S.GONE,), False),
        ((S.POSTING, S.ORPHAN_SUSPECTED), False),
    ],
)
def test_where_its_recovery_stands(to: tuple[RecoveryState, ...], *, waits: bool) -> None:
    """Of what may arrive by itself it is waited for; of what waits for a person, or its host, not."""
    made = scene(named("web", "db"), named("db"))
    for step in to:
        made.tell(5, RecoveryMoved(incident=INCIDENT, server=ServerId("db"), to=step, reason="x"))
    sent, told = look(made)
    assert ("web" not in sent) == waits
    assert (told[0].awaits == ("db",)) == waits
    assert (told[0].without == ("db",)) != waits


@pytest.mark.parametrize(("wait", "waits"), [("5m", True), ("30m", False)])
def test_one_that_is_rebuilt_soon_is_waited_for(wait: str, *, waits: bool) -> None:
    metadata = {"koboshi:on_local_disk": f"rebuild-after={wait}"}
    sent, _ = look(scene(named("web", "db"), image_server("db", metadata=metadata)))
    assert ("web" not in sent) == waits


def test_one_that_was_stopped_is_not_waited_for() -> None:
    made = end(scene(named("web", "db"), named("db", vm_state="stopped")), "db", *TO_DONE)
    sent, told = look(made)
    assert sent == {"web"}
    assert told[0].without == ("db",)


def test_a_host_that_fails_makes_what_is_on_it_none_that_is_up() -> None:
    made = scene(named("web", "db"), alive=(named("db", on="h2"),)).dark("h2", 3.0)
    assert "web" not in look(made)[0]


@pytest.mark.parametrize("clock", ["runs", "back", "rebooted"])
def test_the_cap(clock: str) -> None:
    """After it the server goes, whatever our wall clock says, and whoever was restarted meanwhile."""
    made = waited(scene(named("web", "db"), named("db")), 599, "db")
    made.tell(5, RecoveryMoved(incident=INCIDENT, server=ServerId("db"), to=S.POSTING, reason="x"))
    assert "web" not in look(made)[0]
    made = waited(scene(named("web", "db"), named("db")), 601, "db")
    made.tell(5, RecoveryMoved(incident=INCIDENT, server=ServerId("db"), to=S.POSTING, reason="x"))
    if clock == "back":
        made.now = replace(made.now, wall=made.now.wall - timedelta(days=1))
    if clock == "rebooted":
        since = made.recovery("web").waits_since
        assert since is not None
        of = made.state.recoveries[INCIDENT]
        old = replace(of[ServerId("web")], waits_since=replace(since, boot_id="before"))
        made.state = replace(made.state, recoveries={INCIDENT: {**of, ServerId("web"): old}})
    sent, told = look(made)
    assert "web" in sent
    assert (told[0].awaits, told[0].without) == ((), ("db",))
    assert told[0].reason.startswith("it has waited 10m")


def test_it_waits_once_only() -> None:
    made = waited(waited(scene(named("web", "db"), named("db")), 700, "db"), 30)
    made.tell(5, RecoveryMoved(incident=INCIDENT, server=ServerId("db"), to=S.POSTING, reason="x"))
    assert look(made) == ({"web"}, [])


@pytest.mark.parametrize(
    "ring",
    [("a", "b"), ("a", "b", "c"), ("a",)],
)
def test_a_circle_delays_nobody(ring: tuple[str, ...]) -> None:
    following = dict(zip(ring, ring[1:] + ring[:1], strict=True))
    sent, told = look(scene(*(named(n, following[n]) for n in ring)))
    assert sent == set(ring)
    assert len(told) == (len(ring) if len(ring) > 1 else 0)  # of itself nothing is told


def test_who_waits_for_a_circle_waits() -> None:
    sent, _ = look(scene(named("web", "a"), named("a", "b"), named("b", "a")))
    assert sent == {"a", "b"}


def test_a_chain_goes_one_by_one() -> None:
    made = scene(named("c", "b"), named("b", "a"), named("a"))
    assert look(made)[0] == {"a"}
    assert look(end(made, "a", *TO_DONE))[0] == {"b"}


NAMES = ("a", "b", "c", "d", "e")


@given(st.fixed_dictionaries({n: st.sets(st.sampled_from((*NAMES, "nobody"))) for n in NAMES}))
@settings(max_examples=60, deadline=None)
def test_whatever_they_say_of_each_other_all_go(says: dict[str, set[str]]) -> None:
    """Nobody waits for a cap where all that can come back do, and nobody overtakes whom it waits for."""
    made = scene(*(named(n, ",".join(sorted(says[n]))) for n in NAMES))
    done: list[str] = []
    for _ in NAMES:
        sent, told = look(made)
        without = {e.server: set(e.without) for e in told}
        for name in sent:
            missing = says[name] - set(done) - {name}
            assert missing == without.get(ServerId(name), set())
        made.tell(10, *told)
        for name in sent:
            end(made, name, *TO_DONE)
        done += sent
    assert sorted(done) == list(NAMES)


def group(made: Scene, *members: str, project: str = "p") -> Scene:
    found = ServerGroup(
        id="g-1",
        name="dbs",
        project_id=project,
        policy="soft-affinity",
        members=frozenset(map(ServerId, members)),
    )
    made.world = replace(made.world, groups=GroupsRead(at=ago(1), groups=(found,)))
    return made


@pytest.mark.parametrize("word", ["group:dbs", "group:g-1"])
def test_a_group_is_up_when_all_of_it_is(word: str) -> None:
    alive = named("db2", on="h2")
    made = group(scene(named("web", word), named("db1"), alive=(alive,)), "db1", "db2", "web")
    assert look(made)[0] == {"db1"}
    assert look(end(made, "db1", *TO_DONE))[0] == {"web"}


def test_another_projects_group_says_nothing() -> None:
    made = group(scene(named("web", "group:dbs"), named("db1")), "db1", project="q")
    sent, told = look(made)
    assert sent == {"web", "db1"}
    assert told[0].without == ("group:dbs",)


def test_all_of_one_name_are_meant() -> None:
    twin = replace(named("db"), id=ServerId("db-2"))
    made = scene(named("web", "db"), named("db"), twin)
    assert "web" not in look(end(made, "db", *TO_DONE))[0]
    assert "web" in look(end(made, "db-2", *TO_DONE))[0]


def test_before_the_project_is_read_nothing_is_told_yet() -> None:
    made = scene(named("web", "db"), age_s=3)
    made.world = replace(made.world, of_project={})
    assert look(made) == (set(), [])
    assert interest_of(made.picture()).projects == {"p"}
    made = scene(named("web", "db"), age_s=12)
    made.world = replace(made.world, of_project={})
    assert look(made)[1][0].awaits == ("db",)


def test_it_waits_only_from_when_it_could_be_sent() -> None:
    made = scene(named("web", "db"), named("db"))
    made.world = replace(made.world, room={})
    assert look(made) == (set(), [])


def test_whoever_waits_for_fewer_is_told_again_and_nobody_flickers() -> None:
    made = scene(named("web", "a, b"), named("a"), named("b"))
    _, told = look(made)
    assert told[0].awaits == ("a", "b")
    made.tell(15, *told)
    made = end(made, "a", *TO_DONE)
    _, told = look(made)
    assert told[0].awaits == ("b",)
    made.tell(1, *told)
    assert look(made)[1] == []


def test_a_wait_is_no_stall() -> None:
    """Neither the notice nor the hand-over to a person comes of it; both do when it is over."""
    made = waited(scene(named("web", "db"), named("db"), age_s=900), 590, "db")
    end(made, "db", *TO_DONE, age_s=800)
    made.world = replace(made.world, of_project={})
    made.set_power("h1", readings((300.0, Power.OFF)))  # no proof any more
    assert stalled_notice(made.picture(), H1) is None
    assert not give_over(made.picture(), made.the_incident())
    late = waited(scene(named("web", "db"), named("db"), age_s=1600), 1400, "db")
    end(late, "db", *TO_DONE, age_s=1390)
    late.set_power("h1", readings((300.0, Power.OFF)))
    assert stalled_notice(late.picture(), H1) is not None
    assert give_over(late.picture(), late.the_incident())


def test_others_that_do_not_get_on_are_told_as_ever() -> None:
    made = waited(scene(named("web", "db"), named("other"), age_s=900), 590, "db")
    assert stalled_notice(made.picture(), H1) is not None


def test_the_host_that_comes_back_ends_it() -> None:
    made = waited(scene(named("web", "db"), named("db")), 15, "db")
    made.tell(5, IncidentMoved(incident=INCIDENT, to=IncidentState.SOURCE_BACK, reason="x"))
    made.tell(4, RecoveryMoved(incident=INCIDENT, server=ServerId("web"), to=S.HELD, reason="x"))
    assert not made.recovery("web").waits_for_others
    assert look(made) == (set(), [])


def test_without_a_word_nothing_is_looked_up() -> None:
    made = scene(named("web"), named("db"))
    order = RestartOrder(made.picture())
    assert list(order.waiting()) == []
    assert not interest_of(made.picture()).projects
