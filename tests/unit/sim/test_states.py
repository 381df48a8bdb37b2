"""The status word that Nova makes of two states."""

import pytest

from koboshi.sim.states import shown


@pytest.mark.parametrize(
    ("vm_state", "task_state", "status"),
    [
        ("active", None, "ACTIVE"),
        ("active", "powering-off", "ACTIVE"),
        ("active", "rebuild_spawning", "REBUILD"),
        ("stopped", "rebuilding", "REBUILD"),
        ("error", "rebuild_block_device_mapping", "REBUILD"),
        ("error", None, "ERROR"),
        ("error", "rebooting_hard", "ERROR"),
        ("active", "rebooting_hard", "HARD_REBOOT"),
        ("active", "resize_migrated", "RESIZE"),
        ("resized", None, "VERIFY_RESIZE"),
        ("stopped", None, "SHUTOFF"),
        ("shelved_offloaded", None, "SHELVED_OFFLOADED"),
        ("what-is-this", None, "UNKNOWN"),
    ],
)
def test_shown(vm_state: str, task_state: str | None, status: str) -> None:
    assert shown(vm_state, task_state) == status
