"""The judge of evacuate requests: whether each might be sent in the moment that it arrived."""

from datetime import timedelta

import anyio

from koboshi.domain.facts.cloud import Server
from koboshi.domain.memory.commands import Evacuate
from koboshi.domain.names import HostName, ServerId
from koboshi.domain.recoveries.recovery import HOLDS_A_SLOT, RecoveryState
from koboshi.domain.recoveries.stranded import goes_down_with
from koboshi.sim import scheduler
from koboshi.sim.breach import Rule
from koboshi.sim.brownouts import judge_in_brownout
from koboshi.sim.casebook import ASKED_S, LOOK_S, SEEN_S, Casebook
from koboshi.sim.in_order import judge_order
from koboshi.sim.proofs import BY_POWER, why_proof_is_stale
from koboshi.sim.truth import By
from koboshi.sim.wanted import is_protected, local_disk_policy

NEVER_SENT = frozenset(
    {"paused", "suspended", "rescued", "resized", "shelved", "shelved_offloaded", "building"}
)
POISONED_S = 600.0
MOST_DEATHS = 2
FULL_S = 119.0
ARRIVED = frozenset({RecoveryState.CONFIRMING, RecoveryState.SETTLING, RecoveryState.DONE})


def judge_evacuate(book: Casebook, command: Evacuate, now_s: float) -> None:
    """Judge one request that arrived."""
    server = book.world.cloud.servers_by_id.get(command.server)
    _judge_proof(book, command, now_s)
    _judge_row(book, command)
    _judge_records(book, command, now_s)
    _judge_pace(book, command)
    judge_in_brownout(book, command, now_s)
    others = set(book.maybe.get(command.server, {}).values()) - {command.destination}
    if others:
        facts = f"{command.server} is sent to {command.destination}, and may be on {others}"
        book.tell(Rule.ELSEWHERE, facts)
    if server is not None:
        _judge_server(book, command, server, now_s)
        judge_order(book, command, server, now_s)


def _judge_proof(book: Casebook, command: Evacuate, now_s: float) -> None:
    """Hold a request to the readings before it, and to every sign of life since the proof."""
    host, proven_s = command.host, book.proven_s.get(command.incident)
    what = f"{command.server} of {host} is sent"
    if proven_s is None:
        book.tell(Rule.UNPROVEN, f"{what}, and the host's death was never proven")
        return
    proof = book.state.incidents[command.incident].proof
    by_power = proof is None or proof.kind in BY_POWER
    if why := why_proof_is_stale(book, host, proof.kind if proof else None, now_s):
        book.tell(Rule.UNPROVEN, f"{what}, but {why}")
    for probe in book.world.probes:
        sign_s = max(probe.answering_since.get(host, -1.0), proven_s, book.began_s)
        if probe.heard.get(host, -1.0) > sign_s and now_s - sign_s > SEEN_S:
            book.tell(Rule.UNPROVEN, f"{what}, and it answers for {now_s - sign_s:.1f} s")
    if not by_power:
        book.at_risk.add(command.server)
    # It may run there later, too: whoever boots is not dead.
    if _is_the_assumption(book, host, now_s):
        book.lied_to.add(command.server)
    if command.server in book.world.physics.hosts[host].domains:
        facts = f"{what} while it runs there"
        if _is_the_assumption(book, host, now_s):
            book.assume(Rule.UNPROVEN, facts)
        elif not by_power:
            book.declare(Rule.UNPROVEN, facts)
        else:
            book.tell(Rule.UNPROVEN, facts)


def _is_the_assumption(book: Casebook, host: HostName, now_s: float) -> bool:
    """Return whether a host's BMC lies, and nothing else can have told that the host runs."""
    reads, probe, row = book.told(host), book.world.probe, book.world.cloud.row(host)
    if not (reads and reads[-1].lied):
        return False
    if host not in probe.dark_since or now_s - probe.unanswered[host] > ASKED_S:
        return False
    isolation = (i := book.state.open_incident(host)) and i.isolation
    # One that has just come back was not heard yet: neither probed, nor with a heartbeat.
    unheard = isolation is not None and row.updated_at == isolation.baseline
    return unheard or not book.world.physics.hosts[host].reports


def _judge_row(book: Casebook, command: Evacuate) -> None:
    row, incident = book.world.cloud.row(command.host), book.state.incidents[command.incident]
    isolation = incident.isolation
    if isolation is None:
        book.tell(Rule.UNPROVEN, f"{command.server} is sent before {command.host} is isolated")
        return
    changed_s = 0.0
    if row.updated_at is not None:
        changed_s = (book.world.cloud.nova_now() - row.updated_at).total_seconds()
    ours = row.forced_down and row.disabled_reason == isolation.marker
    if changed_s > LOOK_S and not (ours and row.updated_at == isolation.baseline):
        facts = (
            f"{command.server} is sent, but the row of {command.host} changed {changed_s:.0f} s ago"
        )
        book.tell(Rule.UNPROVEN, facts)


