"""Each BMC as Redfish has it, with every way in which BMCs fail."""

import anyio
import httpx2
import pytest

from koboshi.domain.names import HostName
from koboshi.sim.bmc import Bmc
from koboshi.sim.http import BMC_USER, PASSWORD
from tests.unit.sim.http.asking import Asker, asked

pytestmark = pytest.mark.anyio
SYSTEM = "/redfish/v1/Systems/h1"
RESET = f"{SYSTEM}/Actions/ComputerSystem.Reset"
H1 = HostName("h1")


async def power(a: Asker) -> str:
    answer = await a.client.get(SYSTEM, auth=(BMC_USER, PASSWORD))
    assert answer.status_code == 200, answer.text
    return str(answer.json()["PowerState"])


async def reset(a: Asker, kind: str) -> httpx2.Response:
    return await a.client.post(RESET, auth=(BMC_USER, PASSWORD), json={"ResetType": kind})


async def test_the_root_and_the_systems() -> None:
    async with asked() as a:
        root = (await a.client.get("/redfish/v1/")).json()
        systems = (
            await a.client.get(root["Systems"]["@odata.id"], auth=(BMC_USER, PASSWORD))
        ).json()
    assert [m["@odata.id"] for m in systems["Members"]] == [
        f"/redfish/v1/Systems/h{n}" for n in (1, 2, 3)
    ]


@pytest.mark.parametrize("auth", [("", ""), (BMC_USER, "wrong"), ("root", PASSWORD)])
async def test_without_the_right_password_nothing_is_told(auth: tuple[str, str]) -> None:
    async with asked() as a:
        for path in (SYSTEM, "/redfish/v1/Systems"):
            assert (await a.client.get(path, auth=auth)).status_code == 401
            assert (await a.client.get(path)).status_code == 401
        assert (await a.client.post(RESET, auth=auth, json={})).status_code == 401


async def test_a_host_is_switched_off_and_on() -> None:
    async with asked() as a:
        assert await power(a) == "On"
        assert (await reset(a, "ForceOff")).status_code == 204
        assert await power(a) == "Off"
        assert not a.world.physics.hosts[H1].power
        assert (await reset(a, "ForceOff")).status_code == 409
        assert (await reset(a, "On")).status_code == 204
        await anyio.sleep(60)
        assert await power(a) == "On"
        assert a.world.physics.hosts[H1].works


async def test_a_reset_type_of_no_meaning_is_refused() -> None:
    async with asked() as a:
        answer = await reset(a, "Nmi")
        assert answer.status_code == 400
        assert answer.json()["error"]["code"] == "Base.1.0.GeneralError"


@pytest.mark.parametrize("mode", [Bmc.GONE, Bmc.HANG])
async def test_one_that_is_silent_never_answers(mode: Bmc) -> None:
    async with asked() as a:
        a.world.fences[H1].mode = mode
        with anyio.move_on_after(3600) as waiting:
            await power(a)
        assert waiting.cancelled_caught
        with anyio.move_on_after(3600) as waiting:
            await reset(a, "ForceOff")
        assert waiting.cancelled_caught
        assert a.world.physics.hosts[H1].power


async def test_one_that_refuses_says_so_and_still_reads() -> None:
    async with asked() as a:
        a.world.fences[H1].mode = Bmc.REFUSE
        assert (await reset(a, "ForceOff")).status_code == 403
        assert await power(a) == "On"


async def test_one_that_only_accepts_switches_nothing() -> None:
    async with asked() as a:
        a.world.fences[H1].mode = Bmc.ACCEPT_ONLY
        assert (await reset(a, "ForceOff")).status_code == 204
        assert await power(a) == "On"


async def test_one_that_lies_reads_off_while_the_host_runs() -> None:
    async with asked() as a:
        a.world.fences[H1].mode = Bmc.LIE_OFF
        assert await power(a) == "Off"
        assert a.world.physics.hosts[H1].power


async def test_a_system_that_is_not_there() -> None:
    async with asked() as a:
        path = "/redfish/v1/Systems/h9"
        assert (await a.client.get(path, auth=(BMC_USER, PASSWORD))).status_code == 404
