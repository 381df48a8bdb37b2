"""Where settings come from, and what is said when they are wrong."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from koboshi.domain.rules import Mode, OnLocalDisk, ProofPolicy, Rules
from koboshi.settings import AgentDevice, InvalidSettings, RedfishDevice, Settings, load_settings

Write = Callable[..., Path]

FENCED = """
mode = "act"
[fencing.defaults]
username = "admin"
password = "correct horse"
[fencing.hosts.compute1]
url = "https://192.0.2.1"
"""


def bmc(settings: Settings, number: int = 0) -> RedfishDevice:
    """Return one of the power devices, which is a BMC."""
    device = settings.fencing.devices()[number]
    assert isinstance(device, RedfishDevice)
    return device


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str, *, mode: int = 0o600) -> Path:
        path = tmp_path / "koboshi.toml"
        path.write_text(text, encoding="utf-8")
        path.chmod(mode)
        return path

    return write


def complaint(path: Path | None, environ: Mapping[str, str] | None = None) -> str:
    with pytest.raises(InvalidSettings) as caught:
        load_settings(path, environ or {})
    return str(caught.value)


def test_without_a_file_it_observes() -> None:
    settings = load_settings(None, {"KOBOSHI_STATE_DIR": "/srv/k"})
    assert settings.mode is Mode.OBSERVE
    assert settings.source is None


def test_the_defaults_are_the_domains_own() -> None:
    assert Settings().rules() == Rules(mode=Mode.OBSERVE)


def test_a_file_becomes_rules(write: Write) -> None:
    path = write(
        """
        install = "here"
        [windows]
        probe_warm_up = "10s"
        latch = 20
        [policy]
        on_local_disk = "rebuild"
        [pace]
        window = 4
        """,
    )
    rules = load_settings(path, {}).rules()
    assert rules.probe_warm_up == timedelta(seconds=10)
    assert rules.latch == timedelta(seconds=20)
    assert rules.on_local_disk is OnLocalDisk.REBUILD
    assert (rules.install, rules.window) == ("here", 4)


def test_options_beat_the_environment_which_beats_the_file(write: Write) -> None:
    path = write('install = "file"\n[cloud]\nname = "file"\nregion = "file"')
    environ = {"KOBOSHI_CONFIG": str(path), "KOBOSHI_CLOUD__NAME": "env", "KOBOSHI_INSTALL": "env"}
    options = {("cloud", "name"): ("--os-cloud", "option")}
    settings = load_settings(None, environ, options=options)
    assert (settings.install, settings.cloud.name) == ("env", "option")
    assert settings.cloud.region == "file"
    assert settings.source == path


def test_the_environment_can_hold_a_list_and_a_hosts_key(write: Write) -> None:
    environ = {
        "KOBOSHI_HOSTS__EXCLUDE": "gpu*, test1",
        "KOBOSHI_FENCING__HOSTS__COMPUTE1_EXAMPLE_COM__SYSTEM_ID": "7",
    }
    settings = load_settings(write(FENCED.replace("compute1", '"Compute1.example.com"')), environ)
    device = settings.fencing.device("Compute1.example.com")
    assert isinstance(device, RedfishDevice)
    assert device.system_id == "7"
    assert settings.hosts.is_protected("compute1")
    assert not settings.hosts.is_protected("gpu17")


def test_what_kubernetes_invents_for_a_service_of_that_name_is_left_alone() -> None:
    environ = {"KOBOSHI_SERVICE_HOST": "10.0.0.1", "KOBOSHI_PORT_9777_TCP": "tcp://10.0.0.1:9777"}
    assert load_settings(None, environ) == Settings()


def test_a_file_that_was_named_must_exist(tmp_path: Path) -> None:
    missing = tmp_path / "no.toml"
    assert f"koboshi init --output {missing}" in complaint(missing)
    assert "KOBOSHI_CONFIG" in complaint(None, {"KOBOSHI_CONFIG": str(missing)})


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    assert "cannot be read" in complaint(tmp_path)


def test_a_syntax_error_has_its_line(write: Write) -> None:
    path = write('mode = "observe"\n\n[cloud]\nname = lab\n')
    assert complaint(path).startswith(f"{path}:4: line 4 is not valid TOML: ")


def test_a_binary_file_is_told(tmp_path: Path) -> None:
    path = tmp_path / "koboshi.toml"
    path.write_bytes(b'mode = "observe"\n\xff\xfe')
    assert complaint(path) == f"{path}:2: is not UTF-8; save it as UTF-8"


def test_all_problems_are_told_together_each_with_its_place(write: Write) -> None:
    path = write(
        """mode = "atc"
