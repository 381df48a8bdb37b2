"""Events, moments and strategies for them, for the tests of the journal."""

import types
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any, Literal, NewType, Union, cast, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from koboshi.domain.instant import Instant
from koboshi.domain.memory.commands import Evacuate, FenceOff
from koboshi.domain.memory.events import CommandEnded, CommandIntended, Event, HostFoundDown
from koboshi.domain.names import CommandId, HostName, IncidentId, MigrationId, ServerId

EVENT_CLASSES: tuple[type[Any], ...] = get_args(Event)
NOW = Instant(
    wall=datetime(2026, 5, 4, 3, 2, 1, 987654, tzinfo=UTC),
    boot=timedelta(days=12, microseconds=345678),
    boot_id="0b9f7ad3-2d1c-4a3e-8f6d-1c7a0a4a4f10",
)
CENTURY = timedelta(days=36_525)


def down(host: str) -> HostFoundDown:
    """Return the plainest event."""
    return HostFoundDown(host=HostName(host))


def fence(command: str, host: str = "host-1") -> CommandIntended:
    """Return the intent to switch a host off."""
    return CommandIntended(
        command=FenceOff(id=CommandId(command), incident=IncidentId("i-1"), host=HostName(host)),
    )


def evacuate(command: str, server: str = "s-1") -> CommandIntended:
    """Return the intent to evacuate a server."""
    return CommandIntended(
        command=Evacuate(
            id=CommandId(command),
            incident=IncidentId("i-1"),
            host=HostName("host-1"),
            server=ServerId(server),
            destination=HostName("host-2"),
            rebuilds=False,
            known_records=frozenset({MigrationId("m-1"), MigrationId("m-2")}),
            baseline=NOW.wall,
        ),
    )


def ended(command: str, outcome: Any) -> CommandEnded:
    """Return the end of a command."""
    return CommandEnded(command=CommandId(command), outcome=outcome)


def values(hint: Any) -> st.SearchStrategy[Any]:
    """Return every value that a field with this type may have.

    Ours rather than `from_type`: moments have a zone and durations are those of a machine.
    """
    origin, inner = get_origin(hint), get_args(hint)
    if origin in (types.UnionType, Union):
        return st.one_of([values(one) for one in inner])
    if origin is Literal:
        return st.sampled_from(inner)
    if origin is frozenset:
        return st.frozensets(values(inner[0]), max_size=4)
    if origin is tuple:
        return st.lists(values(inner[0]), max_size=3).map(tuple)
    if isinstance(hint, NewType):
        return values(hint.__supertype__)
    if is_dataclass(hint):
        hints = get_type_hints(hint)
        made = {field.name: values(hints[field.name]) for field in fields(hint)}
        return st.builds(cast("type[Any]", hint), **made)
    if isinstance(hint, type) and issubclass(hint, Enum):
        return st.sampled_from(hint)
    return PLAIN[hint]


PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    types.NoneType: st.none(),
    bool: st.booleans(),
    int: st.integers(min_value=-(2**63), max_value=2**63 - 1),
    str: st.text(max_size=40),
    datetime: st.datetimes(timezones=st.just(UTC)),
    timedelta: st.timedeltas(min_value=timedelta(), max_value=CENTURY),
}
