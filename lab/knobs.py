"""Knobs: small JSON files that the plug-ins read at each call, so that a test can turn them live.

`knobs/HOST.json` is read by a host's hypervisor, `knobs/api-SERVICE.json` by an API's web server,
`knobs/bmc-HOST.json` by a host's BMC. A missing file means that everything is normal.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def read(run: Path, name: str) -> dict[str, Any]:
    """Give the values that are set."""
    try:
        return json.loads((run / "knobs" / f"{name}.json").read_text())
    except FileNotFoundError:
        return {}


def write(run: Path, name: str, values: dict[str, Any]) -> None:
    """Replace all values; none at all means normal."""
    path = run / "knobs" / f"{name}.json"
    if not values:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    new.write_text(json.dumps(values))
    new.replace(path)


def update(run: Path, name: str, **values: Any) -> dict[str, Any]:
    """Change some values; None takes a value away."""
    kept = {k: v for k, v in {**read(run, name), **values}.items() if v is not None}
    write(run, name, kept)
    return kept
