"""The one way in which a campaign's dice are thrown, so that a seed means the same everywhere."""

from random import Random


def chance(random: Random, percent: float) -> bool:
    """Return True so many times in a hundred."""
    return random.random() * 100 < percent
