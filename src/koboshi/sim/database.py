"""What Nova knows, rightly or wrongly: its tables, and the processes that keep them.

The work on them is in the modules beside this one: `evacuating`, `migrating`, `host_start`,
`operating`, `scheduler`. The API's face is in `nova`.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import anyio
from anyio.abc import TaskGroup

from koboshi.domain.facts.cloud import (
    COMPUTE_BINARY,
    Aggregate,
    ComputeService,
    Demand,
    InstanceAction,
    Migration,
    Room,
    Server,
    ServerGroup,
)
from koboshi.domain.facts.disks import demand_of
from koboshi.domain.facts.stock import Image, Port, Volume
from koboshi.domain.names import HostName, MigrationId, ServerId
from koboshi.sim.physics import Host, Physics
from koboshi.sim.placement import Placement
from koboshi.sim.records import Records
from koboshi.sim.services import (
    CONTROL_HOST,
    FIRST_PHASE_S,
    JOIN_S,
    PHASE_S,
    Services,
    key_of,
)
from koboshi.sim.states import shown
from koboshi.sim.truth import By
from koboshi.sim.virtual_time import BEGINNING
from koboshi.sim.watched import Watched

NOVA_IS_AHEAD = timedelta(minutes=37)
"""Nova's clock and ours never agree; whoever compares them fails the tests."""
CONTROL = ("nova-conductor", "nova-scheduler")
ADMIN = "admin"
TPM = "COMPUTE_SECURITY_TPM_"
WITH_A_GUEST = frozenset({"active", "paused", "rescued"})
"""States of a server that has a guest: Nova's own sync would stop one without (`_sync_instance_power_state`)."""
SHARED_BACKEND = "ctl1@shared#shared"
"""The back end that serves every volume of which nothing else is said."""


class Catalogue:
    """Images of which there is more to tell than their ids, what was made from them, aggregates, ports."""

    def __init__(self) -> None:
        self.images: dict[str, Image] = {}
        self.aggregates: dict[str, Aggregate] = {}
        self.made_from: dict[str, str] = {}
        """The image that a volume was made from, where it was made from one."""
        self.ports: list[Port] = []
        """Those that ask something of their server's host."""