[windows]
latch = "soon"
[probe]
interval = "9s"
prot = 22
[http]
listen = "0.0.0.0:80"
[fencing.hosts.compute1]
url = "redfish"
""",
    )
    lines = complaint(path, {"KOBOSHI_PACE__WINDOW": "99", "KOBOSHI_MOED": "act"}).splitlines()
    starts = [line.removeprefix(f"{path}") for line in lines]
    assert starts == [
        ":1: mode must be 'observe' or 'act', not \"atc\"",
        (
            ':3: windows.latch: "soon" is no duration; write "10s", "15m", "1h30m" '
            "or a number of seconds"
        ),
        ':5: probe.interval must lie in 500ms to 2s, not "9s"',
        ':6: unknown key "probe.prot"; did you mean probe.port?',
        (
            ':8: http.listen: "0.0.0.0" is not the loopback, and nobody is authenticated there; write '
            "127.0.0.1:PORT and put a reverse proxy with authentication before it"
        ),
        ':10: fencing.hosts.compute1.url: "redfish" is no address; write https://HOST[:PORT]',
        (
            "environment variable KOBOSHI_MOED: is no setting; did you mean KOBOSHI_MODE? "
            "Otherwise unset it"
        ),
        "environment variable KOBOSHI_PACE__WINDOW: pace.window must lie in 1 to 40, not 99",
    ]


def test_acting_needs_fencing(write: Write) -> None:
    assert "needs the power devices" in complaint(write('mode = "act"'))
    assert "needs the power devices" in complaint(None, {"KOBOSHI_MODE": "act"})


@pytest.mark.parametrize("proof", ["word", "silence"])
def test_without_power_control_an_operator_must_say_what_proves_a_death(
    write: Write, proof: str
) -> None:
    text = f'mode = "act"\n[policy]\nproof = "{proof}"'
    assert load_settings(write(text), {}).rules().proof is ProofPolicy(proof)


def test_fencing_needs_credentials(write: Write) -> None:
    text = complaint(write('[fencing.hosts.a]\nurl = "https://b"\nusername = "u"'))
    assert "no password for a" in text


def test_defaults_fill_what_a_host_does_not_say(write: Write) -> None:
    path = write(
        FENCED
        + """
