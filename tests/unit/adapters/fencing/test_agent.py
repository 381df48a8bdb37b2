"""A fence agent is believed when it says so in words, and leaves nothing behind: real processes."""

import stat
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from pydantic import SecretStr

from koboshi.adapters.fencing.agent import AgentAccess, AgentFence, why_secrets_may_show
from koboshi.domain.errors import FenceError
from koboshi.domain.facts.cloud import Power
from koboshi.domain.facts.device import NAMELESS

pytestmark = pytest.mark.anyio

SECRET = "xyzzy-marker-secret"
REAL = Path("/usr/sbin/fence_ipmilan")
needs_agents = pytest.mark.skipif(
    not REAL.exists(), reason="no fence agents here: apt-get install fence-agents"
)


def script(folder: Path, name: str, text: str) -> Path:
    """Write a program for /bin/sh."""
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def fence(folder: Path, agent: str = "fence_fake", limit_s: float = 5, **more: Any) -> AgentFence:
    access: dict[str, Any] = {
        "host": "cmp1",
        "agent": agent,
        "folder": folder,
        "parameters": {"ip": "192.0.2.9", "plug": "7"},
        "username": "admin",
        "password": SecretStr(SECRET),
        "timeout": timedelta(seconds=limit_s),
    }
    return AgentFence(AgentAccess(**(access | more)))


@pytest.mark.parametrize(
    ("says", "power"),
    [
        ("echo Status: ON; exit 0", Power.ON),
        ("echo Status: OFF; exit 2", Power.OFF),
        ("echo something first; echo 'Status: OFF'; exit 2", Power.OFF),
    ],
)
async def test_word_and_exit_code_together_are_a_power_state(
    tmp_path: Path, says: str, power: Power
) -> None:
    script(tmp_path, "fence_fake", f"cat >/dev/null; {says}")
    assert await fence(tmp_path).power_state() is power


@pytest.mark.parametrize(
    "says",
    [
        "exit 2",  # bad arguments, in the agents' own library
        "echo Failed: no such plug >&2; exit 2",
        "echo Status: OFF; exit 0",
        "echo Status: ON; exit 2",
        "echo Status: UNKNOWN; exit 8",
        "echo Status: OFF; exit 1",
        "echo 'Status: OFF?'; exit 2",
        "echo Status: OFF; echo Status: ON; exit 2",
        "exit 0",
        "kill -9 $$",
    ],
)
async def test_anything_else_is_no_power_state(tmp_path: Path, says: str) -> None:
    script(tmp_path, "fence_fake", f"cat >/dev/null; {says}")
    with pytest.raises(FenceError, match=r"fence_fake for cmp1 at 192\.0\.2\.9, plug 7: status"):
        await fence(tmp_path).power_state()


async def test_parameters_go_to_its_standard_input_and_nowhere_else(tmp_path: Path) -> None:
    told, argv, environment = (tmp_path / n for n in ("told", "argv", "environment"))
    script(
        tmp_path,
        "fence_fake",
        f'cat >{told}; echo "$0 $*" >{argv}; env >{environment}; echo Success: Powered OFF',
    )
    await fence(tmp_path).power_off()
    lines = told.read_text().splitlines()
    assert lines[-1] == "action=off"
    assert {"ip=192.0.2.9", "plug=7", "username=admin", f"password={SECRET}"} <= set(lines)
    assert argv.read_text().split() == [str(tmp_path / "fence_fake")]
    names = {line.partition("=")[0] for line in environment.read_text().splitlines()}
    assert names <= {"PATH", "LANG", "LC_ALL", "PYTHONWARNINGS", "PWD", "OLDPWD", "SHLVL", "_"}


async def test_what_would_be_stripped_is_quoted(tmp_path: Path) -> None:
    told = tmp_path / "told"
    script(tmp_path, "fence_fake", f"cat >{told}")
    await fence(tmp_path, password=SecretStr(" edges ")).power_on()
    assert 'password=" edges "' in told.read_text().splitlines()
    await fence(tmp_path, password=SecretStr('"quoted"')).power_on()
    assert 'password=""quoted""' in told.read_text().splitlines()


