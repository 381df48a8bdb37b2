"""Placement: the candidates for a demand, and the providers behind them.

After placement 16's handlers/allocation_candidate.py and resource_provider.py, as far as nova's
hosts need them: one provider a host, without nested ones.
"""

import uuid
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute

from koboshi.domain.facts.cloud import Demand, Hypervisor, Room
from koboshi.domain.names import HostName, ServerId
from koboshi.sim.database import TPM
from koboshi.sim.http.answering import Service, json_answer
from koboshi.sim.http.call import Call, Document, Version
from koboshi.sim.http.errors import Refused
from koboshi.sim.http.keystone import Keystone
from koboshi.sim.http.users import id_of
from koboshi.sim.http.versions import HEADER, PLACEMENT, text_of
from koboshi.sim.world import World

PREFIX = "/placement"
TITLES = {400: "Bad Request", 403: "Forbidden", 404: "Not Found", 406: "Not Acceptable"}
NOT_ACCEPTABLE = 406
UNDEFINED = "placement.undefined_code"
MISSING_VALUE = "placement.query.missing_value"
NO_DEMAND = "There must be at least one resources or resources[$S] parameter."
WORDS = {
    400: "The server could not comply with the request since it is either malformed or otherwise "
    "incorrect.",
    403: "Access was denied to this resource.",
    404: "The resource could not be found.",
}
"""What webob says first, whatever is wrong."""
PARAMETERS = frozenset(
    {"resources", "required", "member_of", "in_tree", "limit", "group_policy", "root_required"}
    | {"same_subtree"}
)
CLASSES = ("VCPU", "MEMORY_MB", "DISK_GB")


def error_body(status: int, message: str) -> Document:
    """Return an error as placement writes it (1.23: with a code)."""
    detail = f"{WORDS.get(status, '')}\n\n {message}  "
    code = MISSING_VALUE if message == NO_DEMAND else UNDEFINED
    return _errors(status, detail, code=code)


def _errors(status: int, detail: str, **more: str) -> Document:
    told: Document = {
        "status": status,
        "title": TITLES.get(status, "Internal Server Error"),
        "detail": detail,
        "request_id": f"req-{uuid.uuid4()}",
    }
    return {"errors": [told | more]}


def _negotiate(request: Request) -> Version:
    """Return the version that was asked for, or refuse in placement's own words."""
    try:
        return PLACEMENT.negotiate(request)
    except Refused as refusal:
        asked = request.headers[HEADER.lower()].split()[-1]
        document = _wrong_version(refusal.status, asked)
        raise Refused(refusal.status, asked, document=document) from None


def _wrong_version(status: int, asked: str) -> Document:
    if status == NOT_ACCEPTABLE:
        return _errors(
            status,
            "The resource could not be generated that was acceptable to your browser (content of "
            "type application/json. \n\n Invalid microversion: Unacceptable version header: "
            f"{asked}",
            max_version=text_of(PLACEMENT.maximum),
            min_version=text_of(PLACEMENT.minimum),
        )
    return _errors(
        status,
        f"{WORDS[status]}\n\n Invalid microversion: invalid version string: {asked}; invalid "
        f"literal for int() with base 10: '{asked}'  ",
    )


def routes(world: World, keystone: Keystone) -> list[BaseRoute]:
    """Return the routes."""
    service = Service(
        keystone=keystone,
        prefix=PREFIX,
        error_body=error_body,
        negotiate=_negotiate,
        version_headers=PLACEMENT.headers,
    )
    placement = _Placement(world)
    return [
        service.open_route(PREFIX, _root),
        service.open_route(f"{PREFIX}/", _root),
        service.route(f"{PREFIX}/resource_providers", placement.providers),
        service.route(f"{PREFIX}/resource_providers/{{id}}", placement.provider),
        service.route(f"{PREFIX}/resource_providers/{{id}}/inventories", placement.inventories),
        service.route(f"{PREFIX}/resource_providers/{{id}}/usages", placement.usages),
        service.route(f"{PREFIX}/allocation_candidates", placement.candidates),
        service.route(f"{PREFIX}/allocations/{{consumer}}", placement.allocations),
    ]


def _root(_request: Request) -> Response:
    version: Document = {
        "id": "v1.0",
        "status": "CURRENT",
        "min_version": text_of(PLACEMENT.minimum),
        "max_version": text_of(PLACEMENT.maximum),
        "links": [{"rel": "self", "href": ""}],
    }
    return json_answer({"versions": [version]})


