"""Pages as nova cuts them: `limit` of at most 1,000, a marker, and a link to what follows."""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar
from urllib.parse import urlencode

from koboshi.sim.http.call import Call, Document
from koboshi.sim.http.errors import Refused

MAX_LIMIT = 1000
"""nova's [api]max_limit: more is never given, and nobody is told."""

T = TypeVar("T")


def page(
    call: Call,
    rows: Sequence[T],
    position: Callable[[str], int | None],
    no_marker: str = "marker [{}] not found",
) -> tuple[Sequence[T], bool]:
    """Return the page that was asked for, and whether a link to a next one belongs to it.

    nova gives that link whenever a page is full, even where nothing follows
    (api/openstack/common.py, _get_collection_links). Raises Refused for a marker that is not there.
    """
    limit = min(MAX_LIMIT, call.number("limit", MAX_LIMIT))
    marker = call.query.get("marker")
    begin = 0
    if marker is not None:
        at = position(marker)
        if at is None:
            raise Refused(400, no_marker.format(marker))
        begin = at + 1
    found = rows[begin : begin + limit]
    return found, bool(found) and len(found) == limit


def position_in(rows: Sequence[T], key: Callable[[T], str]) -> Callable[[str], int | None]:
    """Return a function that finds a marker by looking at every row."""
    return lambda marker: next((i for i, row in enumerate(rows) if key(row) == marker), None)


def next_link(call: Call, path: str, marker: str) -> list[Document]:
    """Return the `…_links` of a page that ends with `marker`."""
    query: Mapping[str, str] = dict(call.query) | {"marker": marker}
    return [{"rel": "next", "href": f"{call.base_url}{path}?{urlencode(query)}"}]
