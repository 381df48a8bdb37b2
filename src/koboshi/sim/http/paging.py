"""Pages as nova cuts them: `limit` of at most 1,000, a marker, and a link to what follows."""

from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import TypeVar
from urllib.parse import urlencode

from koboshi.sim.http.call import Call, Document
from koboshi.sim.http.errors import Refused

MAX_LIMIT = 1000
"""nova's [api]max_limit: more is never given, and nobody is told."""

T = TypeVar("T")


def page(
    call: Call,
    rows: Iterable[T],
    key: Callable[[T], str],
    no_marker: str = "marker [{}] not found",
) -> tuple[list[T], bool]:
    """Return the page that was asked for, and whether a link to a next one belongs to it.

    No more of `rows` is looked at than the page needs. nova gives that link whenever a page is full, even where nothing follows
    (api/openstack/common.py, _get_collection_links). Raises Refused for a marker that is not there.
    """
    limit = min(MAX_LIMIT, call.number("limit", MAX_LIMIT))
    marker = call.query.get("marker")
    rest = iter(rows)
    if marker is not None and not any(key(row) == marker for row in rest):
        raise Refused(400, no_marker.format(marker))
    found = list(islice(rest, limit))
    return found, bool(found) and len(found) == limit


def next_link(call: Call, path: str, marker: str) -> list[Document]:
    """Return the `…_links` of a page that ends with `marker`."""
    query: Mapping[str, str] = dict(call.query) | {"marker": marker}
    return [{"rel": "next", "href": f"{call.base_url}{path}?{urlencode(query)}"}]
