"""No state of an incident lasts for ever in silence: a deadline and an exit, or a person who was told."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from koboshi.domain.facts.cloud import ComputeService
from koboshi.domain.incidents.advance import advance
from koboshi.domain.incidents.incident import (
    INCIDENT_STEPS,
    WAITS_FOR_A_PERSON,
    IncidentState,
    Proof,
    ProofKind,
    deadline_of,
)
from koboshi.domain.memory.commands import Isolate, Outcome
from koboshi.domain.memory.events import CommandEnded, DeathProven, IncidentMoved
from koboshi.domain.names import CommandId, ServiceId
from koboshi.domain.rules import Mode, Rules
from koboshi.sim.samples import image_server, server
from tests.fakes.scene import H1, INCIDENT, MARKER, OFF_THRICE, Scene, ago, candidate

S_ = IncidentState
RULES = Rules(mode=Mode.ACT, install="test")
HOUR_S = 3600.0
GET_ON = sorted(set(S_) - WAITS_FOR_A_PERSON - {S_.CLOSED})


def stub(s: Scene) -> Scene:
    """Let the host's cell not answer: Nova lists the host, and says nothing of it."""
    row = ComputeService(host=H1, binary="nova-compute")
    track = replace(s.world.services[H1], service=row)
    s.world = replace(s.world, services={**s.world.services, H1: track})
    return s


def begun(for_s: float, *path: IncidentState) -> Scene:
    """Return an incident of a dark host that came to a state so long ago."""
    return Scene(rules=RULES).dark(for_s=for_s + 60).incident(*path, age_s=for_s)


def proven(for_s: float, *path: IncidentState) -> Scene:
    s = begun(for_s).set_power("h1", OFF_THRICE)
    s.tell(
        for_s,
        DeathProven(incident=INCIDENT, proof=Proof(kind=ProofKind.FOUND_OFF, at=ago(for_s))),
        *(IncidentMoved(incident=INCIDENT, to=to, reason="test") for to in path),
    )
    return s


def refused(s: Scene, age_s: float = 5) -> Scene:
    """Let Nova have refused to force the host down."""
    command = Isolate(
        id=CommandId("isolate-1"),
        incident=INCIDENT,
        host=H1,
        service=ServiceId("service-h1"),
        marker=MARKER,
    )
    ended = CommandEnded(command=command.id, outcome=Outcome.REFUSED, detail="no")
    return s.intend(command, age_s + 1).tell(age_s, ended)


def afterwards(for_s: float, *path: IncidentState) -> Scene:
    """Return an incident whose servers are safe, and whose way home has come so far; nothing is read of it."""
    held = candidate(image_server("a"))
    s = Scene(rules=RULES).recovering(held, age_s=for_s + 5)
    for to in (S_.SETTLED, *path):
        s.tell(for_s, IncidentMoved(incident=INCIDENT, to=to, reason="test"))
    s.world = replace(s.world, from_host={}, sweep=None)
    # It is on its way home: nobody knows whether it answers.
    return s.set_probe("h1", None) if path else s


def back(for_s: float) -> Scene:
    s = Scene(rules=RULES).recovering(candidate(server("a")), age_s=for_s + 5)
    s.sent(age_s=for_s)
    s.world = replace(s.world, fenced=s.world.fenced - {H1})
    return s.tell(for_s, IncidentMoved(incident=INCIDENT, to=S_.SOURCE_BACK, reason="it beats"))


