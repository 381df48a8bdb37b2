"""A sweep that is amended is the sweep that a whole listing would give."""

from hypothesis import given
from hypothesis import strategies as st

from koboshi.domain.facts.sweep import Sighting, SweptServer, amended, sighting, sweep_of
from koboshi.domain.names import HostName, ServerId
from tests.fakes.scene import at

IDS = st.sampled_from([ServerId(f"s{n}") for n in range(6)])
HOSTS = st.sampled_from([HostName("h1"), HostName("h2"), None])
SIGHTINGS = st.builds(
    sighting, HOSTS, st.sampled_from(("active", "error")), is_protected=st.booleans()
)
ROWS = st.lists(st.builds(SweptServer, id=IDS, seen=st.none() | SIGHTINGS), max_size=8)


def row(server: str, host: str | None = "h1", vm_state: str = "active") -> SweptServer:
    on = HostName(host) if host else None
    return SweptServer(id=ServerId(server), seen=sighting(on, vm_state, is_protected=True))


@given(st.lists(ROWS, max_size=6))
def test_amending_comes_to_the_same_as_listing(rounds: list[list[SweptServer]]) -> None:
    sweep = sweep_of((), at(0))
    known: dict[ServerId, Sighting | None] = {}
    for number, rows in enumerate(rounds):
        sweep = amended(sweep, rows, at(number))
        known |= {r.id: r.seen for r in rows}
        living = {server: seen for server, seen in known.items() if seen is not None}
        assert sweep.servers == living
        assert sweep.at == at(number)
        hosts = {s.host for s in living.values() if s.host is not None}
        assert sweep.by_host.keys() == hosts
        for host in hosts:
            assert sweep.on(host) == {i: s for i, s in living.items() if s.host == host}


def test_a_sweep_that_was_given_away_does_not_change() -> None:
    first = sweep_of([row("a")], at(0))
    amended(first, [row("a", "h2"), SweptServer(id=ServerId("b"), seen=None)], at(1))
    assert first.host_of(ServerId("a")) == "h1"
    assert list(first.on(HostName("h1"))) == ["a"]


def test_news_that_are_none_cost_no_copy() -> None:
    first = sweep_of([row("a"), row("b")], at(0))
    second = amended(first, [row("a")], at(1))
    assert second.servers is first.servers
    assert second.by_host is first.by_host


def test_servers_that_are_alike_share_one_sighting() -> None:
    sweep = sweep_of([row(f"s{n}") for n in range(100)], at(0))
    assert len({id(s) for s in sweep.servers.values()}) == 1
