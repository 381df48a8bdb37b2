"""The memory is a fold: the same events give the same state, however they are cut."""

import pytest

from koboshi.domain.incidents.incident import IncidentState
from koboshi.domain.instant import Instant
from koboshi.domain.memory.commands import FenceOff, Outcome
from koboshi.domain.memory.events import (
    CommandAccepted,
    CommandEnded,
    CommandIntended,
    DaemonStarted,
    Event,
    HostFoundDown,
    HostNoticeCleared,
    HostNoticed,
    HostSeenUp,
    IncidentMoved,
    IncidentOpened,
    RecoveryMoved,
    ServersListed,
    WitnessTrusted,
)
from koboshi.domain.memory.state import fold
from koboshi.domain.names import CommandId, ServerId
from koboshi.domain.recoveries.recovery import RecoveryState
from koboshi.sim.samples import image_server, server
from tests.fakes.scene import H1, INCIDENT, Scene, ago, at, candidate

S = RecoveryState
A = ServerId("a")


def started() -> DaemonStarted:
    return DaemonStarted(version="0", mode="act", install="test")


STORY: list[tuple[Instant, Event]] = [
    (at(1), started()),
    (at(2), WitnessTrusted(host=H1, target="ssh:22@h1")),
    (at(3), HostFoundDown(host=H1)),
    (at(4), HostSeenUp(host=H1)),
    (at(5), HostNoticed(host=H1, topic="hung", text="hung")),
    (at(6), HostNoticeCleared(host=H1, topic="hung")),
    (at(7), IncidentOpened(incident=INCIDENT, host=H1, evidence=("silent", "off"))),
    (at(8), IncidentMoved(incident=INCIDENT, to=IncidentState.FENCING, reason="silent")),
    (
        at(8),
        CommandIntended(command=FenceOff(id=CommandId("f"), incident=INCIDENT, host=H1)),
    ),
    (at(9), CommandEnded(command=CommandId("f"), outcome=Outcome.DONE)),
    (at(10), ServersListed(incident=INCIDENT, candidates=(candidate(server("a")),))),
    (at(11), started()),
]


@pytest.mark.parametrize("cut", range(len(STORY) + 1))
def test_however_the_journal_is_cut_the_state_is_the_same(cut: int) -> None:
    assert fold(STORY[cut:], fold(STORY[:cut])) == fold(STORY)


def test_what_the_fold_remembers() -> None:
    state = fold(STORY)
    assert (state.starts, state.mode, state.install) == (2, "act", "test")
    assert state.started_at == at(11)
    assert state.fences == {H1: at(8)}
    assert not state.found_down
    assert not state.notices
    assert not state.commands
    assert state.command_count == 1
    incident = state.incidents[INCIDENT]
    assert (incident.state, incident.fence_attempts) == (IncidentState.FENCING, 1)
    assert (incident.opened_at, incident.moved_at) == (at(7), at(8))
    assert incident.servers_listed
    assert state.recoveries[INCIDENT][A].state is S.QUEUED


def test_the_fold_changes_nothing_that_it_was_given() -> None:
    before = fold(STORY[:7])
    again = fold(STORY[:7])
    fold(STORY[7:], before)
    assert before == again


def test_an_incident_begins_with_its_servers_as_they_are_meant() -> None:
    listed = Scene().recovering(
        candidate(server("a")),
        candidate(image_server("h")),
        candidate(server("i", metadata={"HA_Enabled": "False"})),
    )
    states = {r.server: r.state for r in listed.state.recoveries[INCIDENT].values()}
    assert states == {"a": S.QUEUED, "h": S.HELD, "i": S.IGNORED}


def test_a_server_is_listed_once() -> None:
    scene = Scene().recovering(candidate(server("a"))).sent("a")
    scene.tell(1, ServersListed(incident=INCIDENT, candidates=(candidate(server("a")),)))
    assert scene.recovery("a").state is S.BUILDING


@pytest.mark.parametrize(
    ("outcome", "posts", "refusals", "failed"),
    [
        (Outcome.REFUSED, 0, 1, set[str]()),
        (Outcome.FAILED, 1, 0, {"h2"}),
        (Outcome.UNRESOLVED, 1, 0, set[str]()),
        (Outcome.DONE, 1, 0, set[str]()),
    ],
)
def test_what_an_outcome_leaves_behind(
    outcome: Outcome, posts: int, refusals: int, failed: set[str]
) -> None:
    scene = Scene().recovering(candidate(server("a"))).sent("a", "h2")
    scene.tell(1, CommandEnded(command=CommandId("evacuate-a-1"), outcome=outcome))
    recovery = scene.recovery("a")
    assert (recovery.posts, recovery.refusals) == (posts, refusals)
    assert recovery.failed_destinations == failed
    assert recovery.command is None
    assert not scene.state.commands


def test_a_lost_answer_pins_the_server_to_its_destination() -> None:
    scene = Scene().recovering(candidate(server("a"))).lost("a", "h5")
    assert scene.recovery("a").pinned == "h5"
    command = scene.recovery("a").command
    assert command is not None
    scene.tell(1, CommandEnded(command=command, outcome=Outcome.UNRESOLVED))
    assert scene.recovery("a").pinned == "h5"


def test_command_names_are_never_used_twice() -> None:
    scene = Scene().recovering(candidate(server("a")))
    first = scene.picture().new_command_id(scene.the_incident(), "x")
    scene.sent("a")
    assert scene.picture().new_command_id(scene.the_incident(), "x") != first


def test_an_accepted_answer_ends_the_refusals() -> None:
    scene = Scene().recovering(candidate(server("a")))
    scene.intend(scene.evacuate(), 9)
    scene.tell(
        8,
        CommandEnded(command=CommandId("evacuate-a-1"), outcome=Outcome.REFUSED),
        RecoveryMoved(incident=INCIDENT, server=A, to=S.QUEUED, reason=""),
    )
    assert scene.recovery("a").refusals == 1
    scene.intend(scene.evacuate(number=2), 5)
    scene.tell(4, CommandAccepted(command=CommandId("evacuate-a-2")))
    assert scene.recovery("a").refusals == 0
    assert scene.recovery("a").moved_at == ago(4)
