"""How fast Koboshi is: from power loss to the first evacuate, and against an ideal client.

    uv run bench/recovery.py --json        (as root; 25 to 35 minutes; see bench/README.md)

The last line of stdout is one line of JSON.
"""

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]

from bench.observer import Observer, Reading  # noqa: E402 the path to it was just set
from lab import Lab, LabError, Settings  # noqa: E402 the path to it was just set
from lab.rig.home import bring_home  # noqa: E402 the path to it was just set
from lab.rig.koboshi import Koboshi  # noqa: E402 the path to it was just set
from lab.rig.nova import Nova  # noqa: E402 the path to it was just set

RECOVERY_TIMEOUT_S = 240.0
STATE_TIMEOUT_S = 180.0
NOVA_HEARTBEAT_S = 10.0
KINDS = ("bfv", "volume", "image")
SERVERS = {"mixed": (4, 4, 4), "volumes": (12, 0, 0)}
SEED = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """One power loss and what was seen of it."""

    host: str
    detection_s: float
    detection_by_nova_s: float
    recovery_s: float
    """From the first request, as who sent it says."""
    recovery_by_records_s: float
    """From the first record, as Nova shows it."""


class Bench:
    """The lab, the daemon, and the measurements."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.nova = Nova(lab)
        # All 12 servers are to move, whatever their disks: see README.md.
        self.koboshi = Koboshi(lab, {"policy": {"on_local_disk": "rebuild"}})
        self.random = random.Random(SEED)  # noqa: S311 it spreads power losses over a heartbeat
        self._turn = 0

    def close(self) -> None:
        """End the daemon."""
        self.koboshi.close()

    def next_host(self) -> str:
        """Take the hosts in turn, so that no host's history decides."""
        self._turn += 1
        return self.lab.hosts[self._turn % len(self.lab.hosts)]

    # -- one run of each ------------------------------------------------------------------
    def lose_power(self, host: str, servers: set[str], first_request: Callable[[], float]) -> Loss:
        """Cut the host's power and time what follows.

        `first_request` lets somebody recover the host and returns when they sent the first evacuate.
        """
        with Observer(self.lab, host, servers) as observer:
            time.sleep(self.random.uniform(0, NOVA_HEARTBEAT_S))
            lost_at = time.time()
            self.lab.fault(host, "power")
            requested_at = first_request()
            reading = observer.wait(RECOVERY_TIMEOUT_S)
        self.judge(reading, servers)
        assert reading.first_record is not None
        assert reading.first_created_at is not None
        assert reading.last_back is not None
        return Loss(
            host=host,
            detection_s=reading.first_record - lost_at,
            detection_by_nova_s=reading.first_created_at.timestamp() - lost_at,
            recovery_s=reading.last_back - requested_at,
            recovery_by_records_s=reading.last_back - reading.first_record,
        )

    def judge(self, reading: Reading, servers: set[str]) -> None:
        """Refuse to count a fast wrong recovery."""
        wrong = {s: reading.records.get(s) for s in servers if len(reading.records.get(s, ())) != 1}
        if wrong:
            raise LabError(f"not exactly one evacuation for each server: {wrong}")
        if violations := self.lab.violations():
            raise LabError(f"a server ran twice: {violations}")

    def koboshi_run(self, counts: Sequence[int]) -> Loss:
        """Measure Koboshi on one power loss; the daemon runs before and after."""
        if self.koboshi.process is None or self.koboshi.process.poll() is not None:
            self.koboshi.start()
        self.koboshi.wait_armed()
        host = self.next_host()
        servers = self.boot(host, counts)
        # A sweep has seen the servers, and a restarted daemon has gathered its evidence.
        time.sleep(8)
        try:
            loss = self.lose_power(host, servers, self.first_intent)
            # A host that comes home while Koboshi still works on it would be fenced again.
            self.await_state(host, "settled")
            bring_home(self.lab, self.nova)
            self.await_state(host, "closed")
        except LabError as error:
            raise LabError(f"{error}; {self.koboshi.story()}") from error
        return loss

    def first_intent(self) -> float:
        """Return when Koboshi wrote down that it would send the first evacuate: just before it did."""
        seen = max((h.seq for h in self.koboshi.happenings()), default=0)
        meant = self.koboshi.wait_for(
            lambda h: h.command == "evacuate", RECOVERY_TIMEOUT_S, after=seen
        )
        return datetime.fromisoformat(meant.wall).timestamp()

    def ideal_run(self, counts: Sequence[int]) -> Loss:
        """Measure the ideal client on one power loss; Koboshi is off."""
        self.koboshi.stop()
        host = self.next_host()
        servers = self.boot(host, counts)
        argv = [sys.executable, str(ROOT / "bench" / "ideal.py"), host]

        def first_request() -> float:
            client = self.lab.popen(argv, stdout=subprocess.PIPE, text=True)
            told, _ = client.communicate(timeout=RECOVERY_TIMEOUT_S)
            if client.returncode:
                raise LabError(f"the ideal client failed: {told}")
            return json.loads(told)["first"]

        loss = self.lose_power(host, servers, first_request)
        bring_home(self.lab, self.nova)
        return loss

    def boot(self, host: str, counts: Sequence[int]) -> set[str]:
        """Boot so many servers of each kind on a host; return their ids."""
        return {
            booted.id
            for kind, count in zip(KINDS, counts, strict=True)
            if count
            for booted in self.lab.boot(host=host, kind=kind, count=count)
        }

    def await_state(self, host: str, state: str) -> None:
        """Wait until the host's newest incident is in this state."""
        deadline = time.monotonic() + STATE_TIMEOUT_S
        while self.koboshi.state_of(host) != state:
            if time.monotonic() > deadline:
                raise LabError(f"the incident of {host} is not {state}")
            time.sleep(0.5)


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return the median, the smallest and the largest, as people read them."""
    return {
        "median": round(statistics.median(values), 2),
        "min": round(min(values), 2),
        "max": round(max(values), 2),
    }


def tell(text: str) -> None:
    """Show progress; the result alone goes to stdout."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def measure_detection(bench: Bench, losses: int) -> dict[str, Any]:
    """Measure from power loss to the first evacuate."""
    found: list[Loss] = []
    for number in range(1, losses + 1):
        loss = bench.koboshi_run((2, 0, 0))
        found.append(loss)
        tell(f"power loss {number}/{losses}, {loss.host}: {loss.detection_s:.1f} s to the first")
    return {
        "first_evacuate_s": spread([loss.detection_s for loss in found]),
        "first_evacuate_by_nova_s": spread([loss.detection_by_nova_s for loss in found]),
        "losses": [round(loss.detection_s, 2) for loss in found],
    }


