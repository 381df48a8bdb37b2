"""Each sentence of the safety argument's "never two", taken out of the code: the judge must notice.

A mutation replaces one rule of the decision (or the two that stand behind one another) by its
absence. Its story breaks nothing while the rule stands, and breaks the named one without it.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import anyio
import pytest

from koboshi.domain.decision import Decision, Picture
from koboshi.domain.incidents import confirming, opening, recovering, steps
from koboshi.domain.incidents.incident import Incident
from koboshi.domain.judging import evidence as evidence_
from koboshi.domain.judging import proof
from koboshi.domain.memory.commands import Evacuate, Outcome
from koboshi.domain.memory.devices import Devices
from koboshi.domain.names import HostName, ServerId
from koboshi.domain.policies import policy
from koboshi.domain.recoveries import building, follow, guard, lost
from koboshi.domain.recoveries.recovery import Recovery, RecoveryState
from koboshi.domain.recoveries.slots import Slots
from koboshi.domain.recoveries.tracing import step_to
from koboshi.domain.restraint.brake import Brake
from koboshi.engine import observe
from koboshi.engine.whiteboard import Whiteboard
from koboshi.rehearsal.story import Story
from koboshi.rehearsal.windows import shortened
from koboshi.sim import operating
from koboshi.sim.bmc import Bmc
from koboshi.sim.breach import Rule
from koboshi.sim.line import Fails
from koboshi.sim.samples import image_server, server
from tests.mutations.playing import Mutation, assert_noticed

H1, H2 = HostName("h1"), HostName("h2")


async def under_way(s: Story) -> None:
    """Lose the host, and wait until its first server is sent: the others wait for their turn."""
    s.power_loss()
    await s.until(lambda: bool(s.posts()), every_s=0.05)


# Stories


async def bmc_falls_silent(s: Story) -> None:
    await under_way(s)
    s.fences[H1].answer_s = 60.0
    await anyio.sleep(40)


async def bmc_cannot_be_read(s: Story) -> None:
    await under_way(s)
    s.fences[H1].mode = Bmc.GONE
    await anyio.sleep(40)


async def host_answers_though_its_bmc_says_off(s: Story) -> None:
    s.fences[H1].mode = Bmc.LIE_OFF
    s.machine("h1").link = False
    await s.until(lambda: bool(s.posts()), every_s=0.05)
    s.machine("h1").link = True
    await anyio.sleep(20)


async def late_heartbeat(s: Story) -> None:
    await under_way(s)
    s.cloud.heartbeat("nova-compute@h1")
    await anyio.sleep(40)


async def operator_lifts(s: Story) -> None:
    await under_way(s)
    s.cloud.edit("nova-compute@h1", forced_down=False)
    await anyio.sleep(40)


async def power_loss(s: Story) -> None:
    s.power_loss()
    await anyio.sleep(60)


async def cut_off(s: Story) -> None:
    s.machine("h1").link = False
    await anyio.sleep(60)


async def operator_evacuates_the_last(s: Story) -> None:
    await under_way(s)
    s.machine("h4").spawn_s = 200.0
    s.cloud.accept_evacuate(max(s.cloud.servers_by_id), HostName("h4"))
    await anyio.sleep(100)


async def operator_has_evacuated_the_last(s: Story) -> None:
    await under_way(s)
    s.cloud.accept_evacuate(max(s.cloud.servers_by_id), H2)
    await anyio.sleep(80)


async def answer_comes_late(s: Story) -> None:
    s.cloud.line.fail("evacuate", Fails.LATE, times=1, late_s=30)
    for machine in s.cloud.physics.hosts.values():
        machine.spawn_s = 40.0
    s.power_loss()
    await anyio.sleep(200)


async def answer_is_lost(s: Story) -> None:
    s.cloud.line.fail("evacuate", Fails.NO_ANSWER, times=1)
    s.power_loss()
    await anyio.sleep(200)


async def destination_dies_half_way(s: Story) -> None:
    for name in ("h2", "h3", "h4"):
        s.machine(name).die_in_spawn = "after"
    s.power_loss()
    await anyio.sleep(150)


async def reset_while_it_is_made(s: Story) -> None:
    for machine in s.cloud.physics.hosts.values():
        machine.spawn_s = 5.0
    s.power_loss()
    await s.until(lambda: bool(s.where("a")) and s.where("a") != ("h1",), every_s=0.05)
    s.cloud.accept_reset(ServerId("a"), "active")
    await anyio.sleep(90)


async def domain_is_there_already(s: Story) -> None:
    """Let Nova itself refuse to make it there: an orphan of old, or of somebody else."""
    for name in ("h2", "h3", "h4"):
        s.machine(name).spawn_fault = "Instance instance-0001 already exists."
    await under_way(s)
    await anyio.sleep(90)
    if s.recovery("a").posts > 1:
        s.judged.tell(Rule.SENT_TWICE, "it was sent again, and a copy of it may run")


async def contradicted_bmc(s: Story) -> None:
    s.fences[H1].mode = Bmc.LIE_OFF
    await s.restart_daemon()
    await anyio.sleep(60)
    s.machine("h1").link = False
    await anyio.sleep(60)


async def disabled_by_an_operator(s: Story) -> None:
    s.cloud.edit("nova-compute@h1", enabled=False, disabled_reason="for its memory")
    await anyio.sleep(30)
    s.power_loss()
    await anyio.sleep(60)


async def started_by_its_owner(s: Story) -> None:
    s.power_loss()
    operating.start(s.cloud, ServerId("a"))
    await anyio.sleep(60)
    await s.cloud.boot(H1)
    await anyio.sleep(60)


async def two_die(s: Story) -> None:
    s.power_loss("h1")
    await anyio.sleep(15)
    s.power_loss("h2")
    await anyio.sleep(60)


# Mutations


def nothing(*_args: Any, **_more: Any) -> None:
    """Whatever is asked, nothing stands against it."""


def nobody(*_args: Any, **_more: Any) -> frozenset[str]:
    return frozenset()


def yes(*_args: Any, **_more: Any) -> bool:
    return True


def no(*_args: Any, **_more: Any) -> bool:
    return False


def _blind_to_heartbeats(real: Callable[..., Any]) -> Callable[..., Any]:
    def without(incident: Incident, **seen: Any) -> Any:
        service, isolation = seen.get("service"), incident.isolation
        if service is not None and isolation is not None:
            seen["service"] = replace(service, updated_at=isolation.baseline)
        return real(incident, **seen)

    return without


def _believes_the_marker(real: Callable[..., Any]) -> Callable[..., Any]:
    def without(incident: Incident, **seen: Any) -> Any:
        service, isolation = seen.get("service"), incident.isolation
        if service is not None and isolation is not None:
            ours: dict[str, Any] = {
                "forced_down": True,
                "enabled": False,
                "disabled_reason": isolation.marker,
                "updated_at": isolation.baseline,
            }
            seen["service"] = replace(service, **ours)
        return real(incident, **seen)

    return without


def _elsewhere(real: Callable[..., Decision]) -> Callable[..., Decision]:
    def without(*args: Any) -> Decision:
        decision = real(*args)
        moved = tuple(
            replace(c, destination=HostName("h4" if c.destination != "h4" else "h3"))
            if isinstance(c, Evacuate)
            else c
            for c in decision.commands
        )
        return Decision(events=decision.events, commands=moved)

    return without


def _tries_again(_picture: Picture, recovery: Recovery) -> Decision:
    return step_to(recovery, RecoveryState.QUEUED, "it takes too long", Outcome.FAILED)


MUTATIONS = (
    Mutation(
        sentence="power read off at most 10 s ago",
        patches=((proof, "PROOF_MAX_AGE", timedelta(hours=1)),),
        tell=bmc_falls_silent,
        breaks=Rule.UNPROVEN,
    ),
    Mutation(
        sentence="before each evacuate its proof still holds",
        patches=((proof, "why_not_proven_now", nothing), (guard, "why_not_proven_now", nothing)),
        tell=bmc_cannot_be_read,
        breaks=Rule.UNPROVEN,
    ),
    Mutation(
        sentence="no witness alive since the proof",
        patches=((proof, "signs_of_life", nothing), (steps, "signs_of_life", nothing)),
        tell=host_answers_though_its_bmc_says_off,
        breaks=Rule.UNPROVEN,
    ),
    Mutation(
        sentence="updated_at unchanged since it was read after our own PUT",
        patches=(
            (proof, "signs_of_life", _blind_to_heartbeats(proof.signs_of_life)),
            (steps, "signs_of_life", _blind_to_heartbeats(steps.signs_of_life)),
            (proof, "why_not_proven_now", _blind_to_heartbeats(proof.why_not_proven_now)),
            (guard, "why_not_proven_now", _blind_to_heartbeats(guard.why_not_proven_now)),
        ),
        tell=late_heartbeat,
        breaks=Rule.UNPROVEN,
    ),
    Mutation(
        sentence="the service forced down with our marker",
        patches=(
            (recovering, "is_ours", yes),
            (proof, "why_not_proven_now", _believes_the_marker(proof.why_not_proven_now)),
            (guard, "why_not_proven_now", _believes_the_marker(guard.why_not_proven_now)),
        ),
        tell=operator_lifts,
        breaks=Rule.UNPROVEN,
    ),
    Mutation(
        sentence="off three times, after our command",
        patches=((evidence_, "PROOF_READS", 1),),
        tell=cut_off,
        breaks=Rule.UNPROVEN,
    ),
    Mutation(
        sentence="off while a probe answers is a contradiction: that BMC proves nothing",
        patches=(
            (Devices, "distrusted", nobody),
            (Whiteboard, "distrusted_of", nobody),
        ),
        tell=contradicted_bmc,
        breaks=Rule.UNPROVEN,
    ),
    Mutation(
        sentence="all its migration records are read: none may be open",
        patches=((guard, "_by_records", nothing), (guard, "_by_server", nothing)),
        tell=operator_evacuates_the_last,
        breaks=Rule.SENT_TWICE,
        rules=replace(shortened(), window=3, window_most=3, per_destination=1),
    ),
    Mutation(
        sentence="read before each command, by id: the server's host",
        patches=((guard, "_by_server", nothing), (guard, "_by_records", nothing)),
        tell=operator_has_evacuated_the_last,
        breaks=Rule.SENT_TWICE,
    ),
    Mutation(
        sentence="no repetition by age alone: nothing new in 3 reads over 90 s",
        patches=((lost, "UNKNOWN_WAIT", timedelta()), (lost, "UNKNOWN_READS", 0)),
        tell=answer_comes_late,
        breaks=Rule.SENT_TWICE,
        servers=(server("a"),),
    ),
    Mutation(
        sentence="may be checked again, to the same destination only",
        patches=((lost, "_ask_again", _elsewhere(vars(lost)["_ask_again"])),),
        tell=answer_is_lost,
        breaks=Rule.ELSEWHERE,
        servers=(server("a"),),
    ),
    Mutation(
        sentence="no retry until that destination is proven dead",
        patches=(
            (follow, "_stuck", _tries_again),
            (guard, "_by_records", nothing),
            (guard, "_by_server", nothing),
        ),
        tell=destination_dies_half_way,
        breaks=Rule.TWICE,
        servers=(server("a"),),
    ),
    Mutation(
        sentence="a server in live migration may already run on the destination",
        patches=((policy, "_why_hold", nothing), (guard, "_by_server", nothing)),
        tell=power_loss,
        breaks=Rule.HELD,
        servers=(server("a", task_state="migrating"),),
    ),
    Mutation(
        sentence="an order that waits for the dead host is carried out when it returns",
        patches=((policy, "why_ordered", nothing), (guard, "why_ordered", nothing)),
        tell=started_by_its_owner,
        breaks=Rule.TWICE,
        servers=(server("a", vm_state="stopped"),),
    ),
    Mutation(
        sentence="failed with UnexpectedTaskState: an orphan is suspected, no more commands",
        patches=(
            (building, "_was_interrupted", no),
            (building, "tells_of_orphan", no),
            (guard, "_by_server", nothing),
        ),
        tell=reset_while_it_is_made,
        breaks=Rule.TWICE,
        servers=(server("a"),),
    ),
    Mutation(
        sentence="failed with InstanceExists: an orphan is suspected, no more commands",
        patches=((building, "tells_of_orphan", no), (guard, "tells_of_orphan", no)),
        tell=domain_is_there_already,
        breaks=Rule.SENT_TWICE,
        servers=(server("a"),),
    ),
    Mutation(
        sentence="a foreign marker makes the host foreign",
        patches=(
            (opening, "disabled_by_operator", no),
            (confirming, "operators_hand", nothing),
            (recovering, "operators_hand", nothing),
        ),
        tell=disabled_by_an_operator,
        breaks=Rule.NOT_OURS,
    ),
    Mutation(
        sentence="only QEMU/KVM hosts are protected",
        patches=((observe, "PROTECTED_HYPERVISORS", frozenset({"QEMU", "KVM", "IRONIC"})),),
        tell=power_loss,
        breaks=Rule.NOT_OURS,
        types={H1: "ironic"},
    ),
    Mutation(
        sentence="one host at a time (the brake)",
        patches=((Brake, "why", nothing), (Brake, "why_implausible", nothing)),
        tell=two_die,
        breaks=Rule.BRAKED,
        rules=replace(shortened(), window=8, window_most=8),
    ),
    Mutation(
        sentence="a window, and a bound for each destination",
        patches=((Slots, "has_room_in_window", yes),),
        tell=power_loss,
        breaks=Rule.STORM,
    ),
    Mutation(
        sentence="a held server is never sent an evacuate",
        patches=((policy, "_why_hold", nothing), (guard, "_by_policy", nothing)),
        tell=power_loss,
        breaks=Rule.DATA,
        servers=(image_server("a"),),
    ),
)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: m.sentence)
def test_the_judge_notices(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_noticed(mutation, monkeypatch)
