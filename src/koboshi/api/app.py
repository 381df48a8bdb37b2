"""The routes that read; those that change something stand in `words`."""

from collections.abc import Callable
from typing import Annotated

from anyio import to_thread
from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from pydantic import TypeAdapter

from koboshi import __version__
from koboshi.api.answers import answer_with
from koboshi.api.build import (
    Snapshot,
    comes_home_by_itself,
    health_view,
    incident_detail,
    incidents_of,
    snapshot_of,
    status_of,
)
from koboshi.api.explain import domains, explain
from koboshi.api.lookup import NoSuchIncident, find_incident
from koboshi.api.servers import NoSuchServer, server_detail
from koboshi.api.source import Health, StatusSource
from koboshi.api.timeline import read_all
from koboshi.api.views import (
    DomainView,
    ErrorView,
    HealthView,
    HostDetail,
    HostView,
    IncidentDetail,
    IncidentView,
    ServerDetail,
    StatusView,
)
from koboshi.api.words import add_words, known_host
from koboshi.domain.errors import JournalError

_STATUS, _HOSTS = TypeAdapter(StatusView), TypeAdapter(list[HostView])


def create_app(source: StatusSource, registry: CollectorRegistry) -> FastAPI:
    """Return the application for the Unix socket, where the peer's uid is known."""
    app = _bare()
    _add_health(app, source, registry, is_detailed=True)

    @app.get(
        "/v1/status",
        summary="The overview: hosts, open incidents, what to do next",
        response_model=StatusView,
    )
    async def status() -> Response:
        return await _json(lambda snapshot: _STATUS.dump_json(status_of(snapshot)), source)

    @app.get("/v1/incidents", summary="All incidents, newest first")
    async def incidents() -> list[IncidentView]:
        picture = source.look()
        return incidents_of(picture.state, picture)

    @app.get(
        "/v1/incidents/{incident}",
        summary="One incident: servers, timeline, way home",
        responses={404: {"model": ErrorView}, 503: {"model": ErrorView}},
    )
    async def incident(incident: str) -> IncidentDetail:
        recorded = await read_all(source.journal())
        picture = source.look()
        found = find_incident(picture.state, incident)
        read = picture.world.from_host.get(found.host)
        return incident_detail(
            found,
            picture.state,
            recorded,
            read.records if read else None,
            acts=comes_home_by_itself(picture.rules),
            picture=picture,
        )

    @app.get("/v1/hosts", summary="All hosts with their verdicts", response_model=list[HostView])
    async def hosts() -> Response:
        return await _json(lambda snapshot: _HOSTS.dump_json(status_of(snapshot).hosts), source)

    @app.get(
        "/v1/hosts/{host}",
        summary="One host explained: each witness, the rule, what would change it",
        responses={404: {"model": ErrorView}},
    )
    async def host(host: str) -> HostDetail:
        return explain(source, known_host(source, host))

    @app.get(
        "/v1/servers/{server}",
        summary="A server of an open incident: where it stands, and what rebuilding it would cost",
        responses={404: {"model": ErrorView}},
    )
    async def server(server: str) -> ServerDetail:
        return await to_thread.run_sync(server_detail, snapshot_of(source), server)

    @app.get("/v1/domains", summary="The declared domains with their hosts' verdicts")
    async def all_domains() -> list[DomainView]:
        return domains(source)

    add_words(app, source)

    for kind, code in ((NoSuchIncident, 404), (NoSuchServer, 404), (JournalError, 503)):
        app.add_exception_handler(kind, answer_with(code))

    # Registered by their decorators; named here so that nobody takes them for unused.
    _ = (status, incidents, incident, hosts, host, server, all_domains)
    return app


async def _json(write: Callable[[Snapshot], bytes], source: StatusSource) -> Response:
    """Answer with what is written in a thread: the deciding loop must not wait for ten thousand rows."""
    text = await to_thread.run_sync(write, snapshot_of(source))
    return Response(text, media_type="application/json")


def create_open_app(source: StatusSource, registry: CollectorRegistry) -> FastAPI:
    """Return the application for the loopback port: health and metrics, no names of anything.

    Everybody on the machine may ask there.
    """
    app = _bare()
    _add_health(app, source, registry, is_detailed=False)
    return app


def _bare() -> FastAPI:
    return FastAPI(
        title="Koboshi",
        version=__version__,
        summary="Instance high availability for OpenStack",
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
    )


def _add_health(
    app: FastAPI,
    source: StatusSource,
    registry: CollectorRegistry,
    *,
    is_detailed: bool,
) -> None:
    @app.get("/livez", summary="200 while the daemon's loop turns")
    async def livez() -> PlainTextResponse:
        alive = source.health().is_alive
        return PlainTextResponse(
            "ok\n" if alive else "the loop stands still\n",
            status_code=200 if alive else 503,
        )

    @app.get(
        "/readyz",
        summary="200 while the daemon does its work; ?verbose says what it looks at",
        response_model=None,
    )
    async def readyz(verbose: Annotated[str | None, Query()] = None) -> Response:
        health = source.health()
        status_code = 200 if health.is_ready else 503
        if verbose is None or verbose.lower() in {"false", "0", "no"}:
            return PlainTextResponse("ok\n" if health.is_ready else "not ready\n", status_code)
        view = _shown(health, is_detailed=is_detailed)
        return JSONResponse(view.model_dump(mode="json"), status_code)

    @app.get("/metrics", summary="For Prometheus")
    async def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), media_type=content_type)

    _ = (livez, readyz, metrics)


def _shown(health: Health, *, is_detailed: bool) -> HealthView:
    view = health_view(health)
    if is_detailed:
        return view
    checks = [check.model_copy(update={"detail": ""}) for check in view.checks]
    return view.model_copy(update={"checks": checks, "acting_reason": ""})
