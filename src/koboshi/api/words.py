"""The routes that change something: each asks who is there, and records it.

They exist on the Unix socket only. The kernel names the caller; who is neither root nor the
daemon's own user was disconnected before a byte was read.
"""

from datetime import timedelta
from difflib import get_close_matches
from typing import cast

from fastapi import APIRouter, Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse

from koboshi.api.answers import answer_with
from koboshi.api.asked import (
    ArmAsked,
    ConfirmDeadAsked,
    ConfirmDomainAsked,
    DisarmAsked,
    RebuildAsked,
    ReleaseAsked,
    TestFenceAsked,
)
from koboshi.api.caller import Caller
from koboshi.api.source import StatusSource
from koboshi.api.views import AnswerView, ErrorView
from koboshi.domain.decision import Decision, Refused
from koboshi.domain.errors import KoboshiError
from koboshi.domain.memory import events as ev
from koboshi.domain.memory.holds import HoldEvent, words_for
from koboshi.domain.names import DomainName, HostName, ServerId
from koboshi.domain.recoveries.recovery import RECOVERY_MEANING
from koboshi.domain.word import (
    Arm,
    ConfirmDead,
    ConfirmDomain,
    Disarm,
    RebuildServer,
    ReleaseHost,
    TestFence,
    Word,
)

REFUSED = 409


class NoCaller(KoboshiError):
    """Nobody vouches for whoever sent this: the connection is no Unix socket of ours."""


class NoSuchHost(KoboshiError):
    """Nova lists no such host."""


class NotMeant(KoboshiError):
    """The request contradicts itself."""


class WordRefused(KoboshiError):
    """A safety rule refused a word."""

    def __init__(self, refused: Refused) -> None:
        super().__init__(refused.reason)
        self.refused = refused


_ERRORS: dict[int | str, dict[str, object]] = {
    code: {"model": ErrorView} for code in (400, 403, 404, REFUSED, 503)
}


def add_words(app: FastAPI, source: StatusSource) -> None:
    """Add the routes for what a person may say."""
    routes = APIRouter(dependencies=[Depends(caller)])  # before a body is even understood

    async def hear(request: Request, word: Word) -> AnswerView:
        by = str(caller(request))
        answered = await source.hear(word, by)
        if isinstance(answered, Refused):
            raise WordRefused(answered)
        return _view(answered, by)

    @routes.post(
        "/v1/hosts/{host}/confirm-dead",
        summary="A person's word that a host is dead: proof for its open incident",
        responses=_ERRORS,
    )
    async def confirm_dead(host: str, asked: ConfirmDeadAsked, request: Request) -> AnswerView:
        _assert_meant(asked.confirm, host)
        return await hear(request, ConfirmDead(host=known_host(source, host), note=asked.note))

    @routes.post(
        "/v1/hosts/{host}/test-fence",
        summary="Switch an empty, disabled host off and on, to see that it can be done",
        responses=_ERRORS,
    )
    async def test_fence(host: str, asked: TestFenceAsked, request: Request) -> AnswerView:
        _assert_meant(asked.confirm, host)
        return await hear(request, TestFence(host=known_host(source, host)))

    @routes.post(
        "/v1/hosts/{host}/release",
        summary="Let a quarantined host serve again, though it failed again and again",
        responses=_ERRORS,
    )
    async def release(host: str, asked: ReleaseAsked, request: Request) -> AnswerView:
        del asked
        return await hear(request, ReleaseHost(host=known_host(source, host)))

    @routes.post(
        "/v1/domains/{domain}/confirm",
        summary="A person's word that the silent hosts of a domain are dead",
        responses=_ERRORS,
    )
    async def confirm_domain(
        domain: str, asked: ConfirmDomainAsked, request: Request
    ) -> AnswerView:
        _assert_meant(asked.confirm, domain)
        return await hear(request, ConfirmDomain(domain=_known_domain(source, domain)))

    @routes.post(
        "/v1/servers/{server}/rebuild",
        summary="Give up a held server's local disks: it is made again on another host",
        responses=_ERRORS,
    )
    async def rebuild(server: str, asked: RebuildAsked, request: Request) -> AnswerView:
        _assert_meant(asked.confirm, server)
        return await hear(request, RebuildServer(server=ServerId(server), note=asked.note))

    @routes.post("/v1/arm", summary="Act from now on", responses=_ERRORS)
    async def arm(asked: ArmAsked, request: Request) -> AnswerView:
        return await hear(request, Arm(keep=asked.keep))

    @routes.post("/v1/disarm", summary="Begin nothing new for a while", responses=_ERRORS)
    async def disarm(asked: DisarmAsked, request: Request) -> AnswerView:
        until = source.now().later(timedelta(seconds=asked.for_s)) if asked.for_s else None
        return await hear(request, Disarm(until=until, reason=asked.reason))

    app.include_router(routes)
    _ = (confirm_dead, test_fence, release, confirm_domain, rebuild, arm, disarm)
    _add_refusals(app)


