"""Lists of many pages: all of it or an error, never a part taken for the whole."""

from collections.abc import Callable
from dataclasses import replace
from typing import NoReturn, TypeVar

import anyio

from koboshi.adapters.openstack.calls import OK, Calls, reason
from koboshi.adapters.openstack.wire import Answer, Request
from koboshi.domain.errors import CloudUnavailable, InvalidAnswer, MarkerGone

PAGE = 500
MAX_PAGES = 1000
RESTARTS = 3
BAD_REQUEST = 400

RowT = TypeVar("RowT")


async def by_marker(
    calls: Calls,
    request: Request,
    parse: Callable[[Answer], tuple[list[RowT], bool]],
    key: Callable[[RowT], str],
) -> list[RowT]:
    """Return every row; `parse` gives a page's rows and whether another page follows."""
    try:
        with anyio.fail_after(calls.limits.listing_s):
            for _ in range(RESTARTS):
                try:
                    return await _walk(calls, request, parse, key)
                except MarkerGone:
                    continue
    except TimeoutError:
        raise CloudUnavailable(
            f"{request.label}: not all pages within {calls.limits.listing_s:g} s",
        ) from None
    raise CloudUnavailable(f"{request.label}: the list keeps changing while it is read")


async def by_offset(
    calls: Calls,
    request: Request,
    parse: Callable[[Answer], list[RowT]],
    key: Callable[[RowT], str],
) -> list[RowT]:
    """Return every row of a list that has no markers.

    A row deleted meanwhile would shift one past the page's border, so pages overlap by one row;
    where they do not meet, the list is read again.
    """

    async def page(offset: int) -> list[RowT]:
        params = dict(request.params) | {"limit": str(PAGE), "offset": str(offset)}
        return parse(await calls.read(replace(request, params=params)))

    try:
        with anyio.fail_after(calls.limits.listing_s):
            for _ in range(RESTARTS):
                rows = await page(0)
                for _ in range(MAX_PAGES):
                    following = await page(len(rows) - 1) if rows else []
                    if not following or key(following[0]) != key(rows[-1]):
                        break
                    if len(following) == 1:
                        return _distinct(request, rows, key)
                    rows += following[1:]
                if not rows:
                    return []
    except TimeoutError:
        raise CloudUnavailable(
            f"{request.label}: not all pages within {calls.limits.listing_s:g} s",
        ) from None
    raise CloudUnavailable(f"{request.label}: the list keeps changing while it is read")


async def _walk(
    calls: Calls,
    request: Request,
    parse: Callable[[Answer], tuple[list[RowT], bool]],
    key: Callable[[RowT], str],
) -> list[RowT]:
    rows: list[RowT] = []
    params = dict(request.params) | {"limit": str(PAGE)}
    for _ in range(MAX_PAGES):
        expect = frozenset({OK, BAD_REQUEST} if "marker" in params else {OK})
        answer = await calls.read(replace(request, params=params), expect=expect)
        if answer.status == BAD_REQUEST:
            raise_bad_marker(answer)
        page, more = parse(answer)
        rows += page
        if not more:
            return _distinct(request, rows, key)
        if not page:
            raise InvalidAnswer(f"{request.label}: an empty page that promises another one")
        if params.get("marker") == key(page[-1]):
            raise InvalidAnswer(f"{request.label}: the same page again and again")
        params["marker"] = key(page[-1])
    raise InvalidAnswer(f"{request.label}: more than {MAX_PAGES} pages")


def raise_bad_marker(answer: Answer) -> NoReturn:
    """Raise MarkerGone for a 400 about the marker (its row was deleted meanwhile), or InvalidAnswer."""
    said = reason(answer)
    if "marker" in said.lower():
        raise MarkerGone(f"{answer.request.label}: {said}")
    raise InvalidAnswer(f"{answer.request.label}: HTTP 400: {said}")


def _distinct(request: Request, rows: list[RowT], key: Callable[[RowT], str]) -> list[RowT]:
    seen: set[str] = set()
    for row in rows:
        if key(row) in seen:
            raise InvalidAnswer(f"{request.label}: {key(row)} is listed twice")
        seen.add(key(row))
    return rows