async def test_what_the_agent_says_is_told_without_the_secret(tmp_path: Path) -> None:
    script(
        tmp_path, "fence_fake", f"cat >/dev/null; echo Unable to login with {SECRET} >&2; exit 3"
    )
    with pytest.raises(FenceError, match="Unable to login") as found:
        await fence(tmp_path).power_off()
    assert SECRET not in str(found.value)
    assert SECRET not in repr(fence(tmp_path))


async def test_an_endless_answer_is_cut(tmp_path: Path) -> None:
    script(tmp_path, "fence_fake", "cat >/dev/null; head -c 3000000 /dev/zero | tr '\\0' x; exit 1")
    with pytest.raises(FenceError) as found:
        await fence(tmp_path).power_state()
    assert len(str(found.value)) < 1000


async def test_an_agent_that_is_missing_is_named_with_the_cure(tmp_path: Path) -> None:
    with pytest.raises(FenceError, match=r"there is no .*fence_fake; install the fence agents"):
        await fence(tmp_path).power_state()


async def test_an_agent_tells_nothing_of_whose_machine_it_is(tmp_path: Path) -> None:
    assert await fence(tmp_path).identity() == NAMELESS


def alive(pid: int) -> bool:
    """Return whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def gone(pid: int) -> bool:
    for _ in range(150):
        if not alive(pid):
            return True
        await anyio.sleep(0.02)
    return False


async def pid_in(path: Path) -> int:
    for _ in range(250):
        if path.exists() and path.read_text().strip():
            return int(path.read_text())
        await anyio.sleep(0.02)
    pytest.fail("it never began")


def hanging(folder: Path) -> Path:
    """Write an agent whose own child hangs, deaf to every polite signal; return the child's pid file."""
    pids = folder / "pid"
    child = script(
        folder, "child", f"trap '' TERM INT HUP; echo $$ >{pids}; while :; do sleep 1; done"
    )
    script(folder, "fence_fake", f"trap '' TERM INT HUP; cat >/dev/null; {child}")
    return pids


async def test_one_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    pids = hanging(tmp_path)
    begun = anyio.current_time()
    with pytest.raises(FenceError, match="did not end within 1 s"):
        await fence(tmp_path, limit_s=1).power_off()
    assert anyio.current_time() - begun < 3
    assert await gone(await pid_in(pids))


async def test_one_that_is_not_waited_for_any_more_is_ended(tmp_path: Path) -> None:
    pids = hanging(tmp_path)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(fence(tmp_path).power_off)
        await pid_in(pids)
        tasks.cancel_scope.cancel()
    assert await gone(await pid_in(pids))


VICTIM = """
import sys
from datetime import timedelta
from pathlib import Path
import anyio
from koboshi.adapters.fencing.agent import AgentAccess, AgentFence
access = AgentAccess(host="cmp1", agent="fence_fake", folder=Path(sys.argv[1]))
anyio.run(AgentFence(access).power_off)
"""


async def test_one_does_not_outlive_us_however_we_end(tmp_path: Path) -> None:
    """Killed with SIGKILL, nothing of ours runs any more to end it; the lifeline does."""
    pids = hanging(tmp_path)
    victim = await anyio.open_process([sys.executable, "-c", VICTIM, str(tmp_path)])
    child = await pid_in(pids)
    assert alive(child)
    victim.kill()
    await victim.wait()
    await victim.aclose()
    assert await gone(child)


# --- fence_ipmilan itself, with an ipmitool of ours behind it


@pytest.fixture
def ipmitool(tmp_path: Path) -> Path:
    """Write an ipmitool that notes what it was given, and knows the power of one host."""
    (tmp_path / "power").write_text("on")
    script(
        tmp_path,
        "ipmitool",
        f"""
echo "$@" >>{tmp_path}/argv
echo "$IPMI_PASSWORD" >>{tmp_path}/password
env >>{tmp_path}/environment
case "$*" in
  *"power off"*) echo off >{tmp_path}/power;;
  *"power on"*) echo on >{tmp_path}/power;;
esac
echo "Chassis Power is $(cat {tmp_path}/power)"
""",
    )
    return tmp_path


