"""Reads, which may be repeated, and commands, which may not.

Every answer ends as one of the domain's errors or as a status that the caller expects; no status,
time-out or library error is left over.
"""

import json
from collections.abc import Callable
from typing import Any, cast

import anyio
import stamina

from koboshi.adapters.openstack.identity import Grant, Identity
from koboshi.adapters.openstack.wire import (
    Answer,
    EndlessAnswer,
    NoAnswer,
    Request,
    TimeLimits,
    Wire,
)
from koboshi.domain.errors import (
    CloudError,
    CloudUnavailable,
    CommandRefused,
    ConfigurationError,
    InvalidAnswer,
    NotAuthorised,
    OutcomeUnknown,
    VersionRefused,
)

OK, UNAUTHORISED, FORBIDDEN, NOT_ACCEPTABLE, REQUEST_TIMEOUT = 200, 401, 403, 406, 408
SUCCESSES, REFUSALS, FAILURES = range(200, 300), range(400, 500), range(500, 600)
WORTH_ANOTHER_TRY = frozenset({REQUEST_TIMEOUT, 413, 429})
"""Nova's and every proxy's way of asking for fewer or quicker requests."""
ATTEMPTS = 4
SEND_WITHIN_S = 3.0
"""A command whose token is not there by then is not sent: its proof would be too old."""
MAX_REASON = 500


class _Again(Exception):
    """A read that is worth another try."""


class Calls:
    """The two ways of calling."""

    def __init__(self, identity: Identity, reads: Wire, commands: Wire, limits: TimeLimits) -> None:
        self._identity = identity
        self._reads = reads
        self._commands = commands
        self.limits = limits

    async def read(
        self,
        request: Request,
        *,
        expect: frozenset[int] = frozenset({OK}),
        try_s: float | None = None,
        total_s: float | None = None,
    ) -> Answer:
        """Return an answer with a status in `expect`, retrying within `total_s`."""
        total = total_s or self.limits.read_total_s
        why = "no answer"
        try:
            with anyio.fail_after(total):
                async for attempt in stamina.retry_context(
                    on=_Again,
                    attempts=ATTEMPTS,
                    timeout=total,
                    wait_initial=0.2,
                    wait_max=2.0,
                    wait_jitter=0.4,
                ):
                    with attempt:
                        try:
                            return await self._try(request, expect, try_s or self.limits.read_s)
                        except _Again as error:
                            why = str(error)
                            raise
        except _Again:
            pass
        except TimeoutError:
            why += f" (within {total:g} s)"
        raise CloudUnavailable(f"{request.label} ({request.service}): {why}")

    async def ask_once(self, request: Request, *, timeout_s: float) -> Answer | None:
        """Return the first answer, whatever its status, or None; not counted as API health."""
        try:
            with anyio.fail_after(timeout_s):
                grant = await self._identity.grant(renew=False)
                return await self._reads.send(request, grant, timeout_s=timeout_s, counted=False)
        except (CloudError, ConfigurationError, NoAnswer, TimeoutError):
            return None

    async def command(self, request: Request, *, accept: Callable[[Answer], bool]) -> Answer:
        """Send once; return an answer that `accept` takes for a success.

        A 401 is answered before the service looks at the request, so one more try with a new
        token is still the first; unless it came so late that the proof for the request is stale.
        """
        grant = await self._grant_for(request, rejected=None)
        sent_at = anyio.current_time()
        answer = await self._send(request, grant)
        is_quick = anyio.current_time() - sent_at < SEND_WITHIN_S
        if answer.status == UNAUTHORISED and is_quick:
            grant = await self._grant_for(request, rejected=grant)
            answer = await self._send(request, grant)
        if _is_refusal(answer.status):
            raise CommandRefused(_said(answer), status=answer.status)
        if answer.status not in SUCCESSES or answer.is_html or not accept(answer):
            raise OutcomeUnknown(_said(answer))
        return answer

    async def _try(self, request: Request, expect: frozenset[int], try_s: float) -> Answer:
        try:
            grant = await self._identity.grant(renew=True)
            answer = await self._reads.send(request, grant, timeout_s=try_s)
            if answer.status == UNAUTHORISED:
                grant = await self._identity.replace(grant)
                answer = await self._reads.send(request, grant, timeout_s=try_s)
        except EndlessAnswer as error:
            raise InvalidAnswer(f"{request.label} ({request.service}): {error}") from None
        except NoAnswer as error:
            raise _Again(str(error)) from None
        except ConfigurationError as error:
            raise InvalidAnswer(str(error)) from None
        if answer.status in expect:
            return _checked_version(answer)
        if answer.status in FAILURES or answer.status in WORTH_ANOTHER_TRY:
            raise _Again(f"HTTP {answer.status}: {reason(answer) or 'no reason given'}")
        if answer.status in {UNAUTHORISED, FORBIDDEN}:
            raise NotAuthorised(
                f"{_said(answer)}; {self._identity.label} needs a user with the `admin` role, "
                "or a policy that allows this call",
            )
        if answer.status == NOT_ACCEPTABLE:
            raise VersionRefused(_said(answer))
        raise InvalidAnswer(_said(answer))

    async def _send(self, request: Request, grant: Grant) -> Answer:
        try:
            return await self._commands.send(request, grant, timeout_s=self.limits.command_s)
        except ConfigurationError as error:
            raise CommandRefused(f"{request.label}: never sent: {error}") from None
        except NoAnswer as error:
            if error.never_sent:
                raise CommandRefused(f"{request.label}: never sent: {error}") from None
            raise OutcomeUnknown(f"{request.label}: {error}") from None

    async def _grant_for(self, request: Request, *, rejected: Grant | None) -> Grant:
        status = UNAUTHORISED if rejected else None
        try:
            with anyio.fail_after(SEND_WITHIN_S):
                if rejected is not None:
                    return await self._identity.replace(rejected)
                return await self._identity.grant(renew=False)
        except (CloudError, ConfigurationError) as error:
            why = str(error)
        except TimeoutError:
            why = f"no token within {SEND_WITHIN_S:g} s"
        raise CommandRefused(f"{request.label}: never sent: {why}", status=status)


