"""Koboshi as a process in the control plane's namespace: started, asked, killed, started again."""

import http.client
import json
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
import time
import tomllib
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Self, cast

import tomli_w

from lab import Lab, LabError, layout

Json = dict[str, Any]
OK = 200
CACHES_BYTECODE = {"PYTHONDONTWRITEBYTECODE": ""}
"""Whoever runs tests without bytecode would measure the compiler at each start of Koboshi."""
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"
JOURNALS = ("journal.db", "journal.sqlite")


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One event of the journal."""

    seq: int
    wall: str
    kind: str
    data: Json

    @property
    def at(self) -> float:
        """Return when it was written, in seconds of the daemon's wall clock."""
        return datetime.fromisoformat(self.wall).timestamp()

    @property
    def command(self) -> str | None:
        """Return the type of the command that is meant, if it is about one."""
        command = self.data.get("command")
        return cast("str", cast("Json", command)["type"]) if isinstance(command, dict) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a command of the CLI said."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Return its output, read as JSON."""
        return json.loads(self.out)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What the daemon answered over HTTP."""

    status: int
    text: str


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket; httpx2 leaks a socket for each daemon that is not there yet."""

    def __init__(self, path: Path) -> None:
        super().__init__("koboshi", timeout=10)
        self._path = path

    def connect(self) -> None:
        """Connect to the path instead of to a host."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self._path))


class Koboshi:
    """One configuration with its state folder, and the daemon that runs on it."""

    def __init__(
        self, lab: Lab, changes: Mapping[str, Any] | None = None, *, station: bool = False
    ) -> None:
        self._lab = lab
        self._station = station
        self._env = dict(CACHES_BYTECODE)
        # Not below pytest's own folders: a Unix socket's path ends after 107 bytes.
        self.folder = Path(tempfile.mkdtemp(prefix="koboshi-"))
        self.config = self.folder / "koboshi.toml"
        self.state = self.folder / "state"
        self.state.mkdir(mode=0o700)
        self.log = self.folder / "log"
        self.process: subprocess.Popen[Any] | None = None
        self.configure(changes or {})

    def __enter__(self) -> Self:
        """Start the daemon and wait until it is ready."""
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it and forget its files."""
        self.close()

    # -- configuration ----------------------------------------------------------------
    def configure(self, changes: Mapping[str, Any]) -> None:
        """Write the lab's own configuration with these changes; None takes a key away."""
        base = tomllib.loads(self._lab.layout.koboshi_toml.read_text())
        text = tomli_w.dumps(merged(base, {"state_dir": str(self.state), **changes}))
        self.config.touch(mode=0o600)
        self.config.write_text(text)

    def declare_racks(self) -> Json:
        """Write down which hosts share a rack; return the settings that declare them as domains."""
        declared = self.folder / "racks.toml"
        declared.write_text(tomli_w.dumps(layout.hosts_by_rack(self._lab.hosts)))
        return {"domains": {"source": "file", "file": str(declared)}}

    # -- the daemon -------------------------------------------------------------------
    def start(self, *, wait_s: float = 30.0) -> None:
        """Start the daemon; wait until it says that it is ready."""
        with self.log.open("ab") as log:
            self.process = self._lab.popen(
                [self.program(), "run", "--config", str(self.config)],
                station=self._station,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=self._env,
            )
        if wait_s:
            self.wait_ready(wait_s)

    def set_clock(self, wrong_by_s: int) -> None:
        """Let the daemon's wall clock be wrong by so much from now on; its others stay right.

        The first call must come before the daemon starts; a later one is a step.
        """
        clock = self.folder / "clock"
        new = clock.with_suffix(".new")
        new.write_text(f"{wrong_by_s:+d}\n")
        new.replace(clock)
        self._env |= {
            "LD_PRELOAD": FAKETIME,
            "FAKETIME_TIMESTAMP_FILE": str(clock),
            "FAKETIME_NO_CACHE": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }

    def program(self) -> str:
        """Return the program of this checkout."""
        return str(self._lab.layout.root / ".venv" / "bin" / "koboshi")

    def wait_ready(self, timeout_s: float = 30.0) -> None:
        """Wait until /readyz says so; a daemon that ends instead is an error, with its log."""
        deadline = time.monotonic() + timeout_s
        while not self.is_ready():
            if not self.is_running:
                raise LabError(f"koboshi ended instead of becoming ready:\n{self.tail()}")
            if time.monotonic() > deadline:
                raise LabError(f"koboshi is not ready after {timeout_s:.0f} s:\n{self.tail()}")
            time.sleep(0.2)

    def is_ready(self) -> bool:
        """Return whether the daemon answers 200 to /readyz."""
        try:
            return self.get("/readyz").status == OK
        except OSError:
            return False

    def get(self, path: str) -> "Reply":
        """Ask the daemon over its socket; raises OSError if it does not answer."""
        connection = _UnixConnection(self.state / "koboshi.sock")
        with closing(connection):
            connection.request("GET", path)
            answer = connection.getresponse()
            return Reply(status=answer.status, text=answer.read().decode())

    def kill9(self) -> None:
        """Kill the daemon as nothing else can: no clean-up, no farewell."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    @property
    def is_running(self) -> bool:
        """Return whether the daemon was started and has not ended."""
        return self.process is not None and self.process.poll() is None

    def stop(self) -> None:
        """End the daemon as a service manager does."""
        if self.process is None or not self.is_running:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.kill9()

    def close(self) -> None:
        """Stop the daemon and remove its folder."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def tail(self, lines: int = 60) -> str:
        """Return the end of the daemon's log."""
        if not self.log.exists():
            return "(no log)"
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    # -- the command line ---------------------------------------------------------------
    def run(self, *words: str, config: bool = True, env: Mapping[str, str] | None = None) -> Answer:
        """Run one of Koboshi's commands to its end."""
        argv = [self.program(), *words, *(["--config", str(self.config)] if config else [])]
        process = self._lab.popen(
            argv,
            station=self._station,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**CACHES_BYTECODE, **(env or {})},
        )
        try:
            out, err = process.communicate(timeout=90)
        except subprocess.TimeoutExpired:
            process.kill()
            out, err = process.communicate()
            raise LabError(f"{' '.join(words)} did not end in 90 s:\n{out}\n{err}") from None
        return Answer(code=process.returncode, out=out, err=err)

    # -- the journal ----------------------------------------------------------------------
    def happenings(self, *, after: int = 0) -> list[Happening]:
        """Read the journal's events behind number `after`, without disturbing its owner."""
        path = next((self.state / n for n in JOURNALS if (self.state / n).exists()), None)
        if path is None:
            return []
        try:
            with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as journal:
                rows = journal.execute(
                    "SELECT seq, wall, kind, data FROM event WHERE seq > ? ORDER BY seq", (after,)
                ).fetchall()
        except sqlite3.OperationalError:
            return []  # it is being made
        return [
            Happening(seq=seq, wall=wall, kind=kind, data=json.loads(data))
            for seq, wall, kind, data in rows
        ]

    def wait_for(
        self, wanted: Callable[[Happening], bool], timeout_s: float, *, after: int = 0
    ) -> Happening:
        """Return the first such event, at most 50 ms after it is in the journal."""
        deadline = time.monotonic() + timeout_s
        seen = after
        while True:
            for happening in self.happenings(after=seen):
                if wanted(happening):
                    return happening
                seen = happening.seq
            if time.monotonic() > deadline:
                raise LabError(f"not in the journal after {timeout_s:.0f} s; {self.story()}")
            time.sleep(0.05)

    def story(self) -> str:
        """Return the journal and the end of the log, for whoever reads a failure."""
        events = "\n".join(
            f"  {h.seq:4} {h.wall} {h.kind} {json.dumps(h.data)[:300]}" for h in self.happenings()
        )
        return f"the journal:\n{events}\nthe log:\n{self.tail()}"

    def state_of(self, host: str) -> str | None:
        """Return the state of the newest incident of a host, folded from the journal."""
        opened = [
            h.data["incident"]
            for h in self.happenings()
            if h.kind == "incident_opened" and h.data["host"] == host
        ]
        if not opened:
            return None
        moves = [
            h.data["to"]
            for h in self.happenings()
            if h.kind == "incident_moved" and h.data["incident"] == opened[-1]
        ]
        return moves[-1] if moves else "confirmed"

    def await_state(self, host: str, state: str, timeout_s: float) -> None:
        """Wait until the newest incident of a host is in this state."""
        deadline = time.monotonic() + timeout_s
        while self.state_of(host) != state:
            if time.monotonic() > deadline:
                raise LabError(f"the incident of {host} is not {state}")
            time.sleep(0.5)

    def trusted(self) -> set[str]:
        """Return the hosts whose prober this journal calls reliable."""
        return {h.data["host"] for h in self.happenings() if h.kind == "witness_trusted"}

    def wait_armed(self, timeout_s: float = 60.0) -> None:
        """Wait until every host's silence would count."""
        deadline = time.monotonic() + timeout_s
        while self.trusted() != set(self._lab.hosts):
            if time.monotonic() > deadline:
                raise LabError(f"only {self.trusted()} are trusted; {self.story()}")
            time.sleep(0.2)


def merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> Json:
    """Return the tables of `base` with `changes` in them; None takes a key away."""
    result = dict(base)
    for key, value in changes.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merged(result[key], cast("Json", value))
        else:
            result[key] = value
    return result
