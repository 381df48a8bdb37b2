"""Proof of death: how it is obtained, what makes it void, and why it must be read anew.

Proof is perishable. It is asked for before each single evacuation, by the planner and again by the
executor right before the request leaves.
"""

from koboshi.domain.facts.cloud import ComputeService, Power
from koboshi.domain.facts.world import World
from koboshi.domain.incidents.incident import BY_POWER, Incident, Isolation, Proof, ProofKind
from koboshi.domain.instant import Instant
from koboshi.domain.judging.evidence import (
    HEARTBEAT_SLACK,
    PowerTrack,
    ProbeTrack,
    machine_on,
    off_proven_at,
)
from koboshi.domain.judging.hearing import crash_of
from koboshi.domain.judging.silence import heard_since, why_not_silent
from koboshi.domain.names import HostName
from koboshi.domain.rules import ASSUMED_DEAD_AFTER, PROOF_MAX_AGE


def find_proof(
    incident: Incident, track: PowerTrack | None, fenced_at: Instant | None
) -> Proof | None:
    """Return proof of the host's death, if the power readings are one.

    Readings from before our own *off* command prove nothing once that command was sent.
    """
    proven_at = off_proven_at(track, since=fenced_at)
    if proven_at is None:
        return None
    kind = ProofKind.FENCED_OFF if incident.fence_attempts else ProofKind.FOUND_OFF
    return Proof(kind=kind, at=proven_at)


def proof_by_word(incident: Incident, world: World, now: Instant) -> Proof | None:
    """Return the proof that a person's word is at this moment: while the host is silent on every path."""
    if incident.word is None or incident.word.to_fence:
        return None
    if why_not_silent(incident.host, world, now) is not None:
        return None
    return Proof(kind=ProofKind.WORD, at=incident.word.at)


def proof_by_silence(incident: Incident, world: World, now: Instant) -> Proof | None:
    """Return what stands for proof by the operator's policy: two fate groups silent for long.

    Whoever asks has let the brake and the positive control judge before.
    """
    probe, heartbeat = world.probes.get(incident.host), world.services.get(incident.host)
    if probe is None or probe.silent_since is None or heartbeat is None:
        return None
    unheard = now.since(heartbeat.advanced_at or world.began_at)
    if min(now.since(probe.silent_since), unheard) < ASSUMED_DEAD_AFTER:
        return None
    if why_not_silent(incident.host, world, now) is not None:
        return None
    return Proof(kind=ProofKind.SILENCE, at=now)


def proof_by_kdump(incident: Incident, world: World, now: Instant) -> Proof | None:
    """Return the proof that a crash kernel's message is: one that only the host could send."""
    crash = crash_of(incident.host, world, now)
    if crash is None or not crash.authenticated:
        return None
    if why_not_silent(incident.host, world, now) is not None:
        return None
    return Proof(kind=ProofKind.KDUMP, at=now)


def noise_of(incident: Incident, world: World, now: Instant) -> str | None:
    """Return what speaks against the host's silence since its proof, and in this moment."""
    since = incident.proof.at if incident.proof else now
    return heard_since(incident.host, world, since) or why_not_silent(incident.host, world, now)


def _after(moment: Instant | None, than: Instant) -> bool:
    """Return whether something was observed after `than`."""
    return moment is not None and moment.is_after(than)


def signs_of_life(
    incident: Incident,
    *,
    probe: ProbeTrack | None,
    power: PowerTrack | None,
    service: ComputeService | None,
    elsewhere: str | None,
) -> str | None:
    """Return the first sign of life since the proof; None when there is none.

    `elsewhere` is what `heard_elsewhere` says: the witnesses beyond these three.
    """
    proof = incident.proof
    if proof is None:
        return None
    if proof.kind is ProofKind.WORD and incident.word is None:
        return "the word that it was dead is void"
    if probe is not None and _after(probe.kernel_at, proof.at):
        return "its management address answers again"
    if elsewhere is not None:
        return elsewhere
    if power is not None and any(_after(r.at, proof.at) for r in machine_on(power)):
        return "its power reads on again"
    isolation = incident.isolation
    if (
        isolation is not None
        and service is not None
        and service.updated_at is not None
        and isolation.baseline is not None
        and service.updated_at > isolation.baseline
        and is_ours(isolation, service)  # otherwise somebody edited the row: no heartbeat
    ):
        return "its heartbeat moves again"
    return None


def heard_elsewhere(incident: Incident, world: World) -> str | None:
    """Return which other witness has heard of the host since the proof; None when none has.

    What came over a message bus or was collected may be seen after it was true: not by much.
    """
    proof, host = incident.proof, incident.host
    if proof is None:
        return None
    for name, tracks in world.further.items():
        track = tracks.get(host)
        if track is not None and _after(track.kernel_at, proof.at):
            return f"its address in {name} answers again"
    agents, sample = world.agents.get(host), world.samples.get(host)
    late = proof.at.later(HEARTBEAT_SLACK)
    if agents is not None and _after(agents.advanced_at, late):
        return "its Neutron agents report again"
    if sample is not None and _after(sample.alive_at, late):
        return "Prometheus has a new sample of it"
    return None


def is_ours(isolation: Isolation, service: ComputeService) -> bool:
    """Return whether the row still says what we made it say."""
    return (
        service.id == isolation.service
        and service.forced_down
        and not service.enabled
        and service.disabled_reason == isolation.marker
    )


def why_not_proven_now(
    incident: Incident,
    *,
    probe: ProbeTrack | None,
    power: PowerTrack | None,
    service: ComputeService | None,
    elsewhere: str | None,
    noise: str | None,
    now: Instant,
) -> str | None:
    """Return why no evacuation may be sent at this moment; None when every condition holds.

    Conditions: power read off at most PROOF_MAX_AGE ago (proof by anything else: nothing speaks
    against the host's silence, as `noise` tells), no sign of life since the proof, and the service
    forced down and disabled with our own marker, unchanged since.
    """
    if incident.proof is None:
        return "there is no proof that the host is dead"
    isolation = incident.isolation
    if isolation is None:
        return "the host is not isolated in Nova"
    life = signs_of_life(incident, probe=probe, power=power, service=service, elsewhere=elsewhere)
    if life is not None:
        return life
    if why := _why_not_off(power, now) if incident.proof.kind in BY_POWER else noise:
        return why
    if service is None or service.id != isolation.service:
        return "its compute service is not the one that was isolated"
    if not service.forced_down:
        return "its compute service is not forced down any more"
    if service.enabled or service.disabled_reason != isolation.marker:
        return "its compute service no longer carries our marker"
    if service.updated_at != isolation.baseline:
        return "its compute service's row was changed since it was isolated"
    return None


def _why_not_off(power: PowerTrack | None, now: Instant) -> str | None:
    if power is None or power.newest.power is not Power.OFF:
        word = power.newest.power if power else "never read"
        return f"its power is {word}: it must read off right now"
    if now.since(power.newest.at) > PROOF_MAX_AGE:
        return "the newest reading of its power is too old"
    return None


def why_host_not_proven_now(
    incident: Incident, world: World, now: Instant, service: ComputeService | None = None
) -> str | None:
    """Return why nothing may be sent for the incident's host, by the picture of the world."""
    host: HostName = incident.host
    track = world.services.get(host)
    return why_not_proven_now(
        incident,
        probe=world.probes.get(host),
        power=world.power.get(host),
        service=service or (track.service if track else None),
        elsewhere=heard_elsewhere(incident, world),
        noise=noise_of(incident, world, now),
        now=now,
    )
