"""Who stopped a server: what its instance actions say.

nova 34 compute/manager.py:_sync_instance_power_state stops what it finds shut down through the stop
API, with its own context: the action has no user (measured on the lab: `stop`, user_id null).
"""

from collections.abc import Iterable
from typing import Final

from koboshi.domain.facts.cloud import InstanceAction

STOP: Final = "stop"
STARTS: Final = "start"
HARMLESS: Final = frozenset(
    {
        "addFloatingIp",
        "attach_interface",
        "attach_volume",
        "changePassword",
        "createBackup",
        "createImage",
        "detach_interface",
        "detach_volume",
        "extend_volume",
        "lock",
        "removeFloatingIp",
        "swap_volume",
        "trigger_crash_dump",
        "unlock",
    },
)
"""Actions that say nothing of whether a server should run (nova compute/instance_actions.py)."""


def is_novas_own_stop(actions: Iterable[InstanceAction]) -> bool:
    """Return whether the newest action that says anything is a stop by nobody; newest first.

    A stop by a user, an action by anybody after Nova's own, and one that is not known here all mean
    that the server is in somebody's hands.
    """
    for action in actions:
        if action.name == STOP:
            return action.user is None
        if action.name not in HARMLESS:
            return False
    return False
