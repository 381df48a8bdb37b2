"""The demo's directory: it takes nothing away that is not its own."""

from pathlib import Path

import pytest

from koboshi.domain.errors import KoboshiError
from koboshi.domain.names import HostName
from koboshi.rehearsal.demo.directory import Directory, default_directory
from koboshi.rehearsal.windows import DEMO
from koboshi.settings import load_settings
from koboshi.sim.http import Served


def test_it_is_made_and_removed(tmp_path: Path) -> None:
    directory = Directory(tmp_path / "d")
    assert directory.prepare()
    assert directory.path.stat().st_mode & 0o777 == 0o700
    directory.clear(remove=True)
    assert not directory.path.exists()


def test_what_a_killed_demo_left_is_replaced(tmp_path: Path) -> None:
    directory = Directory(tmp_path)
    assert not directory.prepare()
    (directory.state / "journal.db").touch()
    directory.clouds_yaml.touch()
    directory.prepare()
    assert list(directory.state.iterdir()) == []
    assert not directory.clouds_yaml.exists()


def test_other_files_stay_and_so_does_their_directory(tmp_path: Path) -> None:
    (tmp_path / "notes").touch()
    directory = Directory(tmp_path)
    directory.prepare()
    directory.clear(remove=True)
    assert [path.name for path in tmp_path.iterdir()] == ["notes"]


def test_somebody_elses_clouds_yaml_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "clouds.yaml").touch()
    with pytest.raises(KoboshiError, match="not the demo's"):
        Directory(tmp_path).prepare()
    assert (tmp_path / "clouds.yaml").exists()


def test_a_file_is_no_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(KoboshiError, match="--directory"):
        Directory(tmp_path / "file").prepare()


def test_the_configuration_is_koboshis_own_with_the_listed_windows(tmp_path: Path) -> None:
    directory = Directory(tmp_path)
    directory.prepare()
    served = Served(url="http://127.0.0.1:1234")
    hosts = [HostName("compute1"), HostName("compute2")]
    directory.write_configuration(served, probe_port=4321, hosts=hosts)
    settings = load_settings(directory.koboshi_toml, {})
    assert set(settings.fencing.hosts) == set(hosts)
    assert settings.probe.port == 4321
    assert {w.key: w.value for w in settings.shortened_windows()} == {
        f"windows.{key}": value for key, value in DEMO.items()
    }


def test_where_it_is_kept_by_default(tmp_path: Path) -> None:
    runtime = {"XDG_RUNTIME_DIR": str(tmp_path)}
    assert default_directory(runtime) == tmp_path / "koboshi-demo"
    assert default_directory({}).name.startswith("koboshi-demo-")
