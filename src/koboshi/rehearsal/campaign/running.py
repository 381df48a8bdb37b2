"""Many seeds, on as many cores as one likes, and what they came to."""

import time
from collections.abc import Callable
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path

from koboshi.rehearsal.campaign.cases import Case, draw_case
from koboshi.rehearsal.campaign.counting import Counts
from koboshi.rehearsal.campaign.shrinking import Shrinking
from koboshi.rehearsal.campaign.trial import Tried, try_case
from koboshi.rehearsal.scenario import save_scenario
from koboshi.sim.breach import RULE_MEANING, Breach, Rule

ENOUGH_SEEDS = 10_000
"""From so many seeds on, a kind that never occurred fails the campaign: the rarest ones (a server that
somebody else evacuates, an incident without proof) came once in two or three thousand."""
SEEDS_AT_ONCE = 20
MAX_SHRUNK = 5
"""Failures that are made shorter; the others are named with their seeds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A seed that broke a rule."""

    seed: int
    breaches: tuple[Breach, ...]
    folder: Path | None = None
    """Where its shortest story was written."""


@dataclass(kw_only=True)
class Report:
    """What a campaign came to."""

    first: int
    asked: int
    seeds: int = 0
    took_s: float = 0.0
    played_s: float = 0.0
    """In virtual time."""
    counts: Counts = field(default_factory=Counts)
    failures: list[Failure] = field(default_factory=list[Failure])

    @property
    def missing(self) -> tuple[str, ...]:
        """Return the kinds that never occurred; none is asked of a short campaign."""
        return self.counts.missing() if self.seeds >= ENOUGH_SEEDS else ()

    @property
    def is_well(self) -> bool:
        """Return whether no rule was broken, and everything was tried."""
        return not self.failures and not self.missing


def run_campaign(
    first: int,
    seeds: int,
    *,
    jobs: int = 1,
    tell: Callable[[Report], None] = lambda _report: None,
) -> Report:
    """Play `seeds` seeds from `first` on; `tell` hears of the progress."""
    report, began_s = Report(first=first, asked=seeds), time.monotonic()
    chunks = [
        range(n, min(n + SEEDS_AT_ONCE, first + seeds))
        for n in range(first, first + seeds, SEEDS_AT_ONCE)
    ]

    def take(tried: list[Tried]) -> None:
        for one in tried:
            report.seeds += 1
            report.played_s += one.ended_s
            report.counts.add(one.counts)
            if one.breaches:
                report.failures.append(Failure(seed=one.case.seed, breaches=one.breaches))
        report.took_s = time.monotonic() - began_s
        tell(report)

    if jobs == 1:
        for chunk in chunks:
            for seed in chunk:
                take([try_case(draw_case(seed))])
        return report
    # Spawned, not forked: a fork would share this process's threads and locks.
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        futures: list[Future[list[Tried]]] = [pool.submit(_try_all, chunk) for chunk in chunks]
        for future in as_completed(futures):
            take(future.result())
    report.failures.sort(key=lambda failure: failure.seed)
    return report


def _try_all(seeds: range) -> list[Tried]:
    return [try_case(draw_case(seed)) for seed in seeds]


def write_stories(report: Report, folder: Path) -> None:
    """Make the first failures short, and write each as a story below `folder`."""
    for number, failure in enumerate(report.failures[:MAX_SHRUNK]):
        rule = failure.breaches[0].rule
        case = Shrinking(draw_case(failure.seed), rule).run()
        tried = try_case(case)
        target = folder / f"seed-{failure.seed}-{rule.value.replace('_', '-')}"
        write_story(target, case, tried, rule)
        report.failures[number] = replace(failure, folder=target)


def write_story(folder: Path, case: Case, tried: Tried, rule: Rule) -> None:
    """Write a case as a story that may go to scenarios/ once it is mended and recorded."""
    told = "\n".join(f"- {breach}" for breach in tried.breaches[:5])
    readme = (
        f"# Seed {case.seed} of a fault campaign\n\n"
        f"Made short by the campaign: what meets here broke the rule below.\n\n"
        f"Guards: {RULE_MEANING[rule]}.\n\n{told}\n\n"
        f"The whole of it: `koboshi sim campaign --seeds 1 --first-seed {case.seed}`.\n"
    )
    script = replace(case.script, lasts_s=max(tried.ended_s, 1.0))
    save_scenario(folder, case.cloud, script, case.settings, readme)
