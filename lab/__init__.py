"""A real OpenStack on one machine, with hosts that can lose power. See lab/README.md."""

from lab.errors import LabError
from lab.lab import Lab
from lab.settings import Settings

__all__ = ["Lab", "LabError", "Settings"]
