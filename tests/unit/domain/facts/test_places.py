"""Which hosts belong together, by what is declared."""

from koboshi.domain.facts.cloud import Aggregate
from koboshi.domain.facts.places import DomainSource, Places
from koboshi.domain.names import HostName

ZONES = {HostName(h): z for h, z in (("a1", "west"), ("a2", "west"), ("b1", "east"))}
AGGREGATES = (
    Aggregate(name="rack-1", hosts=frozenset({HostName("a1"), HostName("gone")})),
    Aggregate(name="licence", hosts=frozenset({HostName("a2")})),
)


def test_nothing_is_declared() -> None:
    assert Places().domains_of(ZONES, AGGREGATES) == {}
    assert Places().cells_of(ZONES) == {}


def test_each_zone_is_a_domain() -> None:
    found = Places(source=DomainSource.ZONES).domains_of(ZONES, ())
    assert found == {"west": {"a1", "a2"}, "east": {"b1"}}


def test_aggregates_that_a_pattern_chooses_are() -> None:
    places = Places(source=DomainSource.AGGREGATES, aggregates=("rack-*",))
    assert places.domains_of(ZONES, AGGREGATES) == {"rack-1": {"a1"}}


def test_a_file_names_them_with_patterns() -> None:
    places = Places(source=DomainSource.FILE, hosts={"north": ("a*",), "empty": ("z*",)})
    assert places.domains_of(ZONES, ()) == {"north": {"a1", "a2"}}


def test_the_first_pattern_gives_a_hosts_cell() -> None:
    places = Places(cells={"a2": "far", "a*": "near"})
    assert places.cells_of(ZONES) == {"near": {"a1"}, "far": {"a2"}}
