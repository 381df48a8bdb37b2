"""Each way of getting clouds.yaml wrong ends in a sentence with its cure, and without a secret."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from koboshi.adapters.openstack import CloudAccess
from koboshi.adapters.openstack.access import load
from koboshi.domain.errors import ConfigurationError

AUTH = {
    "auth_url": "http://192.0.2.1:5000/v3",
    "username": "u",
    "password": "xyzzy-secret",
    "project_name": "p",
    "user_domain_name": "Default",
    "project_domain_name": "Default",
}


@pytest.fixture(autouse=True)
def _no_cloud_of_ours(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("OS_CLOUD", "OS_AUTH_URL", "OS_REGION_NAME", "OS_INTERFACE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def write(folder: Path, clouds: dict[str, Any]) -> Path:
    path = folder / "clouds.yaml"
    path.write_text(yaml.safe_dump({"clouds": clouds}))
    return path


def refusal(access: CloudAccess) -> str:
    with pytest.raises(ConfigurationError) as error:
        load(access)
    assert "xyzzy" not in str(error.value)
    assert error.value.__cause__ is None
    assert error.value.__suppress_context__ or error.value.__context__ is None
    return str(error.value)


def test_everything_comes_from_the_named_cloud(tmp_path: Path) -> None:
    path = write(tmp_path, {"a": {"auth": AUTH, "region_name": "R", "interface": "internal"}})
    found = load(CloudAccess(config_file=path))
    assert (found.region, found.interfaces) == ("R", ("internal",))
    assert found.auth_url == AUTH["auth_url"]
    assert "xyzzy" not in repr(found)
    assert found.tls().check_hostname is True


def test_the_operators_choice_wins(tmp_path: Path) -> None:
    path = write(tmp_path, {"a": {"auth": AUTH, "region_name": "R"}, "b": {"auth": AUTH}})
    access = CloudAccess(name="a", config_file=path, region="S", interface="admin")
    found = load(access)
    assert (found.region, found.interfaces) == ("S", ("admin",))


def test_a_password_may_stand_in_secure_yaml(tmp_path: Path) -> None:
    auth = {key: value for key, value in AUTH.items() if key != "password"}
    path = write(tmp_path, {"a": {"auth": auth}})
    secure = {"clouds": {"a": {"auth": {"password": "xyzzy-secret"}}}}
    (tmp_path / "secure.yaml").write_text(yaml.safe_dump(secure))
    assert load(CloudAccess(config_file=path)).auth_url == AUTH["auth_url"]


def test_the_environment_alone_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    for key, value in AUTH.items():
        monkeypatch.setenv(f"OS_{key.upper()}", value)
    monkeypatch.setenv("OS_REGION_NAME", "R")
    found = load(CloudAccess())
    assert (found.region, found.auth_url) == ("R", AUTH["auth_url"])


def test_application_credentials_are_taken(tmp_path: Path) -> None:
    auth = {
        "auth_url": AUTH["auth_url"],
        "application_credential_id": "x",
        "application_credential_secret": "xyzzy-secret",
    }
    cloud = {"auth": auth, "auth_type": "v3applicationcredential"}
    load(CloudAccess(config_file=write(tmp_path, {"a": cloud})))


def test_insecure_trusts_anyone(tmp_path: Path) -> None:
    path = write(tmp_path, {"a": {"auth": AUTH, "verify": False}})
    assert load(CloudAccess(config_file=path)).tls().check_hostname is False


def test_an_endpoint_may_be_overridden(tmp_path: Path) -> None:
    path = write(tmp_path, {"a": {"auth": AUTH, "compute_endpoint_override": "http://x/v2.1"}})
    assert load(CloudAccess(config_file=path)).endpoints == {"compute": "http://x/v2.1"}


def test_no_clouds_yaml_at_all() -> None:
    text = refusal(CloudAccess())
    assert "no clouds.yaml" in text
    assert "/etc/openstack" in text
    assert "OS_AUTH_URL" in text
    assert "no cloud 'x'" in refusal(CloudAccess(name="x"))


def test_an_unknown_cloud_is_told_the_known_ones(tmp_path: Path) -> None:
    path = write(tmp_path, {"north": {"auth": AUTH}, "south": {"auth": AUTH}})
    text = refusal(CloudAccess(name="nroth", config_file=path))
    assert text == f"no cloud 'nroth' in {path}; it has: north, south"
    assert "OS_CLOUD" in refusal(CloudAccess(config_file=path))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    text = refusal(CloudAccess(config_file=tmp_path / "none.yaml"))
    assert text.startswith(f"{tmp_path / 'none.yaml'}: No such file or directory; ")


@pytest.mark.parametrize(
    "text",
    [
        "clouds:\n  a:\n    auth: {password: xyzzy-secret\n",
        "clouds:\n  a:\n\t auth: xyzzy\n",
        "clouds: [xyzzy]\n",
        "clouds:\n  a: xyzzy\n",
        "clouds:\n  a:\n    auth: xyzzy\n",
        "xyzzy\n",
        "[]\n",
    ],
)
def test_a_broken_file_is_refused_without_quoting_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "clouds.yaml"
    path.write_text(text)
    assert "clouds.yaml" in refusal(CloudAccess(name="a", config_file=path))


def test_a_missing_option_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, {"a": {"auth": {"username": "u", "password": "xyzzy-secret"}}})
    assert "auth_url" in refusal(CloudAccess(config_file=path))


def test_an_unknown_auth_type_is_named(tmp_path: Path) -> None:
    path = write(tmp_path, {"a": {"auth": AUTH, "auth_type": "telepathy"}})
    assert "telepathy" in refusal(CloudAccess(config_file=path))


def test_a_type_without_a_catalog_is_refused(tmp_path: Path) -> None:
    cloud = {"auth": {"endpoint": "http://x", "token": "xyzzy"}, "auth_type": "admin_token"}
    path = write(tmp_path, {"a": cloud})
    assert "password" in refusal(CloudAccess(config_file=path))


def test_missing_certificates_are_named(tmp_path: Path) -> None:
    path = write(tmp_path, {"a": {"auth": AUTH, "cacert": "/no/ca.pem"}})
    assert "cacert = /no/ca.pem" in refusal(CloudAccess(config_file=path))
    path = write(tmp_path, {"a": {"auth": AUTH, "cert": "/no/c.pem", "key": "/no/k.pem"}})
    assert "cert = /no/c.pem" in refusal(CloudAccess(config_file=path))
