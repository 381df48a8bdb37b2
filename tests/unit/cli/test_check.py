"""Each thing that `koboshi check` finds, with its cure."""

import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import pytest
from pydantic import SecretStr

from koboshi.adapters.fencing import Trouble
from koboshi.adapters.probing.addresses import Addresses
from koboshi.cli.check_hosts import Instruments, check_hosts
from koboshi.cli.checks import Check, Result, check_settings, exit_code
from koboshi.cli.exit_codes import ExitCode
from koboshi.domain.errors import FenceError
from koboshi.domain.facts.cloud import Hypervisor, Power, ProbeAnswer
from koboshi.domain.facts.device import NAMELESS, Identity
from koboshi.domain.names import HostName
from koboshi.settings import Device, RedfishDevice, Settings, load_settings
from koboshi.settings.fencing import FencingHost, FencingOptions, FencingSettings
from koboshi.settings.watching import ProbeSettings

from .terminal import koboshi

pytestmark = pytest.mark.anyio


class SimProbe:
    """Answers by address."""

    def __init__(self, answers: Mapping[str, ProbeAnswer]) -> None:
        self._answers = answers

    @property
    def name(self) -> str:
        """Return what is asked."""
        return "ssh:22"

    async def ask(self, address: str) -> ProbeAnswer:
        """Answer; an address that nobody has is silent."""
        return self._answers.get(address, ProbeAnswer.SILENT)


class SimFence:
    """A BMC."""

    def __init__(self, power: Power | FenceError, identity: Identity = NAMELESS) -> None:
        self._power = power
        self._identity = identity

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        pass

    async def power_state(self) -> Power:
        """Tell the power."""
        if isinstance(self._power, FenceError):
            raise self._power
        return self._power

    async def power_off(self) -> None:
        """Fail the test: a check changes nothing."""
        pytest.fail("a check switched a host off")

    async def power_on(self) -> None:
        """Fail the test: a check changes nothing."""
        pytest.fail("a check switched a host on")

    async def identity(self) -> Identity:
        """Tell it."""
        return self._identity


def hypervisor(host: str, address: str | None = None, kind: str = "QEMU") -> Hypervisor:
    return Hypervisor(
        id=host,
        host=HostName(host),
        hypervisor_hostname=host,
        type=kind,
        address=address or f"10.0.0.{host[-1]}",
    )


def fenced(*hosts: str, mode: str = "act") -> Settings:
    fencing = FencingSettings(
        defaults=FencingOptions(username="u", password=SecretStr("p")),
        hosts={host: FencingHost(url=f"https://{host}") for host in hosts},
    )
    return Settings.model_validate({"mode": mode, "fencing": fencing})


def instruments(
    answers: Mapping[str, ProbeAnswer] | None = None,
    powers: Mapping[str, Power | FenceError] | None = None,
    troubles: tuple[Trouble, ...] = (),
    identities: Mapping[str, Identity] | None = None,
    table: Mapping[str, str] | None = None,
) -> Instruments:
    def new_fence(device: Device) -> SimFence:
        identity = (identities or {}).get(device.host, NAMELESS)
        return SimFence((powers or {}).get(device.host, Power.ON), identity)

    async def inspect(device: Device) -> tuple[Trouble, ...]:
        return () if isinstance(device, RedfishDevice) else troubles

    known = {f"10.0.0.{n}": ProbeAnswer.USERLAND for n in range(10)}
    probe = SimProbe({**known, **(answers or {})})
    book = Addresses({HostName(h): a for h, a in (table or {}).items()})
    return Instruments(probe=probe, book=book, new_fence=new_fence, inspect=inspect)


def row(checks: list[Check], check: str, subject: str) -> Check:
    (found,) = [c for c in checks if (c.check, c.subject) == (check, subject)]
    return found


async def test_all_is_well() -> None:
    hosts = [hypervisor("cmp1"), hypervisor("cmp2")]
    checks = await check_hosts(fenced("cmp1", "cmp2"), hosts, instruments())
    assert {check.result for check in checks} == {Result.OK}
    assert [(c.check, c.subject) for c in checks] == [
        ("hosts", "protect"),
        ("probe", "cmp1"),
        ("power", "cmp1"),
        ("probe", "cmp2"),
        ("power", "cmp2"),
    ]
    assert exit_code(checks) is ExitCode.DONE


async def test_hosts_are_asked_where_the_daemon_asks_them_and_in_its_way() -> None:
    probe = ProbeSettings(ask=("icmp", "ssh:2222"))
    settings = fenced("cmp1").model_copy(update={"probe": probe})
    there = instruments({"10.9.9.9": ProbeAnswer.KERNEL}, table={"cmp1": "10.9.9.9"})

    found = row(await check_hosts(settings, [hypervisor("cmp1")], there), "probe", "cmp1")

    assert found.result is Result.WARN
    assert found.detail == "10.9.9.9 (icmp, ssh:2222): its kernel answers, no program does"


