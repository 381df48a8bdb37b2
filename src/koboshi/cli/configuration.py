"""A configuration file in words: every key with its reason, filled in from the cloud."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from textwrap import wrap

from koboshi import __version__
from koboshi.settings.keys import (
    ANY_NAME,
    FOR_HOSTS,
    FOR_NETWORKS,
    Key,
    Table,
    as_toml,
    keys,
    tables,
)

WIDTH = 98
NO_BREAK = "\N{NO-BREAK SPACE}"

EXAMPLES = {
    "cloud.name": '"mycloud"',
    "cloud.config_file": '"/etc/openstack/clouds.yaml"',
    "cloud.region": '"RegionOne"',
    "cloud.interface": '"internal"',
    "domains.file": '"/etc/koboshi/domains.toml"',
    "hosts.addresses": '{ compute1 = "192.0.2.1" }',
    "hosts.inventory": '"/etc/koboshi/hosts.csv"',
    "hosts.pattern": '"{host}.mgmt.example"',
    "prometheus.url": '"https://prometheus.example:9090"',
    "prometheus.username": '"koboshi"',
    "prometheus.password": '"…"',
    "prometheus.password_env": '"KOBOSHI_PROMETHEUS_PASSWORD"',
    "prometheus.password_file": '"/etc/koboshi/prometheus-password"',
    "prometheus.ca_file": '"/etc/koboshi/prometheus-ca.pem"',
    "kdump.listen": '"192.0.2.10"',
    "kdump.secret": '"…"',
    "kdump.secret_env": '"KOBOSHI_KDUMP_SECRET"',
    "kdump.secret_file": '"/etc/koboshi/kdump-secret"',
    "fencing.defaults.username": '"koboshi"',
    "fencing.defaults.password": '"…"',
    "fencing.defaults.password_env": '"KOBOSHI_BMC_PASSWORD"',
    "fencing.defaults.password_credential": '"bmc-password"',
    "fencing.defaults.password_file": '"/etc/koboshi/bmc-password"',
    "fencing.defaults.verify_tls": "true",
    "fencing.defaults.ca_file": '"/etc/koboshi/bmc-ca.pem"',
    "fencing.defaults.timeout": '"10s"',
    "webhook.url": '"https://example.com/hook"',
    "webhook.secret": '"whsec_…"',
    "webhook.secret_env": '"KOBOSHI_WEBHOOK_SECRET"',
    "webhook.secret_file": '"/etc/koboshi/webhook-secret"',
    "http.listen": '"127.0.0.1:9777"',
}
"""For the keys that have no default."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What the cloud told."""

    label: str = ""
    values: Mapping[str, object] = field(default_factory=dict[str, object])
    """Settings that are known already, by their dotted keys."""
    hosts: Sequence[tuple[str, str | None]] = ()
    """Each host that would be protected, with the address that Nova tells."""
    servers: int | None = None


def configuration_text(found: Found) -> str:
    """Return the whole file: what is known is set, all else stands there as a comment."""
    parts = [_head(found)]
    for table in tables():
        if table.path[:2] == FOR_HOSTS:
            parts.append(_hosts(table, found))
        elif table.path[:1] == FOR_NETWORKS:
            parts.append(_networks(table))
        elif table.path[:1] == ("policy",) and len(table.path) > 1:
            parts.append(_said(table))
        elif ANY_NAME in table.path:
            parts.append(_outlets(table))
        else:
            parts.append(_table(table, found))
    return "\n".join(part.strip("\n") + "\n" for part in parts)


def _head(found: Found) -> str:
    seen = "nothing was asked of a cloud"
    if found.label:
        seen = f"filled in from {found.label}: {len(found.hosts)} hosts to protect"
        if found.servers is not None:
            seen += f", {found.servers} servers"
    text = (
        f"Koboshi's configuration, written by koboshi {__version__} init; {seen}. What is commented "
        "out stands at its default. Durations: 10s, 15m, 1h30m, or a number of seconds. "
        "Environment variables override this file: KOBOSHI_MODE, KOBOSHI_WINDOWS__LATCH, and so "
        "on. Test it with: koboshi check"
    )
    return _comment(text)


