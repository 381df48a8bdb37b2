"""How many hosts may be in trouble at once before the picture itself is doubted."""

from koboshi.domain.rules import Rules


def bound(hosts: int, rules: Rules) -> int:
    """Return how many of `hosts` may be in trouble at once (B)."""
    return max(1, min(rules.brake_most, rules.brake_percent * hosts // 100))
