"""Checks of servers: where they may be asked, when silence counts, and how often one is rebooted."""

from dataclasses import replace
from datetime import timedelta

import pytest

from koboshi.domain.alone.checks import HEALTH_KEY, HealthTrack, observe_health
from koboshi.domain.alone.health import REBOOT_GRACE, target_of, watch_health, what_is_done
from koboshi.domain.facts.cloud import ProbeAnswer
from koboshi.domain.facts.sweep import amended, sweep_of
from koboshi.domain.memory.commands import Outcome, RebootServer
from koboshi.domain.memory.events import (
    CommandEnded,
    Disarmed,
    Event,
    HealthBack,
    HealthGivenUp,
    HealthLost,
)
from koboshi.domain.names import ServerId
from koboshi.domain.policies.policy import swept
from koboshi.domain.rules import Mode, Rules
from koboshi.sim.samples import server
from tests.fakes.scene import H1, Scene, ago

ACT = Rules(mode=Mode.ACT, install="test")
REBOOTS = replace(ACT, reboot_unwell=True)
NETWORKS = ("10.20.0.0/16", "fd00::/8")


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("tcp://10.20.0.1:22", "tcp://10.20.0.1:22"),
        ("tcp:10.20.0.1:22", "tcp://10.20.0.1:22"),
        ("TCP://10.20.0.1:22/", "tcp://10.20.0.1:22"),
        ("http:10.20.0.1:80?y=1", "http://10.20.0.1:80/?y=1"),
        (" http://10.20.0.1:80 ", "http://10.20.0.1:80/"),
        ("http://[fd00::1]:80/x?y=1", "http://fd00::1:80/x?y=1"),
        ("tcp://192.0.2.1:22", None),
        ("tcp://web.example:22", None),
        ("tcp://10.20.0.1", None),
        ("tcp://10.20.0.1:0", None),
        ("tcp://10.20.0.1:99999", None),
        ("https://10.20.0.1:443", None),
        ("http://user@10.20.0.1:80", None),
        ("nonsense", None),
        ("", None),
    ],
)
def test_only_an_address_on_the_operators_networks_is_asked(text: str, target: str | None) -> None:
    found = target_of(text, NETWORKS)
    assert (None if found is None else str(found)) == target
    assert target_of(text, ()) is None


def test_silence_counts_only_after_an_answer_and_our_own_trouble_ends_it() -> None:
    silent = observe_health(None, ProbeAnswer.SILENT, ago(90))
    assert silent.failing_since is None
    answered = observe_health(silent, ProbeAnswer.USERLAND, ago(80))
    failing = observe_health(answered, ProbeAnswer.KERNEL, ago(70))
    failing = observe_health(failing, ProbeAnswer.SILENT, ago(60))
    assert failing.failing_since == ago(70)
    assert observe_health(failing, ProbeAnswer.OWN_TROUBLE, ago(50)).failing_since is None
    assert observe_health(failing, ProbeAnswer.USERLAND, ago(50)).failing_since is None


def checked(name: str, on: str = "h1", **more: object):  # noqa: ANN201 a test's own server
    fields: dict[str, object] = {"metadata": {HEALTH_KEY: "tcp://10.20.0.1:22"}, **more}
    return server(name, on, **fields)  # type: ignore[arg-type] a test's own fields


def well(age_s: float = 5.0) -> HealthTrack:
    return HealthTrack(asked_at=ago(age_s), answered_at=ago(age_s))


def failing(for_s: float) -> HealthTrack:
    return HealthTrack(asked_at=ago(5), answered_at=ago(for_s + 10), failing_since=ago(for_s))


def scene(for_s: float = 61, rules: Rules = ACT, others: int = 4) -> Scene:
    made = Scene(rules=rules)
    rows = [swept(checked("a")), *(swept(checked(f"o{n}", "h2")) for n in range(others))]
    health = {ServerId("a"): failing(for_s)} | {ServerId(f"o{n}"): well() for n in range(others)}
    made.world = replace(made.world, sweep=sweep_of(rows, ago(30)), health=health)
    return made


def told(of: Scene) -> list[type[Event]]:
    return [type(e) for e in watch_health(of.picture()).events]


def lost(for_s: float = 61, rules: Rules = REBOOTS, since_s: float = 1.0) -> Scene:
    return scene(for_s, rules).tell(
        since_s, HealthLost(server=ServerId("a"), name="a", host=H1, reason="test")
    )


def rebooted(of: Scene) -> list[RebootServer]:
    return [c for c in watch_health(of.picture()).commands if isinstance(c, RebootServer)]


def test_one_that_fails_for_a_minute_is_told() -> None:
    assert told(scene()) == [HealthLost]
    assert told(scene(59)) == []
    assert told(lost()) == []


def test_nobody_is_unwell_while_the_others_do_not_answer_either() -> None:
    assert told(scene(others=0)) == []
    many = scene()
    for name in ("o0",):
        silent = failing(40)
        many.world = replace(many.world, health={**many.world.health, ServerId(name): silent})
    assert told(many) == []


