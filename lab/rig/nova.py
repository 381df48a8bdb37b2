"""Nova's own account of what happened, and the few things that an operator does to it.

This is one of the two judges of a recovery (the other is the lab's truth), so it shares no code
with Koboshi. All calls are made from inside the control plane's namespace.
"""

import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast

from lab import Lab, LabError, seed
from lab import cloud as rest

Json = dict[str, Any]
TOKEN_LASTS_S = 1200
UNFINISHED = frozenset({"accepted", "queued", "preparing", "pre-migrating", "running"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerRow:
    """One server as Nova shows it to an administrator."""

    id: str
    name: str
    host: str | None
    status: str
    task_state: str | None

    @property
    def is_well(self) -> bool:
        """Return whether it is plainly up, with nothing under way."""
        return self.status == "ACTIVE" and self.task_state is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """One evacuation record."""

    uuid: str
    server: str
    source: str
    destination: str | None
    status: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One nova-compute service."""

    id: str
    host: str
    enabled: bool
    up: bool
    forced_down: bool
    disabled_reason: str | None
    updated_at: str | None


class Nova:
    """An administrator's view of the lab's Nova."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._cloud = seed.admin(lab.layout)
        self._since = time.monotonic()

    # -- reads ---------------------------------------------------------------------
    def servers(self) -> dict[str, ServerRow]:
        """Return all servers of all projects, by id."""
        rows = self._call("GET", f"{rest.NOVA}/servers/detail?all_tenants=1")["servers"]
        return {row["id"]: _server(row) for row in rows}

    def raw_servers(self) -> list[Json]:
        """Return them with every field that Nova shows, for comparisons."""
        return self._call("GET", f"{rest.NOVA}/servers/detail?all_tenants=1")["servers"]

    def evacuations(self, *, source: str | None = None) -> list[Record]:
        """Return the evacuation records (of one source host), oldest first."""
        query = "migration_type=evacuation" + (f"&source_compute={source}" if source else "")
        rows = self._call("GET", f"{rest.NOVA}/os-migrations?{query}")["migrations"]
        return sorted((_record(row) for row in rows), key=lambda record: record.created_at)

    def migrations(self) -> list[Json]:
        """Return every migration record of any kind, raw."""
        return self._call("GET", f"{rest.NOVA}/os-migrations")["migrations"]

    def services(self) -> dict[str, Service]:
        """Return the nova-compute services, by host."""
        rows = self._call("GET", f"{rest.NOVA}/os-services?binary=nova-compute")["services"]
        return {row["host"]: _service(row) for row in rows}

    def actions(self, server: str) -> list[str]:
        """Return the names of what was ever asked of a server, newest first."""
        rows = self._call("GET", f"{rest.NOVA}/servers/{server}/os-instance-actions")
        return [row["action"] for row in rows["instanceActions"]]

    # -- what an operator does --------------------------------------------------------
    def change_service(self, service: Service, **body: object) -> None:
        """Enable, disable, force down, or lift."""
        self._call("PUT", f"{rest.NOVA}/os-services/{service.id}", body)

    def act(self, server: str, action: str, body: object = None) -> None:
        """Send one of the server's actions."""
        self._call("POST", f"{rest.NOVA}/servers/{server}/action", {action: body})

    def wait_for_status(self, wanted: Mapping[str, str], timeout_s: float = 60.0) -> None:
        """Wait until each of these servers has its status, with nothing under way."""
        deadline = time.monotonic() + timeout_s
        while True:
            rows = self.servers()
            left = {s: rows[s] for s, status in wanted.items() if rows[s].status != status}
            if not left and all(rows[s].task_state is None for s in wanted):
                return
            if time.monotonic() > deadline:
                raise LabError(f"not as wanted in {timeout_s:.0f} s: {left or wanted}")
            time.sleep(0.5)

    def set_metadata(self, server: str, **metadata: str) -> None:
        """Set some of a server's metadata."""
        self._call("POST", f"{rest.NOVA}/servers/{server}/metadata", {"metadata": metadata})

    def delete(self, server: str) -> None:
        """Delete a server; one that is gone already is no error."""
        try:
            self._call("DELETE", f"{rest.NOVA}/servers/{server}")
        except LabError as error:
            if " 404 " not in str(error):
                raise

    # -- volumes -------------------------------------------------------------------------
    @contextmanager
    def quotas_used_up(self) -> Generator[None]:
        """Let the servers' project make nothing more, in Nova, Cinder or Neutron."""
        rows = self.volumes()
        used = {"volumes": len(rows), "gigabytes": sum(row["size"] for row in rows)}
        self._set_quotas(0, used)
        try:
            yield
        finally:
            self._set_quotas(seed.UNLIMITED)

    def _set_quotas(self, limit: int, volumes: Mapping[str, int] | None = None) -> None:
        with self._lab.inside():
            seed.set_quotas(self._cloud, self._cloud.project_id, limit, volumes)

    def volumes(self) -> list[Json]:
        """Return every volume."""
        return self._call("GET", f"{self._cinder()}/volumes/detail?all_tenants=1")["volumes"]

    def delete_volume(self, volume: str) -> None:
        """Delete a volume whatever its state."""
        try:
            self._call("POST", f"{self._cinder()}/volumes/{volume}/action", {"os-force_delete": {}})
        except LabError as error:
            if " 404 " not in str(error) and " 400 " not in str(error):
                raise

    def _cinder(self) -> str:
        if not self._cloud.project_id:
            self._call("GET", f"{rest.NOVA}/flavors")
        return f"{rest.CINDER}/{self._cloud.project_id}"

    def _call(self, method: str, url: str, body: object = None) -> Any:
        if time.monotonic() - self._since > TOKEN_LASTS_S:
            self._cloud = seed.admin(self._lab.layout)
            self._since = time.monotonic()
        with self._lab.inside():
            return self._cloud.call(method, url, body)


def _server(row: Json) -> ServerRow:
    return ServerRow(
        id=row["id"],
        name=row["name"],
        host=row["OS-EXT-SRV-ATTR:host"],
        status=row["status"],
        task_state=row["OS-EXT-STS:task_state"],
    )


def _record(row: Json) -> Record:
    return Record(
        uuid=row["uuid"],
        server=row["instance_uuid"],
        source=row["source_compute"],
        destination=cast("str | None", row["dest_compute"]),
        status=row["status"],
        created_at=datetime.fromisoformat(row["created_at"]).replace(tzinfo=UTC),
    )


def _service(row: Json) -> Service:
    return Service(
        id=row["id"],
        host=row["host"],
        enabled=row["status"] == "enabled",
        up=row["state"] == "up",
        forced_down=row["forced_down"],
        disabled_reason=row["disabled_reason"],
        updated_at=row["updated_at"],
    )
