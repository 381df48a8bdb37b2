"""The settings of the brake and of domains."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from koboshi.domain.errors import ConfigurationError
from koboshi.domain.facts.places import DomainSource
from koboshi.settings.braking import BrakeSettings, DomainSettings, places_of


def test_a_file_of_domains_is_read(tmp_path: Path) -> None:
    path = tmp_path / "domains.toml"
    path.write_text('rack1 = ["a*", "b1"]\n')
    domains = DomainSettings(source=DomainSource.FILE, file=path)
    assert places_of(BrakeSettings(), domains).hosts == {"rack1": ("a*", "b1")}


@pytest.mark.parametrize("text", ["rack1 = 3\n", "rack1 = [\n", None])
def test_one_of_another_shape_says_so(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "domains.toml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigurationError, match=r"domains\.toml"):
        places_of(BrakeSettings(), DomainSettings(source=DomainSource.FILE, file=path))


def test_the_source_file_needs_a_file() -> None:
    with pytest.raises(ValidationError, match="needs file"):
        DomainSettings(source=DomainSource.FILE)
