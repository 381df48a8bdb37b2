"""The bootstrap: which Python it takes, and how it comes by pip."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def bootstrap() -> ModuleType:
    """Load the script, which is in no package."""
    spec = importlib.util.spec_from_file_location("bootstrap", ROOT / "tools" / "bootstrap.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _python(path: Path, says: str) -> Path:
    path.write_text(f"#!/bin/sh\necho {says}\n")
    path.chmod(0o755)
    return path


def test_a_python_that_is_too_old_is_passed_over(
    bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = _python(tmp_path / "old", "3 9")
    monkeypatch.setenv("UV_PYTHON", str(old))
    assert bootstrap.find_python() == sys.executable
    with pytest.raises(bootstrap.BootstrapError, match=r"Koboshi needs 3\.11"):
        bootstrap.require_python(str(old))


def test_a_python_that_was_named_is_taken(
    bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    named = _python(tmp_path / "named", "3 12")
    monkeypatch.setenv("UV_PYTHON", str(named))
    assert bootstrap.find_python() == str(named)


def test_a_python_with_neither_pip_nor_venv_is_given_pips_own_wheel(
    bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bare = _python(tmp_path / "bare", "False")
    monkeypatch.setattr(bootstrap, "UV_HOME", tmp_path)
    wheel = tmp_path / bootstrap.PIP_URL.rpartition("/")[2]
    wheel.touch()  # downloaded before
    pip, more = bootstrap.pip_of(str(bare))
    assert pip == [str(bare), f"{wheel}/pip"]
    assert more[-2:] == ["--target", str(tmp_path)]
