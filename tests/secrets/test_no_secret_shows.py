"""No secret gets out: each place that may hold one holds a marker, which is then searched everywhere.

The daemon runs as a process on the simulated cloud; it fences by Redfish and by a fence agent, while
devices, Keystone and Prometheus repeat in their errors what they were told.
"""

import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import anyio
import pytest

from .markers import Markers
from .stage import BY_AGENT, BY_REDFISH, PATIENCE_S, REFUSED, Stage, staged

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(240)]


COMMANDS = (
    ("check",),
    ("check", "-f", "json"),
    ("status",),
    ("status", "-f", "json"),
    ("incident", "list"),
    ("host", "list"),
    ("host", "explain", BY_AGENT),
    ("host", "explain", REFUSED),
    ("domain", "list"),
    ("forecast",),
)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncGenerator[Stage]:
    async with staged(tmp_path, Markers()) as stage:
        yield stage


async def test_no_secret_shows(stage: Stage) -> None:
    await stage.until(lambda: stage.has_logged('"started"'), "the start")
    await anyio.sleep(8)  # its evidence is gathered
    await both_are_fenced(stage)
    said = {" ".join(words): await stage.types(*words) for words in COMMANDS}
    await everything_refuses_and_repeats(stage)
    said |= {f"{words[0]}, later": await stage.types(*words) for words in (("check",), ("status",))}
    said |= {"api": await stage.answers(), "log": stage.directory.log.read_text()}
    said["notices"] = b"\n".join(stage.notices.bodies).decode()
    said["command lines"] = "\n".join(stage.lines)
    agents = [json.loads(line) for line in stage.record.read_text().splitlines()]
    said["what the agents saw"] = "\n".join(line for one in agents for line in one["argv"])
    for file in stage.directory.state.glob("journal*"):
        said[file.name] = file.read_bytes().decode("latin-1")
    assert_happened(stage, said, agents)
    found = {
        where: shown for where, text in said.items() if (shown := stage.markers.shown_in(text))
    }
    assert found == {}
    assert [
        w for w, text in said.items() if any(token in text for token in stage.face.tokens)
    ] == []


async def both_are_fenced(stage: Stage) -> None:
    hosts = [stage.world.host(name) for name in (BY_REDFISH, BY_AGENT)]
    for host in hosts:
        host.link = False
    await stage.until(lambda: stage.has_logged("domain confirm r1"), "the brake")
    with anyio.fail_after(PATIENCE_S):
        while any(
            host.power for host in hosts
        ):  # the word is refused while none is silent for long
            assert "r1" in await stage.types("domain", "confirm", "r1", "--confirm", "r1")
            await anyio.sleep(1)
    rows = stage.world.cloud.servers_by_id
    for host in hosts:
        await stage.until(lambda h=host: not h.power, f"the fencing of {host.name}")
        await stage.until(
            lambda h=host: all(row.host != h.name for row in rows.values()),
            f"the recovery of {host.name}",
        )


async def everything_refuses_and_repeats(stage: Stage) -> None:
    """Let Nova, then Keystone, answer each request with whatever it was told."""
    stage.face.paths.add("os-services")
    await stage.until(lambda: stage.has_logged("'x-auth-token': '***"), "Nova's refusal")
    stage.face.paths.add("auth/tokens")
    stage.face.keystone.revoke_all()
    await stage.until(lambda: stage.has_logged("does not serve us"), "Keystone's refusal")


def assert_happened(stage: Stage, said: dict[str, str], agents: list[dict[str, Any]]) -> None:
    """Hold that each secret was really used: a test that reaches nothing would find nothing."""
    assert {"status", "off", "metadata", "ipmilan", "ipmitool"} <= {one["kind"] for one in agents}
    assert stage.samples.calls > 2
    assert len(stage.notices.bodies) > 2
    assert "snmp_priv_passwd" in said["api"]  # what the agent was told, and says
    assert "cannot serve" in said["check -f json"]  # the BMC repeats what it was shown
    assert "SSL" in said["check -f json"]
    assert "incident" in said["journal.db-wal"]
