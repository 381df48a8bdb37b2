"""How Nova's API says no."""

from typing import NoReturn

from koboshi.domain.errors import CommandRefused
from koboshi.domain.facts.cloud import Server
from koboshi.domain.names import ServerId
from koboshi.sim.database import Database


class NovaRefused(CommandRefused):
    """Nova's API said no; `status` is its HTTP status, the text its message."""


def refuse(status: int, message: str) -> NoReturn:
    """Say no, as Nova's API does."""
    raise NovaRefused(message, status=status)


def server_of(cloud: Database, server: ServerId) -> Server:
    """Return a server's row; raises NovaRefused (404) without one."""
    row = cloud.servers_by_id.get(server)
    if row is None:
        refuse(404, f"Instance {server} could not be found.")
    return row
