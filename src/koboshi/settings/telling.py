"""Settings of how Koboshi speaks: notices, health checks and metrics, the log."""

from base64 import b64decode
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from koboshi.settings.base import Duration, Section, http_url, seconds

MAX_PORT = 65535

MIN_KEY = 24
"""Bytes: what the Standard Webhooks specification asks for at least."""
LEAST_TOKEN = 12
"""Characters of an address's part: `hooks` and `notify` are words, and would blank out half of a log."""


class WebhookSettings(Section):
    """Where notices go: a signed POST (Standard Webhooks) with a CloudEvents body."""

    url: str | None = Field(
        default=None,
        description="Where notices are sent; without it they go to the log and the journal only.",
    )
    secret: SecretStr | None = Field(
        default=None,
        validate_default=True,
        description="The key that signs them (`whsec_` and base64), in this file, which must then "
        "have mode 0600.",
    )
    secret_env: str | None = Field(
        default=None,
        description="... or the name of the environment variable that holds it.",
    )
    secret_file: Path | None = Field(
        default=None,
        description="... or a file that holds it (one line).",
    )
    timeout: Duration = Field(
        default=seconds(10),
        ge=seconds(1),
        le=seconds(60),
        description="How long one delivery may take: a notice never delays a recovery, but its "
        "queue should not fill up behind a receiver that hangs.",
    )

    @property
    def place(self) -> str | None:
        """Return which machine takes them; what stands behind its name may be a token of its own."""
        if self.url is None:
            return None
        parts = urlsplit(self.url)
        named = parts.netloc.rpartition("@")[2]
        return f"{parts.scheme}://{named}" + ("/…" if parts.path.strip("/") or parts.query else "")

    def secrets(self) -> tuple[SecretStr, ...]:
        """Return everything that must not be shown."""
        parts = urlsplit(self.url or "")
        told = (parts.username, parts.password, *parts.path.split("/"), parts.query)
        tokens = (SecretStr(t) for t in told if t and len(t) >= LEAST_TOKEN)
        return (*tokens, *((self.secret,) if self.secret else ()))

    @field_validator("url")
    @classmethod
    def _is_http(cls, value: str | None) -> str | None:
        return None if value is None else http_url(value)

    @field_validator("secret")
    @classmethod
    def _signs(cls, value: SecretStr | None, info: ValidationInfo) -> SecretStr | None:
        if value is None:
            if info.data.get("url") is not None:
                raise ValueError(
                    "url needs a key that signs the notices: set secret_file, secret_env or "
                    "secret (make one with: echo whsec_$(openssl rand -base64 32))",
                )
            return None
        try:
            key = b64decode(value.get_secret_value().removeprefix("whsec_"), validate=True)
        except ValueError:
            key = b""
        if len(key) < MIN_KEY:
            raise ValueError(
                f"is no signing key: whsec_ and at least {MIN_KEY} bytes in base64 "
                "(make one with: echo whsec_$(openssl rand -base64 32))",
            )
        return value


class HttpSettings(Section):
    """A TCP port for health checks and metrics, besides the Unix socket."""

    listen: str | None = Field(
        default=None,
        description="ADDRESS:PORT on the loopback that serves /livez, /readyz and /metrics; none "
        "by default, and no other address, because nobody is authenticated there.",
    )

    @field_validator("listen")
    @classmethod
    def _is_loopback(cls, value: str | None) -> str | None:
        if value is not None:
            split_listen(value)
        return value

    @property
    def address(self) -> tuple[str, int] | None:
        """Return the address and port to listen on, if any."""
        return None if self.listen is None else split_listen(self.listen)


class LogLevel(StrEnum):
    """The least important line that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """How log lines look."""

    AUTO = "auto"
    """`console` on a terminal, `json` elsewhere."""
    JSON = "json"
    CONSOLE = "console"


class LogSettings(Section):
    """What the daemon writes to standard error."""

    level: LogLevel = Field(
        default=LogLevel.INFO,
        description="The least important line that is logged: every decision is `info`.",
    )
    format: LogFormat = Field(
        default=LogFormat.AUTO,
        description="`json` for machines, `console` for eyes; `auto` looks whether standard error "
        "is a terminal.",
    )


def split_listen(value: str) -> tuple[str, int]:
    """Return the loopback address and port that ADDRESS:PORT means; raises ValueError."""
    host, _, port = value.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not host or not port.isascii() or not port.isdigit() or not 1 <= int(port) <= MAX_PORT:
        raise ValueError(f'"{value}" is no ADDRESS:PORT; write 127.0.0.1:9777')
    address = "127.0.0.1" if host == "localhost" else host
    try:
        loopback = ip_address(address).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ValueError(
            f'"{host}" is not the loopback, and nobody is authenticated there; write '
            "127.0.0.1:PORT and put a reverse proxy with authentication before it",
        )
    return address, int(port)
