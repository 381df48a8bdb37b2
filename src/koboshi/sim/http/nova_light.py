"""What of nova is only looked at in passing: flavors, limits, key pairs."""

from collections.abc import Iterable
from dataclasses import dataclass

from starlette.responses import Response
from starlette.routing import BaseRoute

from koboshi.domain.facts.cloud import Flavor
from koboshi.sim.http.answering import Service, json_answer
from koboshi.sim.http.call import Call, Document
from koboshi.sim.http.errors import Refused
from koboshi.sim.world import World


def routes(world: World, service: Service) -> list[BaseRoute]:
    """Return the routes."""
    light = _Light(world)
    v = service.prefix
    return [
        service.route(f"{v}/flavors", light.flavors),
        service.route(f"{v}/flavors/detail", light.flavors),
        service.route(f"{v}/flavors/{{id}}", light.flavor),
        service.route(f"{v}/flavors/{{id}}/os-extra_specs", light.extra_specs),
        service.route(f"{v}/os-keypairs", light.keypairs),
    ]


@dataclass(frozen=True, slots=True)
class _Light:
    world: World

    async def flavors(self, call: Call) -> Response:
        """List the flavors that servers were made with."""
        await self.world.cloud.line.read("flavors")
        return json_answer({"flavors": [_flavor(f, call) for f in self._known().values()]})

    async def flavor(self, call: Call) -> Response:
        """Show one flavor, by its name: here that is its id, too."""
        await self.world.cloud.line.read("flavors")
        return json_answer({"flavor": _flavor(self._one(call), call)})

    async def extra_specs(self, call: Call) -> Response:
        """Show a flavor's extra specs."""
        await self.world.cloud.line.read("flavors")
        return json_answer({"extra_specs": dict(self._one(call).extra_specs)})

    async def keypairs(self, _call: Call) -> Response:
        """List no key pair."""
        await self.world.cloud.line.read("keypairs")
        return json_answer({"keypairs": []})

    def _known(self) -> dict[str, Flavor]:
        servers: Iterable[Flavor] = (s.flavor for s in self.world.cloud.servers_by_id.values())
        return {flavor.name: flavor for flavor in servers}

    def _one(self, call: Call) -> Flavor:
        found = self._known().get(call.part("id"))
        if found is None:
            raise Refused(404, f"Flavor {call.part('id')} could not be found.")
        return found


def _flavor(flavor: Flavor, call: Call) -> Document:
    shown: Document = {
        "id": flavor.name,
        "name": flavor.name,
        "vcpus": flavor.vcpus,
        "ram": flavor.ram_mb,
        "disk": flavor.disk_gb,
        "OS-FLV-EXT-DATA:ephemeral": flavor.ephemeral_gb,
        "OS-FLV-DISABLED:disabled": False,
        "os-flavor-access:is_public": True,
        "swap": flavor.swap_mb or ("" if call.version < (2, 75) else 0),
        "rxtx_factor": 1.0,
        "links": [{"rel": "self", "href": f"{call.base_url}/flavors/{flavor.name}"}],
    }
    if call.version >= (2, 55):
        shown["description"] = None
    if call.version >= (2, 61):
        shown["extra_specs"] = dict(flavor.extra_specs)
    return shown
