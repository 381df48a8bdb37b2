"""One host explained: who says what of it, the rule that made the verdict, and what would change it."""

from collections.abc import Iterator

from koboshi.api.build import (
    bomb_view,
    host_view,
    incident_view,
    notice_view,
    servers_by_host,
)
from koboshi.api.source import StatusSource
from koboshi.api.views import (
    DomainHostView,
    DomainView,
    FenceTestView,
    HostDetail,
    ProofView,
    TestimonyView,
    WordView,
)
from koboshi.domain.forecasting.time_bombs import bombs_shown
from koboshi.domain.incidents.confirm_dead import WAITS_FOR_PROOF, is_untouched
from koboshi.domain.incidents.incident import Incident
from koboshi.domain.judging.silence import why_not_silent
from koboshi.domain.judging.testimony import GROUP_MEANING, Testimony
from koboshi.domain.judging.verdict import Judge, Judgement, Verdict
from koboshi.domain.memory.devices import FenceTest
from koboshi.domain.memory.state import State
from koboshi.domain.names import HostName
from koboshi.domain.orders import is_silent


def explain(source: StatusSource, host: HostName) -> HostDetail:
    """Return everything about a host that Nova lists."""
    picture = source.look()
    state, world, now = picture.state, picture.world, picture.now
    judgement = Judge(world, state, picture.rules, now).of(host)
    incident = state.open_incident(host)
    view = host_view(
        judgement, world, now, servers_by_host(world, state), incident.id if incident else None
    )
    against = None
    if judgement.verdict is not Verdict.DOWN_INSIDE:  # of such a one it is no proof, and taken
        against = why_not_silent(host, world, now)
    return HostDetail(
        host=view,
        rule=judgement.rule,
        would_change=judgement.would_change,
        testimony=[_testimony(t) for t in judgement.testimony],
        fence_test=_fence_test(state.devices.tests.get(host)),
        quarantined=[
            f"{device}: {q.reason}"
            for (of, device), q in state.devices.quarantined.items()
            if of == host
        ],
        against_a_word=against,
        incident=incident_view(incident, state, picture) if incident else None,
        proof=ProofView(kind=incident.proof.kind, at=incident.proof.at.wall)
        if incident and incident.proof
        else None,
        word=WordView(at=incident.word.at.wall, by=incident.word.by, note=incident.word.note)
        if incident and incident.word
        else None,
        notices=[notice_view(n) for n in state.notices.values() if n.host == host],
        time_bombs=[bomb_view(b) for b in bombs_shown(world, state) if b.host == host],
        next=list(_next(state, judgement, incident, against)),
    )


def _fence_test(test: FenceTest | None) -> FenceTestView | None:
    if test is None:
        return None
    return FenceTestView(
        at=test.at.wall,
        ok=test.ok,
        detail=test.detail,
        worked_at=test.worked_at.wall if test.worked_at else None,
    )


def _testimony(testimony: Testimony) -> TestimonyView:
    return TestimonyView(
        witness=testimony.witness,
        group=testimony.group,
        group_meaning=GROUP_MEANING[testimony.group],
        says=testimony.says,
        age_s=None if testimony.age is None else testimony.age.total_seconds(),
        sentence=testimony.sentence,
    )


def _next(
    state: State, judgement: Judgement, incident: Incident | None, against: str | None
) -> Iterator[str]:
    host = judgement.host
    if incident is not None:
        yield f"koboshi incident show {incident.id}"
    waits = judgement.verdict in {Verdict.FOUND_DOWN, Verdict.DOWN_INSIDE}
    if incident is not None:
        waits = incident.state in WAITS_FOR_PROOF or is_untouched(state, incident)
    if waits and against is None and (incident is None or incident.word is None):
        yield f"koboshi host confirm-dead {host}"


def domains(source: StatusSource) -> list[DomainView]:
    """Return each declared domain with its hosts and their verdicts."""
    state, world = source.state(), source.world()
    judge, servers = (
        Judge(world, state, source.rules(), source.now()),
        servers_by_host(world, state),
    )

    def of(host: HostName) -> DomainHostView:
        if host not in world.services:
            reasons = ["Nova lists no compute service of it"]
            return DomainHostView(
                host=host, verdict=None, reasons=reasons, is_silent=False, servers=None
            )
        judgement = judge.of(host)
        return DomainHostView(
            host=host,
            verdict=judgement.verdict,
            reasons=list(judgement.reasons),
            is_silent=is_silent(judgement),
            servers=servers.get(host, 0) if world.sweep else None,
        )

    return [
        DomainView(
            domain=name,
            hosts=[of(host) for host in sorted(hosts)],
            is_confirmed=name in state.holds.confirmed,
        )
        for name, hosts in sorted(world.domains.items())
    ]
