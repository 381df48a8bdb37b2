"""How much Koboshi costs at scale, and how soon it acts: against a simulated cloud over HTTP.

`--hosts N --json` ends with one line of JSON; see bench/README.md for what is measured and how.
"""

import argparse
import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import anyio

from koboshi.adapters.probing import SshProbe
from koboshi.api.views import IncidentView, StatusView
from koboshi.client import ApiClient
from koboshi.domain.errors import KoboshiError
from koboshi.domain.facts.cloud import ProbeAnswer
from koboshi.domain.incidents.incident import IncidentState
from koboshi.domain.judging.verdict import Verdict
from koboshi.sim.http import BMC_USER, PASSWORD

HERE = Path(__file__).parent
TICKS_A_SECOND = os.sysconf("SC_CLK_TCK")
SERVERS_A_HOST = 20
RACK = 40
SIZES = (100, 1_000, 10_000)
"""What `--all` measures, one after the other."""
CHANCE = random.Random()  # noqa: S311 which server changes is no secret
SWEEP_S = 60
SETTLE_S = 60
"""Between the first listing of everything and the measurement."""
WARM_S = 40
"""With probes, before a fault: heartbeats' intervals are known then, and every prober is trusted."""
STARTED_WITHIN_S = 900
ACTED_WITHIN_S = 120
DOUBTED_FOR_S = 30
"""So long after all of a rack is in doubt somebody must be held, or nobody will be."""
PROBES_AT_ONCE = 64


class Cloud:
    """The served cloud, in its own process."""

    def __init__(self, hosts: int, folder: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "scale_cloud.py"), str(hosts), str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        told = self._told()
        self.url: str = told["url"]
        self.hosts: list[tuple[str, str]] = [(name, address) for name, address in told["hosts"]]

    def _told(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit("the cloud's process has ended")
        return json.loads(line)

    def ask(self, command: str, *numbers: int) -> dict[str, Any]:
        """Let the cloud carry out a command, and return what it says."""
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join([command, *map(str, numbers)]) + "\n")
        self._process.stdin.flush()
        return self._told()

    def end(self) -> None:
        """End it."""
        self._process.terminate()
        self._process.wait(10)


@contextmanager
def cloud_of(hosts: int, folder: Path) -> Generator[Cloud]:
    """Give a cloud that is served."""
    cloud = Cloud(hosts, folder)
    try:
        yield cloud
    finally:
        cloud.end()


class Koboshi:
    """The daemon's process, and what it costs."""

    def __init__(self, cloud: Cloud, folder: Path, probes: str) -> None:
        self.folder = folder
        shutil.rmtree(folder / "state", ignore_errors=True)
        write_settings(cloud, folder)
        self._log = (folder / "koboshi.log").open("w")
        self._process = subprocess.Popen(
            [sys.executable, str(HERE / "scale_daemon.py"), str(folder), probes],
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )

    def __enter__(self) -> Self:
        """Return the running daemon."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def cpu_s(self) -> float:
        """Return the seconds of CPU that the process has used."""
        self._assert_alive()
        fields = Path(f"/proc/{self._process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / TICKS_A_SECOND

    def rss_mb(self) -> float:
        """Return its resident memory."""
        self._assert_alive()
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        told = next(line for line in lines if line.startswith("VmRSS"))
        return int(told.split()[1]) / 1024

    def _assert_alive(self) -> None:
        if self._process.poll() is not None:
            raise SystemExit(f"Koboshi has ended:\n{(self.folder / 'koboshi.log').read_text()}")

    def api(self) -> ApiClient:
        """Return a client of its API."""
        return ApiClient(self.folder / "state" / "koboshi.sock", answer_s=60)

    def status(self) -> StatusView | None:
        """Return what `koboshi status` shows; None while nobody answers."""
        self._assert_alive()
        try:
            with self.api() as api:
                return api.status()
        except KoboshiError:
            return None

    def held(self) -> list[IncidentView]:
        """Return the incidents that the brake holds."""
        with self.api() as api:
            return [i for i in api.incidents() if i.state == IncidentState.HELD]


def until_watching(cloud: Cloud, koboshi: Koboshi) -> float:
    """Wait until everything was listed; return how many seconds that took.

    The first question for changes comes when it was. Koboshi itself is not asked: ten thousand
    hosts' status costs it memory and time.
    """
    began = time.monotonic()
    while not cloud.ask("counts")["changes_told_at"]:
        time.sleep(1)
        koboshi.cpu_s()
        if time.monotonic() - began > STARTED_WITHIN_S:
            raise SystemExit(f"not all servers are known after {STARTED_WITHIN_S} s")
    return time.monotonic() - began


def write_settings(cloud: Cloud, folder: Path) -> None:
    """Write Koboshi's settings: act mode, a BMC for each host, windows as short as tests have them."""
    lines = [
        'mode = "act"',
        'install = "scale"',
        f'state_dir = "{folder / "state"}"',
        "[cloud]",
        'name = "scale"',
        f'config_file = "{folder / "clouds.yaml"}"',
        'read_timeout = "60s"',
        "[evidence]",
        'services_interval = "10s"',
        f'sweep_interval = "{SWEEP_S}s"',
        "[windows]",
        'probe_warm_up = "5s"',
        'new_evidence = "20s"',
        "[log]",
        'format = "json"',
        "[fencing.defaults]",
        f'username = "{BMC_USER}"',
        f'password = "{PASSWORD}"',
        "verify_tls = false",
    ]
    for host, _ in cloud.hosts:
        lines += [f"[fencing.hosts.{host}]", f'url = "{cloud.url}"', f'system_id = "{host}"']
    path = folder / "koboshi.toml"
    path.write_text("\n".join(lines))
    path.chmod(0o600)
    (folder / "state").mkdir(exist_ok=True)


