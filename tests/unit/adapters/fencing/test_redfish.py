"""A BMC is believed when it says Off in so many words, and never asked for anything but off."""

import asyncio
import socket
import struct
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import anyio
import pytest
from pydantic import SecretStr

from koboshi.adapters.fencing import BmcAccess, RedfishFence
from koboshi.domain.errors import FenceError
from koboshi.domain.facts.cloud import Power
from tests.unit.adapters.loopback import Behaviour, LoopbackServer, Reply, Seen

pytestmark = pytest.mark.anyio

SYSTEM = "/redfish/v1/Systems/1"
RESET = f"{SYSTEM}/Actions/ComputerSystem.Reset"
SECRET = "xyzzy-secret"


class FakeBmc:
    """One system; a test may replace any answer."""

    def __init__(self) -> None:
        self.state: object = "On"
        self.system: dict[str, Any] = {"Actions": {"#ComputerSystem.Reset": {"target": RESET}}}
        self.members: object = [{"@odata.id": SYSTEM}]
        self.on_reset: Callable[[], Behaviour] = self.obey
        self.on_read: Behaviour | None = None
        self.server = LoopbackServer(self.handle)

    def obey(self) -> Behaviour:
        way = self.resets[-1]["ResetType"]
        self.state = {"On": "On", "ForceOn": "On"}.get(way, "Off")
        return Reply(status=204)

    def handle(self, seen: Seen) -> Behaviour:
        # "admin:xyzzy-secret" in base64.
        if seen.headers.get("authorization") != "Basic YWRtaW46eHl6enktc2VjcmV0":
            return Reply(status=401, body={"error": {"message": "who?"}})
        if seen.method == "POST" and seen.path == RESET:
            return self.on_reset()
        if self.on_read is not None:
            return self.on_read
        if seen.path == SYSTEM:
            return Reply(body={"PowerState": self.state} | self.system)
        if seen.path == "/redfish/v1/Systems":
            return Reply(body={"Members": self.members})
        return Reply(status=404)

    @property
    def resets(self) -> list[Any]:
        return [seen.json for seen in self.server.seen if seen.method == "POST"]


@asynccontextmanager
async def fence(
    bmc: FakeBmc,
    *,
    password: str = SECRET,
    system_id: str | None = "1",
    limit: timedelta = timedelta(seconds=2),
) -> AsyncGenerator[RedfishFence]:
    async with bmc.server:
        access = BmcAccess(
            host="cmp1",
            url=bmc.server.url,
            username="admin",
            password=SecretStr(password),
            system_id=system_id,
            timeout=limit,
        )
        async with RedfishFence(access) as adapter:
            yield adapter


@pytest.mark.parametrize(
    ("state", "power"),
    [
        ("On", Power.ON),
        ("Off", Power.OFF),
        ("PoweringOff", Power.UNKNOWN),
        ("PoweringOn", Power.UNKNOWN),
        ("Paused", Power.UNKNOWN),
        ("off", Power.UNKNOWN),
        ("", Power.UNKNOWN),
        (None, Power.UNKNOWN),
        (["Off"], Power.UNKNOWN),
        (False, Power.UNKNOWN),
    ],
)
async def test_only_plain_words_are_a_power_state(state: object, power: Power) -> None:
    bmc = FakeBmc()
    bmc.state = state
    async with fence(bmc) as adapter:
        assert await adapter.power_state() is power


async def test_off_is_forced_and_read_back() -> None:
    bmc = FakeBmc()
    async with fence(bmc) as adapter:
        await adapter.power_off()
        assert await adapter.power_state() is Power.OFF
        await adapter.power_off()
    assert bmc.resets == [{"ResetType": "ForceOff"}] * 2
    assert bmc.server.connections == len(bmc.server.seen)


async def test_a_host_is_switched_on_too() -> None:
    bmc = FakeBmc()
    bmc.state = "Off"
    async with fence(bmc) as adapter:
        await adapter.power_on()
        assert await adapter.power_state() is Power.ON
        bmc.on_reset = lambda: Reply(status=409, body={"error": {"message": "it is on already"}})
        await adapter.power_on()
    assert bmc.resets == [{"ResetType": "On"}] * 2


async def test_a_bmc_s_own_list_says_how_it_is_asked() -> None:
    bmc = FakeBmc()
    kinds = ["PowerOff", "ForceOn", "GracefulShutdown", "ForceRestart"]
    action = {"target": RESET, "ResetType@Redfish.AllowableValues": kinds}
    bmc.system = {"Actions": {"#ComputerSystem.Reset": action}}
    async with fence(bmc) as adapter:
        await adapter.power_off()
        await adapter.power_on()
    assert bmc.resets == [{"ResetType": "PowerOff"}, {"ResetType": "ForceOn"}]


