"""Whether a host's power device is the one that it was: asked before it is believed, and before *off*.

Cables are moved and boards exchanged while no daemon runs. What a device said of itself is therefore
remembered in the journal, and no process takes its *off* for an answer, or sends it one, before the
device has said the same once more. One that never tells (an outlet, most agents) is taken at its word.
"""

from collections.abc import Iterator

from koboshi.domain.facts.device import BMC
from koboshi.domain.facts.world import World
from koboshi.domain.memory.devices import Devices
from koboshi.domain.memory.events import DeviceIdentified
from koboshi.domain.names import HostName


def table_of(host: HostName, world: World) -> str:
    """Return what the settings say of the host's first device, in short."""
    return world.devices.get(host, {}).get(BMC, "")


def is_unidentified(host: HostName, world: World) -> bool:
    """Return whether the host's first device is known by a serial, and has not told this process any."""
    told = world.identities.get(host)
    return host in world.machines and (told is None or not told.serial)


def why_not_switch(host: HostName, world: World) -> str | None:
    """Return why the host's first device must not be switched, by what it said right now; None if it may."""
    if wrong := world.mistaken.get(host):
        return wrong
    if is_unidentified(host, world):
        return (
            f"the power device of {host} does not say now whose it is, as it did before, when it was "
            f"{world.machines[host]}"
        )
    return None


def is_to_be_remembered(host: HostName, world: World) -> bool:
    """Return whether the host's first device told which machine it is, and nobody knew."""
    told = world.identities.get(host)
    return (
        told is not None
        and bool(told.serial)
        and host not in world.machines
        and host not in world.mistaken
    )


def identified(host: HostName, world: World, devices: Devices) -> Iterator[DeviceIdentified]:
    """Tell what the host's first device said of itself for the first time under these settings.

    Nothing while it is quarantined: it may be another host's, and is not to be known by that.
    """
    if is_to_be_remembered(host, world) and BMC not in devices.distrusted(host):
        serial = world.identities[host].serial
        yield DeviceIdentified(host=host, device=BMC, serial=serial, table=table_of(host, world))
