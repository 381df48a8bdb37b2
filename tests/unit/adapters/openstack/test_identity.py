"""Tokens are kept, renewed early, and never asked for with a wrong password again and again."""

from datetime import timedelta
from pathlib import Path

import pytest

from koboshi.adapters.openstack import TimeLimits
from koboshi.domain.errors import (
    CloudUnavailable,
    ConfigurationError,
    InvalidAnswer,
    NotAuthorised,
)
from koboshi.domain.names import ServerId
from tests.unit.adapters.loopback import Behaviour, Reply
from tests.unit.adapters.openstack.fake_cloud import PASSWORD, QUICK, SimCloud, connected
from tests.unit.adapters.stepped_clock import SteppedClock

pytestmark = pytest.mark.anyio

TOKENS = "/identity/v3/auth/tokens"


async def test_one_token_serves_many_reads_and_is_renewed_while_young(tmp_path: Path) -> None:
    fake, clock = SimCloud(), SteppedClock()
    async with connected(fake, tmp_path, clock=clock) as cloud:
        for _ in range(3):
            await cloud.server(ServerId("a"))
        assert fake.issued == 1
        clock.step(timedelta(minutes=11))
        await cloud.server(ServerId("a"))
        assert fake.issued == 2
        assert fake.server.seen[-1].headers["x-auth-token"] == "token-2"


async def test_a_short_lived_token_is_renewed_in_time(tmp_path: Path) -> None:
    fake, clock = SimCloud(), SteppedClock()
    fake.life_s = 600
    async with connected(fake, tmp_path, clock=clock) as cloud:
        await cloud.grant()
        clock.step(timedelta(minutes=7, seconds=59))
        await cloud.grant()
        assert fake.issued == 1
        clock.step(timedelta(seconds=1))
        await cloud.grant()
        assert fake.issued == 2


async def test_a_valid_token_outlives_a_keystone_that_is_gone(tmp_path: Path) -> None:
    fake, clock = SimCloud(), SteppedClock()
    async with connected(fake, tmp_path, clock=clock) as cloud:
        await cloud.verify()
        fake.keystone = lambda _: Reply(status=503)
        clock.step(timedelta(minutes=11))
        for _ in range(3):
            await cloud.server(ServerId("a"))
        # The failed renewal is not repeated with each read.
        assert len(fake.server.asked("POST", TOKENS)) == 2
        clock.step(timedelta(minutes=50))
        with pytest.raises(CloudUnavailable, match="Keystone"):
            await cloud.server(ServerId("a"))


async def test_a_deaf_keystone_delays_one_read_in_half_a_minute_and_only_briefly(
    tmp_path: Path,
) -> None:
    fake, clock = SimCloud(), SteppedClock()
    limits = TimeLimits(identity_s=0.4)
    async with connected(fake, tmp_path, clock=clock, limits=limits) as cloud:
        await cloud.verify()
        fake.keystone = lambda _: "hang"
        clock.step(timedelta(minutes=11))
        for _ in range(5):
            assert await cloud.server(ServerId("a")) is None
        assert len(fake.server.asked("POST", TOKENS)) == 2


async def test_a_revoked_token_is_replaced_during_a_read(tmp_path: Path) -> None:
    fake = SimCloud()
    async with connected(fake, tmp_path) as cloud:
        await cloud.verify()
        fake.good_tokens.clear()
        assert await cloud.server(ServerId("a")) is None
        assert fake.issued == 2
        fake.on("GET", "/compute/v2.1/servers/a", Reply(status=401))
        with pytest.raises(NotAuthorised, match="HTTP 401"):
            await cloud.server(ServerId("a"))


