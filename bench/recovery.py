"""How fast Koboshi is: from power loss to the first evacuate, and against an ideal client.

    uv run bench/recovery.py --json        (as root; 25 to 35 minutes; see bench/README.md)
    uv run bench/recovery.py --losses 0 --hosts 12 --at-once 3 --per-host 12
    uv run bench/recovery.py --losses 0 --hosts 12 --at-once 3 --delay 1 --against 16

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
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]

from bench.observer import Observer, Reading  # noqa: E402 the path to it was just set
from lab import Lab, LabError, Settings, layout  # noqa: E402 the path to it was just set
from lab.rig.home import bring_home  # noqa: E402 the path to it was just set
from lab.rig.koboshi import Koboshi  # noqa: E402 the path to it was just set
from lab.rig.nova import Nova  # noqa: E402 the path to it was just set

RECOVERY_TIMEOUT_S = 240.0
STATE_TIMEOUT_S = 180.0
NOVA_HEARTBEAT_S = 10.0
KINDS = ("bfv", "volume", "image")
SEED = 20
IDEAL = "ideal"
RACKS = 3
"""So many domains must be declared before several hosts may be acted upon together."""
BOOT_AT_ONCE = 4
"""More servers that are made together are too much for the lab's Nova now and then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss:
    """The power loss of one host, or of several at once, and what was seen of it."""

    hosts: tuple[str, ...]
    detection_s: float
    detection_by_nova_s: float
    recovery_s: float
    """From the first request, as who sent it says."""
    recovery_by_records_s: float
    """From the first record, as Nova shows it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What each pair is about."""

    counts: tuple[int, ...] = (4, 4, 4)
    """Servers on each host that dies: booted from volume, of image and volume, of an image only."""
    at_once: int = 1
    """Hosts that die together, of one declared domain."""
    delay_s: float = 0.0
    """How much later than usual each answer of Nova's API comes."""


