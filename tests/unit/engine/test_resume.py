"""After a crash: what was meant is known, what became of it is not, and is read before anything."""

import pytest

from koboshi.domain.memory.commands import FenceOff, Isolate, Outcome, StartServer, StopServer
from koboshi.domain.memory.events import CommandEnded, CommandUnknown
from koboshi.domain.memory.state import State
from koboshi.domain.names import CommandId, ServerId, ServiceId
from koboshi.domain.recoveries.recovery import RecoveryState
from koboshi.engine.resume import resume
from koboshi.sim.samples import server
from tests.fakes.scene import H1, INCIDENT, MARKER, Scene, candidate

S = RecoveryState
A = ServerId("a")


def test_after_a_crash_a_request_without_an_answer_is_unknown() -> None:
    scene = Scene().recovering(candidate(server("a")))
    scene.intend(scene.evacuate())
    (event,) = resume(scene.state)
    assert isinstance(event, CommandUnknown)
    scene.tell(0, event)
    assert scene.recovery("a").state is S.UNKNOWN
    assert resume(scene.state) == ()


def test_after_a_crash_an_accepted_request_is_still_followed() -> None:
    scene = Scene().recovering(candidate(server("a"))).sent("a")
    assert resume(scene.state) == ()
    assert scene.recovery("a").state is S.BUILDING


@pytest.mark.parametrize(
    "command",
    [
        FenceOff(id=CommandId("x"), incident=INCIDENT, host=H1),
        Isolate(
            id=CommandId("x"), incident=INCIDENT, host=H1, service=ServiceId("s"), marker=MARKER
        ),
        StopServer(id=CommandId("x"), incident=INCIDENT, server=A),
        StartServer(id=CommandId("x"), incident=INCIDENT, server=A, host=H1, why="test"),
    ],
)
def test_after_a_crash_what_is_asserted_by_level_may_be_repeated(
    command: FenceOff | Isolate | StopServer | StartServer,
) -> None:
    assert command.may_be_repeated
    scene = Scene().recovering(candidate(server("a"))).intend(command)
    (event,) = resume(scene.state)
    assert isinstance(event, CommandEnded)
    assert event.outcome is Outcome.UNRESOLVED
    scene.tell(0, event)
    assert not scene.state.commands


def test_an_empty_journal_resumes_nothing() -> None:
    assert resume(State()) == ()
