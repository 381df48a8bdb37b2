"""The judge of proof that is no power reading: a person's word, a kernel's last words, silence.

Such a proof may be wrong, and whoever chose it took that risk: a server that runs twice by it is
counted apart. What is judged is that it was given while every witness was silent, and was heeded
for only as long as that.
"""

from koboshi.domain.incidents.incident import Incident, ProofKind
from koboshi.domain.memory.events import WordGiven
from koboshi.domain.names import HostName
from koboshi.domain.rules import ProofPolicy
from koboshi.sim.breach import Rule
from koboshi.sim.casebook import SEEN_S, Casebook
from koboshi.sim.deaths import is_proven, why_not_off_now

BY_POWER = frozenset({ProofKind.FENCED_OFF, ProofKind.FOUND_OFF})
SILENT_S = 10.0
ASSUMED_AFTER_S = 60.0
ROUND_S = 2.0
"""How long after a host's last answer the next question may come, and its silence be known."""


def judge_word(book: Casebook, event: WordGiven, now_s: float) -> None:
    """Judge a word that was taken: no witness may answer then."""
    book.near["word_taken"] += 1
    if heard := _heard_lately(book, event.host, now_s, SEEN_S):
        facts = f"a word of {event.host}'s death is taken, and it answers on {heard}"
        book.tell(Rule.UNPROVEN, facts)


def judge_new_proof(book: Casebook, incident: Incident, kind: ProofKind, now_s: float) -> None:
    """Judge the moment that a host is called dead."""
    host = incident.host
    if kind in BY_POWER:
        if not is_proven(book.told(host), book.fenced_s.get(host, -1.0)):
            book.tell(Rule.UNPROVEN, f"{host} is called dead, but was not read off three times")
        if (host, "bmc_contradicts") in book.state.notices:
            book.tell(Rule.UNPROVEN, f"{host} is called dead by a BMC that was known to lie")
        return
    book.near[f"proof_by_{kind}"] += 1
    if kind is ProofKind.WORD and host not in book.words:
        book.tell(Rule.UNPROVEN, f"{host} is called dead by a word that nobody gave")
    if kind is ProofKind.KDUMP and host not in book.world.kdump.signed:
        book.tell(Rule.UNPROVEN, f"{host} is called dead by a message that anybody can have sent")
    if kind is ProofKind.SILENCE:
        since_s = book.world.probe.dark_since.get(host, now_s)
        if book.rules.proof is not ProofPolicy.SILENCE:
            book.tell(Rule.UNPROVEN, f"{host} is called dead by silence, which is not declared")
        if now_s - since_s < ASSUMED_AFTER_S - ROUND_S:
            facts = f"{host} is called dead after {now_s - since_s:.0f} s of silence"
            book.tell(Rule.UNPROVEN, facts)


def why_proof_is_stale(
    book: Casebook, host: HostName, kind: ProofKind | None, now_s: float
) -> str | None:
    """Return why a request that arrives now has no fresh proof behind it; None when it has."""
    reads = book.told(host)
    if kind in BY_POWER or kind is None:
        return why_not_off_now(reads, now_s)
    if reads and reads[-1].power == "on" and now_s - reads[-1].at_s < SILENT_S:
        book.near["word_against_power"] += 1
    heard = _heard_lately(book, host, now_s - SEEN_S, SILENT_S - SEEN_S)
    return f"it answered on {heard} in the last {SILENT_S:.0f} s" if heard else None


def _heard_lately(book: Casebook, host: HostName, now_s: float, within_s: float) -> str | None:
    """Return the network on which a host answered us so recently."""
    for probe in book.world.probes:
        heard_s = probe.heard.get(host)
        if heard_s is not None and now_s - within_s < heard_s <= now_s:
            return probe.network
    return None
