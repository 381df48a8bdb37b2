"""Faults as data: what an entry may say, and that it reads back as itself."""

import pytest

from koboshi.sim.bmc import Bmc
from koboshi.sim.faults import (
    FAULT_MEANING,
    SHAPES,
    Fault,
    FaultInvalid,
    FaultKind,
    Network,
    Way,
    entry_of,
    fault_from,
)


def test_every_kind_has_its_meaning() -> None:
    assert set(FAULT_MEANING) == set(FaultKind)
    assert all(meaning for meaning in FAULT_MEANING.values())


def test_an_entry_of_a_script_is_a_fault() -> None:
    fault = fault_from(
        {"kind": "cut", "host": "h1", "network": "storage", "way": "in", "for_s": 30}
    )
    assert fault == Fault(
        kind=FaultKind.CUT, host="h1", network=Network.STORAGE, way=Way.IN, for_s=30.0
    )


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        ({"kind": "earthquake"}, "kind"),
        ({"kind": "cut"}, "needs host"),
        ({"kind": "cut", "host": "h1", "bmc": "hang"}, "knows no bmc"),
        ({"kind": "cut", "host": "h1", "colour": "red"}, "colour"),
        ({"kind": "stale"}, "needs call"),
        ({"host": "h1"}, "kind"),
    ],
)
def test_what_is_no_fault_is_refused(entry: dict[str, object], says: str) -> None:
    with pytest.raises(FaultInvalid, match=says):
        fault_from(entry)


def test_a_fault_reads_back_as_itself() -> None:
    fault = Fault(kind=FaultKind.BMC, host="h1", bmc=Bmc.LIE_OFF, for_s=5.0)
    assert entry_of(fault) == {"kind": "bmc", "host": "h1", "bmc": "lie_off", "for_s": 5.0}
    assert fault_from(entry_of(fault)) == fault


def test_shapes_name_only_fields_that_there_are() -> None:
    names = set(Fault.__dataclass_fields__)
    assert all(shape.needs | shape.takes <= names for shape in SHAPES.values())
