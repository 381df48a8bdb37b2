"""A small OpenStack in memory: Nova's database, its heartbeats, and its API as the port has it.

What it claims of Nova is what nova 34 does (compute/api.py, conductor/manager.py,
compute/manager.py); the lab's tests hold the same stories against the real thing.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import anyio
from anyio.abc import TaskGroup

from koboshi.domain.cloud import (
    ComputeService,
    Demand,
    Hypervisor,
    Migration,
    Room,
    Running,
    Server,
    ServerGroup,
)
from koboshi.domain.disks import demand_of
from koboshi.domain.errors import CloudUnavailable, CommandRefused
from koboshi.domain.names import HostName, MigrationId, ServerId, ServiceId
from koboshi.sim import host_start, migrating, operating
from koboshi.sim.evacuating import Evacuation
from koboshi.sim.line import Fails, Line
from koboshi.sim.operating import refuse
from koboshi.sim.physics import Host, Physics
from koboshi.sim.truth import By, EvacuationBegan, ServiceEdited
from koboshi.sim.virtual_time import BEGINNING

NOVA_IS_AHEAD = timedelta(minutes=37)
"""Nova's clock and ours never agree; whoever compares them fails the tests."""
ACCEPTS_EVACUATE = frozenset({"active", "stopped", "error"})
DIAGNOSTICS_TIMEOUT_S = 5.0


