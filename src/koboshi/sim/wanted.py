"""What the cloud's own truth says of a server's policy: for the judge, who asks nobody else.

Written down a second time on purpose, as plainly as docs/policy.md says it, and in no way by the
code that decides: a mistake there must not blind its judge.
"""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from koboshi.domain.facts.cloud import Server
from koboshi.domain.rules import Rules
from koboshi.sim.database import Database

OURS = "koboshi:"
HOW_BAD = ("hold", "ignore", "rebuild-after", "rebuild")
"""From the one that destroys nothing to the one that destroys at once."""
YES, NO = ("true", "1", "yes", "y", "on", "t"), ("false", "0", "no", "n", "off", "f")
TENANT = "tenant"
KEYS = ("protect", "on_local_disk", "priority", "after", "ready", "health", "lone_stop")

Said = list[tuple[str, str]]


def local_disk_policy(cloud: Database, rules: Rules, server: Server) -> tuple[str, float]:
    """Return what is to be done with local disks, and for how many seconds it is waited first."""
    for owner, said in _levels(cloud, rules, server):
        found = [
            ("hold", 0.0) if _is_mistyped(key) else _read(text, rules)
            for key, text in said
            if _plain(key) == "on_local_disk"
        ]
        allowed = [f for f in found if owner != TENANT or f[0] in rules.policy.tenant_may]
        if allowed:
            return min(allowed, key=lambda f: (HOW_BAD.index(f[0]), -f[1]))
    waits = rules.rebuild_after.total_seconds() if rules.on_local_disk == "rebuild-after" else 0.0
    return str(rules.on_local_disk), waits


def is_protected(cloud: Database, rules: Rules, server: Server) -> bool:
    """Return whether the server is to be recovered at all."""
    for owner, said in _levels(cloud, rules, server):
        others = [t for key, t in said if key.strip().lower() in {"ha_enabled", "evacuable"}]
        ours = ["" if _is_mistyped(key) else t for key, t in said if _plain(key) == "protect"]
        may_out = owner != TENANT or "opt-out" in rules.policy.tenant_may
        may_in = owner != TENANT or "opt-in" in rules.policy.tenant_may
        for texts in (ours, others):
            words = [text.strip().lower() for text in texts]
            votes = [w not in NO for w in words if (may_out if w in NO else may_in)]
            if votes:
                return any(votes)
    return not rules.policy.tagged_only


def named_before(cloud: Database, rules: Rules, server: Server) -> tuple[str, ...]:
    """Return whom the server names that are to be up before it."""
    for _, said in _levels(cloud, rules, server):
        texts = [text for key, text in said if _plain(key) == "after" and not _is_mistyped(key)]
        if words := [w.strip() for text in texts for w in text.split(",") if w.strip()]:
            return tuple(words)
    return ()


def is_started_alone(cloud: Database, rules: Rules, server: Server) -> bool:
    """Return whether somebody who may wants it started when its guest ended alone."""
    for owner, said in _levels(cloud, rules, server):
        words = [
            "leave" if _is_mistyped(key) else text.strip().lower()
            for key, text in said
            if _plain(key) == "lone_stop"
        ]
        may = owner != TENANT or "start-lone" in rules.policy.tenant_may
        votes = [w == "start" for w in words if w != "start" or may]
        if votes:
            return all(votes)
    return rules.start_lone_stops


def _levels(cloud: Database, rules: Rules, server: Server) -> Iterator[tuple[str, Said]]:
    """Give who says what, the most specific first."""
    yield TENANT, [*server.metadata.items(), *map(_tag, server.tags)]
    image = cloud.image_row(server.image_id) if server.image_id is not None else None
    if image is not None:
        said = [*image.properties.items(), *map(_tag, image.tags)]
        if image.is_public:
            yield "operator", said
        elif image.owner in {"", server.project_id}:
            yield TENANT, said
    yield "operator", list(server.flavor.extra_specs.items())
    yield "operator", _table(rules.policy.projects.get(server.project_id, {}))
    together: Said = []
    for aggregate in cloud.catalogue.aggregates.values():
        if server.host in aggregate.hosts:
            together += [*aggregate.metadata.items()]
            together += _table(rules.policy.aggregates.get(aggregate.name, {}))
    yield "operator", together


def _table(said: Mapping[str, str]) -> Said:
    return [(OURS + key, text) for key, text in said.items()]


def _tag(tag: str) -> tuple[str, str]:
    key, _, text = tag.partition("=")
    bare = key.strip().lower() in {"evacuable", "ha_enabled", f"{OURS}protect"}
    return key, text if "=" in tag else ("true" if bare else "")


def _plain(key: str) -> str:
    key = key.strip().lower()
    if not key.startswith(OURS):
        return ""
    word = key.removeprefix(OURS).replace("-", "_")
    return next(iter(get_close_matches(word, KEYS, n=1)), word)


def _is_mistyped(key: str) -> bool:
    return key.strip().lower().startswith(OURS) and (
        key.strip().lower().removeprefix(OURS).replace("-", "_") not in KEYS
    )


def _read(text: str, rules: Rules) -> tuple[str, float]:
    """Return what a text says; what nobody can read holds."""
    word = text.strip().lower().replace("_", "-")
    if word in {"hold", "ignore", "rebuild"}:
        return word, 0.0
    if word == "rebuild-after":
        return word, rules.rebuild_after.total_seconds()
    found = re.fullmatch(
        r"rebuild-after\s*[=: ]\s*(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?", word
    )
    if found and any(found.groups()):
        days, hours, minutes, seconds = (float(part or 0) for part in found.groups())
        waits_s = days * 86_400 + hours * 3600 + minutes * 60 + seconds
        if waits_s:
            return "rebuild-after", waits_s
    return "hold", 0.0
