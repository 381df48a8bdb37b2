"""The simulated cloud's API, as the port has it, and as anybody else calls it.

What it claims of Nova is what nova 34 does (compute/api.py, conductor/manager.py,
compute/manager.py); the contract suite holds the same steps against the real thing.
"""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

import anyio
from anyio.abc import TaskGroup

from koboshi.domain.errors import CloudUnavailable, CommandRefused
from koboshi.domain.facts.cloud import (
    Aggregate,
    ComputeService,
    Demand,
    Hypervisor,
    InstanceAction,
    Migration,
    Room,
    Running,
    Server,
    ServerGroup,
)
from koboshi.domain.facts.stock import Image, Volume
from koboshi.domain.memory.commands import ON_SHARED_STORAGE
from koboshi.domain.names import HostName, ServerId, ServiceId
from koboshi.ports.cloud import SweptPage
from koboshi.sim import evacuating, host_start, migrating, operating, resizing, scheduler, sweeping
from koboshi.sim.database import SHARED_BACKEND, Database
from koboshi.sim.evacuating import Request
from koboshi.sim.line import Fails, Line
from koboshi.sim.physics import Host
from koboshi.sim.refusal import refuse, server_of
from koboshi.sim.truth import By

CLIENT_TIMEOUT_S = 5.0
"""How long the port waits for a server's diagnostics; Nova itself waits longer."""

TIMED_OUT = (
    "Unexpected API Error. Please report this at http://bugs.launchpad.net/nova/ and attach the "
    "Nova API log if possible.\n<class 'oslo_messaging.exceptions.MessagingTimeout'>"
)