class SimCloud:
    """Implements ports.cloud.Cloud."""

    def __init__(
        self,
        hosts: Iterable[Host],
        *,
        heartbeat_s: float = 10.0,
        down_after_s: float = 60.0,
    ) -> None:
        self.physics = Physics(hosts)
        self.line = Line(lambda: self.database_works, self.physics.witnesses.tell)
        self.heartbeat_s = heartbeat_s
        self.down_after_s = down_after_s
        self.bus_works = True
        """Without it no heartbeat arrives."""
        self.conductor_works = True
        self.scheduler_works = True
        self.database_works = True
        """Without it the API answers 500 to everything, and no heartbeat is written."""
        self.cell_works = True
        """Without it the cell's rows read UNKNOWN, and its servers vanish from lists."""
        self.conductor_clock_ahead_s = 0.0
        """It stamps the heartbeats; the API compares them with its own clock."""
        self.schedule_s = 0.3
        self.finish_s = 0.3
        self.servers_by_id: dict[ServerId, Server] = {}
        self.records: list[Migration] = []
        self.groups: list[ServerGroup] = []
        self.dead_images: set[str] = set()
        self.zones: dict[HostName, str] = {}
        self.types: dict[HostName, str] = {}
        """Hypervisor types, where they are not QEMU."""
        self.token: dict[ServerId, int] = {}
        """Which request set the server's task state last (nova's expected_task_state guard)."""
        self._services: dict[str, ComputeService] = {}
        self._beats: dict[str, float] = {}
        self._hidden: set[str] = set()
        self._tasks: TaskGroup | None = None

    # What runs by itself

    def begin(self, tasks: TaskGroup) -> None:
        """Start the heartbeats."""
        self._tasks = tasks
        names = [("nova-compute", h) for h in self.physics.hosts]
        names += [("nova-conductor", HostName("ctl1")), ("nova-scheduler", HostName("ctl1"))]
        for number, (binary, host) in enumerate(names):
            key = f"{binary}@{host}"
            self._services[key] = ComputeService(
                host=host,
                binary=binary,
                id=ServiceId(f"service-{number}"),
                zone=self.zones.get(host, "nova" if binary == "nova-compute" else "internal"),
                up=True,
                updated_at=self.nova_now(),
            )
            self._beats[key] = anyio.current_time()
            tasks.start_soon(self._heartbeats, key, 0.37 + 1.3 * number)

    @property
    def tasks(self) -> TaskGroup:
        """Return where things of the cloud happen, whatever becomes of their callers."""
        if self._tasks is None:
            raise RuntimeError("the cloud has not begun")
        return self._tasks

    def nova_now(self) -> datetime:
        """Return the time by Nova's clock."""
        ahead = NOVA_IS_AHEAD + timedelta(seconds=self.conductor_clock_ahead_s)
        return BEGINNING + ahead + timedelta(seconds=anyio.current_time())

    async def _heartbeats(self, key: str, phase_s: float) -> None:
        await anyio.sleep(phase_s % self.heartbeat_s)
        while True:
            written = self.bus_works and self.database_works and self.conductor_works
            if written and self._reports(key):
                self.heartbeat(key)
            await anyio.sleep(self.heartbeat_s)

    def _reports(self, key: str) -> bool:
        binary, _, host = key.partition("@")
        if binary == "nova-compute":
            return self.physics.hosts[HostName(host)].reports
        return binary != "nova-scheduler" or self.scheduler_works

    def heartbeat(self, key: str) -> None:
        """Write one heartbeat, due or late."""
        self._beats[key] = anyio.current_time() + self.conductor_clock_ahead_s
        self.edit(key)

    def edit(self, key: str, **changes: bool | str | None) -> None:
        """Change a service's row, as anybody but Koboshi does."""
        self._edit(By.OTHERS, key, changes)

    def _edit(self, by: By, key: str, changes: Mapping[str, bool | str | None]) -> None:
        before = self._services[key]
        row = replace(before, updated_at=self.nova_now())
        if "enabled" in changes:
            row = replace(row, enabled=bool(changes["enabled"]))
        if "forced_down" in changes:
            row = replace(row, forced_down=bool(changes["forced_down"]))
        if "disabled_reason" in changes:
            reason = changes["disabled_reason"]
            row = replace(row, disabled_reason=None if reason is None else str(reason))
        self._services[key] = row
        if changes:
            now_s = anyio.current_time()
            edited = ServiceEdited(at_s=now_s, by=by, before=before, after=row)
            self.physics.witnesses.tell(edited)

    def row(self, host: HostName) -> ComputeService:
        """Return nova-compute's row as the database has it."""
        return self._services[f"nova-compute@{host}"]

    def rows(self) -> tuple[ComputeService, ...]:
        """Return every service's row as the database has it, with Nova's opinion of now."""
        return tuple(self._judged(key, row) for key, row in self._services.items())

    def judged(self, host: HostName) -> ComputeService:
        """Return nova-compute's row with Nova's opinion of now."""
        key = f"nova-compute@{host}"
        return self._judged(key, self._services[key])

    def _judged(self, key: str, row: ComputeService) -> ComputeService:
        return replace(row, up=not row.forced_down and self._fresh(key))

    def set_row(self, row: ComputeService) -> None:
        """Let the database have this row of a service."""
        self._services[f"{row.binary}@{row.host}"] = row

    def hide(self, host: HostName) -> ComputeService:
        """Let a row vanish from the list, as those of a cell that does not answer do."""
        key = f"nova-compute@{host}"
        self._hidden.add(key)
        return self._services[key]

    def show(self, row: ComputeService) -> None:
        """Let it be listed again."""
        self._hidden.discard(f"{row.binary}@{row.host}")

    def is_up(self, host: HostName) -> bool:
        """Return Nova's own opinion of a host."""
        key = f"nova-compute@{host}"
        return not self._services[key].forced_down and self._fresh(key)

    def _fresh(self, key: str) -> bool:
        # As an absolute value: a clock that is ahead counts as down, too (servicegroup/drivers/db.py).
        return abs(anyio.current_time() - self._beats[key]) <= self.down_after_s

    # Servers and records

    def add(self, server: Server) -> Server:
        """Put a server on its host, and let it run if it is active."""
        if server.host is None:
            raise ValueError(f"server {server.id} has no host")
        self.servers_by_id[server.id] = server
        host = self.physics.hosts[server.host]
        if server.vm_state == "active":
            self.physics.start_guest(server.id, host.name)
        self.physics.roots[server.id] = "data"
        if server.image_id is not None:
            host.disks.add(server.id)
        return server

    def change(self, server: ServerId, **changes: Any) -> Server:
        """Change a server's row."""
        row = replace(self.servers_by_id[server], **changes)
        self.servers_by_id[server] = row
        return row

    def record(self, record: MigrationId) -> Migration:
        """Return one record as it is now."""
        return next(r for r in self.records if r.id == record)

    def set_record(self, record: MigrationId, status: str, to: HostName | None = None) -> None:
        """Change a record's status, and its destination if given."""
        for index, row in enumerate(self.records):
            if row.id == record:
                self.records[index] = replace(
                    row,
                    status=status,
                    destination=to or row.destination,
                    updated_at=self.nova_now(),
                )

    def records_of(self, server: ServerId) -> list[Migration]:
        """Return a server's records, oldest first."""
        return [r for r in self.records if r.server == server]

    def free(self, host: HostName) -> Room:
        """Return what a host can still take, by Placement's account."""
        machine = self.physics.hosts[host]
        demands = [
            demand_of(s)
            for s in self.servers_by_id.values()
            if s.host == host
            or any(
                r.is_open and r.destination == host and r.status != "accepted"
                for r in self.records_of(s.id)
            )
        ]
        return Room(
            host=host,
            vcpus=machine.vcpus - sum(d.vcpus for d in demands),
            ram_mb=machine.ram_mb - sum(d.ram_mb for d in demands),
            disk_gb=machine.disk_gb - sum(d.disk_gb for d in demands),
        )

    def choose(
        self, demand: Demand, *, source: HostName, only: HostName | None = None
    ) -> HostName | None:
        """Return the scheduler's answer, never the source: the roomiest host; None if none will do."""
        names = list(self.physics.hosts) if only is None else [only]
        fit = [h for h in names if h != source and self.takes(h, demand)]
        return max(fit, key=lambda h: (self.free(h).ram_mb, h), default=None)

    def takes(self, host: HostName, demand: Demand) -> bool:
        """Return whether the scheduler would send something to a host."""
        row, free = self.row(host), self.free(host)
        return (
            self.is_up(host)
            and row.enabled
            and free.vcpus >= demand.vcpus
            and free.ram_mb >= demand.ram_mb
            and free.disk_gb >= demand.disk_gb
        )

    # ports.cloud.CloudReader

    async def services(self) -> tuple[ComputeService, ...]:
        """Answer with the services' rows as they were when asked."""
        await self.line.read("services")
        rows = tuple(
            self._listed(key, row) for key, row in self._services.items() if key not in self._hidden
        )
        rows = self.line.told("services", "", rows)
        await self.line.way_back("services")
        return rows

    def _listed(self, key: str, row: ComputeService) -> ComputeService:
        if not self.cell_works and row.binary == "nova-compute":
            # 2.69 and later: a stub a host mapping (compute/api.py:_service_get_all_cells).
            return ComputeService(host=row.host, binary=row.binary)
        return self._judged(key, row)

    async def hypervisors(self) -> tuple[Hypervisor, ...]:
        """Answer with one hypervisor a host."""
        await self.line.read("hypervisors")
        return tuple(
            Hypervisor(
                id=f"hypervisor-{h.name}",
                host=h.name,
                hypervisor_hostname=h.name,
                type=self.types.get(h.name, "QEMU"),
                address=h.address,
            )
            for h in self.physics.hosts.values()
        )

    async def servers(self, host: HostName | None = None) -> tuple[Server, ...]:
        """Answer with the servers (of one host)."""
        await self.line.read("servers")
        # With a limit or a filter a dead cell's servers are not there (NOVA-FACTS: api 2.69).
        rows = self.servers_by_id.values() if self.cell_works else ()
        found = tuple(s for s in rows if host is None or s.host == host)
        found = self.line.told("servers", host or "", found)
        await self.line.way_back("servers")
        return found

    async def server(self, server: ServerId) -> Server | None:
        """Answer with one server."""
        await self.line.read("server")
        if not self.cell_works:
            raise CloudUnavailable(f"GET server {server}: its cell does not answer")
        found = self.line.told("server", server, self.servers_by_id.get(server))
        await self.line.way_back("server")
        return found

    async def migrations(
        self,
        *,
        source: HostName | None = None,
        server: ServerId | None = None,
        evacuations_only: bool = False,
        status: str | None = None,
    ) -> tuple[Migration, ...]:
        """Answer with the records that match, newest first."""
        await self.line.read("migrations")
        found = tuple(
            r
            for r in reversed(self.records)
            if (source is None or r.source == source)
            and (server is None or r.server == server)
            and (not evacuations_only or r.is_evacuation)
            and (status is None or r.status == status)
        )
        found = found if self.cell_works else ()
        question = f"{source} {server} {evacuations_only} {status}"
        found = self.line.told("migrations", question, found)
        await self.line.way_back("migrations")
        return found

    async def server_groups(self) -> tuple[ServerGroup, ...]:
        """Answer with the server groups."""
        await self.line.read("server_groups")
        return tuple(self.groups)

    async def image_is_active(self, image_id: str) -> bool:
        """Answer whether Glance would serve the image."""
        await self.line.read("image")
        return image_id not in self.dead_images

    async def room(self, demand: Demand) -> tuple[Room, ...]:
        """Answer with the hosts that have room by Placement's account, dead ones too."""
        await self.line.read("room")
        rooms = (self.free(h) for h in self.physics.hosts)
        return tuple(
            r
            for r in rooms
            if r.vcpus >= demand.vcpus and r.ram_mb >= demand.ram_mb and r.disk_gb >= demand.disk_gb
        )

    async def is_running(self, server: ServerId) -> Running:
        """Answer for the hypervisor; a host that is down blocks, as Nova's RPC does."""
        self.line.calls["diagnostics"] += 1
        await anyio.sleep(self.line.latency_s)
        row = self.servers_by_id.get(server)
        if row is None or row.host is None:
            return Running.UNKNOWN
        if not self.physics.hosts[row.host].reports:
            await anyio.sleep(DIAGNOSTICS_TIMEOUT_S)
            return Running.UNKNOWN
        return Running.YES if server in self.physics.hosts[row.host].domains else Running.NO

    # ports.cloud.CloudCommands

    async def isolate(self, service: ServiceId, reason: str) -> None:
        """Disable a service and force it down."""
        key = next(k for k, row in self._services.items() if row.id == service)
        fault = await self.line.command("isolate", key, reason)
        changes = {"enabled": False, "forced_down": True, "disabled_reason": reason}
        self._edit(By.KOBOSHI, key, changes)
        await self.line.answer("isolate", fault)

    async def evacuate(self, server: ServerId, destination: HostName) -> None:
        """Take an evacuate request, as Nova's API does."""
        fault = await self.line.command("evacuate", server, destination)
        if fault is not None and fault.how is Fails.LATE:
            self.tasks.start_soon(self._late_evacuate, server, destination, fault.late_s)
        else:
            self.accept_evacuate(server, destination, By.KOBOSHI)
        await self.line.answer("evacuate", fault)

    async def _late_evacuate(self, server: ServerId, destination: HostName, by_s: float) -> None:
        await anyio.sleep(by_s)
        with suppress(CommandRefused):  # nobody is there to be told
            self.accept_evacuate(server, destination, By.KOBOSHI)

    def accept_evacuate(
        self, server: ServerId, destination: HostName | None, by: By = By.OTHERS
    ) -> None:
        """Do what the API does with an evacuate request of anybody; None: the scheduler chooses."""
        row = self.servers_by_id.get(server)
        if row is None or row.host is None:
            refuse(404, f"Instance {server} could not be found.")
        if destination == row.host:
            refuse(400, "The target host can't be the same one.")
        if destination is not None and destination not in self.physics.hosts:
            refuse(404, f"Compute host {destination} not found.")
        if row.vm_state not in ACCEPTS_EVACUATE:
            refuse(
                409, f"Cannot 'evacuate' instance {server} while it is in vm_state {row.vm_state}"
            )
        if self.is_up(row.host):
            refuse(400, f"Compute service of {row.host} is still in use.")
        before = row.vm_state
        self.token[server] = self.token.get(server, 0) + 1
        self.change(server, task_state="rebuilding", status="REBUILD")
        migration = Migration(
            id=MigrationId(f"record-{len(self.records) + 1}"),
            server=server,
            source=row.host,
            destination=destination,
            status="accepted",
            type="evacuation",
            created_at=self.nova_now(),
            updated_at=self.nova_now(),
        )
        self.records.append(migration)
        self.physics.witnesses.tell(
            EvacuationBegan(at_s=anyio.current_time(), server=server, record=migration.id, by=by)
        )
        work = Evacuation(
            self, server=server, destination=destination, vm_state=before, token=self.token[server]
        )
        self.tasks.start_soon(work.run)

    async def stop(self, server: ServerId) -> None:
        """Take a stop request."""
        fault = await self.line.command("stop", server)
        self.accept_stop(server)
        await self.line.answer("stop", fault)

    # Requests of anybody: what the API does; each raises NovaRefused

    def accept_stop(self, server: ServerId) -> None:
        """Take os-stop."""
        operating.stop(self, server)

    def accept_start(self, server: ServerId) -> None:
        """Take os-start."""
        operating.start(self, server)

    def accept_reboot(self, server: ServerId) -> None:
        """Take a HARD reboot."""
        operating.reboot(self, server)

    def accept_reset(self, server: ServerId, state: str) -> None:
        """Take os-resetState."""
        operating.reset(self, server, state)

    def accept_delete(self, server: ServerId) -> None:
        """Take a DELETE."""
        operating.server_of(self, server)
        self.delete(server)

    def accept_live_migrate(self, server: ServerId, destination: HostName | None = None) -> None:
        """Take os-migrateLive."""
        migrating.live_migrate(self, server, destination)

    def accept_service_update(self, host: HostName, **changes: bool | str | None) -> None:
        """Take a PUT of a compute service: enabled, disabled_reason, forced_down."""
        operating.update_service(self, host, changes)

    # What people and machines do meanwhile

    def delete(self, server: ServerId) -> None:
        """Delete a server, as its owner does."""
        for host in self.physics.where(server):
            self.physics.stop_guest(server, host)
        del self.servers_by_id[server]
        self.token[server] = -1

    def guest_dies(self, server: ServerId) -> None:
        """Let a guest's QEMU die."""
        host_start.guest_dies(self, server)

    async def boot(self, host: HostName) -> None:
        """Switch a host on, and return when its nova-compute has started."""
        await host_start.boot(self, host)

    def start_compute(self, host: HostName) -> None:
        """Start nova-compute on a host that has power."""
        host_start.start_compute(self, host)
