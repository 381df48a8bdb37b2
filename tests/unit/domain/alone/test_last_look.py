"""What is asked once more before a start leaves, and each answer that forbids it."""

from dataclasses import replace

import pytest

from koboshi.domain.alone.last_look import LoneLook, why_not_start_alone
from koboshi.domain.alone.stops import Stop, StopCause, StopState
from koboshi.domain.facts.cloud import InstanceAction
from koboshi.domain.memory.commands import StartServer
from koboshi.domain.names import CommandId, HostName, ServerId
from koboshi.sim.virtual_time import BEGINNING
from tests.fakes.scene import H1, ago

COMMAND = StartServer(id=CommandId("c"), server=ServerId("a"), host=H1, why="test")
STOP = Stop(
    server=ServerId("a"),
    name="a",
    host=H1,
    cause=StopCause.REBOOT,
    state=StopState.STARTING,
    reason="",
    seen_at=ago(30),
    moved_at=ago(1),
    tries=1,
)


def actions(*newest_first: tuple[str, str | None]) -> tuple[InstanceAction, ...]:
    return tuple(InstanceAction(name=n, user=u, at=BEGINNING) for n, u in newest_first)


LOOK = LoneLook(stop=STOP, actions=actions(("stop", None)), host_is_up=True, brake=None)


def test_nothing_speaks_against_it() -> None:
    assert why_not_start_alone(COMMAND, LOOK) is None


@pytest.mark.parametrize(
    "look",
    [
        replace(LOOK, stop=None),
        replace(LOOK, stop=replace(STOP, state=StopState.OVER)),
        replace(LOOK, stop=replace(STOP, host=HostName("h2"))),
        replace(LOOK, host_is_up=False),
        replace(LOOK, brake="the brake is held"),
        replace(LOOK, actions=actions(("stop", "user"))),
        replace(LOOK, actions=actions(("start", "user"), ("stop", None))),
        replace(LOOK, actions=()),
    ],
)
def test_each_of_these_forbids_it(look: LoneLook) -> None:
    assert why_not_start_alone(COMMAND, look) is not None


def test_our_own_start_before_is_nobody_elses_order() -> None:
    again = replace(
        LOOK, stop=replace(STOP, tries=2), actions=actions(("start", "us"), ("stop", None))
    )
    assert why_not_start_alone(COMMAND, again) is None
    stopped = replace(again, actions=actions(("stop", "user"), ("start", "us"), ("stop", None)))
    assert why_not_start_alone(COMMAND, stopped) is not None
