"""Settings of the power devices: without one there is no proof that a host is dead."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Self, cast

from pydantic import (
    BeforeValidator,
    Field,
    SecretStr,
    ValidationInfo,
    field_validator,
    model_validator,
)

from koboshi.domain.names import HostName
from koboshi.settings.base import Duration, Section, http_url, minutes, seconds
from koboshi.settings.secrets import SECRET_PARAMETERS


class FencingOptions(Section):
    """What may stand in [fencing.defaults] as well as in a host's own table."""

    username: str | None = Field(
        default=None,
        description="The BMC's user; it needs the right to switch power, and no more.",
    )
    password: SecretStr | None = Field(
        default=None,
        description="Its password, in this file, which must then have mode 0600.",
    )
    password_env: str | None = Field(
        default=None,
        description="... or the name of the environment variable that holds it.",
    )
    password_file: Path | None = Field(
        default=None,
        description="... or a file that holds it (one line), which nobody else may read: mode 0600, "
        "or 0640 where it is root's.",
    )
    password_credential: str | None = Field(
        default=None,
        pattern=r"^[A-Za-z0-9._-]{1,255}$",
        description="... or the name of a systemd credential (LoadCredential=NAME:PATH in the unit).",
    )
    verify_tls: bool | None = Field(
        default=None,
        description="Whether the BMC's certificate is verified: yes, unless it is told that this "
        "network is trusted.",
    )
    ca_file: Path | None = Field(
        default=None,
        description="The CA certificates that signed the BMCs' own; without it the system's.",
    )
    timeout: Duration | None = Field(
        default=None,
        ge=seconds(1),
        le=seconds(10),
        description="How long one call to the BMC may take (10s): no more, because a recovery "
        "waits for it and a deaf BMC must be told apart from a slow one.",
    )


RESERVED = re.compile(
    r"action|option|verbose.*|debug.*|quiet|method|sudo|sudo_path|passwd|password"
)
"""Parameters that are ours to set, or that would write secrets down, or that would not end in off."""


def _parameters(value: object) -> object:
    """Let numbers and true or false stand for the texts that an agent reads."""
    if not isinstance(value, dict):
        return value
    table = cast("dict[str, Any]", value)
    return {k: str(int(v)) if isinstance(v, bool | int) else v for k, v in table.items()}


Parameters = Annotated[dict[str, str], BeforeValidator(_parameters)]


class FencingHost(FencingOptions):
    """One host's power device; what it does not say, [fencing.defaults] says."""

    type: str = Field(
        default="redfish",
        pattern=r"^(redfish|fence_[a-z0-9_]+)$",
        description="The kind of power device: `redfish`, which every BMC since about 2016 speaks, or a "
        "fence agent of this machine by its name (`fence_ipmilan`, `fence_apc`, ...).",
    )
    url: str | None = Field(
        default=None,
        description="Redfish: the BMC's address, as https://HOST[:PORT].",
    )
    system_id: str | None = Field(
        default=None,
        description="Redfish: which of the BMC's systems this host is (the last part of "
        "/redfish/v1/Systems/ID); without it the only one.",
    )

    fingerprint: str | None = Field(
        default=None,
        pattern=r"^(?:[sS][hH][aA]256[:= ]?)?(?:[0-9A-Fa-f]{2}:?){32}$",
        description="Redfish: the SHA-256 of the BMC's certificate (openssl x509 -noout -fingerprint "
        "-sha256): trusts exactly this one, as most BMCs sign their own.",
    )
    machine: str | None = Field(
        default=None,
        min_length=1,
        description="Redfish: the machine behind it, as the BMC names it (UUID, or else SerialNumber): a BMC "
        "that says another is not used. Without it, what it says first is remembered; with it, "
        "a board that was exchanged is made known.",
    )
    parameters: Parameters = Field(
        default_factory=dict[str, str],
        description="Fence agent: what it needs to know, as its manual page names it (ip, plug, lanplus, "
        '...); several outlets of one host, where the agent can: plug = "3,4". All of them must be off.',
    )

    @field_validator("url")
    @classmethod
    def _is_http(cls, value: str | None) -> str | None:
        return None if value is None else http_url(value)

    @field_validator("parameters")
    @classmethod
    def _are_lines(cls, parameters: dict[str, str]) -> dict[str, str]:
        for name, value in parameters.items():
            if RESERVED.fullmatch(name):
                raise ValueError(
                    f"{name} is not for the agent's parameters: Koboshi sets the action itself, and has "
                    "username and password as keys of their own",
                )
            if not re.fullmatch(r"[a-z0-9_-]+", name) or not value.isprintable():
                raise ValueError(f"{name} cannot be told to an agent: one line, name=value")
        return parameters

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.type == "redfish":
            if self.url is None:
                raise ValueError('url is missing; write url = "https://BMC-OF-THIS-HOST"')
            if self.parameters:
                raise ValueError("parameters are a fence agent's; name it in type, or remove them")
        elif any((self.url, self.system_id, self.fingerprint, self.machine)):
            raise ValueError(
                f"url, system_id, fingerprint and machine are Redfish's; {self.type} takes its address from "
                'parameters = { ip = "..." }',
            )
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class RedfishDevice:
    """A BMC with everything that is needed to speak to it."""

    host: str
    url: str
    system_id: str | None
    username: str
    password: SecretStr
    verify_tls: bool
    ca_file: Path | None
    fingerprint: str | None
    machine: str | None
    timeout: timedelta

    @property
    def table(self) -> str:
        """Return what this device is, without its secrets: another text is another device."""
        declared = f" {self.machine}" if self.machine else ""
        return f"redfish {self.url} {self.system_id or ''}{declared}"


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentDevice:
    """A power device behind a fence agent."""

    host: str
    agent: str
    folder: Path
    parameters: Mapping[str, str] = field(repr=False)
    username: str | None
    password: SecretStr | None
    timeout: timedelta

    @property
    def table(self) -> str:
        """Return what this device is, without its secrets: another text is another device."""
        shown = (f"{k}={v}" for k, v in sorted(self.parameters.items()) if not is_secret(k))
        return f"{self.agent} {' '.join(shown)}"


