"""What a person may order of Koboshi as a whole: to act, to rest, to take a domain for dead."""

from koboshi.domain.decision import NOTHING, Decision, Picture, Refused
from koboshi.domain.instant import Instant
from koboshi.domain.judging.networks import Network
from koboshi.domain.judging.verdict import Control, Judgement
from koboshi.domain.memory.events import Armed, Disarmed, DomainConfirmed
from koboshi.domain.names import DomainName, HostName
from koboshi.domain.restraint.arming import is_disarmed, why_not_acting
from koboshi.domain.rules import Mode, ProofPolicy


def arm(picture: Picture, by: str, *, keep: bool) -> Decision | Refused:
    """Return what follows from the order to act. Where it acts already, nothing follows."""
    observes = picture.rules.mode is not Mode.ACT
    armed = picture.state.holds.armed
    if _acts(picture) and (not keep or not observes or (armed is not None and armed.keep)):
        return NOTHING
    if observes and picture.rules.proof is ProofPolicy.POWER:
        missing = sorted(picture.world.protected - picture.world.fenced)
        if missing:
            return Refused(
                reason=f"{len(missing)} protected hosts have no power device ({', '.join(missing[:5])}): "
                "their death could not be proven",
                cure=f"add [fencing.hosts.{missing[0]}], or exclude it under [hosts]; 'koboshi check' "
                "lists them all",
            )
    return Decision(events=(Armed(by=by, reason="a person ordered it", keep=keep),))


def disarm(picture: Picture, until: Instant | None, reason: str, by: str) -> Decision | Refused:
    """Return what follows from the order to rest; a later one replaces an earlier one."""
    if not _acts(picture) and not is_disarmed(picture.rules, picture.state, picture.now):
        return NOTHING  # it only observes
    return Decision(events=(Disarmed(until=until, by=by, reason=reason),))


def _acts(picture: Picture) -> bool:
    return why_not_acting(picture.rules, picture.state, picture.now) is None


def confirm_domain(picture: Picture, domain: DomainName, by: str) -> Decision | Refused:
    """Return what follows from `by` saying that the silent hosts of a domain are dead."""
    hosts = picture.world.domains.get(domain, frozenset())
    dead = silent_hosts(picture, hosts)
    if why := why_not_acting(picture.rules, picture.state, picture.now):
        return Refused(reason=f"Koboshi does not act: {why}", cure="arm it first: koboshi arm")
    if not dead:
        return Refused(
            reason=f"no host of {domain} is silent on every path, so none would be acted upon",
            cure=f"look at them: koboshi domain list; koboshi host explain {min(hosts, default='HOST')}",
        )
    return Decision(events=(DomainConfirmed(domain=domain, hosts=dead, by=by),))


def silent_hosts(picture: Picture, hosts: frozenset[HostName]) -> frozenset[HostName]:
    """Return those of `hosts` for whose death a person may answer, as one of many."""
    return frozenset(
        h for h in hosts if (j := picture.judgements.get(h)) is not None and is_silent(j)
    )


def is_silent(judgement: Judgement) -> bool:
    """Return whether no witness hears the host."""
    return judgement.network is Network.SILENT and judgement.control is not Control.FRESH
