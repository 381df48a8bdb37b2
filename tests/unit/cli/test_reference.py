"""The reference in docs/ is what the code says."""

import runpy
from pathlib import Path

import pytest

from koboshi.settings.keys import keys

ROOT = Path(__file__).resolve().parents[3]
PAGES: dict[Path, str] = runpy.run_path(str(ROOT / "docs" / "generate.py"))["pages"]()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_reference_is_current(page: Path) -> None:
    assert page.exists(), "run: python docs/generate.py"
    assert page.read_text(encoding="utf-8") == PAGES[page], "run: python docs/generate.py"


def test_nothing_else_is_there() -> None:
    folder = ROOT / "docs" / "reference"
    pages = {page.name for page in PAGES if page.parent == folder}
    assert {page.name for page in folder.iterdir()} == pages


def test_every_key_is_in_it() -> None:
    text = PAGES[ROOT / "docs" / "reference" / "configuration.md"]
    for key in keys():
        assert f"| `{key.name}` |" in text
