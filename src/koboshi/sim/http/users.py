"""Who may speak to the simulated cloud: users, projects, and the tokens that Keystone gave them."""

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache

NAMES = uuid.UUID("6b6f626f-7368-4000-8000-000000000000")
REGION = "RegionOne"
KOBOSHI_NAME = "koboshi"


@cache
def id_of(kind: str, name: str) -> str:
    """Return the identifier, as Keystone writes them, of something that has only a name here."""
    return uuid.uuid5(NAMES, f"{kind}:{name}").hex


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """A user in one project of the domain `Default`."""

    name: str
    password: str = field(repr=False)
    project: str = "admin"
    roles: tuple[str, ...] = ("admin", "member", "reader")

    @property
    def id(self) -> str:
        """Return the user's identifier."""
        return id_of("user", self.name)

    @property
    def project_id(self) -> str:
        """Return the identifier of the user's project."""
        return id_of("project", self.project)

    @property
    def is_admin(self) -> bool:
        """Return whether nova's default policy takes this user for an administrator."""
        return "admin" in self.roles

    @property
    def is_koboshi(self) -> bool:
        """Return whether Koboshi speaks to the cloud as this user."""
        return self.name == KOBOSHI_NAME


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token of one user."""

    id: str = field(repr=False)
    user: User
    method: str
    issued_at: datetime
    expires_at: datetime


PASSWORD = "up-again"  # noqa: S105 the simulated cloud listens on the loopback, and keeps nothing
ADMIN = User(name="admin", password=PASSWORD)
KOBOSHI = User(name=KOBOSHI_NAME, password=PASSWORD, project="ops")
READER = User(name="reader", password=PASSWORD, project="demo", roles=("reader",))
USERS = (ADMIN, KOBOSHI, READER)
BMC_USER = "admin"
