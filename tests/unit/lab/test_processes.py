"""What every process of the lab is given."""

from pathlib import Path

from lab import processes
from lab.layout import Layout


def test_whatever_a_process_leaves_behind_goes_with_the_lab() -> None:
    lab = Layout(Path("/home/a/koboshi"))
    given = processes.base_environment(lab)

    for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME"):
        assert Path(given[name]).is_relative_to(lab.run)
