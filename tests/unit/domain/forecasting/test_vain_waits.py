"""Whom a server names and cannot wait for: told beforehand, with the place and the cure."""

from dataclasses import replace

import pytest

from koboshi.domain.facts.cloud import Server, ServerGroup
from koboshi.domain.facts.stock import Stock
from koboshi.domain.forecasting.vain_waits import VainWaits
from koboshi.domain.names import ServerId
from koboshi.domain.policies.resolving import Applied, Policy
from koboshi.domain.policies.statements import Finding, Level
from koboshi.domain.policies.terms import Key
from koboshi.sim.samples import server
from tests.fakes.scene import policy


def after(name: str, *words: str) -> Server:
    metadata = {"koboshi:after": ",".join(words)} if words else dict[str, str]()
    return replace(server(name), metadata=metadata)


def found(*servers: Server, groups: tuple[ServerGroup, ...] = ()) -> tuple[Finding, ...]:
    """Return what is told of the first of them."""
    stock = Stock(services=(), hypervisors=(), servers=servers, groups=groups)
    return VainWaits(stock, policy).of(servers[0])


def group(name: str, *members: str) -> ServerGroup:
    return ServerGroup(
        id=f"id-{name}",
        name=name,
        policy="affinity",
        members=frozenset(ServerId(m) for m in members),
        project_id="",
    )


def test_whoever_names_a_server_that_there_is_waits_well() -> None:
    assert not found(after("web", "db"), after("db"))
    assert not found(after("web", "group:stores"), after("db"), groups=(group("stores", "db"),))
    assert not found(after("web"))


def test_nobody_of_that_name_and_the_nearest() -> None:
    (told,) = found(after("web", "databse"), after("database"))
    assert "its project has no server databse" in told.what
    assert told.cure == "did you mean database?"
    assert "koboshi:after" in told.place


def test_no_such_group() -> None:
    (told,) = found(after("web", "group:stroes"), after("db"), groups=(group("stores", "db"),))
    assert "no server group stroes" in told.what
    assert told.cure == "did you mean group:stores?"


def test_a_server_of_another_project_is_nobody() -> None:
    (told,) = found(after("web", "db"), replace(after("db"), project_id="another"))
    assert "its project has no server db" in told.what


def test_itself() -> None:
    (told,) = found(after("web", "web"))
    assert "itself alone" in told.what


def test_what_an_image_says_of_all_its_servers_may_name_one_of_them() -> None:
    stock = Stock(services=(), hypervisors=(), servers=(server("db"),))
    said = Policy(
        after=("db",),
        applied=(Applied(key=Key.AFTER, value="db", place="image x", level=Level.IMAGE),),
    )
    assert not VainWaits(stock, lambda _: said).of(server("db"))


def test_a_group_in_which_it_is_is_whoever_else_is_there() -> None:
    assert not found(after("web", "group:all"), after("db"), groups=(group("all", "web", "db"),))


@pytest.mark.parametrize(
    ("servers", "circle"),
    [
        ((after("a", "b"), after("b", "a")), "a waits for b waits for a"),
        (
            (after("a", "b"), after("b", "c"), after("c", "a")),
            "a waits for b waits for c waits for a",
        ),
    ],
)
def test_a_circle_is_named(servers: tuple[Server, ...], circle: str) -> None:
    (told,) = found(*servers)
    assert circle in told.what


def test_a_circle_of_others_is_theirs() -> None:
    assert not found(after("a", "b"), after("b", "c"), after("c", "b"))
