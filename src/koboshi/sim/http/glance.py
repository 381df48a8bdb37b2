"""Glance: the images that servers were made from."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from koboshi.domain.facts.stock import Image
from koboshi.sim.http.answering import Service, json_answer, root_of
from koboshi.sim.http.call import Call, Document
from koboshi.sim.http.errors import Refused
from koboshi.sim.http.keystone import Keystone
from koboshi.sim.http.users import id_of
from koboshi.sim.world import World

PREFIX = "/image"
UNVERIFIED = (
    "This server could not verify that you are authorized to access the document you requested. "
    "Either you supplied the wrong credentials (e.g., bad password), or your browser does not "
    "understand how to supply the credentials required."
)
"""webob's words for 401."""
TITLES = {400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found"}


def error_body(status: int, message: str) -> Document:
    """Return an error as webob writes it to who wants JSON (seen on the lab)."""
    title = TITLES.get(status, "Internal Server Error")
    return {"message": f"{message}<br /><br />\n\n\n", "code": f"{status} {title}", "title": title}


def routes(world: World, keystone: Keystone) -> list[BaseRoute]:
    """Return the routes."""
    service = Service(
        keystone=keystone, prefix=PREFIX, error_body=error_body, refuses_itself=UNVERIFIED
    )
    glance = _Glance(world)
    return [
        service.open_route(PREFIX, _versions),
        service.open_route(f"{PREFIX}/", _versions),
        service.open_route(f"{PREFIX}/versions", _versions),
        service.route(f"{PREFIX}/v2/images", glance.images),
        service.route(f"{PREFIX}/v2/images/{{id}}", glance.image),
    ]


def _versions(request: Request) -> Response:
    links = [{"rel": "self", "href": f"{root_of(request)}{PREFIX}/v2/"}]
    version = {"id": "v2.17", "status": "CURRENT", "links": links}
    return json_answer({"versions": [version]}, 300)


@dataclass(frozen=True, slots=True)
class _Glance:
    world: World

    async def images(self, call: Call) -> Response:
        """List the images."""
        await self.world.cloud.line.read("image")
        name = call.query.get("name")
        hidden = call.query.get("os_hidden", "false") == "true"  # no image is, here
        rows = [self._row(i) for i in sorted(self._known()) if name in {None, i}]
        shown = [_image(row) for row in rows if row is not None and not hidden]
        links = {"first": "/v2/images", "schema": "/v2/schemas/images"}
        return json_answer({"images": shown} | links)

    async def image(self, call: Call) -> Response:
        """Show one image."""
        wanted = call.part("id")
        row = await self.world.cloud.image(wanted)
        if wanted not in self._known() or row is None:
            raise Refused(404, f"No image found with ID {wanted}")
        return json_answer(_image(row))

    def _row(self, identifier: str) -> Image | None:
        return self.world.cloud.image_row(identifier)

    def _known(self) -> set[str]:
        rows = self.world.cloud.servers_by_id.values()
        found = {row.image_id for row in rows if row.image_id is not None}
        return found - self.world.cloud.dead_images


def _image(row: Image) -> Document:
    identifier = row.id
    return {
        **row.properties,
        "id": identifier,
        "name": identifier,
        "status": "active" if row.active else "deactivated",
        "visibility": "public" if row.is_public else "private",
        "protected": False,
        "os_hidden": False,
        "owner": row.owner or id_of("project", "admin"),
        "disk_format": "qcow2",
        "container_format": "bare",
        "size": 13_631_488,
        "virtual_size": None,
        "min_disk": 0,
        "min_ram": 0,
        "checksum": None,
        "os_hash_algo": None,
        "os_hash_value": None,
        "tags": sorted(row.tags),
        "created_at": "2026-01-01T00:00:00Z",
        "updated_at": "2026-01-01T00:00:00Z",
        "self": f"/v2/images/{identifier}",
        "file": f"/v2/images/{identifier}/file",
        "schema": "/v2/schemas/image",
    }
