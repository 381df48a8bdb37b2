"""One seed, one story: the same seed gives the same cloud, the same troubles, the same end."""

from dataclasses import dataclass
from random import Random

from koboshi.rehearsal.campaign.clouds import draw_cloud, draw_settings
from koboshi.rehearsal.campaign.ordering import draw_order
from koboshi.rehearsal.campaign.rare_ends import draw_rare_end
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
    script = draw_script(random, cloud)
    settings = draw_settings(random, cloud)
    # Dice of their own: a seed that draws neither means what it meant before there were they.
    dice = Random(f"rare end {seed}")  # noqa: S311 a story's dice, no secret
    cloud, script, settings = draw_rare_end(dice, cloud, script, settings)
    dice = Random(f"order {seed}")  # noqa: S311 a story's dice, no secret
    cloud, script, settings = draw_order(dice, cloud, script, settings)
    return Case(seed=seed, cloud=cloud, script=script, settings=settings)
