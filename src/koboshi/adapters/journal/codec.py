"""Events to JSON and back, exactly: what reads back differently is never written.

State is a fold over what this module reads, so a skipped or bent event is a wrong decision later:
anything that is not plainly an event of this version is an error.
"""

from typing import Annotated, cast

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from koboshi.domain.errors import JournalError
from koboshi.domain.memory.events import CommandIntended, Event

# Strict and closed: a newer version's extra field is refused, not dropped.
_ADAPTER: TypeAdapter[Event] = TypeAdapter(
    Annotated[Event, Field(discriminator="kind")],
    config=ConfigDict(extra="forbid", strict=True),
)

_NEWER = {"union_tag_invalid", "unexpected_keyword_argument", "enum", "literal_error"}
"""The ways in which an event of a newer version differs from ours."""


def encode(event: Event) -> str:
    """Return the event as JSON; raise JournalError if it would not read back the same."""
    try:
        data = _ADAPTER.dump_json(event, warnings="error")
        same = _ADAPTER.validate_json(data) == event
    except (PydanticSerializationError, ValidationError, UnicodeError) as error:
        raise JournalError(
            f"the event {event.kind} cannot be written as JSON, a bug; nothing was written: "
            f"{error}",
        ) from error
    if not same:
        raise JournalError(
            f"the event {event.kind} would read back differently, a bug; nothing was written: "
            f"{event!r}",
        )
    return data.decode()


def decode(data: str, *, place: str) -> Event:
    """Return the event that `data` holds; `place` names where it stands, for the error."""
    try:
        return _ADAPTER.validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        what = f"{place} does not read ({where + ': ' if where else ''}{first['msg']})"
        if first["type"] in _NEWER:
            raise JournalError(
                f"{what}: it was written by a newer Koboshi; run that version or a later one",
            ) from error
        raise JournalError(f"{what}: the journal is damaged; put back a backup of it") from error


def columns(event: Event) -> dict[str, str | None]:
    """Return what an event is about, as far as it says so, for people who search the table."""
    about = event.command if isinstance(event, CommandIntended) else event
    return {
        "kind": event.kind,
        "incident": cast("str | None", getattr(about, "incident", None)),
        "server": cast("str | None", getattr(about, "server", None)),
    }