def _add_refusals(app: FastAPI) -> None:
    """Say how each word that is not taken is answered."""

    @app.exception_handler(WordRefused)
    async def refused(_: Request, error: WordRefused) -> JSONResponse:
        view = ErrorView(error=error.refused.reason, cure=error.refused.cure, is_refusal=True)
        return JSONResponse(view.model_dump(), status_code=REFUSED)

    @app.exception_handler(RequestValidationError)
    async def not_understood(_: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        view = ErrorView(error=f"the request is not understood: {where}: {first['msg']}")
        return JSONResponse(view.model_dump(), status_code=422)

    for kind, status in ((NoCaller, 403), (NoSuchHost, 404), (NotMeant, 400)):
        app.add_exception_handler(kind, answer_with(status))

    _ = (refused, not_understood)


def caller(request: Request) -> Caller:
    """Return who sent the request; raises NoCaller where nobody vouches for them."""
    found = cast("object", getattr(request.state, "caller", None))
    if not isinstance(found, Caller):
        raise NoCaller("only root and the daemon's own user may change anything, over its socket")
    return found


def _assert_meant(confirm: str, name: str) -> None:
    if confirm != name:
        raise NotMeant(f"confirm names {confirm!r}, the request is about {name!r}")


def _known_domain(source: StatusSource, domain: str) -> DomainName:
    known = source.world().domains
    if domain in known:
        return DomainName(domain)
    raise NoSuchHost(
        f"no domain {domain!r} is declared; there are: {', '.join(sorted(known)) or 'none'}"
    )


def known_host(source: StatusSource, host: str) -> HostName:
    """Return the host of that name; raises NoSuchHost with the nearest one."""
    services = source.world().services
    if host in services:
        return HostName(host)
    close = get_close_matches(host, services, n=1)
    meant = f"; did you mean {close[0]}?" if close else ""
    raise NoSuchHost(f"Nova lists no host {host!r}{meant}")


def _view(decision: Decision, by: str) -> AnswerView:
    incident = next((i for e in decision.events if (i := getattr(e, "incident", None))), None)
    begun = [f"{c.type.replace('_', ' ')} has begun" for c in decision.commands]
    said = [*(_sentence(e) for e in decision.events), *begun]
    return AnswerView(by=by, said=said, incident=incident)


def _sentence(event: ev.Event) -> str:
    match event:
        case ev.IncidentOpened():
            return f"incident {event.incident} opened: {'; '.join(event.evidence)}"
        case ev.WordGiven():
            stays = f"; {event.host} stays disabled when it comes home" * (
                event.handed_over is not None
            )
            if event.to_fence:
                return (
                    f"your word that the servers of {event.host} are down stands in the journal: it is "
                    "switched off, if the picture is plausible, and they are recovered elsewhere when its "
                    f"power reads off{stays}"
                )
            return (
                f"your word that {event.host} is dead stands in the journal; it is void as soon as the "
                f"host gives a sign of life{stays}"
            )
        case ev.DataLossCommitted():
            return f"the loss of its {' and '.join(event.disks) or 'place'} stands in the journal: {event.policy}"
        case ev.RecoveryMoved():
            return f"it is {event.to}: {RECOVERY_MEANING[event.to]}"
        case ev.HostReleased():
            return f"{event.host} is released from quarantine: it is enabled in Nova now"
        case _ if isinstance(event, HoldEvent):
            what, why = words_for(event)
            return f"{what} ({why})"
        case _:
            return event.kind.replace("_", " ")
