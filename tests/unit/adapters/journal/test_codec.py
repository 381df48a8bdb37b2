"""Events to JSON and back."""

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from koboshi.adapters.journal import codec
from koboshi.domain.errors import JournalError
from koboshi.domain.incidents.incident import Proof, ProofKind
from koboshi.domain.memory.events import CommandIntended, DeathProven, Event, HostFoundDown
from koboshi.domain.names import IncidentId

from .samples import EVENT_CLASSES, NOW, down, evacuate, fence, values


@pytest.mark.parametrize("cls", EVENT_CLASSES, ids=lambda cls: cls.__name__)
@given(data=st.data())
def test_every_event_reads_back_exactly(cls: type[Any], data: st.DataObject) -> None:
    event: Event = data.draw(values(cls))
    text = codec.encode(event)
    back = codec.decode(text, place="event 1")
    assert back == event
    assert type(back) is cls
    assert json.loads(text)["kind"] == event.kind


def test_types_inside_come_back_as_they_were() -> None:
    proof = DeathProven(incident=IncidentId("i-1"), proof=Proof(kind=ProofKind.FENCED_OFF, at=NOW))
    back = codec.decode(codec.encode(proof), place="event 1")
    assert isinstance(back, DeathProven)
    assert back.proof.kind is ProofKind.FENCED_OFF
    assert back.proof.at.boot == timedelta(days=12, microseconds=345678)
    assert back.proof.at.wall.utcoffset() == timedelta()
    move = codec.decode(codec.encode(evacuate("c-1")), place="event 2")
    assert isinstance(move, CommandIntended)
    assert move == evacuate("c-1")
    assert isinstance(getattr(move.command, "known_records", None), frozenset)


@pytest.mark.parametrize(
    "data",
    [
        '{"kind":"host_abducted","host":"host-1"}',
        '{"kind":"host_found_down","host":"host-1","colour":"red"}',
        '{"kind":"command_ended","command":"c-1","outcome":"perhaps","detail":""}',
        '{"kind":"command_intended","command":{"type":"teleport","id":"c-1"}}',
    ],
    ids=["kind", "field", "outcome", "command"],
)
def test_what_a_newer_version_wrote_is_refused_not_skipped(data: str) -> None:
    with pytest.raises(JournalError, match=r"event 7 .*newer Koboshi; run that version"):
        codec.decode(data, place="event 7")


@pytest.mark.parametrize(
    "data",
    ["", "{", "[]", "{}", '{"kind":"host_found_down"}', '{"kind":"host_found_down","host":3}'],
)
def test_what_is_no_event_is_damage(data: str) -> None:
    with pytest.raises(JournalError, match=r"event 7 .*damaged; put back a backup"):
        codec.decode(data, place="event 7")


@pytest.mark.parametrize(
    "event",
    [
        HostFoundDown(host=3),  # pyright: ignore[reportArgumentType] - the bug that is meant
        down("half a \ud800 character"),
        replace(evacuate("c-1"), command=None),
    ],
    ids=["type", "surrogate", "none"],
)
def test_what_cannot_be_read_back_is_not_written(event: Event) -> None:
    with pytest.raises(JournalError, match=r"a bug; nothing was written"):
        codec.encode(event)


def test_the_columns_tell_what_an_event_is_about() -> None:
    assert codec.columns(fence("c-1")) == {
        "kind": "command_intended",
        "incident": "i-1",
        "server": None,
    }
    assert codec.columns(evacuate("c-1"))["server"] == "s-1"
    assert codec.columns(down("host-1"))["incident"] is None
