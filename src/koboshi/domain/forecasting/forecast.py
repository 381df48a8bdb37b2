"""What a host's death would cost: for each server and each of its disks, before it happens.

What is meant for a server is asked of `policy`, as the recovery does it, so the forecast cannot
promise anything else. What this version cannot do yet is forecast as it is, and said.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from koboshi.domain.facts.cloud import Aggregate, Server, ServerGroup
from koboshi.domain.facts.disks import Layout, disks_of
from koboshi.domain.facts.stock import NEVER_EVACUATED
from koboshi.domain.forecasting.disk_forecast import (
    DiskForecast,
    Storage,
    disk_forecasts,
)
from koboshi.domain.names import HostName, ServerId
from koboshi.domain.policies.policy import HoldKind, Meant, candidate_of, meant_for
from koboshi.domain.policies.resolving import Policy, policy_of
from koboshi.domain.policies.statements import Sources
from koboshi.domain.recoveries.recovery import Candidate, Treatment
from koboshi.domain.recoveries.stranded import backends_of, may_hide_tpm, not_known_to, tpm_unknown
from koboshi.domain.rules import OnLocalDisk, Rules


class Outcome(StrEnum):
    """What becomes of a server should its host die."""

    RETURNS = "returns"
    RETURNS_EMPTY = "returns_empty"
    WAITS = "waits"
    NOT_RECOVERABLE = "not_recoverable"


OUTCOME_MEANING: Final[Mapping[Outcome, str]] = {
    Outcome.RETURNS: "it runs again elsewhere, and has all its data",
    Outcome.RETURNS_EMPTY: "it runs again elsewhere, made again from its image: local disks are lost",
    Outcome.WAITS: "it stays down until its host returns, a host has room, or a person decides",
    Outcome.NOT_RECOVERABLE: "Koboshi does nothing for it, or nothing that would help",
}


class WaitsFor(StrEnum):
    """What a server that waits is waiting for."""

    HOST = "host"
    ROOM = "room"
    PERSON = "person"
    NOTHING = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerForecast:
    """What becomes of one server should its host die."""

    server: ServerId
    name: str
    project: str
    host: HostName
    vm_state: str
    flavor: str
    layout: Layout
    outcome: Outcome
    waits_for: WaitsFor
    why: str
    change: str
    """What would change that; empty where nothing needs to."""
    disks: tuple[DiskForecast, ...]
    candidate: Candidate | None = None
    """As the recovery would list it, where it would be evacuated."""
    policy: Policy = field(default_factory=Policy)
    """What is wanted for it, and by whom."""
    not_counted: str = ""
    """What it asks for that no count of room tells: it returns if Nova finds a host. Empty where all is
    counted, or where it would not be sent anyway."""

    @property
    def is_sure(self) -> bool:
        """Return whether its outcome does not hang on a host that nobody has looked for."""
        return not self.not_counted


_NOT_RECOVERED: Final = frozenset({HoldKind.ERROR_BEFORE, HoldKind.NEVER_UP})
_FOR_A_PERSON: Final = frozenset({HoldKind.IN_MIGRATION, HoldKind.IN_RESIZE, HoldKind.ORDERED})

_CHANGE_OF_STATE: Final[Mapping[str, str]] = {
    "paused": "unpause it",
    "suspended": "resume it",
    "rescued": "unrescue it",
    "resized": "confirm or revert its resize",
    "shelved": "unshelve it",
}

_CHANGE: Final[Mapping[HoldKind, str]] = {
    HoldKind.ERROR_BEFORE: "look why it is in ERROR, and bring it out of it",
    HoldKind.NEVER_UP: "create it again",
    HoldKind.VTPM: "only its host's return; without hw:tpm_version in its flavor, or hw_tpm_version in its "
    "image, it would do without one",
    HoldKind.AFFINITY: "only its host's return; a group with the policy soft-affinity would do",
    HoldKind.IN_MIGRATION: "wait for the end of its live migration",
    HoldKind.IN_RESIZE: "wait for the end of its resize",
    HoldKind.ORDERED: "wait until its owner's order is carried out",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the forecast of one server looks at beside the server."""

    groups: Mapping[ServerId, tuple[ServerGroup, ...]]
    """By member."""
    images_active: Mapping[str, bool]
    storage: Storage
    rules: Rules
    protected: frozenset[HostName]
    aggregates: tuple[Aggregate, ...] = ()

    @property
    def sources(self) -> Sources:
        """Return where statements about servers are."""
        return Sources(
            images=self.storage.images or {}, aggregates=self.aggregates, rules=self.rules.policy
        )