[fencing.hosts.compute2]
url = "https://192.0.2.2/"
username = "other"
verify_tls = false
timeout = "3s"
""",
    )
    settings = load_settings(path, {})
    first, second = bmc(settings), bmc(settings, 1)
    assert (first.username, first.verify_tls, first.timeout) == ("admin", True, timedelta(0, 10))
    assert (second.username, second.verify_tls, second.timeout) == ("other", False, timedelta(0, 3))
    assert second.password.get_secret_value() == "correct horse"
    assert second.url == "https://192.0.2.2"


def test_a_file_with_a_secret_must_be_private(write: Write) -> None:
    path = write(FENCED, mode=0o640)
    text = complaint(path)
    assert f"type: chmod 0600 {path}" in text
    assert "mode 0640" in text


def test_a_file_without_a_secret_may_be_read_by_all(write: Write) -> None:
    load_settings(write('install = "x"', mode=0o644), {})


@pytest.mark.parametrize("form", ["env", "file", "credential"])
def test_secrets_from_elsewhere(write: Write, tmp_path: Path, form: str) -> None:
    secret = tmp_path / "bmc"
    secret.write_text("s3cret\n", encoding="utf-8")
    secret.chmod(0o440 if form == "credential" else 0o600)  # systemd guards its own by their folder
    value = "BMC" if form == "env" else "bmc"
    text = FENCED.replace('password = "correct horse"', f'password_{form} = "{value}"')
    environ = {"BMC": "s3cret", "CREDENTIALS_DIRECTORY": str(tmp_path)}
    settings = load_settings(write(text, mode=0o644), environ)
    assert bmc(settings).password.get_secret_value() == "s3cret"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('password_credential = "nope"', "CREDENTIALS_DIRECTORY is not set"),
        ('password_file = "open"', "which others may read (mode 0644); type: chmod 0600"),
        ('password_env = "NOPE"', "environment variable NOPE, which is not set"),
        ('password_file = "nope"', "which cannot be read: No such file"),
        ('password_file = "empty"', "which is empty"),
        ('password = "a"\npassword_file = "empty"', "keep one of them"),
    ],
)
def test_a_secret_that_is_not_there(write: Write, tmp_path: Path, line: str, expected: str) -> None:
    (tmp_path / "empty").touch(mode=0o600)
    (tmp_path / "open").write_text("s3cret", encoding="utf-8")
    (tmp_path / "open").chmod(0o644)
    text = complaint(write(FENCED.replace('password = "correct horse"', line)))
    assert expected in text
    assert text.count("\n") == 0


def test_no_error_and_no_repr_holds_a_secret(write: Write) -> None:
    path = write(FENCED.replace('"correct horse"', '["correct horse"]') + 'wrong = "correct horse"')
    assert "correct horse" not in complaint(path)
    bad = write(FENCED + '[webhook]\nurl = "https://a"\nsecret = "correct horse"')
    assert "correct horse" not in complaint(bad)
    settings = load_settings(write(FENCED), {})
    assert "correct horse" not in repr(settings) + str(settings.fencing.devices())
    with_user = complaint(write('[webhook]\nurl = "ftp://u:correct horse@h"'))
    assert "correct horse" not in with_user


def test_a_webhook_is_signed(write: Write) -> None:
    assert "url needs a key" in complaint(write('[webhook]\nurl = "https://a"'))
    key = "whsec_" + "QUJD" * 10
    settings = load_settings(write(f'[webhook]\nurl = "https://a"\nsecret = "{key}"'), {})
    assert settings.webhook.secret is not None


def test_a_host_name_with_dots_needs_quotes(write: Write) -> None:
    text = complaint(write('[fencing.hosts.c1.example.com]\nurl = "https://a"'))
    assert 'needs quotes: [fencing.hosts."c1.example.com"]' in text


@pytest.mark.parametrize("written", ["127.0.0.1:9777", "[::1]:9777", "localhost:9777"])
def test_the_loopback_in_all_its_forms(write: Write, written: str) -> None:
    settings = load_settings(write(f'[http]\nlisten = "{written}"'), {})
    assert settings.http.address in {("127.0.0.1", 9777), ("::1", 9777)}


@pytest.mark.parametrize("written", ["9777", "127.0.0.1", "127.0.0.1:0", "example.com:80", ":80"])
def test_no_other_address(write: Write, written: str) -> None:
    assert "http.listen" in complaint(write(f'[http]\nlisten = "{written}"'))


def test_the_socket_must_fit_its_path(write: Write) -> None:
    assert "is too long" in complaint(write(f'state_dir = "/{"x" * 100}"'))
    assert "is relative" in complaint(write('state_dir = "here"'))


def test_addresses_are_not_looked_up(write: Write) -> None:
    settings = load_settings(
        write('[hosts]\naddresses = { a = "192.0.2.1", b = "2001:db8::1" }'), {}
    )
    assert settings.hosts.addresses == {"a": "192.0.2.1", "b": "2001:db8::1"}
    text = complaint(write('[hosts.addresses]\na = "a.example.com"'))
    assert 'hosts.addresses: a: "a.example.com" is no IP address' in text


def test_silence_holds_several_probes(write: Write) -> None:
    text = complaint(write('[probe]\ninterval = "2s"\n[evidence]\nsilence = "5s"'))
    assert "three probes" in text


def test_shortened_windows_are_known(write: Write) -> None:
    settings = load_settings(write('[windows]\nlatch = "20s"\nprobe_warm_up = "20m"'), {})
    assert [str(window) for window in settings.shortened_windows()] == [
        "windows.latch = 20s (default 10m)",
    ]


def test_a_table_where_a_value_belongs_and_the_reverse(write: Write) -> None:
    text = complaint(write("install = 3\ncloud = 4\n[mode]\na = 1"))
    assert "cloud must be a table" in text
    assert "install must be a text" in text
    assert "mode must be" in text


def test_the_variable_that_holds_a_secret_is_no_unknown_setting(write: Write) -> None:
    text = FENCED.replace('password = "correct horse"', 'password_env = "KOBOSHI_BMC_PASSWORD"')
    settings = load_settings(write(text), {"KOBOSHI_BMC_PASSWORD": "s3cret"})
    assert bmc(settings).password.get_secret_value() == "s3cret"


def test_a_fingerprint_is_a_sha256(write: Write) -> None:
    pin = ":".join(["AB"] * 32)
    settings = load_settings(write(f'{FENCED}fingerprint = "{pin}"'), {})
    assert bmc(settings).fingerprint == pin
    assert "a SHA-256 in hexadecimal" in complaint(write(f'{FENCED}fingerprint = "AB"'))


AGENT = """
[fencing.hosts.cmp1]
type = "fence_ipmilan"
username = "admin"
password = "correct horse"
parameters = { ip = "192.0.2.1", lanplus = true, cipher = 17 }
[fencing.outlets.cmp1.a]
type = "fence_apc_snmp"
parameters = { ip = "pdu1", plug = "3", community = "between us" }
[fencing.outlets.cmp1.b]
url = "https://pdu2"
username = "pdu"
password = "battery"
"""


def test_a_host_may_have_a_fence_agent_and_outlets(write: Write) -> None:
    settings = load_settings(write(AGENT), {})
    devices = settings.fencing.of("cmp1")
    assert devices is not None
    agent, outlet = devices.bmc, devices.outlets["a"]
    assert isinstance(agent, AgentDevice)
    assert isinstance(outlet, AgentDevice)
    assert agent.parameters == {"ip": "192.0.2.1", "lanplus": "1", "cipher": "17"}
    assert (agent.username, agent.folder) == ("admin", Path("/usr/sbin"))
    assert isinstance(devices.outlets["b"], RedfishDevice)
    secrets = {s.get_secret_value() for s in settings.fencing.secrets()}
    assert secrets == {"correct horse", "between us", "battery"}
    shown = repr(settings.fencing.devices()) + "".join(d.table for d in settings.fencing.devices())
    assert not any(secret in shown for secret in secrets)


def test_an_outlet_never_gets_the_bmcs_password(write: Write) -> None:
    outlet = (
        '[fencing.outlets.compute1.a]\ntype = "fence_apc"\nparameters = { ip = "p", plug = "1" }'
    )
    device = load_settings(write(f"{FENCED}{outlet}"), {}).fencing.devices()[1]
    assert (device.username, device.password) == (None, None)


def test_the_environment_can_name_an_outlet(write: Write) -> None:
    environ = {"KOBOSHI_FENCING__OUTLETS__CMP1__B__TIMEOUT": "4s"}
    device = load_settings(write(AGENT), environ).fencing.devices()[2]
    assert device.timeout == timedelta(seconds=4)


def test_a_secret_parameter_in_an_open_file_is_refused(write: Write) -> None:
    text = """