async def test_a_wrong_password_is_tried_once_in_half_a_minute(tmp_path: Path) -> None:
    fake, clock = SimCloud(), SteppedClock()
    async with connected(fake, tmp_path, clock=clock, password="letmein") as cloud:
        for _ in range(3):
            with pytest.raises(NotAuthorised, match="check the user's name") as refusal:
                await cloud.verify()
            assert "letmein" not in str(refusal.value)
            assert "cloud 'test'" in str(refusal.value)
        assert len(fake.server.asked("POST", TOKENS)) == 1
        clock.step(timedelta(seconds=31))
        with pytest.raises(NotAuthorised):
            await cloud.verify()
        assert len(fake.server.asked("POST", TOKENS)) == 2


@pytest.mark.parametrize(
    ("reply", "error", "named"),
    [
        (Reply(status=503), CloudUnavailable, "check auth_url"),
        (Reply(status=500), CloudUnavailable, "check auth_url"),
        ("drop", CloudUnavailable, "check auth_url"),
        ("hang", CloudUnavailable, "did not answer within|timed out"),
        (Reply(status=404), InvalidAnswer, "mostly ends in /v3"),
        (Reply(body=b"<html>hello</html>"), InvalidAnswer, "mostly ends in /v3"),
        (Reply(status=201, body={"token": {}}), InvalidAnswer, "as a Keystone does"),
        (Reply(status=403), NotAuthorised, "refuses the credentials"),
    ],
)
async def test_a_keystone_in_trouble_is_named(
    tmp_path: Path, reply: Behaviour, error: type[Exception], named: str
) -> None:
    fake = SimCloud()
    fake.keystone = lambda _: reply
    limits = TimeLimits(identity_s=0.6)
    async with connected(fake, tmp_path, limits=limits) as cloud:
        with pytest.raises(error, match=named) as caught:
            await cloud.verify()
    assert f"{fake_url(fake)}/identity/v3" in str(caught.value)


def fake_url(fake: SimCloud) -> str:
    return f"http://{fake.server.seen[0].headers['host']}"


async def test_a_redirect_of_keystone_does_not_get_the_password(tmp_path: Path) -> None:
    fake, elsewhere = SimCloud(), SimCloud()
    async with elsewhere.server:
        target = f"{elsewhere.server.url}{TOKENS}"
        fake.keystone = lambda _: Reply(status=302, headers={"Location": target})
        async with connected(fake, tmp_path) as cloud:
            with pytest.raises(InvalidAnswer, match="redirects are not followed"):
                await cloud.verify()
        assert not [seen for seen in elsewhere.server.seen if PASSWORD.encode() in seen.body]


async def test_a_redirect_of_nova_does_not_get_the_token(tmp_path: Path) -> None:
    fake, elsewhere = SimCloud(), SimCloud()
    async with elsewhere.server:
        target = f"{elsewhere.server.url}/compute/v2.1/servers/a"
        fake.on("GET", "/compute/v2.1/servers/a", Reply(status=307, headers={"Location": target}))
        async with connected(fake, tmp_path) as cloud:
            with pytest.raises(InvalidAnswer, match="HTTP 307"):
                await cloud.server(ServerId("a"))
        assert elsewhere.server.seen == []


async def test_a_wrong_region_is_told_the_right_ones(tmp_path: Path) -> None:
    fake = SimCloud()
    fake.regions = ("North", "South")
    async with connected(fake, tmp_path, region="north") as cloud:
        with pytest.raises(ConfigurationError, match=r"no region 'north'.*it has: North, South"):
            await cloud.verify()
        with pytest.raises(InvalidAnswer, match="no region 'north'"):
            await cloud.services()


async def test_of_several_regions_one_must_be_chosen(tmp_path: Path) -> None:
    fake = SimCloud()
    fake.regions = ("North", "South")
    async with connected(fake, tmp_path) as cloud:
        with pytest.raises(ConfigurationError, match=r"several regions.*set region"):
            await cloud.verify()


async def test_a_missing_service_is_named(tmp_path: Path) -> None:
    fake = SimCloud()
    fake.types = ("compute", "image")
    async with connected(fake, tmp_path, limits=QUICK) as cloud:
        with pytest.raises(ConfigurationError, match=r"no 'placement' service.*compute, image"):
            await cloud.verify()
