"""Both clouds, each scene played once on both at the same time, and what was recorded."""

import threading
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.contract.claims import SCENES
from tests.contract.real import LabSide
from tests.contract.side import Side
from tests.contract.simulated import simulated
from tests.contract.stage import Scene, Stage
from tests.real_cloud import HOSTS, TEST_TIMEOUT_S, TestsLab
from tests.real_cloud import lab as lab  # noqa: PLC0414 pytest finds fixtures by their names here

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what compares: it needs the lab, and the first test of a scene plays it."""
    for item in items:
        if item.path == HERE / "test_contract.py":
            item.add_marker(pytest.mark.lab)
            item.add_marker(pytest.mark.timeout(TEST_TIMEOUT_S))


@dataclass(kw_only=True)
class Played:
    """What a scene recorded on both sides, by the sides' names."""

    facts: dict[str, dict[str, list[Any]]] = field(default_factory=dict[str, dict[str, list[Any]]])
    broken: dict[str, BaseException] = field(default_factory=dict[str, BaseException])


@pytest.fixture(scope="session")
def played() -> dict[str, Played]:
    """Return what was played, filled by `play` scene by scene."""
    return {}


def play(lab: TestsLab, name: str) -> Played:
    """Play a scene on both clouds, each in a thread of its own."""
    lab.have(HOSTS)
    scene = next(s for s in SCENES if s.name == name)
    result = Played()
    real = LabSide(lab)
    real.calm()
    with simulated(HOSTS) as simulation:
        threads = [
            threading.Thread(target=_play_on, args=(side, scene, result))
            for side in (real, simulation)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return result


def _play_on(side: Side, scene: Scene, result: Played) -> None:
    try:
        stage = Stage(side)
        result.facts[side.name] = stage.facts
        with closing(stage.api):
            scene.play(stage)
    except BaseException as error:  # noqa: BLE001 whatever it is, the test of each claim tells it
        result.broken[side.name] = error
