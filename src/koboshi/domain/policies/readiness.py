"""A place where a server is asked: before it counts as up for others, or all the time.

An address, never a name, and only in networks that the operator declares: what a tenant writes into
metadata must not make Koboshi, which sits where hosts are managed, knock at any door.
"""

import re
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from typing import Final

from koboshi.domain.alone.checks import Target

FORMS: Final = "tcp:ADDRESS:PORT or http:ADDRESS:PORT/PATH"
_FORM: Final = re.compile(
    r"(tcp|http):(?://)?(\[[0-9a-f:.]+\]|[0-9.]+):(\d{1,5})([/?][!-~]*)?", re.IGNORECASE
)
MAX_PORT: Final = 65_535


@dataclass(frozen=True, slots=True, kw_only=True)
class Readiness:
    """One thing to ask: a connection that is accepted, or a page that answers with success."""

    address: str
    port: int
    path: str = ""
    """Empty where a connection is enough."""

    def __str__(self) -> str:
        """Return it as it is written."""
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{'http' if self.path else 'tcp'}:{host}:{self.port}{self.path}"

    @property
    def target(self) -> Target:
        """Return where that is asked, and how."""
        kind = "http" if self.path else "tcp"
        return Target(kind=kind, address=self.address, port=self.port, path=self.path or "/")

    def is_within(self, networks: tuple[str, ...]) -> bool:
        """Return whether the address is in one of these networks."""
        address = ip_address(self.address)
        return any(address in ip_network(network) for network in networks)


def readiness_of(text: str) -> Readiness | None:
    """Return what a text asks for; None where it cannot be read."""
    found = _FORM.fullmatch(text.strip())
    if found is None:
        return None
    kind, host, port, path = found.groups()
    kind, path = kind.lower(), path or ""
    if path.startswith("?"):
        path = f"/{path}"
    if not 0 < int(port) <= MAX_PORT or (kind == "tcp" and path not in {"", "/"}):
        return None
    try:
        address = str(ip_address(host.strip("[]")))
    except ValueError:
        return None
    page = (path or "/") if kind == "http" else ""
    return Readiness(address=address, port=int(port), path=page)
