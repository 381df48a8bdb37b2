"""Random clouds: of every size, layout and state that the rest of Koboshi makes a difference of."""

from datetime import timedelta
from random import Random
from typing import Literal

from koboshi.domain.facts.device import BMC, OUTLETS
from koboshi.domain.facts.places import DomainSource
from koboshi.domain.rules import Mode, OnLocalDisk, ProofPolicy
from koboshi.rehearsal.campaign.dice import chance
from koboshi.rehearsal.campaign.subjects import VICTIM
from koboshi.rehearsal.settings import (
    StoryFencing,
    StoryHome,
    StoryNetwork,
    StorySettings,
    StoryWindows,
)
from koboshi.rehearsal.spec import CloudSpec, Disks, GroupSpec, HostSpec, RecordSpec, ServerSpec
from koboshi.settings.braking import DomainSettings
from koboshi.settings.deciding import PaceSettings, PolicySettings

VICTIM_PERCENT = 60
"""So many of the servers are on the first host, which troubles befall most: those that meet make
the story."""
ODD_STATES = ("paused", "suspended", "rescued", "resized", "error", "building", "shelved")
ODD_TASKS = ("migrating", "resize_prep", "image_uploading", "deleting")
UNFENCED_VICTIM_PERCENT = 15
FEWEST_FOR_RACKS = 6
SIZES_MB = (512, 1_024, 4_096, 16_384)


def draw_cloud(random: Random) -> CloudSpec:
    """Return a cloud of 3 to 12 hosts."""
    hosts = random.choice((3, 4, 4, 5, 5, 6, 8, 12))
    zoned = chance(random, 25)
    racks = random.choice((0, 0, 2, 3, 4)) if hosts >= FEWEST_FOR_RACKS else 0
    names = [f"h{n}" for n in range(1, hosts + 1)]
    servers = {
        f"s{n}": _server(random, _host_of(random, names), zoned=zoned)
        for n in range(1, random.randint(2, 10) + 1)
    }
    return CloudSpec(
        hosts=hosts,
        heartbeat=timedelta(seconds=random.choice((2, 5, 10))),
        agents=timedelta(seconds=random.choice((10, 30))) if chance(random, 30) else None,
        prometheus=timedelta(seconds=15) if chance(random, 25) else None,
        host={n: _host(random, n, zoned=zoned, racks=racks, hosts=hosts) for n in names},
        server=servers,
        group=_groups(random, list(servers)),
        record=_records(random, servers, names),
    )


def _host_of(random: Random, names: list[str]) -> str:
    return names[0] if chance(random, VICTIM_PERCENT) else random.choice(names[1:])


def _host(random: Random, name: str, *, zoned: bool, racks: int, hosts: int) -> HostSpec:
    tight = chance(random, 15)
    return HostSpec(
        zone=("north", "south")[int(name[1:]) % 2] if zoned else "nova",
        hypervisor="ironic" if name != VICTIM and chance(random, 3) else "QEMU",
        ram_mb=8_192 if tight else 65_536,
        boot=timedelta(seconds=random.choice((8, 20, 40))),
        spawn=timedelta(seconds=random.choice((0.5, 2, 2, 6))),
        fenced=not chance(random, UNFENCED_VICTIM_PERCENT if name == VICTIM else 4),
        devices=(BMC, OUTLETS) if chance(random, 15) else (BMC,),
        rack=f"r{(int(name[1:]) - 1) * racks // hosts + 1}" if racks else "",
    )


def _server(random: Random, host: str, *, zoned: bool) -> ServerSpec:
    vm_state, task_state = "active", None
    if chance(random, 12):
        vm_state = "stopped"
    elif chance(random, 12):
        vm_state = random.choice(ODD_STATES)
    elif chance(random, 4):
        task_state = random.choice(ODD_TASKS)
    return ServerSpec(
        host=host,
        disks=random.choice((Disks.VOLUMES, Disks.VOLUMES, Disks.VOLUMES, *Disks)),
        vm_state=vm_state,
        task_state=task_state,
        ram_mb=random.choice(SIZES_MB),
        extra_specs={"hw:tpm_version": "2.0"} if chance(random, 3) else {},
        zone=random.choice(("north", "south", "")) if zoned else "",
        metadata={"HA_Enabled": "False"} if chance(random, 4) else {},
        launched=not chance(random, 2),
    )


def _groups(random: Random, servers: list[str]) -> dict[str, GroupSpec]:
    if not chance(random, 30):
        return {}
    members = tuple(random.sample(servers, min(len(servers), random.randint(2, 3))))
    policy = random.choice(("anti-affinity", "anti-affinity", "affinity", "soft-anti-affinity"))
    return {"g1": GroupSpec(policy=policy, members=members)}


def _records(
    random: Random, servers: dict[str, ServerSpec], hosts: list[str]
) -> dict[str, RecordSpec]:
    """Return what earlier moves left behind, a stale record among them at times."""
    if not chance(random, 20):
        return {}
    server = random.choice(list(servers))
    source = servers[server].host
    status = random.choice(("accepted", "pre-migrating", "failed", "completed", "completed"))
    return {
        "r1": RecordSpec(
            server=server,
            source=source,
            destination=random.choice([h for h in hosts if h != source]),
            status=status,
        ),
    }


def _networks(random: Random) -> dict[Literal["storage", "tenant"], StoryNetwork]:
    """Return which further networks the hosts are asked over, too."""
    networks: dict[Literal["storage", "tenant"], StoryNetwork] = {}
    if chance(random, 25):
        networks["storage"] = StoryNetwork(independent=chance(random, 60))
    if chance(random, 15):
        networks["tenant"] = StoryNetwork(independent=chance(random, 30))
    return networks


RACKS = DomainSettings(source=DomainSource.AGGREGATES, aggregates=("r*",))
"""Where a cloud has racks, its operator has declared them."""


def draw_settings(random: Random, cloud: CloudSpec) -> StorySettings:
    """Return what an operator may have decided, with short windows."""
    proofs = (ProofPolicy.POWER, ProofPolicy.POWER, *ProofPolicy)
    if not cloud.of_host(
        VICTIM
    ).fenced:  # whoever has such hosts has decided what proves their death
        proofs = (*ProofPolicy, ProofPolicy.WORD, ProofPolicy.SILENCE)
    return StorySettings(
        mode=Mode.OBSERVE if chance(random, 5) else Mode.ACT,
        domains=RACKS,
        networks=_networks(random),
        windows=StoryWindows(
            incident_memory=timedelta(seconds=random.choice((40, 60, 120, 900))),
        ),
        policy=PolicySettings(
            on_local_disk=random.choice(tuple(OnLocalDisk)),
            proof=random.choice(proofs),
        ),
        pace=PaceSettings(
            window=random.choice((1, 2, 2, 4, 8)),
            window_most=random.choice((2, 4, 8, 40)),
            per_destination=random.choice((1, 2, 2, 3)),
        ),
        home=StoryHome(automatic=chance(random, 60), power_on=chance(random, 85)),
        fencing=StoryFencing(down_inside=chance(random, 40)),
    )
