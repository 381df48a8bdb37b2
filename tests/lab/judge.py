"""The verdict on a recovery: by the lab's truth and by Nova's own records, never by Koboshi's word."""

import time
from collections.abc import Iterable

from lab import Lab
from lab.boot import Booted
from lab.rig.koboshi import Happening, Koboshi
from lab.rig.nova import Nova

RECOVERY_S = 150.0


class Judge:
    """What was true of some servers before a failure, and what must be true after it."""

    def __init__(self, lab: Lab, nova: Nova, servers: Iterable[Booted]) -> None:
        self._lab = lab
        self._nova = nova
        self.servers = list(servers)
        self._disks = {
            server.id: disks for server in self.servers if (disks := self._disks_of(server))
        }

    def back(self, servers: Iterable[Booted], *, records: int = 1) -> None:
        """Each was evacuated exactly once, runs on one other host, and Nova agrees."""
        rows = self._nova.servers()
        for server in servers:
            own = [r for r in self._nova.evacuations() if r.server == server.id]
            assert [r.status for r in own] == ["done"] * records, server
            assert {r.source for r in own} == {server.host}, server
            row = rows[server.id]
            assert row.is_well, row
            assert row.host == own[-1].destination != server.host, row
            assert self.running_on(server) == [row.host], server

    def disks_kept(self, servers: Iterable[Booted], *, kinds: Iterable[str]) -> None:
        """Their disks of these kinds are the same ones as before."""
        wanted = set(kinds)
        for server in servers:
            before = {d for d in self._disks[server.id] if d[0] in wanted}
            now = {d for d in self._disks_of(server) if d[0] in wanted}
            assert before, server
            assert now == before, server

    def disks_new(self, servers: Iterable[Booted]) -> None:
        """Their local disks were made anew (on another host no old one can be)."""
        for server in servers:
            before = {d for d in self._disks[server.id] if d[0] == "local"}
            now = {d for d in self._disks_of(server, running=True) if d[0] == "local"}
            assert before, server
            assert now, server
            assert not now & before, server

    def held(self, servers: Iterable[Booted]) -> None:
        """Nothing was ever asked for them, and their disks lie where they lay."""
        rows = self._nova.servers()
        for server in servers:
            assert rows[server.id].host == server.host, server
            assert "evacuate" not in self._nova.actions(server.id), server
            assert self.running_on(server) == [], server
            assert set(self._disks_of(server)) == set(self._disks[server.id]), server

    def untouched(self, servers: Iterable[Booted]) -> None:
        """They run where they ran, and nothing was asked for them."""
        rows = self._nova.servers()
        for server in servers:
            assert rows[server.id].host == server.host, server
            assert self.running_on(server) == [server.host], server
            assert "evacuate" not in self._nova.actions(server.id), server

    def nothing_evacuated(self) -> None:
        """No evacuate was sent for any of the servers."""
        ids = {server.id for server in self.servers}
        assert [r for r in self._nova.evacuations() if r.server in ids] == []
        assert [s for s in ids if "evacuate" in self._nova.actions(s)] == []

    def running_on(self, server: Booted) -> list[str]:
        """Return the hosts on which it runs, in truth."""
        return [e["host"] for e in self._lab.truth() if e["server"] == server.id and e["running"]]

    def _disks_of(self, server: Booted, *, running: bool = False) -> list[tuple[str, str, str]]:
        return [
            (disk["kind"], disk["name"], disk["id"])
            for entry in self._lab.truth()
            if entry["server"] == server.id and (entry["running"] or not running)
            for disk in entry["disks"]
        ]


def boot(lab: Lab, host: str, *, bfv: int = 0, volume: int = 0, image: int = 0) -> list[Booted]:
    """Boot so many servers of each kind on a host."""
    return [
        booted
        for kind, count in (("bfv", bfv), ("volume", volume), ("image", image))
        if count
        for booted in lab.boot(host=host, kind=kind, count=count)
    ]


def moved_to(*states: str) -> "Moved":
    """Return what recognises an incident's step to one of these states."""
    return Moved(states)


class Moved:
    """Recognises an incident's step to one of some states."""

    def __init__(self, states: tuple[str, ...]) -> None:
        self._states = states

    def __call__(self, happening: Happening) -> bool:
        """Return whether this is such a step."""
        return happening.kind == "incident_moved" and happening.data["to"] in self._states


def is_done(happening: Happening) -> bool:
    """Return whether a server is back."""
    return happening.kind == "recovery_moved" and happening.data["to"] == "done"


def await_settled(koboshi: Koboshi, *, timeout_s: float = RECOVERY_S, after: int = 0) -> None:
    """Wait until no server is on its way any more."""
    koboshi.wait_for(moved_to("settled"), timeout_s, after=after)


def stays(seconds: float, condition: object) -> None:
    """Hold a condition for a while: what must not happen gets its chance to happen."""
    assert callable(condition)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        condition()
        time.sleep(1)


def intended(koboshi: Koboshi, command: str) -> list[Happening]:
    """Return the journal's intents of one type of command."""
    return [
        h for h in koboshi.happenings() if h.kind == "command_intended" and h.command == command
    ]