class SimCloud(Database):
    """Implements ports.cloud.Cloud."""

    def __init__(
        self,
        hosts: Iterable[Host],
        *,
        heartbeat_s: float = 10.0,
        down_after_s: float = 60.0,
    ) -> None:
        super().__init__(hosts, heartbeat_s=heartbeat_s, down_after_s=down_after_s)
        self.line = Line(lambda: self.database_works, self.physics.witnesses.tell)

    def begin(self, tasks: TaskGroup) -> None:
        """Start what runs by itself."""
        super().begin(tasks)
        for number, host in enumerate(self.physics.hosts.values()):
            tasks.start_soon(host_start.keep_in_step, self, host, number)

    # ports.cloud.CloudReader

    async def services(self) -> tuple[ComputeService, ...]:
        """Answer with the services' rows as they were when asked."""
        await self.line.read("services")
        rows = self.service_table.listed(cell_works=self.cell_works)
        rows = self.line.told("services", "", rows)
        await self.line.way_back("services")
        return rows

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

    async def aggregates(self) -> tuple[Aggregate, ...]:
        """Answer with an aggregate for each zone, rack and shared storage, and those that were made."""
        await self.line.read("aggregates")
        members: dict[str, set[HostName]] = {}
        for host, zone in self.zones.items():
            members.setdefault(zone, set()).add(host)
        for machine in self.physics.hosts.values():
            for word in sorted({machine.rack, machine.storage or ""} - {""}):
                members.setdefault(word, set()).add(machine.name)
        made = tuple(Aggregate(name=n, hosts=frozenset(of)) for n, of in members.items())
        return (*made, *self.catalogue.aggregates.values())

    async def servers(
        self, host: HostName | None = None, *, project: str | None = None
    ) -> tuple[Server, ...]:
        """Answer with the servers (of one host, or of one project).

        With a limit or a filter, which every client sends, a dead cell's servers are not there
        (api/openstack/compute/servers.py:_is_cell_down_supported).
        """
        await self.line.read("servers")
        found: tuple[Server, ...] = ()
        if self.cell_works:
            found = tuple(self.servers_by_id.values()) if host is None else self.servers_on(host)
            found = tuple(s for s in found if project in {None, s.project_id})
        found = self.line.told("servers", host or project or "", found)
        await self.line.way_back("servers")
        return found

    async def sweep(
        self, *, since: datetime | None = None, after: ServerId | None = None
    ) -> SweptPage:
        """Answer with all servers, or those that changed, on one page."""
        del after
        await self.line.read("servers")
        rows = sweeping.sweep(self, since)
        rows = self.line.told("servers", "changed" if since else "swept", rows)
        await self.line.way_back("servers")
        return SweptPage(rows=rows, has_next=False)

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
            for r in reversed(self.records.matching(source, server))
            if (not evacuations_only or r.is_evacuation) and (status is None or r.status == status)
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

    async def image(self, image_id: str) -> Image | None:
        """Answer with an image: every one that was not deleted."""
        await self.line.read("image")
        return self.image_row(image_id)

    async def volume_backends(self) -> frozenset[str]:
        """Answer with the back ends of all volumes."""
        await self.line.read("volume_services")
        return frozenset(b.partition("#")[0] for b in (SHARED_BACKEND, *self.backends.values()))

    async def tpm_hosts(self) -> frozenset[HostName]:
        """Answer with the hosts that can give a vTPM."""
        await self.line.read("providers")
        return frozenset(h for h in self.physics.hosts if self.has_tpm(h))

    async def volume(self, volume: str) -> Volume | None:
        """Answer with a volume."""
        await self.line.read("volumes")
        return self.volume_row(volume)

    async def volumes(self) -> Mapping[str, Volume]:
        """Answer with all volumes that servers have."""
        await self.line.read("volumes")
        named = {v for server in self.servers_by_id.values() for v in server.volume_ids}
        return {volume: self.volume_row(volume) for volume in named}

    async def room(self, demand: Demand) -> tuple[Room, ...]:
        """Answer with the hosts that have room by Placement's account, dead ones too."""
        await self.line.read("room")
        hosts = self.physics.hosts
        return tuple(self.free(h) for h in hosts if scheduler.has_room(self, h, demand))

    async def actions(self, server: ServerId) -> tuple[InstanceAction, ...]:
        """Answer with what was asked of a server, newest first."""
        await self.line.read("actions")
        if not self.cell_works:
            raise CloudUnavailable(f"GET actions of {server}: its cell does not answer")
        return self.line.told("actions", server, tuple(reversed(self.acted.get(server, []))))

    async def is_running(self, server: ServerId) -> Running:
        """Answer for the hypervisor, within the client's patience."""
        self.line.calls["diagnostics"] += 1
        await anyio.sleep(self.line.latency_s)
        with anyio.move_on_after(CLIENT_TIMEOUT_S), suppress(CommandRefused):
            return Running.YES if await self.diagnose(server) else Running.NO
        return Running.UNKNOWN

    async def diagnose(self, server: ServerId) -> bool:
        """Return whether the hypervisor of a server's host runs it.

        Raises NovaRefused: 409 without a host, 500 when the host has not answered within Nova's
        own RPC time-out (measured on the lab: 60.1 s, forced down or not).
        """
        row = server_of(self, server)
        if row.host is None:
            refuse(409, f"Instance {server} is not ready")
        host = self.physics.hosts[row.host]
        with anyio.move_on_after(self.rpc_timeout_s) as waiting:
            await self.until(lambda: self.bus_works and host.reports)
        if waiting.cancelled_caught:
            refuse(500, TIMED_OUT)
        return server in host.domains

    # ports.cloud.CloudCommands

    async def isolate(self, service: ServiceId, reason: str) -> None:
        """Disable a service and force it down."""
        key = self.service_table.key_by_id(service)
        fault = await self.line.command("isolate", key, reason)
        changes = {"enabled": False, "forced_down": True, "disabled_reason": reason}
        self.edit_by(By.KOBOSHI, key, changes)
        await self.line.answer("isolate", fault)

    async def lift(self, service: ServiceId) -> None:
        """Lift force-down from a service."""
        await self._give_back("lift", service, {"forced_down": False})

    async def enable(self, service: ServiceId) -> None:
        """Enable a service."""
        await self._give_back("enable", service, {"enabled": True})

    async def disable(self, service: ServiceId, reason: str) -> None:
        """Disable a service with a reason, or with none."""
        changes = {"enabled": False, "disabled_reason": reason or None}
        await self._give_back("disable", service, changes)

    async def _give_back(
        self, call: str, service: ServiceId, changes: Mapping[str, bool | str | None]
    ) -> None:
        key = self.service_table.key_by_id(service)
        host = HostName(key.partition("@")[2])
        await self._carry(
            call, key, lambda: operating.update_service(self, host, dict(changes), By.KOBOSHI)
        )

    async def evacuate(self, server: ServerId, destination: HostName) -> None:
        """Take an evacuate request, as Nova's API does."""
        await self._carry(
            "evacuate",
            server,
            lambda: self.accept_evacuate(server, destination, By.KOBOSHI),
            destination,
        )

    async def evacuate_on_shared_storage(self, server: ServerId) -> None:
        """Take an evacuate request at 2.13: who does not see the disks refuses."""
        await self._carry(
            "evacuate",
            server,
            lambda: self.accept_evacuate(
                server, None, By.KOBOSHI, microversion=(2, 13), on_shared_storage=True
            ),
            ON_SHARED_STORAGE,
        )

    async def stop(self, server: ServerId) -> None:
        """Take a stop request."""
        await self._carry("stop", server, lambda: self.accept_stop(server))

    async def start(self, server: ServerId) -> None:
        """Take a start request."""
        await self._carry("start", server, lambda: self.accept_start(server))

    async def reboot_hard(self, server: ServerId) -> None:
        """Take a HARD reboot."""
        await self._carry("reboot_hard", server, lambda: self.accept_reboot(server))

    async def _carry(
        self, call: str, subject: str, act: Callable[[], None], detail: str = ""
    ) -> None:
        fault = await self.line.command(call, subject, detail)
        if fault is not None and fault.how is Fails.LATE:
            self.tasks.start_soon(_later, act, fault.late_s)
        else:
            act()
        await self.line.answer(call, fault)

    # Requests of anybody: what the API does; each raises NovaRefused

    def accept_evacuate(
        self,
        server: ServerId,
        destination: HostName | None,
        by: By = By.OTHERS,
        *,
        microversion: tuple[int, int] = (2, 68),
        on_shared_storage: bool | None = None,
        force: bool = False,
    ) -> None:
        """Take an evacuate; without a destination the scheduler chooses."""
        request = Request(
            destination=destination,
            microversion=microversion,
            on_shared_storage=on_shared_storage,
            force=force,
        )
        evacuating.accept(self, server, request, by)

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
        operating.delete(self, server)

    def accept_live_migrate(self, server: ServerId, destination: HostName | None = None) -> None:
        """Take os-migrateLive."""
        migrating.accept(self, server, destination)

    def accept_cold_migrate(self, server: ServerId, destination: HostName | None = None) -> None:
        """Take a (cold) migrate."""
        resizing.accept(self, server, destination)

    def accept_confirm(self, server: ServerId) -> None:
        """Take a confirmResize."""
        resizing.confirm(self, server)

    def accept_service_update(
        self, host: HostName, by: By = By.OTHERS, **changes: bool | str | None
    ) -> None:
        """Take a PUT of a compute service: enabled, disabled_reason, forced_down."""
        operating.update_service(self, host, changes, by)

    # What people and machines do meanwhile

    def delete(self, server: ServerId) -> None:
        """Delete a server, as its owner does."""
        operating.delete(self, server)

    def choose(
        self, server: Server, *, source: HostName, only: HostName | None = None
    ) -> HostName | None:
        """Return the scheduler's answer for a server that leaves `source`."""
        return scheduler.choose(self, server, source=source, only=only)

    def takes(self, host: HostName, demand: Demand) -> bool:
        """Return whether the scheduler would send something to a host."""
        return scheduler.takes(self, host, demand)

    def guest_dies(self, server: ServerId) -> None:
        """Let a guest's QEMU die."""
        host_start.guest_dies(self, server)

    async def boot(self, host: HostName) -> None:
        """Switch a host on, and return when its nova-compute's process is there."""
        await host_start.boot(self, host)

    def start_compute(self, host: HostName) -> None:
        """Start nova-compute on a host that has power."""
        host_start.start_compute(self, host)


async def _later(act: Callable[[], Any], by_s: float) -> None:
    await anyio.sleep(by_s)
    with suppress(CommandRefused):  # nobody is there to be told
        act()
