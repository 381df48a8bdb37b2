"""Prometheus as a witness: which of its samples say that a host lives, and when they were taken."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from koboshi.adapters.hearsay import Prometheus, PrometheusAccess
from koboshi.domain.errors import CloudError, CloudUnavailable, InvalidAnswer, NotAuthorised
from tests.unit.adapters.loopback import Behaviour, LoopbackServer, Reply, Seen

pytestmark = pytest.mark.anyio

ASKED_S = 1_800_000_000.5


def vector(*series: tuple[str, float]) -> dict[str, Any]:
    """Return an answer: each instance with the time of its sample."""
    result = [
        {"metric": {"instance": name, "job": "node"}, "value": [ASKED_S, str(stamp)]}
        for name, stamp in series
    ]
    return {"status": "success", "data": {"resultType": "vector", "result": result}}


async def asked(answer: Behaviour, **access: Any) -> tuple[Any, list[Seen]]:
    fields: dict[str, Any] = {"queries": ('up{job="node"}',), "timeout": timedelta(seconds=0.5)}
    async with LoopbackServer(lambda _seen: answer) as server:
        wanted = PrometheusAccess(url=server.url, **(fields | access))
        async with Prometheus(wanted) as prometheus:
            return await prometheus.understood(), server.seen


async def test_a_sample_has_its_own_time() -> None:
    found, seen = await asked(
        Reply(body=vector(("cmp1:9100", ASKED_S - 12), ("cmp2.example:9100", ASKED_S - 3)))
    )
    assert {h: s.age for h, s in found.samples.items()} == {
        "cmp1": timedelta(seconds=12),
        "cmp2.example": timedelta(seconds=3),
    }
    assert found.samples["cmp1"].stamp == datetime.fromtimestamp(ASKED_S - 12, UTC)
    assert seen[0].path == "/api/v1/query"
    assert b"timestamp%28up" in seen[0].body


async def test_a_series_that_tells_no_age_is_no_witness() -> None:
    found, _ = await asked(Reply(body=vector(("cmp1:9100", ASKED_S))))
    assert (found.samples, found.ageless) == ({}, 1)


async def test_the_label_and_its_pattern_name_the_host() -> None:
    answer = Reply(body=vector(("node-cmp1.example", ASKED_S - 1), ("other", ASKED_S - 1)))
    found, _ = await asked(answer, host_pattern=r"node-{host}\.example")
    assert (set(found.samples), found.nameless) == ({"cmp1"}, 1)


async def test_a_token_or_a_user_is_shown_to_it_alone() -> None:
    _, seen = await asked(Reply(body=vector()), password=SecretStr("marker"))
    assert seen[0].headers["authorization"] == "Bearer marker"
    _, seen = await asked(Reply(body=vector()), username="me", password=SecretStr("marker"))
    assert seen[0].headers["authorization"].startswith("Basic ")


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ("hang", CloudUnavailable),
        ("drop", CloudUnavailable),
        (Reply(status=401, body=b"no"), NotAuthorised),
        (Reply(status=400, body={"status": "error", "error": "parse error"}), InvalidAnswer),
        (Reply(body=b"<html>"), InvalidAnswer),
        (
            Reply(body={"status": "success", "data": {"resultType": "matrix", "result": []}}),
            InvalidAnswer,
        ),
        (Reply(status=302, headers={"Location": "http://127.0.0.1:1/"}), InvalidAnswer),
    ],
)
async def test_an_answer_that_is_none_says_nothing(
    answer: Behaviour, error: type[CloudError]
) -> None:
    with pytest.raises(error) as raised:
        await asked(answer, password=SecretStr("marker"))
    assert "marker" not in str(raised.value)


async def test_the_value_of_a_boot_time_is_when_its_host_booted() -> None:
    answer = Reply(body=vector(("cmp1:9100", ASKED_S - 600), ("cmp2:9100", float("nan"))))
    async with LoopbackServer(lambda _seen: answer) as server:
        for query, hosts in (("node_boot_time_seconds", {"cmp1"}), (None, set[str]())):
            wanted = PrometheusAccess(url=server.url, queries=(), boot_times=query)
            async with Prometheus(wanted) as prometheus:
                told = await prometheus.boot_times()
            assert set(told) == hosts
            assert set(told.values()) <= {datetime.fromtimestamp(ASKED_S - 600, UTC)}
        assert [b"node_boot_time_seconds" in s.body for s in server.seen] == [True]