@pytest.mark.parametrize(("mode", "result"), [("act", Result.FAIL), ("observe", Result.WARN)])
async def test_a_host_without_a_power_device(mode: str, result: Result) -> None:
    hosts = [hypervisor("cmp1"), hypervisor("cmp2")]
    checks = await check_hosts(fenced("cmp1", mode=mode), hosts, instruments())
    found = row(checks, "power", "cmp2")
    assert (found.result, found.cure) == (
        result,
        "add [fencing.hosts.cmp2], or the host to exclude in [hosts]",
    )


@pytest.mark.parametrize(
    ("answer", "power", "result", "detail"),
    [
        (ProbeAnswer.USERLAND, Power.OFF, Result.FAIL, "reads off, but the host answers"),
        (ProbeAnswer.KERNEL, Power.OFF, Result.FAIL, "reads off, but the host answers"),
        (ProbeAnswer.SILENT, Power.OFF, Result.WARN, "its BMC reads off"),
        (ProbeAnswer.SILENT, Power.ON, Result.OK, "reads on"),
        (ProbeAnswer.USERLAND, Power.UNKNOWN, Result.FAIL, "does not say on or off"),
        (ProbeAnswer.USERLAND, FenceError("it hangs; mend it"), Result.FAIL, "it hangs"),
    ],
)
async def test_what_a_bmc_says(
    answer: ProbeAnswer, power: Power | FenceError, result: Result, detail: str
) -> None:
    asked = instruments({"10.0.0.1": answer}, {"cmp1": power})
    checks = await check_hosts(fenced("cmp1"), [hypervisor("cmp1")], asked)
    found = row(checks, "power", "cmp1")
    assert found.result is result
    assert detail in found.detail
    assert bool(found.cure) == (result is not Result.OK)


async def test_devices_that_say_that_they_are_another_hosts() -> None:
    hosts = [hypervisor(f"cmp{n}") for n in range(1, 4)]
    told = {
        "cmp1": Identity(serial="S1"),
        "cmp2": Identity(serial="s1"),
        "cmp3": Identity(serial="S3", host_name="cmp3.example.com"),
    }
    asked = instruments(identities=told)
    checks = await check_hosts(fenced("cmp1", "cmp2", "cmp3"), hosts, asked)
    wrong = [c for c in checks if c.check == "mapping"]
    assert [c.subject for c in wrong] == ["cmp1", "cmp2"]
    assert {c.result for c in wrong} == {Result.FAIL}


async def test_each_device_of_a_host_has_its_row_and_its_agent_is_looked_at() -> None:
    settings = fenced("cmp1")
    outlet = FencingHost(type="fence_apc", parameters={"ip": "pdu", "plug": "3"})
    fencing = settings.fencing.model_copy(update={"outlets": {"cmp1": {"a": outlet}}})
    settings = settings.model_copy(update={"fencing": fencing})
    hosts = [hypervisor("cmp1")]
    checks = await check_hosts(settings, hosts, instruments())
    powers = [c.detail for c in checks if c.check == "power"]
    assert powers == ["its BMC reads on", "its outlet a (fence_apc) reads on"]

    shows = Trouble(text="others may read its secrets", cure="let nobody in", is_fatal=False)
    checks = await check_hosts(settings, hosts, instruments(troubles=(shows,)))
    assert row(checks, "fence agent", "cmp1").result is Result.WARN
    assert len([c for c in checks if c.check == "power"]) == 2

    missing = Trouble(text="there is no fence_apc", cure="install it", is_fatal=True)
    checks = await check_hosts(settings, hosts, instruments(troubles=(missing,)))
    assert row(checks, "fence agent", "cmp1").result is Result.FAIL
    assert row(checks, "power", "cmp1").detail == "its BMC reads on"


@pytest.mark.parametrize(
    ("answer", "result"),
    [
        (ProbeAnswer.USERLAND, Result.OK),
        (ProbeAnswer.KERNEL, Result.WARN),
        (ProbeAnswer.SILENT, Result.WARN),
        (ProbeAnswer.OWN_TROUBLE, Result.FAIL),
    ],
)
async def test_what_a_host_answers(answer: ProbeAnswer, result: Result) -> None:
    checks = await check_hosts(
        fenced("cmp1"), [hypervisor("cmp1")], instruments({"10.0.0.1": answer})
    )
    found = row(checks, "probe", "cmp1")
    assert found.result is result
    assert bool(found.cure) == (result is not Result.OK)


