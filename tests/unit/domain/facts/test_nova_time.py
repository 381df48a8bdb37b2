"""Nova's clock, for "what changed since": no clock of Nova's may have been there before."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from koboshi.domain.facts.nova_time import nova_clock, nova_now
from koboshi.domain.facts.world import ApiView
from tests.fakes.scene import Scene, at, heartbeat


def test_it_is_the_earliest_of_the_fresh_heartbeats() -> None:
    """A conductor whose clock is ahead must not hide what the others write."""
    scene = Scene()
    ahead = heartbeat("h2")
    stamp = ahead.service.updated_at
    assert stamp is not None
    row = replace(ahead.service, updated_at=stamp + timedelta(hours=1))
    scene.world = replace(
        scene.world, services={**scene.world.services, row.host: replace(ahead, service=row)}
    )
    assert nova_clock(scene.world, scene.now) == stamp
    assert nova_now(scene.world) == row.updated_at


def test_a_host_that_is_long_dead_does_not_hold_it_back() -> None:
    scene = Scene()
    fresh = nova_clock(scene.world, scene.now)
    assert nova_clock(scene.dark("h1", for_s=3600).world, scene.now) == fresh


def test_where_nothing_advances_the_newest_stamp_must_do() -> None:
    scene = Scene(hosts=1).dark("h1", for_s=300)
    scene.world = replace(scene.world, control={})
    assert nova_clock(scene.world, scene.now) == nova_now(scene.world)


def unread(scene: Scene) -> None:
    scene.world = replace(scene.world, services_read_at=None)


def failing(scene: Scene) -> None:
    scene.world = replace(scene.world, api=ApiView(failing_since=at(0), error="500"))


def cell_down(scene: Scene) -> None:
    scene.set_heartbeat("h1", 3.0, up=None)


@pytest.mark.parametrize("doubt", [unread, failing, cell_down])
def test_it_is_unknown_while_lists_may_lack_servers(doubt: Callable[[Scene], None]) -> None:
    scene = Scene()
    doubt(scene)
    assert nova_clock(scene.world, scene.now) is None