@pytest.mark.parametrize(
    ("told", "identity"),
    [
        ({"UUID": "4C4C-01", "SerialNumber": "S1", "HostName": "h1"}, ("4C4C-01", "h1")),
        ({"UUID": None, "SerialNumber": "S1"}, ("S1", "")),
        ({"UUID": "00000000-0000-0000-0000-000000000000", "SerialNumber": " "}, ("", "")),
        ({"UUID": "FFFFFFFF-FFFF", "SerialNumber": "To be filled by O.E.M."}, ("", "")),
        ({"UUID": 7, "HostName": "localhost"}, ("", "")),
        ({}, ("", "")),
    ],
)
async def test_a_bmc_says_what_it_is(told: dict[str, Any], identity: tuple[str, str]) -> None:
    bmc = FakeBmc()
    bmc.system |= told
    async with fence(bmc) as adapter:
        found = await adapter.identity()
    assert (found.serial, found.host_name) == identity


@pytest.mark.parametrize("status", [400, 409, 500])
async def test_a_refusal_by_a_host_that_is_off_is_success(status: int) -> None:
    bmc = FakeBmc()
    bmc.state = "Off"
    bmc.on_reset = lambda: Reply(status=status, body={"error": {"message": "already off"}})
    async with fence(bmc) as adapter:
        await adapter.power_off()


@pytest.mark.parametrize("state", ["On", "PoweringOff", None])
async def test_a_refusal_by_a_host_that_is_not_off_is_an_error(state: object) -> None:
    bmc = FakeBmc()
    bmc.state = state
    bmc.on_reset = lambda: Reply(status=409, body={"error": {"message": "not now"}})
    async with fence(bmc) as adapter:
        with pytest.raises(FenceError, match=r"cmp1.*HTTP 409 not now"):
            await adapter.power_off()


async def test_the_only_system_is_found() -> None:
    bmc = FakeBmc()
    async with fence(bmc, system_id=None) as adapter:
        assert await adapter.power_state() is Power.ON


@pytest.mark.parametrize(
    ("members", "named"),
    [
        ([{"@odata.id": SYSTEM}, {"@odata.id": "/redfish/v1/Systems/2"}], r"2 systems \(1, 2\)"),
        ([], r"0 systems \(none\)"),
        ("nonsense", r"0 systems"),
        ([{"@odata.id": "http://203.0.113.9/redfish/v1/Systems/1"}], "another machine"),
    ],
)
async def test_which_system_is_never_guessed(members: object, named: str) -> None:
    bmc = FakeBmc()
    bmc.members = members
    async with fence(bmc, system_id=None) as adapter:
        with pytest.raises(FenceError, match=named):
            await adapter.power_state()


async def test_the_reset_goes_only_to_this_bmc() -> None:
    bmc = FakeBmc()
    bmc.system["Actions"] = {"#ComputerSystem.Reset": {"target": "http://203.0.113.9/reset"}}
    async with fence(bmc) as adapter:
        with pytest.raises(FenceError, match="another machine"):
            await adapter.power_off()
    assert bmc.resets == []


async def test_a_bmc_that_cannot_force_off_is_named() -> None:
    bmc = FakeBmc()
    action = {"target": RESET, "ResetType@Redfish.AllowableValues": ["On", "ForceRestart"]}
    bmc.system["Actions"] = {"#ComputerSystem.Reset": action}
    async with fence(bmc) as adapter:
        with pytest.raises(FenceError, match="offers ForceRestart, On, not ForceOff"):
            await adapter.power_off()
        # Its word on the power is good all the same.
        assert await adapter.power_state() is Power.ON
    assert bmc.resets == []


@pytest.mark.parametrize("actions", [None, {}, {"#ComputerSystem.Reset": {}}])
async def test_without_a_target_the_standard_one_is_used(actions: object) -> None:
    bmc = FakeBmc()
    bmc.system["Actions"] = actions
    async with fence(bmc) as adapter:
        await adapter.power_off()
    assert bmc.resets == [{"ResetType": "ForceOff"}]


@pytest.mark.parametrize(
    ("reply", "named"),
    [
        (Reply(body=b"<html>hello</html>"), "no JSON"),
        (Reply(body=[]), "no JSON"),
        (Reply(body={"Name": "a chassis"}), "no computer system"),
        (Reply(body={"PowerState": "Off"}, cut=3), "RemoteProtocolError|incomplete|peer closed"),
        (Reply(body=b" " * (2 << 20)), "has no end"),
        (Reply(status=404), "HTTP 404"),
        (Reply(status=503), "HTTP 503"),
        (Reply(status=301, headers={"Location": "http://203.0.113.9/"}), "not followed"),
        ("drop", "GET"),
        ("hang", "within 0.5 s"),
    ],
)
async def test_a_bmc_in_trouble_says_nothing_about_the_power(reply: Behaviour, named: str) -> None:
    bmc = FakeBmc()
    bmc.on_read = reply
    async with fence(bmc, limit=timedelta(seconds=0.5)) as adapter:
        with pytest.raises(FenceError, match=named) as error:
            await adapter.power_state()
        assert "the BMC of cmp1 at http://127.0.0.1:" in str(error.value)


