"""How many probes a second one core carries: ssh banners, pings, and both at once, on loopback.

Run on a quiet machine; the load before and after is printed with the numbers. The server that
answers runs in a process of its own.

    .venv/bin/python -m bench.probing
"""

import asyncio
import multiprocessing
import os
import time
from collections.abc import Sequence
from datetime import timedelta
from multiprocessing.connection import Connection

from koboshi.adapters.probing import IcmpProbe, SeveralProbes, SshProbe, why_no_icmp
from koboshi.domain.facts.cloud import ProbeAnswer
from koboshi.engine.pace import MAX_PROBES_AT_ONCE
from koboshi.ports.probe import Probe

PROBES = 10_000
HOSTS = 200
PATIENCE = timedelta(seconds=3)


def _greet(told: Connection) -> None:
    async def serve(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"SSH-2.0-bench\r\n")
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(serve, "0.0.0.0", 0, backlog=1024)  # noqa: S104 - 127.0.0.0/8 is asked
        told.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


async def measure(probe: Probe) -> tuple[float, float, int]:
    """Return probes a second of a core's time, of real time, and how many were not answered."""
    numbers = iter(range(PROBES))
    missed = 0

    async def in_turn() -> None:
        nonlocal missed
        for number in numbers:
            answer = await probe.ask(f"127.0.9.{1 + number % HOSTS}")
            missed += answer not in {ProbeAnswer.USERLAND, ProbeAnswer.KERNEL}

    cpu_s, real_s = time.process_time(), time.monotonic()
    await asyncio.gather(*(in_turn() for _ in range(MAX_PROBES_AT_ONCE)))
    cpu_s, real_s = time.process_time() - cpu_s, time.monotonic() - real_s
    return PROBES / cpu_s, PROBES / real_s, missed


async def _all(probes: Sequence[Probe]) -> None:
    for probe in probes:
        a_core, real, missed = await measure(probe)
        print(
            f"{probe.name:24} {a_core:8.0f} a second a core, {real:8.0f} a second; {missed} missed"
        )


def main() -> None:
    """Measure, and print."""
    ours, theirs = multiprocessing.Pipe()
    server = multiprocessing.Process(target=_greet, args=(theirs,), daemon=True)
    server.start()
    ssh = SshProbe(port=ours.recv(), timeout=PATIENCE)
    probes: list[Probe] = [ssh]
    if (why := why_no_icmp()) is None:
        probes += [IcmpProbe(timeout=PATIENCE), SeveralProbes([IcmpProbe(timeout=PATIENCE), ssh])]
    else:
        print(why)
    print("load before:", os.getloadavg())
    asyncio.run(_all(probes))
    print("load after:", os.getloadavg())
    server.terminate()


if __name__ == "__main__":
    main()
