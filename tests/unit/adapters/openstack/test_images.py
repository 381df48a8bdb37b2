"""What Glance says of the image that a server would be made from again."""

from pathlib import Path

import pytest

from koboshi.domain.facts.stock import Image
from tests.unit.adapters.openstack.fake_cloud import SimCloud, connected

pytestmark = pytest.mark.anyio


async def test_an_image_serves_only_when_active(tmp_path: Path) -> None:
    fake = SimCloud()
    async with connected(fake, tmp_path) as cloud:
        assert await cloud.image("i1") is None
        fake.json("/image/v2/images/i1", {"id": "i1", "status": "active"})
        assert (await cloud.image("i1")) == Image(id="i1", active=True)
        fake.json("/image/v2/images/i1", {"id": "i1", "status": "deactivated"})
        assert (await cloud.image("i1")) == Image(id="i1", active=False)


async def test_an_image_tells_what_it_says_of_its_servers(tmp_path: Path) -> None:
    fake = SimCloud()
    row = {
        "id": "i1",
        "status": "active",
        "owner": "p",
        "visibility": "private",
        "os_type": "linux",
    }
    said = {"koboshi:priority": "high", "evacuable": "true"}
    fake.json("/image/v2/images/i1", {**row, **said, "tags": ["x", "koboshi:after=db"]})
    async with connected(fake, tmp_path) as cloud:
        image = await cloud.image("i1")
    assert image is not None
    assert (image.properties, image.owner, image.is_public) == (said, "p", False)
    assert image.tags == {"koboshi:after=db"}
