"""Whose hand is on a host: what `disabled_reason` says of who disabled its compute service."""

from koboshi.domain.facts.cloud import ComputeService
from koboshi.domain.facts.world import World
from koboshi.domain.incidents.incident import Incident
from koboshi.domain.instant import Instant
from koboshi.domain.names import HostName
from koboshi.domain.rules import Rules

AUTO_PREFIX = "AUTO: "
"""nova virt/libvirt/driver.py: DISABLE_PREFIX; libvirt's own disable, not an operator's."""

MARKER_PREFIX = "koboshi:"


def marker_of(install: str, incident: Incident) -> str:
    """Return the `disabled_reason` that says who disabled a host, and for which incident."""
    return f"{MARKER_PREFIX}{install}:{incident.id}"


def disabled_by_operator(host: HostName, world: World) -> bool:
    """Return whether somebody disabled the host on purpose (neither libvirt nor Koboshi)."""
    track = world.services.get(host)
    if track is None or track.service.enabled:
        return False
    reason = track.service.disabled_reason or ""
    return not reason.startswith((AUTO_PREFIX, MARKER_PREFIX))


def is_left_disabled(service: ComputeService, handed_over: str | None) -> bool:
    """Return whether a host is disabled just as it was when a person handed it over to us."""
    reason = service.disabled_reason or ""
    return (
        handed_over is not None
        and not service.enabled
        and not service.forced_down
        and reason == handed_over
    )


def others_hand(service: ComputeService, marker: str, handed_over: str | None = None) -> str | None:
    """Return who took a host out of service, if its row says that it was not us by `marker`.

    A person may hand over a host that is disabled, with the reason that is `handed_over`: as long as it
    stands so, the host is ours to recover.
    """
    reason = service.disabled_reason or ""
    if reason == marker:
        return None
    if is_left_disabled(service, handed_over):
        return None
    if not service.enabled and not reason.startswith(AUTO_PREFIX):
        return f"its compute service was disabled by somebody else ({reason or 'without a reason'})"
    if service.forced_down:
        return "its compute service was forced down by somebody else"
    return None


def disabled_before_silence(host: HostName, world: World, rules: Rules, now: Instant) -> bool:
    """Return whether the host was disabled on purpose while it still lived: it counts nowhere.

    One that is disabled because it died counts from its death for as long as an incident would.
    """
    if not disabled_by_operator(host, world):
        return False
    track, probe = world.services[host], world.probes.get(host)
    enabled_at = track.enabled_at
    seen = (track.advanced_at, probe.kernel_at if probe else None)
    signs = [at for at in seen if at is not None]
    if enabled_at is None or any(at.is_after(enabled_at) for at in signs):
        return True
    return all(now.since(at) > rules.incident_memory for at in signs)
