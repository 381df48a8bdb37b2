"""An incident in ten seconds: who waits for a person stands first, and every server is counted."""

from io import StringIO

from rich.console import Console

from koboshi.api.build import incident_detail
from koboshi.api.views import IncidentDetail
from koboshi.cli.draw_incident import draw_incident
from koboshi.cli.draw_status import servers_line
from koboshi.domain.recoveries.recovery import RecoveryState
from tests.unit.api.story import DB, INCIDENT, after, recorded, state


def detail() -> IncidentDetail:
    told = incident_detail(state().incidents[INCIDENT], state(), recorded(), None, acts=True)
    (db,) = [r for r in told.recoveries if r.server == DB]
    others = [
        db.model_copy(update={"server": f"id-{name}", "name": name, "state": to})
        for name, to in (
            ("z-ignored", RecoveryState.IGNORED),
            ("y-done", RecoveryState.DONE),
            ("x-held", RecoveryState.HELD),
            ("w-building", RecoveryState.BUILDING),
            ("v-stuck", RecoveryState.STUCK),
            ("u-queued", RecoveryState.QUEUED),
        )
    ]
    return told.model_copy(update={"recoveries": others})


def test_the_servers_that_a_person_must_care_for_stand_first() -> None:
    text = StringIO()
    draw_incident(detail(), Console(file=text, width=80), after(60).wall)
    shown = text.getvalue()
    places = [
        shown.index(f"\n{name}")
        for name in ("v-stuck", "x-held", "u-queued", "w-building", "y-done", "z-ignored")
    ]
    assert places == sorted(places)


def test_every_server_is_counted() -> None:
    incident = detail().incident
    assert servers_line(incident) == "1 of 2 recovered, 1 held"
    more = incident.model_copy(update={"servers": 4})
    assert servers_line(more) == "1 of 4 recovered, 1 held, 2 left alone or gone"
