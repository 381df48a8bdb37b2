"""From statements to one policy: the most specific counts, in doubt the one that destroys least."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from koboshi.domain.facts.cloud import Server
from koboshi.domain.policies.effects import effect_of
from koboshi.domain.policies.readiness import Readiness
from koboshi.domain.policies.statements import (
    Finding,
    Level,
    Sources,
    Statement,
    statements_about,
)
from koboshi.domain.policies.terms import NAMESPACE, Key, LocalDisk, Value, text_of
from koboshi.domain.recoveries.priority import Priority
from koboshi.domain.rules import LoneStop, OnLocalDisk, Rules, TenantMay

_LEAST_DESTRUCTIVE: Final = (
    OnLocalDisk.HOLD,
    OnLocalDisk.IGNORE,
    OnLocalDisk.REBUILD_AFTER,
    OnLocalDisk.REBUILD,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What counts for one key, from where, and what it overrode."""

    key: Key
    value: str
    place: str
    level: Level
    overrode: tuple[str, ...] = ()
    """Each other statement, as `PLACE = VALUE`."""
    effect: str = ""
    """What follows from it under the configuration, where the value alone does not say it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What is wanted for one server."""

    is_protected: bool = True
    why_protected: str = ""
    """Where that is said."""
    on_local_disk: OnLocalDisk = OnLocalDisk.HOLD
    why_local_disk: str = "on_local_disk is 'hold'"
    rebuild_after: timedelta | None = None
    """Only with `rebuild-after`."""
    priority: Priority = Priority.NORMAL
    after: tuple[str, ...] = ()
    ready: Readiness | None = None
    lone_stop: LoneStop = LoneStop.LEAVE
    """What to do when its guest ended alone."""
    why_lone_stop: str = ""
    """Where that is said; empty where nobody says anything but the configuration."""
    applied: tuple[Applied, ...] = ()
    findings: tuple[Finding, ...] = ()


def policy_of(server: Server, sources: Sources, rules: Rules) -> Policy:
    """Return what is wanted for a server, by everybody who may say so. Never raises."""
    findings: list[Finding] = []
    by_key: dict[Key, list[Statement]] = {key: [] for key in Key}
    for said in (*statements_about(server, sources), *_configuration(rules)):
        if isinstance(said, Finding):
            findings.append(said)
        elif denied := _denied(said, rules):
            findings.append(denied)
        else:
            by_key[said.key].append(said)
    applied: dict[Key, Applied] = {}
    values: dict[Key, Value] = {}
    for key, statements in by_key.items():
        chosen = _choose(statements, findings)
        if chosen is not None:
            effect = effect_of(key, chosen[1], server, rules)
            applied[key], values[key] = replace(chosen[0], effect=effect), chosen[1]
    return _made(applied, values, tuple(findings), rules)


def _made(
    applied: Mapping[Key, Applied],
    values: Mapping[Key, Value],
    findings: tuple[Finding, ...],
    rules: Rules,
) -> Policy:
    disk = values[Key.ON_LOCAL_DISK]
    priority, after, ready = (values.get(k) for k in (Key.PRIORITY, Key.AFTER, Key.READY))
    lone = values[Key.LONE_STOP]
    what = disk.what if isinstance(disk, LocalDisk) else OnLocalDisk.HOLD
    wait = disk.after if isinstance(disk, LocalDisk) else None
    is_after = what is OnLocalDisk.REBUILD_AFTER
    return Policy(
        is_protected=values[Key.PROTECT] is True,
        why_protected=_said(applied[Key.PROTECT]),
        on_local_disk=what,
        why_local_disk=_said(applied[Key.ON_LOCAL_DISK]),
        rebuild_after=(wait or rules.rebuild_after) if is_after else None,
        priority=priority if isinstance(priority, Priority) else Priority.NORMAL,
        after=after if isinstance(after, tuple) else (),
        ready=ready if isinstance(ready, Readiness) else None,
        lone_stop=lone if isinstance(lone, LoneStop) else LoneStop.LEAVE,
        why_lone_stop=_said_beside(applied[Key.LONE_STOP], findings),
        applied=tuple(applied.values()),
        findings=findings,
    )


def _said(applied: Applied) -> str:
    if applied.level is Level.CONFIGURATION and applied.key is Key.PROTECT:
        return "nobody says that it is to be recovered, and [policy] protect is 'tagged'"
    if applied.level is Level.CONFIGURATION:
        return f"{applied.place.rpartition(' ')[2]} is '{applied.value}'"
    return f"{applied.place} says '{applied.value}'"


def _said_beside(applied: Applied, findings: Sequence[Finding]) -> str:
    """Return who says what counts, and what else was said of it that cannot count."""
    words = [] if applied.level is Level.CONFIGURATION else [_said(applied)]
    words += [f"{f.place}: {f.what}" for f in findings if f.key is applied.key]
    return "; ".join(words)


