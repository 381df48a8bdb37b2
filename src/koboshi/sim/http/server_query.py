"""Which query parameters a list of servers knows: from 2.75 on any other is refused.

After nova 34's api/openstack/compute/schemas/servers.py, index_query_v275, and common.py.
"""

from koboshi.sim.http.call import Call
from koboshi.sim.http.errors import Refused

STRICT = (2, 75)
KNOWN = frozenset(
    [
        "access_ip_v4",
        "access_ip_v6",
        "all_tenants",
        "auto_disk_config",
        "availability_zone",
        "block_device_mapping",
        "changes-before",
        "changes-since",
        "config_drive",
        "created_at",
        "deleted",
        "description",
        "display_description",
        "display_name",
        "flavor",
        "host",
        "hostname",
        "image",
        "image_ref",
        "info_cache",
        "ip",
        "ip6",
        "kernel_id",
        "key_name",
        "launch_index",
        "launched_at",
        "limit",
        "locked",
        "locked_by",
        "marker",
        "metadata",
        "name",
        "node",
        "not-tags",
        "not-tags-any",
        "pci_devices",
        "power_state",
        "progress",
        "project_id",
        "ramdisk_id",
        "reservation_id",
        "root_device_name",
        "security_groups",
        "services",
        "soft_deleted",
        "sort_dir",
        "sort_key",
        "status",
        "system_metadata",
        "tags",
        "tags-any",
        "task_state",
        "tenant_id",
        "terminated_at",
        "user_id",
        "uuid",
        "vm_state",
    ]
)
STATUSES = frozenset(
    [
        "ACTIVE",
        "BUILD",
        "DELETED",
        "ERROR",
        "HARD_REBOOT",
        "MIGRATING",
        "PASSWORD",
        "PAUSED",
        "REBOOT",
        "REBUILD",
        "RESCUE",
        "RESIZE",
        "REVERT_RESIZE",
        "SHELVED",
        "SHELVED_OFFLOADED",
        "SHUTOFF",
        "SOFT_DELETED",
        "SUSPENDED",
        "VERIFY_RESIZE",
    ]
)
STATUS_IS_HELD = (2, 38)


def hold(call: Call) -> None:
    """Refuse what a list of servers may not be asked for. Raises Refused."""
    for name in call.query:
        if call.version >= STRICT and name not in KNOWN and not name.startswith("_"):
            raise Refused(400, f"'{name}' does not match any of the regexes: '^_'")
    status = call.query.get("status")
    if status is not None and status.upper() not in STATUSES and call.version >= STATUS_IS_HELD:
        raise Refused(400, "Invalid status value")
