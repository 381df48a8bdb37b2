"""Servers that Nova stopped by itself, as `koboshi status` shows them: what becomes of each, and why."""

from io import StringIO

from rich.console import Console

from koboshi.api.build import status_of_journal
from koboshi.cli.draw_status import draw_status
from koboshi.domain.alone.stops import StopCause, StoppedServer, StopState
from koboshi.domain.memory.events import HealthBack, HealthLost, StopMoved, StopsSeen
from koboshi.domain.memory.state import State, apply
from koboshi.domain.names import HostName, ServerId
from tests.unit.api.story import after


def stopped() -> State:
    state = State()
    for number, (name, to) in enumerate(
        (("web", StopState.HELD), ("db", StopState.LEFT), ("gone", StopState.DUE))
    ):
        seen = StopsSeen(
            host=HostName("cmp1"),
            cause=StopCause.REBOOT,
            to=to,
            reason="observe mode",
            servers=(StoppedServer(id=ServerId(f"id-{name}"), name=name),),
        )
        state = apply(state, after(number), seen)
    over = StopMoved(server=ServerId("id-gone"), to=StopState.OVER, reason="it was deleted")
    return apply(state, after(9), over)


def test_those_that_are_off_still_stand_in_the_status_with_the_reason() -> None:
    view = status_of_journal(stopped(), after(60))
    assert [(s.name, s.state) for s in view.stopped] == [
        ("db", StopState.LEFT),
        ("web", StopState.HELD),
    ]
    text = StringIO()
    draw_status(view, Console(file=text, width=160))
    shown = text.getvalue()
    for word in (
        "Servers that Nova stopped by itself",
        "id-web",
        "cmp1",
        "held: it would be started",
    ):
        assert word in shown
    assert "gone" not in shown


def test_without_any_nothing_is_said_of_it() -> None:
    text = StringIO()
    draw_status(status_of_journal(State(), after(60)), Console(file=text, width=80))
    assert "stopped by itself" not in text.getvalue()


def unwell() -> State:
    lost = HealthLost(
        server=ServerId("id-api"),
        name="api",
        host=HostName("cmp1"),
        reason="tcp://10.20.0.1:80 has not answered for 60 s; its host lives",
    )
    well = HealthLost(
        server=ServerId("id-well"), name="well", host=HostName("cmp1"), reason="it is silent"
    )
    state = apply(apply(State(), after(0), lost), after(1), well)
    return apply(state, after(2), HealthBack(server=ServerId("id-well"), reason="it answers again"))


def test_servers_whose_check_fails_stand_in_the_status_with_what_was_asked_and_what_is_done() -> (
    None
):
    view = status_of_journal(unwell(), after(60))
    assert [(u.name, u.host, u.since) for u in view.unwell] == [("api", "cmp1", after(0).wall)]
    assert view.unwell[0].done == "nothing is done: no daemon is running"
    for width in (80, 160):
        text = StringIO()
        draw_status(view, Console(file=text, width=width))
        shown = text.getvalue()
        for word in (
            "Servers whose check fails",
            "api (id-api) on cmp1",
            "tcp://10.20.0.1:80 has not answered for 60 s",
            "(1 min ago)",
            "nothing is done: no daemon is running",
            "→ openstack console log show id-api\n",
        ):
            assert word in shown
        assert "well on" not in shown
