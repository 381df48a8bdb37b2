"""Stories are played, shown, recorded, and held to their logs."""

from pathlib import Path

import pytest

from .terminal import koboshi, on_terminal

LOSS = '[[happens]]\nat = "45s"\nwhat = "power_loss"\nhost = "h1"\n'


@pytest.fixture
def story(tmp_path: Path) -> Path:
    folder = tmp_path / "stories" / "power-loss"
    folder.mkdir(parents=True)
    (folder / "README.md").write_text("# Power loss\n\nA host dies.\n\nRule: never two.\n")
    (folder / "cloud.toml").write_text('[server.web]\nhost = "h1"\n')
    (folder / "script.toml").write_text(f'lasts = "70s"\n{LOSS}')
    (folder / "settings.toml").write_text('mode = "act"\n')
    return folder


def test_a_story_without_a_log_fails_until_it_is_recorded(story: Path) -> None:
    first = koboshi("sim", "run", str(story))
    assert first.code == 1
    assert "not recorded" in first.out
    assert f"koboshi sim run --record {story}" in first.err
    assert koboshi("sim", "run", "--record", str(story)).code == 0
    again = koboshi("sim", "run", str(story))
    assert (again.code, again.err) == (0, "")
    assert "as expected" in again.out


def test_a_story_is_shown_with_its_reasons_and_its_end(story: Path) -> None:
    out = koboshi("sim", "run", "--record", str(story)).out
    for words in (
        "A host dies.",
        "fault power_loss h1",
        "its power read off three times in a row",
        "server web ACTIVE on h2, runs h2, data kept",
        "no rule broken",
    ):
        assert words in out


def test_a_difference_is_shown_event_by_event(story: Path) -> None:
    koboshi("sim", "run", "--record", str(story))
    log = story / "expected.log"
    log.write_text(log.read_text().replace("guest web runs on h2", "guest web runs on h3"))
    typed = koboshi("sim", "run", str(story))
    assert typed.code == 1
    changed = [line.strip()[0] for line in typed.err.splitlines() if "guest web runs" in line]
    assert changed == ["-", "+"]


def test_several_stories_have_a_line_each(story: Path) -> None:
    other = story.parent / "quiet"
    other.mkdir()
    for name in ("cloud", "script", "settings"):
        (other / f"{name}.toml").write_text('lasts = "20s"\n' if name == "script" else "")
    koboshi("sim", "run", "--record", str(story))
    typed = koboshi("sim", "run", str(story.parent))
    assert typed.code == 1
    assert [line.partition(":")[0].split()[-1] for line in typed.out.splitlines()] == [
        "power-loss",
        "quiet",
    ]
    assert "2 stories, 1 of them not as they should be" in typed.err
    rows = koboshi("sim", "run", str(story.parent), "-f", "json").json()
    assert [(r["story"], r["outcome"]) for r in rows] == [
        ("power-loss", "as expected"),
        ("quiet", "not recorded"),
    ]


def test_a_moment_that_never_comes_is_a_failure_and_is_not_recorded(story: Path) -> None:
    script = story / "script.toml"
    script.write_text(
        f'{script.read_text()}\n[[happens]]\nwhen = "server web lost"\nwhat = "calm"\n'
    )
    typed = koboshi("sim", "run", "--record", str(story))
    assert typed.code == 1
    assert 'calm waits for a line that begins with "server web lost"' in typed.err
    assert not (story / "expected.log").exists()


def test_what_is_wrong_with_a_file_is_said_with_its_place(story: Path) -> None:
    (story / "cloud.toml").write_text("hsots = 3\n")
    typed = koboshi("sim", "run", str(story))
    assert typed.code == 1
    assert 'cloud.toml:1: unknown key "hsots"; did you mean hosts?' in typed.err


def test_without_a_story_it_says_what_to_type() -> None:
    typed = koboshi("sim", "run")
    assert typed.code == 2
    assert "koboshi sim run scenarios/NAME" in typed.err


def test_it_fits_a_terminal(story: Path) -> None:
    environ = {"COLUMNS": "100", "TERM": "dumb"}
    lines = on_terminal("sim", "run", "--record", str(story), environ=environ).out.splitlines()
    assert max(map(len, lines)) <= 100
