"""Mistakes of the operator: an error that names the place and the cure, before anything is touched."""

from collections.abc import Callable
from pathlib import Path

import pytest

from lab import Lab
from lab.rig.koboshi import Koboshi
from lab.rig.nova import Nova

from .conftest import MakeKoboshi


def wrong_password(lab: Lab, koboshi: Koboshi) -> None:
    text = lab.layout.clouds_yaml.read_text()
    lines = [
        '      password: "wrong"' if line.strip().startswith("password:") else line
        for line in text.splitlines()
    ]
    clouds = koboshi.folder / "clouds.yaml"
    clouds.touch(mode=0o600)
    clouds.write_text("\n".join(lines) + "\n")
    koboshi.configure({"cloud": {"config_file": str(clouds)}})


def unknown_region(lab: Lab, koboshi: Koboshi) -> None:
    koboshi.configure({"cloud": {"region": "Atlantis"}})


def not_an_administrator(lab: Lab, koboshi: Koboshi) -> None:
    koboshi.configure({"cloud": {"name": "lab-member"}})


def unknown_cloud(lab: Lab, koboshi: Koboshi) -> None:
    koboshi.configure({"cloud": {"name": "lba"}})


def mistyped_key(lab: Lab, koboshi: Koboshi) -> None:
    koboshi.configure({"windows": {"latsch": "20s"}})


def broken_file(lab: Lab, koboshi: Koboshi) -> None:
    koboshi.config.write_text('mode = "act\n')


def no_such_file(lab: Lab, koboshi: Koboshi) -> None:
    koboshi.config.unlink()


def acting_without_fencing(lab: Lab, koboshi: Koboshi) -> None:
    koboshi.configure({"fencing": None})


MISTAKES: list[tuple[Callable[[Lab, Koboshi], None], tuple[str, ...]]] = [
    (wrong_password, ("password",)),
    (unknown_region, ("Atlantis", "RegionOne")),
    (not_an_administrator, ("admin",)),
    (unknown_cloud, ("lba",)),
    (mistyped_key, ("latsch", "latch")),
    (broken_file, ("koboshi.toml", "line 1")),
    (no_such_file, ("koboshi.toml",)),
    (acting_without_fencing, ("fencing", "observe")),
]


@pytest.mark.parametrize("command", ["check", "run"])
@pytest.mark.parametrize(
    ("mistake", "words"), MISTAKES, ids=[mistake.__name__ for mistake, _ in MISTAKES]
)
def test_a_mistake_is_told_with_its_place_and_cure_before_anything_is_touched(
    lab: Lab,
    nova: Nova,
    make_koboshi: MakeKoboshi,
    command: str,
    mistake: Callable[[Lab, Koboshi], None],
    words: tuple[str, ...],
) -> None:
    koboshi = make_koboshi()
    mistake(lab, koboshi)
    services = {s.host: (s.enabled, s.forced_down) for s in nova.services().values()}
    evacuations = nova.evacuations()

    answer = koboshi.run(command)

    assert answer.code in {1, 2, 4}, answer
    told = answer.out + answer.err
    assert [word for word in words if word not in told] == [], told
    assert "Traceback" not in told
    assert lab.layout.koboshi_toml.read_text().split('password = "')[1].split('"')[0] not in told
    assert {s.host: (s.enabled, s.forced_down) for s in nova.services().values()} == services
    assert nova.evacuations() == evacuations
    assert not [h for h in koboshi.happenings() if h.kind == "command_intended"]


def test_a_right_configuration_passes(koboshi: Koboshi) -> None:
    answer = koboshi.run("check")

    assert answer.code in {0, 3}, answer  # 3: warnings, as of the windows that the lab shortens
    assert "windows" in answer.out + answer.err


def test_a_bmc_that_does_not_answer_is_found_by_check(lab: Lab, make_koboshi: MakeKoboshi) -> None:
    koboshi = make_koboshi()
    lab.bmc("cmp2", "refuse")

    answer = koboshi.run("check")

    assert answer.code != 0
    assert "cmp2" in answer.out


def test_init_writes_a_configuration_that_is_right(
    lab: Lab, make_koboshi: MakeKoboshi, tmp_path: Path
) -> None:
    koboshi = make_koboshi()
    answer = koboshi.run("--os-cloud", "lab", "init", config=False)
    assert answer.code == 0, answer

    koboshi.config.write_text(
        answer.out.replace('"/var/lib/koboshi"', f'"{koboshi.state}"')
        if answer.out
        else koboshi.config.read_text()
    )

    assert "cmp1" in answer.out
    assert koboshi.run("--os-cloud", "lab", "check").code in {0, 3}