def steady(cloud: Cloud, folder: Path, periods: int) -> dict[str, Any]:
    """Measure the steady state without probes: CPU, memory, requests; and when a change is seen."""
    servers = len(cloud.hosts) * SERVERS_A_HOST
    with Koboshi(cloud, folder, "rest") as koboshi:
        known_s = until_watching(cloud, koboshi)
        paging_cpu_s = koboshi.cpu_s()
        time.sleep(SETTLE_S)
        shares: list[float] = []
        before = cloud.ask("counts")
        for _ in range(periods):
            cpu_s, at_s = koboshi.cpu_s(), time.monotonic()
            time.sleep(SWEEP_S)
            shares.append((koboshi.cpu_s() - cpu_s) / (time.monotonic() - at_s))
        after = cloud.ask("counts")
        rss_mb = koboshi.rss_mb()
        return {
            "cpu_fraction": round(statistics.median(shares), 4),
            "cpu_fraction_spread": [round(min(shares), 4), round(max(shares), 4)],
            "rss_mb": round(rss_mb, 1),
            "requests_per_minute": round((after["nova"] - before["nova"]) / periods, 1),
            "bmc_reads_per_minute": round((after["bmc"] - before["bmc"]) / periods, 1),
            "all_servers_known_s": round(known_s, 1),
            "cpu_s_until_known": round(paging_cpu_s, 1),
            "change_seen_s": round(change_seen_s(cloud, koboshi, servers), 1),
        }


def change_seen_s(cloud: Cloud, koboshi: Koboshi, servers: int) -> float:
    """Let a random server be deleted; return after how many seconds Koboshi was told, and knew."""
    deleted_s = cloud.ask("delete", CHANCE.randrange(servers))["at_s"]
    while (told_s := cloud.ask("counts")["changes_told_at"]) <= deleted_s:
        time.sleep(0.5)
    time.sleep(2)
    status = koboshi.status()
    if status is None or sum(h.servers or 0 for h in status.hosts) != servers - 1:
        raise SystemExit("a server was deleted, Koboshi was told, and still counts it")
    return told_s - deleted_s


def one_host(cloud: Cloud, folder: Path) -> dict[str, Any]:
    """Kill one host, with probes; return when its first evacuate was asked for."""
    with Koboshi(cloud, folder, "probe") as koboshi:
        until_watching(cloud, koboshi)
        cpu_s = koboshi.cpu_s()
        time.sleep(WARM_S)
        share = (koboshi.cpu_s() - cpu_s) / WARM_S
        killed_s = cloud.ask("kill", CHANCE.randrange(len(cloud.hosts)))["at_s"]
        first_s = first_evacuate_s(cloud)
        status = koboshi.status()
        return {
            "one_host_first_evacuate_s": None if first_s is None else round(first_s - killed_s, 1),
            "one_host_incidents": [i.state for i in status.incidents] if status else None,
            "cpu_fraction_with_rounds_of_probes": round(share, 4),
        }


def first_evacuate_s(cloud: Cloud) -> float | None:
    """Return when the cloud got its first evacuate; None when it gets none for long."""
    for _ in range(ACTED_WITHIN_S):
        if sent := cloud.ask("evacuations")["at_s"]:
            return float(min(sent))
        time.sleep(1)
    return None