def _is_refusal(status: int) -> bool:
    # 408 is a proxy's word about a request of which it may have passed a part on.
    return status in REFUSALS and status != REQUEST_TIMEOUT


def _checked_version(answer: Answer) -> Answer:
    """Refuse an answer in another microversion than asked: its fields mean something else."""
    wanted = answer.request.microversion
    if wanted is None or answer.status != OK:
        return answer
    told = answer.headers.get("openstack-api-version", "")
    if told != f"{answer.request.service} {wanted}":
        raise InvalidAnswer(
            f"{answer.request.label}: asked for {answer.request.service} {wanted}, answered as "
            f"{told or 'no version at all'}; check the endpoint in the catalog",
        )
    return answer


def _said(answer: Answer) -> str:
    return f"{answer.request.label} ({answer.request.service}): HTTP {answer.status}: " + (
        reason(answer) or "no reason given"
    )


def reason(answer: Answer) -> str:
    """Return the service's own message, from any of the shapes that OpenStack gives it."""
    if answer.is_html:
        return "an HTML page, not an answer of the service (a proxy's?)"
    try:
        data: Any = json.loads(answer.body or b"null")
    except ValueError:
        return " ".join(answer.body[:MAX_REASON].decode(errors="replace").split())
    return " ".join(_message(data).split())[:MAX_REASON]


def _message(data: Any) -> str:
    """Find the text in {"badRequest": {"message": …}} and {"errors": [{"detail": …}]}."""
    if isinstance(data, str):
        return data
    if isinstance(data, list) and data:
        return _message(cast("list[Any]", data)[0])
    if isinstance(data, dict):
        table = cast("dict[str, Any]", data)
        for key in ("message", "detail", "title", "errors", "error"):
            if key in table:
                return _message(table[key])
        for value in table.values():
            if isinstance(value, dict):
                return _message(value)
    return ""