[fencing.hosts.cmp1]
type = "fence_apc_snmp"
parameters = { ip = "pdu1", plug = "3", community = "between us" }
"""
    found = complaint(write(text, mode=0o644))
    assert "holds a secret (fencing.hosts.cmp1.parameters.community)" in found
    assert "between us" not in found


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ('type = "ipmi"', "type must be redfish, or the name of a fence agent"),
        (
            'type = "fence_x"\nurl = "https://a"',
            "url, system_id, fingerprint and machine are Redfish's",
        ),
        ('username = "u"\npassword = "p"', "url is missing"),
        ('type = "fence_x"\nparameters = { action = "reboot" }', "action is not for the agent's"),
        ('type = "fence_x"\nparameters = { password = "p" }', "password is not for the agent's"),
        ('type = "fence_x"\nparameters = { plug = "1\\naction=on" }', "cannot be told to an agent"),
        ('type = "fence_x"\nparameters = { "a b" = "1" }', "cannot be told to an agent"),
    ],
)
def test_what_an_agent_cannot_be_told(write: Write, table: str, expected: str) -> None:
    assert expected in complaint(write(f"[fencing.hosts.cmp1]\n{table}"))


def test_two_hosts_with_one_outlet(write: Write) -> None:
    table = '[fencing.hosts.{}]\ntype = "fence_apc"\nparameters = {{ ip = "pdu1", plug = "3" }}\n'
    text = complaint(write(table.format("a") + table.format("b")))
    assert "a and b have the same power device (fence_apc, pdu1, 3)" in text