@needs_agents
async def test_fence_ipmilan_switches_and_its_password_is_on_no_command_line(
    ipmitool: Path,
) -> None:
    awkward = "a'b\"c $x #1"
    device = fence(
        REAL.parent,
        agent="fence_ipmilan",
        parameters={
            "ip": "192.0.2.9",
            "lanplus": "1",
            "ipmitool_path": str(ipmitool / "ipmitool"),
        },
        password=SecretStr(awkward),
        limit_s=10,
    )
    assert await device.power_state() is Power.ON
    await device.power_off()
    assert await device.power_state() is Power.OFF
    await device.power_off()
    await device.power_on()
    assert await device.power_state() is Power.ON
    assert set((ipmitool / "password").read_text().splitlines()) == {awkward}
    for line in (ipmitool / "argv").read_text().splitlines():
        assert "-I lanplus -H 192.0.2.9 -p 623 -U admin -E" in line
        assert awkward not in line
        assert "-P" not in line.split()
    assert "KOBOSHI_IPMI_PASSWORD" not in (ipmitool / "environment").read_text()


def cmdlines() -> str:
    """Return every command line of this machine."""
    found: list[str] = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except (OSError, UnicodeDecodeError):
                continue
    return "\n".join(found)


@needs_agents
async def test_no_command_line_shows_the_password_while_a_bmc_is_slow(tmp_path: Path) -> None:
    pids = tmp_path / "pid"
    script(tmp_path, "ipmitool", f"echo $$ >{pids}; sleep 3; echo Chassis Power is on")
    device = fence(
        REAL.parent,
        agent="fence_ipmilan",
        parameters={"ip": "192.0.2.9", "ipmitool_path": str(tmp_path / "ipmitool")},
        limit_s=10,
    )
    seen: list[str] = []
    async with anyio.create_task_group() as tasks:

        async def watch() -> None:
            while True:
                seen.append(cmdlines())
                await anyio.sleep(0.005)

        tasks.start_soon(watch)
        assert await device.power_state() is Power.ON
        tasks.cancel_scope.cancel()
    assert any("fence_ipmilan" in text for text in seen)
    assert any(str(tmp_path / "ipmitool") in text for text in seen)
    assert not any(SECRET in text for text in seen)


def test_agents_that_show_their_secrets_are_known(tmp_path: Path) -> None:
    def why(agent: str, **more: Any) -> str | None:
        access: dict[str, Any] = {
            "host": "h",
            "agent": agent,
            "folder": tmp_path,
            "password": SecretStr(SECRET),
        }
        return why_secrets_may_show(AgentAccess(**(access | more)))

    (tmp_path / "fence_snmp").write_text("from fencing_snmp import FencingSnmp")
    (tmp_path / "fence_web").write_text("import requests")
    assert "command line" in (why("fence_snmp") or "")
    assert why("fence_web") is None
    assert why("fence_missing") is None
    assert why("fence_ipmilan") is None
    assert why("fence_snmp", password=None) is None
    assert why("fence_snmp", password=None, parameters={"community": "private"}) is not None
    assert why("fence_ipmilan", parameters={"hexadecimal_kg": "aa"}) is not None


LOW = """
import os, sys
from pathlib import Path
import anyio
from koboshi.adapters.fencing.agent import AgentAccess, AgentFence
held = [os.open("/dev/null", os.O_RDONLY) for _ in range(8)]
access = AgentAccess(host="cmp1", agent="fence_fake", folder=Path(sys.argv[1]))
async def main():
    for low in range(3, 10):
        os.close(low)  # what is opened next has this number
        print(await AgentFence(access).power_state())
        os.open("/dev/null", os.O_RDONLY)
anyio.run(main)
"""


async def test_no_number_of_a_descriptor_is_in_the_shells_way(tmp_path: Path) -> None:
    """The guard's shell keeps the low ones for itself; the lifeline once had one of them."""
    script(tmp_path, "fence_fake", "cat >/dev/null; sleep 0.1; echo Status: ON")
    ran = await anyio.run_process([sys.executable, "-c", LOW, str(tmp_path)])
    assert ran.stdout.decode().split() == ["on"] * 7


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    script(tmp_path, "fence_fake", "cat >/dev/null; echo Status: ON")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(3):
        assert anyio.run(fence(tmp_path).power_state) is Power.ON
    assert len(list(Path("/proc/self/fd").iterdir())) <= before
