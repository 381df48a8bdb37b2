"""What every section of the settings is made of."""

from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict

from koboshi.settings.duration import parse_duration

Duration = Annotated[timedelta, BeforeValidator(parse_duration)]


def seconds(count: float) -> timedelta:
    """Return a duration, for defaults and bounds."""
    return timedelta(seconds=count)


def minutes(count: float) -> timedelta:
    """Return a duration, for defaults and bounds."""
    return timedelta(minutes=count)


def as_list(value: object) -> object:
    """Let one pattern stand for a list of one, and an environment variable hold several."""
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


Patterns = Annotated[tuple[str, ...], BeforeValidator(as_list)]


class Section(BaseModel):
    """What all tables share: no unknown keys, no changes, no values in error texts."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


def http_url(value: str) -> str:
    """Return an http(s) address without its last slash; raises ValueError for anything else."""
    scheme, separator, rest = value.partition("://")
    if "@" in rest.partition("/")[0]:
        raise ValueError("an address must not hold a user or a password; they have their own keys")
    if scheme not in {"http", "https"} or not separator or not rest.strip("/"):
        raise ValueError(f'"{value}" is no address; write https://HOST[:PORT]')
    return value.rstrip("/")
