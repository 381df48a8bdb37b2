"""What happens in Nova after an evacuate request was accepted, step by step.

As nova 34 does it (compute/api.py:evacuate, conductor/manager.py:rebuild_instance,
compute/manager.py:rebuild_instance and _do_rebuild_instance): the conductor takes the oldest
accepted record; the destination claims, rebinds, attaches, spawns, writes ACTIVE and no task while
the host still reads the dead source, then the host, and the record's `done` last. Each step guards
itself by the task state that it expects, so a second request ruins the first. Nothing times out.
"""

from collections.abc import Callable
from dataclasses import dataclass

import anyio

from koboshi.domain.facts.cloud import Server
from koboshi.domain.names import HostName, MigrationId, ServerId
from koboshi.sim import scheduler
from koboshi.sim.database import Database
from koboshi.sim.physics import Host, ImageLocked
from koboshi.sim.refusal import refuse, server_of
from koboshi.sim.states import (
    NOSTATE,
    REBUILD_SPAWNING,
    REBUILD_VOLUMES,
    REBUILDING,
    RUNNING,
    SHUTDOWN,
)
from koboshi.sim.truth import By, EvacuationBegan
from koboshi.sim.working import STEP_S, Dead, Work, delivered

ACCEPTS = frozenset({"active", "stopped", "error"})
ATTACH_FAILS_S = 30.0
"""How long a destination tries to connect a volume that it cannot reach."""
DETECTS_STORAGE, CHECKS_HOST, NO_FORCE, LEAVES_STOPPED = (2, 14), (2, 29), (2, 68), (2, 95)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What an evacuate request says, and how its microversion is meant."""

    destination: HostName | None = None
    microversion: tuple[int, int] = (2, 68)
    on_shared_storage: bool | None = None
    """Needed before 2.14, unknown afterwards."""
    force: bool = False

    @property
    def bypasses_scheduler(self) -> bool:
        """Return whether no filter is asked: a host before 2.29, or force until 2.67."""
        if self.destination is None:
            return False
        return self.microversion < CHECKS_HOST or (self.force and self.microversion < NO_FORCE)


def accept(cloud: Database, server: ServerId, request: Request, by: By) -> None:
    """Do what the API does with a request, its checks in its order; raises NovaRefused.

    It looks at neither the task state nor the lock (nova since 26.0.0, bug 1978983).
    """
    row = server_of(cloud, server)
    _check(cloud, row, request)
    record = cloud.new_record(row, "evacuation", request.destination)
    cloud.act(server, "evacuate")
    cloud.change(server, task_state=REBUILDING)
    cloud.physics.witnesses.tell(
        EvacuationBegan(at_s=anyio.current_time(), server=server, record=record.id, by=by)
    )
    work = Evacuation(cloud, server=row, request=request)
    cloud.tasks.start_soon(work.run)


def _check(cloud: Database, row: Server, request: Request) -> None:
    if request.force and request.destination is None:
        refuse(400, "Can't force to a non-provided destination")
    if request.destination is not None and request.destination not in cloud.physics.hosts:
        refuse(404, f"Compute host {request.destination} not found.")
    if request.destination is not None and request.destination == row.host:
        refuse(400, "The target host can't be the same one.")
    if row.id in cloud.shares:
        refuse(409, "Feature not supported with instances that have shares.")
    if cloud.needs_tpm(row):
        refuse(
            400,
            f"Operation 'evacuate' not supported for vTPM-enabled instance ({row.id}).",
        )
    if row.vm_state not in ACCEPTS:
        refuse(409, f"Cannot 'evacuate' instance {row.id} while it is in vm_state {row.vm_state}")
    if not row.launched or row.host is None:
        refuse(409, f"Instance {row.id} is in an invalid state for 'evacuate'")
    if cloud.is_up(row.host):
        refuse(400, f"Compute service of {row.host} is still in use.")


class _Failed(Exception):
    """The destination gave up; the text becomes the server's fault."""


class _Unexpected(Exception):
    """Somebody else has changed the task state; the text becomes the server's fault."""

    def __init__(self, message: str, would_be: str | None) -> None:
        super().__init__(message)
        self.would_be = would_be
        """The task state that this work would have written."""


class _Gone(Exception):
    """The server was deleted meanwhile."""


class _Kept(Exception):
    """The destination gave up, and the server keeps its vm_state."""