@dataclass(frozen=True, slots=True)
class _Placement:
    world: World

    async def candidates(self, call: Call) -> Response:
        """List the hosts that can take a demand by their inventories, dead ones too."""
        call.demand_admin("placement:allocation_candidates:list")
        for name in call.query:
            if name.rstrip("0123456789") not in PARAMETERS:
                raise Refused(400, f"Invalid query string parameters: {name!r} is unknown")
        demand = _demand(call)
        self._assert_known(demand.required_traits)
        rooms = await self.world.cloud.room(demand)
        ids = await self._ids()
        limit = call.number("limit", len(rooms))
        wanted = {
            name: amount
            for name, amount in zip(
                CLASSES, (demand.vcpus, demand.ram_mb, demand.disk_gb), strict=True
            )
            if amount > 0
        }
        chosen = [(ids[room.host].id, room) for room in rooms[:limit]]
        requests: list[Document] = []
        for provider, _ in chosen:
            request: Document = {"allocations": {provider: {"resources": wanted}}}
            if call.version >= (1, 34):
                request["mappings"] = {"": [provider]}
            requests.append(request)
        return json_answer(
            {
                "allocation_requests": requests,
                "provider_summaries": {
                    provider: self._summary(call, provider, room) for provider, room in chosen
                },
            }
        )

    async def providers(self, call: Call) -> Response:
        """List the providers."""
        found = (await self._ids()).values()
        name, identifier = call.query.get("name"), call.query.get("uuid")
        required = frozenset(call.query.get("required", "").split(",")) - {""}
        self._assert_known(required)
        shown = [
            _provider(row)
            for row in found
            if name in {None, row.hypervisor_hostname}
            and identifier in {None, row.id}
            and required <= self._traits(row.host)
        ]
        return json_answer({"resource_providers": shown})

    async def provider(self, call: Call) -> Response:
        """Show one provider."""
        return json_answer(_provider(await self._one(call)))

    async def inventories(self, call: Call) -> Response:
        """Show what one provider has."""
        machine = self.world.host((await self._one(call)).host)
        totals = zip(CLASSES, (machine.vcpus, machine.ram_mb, machine.disk_gb), strict=True)
        shown = {name: _inventory(total) for name, total in totals}
        return json_answer({"inventories": shown, "resource_provider_generation": 1})

    async def usages(self, call: Call) -> Response:
        """Show what is used of one provider."""
        row = await self._one(call)
        used = _used(self.world, self.world.cloud.free(row.host))
        return json_answer({"usages": used, "resource_provider_generation": 1})

    async def allocations(self, call: Call) -> Response:
        """Show what one server holds, of which hosts; of a stranger: nothing."""
        server = ServerId(call.part("consumer"))
        ids = await self._ids()
        row = self.world.cloud.servers_by_id.get(server)
        held = {
            ids[host].id: {"generation": 1, "resources": resources}
            for host, resources in self.world.cloud.placement.held_by(server)
        }
        if row is None or not held:
            return json_answer({"allocations": {}})
        shown: Document = {"allocations": held, "consumer_generation": 1}
        shown |= {"project_id": row.project_id, "user_id": id_of("user", "admin")}
        return json_answer(
            shown | ({"consumer_type": "INSTANCE"} if call.version >= (1, 38) else {})
        )

    async def _ids(self) -> dict[str, Hypervisor]:
        return {row.host: row for row in await self.world.cloud.hypervisors()}

    async def _one(self, call: Call) -> Hypervisor:
        for row in (await self._ids()).values():
            if row.id == call.part("id"):
                return row
        raise Refused(404, f"No resource provider with uuid {call.part('id')} found")

    def _summary(self, call: Call, provider: str, room: Room) -> Document:
        machine = self.world.host(room.host)
        used = _used(self.world, room)
        capacities = zip(CLASSES, (machine.vcpus, machine.ram_mb, machine.disk_gb), strict=True)
        shown: Document = {
            "resources": {
                name: {"capacity": capacity, "used": used[name]} for name, capacity in capacities
            },
            "traits": sorted(self._traits(machine.name)),
        }
        if call.version >= (1, 29):
            shown |= {"parent_provider_uuid": None, "root_provider_uuid": provider}
        return shown

    def _traits(self, host: HostName) -> frozenset[str]:
        tpm = frozenset({f"{TPM}1_2", f"{TPM}2_0"} if self.world.cloud.has_tpm(host) else ())
        return self.world.host(host).traits | tpm

    def _assert_known(self, traits: frozenset[str]) -> None:
        strangers = sorted(t for t in traits if t.startswith("CUSTOM_"))
        if strangers:
            raise Refused(400, f"No such trait(s): {', '.join(strangers)}.")


def _demand(call: Call) -> Demand:
    resources = call.query.get("resources")
    if not resources:
        raise Refused(400, NO_DEMAND)
    wanted: dict[str, int] = {}
    for part in resources.split(","):
        name, _, amount = part.partition(":")
        if not amount.isdigit():
            raise Refused(
                400,
                "Badly formed resources parameter. Expected resources query string parameter in "
                f"form: ?resources=VCPU:2,MEMORY_MB:1024. Got: {part}.",
            )
        if int(amount) < 1:
            raise Refused(400, f"Requested resource {name} requires amount >= 1. Got: {amount}.")
        if name not in CLASSES:
            raise Refused(
                400,
                f"Invalid resource class in resources parameter: No such resource class {name}.",
            )
        wanted[name] = int(amount)
    traits = [t for t in call.query.get("required", "").split(",") if t and not t.startswith("!")]
    return Demand(
        vcpus=wanted.get("VCPU", 0),
        ram_mb=wanted.get("MEMORY_MB", 0),
        disk_gb=wanted.get("DISK_GB", 0),
        required_traits=frozenset(traits),
    )


def _used(world: World, room: Room) -> dict[str, int]:
    machine = world.host(room.host)
    return {
        "VCPU": machine.vcpus - room.vcpus,
        "MEMORY_MB": machine.ram_mb - room.ram_mb,
        "DISK_GB": machine.disk_gb - room.disk_gb,
    }


def _inventory(total: int) -> Document:
    return {
        "total": total,
        "reserved": 0,
        "min_unit": 1,
        "max_unit": total,
        "step_size": 1,
        "allocation_ratio": 1.0,
    }


def _provider(row: Hypervisor) -> Document:
    return {
        "uuid": row.id,
        "name": row.hypervisor_hostname,
        "generation": 1,
        "parent_provider_uuid": None,
        "root_provider_uuid": row.id,
        "links": [{"rel": "self", "href": f"{PREFIX}/resource_providers/{row.id}"}],
    }
