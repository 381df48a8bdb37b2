"""What a flavor asks for that the packing does not count: whether it fits then is not known.

Memory, vCPUs, disk and required traits are packed by Placement's account. Dedicated CPUs, huge pages,
NUMA, passed-through devices and resources of other classes lie with each host's own trackers, or with
providers that are not read (nova 34: scheduler/utils.py, virt/hardware.py, pci/stats.py).
"""

import re
from collections.abc import Iterable, Mapping
from typing import Final

from koboshi.domain.facts.cloud import Flavor, Server
from koboshi.domain.names import ServerId

_KEYS: Final = re.compile(
    r"(hw:(cpu_policy|cpu_dedicated_mask|mem_page_size|numa_|pci_numa_|locked_memory|mem_encryption)"
    r"|pci_passthrough:|accel:|resources[^:]*:|trait)"
)
_PLAIN: Final = {("hw:cpu_policy", "shared")}


def not_counted(flavor: Flavor) -> tuple[str, ...]:
    """Return the extra specs of a flavor that ask for what is not counted, in their order by name."""
    return tuple(
        sorted(
            key
            for key, value in flavor.extra_specs.items()
            if _KEYS.match(key)
            and (key, value) not in _PLAIN
            and not (key.startswith("trait:") and value == "required")
        )
    )


def servers_not_counted(servers: Iterable[Server]) -> Mapping[ServerId, str]:
    """Return the servers for which room is not known, each with what its flavor asks for."""
    return {s.id: ", ".join(keys) for s in servers if (keys := not_counted(s.flavor))}
