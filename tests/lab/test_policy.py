"""What counts for a server, as a real OpenStack tells it: metadata, tag, image, flavor, aggregate."""

from typing import Any

from lab import Lab
from lab.rig.koboshi import Koboshi
from lab.rig.nova import Nova
from lab.rig.things import Things

from .conftest import MakeKoboshi

HOST = "cmp1"
DISK = "koboshi:on_local_disk"
PRIORITY = "koboshi:priority"


def explained(koboshi: Koboshi, server: str) -> tuple[dict[str, tuple[str, str]], list[Any]]:
    """Return what counts, and from where; and what cannot count."""
    said = koboshi.run("policy", "explain", server, "-f", "json").json()
    return {k["key"]: (k["value"], k["from"]) for k in said["keys"]}, said["findings"]


def test_each_source_is_read_and_named(
    lab: Lab, nova: Nova, make_koboshi: MakeKoboshi, things: Things
) -> None:
    koboshi = make_koboshi(policy={"project": {things.project: {"on_local_disk": "ignore"}}})
    things.aggregate("lab-batch", [HOST], {PRIORITY: "low"})
    flavor = things.flavor("lab.ci", {DISK: "rebuild"})
    image = things.image("lab-web", {DISK: "rebuild-after=30m", PRIORITY: "high"})
    both = {"image": image, "flavor": flavor}
    (own,) = lab.boot(host=HOST, kind="image", name="own", wishes=both)
    (by_image,) = lab.boot(host=HOST, kind="image", name="by-image", wishes=both)
    (by_flavor,) = lab.boot(host=HOST, kind="image", name="by-flavor", wishes={"flavor": flavor})
    (plain,) = lab.boot(host=HOST, kind="image", name="plain")
    nova.set_metadata(own.id, **{PRIORITY: "normal"})
    things.tag(own.id, f"{DISK}=hold")
    things.tag(plain.id, "koboshi:priorty=high")

    said, findings = explained(koboshi, own.id)
    assert said["on_local_disk"] == ("hold", f"tag {DISK}=hold")
    assert said["priority"] == ("normal", f"metadata {PRIORITY}")
    assert findings == []
    said, _ = explained(koboshi, by_image.id)
    assert said["on_local_disk"] == ("rebuild-after=30m", f"image {image} {DISK}")
    assert said["priority"] == ("high", f"image {image} {PRIORITY}")
    said, _ = explained(koboshi, by_flavor.id)
    assert said["on_local_disk"] == ("rebuild", f"flavor lab.ci {DISK}")
    assert said["priority"] == ("low", f"aggregate lab-batch {PRIORITY}")
    said, findings = explained(koboshi, plain.id)
    assert said["on_local_disk"][0] == "ignore"
    assert things.project in said["on_local_disk"][1]
    assert ["priorty" in f["what"] + f["place"] for f in findings] == [True]
