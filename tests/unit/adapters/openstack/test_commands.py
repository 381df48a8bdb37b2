"""A command is sent once, and ends as done, certainly without effect, or unknown."""

import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from koboshi.adapters.openstack import OpenStackCloud, TimeLimits
from koboshi.domain.errors import CommandRefused, OutcomeUnknown
from koboshi.domain.names import HostName, ServerId, ServiceId
from tests.unit.adapters.loopback import Behaviour, Reply
from tests.unit.adapters.openstack.fake_cloud import SimCloud, connected

pytestmark = pytest.mark.anyio

NOVA = "/compute/v2.1"
ACTION = f"{NOVA}/servers/a/action"
SERVICE = f"{NOVA}/os-services/s1"
ISOLATED = {"service": {"id": "s1", "status": "disabled", "forced_down": True}}


async def test_evacuate_names_its_destination_at_2_68(tmp_path: Path) -> None:
    fake = SimCloud()
    fake.on("POST", ACTION, Reply())
    async with connected(fake, tmp_path) as cloud:
        await cloud.evacuate(ServerId("a"), HostName("cmp2"))
    (seen,) = fake.server.asked("POST", ACTION)
    assert seen.json == {"evacuate": {"host": "cmp2"}}
    assert seen.headers["openstack-api-version"] == "compute 2.68"


async def test_on_shared_storage_nobody_is_named_and_who_does_not_see_the_disk_refuses(
    tmp_path: Path,
) -> None:
    fake = SimCloud()
    fake.on("POST", ACTION, Reply(body={"adminPass": "x"}))
    async with connected(fake, tmp_path) as cloud:
        await cloud.evacuate_on_shared_storage(ServerId("a"))
    (seen,) = fake.server.asked("POST", ACTION)
    assert seen.json == {"evacuate": {"onSharedStorage": True}}
    assert seen.headers["openstack-api-version"] == "compute 2.13"


async def test_isolate_is_one_put(tmp_path: Path) -> None:
    fake = SimCloud()
    fake.on("PUT", SERVICE, Reply(body=ISOLATED))
    async with connected(fake, tmp_path) as cloud:
        await cloud.isolate(ServiceId("s1"), "koboshi:x:1")
    (seen,) = fake.server.asked("PUT", SERVICE)
    assert seen.json == {
        "status": "disabled",
        "disabled_reason": "koboshi:x:1",
        "forced_down": True,
    }
    assert seen.headers["openstack-api-version"] == "compute 2.53"


@pytest.mark.parametrize(
    ("reason", "body"),
    [
        ("memory errors", {"status": "disabled", "disabled_reason": "memory errors"}),
        ("", {"status": "disabled"}),
    ],
)
async def test_a_disable_has_the_reason_that_its_operator_gave_or_none(
    tmp_path: Path, reason: str, body: dict[str, str]
) -> None:
    fake = SimCloud()
    fake.on("PUT", SERVICE, Reply(body=ISOLATED))
    async with connected(fake, tmp_path) as cloud:
        await cloud.disable(ServiceId("s1"), reason)
    (seen,) = fake.server.asked("PUT", SERVICE)
    assert seen.json == body


@pytest.mark.parametrize(
    ("act", "body"),
    [
        (OpenStackCloud.stop, {"os-stop": None}),
        (OpenStackCloud.start, {"os-start": None}),
        (OpenStackCloud.reboot_hard, {"reboot": {"type": "HARD"}}),
    ],
)
async def test_what_is_done_to_a_server_is_an_action_of_it(
    tmp_path: Path,
    act: Callable[[OpenStackCloud, ServerId], Awaitable[None]],
    body: dict[str, object],
) -> None:
    fake = SimCloud()
    fake.on("POST", ACTION, Reply(status=202))
    async with connected(fake, tmp_path) as cloud:
        await act(cloud, ServerId("a"))
    (seen,) = fake.server.asked("POST", ACTION)
    assert seen.json == body


@pytest.mark.parametrize("marker", ["", "x" * 256, "AUTO: Connection to libvirt lost"])
async def test_a_marker_that_nova_would_refuse_or_lift_is_never_sent(
    tmp_path: Path, marker: str
) -> None:
    fake = SimCloud()
    async with connected(fake, tmp_path) as cloud:
        with pytest.raises(CommandRefused, match="never sent"):
            await cloud.isolate(ServiceId("s1"), marker)
    assert fake.server.seen == []