class Evacuation:
    """One accepted request on its way."""

    def __init__(self, cloud: Database, *, server: Server, request: Request) -> None:
        self._cloud = cloud
        self._server = server.id
        self._was = server
        self._request = request

    async def run(self) -> None:
        """Do the conductor's part, then the destination's."""
        cloud = self._cloud
        await cloud.until(lambda: cloud.conductor_works and cloud.bus_works)
        await anyio.sleep(cloud.schedule_s)
        if not cloud.conductor_works or not await self._scheduler_answers():
            return  # it was in the hands of who died: accepted, and REBUILD, for good
        record = next(
            (r.id for r in cloud.records_of(self._server) if r.status == "accepted"), None
        )
        if record is None or self._server not in cloud.servers_by_id:
            return
        chosen = self._choose()
        if chosen is None:
            self._no_host(record)
            return
        host = cloud.physics.hosts[chosen]
        cloud.placement.claim(self._server, chosen, cloud.demand_of(self._was))
        await delivered(cloud, host)
        try:
            await _OnDestination(cloud, host, self._was, self._request, record).run()
        except Dead:
            return

    async def _scheduler_answers(self) -> bool:
        """Return whether the scheduler takes the question within the conductor's time-out."""
        with anyio.move_on_after(self._cloud.rpc_timeout_s):
            await self._cloud.until(lambda: self._cloud.scheduler_works)
        return self._cloud.scheduler_works

    def _choose(self) -> HostName | None:
        cloud, to = self._cloud, self._request.destination
        source = self._was.host
        if source is None:
            return None
        if to is not None and self._request.bypasses_scheduler:
            return to if scheduler.has_room(cloud, to, cloud.demand_of(self._was)) else None
        return scheduler.choose(cloud, self._was, source=source, only=to)

    def _no_host(self, record: MigrationId) -> None:
        """Write that there is no valid host: the server becomes ERROR, unless a host was forced."""
        self._cloud.set_record(record, "error")
        if self._request.bypasses_scheduler:
            self._cloud.change(self._server, task_state=None)
            return
        to = self._request.destination
        why = scheduler.why_none(self._cloud, self._cloud.demand_of(self._was), only=to)
        fault = f"No valid host was found. {why}"
        self._cloud.change(self._server, vm_state="error", task_state=None, fault=fault)