def a_rack(cloud: Cloud, folder: Path) -> dict[str, Any]:
    """Kill a rack; return when its hosts were held, which is what the brake does today."""
    rack = range(min(RACK, len(cloud.hosts) // 2))
    with Koboshi(cloud, folder, "probe") as koboshi:
        until_watching(cloud, koboshi)
        time.sleep(WARM_S)
        sent = len(cloud.ask("evacuations")["at_s"])
        cloud.ask("kill", *rack)
        began = time.monotonic()
        held, first_s = 0, None
        doubted_s = None
        while time.monotonic() - began < ACTED_WITHIN_S and held < len(rack):
            held = len(koboshi.held())
            if held and first_s is None:
                first_s = time.monotonic() - began
            status = None if doubted_s else koboshi.status()
            if status and sum(h.verdict is not Verdict.UP for h in status.hosts) >= len(rack):
                doubted_s = time.monotonic() - began
            if doubted_s and not held and time.monotonic() - began > doubted_s + DOUBTED_FOR_S:
                break  # a rack that is a fifth of the cloud takes the positive control with it
            time.sleep(1)
        took_s, status = time.monotonic() - began, koboshi.status()
        verdicts = Counter(str(h.verdict) for h in status.hosts) if status else None
        return {
            "rack_hosts": len(rack),
            "rack_verdicts": verdicts,
            "rack_all_in_doubt_s": None if doubted_s is None else round(doubted_s, 1),
            "rack_held": held,
            "rack_first_held_s": None if first_s is None else round(first_s, 1),
            "rack_all_held_s": round(took_s, 1) if held == len(rack) else None,
            "rack_evacuates": len(cloud.ask("evacuations")["at_s"]) - sent,
        }


def probes_a_second(for_s: float) -> float:
    """Return how many real ssh probes one core does in a second, against a listener that greets."""
    with greeting() as port:
        probe = SshProbe(port=port)

        async def ask_all() -> float:
            asked, cpu_s = 0, time.process_time()

            async def ask(until_s: float) -> None:
                nonlocal asked
                while time.monotonic() < until_s:
                    answer = await probe.ask("127.0.0.1")
                    asked += answer is ProbeAnswer.USERLAND

            until_s = time.monotonic() + for_s
            async with anyio.create_task_group() as tasks:
                for _ in range(PROBES_AT_ONCE):
                    tasks.start_soon(ask, until_s)
            return asked / (time.process_time() - cpu_s)

        return anyio.run(ask_all)


@contextmanager
def greeting() -> Generator[int]:
    """Run an ssh-like listener in another process; give its port."""
    program = (
        "import socket\n"
        "s = socket.create_server(('127.0.0.1', 0), backlog=512)\n"
        "print(s.getsockname()[1], flush=True)\n"
        "while True:\n"
        "    c = s.accept()[0]\n"
        "    try: c.sendall(b'SSH-2.0-bench\\r\\n')\n"
        "    except OSError: pass\n"
        "    c.close()\n"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


def main() -> None:
    """Measure, and print one line of JSON at the end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=100)
    parser.add_argument("--all", action="store_true", help=f"of {SIZES} hosts each, a line each")
    parser.add_argument("--periods", type=int, default=3, help="sweeps to measure, a minute each")
    parser.add_argument("--only", choices=("steady", "faults", "probes"), default=None)
    parser.add_argument("--json", action="store_true", help="nothing but JSON")
    options = parser.parse_args()
    for hosts in SIZES if options.all else (options.hosts,):
        options.hosts = hosts
        measure_size(options)


def measure_size(options: argparse.Namespace) -> None:
    """Measure a cloud of one size, and print what was found."""
    found: dict[str, Any] = {"hosts": options.hosts, "servers": options.hosts * SERVERS_A_HOST}
    if options.only in {None, "probes"}:
        rates = [probes_a_second(3.0) for _ in range(3)]
        found["probes_per_core_second"] = round(statistics.median(rates))
    if options.only != "probes":
        with tempfile.TemporaryDirectory(prefix="koboshi-scale-") as place:
            found |= measure(options, Path(place))
    if not options.json:
        for name, value in found.items():
            print(f"{name:36} {value}")
    print(json.dumps(found), flush=True)


def measure(options: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Measure what needs a cloud."""
    found: dict[str, Any] = {}
    if options.only in {None, "steady"}:
        with cloud_of(options.hosts, folder) as cloud:
            found |= steady(cloud, folder, options.periods)
    if options.only in {None, "faults"}:
        with cloud_of(options.hosts, folder) as cloud:
            found |= one_host(cloud, folder)
        with cloud_of(options.hosts, folder) as cloud:
            found |= a_rack(cloud, folder)
    return found


if __name__ == "__main__":
    main()
