"""From the API's shapes to the domain's facts, with the doubts that a lying answer deserves."""

from collections import Counter
from collections.abc import Iterable

from koboshi.adapters.openstack import bulk, shapes
from koboshi.adapters.openstack.shapes import as_utc
from koboshi.domain.errors import CloudUnavailable, InvalidAnswer, NotAuthorised
from koboshi.domain.facts import cloud
from koboshi.domain.facts.sweep import SweptServer, sighting
from koboshi.domain.names import HostName, MigrationId, ServerId, ServiceId
from koboshi.domain.policies.metadata import check_said, is_protected

DELETED = "DELETED"
UNKNOWN = "UNKNOWN"
"""Nova's placeholder status for what lies in a cell that does not answer."""


def services(rows: Iterable[bulk.Service]) -> tuple[cloud.ComputeService, ...]:
    """Return the services; none at all, or two of one host, is no believable answer."""
    found = tuple(_service(row) for row in rows)
    if not found:
        raise InvalidAnswer("GET /os-services: no service at all, although Nova answers")
    ids = Counter(service.id for service in found if service.id is not None)
    hosts = Counter(service.host for service in found if service.binary == cloud.COMPUTE_BINARY)
    for name, count in [*ids.items(), *hosts.items()]:
        if count > 1:
            raise InvalidAnswer(
                f"GET /os-services: {count} rows for {name}; which one is true cannot be known; "
                "delete the stale service (openstack compute service delete)",
            )
    return found


def _service(row: bulk.Service) -> cloud.ComputeService:
    if row.status == UNKNOWN:
        return cloud.ComputeService(host=HostName(row.host), binary=row.binary)
    where = f"GET /os-services: {row.binary} on {row.host}"
    if row.id is None or row.forced_down is None:
        raise InvalidAnswer(f"{where}: id or forced_down is missing")
    if row.state not in {"up", "down"} or row.status not in {"enabled", "disabled"}:
        raise InvalidAnswer(f"{where}: state {row.state!r}, status {row.status!r}")
    return cloud.ComputeService(
        host=HostName(row.host),
        binary=row.binary,
        id=ServiceId(row.id),
        zone=row.zone or "",
        enabled=row.status == "enabled",
        disabled_reason=row.disabled_reason,
        up=row.state == "up",
        forced_down=row.forced_down,
        updated_at=as_utc(row.updated_at) if row.updated_at else None,
    )


def hypervisor(row: shapes.Hypervisor) -> cloud.Hypervisor:
    """Return one hypervisor."""
    return cloud.Hypervisor(
        id=row.id,
        host=HostName(row.service.host),
        hypervisor_hostname=row.hypervisor_hostname,
        type=row.hypervisor_type,
        address=row.host_ip or None,
    )


def server(row: shapes.Server) -> cloud.Server:
    """Return one server. Raises NotAuthorised when the answer hides its host from us."""
    if row.host == shapes.MISSING:
        raise _hidden_host(row.id)
    flavor = row.flavor
    return cloud.Server(
        id=ServerId(row.id),
        name=row.name,
        project_id=row.tenant_id,
        host=HostName(row.host) if row.host else None,
        status=row.status,
        vm_state=row.vm_state,
        task_state=row.task_state,
        power_state=row.power_state,
        flavor=cloud.Flavor(
            name=flavor.original_name,
            vcpus=flavor.vcpus,
            ram_mb=flavor.ram,
            disk_gb=flavor.disk,
            ephemeral_gb=flavor.ephemeral,
            swap_mb=flavor.swap,
            extra_specs=flavor.extra_specs,
        ),
        host_status=row.host_status,
        image_id=row.image.id if isinstance(row.image, shapes.Image) else None,
        volume_ids=tuple(volume.id for volume in row.volumes),
        config_drive=bool(row.config_drive) and row.config_drive.lower() != "false",
        availability_zone=_asked_zone(row),
        metadata=row.metadata,
        tags=frozenset(row.tags),
        locked=row.locked,
        launched=row.launched_at is not None,
        fault=row.fault.message if row.fault else None,
    )


