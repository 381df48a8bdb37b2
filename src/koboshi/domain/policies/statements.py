"""Who says what of a server: every statement, from the most specific source to the most general."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from koboshi.domain.facts.cloud import Aggregate, Server
from koboshi.domain.facts.stock import Image
from koboshi.domain.policies.terms import (
    EVACUABLE,
    HA_ENABLED,
    NAMESPACE,
    Key,
    Misspelt,
    Value,
    key_of,
    value_of,
)
from koboshi.domain.rules import PolicyRules


class Level(IntEnum):
    """How specific a source is: the lowest that says something counts."""

    SERVER = 1
    IMAGE = 2
    FLAVOR = 3
    PROJECT = 4
    AGGREGATE = 5
    CONFIGURATION = 6


LEVEL_MEANING: Final[Mapping[Level, str]] = {
    Level.SERVER: "the server's own metadata and tags",
    Level.IMAGE: "its image's properties and tags",
    Level.FLAVOR: "its flavor's extra specs",
    Level.PROJECT: "its project, in the configuration",
    Level.AGGREGATE: "its host's aggregates: their metadata, and the configuration",
    Level.CONFIGURATION: "the configuration",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that was said and cannot count: where, what, and the cure."""

    place: str
    what: str
    cure: str
    key: Key | None = None
    """Of what it was said, where that can be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One thing said of a server, at one place."""

    key: Key
    value: Value | None
    """None where it could not be read."""
    text: str
    level: Level
    place: str
    by_tenant: bool
    ours: bool = True
    """Whether it is in our own namespace, and not another tool's word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """Where statements about servers are, beside the servers themselves."""

    images: Mapping[str, Image]
    aggregates: tuple[Aggregate, ...]
    rules: PolicyRules


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    level: Level
    name: str
    """`metadata`, `flavor m1.small`, …"""
    by_tenant: bool = False


def statements_about(server: Server, sources: Sources) -> Iterator[Statement | Finding]:
    """Return everything that is said of a server, readable or not."""
    own = _Place(level=Level.SERVER, name="metadata", by_tenant=True)
    yield from _pairs(server.metadata, own)
    yield from _tags(server.tags, _Place(level=Level.SERVER, name="tag", by_tenant=True))
    image = sources.images.get(server.image_id or "")
    if image is not None:
        yield from _of_image(server, image)
    flavor = _Place(level=Level.FLAVOR, name=f"flavor {server.flavor.name}")
    yield from _pairs(server.flavor.extra_specs, flavor)
    project = sources.rules.projects.get(server.project_id, {})
    place = _Place(level=Level.PROJECT, name=f'[policy.project."{server.project_id}"]')
    yield from _configured(project, place)
    for aggregate in sources.aggregates:
        if server.host in aggregate.hosts:
            place = _Place(level=Level.AGGREGATE, name=f"aggregate {aggregate.name}")
            yield from _pairs(aggregate.metadata, place)
            said = sources.rules.aggregates.get(aggregate.name, {})
            place = _Place(level=Level.AGGREGATE, name=f'[policy.aggregate."{aggregate.name}"]')
            yield from _configured(said, place)


def _of_image(server: Server, image: Image) -> Iterator[Statement | Finding]:
    """Give the words of an image that may speak for the server: its project's own, or a public one."""
    place = _Place(level=Level.IMAGE, name=f"image {image.id}", by_tenant=not image.is_public)
    found = [*_pairs(image.properties, place), *_tags(image.tags, place)]
    if image.is_public or not image.owner or image.owner == server.project_id:
        yield from found
    elif found:
        yield Finding(
            place=place.name,
            what="it belongs to another project, whose word on this server does not count",
            cure="say it in the server's own metadata",
        )


def _pairs(pairs: Mapping[str, str], place: _Place) -> Iterator[Statement | Finding]:
    for name in sorted(pairs):
        yield from _one(name, str(pairs[name]), f"{place.name} {name}", place)


def _tags(tags: frozenset[str], place: _Place) -> Iterator[Statement | Finding]:
    """Give what tags say: `koboshi:priority=high`, or a bare mark, which means that it is so."""
    for tag in sorted(tags):
        name, has_value, text = tag.partition("=")
        is_mark = name.strip().lower() in {EVACUABLE, HA_ENABLED.lower(), f"{NAMESPACE}protect"}
        said = text if has_value else ("true" if is_mark else "")
        yield from _one(name, said, f"{place.name} {tag}", place)


def _configured(table: Mapping[str, str], place: _Place) -> Iterator[Statement | Finding]:
    for name, text in table.items():
        yield from _one(NAMESPACE + name, text, f"{place.name} {name}", place)


def _read(key: Key, text: str, where: str) -> tuple[Value | None, tuple[Finding, ...]]:
    try:
        return value_of(key, text), ()
    except Misspelt as error:
        what = f"'{text.strip()[:60]}' cannot be read"
        return None, (Finding(place=where, what=what, cure=str(error), key=key),)


def _one(name: str, text: str, where: str, place: _Place) -> Iterator[Statement | Finding]:
    try:
        key = key_of(name)
    except Misspelt as error:
        yield Finding(place=where, what=f"there is no key {name.strip()[:60]}", cure=str(error))
        if error.key is None:
            return
        key, text = error.key, ""  # whatever was wanted there, nobody knows it
        value = None
    else:
        if key is None:
            return
        value, told = _read(key, text, where)
        yield from told
    yield Statement(
        key=key,
        value=value,
        text=text.strip()[:60],
        level=place.level,
        place=where,
        by_tenant=place.by_tenant,
        ours=name.strip().lower().startswith(NAMESPACE),
    )
