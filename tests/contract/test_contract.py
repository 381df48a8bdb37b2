"""A test a claim: what the simulation does is what the real OpenStack does."""

from typing import Any

import pytest

from tests.contract.claims import CLAIMS
from tests.contract.conftest import Played, play
from tests.contract.facts import difference
from tests.real_cloud import TestsLab


@pytest.mark.parametrize(("scene", "claim"), CLAIMS)
def test_the_simulation_does_as_nova_does(
    lab: TestsLab, played: dict[str, Played], scene: str, claim: str
) -> None:
    if scene not in played:
        played[scene] = play(lab, scene)
    result = played[scene]
    real, simulated = facts(result, "lab", claim), facts(result, "simulation", claim)
    found = [
        f"fact {number}: {why}"
        for number, (sim, real_one) in enumerate(zip(simulated, real, strict=False))
        if (why := difference(sim, real_one))
    ]
    assert not found, "\n".join(found)
    assert len(real) == len(simulated)


def facts(result: Played, side: str, claim: str) -> list[Any]:
    """Return what was recorded of a claim; a claim of which nothing was is no claim."""
    found = result.facts.get(side, {}).get(claim, [])
    if side in result.broken:
        raise AssertionError(f"on the {side} the scene broke off") from result.broken[side]
    assert found, f"nothing was recorded on the {side}"
    return found