def _asked_zone(row: shapes.Server) -> str:
    """Return the zone that Nova's scheduler keeps a server to; where it does not tell, the one it is in."""
    asked = row.pinned_availability_zone
    return (row.availability_zone if asked == shapes.MISSING else asked) or ""


def swept(row: bulk.SweptServer) -> SweptServer:
    """Return what a sweep keeps of a server. Raises NotAuthorised when the answer hides its host."""
    if row.host == shapes.MISSING:
        raise _hidden_host(row.id)
    if row.status == DELETED or row.vm_state == "deleted":
        return SweptServer(id=ServerId(row.id), seen=None)
    host = HostName(row.host) if row.host else None
    seen = sighting(host, row.vm_state, is_protected=is_protected(row.metadata))
    return SweptServer(
        id=ServerId(row.id), seen=seen, name=row.name, check=check_said(row.metadata)
    )


def _hidden_host(server: str) -> NotAuthorised:
    return NotAuthorised(
        f"server {server}: Nova does not tell its host, so these credentials are no "
        "administrator's; give the user the `admin` role, or allow "
        "os_compute_api:os-extended-server-attributes",
    )


def only_of(
    host: HostName | None,
    project: str | None,
    servers: tuple[cloud.Server, ...],
) -> tuple[cloud.Server, ...]:
    """Return the servers, all of `host` and of `project` if one was asked for."""
    for found in servers:
        if host is not None and found.host != host:
            raise InvalidAnswer(
                f"GET /servers/detail?host={host}: server {found.id} is of host {found.host}: "
                "Nova ignored the filter, as it does for who may not use it (admin is needed)",
            )
        if project is not None and found.project_id != project:
            raise InvalidAnswer(
                f"GET /servers/detail?project_id={project}: server {found.id} is of project "
                f"{found.project_id}: Nova ignored the filter, as it does for who may not use it",
            )
    return servers


def living_cell(row: shapes.DownServer, asked: ServerId) -> None:
    """Raise unless this is the server that was asked for, of a cell that answers."""
    if row.id != asked:
        raise InvalidAnswer(f"GET /servers/{asked}: answered with server {row.id}")
    if row.status == UNKNOWN:
        raise CloudUnavailable(f"GET /servers/{asked}: the server's cell does not answer")


def migration(row: shapes.Migration) -> cloud.Migration:
    """Return one migration record. Raises NotAuthorised when it hides its hosts."""
    if row.source_compute == shapes.MISSING:
        raise NotAuthorised(
            f"migration {row.uuid}: Nova does not tell its hosts; give the user the `admin` role, "
            "or allow os_compute_api:os-migrations:index:host",
        )
    return cloud.Migration(
        id=MigrationId(row.uuid),
        server=ServerId(row.instance_uuid),
        source=HostName(row.source_compute) if row.source_compute else None,
        destination=HostName(row.dest_compute) if row.dest_compute else None,
        status=row.status,
        type=row.migration_type,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )


def matching(
    records: tuple[cloud.Migration, ...],
    *,
    source: HostName | None,
    server: ServerId | None,
    evacuations_only: bool,
    status: str | None,
) -> tuple[cloud.Migration, ...]:
    """Return the records, all of them as asked for; else a filter was not applied."""
    for record in records:
        if (
            (source is not None and record.source != source)
            or (server is not None and record.server != server)
            or (evacuations_only and not record.is_evacuation)
            or (status is not None and record.status != status)
        ):
            raise InvalidAnswer(
                f"GET /os-migrations: record {record.id} ({record.type}, {record.status}, server "
                f"{record.server}, from {record.source}) is not what was asked for",
            )
    return records


def server_group(row: shapes.ServerGroup) -> cloud.ServerGroup:
    """Return one server group."""
    return cloud.ServerGroup(
        id=row.id,
        policy=row.policy or "",
        members=frozenset(ServerId(member) for member in row.members),
        name=row.name,
        project_id=row.project_id,
    )
