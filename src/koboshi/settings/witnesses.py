"""Settings of the witnesses beyond Nova's heartbeats: networks, Neutron, Prometheus, kdump."""

import re
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from koboshi.settings.base import Duration, Patterns, Section, http_url, seconds

_QUESTION = re.compile(
    r"^(?:icmp|(?P<kind>ssh|tcp)(?::(?P<port>\d{1,5}))?|"
    r"http:(?P<http>\d{1,5})(?P<path>/[^\s=]*)=(?P<expect>\S.*))$"
)
SSH_PORT = 22
MAX_PORT = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One thing that is asked of an address."""

    kind: str
    """`icmp`, `ssh`, `tcp` or `http`."""
    port: int = 0
    path: str = ""
    expect: str = ""


def question_of(text: str) -> Question:
    """Return the question that an operator wrote. Raises ValueError with the forms that there are."""
    found = _QUESTION.match(text)
    port = int(found["port"] or found["http"] or SSH_PORT) if found else 0
    if (
        found is None
        or not 0 < port <= MAX_PORT
        or (found["kind"] == "tcp" and found["port"] is None)
    ):
        raise ValueError(
            f'"{text}" is nothing that can be asked; write icmp, ssh, ssh:PORT, tcp:PORT, or '
            "http:PORT/PATH=TEXT (a page that contains TEXT)"
        )
    if found["http"]:
        return Question(kind="http", port=port, path=found["path"], expect=found["expect"])
    return Question(kind=found["kind"], port=port) if found["kind"] else Question(kind="icmp")


def questions(ask: tuple[str, ...]) -> tuple[str, ...]:
    """Return what was written, if all of it can be asked."""
    for text in ask:
        question_of(text)
    return ask


def numeric(addresses: dict[str, str]) -> dict[str, str]:
    """Return a table of addresses, if all of them are."""
    for host, address in addresses.items():
        try:
            ip_address(address)
        except ValueError:
            raise ValueError(
                f'{host}: "{address}" is no IP address, and names are not looked up'
            ) from None
    return addresses


def pattern_of(value: str | None) -> str | None:
    """Return a pattern, if it has a place for the host's name."""
    if value is not None and "{host}" not in value:
        raise ValueError(f'"{value}" has no {{host}} in it, as in "{{host}}.storage.example"')
    return value


class NetworkSettings(Section):
    """A further network over which hosts are asked: one that hears a host keeps it from being fenced."""

    ask: Patterns = Field(
        default=("icmp",),
        description="What is asked there, all at once: `icmp`, `ssh`, `ssh:PORT`, `tcp:PORT`, or "
        "`http:PORT/PATH=TEXT`; the best answer wins. `icmp`, because most storage networks carry "
        "it and a host's kernel is enough to keep it from being fenced.",
    )
    independent: bool = Field(
        default=False,
        description="Whether it shares no switch with the management network: only then its "
        "silence says that a rack is dead and not its switch. `no`, because most networks are "
        "VLANs on the same switches.",
    )
    addresses: dict[str, str] = Field(
        default_factory=dict[str, str],
        description="Where a host answers there, as HOST = ADDRESS; comes before `inventory` and "
        "`pattern`.",
    )
    inventory: Path | None = Field(
        default=None,
        description="A CSV file with the columns `host` and this network's name, read at the "
        "start: one file can hold the addresses of all networks.",
    )
    pattern: str | None = Field(
        default=None,
        description="A name with `{host}` in it, for hosts that are listed nowhere. It is looked "
        "up ahead and kept: a name server that is down is no dead host.",
    )

    @field_validator("ask")
    @classmethod
    def _can_be_asked(cls, ask: tuple[str, ...]) -> tuple[str, ...]:
        if not ask:
            raise ValueError('empty: nothing would be asked; write ask = ["icmp"]')
        return questions(ask)

    @field_validator("addresses")
    @classmethod
    def _are_numeric(cls, addresses: dict[str, str]) -> dict[str, str]:
        return numeric(addresses)

    @field_validator("pattern")
    @classmethod
    def _has_a_place(cls, value: str | None) -> str | None:
        return pattern_of(value)


