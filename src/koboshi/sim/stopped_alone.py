"""The judge of servers that Nova stopped by itself: who is started, how many at once, who is forgotten."""

from collections.abc import Iterator

from koboshi.domain.alone.stops import StopCause, StopState
from koboshi.domain.memory.commands import RebootServer, StartServer
from koboshi.domain.names import HostName
from koboshi.sim.braking import bound_of
from koboshi.sim.breach import Rule
from koboshi.sim.casebook import LOOK_S, Casebook
from koboshi.sim.wanted import is_started_alone

A_HOST, IN_ALL = 4, 16
MEMORY_S = 900.0
HOUR_S = 3600.0
KNOWN_AFTER_S = 240.0
"""A sweep, the host's settling and a few reads: by then a stop is known."""
ENDS_AFTER_S = 300.0


def judge_lone_start(book: Casebook, command: StartServer) -> None:
    """Judge a start of a server that no incident is about."""
    server, cloud = command.server, book.world.cloud
    actions = [a for a in cloud.acted.get(server, ()) if a.name != "start"]
    if not actions or (actions[-1].name, actions[-1].user) != ("stop", None):
        newest = actions[-1].name if actions else "nothing"
        book.tell(Rule.HELD, f"{server} is started, and nobody but its user decided ({newest})")
    if cloud.servers_by_id[server].metadata.get("HA_Enabled", "").lower() == "false":
        book.tell(Rule.HELD, f"{server} is started though it must be left alone")
    stop = book.state.stops.get(server)
    row = cloud.servers_by_id[server]
    if stop is not None and stop.cause is StopCause.LONE:
        if not is_started_alone(cloud, book.rules, row):
            book.tell(Rule.HELD, f"{server} stopped alone, and is started without anybody's leave")
        book.near["started_alone"] += 1
    starting = [s for s in book.state.stops.values() if s.state is StopState.STARTING]
    on_host = sum(s.host == command.host for s in starting)
    if on_host > A_HOST or len(starting) > IN_ALL:
        book.tell(Rule.STORM, f"{server} is started beside {on_host} on its host, {len(starting)}")


def judge_lone_reboot(book: Casebook, command: RebootServer) -> None:
    """Judge a HARD reboot of a server that no incident is about: by policy, of one that hangs."""
    known = book.state.unwell.get(command.server)
    if not book.rules.reboot_unwell or known is None:
        book.tell(Rule.HELD, f"{command.server} is rebooted without the operator's leave")
        return
    cloud, uplink = book.world.cloud, book.world.uplink
    cut = any(not cloud.physics.hosts[h].tenant_link for h in cloud.physics.where(command.server))
    if command.server not in cloud.physics.hanging and uplink.works and not cut:
        book.tell(Rule.HELD, f"{command.server} is rebooted, and its program answers")
    at = known.reboots[-1] if known.reboots else None
    lately = [r for r in known.reboots if at is not None and at.since(r).total_seconds() < HOUR_S]
    if len(lately) > book.rules.reboots_an_hour:
        book.tell(Rule.STORM, f"{command.server} is rebooted {len(lately)} times within an hour")


def judge_reboots(book: Casebook, command: StartServer, now_s: float) -> None:
    """Hold a start to the number of hosts that rebooted of late, by their own clocks."""
    hosts = {
        stop.host
        for stop in book.state.stops.values()
        if stop.cause is StopCause.REBOOT and _rebooted(book, stop.host, now_s)
    }
    if len(hosts) > bound_of(book) and _rebooted(book, command.host, now_s):
        facts = f"{command.server} is started, and {len(hosts)} hosts rebooted at once"
        book.tell(Rule.BRAKED, facts)


def _rebooted(book: Casebook, host: HostName, now_s: float) -> bool:
    booted_s = book.world.physics.hosts[host].booted_s
    return booted_s >= 0 and now_s - booted_s < min(
        MEMORY_S, book.rules.incident_memory.total_seconds()
    )


def stops_at_the_end(book: Casebook, now_s: float) -> Iterator[tuple[Rule, str]]:
    """Yield each server whose stop nobody remembers, or that should be running by now."""
    cloud = book.world.cloud
    for row in cloud.servers_by_id.values():
        actions = cloud.acted.get(row.id, ())
        if row.vm_state != "stopped" or row.host is None or not actions:
            continue
        age_s = (cloud.nova_now() - actions[-1].at).total_seconds()
        own = (actions[-1].name, actions[-1].user) == ("stop", None)
        watched = now_s - age_s > book.began_s + KNOWN_AFTER_S
        known = row.id in book.state.stops or any(
            row.id in of for of in book.state.recoveries.values()
        )
        left = row.metadata.get("HA_Enabled", "").lower() == "false"
        kvm = cloud.types.get(row.host, "QEMU") == "QEMU"
        reports = book.world.physics.hosts[row.host].reports
        if own and watched and reports and kvm and not (known or left) and age_s > KNOWN_AFTER_S:
            yield (
                Rule.UNACCOUNTED,
                f"{row.id} of {row.host} was stopped by Nova, and nobody said so",
            )
    for stop in book.state.stops.values():
        moved_s = book.stops_moved_s.get(stop.server, now_s)
        going_on = stop.state in {StopState.DUE, StopState.STARTING}
        host = book.world.physics.hosts[stop.host]
        if going_on and host.reports and now_s - moved_s > ENDS_AFTER_S + LOOK_S:
            facts = f"{stop.server} of {stop.host} is {stop.state} for {now_s - moved_s:.0f} s"
            yield Rule.UNFINISHED, facts
