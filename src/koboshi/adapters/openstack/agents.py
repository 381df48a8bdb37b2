"""Neutron's agents: who reports from which host, over the same message bus as Nova's services."""

from datetime import datetime

from koboshi.adapters.openstack import bulk
from koboshi.adapters.openstack.calls import Calls
from koboshi.adapters.openstack.listing import by_marker
from koboshi.adapters.openstack.shapes import as_utc
from koboshi.adapters.openstack.wire import Answer, Request
from koboshi.domain.errors import InvalidAnswer
from koboshi.domain.facts.cloud import NetworkAgent
from koboshi.domain.names import HostName

FIELDS = ("id", "host", "binary", "admin_state_up", "heartbeat_timestamp")


async def read_agents(calls: Calls) -> tuple[NetworkAgent, ...]:
    """Return every agent, all pages of them; Neutron's own `alive` is not asked for."""

    def page(answer: Answer) -> tuple[list[bulk.Agent], bool]:
        parsed = bulk.parse(bulk.Agents, answer)
        return parsed.agents, any(link.rel == "next" for link in parsed.agents_links)

    request = Request(
        service="network", method="GET", path="/v2.0/agents", params={"fields": FIELDS}
    )
    rows = await by_marker(calls, request, page, lambda row: row.id)
    return tuple(_agent(row) for row in rows)


def _agent(row: bulk.Agent) -> NetworkAgent:
    try:  # seconds without a zone (neutron db/models/agent.py: a naive DateTime in UTC)
        heard = as_utc(datetime.fromisoformat(row.heartbeat_timestamp))
    except ValueError:
        raise InvalidAnswer(
            f"GET /v2.0/agents: agent {row.id} has the heartbeat {row.heartbeat_timestamp!r}"
        ) from None
    return NetworkAgent(
        id=row.id,
        host=HostName(row.host),
        binary=row.binary,
        admin_up=row.admin_state_up,
        heartbeat_at=heard,
    )
