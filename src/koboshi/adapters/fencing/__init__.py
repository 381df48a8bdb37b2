"""Power devices behind the `Fence` port."""

from koboshi.adapters.fencing.redfish import BmcAccess, RedfishFence

__all__ = ["BmcAccess", "RedfishFence"]
