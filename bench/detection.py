"""How soon a power loss is confirmed, proven and answered: with Nova's default intervals.

    uv run bench/detection.py --json       (as root; about 40 minutes; see bench/README.md)

The last line of stdout is one line of JSON.
"""

import argparse
import json
import os
import random
import sys
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]

from bench.recovery import cpu_count, keep_result, spread, tell  # noqa: E402 the path to it was just set
from lab import Lab, LabError, Settings  # noqa: E402 the path to it was just set
from lab.rig.home import bring_home  # noqa: E402 the path to it was just set
from lab.rig.koboshi import Koboshi  # noqa: E402 the path to it was just set
from lab.rig.nova import Nova  # noqa: E402 the path to it was just set

NOVA_HEARTBEAT_S = 10.0
TIMEOUT_S = 120.0
SEED = 30
SWEPT_S = 8.0
"""A sweep has seen the new server by then, and a restarted daemon has gathered its evidence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """One loss: seconds from the moment before the fault was made until each step was written down."""

    host: str
    how: str
    confirmed_s: float
    proof_s: float
    evacuate_s: float
    load: float
    """The machine's load average at that moment: everything here shares its processors."""


class Bench:
    """The lab, the daemon, and the measurement."""

    def __init__(self, lab: Lab, how: str) -> None:
        self.lab = lab
        self.how = how
        self.nova = Nova(lab)
        self.koboshi = Koboshi(lab)
        self.random = random.Random(SEED)  # noqa: S311 it spreads the losses over a heartbeat

    def run(self, number: int) -> Detection:
        """Lose a host, note the steps, and bring everything home."""
        host = self.lab.hosts[number % len(self.lab.hosts)]
        if not self.koboshi.is_running:
            self.koboshi.start()
        self.koboshi.wait_armed()
        self.lab.boot(host=host, kind="bfv")
        time.sleep(SWEPT_S + self.random.uniform(0, NOVA_HEARTBEAT_S))
        seen = max(h.seq for h in self.koboshi.happenings())
        lost_at = time.time()
        self.lab.fault(host, self.how)
        try:
            found = self._watch(host, lost_at, seen)
            self.koboshi.await_state(host, "settled", TIMEOUT_S)
            bring_home(self.lab, self.nova)
            self.koboshi.await_state(host, "closed", TIMEOUT_S)
        except LabError as error:
            raise LabError(f"{error}; {self.koboshi.story()}") from error
        if violations := self.lab.violations():
            raise LabError(f"a server ran twice: {violations}")
        return found

    def _watch(self, host: str, lost_at: float, seen: int) -> Detection:
        opened = self.koboshi.wait_for(
            lambda h: h.kind == "incident_opened" and h.data["host"] == host, TIMEOUT_S, after=seen
        )
        proven = self.koboshi.wait_for(
            lambda h: h.kind == "death_proven", TIMEOUT_S, after=opened.seq
        )
        sent = self.koboshi.wait_for(lambda h: h.command == "evacuate", TIMEOUT_S, after=proven.seq)
        return Detection(
            host=host,
            how=self.how,
            confirmed_s=round(opened.at - lost_at, 2),
            proof_s=round(proven.at - lost_at, 2),
            evacuate_s=round(sent.at - lost_at, 2),
            load=round(os.getloadavg()[0], 1),
        )


def summary(found: list[Detection]) -> dict[str, Any]:
    """Return median, least and most of each step, and every run."""
    steps = ("confirmed_s", "proof_s", "evacuate_s")
    return {
        **{step: spread([getattr(one, step) for one in found]) for step in steps},
        "load": spread([one.load for one in found]),
        "runs": [asdict(one) for one in found],
    }


def main() -> int:
    """Bring a lab up with Nova's default intervals, measure, and take it down."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--json", action="store_true", help="end with one line of JSON")
    parser.add_argument("--runs", type=int, default=30, help="losses to time (30)")
    parser.add_argument(
        "--fault",
        choices=("power", "cut"),
        default="power",
        help="power: the BMC reads off by itself; cut: it reads on, and the host is fenced (power)",
    )
    parser.add_argument("--keep", action="store_true", help="leave the lab up")
    chosen = parser.parse_args()
    lab = Lab(say=tell)
    bench: Bench | None = None
    found: list[Detection] = []
    try:
        lab.up(Settings(hosts=4, intervals="default"))
        bench = Bench(lab, chosen.fault)
        bring_home(lab, bench.nova)
        for number in range(chosen.runs):
            found.append(bench.run(number))
            tell(f"{number + 1}/{chosen.runs}: {found[-1]}")
    except LabError as error:
        tell(f"bench: {error}")
        return 1
    finally:
        if bench is not None:
            bench.koboshi.close()
        if not chosen.keep:
            with suppress(LabError):
                lab.down()
    result = {"machine_cpus": cpu_count(), "intervals": "default", **summary(found)}
    keep_result("detection", result)
    print(json.dumps(result) if chosen.json else json.dumps(result, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
