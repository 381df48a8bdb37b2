"""How long `koboshi forecast` takes, and how many calls it makes: on a simulated cloud that is served.

    uv run bench/forecast.py [--servers 500] [--hosts 50] [--json]

The command runs as a process of its own, as a person types it; the cloud answers from this one.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from anyio.from_thread import start_blocking_portal

from koboshi.rehearsal.served import serving_cloud
from koboshi.rehearsal.spec import CloudSpec, Disks, HostSpec, PortSpec, ServerSpec

PROJECTS = 30
RUNS = 5
KINDS = (Disks.VOLUMES, Disks.VOLUMES, Disks.IMAGE, Disks.IMAGE_AND_VOLUME, Disks.VOLUMES_AND_SWAP)
FLAVORS_MB = (1024, 2048, 4096, 8192)


def cloud(servers: int, hosts: int) -> CloudSpec:
    """Return a cloud of servers of all kinds, in 30 projects, each with a port."""
    rows = {
        f"s{n:05}": ServerSpec(
            host=f"h{n % hosts + 1}",
            disks=KINDS[n % len(KINDS)],
            ram_mb=FLAVORS_MB[n % len(FLAVORS_MB)],
            project=f"project{n % PROJECTS:02}",
        )
        for n in range(servers)
    }
    roomy = {f"h{n}": HostSpec(ram_mb=524_288, vcpus=256) for n in range(1, hosts + 1)}
    ports = {f"port-of-{name}": PortSpec(server=name) for name in rows}
    return CloudSpec(hosts=hosts, server=rows, host=roomy, port=ports)


def measure(spec: CloudSpec) -> dict[str, Any]:
    """Run the forecast several times."""
    took_s: list[float] = []
    told: dict[str, Any] = {}
    with (
        tempfile.TemporaryDirectory(prefix="koboshi-bench-") as folder,
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(serving_cloud(spec)) as (face, at),
    ):
        path = Path(folder, "clouds.yaml")
        path.write_text(at.clouds_yaml("sim"))
        environ = os.environ | {"OS_CLIENT_CONFIG_FILE": str(path), "OS_CLOUD": "sim"}
        command = [str(Path(sys.executable).with_name("koboshi")), "forecast", "-f", "json"]
        for _ in range(RUNS):
            face.calls.clear()
            began_s = time.monotonic()
            done = subprocess.run(
                command, env=environ, capture_output=True, text=True, check=True, timeout=300
            )
            took_s.append(time.monotonic() - began_s)
            told = json.loads(done.stdout)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "servers": told["servers"],
        "hosts": told["hosts"],
        "forecast_s": round(statistics.median(took_s), 2),
        "least_s": round(min(took_s), 2),
        "most_s": round(max(took_s), 2),
        "cpu_s": round((children.ru_utime + children.ru_stime) / RUNS, 2),
        "calls": sum(face.calls.values()),
    }


def main() -> None:
    """Measure, and say it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--servers", type=int, default=500)
    parser.add_argument("--hosts", type=int, default=50)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    found = measure(cloud(chosen.servers, chosen.hosts))
    if chosen.json:
        print(json.dumps(found))
        return
    print(
        f"{found['servers']} servers on {found['hosts']} hosts: {found['forecast_s']} s "
        f"({found['least_s']} to {found['most_s']}; {found['cpu_s']} s of CPU), {found['calls']} calls"
    )


if __name__ == "__main__":
    main()