def measure_ratio(bench: Bench, pairs: int, servers: str) -> dict[str, Any]:
    """Measure from the first evacuate to the last server back, Koboshi and ideal in turn."""
    counts = SERVERS[servers]
    ours: list[Loss] = []
    ideal: list[Loss] = []
    for number in range(1, pairs + 1):
        turns = [
            lambda: ours.append(bench.koboshi_run(counts)),
            lambda: ideal.append(bench.ideal_run(counts)),
        ]
        for turn in turns if number % 2 else reversed(turns):
            turn()
        mine, best = ours[-1].recovery_s, ideal[-1].recovery_s
        tell(f"pair {number}/{pairs}: Koboshi {mine:.1f} s, ideal {best:.1f} s")
    both = list(zip(ours, ideal, strict=True))
    return {
        "ratio_to_ideal": spread([mine.recovery_s / best.recovery_s for mine, best in both]),
        "ratio_by_records": spread(
            [mine.recovery_by_records_s / best.recovery_by_records_s for mine, best in both]
        ),
        "koboshi_s": spread([loss.recovery_s for loss in ours]),
        "ideal_s": spread([loss.recovery_s for loss in ideal]),
        "pairs": [[round(mine.recovery_s, 2), round(best.recovery_s, 2)] for mine, best in both],
    }


def main() -> int:
    """Bring a lab up with Nova's default intervals, measure, and take it down if it was ours."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--losses", type=int, default=10, help="power losses to time (10)")
    parser.add_argument("--pairs", type=int, default=5, help="pairs of Koboshi and ideal (5)")
    parser.add_argument(
        "--servers",
        choices=SERVERS,
        default="mixed",
        help="12 of them in each pair: four of each kind, or all booted from volumes (mixed)",
    )
    parser.add_argument("--keep", action="store_true", help="leave the lab up")
    chosen = parser.parse_args()
    lab = Lab(say=tell)
    result: dict[str, Any] = {"machine_cpus": cpu_count(), "intervals": "default"}
    if chosen.pairs:
        result["servers"] = chosen.servers
    bench: Bench | None = None
    try:
        lab.up(Settings(hosts=4, intervals="default"))
        bench = Bench(lab)
        bring_home(lab, bench.nova)
        if chosen.losses:
            result |= measure_detection(bench, chosen.losses)
        if chosen.pairs:
            result |= measure_ratio(bench, chosen.pairs, chosen.servers)
    except LabError as error:
        tell(f"bench: {error}")
        return 1
    finally:
        if bench is not None:
            bench.close()
        if not chosen.keep:
            with suppress(LabError):
                lab.down()
    keep_result(result)
    print(json.dumps(result) if chosen.json else json.dumps(result, indent=2))
    return 0


def cpu_count() -> int:
    """Return how many processors the measurements had."""
    return len(os.sched_getaffinity(0))


def keep_result(result: dict[str, Any]) -> None:
    """Keep the result beside earlier ones."""
    folder = ROOT / "bench" / "results"
    folder.mkdir(exist_ok=True)
    path = folder / f"recovery-{time.strftime('%Y%m%d-%H%M%S')}.json"
    path.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
