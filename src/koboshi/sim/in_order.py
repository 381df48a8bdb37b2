"""The judge of restart order: who names others is sent when they are up, or with a word why not.

By the truth of the simulated world and by nothing else: which guest runs, which program answers, and what
stands in the journal.
"""

from koboshi.domain.facts.cloud import Server
from koboshi.domain.incidents.incident import IncidentState
from koboshi.domain.memory.commands import Evacuate
from koboshi.sim.breach import Rule
from koboshi.sim.casebook import Casebook
from koboshi.sim.wanted import named_before

_GROUP = "group:"


def judge_order(book: Casebook, command: Evacuate, server: Server) -> None:
    """Judge a server's first request; what fell again since it was sent delays no further one."""
    if len(book.meant_s.get(server.id, ())) > 1:
        return
    for word in named_before(book.world.cloud, book.rules, server):
        down = [s.id for s in _meant(book, server, word) if not _is_up(book, s)]
        if down and word not in book.goes_without.get(server.id, ()):
            facts = f"{server.id} is sent before {', '.join(down)}, and nobody says why"
            book.tell(Rule.ORDER, f"{facts} ({command.id})")


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


def _is_up(book: Casebook, server: Server) -> bool:
    """Return whether it runs, or fell so lately that nobody can know."""
    physics = book.world.physics
    answers = server.id not in physics.hanging or "koboshi:ready" not in server.metadata
    if physics.where(server.id):
        return answers
    host = server.host
    incident = book.state.open_incident(host) if host is not None else None
    is_known = incident is not None and incident.state is not IncidentState.CONFIRMED
    return server.vm_state == "active" and not is_known
