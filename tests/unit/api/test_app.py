"""The routes, asked through ASGI."""

from collections.abc import AsyncIterator

import httpx2
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry, Gauge

from koboshi.api.app import create_app, create_open_app
from koboshi.api.views import IncidentDetail, StatusView
from koboshi.domain.errors import JournalError
from koboshi.ports.journal import JournalReader, Recorded

from .story import DB, INCIDENT, StorySource

pytestmark = pytest.mark.anyio


class BrokenJournal:
    """Implements `koboshi.ports.journal.JournalReader` without one."""

    async def read(self, *, after: int = 0, limit: int = 10_000) -> tuple[Recorded, ...]:
        raise JournalError(f"events {after} to {after + limit}: the disk is gone")


class WithoutJournal(StorySource):
    """A daemon that has lost its disk."""

    def journal(self) -> JournalReader:
        return BrokenJournal()


def registry() -> CollectorRegistry:
    made = CollectorRegistry()
    Gauge("koboshi_acting", "Whether it acts.", registry=made).set(1)
    return made


def client_of(app: FastAPI) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url="http://koboshi")


@pytest.fixture
async def local() -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(create_app(StorySource(), registry())) as client:
        yield client


@pytest.fixture
async def everybody() -> AsyncIterator[httpx2.AsyncClient]:
    async with client_of(create_open_app(StorySource(), registry())) as client:
        yield client


async def test_status(local: httpx2.AsyncClient) -> None:
    answer = await local.get("/v1/status")
    assert answer.status_code == 200
    assert StatusView.model_validate_json(answer.content).incidents[0].id == INCIDENT


async def test_incidents_newest_first(local: httpx2.AsyncClient) -> None:
    assert [one["id"] for one in (await local.get("/v1/incidents")).json()] == [INCIDENT]


async def test_an_incident_by_the_beginning_of_its_id(local: httpx2.AsyncClient) -> None:
    detail = IncidentDetail.model_validate_json((await local.get("/v1/incidents/cmp1")).content)
    assert detail.incident.id == INCIDENT
    assert detail.timeline[-1].what.startswith("settled")
    assert detail.way_home


async def test_no_such_incident(local: httpx2.AsyncClient) -> None:
    answer = await local.get("/v1/incidents/cmp9")
    assert answer.status_code == 404
    assert "the newest are" in answer.json()["error"]


async def test_a_broken_journal_is_told() -> None:
    async with client_of(create_app(WithoutJournal(), registry())) as client:
        answer = await client.get("/v1/incidents/last")
    assert (answer.status_code, answer.json()) == (
        503,
        {"error": "events 0 to 10000: the disk is gone", "cure": "", "is_refusal": False},
    )


@pytest.mark.parametrize(
    ("is_alive", "is_ready", "livez", "readyz"),
    [(True, True, 200, 200), (True, False, 200, 503), (False, True, 503, 503)],
)
async def test_health(*, is_alive: bool, is_ready: bool, livez: int, readyz: int) -> None:
    source = StorySource(is_alive=is_alive, is_ready=is_ready)
    for make in (create_app, create_open_app):
        async with client_of(make(source, registry())) as client:
            assert (await client.get("/livez")).status_code == livez
            assert (await client.get("/readyz")).status_code == readyz
            verbose = await client.get("/readyz?verbose")
            assert verbose.status_code == readyz
            assert verbose.json()["checks"][0]["name"] == "nova"


async def test_metrics(local: httpx2.AsyncClient) -> None:
    answer = await local.get("/metrics")
    assert "koboshi_acting 1.0" in answer.text
    assert answer.headers["content-type"].startswith("text/plain")
    newer = await local.get("/metrics", headers={"Accept": "application/openmetrics-text"})
    assert newer.text.endswith("# EOF\n")


async def test_the_open_port_names_no_host_and_no_server(everybody: httpx2.AsyncClient) -> None:
    for path in ("/v1/status", "/v1/incidents", f"/v1/incidents/{INCIDENT}", "/docs", "/redoc"):
        assert (await everybody.get(path)).status_code == 404
    for path in ("/livez", "/readyz", "/readyz?verbose", "/metrics", "/openapi.json"):
        text = (await everybody.get(path)).text
        assert "cmp" not in text
        assert DB not in text


async def test_nothing_can_be_changed_by_nobody(local: httpx2.AsyncClient) -> None:
    for path, methods in (await local.get("/openapi.json")).json()["paths"].items():
        for method in ("POST", "PUT", "PATCH", "DELETE"):
            answer = await local.request(method, path.replace("{incident}", "last"))
            assert answer.status_code == (403 if method.lower() in methods else 405)