def test_a_host_that_is_not_at_work_answers_for_its_servers_itself() -> None:
    late = scene()
    late.set_heartbeat("h1", 31.0)
    assert told(late) == []
    assert told(scene().dark()) == []


def test_what_is_stopped_deleted_or_opted_out_is_not_checked() -> None:
    one = sweep_of([swept(checked("a"))], ago(90))
    assert set(one.checked) == {"a"}
    for row in (
        checked("a", vm_state="stopped"),
        checked("a", metadata={}),
        checked("a", metadata={HEALTH_KEY: "tcp://10.20.0.1:22", "HA_Enabled": "False"}),
    ):
        assert amended(one, [swept(row)], ago(30)).checked == {}


def test_only_by_policy_is_it_rebooted() -> None:
    (command,) = rebooted(lost())
    assert (command.server, command.host, command.guest_may_run) == ("a", "h1", True)
    assert rebooted(lost(rules=ACT)) == []
    assert rebooted(lost(rules=replace(REBOOTS, mode=Mode.OBSERVE))) == []
    assert rebooted(lost().tell(1, Disarmed(until=None, by="me", reason="test"))) == []


def again(of: Scene, age_s: float) -> Scene:
    (command,) = rebooted(of)
    of.intend(command, age_s)
    return of.tell(age_s, CommandEnded(command=command.id, outcome=Outcome.DONE))


def test_it_gets_time_to_boot_and_so_many_reboots_an_hour() -> None:
    grace_s = REBOOT_GRACE.total_seconds()
    assert rebooted(again(lost(since_s=3000), grace_s - 1)) == []
    twice = again(again(lost(since_s=3000), 2000), 1000)
    assert told(twice) == [HealthGivenUp]
    assert rebooted(twice) == []
    later = again(again(lost(since_s=9000), 8000), 7000)
    assert len(rebooted(later)) == 1


def test_what_fails_together_is_not_rebooted() -> None:
    many = lost(since_s=600)
    for name in ("b", "c"):
        many.tell(500, HealthLost(server=ServerId(name), name=name, host=H1, reason="test"))
    rows = [swept(checked(n)) for n in ("b", "c")]
    assert many.world.sweep is not None
    many.world = replace(many.world, sweep=amended(many.world.sweep, rows, ago(700)))
    assert rebooted(many) == []


def test_it_is_over_when_it_answers_or_is_no_matter_any_more() -> None:
    answers = lost(since_s=60)
    health = {**answers.world.health, ServerId("a"): well()}
    answers.world = replace(answers.world, health=health)
    assert told(answers) == [HealthBack]
    gone = lost(since_s=60)
    gone.world = replace(gone.world, sweep=sweep_of([], ago(10)))
    assert told(gone) == [HealthBack]


def test_reboots_are_remembered_across_recoveries() -> None:
    twice = again(lost(since_s=3000), 2000)
    twice.tell(1500, HealthBack(server=ServerId("a"), reason="it answers again"))
    twice.tell(900, HealthLost(server=ServerId("a"), name="a", host=H1, reason="test"))
    assert told(again(twice, 600)) == [HealthGivenUp]


def test_the_pause_is_a_setting() -> None:
    assert told(scene(61, replace(ACT, unwell_after=timedelta(minutes=2)))) == []


@pytest.mark.parametrize(
    ("of", "words"),
    [
        (lost(), "it is rebooted next"),
        (lost(rules=ACT), "[health] reboot = true"),
        (lost(rules=replace(REBOOTS, mode=Mode.OBSERVE)), "nothing is done: "),
        (lost().tell(1, Disarmed(until=None, by="me", reason="test")), "nothing is done: "),
        (again(lost(since_s=3000), 100), "three minutes"),
        (again(again(lost(since_s=3000), 2000), 1000), "2 times within an hour"),
        (lost(for_s=10), "nothing proves"),
    ],
)
def test_what_is_done_is_said_as_it_is_decided(of: Scene, words: str) -> None:
    picture = of.picture()
    said = what_is_done(picture, picture.state.unwell[ServerId("a")])
    assert words in said
    assert bool(rebooted(of)) == (said == "it is rebooted next")


def test_of_many_that_fail_together_it_says_so() -> None:
    many = lost(since_s=600)
    for name in ("b", "c"):
        many.tell(500, HealthLost(server=ServerId(name), name=name, host=H1, reason="test"))
    picture = many.picture()
    assert "3 servers fail at once" in what_is_done(picture, picture.state.unwell[ServerId("a")])


def test_of_a_host_that_nova_lists_no_more_it_says_something_too() -> None:
    gone = lost()
    gone.world = replace(gone.world, services={})
    picture = gone.picture()
    assert "nothing is done" in what_is_done(picture, picture.state.unwell[ServerId("a")])