Device = RedfishDevice | AgentDevice


def is_secret(parameter: str) -> bool:
    """Return whether an agent's parameter is a secret, by its name."""
    return any(word in parameter.lower() for word in SECRET_PARAMETERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostDevices:
    """All power devices of one host, in the order in which they are asked."""

    host: str
    bmc: Device | None
    outlets: Mapping[str, Device]
    """What feeds it: only when all of these are off is it off by them."""

    def all(self) -> tuple[Device, ...]:
        """Return every device."""
        first = () if self.bmc is None else (self.bmc,)
        return (*first, *self.outlets.values())


DEFAULT_FENCE_TIMEOUT = seconds(10)


class FencingSettings(Section):
    """Each protected host's power device: without one there is no proof that a host is dead."""

    agents_dir: Path = Field(
        default=Path("/usr/sbin"),
        description="Where the fence agents are, as the package fence-agents installs them.",
    )
    quarantine: Duration = Field(
        default=minutes(24 * 60),
        ge=minutes(10),
        le=minutes(30 * 24 * 60),
        description="How long a device that read off while its host answered must read on, without a "
        "break, before it is believed again: it may be another host's. Mending its "
        "settings ends it at once.",
    )
    look_first: int = Field(
        default=32,
        ge=0,
        le=1000,
        description="How many other hosts' devices are read before the first *off* of a host whose power "
        "reads on: one that reads off while its host answers tells of devices that are swapped.",
    )
    down_inside: bool = Field(
        default=False,
        description="Whether a host is fenced, and its servers recovered elsewhere, that rebooted and answers, "
        "but whose nova-compute has not reported for ten minutes since: its servers are down. Only a new boot "
        "time tells of it ([prometheus] boot_times). What started there all the same (with "
        "resume_guests_state_on_host_boot, before nova-compute failed) is switched off with the host. By default "
        "a person is told, with the one command for it.",
    )
    defaults: FencingOptions = Field(default_factory=FencingOptions)
    hosts: dict[str, FencingHost] = Field(default_factory=dict[str, FencingHost])
    outlets: dict[str, dict[str, FencingHost]] = Field(
        default_factory=dict[str, dict[str, FencingHost]],
        description="[fencing.outlets.HOST.NAME]",
    )

    @field_validator("hosts", "outlets")
    @classmethod
    def _each_is_complete(cls, devices: Any, info: ValidationInfo) -> Any:
        defaults = info.data.get("defaults")
        if not isinstance(defaults, FencingOptions):
            return devices  # they are reported already
        if info.field_name == "hosts":
            hosts = cast("dict[str, FencingHost]", devices)
            _credentials_are_complete(hosts, defaults)
            _each_device_is_one_hosts((h, d) for h, d in hosts.items())
        else:
            outlets = cast("dict[str, dict[str, FencingHost]]", devices)
            for host, named in outlets.items():
                _credentials_are_complete(
                    {f"{host}.{n}": d for n, d in named.items()}, FencingOptions()
                )
            _each_device_is_one_hosts(
                (h, d) for h, named in outlets.items() for d in named.values()
            )
        return devices

    def of(self, host: str) -> HostDevices | None:
        """Return the power devices of `host`; None if it has none."""
        entry, outlets = self.hosts.get(host), self.outlets.get(host, {})
        if entry is None and not outlets:
            return None
        own = FencingOptions()  # an outlet is no BMC: it never gets the BMCs' password
        return HostDevices(
            host=host,
            bmc=None if entry is None else self._device(host, entry, self.defaults),
            outlets={name: self._device(host, device, own) for name, device in outlets.items()},
        )

    def device(self, host: str) -> Device | None:
        """Return the first power device of `host`; None if it has none."""
        found = self.of(host)
        return next(iter(found.all()), None) if found else None

    def machines(self) -> dict[HostName, str]:
        """Return which machine each host's BMC must say that it is, where that is declared."""
        return {HostName(h): entry.machine for h, entry in self.hosts.items() if entry.machine}

    def known_hosts(self) -> tuple[str, ...]:
        """Return every host that has a power device."""
        return tuple(dict.fromkeys((*self.hosts, *self.outlets)))

    def devices(self) -> tuple[Device, ...]:
        """Return every power device that is configured."""
        found = (self.of(host) for host in self.known_hosts())
        return tuple(device for one in found if one is not None for device in one.all())

    def secrets(self) -> tuple[SecretStr, ...]:
        """Return everything that must not be shown."""
        return tuple(_secrets(self.devices()))

    def _device(self, host: str, entry: FencingHost, defaults: FencingOptions) -> Device:
        both = (entry, defaults)
        username = next((o.username for o in both if o.username is not None), None)
        password = next((o.password for o in both if o.password is not None), None)
        limits = (entry.timeout, self.defaults.timeout, DEFAULT_FENCE_TIMEOUT)
        timeout = next(limit for limit in limits if limit is not None)
        if entry.type != "redfish":
            return AgentDevice(
                host=host,
                agent=entry.type,
                folder=self.agents_dir,
                parameters=entry.parameters,
                username=None if "username" in entry.parameters else username,
                password=password,
                timeout=timeout,
            )
        verify = next(
            (o.verify_tls for o in (entry, self.defaults) if o.verify_tls is not None), True
        )
        return RedfishDevice(
            host=host,
            url=entry.url or "",
            system_id=entry.system_id,
            username=username or "",
            password=password or SecretStr(""),
            verify_tls=verify,
            ca_file=entry.ca_file or self.defaults.ca_file,
            fingerprint=entry.fingerprint,
            machine=entry.machine,
            timeout=timeout,
        )


def _secrets(devices: tuple[Device, ...]) -> Iterator[SecretStr]:
    for device in devices:
        if device.password is not None:
            yield device.password
        if isinstance(device, AgentDevice):
            yield from (SecretStr(v) for k, v in device.parameters.items() if is_secret(k))


def _credentials_are_complete(devices: Mapping[str, FencingHost], defaults: FencingOptions) -> None:
    """Refuse a Redfish device without credentials; what an agent needs, only the agent knows."""
    for option in ("username", "password"):
        if getattr(defaults, option) is not None:
            continue
        without = [
            name
            for name, device in devices.items()
            if device.type == "redfish" and getattr(device, option) is None
        ]
        if without:
            raise ValueError(
                f"no {option} for {', '.join(without)}; "
                f"set {option} in [fencing.defaults] or in the host's own table",
            )


def _each_device_is_one_hosts(devices: Iterator[tuple[str, FencingHost]]) -> None:
    """Refuse two hosts with one power device: fencing the one would kill the other."""
    seen: dict[tuple[object, ...], str] = {}
    for name, device in devices:
        where = _where(device)
        if where is None:
            continue
        other = seen.setdefault(where, name)
        if other != name:
            at = f"{device.url}, system_id {device.system_id or 'none'}"
            if device.url is None:
                at = f"{device.type}, {', '.join(str(part) for part in where[1:] if part)}"
            raise ValueError(
                f"{other} and {name} have the same power device ({at}): fencing one would switch the "
                "other off; correct one",
            )


def _where(device: FencingHost) -> tuple[object, ...] | None:
    """Return what no two hosts may share; None when that cannot be told."""
    if device.url is not None:
        return device.url.rstrip("/").lower(), device.system_id
    told = device.parameters
    address = told.get("ip") or told.get("ipaddr")
    if address is None:
        return None
    plug = told.get("plug") or told.get("port")
    return device.type, address.lower(), plug, told.get("ipport"), told.get("target")
