"""Settings of the power devices: without one there is no proof that a host is dead."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from koboshi.settings.base import Duration, Section, http_url, seconds


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
        description="... or a file that holds it (one line), as systemd's LoadCredential and "
        "Kubernetes give it.",
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


class FencingHost(FencingOptions):
    """One host's power device; what it does not say, [fencing.defaults] says."""

    type: Literal["redfish"] = Field(
        default="redfish",
        description="The kind of power device: Redfish, which every BMC since about 2016 speaks.",
    )
    url: str = Field(
        description="The BMC's address, as https://HOST[:PORT].",
    )
    system_id: str | None = Field(
        default=None,
        description="Which of the BMC's systems this host is (the last part of "
        "/redfish/v1/Systems/ID); without it the only one.",
    )

    fingerprint: str | None = Field(
        default=None,
        pattern=r"^(?:[sS][hH][aA]256[:= ]?)?(?:[0-9A-Fa-f]{2}:?){32}$",
        description="The SHA-256 of the BMC's certificate (openssl x509 -noout -fingerprint "
        "-sha256): trusts exactly this one, as most BMCs sign their own.",
    )

    @field_validator("url")
    @classmethod
    def _is_http(cls, value: str) -> str:
        return http_url(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class RedfishDevice:
    """One host's BMC with everything that is needed to speak to it."""

    host: str
    url: str
    system_id: str | None
    username: str
    password: SecretStr
    verify_tls: bool
    ca_file: Path | None
    fingerprint: str | None
    timeout: timedelta


DEFAULT_FENCE_TIMEOUT = seconds(10)


class FencingSettings(Section):
    """Each protected host's power device: without one there is no proof that a host is dead."""

    defaults: FencingOptions = Field(default_factory=FencingOptions)
    hosts: dict[str, FencingHost] = Field(default_factory=dict[str, FencingHost])

    @field_validator("hosts")
    @classmethod
    def _credentials_are_complete(
        cls,
        hosts: dict[str, FencingHost],
        info: ValidationInfo,
    ) -> dict[str, FencingHost]:
        defaults = info.data.get("defaults")
        if not isinstance(defaults, FencingOptions):
            return hosts  # they are reported already
        _each_device_is_one_hosts(hosts)
        for option in ("username", "password"):
            if getattr(defaults, option) is not None:
                continue
            without = [name for name, host in hosts.items() if getattr(host, option) is None]
            if without:
                raise ValueError(
                    f"no {option} for {', '.join(without)}; "
                    f"set {option} in [fencing.defaults] or in the host's own table",
                )
        return hosts

    def device(self, host: str) -> RedfishDevice | None:
        """Return how to reach the host's BMC, or None if it has none."""
        entry = self.hosts.get(host)
        if entry is None:
            return None
        both = (entry, self.defaults)
        username = next(o.username for o in both if o.username is not None)
        password = next(o.password for o in both if o.password is not None)
        verify_tls = next((o.verify_tls for o in both if o.verify_tls is not None), True)
        timeout = next((o.timeout for o in both if o.timeout is not None), DEFAULT_FENCE_TIMEOUT)
        return RedfishDevice(
            host=host,
            url=entry.url,
            system_id=entry.system_id,
            username=username,
            password=password,
            verify_tls=verify_tls,
            ca_file=entry.ca_file or self.defaults.ca_file,
            fingerprint=entry.fingerprint,
            timeout=timeout,
        )

    def devices(self) -> tuple[RedfishDevice, ...]:
        """Return every BMC that is configured."""
        found = (self.device(host) for host in self.hosts)
        return tuple(device for device in found if device is not None)


def _each_device_is_one_hosts(hosts: dict[str, FencingHost]) -> None:
    """Refuse two hosts with one power device: fencing the one would kill the other."""
    seen: dict[tuple[str, str | None], str] = {}
    for name, host in hosts.items():
        other = seen.setdefault((host.url.rstrip("/").lower(), host.system_id), name)
        if other != name:
            raise ValueError(
                f"{other} and {name} have the same power device ({host.url}, system_id "
                f"{host.system_id or 'none'}): fencing one would switch the other off; correct one",
            )
