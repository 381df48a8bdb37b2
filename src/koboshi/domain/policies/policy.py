"""What is meant for each server of a dead host, and why: the least destructive cure wins."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from koboshi.domain.facts.cloud import Server, ServerGroup
from koboshi.domain.facts.disks import demand_of, disks_of
from koboshi.domain.facts.stock import Image, Volume, wishes_of
from koboshi.domain.facts.sweep import Sighting, SweptServer, sighting
from koboshi.domain.names import ServerId
from koboshi.domain.policies.metadata import check_said, is_protected
from koboshi.domain.policies.resolving import Policy
from koboshi.domain.policies.terms import words_of
from koboshi.domain.recoveries.recovery import Candidate, Treatment
from koboshi.domain.rules import OnLocalDisk

EVACUABLE_STATES: Final = frozenset({"active", "stopped", "error"})
"""nova 34 compute/api.py: evacuate accepts these and answers 409 to the others."""

_COST_OF_STATE: Final[Mapping[str, str]] = {
    "paused": "its memory would be lost, and Nova refuses",
    "suspended": "its saved memory lies on the host, and Nova refuses",
    "rescued": "its rescue disk would be left behind, and Nova refuses",
    "resized": "its disk may lie on the host it came from, and Nova refuses",
    "shelved": "Nova refuses",
    "building": "it was never up: create it again",
}

_IN_RESIZE: Final = ("resize_", "migrating")
_STARTS_WHEN_IT_RETURNS: Final = frozenset({"powering-on", "rescuing"})
"""Orders that wait in a dead host's queue, and make the guest there before they look whether anybody has
worked on the server since (nova compute/manager.py: start_instance, rescue_instance). A reboot
looks first (_reboot_instance: expected_task_state), and finds the evacuation."""


class HoldKind(StrEnum):
    """What kind of reason keeps a server from being evacuated."""

    ERROR_BEFORE = "error_before"
    STATE = "state"
    NEVER_UP = "never_up"
    VTPM = "vtpm"
    AFFINITY = "affinity"
    IN_MIGRATION = "in_migration"
    IN_RESIZE = "in_resize"
    ORDERED = "ordered"
    LOCAL_DISK = "local_disk"
    FOR_A_WHILE = "for_a_while"
    """Its local disks are waited for, and given up after a while."""
    IMAGE_GONE = "image_gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """Why a server must be held."""

    kind: HoldKind
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Meant:
    """What is meant for a server of a dead host, and why."""

    treatment: Treatment
    reason: str
    hold: HoldKind | None = None
    """Of which kind the reason is, where it is held."""
    rebuild_after: timedelta | None = None
    """How long it is held before it is rebuilt after all; None: for good."""


def who_gives_tpm(server: Server, made_from: Image | Volume | None = None) -> str | None:
    """Return what gives the server a TPM, whose state lies on its host: its flavor or its image.

    `made_from` is what tells the image's properties. A model without a version gives none (nova 34
    virt/hardware.py: get_vtpm_constraint).
    """
    if any(key.startswith("hw:tpm_") for key in server.flavor.extra_specs):
        return "flavor"
    return "image" if made_from is not None and made_from.tpm else None


def _why_hold(
    server: Server,
    groups: tuple[ServerGroup, ...],
    vm_state: str,
    images_active: Mapping[str, bool],
    policy: Policy,
    storage: str | None,
    made_from: Image | Volume | None,
) -> Hold | None:
    """Return why the server must be held; None when it may be evacuated."""

    def hold(kind: HoldKind, why: str) -> Hold:
        return Hold(kind=kind, why=why)

    if vm_state == "error":
        return hold(
            HoldKind.ERROR_BEFORE,
            "it was in ERROR before its host failed: nobody knows what an evacuation would start",
        )
    if vm_state not in EVACUABLE_STATES:
        cost = _COST_OF_STATE.get(vm_state, "Nova refuses")
        kind = HoldKind.NEVER_UP if vm_state == "building" else HoldKind.STATE
        return hold(kind, f"it is {vm_state}: {cost}")
    if not server.launched:
        return hold(HoldKind.NEVER_UP, "it was never up: Nova refuses to evacuate it")
    if giver := who_gives_tpm(server, made_from):
        return hold(
            HoldKind.VTPM,
            f"its {giver} gives it a vTPM, whose state lies on the host: Nova refuses to evacuate it",
        )
    if any(g.policy == "affinity" and server.id in g.members for g in groups):
        return hold(
            HoldKind.AFFINITY,
            "it is in an affinity group, which Nova ties to the dead host: no host would be valid",
        )
    if server.task_state == "migrating":
        return hold(
            HoldKind.IN_MIGRATION,
            "it was in live migration: its copy may already run on the destination",
        )
    if server.task_state is not None and server.task_state.startswith(_IN_RESIZE):
        return hold(
            HoldKind.IN_RESIZE,
            "it was in a resize: its disk may lie on the host it came from",
        )
    if ordered := why_ordered(server):
        return hold(HoldKind.ORDERED, ordered)
    if storage is not None:
        return None
    return _why_hold_its_disks(server, images_active, policy)


def why_ordered(server: Server) -> str | None:
    """Return why an order of its owner's holds a server: its host would carry it out when it returns."""
    if server.task_state not in _STARTS_WHEN_IT_RETURNS:
        return None
    return (
        f"it is {server.task_state}: that order waits for its host, which carries it out when it "
        "returns, wherever the server is by then"
    )


