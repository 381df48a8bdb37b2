"""Optional checks of servers: which are asked, what their silence means, and when one is rebooted.

A server whose owner names a check in its metadata is asked from outside, on networks that the operator
allows. Silence counts only after an answer, and only while most other checked servers answer the same
prober; it says nothing of the host, whose nova-compute must be at work. It is told; a HARD reboot is
the operator's policy, and bounded.
"""

from collections.abc import Iterator
from datetime import timedelta

from koboshi.domain.alone.checks import HealthTrack, Target
from koboshi.domain.alone.starting import is_at_work, why_held
from koboshi.domain.alone.unwell import Unwell
from koboshi.domain.decision import Decision, Picture
from koboshi.domain.instant import seconds
from koboshi.domain.memory.commands import RebootServer
from koboshi.domain.memory.events import Event, HealthBack, HealthGivenUp, HealthLost
from koboshi.domain.names import CommandId, ServerId
from koboshi.domain.policies.readiness import readiness_of

REBOOT_GRACE = timedelta(minutes=3)
"""So long a server that was rebooted has to boot and answer."""
CONTROL_MAX_AGE = timedelta(seconds=30)
CONTROL_PERCENT = 80
REBOOTS_AT_ONCE = 2
"""More that fail together have a common cause, which no reboot mends."""
HOUR = timedelta(hours=1)


def target_of(text: str, networks: tuple[str, ...]) -> Target | None:
    """Return what a server's metadata name, if it can be asked on one of the operator's networks."""
    said = readiness_of(text)
    return said.target if said is not None and said.is_within(networks) else None


def watch_health(picture: Picture) -> Decision:
    """Return what there is to remember of servers' checks, and which server to reboot now."""
    if events := (*_lost(picture), *_back(picture), *_given_up(picture)):
        return Decision(events=events)
    return Decision(commands=tuple(_reboots(picture)))


def _fails(picture: Picture, server: ServerId) -> HealthTrack | None:
    """Return the track of a server whose failures count now."""
    sweep, track = picture.world.sweep, picture.world.health.get(server)
    checked = sweep.checked.get(server) if sweep else None
    if checked is None or track is None or track.failing_since is None:
        return None
    if picture.now.since(track.failing_since) < picture.rules.unwell_after:
        return None
    if picture.now.since(track.asked_at) > CONTROL_MAX_AGE:
        return None
    if not is_at_work(picture, checked.host) or not _control_holds(picture, server):
        return None
    return track


def _control_holds(picture: Picture, server: ServerId) -> bool:
    """Return whether the same prober reaches most of the others that ever answered it."""
    others = [
        picture.now.since(track.answered_at) <= CONTROL_MAX_AGE
        for other, track in picture.world.health.items()
        if other != server and track.answered_at is not None
    ]
    return bool(others) and 100 * sum(others) >= CONTROL_PERCENT * len(others)


def _is_lost(picture: Picture, server: ServerId) -> bool:
    known = picture.state.unwell.get(server)
    return known is not None and not known.is_over


def _lost(picture: Picture) -> Iterator[Event]:
    sweep = picture.world.sweep
    for server, track in picture.world.health.items():
        if track.failing_since is None or _is_lost(picture, server):
            continue
        checked = sweep.checked.get(server) if sweep else None
        if checked is not None and _fails(picture, server) is not None:
            silent = seconds(picture.now.since(track.failing_since))
            yield HealthLost(
                server=server,
                name=checked.name,
                host=checked.host,
                reason=f"{checked.check} has not answered for {silent}; its host lives",
            )


def _back(picture: Picture) -> Iterator[Event]:
    sweep = picture.world.sweep
    for known in picture.state.unwell.values():
        if known.is_over or sweep is None:
            continue
        checked, track = sweep.checked.get(known.server), picture.world.health.get(known.server)
        if checked is None and sweep.at.is_after(known.since):
            yield HealthBack(server=known.server, reason="it is not checked any more")
        elif checked is not None and checked.host != known.host:
            yield HealthBack(server=known.server, reason=f"it is on {checked.host} now")
        elif track is not None and _answers_since(track, known):
            yield HealthBack(server=known.server, reason="it answers again")


def _answers_since(track: HealthTrack, known: Unwell) -> bool:
    answered = track.answered_at
    return track.failing_since is None and answered is not None and answered.is_after(known.since)


def _lately(picture: Picture, known: Unwell) -> int:
    """Return how often a server was rebooted within the last hour."""
    return sum(picture.now.surely_since(at) < HOUR for at in known.reboots)


def _may_be_rebooted(picture: Picture, known: Unwell) -> bool:
    waited = not known.reboots or picture.now.since(known.reboots[-1]) >= REBOOT_GRACE
    return (
        picture.rules.reboot_unwell
        and not known.is_over
        and waited
        and _fails(picture, known.server) is not None
        and not picture.state.is_busy(f"server:{known.server}")
        and why_held(picture, known.host) is None
    )


def what_is_done(picture: Picture, known: Unwell) -> str:
    """Return what is done about a server whose check fails, or why nothing is, in one sentence."""
    rules, times = picture.rules, _lately(picture, known)
    if picture.state.is_busy(f"server:{known.server}"):
        return "something is being done with it right now"
    if not rules.reboot_unwell:
        return "nothing is done: it would be rebooted only with [health] reboot = true"
    if times >= rules.reboots_an_hour:
        return f"nothing more is done: it was rebooted {_times(times)} within an hour, which is the limit"
    if (lost := len(_all_lost(picture))) > REBOOTS_AT_ONCE:
        return f"nothing is done: {lost} servers fail at once, and what they have in common no reboot mends"
    if known.host in picture.world.services and (why := why_held(picture, known.host)):
        return f"nothing is done: {why}"
    if known.reboots and picture.now.since(known.reboots[-1]) < REBOOT_GRACE:
        return "it was rebooted: it has three minutes to boot and to answer"
    if _fails(picture, known.server) is None:
        return (
            "nothing is done yet: just now nothing proves that it is this server alone that fails"
        )
    return "it is rebooted next"


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _all_lost(picture: Picture) -> list[Unwell]:
    return [u for u in picture.state.unwell.values() if not u.is_over]


def _given_up(picture: Picture) -> Iterator[Event]:
    for known in picture.state.unwell.values():
        if known.given_up or not _may_be_rebooted(picture, known):
            continue
        if _lately(picture, known) >= picture.rules.reboots_an_hour:
            times = _lately(picture, known)
            reason = f"it was rebooted {times} times within an hour, and does not answer"
            yield HealthGivenUp(server=known.server, reason=reason)


def _reboots(picture: Picture) -> Iterator[RebootServer]:
    lost = _all_lost(picture)
    if len(lost) > REBOOTS_AT_ONCE:
        return
    number = picture.state.command_count
    for known in lost:
        if _lately(picture, known) >= picture.rules.reboots_an_hour:
            continue
        if _may_be_rebooted(picture, known):
            number += 1
            yield RebootServer(
                id=CommandId(f"alone/{known.host}/reboot-{number}"),
                server=known.server,
                host=known.host,
                why="its check fails, and the operator's policy says to reboot it",
                guest_may_run=True,
            )
