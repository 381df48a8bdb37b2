"""What a step records, made comparable: identifiers, addresses and times are no part of a claim.

Durations are not compared; orders are. What is seen by asking again and again is a sample of what
was so: `Course` compares two such samples by their order.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from tests.contract.side import Answer

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_HEX = re.compile(r"\b[0-9a-f]{32,56}\b")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z?")
_URL = re.compile(r"https?://[0-9.]+:\d+(?:/(?:compute|identity|placement|image))?(?=/|\b|\")")


def plain(value: Any) -> Any:
    """Return a value without what differs from cloud to cloud and from run to run."""
    if isinstance(value, str):
        text = _URL.sub("<url>", value)
        return _TIME.sub("<time>", _HEX.sub("<id>", _UUID.sub("<id>", text)))
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in cast("Mapping[object, Any]", value).items()}
    if isinstance(value, list | tuple):
        return [plain(v) for v in cast("Sequence[Any]", value)]
    return value


def shape(value: Any) -> Any:
    """Return which fields a document has, and of which type each is."""
    if isinstance(value, Mapping):
        return {str(k): shape(v) for k, v in cast("Mapping[object, Any]", value).items()}
    if isinstance(value, list):
        kinds = [shape(v) for v in cast("list[Any]", value)]
        return [kind for i, kind in enumerate(kinds) if kind not in kinds[:i]]
    return type(value).__name__


def refusal(answer: Answer) -> Any:
    """Return all of an answer: for errors, whose words are part of the claim."""
    return {"status": answer.status, "body": plain(answer.body)}


def form(answer: Answer) -> Any:
    """Return an answer's status and the shape of what it tells."""
    if answer.status is None or answer.status >= 300:
        return refusal(answer)
    return {"status": answer.status, "shape": shape(answer.body)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One state, and how long it was seen to last at the least."""

    state: Any
    lasted_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Course:
    """The states of something, in the order in which they were seen."""

    seen: tuple[Seen, ...]

    def differs(self, lab: "Course") -> str | None:
        """Return what of the lab's course contradicts this one (the simulation's); None if nothing.

        Whatever was seen on the lab must be seen here in the same order, and both begin and end
        alike. A state that is too short to be sampled on the lab may be here alone.
        """
        ours, theirs = [s.state for s in self.seen], [s.state for s in lab.seen]
        at = 0
        for state in theirs:
            if state not in ours[at:]:
                return f"the lab shows {state} where the simulation does not"
            at = ours.index(state, at) + 1
        if ours[:1] != theirs[:1] or ours[-1:] != theirs[-1:]:
            return "they do not begin and end alike"
        return None

    def __str__(self) -> str:
        """Return it a line a state."""
        return "\n".join(f"    {s.lasted_s:5.1f} s  {s.state}" for s in self.seen)


def difference(sim: Any, lab: Any) -> str | None:
    """Return in words where the two facts of a claim differ; None where they agree."""
    if isinstance(sim, Course) and isinstance(lab, Course):
        why = sim.differs(lab)
        return why and f"{why}\n  lab:\n{lab}\n  simulation:\n{sim}"
    return None if sim == lab else "\n".join(_apart(sim, lab, "")) or f"{lab!r} != {sim!r}"


def _apart(sim: Any, lab: Any, path: str) -> list[str]:
    if isinstance(sim, dict) and isinstance(lab, dict):
        ours, theirs = cast("dict[str, Any]", sim), cast("dict[str, Any]", lab)
        lines = [f"{path}/{k}: only the lab has it: {theirs[k]!r}" for k in theirs if k not in ours]
        lines += [f"{path}/{k}: only the simulation: {ours[k]!r}" for k in ours if k not in theirs]
        for key in theirs:
            if key in ours:
                lines += _apart(ours[key], theirs[key], f"{path}/{key}")
        return lines
    if isinstance(sim, list) and isinstance(lab, list):
        ours_list, theirs_list = cast("list[Any]", sim), cast("list[Any]", lab)
        if len(ours_list) == len(theirs_list):
            pairs = zip(ours_list, theirs_list, strict=True)
            return [line for i, (s, o) in enumerate(pairs) for line in _apart(s, o, f"{path}[{i}]")]
    return [] if sim == lab else [f"{path}: lab {lab!r}\n{' ' * len(path)}  sim {sim!r}"]
