"""The networks of a host: what they carry, and the hosts' addresses on each."""

from enum import StrEnum

from koboshi.sim.physics import Host


class Network(StrEnum):
    """Which of a host's networks."""

    MANAGEMENT = "management"
    TENANT = "tenant"
    STORAGE = "storage"

    def carries_to(self, host: Host) -> bool:
        """Return whether a question over it reaches a host."""
        match self:
            case Network.MANAGEMENT:
                return host.link and host.link_in
            case Network.TENANT:
                return host.tenant_link
            case Network.STORAGE:
                return host.storage_link

    def address_of(self, host: Host) -> str:
        """Return what a host is called on it: a name there, its address on the management network."""
        return host.address if self is Network.MANAGEMENT else f"{host.name}.{self}"
