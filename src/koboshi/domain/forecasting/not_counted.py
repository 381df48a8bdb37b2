"""What a server asks for that the packing does not count: whether it fits then is not known.

Memory, vCPUs, disk and required traits are packed by Placement's account; `facts/wishes.py` tells
what else a flavor or an image may ask for. A port asks for a device of its host's (SR-IOV, vDPA, …),
or for resources of its own (a minimum bandwidth).
"""

from collections.abc import Mapping

from koboshi.domain.facts.cloud import Server
from koboshi.domain.facts.stock import Port, Stock, made_from, wishes_of
from koboshi.domain.facts.wishes import uncountable
from koboshi.domain.names import ServerId


def not_counted(
    server: Server, image: Mapping[str, str], ports: tuple[Port, ...] = ()
) -> tuple[str, ...]:
    """Return what is asked for and not counted: by name where flavor or image say it, ports in words."""
    named = sorted(set(uncountable(server.flavor.extra_specs, image)))
    return (*named, *sorted({words for port in ports for words in port.asks}))


def servers_not_counted(stock: Stock) -> Mapping[ServerId, str]:
    """Return the servers for which room is not known, each with what it asks for."""
    images, volumes, ports = stock.images or {}, stock.volumes or {}, stock.ports or {}
    return {
        s.id: ", ".join(asked)
        for s in stock.servers
        if (asked := not_counted(s, wishes_of(made_from(s, images, volumes)), ports.get(s.id, ())))
    }
