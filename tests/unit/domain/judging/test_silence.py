"""A host's silence right now: every path must be watched, or nobody would hear it."""

from dataclasses import replace

import pytest

from koboshi.domain.judging.evidence import ProbeTrack
from koboshi.domain.judging.silence import why_not_silent
from koboshi.domain.names import NetworkName
from tests.fakes.scene import H1, Scene, ago, probe

STORAGE = NetworkName("storage")


def told(track: ProbeTrack | None) -> str | None:
    """Return what speaks against the silence of a host that is dark on the management network."""
    scene = Scene().dark("h1", for_s=60)
    tracks = {} if track is None else {H1: track}
    world = replace(scene.world, fenced=frozenset(), further={STORAGE: tracks})
    return why_not_silent(H1, world, scene.now)


def test_silent_on_every_path() -> None:
    assert told(probe("h1", 60)) is None


def test_a_network_where_it_has_no_address_says_nothing() -> None:
    assert told(None) is None


@pytest.mark.parametrize(
    ("track", "word"),
    [
        pytest.param(probe("h1"), "its address in storage answered", id="it answers"),
        pytest.param(
            replace(probe("h1", 60), silent_since=None),
            "cannot be asked from here",
            id="our trouble",
        ),
        pytest.param(
            replace(probe("h1", 60), asked_at=ago(30)), "is not being asked now", id="not asked"
        ),
    ],
)
def test_a_path_on_which_it_is_heard_or_nobody_listens_speaks_against_it(
    track: ProbeTrack, word: str
) -> None:
    assert word in (told(track) or "")
