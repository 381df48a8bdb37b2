"""What a person should know of a host though nothing is done about it, told once."""

from collections.abc import Iterator
from datetime import timedelta

from koboshi.domain.decision import Picture
from koboshi.domain.facts.cells import cell_of
from koboshi.domain.facts.ownership import disabled_by_operator
from koboshi.domain.forecasting.stale import bombs_on
from koboshi.domain.incidents.opening import opens_incident
from koboshi.domain.judging.calm import BMC_UNREADABLE, NO_FENCING, is_unreadable
from koboshi.domain.judging.evidence import QUARANTINED
from koboshi.domain.judging.quarantine import MISTAKEN, can_be_switched
from koboshi.domain.judging.rebooted import DOWN_INSIDE_AFTER, rebooted_unheard
from koboshi.domain.judging.verdict import Judgement, Verdict
from koboshi.domain.memory.devices import CONTRADICTS
from koboshi.domain.memory.events import (
    Event,
    HostNoticeCleared,
    HostNoticed,
)
from koboshi.domain.names import HostName
from koboshi.domain.recoveries.building import unseen_notice
from koboshi.domain.recoveries.stall import stalled_notice
from koboshi.domain.rules import ProofPolicy

LONG_SILENCE = timedelta(seconds=60)
NOTICE_AFTER = timedelta(seconds=20)
"""A late heartbeat is noticed when it is late by this much and by three intervals."""
GATHERED_FOR = timedelta(seconds=30)
"""While the brake was held just now, what many hosts may share is not told one by one as it shows."""

_ANSWERS_UNREPORTED = frozenset({Verdict.SERVICE_FAILED, Verdict.DOWN_INSIDE})

GATHERED = frozenset({"service_failed", "hung", "silent_unconfirmed", BMC_UNREADABLE})


def notices(picture: Picture, judgement: Judgement) -> Iterator[Event]:
    """Tell every matter that a person should know once, and once again when it is over."""
    host = judgement.host
    texts = {
        "service_failed": _service_failed(picture, judgement),
        "down_inside": _down_inside(picture, judgement),
        "hung": _hung(picture, judgement),
        "silent_unconfirmed": _silent_unconfirmed(picture, judgement),
        "bmc_contradicts": _quarantined(picture, host, CONTRADICTS),
        "bmc_mistaken": _quarantined(picture, host, MISTAKEN),
        BMC_UNREADABLE: _bmc_unreadable(picture, host),
        "disabled_and_dark": _disabled_and_dark(picture, judgement),
        NO_FENCING: _no_fencing(picture, host),
        "recovery_stalled": stalled_notice(picture, host),
        "storage_not_seen": unseen_notice(picture, host),
    }
    waits = _is_gathered(picture, host)
    for topic, text in texts.items():
        known = picture.state.notices.get((host, topic))
        if text and known is None:
            if waits and topic in GATHERED:
                continue
            yield HostNoticed(host=host, topic=topic, text=text)
        elif text is None and known is not None:
            yield HostNoticeCleared(host=host, topic=topic)


def _is_gathered(picture: Picture, host: HostName) -> bool:
    """Return whether the brake of the host's cell was held so lately that more hosts may follow.

    The brake itself is told at once.
    """
    hold = picture.state.holds.brakes.get(cell_of(host, picture.world))
    return (
        hold is not None and not hold.is_released and picture.now.since(hold.since) < GATHERED_FOR
    )


def _long_late(picture: Picture, host: HostName) -> bool:
    heartbeat = picture.world.services[host]
    since = heartbeat.advanced_at or picture.world.began_at
    interval = heartbeat.interval or timedelta(seconds=10)
    return picture.now.since(since) > max(NOTICE_AFTER, 3 * interval)


def _long_silent(picture: Picture, host: HostName) -> bool:
    probe = picture.world.probes.get(host)
    return (
        probe is not None
        and probe.silent_since is not None
        and picture.now.since(probe.silent_since) > LONG_SILENCE
    )


def _still_unheard(picture: Picture, judgement: Judgement) -> str | None:
    """Return what was told of a failed nova-compute, where nothing says that it is over.

    While the control plane is unwell, and right after, a late heartbeat means nothing: neither does it
    mean that one came.
    """
    told = picture.state.notices.get((judgement.host, "service_failed"))
    heard_at = picture.world.services[judgement.host].advanced_at
    is_unclear = judgement.verdict in {Verdict.UP, Verdict.UNKNOWN}
    if told is None or not is_unclear or (heard_at is not None and heard_at.is_after(told.since)):
        return None
    return told.text


def _service_failed(picture: Picture, judgement: Judgement) -> str | None:
    host = judgement.host
    incident = picture.state.open_incident(host)
    # What is down inside stays known for that while it is held; else its way home says what to do.
    stays = judgement.verdict is Verdict.DOWN_INSIDE and incident and incident.isolation is None
    if incident is not None and not stays:
        return None
    if judgement.verdict not in _ANSWERS_UNREPORTED or not _long_late(picture, host):
        return _still_unheard(picture, judgement)
    if (booted := rebooted_unheard(host, picture.world, picture.now)) is not None:
        return (
            f"{host} booted at {booted.booted:%H:%M} UTC, and its nova-compute does not report: its "
            "servers are down until it does. Look at nova-compute there and start it"
        )
    said = f"nova-compute on {host} does not report, but the host answers: its servers run, nothing is "
    if bombs_on(host, picture.world, picture.state):
        return said + (
            "fenced and nothing is evacuated. Do NOT restart nova-compute there before its stale "
            "evacuation records are ended: see the notices about them"
        )
    return said + "fenced and nothing is evacuated. Look at nova-compute there and restart it"


