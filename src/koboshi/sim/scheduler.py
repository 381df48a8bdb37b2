"""Nova's scheduler: which host takes a server, by Placement's account and the usual filters."""

from koboshi.domain.facts.cloud import Demand, Server
from koboshi.domain.names import HostName
from koboshi.sim.database import Database


def has_room(cloud: Database, host: HostName, demand: Demand) -> bool:
    """Return whether Placement would name a host for a demand; dead hosts, too."""
    free = cloud.free(host)
    return (
        free.vcpus >= demand.vcpus
        and free.ram_mb >= demand.ram_mb
        and free.disk_gb >= demand.disk_gb
        and demand.required_traits <= cloud.physics.hosts[host].traits
    )


def takes(cloud: Database, host: HostName, demand: Demand) -> bool:
    """Return whether the scheduler would send a demand to a host.

    Neither a host that is down (forced or not) nor a disabled one, by its row or by its trait
    (scheduler/filters/compute_filter.py, scheduler/request_filter.py).
    """
    enabled = cloud.row(host).enabled and host not in cloud.disabled_trait
    return cloud.is_up(host) and enabled and has_room(cloud, host, demand)


def why_none(cloud: Database, demand: Demand, *, only: HostName | None = None) -> str:
    """Return the reason of a NoValidHost: none, where Placement named no candidate to begin with.

    It names dead hosts and the source, too, but none with the trait of a disabled service
    (scheduler/manager.py:select_destinations and _ensure_sufficient_hosts; seen on the lab).
    """
    names = cloud.physics.hosts if only is None else [only]
    named = any(h not in cloud.disabled_trait and has_room(cloud, h, demand) for h in names)
    return "There are not enough hosts available." if named else ""


def choose(
    cloud: Database, server: Server, *, source: HostName, only: HostName | None = None
) -> HostName | None:
    """Return the scheduler's answer, never the source: the roomiest host; None is NoValidHost."""
    names = list(cloud.physics.hosts) if only is None else [only]
    demand = cloud.demand_of(server)
    fit = [h for h in names if h != source and takes(cloud, h, demand) and _may(cloud, server, h)]
    return max(fit, key=lambda h: (cloud.free(h).ram_mb, h), default=None)


def _may(cloud: Database, server: Server, host: HostName) -> bool:
    """Return whether zone and server groups allow it.

    A pinned zone is kept to. Hard affinity means the hosts of all members, the server's own dead
    one among them, which is ignored: so it never fits (objects/instance_group.py:get_hosts; nova's
    own test_evacuate_with_affinity_no_valid_host).
    """
    if cloud.physics.hosts[host].filtered:
        return False
    zone = server.availability_zone  # empty unless its owner asked for one
    if zone and cloud.row(host).zone != zone:
        return False
    for group in cloud.groups:
        if server.id not in group.members:
            continue
        members = [cloud.servers_by_id[m] for m in group.members if m in cloud.servers_by_id]
        hosts = {m.host for m in members}
        if group.policy == "affinity" and host not in hosts:
            return False
        if group.policy == "anti-affinity" and host in hosts:
            return False
    return True


def breaks_group(cloud: Database, server: Server, host: HostName) -> bool:
    """Return whether a destination finds, late, that a group forbids the server there.

    It counts who is there by the host field, and who is on its way there by records in progress
    (compute/manager.py:_validate_instance_group_policy).
    """
    for group in cloud.groups:
        if server.id not in group.members:
            continue
        others = [m for m in group.members if m != server.id and m in cloud.servers_by_id]
        there = [m for m in others if cloud.servers_by_id[m].host == host]
        coming = [
            m
            for m in others
            if any(
                r.is_open and r.status != "accepted" and r.destination == host
                for r in cloud.records_of(m)
            )
        ]
        if group.policy == "anti-affinity" and (there or coming):
            return True
        if group.policy == "affinity" and others and not there:
            return True
    return False
