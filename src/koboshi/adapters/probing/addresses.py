"""Where hosts answer on a network: a table, an inventory file, or names that are looked up ahead.

A name server that is down is no dead host: what was found before stays, and a host whose name was
never found is simply not asked, which says nothing of it.
"""

import asyncio
import csv
import socket
from collections.abc import Collection, Mapping
from ipaddress import ip_address
from pathlib import Path

import anyio
import structlog

from koboshi.domain.errors import ConfigurationError
from koboshi.domain.names import HostName, NetworkName

log = structlog.get_logger(__name__)

LOOKUPS_AT_ONCE = 16
LOOKUP_TIMEOUT_S = 5.0
MAX_INVENTORY_BYTES = 16 * 1024 * 1024


class Addresses:
    """Implements `koboshi.ports.witness.AddressBook`.

    The table (explicit settings, then the inventory) comes first; `pattern`, a name with `{host}` in
    it, is for the hosts that are not in it.
    """

    def __init__(self, table: Mapping[HostName, str], pattern: str | None = None) -> None:
        self._table = dict(table)
        self._pattern = pattern
        self._found: dict[HostName, str] = {}
        self._failing = False

    def address_of(self, host: HostName) -> str | None:
        """Return the host's address, as far as it is known now."""
        return self._table.get(host) or self._found.get(host)

    async def refresh(self, hosts: Collection[HostName]) -> None:
        """Look up the names of the hosts that are not in the table."""
        if self._pattern is None:
            return
        wanted = iter([h for h in hosts if h not in self._table])
        missed: list[HostName] = []

        async def in_turn(pattern: str) -> None:
            for host in wanted:
                address = await _look_up(pattern.replace("{host}", host))
                if address is None:
                    missed.append(host)
                else:
                    self._found[host] = address

        async with anyio.create_task_group() as tasks:
            for _ in range(LOOKUPS_AT_ONCE):
                tasks.start_soon(in_turn, self._pattern)
        if bool(missed) != self._failing:
            self._failing = bool(missed)
            log.warning(
                "names_not_found" if missed else "names_found",
                pattern=self._pattern,
                hosts=sorted(missed)[:5],
                count=len(missed),
                meaning="addresses that were found before stay" if missed else "all are known",
            )


async def _look_up(name: str) -> str | None:
    """Return the first address of a name; None when it was not found in time."""
    loop = asyncio.get_running_loop()
    with anyio.move_on_after(LOOKUP_TIMEOUT_S):
        try:
            found = await loop.getaddrinfo(name, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            return None
        return str(found[0][4][0]) if found else None
    return None


def read_inventory(path: Path, network: NetworkName) -> dict[HostName, str]:
    """Return the addresses of one network from a CSV file with the columns `host` and the network's name.

    Raises ConfigurationError with the line that is wrong.
    """
    try:
        if path.stat().st_size > MAX_INVENTORY_BYTES:
            raise ConfigurationError(f"{path}: more than 16 MiB is no inventory of hosts")
        with path.open(encoding="utf-8", newline="") as opened:
            rows = csv.DictReader(opened, skipinitialspace=True)
            columns = [name.strip() for name in rows.fieldnames or ()]
            for column in ("host", network):
                if column not in columns:
                    raise ConfigurationError(
                        f"{path}: its first line names no column {column!r}; it has: "
                        f"{', '.join(columns) or 'nothing'}"
                    )
            return {
                HostName(row["host"].strip()): _numeric(row[network].strip(), path, number)
                for number, row in enumerate(rows, start=2)
                if row.get("host") and (row.get(network) or "").strip()
            }
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ConfigurationError(f"{path}: the inventory cannot be read: {error}") from None


def _numeric(address: str, path: Path, line: int) -> str:
    try:
        return str(ip_address(address))
    except ValueError:
        raise ConfigurationError(
            f'{path}, line {line}: "{address}" is no IP address; for names set pattern'
        ) from None
