"""Any power device that a fence agent of the cluster people knows: fence_ipmilan, fence_apc, 80 more.

Parameters go to the agent's standard input as `key=value` lines, as its metadata names them; never
onto a command line. Only its words for the power count: its exit code 2 means *off*, and in the same
library (fencing.py 4.12, EC_BAD_ARGS) *bad arguments*.
"""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from pydantic import SecretStr

from koboshi.adapters.fencing.child import Ended, run_child
from koboshi.adapters.telemetry.redact import Redactor
from koboshi.domain.errors import FenceError
from koboshi.domain.facts.cloud import Power
from koboshi.domain.facts.device import NAMELESS, Identity

LONGEST = timedelta(seconds=10)
"""The safety argument's bound on one call."""
STATUS = {("ON", 0): Power.ON, ("OFF", 2): Power.OFF}
"""The agent's last word and its exit code must agree."""
IPMITOOL_FAMILY = frozenset(
    {
        "fence_ipmilan",
        "fence_ipmilanplus",
        "fence_idrac",
        "fence_ilo3",
        "fence_ilo4",
        "fence_ilo5",
        "fence_imm",
    }
)
"""One program under several names: it gives the password to ipmitool on the command line."""
IPMITOOL = "/usr/bin/ipmitool"
IPMITOOL_WRAPPER = Path(__file__).with_name("ipmitool.sh")
IPMI_PASSWORD_MAX_BYTES = 20
PLACEHOLDER = "in-the-environment"
QUICK = {
    "login_timeout": "4",
    "shell_timeout": "3",
    "power_timeout": "6",
    "power_wait": "0",
    "ipmitool_timeout": "1",
}
"""The agents' own limits are for a cluster that waits longer than we may; the settings' come first."""
QUIET_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
SECRET_NAMES = re.compile(r"passw|community|secret|token|hexadecimal_kg", re.IGNORECASE)
MAX_WORDS = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentAccess:
    """How one host's power device is reached through its agent."""

    host: str
    agent: str
    """The agent's name: `fence_ipmilan`."""
    folder: Path = Path("/usr/sbin")
    """Where the agents are."""
    parameters: Mapping[str, str] = field(default_factory=dict[str, str], repr=False)
    username: str | None = None
    password: SecretStr | None = None
    timeout: timedelta = LONGEST

    @property
    def program(self) -> Path:
        """Return the agent's file."""
        return self.folder / self.agent

    @property
    def place(self) -> str:
        """Return the device in words."""
        where = self.parameters.get("ip") or self.parameters.get("ipaddr") or ""
        plug = self.parameters.get("plug") or self.parameters.get("port") or ""
        at = f" at {where}" if where else ""
        return f"{self.agent} for {self.host}{at}" + (f", plug {plug}" if plug else "")


class AgentFence:
    """Implements `koboshi.ports.fence.Fence` for one device; it holds nothing open."""

    def __init__(self, access: AgentAccess) -> None:
        self._access = access
        self._limit_s = min(access.timeout, LONGEST).total_seconds()
        self._redact = Redactor(_secrets(access))

    def __repr__(self) -> str:
        return f"AgentFence({self._access.place})"

    async def power_state(self) -> Power:
        """Read the power once: only *on* and *off* in the agent's own words are an answer."""
        ended = await self._run("status")
        power = STATUS.get((_word(ended.output), ended.code))
        if power is None:
            raise self._failure("status", ended)
        return power

    async def power_off(self) -> None:
        """Ask for *off*; already off is success, whatever the agent calls it."""
        await self._switch("off")

    async def power_on(self) -> None:
        """Ask for *on*; already on is success."""
        await self._switch("on")

    async def identity(self) -> Identity:
        """Return nothing: no agent tells whose machine it switches."""
        return NAMELESS

    async def _switch(self, action: str) -> None:
        ended = await self._run(action)
        if ended.code != 0:
            raise self._failure(action, ended)

    async def _run(self, action: str) -> Ended:
        access = self._access
        parameters, environment = told(access)
        lines = "".join(f"{key}={_line(value)}\n" for key, value in parameters.items())
        try:
            return await run_child(
                [str(access.program)],
                told=f"{lines}action={action}\n".encode(),
                environment=environment,
                limit_s=self._limit_s,
            )
        except TimeoutError:
            raise FenceError(
                f"{access.place}: {action} did not end within {self._limit_s:g} s",
            ) from None
        except OSError as error:
            raise FenceError(
                f"{access.place} cannot be started: {error.strerror}; "
                "install the fence agents on this machine",
            ) from None

    def _failure(self, action: str, ended: Ended) -> FenceError:
        said = " ".join(self._redact(f"{ended.errors} {ended.output}").split())
        place = self._access.place
        if not self._access.program.exists():
            return FenceError(
                f"{place}: there is no {self._access.program}; install the fence agents on this machine"
            )
        words = said[-MAX_WORDS:] or "without a word"
        return FenceError(f"{place}: {action} ended with {ended.code}: {words}")


