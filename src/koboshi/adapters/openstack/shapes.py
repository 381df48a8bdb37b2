"""The answers' shapes: strict about what Koboshi relies on, blind to everything else.

A field that is missing or of another type means that this is not the answer that was asked for;
it is named, and nothing is guessed.
"""

from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from koboshi.adapters.openstack.wire import Answer
from koboshi.domain.errors import InvalidAnswer


def as_utc(value: datetime) -> datetime:
    """Give Nova's naive times their zone: they are UTC."""
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


Time = Annotated[datetime, AfterValidator(as_utc)]
MISSING = "<missing>"
"""Stands for a field that was not in the answer at all, where null is a value of its own."""


class Shape(BaseModel):
    """Something in an answer."""

    model_config = ConfigDict(extra="ignore", strict=True, frozen=True)


class Link(Shape):
    """Where the next page is; only its presence is used, never its address."""

    rel: str


class ChangedService(Shape):
    """A service after a change."""

    status: str
    forced_down: bool


class OneService(Shape):
    """`PUT /os-services/{id}`."""

    service: ChangedService


class HypervisorService(Shape):
    """The nova-compute that manages a hypervisor."""

    host: str


class Hypervisor(Shape):
    """One hypervisor."""

    id: str
    hypervisor_hostname: str
    hypervisor_type: str
    host_ip: str | None = None
    service: HypervisorService


class Hypervisors(Shape):
    """`GET /os-hypervisors/detail`."""

    hypervisors: list[Hypervisor]
    links: list[Link] = Field(default_factory=list[Link], alias="hypervisors_links")


class Flavor(Shape):
    """The flavor that a server was made with."""

    original_name: str
    vcpus: int
    ram: int
    disk: int
    ephemeral: int
    swap: int
    extra_specs: dict[str, str] = Field(default_factory=dict[str, str])


class Image(Shape):
    """A reference to an image."""

    id: str


class Volume(Shape):
    """An attached volume."""

    id: str


class Fault(Shape):
    """Why a server is in ERROR."""

    message: str = ""


class Server(Shape):
    """One server; a down cell gives hardly more than its id and the status UNKNOWN (2.69)."""

    id: str
    name: str
    tenant_id: str
    status: str
    host: str | None = Field(default=MISSING, alias="OS-EXT-SRV-ATTR:host")
    vm_state: str = Field(alias="OS-EXT-STS:vm_state")
    task_state: str | None = Field(alias="OS-EXT-STS:task_state")
    power_state: int = Field(alias="OS-EXT-STS:power_state")
    launched_at: Time | None = Field(alias="OS-SRV-USG:launched_at")
    availability_zone: str | None = Field(default="", alias="OS-EXT-AZ:availability_zone")
    pinned_availability_zone: str | None = MISSING
    """The zone that its owner asked for (2.96 and later); None: any will do."""
    volumes: list[Volume] = Field(alias="os-extended-volumes:volumes_attached")
    flavor: Flavor
    image: Image | str | None
    config_drive: str
    metadata: dict[str, str]
    tags: list[str] = Field(default_factory=list[str])
    locked: bool
    host_status: str = ""
    fault: Fault | None = None


class Servers(Shape):
    """`GET /servers/detail`."""

    servers: list[Server]
    links: list[Link] = Field(default_factory=list[Link], alias="servers_links")


class DownServer(Shape):
    """What is always there of a server, whether its cell answers or not."""

    id: str
    status: str


class OneDownServer(Shape):
    """`GET /servers/{id}`, the part that is always there."""

    server: DownServer


class OneServer(Shape):
    """`GET /servers/{id}`."""

    server: Server


class Migration(Shape):
    """One migration record."""

    uuid: str
    instance_uuid: str
    source_compute: str | None = MISSING
    dest_compute: str | None = None
    status: str
    migration_type: str
    created_at: Time | None = None
    updated_at: Time | None = None


class Migrations(Shape):
    """`GET /os-migrations`."""

    migrations: list[Migration]
    links: list[Link] = Field(default_factory=list[Link], alias="migrations_links")


class InstanceAction(Shape):
    """One thing that was asked of a server; Nova's own deeds have no user."""

    action: str
    user_id: str | None
    start_time: Time


class InstanceActions(Shape):
    """`GET /servers/{id}/os-instance-actions`."""

    actions: list[InstanceAction] = Field(alias="instanceActions")


class ServerGroup(Shape):
    """One server group (2.64)."""

    id: str
    policy: str | None
    members: list[str]
    name: str = ""
    project_id: str = ""


class ServerGroups(Shape):
    """`GET /os-server-groups`."""

    server_groups: list[ServerGroup]


class Diagnostics(Shape):
    """`GET /servers/{id}/diagnostics` (2.48)."""

    state: str


class Inventory(Shape):
    """What a provider has of one resource class: ratios and reservations are counted in."""

    capacity: int
    used: int


class Provider(Shape):
    """One resource provider of a candidate."""

    resources: dict[str, Inventory]
    root_provider_uuid: str


class NamedProvider(Shape):
    """One resource provider of a list."""

    uuid: str


class Providers(Shape):
    """`GET /resource_providers`."""

    resource_providers: list[NamedProvider]


class Allocation(Shape):
    """What would be taken from one provider."""

    resources: dict[str, int]


class AllocationRequest(Shape):
    """One way to satisfy the demand."""

    allocations: dict[str, Allocation]


class Candidates(Shape):
    """`GET /allocation_candidates` (1.29)."""

    allocation_requests: list[AllocationRequest]
    provider_summaries: dict[str, Provider]


class Aggregate(Shape):
    """One host aggregate (2.41)."""

    name: str
    hosts: list[str]
    metadata: dict[str, str] = Field(default_factory=dict[str, str])


class Aggregates(Shape):
    """`GET /os-aggregates`."""

    aggregates: list[Aggregate]


class Version(Shape):
    """The microversions of the compute API."""

    version: str
    min_version: str


class VersionDocument(Shape):
    """`GET /v2.1/`."""

    version: Version


ShapeT = TypeVar("ShapeT", bound=Shape)


def parse(shape: type[ShapeT], answer: Answer) -> ShapeT:
    """Return the answer's body as `shape`. Raises InvalidAnswer naming the call and the field."""
    try:
        return shape.model_validate_json(answer.body)
    except ValidationError as error:
        first: Any = error.errors(include_url=False, include_input=False, include_context=False)[0]
        field = ".".join(str(part) for part in first["loc"]) or "the whole answer"
        what = "an HTML page (a proxy's?)" if answer.is_html else str(first["msg"])
        raise InvalidAnswer(
            f"{answer.request.label} ({answer.request.service}): HTTP {answer.status} with an "
            f"answer of another shape than expected: {field}: {what}",
        ) from None
