"""The line's trouble as a client of HTTP meets it: 500s, broken and refused connections, silence."""

import anyio
import httpx2
import pytest

from koboshi.domain.names import HostName
from koboshi.sim.line import Fails
from koboshi.sim.samples import server
from tests.unit.sim.http.asking import NOVA, Asker, asked

pytestmark = pytest.mark.anyio
BODY = {"evacuate": {"host": "h2"}}


async def dead(a: Asker) -> None:
    """Let h1 be dead, and held down in Nova."""
    a.world.physics.cut_power(HostName("h1"))
    a.cloud.edit("nova-compute@h1", forced_down=True, enabled=False)


def records(a: Asker) -> list[str]:
    return [r.status for r in a.cloud.records]


async def test_a_read_that_fails_is_novas_own_500() -> None:
    async with asked() as a:
        a.cloud.line.fail("services", times=1)
        answer = await a.ask("GET", f"{NOVA}/os-services", "compute 2.69")
        assert answer.status_code == 500
        assert answer.json()["computeFault"]["message"].startswith("Unexpected API Error.")
        assert answer.headers["openstack-api-version"] == "compute 2.69"
        assert (await a.ask("GET", f"{NOVA}/os-services")).status_code == 200


async def test_a_command_without_an_answer_has_no_effect_and_is_a_500() -> None:
    async with asked([server("a")]) as a:
        await dead(a)
        a.cloud.line.fail("evacuate", Fails.NO_ANSWER)
        answer = await a.act("a", BODY, "2.68")
        assert (answer.status_code, records(a)) == (500, [])


async def test_a_lost_answer_breaks_the_connection_after_the_effect() -> None:
    async with asked([server("a")]) as a:
        await dead(a)
        a.cloud.line.fail("evacuate", Fails.ANSWER_LOST)
        with pytest.raises(httpx2.ReadError):
            await a.act("a", BODY, "2.68")
        assert len(records(a)) == 1


async def test_what_was_never_sent_is_a_refused_connection() -> None:
    async with asked([server("a")]) as a:
        await dead(a)
        a.cloud.line.fail("evacuate", Fails.NEVER_SENT)
        with pytest.raises(httpx2.ConnectError):
            await a.act("a", BODY, "2.68")
        assert records(a) == []


async def test_a_late_effect_comes_when_its_sender_has_given_up() -> None:
    async with asked([server("a")]) as a:
        await dead(a)
        a.cloud.line.fail("evacuate", Fails.LATE, late_s=60)
        with anyio.move_on_after(30) as waiting:
            await a.act("a", BODY, "2.68")
        assert waiting.cancelled_caught
        assert records(a) == []
        await anyio.sleep(35)
        assert len(records(a)) == 1


async def test_a_refusal_of_the_line_has_its_status() -> None:
    async with asked([server("a")]) as a:
        await dead(a)
        a.cloud.line.fail("evacuate", Fails.REFUSED, status=409)
        answer = await a.act("a", BODY, "2.68")
        assert answer.status_code == 409
        assert "conflictingRequest" in answer.json()


async def test_slow_answers_are_slow() -> None:
    async with asked() as a:
        a.cloud.line.slow_answers("services", 7.0, lambda: True)
        began = anyio.current_time()
        await a.ask("GET", f"{NOVA}/os-services", "compute 2.69")
        assert anyio.current_time() - began >= 7


async def test_what_was_sent_goes_on_its_way_when_its_sender_is_gone() -> None:
    async with asked([server("a")]) as a:
        await dead(a)
        a.cloud.line.latency_s = 1.0
        with anyio.move_on_after(0.5):
            await a.act("a", BODY, "2.68")
        assert records(a) == []
        await anyio.sleep(1)
        assert len(records(a)) == 1


async def test_others_commands_are_no_evidence_of_what_koboshi_did() -> None:
    async with asked([server("a")]) as a:
        await dead(a)
        assert (await a.act("a", BODY, "2.68")).status_code == 200
        assert a.cloud.line.sent == []


async def test_a_cell_that_does_not_answer_is_named_and_its_servers_are_hardly_there() -> None:
    async with asked([server("a"), server("b", "h2")]) as a:
        a.cloud.cell_works = False
        rows = (await a.nova("/os-services", "2.69"))["services"]
        assert {"binary": "nova-compute", "host": "h1", "status": "UNKNOWN"} in rows
        older = (await a.nova("/os-services", "2.68"))["services"]
        assert {r["binary"] for r in older} == {"nova-conductor", "nova-scheduler"}
        listed = (await a.nova("/servers/detail", all_tenants="1"))["servers"]
        assert {s["status"] for s in listed} == {"UNKNOWN"}
        paged = (await a.nova("/servers/detail", all_tenants="1", limit="500"))["servers"]
        assert paged == []
        shown = (await a.nova("/servers/a"))["server"]
        assert (shown["status"], shown["OS-EXT-STS:power_state"]) == ("UNKNOWN", 0)
        assert "OS-EXT-STS:vm_state" not in shown
        assert (await a.ask("GET", f"{NOVA}/servers/a/diagnostics")).status_code == 500
        assert (await a.act("a", BODY, "2.68")).status_code == 500
        assert (await a.ask("GET", f"{NOVA}/os-hypervisors")).status_code == 500
