"""The verdict of the demo: everything that is not as it must be is wrong."""

from dataclasses import replace

import anyio
import pytest

from koboshi.rehearsal.demo.cloud import VICTIM, build, furnish
from koboshi.rehearsal.demo.ending import Ending, end, look
from koboshi.rehearsal.windows import shortened
from koboshi.sim.invariants import Judge
from koboshi.sim.journal import Disk
from koboshi.sim.services import key_of
from koboshi.sim.world import World

pytestmark = pytest.mark.anyio


async def _ended(*, evacuate: bool) -> Ending:
    """Let the host die and return under nobody's eyes; an operator evacuates all of it, or nothing."""
    endings: list[Ending] = []
    async with anyio.create_task_group() as tasks:
        world = World.around(build())
        world.cloud.begin(tasks)
        furnish(world.cloud)
        judge = Judge(world, Disk(), shortened())
        await anyio.sleep(5)
        before = look(world)
        world.physics.cut_power(VICTIM)
        await anyio.sleep(30)
        if evacuate:
            for server in before:
                if world.cloud.servers_by_id[server].host == VICTIM:
                    world.cloud.accept_evacuate(server, None)
        await anyio.sleep(30)
        await world.cloud.boot(VICTIM)
        await anyio.sleep(60)
        endings.append(end(judge, before))
        tasks.cancel_scope.cancel()
    return endings[0]


async def test_without_anybody_who_recovers_the_servers_it_is_wrong() -> None:
    ending = await _ended(evacuate=False)
    right = {row.name for row in ending.rows if row.is_right}
    assert right == {"sandbox"}
    assert "shop-db is not as it should be" in ending.wrong


async def test_servers_made_again_from_their_image_are_wrong_and_their_data_is_named() -> None:
    ending = await _ended(evacuate=True)
    rows = {row.name: row for row in ending.rows}
    assert {name for name, row in rows.items() if row.is_right} == {
        "shop-db",
        "shop-web",
        "mail",
        "reports",
    }
    assert rows["cache"].data_after == "root destroyed"
    assert rows["build-agent"].data_after == "volume kept, root destroyed"


async def test_a_host_that_is_still_forced_down_is_not_home() -> None:
    async with anyio.create_task_group() as tasks:
        world = World.around(build())
        world.cloud.begin(tasks)
        furnish(world.cloud)
        judge = Judge(world, Disk(), shortened())
        before = look(world)
        assert "compute1 is not home: disabled, or forced down" not in end(judge, before).wrong
        table = world.cloud.service_table
        table.put(replace(table.row(key_of(VICTIM)), forced_down=True))
        assert "compute1 is not home: disabled, or forced down" in end(judge, before).wrong
        tasks.cancel_scope.cancel()
