"""Keystone: who gets a token, what is in it, and how the others are refused."""

from datetime import timedelta

import anyio
import pytest

from koboshi.sim.http import ADMIN, READER
from koboshi.sim.http.users import id_of
from koboshi.sim.line import Fails
from tests.unit.sim.http.asking import NOVA, asked, password

pytestmark = pytest.mark.anyio
TOKENS = "/identity/v3/auth/tokens"


async def test_a_password_gives_a_token_with_roles_and_a_catalog_that_leads_back() -> None:
    async with asked() as a:
        answer = await a.log_in()
        token = answer.json()["token"]
    assert answer.status_code == 201
    assert [r["name"] for r in token["roles"]] == ["admin", "member", "reader"]
    assert token["project"]["name"] == "admin"
    urls = {s["type"]: s["endpoints"][0]["url"] for s in token["catalog"]}
    assert urls["compute"] == "http://cloud.test/compute/v2.1"
    assert set(urls) == {"identity", "compute", "placement", "image", "network", "volumev3"}


async def test_a_wrong_password_is_a_401_in_keystones_words() -> None:
    async with asked() as a:
        answer = await a.client.post(TOKENS, json=password(ADMIN, "wrong"))
    assert answer.status_code == 401
    assert answer.json()["error"] == {
        "code": 401,
        "message": "The request you have made requires authentication.",
        "title": "Unauthorized",
    }


async def test_an_application_credential_gives_one_too() -> None:
    async with asked() as a:
        credential = {"id": id_of("application_credential", "admin"), "secret": ADMIN.password}
        identity = {"methods": ["application_credential"], "application_credential": credential}
        answer = await a.client.post(TOKENS, json={"auth": {"identity": identity}})
    assert answer.status_code == 201
    assert answer.json()["token"]["methods"] == ["application_credential"]


@pytest.mark.parametrize("body", [{}, {"auth": {}}, {"auth": {"identity": {"methods": []}}}])
async def test_nonsense_is_a_400(body: object) -> None:
    async with asked() as a:
        answer = await a.client.post(TOKENS, json=body)
    assert answer.status_code == 400


async def test_a_token_ends_after_an_hour_and_may_be_revoked() -> None:
    async with asked() as a:
        assert (await a.ask("GET", f"{NOVA}/servers")).status_code == 200
        await anyio.sleep(timedelta(hours=1).total_seconds())
        answer = await a.ask("GET", f"{NOVA}/servers")
        assert answer.status_code == 401
        assert "Keystone uri" in answer.headers["WWW-Authenticate"]
        await a.log_in()
        assert (await a.ask("GET", f"{NOVA}/servers")).status_code == 200
        a.face.keystone.revoke_all()
        assert (await a.ask("GET", f"{NOVA}/servers")).status_code == 401


async def test_a_token_shows_another_and_ends_it() -> None:
    async with asked() as a:
        other = (await a.client.post(TOKENS, json=password(READER))).headers["x-subject-token"]
        headers = {"X-Auth-Token": a.token, "X-Subject-Token": other}
        shown = await a.client.get(TOKENS, headers=headers)
        assert shown.json()["token"]["user"]["name"] == "reader"
        assert (await a.client.delete(TOKENS, headers=headers)).status_code == 204
        assert (await a.client.get(TOKENS, headers=headers)).status_code == 404


async def test_who_may_only_read_is_refused_what_takes_an_administrator() -> None:
    async with asked(user=READER) as a:
        answer = await a.ask("GET", f"{NOVA}/os-services", "compute 2.69")
    assert answer.status_code == 403
    assert answer.json()["forbidden"]["message"] == (
        "Policy doesn't allow os_compute_api:os-services:list to be performed."
    )


async def test_keystone_fails_with_everything_else() -> None:
    async with asked() as a:
        a.cloud.line.fail("*", Fails.NO_ANSWER, for_s=5)
        assert (await a.log_in()).status_code == 500
        await anyio.sleep(6)
        assert (await a.log_in()).status_code == 201
