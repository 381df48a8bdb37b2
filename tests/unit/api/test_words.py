"""What changes something: who may say it, who is recorded, how it is refused."""

import os
import socket

import httpx2
import pytest
from prometheus_client import CollectorRegistry
from starlette.types import Receive, Scope, Send

from koboshi.api.app import create_app, create_open_app
from koboshi.api.caller import Caller, caller_of
from koboshi.domain.word import ConfirmDead, RebuildServer

from .story import DB, HOST, INCIDENT, WEB, StorySource

pytestmark = pytest.mark.anyio
WHO = Caller(pid=7, uid=0, login_uid=None)


async def post(
    source: StorySource, path: str, body: object, who: Caller | None = WHO
) -> httpx2.Response:
    """Send a request as the socket's server hands it on, with its caller or without one."""
    app = create_app(source, CollectorRegistry())

    async def with_caller(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "state": {"caller": who} if who else {}}, receive, send)

    transport = httpx2.ASGITransport(app=with_caller)
    async with httpx2.AsyncClient(transport=transport, base_url="http://x") as client:
        return await client.post(path, json=body)


async def test_a_word_is_taken_with_its_caller() -> None:
    source = StorySource()
    asked = {"confirm": "cmp1", "note": "I looked"}
    answer = await post(source, "/v1/hosts/cmp1/confirm-dead", asked)
    assert answer.status_code == 200
    assert answer.json()["incident"] == INCIDENT
    assert source.heard == [(ConfirmDead(host=HOST, note="I looked"), "uid 0 (root), pid 7")]


@pytest.mark.parametrize(
    ("path", "body", "who", "status"),
    [
        ("/v1/hosts/cmp2/confirm-dead", {"confirm": "cmp2"}, WHO, 409),
        ("/v1/hosts/cmp1/confirm-dead", {"confirm": "cmp1"}, None, 403),
        ("/v1/hosts/cmp9/confirm-dead", {"confirm": "cmp9"}, WHO, 404),
        ("/v1/hosts/cmp1/confirm-dead", {"confirm": "cmp2"}, WHO, 400),
        ("/v1/hosts/cmp1/confirm-dead", {"confirm": "cmp1", "force": True}, WHO, 422),
        ("/v1/hosts/cmp1/confirm-dead", {}, WHO, 422),
    ],
)
async def test_a_word_that_is_not_taken(
    path: str, body: object, who: Caller | None, status: int
) -> None:
    answer = await post(StorySource(), path, body, who)
    assert answer.status_code == status
    assert answer.json()["error"]
    assert answer.json()["is_refusal"] is (status == 409)


async def test_an_order_to_rebuild_is_taken_with_its_caller() -> None:
    source = StorySource()
    asked = {"confirm": DB, "note": "burnt"}
    answer = await post(source, f"/v1/servers/{DB}/rebuild", asked)
    assert answer.status_code == 200, answer.text
    assert source.heard == [(RebuildServer(server=DB, note="burnt"), "uid 0 (root), pid 7")]
    assert "uid 0 (root), pid 7 ordered it to be rebuilt: burnt" in answer.json()["said"][0]


@pytest.mark.parametrize(
    ("server", "body", "who", "status"),
    [
        (WEB, {"confirm": WEB}, WHO, 409),
        ("nobody", {"confirm": "nobody"}, WHO, 409),
        (DB, {"confirm": DB}, None, 403),
        (DB, {"confirm": WEB}, WHO, 400),
        (DB, {}, WHO, 422),
    ],
)
async def test_an_order_to_rebuild_that_is_not_taken(
    server: str, body: object, who: Caller | None, status: int
) -> None:
    answer = await post(StorySource(), f"/v1/servers/{server}/rebuild", body, who)
    assert answer.status_code == status
    assert answer.json()["is_refusal"] is (status == 409)


async def test_the_loopback_port_has_no_such_routes() -> None:
    app = create_open_app(StorySource(), CollectorRegistry())
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://x") as client:
        answer = await client.post("/v1/hosts/cmp1/confirm-dead", json={"confirm": "cmp1"})
    assert answer.status_code == 404


def test_the_kernel_says_who_calls() -> None:
    one, other = socket.socketpair(socket.AF_UNIX)
    with one, other:
        found = caller_of(one)
    assert (found.pid, found.uid) == (os.getpid(), os.geteuid())


def test_who_used_sudo_is_told() -> None:
    text = str(Caller(pid=7, uid=0, login_uid=4_000_000_000))
    assert text == "uid 0 (root), logged in as uid 4000000000, pid 7"
