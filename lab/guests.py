"""What is on a host's own disk: its power switch, the servers defined there, and their disks.

Files below run/hosts/HOST, written by the hypervisor plug-in inside nova-compute and by the power
switch, read by `truth`:

    power                 "on" or "off"
    guests/UUID.json      a definition: name, state, volumes
    disks/UUID/NAME       a disk; the content is its id, made when the disk was made

A disk's id tells a rebuilt disk from a kept one. A server runs if its definition says so and its
host has power, whatever nova believes.
"""

from __future__ import annotations

import json
import shutil
import time
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

RUNNING = "running"
STOPPED = "stopped"


@dataclass(kw_only=True)
class Guest:
    """A server's definition on one host; `domain` is the hypervisor's own name for it."""

    server: str
    name: str
    domain: str = ""
    state: str = STOPPED
    started: float = 0.0
    volumes: list[str] = field(default_factory=list[str])
    shared_disks: bool = False


class HostDisk:
    """One host's files; `run` is the lab's run folder."""

    def __init__(self, run: Path, host: str) -> None:
        self.host = host
        self._run = run
        self._home = run / "hosts" / host
        self._guests = self._home / "guests"
        self._guests.mkdir(parents=True, exist_ok=True)

    # -- power -------------------------------------------------------------------
    @property
    def powered(self) -> bool:
        """Say whether the host has power."""
        try:
            return (self._home / "power").read_text().strip() == "on"
        except OSError:
            return False

    def set_powered(self, powered: bool) -> None:  # noqa: FBT001 - it is a switch
        """Set the switch; nothing else is done."""
        _replace(self._home / "power", "on\n" if powered else "off\n")

    # -- definitions -------------------------------------------------------------
    def servers(self) -> list[str]:
        """List the servers that are defined here."""
        return sorted(p.stem for p in self._guests.glob("*.json"))

    def get(self, server: str) -> Guest | None:
        """Give the server's definition, None if there is none."""
        try:
            return Guest(**json.loads((self._guests / f"{server}.json").read_text()))
        except FileNotFoundError:
            return None

    def define(self, guest: Guest) -> None:
        """Write the definition; a start or stop that it means is recorded, and judged."""
        before = self.get(guest.server)
        was = before.state if before else None
        if guest.state == RUNNING and was != RUNNING:
            guest.started = time.time()
        _replace(self._guests / f"{guest.server}.json", json.dumps(vars(guest)))
        if guest.state == RUNNING and was != RUNNING:
            self._record("start", guest)
            # Written before looked at: of two hosts that start it at once, one sees the other.
            self._judge(guest)
        elif guest.state != RUNNING and was == RUNNING:
            self._record("stop", guest)

    def undefine(self, server: str, *, destroy_disks: bool) -> None:
        """Remove the definition; recorded as a destruction."""
        guest = self.get(server)
        (self._guests / f"{server}.json").unlink(missing_ok=True)
        if destroy_disks:
            shared = bool(guest and guest.shared_disks)
            shutil.rmtree(self.disk_folder(server, shared=shared), ignore_errors=True)
        if guest:
            self._record("destroy", guest, destroy_disks=destroy_disks)

    def stop_all(self) -> None:
        """Do to the servers what a power loss does: none runs, all stay defined."""
        for server in self.servers():
            guest = self.get(server)
            if guest and guest.state != STOPPED:
                guest.state = STOPPED
                self.define(guest)

    # -- disks -------------------------------------------------------------------
    def disk_folder(self, server: str, *, shared: bool) -> Path:
        """Give the folder of the server's disks, on this host or on shared storage."""
        return (self._run / "shared" if shared else self._home) / "disks" / server

    def ensure_disk(self, server: str, name: str, *, shared: bool) -> str:
        """Give the disk's id; a disk that is there already is used, as libvirt's driver does."""
        path = self.disk_folder(server, shared=shared) / name
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            _replace(path, str(uuid.uuid4()))
        return path.read_text()

    def disks(self, guest: Guest) -> list[dict[str, str]]:
        """List the server's disks, volumes last."""
        folder = self.disk_folder(guest.server, shared=guest.shared_disks)
        kind = "shared" if guest.shared_disks else "local"
        found = [
            {"name": path.name, "kind": kind, "id": path.read_text()}
            for path in sorted(folder.glob("*"))
            if path.suffix != ".new"
        ]
        volumes = [{"name": v, "kind": "volume", "id": v} for v in sorted(guest.volumes)]
        return found + volumes

    # -- record --------------------------------------------------------------------
    def _record(self, event: str, guest: Guest, **more: object) -> None:
        line = {"at": time.time(), "event": event, "server": guest.server, "host": self.host}
        append(self._run / "guest-events.jsonl", {**line, "name": guest.name, **more})

    def _judge(self, guest: Guest) -> None:
        others = [h for h in running_hosts(self._run, guest.server) if h != self.host]
        if others:
            line = {"at": time.time(), "server": guest.server, "name": guest.name}
            append(self._run / "violations.jsonl", {**line, "hosts": [self.host, *others]})


def all_hosts(run: Path) -> list[HostDisk]:
    """List every host that has a disk, with power or without."""
    folder = run / "hosts"
    found = [p.name for p in folder.iterdir() if p.is_dir()] if folder.is_dir() else []
    return [HostDisk(run, name) for name in sorted(found, key=lambda n: (len(n), n))]


def running_hosts(run: Path, server: str) -> list[str]:
    """List the hosts with power on which the server runs."""
    hosts: list[str] = []
    for disk in all_hosts(run):
        guest = disk.get(server)
        if guest and guest.state == RUNNING and disk.powered:
            hosts.append(disk.host)
    return hosts


def _replace(path: Path, text: str) -> None:
    new = path.with_name(f"{path.name}.{uuid.uuid4().hex[:8]}.new")
    new.write_text(text)
    new.replace(path)


def append(path: Path, line: dict[str, object]) -> None:
    """Add one line of JSON to a file that others add to, too."""
    # One write with O_APPEND: lines of several processes do not mix.
    with path.open("ab", buffering=0) as out:
        out.write(json.dumps(line).encode() + b"\n")
