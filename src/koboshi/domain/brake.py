"""The brake: whether the picture is plausible enough to act upon one more host.

Until the full brake with declared domains exists, its bound is one host in `incident_memory`,
whatever the cloud's size, and it is counted before any filter.
"""

from collections.abc import Callable, Container, Iterator, Mapping
from itertools import islice

from koboshi.domain.incident import IncidentState
from koboshi.domain.instant import Instant
from koboshi.domain.names import HostName
from koboshi.domain.networks import reach_of
from koboshi.domain.ownership import disabled_by_operator
from koboshi.domain.rules import Rules
from koboshi.domain.state import State
from koboshi.domain.verdict import WORSE_THAN_UP, Control, Judgement, Verdict, seconds
from koboshi.domain.world import World

SMALL_CLOUD = 5


def _accounted_for(state: State, rules: Rules, now: Instant) -> frozenset[HostName]:
    """Return the hosts that an older incident explains: they hold no other one back."""
    return frozenset(
        i.host
        for i in state.open_incidents()
        if now.surely_since(i.opened_at) > rules.incident_memory
        and i.state is not IncidentState.HELD
    )


def _counted(
    host: HostName,
    judgements: Mapping[HostName, Judgement],
    world: World,
    state: State,
    rules: Rules,
    now: Instant,
) -> Callable[..., Iterator[Judgement]]:
    """Return what gives the other hosts that count, or those of them with a certain verdict.

    One by one, as most questions end at the first: a whole rack asks them at the same time.
    """
    accounted_for = _accounted_for(state, rules, now)

    def others(verdicts: Container[Verdict] = frozenset(Verdict)) -> Iterator[Judgement]:
        for j in judgements.values():
            if (
                j.verdict in verdicts
                and j.host != host
                and j.host not in accounted_for
                and not disabled_by_operator(j.host, world)
            ):
                yield j

    return others


def why_braked(
    host: HostName,
    judgements: Mapping[HostName, Judgement],
    world: World,
    state: State,
    rules: Rules,
    now: Instant,
) -> str | None:
    """Return why `host` must not be acted upon now; None when the picture is plausible."""
    gathered = now.since(world.began_at)
    if gathered < rules.new_evidence:
        return (
            f"evidence is gathered for {seconds(gathered)} only, of {seconds(rules.new_evidence)}"
        )
    others = _counted(host, judgements, world, state, rules, now)
    few = tuple(islice(others(), SMALL_CLOUD))
    if not few:
        return "there is no other host to compare it with"
    recent = next(
        (
            i
            for i in state.incidents.values()
            if i.host != host and now.surely_since(i.opened_at) < rules.incident_memory
        ),
        None,
    )
    if recent is not None:
        return (
            f"host {recent.host} failed {seconds(now.surely_since(recent.opened_at))} ago: at most one host "
            f"in {seconds(rules.incident_memory)}"
        )
    # One whose nova-compute is down answers the prober: its host is not in doubt.
    in_doubt = WORSE_THAN_UP - {Verdict.SERVICE_FAILED}
    worse = next(others(in_doubt), None)
    if worse is not None:
        return (
            f"host {worse.host} is {worse.verdict} too: more than one host at a time is implausible"
        )
    if len(few) < SMALL_CLOUD:
        stale = next((j for j in few if j.control is not Control.FRESH), None)
        if stale is not None:
            return (
                f"host {stale.host} has no fresh heartbeat: in a cloud this small all others must. "
                f"Bring it back, or disable it in Nova if it is gone for long"
            )
    if len(few) == 1 and judgements[host].power != "off":
        return "of two hosts, only one whose power is found off may be acted upon"
    reached, word = reach_of((j.host for j in others()), world, now).without(host)
    return None if reached else word


def is_confirmed(judgement: Judgement) -> bool:
    """Return whether the host's silence is confirmed."""
    return judgement.verdict is Verdict.UNREACHABLE