async def test_a_reset_that_hangs_ends_in_time() -> None:
    bmc = FakeBmc()
    bmc.on_reset = lambda: "hang"
    async with fence(bmc, limit=timedelta(seconds=0.3)) as adapter:
        with pytest.raises(FenceError, match=r"within 0\.3 s"):
            await adapter.power_off()


async def test_a_bmc_that_is_not_there_is_an_error() -> None:
    bmc = FakeBmc()
    async with fence(bmc) as adapter:
        await bmc.server.__aexit__()
        for ask in (adapter.power_state, adapter.power_off):
            with pytest.raises(FenceError, match="connection attempts failed"):
                await ask()
        await bmc.server.__aenter__()


async def test_no_secret_is_ever_told() -> None:
    bmc = FakeBmc()
    async with fence(bmc, password="hunter2") as adapter:
        assert "hunter2" not in repr(adapter)
        for ask in (adapter.power_state, adapter.power_off):
            with pytest.raises(FenceError, match="check username and password") as error:
                await ask()
            assert "hunter2" not in str(error.value)
            assert error.value.__cause__ is None
    access = BmcAccess(host="h", url="http://u:p4ss@x", username="u", password=SecretStr("s3cr3t"))
    assert "s3cr3t" not in repr(access)
    async with RedfishFence(access) as adapter:
        assert "p4ss" not in repr(adapter)


@pytest.mark.parametrize("status", [429, 503])
async def test_a_bmc_that_is_out_of_sessions_is_asked_again_the_next_time(status: int) -> None:
    bmc = FakeBmc()
    bmc.on_read = Reply(status=status, headers={"Retry-After": "60"})
    async with fence(bmc) as adapter:
        with pytest.raises(FenceError, match=f"HTTP {status}"):
            await adapter.power_state()
        bmc.on_read = None
        assert await adapter.power_state() is Power.ON


@pytest.mark.parametrize("status", [429, 503])
async def test_a_reset_that_is_refused_for_want_of_sessions_is_success_only_if_it_reads_off(
    status: int,
) -> None:
    bmc = FakeBmc()
    bmc.on_reset = lambda: Reply(status=status)
    async with fence(bmc) as adapter:
        with pytest.raises(FenceError, match=f"HTTP {status}"):
            await adapter.power_off()
        bmc.state = "Off"
        await adapter.power_off()


async def test_no_session_is_ever_opened() -> None:
    """BMCs keep few of them, and a crash would leak ours: each call names its user."""
    bmc = FakeBmc()
    async with fence(bmc) as adapter:
        await adapter.power_state()
        await adapter.power_off()
    assert not any("SessionService" in seen.path for seen in bmc.server.seen)
    assert bmc.server.connections == len(bmc.server.seen)  # none is kept, so none is half-open


@pytest.mark.parametrize("resets", [False, True])
async def test_a_connection_that_is_taken_and_never_answered_ends_in_time(*, resets: bool) -> None:
    """Half-open: the kernel of a hung BMC still accepts; another one resets what it accepted."""

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if resets:
            opened = writer.get_extra_info("socket")
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            writer.close()
        else:
            await reader.read()
            writer.close()

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    async with server:
        access = BmcAccess(
            host="cmp1",
            url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}",
            username="admin",
            password=SecretStr(SECRET),
            system_id="1",
            timeout=timedelta(seconds=1),
        )
        began = anyio.current_time()
        async with RedfishFence(access) as adapter:
            for call in (adapter.power_state, adapter.power_off, adapter.power_on):
                with pytest.raises(FenceError, match="the BMC of cmp1"):
                    await call()
        assert anyio.current_time() - began < 4


async def test_what_a_bmc_repeats_of_the_password_is_not_passed_on() -> None:
    bmc = FakeBmc()
    echo = f"Basic YWRtaW46eHl6enktc2VjcmV0 of {SECRET}"
    bmc.on_read = Reply(status=500, body={"error": {"message": echo}})
    async with fence(bmc) as adapter:
        with pytest.raises(FenceError, match="HTTP 500") as found:
            await adapter.power_state()
    assert SECRET not in str(found.value)
    assert "eHl6enktc2VjcmV0" not in str(found.value)
