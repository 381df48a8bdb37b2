"""Every configuration file of the lab, rendered from lab/templates.

Two files are for others: clouds.yaml (any OpenStack client) and koboshi.toml.
"""

from __future__ import annotations

from string import Template
from typing import TYPE_CHECKING

from lab import layout as names
from lab.settings import INTERVALS, password, write_atomically

if TYPE_CHECKING:
    from pathlib import Path

    from lab.layout import Layout
    from lab.settings import Settings

AUTH_URL = f"http://{names.CONTROL_IP}:5000/v3"
DATABASES = (
    "keystone",
    "placement",
    "glance",
    "cinder",
    "neutron",
    "nova_api",
    "nova",
    "nova_cell0",
)
SERVICE_USERS = ("placement", "glance", "cinder", "neutron", "nova")


def database_url(name: str) -> str:
    """Give a database's address as SQLAlchemy wants it."""
    return f"mysql+pymysql://root@127.0.0.1:3306/{name}?charset=utf8mb3"


def render(lab: Layout, settings: Settings) -> dict[Path, str]:
    """Give the text of every configuration file that the services read."""
    values = _values(lab, settings)
    files: dict[Path, str] = {}
    for template in sorted((lab.source / "templates").iterdir()):
        text = Template(template.read_text())
        if template.name == "nova-host.conf":
            for host in settings.host_names:
                own = {"host": host, "host_ip": names.host_ip(host)}
                own["host_state"] = str(lab.hosts / host / "nova")
                files[lab.etc / f"{host}.conf"] = text.substitute(values, **own)
        else:
            files[lab.etc / template.name] = text.substitute(values)
    return files


def write(lab: Layout, settings: Settings) -> None:
    """Write all of it below run/."""
    for path, text in render(lab, settings).items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, text, mode=0o600)
    write_atomically(lab.clouds_yaml, clouds_yaml(lab), mode=0o600)
    text = koboshi_toml(lab, settings, bmc_password(lab))
    write_atomically(lab.koboshi_toml, text, mode=0o600)


def admin_password(lab: Layout) -> str:
    """Give the cloud administrator's password."""
    return password(lab.secrets, "admin")


def member_password(lab: Layout) -> str:
    """Give the plain member's password."""
    return password(lab.secrets, "member")


def service_password(lab: Layout) -> str:
    """Give the password that all services' users have."""
    return password(lab.secrets, "service")


def bmc_password(lab: Layout) -> str:
    """Give the password of all BMCs; IPMI's protocol has room for 20 bytes."""
    return password(lab.secrets, "bmc", strength_bytes=12)


def clouds_yaml(lab: Layout) -> str:
    """Name two clouds: `lab` for the administrator, `lab-member` for a plain member."""
    clouds = [
        ("lab", "admin", "admin", admin_password(lab)),
        ("lab-member", "member", "member", member_password(lab)),
    ]
    text = "clouds:\n"
    for cloud, user, project, secret in clouds:
        text += f"""\
  {cloud}:
    auth:
      auth_url: "{AUTH_URL}"
      username: {user}
      password: "{secret}"
      project_name: {project}
      user_domain_name: Default
      project_domain_name: Default
    region_name: {names.REGION}
    identity_api_version: 3
"""
    return text


def koboshi_toml(lab: Layout, settings: Settings, secret: str) -> str:
    """Render Koboshi's configuration for this lab."""
    # Two heartbeats: with fewer, a fresh daemon would see none advance and hold the brake for a minute.
    new_evidence_s = max(5, 2 * INTERVALS[settings.intervals][0])
    text = f"""\
mode = "act"
state_dir = "{lab.run}/koboshi"

[cloud]
name = "lab"
config_file = "{lab.clouds_yaml}"

# The one place where the lab shortens safety windows, so that tests need not wait for them.
# Proofs, their order and the reading back of what was done are never shortened.
[windows]
probe_warm_up = "10s"
new_evidence = "{new_evidence_s}s"
incident_memory = "30s"
latch = "20s"

# What a host was through is judged where it stands; the tests of the way home say otherwise.
[home]
automatic = false

[fencing.defaults]
username = "admin"
password = "{secret}"
"""
    for host in settings.host_names:
        text += f"""
[fencing.hosts.{host}]
type = "redfish"
url = "http://{names.bmc_ip(host)}:{names.BMC_PORT}"
system_id = "{names.system_id(host)}"
"""
    return text


def _values(lab: Layout, settings: Settings) -> dict[str, str]:
    report_interval, service_down_time = INTERVALS[settings.intervals]
    values = {
        "run": lab.run,
        "log": lab.log,
        "state": lab.state,
        "sockets": lab.sockets,
        "venv": lab.venv,
        "control_ip": names.CONTROL_IP,
        "region": names.REGION,
        "rpc": f"rabbit://guest:guest@{names.CONTROL_IP}:5672/",
        "report_interval": report_interval,
        "service_down_time": service_down_time,
        # Neutron's agents report at their own pace: 30 s and 75 s as it ships
        "agent_report_interval": 3 * report_interval,
        "agent_down_time": 15 * report_interval // 2,
    }
    values |= {f"db_{name}": database_url(name) for name in DATABASES}
    secret = service_password(lab)
    for user in SERVICE_USERS:
        values[f"user_{user}"] = _user(user, secret)
        values[f"authtoken_{user}"] = _authtoken(user, secret)
    return {key: str(value) for key, value in values.items()}


def _user(user: str, secret: str) -> str:
    return f"""\
auth_type = password
auth_url = {AUTH_URL}
username = {user}
password = {secret}
user_domain_name = Default
project_name = service
project_domain_name = Default
region_name = {names.REGION}"""


def _authtoken(user: str, secret: str) -> str:
    return f"""\
[keystone_authtoken]
www_authenticate_uri = {AUTH_URL}
service_token_roles = service
service_token_roles_required = true
token_cache_time = 300
{_user(user, secret)}"""
