"""Power devices behind the `Fence` port."""

from koboshi.adapters.fencing.agent import AgentAccess, AgentFence
from koboshi.adapters.fencing.chain import Chain, Feeds
from koboshi.adapters.fencing.inspecting import Trouble, inspect
from koboshi.adapters.fencing.redfish import BmcAccess, RedfishFence

__all__ = [
    "AgentAccess",
    "AgentFence",
    "BmcAccess",
    "Chain",
    "Feeds",
    "RedfishFence",
    "Trouble",
    "inspect",
]
