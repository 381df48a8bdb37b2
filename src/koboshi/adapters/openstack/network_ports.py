"""Neutron's ports, of which only those are kept that ask something of a server's host.

All ports are listed, with the few fields that tell: Neutron has no filter by `binding:vnic_type` (neutron-lib
api/definitions/portbindings.py: no `is_filter`, so filter validation refuses it with 400, and without that
ml2's plugin.py looks at the host alone) nor by `resource_request`.
"""

from collections.abc import Mapping

from koboshi.adapters.openstack import stock_shapes as shapes
from koboshi.adapters.openstack.bulk import parse
from koboshi.adapters.openstack.calls import Calls
from koboshi.adapters.openstack.listing import by_marker
from koboshi.adapters.openstack.wire import Answer, Request
from koboshi.domain.facts.stock import PLAIN_PORT, Port
from koboshi.domain.names import ServerId

FIELDS = ("id", "device_id", "binding:vnic_type", "resource_request")


async def read_ports(calls: Calls) -> Mapping[ServerId, tuple[Port, ...]]:
    """Return the ports that ask something of their server's host, by server."""

    def page(answer: Answer) -> tuple[list[shapes.Port], bool]:
        parsed = parse(shapes.Ports, answer)
        return parsed.ports, any(link.rel == "next" for link in parsed.links)

    request = Request(
        service="network", method="GET", path="/v2.0/ports", params={"fields": FIELDS}
    )
    found: dict[ServerId, tuple[Port, ...]] = {}
    for row in await by_marker(calls, request, page, lambda row: row.id):
        port = _port(row)
        if port.server and (port.is_device or port.resources):
            found[port.server] = (*found.get(port.server, ()), port)
    return found


def _port(row: shapes.Port) -> Port:
    asked = row.resource_request
    asks: list[Mapping[str, int] | None] = []
    if asked is not None:
        asks = [asked.resources, *(group.resources for group in asked.request_groups or ())]
    return Port(
        id=row.id,
        server=ServerId(row.device_id or ""),
        vnic_type=row.vnic_type or PLAIN_PORT,
        resources=tuple(sorted({name for group in asks for name in group or ()})),
    )
