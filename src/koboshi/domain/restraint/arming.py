"""Whether Koboshi may act: what the settings say, and what a person said since.

A disarm outlives restarts and ends by itself at its time; meanwhile nothing new is sent, and what is
open is followed to its end. Asked by every decision, and again by the executor.
"""

from koboshi.domain.instant import Instant
from koboshi.domain.memory.state import State
from koboshi.domain.rules import Mode, Rules


def why_not_acting(rules: Rules, state: State, now: Instant) -> str | None:
    """Return why nothing may be sent now; None when Koboshi is armed."""
    disarmed = state.holds.disarmed
    if disarmed is not None and not (disarmed.until and now.has_passed(disarmed.until)):
        end = "somebody arms it again"
        if disarmed.until is not None:
            end = f"{disarmed.until.wall:%Y-%m-%d %H:%M:%S} UTC"
        return f"disarmed by {disarmed.by} until {end}: {disarmed.reason}"
    if rules.mode is not Mode.ACT and state.holds.armed is None:
        return "observe mode: it journals what it would do"
    return None


def is_disarmed(rules: Rules, state: State, now: Instant) -> bool:
    """Return whether it would act, but for a person's word."""
    able = rules.mode is Mode.ACT or state.holds.armed is not None
    return able and why_not_acting(rules, state, now) is not None


def in_flight(state: State) -> int:
    """Return how many commands are open: a disarm is complete when none is."""
    return len(state.commands)
