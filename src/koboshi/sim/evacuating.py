"""What happens in Nova after an evacuate request was accepted, step by step.

As nova 34 does it: the conductor takes the oldest accepted record; the destination claims, spawns,
writes ACTIVE and no task while the host still reads the dead source, then the host, and the
record's `done` last. Nothing in it times out.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import anyio

from koboshi.domain.disks import demand_of
from koboshi.domain.names import HostName, MigrationId, ServerId
from koboshi.sim.operating import SHOWN
from koboshi.sim.physics import Host

if TYPE_CHECKING:
    from koboshi.sim.nova import SimCloud

STEP_S = 0.2


async def _until(condition: Callable[[], bool]) -> None:
    while True:
        if condition():
            return
        await anyio.sleep(STEP_S)


class _Dead(Exception):
    """Whoever was doing the work is gone: nothing of it is ever finished."""


class Evacuation:
    """One accepted request on its way."""

    def __init__(
        self,
        cloud: "SimCloud",
        *,
        server: ServerId,
        destination: HostName | None,
        vm_state: str,
        token: int,
    ) -> None:
        self._cloud = cloud
        self._server = server
        source = cloud.servers_by_id[server].host
        if source is None:
            raise ValueError(f"server {server} has no host to be evacuated from")
        self._source: HostName = source
        self._destination = destination
        self._vm_state = vm_state
        self._token = token
        self._generation = 0
        self._host: Host

    async def run(self) -> None:
        """Do the conductor's part, then the destination's."""
        await anyio.sleep(self._cloud.schedule_s)
        await _until(lambda: self._cloud.conductor_works and self._cloud.bus_works)
        record = next(
            (r.id for r in self._cloud.records_of(self._server) if r.status == "accepted"), None
        )
        if record is None or self._server not in self._cloud.servers_by_id:
            return
        if not self._cloud.scheduler_works:
            return  # MessagingTimeout in the conductor: record accepted, server REBUILD, for good
        server = self._cloud.servers_by_id[self._server]
        chosen = self._cloud.choose(demand_of(server), source=self._source, only=self._destination)
        if chosen is None:
            self._cloud.set_record(record, "error")
            self._fault("No valid host was found. There are not enough hosts available.")
            return
        self._host = self._cloud.physics.hosts[chosen]
        try:
            await self._on_destination(record)
        except _Dead:
            return

    async def _on_destination(self, record: MigrationId) -> None:
        await _until(lambda: self._host.reports)  # the message waits in its queue
        self._generation = self._host.generation
        await self._pass(STEP_S)
        if self._server in self._host.domains:
            self._fail(record, f"Instance {self._server} already exists.")
            return
        if self._host.claims_fail:
            self._claim_failed(record)
            return
        self._cloud.set_record(record, "pre-migrating", self._host.name)
        if self._host.spawn_fault is not None:
            await self._pass(STEP_S)
            self._fail(record, self._host.spawn_fault)
            return
        if self._host.die_in_spawn == "before":
            self._die()
        await self._pass(self._host.spawn_s)
        await self._more()
        if self._deleted(record):
            return
        self._spawn()
        if self._host.die_in_spawn == "after":
            self._die()
        await self._finish(record)

    async def _more(self) -> None:
        """Wait as long as spawns are held up there, and live."""
        began_s = anyio.current_time()
        while anyio.current_time() - began_s < self._host.spawn_more_s:
            await self._pass(STEP_S)

    def _claim_failed(self, record: MigrationId) -> None:
        """Leave the server as it was (nova since 21.0.0, bug 1784983)."""
        self._cloud.set_record(record, "failed", self._host.name)
        status = SHOWN.get(self._vm_state, "ERROR")
        self._cloud.change(self._server, task_state=None, status=status)

    def _spawn(self) -> None:
        cloud, server = self._cloud, self._cloud.servers_by_id[self._server]
        if server.image_id is not None and self._server not in self._host.disks:
            self._host.disks.add(self._server)
            cloud.physics.lose_data(self._server, self._host.name, "made again from its image")
        cloud.physics.start_guest(self._server, self._host.name)

    async def _finish(self, record: MigrationId) -> None:
        cloud = self._cloud
        await self._pass(STEP_S)
        if self._deleted(record):
            return
        if cloud.token[self._server] != self._token:  # Nova's guard; the guest runs on
            self._fail(record, "Unexpected task state: expecting rebuilding")
            return
        cloud.change(
            self._server, vm_state="active", status="ACTIVE", task_state=None, power_state=1
        )
        if self._vm_state == "stopped":
            cloud.change(self._server, task_state="powering-off")
            await self._pass(STEP_S)
            cloud.physics.stop_guest(self._server, self._host.name)
            cloud.change(
                self._server, vm_state="stopped", status="SHUTOFF", task_state=None, power_state=4
            )
        await self._pass(cloud.finish_s)
        if self._deleted(record):
            return
        cloud.change(self._server, host=self._host.name)
        await self._pass(STEP_S)
        cloud.set_record(record, "done", self._host.name)

    async def _pass(self, duration_s: float) -> None:
        """Let time pass on the destination; raises when its nova-compute did not live through it."""
        await anyio.sleep(duration_s)
        await _until(lambda: not self._alive() or self._host.reports)  # hung, or cut off: it waits
        if not self._alive():
            raise _Dead

    def _alive(self) -> bool:
        host = self._host
        return host.power and host.compute and host.generation == self._generation

    def _die(self) -> None:
        self._host.die_in_spawn = None
        if self._host.dies_with_power:
            self._cloud.physics.cut_power(self._host.name)
        else:
            self._cloud.physics.kill_compute(self._host.name)
        raise _Dead

    def _deleted(self, record: MigrationId) -> bool:
        if self._server in self._cloud.servers_by_id:
            return False
        self._cloud.set_record(record, "failed")
        self._cloud.physics.stop_guest(self._server, self._host.name)
        return True

    def _fail(self, record: MigrationId, fault: str) -> None:
        self._cloud.set_record(record, "failed", self._host.name)
        self._fault(fault)

    def _fault(self, fault: str) -> None:
        self._cloud.change(
            self._server, vm_state="error", status="ERROR", task_state=None, fault=fault
        )
