"""Whatever happens, in whatever order: never two, nothing without proof, nothing that is held.

Each example is a whole story in virtual time. `Story.judge` holds every request that was sent to
the power readings before it; the fake cloud fails the moment that a server runs twice.
"""

from dataclasses import replace

import anyio
from hypothesis import given, settings

from koboshi.domain.incident import IncidentState
from koboshi.domain.recovery import RecoveryState
from koboshi.domain.rules import Mode
from koboshi.domain.state import fold
from koboshi.rehearsal.story import Story, story
from koboshi.rehearsal.windows import shortened
from koboshi.sim.samples import image_server, server
from koboshi.sim.virtual_time import run_virtual
from tests.fakes.chaos import Trouble, happen, passing_troubles, troubles

BACK = ("a", "b", "c", "d", "e", "f")
SERVERS = (
    server("asleep", vm_state="stopped"),
    image_server("held"),
    *(server(n) for n in BACK),
    server("paused", vm_state="paused"),
    server("other", "h2"),
    image_server("kept", "h3"),
)
NEVER_SENT = ("held", "paused", "kept")
HEARTBEAT_S = 2.0
WARM_S = 18.0
AFTERWARDS_S = 60.0
ONE_BY_ONE = replace(shortened(), window=2)
"""So that requests are sent all the while that troubles come and go."""


def assert_the_rules_held(s: Story) -> None:
    assert [n for n in NEVER_SENT if s.posts()[n]] == []
    assert {n: r for n, r in s.cloud.physics.roots.items() if r != "data"} == {}
    recorded = [(r.at, r.event) for r in s.disk.recorded]
    half = len(recorded) // 2
    assert fold(recorded[half:], fold(recorded[:half])) == fold(recorded)


@settings(max_examples=20)
@given(troubles())
def test_never_two_and_nothing_without_proof(list_of: list[Trouble]) -> None:
    async def main() -> None:
        async with story(SERVERS, rules=ONE_BY_ONE, heartbeat_s=HEARTBEAT_S, warm_s=WARM_S) as s:
            s.power_loss()
            await happen(s, list_of)
            await anyio.sleep(AFTERWARDS_S)
            assert_the_rules_held(s)

    run_virtual(main)


@settings(max_examples=12)
@given(troubles())
def test_a_host_that_is_not_dead_is_never_taken_for_dead_without_being_switched_off(
    list_of: list[Trouble],
) -> None:
    async def main() -> None:
        async with story(SERVERS, rules=ONE_BY_ONE, heartbeat_s=HEARTBEAT_S, warm_s=WARM_S) as s:
            s.machine("h1").link = False
            await happen(s, list_of)
            await anyio.sleep(AFTERWARDS_S)
            assert_the_rules_held(s)

    run_virtual(main)


@settings(max_examples=6)
@given(troubles(max_size=6))
def test_observe_mode_sends_no_command(list_of: list[Trouble]) -> None:
    async def main() -> None:
        rules = shortened(mode=Mode.OBSERVE)
        async with story(SERVERS, rules=rules, heartbeat_s=HEARTBEAT_S, warm_s=WARM_S) as s:
            s.power_loss()
            await happen(s, list_of)
            await anyio.sleep(AFTERWARDS_S)
            assert s.cloud.line.sent == []
            assert [f.offs for f in s.fences.values() if f.offs] == []
            assert_the_rules_held(s)

    run_virtual(main)


@settings(max_examples=12)
@given(passing_troubles())
def test_troubles_of_our_own_side_keep_no_server_from_coming_back(list_of: list[Trouble]) -> None:
    async def main() -> None:
        async with story(
            SERVERS[:8], rules=ONE_BY_ONE, heartbeat_s=HEARTBEAT_S, warm_s=WARM_S
        ) as s:
            s.power_loss()
            await happen(s, list_of)
            await s.until_incident(IncidentState.SETTLED, within_s=500)
            for name in (*BACK, "asleep"):
                assert s.recovery(name).state is RecoveryState.DONE, s.timeline()
                # A bus that fails meanwhile makes Nova refuse every host once: tried again, once.
                assert s.records(name).count("done") == 1, s.records(name)
            assert_the_rules_held(s)

    run_virtual(main)
