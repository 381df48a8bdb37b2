"""What `koboshi init` writes can be used, and says what every key is for."""

import re
import stat
from pathlib import Path

from koboshi.cli.configuration import EXAMPLES, Found, configuration_text
from koboshi.cli.exit_codes import ExitCode
from koboshi.settings import Settings, load_settings
from koboshi.settings.keys import ANY_HOST, ANY_NAME, keys

from .terminal import koboshi

FOUND = Found(
    label="cloud 'lab'",
    values={"cloud.name": "lab", "cloud.config_file": Path("/etc/clouds.yaml")},
    hosts=[("cmp1", "10.0.0.1"), ("cmp2.example.com", None)],
    servers=12,
)


def loaded(text: str, tmp_path: Path) -> Settings:
    path = tmp_path / "koboshi.toml"
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
    (tmp_path / "secret").write_text("whsec_" + "A" * 32, encoding="utf-8")
    return load_settings(path, {})


def test_it_loads_as_it_is(tmp_path: Path) -> None:
    settings = loaded(configuration_text(FOUND), tmp_path)
    assert settings.cloud.name == "lab"
    assert settings.cloud.config_file == Path("/etc/clouds.yaml")
    assert settings.rules() == Settings().rules()


def test_every_key_stands_there_with_its_reason() -> None:
    text = configuration_text(FOUND)
    words = re.sub(r"\s*\n# ", " ", text)
    for key in keys():
        if key.section[:1] == ("policy",) and len(key.section) > 1:
            continue  # the same few of any source: docs/policy.md has them
        assert key.reason in words, key.dotted
        if not {ANY_HOST, ANY_NAME} & set(key.section):
            assert re.search(rf"^(# )?{key.name} = ", text, re.MULTILINE), key.dotted
    assert max(len(line) for line in text.splitlines()) <= 100


def test_what_is_commented_out_is_the_default(tmp_path: Path) -> None:
    text = re.sub(r"^# ([a-z_]+ = )", r"\1", configuration_text(Found()), flags=re.MULTILINE)
    for dotted in EXAMPLES:  # those have no default
        text = re.sub(rf"^{dotted.rpartition('.')[2]} = .*\n", "", text, flags=re.MULTILINE)
    text = re.sub(r"^(type|url|system_id) = .*\n", "", text, flags=re.MULTILINE)
    assert loaded(text, tmp_path).model_dump() == Settings().model_dump()


def test_each_host_has_its_table_to_complete(tmp_path: Path) -> None:
    text = configuration_text(FOUND)
    assert "# [fencing.hosts.cmp1]  # the host itself answers at 10.0.0.1" in text
    begin, end = text.index("# [fencing.hosts.cmp1]"), text.index("# What feeds a host")
    completed = text[begin:end].replace("\n# ", "\n").removeprefix("# ")
    text = text.replace("# username = ", "username = ").replace("# password = ", "password = ")
    settings = loaded(text + "\n" + completed, tmp_path)
    assert [device.host for device in settings.fencing.devices()] == ["cmp1", "cmp2.example.com"]


def test_it_is_written_for_its_owner_only_and_never_over_another(tmp_path: Path) -> None:
    path = tmp_path / "koboshi.toml"
    first = koboshi("init", "--offline", "--output", str(path))
    assert (first.code, first.out) == (ExitCode.DONE, "")
    assert f"Next: koboshi --config {path} check" in first.err
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_text("mine", encoding="utf-8")
    again = koboshi("init", "--offline", "-o", str(path))
    assert again.code == ExitCode.ERROR
    assert "--force" in again.err
    assert path.read_text(encoding="utf-8") == "mine"
    assert koboshi("init", "--offline", "-o", str(path), "--force").code == ExitCode.DONE
    assert path.read_text(encoding="utf-8").startswith("# Koboshi's configuration")
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    typed = koboshi("init", "--offline", "-o", str(tmp_path / "no" / "koboshi.toml"))
    assert typed.code == ExitCode.ERROR
    assert "cannot be written: No such file or directory" in typed.err


def test_without_a_cloud_it_names_the_way_out(tmp_path: Path) -> None:
    environ = {"KOBOSHI_CLOUD__CONFIG_FILE": str(tmp_path / "clouds.yaml")}
    typed = koboshi("--os-cloud", "x", "init", environ=environ)
    assert (typed.code, typed.out) == (ExitCode.ERROR, "")
    assert "--offline" in typed.err
