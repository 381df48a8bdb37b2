"""The rules that judges of the simulation hold Koboshi to, and how a broken one is told."""

from dataclasses import dataclass
from enum import StrEnum


class Rule(StrEnum):
    """What must hold, whatever happens."""

    TWICE = "twice"
    UNPROVEN = "unproven"
    DATA = "data"
    SENT_TWICE = "sent_twice"
    ELSEWHERE = "elsewhere"
    STORM = "storm"
    BRAKED = "braked"
    BROWNOUT = "brownout"
    DISARMED = "disarmed"
    NOT_OURS = "not_ours"
    UNEXPLAINED = "unexplained"
    HELD = "held"
    ORDER = "order"
    UNFINISHED = "unfinished"
    UNACCOUNTED = "unaccounted"
    BUG = "bug"


RULE_MEANING: dict[Rule, str] = {
    Rule.TWICE: "no server ever runs twice",
    Rule.UNPROVEN: "nothing is done to a host whose death is not proven then and there",
    Rule.DATA: "no disk's data is destroyed unless the policy said so, in the journal, before",
    Rule.SENT_TWICE: "no evacuation is sent twice, or while anybody may still work on one",
    Rule.ELSEWHERE: "after a lost answer nothing is sent but to the same destination",
    Rule.STORM: "not too much at once: in all, onto one host, of one anti-affinity group, of one volume back end",
    Rule.BRAKED: "no more hosts at once than the brake allows, and none while others are in doubt",
    Rule.BROWNOUT: "nothing is sent, and nobody fenced, while the control plane itself is unwell",
    Rule.DISARMED: "nothing is done in observe mode, or while a person has disarmed it",
    Rule.NOT_OURS: "what somebody else disabled, forced down or found down is left to them",
    Rule.UNEXPLAINED: "every effect has its intent in the journal before it",
    Rule.HELD: "what must wait for its host or a person is never sent",
    Rule.ORDER: "who names others is sent after them, or the journal says why not",
    Rule.UNFINISHED: "what may be recovered is recovered, soon after the troubles end",
    Rule.UNACCOUNTED: "every other server is accounted for, with the reason",
    Rule.BUG: "the daemon's own log tells of no bug",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """A rule that was broken, when, and the facts."""

    at_s: float
    rule: Rule
    facts: str

    def __str__(self) -> str:
        """Return it as one line."""
        return f"{self.at_s:.2f} s: {self.rule}: {self.facts}"
