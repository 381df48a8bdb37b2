"""What a flavor, an image or a port asks of a host beside memory, vCPUs and disk.

A required trait can be looked up at each host. Dedicated CPUs, huge pages, NUMA, passed-through
devices and resources of other classes cannot: they lie with each host's own trackers, or with
providers that are not read (nova 34: scheduler/utils.py ResourceRequest, virt/hardware.py
numa_get_constraints, objects/image_meta.py ImageMetaProps, pci/stats.py).
"""

import re
from collections.abc import Iterator, Mapping
from typing import Final

SECURE_BOOT: Final = "COMPUTE_SECURITY_UEFI_SECURE_BOOT"
"""What nova requires where secure boot is (scheduler/utils.py: _translate_secure_boot_request)."""
_TRAIT: Final = "trait:"
_REQUIRED: Final = "required"
_FOR_SECURE_BOOT: Final = frozenset({"os:secure_boot", "os_secure_boot"})
_WISH: Final = re.compile(
    r"(hw[:_](cpu_(policy|thread_policy|realtime|dedicated_mask)|emulator_threads_policy|mem_page_size|numa_"
    r"|pci_numa_|locked_memory|mem_encryption|pmem|maxphysaddr_|firmware_stateless)"
    r"|pci_passthrough:|accel:|resources[^:]*:)"
)
_NO: Final = frozenset({"false", "no", "off", "0"})
_YES_OR_NO: Final = ("locked_memory", "mem_encryption", "firmware_stateless", "cpu_realtime")
"""How names end whose value says whether it is a wish at all."""


def says_wishes(name: str) -> bool:
    """Return whether a property of an image may ask something of a host: others need not be kept."""
    return name.startswith(_TRAIT) or name in _FOR_SECURE_BOOT or _WISH.match(name) is not None


def traits_required(said: Mapping[str, str]) -> Iterator[str]:
    """Return the traits that a flavor's extra specs, or an image's properties, require of a host."""
    for name, value in said.items():
        if value == _REQUIRED and name.startswith(_TRAIT):
            yield name.removeprefix(_TRAIT)
        elif value == _REQUIRED and name in _FOR_SECURE_BOOT:
            yield SECURE_BOOT


def uncountable(flavor: Mapping[str, str], image: Mapping[str, str]) -> Iterator[str]:
    """Return the names of what is asked for and no count of room tells."""
    for name, value in flavor.items():
        # An image forbids no trait (image_meta.py: _set_attr_from_trait_names), a flavor does, and
        # one that is required of a numbered group is another provider's, perhaps.
        is_trait = name.startswith("trait") and not (name.startswith(_TRAIT) and value == _REQUIRED)
        if is_trait or _is_wish(name, value):
            yield name
    for name, value in image.items():
        if _is_wish(name, value):
            yield name


def _is_wish(name: str, value: str) -> bool:
    if _WISH.match(name) is None:
        return False
    plain = value.strip().lower()
    if name.endswith("cpu_policy"):
        return plain != "shared"
    return not (name.endswith(_YES_OR_NO) and plain in _NO)
