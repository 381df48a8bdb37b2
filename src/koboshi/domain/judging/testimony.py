"""What a witness says of a host, told so that a person can weigh it: who, how old, in which group."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from koboshi.domain.names import NetworkName


class External(StrEnum):
    """What a witness outside of the cloud says of a host."""

    ALIVE = "alive"
    DONT_KNOW = "dont_know"


class Group(StrEnum):
    """Witnesses that fail together; each group has one vote."""

    CONTROL_PLANE = "control_plane"
    MANAGEMENT = "management_network"
    FURTHER = "further_network"
    POWER = "power"
    EXTERNAL = "external"
    HOST = "host"


GROUP_MEANING: dict[Group, str] = {
    Group.CONTROL_PLANE: "Nova's heartbeats and Neutron's agents: they share one message bus",
    Group.MANAGEMENT: "whatever is asked over the management network: it shares switches and routes",
    Group.FURTHER: "one further network; each is a group of its own",
    Group.POWER: "the host's power device",
    Group.EXTERNAL: "Prometheus: only ever a witness that a host lives",
    Group.HOST: "the host's own last words (kdump)",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Testimony:
    """One witness's word on one host."""

    witness: str
    """Who speaks: `nova-compute`, `neutron agents`, `ssh:22@10.0.0.1`, `power`, `prometheus`, `kdump`."""
    group: Group
    says: str
    """One word: `fresh`, `late`, `userland`, `kernel`, `quiet`, `silent`, `on`, `off`, `alive`, …"""
    age: timedelta | None
    """How long ago it last heard of the host, or its answer came; None when it never did."""
    sentence: str
    network: NetworkName | None = None
    """Over which network it was asked, where it was."""