async def test_a_host_that_nova_does_not_know_is_probably_a_typo() -> None:
    checks = await check_hosts(fenced("cpm01", "gone"), [hypervisor("cmp01")], instruments())
    assert row(checks, "unknown host", "cpm01").cure == "did you mean cmp01?"
    assert row(checks, "unknown host", "gone").cure == "remove it, or mend its spelling"


async def test_only_kvm_hosts_are_protected() -> None:
    hosts = [hypervisor("cmp1"), hypervisor("bm1", kind="ironic")]
    checks = await check_hosts(fenced("cmp1"), hosts, instruments())
    assert row(checks, "hosts", "protect").detail == "1 of 2 hosts are protected; not: bm1"
    nothing = await check_hosts(fenced("cmp1"), hosts[1:], instruments())
    assert row(nothing, "hosts", "protect").result is Result.FAIL


async def test_without_nova_the_configured_hosts_are_asked() -> None:
    checks = await check_hosts(fenced("cmp1"), None, instruments())
    assert row(checks, "power", "cmp1").result is Result.OK
    assert row(checks, "probe", "cmp1").detail == "has no known address"


def test_the_configuration_by_itself(tmp_path: Path) -> None:
    path = tmp_path / "koboshi.toml"
    path.write_text(
        f'state_dir = "{tmp_path}"\n[windows]\nlatch = "1s"\n[policy]\non_local_disk = "rebuild"\n',
        encoding="utf-8",
    )
    checks = check_settings(load_settings(path, {}))
    assert row(checks, "configuration", str(path)).result is Result.OK
    assert row(checks, "safety window", "windows.latch").result is Result.WARN
    assert row(checks, "policy", "on_local_disk").result is Result.WARN
    assert row(checks, "state_dir", str(tmp_path)).result is Result.OK
    assert row(checks, "mode", "observe").result is Result.OK
    assert exit_code(checks) is ExitCode.PARTLY


def test_a_state_dir_that_cannot_be(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    for path, result in (
        (file, Result.FAIL),
        (file / "below", Result.FAIL),
        (tmp_path / "new" / "er", Result.OK),
    ):
        checks = check_settings(Settings(state_dir=path))
        assert row(checks, "state_dir", str(path)).result is result
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file"]


def test_a_cloud_that_nobody_knows_is_an_error_with_its_place(tmp_path: Path) -> None:
    clouds = tmp_path / "clouds.yaml"
    clouds.write_text("clouds: {here: {auth: {auth_url: 'http://127.0.0.1:1'}}}", encoding="utf-8")
    environ = {"KOBOSHI_STATE_DIR": str(tmp_path), "KOBOSHI_CLOUD__CONFIG_FILE": str(clouds)}
    typed = koboshi("--os-cloud", "heer", "check", environ=environ)
    assert (typed.code, typed.out) == (ExitCode.ERROR, "")
    assert "no cloud 'heer'" in typed.err
    assert str(clouds) in typed.err


def kdump(**said: object) -> list[Check]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    table = {"listen": "127.0.0.1", "port": port, **said}
    settings = Settings.model_validate({"kdump": table})
    return [c for c in check_settings(settings) if c.check == "kdump"]


@pytest.mark.parametrize(
    ("said", "result", "words"),
    [
        ({}, Result.WARN, "prove nothing"),
        ({"secret": "s" * 16}, Result.OK, "signed messages prove"),
        ({"isolated": ["192.0.2.0/24"]}, Result.OK, "those from 192.0.2.0/24 prove"),
        ({"listen": "192.0.2.77", "secret": "s" * 16}, Result.WARN, "cannot be listened on"),
    ],
)
def test_what_messages_of_crashed_kernels_count_for(
    said: dict[str, object], result: Result, words: str
) -> None:
    (row,) = kdump(**said)
    assert row.result is result
    assert words in row.detail
    assert row.cure or result is Result.OK


def test_nobody_speaks_of_kdump_where_nobody_listens() -> None:
    assert kdump(listen=None) == []


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://hooks.example/services/T0/very-secret-token", "https://hooks.example/…"),
        ("https://hooks.example:8443", "https://hooks.example:8443"),
        ("https://hooks.example/?token=very-secret", "https://hooks.example/…"),
    ],
)
def test_of_the_webhooks_address_only_the_machine_is_shown(url: str, shown: str) -> None:
    key = "whsec_" + "QUJD" * 8
    settings = Settings.model_validate({"webhook": {"url": url, "secret": key}})
    (row,) = [c for c in check_settings(settings) if c.check == "notices"]
    assert row.subject == shown