RETURNED = (S_.RETURNING, S_.RECONCILING)
STUCK: dict[IncidentState, tuple[float, Callable[[float], Scene]]] = {
    S_.CONFIRMED: (600, lambda s: begun(s).set_probe("h1", None)),
    S_.FENCING: (30, lambda s: begun(s, S_.FENCING)),
    S_.PROVEN: (HOUR_S, lambda s: stub(proven(s, S_.PROVEN))),
    S_.ISOLATING: (600, lambda s: refused(proven(s, S_.PROVEN, S_.ISOLATING))),
    S_.RECOVERING: (
        600,
        lambda s: (
            Scene(rules=RULES).recovering(candidate(server("a")), age_s=s).set_power("h1", None)
        ),
    ),
    S_.SOURCE_BACK: (600, back),
    S_.SETTLED: (HOUR_S, afterwards),
    S_.POWERING_ON: (300, lambda s: afterwards(s, S_.POWERING_ON)),
    S_.RETURNING: (900, lambda s: afterwards(s, S_.RETURNING)),
    S_.RECONCILING: (HOUR_S, lambda s: afterwards(s, *RETURNED)),
    S_.RESTORING: (1800, lambda s: afterwards(s, *RETURNED, S_.RESTORING)),
    S_.ENABLING: (HOUR_S, lambda s: afterwards(s, *RETURNED, S_.RESTORING, S_.ENABLING)),
}
"""Each state that should get on by itself, how long nothing may come of it, and how that comes about."""


def moved_to(s: Scene) -> list[IncidentState]:
    events = advance(s.picture(), s.the_incident()).events
    return [e.to for e in events if isinstance(e, IncidentMoved)]


@pytest.mark.parametrize("state", sorted(set(S_) - {S_.CLOSED, S_.NEEDS_HUMAN, S_.FOREIGN}))
def test_every_state_that_is_not_final_has_an_exit_to_a_person(state: IncidentState) -> None:
    assert S_.NEEDS_HUMAN in INCIDENT_STEPS[state]


@pytest.mark.parametrize("state", list(S_))
def test_every_state_has_a_deadline_or_waits_for_a_person_or_is_final(state: IncidentState) -> None:
    has_deadline = deadline_of(state, RULES) is not None
    assert [has_deadline, state in WAITS_FOR_A_PERSON, not INCIDENT_STEPS[state]].count(True) == 1


@pytest.mark.parametrize("state", GET_ON)
def test_a_state_of_which_nothing_comes_ends_with_a_person_at_its_deadline(
    state: IncidentState,
) -> None:
    after_s, stuck = STUCK[state]
    assert moved_to(stuck(after_s - 20)) == []
    (to,) = moved_to(stuck(after_s + 20))
    assert to in WAITS_FOR_A_PERSON


def test_nothing_is_given_over_while_a_request_is_open() -> None:
    s = proven(700, S_.PROVEN, S_.ISOLATING)
    open_since = refused(s, age_s=5)
    assert moved_to(open_since) == [S_.NEEDS_HUMAN]
    s = proven(700, S_.PROVEN, S_.ISOLATING)
    s.intend(
        Isolate(
            id=CommandId("isolate-1"),
            incident=INCIDENT,
            host=H1,
            service=ServiceId("service-h1"),
            marker=MARKER,
        ),
        2,
    )
    assert moved_to(s) == []


def given_over(tried_s: float, for_s: float) -> Scene:
    """Return an incident whose force-down Nova would not take for so long, a person's since so long."""
    s = refused(proven(for_s + tried_s, S_.PROVEN, S_.ISOLATING), age_s=for_s + 5)
    return s.tell(for_s, IncidentMoved(incident=INCIDENT, to=S_.NEEDS_HUMAN, reason="test"))


@pytest.mark.parametrize(
    ("tried_s", "for_s", "to"),
    [
        (600, 580, []),
        (600, 620, [S_.CONFIRMED]),
        (2400, 2300, []),
        (2400, 2420, [S_.CONFIRMED]),
        (3500, 3620, [S_.CONFIRMED]),
    ],
)
def test_what_nova_would_not_take_is_tried_again_ever_more_rarely(
    tried_s: float, for_s: float, to: list[IncidentState]
) -> None:
    assert moved_to(given_over(tried_s, for_s)) == to


def test_it_is_not_tried_while_nova_is_unwell_nor_on_a_host_that_lives() -> None:
    assert moved_to(stub(given_over(600, 900))) == []
    s = given_over(600, 900)
    s.set_power("h1", None).set_heartbeat("h1", 3.0)
    assert S_.CONFIRMED not in moved_to(s)


def test_what_lasts_is_counted_only_while_we_watched() -> None:
    s = refused(proven(700, S_.PROVEN, S_.ISOLATING))
    s.world = replace(s.world, began_at=ago(100))
    assert moved_to(s) == []
