"""The brake: whether the picture is plausible enough to act upon one more host.

Until the full brake with declared domains exists, its bound is one host in `incident_memory`,
whatever the cloud's size, and it is counted before any filter.
"""

from collections.abc import Mapping

from koboshi.domain.incident import IncidentState
from koboshi.domain.instant import Instant
from koboshi.domain.names import HostName
from koboshi.domain.ownership import disabled_by_operator
from koboshi.domain.rules import Rules
from koboshi.domain.state import State
from koboshi.domain.verdict import (
    WORSE_THAN_UP,
    Control,
    Judgement,
    Verdict,
    positive_control,
    seconds,
)
from koboshi.domain.world import World

SMALL_CLOUD = 5


def _accounted_for(host: HostName, state: State, rules: Rules, now: Instant) -> bool:
    """Return whether an older incident explains this host: it holds no other one back."""
    incident = state.open_incident(host)
    return (
        incident is not None
        and now.since(incident.opened_at) > rules.incident_memory
        and incident.state is not IncidentState.HELD
    )


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
    counted = [
        j
        for j in judgements.values()
        if j.host != host
        and not disabled_by_operator(j.host, world)
        and not _accounted_for(j.host, state, rules, now)
    ]
    if not counted:
        return "there is no other host to compare it with"
    recent = next(
        (
            i
            for i in state.incidents.values()
            if i.host != host and now.since(i.opened_at) < rules.incident_memory
        ),
        None,
    )
    if recent is not None:
        return (
            f"host {recent.host} failed {seconds(now.since(recent.opened_at))} ago: at most one host "
            f"in {seconds(rules.incident_memory)}"
        )
    # One whose nova-compute is down answers the prober: its host is not in doubt.
    in_doubt = WORSE_THAN_UP - {Verdict.SERVICE_FAILED}
    worse = next((j for j in counted if j.verdict in in_doubt), None)
    if worse is not None:
        return (
            f"host {worse.host} is {worse.verdict} too: more than one host at a time is implausible"
        )
    if len(counted) < SMALL_CLOUD:
        stale = next((j for j in counted if j.control is not Control.FRESH), None)
        if stale is not None:
            return (
                f"host {stale.host} has no fresh heartbeat: in a cloud this small all others must. "
                f"Bring it back, or disable it in Nova if it is gone for long"
            )
    if len(counted) == 1 and judgements[host].power != "off":
        return "of two hosts, only one whose power is found off may be acted upon"
    reached, word = positive_control(host, (j.host for j in counted), world, now)
    return None if reached else word


def is_confirmed(judgement: Judgement) -> bool:
    """Return whether the host's silence is confirmed."""
    return judgement.verdict is Verdict.UNREACHABLE
