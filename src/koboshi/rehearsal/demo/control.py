"""How a running demo is told of faults: one line of JSON each way, over a socket for its owner only."""

import json
import socket
from collections.abc import Callable
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import Any, cast

import anyio
from anyio.abc import SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

from koboshi.domain.errors import KoboshiError
from koboshi.domain.names import HostName
from koboshi.rehearsal.demo.ending import look
from koboshi.rehearsal.demo.show import Show
from koboshi.sim.faults import Fault, FaultKind
from koboshi.sim.network import Network
from koboshi.sim.physics import Host

Json = dict[str, Any]
MAX_LINE = 1_048_576
ANSWER_S = 10.0


class DemoFault(StrEnum):
    """What can be done to a host of a running demo."""

    POWER = "power"
    CUT = "cut"
    PROCESS = "process"
    HANG = "hang"
    REBOOT = "reboot"
    START = "start"


DEMO_FAULT_MEANING: dict[DemoFault, str] = {
    DemoFault.POWER: "the host loses its power, and its servers with it",
    DemoFault.CUT: "its management network is cut: its servers run on, unseen",
    DemoFault.PROCESS: "nova-compute dies, its servers run on",
    DemoFault.HANG: "its kernel answers, every process stands still",
    DemoFault.REBOOT: "it reboots; its servers are off afterwards",
    DemoFault.START: "every fault of it ends: power, networks, and nova-compute are back",
}


def befall(show: Show, host: str, what: DemoFault) -> None:
    """Let a fault befall a host of the running demo. Raises KoboshiError for an unknown host."""
    if host not in show.world.physics.hosts:
        names = ", ".join(show.world.physics.hosts)
        raise KoboshiError(f"there is no host {host}; there are {names}")
    begin = show.happenings.begin
    match what:
        case DemoFault.POWER:
            begin(Fault(kind=FaultKind.POWER_LOSS, host=host))
        case DemoFault.CUT:
            begin(Fault(kind=FaultKind.CUT, host=host, network=Network.MANAGEMENT))
        case DemoFault.PROCESS:
            begin(Fault(kind=FaultKind.COMPUTE_DIES, host=host))
        case DemoFault.HANG:
            begin(Fault(kind=FaultKind.HANG, host=host))
        case DemoFault.REBOOT:
            begin(Fault(kind=FaultKind.QUICK_REBOOT, host=host))
        case DemoFault.START:
            begin(Fault(kind=FaultKind.CALM, host=host))
            machine = show.world.physics.hosts[HostName(host)]
            if not machine.power:
                begin(Fault(kind=FaultKind.START, host=host))
            elif not machine.compute and not machine.hung:
                begin(Fault(kind=FaultKind.COMPUTE_STARTS, host=host))


def hosts_of(show: Show) -> list[Json]:
    """Return every host as it really is."""
    return [
        {
            "host": h.name,
            "address": h.address,
            "power": "on" if h.power else "off",
            "network": "connected" if h.link and h.link_in and h.link_out else "cut",
            "kernel": _kernel(h),
            "nova_compute": "works" if h.works else "down",
            "servers_running": len(h.domains),
        }
        for h in show.world.physics.hosts.values()
    ]


def _kernel(host: Host) -> str:
    if not host.power:
        return "off"
    return "boots" if host.booting else "hangs" if host.hung else "works"


def servers_of(show: Show) -> list[Json]:
    """Return every server as it really is, its data included."""
    rows = show.world.cloud.servers_by_id
    return [
        {
            "server": server,
            "name": rows[server].name,
            "host": found.host,
            "status": found.status,
            "runs_on": " AND ".join(found.runs_on),
            "data": found.data,
        }
        for server, found in look(show.world).items()
    ]


async def serve_control(show: Show, told: Callable[[str, DemoFault], None]) -> None:
    """Listen until cancelled; `told` hears of each fault."""
    path = show.directory.control
    listener = await anyio.create_unix_listener(path, mode=0o600)

    async def answer(stream: SocketStream) -> None:
        async with stream:
            with anyio.move_on_after(ANSWER_S):
                try:
                    line = await BufferedByteReceiveStream(stream).receive_until(b"\n", MAX_LINE)
                    reply = _answer(show, json.loads(line), told)
                except KoboshiError as error:
                    reply = {"error": str(error)}
                except (ValueError, KeyError, anyio.IncompleteRead, anyio.DelimiterNotFound):
                    reply = {"error": "not understood"}
                await stream.send(json.dumps(reply).encode() + b"\n")

    try:
        await listener.serve(answer)
    finally:
        path.unlink(missing_ok=True)


def _answer(show: Show, asked: Json, told: Callable[[str, DemoFault], None]) -> Json:
    match asked["ask"]:
        case "hosts":
            return {"rows": hosts_of(show)}
        case "servers":
            return {"rows": servers_of(show)}
        case "broken":
            return {"broken": [asdict(b) for b in show.judge.breaches]}
        case "fault":
            host, what = str(asked["host"]), DemoFault(asked["fault"])
            befall(show, host, what)
            told(host, what)
            return {"meaning": DEMO_FAULT_MEANING[what]}
        case other:
            raise KoboshiError(f"{other} is not understood")


def ask(control: Path, question: Json) -> Json:
    """Ask a running demo from another process. Raises KoboshiError when none runs, or it refuses."""
    try:
        with socket.socket(socket.AF_UNIX) as caller:
            caller.settimeout(ANSWER_S)
            caller.connect(str(control))
            caller.sendall(json.dumps(question).encode() + b"\n")
            with caller.makefile("rb") as answers:
                reply = cast("Json", json.loads(answers.readline(MAX_LINE)))
    except (OSError, ValueError) as error:
        raise KoboshiError(
            f"no demo answers at {control} ({error}); start one with: koboshi demo --serve "
            f"--directory {control.parent}"
        ) from None
    if "error" in reply:
        raise KoboshiError(str(reply["error"]))
    return reply