class Bench:
    """The lab, the daemon, and the measurements."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.nova = Nova(lab)
        self._daemons: list[Koboshi] = []
        self.koboshi = self.with_window(None)
        self.random = random.Random(SEED)  # noqa: S311 it spreads power losses over a heartbeat
        self._turn = 0

    def with_window(self, fixed: int | None) -> Koboshi:
        """Return a daemon, with a window that adapts itself or is fixed."""
        # All servers are to move, whatever their disks: see README.md.
        changes: dict[str, Any] = {"policy": {"on_local_disk": "rebuild"}}
        if fixed is not None:
            changes["pace"] = {"window": fixed, "window_most": fixed}
        koboshi = Koboshi(self.lab)
        self._daemons.append(koboshi)
        koboshi.configure({**changes, **koboshi.declare_racks()})
        return koboshi

    def close(self) -> None:
        """End every daemon."""
        for koboshi in self._daemons:
            koboshi.close()

    def next_hosts(self, count: int) -> tuple[str, ...]:
        """Take the hosts (several: the racks) in turn, so that no host's history decides."""
        self._turn += 1
        hosts = self.lab.hosts
        if count == 1:
            return (hosts[self._turn % len(hosts)],)
        racks = list(layout.hosts_by_rack(hosts).values())
        return tuple(racks[self._turn % len(racks)][:count])

    # -- one run of each ------------------------------------------------------------------
    def lose_power(
        self, servers: dict[str, set[str]], delay_s: float, first_request: Callable[[], float]
    ) -> Loss:
        """Cut the power of the hosts whose servers are given, and time what follows.

        `first_request` lets somebody recover them and returns when they sent the first evacuate.
        """
        with ExitStack() as watching:
            observers = [
                watching.enter_context(Observer(self.lab, host, its))
                for host, its in servers.items()
            ]
            time.sleep(self.random.uniform(0, NOVA_HEARTBEAT_S))
            if delay_s:
                self.lab.api_fail("nova-api", delay_s=delay_s)
            lost_at = time.time()
            for host in servers:
                self.lab.fault(host, "power")
            requested_at = first_request()
            readings = [observer.wait(RECOVERY_TIMEOUT_S) for observer in observers]
        for reading, its in zip(readings, servers.values(), strict=True):
            self.judge(reading, its)
        first_record = min(r.first_record for r in readings if r.first_record is not None)
        created_at = min(r.first_created_at for r in readings if r.first_created_at is not None)
        last_back = max(r.last_back for r in readings if r.last_back is not None)
        return Loss(
            hosts=tuple(servers),
            detection_s=first_record - lost_at,
            detection_by_nova_s=created_at.timestamp() - lost_at,
            recovery_s=last_back - requested_at,
            recovery_by_records_s=last_back - first_record,
        )

    def judge(self, reading: Reading, servers: set[str]) -> None:
        """Refuse to count a fast wrong recovery."""
        wrong = {s: reading.records.get(s) for s in servers if len(reading.records.get(s, ())) != 1}
        if wrong:
            raise LabError(f"not exactly one evacuation for each server: {wrong}")
        if violations := self.lab.violations():
            raise LabError(f"a server ran twice: {violations}")

    def koboshi_run(self, trial: Trial, koboshi: Koboshi | None = None) -> Loss:
        """Measure Koboshi on one failure; the daemon runs before and after."""
        self.use(koboshi or self.koboshi)
        self.koboshi.wait_armed()
        servers = self.boot(trial)
        # A sweep has seen the servers, and a restarted daemon has gathered its evidence.
        time.sleep(8)
        try:
            loss = self.lose_power(servers, trial.delay_s, self.first_intent)
            # A host that comes home while Koboshi still works on it would be fenced again.
            for host in servers:
                self.koboshi.await_state(host, "settled", STATE_TIMEOUT_S)
            bring_home(self.lab, self.nova)
            for host in servers:
                self.koboshi.await_state(host, "closed", STATE_TIMEOUT_S)
        except LabError as error:
            raise LabError(f"{error}; {self.koboshi.story()}") from error
        return loss

    def use(self, koboshi: Koboshi) -> None:
        """Let this daemon run, and no other."""
        if koboshi is not self.koboshi:
            self.koboshi.stop()
            self.koboshi = koboshi
        if not koboshi.is_running:
            koboshi.start()

    def first_intent(self) -> float:
        """Return when Koboshi wrote down that it would send the first evacuate: just before it did."""
        seen = max((h.seq for h in self.koboshi.happenings()), default=0)
        meant = self.koboshi.wait_for(
            lambda h: h.command == "evacuate", RECOVERY_TIMEOUT_S, after=seen
        )
        return datetime.fromisoformat(meant.wall).timestamp()

    def ideal_run(self, trial: Trial) -> Loss:
        """Measure the ideal client on one failure; Koboshi is off."""
        self.koboshi.stop()
        servers = self.boot(trial)
        argv = [sys.executable, str(ROOT / "bench" / "ideal.py"), *servers]

        def first_request() -> float:
            client = self.lab.popen(argv, stdout=subprocess.PIPE, text=True)
            told, _ = client.communicate(timeout=RECOVERY_TIMEOUT_S)
            if client.returncode:
                raise LabError(f"the ideal client failed: {told}")
            return json.loads(told)["first"]

        loss = self.lose_power(servers, trial.delay_s, first_request)
        bring_home(self.lab, self.nova)
        return loss

    def boot(self, trial: Trial) -> dict[str, set[str]]:
        """Boot so many servers of each kind on each host that shall die; return their ids."""
        return {
            host: {
                booted.id
                for kind, count in zip(KINDS, trial.counts, strict=True)
                for first in range(0, count, BOOT_AT_ONCE)
                for booted in self.lab.boot(
                    host=host, kind=kind, count=min(BOOT_AT_ONCE, count - first)
                )
            }
            for host in self.next_hosts(trial.at_once)
        }


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
        loss = bench.koboshi_run(Trial(counts=(2, 0, 0)))
        found.append(loss)
        tell(f"power loss {number}/{losses}, {loss.hosts}: {loss.detection_s:.1f} s to the first")
    return {
        "first_evacuate_s": spread([loss.detection_s for loss in found]),
        "first_evacuate_by_nova_s": spread([loss.detection_by_nova_s for loss in found]),
        "losses": [round(loss.detection_s, 2) for loss in found],
    }


