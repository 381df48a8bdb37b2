"""Whether hosts may die and all that would return have room, for eyes."""

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.text import Text

from koboshi.cli.forecast_rows import waiting
from koboshi.cli.words import clean, count
from koboshi.domain.forecasting.claims import Claim, Verdict
from koboshi.domain.forecasting.forecast import WaitsFor
from koboshi.domain.forecasting.survival import HostForecast

MAX_MISSING = 3


def draw_claims(claims: Sequence[Claim], hosts: Sequence[HostForecast]) -> Iterator[RenderableType]:
    """Give a line for each claim, with the servers that refute it; one for all domains that may die."""
    for claim in claims:
        if not claim.domain:
            yield Group(_line(claim, hosts), *_missing(claim))
    domains = [claim for claim in claims if claim.domain]
    well = [claim for claim in domains if claim.verdict is Verdict.PROVED]
    if well:
        names = ", ".join(clean(c.domain) for c in well[:MAX_MISSING])
        more = f" and {len(well) - MAX_MISSING} more" if len(well) > MAX_MISSING else ""
        words = (
            f"  ✔ {len(well)} of {count(len(domains), 'domain')} may die as a whole: {names}{more}"
        )
        yield Text(words, style="green")
    for claim in domains:
        if claim.verdict is Verdict.REFUTED:
            words = (
                f"  ✗ Domain {clean(claim.domain)} ({count(claim.hosts, 'host')}) may not die: "
                f"{count(len(claim.missing), 'server')} would have no room"
            )
            yield Group(Text(words, style="bold red"), *_missing(claim))


def _line(claim: Claim, hosts: Sequence[HostForecast]) -> Text:
    what = "Any one host" if claim.hosts == 1 else f"Any {claim.hosts} hosts together"
    missing = claim.missing
    match claim.verdict:
        case Verdict.PROVED:
            line = Text(f"  ✔ {what} may die: all that would return have room", style="green")
            line.append(f" ({claim.how})", style="default")
        case Verdict.NOT_REFUTED:
            line = Text(f"  ▲ {what} may die as far as was tried: {claim.how}", style="yellow")
        case Verdict.UNKNOWN:
            line = Text(f"  ▲ {what}: not known: {claim.how}", style="yellow")
        case Verdict.REFUTED if claim.hosts == 1:
            short = [h for h in hosts if waiting(h.servers, WaitsFor.ROOM)]
            names = ", ".join(clean(h.host) for h in short[:MAX_MISSING])
            names += f" and {len(short) - MAX_MISSING} more" if len(short) > MAX_MISSING else ""
            line = Text(
                f"  ✗ Not every host may die: {len(hosts) - len(short)} of {len(hosts)} may; of "
                f"{names} some servers would have no room",
                style="bold red",
            )
        case Verdict.REFUTED:
            line = Text(
                f"  ✗ Not any {claim.hosts} hosts may die together: {clean(claim.how)}, "
                f"{count(len(missing), 'server')} would have no room",
                style="bold red",
            )
    return line


def _missing(claim: Claim) -> Iterator[RenderableType]:
    missing = claim.missing
    told = [f"{clean(t.candidate.name)}: {clean(t.lacking)}" for t in missing[:MAX_MISSING]]
    if len(missing) > MAX_MISSING:
        told.append(f"and {len(missing) - MAX_MISSING} more")
    for words in told:
        yield Padding(Text(words), (0, 0, 0, 6), expand=False)
