"""The judge of restart order: who names others is sent when they are up, or with a word why not.

By the truth of the simulated world and by nothing else: which guest runs, which program answers, and what
stands in the journal.
"""

from koboshi.domain.facts.cloud import Server
from koboshi.domain.incidents.incident import IncidentState
from koboshi.domain.memory.commands import Evacuate
from koboshi.domain.memory.events import WaitsForOthers
from koboshi.domain.names import ServerId
from koboshi.domain.recoveries.recovery import RecoveryState
from koboshi.sim.breach import Rule
from koboshi.sim.casebook import Casebook
from koboshi.sim.wanted import named_before

_GROUP = "group:"
_R = RecoveryState
_COMES = frozenset(
    {_R.QUEUED, _R.POSTING, _R.UNKNOWN, _R.BUILDING, _R.CONFIRMING, _R.SETTLING, _R.DONE}
)
"""Who is there may be up soon."""
ANSWER_HOLDS_S = 31.0
"""A program that answered may have hung since: it is asked again and again, not all the time."""
CLOCKS_S = 31.0
"""When Koboshi's own machine reboots meanwhile, NTP holds the wait's length no better than this."""


def judge_order(book: Casebook, command: Evacuate, server: Server, now_s: float) -> None:
    """Judge a server's first request; what fell again since it was sent delays no further one."""
    if len(book.meant_s.get(server.id, ())) > 1:
        return
    for word in named_before(book.world.cloud, book.rules, server):
        down = [s.id for s in _meant(book, server, word) if not _is_up(book, s, now_s)]
        if down and word not in book.goes_without.get(server.id, ()):
            facts = f"{server.id} is sent before {', '.join(down)}, and nobody says why"
            book.tell(Rule.ORDER, f"{facts} ({command.id})")


def judge_wait(book: Casebook, event: WaitsForOthers, now_s: float) -> None:
    """Judge that a wait ends when others are up, or with its cap, or because it is in vain."""
    book.goes_without.setdefault(event.server, set()).update(event.without)
    key = (event.incident, event.server)
    if event.awaits:
        book.near["waited_for_others"] += key not in book.waits_s
        book.waits_s.setdefault(key, now_s)
        return
    waited_s = now_s - book.waits_s.pop(key, now_s)
    if not event.without:
        book.near["waited_until_up"] += 1
        return
    cap_s = book.rules.policy.wait_at_most.total_seconds()
    if waited_s >= cap_s - CLOCKS_S:
        book.near["waited_until_its_cap"] += 1
        return
    book.near["waiting_was_vain"] += 1
    server = book.world.cloud.servers_by_id.get(event.server)
    if server is None:
        return  # deleted meanwhile
    for word in event.without:
        if comes := [s.id for s in _meant(book, server, word) if _comes(book, s, server, now_s)]:
            facts = f"{event.server} goes on without {', '.join(comes)} after {waited_s:.0f} s"
            book.tell(Rule.ORDER, f"{facts} of {cap_s:.0f}, and nothing keeps them from coming")


def _comes(book: Casebook, server: Server, waits: Server, now_s: float) -> bool:
    """Return whether a server that is not up is on its way, and does not wait for `waits` in its turn."""
    if _is_up(book, server, now_s) or _leads_to(book, server, waits.id):
        return False
    state = book.recovery_state(server.id)
    was_stopped = any(
        of[server.id].candidate.vm_state == "stopped"
        for of in book.state.recoveries.values()
        if server.id in of
    )
    return state in _COMES and not was_stopped


def _leads_to(book: Casebook, start: Server, end: ServerId) -> bool:
    """Return whether one names the other, or names one who names it, and so on."""
    seen, trail = {start.id}, [start]
    while trail:
        one = trail.pop()
        for word in named_before(book.world.cloud, book.rules, one):
            for other in _meant(book, one, word):
                if other.id == end:
                    return True
                if other.id not in seen:
                    seen.add(other.id)
                    trail.append(other)
    return False


def _meant(book: Casebook, server: Server, word: str) -> list[Server]:
    members = {
        m
        for g in book.world.cloud.groups
        if _GROUP + g.name == word or _GROUP + g.id == word
        for m in g.members
    }
    return [
        other
        for other in book.world.cloud.servers_by_id.values()
        if other.project_id == server.project_id
        and other.id != server.id
        and (other.id in members or word in {other.id, other.name})
    ]


def _is_up(book: Casebook, server: Server, now_s: float) -> bool:
    """Return whether it runs, or fell so lately that nobody can know."""
    physics = book.world.physics
    hung_s = physics.hung_s.get(server.id, 0.0)
    hangs = server.id in physics.hanging and now_s - hung_s > ANSWER_HOLDS_S
    answers = not hangs or "koboshi:ready" not in server.metadata
    if physics.where(server.id):
        return answers
    if server.vm_state != "active" and book.recovery_state(server.id) is _R.DONE:
        return True  # it was up again, and somebody has stopped it since
    host = server.host
    incident = book.state.open_incident(host) if host is not None else None
    is_known = incident is not None and incident.state is not IncidentState.CONFIRMED
    return server.vm_state == "active" and not is_known
