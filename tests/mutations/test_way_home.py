"""The rules of a host's way home, taken out one by one: the judge must notice."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import anyio
import pytest

from koboshi.domain.home import enabling, guard_home, powering, restoring, returning
from koboshi.domain.incidents.incident import IncidentState
from koboshi.domain.names import HostName, ServerId
from koboshi.domain.recoveries.recovery import Recovery, RecoveryState
from koboshi.domain.word import ConfirmDead
from koboshi.engine import starting
from koboshi.rehearsal.story import Story
from koboshi.rehearsal.windows import shortened
from koboshi.sim.breach import Rule
from koboshi.sim.operating import update_service
from koboshi.sim.samples import image_server, server
from tests.mutations.playing import A_DOZEN, ONE_BY_ONE, Mutation, assert_noticed

H1 = HostName("h1")
HOME = replace(shortened(), comes_home=True)
OFTEN = replace(HOME, incident_memory=timedelta(seconds=40))
SERVERS = (server("a"), image_server("b"), image_server("off", vm_state="stopped"))
A_RETURN_S = 300.0


async def fenced(s: Story) -> None:
    """Cut h1 off until Koboshi has switched it off and its servers are safe; then mend the network."""
    machine = s.machine("h1")
    machine.link_in = machine.link_out = False
    await s.until_settled()
    machine.link_in = machine.link_out = True


async def comes_home(s: Story) -> None:
    await fenced(s)
    await s.until_incident(IncidentState.CLOSED, within_s=A_RETURN_S)


async def fails_again(s: Story) -> None:
    await comes_home(s)
    await fenced(s)
    await s.until_incident(IncidentState.CLOSED, IncidentState.QUARANTINED, within_s=2 * A_RETURN_S)


async def loses_its_power(s: Story) -> None:
    s.power_loss()
    await s.until_settled()
    await s.until_incident(IncidentState.PARKED, IncidentState.POWERING_ON, within_s=90)
    await s.until(lambda: bool(s.fences[H1].ons) or s.path()[-1] == "parked", 30)


async def disabled_and_dark(s: Story) -> None:
    """Let a host die that an operator disabled, who hands it over, and switches it on when it is mended."""
    update_service(s.cloud, H1, {"enabled": False, "disabled_reason": "memory errors"})
    await anyio.sleep(10)
    s.power_loss()
    await s.until(lambda: ("h1", "disabled_and_dark") in s.noticed(), 60)
    await anyio.sleep(20)
    await s.daemon.hear(ConfirmDead(host=H1, note="as the test has it"), "uid 0 (root)")
    await s.until_incident(IncidentState.PARKED, within_s=90)
    await s.cloud.boot(H1)
    await s.until_incident(IncidentState.CLOSED, within_s=A_RETURN_S)


async def leaves_a_bomb(s: Story) -> None:
    """Somebody's evacuation of a held server is never ended."""
    await fenced(s)
    row = s.cloud.servers_by_id[ServerId("b")]
    s.cloud.new_record(row, "evacuation", HostName("h2"))
    await s.until_incident(IncidentState.NEEDS_HUMAN, IncidentState.CLOSED, within_s=A_RETURN_S)


def nothing(*_args: object, **_more: object) -> None:
    return None


def none(*_args: object, **_more: object) -> tuple[()]:
    return ()


def never(*_args: object) -> bool:
    return False


def no_failures(*_args: object) -> int:
    return 0


def whatever_is_held(recovery: Recovery) -> bool:
    return recovery.state is RecoveryState.HELD


MUTATIONS: Mapping[str, Mutation] = {
    "owners": Mutation(
        sentence="What its owner had stopped stays off",
        patches=(
            (restoring, "waits_for_its_host", whatever_is_held),
            (starting, "why_not_start", nothing),
        ),
        tell=comes_home,
        breaks=Rule.HELD,
    ),
    "bomb": Mutation(
        sentence="A host with an evacuation record that was never ended stays off",
        patches=((powering, "bombs_of", none), (guard_home, "bombs_of", none)),
        tell=leaves_a_bomb,
        breaks=Rule.DATA,
    ),
    "beats": Mutation(
        sentence="Force-down is lifted when nova-compute has reported twice",
        patches=((returning, "BEATS", 0),),
        tell=comes_home,
        breaks=Rule.UNPROVEN,
        servers=SERVERS[1:],  # a record that is 'done' holds the lift back by itself
    ),
    "soon": Mutation(
        sentence="A host is switched on 30 s after its off at the earliest",
        patches=((guard_home, "ON_AFTER", timedelta()),),
        tell=comes_home,
        breaks=Rule.HELD,
    ),
    "not-ours": Mutation(
        sentence="Koboshi switches on only what it switched off",
        patches=(
            (powering, "_why_parked", nothing),
            (guard_home, "why_not_power_on", nothing),
            (powering, "why_not_power_on", nothing),
        ),
        tell=loses_its_power,
        breaks=Rule.NOT_OURS,
    ),
    "theirs": Mutation(
        sentence="A host that an operator had disabled is given back as it was, and never enabled",
        patches=(
            (enabling, "stays_disabled", never),
            (guard_home, "stays_disabled", never),
        ),
        tell=disabled_and_dark,
        breaks=Rule.NOT_OURS,
    ),
    "flapping": Mutation(
        sentence="A host that fails again and again stays disabled",
        patches=((enabling, "failures_of", no_failures),),
        tell=fails_again,
        breaks=Rule.HELD,
        rules=OFTEN,
    ),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_the_judge_notices(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    mutation = MUTATIONS[name]
    servers = SERVERS if mutation.servers is A_DOZEN else mutation.servers
    rules = HOME if mutation.rules is ONE_BY_ONE else mutation.rules
    assert_noticed(replace(mutation, servers=servers, rules=rules), monkeypatch)
