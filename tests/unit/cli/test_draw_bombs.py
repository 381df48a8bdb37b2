"""A time bomb in status and host explain: once, with its cure whole on one line."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from io import StringIO

from rich.console import Console

from koboshi.api.build import snapshot_of, status_of
from koboshi.api.explain import explain
from koboshi.cli.draw_host import draw_host
from koboshi.cli.draw_status import draw_status
from koboshi.domain.facts.cloud import Migration
from koboshi.domain.facts.world import MigrationsRead, World
from koboshi.domain.forecasting.time_bombs import bomb_notices
from koboshi.domain.memory.state import State, apply
from koboshi.domain.names import HostName, MigrationId
from tests.unit.api.story import WEB, StorySource, after, state, world

NOW = after(60)
CMP2 = HostName("cmp2")
CURE = "AND migration_type='evacuation' AND status IN ('accepted','pre-migrating')\n"


class Bombed(StorySource):
    """The story's daemon, and an evacuation that somebody left open last year."""

    def __init__(self) -> None:
        super().__init__()
        record = Migration(
            id=MigrationId("r1"),
            server=WEB,
            source=CMP2,
            destination=HostName("cmp3"),
            status="accepted",
            type="evacuation",
            updated_at=datetime(2025, 2, 1, tzinfo=UTC),
        )
        read = MigrationsRead(at=NOW, records=(record,), unbroken_since=NOW)
        services = {
            host: replace(track, service=replace(track.service, updated_at=NOW.wall))
            for host, track in world().services.items()
        }
        self.bombed = replace(world(), evacuations=read, services=services)
        self.told = state()
        for event in bomb_notices(self.bombed, self.told):
            self.told = apply(self.told, NOW, event)

    def world(self) -> World:
        return self.bombed

    def state(self) -> State:
        return self.told


def drawn(draw: Callable[[Console], None]) -> str:
    text = StringIO()
    draw(Console(file=text, width=80))
    return text.getvalue()


def test_status_shows_it_once_with_the_whole_cure() -> None:
    view = status_of(snapshot_of(Bombed()))
    assert [n.topic for n in view.notices if n.host == CMP2] == [
        "service_failed",
        "stale_record/r1",
    ]
    out = drawn(lambda console: draw_status(view, console))
    assert "Time bombs: 1 evacuation that never ended" in out
    assert f"  cmp2: server {WEB}, record r1 accepted\n" in out
    assert CURE in out
    assert "stale_record" not in out
    assert "service_failed" in out


def test_host_explain_shows_its_own_only() -> None:
    def explained(host: str) -> str:
        detail = explain(Bombed(), HostName(host))
        return drawn(lambda console: draw_host(detail, console, NOW.wall))

    out = explained("cmp2")
    assert CURE in out
    assert "stale_record" not in out
    assert "Time bombs" not in explained("cmp3")