def _judge_records(book: Casebook, command: Evacuate, now_s: float) -> None:
    """Hold a request to what Nova may still be working on."""
    for record in book.world.cloud.records_of(command.server):
        if not record.is_open or book.leads_to_a_dead_host(record):
            continue
        made = next(
            (r for r in book.requests.get(command.server, ()) if r.record == record.id), None
        )
        age_s = 0.0
        if record.created_at is not None:
            age_s = (book.world.cloud.nova_now() - record.created_at).total_seconds()
        if age_s < LOOK_S and (made is None or made.by is By.OTHERS):
            book.near["raced_by_an_operator"] += 1
            continue
        facts = f"{command.server} is sent at {now_s:.2f} while {record.id} is {record.status}"
        book.tell(Rule.SENT_TWICE, facts)


def _judge_pace(book: Casebook, command: Evacuate) -> None:
    flying = _flying(book) - {command.server}
    moving = {s for s in flying if book.recovery_state(s) is not RecoveryState.STUCK}
    rules = book.rules
    onto = _onto(book, flying, command.destination) if command.destination else []
    if len(moving) >= _widest(book):
        book.tell(Rule.STORM, f"{command.server} is sent beside {len(moving)} others")
    _judge_backends(book, command, moving)
    if len(onto) >= rules.per_destination:
        facts = f"{command.server} is sent to {command.destination} beside {len(onto)} others"
        book.tell(Rule.STORM, facts)
    if command.rebuilds:
        rebuilds = [s for s in onto if _is_local(book, s)]
        if len(rebuilds) >= rules.per_destination_rebuilds:
            facts = f"{command.server} is rebuilt on {command.destination} beside {rebuilds}"
            book.tell(Rule.STORM, facts)
    _judge_poison(book, command, onto)
    _judge_shape(book, command)
    for group in book.world.cloud.groups:
        if group.policy == "anti-affinity" and command.server in group.members:
            beside = sorted(moving & group.members)
            if beside:
                book.tell(Rule.STORM, f"{command.server} is sent beside {beside} of its group")


def _judge_backends(book: Casebook, command: Evacuate, moving: set[ServerId]) -> None:
    """Hold a request to how many are on their way whose volumes are served by the same back end."""
    cloud = book.world.cloud

    def backends(server: ServerId) -> set[str]:
        row = cloud.servers_by_id.get(server)
        rows = (cloud.volume_row(v) for v in (row.volume_ids if row else ()))
        return {(v.backend or "").partition("#")[0] for v in rows}

    for backend in backends(command.server):
        beside = sum(backend in backends(s) for s in moving)
        if beside >= book.rules.per_backend:
            facts = f"{command.server} is sent beside {beside} others with volumes of {backend}"
            book.tell(Rule.STORM, facts)


def _judge_poison(book: Casebook, command: Evacuate, onto: list[ServerId]) -> None:
    """Hold a request to what became of the hosts that had received the server, or what comes there."""
    deaths = _killed(book, command.server)
    if len(deaths) >= MOST_DEATHS:
        book.tell(
            Rule.STORM, f"{command.server} is sent once more, and {sorted(deaths)} died of it"
        )
    beside = [s for s in onto if deaths or _killed(book, s)]
    if beside:
        facts = (
            f"{command.server} is sent to {command.destination} beside {beside}: a host died of one"
        )
        book.tell(Rule.STORM, facts)


def _judge_shape(book: Casebook, command: Evacuate) -> None:
    """Hold a request to what Nova answered of its like: it would only become ERROR, too."""
    shape = book.state.recoveries[command.incident][command.server].candidate.shape
    full, told_s, cloud = book.state.full.get(shape), book.full_s.get(shape), book.world.cloud
    if full is None or told_s is None:
        return
    waited_s = anyio.current_time() - told_s
    opened = [
        h
        for h in cloud.physics.hosts
        if h not in full.open_hosts and scheduler.takes(cloud, h, shape.demand)
    ]
    if waited_s < FULL_S and not opened:
        facts = f"{command.server} is sent {waited_s:.0f} s after Nova found no host for its like"
        book.tell(Rule.STORM, facts)


def _killed(book: Casebook, server: ServerId) -> set[HostName]:
    """Return the hosts that lost their power shortly after they had begun to run a server of ours."""
    ours = [r.at_s for r in book.requests.get(server, ()) if r.by is By.KOBOSHI]
    if not ours:
        return set()
    return {
        s.host
        for s in book.world.physics.starts
        if s.server == server
        and s.at_s >= ours[0]
        and not book.world.physics.hosts[s.host].power
        and 0 <= book.fell_silent_s.get(s.host, -1.0) - s.at_s <= POISONED_S
        and any(i.host == s.host and i.proof for i in book.state.open_incidents())
    }


