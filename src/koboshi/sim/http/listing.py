"""Which servers a list shows: nova's filters, its order, and its pages.

After nova 34's api/openstack/compute/servers.py, _get_servers. Newest first; a filter that the
asker may not use is dropped without a word.
"""

import re
from collections.abc import Callable
from datetime import datetime

from koboshi.domain.facts.cloud import Server
from koboshi.sim.http.call import TRUE, Call
from koboshi.sim.http.errors import Refused

Keep = Callable[[Server], bool]


def wants_all_tenants(call: Call) -> bool:
    """Return whether the servers of all projects are asked for; the word alone says yes."""
    text = call.query.get("all_tenants")
    return text is not None and (not text or text.strip().lower() in TRUE)


def is_plain(call: Call) -> bool:
    """Return whether nothing but the project is said: only then a dead cell's servers are listed."""
    return set(call.query) <= {"all_tenants"}


def filters(call: Call) -> list[Keep]:
    """Return what a server must satisfy. Raises Refused."""
    query, admin = call.query, call.token.user.is_admin
    keep: list[Keep] = []
    project = query.get("project_id") or query.get("tenant_id")
    if not wants_all_tenants(call):
        keep.append(_is("project_id", call.token.user.project_id))
    elif project:
        keep.append(_is("project_id", project))
    if admin and (host := query.get("host")) is not None:
        keep.append(_is("host", host))
    if admin and (node := query.get("node")) is not None:
        keep.append(_is("host", node))
    if admin and (identifier := query.get("uuid")) is not None:
        keep.append(_is("id", identifier))
    if (name := query.get("name")) is not None:
        pattern = _pattern(name)
        keep.append(lambda row: pattern.search(row.name) is not None)
    if (status := query.get("status")) is not None:
        keep.append(_is("status", status.upper()))
    if admin or call.version >= (2, 83):
        keep += [_is(key, query[key]) for key in ("vm_state", "task_state") if key in query]
    if (image := query.get("image")) is not None:
        keep.append(_is("image_id", image))
    return keep


def _is(name: str, value: str) -> Keep:
    return lambda row: getattr(row, name) == value


def _pattern(text: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error:
        raise Refused(400, f"Invalid filter field: name. {text} is no regular expression") from None


def moment(call: Call, name: str) -> datetime | None:
    """Return a time that a query names. Raises Refused."""
    text = call.query.get(name)
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise Refused(
            400,
            f"Invalid input for query parameters {name}. Value: {text}. '{text}' is not a "
            "'date-time'",
        ) from None
    return found if found.tzinfo is not None else found.replace(tzinfo=call.token.issued_at.tzinfo)
