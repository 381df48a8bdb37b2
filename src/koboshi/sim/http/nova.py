"""Nova's compute API, v2.1 with microversions: its documents, and where each call is answered."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from koboshi.sim.http import nova_history, nova_hosts, nova_light, nova_records, nova_servers
from koboshi.sim.http.answering import Service, json_answer, root_of
from koboshi.sim.http.call import Document
from koboshi.sim.http.keystone import Keystone
from koboshi.sim.http.versions import COMPUTE, Range, text_of
from koboshi.sim.world import World

PREFIX = "/compute/v2.1"
UNEXPECTED = (
    "Unexpected API Error. Please report this at http://bugs.launchpad.net/nova/ and attach the "
    "Nova API log if possible.\n<class 'oslo_db.exception.DBConnectionError'>"
)
FAULT_NAMES = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    409: "conflictingRequest",
    413: "overLimit",
    415: "badMediaType",
    429: "overLimit",
    501: "notImplemented",
    503: "serviceUnavailable",
}
"""nova api/openstack/wsgi.py, Fault: anything else is a computeFault."""


def error_body(status: int, message: str) -> Document:
    """Return an error as nova writes it."""
    return {FAULT_NAMES.get(status, "computeFault"): {"code": status, "message": message}}


def routes(world: World, keystone: Keystone, versions: Range = COMPUTE) -> list[BaseRoute]:
    """Return nova's routes, below PREFIX's parent."""
    service = Service(
        keystone=keystone,
        prefix=PREFIX,
        error_body=error_body,
        negotiate=versions.negotiate,
        version_headers=versions.headers,
        unexpected=UNEXPECTED,
    )

    def version(request: Request) -> Response:
        return json_answer({"version": _version(request, versions)})

    def versions_list(request: Request) -> Response:
        return json_answer({"versions": [_version(request, versions)]}, 200)

    return [
        service.open_route("/compute", versions_list),
        service.open_route("/compute/", versions_list),
        service.open_route(PREFIX, version),
        service.open_route(f"{PREFIX}/", version),
        *nova_servers.routes(world, service),
        *nova_history.routes(world, service),
        *nova_hosts.routes(world, service),
        *nova_records.routes(world, service),
        *nova_light.routes(world, service),
    ]


def _version(request: Request, versions: Range) -> Document:
    kind = "application/vnd.openstack.compute+json;version=2.1"
    return {
        "id": "v2.1",
        "status": "CURRENT",
        "version": text_of(versions.maximum),
        "min_version": text_of(versions.minimum),
        "updated": "2013-07-23T11:33:21Z",
        "links": [
            {"rel": "self", "href": f"{root_of(request)}{PREFIX}/"},
            {"rel": "describedby", "type": "text/html", "href": "http://docs.openstack.org/"},
        ],
        "media-types": [{"base": "application/json", "type": kind}],
    }
