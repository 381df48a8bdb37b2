"""A dark host that an operator had disabled: a word hands it over, and it is given back as it was."""

from dataclasses import replace

import pytest

from koboshi.domain.decision import Decision
from koboshi.domain.facts.ownership import others_hand
from koboshi.domain.facts.world import MigrationsRead
from koboshi.domain.home.guard_home import why_not_enable
from koboshi.domain.home.powering import go_home
from koboshi.domain.incidents.advance import advance
from koboshi.domain.incidents.incident import IncidentState, Isolation
from koboshi.domain.incidents.steps import is_given_back
from koboshi.domain.memory.commands import EnableService, RestoreDisable
from koboshi.domain.memory.events import (
    HostIsolated,
    IncidentMoved,
    IncidentOpened,
    WordGiven,
    WordVoided,
)
from koboshi.domain.names import CommandId, ServiceId
from koboshi.domain.word import ConfirmDead, answer
from tests.fakes.following import moves
from tests.fakes.scene import H1, MARKER, OFF_THRICE, Scene, ago, probe

S = IncidentState
WHO = "uid 0 (root), pid 7"


def disabled(reason: str | None = "memory errors") -> Scene:
    """Return a host that went dark while an operator had it disabled; no power device can be read."""
    scene = Scene(6).dark("h1", for_s=60).set_power("h1", None)
    scene.set_heartbeat("h1", 65, enabled=False, disabled_reason=reason)
    read = MigrationsRead(at=ago(1), records=(), unbroken_since=ago(1))
    scene.world = replace(scene.world, fenced=scene.world.fenced - {H1}, from_host={H1: read})
    return scene


def said(scene: Scene) -> Decision:
    answered = answer(scene.picture(), ConfirmDead(host=H1, note="I looked"), WHO)
    assert isinstance(answered, Decision), answered
    return answered


@pytest.mark.parametrize(("reason", "kept"), [("memory errors", "memory errors"), (None, "")])
def test_the_word_opens_its_incident_and_takes_the_host_over(reason: str | None, kept: str) -> None:
    opened, given = said(disabled(reason)).events
    assert isinstance(opened, IncidentOpened)
    assert isinstance(given, WordGiven)
    assert given.handed_over == kept
    scene = disabled(reason)
    scene.tell(2.0, opened, given)
    assert moves(scene) == ["proven", "isolating"]


def test_without_a_word_nothing_is_begun() -> None:
    assert moves(disabled()) == []


def test_one_that_somebody_disabled_in_the_middle_can_be_handed_over_too() -> None:
    scene = disabled().incident(S.HELD, age_s=40)
    assert moves(scene) == ["foreign"]
    assert "koboshi host confirm-dead h1" in scene.the_incident().reason
    scene.tell(2.0, *said(scene).events)
    assert moves(scene) == ["confirmed", "proven", "isolating"]


def test_a_word_does_not_take_it_from_somebody_who_changes_his_reason_after_it() -> None:
    scene = disabled()
    scene.tell(2.0, *said(scene).events)
    scene.set_heartbeat("h1", 65, enabled=False, disabled_reason="I evacuate it myself")
    assert moves(scene) == ["foreign"]
    assert scene.the_incident().word is None


def test_a_sign_of_life_gives_it_back_untouched() -> None:
    scene = disabled()
    scene.tell(2.0, *said(scene).events)
    scene.set_probe("h1", probe("h1"))
    assert moves(scene) == ["closed"]


@pytest.mark.parametrize(
    ("enabled", "forced_down", "reason", "is_theirs"),
    [
        (False, False, "memory errors", False),
        (False, True, "memory errors", True),
        (False, False, "another", True),
        (True, False, "", False),
        (True, True, "", True),
    ],
)
def test_only_what_stands_as_it_was_handed_over_is_ours(
    reason: str, *, enabled: bool, forced_down: bool, is_theirs: bool
) -> None:
    scene = disabled().set_heartbeat(
        "h1", 65, enabled=enabled, forced_down=forced_down, disabled_reason=reason or None
    )
    service = scene.world.services[H1].service
    assert (others_hand(service, MARKER, "memory errors") is not None) is is_theirs


def home_again(*path: IncidentState) -> Scene:
    """Return the host on its way home, disabled by us, its records read."""
    scene = disabled()
    scene.tell(900, *said(scene).events)
    incident = scene.the_incident().id
    isolation = Isolation(service=ServiceId("service-h1"), marker=MARKER, baseline=None)
    scene.tell(890, HostIsolated(incident=incident, isolation=isolation))
    way = (S.CONFIRMED, S.PROVEN, S.ISOLATING, S.RECOVERING, S.SETTLED, *path)
    for to in way[1:]:
        scene.tell(60, IncidentMoved(incident=incident, to=to, reason="test"))
    scene.set_heartbeat("h1", 1.0, enabled=False, disabled_reason=MARKER)
    read = MigrationsRead(at=ago(1), records=(), unbroken_since=ago(1))
    scene.world = replace(scene.world, from_host={H1: read})
    return scene.set_probe("h1", probe("h1"))


def test_it_is_given_back_disabled_with_its_operators_own_reason() -> None:
    scene = home_again(S.RETURNING, S.RECONCILING, S.RESTORING, S.ENABLING)
    scene.tell(50, WordVoided(incident=scene.the_incident().id, reason="it answers"))
    (command,) = advance(scene.picture(), scene.the_incident()).commands
    assert isinstance(command, RestoreDisable)
    assert command.reason == "memory errors"
    assert not is_given_back(scene.picture(), scene.the_incident())
    scene.set_heartbeat("h1", 1.0, enabled=False, disabled_reason="memory errors")
    assert is_given_back(scene.picture(), scene.the_incident())


def test_it_is_never_enabled() -> None:
    scene = home_again(S.RETURNING, S.RECONCILING, S.RESTORING, S.ENABLING)
    service, incident = scene.world.services[H1].service, scene.the_incident()
    enable = EnableService(
        id=CommandId("enable-1"),
        incident=incident.id,
        host=H1,
        service=ServiceId("service-h1"),
        marker=MARKER,
    )
    why = why_not_enable(enable, incident, service, ())
    assert why is not None
    assert "theirs" in why
    assert why_not_enable(enable, replace(incident, handed_over=None), service, ()) is None


def test_whoever_disabled_it_switches_it_on() -> None:
    scene = home_again().set_power("h1", OFF_THRICE)
    (event,) = go_home(scene.picture(), scene.the_incident()).events
    assert isinstance(event, IncidentMoved)
    assert event.to is S.PARKED
    assert "an operator had disabled it (memory errors)" in event.reason