def told(access: AgentAccess) -> tuple[dict[str, str], dict[str, str]]:
    """Return what the agent is told, and its environment: nothing of ours but what it needs."""
    environment = {"PATH": QUIET_PATH, "LANG": "C", "LC_ALL": "C", "PYTHONWARNINGS": "ignore"}
    parameters = {**QUICK, **access.parameters}
    if access.agent not in IPMITOOL_FAMILY:
        parameters.pop("ipmitool_timeout", None)
    if access.username is not None:
        parameters.setdefault("username", access.username)
    if access.password is None:
        return parameters, environment
    password = access.password.get_secret_value()
    if access.agent in IPMITOOL_FAMILY:
        environment["KOBOSHI_IPMI_PASSWORD"] = password
        password = PLACEHOLDER
        parameters |= {"sudo": "1", "sudo_path": f"/bin/sh {_quoted(IPMITOOL_WRAPPER)}"}
    parameters["password"] = password
    return parameters, environment


def _line(value: str) -> str:
    """Return a value as the agents read it back: they strip blanks, and one pair of quotes."""
    return f'"{value}"' if value != value.strip() or value[:1] == value[-1:] == '"' else value


def _quoted(path: Path) -> str:
    """Return a path as shlex reads it back; the agent splits what it is given."""
    text = str(path)
    return "'" + text.replace("'", "'\"'\"'") + "'" if re.search(r"[^\w./@%+=:,-]", text) else text


def _secrets(access: AgentAccess) -> list[SecretStr]:
    named = [SecretStr(v) for k, v in access.parameters.items() if SECRET_NAMES.search(k)]
    return [*named, *([access.password] if access.password else [])]


def _word(output: str) -> str:
    """Return the power that the agent tells in its last line that tells one."""
    found = re.findall(r"^Status:\s*(\w+)\s*$", output, re.MULTILINE)
    return found[-1].upper() if found else ""


def why_secrets_may_show(access: AgentAccess) -> str | None:
    """Return why other users of this machine may read a secret while the agent runs; None if not.

    Agents that start a program for each request (snmpset, amttool) hand it the secret on its
    command line; what is asked here is whether this one does start any.
    """
    if not _secrets(access) and access.agent not in IPMITOOL_FAMILY:
        return None
    if access.agent in IPMITOOL_FAMILY:
        if "hexadecimal_kg" in access.parameters:
            return "ipmitool is given hexadecimal_kg on its command line"
        return None
    try:
        source = access.program.read_text(errors="replace")
    except OSError:
        return None
    if re.search(r"fencing_snmp|run_command|\bfrun\b|Popen|os\.system|pexpect\.run", source):
        return f"{access.agent} starts other programs, and gives them its secrets on their command line"
    return None


def is_installed(access: AgentAccess) -> bool:
    """Return whether the agent can be started."""
    return os.access(access.program, os.X_OK)
