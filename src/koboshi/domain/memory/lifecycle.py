"""Lifecycles as data: a table of steps, and the one function that takes a step."""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from koboshi.domain.errors import IllegalTransition

S = TypeVar("S", bound=StrEnum)

Table = Mapping[S, frozenset[S]]


def step(table: Table[S], current: S, to: S) -> S:
    """Return `to` if the table has the step from `current`; otherwise raise IllegalTransition."""
    if to not in table[current]:
        allowed = ", ".join(sorted(table[current])) or "nothing: it is an end"
        raise IllegalTransition(f"no step from {current} to {to} (from there: {allowed})")
    return to
