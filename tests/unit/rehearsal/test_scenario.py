"""A story's folder: read with errors that name file, line and cure, and written as it is read."""

from pathlib import Path

import pytest

from koboshi.domain.rules import Mode, OnLocalDisk
from koboshi.rehearsal.scenario import load_scenario, save_scenario
from koboshi.rehearsal.script import Script, happening_from
from koboshi.rehearsal.settings import StorySettings, act
from koboshi.rehearsal.spec import CloudSpec, Disks, GroupSpec, HostSpec, ServerSpec
from koboshi.settings.deciding import PolicySettings
from koboshi.settings.load import InvalidSettings

CLOUD = CloudSpec(
    hosts=5,
    host={"h2": HostSpec(zone="west", vcpus=2)},
    server={
        "a": ServerSpec(host="h1", disks=Disks.IMAGE, metadata={"HA_Enabled": "False"}),
        "b": ServerSpec(host="h2"),
    },
    group={"apart": GroupSpec(members=("a", "b"))},
)
SCRIPT = Script(
    happens=(happening_from({"at": "45s", "what": "power_loss", "host": "h1"}),), lasts_s=90
)


def write(folder: Path, **files: str) -> Path:
    usual = {"cloud": "", "script": "", "settings": ""}
    for name, text in {**usual, **files}.items():
        (folder / f"{name}.toml").write_text(text)
    return folder


def problems(folder: Path) -> str:
    with pytest.raises(InvalidSettings) as refused:
        load_scenario(folder)
    return str(refused.value)


def test_a_story_is_read_as_it_was_written(tmp_path: Path) -> None:
    settings = act().model_copy(
        update={"policy": PolicySettings(on_local_disk=OnLocalDisk.REBUILD)}
    )
    save_scenario(tmp_path / "story", CLOUD, SCRIPT, settings, "# A story\n")
    read = load_scenario(tmp_path / "story")
    assert (read.cloud, read.script, read.settings) == (CLOUD, SCRIPT, settings)
    assert read.name == "story"
    assert read.expected() is None


def test_empty_files_are_the_usual_cloud_and_koboshis_own_defaults(tmp_path: Path) -> None:
    read = load_scenario(write(tmp_path))
    assert read.cloud == CloudSpec()
    assert read.script.happens == ()
    assert read.settings == StorySettings()
    assert read.settings.mode is Mode.OBSERVE


@pytest.mark.parametrize(
    ("files", "words"),
    [
        (
            {"cloud": "hosts = 3\nservr = 1\n"},
            'cloud.toml:2: unknown key "servr"; did you mean server?',
        ),
        (
            {"cloud": '[server.a]\nhost = "h1"\ndisk = "image"\n'},
            'cloud.toml:3: unknown key "server.a.disk"; did you mean disks?',
        ),
        ({"cloud": '[server.a]\nhost = "h9"\n'}, "[server.a] speaks of host h9"),
        ({"cloud": "[server.a]\n"}, "cloud.toml:1: server.a.host is missing"),
        ({"cloud": '[group.g]\nmembers = ["x"]\n'}, "has member x, which is no server here"),
        ({"cloud": "hosts = 3 4\n"}, "cloud.toml: is not valid TOML"),
        ({"settings": 'mode = "fight"\n'}, "settings.toml:1: mode must be 'observe' or 'act'"),
        ({"script": 'ends = "3s"\n'}, 'script.toml:1: unknown key "ends"'),
        ({"script": 'lasts = "soon"\n'}, "lasts:"),
        (
            {"script": 'lasts = "9s"\n\n[[happens]]\nat = "1s"\nwhat = "power_los"\n'},
            'script.toml:3: nothing that happens is called "power_los"; did you mean power_loss?',
        ),
        (
            {"script": '[[happens]]\nat = "1s"\nwhat = "power_loss"\nhost = "h9"\n'},
            "speaks of host h9, which cloud.toml has not",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_place(
    tmp_path: Path, files: dict[str, str], words: str
) -> None:
    assert words in problems(write(tmp_path, **files))


def test_all_that_is_wrong_is_told_together(tmp_path: Path) -> None:
    told = problems(write(tmp_path, cloud="x = 1\n", script="y = 1\n", settings="z = 1\n"))
    assert [line.split(":")[0].rsplit("/", 1)[-1] for line in told.splitlines()] == [
        "cloud.toml",
        "settings.toml",
        "script.toml",
    ]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "power-loss").mkdir()
    assert "did you mean" in problems(tmp_path / "power-los")
    assert "cloud.toml: there is no such file" in problems(tmp_path / "power-loss")
