"""The story of the demo: what each event of the journal becomes."""

from datetime import timedelta

from koboshi.domain.facts.cloud import Demand
from koboshi.domain.incidents.incident import IncidentState, Proof, ProofKind
from koboshi.domain.instant import Instant
from koboshi.domain.memory import events as ev
from koboshi.domain.memory.commands import Evacuate, FenceOff, Outcome
from koboshi.domain.names import CommandId, HostName, IncidentId, ServerId
from koboshi.domain.recoveries.recovery import Candidate, RecoveryState, Treatment
from koboshi.rehearsal.demo.telling import Kind, Line, Telling
from koboshi.sim.virtual_time import BEGINNING

HOST, INCIDENT = HostName("compute1"), IncidentId("compute1-1")
AT = Instant(wall=BEGINNING, boot=timedelta(), boot_id="boot")


def _opened(telling: Telling) -> list[Line]:
    return list(
        telling.event(
            ev.IncidentOpened(incident=INCIDENT, host=HOST, evidence=("silent for 6 s", "off"))
        )
    )


def _candidate(name: str, treatment: Treatment, reason: str, vm_state: str = "active") -> Candidate:
    return Candidate(
        server=ServerId(f"id-of-{name}"),
        name=name,
        treatment=treatment,
        reason=reason,
        local_disks=(),
        demand=Demand(vcpus=1, ram_mb=1, disk_gb=1),
        availability_zone="",
        vm_state=vm_state,
    )


def _listed(telling: Telling) -> list[Line]:
    return list(
        telling.event(
            ev.ServersListed(
                incident=INCIDENT,
                candidates=(
                    _candidate("cache", Treatment.HOLD, "its root would be lost"),
                    _candidate("web", Treatment.EVACUATE, "nothing lies there"),
                    _candidate("db", Treatment.EVACUATE, "nothing lies there", "stopped"),
                ),
            )
        )
    )


def _evacuate(name: str) -> Evacuate:
    return Evacuate(
        id=CommandId(f"evacuate-{name}"),
        incident=INCIDENT,
        host=HOST,
        server=ServerId(f"id-of-{name}"),
        destination=HostName("compute2"),
        rebuilds=False,
        known_records=frozenset(),
        baseline=None,
    )


def _arrives(telling: Telling, name: str) -> list[Line]:
    list(telling.event(ev.CommandIntended(command=_evacuate(name))))
    moved = ev.RecoveryMoved(
        incident=INCIDENT, server=ServerId(f"id-of-{name}"), to=RecoveryState.DONE, reason="up"
    )
    return list(telling.event(moved))


def test_what_was_concluded_comes_with_every_witness() -> None:
    assert _opened(Telling()) == [
        (
            Kind.CONCLUDES,
            "compute1 is silent on every path that counts; nothing was done yet",
            ("silent for 6 s", "off"),
        )
    ]


def test_a_host_that_was_found_off_needs_no_fencing_and_says_so() -> None:
    telling = Telling()
    _opened(telling)
    proven = ev.DeathProven(incident=INCIDENT, proof=Proof(kind=ProofKind.FOUND_OFF, at=AT))
    ((kind, text, more),) = telling.event(proven)
    assert (kind, more) == (Kind.PROOF, ("it needs no fencing",))
    assert text.startswith("compute1 is dead: its power read off three times")


def test_fencing_is_told_with_its_purpose() -> None:
    command = FenceOff(id=CommandId("c"), incident=INCIDENT, host=HOST)
    ((kind, text, _),) = Telling().event(ev.CommandIntended(command=command))
    assert kind is Kind.FENCES
    assert "no copy can still run" in text


def test_servers_are_told_by_what_is_meant_for_them_and_why() -> None:
    assert _listed(Telling()) == [
        (Kind.PLANS, "evacuate db, web: nothing lies there", ()),
        (Kind.HOLDS, "hold cache: its root would be lost", ()),
    ]


def test_who_is_back_is_named_with_its_place_and_counted() -> None:
    telling = Telling()
    _listed(telling)
    assert _arrives(telling, "web") == [(Kind.BACK, "web is up again on compute2 (1 of 2)", ())]
    assert _arrives(telling, "db") == [
        (Kind.BACK, "db belongs to compute2 now, and is off as it was (2 of 2)", ())
    ]


def test_one_that_was_held_and_is_given_up_counts_too() -> None:
    telling = Telling()
    _listed(telling)
    for name in ("web", "db"):
        _arrives(telling, name)
    queued = ev.RecoveryMoved(
        incident=INCIDENT, server=ServerId("cache"), to=RecoveryState.QUEUED, reason="ordered"
    )
    list(telling.event(queued))
    ((_, text, _),) = _arrives(telling, "cache")
    assert text.endswith("(3 of 3)")


def test_what_goes_wrong_is_trouble() -> None:
    telling = Telling()
    _listed(telling)
    list(telling.event(ev.CommandIntended(command=_evacuate("web"))))
    ended = ev.CommandEnded(
        command=CommandId("evacuate-web"), outcome=Outcome.REFUSED, detail="409"
    )
    assert list(telling.event(ended)) == [(Kind.TROUBLE, "evacuate of web: refused", ("409",))]
    held = ev.IncidentMoved(incident=INCIDENT, to=IncidentState.HELD, reason="two hosts")
    ((kind, text, _),) = telling.event(held)
    assert (kind, text.endswith("is held: two hosts")) == (Kind.TROUBLE, True)


def test_a_command_that_is_done_has_nothing_to_add() -> None:
    telling = Telling()
    list(telling.event(ev.CommandIntended(command=_evacuate("web"))))
    done = ev.CommandEnded(command=CommandId("evacuate-web"), outcome=Outcome.DONE)
    assert list(telling.event(done)) == []
