"""What can be asked of a server by POST …/action, each with nova's own check of the body.

What nova does with it is the world's part; after nova 34's api/openstack/compute/evacuate.py,
servers.py, admin_actions.py, migrate_server.py.
"""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.responses import Response

from koboshi.domain.facts.cloud import Server
from koboshi.domain.memory.commands import ON_SHARED_STORAGE
from koboshi.domain.names import HostName
from koboshi.sim import operating, resizing
from koboshi.sim.http import schema
from koboshi.sim.http.answering import json_answer
from koboshi.sim.http.call import Call, Document, Version
from koboshi.sim.http.commands import carry, who
from koboshi.sim.http.errors import Refused
from koboshi.sim.nova import SimCloud

ACCEPTED = 202
MAX_HOST_CHARS = 255
REBOOTS = ("HARD", "Hard", "hard", "SOFT", "Soft", "soft")
Action = Callable[[SimCloud, Call, Server, Any], Awaitable[Response]]


def evacuate_fields(version: Version) -> tuple[str, ...]:
    """Return what an evacuate may say (schemas/evacuate.py)."""
    if version < (2, 14):
        return ("host", "onSharedStorage", "adminPass")
    if (2, 29) <= version < (2, 68):
        return ("host", "adminPass", "force")
    return ("host", "adminPass")


async def _evacuate(cloud: SimCloud, call: Call, server: Server, told: Document) -> Response:
    call.demand_admin("os_compute_api:os-evacuate")
    needed = ("onSharedStorage",) if call.version < (2, 14) else ()
    schema.action("evacuate", told, evacuate_fields(call.version), needed)
    says = {
        name: name in told and schema.boolean(name, told[name])
        for name in ("force", "onSharedStorage")
    }
    host = told.get("host")
    if host is not None:
        schema.text("host", host, longest=MAX_HOST_CHARS)
    if says["force"] and not host:
        raise Refused(400, "Can't force to a non-provided destination")
    if says["onSharedStorage"] and "adminPass" in told:
        raise Refused(400, "admin password can't be changed on existing disk")
    to = HostName(host) if host is not None else None
    by = who(call)
    await carry(
        cloud,
        call,
        "evacuate",
        server.id,
        lambda: cloud.accept_evacuate(
            server.id,
            to,
            by,
            microversion=call.version,
            on_shared_storage=says["onSharedStorage"] if "onSharedStorage" in told else None,
            force=says["force"],
        ),
        ON_SHARED_STORAGE if says["onSharedStorage"] else str(host or ""),
    )
    if call.version < (2, 14):
        # A disk that is there keeps its password (nova api/openstack/compute/evacuate.py: _get_password).
        made = None if says["onSharedStorage"] else secrets.token_urlsafe(9)
        return json_answer({"adminPass": told.get("adminPass", made)})
    return Response(status_code=200)


async def _start(cloud: SimCloud, call: Call, server: Server, _told: Document) -> Response:
    return await _plain(cloud, call, "start", server, lambda: cloud.accept_start(server.id))


async def _stop(cloud: SimCloud, call: Call, server: Server, _told: Document) -> Response:
    return await _plain(cloud, call, "stop", server, lambda: cloud.accept_stop(server.id))


async def _pause(cloud: SimCloud, call: Call, server: Server, _told: Document) -> Response:
    return await _plain(cloud, call, "pause", server, lambda: operating.pause(cloud, server.id))


async def _unpause(cloud: SimCloud, call: Call, server: Server, _told: Document) -> Response:
    return await _plain(cloud, call, "unpause", server, lambda: operating.unpause(cloud, server.id))


async def _suspend(cloud: SimCloud, call: Call, server: Server, _told: Document) -> Response:
    return await _plain(cloud, call, "suspend", server, lambda: operating.suspend(cloud, server.id))


async def _resume(cloud: SimCloud, call: Call, server: Server, _told: Document) -> Response:
    return await _plain(cloud, call, "resume", server, lambda: operating.resume(cloud, server.id))


async def _reboot(cloud: SimCloud, call: Call, server: Server, told: Document) -> Response:
    schema.action("reboot", told, ("type",), ("type",))
    schema.one_of("type", told["type"], REBOOTS)
    return await _plain(cloud, call, "reboot", server, lambda: cloud.accept_reboot(server.id))


async def _reset(cloud: SimCloud, call: Call, server: Server, told: Document) -> Response:
    call.demand_admin("os_compute_api:os-admin-actions:reset_state")
    schema.action("os-resetState", told, ("state",), ("state",))
    state = str(told["state"])
    schema.one_of("state", state, ("active", "error"))
    return await _plain(cloud, call, "reset", server, lambda: cloud.accept_reset(server.id, state))


async def _live_migrate(cloud: SimCloud, call: Call, server: Server, told: Document) -> Response:
    call.demand_admin("os_compute_api:os-migrate-server:migrate_live")
    needed = ["block_migration", "host"]
    if call.version < (2, 25):
        needed.insert(1, "disk_over_commit")
    known = [*needed, "force"] if (2, 30) <= call.version < (2, 68) else needed
    schema.action("os-migrateLive", told, known, needed)
    host = told["host"]
    to = HostName(host) if host is not None else None
    return await _plain(
        cloud, call, "live_migrate", server, lambda: cloud.accept_live_migrate(server.id, to)
    )


async def _migrate(cloud: SimCloud, call: Call, server: Server, told: Document) -> Response:
    call.demand_admin("os_compute_api:os-migrate-server:migrate")
    schema.action("migrate", told, ("host",) if call.version >= (2, 56) else (), ())
    host = told.get("host")
    to = HostName(host) if host is not None else None
    return await _plain(
        cloud, call, "migrate", server, lambda: cloud.accept_cold_migrate(server.id, to)
    )


async def _confirm(cloud: SimCloud, call: Call, server: Server, _told: Document) -> Response:
    await carry(cloud, call, "confirm", server.id, lambda: cloud.accept_confirm(server.id))
    return Response(status_code=204)


async def _revert(cloud: SimCloud, call: Call, server: Server, _told: Document) -> Response:
    return await _plain(cloud, call, "revert", server, lambda: resizing.revert(cloud, server.id))


async def _lock(cloud: SimCloud, call: Call, server: Server, _told: Document) -> Response:
    return await _plain(cloud, call, "lock", server, lambda: _set(cloud, server, locked=True))


async def _unlock(cloud: SimCloud, call: Call, server: Server, _told: Document) -> Response:
    return await _plain(cloud, call, "unlock", server, lambda: _set(cloud, server, locked=False))


async def _plain(
    cloud: SimCloud, call: Call, name: str, server: Server, act: Callable[[], None]
) -> Response:
    await carry(cloud, call, name, server.id, act)
    return Response(status_code=ACCEPTED)


def _set(cloud: SimCloud, server: Server, **changes: Any) -> None:
    cloud.change(server.id, **changes)


ACTIONS: Mapping[str, Action] = {
    "evacuate": _evacuate,
    "os-start": _start,
    "os-stop": _stop,
    "pause": _pause,
    "unpause": _unpause,
    "suspend": _suspend,
    "resume": _resume,
    "reboot": _reboot,
    "os-resetState": _reset,
    "os-migrateLive": _live_migrate,
    "migrate": _migrate,
    "confirmResize": _confirm,
    "revertResize": _revert,
    "lock": _lock,
    "unlock": _unlock,
}
