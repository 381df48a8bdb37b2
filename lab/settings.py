"""What a lab run was made with, and its passwords; kept in files so that each command finds it."""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from lab.errors import LabError
from lab.layout import MAX_HOSTS, host_names

if TYPE_CHECKING:
    from pathlib import Path

    from lab.layout import Layout

# report_interval and service_down_time of nova, in seconds
INTERVALS = {"fast": (2, 6), "default": (10, 60)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What `lab up` was asked for."""

    hosts: int = 4
    intervals: str = "fast"

    def __post_init__(self) -> None:
        if not 1 <= self.hosts <= MAX_HOSTS:
            raise LabError(f"HOSTS={self.hosts}: a lab has 1 to {MAX_HOSTS} hosts")
        if self.intervals not in INTERVALS:
            raise LabError(f"INTERVALS={self.intervals}: choose one of {', '.join(INTERVALS)}")

    @property
    def host_names(self) -> list[str]:
        """List the compute hosts."""
        return host_names(self.hosts)


def save(lab: Layout, settings: Settings, *, ready: bool) -> None:
    """Remember the settings, and whether the lab came up with them."""
    write_atomically(lab.settings_file, json.dumps({**asdict(settings), "ready": ready}) + "\n")


def load(lab: Layout) -> tuple[Settings, bool] | None:
    """Give the settings of the lab in run/ and whether it came up; None if there is none."""
    try:
        kept = json.loads(lab.settings_file.read_text())
        return Settings(hosts=kept["hosts"], intervals=kept["intervals"]), bool(kept["ready"])
    except (OSError, ValueError, KeyError, TypeError, LabError):
        return None


def require(lab: Layout) -> Settings:
    """Give the settings of the lab that is up, or say how to get one."""
    kept = load(lab)
    if kept is None or not kept[1]:
        raise LabError("the lab is not up; start it with: make lab")
    return kept[0]


def require_host(lab: Layout, host: str) -> str:
    """Refuse a name that no host of this lab has."""
    known = require(lab).host_names
    if host not in known:
        raise LabError(f"unknown host {host!r}; this lab has {', '.join(known)}")
    return host


def password(folder: Path, name: str, *, strength_bytes: int = 18) -> str:
    """Give the password of that name, made at the first call and kept in the folder."""
    path = folder / name
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(path, secrets.token_urlsafe(strength_bytes), mode=0o600)
    return path.read_text()


def write_atomically(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Write the file so that no reader sees a part of it."""
    new = path.with_name(path.name + ".new")
    new.unlink(missing_ok=True)
    new.touch(mode=mode)
    new.write_text(text)
    new.replace(path)
