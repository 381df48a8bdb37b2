"""Settings of the brake: how much may be in trouble at once, and which hosts belong together."""

import tomllib
from pathlib import Path
from typing import Self

from pydantic import Field, TypeAdapter, ValidationError, model_validator

from koboshi.domain.errors import ConfigurationError
from koboshi.domain.facts.places import DomainSource, Places
from koboshi.settings.base import Duration, Patterns, Section, minutes, seconds

_DECLARED = TypeAdapter(dict[str, tuple[str, ...]])


class BrakeSettings(Section):
    """When the picture is too implausible to act upon."""

    percent: int = Field(
        default=8,
        ge=1,
        le=20,
        description="Which part of a cell's hosts may be in trouble at once, in percent; one always "
        "may. More of them are more often a switch, or our own view, than dead hosts.",
    )
    at_most: int = Field(
        default=20,
        ge=1,
        le=100,
        description="How many hosts may be in trouble at once, however large the cell is: nobody "
        "should find a hundred hosts switched off by a program.",
    )
    release_after: Duration = Field(
        default=seconds(60),
        ge=seconds(10),
        le=minutes(60),
        description="How long the picture must have been plausible again before a brake that was "
        "held is released: what comes back flickers at first.",
    )
    late_percent: int = Field(
        default=5,
        ge=1,
        le=20,
        description="If more of the hosts that answer probes report late to Nova, in percent and "
        "two at the least, the control plane is unwell, not they.",
    )
    api_error_percent: int = Field(
        default=20,
        ge=1,
        le=90,
        description="If more of the last 30 s' requests to the cloud's API failed, in percent and "
        "three at the least, what it answers is not trusted, and nothing is sent.",
    )
    api_latency: Duration = Field(
        default=seconds(5),
        ge=seconds(1),
        le=seconds(60),
        description="The same, if more than one request of twenty takes longer: an API that is "
        "this slow is about to fail, and more requests would not help it.",
    )
    never_fence: Patterns = Field(
        default=(),
        description="Patterns of hosts that carry Koboshi or its journal's database: they are never "
        "switched off. A host with the name or an address of this machine is found by itself.",
    )
    cells: dict[str, str] = Field(
        default_factory=dict[str, str],
        description="Nova's cells, as PATTERN = CELL, of compute and conductor hosts; the first "
        "pattern counts. The brake counts in each cell alone, and no API of Nova's tells which cell "
        "a host is in. What no pattern chooses is in one more.",
    )


class DomainSettings(Section):
    """Which hosts can fail together for one cause, as a rack does with its switch."""

    source: DomainSource = Field(
        default=DomainSource.NONE,
        description="`zones` takes each availability zone for a domain, `aggregates` each host "
        "aggregate that a pattern chooses, `file` what a file declares. With three or more, a whole "
        "domain can be acted upon, by surer evidence or by `koboshi domain confirm`.",
    )
    aggregates: Patterns = Field(
        default=("*",),
        description="Patterns of the aggregates that are domains (`rack-*`): others may have been "
        "made for licences or hardware.",
    )
    file: Path | None = Field(
        default=None,
        description='A TOML file with NAME = ["PATTERN", ...] for each domain\'s hosts; read at the '
        "start.",
    )

    @model_validator(mode="after")
    def _names_its_file(self) -> Self:
        if self.source is DomainSource.FILE and self.file is None:
            raise ValueError('source = "file" needs file = "/path/to/domains.toml"')
        return self


def places_of(brake: BrakeSettings, domains: DomainSettings) -> Places:
    """Return which hosts belong together. Raises ConfigurationError for a file of another shape."""
    return Places(
        source=domains.source,
        aggregates=domains.aggregates,
        hosts=_declared(domains.file) if domains.file is not None else {},
        cells=brake.cells,
    )


def _declared(path: Path) -> dict[str, tuple[str, ...]]:
    try:
        return _DECLARED.validate_python(tomllib.loads(path.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(
            f"{path}: {error}; set file in [domains] to a readable one"
        ) from None
    except ValidationError:
        raise ConfigurationError(
            f'{path}: not the shape of a file of domains; write NAME = ["PATTERN", ...] for each'
        ) from None
