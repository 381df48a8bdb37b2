"""What a scene works with: the client, the levers, and a notebook of facts."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from tests.contract.facts import Course, Seen, plain
from tests.contract.side import Api, Entry, Json, Kind, Side

PATIENCE_S = 60.0
FIELDS = (
    "status",
    "OS-EXT-STS:vm_state",
    "OS-EXT-STS:task_state",
    "OS-EXT-STS:power_state",
    "OS-EXT-SRV-ATTR:host",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """A row of steps that share their servers and their host failures."""

    name: str
    claims: Mapping[str, str]
    """Each claim's name, and its sentence."""
    play: Callable[["Stage"], None]


class Stage:
    """One scene on one cloud."""

    def __init__(self, side: Side) -> None:
        self.side = side
        self.api = Api(side)
        self.facts: dict[str, list[Any]] = {}

    def tell(self, claim: str, *facts: Any) -> None:
        """Write facts down under a claim."""
        self.facts.setdefault(claim, []).extend(plain(fact) for fact in facts)

    # What Nova says

    def row(self, server: str) -> Json:
        """Return a server."""
        return self.api.get(f"/servers/{server}")["server"]

    def state(self, server: str) -> list[Any]:
        """Return a server's states and host."""
        return state_of(self.row(server))

    def records(self, server: str) -> list[Json]:
        """Return a server's migration records, oldest first."""
        found = self.api.get(f"/os-migrations?instance_uuid={server}")["migrations"]
        return sorted(found, key=lambda r: r["id"])

    def record_states(self, server: str) -> list[list[Any]]:
        """Return type, status and hosts of a server's records, oldest first."""
        return [
            [r["migration_type"], r["status"], r["source_compute"], r["dest_compute"]]
            for r in self.records(server)
        ]

    def services(self) -> dict[str, Json]:
        """Return nova-compute's rows by host."""
        found = self.api.get("/os-services?binary=nova-compute")["services"]
        return {row["host"]: row for row in found}

    def put_service(self, host: str, **body: object) -> Any:
        """Change a host's nova-compute row; returns the answer."""
        return self.api.ask("PUT", f"/os-services/{self.services()[host]['id']}", body)

    # What is so

    def boot(self, host: str, kind: Kind, count: int = 1) -> list[str]:
        """Create servers."""
        return self.side.boot(host, kind, count)

    def runs_on(self, server: str) -> list[str]:
        """Return the hosts on which a server runs, by their own account."""
        return [e.host for e in self.side.truth(server) if e.running]

    def disks(self, server: str, host: str) -> tuple[str, ...]:
        """Return what a server's local disks on a host hold."""
        found: Iterable[Entry] = self.side.truth(server)
        return next((e.local_disks for e in found if e.host == host), ())

    # Time

    def until(
        self, condition: Callable[[], bool], what: str, patience_s: float = PATIENCE_S
    ) -> None:
        """Wait until something is so. Raises AssertionError that names it when time is up."""
        end = time.monotonic() + patience_s
        while not condition():
            if time.monotonic() > end:
                raise AssertionError(f"{self.side.name}: waited in vain for {what}")
            time.sleep(0.3)

    def settled(self, *servers: str) -> None:
        """Wait until no task is under way for these servers, and no record of theirs is open."""
        for server in servers:
            self.until(lambda s=server: self._is_settled(s), f"server {server} to settle")

    def _is_settled(self, server: str) -> bool:
        row = self.row(server)
        open_ones = {
            "accepted",
            "pre-migrating",
            "queued",
            "preparing",
            "running",
            "post-migrating",
        }
        return row["OS-EXT-STS:task_state"] is None and not any(
            r["status"] in open_ones for r in self.records(server)
        )

    def watch(self, *servers: str) -> "Watch":
        """Return a context in which what Nova says of these servers is sampled."""
        return Watch(self.api, servers)


def state_of(row: Json) -> list[Any]:
    """Return what of a server's row is a state."""
    return [row[field] for field in FIELDS]


class Watch:
    """Asks for servers and their records again and again, from threads of its own."""

    def __init__(self, api: Api, servers: Iterable[str]) -> None:
        self._api = api
        self._over = threading.Event()
        self._samples: dict[tuple[str, str], list[tuple[float, Any]]] = {}
        self._threads = [
            threading.Thread(target=self._run, args=(look, server), daemon=True)
            for server in servers
            for look in (self._server, self._records)
        ]

    def __enter__(self) -> Self:
        """Begin."""
        for thread in self._threads:
            thread.start()
        while len(self._samples) < len(self._threads):  # what comes must begin at what was
            if not all(thread.is_alive() for thread in self._threads):
                raise AssertionError("what is to be watched cannot be read")
            time.sleep(0.02)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End, with one more look."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _run(self, look: Callable[[str], tuple[str, Any]], server: str) -> None:
        while True:
            last = self._over.is_set()
            what, state = look(server)
            self._samples.setdefault((what, server), []).append((time.monotonic(), state))
            if last:
                return
            time.sleep(0.03)

    def _server(self, server: str) -> tuple[str, Any]:
        answer = self._api.get(f"/servers/{server}", version="2.53")
        gone = answer.status == 404
        return "server", ["gone"] if gone else state_of(answer["server"])

    def _records(self, server: str) -> tuple[str, Any]:
        answer = self._api.get(f"/os-migrations?instance_uuid={server}", version="2.59")
        found = sorted(answer["migrations"], key=lambda r: r["id"])
        return "records", [[r["status"], r["dest_compute"]] for r in found]

    def server(self, server: str) -> Course:
        """Return the states that a server went through."""
        return self._course("server", server)

    def records(self, server: str) -> Course:
        """Return what its records went through."""
        return self._course("records", server)

    def _course(self, what: str, server: str) -> Course:
        samples = self._samples[what, server]
        sampled = course(samples)
        told = self._api.side.told(what, server, samples[0][0])
        if not told:
            return sampled
        whole = course([samples[0], *told, (samples[-1][0], told[-1][1])])
        if why := whole.differs(sampled):
            raise AssertionError(f"over HTTP it is shown otherwise than it is told: {why}")
        return whole


def course(moments: Iterable[tuple[float, Any]]) -> Course:
    """Return the course that states, each with its moment, make."""
    seen: list[tuple[Any, float, float]] = []
    for at_s, state in moments:
        if seen:
            seen[-1] = (*seen[-1][:2], at_s)
        if not seen or seen[-1][0] != state:
            seen.append((state, at_s, at_s))
    return Course(tuple(Seen(state=s, lasted_s=end - begin) for s, begin, end in seen))
