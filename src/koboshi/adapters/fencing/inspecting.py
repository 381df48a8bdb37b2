"""What can be said of a fence agent before it is needed: is it there, what it takes, what it shows."""

import re
from dataclasses import dataclass

from koboshi.adapters.fencing.agent import AgentAccess, is_installed, told, why_secrets_may_show
from koboshi.adapters.fencing.child import run_child

METADATA_LIMIT_S = 10.0
NOT_ITS_OWN = frozenset({"sudo", "sudo_path", "ipmitool_timeout"})
"""Parameters that we add for agents that may not know them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Something about a fence agent that a person should know."""

    text: str
    cure: str
    is_fatal: bool


async def inspect(access: AgentAccess) -> tuple[Trouble, ...]:
    """Return what is wrong with the agent or with what it is told; nothing is switched."""
    if not is_installed(access):
        return (
            Trouble(
                text=f"there is no {access.program} that can be run",
                cure="install the fence agents here (apt-get install fence-agents), or set "
                "[fencing] agents_dir",
                is_fatal=True,
            ),
        )
    found: list[Trouble] = []
    known = await _known_parameters(access)
    strange = sorted(set(told(access)[0]) - known - NOT_ITS_OWN) if known else []
    if strange:
        names = ", ".join(strange)
        found.append(
            Trouble(
                text=f"{access.agent} does not know {names}, and ignores that",
                cure=f"mend or remove it; it knows: see man {access.agent}",
                is_fatal=True,
            )
        )
    if why := why_secrets_may_show(access):
        found.append(
            Trouble(
                text=f"other users of this machine may read its secrets: {why}",
                cure="let nobody else log in on Koboshi's machine, or mount /proc with hidepid=2",
                is_fatal=False,
            )
        )
    return tuple(found)


async def _known_parameters(access: AgentAccess) -> frozenset[str]:
    """Return the parameters that the agent's own metadata names; none if it does not say."""
    _, environment = told(access)
    environment.pop("KOBOSHI_IPMI_PASSWORD", None)
    try:
        ended = await run_child(
            [str(access.program)],
            told=b"action=metadata\n",
            environment=environment,
            limit_s=METADATA_LIMIT_S,
        )
    except (OSError, TimeoutError):
        return frozenset()
    names = re.findall(r'<parameter name="([^"]+)"', ended.output)
    return frozenset(spelled for n in names for spelled in (n, n.replace("-", "_")))
