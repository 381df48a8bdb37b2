"""The look ahead, as `koboshi status` shows it: what was played through, and who would find no place."""

from io import StringIO

import pytest
from rich.console import Console

from koboshi.api.build import status_of_journal
from koboshi.api.outlook import outlook_view
from koboshi.cli.draw_outlook import ROWS
from koboshi.cli.draw_status import draw_status
from koboshi.domain.facts.outlook import Outlook, Shortfall
from koboshi.domain.memory.state import State
from koboshi.domain.names import DomainName, HostName
from tests.unit.api.story import after


def short(name: str, *servers: str, domain: DomainName | None = None) -> Shortfall:
    return Shortfall(
        hosts=(HostName(name),),
        domain=domain,
        servers=servers,
        of=9,
        lacking="too little memory (2)",
    )


def shown(
    *found: Shortfall, hosts: int = 4, domains: int = 0, not_counted: str = "", trouble: str = ""
) -> str:
    outlook = Outlook(
        at=after(0),
        hosts=hosts,
        domains=domains,
        short=found,
        not_counted=not_counted,
        trouble=trouble,
    )
    view = status_of_journal(State(), after(60))
    text = StringIO()
    draw_status(
        view.model_copy(update={"outlook": outlook_view(outlook)}), Console(file=text, width=100)
    )
    return text.getvalue()


def test_all_is_well() -> None:
    text = shown(domains=1)
    assert "4 hosts and 1 domain played through" in text
    assert "(1 min ago)" in text
    assert "every server that may be evacuated would find a place" in " ".join(text.split())


def test_who_must_not_die_and_whose_servers_would_find_no_place() -> None:
    text = shown(short("cmp1", "a", "b", "c", "d"), short("x", "e", domain=DomainName("rack1")))
    words = " ".join(text.split())
    assert "2 would leave servers without a place" in words
    assert "cmp1: 4 of 9 would find none: a, b, c … (too little memory (2))" in words
    assert "domain rack1: 1 of 9 would find none: e (" in words


def test_a_cloud_that_is_full_fits_on_a_screen() -> None:
    text = shown(*(short(f"cmp{n}", "a") for n in range(30)))
    assert text.count("would find none") == ROWS
    assert f"and {30 - ROWS} more: koboshi forecast" in text


@pytest.mark.parametrize(("hosts", "played"), [(0, False), (4, True)])
def test_what_is_not_known_is_said(hosts: int, *, played: bool) -> None:
    text = shown(hosts=hosts, trouble="images could not be read: 403")
    assert "not known: images could not be read: 403" in text
    assert ("played through" in text) is played


def test_what_no_count_tells_is_not_promised() -> None:
    text = shown(not_counted="1 servers ask for what no count of room tells: hw:cpu_policy")
    words = " ".join(text.split())
    assert "every other server that may be evacuated would find a place" in words
    assert "not known: 1 servers ask for what no count of room tells: hw:cpu_policy" in words


def test_nothing_before_the_first_look() -> None:
    view = status_of_journal(State(), after(60))
    text = StringIO()
    draw_status(view, Console(file=text, width=100))
    assert "should a host die" not in text.getvalue()