def measure_ratio(bench: Bench, pairs: int, trial: Trial, against: str) -> dict[str, Any]:
    """Measure from the first evacuate to the last server back, Koboshi and a rival in turn.

    The rival is the ideal client, or Koboshi with a window that is fixed.
    """
    ours: list[Loss] = []
    others: list[Loss] = []
    adaptive = bench.koboshi
    fixed = None if against == IDEAL else bench.with_window(int(against))

    def rival() -> Loss:
        return bench.koboshi_run(trial, fixed) if fixed else bench.ideal_run(trial)

    turns = [
        lambda: ours.append(bench.koboshi_run(trial, adaptive)),
        lambda: others.append(rival()),
    ]
    for number in range(1, pairs + 1):
        for turn in turns if number % 2 else reversed(turns):
            turn()
        mine, other = ours[-1].recovery_s, others[-1].recovery_s
        load = os.getloadavg()[0]
        tell(f"pair {number}/{pairs}: {mine:.1f} s, {against}: {other:.1f} s; load {load:.1f}")
    both = list(zip(ours, others, strict=True))
    ratio = "ratio_to_ideal" if fixed is None else "ratio_to_fixed_window"
    return {
        ratio: spread([mine.recovery_s / other.recovery_s for mine, other in both]),
        "ratio_by_records": spread(
            [mine.recovery_by_records_s / other.recovery_by_records_s for mine, other in both]
        ),
        "koboshi_s": spread([loss.recovery_s for loss in ours]),
        f"{'ideal' if fixed is None else 'fixed'}_s": spread([loss.recovery_s for loss in others]),
        "pairs": [[round(mine.recovery_s, 2), round(other.recovery_s, 2)] for mine, other in both],
    }


def parsed() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--losses", type=int, default=10, help="power losses to time (10)")
    parser.add_argument("--pairs", type=int, default=5, help="pairs of Koboshi and its rival (5)")
    parser.add_argument("--hosts", type=int, default=4, help="hosts of the lab (4)")
    parser.add_argument("--per-host", type=int, default=12, help="servers on each dead host (12)")
    parser.add_argument(
        "--at-once", type=int, default=1, help="hosts of one domain that die together (1)"
    )
    parser.add_argument(
        "--servers",
        choices=("mixed", "volumes"),
        default="mixed",
        help="a third of each kind, or all booted from volumes (mixed)",
    )
    parser.add_argument(
        "--delay",
        type=float,
        default=0.0,
        metavar="S",
        help="each answer of Nova's comes later (0)",
    )
    parser.add_argument(
        "--against",
        default=IDEAL,
        help="the rival: 'ideal', or Koboshi with a window that is fixed at this number (ideal)",
    )
    parser.add_argument("--keep", action="store_true", help="leave the lab up")
    chosen = parser.parse_args()
    if chosen.against != IDEAL and not chosen.against.isdecimal():
        parser.error("--against: 'ideal' or a number")
    if chosen.at_once > layout.RACK_SIZE:
        parser.error(f"--at-once: a rack has {layout.RACK_SIZE} hosts")
    if chosen.at_once > 1 and chosen.hosts < RACKS * layout.RACK_SIZE:
        parser.error(f"--at-once: only with three racks, --hosts {RACKS * layout.RACK_SIZE}")
    return chosen


def trial_of(chosen: argparse.Namespace) -> Trial:
    """Return what the pairs are about."""
    count = chosen.per_host
    third, rest = divmod(count, len(KINDS))
    counts = (third + rest, third, third) if chosen.servers == "mixed" else (count, 0, 0)
    return Trial(counts=counts, at_once=chosen.at_once, delay_s=chosen.delay)


def main() -> int:
    """Bring a lab up with Nova's default intervals, measure, and take it down if it was ours."""
    chosen = parsed()
    lab = Lab(say=tell)
    result: dict[str, Any] = {"machine_cpus": cpu_count(), "intervals": "default"}
    if chosen.pairs:
        told = ("hosts", "per_host", "at_once", "servers", "delay", "against")
        result |= {name: getattr(chosen, name) for name in told}
    bench: Bench | None = None
    try:
        lab.up(Settings(hosts=chosen.hosts, intervals="default"))
        bench = Bench(lab)
        bring_home(lab, bench.nova)
        if chosen.losses:
            result |= measure_detection(bench, chosen.losses)
        if chosen.pairs:
            result |= measure_ratio(bench, chosen.pairs, trial_of(chosen), chosen.against)
    except LabError as error:
        tell(f"bench: {error}")
        return 1
    finally:
        if bench is not None:
            bench.close()
        if not chosen.keep:
            with suppress(LabError):
                lab.down()
    keep_result("recovery", result)
    print(json.dumps(result) if chosen.json else json.dumps(result, indent=2))
    return 0


def cpu_count() -> int:
    """Return how many processors the measurements had."""
    return len(os.sched_getaffinity(0))


def keep_result(name: str, result: dict[str, Any]) -> None:
    """Keep the result beside earlier ones."""
    folder = ROOT / "bench" / "results"
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}.json"
    path.write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    sys.exit(main())
