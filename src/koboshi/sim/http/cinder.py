"""Cinder: the volumes that servers have, and its services."""

from collections.abc import Iterator
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from koboshi.domain.facts.cloud import Server
from koboshi.domain.facts.stock import Volume
from koboshi.sim.database import SHARED_BACKEND
from koboshi.sim.http.answering import Service, json_answer, root_of
from koboshi.sim.http.call import Call, Document
from koboshi.sim.http.errors import Refused
from koboshi.sim.http.keystone import Keystone
from koboshi.sim.http.listing import wants_all_tenants
from koboshi.sim.http.paging import next_link, page
from koboshi.sim.http.rows import naive, uuid_of
from koboshi.sim.http.versions import VOLUME, text_of
from koboshi.sim.world import World

PREFIX = "/volume/v3"
FAULT_NAMES = {400: "badRequest", 403: "forbidden", 404: "itemNotFound", 409: "conflictingRequest"}


def error_body(status: int, message: str) -> Document:
    """Return an error as cinder writes it."""
    return {FAULT_NAMES.get(status, "computeFault"): {"code": status, "message": message}}


def routes(world: World, keystone: Keystone) -> list[BaseRoute]:
    """Return the routes, each with and without the project in its path."""
    service = Service(
        keystone=keystone,
        prefix=PREFIX,
        error_body=error_body,
        negotiate=VOLUME.negotiate,
        version_headers=VOLUME.headers,
    )
    cinder = _Cinder(world)
    found: list[BaseRoute] = [
        service.open_route(path, _versions) for path in ("/volume", "/volume/", f"{PREFIX}/")
    ]
    for base in (PREFIX, f"{PREFIX}/{{project}}"):
        found += [
            service.route(f"{base}/volumes", cinder.volumes),
            service.route(f"{base}/volumes/detail", cinder.volumes),
            service.route(f"{base}/volumes/{{id}}", cinder.volume),
            service.route(f"{base}/os-services", cinder.services),
        ]
    return found


def _versions(request: Request) -> Response:
    version: Document = {
        "id": "v3.0",
        "status": "CURRENT",
        "version": text_of(VOLUME.maximum),
        "min_version": text_of(VOLUME.minimum),
        "updated": "2023-08-31T00:00:00Z",
        "links": [{"rel": "self", "href": f"{root_of(request)}{PREFIX}/"}],
        "media-types": [],
    }
    return json_answer({"versions": [version]}, 300 if request.url.path != f"{PREFIX}/" else 200)


@dataclass(frozen=True, slots=True)
class _Cinder:
    world: World

    async def volumes(self, call: Call) -> Response:
        """List the volumes, each with its server."""
        await self.world.cloud.line.read("volumes")
        mine = None if wants_all_tenants(call) else call.token.user.project_id
        fit = [self._volume(s, v) for s, v in self._attached() if mine in {None, s.project_id}]
        shown, more = page(call, fit, lambda row: str(row["id"]))
        document: Document = {"volumes": shown}
        if more:
            document["volumes_links"] = next_link(call, "/volumes/detail", str(shown[-1]["id"]))
        return json_answer(document)

    async def volume(self, call: Call) -> Response:
        """Show one volume."""
        await self.world.cloud.line.read("volumes")
        for server, volume in self._attached():
            if volume == call.part("id"):
                return json_answer({"volume": self._volume(server, volume)})
        raise Refused(404, f"Volume {call.part('id')} could not be found.")

    async def services(self, call: Call) -> Response:
        """List the services: they live with the control plane."""
        call.demand_admin("volume_extension:services:get_all")
        await self.world.cloud.line.read("volume_services")
        found = (SHARED_BACKEND, *self.world.cloud.backends.values())
        backends = (("cinder-volume", b) for b in sorted({b.partition("#")[0] for b in found}))
        shown: list[Document] = [
            {
                "binary": binary,
                "host": host,
                "zone": "nova",
                "status": "enabled",
                "state": "up",
                "updated_at": naive(self.world.cloud.nova_now()),
            }
            for binary, host in (("cinder-scheduler", "ctl1"), *backends)
            if call.query.get("binary") in {None, binary}
        ]
        return json_answer({"services": shown})

    def _volume(self, server: Server, volume: str) -> Document:
        row = self.world.cloud.volume_row(volume)
        return _volume(server, volume, row.backend or "") | _made_from(row)

    def _attached(self) -> Iterator[tuple[Server, str]]:
        for server in self.world.cloud.servers_by_id.values():
            for volume in server.volume_ids:
                yield server, volume


def _made_from(row: Volume) -> Document:
    """Return what Cinder keeps of the image that a volume was made from."""
    told = {"hw_firmware_type": row.firmware, "hw_tpm_version": row.tpm}
    properties = {name: value for name, value in told.items() if value} | dict(row.wishes)
    return {"volume_image_metadata": properties} if properties else {}


def _volume(server: Server, volume: str, backend: str) -> Document:
    attachment: Document = {
        "id": volume,
        "volume_id": volume,
        "server_id": server.id,
        "attachment_id": uuid_of("attachment", f"{server.id}/{volume}"),
        "device": "/dev/vda" if server.image_id is None else "/dev/vdb",
        "host_name": server.host,
        "attached_at": None,
    }
    return {
        "id": volume,
        "name": volume,
        "status": "in-use",
        "size": 10,
        "volume_type": "shared",
        "bootable": "true" if server.image_id is None else "false",
        "attachments": [attachment],
        "availability_zone": "nova",
        "created_at": "2026-01-01T00:00:00.000000",
        "updated_at": None,
        "description": None,
        "encrypted": False,
        "metadata": {},
        "multiattach": False,
        "snapshot_id": None,
        "source_volid": None,
        "user_id": None,
        "os-vol-host-attr:host": backend,
        "os-vol-tenant-attr:tenant_id": server.project_id,
    }