class Database(Watched):
    """Nova's tables of one cell, Placement's, and what else of the cloud is so by Nova's word."""

    def __init__(
        self,
        hosts: Iterable[Host],
        *,
        heartbeat_s: float = 10.0,
        down_after_s: float = 60.0,
    ) -> None:
        self.physics = Physics(hosts)
        self.signal = self.physics.signal
        self.beginning = BEGINNING
        """What a right clock showed when the loop's time began; whoever serves it sets the real one."""
        self.bus_works = True
        """Without it no heartbeat arrives, and messages wait."""
        self.conductor_works = True
        self.scheduler_works = True
        self.database_works = True
        self.astray: set[ServerId] = set()
        """Servers that a host starts by their owner's order, though Nova has them elsewhere by now."""
        """Without it the API answers 500 to everything, and no heartbeat is written."""
        self.cell_works = True
        """Without it the cell's rows read UNKNOWN, and its servers vanish from lists."""
        self.schedule_s = 0.3
        self.finish_s = 0.3
        self.rpc_timeout_s = 60.0
        """nova's rpc_response_timeout."""
        self.service_table = Services(
            interval_s=heartbeat_s, down_after_s=down_after_s, now=self.nova_now
        )
        self.servers_by_id: dict[ServerId, Server] = {}
        """Read it; write it by `add`, `change` and `forget`."""
        self.changed_at: dict[ServerId, datetime] = {}
        """Each server's updated_at."""
        self.deleted: dict[ServerId, datetime] = {}
        self.deleted_rows: dict[ServerId, Server] = {}
        """Their rows as `changes-since` shows them."""
        self.records = Records()
        self.placement = Placement()
        self.acted: dict[ServerId, list[InstanceAction]] = {}
        """Each server's instance actions (os-instance-actions), oldest first."""
        self.disabled_trait: set[HostName] = set()
        """Hosts whose provider has COMPUTE_STATUS_DISABLED: nova-compute itself keeps it in step."""
        self.attachments: dict[str, tuple[str, ServerId, HostName]] = {}
        """Each volume's attachment: its id, its server, and the host it is connected to."""
        self.backends: dict[str, str] = {}
        """Each volume's back end, where it is not the one that all share."""
        self.port_hosts: dict[ServerId, HostName] = {}
        """The host that each server's ports are bound to."""
        self.groups: list[ServerGroup] = []
        self.shares: set[ServerId] = set()
        """Servers with Manila shares."""
        self.dead_images: set[str] = set()
        self.catalogue = Catalogue()
        self.zones: dict[HostName, str] = {}
        self.types: dict[HostName, str] = {}
        """Hypervisor types, where they are not QEMU."""
        self._by_host: dict[HostName, dict[ServerId, None]] = {}
        self._attached = 0
        self._tasks: TaskGroup | None = None

    # What runs by itself

    def begin(self, tasks: TaskGroup) -> None:
        """Start the heartbeats."""
        self._tasks = tasks
        names = [(COMPUTE_BINARY, h) for h in self.physics.hosts]
        names += [(binary, CONTROL_HOST) for binary in CONTROL]
        for number, (binary, host) in enumerate(names):
            zone = self.zones.get(host, "nova" if binary == COMPUTE_BINARY else "internal")
            self.service_table.begin(key_of(host, binary), zone)
            phase_s = (FIRST_PHASE_S + PHASE_S * number) % self.service_table.interval_s
            if binary == COMPUTE_BINARY:
                tasks.start_soon(self.beat_while_alive, self.physics.hosts[host], phase_s)
            else:
                tasks.start_soon(self._beat_control, key_of(host, binary), binary, phase_s)

    @property
    def tasks(self) -> TaskGroup:
        """Return where things of the cloud happen, whatever becomes of their callers."""
        if self._tasks is None:
            raise RuntimeError("the cloud has not begun")
        return self._tasks

    @property
    def conductor_clock_ahead_s(self) -> float:
        """Return how far the clock that stamps heartbeats is ahead of the API's."""
        return self.service_table.conductor_clock_ahead_s

    @conductor_clock_ahead_s.setter
    def conductor_clock_ahead_s(self, ahead_s: float) -> None:
        self.service_table.conductor_clock_ahead_s = ahead_s

    async def until(self, holds: Callable[[], bool]) -> None:
        """Return as soon as something is so of hosts and switches."""
        await self.physics.signal.until(holds)

    def nova_now(self) -> datetime:
        """Return the time by Nova's clock."""
        ahead = NOVA_IS_AHEAD + timedelta(seconds=self.conductor_clock_ahead_s)
        return self.beginning + ahead + timedelta(seconds=anyio.current_time())

    @property
    def writes(self) -> bool:
        """Return whether what a compute host reports gets into the database."""
        return self.bus_works and self.database_works and self.conductor_works

    async def beat_while_alive(self, host: Host, first_s: float = JOIN_S) -> None:
        """Send a nova-compute's heartbeats for as long as this life of it lasts."""
        life, key = host.generation, key_of(host.name)
        await anyio.sleep(first_s)
        while host.generation == life:
            if self.writes and host.reports:
                self.service_table.beat(key)
            await anyio.sleep(self.service_table.interval_s + host.beat_late_s)

    async def _beat_control(self, key: str, binary: str, first_s: float) -> None:
        await anyio.sleep(first_s)
        while True:
            if self.writes and (binary != "nova-scheduler" or self.scheduler_works):
                self.service_table.beat(key)
            await anyio.sleep(self.service_table.interval_s)

    # Services

    def heartbeat(self, key: str) -> None:
        """Write one heartbeat, due or late."""
        self.service_table.beat(key)

    def edit(self, key: str, **changes: bool | str | None) -> None:
        """Change a service's row, as anybody may who is not Koboshi."""
        self.edit_by(By.OTHERS, key, changes)

    def edit_by(self, by: By, key: str, changes: Mapping[str, bool | str | None]) -> None:
        """Change a service's row."""
        self.service_table.edit(key, changes, by, self.physics.witnesses.tell)

    def row(self, host: HostName) -> ComputeService:
        """Return nova-compute's row as the database has it."""
        return self.service_table.row(key_of(host))

    def rows(self) -> tuple[ComputeService, ...]:
        """Return every service's row, with Nova's opinion of now."""
        return self.service_table.all()

    def judged(self, host: HostName) -> ComputeService:
        """Return nova-compute's row with Nova's opinion of now."""
        return self.service_table.judged(key_of(host))

    def set_row(self, row: ComputeService) -> None:
        """Let the database have this row of a service."""
        self.service_table.put(row)

    def hide(self, host: HostName) -> ComputeService:
        """Let a row vanish from the list, as those of a cell that does not answer do."""
        self.service_table.hide(key_of(host))
        return self.row(host)

    def show(self, row: ComputeService) -> None:
        """Let it be listed again."""
        self.service_table.show(key_of(row.host, row.binary))

    def is_up(self, host: HostName) -> bool:
        """Return Nova's own opinion of a host."""
        return self.service_table.is_up(key_of(host))

    # Servers

    def add(self, server: Server) -> Server:
        """Put a server on its host, with a guest there if its state has one."""
        if server.host is None:
            raise ValueError(f"server {server.id} has no host")
        self.servers_by_id[server.id] = server
        self.changed_at[server.id] = self.nova_now()
        self._by_host.setdefault(server.host, {})[server.id] = None
        self.placement.claim(server.id, server.host, self.demand_of(server))
        self.physics.settle(server, server.host)
        self.attach(server, server.host)
        if server.vm_state in WITH_A_GUEST:
            self.physics.start_guest(server.id, server.host)
        return server

    def attach(self, server: Server, host: HostName) -> None:
        """Connect a server's volumes and ports to a host; older connections are gone."""
        for volume in server.volume_ids:
            self._attached += 1
            self.attachments[volume] = (f"attachment-{self._attached}", server.id, host)
        self.port_hosts[server.id] = host

    def change(self, server: ServerId, **changes: Any) -> Server:
        """Change a server's row; its status follows from its states unless one is given."""
        before = self.servers_by_id[server]
        row = replace(before, **changes)
        if "status" not in changes:
            row = replace(row, status=shown(row.vm_state, row.task_state))
        if row.host != before.host:
            if before.host is not None:
                self._by_host.get(before.host, {}).pop(server, None)
            if row.host is not None:
                self._by_host.setdefault(row.host, {})[server] = None
        self.servers_by_id[server] = row
        self.changed_at[server] = self.nova_now()
        return row

    def forget(self, server: ServerId) -> None:
        """Let a server's row be deleted, and what it held be free."""
        row = self.servers_by_id.pop(server)
        if row.host is not None:
            self._by_host.get(row.host, {}).pop(server, None)
        for volume in row.volume_ids:
            self.attachments.pop(volume, None)
        self.port_hosts.pop(server, None)
        self.placement.release_all(server)
        self.deleted[server] = self.nova_now()
        self.deleted_rows[server] = replace(
            row, status="DELETED", vm_state="deleted", task_state=None
        )
        self.changed_at.pop(server, None)

    def servers_on(self, host: HostName) -> tuple[Server, ...]:
        """Return the servers whose row names this host."""
        return tuple(self.servers_by_id[s] for s in self._by_host.get(host, ()))

    def act(self, server: ServerId, name: str, user: str | None = ADMIN) -> None:
        """Write an instance action down."""
        action = InstanceAction(at=self.nova_now(), name=name, user=user)
        self.acted.setdefault(server, []).append(action)

    def image_row(self, image: str) -> Image | None:
        """Return what Glance has of an image; every one is there that was not deleted."""
        if image in self.dead_images:
            return None
        return self.catalogue.images.get(image, Image(id=image, active=True, is_public=True))

    def volume_row(self, volume: str) -> Volume:
        """Return what Cinder has of a volume."""
        image = self.catalogue.images.get(self.catalogue.made_from.get(volume, ""))
        return Volume(
            id=volume,
            backend=self.backends.get(volume, SHARED_BACKEND),
            firmware=image.firmware if image else "",
            tpm=image.tpm if image else "",
            wishes=image.wishes if image else {},
        )

    def demand_of(self, server: Server) -> Demand:
        """Return what a server asks of a destination: Nova remembers the image that it was made from."""
        return demand_of(server, self._wishes_of(server))

    def _wishes_of(self, server: Server) -> Mapping[str, str]:
        made_from = self.catalogue.made_from
        images = [server.image_id] if server.image_id else map(made_from.get, server.volume_ids)
        found = (self.catalogue.images.get(image) for image in images if image)
        return {name: v for image in found if image for name, v in image.wishes.items()}

    def needs_tpm(self, server: Server) -> bool:
        """Return whether Nova gives the server a TPM: it remembers an image that Glance has no more.

        nova 34 virt/hardware.py: get_vtpm_constraint, of the flavor and of the image's properties.
        """
        if "hw:tpm_version" in server.flavor.extra_specs:
            return True
        made_from = (
            [server.image_id]
            if server.image_id
            else map(self.catalogue.made_from.get, server.volume_ids)
        )
        images = (self.catalogue.images.get(image) for image in made_from if image)
        return any(image.tpm for image in images if image is not None)

    def has_tpm(self, host: HostName) -> bool:
        """Return whether a host can give vTPMs: by its traits, or as one of its servers has one."""
        is_told = any(t.startswith(TPM) for t in self.physics.hosts[host].traits)
        return is_told or any(map(self.needs_tpm, self.servers_on(host)))

    # Records

    def record(self, record: MigrationId) -> Migration:
        """Return one record as it is now."""
        return self.records.get(record)

    def set_record(self, record: MigrationId, status: str, to: HostName | None = None) -> None:
        """Change a record's status, and its destination if given."""
        self.records.put(record, status, self.nova_now(), to)

    def end_records(self, server: ServerId) -> None:
        """End a server's open evacuation records by hand: no API does.

        UPDATE migrations SET status='error' WHERE instance_uuid=… AND status IN ('accepted',
        'pre-migrating') AND migration_type='evacuation'
        """
        for row in self.records.of(server):
            if row.is_evacuation and row.is_open:
                self.set_record(row.id, "error")

    def records_of(self, server: ServerId) -> list[Migration]:
        """Return a server's records, oldest first."""
        return self.records.of(server)

    def new_record(
        self,
        server: Server,
        kind: str,
        destination: HostName | None,
        status: str = "accepted",
    ) -> Migration:
        """Make a record of a move from the server's host."""
        row = Migration(
            id=self.records.next_id(),
            server=server.id,
            source=server.host,
            destination=destination,
            status=status,
            type=kind,
            created_at=self.nova_now(),
            updated_at=self.nova_now(),
        )
        self.records.append(row)
        return row

    # Placement

    def free(self, host: HostName) -> Room:
        """Return what a host can still take, by Placement's account."""
        machine, used = self.physics.hosts[host], self.placement.used(host)
        return Room(
            host=host,
            vcpus=machine.vcpus - used.vcpus,
            ram_mb=machine.ram_mb - used.ram_mb,
            disk_gb=machine.disk_gb - used.disk_gb,
        )
