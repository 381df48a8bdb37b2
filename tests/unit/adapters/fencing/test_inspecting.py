"""What is wrong with a fence agent is found before it is needed."""

from pathlib import Path

import pytest

from koboshi.adapters.fencing import AgentAccess, inspect

pytestmark = pytest.mark.anyio

METADATA = """#!/bin/sh
cat >{told}
echo '<parameter name="ip"/><parameter name="plug"/><parameter name="username"/>'
for known in login-timeout shell_timeout power_timeout power_wait
do echo "<parameter name=\\"$known\\"/>"; done
"""


def access(folder: Path, **parameters: str) -> AgentAccess:
    return AgentAccess(host="cmp1", agent="fence_fake", folder=folder, parameters=parameters)


async def test_an_agent_that_is_not_there(tmp_path: Path) -> None:
    (trouble,) = await inspect(access(tmp_path, ip="a"))
    assert trouble.is_fatal
    assert "apt-get install fence-agents" in trouble.cure


async def test_a_parameter_that_it_does_not_know_would_be_ignored(tmp_path: Path) -> None:
    program = tmp_path / "fence_fake"
    program.write_text(METADATA.format(told=tmp_path / "told"))
    program.chmod(0o700)
    assert await inspect(access(tmp_path, ip="a", plug="3")) == ()
    assert (tmp_path / "told").read_text() == "action=metadata\n"
    (trouble,) = await inspect(access(tmp_path, ip="a", plgu="3"))
    assert trouble.is_fatal
    assert "does not know plgu" in trouble.text


@pytest.mark.skipif(
    not Path("/usr/sbin/fence_ipmilan").exists(),
    reason="no fence agents here: apt-get install fence-agents",
)
@pytest.mark.parametrize("agent", ["fence_ipmilan", "fence_apc", "fence_redfish"])
async def test_the_real_ones_say_what_they_know(agent: str) -> None:
    real = AgentAccess(host="cmp1", agent=agent, parameters={"ip": "a", "no_such": "1"})
    (trouble,) = [t for t in await inspect(real) if t.is_fatal]
    assert trouble.text == f"{agent} does not know no_such, and ignores that"