def _widest(book: Casebook) -> int:
    """Return how many may be on their way at the most: one more for each window that arrived."""
    rules = book.rules
    arrived = sum(r.state in ARRIVED for of in book.state.recoveries.values() for r in of.values())
    size = rules.window
    while arrived >= size and size < rules.window_most:
        arrived, size = arrived - size, size + 1
    return size


def _flying(book: Casebook) -> set[ServerId]:
    """Return the servers of which Nova works on a request of Koboshi's."""
    cloud = book.world.cloud
    return {
        server
        for server, requests in book.requests.items()
        if server in cloud.servers_by_id
        and book.recovery_state(server) in HOLDS_A_SLOT
        and any(r.by is By.KOBOSHI and cloud.record(r.record).is_open for r in requests)
    }


def _onto(book: Casebook, servers: set[ServerId], host: HostName) -> list[ServerId]:
    records = book.world.cloud.records_of
    return sorted(
        s for s in servers if any(r.is_open and r.destination == host for r in records(s))
    )


def _is_local(book: Casebook, server: ServerId) -> bool:
    row = book.world.cloud.servers_by_id.get(server)
    return row is not None and has_local_disk(row)


def _judge_server(book: Casebook, command: Evacuate, server: Server, now_s: float) -> None:
    protected = is_protected(book.world.cloud, book.rules, server)
    bound = any(g.policy == "affinity" and server.id in g.members for g in book.world.cloud.groups)
    tpm = book.world.cloud.needs_tpm(server)
    moving = (server.task_state or "").startswith(("migrating", "resize_"))
    odd = server.vm_state in NEVER_SENT or moving or not server.launched
    if odd or not protected or bound or tpm:
        book.tell(Rule.HELD, f"{server.id} is sent though it must be left alone")
    if server.host != command.host and not _moved_lately(book, server.id):
        facts = f"{server.id} is sent from {command.host}, and is on {server.host}"
        book.tell(Rule.SENT_TWICE, facts)
    backends = book.world.cloud.backends
    if stranded := [
        v for v in server.volume_ids if goes_down_with(backends.get(v, ""), command.host)
    ]:
        facts = f"{server.id} is sent, and {stranded[0]} is served by {command.host}"
        book.tell(Rule.HELD, facts)
    if not has_local_disk(server):
        if command.destination is None:
            book.tell(Rule.DATA, f"{server.id} is sent to whoever sees its disks, and has none")
        return
    _judge_storage(book, command, server)
    if command.destination is None:
        return  # who does not see them refuses
    by_order = (command.incident, server.id) in book.ordered
    wanted, waits_s = local_disk_policy(book.world.cloud, book.rules, server)
    if not by_order and wanted not in {"rebuild", "rebuild-after"}:
        book.tell(Rule.DATA, f"{server.id} is sent, its disk on {command.host} would be lost")
    elif not by_order and now_s - book.opened_s[command.incident] < waits_s:
        facts = f"{server.id} is rebuilt, and its host was to be waited for {waits_s:.0f} s"
        book.tell(Rule.DATA, facts)
    elif (command.incident, server.id) not in book.committed:
        book.tell(Rule.DATA, f"{server.id} is sent, and its loss was not journalled")


def _judge_storage(book: Casebook, command: Evacuate, server: Server) -> None:
    """Hold a request to where the disks really lie: a named host would make them anew."""
    host, declared = book.world.physics.hosts[command.host], book.rules.shared_aggregates
    storage = host.storage
    if storage in declared and command.destination is not None:
        facts = (
            f"{server.id} is sent to {command.destination}, which may not see its disk on {storage}"
        )
        book.tell(Rule.DATA, facts)
    if command.destination is None and not {storage, host.rack} & set(declared):
        book.tell(Rule.DATA, f"{server.id} is sent to whoever sees its disk, and none is shared")


def _moved_lately(book: Casebook, server: ServerId) -> bool:
    """Return whether the last look may not have seen where it is."""
    since = book.world.cloud.nova_now() - timedelta(seconds=LOOK_S)
    records = book.world.cloud.records_of(server)
    return any(r.updated_at is None or r.updated_at > since for r in records)


def has_local_disk(server: Server) -> bool:
    """Return whether a disk of the server lies on its host (nova compute/utils.py)."""
    flavor = server.flavor
    return server.image_id is not None or flavor.ephemeral_gb > 0 or flavor.swap_mb > 0