class _OnDestination:
    """The destination's part of an evacuation."""

    def __init__(
        self, cloud: Database, host: Host, was: Server, request: Request, record: MigrationId
    ) -> None:
        self._cloud = cloud
        self._host = host
        self._was = was
        self._server = was.id
        self._request = request
        self._record = record
        self._work = Work(cloud, host)
        self._made_disks = False

    async def run(self) -> None:
        """Claim, prepare, spawn, and write down what came of it; raises Dead."""
        try:
            await self._claim()
            await self._prepare()
            await self._spawn()
            await self._finish()
        except _Failed as error:
            self._give_up()
            # ERROR is saved first, the task taken back afterwards (seen on the lab as REBUILD).
            self._cloud.change(self._server, vm_state="error", fault=str(error))
            self._cloud.change(self._server, task_state=None)
        except _Unexpected as error:
            # The stale object is saved, task state and all: seen with nova's own code.
            self._give_up()
            self._cloud.change(
                self._server, vm_state="error", task_state=error.would_be, fault=str(error)
            )
        except _Kept:
            self._give_up()
            self._cloud.change(self._server, task_state=None)
        except _Gone:
            self._give_up()
            self._cloud.physics.erase(self._server, self._host.name)

    def _give_up(self) -> None:
        self._cloud.set_record(self._record, "failed", self._host.name)
        self._cloud.placement.release(self._server, self._host.name)

    async def _step(self, duration_s: float = STEP_S) -> None:
        await self._work.take(duration_s)
        if self._server not in self._cloud.servers_by_id:
            raise _Gone

    def _save(self, *, expects: str, task_state: str | None, **changes: object) -> None:
        """Save the server's row if nobody has touched its task state (expected_task_state)."""
        found = self._cloud.servers_by_id[self._server].task_state
        if found != expects:
            raise _Unexpected(
                f"Conflict updating instance {self._server}. Expected: "
                f"{ {'task_state': [expects]} }. Actual: { {'task_state': found} }",
                task_state,
            )
        self._cloud.change(self._server, task_state=task_state, **changes)

    async def _claim(self) -> None:
        """Check what only the destination can: room, groups, a domain of that name, the disks."""
        cloud, host = self._cloud, self._host
        await self._step()
        if host.claims_fail:  # ComputeResourcesUnavailable: state kept since 21.0.0, bug 1784983
            raise _Kept
        cloud.set_record(self._record, "pre-migrating", host.name)
        row = cloud.servers_by_id[self._server]
        if scheduler.breaks_group(cloud, row, host.name):
            raise _Failed("Anti-affinity instance group policy was violated.")
        if self._server in host.defined:
            raise _Failed(f"Instance {self._server} already exists.")
        flag = self._request.on_shared_storage
        if flag is not None and flag != cloud.physics.has_disks(self._server, host.name):
            raise _Failed("Invalid state of instance files on shared storage")

    async def _prepare(self) -> None:
        """Rebind the ports and connect the volumes; nothing of it is undone by a failure."""
        cloud = self._cloud
        self._save(expects=REBUILDING, task_state=REBUILDING, power_state=NOSTATE)
        await self._step()
        if cloud.physics.needs_storage(self._server, self._host.name):
            if not self._host.storage_link:
                await self._step(ATTACH_FAILS_S)
            if not self._host.storage_link:
                raise _Failed("The volume could not be attached: its storage does not answer")
        if any(not self._is_served(v) for v in self._was.volume_ids):
            await self._step(ATTACH_FAILS_S)
            raise _Failed("The volume could not be attached: its back end does not answer")
        cloud.attach(self._was, self._host.name)
        self._save(expects=REBUILDING, task_state=REBUILD_VOLUMES)
        await self._step()

    def _is_served(self, volume: str) -> bool:
        """Return whether the volume's back end answers: one on a host dies with it."""
        served = self._cloud.backends.get(volume, "").partition("@")[0]
        machine = self._cloud.physics.hosts.get(HostName(served))
        return machine is None or machine.power

    async def _spawn(self) -> None:
        cloud, host = self._cloud, self._host
        self._save(expects=REBUILD_VOLUMES, task_state=REBUILD_SPAWNING)
        if host.spawn_fault is not None:
            await self._step()
            raise _Failed(host.spawn_fault)
        self._die_if("before")
        await self._step(host.spawn_s)
        await self._held_up()
        if self._needs_image():
            raise _Failed(f"Image {self._was.image_id} could not be found.")
        self._made_disks = cloud.physics.make_missing(self._server, host.name)
        try:
            cloud.physics.start_guest(self._server, host.name)
        except ImageLocked as error:
            self._clean_up()
            raise _Failed(str(error)) from error
        self._die_if("after")

    async def _held_up(self) -> None:
        """Wait as long as spawns are held up there."""
        began_s, host = anyio.current_time(), self._host
        while (left_s := began_s + host.spawn_more_s - anyio.current_time()) > 0:
            with anyio.move_on_after(left_s):
                more_s = host.spawn_more_s
                await self._cloud.until(_differs(host, more_s, self._work))
            await self._step(0)

    def _needs_image(self) -> bool:
        there = self._cloud.physics.has_disks(self._server, self._host.name)
        return not there and self._was.image_id in self._cloud.dead_images

    async def _finish(self) -> None:
        cloud = self._cloud
        await self._step()
        self._save(
            expects=REBUILD_SPAWNING, task_state=None, vm_state="active", power_state=RUNNING
        )
        if self._ends_stopped():
            cloud.change(self._server, task_state="powering-off")
            await self._step()
            cloud.physics.stop_guest(self._server, self._host.name)
            cloud.change(self._server, vm_state="stopped", task_state=None, power_state=SHUTDOWN)
        await self._step(cloud.finish_s)
        cloud.change(self._server, host=self._host.name)
        await self._step()
        cloud.set_record(self._record, "done", self._host.name)

    def _ends_stopped(self) -> bool:
        """Return whether it is stopped again: as it was, or by 2.95 (never one that was ERROR)."""
        if self._was.vm_state == "error":
            return False
        return self._was.vm_state == "stopped" or self._request.microversion >= LEAVES_STOPPED

    def _clean_up(self) -> None:
        """Remove what this attempt made there, and nothing else (bug 1550919)."""
        self._cloud.physics.undefine_guest(self._server, self._host.name)
        if self._made_disks:
            self._cloud.physics.destroy_disks(self._server, self._host.name, "its spawn failed")

    def _die_if(self, moment: str) -> None:
        if self._host.die_in_spawn != moment:
            return
        self._host.die_in_spawn = None
        if self._host.dies_with_power:
            self._cloud.physics.cut_power(self._host.name)
        else:
            self._cloud.physics.kill_compute(self._host.name)
        raise Dead


def _differs(host: Host, more_s: float, work: Work) -> Callable[[], bool]:
    return lambda: host.spawn_more_s != more_s or not work.alive
