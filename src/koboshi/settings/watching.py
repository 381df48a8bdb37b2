"""Settings of what is watched: the cloud, its hosts, and the witnesses that speak for them."""

from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from koboshi.settings.base import Duration, Patterns, Section, minutes, seconds
from koboshi.settings.witnesses import numeric, pattern_of, questions


class CloudSettings(Section):
    """Which cloud, and how long to wait for its answers."""

    name: str | None = Field(
        default=None,
        description="The cloud's name in clouds.yaml; without it OS_CLOUD or the other OS_* "
        "variables speak, as with every OpenStack client.",
    )
    config_file: Path | None = Field(
        default=None,
        description="The clouds.yaml to read; without it the usual places are searched, as with "
        "every OpenStack client.",
    )
    region: str | None = Field(
        default=None,
        description="The region; without it what clouds.yaml or OS_REGION_NAME says. One daemon "
        "looks after one region.",
    )
    interface: Literal["public", "internal", "admin"] | None = Field(
        default=None,
        description="The endpoints to use; without it what clouds.yaml or OS_INTERFACE says. "
        "`internal` keeps a recovery independent of the public load balancer.",
    )
    read_timeout: Duration = Field(
        default=seconds(10),
        ge=seconds(1),
        le=seconds(60),
        description="How long one read may take: a read that hangs longer is worth no more than "
        "none, and is asked again.",
    )
    command_timeout: Duration = Field(
        default=seconds(30),
        ge=seconds(5),
        le=minutes(5),
        description="How long a request that changes something may take: after that its outcome "
        "is unknown and costs a slow resolution, so it is given more time than a read.",
    )


class HostsSettings(Section):
    """Which compute hosts are protected, and where they answer."""

    protect: Patterns = Field(
        default=("*",),
        description="Patterns (`*`, `?`, `[abc]`) of the hosts to protect: all of them, because "
        "what is not protected is lost when it dies.",
    )
    exclude: Patterns = Field(
        default=(),
        description="Patterns of hosts to leave alone although `protect` names them: empty, so "
        "that no host is forgotten by accident.",
    )
    addresses: dict[str, str] = Field(
        default_factory=dict[str, str],
        description="Where a host answers on its management network, as HOST = ADDRESS; hosts "
        "that are not listed are probed at the address that Nova tells (`host_ip`). No names: a "
        "name server that is down is no dead host.",
    )

    inventory: Path | None = Field(
        default=None,
        description="A CSV file with the columns `host` and `management`, read at the start, for "
        "hosts that are not in `addresses`: most clouds have such a list already.",
    )
    pattern: str | None = Field(
        default=None,
        description="A name with `{host}` in it, for hosts that are in neither. It is looked up "
        "ahead and kept: a name server that is down is no dead host.",
    )

    @field_validator("addresses")
    @classmethod
    def _are_numeric(cls, addresses: dict[str, str]) -> dict[str, str]:
        return numeric(addresses)

    @field_validator("pattern")
    @classmethod
    def _has_a_place(cls, value: str | None) -> str | None:
        return pattern_of(value)

    def is_protected(self, host: str) -> bool:
        """Return whether the patterns choose `host`."""
        if any(fnmatchcase(host, pattern) for pattern in self.exclude):
            return False
        return any(fnmatchcase(host, pattern) for pattern in self.protect)


class ProbeKind(StrEnum):
    """What a probe asks for."""

    SSH = "ssh"
    """A connection and an ssh banner: a program on the host answers."""
    TCP = "tcp"
    """A connection, accepted or refused: shows only that the kernel lives."""