def _why_hold_its_disks(
    server: Server, images_active: Mapping[str, bool], policy: Policy
) -> Hold | None:
    local = disks_of(server).local
    if not local or policy.on_local_disk is OnLocalDisk.IGNORE:
        return None
    disks = " and ".join(local)
    if policy.on_local_disk is OnLocalDisk.HOLD:
        return Hold(
            kind=HoldKind.LOCAL_DISK,
            why=f"its {disks} on the host's own disk would be lost ({policy.why_local_disk})",
        )
    if server.image_id is not None and not images_active.get(server.image_id, False):
        return Hold(
            kind=HoldKind.IMAGE_GONE,
            why=f"its image {server.image_id} is not active in Glance: it could not be made again",
        )
    if policy.rebuild_after is not None:
        return Hold(
            kind=HoldKind.FOR_A_WHILE,
            why=f"its {disks} on the host's own disk would be lost: it waits {words_of(policy.rebuild_after)} "
            f"for its host, and is rebuilt if that is still off then ({policy.why_local_disk})",
        )
    return None


def meant_for(
    server: Server,
    *,
    groups: tuple[ServerGroup, ...],
    vm_state: str,
    images_active: Mapping[str, bool],
    policy: Policy,
    storage: str | None = None,
    made_from: Image | Volume | None = None,
) -> Meant:
    """Return what is meant for `server` should its host be dead: for the recovery and the forecast.

    `vm_state` is how it was before the failure, `storage` the aggregate on whose shared storage its
    host keeps the disks of its servers, `made_from` what tells the properties of its image.
    """
    local = disks_of(server).local
    if not policy.is_protected:
        return Meant(treatment=Treatment.IGNORE, reason=policy.why_protected)
    if held := _why_hold(server, groups, vm_state, images_active, policy, storage, made_from):
        wait = policy.rebuild_after if held.kind is HoldKind.FOR_A_WHILE else None
        return Meant(treatment=Treatment.HOLD, reason=held.why, hold=held.kind, rebuild_after=wait)
    if local and storage is not None:
        return Meant(
            treatment=Treatment.EVACUATE,
            reason=f"its {' and '.join(local)}: on the storage that the hosts of {storage} share",
        )
    if local and policy.on_local_disk is OnLocalDisk.IGNORE:
        disks = " and ".join(local)
        return Meant(
            treatment=Treatment.IGNORE,
            reason=f"nothing is done for a server whose {disks} is on the host's own disk "
            f"({policy.why_local_disk})",
        )
    if local:
        return Meant(
            treatment=Treatment.REBUILD,
            reason=f"{policy.why_local_disk}: its {' and '.join(local)} will be lost",
        )
    return Meant(treatment=Treatment.EVACUATE, reason="nothing of it lies on the dead host")


def swept(server: Server) -> SweptServer:
    """Return what a sweep keeps of a server."""
    seen = sighting(server.host, server.vm_state, is_protected=is_protected(server.metadata))
    return SweptServer(id=server.id, seen=seen, name=server.name, check=check_said(server.metadata))


def candidate_of(
    server: Server,
    *,
    groups: tuple[ServerGroup, ...],
    seen_before: Sighting | None,
    images_active: Mapping[str, bool],
    policy: Policy,
    storage: str | None = None,
    made_from: Image | Volume | None = None,
    backends: frozenset[str] = frozenset(),
) -> Candidate:
    """Return what is meant for `server`, a server of a dead host.

    `seen_before` is how it was in the last sweep before the failure: one that is in ERROR now and
    was active then is treated as active. `backends` serve its volumes.
    """
    vm_state = server.vm_state
    if vm_state == "error" and seen_before is not None:
        vm_state = seen_before.vm_state
    meant = meant_for(
        server,
        groups=groups,
        vm_state=vm_state,
        images_active=images_active,
        policy=policy,
        storage=storage,
        made_from=made_from,
    )
    local = disks_of(server).local
    return Candidate(
        server=server.id,
        name=server.name,
        treatment=meant.treatment,
        reason=meant.reason,
        local_disks=local if storage is None else (),
        demand=demand_of(server, wishes_of(made_from)),
        availability_zone=server.availability_zone,
        vm_state=vm_state,
        storage=storage or "" if local else "",
        separate_from=_separate_from(server.id, groups),
        priority=policy.priority,
        rebuild_after=meant.rebuild_after,
        project=server.project_id,
        after=policy.after,
        ready=policy.ready,
        backends=backends,
    )


def _separate_from(server: ServerId, groups: tuple[ServerGroup, ...]) -> frozenset[ServerId]:
    others: frozenset[ServerId] = frozenset()
    for group in groups:
        if group.policy == "anti-affinity" and server in group.members:
            others |= group.members - {server}
    return others


def images_wanted(servers: Iterable[Server]) -> frozenset[str]:
    """Return the images that say something of `servers`, or without which they could not be made again."""
    return frozenset(s.image_id for s in servers if s.image_id is not None)


def is_safe_without_image(policy: Policy) -> bool:
    """Return whether a server may be listed although nobody knows what its image says."""
    return policy.on_local_disk in {OnLocalDisk.HOLD, OnLocalDisk.IGNORE} or not policy.is_protected
