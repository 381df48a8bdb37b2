"""What is true on the hosts, read from their disks and never asked of OpenStack."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, TypedDict

from lab.guests import RUNNING, all_hosts

if TYPE_CHECKING:
    from pathlib import Path


class Disk(TypedDict):
    """A disk of a server; `id` changes when the disk is made anew."""

    name: str
    kind: str
    id: str


class Entry(TypedDict):
    """One server as one host has it."""

    server: str
    name: str
    host: str
    running: bool
    disks: list[Disk]


def read(run: Path) -> list[Entry]:
    """List every definition on every host, also on those without power."""
    entries: list[Entry] = []
    for disk in all_hosts(run):
        powered = disk.powered
        for server in disk.servers():
            guest = disk.get(server)
            if guest is None:
                continue
            entries.append(
                Entry(
                    server=server,
                    name=guest.name,
                    host=disk.host,
                    running=powered and guest.state == RUNNING,
                    disks=[
                        Disk(name=d["name"], kind=d["kind"], id=d["id"]) for d in disk.disks(guest)
                    ],
                )
            )
    return entries


def violations(run: Path) -> list[dict[str, object]]:
    """List each server that was started in this run while it ran elsewhere.

    A server that runs twice now is listed even if nobody recorded its start.
    """
    recorded = _lines(run / "violations.jsonl")
    known = {line["server"] for line in recorded}
    running: dict[str, list[str]] = {}
    names: dict[str, str] = {}
    for entry in read(run):
        names[entry["server"]] = entry["name"]
        if entry["running"]:
            running.setdefault(entry["server"], []).append(entry["host"])
    now: list[dict[str, object]] = [
        {"at": time.time(), "server": server, "name": names[server], "hosts": hosts}
        for server, hosts in running.items()
        if len(hosts) > 1 and server not in known
    ]
    return [*recorded, *now]


def power_reads(run: Path) -> list[dict[str, object]]:
    """List every power reading that a BMC gave, oldest first."""
    return _lines(run / "bmc-reads.jsonl")


def events(run: Path) -> list[dict[str, object]]:
    """List each start, stop and destruction of a server in this run, oldest first."""
    return _lines(run / "guest-events.jsonl")


def _lines(path: Path) -> list[dict[str, object]]:
    if not path.exists():
        return []
    return [json.loads(line) for line in path.read_text().splitlines()]