class ProbeSettings(Section):
    """How a host's management address is asked whether it lives."""

    kind: ProbeKind = Field(
        default=ProbeKind.SSH,
        description="`ssh` waits for the server's banner, because a kernel whose programs are all "
        "stuck still accepts connections; `tcp` is for hosts without an ssh server.",
    )
    port: int = Field(
        default=22,
        ge=1,
        le=65535,
        description="The TCP port that is asked: ssh runs on nearly every compute host.",
    )
    ask: Patterns = Field(
        default=(),
        description="Several questions at once instead of `kind` and `port`: `icmp`, `ssh`, "
        "`ssh:PORT`, `tcp:PORT`, `http:PORT/PATH=TEXT` (a page that contains TEXT); the best "
        "answer wins. Empty, because one ssh banner says all that is needed.",
    )
    interval: Duration = Field(
        default=seconds(1),
        ge=seconds(0.5),
        le=seconds(2),
        description="How often each host is asked: silence is counted in these steps, and the "
        "other hosts' answers must be fresh at the same moment.",
    )
    timeout: Duration = Field(
        default=seconds(1),
        ge=seconds(0.2),
        le=seconds(3),
        description="How long one probe waits: on a management network, an answer that takes "
        "longer is none.",
    )

    @field_validator("ask")
    @classmethod
    def _can_be_asked(cls, ask: tuple[str, ...]) -> tuple[str, ...]:
        return questions(ask)


class EvidenceSettings(Section):
    """How often the witnesses are asked, and when their silence counts."""

    services_interval: Duration = Field(
        default=seconds(5),
        ge=seconds(1),
        le=seconds(30),
        description="How often Nova's service list is read at least while all is well: twice per "
        "heartbeat, so that none is missed. Where the API answers quickly it is read more often, with a "
        "pause of 20 times what a read takes, down to `services_interval_suspect`.",
    )
    services_interval_suspect: Duration = Field(
        default=seconds(2),
        ge=seconds(1),
        le=seconds(10),
        description="How often it is read while a host is suspect: each second here is a second "
        "of downtime.",
    )
    sweep_interval: Duration = Field(
        default=seconds(60),
        ge=seconds(10),
        le=minutes(10),
        description="How often Nova is asked which servers changed: often enough to know what ran "
        "where, seldom enough for a large cloud's database.",
    )
    sweep_again_interval: Duration = Field(
        default=minutes(12 * 60),
        ge=minutes(10),
        le=minutes(7 * 24 * 60),
        description="How long it may take until every server was listed once more, a page or a few "
        "in each sweep: it finds what no change told, and need not be quick.",
    )
    power_interval: Duration = Field(
        default=minutes(10),
        ge=seconds(10),
        le=minutes(60),
        description="How often each living host's BMC must read on: a BMC that has gone deaf or "
        "lies should be known before it is needed.",
    )
    silence: Duration = Field(
        default=seconds(6),
        ge=seconds(3),
        le=minutes(5),
        description="How long a witness must be silent before its silence is a vote: longer than "
        "a switch needs to fail over a link.",
    )
    sample_max_age: Duration = Field(
        default=seconds(30),
        ge=seconds(5),
        le=minutes(5),
        description="How old a sample of Prometheus may be to say that its host lives: two of its "
        "usual intervals of 15 s.",
    )
    heartbeat_margin: Duration = Field(
        default=seconds(3),
        ge=seconds(1),
        le=minutes(2),
        description="How much later than its interval a heartbeat may come: message bus and "
        "database take their time under load.",
    )


class WindowsSettings(Section):
    """The safety windows that may be shortened; `koboshi check` warns about each that is."""

    probe_warm_up: Duration = Field(
        default=minutes(10),
        ge=seconds(1),
        le=minutes(24 * 60),
        description="How long a probe must have reached a host before its silence counts: a "
        "firewall that never let us through is no dead host.",
    )
    new_evidence: Duration = Field(
        default=seconds(60),
        ge=seconds(1),
        le=minutes(60),
        description="How much new evidence a restarted daemon gathers before it opens an "
        "incident: what it knew before may be out of date.",
    )
    incident_memory: Duration = Field(
        default=minutes(15),
        ge=seconds(1),
        le=minutes(24 * 60),
        description="How long one incident counts for the brake: several "
        "deaths in a row are more often a broken network than broken hosts.",
    )
    latch: Duration = Field(
        default=minutes(10),
        ge=seconds(1),
        le=minutes(24 * 60),
        description="How long a host must have been healthy before its incident is closed: one "
        "that dies again at once is the same incident.",
    )
    flapping: Duration = Field(
        default=minutes(24 * 60),
        ge=seconds(1),
        le=minutes(31 * 24 * 60),
        description="A host that fails twice within this time comes home and stays disabled, until a "
        "person says otherwise (`koboshi host release`).",
    )