def _table(table: Table, found: Found) -> str:
    lines = f"\n{_comment(table.purpose)}[{'.'.join(table.path)}]\n" if table.path else ""
    return lines + "".join(_key(key, found) for key in table.keys)


def _key(key: Key, found: Found) -> str:
    about = [key.reason]
    limits = key.bounds or (key.type if " or " in key.type else "")
    if limits:
        about.append(f"({limits})".replace(" ", NO_BREAK))
    value = found.values.get(key.dotted)
    if value is not None:
        line = f"{key.name} = {as_toml(value)}"
    else:
        line = f"# {key.name} = {key.default or EXAMPLES[key.dotted]}"
    return f"{_comment(' '.join(about))}{line}\n\n"


def _hosts(table: Table, found: Found) -> str:
    shared = {key.name for key in keys() if key.section == ("fencing", "defaults")}
    own = " ".join(f"{key.name}: {key.reason}" for key in table.keys if key.name not in shared)
    about = (
        f'{table.purpose} One table for each host; before mode = "act", uncomment and complete '
        f"them. {own}"
    )
    lines = f"\n{_comment(about)}\n"
    for host, address in found.hosts or (("compute1", None),):
        where = f"  # the host itself answers at {address}" if address else ""
        lines += (
            f"# [fencing.hosts.{_quoted(host)}]{where}\n"
            '# type = "redfish"\n'
            f'# url = "https://BMC-OF-{host}"\n'
            '# system_id = "1"\n\n'
        )
    return lines + (
        "## ... or through a fence agent of this machine:\n"
        "## [fencing.hosts.compute1]\n"
        '## type = "fence_ipmilan"\n'
        '## parameters = { ip = "192.0.2.9", lanplus = true }\n'
    )


def _networks(table: Table) -> str:
    """Return how a further network is set."""
    about = " ".join(f"{key.name}: {key.reason}" for key in table.keys)
    return (
        f"\n{_comment(f'{table.purpose} One table for each. {about}')}"
        "## [networks.storage]\n"
        '## ask = ["icmp"]\n'
        '## pattern = "{host}.storage.example"\n\n'
    )


def _said(table: Table) -> str:
    """Return how something is said of a project's servers, or of those on an aggregate's hosts."""
    of = "project, by its id" if "project" in table.path else "host aggregate, by its name"
    return (
        f"\n{_comment(f'{table.purpose} One table for each {of}; docs/policy.md.')}"
        f"## [{'.'.join(table.path)}]\n"
        '## on_local_disk = "rebuild-after=30m"\n## priority = "high"\n\n'
    )


def _outlets(table: Table) -> str:
    """Return how what feeds a host is set."""
    about = (
        "What feeds a host (the outlets of its power distribution units), for when its BMC is dead: asked "
        "when that gives no clear answer, and switched off when that does not end in off. Of several, all "
        "must be off. The keys are those of [fencing.hosts.HOST]; username and password are the outlet's "
        "own, never those of [fencing.defaults]."
    )
    return (
        f"\n{_comment(about)}"
        f"## [{'.'.join(table.path)}]\n"
        '## type = "fence_apc"\n## parameters = { ip = "192.0.2.8", plug = "3" }\n'
        '## username = "koboshi"\n## password_file = "/etc/koboshi/pdu-password"\n'
    )


def _quoted(host: str) -> str:
    is_bare = host.replace("-", "").replace("_", "").isalnum() and host.isascii()
    return host if is_bare else as_toml(host)


def _comment(text: str) -> str:
    lines = wrap(text, WIDTH, break_on_hyphens=False)
    return "".join(f"# {line}\n" for line in lines).replace(NO_BREAK, " ")
