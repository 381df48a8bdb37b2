"""The answers that grow with the cloud and come again and again: parsed by a swifter library.

Nova's services and Neutron's agents (rows of each host, every few seconds) and pages of all servers. msgspec reads them several
times faster than pydantic and builds nothing for the fields that are not named here.
"""

from datetime import datetime
from typing import Any, TypeVar

import msgspec

from koboshi.adapters.openstack.shapes import MISSING
from koboshi.adapters.openstack.wire import Answer
from koboshi.domain.errors import InvalidAnswer


class Service(msgspec.Struct, frozen=True, gc=False):
    """One service; a cell that does not answer gives only binary, host and UNKNOWN (2.69)."""

    binary: str
    host: str
    status: str
    id: str | None = None
    state: str | None = None
    zone: str | None = None
    forced_down: bool | None = None
    updated_at: datetime | None = None
    disabled_reason: str | None = None


class Services(msgspec.Struct, frozen=True):
    """`GET /os-services`."""

    services: list[Service]


class VolumeService(msgspec.Struct, frozen=True):
    """One of Cinder's services."""

    binary: str
    host: str


class VolumeServices(msgspec.Struct, frozen=True):
    """`GET /os-services` of Cinder."""

    services: list[VolumeService]


class Link(msgspec.Struct, frozen=True):
    """Where the next page is; only its presence is used, never its address."""

    rel: str


class SweptServer(msgspec.Struct, frozen=True, gc=False):
    """What a sweep keeps of one server."""

    id: str
    status: str
    vm_state: str = msgspec.field(name="OS-EXT-STS:vm_state")
    metadata: dict[str, str]
    name: str = ""
    host: str | None = msgspec.field(name="OS-EXT-SRV-ATTR:host", default=MISSING)


class SweptServers(msgspec.Struct, frozen=True):
    """`GET /servers/detail`."""

    servers: list[SweptServer]
    servers_links: list[Link] = msgspec.field(default_factory=list[Link])


class Agent(msgspec.Struct, frozen=True, gc=False):
    """One of Neutron's agents."""

    id: str
    host: str
    binary: str
    admin_state_up: bool
    heartbeat_timestamp: str


class Agents(msgspec.Struct, frozen=True):
    """`GET /v2.0/agents`."""

    agents: list[Agent]
    agents_links: list[Link] = msgspec.field(default_factory=list[Link])


StructT = TypeVar("StructT", bound="msgspec.Struct | dict[str, Any]")


def parse(shape: type[StructT], answer: Answer) -> StructT:
    """Return the answer's body as `shape`. Raises InvalidAnswer naming the call and the field."""
    try:
        return msgspec.json.decode(answer.body, type=shape)
    except msgspec.DecodeError as error:
        what = "an HTML page (a proxy's?)" if answer.is_html else str(error)
        raise InvalidAnswer(
            f"{answer.request.label} ({answer.request.service}): HTTP {answer.status} with an "
            f"answer of another shape than expected: {what}",
        ) from None
