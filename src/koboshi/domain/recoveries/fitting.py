"""Whose turn it is, and which host can take a server: one answer for the recovery and the forecast.

The recovery asks with what it reads at the moment, the forecast with what would be. Were there two
copies of these rules, the forecast would some day promise what the recovery does not keep.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from koboshi.domain.facts.cloud import Demand, Room
from koboshi.domain.names import HostName
from koboshi.domain.recoveries.priority import Priority
from koboshi.domain.recoveries.recovery import Candidate, Treatment
from koboshi.domain.rules import Rules

Q = TypeVar("Q")
T = TypeVar("T")


def turn_key(candidate: Candidate) -> tuple[bool, bool, int, str]:
    """Return the order within a class: what loses nothing first, running before stopped, larger first."""
    return (
        candidate.treatment is Treatment.REBUILD,
        candidate.vm_state == "stopped",
        -candidate.demand.ram_mb,
        candidate.server,
    )


def in_order(
    items: Iterable[T], candidate_of: Callable[[T], Candidate], begun: Mapping[Priority, int]
) -> list[T]:
    """Return whose turn it is, first to last: the classes take turns by weight, none waits for ever.

    `begun` tells how many of each class had their turn before. Of fifteen turns critical ones get
    eight, high ones four, normal ones two, and low ones one.
    """
    turns: Counter[Priority] = Counter(begun)
    ranked: list[tuple[float, int, T]] = []
    for item in sorted(items, key=lambda i: turn_key(candidate_of(i))):
        priority = candidate_of(item).priority
        turns[priority] += 1
        ranked.append((turns[priority] / priority.weight, -priority.weight, item))
    ranked.sort(key=lambda turn: turn[:2])
    return [item for _, _, item in ranked]


def has_slot(candidate: Candidate, onto: int, rebuilds: int, rules: Rules) -> bool:
    """Return whether one more may be on its way to a host to which so many are."""
    if onto >= rules.per_destination:
        return False
    is_rebuild = candidate.treatment is Treatment.REBUILD
    return not is_rebuild or rebuilds < rules.per_destination_rebuilds


def has_busy_backend(candidate: Candidate, busy: Mapping[str, int], rules: Rules) -> bool:
    """Return whether a back end of its volumes has so many on their way that one more must wait."""
    return any(busy.get(backend, 0) >= rules.per_backend for backend in candidate.backends)


def why_not_there(
    candidate: Candidate,
    *,
    host: HostName,
    zone: str,
    apart_from: Iterable[HostName],
    sharing: Collection[HostName] = (),
) -> str | None:
    """Return which rule keeps a server from a host, whatever room it has; None when none does.

    `apart_from` are the hosts of the other members of its anti-affinity groups, `sharing` those that
    share the storage on which its local disks lie, if they lie on any.
    """
    if candidate.storage and host not in sharing:
        return f"does not share {candidate.storage}"
    wanted = candidate.availability_zone
    if wanted and zone != wanted:
        return f"not in its zone {wanted}"
    if host in apart_from:
        return "another member of its anti-affinity group is there"
    return None


def left_of(room: Room, taken: Iterable[Demand]) -> Room:
    """Return what is left of a host's room when these have gone there."""
    vcpus, ram_mb, disk_gb = room.vcpus, room.ram_mb, room.disk_gb
    for demand in taken:
        vcpus -= demand.vcpus
        ram_mb -= demand.ram_mb
        disk_gb -= demand.disk_gb
    return replace(room, vcpus=vcpus, ram_mb=ram_mb, disk_gb=disk_gb)


def lacks(demand: Demand, room: Room) -> tuple[str, ...]:
    """Return of what a host has not enough for a demand."""
    wanted = (
        ("memory", demand.ram_mb, room.ram_mb),
        ("vCPU", demand.vcpus, room.vcpus),
        ("disk", demand.disk_gb, room.disk_gb),
    )
    return tuple(name for name, asked, there in wanted if asked > there)


def preference(room: Room, onto: Mapping[HostName, int]) -> tuple[int, int, HostName]:
    """Return what the best destination has least of: fewest on their way to it, then the roomiest."""
    return (onto.get(room.host, 0), -room.ram_mb, room.host)


def in_turns(
    queues: Iterable[tuple[Q, Sequence[T]]],
    choose: Callable[[Sequence[T]], tuple[T, HostName] | None],
    is_full: Callable[[], bool],
) -> Iterator[tuple[Q, T, HostName]]:
    """Give what may begin now, one of each queue after the other, until nothing more may.

    `choose` takes the first of a queue that has somewhere to go.
    """
    waiting = list(queues)
    while waiting and not is_full():
        queue, items = waiting.pop(0)
        chosen = choose(items)
        if chosen is None:
            continue
        item, destination = chosen
        yield queue, item, destination
        rest = [other for other in items if other is not item]
        if rest:
            waiting.append((queue, rest))