class NeutronSettings(Section):
    """Neutron's agents, the second witness of the control plane."""

    agents: bool = Field(
        default=True,
        description="Whether the agents' reports are read: they show that a host lives whose "
        "nova-compute is down. Where the catalog has no Neutron, nobody asks.",
    )


class PrometheusSettings(Section):
    """A witness outside of the cloud; it only ever says that a host lives."""

    url: str | None = Field(
        default=None,
        description="Prometheus's address, as http(s)://HOST[:PORT][/PREFIX]; without one nobody "
        "is asked.",
    )
    queries: Patterns = Field(
        default=('up{job="node"}',),
        description="Queries whose series say that a host lives while their value is above 0: "
        "plain selectors, because only of those Prometheus tells how old a sample is.",
    )
    boot_times: str | None = Field(
        default="node_boot_time_seconds",
        description="The query whose values say when hosts booted, in seconds (node_exporter's own); "
        "empty: nobody tells. A new boot time finds hosts that reboot too quickly to be missed, and "
        "those that came back without their nova-compute.",
    )
    host_label: str = Field(
        default="instance",
        pattern=r"^[A-Za-z_][A-Za-z0-9_]*$",
        description="The label in which a host is named: what node exporters are usually called by.",
    )
    host_pattern: str = Field(
        default="{host}(:[0-9]+)?",
        description="What the label says of a host: a regular expression with `{host}` in it, "
        "which must fit the whole label.",
    )
    username: str | None = Field(
        default=None, description="The user, where it wants one (basic authentication)."
    )
    password: SecretStr | None = Field(
        default=None,
        description="The password, or without a user the bearer token, in this file, which must "
        "then have mode 0600.",
    )
    password_env: str | None = Field(
        default=None, description="... or the name of the environment variable that holds it."
    )
    password_file: Path | None = Field(
        default=None, description="... or a file that holds it (one line)."
    )
    ca_file: Path | None = Field(
        default=None,
        description="The CA certificates that signed its own; without it the system's.",
    )
    timeout: Duration = Field(
        default=seconds(5),
        ge=seconds(1),
        le=seconds(30),
        description="How long one query may take: an answer that comes later is about a past "
        "that is of no use.",
    )

    @field_validator("url")
    @classmethod
    def _is_http(cls, value: str | None) -> str | None:
        return None if value is None else http_url(value)

    @field_validator("host_pattern")
    @classmethod
    def _is_a_pattern(cls, value: str) -> str:
        pattern_of(value)
        try:
            re.compile(value.replace("{host}", "h"))
        except re.error as error:
            raise ValueError(f'"{value}" is no regular expression: {error}') from None
        return value


class KdumpSettings(Section):
    """Messages of kernels that crashed: they shorten the wait for a confirmation."""

    listen: str | None = Field(
        default=None,
        description="Where they arrive, as ADDRESS (any: `::` or `0.0.0.0`); without it nobody "
        "listens.",
    )
    port: int = Field(
        default=7410,
        ge=1,
        le=65535,
        description="The UDP port: fence_kdump_send's own default.",
    )
    isolated: Patterns = Field(
        default=(),
        description="Networks in CIDR form from which nobody but the hosts can send: messages from "
        "there count as proven. None, because anybody can forge a sender on an ordinary network.",
    )
    secret: SecretStr | None = Field(
        default=None,
        min_length=16,
        description="The key that signs messages (HMAC-SHA256), 16 characters at least, in this "
        "file, which must then have mode 0600; a signed message counts as proven anywhere.",
    )
    secret_env: str | None = Field(
        default=None, description="... or the name of the environment variable that holds it."
    )
    secret_file: Path | None = Field(
        default=None, description="... or a file that holds it (one line)."
    )

    @field_validator("listen")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                ip_address(value)
            except ValueError:
                raise ValueError(f'"{value}" is no IP address') from None
        return value

    @field_validator("isolated")
    @classmethod
    def _are_networks(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        for network in value:
            try:
                ip_network(network)
            except ValueError as error:
                raise ValueError(f"{info.field_name}: {error}") from None
        return value
