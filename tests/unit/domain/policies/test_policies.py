"""Who may say what of a server, which word counts, and how a mistyped one is told."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from koboshi.domain.facts.cloud import Aggregate, Flavor, Server
from koboshi.domain.facts.stock import Image
from koboshi.domain.names import HostName
from koboshi.domain.policies.metadata import check_said
from koboshi.domain.policies.readiness import readiness_of
from koboshi.domain.policies.resolving import Policy, policy_of
from koboshi.domain.policies.statements import Sources
from koboshi.domain.policies.terms import Key
from koboshi.domain.recoveries.priority import Priority
from koboshi.domain.rules import Mode, OnLocalDisk, PolicyRules, Rules, TenantMay
from koboshi.sim.samples import image_server

DISK, PRIORITY = "koboshi:on_local_disk", "koboshi:priority"


def flavor(**specs: str) -> Flavor:
    named = {k.replace("__", ":"): v for k, v in specs.items()}
    return Flavor(name="f", vcpus=1, ram_mb=1, disk_gb=1, extra_specs=named)


def image(*, public: bool = True, owner: str = "", **more: Any) -> Image:
    return Image(id="image-1", active=True, is_public=public, owner=owner, **more)


def aggregate(name: str, **metadata: str) -> Aggregate:
    named = {k.replace("__", ":"): v for k, v in metadata.items()}
    return Aggregate(name=name, hosts=frozenset({HostName("h1")}), metadata=named)


def wanted(
    server: Server,
    *aggregates: Aggregate,
    of_image: Image | None = None,
    config: OnLocalDisk = OnLocalDisk.HOLD,
    health_networks: tuple[str, ...] = (),
    **rules: Any,
) -> Policy:
    bounds = PolicyRules(**rules)
    sources = Sources(
        images={of_image.id: of_image} if of_image else {}, aggregates=aggregates, rules=bounds
    )
    rules_ = Rules(
        mode=Mode.ACT, on_local_disk=config, policy=bounds, health_networks=health_networks
    )
    return policy_of(server, sources, rules_)


def server(
    metadata: dict[str, str] | None = None, tags: tuple[str, ...] = (), **more: Any
) -> Server:
    row = image_server("a", metadata=metadata or {}, tags=frozenset(tags))
    return replace(row, **more)


def places(policy: Policy) -> list[str]:
    return [f.place for f in policy.findings]


def test_the_most_specific_word_counts_and_what_it_overrode_is_known() -> None:
    everywhere: dict[str, Any] = {
        "projects": {"p": {"priority": "low"}},
        "priority": Priority.CRITICAL,
    }
    said = {
        "metadata": server({PRIORITY: "high"}, flavor=flavor(koboshi__priority="low")),
        "image": server(flavor=flavor(koboshi__priority="low")),
        "flavor": server(flavor=flavor(koboshi__priority="critical")),
        "project": server(project_id="p"),
        "configuration": server(project_id="q"),
    }
    of_image = image(properties={PRIORITY: "normal"})
    found = {
        name: wanted(s, of_image=of_image if name in {"image", "metadata"} else None, **everywhere)
        for name, s in said.items()
    }
    assert {name: p.priority.value for name, p in found.items()} == {
        "metadata": "high",
        "image": "normal",
        "flavor": "critical",
        "project": "low",
        "configuration": "critical",
    }
    row = next(a for a in found["metadata"].applied if a.key is Key.PRIORITY)
    assert row.place == "metadata koboshi:priority"
    assert [o.partition(" = ")[2] for o in row.overrode] == ["normal", "low", "low", "critical"]
    assert wanted(server(), aggregate("a", koboshi__priority="low")).priority is Priority.LOW


@pytest.mark.parametrize(
    ("text", "what", "wait"),
    [
        ("hold", OnLocalDisk.HOLD, None),
        ("Rebuild", OnLocalDisk.REBUILD, None),
        ("ignore", OnLocalDisk.IGNORE, None),
        ("rebuild-after", OnLocalDisk.REBUILD_AFTER, 1800),
        ("rebuild-after=30m", OnLocalDisk.REBUILD_AFTER, 1800),
        ('rebuild-after = "1h30m"', OnLocalDisk.REBUILD_AFTER, 5400),
        ("rebuild_after: 90s", OnLocalDisk.REBUILD_AFTER, 90),
    ],
)
def test_what_is_done_with_local_disks(text: str, what: OnLocalDisk, wait: int | None) -> None:
    for found in (wanted(server({DISK: text})), wanted(server(tags=(f"{DISK}={text}",)))):
        assert found.findings == ()
        assert found.on_local_disk is what
        assert found.rebuild_after == (timedelta(seconds=wait) if wait else None)


@pytest.mark.parametrize("text", ["rebuidl", "", "rebuild-after=soon", "rebuild-after=0s", "yes"])
def test_what_nobody_can_read_destroys_nothing(text: str) -> None:
    found = wanted(server({DISK: text}), config=OnLocalDisk.REBUILD)
    assert found.on_local_disk is OnLocalDisk.HOLD
    assert places(found) == [f"metadata {DISK}"]
    assert found.findings[0].cure


def test_an_unknown_key_is_told_with_the_one_that_was_meant() -> None:
    found = wanted(server({"koboshi:prioritty": "high"}, ("koboshi:nonsense",)))
    assert found.findings[0].cure == "did you mean koboshi:priority?"
    assert "koboshi:on_local_disk" in found.findings[1].cure
    assert found.priority is Priority.NORMAL


def test_whatever_stood_behind_a_mistyped_key_nothing_is_destroyed() -> None:
    found = wanted(server({"koboshi:on_lokal_disk": "rebuild"}), config=OnLocalDisk.REBUILD)
    assert found.on_local_disk is OnLocalDisk.HOLD
    assert found.findings[0].cure == "did you mean koboshi:on_local_disk?"


def test_what_a_project_may_not_say_does_not_count() -> None:
    bound = frozenset({TenantMay.HOLD})
    found = wanted(server({DISK: "rebuild", PRIORITY: "critical"}), tenant_may=bound)
    assert (found.on_local_disk, found.priority) == (OnLocalDisk.HOLD, Priority.NORMAL)
    assert places(found) == [f"metadata {DISK}", f"metadata {PRIORITY}"]
    stays = wanted(server({"HA_Enabled": "False"}), tenant_may=bound)
    assert stays.is_protected
    operators = server(
        flavor=flavor(koboshi__on_local_disk="rebuild", koboshi__priority="critical")
    )
    found = wanted(operators, tenant_may=bound)
    assert (found.on_local_disk, found.priority) == (OnLocalDisk.REBUILD, Priority.CRITICAL)


def test_an_image_speaks_for_its_own_project_or_is_the_operators() -> None:
    said = {DISK: "rebuild"}
    mine = server(project_id="p")
    assert wanted(mine, of_image=image(properties=said)).on_local_disk is OnLocalDisk.REBUILD
    own = image(public=False, owner="p", properties=said)
    assert wanted(mine, of_image=own).on_local_disk is OnLocalDisk.REBUILD
    bounded = wanted(mine, of_image=own, tenant_may=frozenset({TenantMay.HOLD}))
    assert bounded.on_local_disk is OnLocalDisk.HOLD
    strange = wanted(mine, of_image=image(public=False, owner="q", properties=said))
    assert strange.on_local_disk is OnLocalDisk.HOLD
    assert places(strange) == ["image image-1"]


def test_two_words_of_one_source_are_told_and_the_mildest_counts() -> None:
    found = wanted(server({DISK: "rebuild"}, (f"{DISK}=rebuild-after=1h", f"{PRIORITY}=low")))
    assert found.on_local_disk is OnLocalDisk.REBUILD_AFTER
    assert "two things are said at once" in found.findings[0].what
    assert len(found.findings) == 1
    twice = wanted(
        server(), aggregate("a", koboshi__priority="low"), aggregate("b", koboshi__priority="high")
    )
    assert (twice.priority, len(twice.findings)) == (Priority.HIGH, 1)


@pytest.mark.parametrize(
    ("said", "all_of_them", "tagged"),
    [
        ({}, True, False),
        ({"metadata": {"HA_Enabled": "False"}}, False, False),
        ({"metadata": {"ha_enabled": "True"}}, True, True),
        ({"tags": ("evacuable",)}, True, True),
        ({"flavor": flavor(evacuable="true")}, True, True),
        ({"flavor": flavor(evacuable="no")}, False, False),
        ({"metadata": {"HA_Enabled": "False", "koboshi:protect": "yes"}}, True, True),
        ({"metadata": {"HA_Enabled": "maybe"}}, True, True),
    ],
)
def test_masakaris_and_instancehas_marks(
    said: dict[str, Any],
    *,
    all_of_them: bool,
    tagged: bool,
) -> None:
    assert wanted(server(**said)).is_protected is all_of_them
    assert wanted(server(**said), tagged_only=True).is_protected is tagged


def test_marks_of_images_and_aggregates() -> None:
    assert wanted(
        server(), of_image=image(tags=frozenset({"evacuable"})), tagged_only=True
    ).is_protected
    assert wanted(server(), aggregate("a", evacuable="true"), tagged_only=True).is_protected
    elsewhere = Aggregate(name="a", hosts=frozenset(), metadata={"evacuable": "true"})
    assert not wanted(server(), elsewhere, tagged_only=True).is_protected


def test_dependencies_of_one_source_add_up() -> None:
    found = wanted(server({"koboshi:after": "db, cache"}, ("koboshi:after=dns",)))
    assert found.after == ("db", "cache", "dns")
    assert found.findings == ()


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("tcp:192.0.2.7:5432", "tcp:192.0.2.7:5432"),
        ("tcp://192.0.2.7:5432", "tcp:192.0.2.7:5432"),
        ("http://192.0.2.7:80", "http:192.0.2.7:80/"),
        ("http:[2001:db8::1]:80/live", "http:[2001:db8::1]:80/live"),
        ("tcp:db.example:5432", None),
        ("tcp:192.0.2.7:0", None),
        ("tcp:192.0.2.7:99999", None),
        ("tcp:300.0.2.7:80", None),
        ("https://192.0.2.7:443", None),
        ("http://192.0.2.7:80/a b", None),
    ],
)
def test_what_can_be_asked(text: str, reads: str | None) -> None:
    found = readiness_of(text)
    assert (str(found) if found else None) == reads


def test_nobody_is_asked_outside_the_operators_networks() -> None:
    asks = server({"koboshi:ready": "tcp:192.0.2.7:5432"})
    assert wanted(asks).ready is None
    assert "ready_networks" in wanted(asks).findings[0].cure
    assert wanted(asks, ready_networks=("192.0.2.0/24",)).ready is not None


HEALTH = "koboshi:health"


def test_a_check_is_one_of_the_words_and_counts_on_the_servers_own_metadata() -> None:
    asks = server({HEALTH: "tcp://192.0.2.7:5432"})
    policy = wanted(asks, health_networks=("192.0.2.0/24",))
    assert policy.findings == ()
    row = next(a for a in policy.applied if a.key is Key.HEALTH)
    assert (row.value, row.place) == ("tcp:192.0.2.7:5432", f"metadata {HEALTH}")
    assert row.effect == "while it does not answer, that is told"
    elsewhere = {
        f"tag {HEALTH}=tcp:192.0.2.7:1": server(tags=(f"{HEALTH}=tcp:192.0.2.7:1",)),
        f"flavor f {HEALTH}": server(flavor=flavor(koboshi__health="tcp:192.0.2.7:1")),
    }
    for place, said in elsewhere.items():
        found = wanted(said, health_networks=("192.0.2.0/24",))
        assert places(found) == [place]
        assert found.findings[0].cure == f"say it in the server's own metadata: {HEALTH}"
        assert all(a.key is not Key.HEALTH for a in found.applied)


def test_a_check_that_is_not_in_force_is_told_with_the_reason() -> None:
    asks = server({HEALTH: "http:192.0.2.7:80/live"})
    (found,) = wanted(asks).findings
    assert found.what == "192.0.2.7 is in none of the networks in which servers may be asked"
    assert "[health] networks" in found.cure
    left = server({HEALTH: "tcp:192.0.2.7:80", "HA_Enabled": "False"})
    policy = wanted(left, health_networks=("192.0.2.0/24",))
    row = next(a for a in policy.applied if a.key is Key.HEALTH)
    assert row.effect == "it is not asked: metadata HA_Enabled says 'False'"


@pytest.mark.parametrize(
    ("name", "text", "cure"),
    [
        (HEALTH, "tcp://web.example:80", "write tcp:ADDRESS:PORT or http:ADDRESS:PORT/PATH"),
        (HEALTH, "nonsense", "write tcp:ADDRESS:PORT or http:ADDRESS:PORT/PATH"),
        (HEALTH, "", "write tcp:ADDRESS:PORT or http:ADDRESS:PORT/PATH"),
        ("koboshi:heath", "tcp:192.0.2.7:80", "did you mean koboshi:health?"),
    ],
)
def test_a_check_that_nobody_can_read_is_told_like_every_typing_error(
    name: str, text: str, cure: str
) -> None:
    policy = wanted(server({name: text}), health_networks=("192.0.2.0/24",))
    (found,) = policy.findings
    assert (found.place, found.cure) == (f"metadata {name}", cure)
    assert all(a.key is not Key.HEALTH for a in policy.applied)


def test_a_sweep_finds_a_check_however_its_key_is_written() -> None:
    for name in (HEALTH, "Koboshi:Health", " koboshi:health"):
        assert check_said({name: "tcp:192.0.2.7:80"}) == "tcp:192.0.2.7:80"
    assert check_said({"koboshi:heath": "tcp:192.0.2.7:80", "health": "x"}) == ""


def test_a_lone_stop_is_explained_with_its_place_and_its_effect() -> None:
    policy = wanted(server({"koboshi:lone-stop": "Start"}))
    row = next(a for a in policy.applied if a.key is Key.LONE_STOP)
    assert (row.value, row.place) == ("start", "metadata koboshi:lone-stop")
    assert "it is started again" in row.effect
    mistyped = wanted(server({"koboshi:lone_stop": "strat"}))
    assert mistyped.lone_stop == "leave"
    assert mistyped.findings[0].cure == "did you mean start?"