def _configuration(rules: Rules) -> Iterator[Statement]:
    """Give what counts where nobody says anything else."""
    after = rules.rebuild_after if rules.on_local_disk is OnLocalDisk.REBUILD_AFTER else None
    defaults: tuple[tuple[Key, str, Value], ...] = (
        (Key.PROTECT, "[policy] protect", not rules.policy.tagged_only),
        (
            Key.ON_LOCAL_DISK,
            "[policy] on_local_disk",
            LocalDisk(what=rules.on_local_disk, after=after),
        ),
        (Key.PRIORITY, "[policy] priority", rules.policy.priority),
        (
            Key.LONE_STOP,
            "[alone] start_lone_stops",
            LoneStop.START if rules.start_lone_stops else LoneStop.LEAVE,
        ),
    )
    for key, place, value in defaults:
        yield Statement(
            key=key,
            value=value,
            text=text_of(value),
            level=Level.CONFIGURATION,
            place=place,
            by_tenant=False,
        )


def _denied(said: Statement, rules: Rules) -> Finding | None:
    """Return why a statement does not count, though it can be read."""
    value, bounds = _meant(said), rules.policy
    if isinstance(value, Readiness) and (denied := _not_asked(said, value, rules)):
        return denied
    if not said.by_tenant:
        return None
    if isinstance(value, Priority) and value.weight > bounds.tenant_priority_at_most.weight:
        return Finding(
            place=said.place,
            what=f"a project may say {bounds.tenant_priority_at_most} at the most: it does not count",
            cure="ask the operator, who may say more: in the flavor, or in [policy.project]",
        )
    wanted = _wanted(value)
    if wanted is None or wanted in bounds.tenant_may:
        return None
    return Finding(
        place=said.place,
        what=f"a project may not say '{said.text}' here: it does not count",
        cure=f"ask the operator for it: '{wanted}' in [policy] tenant_may",
        key=said.key,
    )


def _not_asked(said: Statement, asked: Readiness, rules: Rules) -> Finding | None:
    """Return why a server is not asked where somebody says."""
    networks, setting = rules.policy.ready_networks, "[policy] ready_networks"
    if said.key is Key.HEALTH:
        networks, setting = rules.health_networks, "[health] networks"
        if not said.place.startswith("metadata "):
            # A sweep of all servers reads their metadata, and nothing else that may say it.
            return Finding(
                place=said.place,
                what="where a server is asked, only its own metadata say: it does not count",
                cure=f"say it in the server's own metadata: {NAMESPACE}{Key.HEALTH}",
            )
    if asked.is_within(networks):
        return None
    return Finding(
        place=said.place,
        what=f"{asked.address} is in none of the networks in which servers may be asked",
        cure=f"ask the operator for it: {setting}",
    )


def _wanted(value: Value | None) -> TenantMay | None:
    if isinstance(value, LocalDisk):
        return TenantMay(value.what.value)
    if isinstance(value, bool):
        return TenantMay.OPT_IN if value else TenantMay.OPT_OUT
    return TenantMay.START_LONE if value is LoneStop.START else None


def _choose(
    statements: Sequence[Statement], findings: list[Finding]
) -> tuple[Applied, Value] | None:
    """Return what counts of all that is said of one key; tells where one source says two things."""
    readable = [s for s in statements if _meant(s) is not None]
    if not readable:
        return None
    level = min(s.level for s in readable)
    here = [s for s in readable if s.level is level]
    if any(s.ours for s in here):  # our own word counts before another tool's
        here = [s for s in here if s.ours]
    values = {s.place: _meant(s) for s in here}
    best, value = _least_destructive(here)
    if len(set(values.values())) > 1 and best.key is not Key.AFTER:
        told = ", ".join(f"{s.place} says '{s.text}'" for s in here)
        findings.append(
            Finding(
                place=best.place,
                what=f"two things are said at once: {told}; '{text_of(value)}' counts",
                cure="say it once",
            )
        )
    others = tuple(
        f"{s.place} = {s.text}" for s in statements if s is not best and s.value != value
    )
    applied = Applied(
        key=best.key, value=text_of(value), place=best.place, level=level, overrode=others
    )
    return applied, value


def _meant(said: Statement) -> Value | None:
    """Return what a statement means; of one that nobody can read, what destroys nothing."""
    if said.value is not None:
        return said.value
    if said.key is Key.ON_LOCAL_DISK:
        return LocalDisk(what=OnLocalDisk.HOLD)
    if said.key is Key.LONE_STOP:
        return LoneStop.LEAVE
    return True if said.key is Key.PROTECT else None


def _least_destructive(here: Sequence[Statement]) -> tuple[Statement, Value]:
    """Return the statement of one level that counts: none of them is more specific than another."""
    pairs = [(s, value) for s in here if (value := _meant(s)) is not None]
    if here[0].key is Key.AFTER:
        every = tuple(dict.fromkeys(n for _, v in pairs if isinstance(v, tuple) for n in v))
        return pairs[0][0], every
    return min(pairs, key=lambda pair: _harm(pair[1]))


def _harm(value: Value) -> float:
    match value:
        case bool():
            return 0.0 if value else 1.0
        case LocalDisk():
            wait = value.after.total_seconds() if value.after else 0.0
            return _LEAST_DESTRUCTIVE.index(value.what) - wait * 1e-9
        case Priority():
            return -value.weight
        case LoneStop():
            return 1.0 if value is LoneStop.START else 0.0
        case _:
            return 0.0
