"""What a power device says it is: the only way to find, by reading, that it is another host's."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from koboshi.domain.names import HostName


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """A device's own words; empty where it does not tell."""

    serial: str = ""
    """What names the machine behind it, and no other (Redfish: UUID, or else SerialNumber)."""
    host_name: str = ""
    """The name that the operating system gave to it (Redfish: HostName)."""


NAMELESS = Identity()
"""A device that tells nothing of itself."""

BMC = "bmc"
"""The name of a host's first power device."""
OUTLETS = "outlets"
"""... and of what feeds it, all of it together."""


def mistaken(
    identities: Mapping[HostName, Identity],
    known: Iterable[HostName],
    machines: Mapping[HostName, str] | None = None,
) -> dict[HostName, str]:
    """Return the hosts whose device says that it is another's, in words.

    By one serial twice, by another host's name, or by another serial than `machines` has of it.
    """
    by_serial: dict[str, list[HostName]] = {}
    by_name = {_short(host): host for host in known}
    found: dict[HostName, str] = {}
    machines = machines or {}
    for host, told in identities.items():
        if is_another(told, machines.get(host, "")):
            found[host] = _another(host, told, machines)
        if told.serial:
            by_serial.setdefault(told.serial.lower(), []).append(host)
        named = by_name.get(_short(told.host_name))
        if told.host_name and named is not None and _short(named) != _short(host):
            found[host] = (
                f"the power device of {host} says that its machine is {told.host_name}: an off for "
                f"{host} would kill {named}"
            )
    for serial, hosts in by_serial.items():
        for host in hosts if len(hosts) > 1 else ():
            others = ", ".join(sorted(other for other in hosts if other != host))
            found[host] = (
                f"the power devices of {host} and of {others} say that they are the same machine "
                f"({serial}): an off for one would hit the other"
            )
    return found


def is_another(told: Identity, machine: str) -> bool:
    """Return whether a device says that it is not `machine`, the serial by which it is known."""
    return bool(told.serial and machine) and told.serial.lower() != machine.lower()


def _another(host: HostName, told: Identity, machines: Mapping[HostName, str]) -> str:
    owner = next((h for h, m in machines.items() if m.lower() == told.serial.lower()), None)
    whose = f"{owner}'s" if owner else "a machine that is not known here"
    return (
        f"the power device of {host} says that its machine is {told.serial}, and it was "
        f"{machines[host]}: it may have been moved, and an off for {host} would hit {whose}. If the "
        f'board was exchanged, declare the new one: machine = "{told.serial}" in [fencing.hosts.{host}]'
    )


def _short(name: str) -> str:
    return name.partition(".")[0].lower()