def _down_inside(picture: Picture, judgement: Judgement) -> str | None:
    """Tell of a host that came back without its nova-compute: nobody else would say that it is dead.

    Only a new boot time tells; where nobody samples it, nothing is known of the host's servers.
    """
    host = judgement.host
    booted = rebooted_unheard(host, picture.world, picture.now)
    if (
        booted is None
        or judgement.verdict not in _ANSWERS_UNREPORTED
        or picture.now.since(booted.since) < DOWN_INSIDE_AFTER
        or picture.state.open_incident(host) is not None
        or opens_incident(picture, judgement)
    ):
        return None
    minutes = picture.now.since(booted.since).total_seconds() / 60
    off = f"switch {host} off at its BMC, and its servers are recovered elsewhere"
    switched = can_be_switched(host, picture.world, picture.state)
    if judgement.verdict is Verdict.DOWN_INSIDE and switched:
        off = f"have it switched off, and its servers recovered elsewhere: koboshi host confirm-dead {host}"
    return (
        f"{host} rebooted {minutes:.0f} minutes ago, and its nova-compute has not come: it answers, but its "
        f"servers are down. Nothing is fenced by itself. Mend nova-compute there; or {off}"
    )


def _hung(picture: Picture, judgement: Judgement) -> str | None:
    if (
        judgement.verdict is not Verdict.HUNG
        or not _long_late(picture, judgement.host)
        or picture.state.open_incident(judgement.host) is not None
    ):
        return None
    return (
        f"the kernel of {judgement.host} answers, but no program does and its heartbeat stopped: it "
        "may be hung. Nothing is fenced by itself; if it is dead, switch its power off"
    )


def _silent_unconfirmed(picture: Picture, judgement: Judgement) -> str | None:
    """Tell of a host that went dark, and whose silence no rule lets count: nobody else would."""
    host = judgement.host
    if (
        judgement.verdict is not Verdict.SUSPECT
        or not (_long_late(picture, host) or _long_silent(picture, host))
        or host in picture.state.found_down
        or picture.state.open_incident(host) is not None
        or disabled_by_operator(host, picture.world)
    ):
        return None
    return (
        f"{host} may be dead, but its silence cannot be confirmed, so nothing is done: "
        f"{'; '.join(judgement.reasons)}. If it is dead for sure, say so: koboshi host confirm-dead {host}"
    )


def _quarantined(picture: Picture, host: HostName, cause: str) -> str | None:
    """Tell of a device that is neither believed nor used, and how that ends."""
    quarantine = picture.state.devices.of(host, cause)
    return quarantine.reason if quarantine else None


def _bmc_unreadable(picture: Picture, host: HostName) -> str | None:
    """Several readings in a row without a clear answer: fencing this host would fail."""
    track = picture.world.power.get(host)
    if track is None or not is_unreadable(track) or track.newest.detail == QUARANTINED:
        return None
    if picture.state.open_incident(host) is not None:
        return (
            f"the power of {host} cannot be read any more ({track.newest.detail or 'unclear answer'}): "
            "nothing more of it is evacuated until it reads off. Mend its BMC"
        )
    return (
        f"the power of {host} cannot be read ({track.newest.detail or 'unclear answer'}): should it "
        "die, nothing could be evacuated. Run 'koboshi check'"
    )


def _disabled_and_dark(picture: Picture, judgement: Judgement) -> str | None:
    host = judgement.host
    service = picture.world.services[host].service
    if judgement.verdict is not Verdict.UNREACHABLE or picture.state.open_incident(host):
        return None
    if not (service.forced_down or not service.enabled):
        return None
    sweep = picture.world.sweep
    running = sum(s.vm_state == "active" for s in sweep.on(host).values()) if sweep else 0
    if not running:
        return None
    who = service.disabled_reason or "without a reason"
    lift = f"openstack compute service set --up {host} nova-compute, then " * service.forced_down
    return (
        f"{host} is silent and was disabled before that ({who}); {running} of its servers are "
        "ACTIVE in Nova. Koboshi leaves disabled hosts to whoever disabled them. If it is dead, and should "
        f"be recovered: {lift}koboshi host confirm-dead {host} (it stays disabled when it comes home)"
    )


def _no_fencing(picture: Picture, host: HostName) -> str | None:
    if host in picture.world.fenced:
        return None
    if picture.rules.proof is ProofPolicy.WORD:
        return (
            f"{host} has no power device: should it die, its servers wait until a person says so "
            f"(koboshi host confirm-dead {host})"
        )
    if picture.rules.proof is ProofPolicy.SILENCE:
        return (
            f"{host} has no power device: after 60 s of silence its death is ASSUMED, not proven, and its "
            "servers are evacuated"
        )
    return (
        f"no fencing is configured for {host}: should it die, its servers cannot be evacuated. Add "
        f"[fencing.hosts.{host}], or exclude it under [hosts]"
    )
