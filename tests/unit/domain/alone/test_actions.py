"""Who stopped a server: Nova's own stop has no user, and nobody has decided anything since."""

import pytest

from koboshi.domain.alone.actions import is_novas_own_stop
from koboshi.domain.facts.cloud import InstanceAction
from koboshi.sim.virtual_time import BEGINNING


def actions(*told: tuple[str, str | None]) -> list[InstanceAction]:
    return [InstanceAction(name=name, user=user, at=BEGINNING) for name, user in told]


@pytest.mark.parametrize(
    ("newest_first", "own"),
    [
        ([("stop", None)], True),
        ([("stop", None), ("create", "u")], True),
        ([("stop", "u")], False),
        ([("stop", "u"), ("stop", None)], False),
        ([("lock", "u"), ("createImage", "u"), ("stop", None)], True),
        ([("start", "u"), ("stop", None)], False),
        ([("evacuate", "u"), ("stop", None)], False),
        ([("unheard-of", "u"), ("stop", None)], False),
        ([("reboot", None)], False),
        ([("lock", "u")], False),
        ([], False),
    ],
)
def test_the_newest_action_that_says_anything_decides(
    newest_first: list[tuple[str, str | None]], *, own: bool
) -> None:
    assert is_novas_own_stop(actions(*newest_first)) is own
