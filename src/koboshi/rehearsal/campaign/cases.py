"""One seed, one story: the same seed gives the same cloud, the same troubles, the same end."""

from dataclasses import dataclass
from random import Random

from koboshi.rehearsal.campaign.clouds import draw_cloud, draw_settings
from koboshi.rehearsal.campaign.scripts import draw_script
from koboshi.rehearsal.script import Script
from koboshi.rehearsal.settings import StorySettings
from koboshi.rehearsal.spec import CloudSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Everything that a play needs."""

    seed: int
    cloud: CloudSpec
    script: Script
    settings: StorySettings


def draw_case(seed: int) -> Case:
    """Return the story of a seed."""
    random = Random(seed)  # noqa: S311 a story's dice, no secret
    cloud = draw_cloud(random)
    return Case(
        seed=seed,
        cloud=cloud,
        script=draw_script(random, cloud),
        settings=draw_settings(random, cloud),
    )