def forecast(server: Server, host: HostName, facts: Facts) -> ServerForecast:
    """Return what becomes of `server`, which is on `host`, should that host die; room left aside."""
    groups = facts.groups.get(server.id, ())
    policy = policy_of(server, facts.sources, facts.rules)
    made_from = facts.storage.made_from(server)
    meant = meant_for(
        server,
        groups=groups,
        vm_state=server.vm_state,
        images_active=facts.images_active,
        policy=policy,
        storage=facts.storage.shares(host),
        made_from=made_from,
    )
    disks = disk_forecasts(server, host, meant, facts.storage)
    judged = _judge(server, host, meant, disks, facts, policy)
    is_sent = judged.waits_for is WaitsFor.NOTHING and judged.outcome in {
        Outcome.RETURNS,
        Outcome.RETURNS_EMPTY,
    }
    candidate = (
        candidate_of(
            server,
            groups=groups,
            seen_before=None,
            images_active=facts.images_active,
            policy=policy,
            storage=facts.storage.shares(host),
            made_from=made_from,
            backends=backends_of(server, facts.storage.volumes or {}),
        )
        if is_sent
        else None
    )
    return ServerForecast(
        server=server.id,
        name=server.name,
        project=server.project_id,
        host=host,
        vm_state=server.vm_state,
        flavor=server.flavor.name,
        layout=disks_of(server).layout,
        outcome=judged.outcome,
        waits_for=judged.waits_for,
        why=judged.why,
        change=judged.change,
        disks=disks,
        candidate=candidate,
        policy=policy,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    outcome: Outcome
    why: str
    change: str = ""
    waits_for: WaitsFor = WaitsFor.NOTHING


def _judge(
    server: Server,
    host: HostName,
    meant: Meant,
    disks: tuple[DiskForecast, ...],
    facts: Facts,
    policy: Policy,
) -> _Judged:
    if host not in facts.protected:
        return _Judged(
            outcome=Outcome.NOT_RECOVERABLE,
            why=f"its host {host} is not protected: excluded in [hosts], or not QEMU/KVM",
            change="protect its host, or move it to one that is",
        )
    if meant.treatment is Treatment.IGNORE:
        change = "say otherwise where that is said: koboshi policy explain tells how"
        return _Judged(outcome=Outcome.NOT_RECOVERABLE, why=meant.reason, change=change)
    if meant.hold is not None:
        return _held(server, meant.hold, meant.reason, facts, policy)
    if stranded := [d for d in disks if d.is_stranded]:
        names = ", ".join(d.name for d in stranded)
        return _Judged(
            outcome=Outcome.WAITS,
            waits_for=WaitsFor.HOST,
            why=f"the back end of its volume {names} goes down with {host}, and comes back with it: it could "
            "be attached nowhere before",
            change="move the volume to a back end that outlives the host (openstack volume migrate)",
        )
    if hidden := _hidden_tpm(server, host, facts.storage):
        return hidden
    if refused := [
        p for p in facts.storage.ports.get(server.id, ()) if p.vnic_type in NEVER_EVACUATED
    ]:
        return _Judged(
            outcome=Outcome.WAITS,
            waits_for=WaitsFor.HOST,
            why=f"Nova refuses to evacuate it: its port {refused[0].id} is an accelerator's "
            f"({refused[0].vnic_type})",
            change="only its host's return; a port of another type would do",
        )
    if meant.treatment is Treatment.REBUILD:
        return _Judged(
            outcome=Outcome.RETURNS_EMPTY,
            why=meant.reason,
            change="on_local_disk = 'hold' would leave it where its data is; a volume as its root "
            "would outlive the host",
        )
    storage = facts.storage.shares(host) if disks_of(server).local else None
    if storage is not None and (strangers := sorted(facts.storage.strangers_to(storage))):
        return _Judged(
            outcome=Outcome.RETURNS,
            why=f"{meant.reason}. Nova chooses its destination; one that does not share it refuses, and it "
            "is tried three times",
            change=f"have Nova choose only hosts of {storage} for it (by a property of its flavor and of "
            f"the aggregate, or a zone): {len(strangers)} hosts take servers and do not share it",
        )
    return _Judged(outcome=Outcome.RETURNS, why=meant.reason)


def _hidden_tpm(server: Server, host: HostName, storage: Storage) -> _Judged | None:
    """Return that nobody knows whether the server has a vTPM; None where it is known, or cannot be."""
    volumes = not_known_to(server, storage.volumes or {})
    if not volumes or not may_hide_tpm(server, host, storage.tpm_hosts):
        return None
    is_silent = storage.volumes is None
    return _Judged(
        outcome=Outcome.WAITS,
        waits_for=WaitsFor.PERSON if is_silent else WaitsFor.HOST,
        why=tpm_unknown(volumes[0]),
        change="bring Cinder back" if is_silent else "give Koboshi's user the admin role in Cinder",
    )


def _held(server: Server, kind: HoldKind, why: str, facts: Facts, policy: Policy) -> _Judged:
    if kind in _NOT_RECOVERED:
        return _Judged(outcome=Outcome.NOT_RECOVERABLE, why=why, change=_CHANGE[kind])
    waits_for = WaitsFor.PERSON if kind in _FOR_A_PERSON else WaitsFor.HOST
    if kind is HoldKind.STATE:
        change = _CHANGE_OF_STATE.get(server.vm_state, "bring it to ACTIVE or SHUTOFF")
    elif kind in {HoldKind.LOCAL_DISK, HoldKind.IMAGE_GONE, HoldKind.FOR_A_WHILE}:
        change = _change_of_local_disks(server, facts, policy)
    else:
        change = _CHANGE[kind]
    return _Judged(outcome=Outcome.WAITS, why=why, change=change, waits_for=waits_for)


def _change_of_local_disks(server: Server, facts: Facts, policy: Policy) -> str:
    image = server.image_id
    if image is not None and not facts.images_active.get(image, False):
        return f"only its host's return: its image {image} is not active in Glance any more"
    if policy.on_local_disk in {OnLocalDisk.HOLD, OnLocalDisk.REBUILD_AFTER}:
        lost = " and ".join(disks_of(server).local)
        back = "bring it back from its image" if image is not None else "bring it back"
        return f"on_local_disk = 'rebuild' would {back}, and lose its {lost}"
    return "only its host's return"


def forecasts(servers: tuple[Server, ...], facts: Facts) -> Iterator[ServerForecast]:
    """Return the forecast of every server that is on a host."""
    for server in servers:
        if server.host is not None:
            yield forecast(server, server.host, facts)
