"""What stands for a power reading, and who may stop Koboshi: each sentence taken out in turn.

The same game as in `test_never_two`, for words, silence, arming and orphans.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import anyio
import pytest

from koboshi.domain import decision, orders
from koboshi.domain.decision import NOTHING, Decision
from koboshi.domain.facts import device
from koboshi.domain.facts.cloud import Server
from koboshi.domain.incidents import advance, confirm_dead, listing, steps, watch
from koboshi.domain.incidents.incident import IncidentState
from koboshi.domain.judging import proof
from koboshi.domain.memory.commands import Outcome
from koboshi.domain.names import HostName, ServerId
from koboshi.domain.recoveries import building, follow, guard, lost, rebuild_order
from koboshi.domain.recoveries.recovery import Recovery, RecoveryState
from koboshi.domain.recoveries.tracing import step_to
from koboshi.domain.rules import ProofPolicy
from koboshi.domain.word import ConfirmDead, Disarm, RebuildServer
from koboshi.engine import execute, whiteboard
from koboshi.rehearsal.story import Story
from koboshi.rehearsal.windows import shortened
from koboshi.sim.accounts import Closing, close
from koboshi.sim.breach import Rule
from koboshi.sim.samples import SMALL, image_server, server
from tests.mutations.playing import ONE_BY_ONE, Mutation, assert_noticed

H1, H2 = HostName("h1"), HostName("h2")
BY_WORD = replace(shortened(), window=1, window_most=1, proof=ProofPolicy.WORD)
BY_SILENCE = replace(shortened(), window=1, window_most=1, proof=ProofPolicy.SILENCE)


async def say_dead(s: Story) -> None:
    await s.daemon.hear(ConfirmDead(host=H1, note="as the test has it"), "uid 0 (root)")


async def word_for_the_living(s: Story) -> None:
    s.cloud.physics.kill_compute(H1)
    await anyio.sleep(60)
    await say_dead(s)
    await anyio.sleep(20)


async def dead_by_word_and_back(s: Story) -> None:
    s.power_loss()
    s.machine("h1").boot_s = 600.0  # its kernel answers, and nothing of it works yet
    await anyio.sleep(60)
    await say_dead(s)
    await s.until(lambda: bool(s.posts()), every_s=0.05)
    s.cloud.tasks.start_soon(s.cloud.boot, H1)
    await anyio.sleep(40)


async def short_silence(s: Story) -> None:
    s.machine("h1").link = False
    await anyio.sleep(40)
    s.machine("h1").link = True
    await anyio.sleep(30)


async def others_evacuate_it_too(s: Story) -> None:
    for machine in s.cloud.physics.hosts.values():
        machine.spawn_s = 20.0
    s.power_loss()
    await s.until(lambda: bool(s.posts()), every_s=0.05)
    await anyio.sleep(3)
    s.cloud.accept_evacuate(server("a").id, H2)
    await anyio.sleep(60)


def nothing(*_args: Any, **_more: Any) -> None:
    """Whatever is asked, nothing stands against it."""


def nobody_tells(*_args: Any, **_more: Any) -> tuple[()]:
    return ()


def no(*_args: Any, **_more: Any) -> bool:
    return False


def no_decision(*_args: Any, **_more: Any) -> Decision:
    return NOTHING


def _retries(recovery: Recovery) -> Decision:
    return step_to(recovery, RecoveryState.QUEUED, "once more", Outcome.FAILED)


async def disarmed_under_way(s: Story) -> None:
    s.power_loss()
    await s.until(lambda: bool(s.posts()), every_s=0.05)
    until = s.daemon.clock.now().later(timedelta(minutes=5))
    await s.daemon.hear(Disarm(until=until, reason="as the test has it"), "uid 0 (root)")
    await anyio.sleep(60)


def _tpm(name: str) -> Server:
    flavor = replace(SMALL, extra_specs={"hw:tpm_version": "2.0"})
    return image_server(name, flavor=flavor)


async def a_person_gives_up_what_nova_refuses(s: Story) -> None:
    """Its TPM's state lies on the dead host, and nobody can make that again."""
    s.power_loss()
    await s.until(lambda: s.incident_state() is IncidentState.SETTLED, within_s=60)
    await anyio.sleep(5)
    await s.daemon.hear(RebuildServer(server=ServerId("a")), "uid 0 (root)")
    await anyio.sleep(20)


async def dies_with_its_volume(s: Story) -> None:
    s.cloud.backends["vol-a"] = "h1@lvm#lvm"
    await anyio.sleep(301)
    s.power_loss()
    await anyio.sleep(30)