@pytest.mark.parametrize("status", [400, 403, 404, 409, 413, 429])
async def test_a_4xx_is_a_refusal_with_novas_words(tmp_path: Path, status: int) -> None:
    fake = SimCloud()
    fake.on("POST", ACTION, Reply(status=status, body={"x": {"message": "because", "code": 1}}))
    async with connected(fake, tmp_path) as cloud:
        with pytest.raises(CommandRefused, match="because") as refusal:
            await cloud.evacuate(ServerId("a"), HostName("cmp2"))
    assert refusal.value.status == status
    assert len(fake.server.asked("POST", ACTION)) == 1


@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=500, body={"computeFault": {"message": "db"}}),
        Reply(status=502, body=b"<html>bad gateway</html>"),
        Reply(status=504),
        Reply(status=408),
        Reply(status=302, headers={"Location": "http://127.0.0.1:1/"}),
        Reply(status=200, body=b"<html>welcome</html>", headers={"Content-Type": "text/html"}),
        Reply(status=200, body=b"x" * 100, cut=10),
        "drop",
        "hang",
    ],
)
async def test_everything_else_is_unknown_and_sent_once(tmp_path: Path, reply: Behaviour) -> None:
    fake = SimCloud()
    fake.on("POST", ACTION, reply)
    async with connected(fake, tmp_path) as cloud:
        with pytest.raises(OutcomeUnknown, match="POST /servers/a/action"):
            await cloud.evacuate(ServerId("a"), HostName("cmp2"))
        assert cloud.health.failures == (
            0 if isinstance(reply, Reply) and reply.status < 500 and not reply.cut else 1
        )
    assert len(fake.server.asked("POST", ACTION)) == 1


async def test_an_isolation_without_its_answer_is_unknown(tmp_path: Path) -> None:
    fake = SimCloud()
    fake.on("PUT", SERVICE, Reply(body=b""))
    async with connected(fake, tmp_path) as cloud:
        with pytest.raises(OutcomeUnknown):
            await cloud.isolate(ServiceId("s1"), "koboshi:x:1")
        body = json.loads(json.dumps(ISOLATED))
        body["service"]["forced_down"] = False
        fake.on("PUT", SERVICE, Reply(body=body))
        with pytest.raises(OutcomeUnknown):
            await cloud.isolate(ServiceId("s1"), "koboshi:x:1")


async def test_a_closed_door_is_certainly_no_effect(tmp_path: Path) -> None:
    fake = SimCloud()
    async with connected(fake, tmp_path) as cloud:
        await cloud.verify()
        await fake.server.__aexit__()
        with pytest.raises(CommandRefused, match="never sent") as refusal:
            await cloud.evacuate(ServerId("a"), HostName("cmp2"))
        assert refusal.value.status is None
        await fake.server.__aenter__()


async def test_an_expired_token_is_renewed_once(tmp_path: Path) -> None:
    fake = SimCloud()
    fake.on("POST", ACTION, Reply())
    async with connected(fake, tmp_path) as cloud:
        await cloud.verify()
        fake.good_tokens.clear()
        await cloud.evacuate(ServerId("a"), HostName("cmp2"))
    first, second = fake.server.asked("POST", ACTION)
    assert (first.headers["x-auth-token"], second.headers["x-auth-token"]) == ("token-1", "token-2")


async def test_a_token_that_never_counts_is_a_refusal(tmp_path: Path) -> None:
    fake = SimCloud()
    fake.on("POST", ACTION, Reply(status=401))
    async with connected(fake, tmp_path) as cloud:
        with pytest.raises(CommandRefused) as refusal:
            await cloud.evacuate(ServerId("a"), HostName("cmp2"))
    assert refusal.value.status == 401
    assert len(fake.server.asked("POST", ACTION)) == 2


async def test_without_a_token_nothing_is_sent(tmp_path: Path) -> None:
    fake = SimCloud()
    fake.keystone = lambda _: "hang"
    async with connected(fake, tmp_path, limits=TimeLimits(identity_s=0.3)) as cloud:
        with pytest.raises(CommandRefused, match="never sent: Keystone") as refusal:
            await cloud.evacuate(ServerId("a"), HostName("cmp2"))
    assert refusal.value.status is None
    assert fake.server.asked("POST", ACTION) == []


async def test_ids_cannot_leave_their_place_in_the_path(tmp_path: Path) -> None:
    fake = SimCloud()
    async with connected(fake, tmp_path) as cloud:
        with pytest.raises(CommandRefused):
            await cloud.stop(ServerId("../os-services"))
    assert fake.server.seen[-1].path == f"{NOVA}/servers/..%2Fos-services/action"
