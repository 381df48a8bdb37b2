"""The shared core: the same input gives the same story, and a script's moments are met."""

from typing import Any

from koboshi.domain.recoveries.recovery import RecoveryState
from koboshi.rehearsal.play import Played, play
from koboshi.rehearsal.script import Script, happening_from
from koboshi.rehearsal.settings import StorySettings, act
from koboshi.rehearsal.spec import CloudSpec, Disks, ServerSpec
from koboshi.rehearsal.stage import Stage

CLOUD = CloudSpec(
    server={
        "web": ServerSpec(host="h1"),
        "db": ServerSpec(host="h1", disks=Disks.IMAGE),
    }
)


def told(
    *entries: dict[str, Any], lasts_s: float = 90.0, settings: StorySettings | None = None
) -> Played:
    script = Script(happens=tuple(map(happening_from, entries)), lasts_s=lasts_s)
    return play(CLOUD, script, settings or act())


LOSS = {"at": "45s", "what": "power_loss", "host": "h1"}


def test_the_same_input_gives_the_same_story() -> None:
    first, second = told(LOSS), told(LOSS)
    assert first.lines == second.lines
    assert first.recorded == second.recorded
    assert first.breaches == ()


def test_what_happened_is_told_by_the_world_the_journal_and_the_end() -> None:
    played = told(LOSS)
    texts = [line.text for line in played.lines]
    assert "fault power_loss h1" in texts
    assert "guest web runs on h2" in texts
    assert "listed h1 evacuate web, hold db" in texts
    assert texts[-2:] == [
        "server web ACTIVE on h2, runs h2, data kept",
        "server db ACTIVE on h1, runs nowhere, data kept",
    ]
    (recoveries,) = played.state.recoveries.values()
    assert {r.state for r in recoveries.values()} == {RecoveryState.DONE, RecoveryState.HELD}
    assert [n.kind for n in played.notices][:1] == ["incident_opened"]


def test_a_happening_waits_for_its_line_of_the_log() -> None:
    start = {"when": "incident h1 settled", "after": "5s", "what": "start", "host": "h1"}
    played = told(LOSS, start)
    lines = {line.text: line.at_s for line in played.lines}
    assert lines["fault start h1"] == lines["incident h1 settled"] + 5
    assert played.waiting == ()


def test_a_daemon_that_is_killed_while_it_takes_a_word_heard_nothing() -> None:
    killed = {"at": "40s", "what": "koboshi_killed_at_step", "for": "3s"}
    word = {"at": "40s", "what": "operator_disarms", "for": "20s"}
    texts = [line.text for line in told(killed, word).lines]
    assert "unheard operator_disarms" in texts
    assert texts.count("daemon started act") == 2


def test_a_moment_that_never_came_is_told() -> None:
    played = told(LOSS, {"when": "incident h2 opened", "what": "calm"})
    assert [h.when for h in played.waiting] == ["incident h2 opened"]


def test_the_daemon_is_killed_at_a_step_and_starts_again() -> None:
    played = told(
        LOSS,
        {
            "when": "incident h1 recovering",
            "what": "koboshi_killed_at_step",
            "step": 2,
            "written": True,
            "for": "3s",
        },
        lasts_s=200,
    )
    texts = [line.text for line in played.lines]
    assert texts.count("daemon dies") == 1
    assert texts.count("daemon started act") == 2
    assert texts.index("daemon dies") < texts.index("guest web runs on h2")
    assert texts.count("arrived evacuate web h2") == 1
    assert played.breaches == ()


def test_troubles_of_the_daemon_pass() -> None:
    played = told(
        LOSS,
        {"at": "50s", "what": "journal_full", "for": "10s"},
        {"at": "62s", "what": "koboshi_frozen", "for": "8s"},
        {"at": "64s", "what": "koboshi_clock_jumps", "by": "-1h"},
        {"at": "80s", "what": "koboshi_machine_reboots", "for": "30s", "by": "2h"},
        {"at": "140s", "what": "koboshi_second"},
        {"at": "150s", "what": "koboshi_stopped", "for": "5s"},
        lasts_s=200,
    )
    texts = [line.text for line in played.lines]
    assert texts.count("daemon started act") == 4
    assert "server web done" in texts
    assert played.breaches == ()


def test_whoever_prepares_the_stage_sees_it_before_the_daemon() -> None:
    seen: list[Stage] = []
    play(CLOUD, Script(lasts_s=1), act(), prepare=seen.append)
    assert [s.world.cloud.servers_by_id.keys() for s in seen] == [{"web", "db"}]