async def left_open_last_year(s: Story) -> None:
    row = s.cloud.servers_by_id[ServerId("a")]
    record = s.cloud.new_record(row, "evacuation", H2)
    long_ago = s.cloud.nova_now() - timedelta(days=300)
    s.cloud.records.put(record.id, "accepted", long_ago)
    await anyio.sleep(310)
    close(s.judged, Closing(now_s=anyio.current_time(), fenced=frozenset(), protected=frozenset()))


async def device_moved_while_we_are_away(s: Story) -> None:
    s.daemon.kill()
    _exchange(s)
    await anyio.sleep(10)
    s.start_daemon()
    await anyio.sleep(30)
    s.machine("h1").link = False
    await anyio.sleep(60)


async def device_moved_under_our_eyes(s: Story) -> None:
    _exchange(s)
    await anyio.sleep(10)
    s.machine("h1").link = False
    await anyio.sleep(60)


def _exchange(s: Story) -> None:
    s.fences[H1].wired_to, s.fences[H2].wired_to = H2, H1


MUTATIONS = (
    Mutation(
        sentence="a device that was moved while nobody looked is neither believed nor used",
        patches=((device, "is_another", no), (whiteboard, "is_another", no)),
        tell=device_moved_while_we_are_away,
        breaks=Rule.UNPROVEN,
        servers=(server("a"),),
    ),
    Mutation(
        sentence="right before an off its device says whose it is",
        patches=((execute, "why_not_switch", nothing),),
        tell=device_moved_under_our_eyes,
        breaks=Rule.UNPROVEN,
        servers=(server("a"),),
    ),
    Mutation(
        sentence="vTPM, hard affinity, …: never posted, on a person's order neither",
        patches=(
            (rebuild_order, "_not_possible", nothing),
            (guard, "who_gives_tpm", nothing),
        ),
        tell=a_person_gives_up_what_nova_refuses,
        breaks=Rule.HELD,
        servers=(_tpm("a"),),
    ),
    Mutation(
        sentence="a volume whose back-end host is the dead host is local: held",
        patches=((listing, "why_stranded", nothing),),
        tell=dies_with_its_volume,
        breaks=Rule.HELD,
        servers=(server("a"),),
    ),
    Mutation(
        sentence="open evacuation records are looked for all the time: each is a loud notice",
        patches=((watch, "bomb_notices", nobody_tells),),
        tell=left_open_last_year,
        breaks=Rule.UNACCOUNTED,
        servers=(server("a"),),
    ),
    Mutation(
        sentence="disarmed: nothing new is sent",
        patches=(
            (decision, "why_not_acting", nothing),
            (orders, "why_not_acting", nothing),
            (orders, "is_disarmed", no),
            (execute, "why_not_acting", nothing),
        ),
        tell=disarmed_under_way,
        breaks=Rule.DISARMED,
        rules=ONE_BY_ONE,
    ),
    Mutation(
        sentence="an operator's word is refused while any witness answers",
        patches=((confirm_dead, "_speaks", nothing),),
        tell=word_for_the_living,
        breaks=Rule.UNPROVEN,
        fenced=False,
        rules=BY_WORD,
    ),
    Mutation(
        sentence="an operator's word is void when a witness answers again",
        patches=(
            (advance, "void", no_decision),
            (proof, "why_not_silent", nothing),
            (proof, "noise_of", nothing),
            (proof, "heard_since", nothing),
            (execute, "noise_of", nothing),
            (execute, "heard_elsewhere", nothing),
            (proof, "heard_elsewhere", nothing),
            (proof, "signs_of_life", nothing),
            (steps, "signs_of_life", nothing),
            (steps, "heard_since", nothing),
        ),
        tell=dead_by_word_and_back,
        breaks=Rule.UNPROVEN,
        fenced=False,
        rules=BY_WORD,
    ),
    Mutation(
        sentence="declared silence: two fate groups silent for 60 s",
        patches=((proof, "ASSUMED_DEAD_AFTER", timedelta(seconds=12)),),
        tell=short_silence,
        breaks=Rule.UNPROVEN,
        rules=BY_SILENCE,
        fenced=False,
    ),
    Mutation(
        sentence="two new records for one server: orphan_suspected, no more commands",
        patches=(
            (building, "two_records", _retries),
            (follow, "two_records", _retries),
            (lost, "two_records", _retries),
            (guard, "_by_records", nothing),
            (guard, "_by_server", nothing),
        ),
        tell=others_evacuate_it_too,
        breaks=Rule.SENT_TWICE,
        rules=ONE_BY_ONE,
        servers=(server("a"),),
    ),
)


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda m: m.sentence)
def test_the_judge_notices(mutation: Mutation, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_noticed(mutation, monkeypatch)
