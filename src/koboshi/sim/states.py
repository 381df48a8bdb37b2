"""How Nova shows a server: the status word that it makes of vm_state and task_state."""

from collections.abc import Mapping

REBUILDING = "rebuilding"
REBUILD_VOLUMES = "rebuild_block_device_mapping"
REBUILD_SPAWNING = "rebuild_spawning"
REBUILDS = frozenset({REBUILDING, REBUILD_VOLUMES, REBUILD_SPAWNING})

NOSTATE, RUNNING, PAUSED, SHUTDOWN = 0, 1, 3, 4
"""power_state, as compute/power_state.py numbers it."""

_AT_REST: Mapping[str, str] = {
    "active": "ACTIVE",
    "building": "BUILD",
    "stopped": "SHUTOFF",
    "resized": "VERIFY_RESIZE",
    "paused": "PAUSED",
    "suspended": "SUSPENDED",
    "rescued": "RESCUE",
    "error": "ERROR",
    "deleted": "DELETED",
    "soft-delete": "SOFT_DELETED",
    "shelved": "SHELVED",
    "shelved_offloaded": "SHELVED_OFFLOADED",
}
_RESIZE = dict.fromkeys(
    ("resize_prep", "resize_migrating", "resize_migrated", "resize_finish"), "RESIZE"
)
_REBUILD = dict.fromkeys(REBUILDS, "REBUILD")
_ON_THE_WAY: Mapping[str, Mapping[str, str]] = {
    "active": {
        "rebooting": "REBOOT",
        "reboot_pending": "REBOOT",
        "reboot_started": "REBOOT",
        "rebooting_hard": "HARD_REBOOT",
        "reboot_pending_hard": "HARD_REBOOT",
        "reboot_started_hard": "HARD_REBOOT",
        "updating_password": "PASSWORD",
        "migrating": "MIGRATING",
        **_REBUILD,
        **_RESIZE,
    },
    "stopped": {**_REBUILD, **_RESIZE},
    "resized": {"resize_reverting": "REVERT_RESIZE"},
    "paused": {"migrating": "MIGRATING"},
    "error": dict(_REBUILD),
}


def shown(vm_state: str, task_state: str | None) -> str:
    """Return the status of a server (nova api/openstack/common.py: _STATE_MAP)."""
    at_rest = _AT_REST.get(vm_state, "UNKNOWN")
    return _ON_THE_WAY.get(vm_state, {}).get(task_state or "", at_rest)
