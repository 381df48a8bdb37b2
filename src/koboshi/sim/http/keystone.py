"""Keystone v3: tokens, and a catalog that leads back to this very app.

It answers without waiting for anything, so that keystoneauth1, which is synchronous, can be served
in virtual time as well. Bodies and messages are keystone 30's, as the lab's gives them.
"""

import json
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, cast

from koboshi.sim.http.users import REGION, Token, User, id_of

TOKEN_LIFE = timedelta(hours=1)
"""Keystone's default, [token] expiration."""
DOMAIN = {"id": "default", "name": "Default"}
UNAUTHENTICATED = "The request you have made requires authentication."
SERVICES = (
    ("identity", "keystone", "/identity"),
    ("compute", "nova", "/compute/v2.1"),
    ("placement", "placement", "/placement"),
    ("image", "glance", "/image"),
    ("network", "neutron", "/network"),
    ("volumev3", "cinder", "/volume/v3/{project}"),
)
UNEXPECTED = "An unexpected error prevented the server from fulfilling your request."
TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    500: "Internal Server Error",
}

Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer, whole."""

    status: int
    document: object = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def body(self) -> bytes:
        """Return the JSON text; empty when there is no document."""
        return b"" if self.document is None else json.dumps(self.document).encode()


class Keystone:
    """The users, and the tokens they hold."""

    def __init__(self, users: Iterable[User], now: Callable[[], datetime]) -> None:
        self.users = {user.name: user for user in users}
        self.now = now
        self.tokens: dict[str, Token] = {}
        self.refuses = False
        """Whether every password is taken for wrong."""

    def token(self, identifier: str | None) -> Token | None:
        """Return a token that is still valid."""
        token = self.tokens.get(identifier or "")
        return token if token is not None and self.now() < token.expires_at else None

    def revoke_all(self) -> None:
        """Let no token that was ever given be valid any more."""
        self.tokens.clear()

    def answer(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: bytes,
        root: str,
        query: Mapping[str, str] | None = None,
    ) -> Reply:
        """Answer a request below /identity; `root` is the address of the whole app."""
        parts = [part for part in path.split("/") if part]
        if not parts:
            return Reply(status=300, document={"versions": {"values": [_version(root)]}})
        if parts == ["v3"]:
            return Reply(status=200, document={"version": _version(root)})
        if parts == ["v3", "auth", "tokens"] and method == "POST":
            return self._authenticate(body, root)
        token = self.token(headers.get("x-auth-token"))
        if token is None:
            return error(401, UNAUTHENTICATED)
        match parts[1:]:
            case ["auth", "tokens"]:
                return self._tokens(method, headers.get("x-subject-token"), root)
            case ["auth", "catalog"]:
                return Reply(status=200, document={"catalog": catalog(root, token.user)})
            case ["users" | "projects" as kind, *rest]:
                return self._listed(kind, rest, root, (query or {}).get("name"))
            case _:
                return error(404, f"Could not find resource: /{'/'.join(parts)}.")

    def _authenticate(self, body: bytes, root: str) -> Reply:
        try:
            identity: Document = json.loads(body)["auth"]["identity"]
            found = self._user_of(identity)
            method = str(identity["methods"][0])
        except (ValueError, KeyError, TypeError, IndexError):
            return error(400, "Expecting to find auth in request body.")
        if found is None or self.refuses:
            return error(401, UNAUTHENTICATED)
        now = self.now()
        token = Token(
            id=uuid.uuid4().hex,
            user=found,
            method=method,
            issued_at=now,
            expires_at=now + TOKEN_LIFE,
        )
        self.tokens[token.id] = token
        return _shown(token, root, status=201)

    def _user_of(self, identity: Document) -> User | None:
        if "application_credential" in identity:
            told = cast("Document", identity["application_credential"])
            users = {id_of("application_credential", u.name): u for u in self.users.values()}
            user, secret = users.get(str(told["id"])), told["secret"]
        elif "token" in identity:
            token = self.token(str(identity["token"]["id"]))
            return token.user if token else None
        else:
            told = cast("Document", identity["password"]["user"])
            ids = {u.id: u for u in self.users.values()}
            user = self.users.get(str(told.get("name"))) or ids.get(str(told.get("id")))
            secret = told["password"]
        return user if user is not None and user.password == secret else None

    def _tokens(self, method: str, subject: str | None, root: str) -> Reply:
        token = self.token(subject)
        if token is None:
            return error(404, f"Could not find token: {subject}.")
        if method == "DELETE":
            del self.tokens[token.id]
            return Reply(status=204)
        shown = _shown(token, root, status=200)
        return Reply(status=200, headers=shown.headers) if method == "HEAD" else shown

    def _listed(self, kind: str, rest: list[str], root: str, name: str | None) -> Reply:
        rows = {
            row["id"]: row
            for user in self.users.values()
            for row in (_user_row(user) if kind == "users" else _project_row(user),)
        }
        if rest:
            row = rows.get(rest[0])
            singular = kind.removesuffix("s")
            if row is None:
                return error(404, f"Could not find {singular}: {rest[0]}.")
            return Reply(status=200, document={singular: row})
        links = {"next": None, "previous": None, "self": f"{root}/identity/v3/{kind}"}
        shown = [row for row in rows.values() if name in {None, row["name"]}]
        return Reply(status=200, document={kind: shown, "links": links})


def error(status: int, message: str) -> Reply:
    """Return an error as Keystone writes it."""
    document = {"error": {"code": status, "message": message, "title": TITLES[status]}}
    return Reply(status=status, document=document)


def catalog(root: str, user: User) -> list[Document]:
    """Return where every service is, as this user's token tells it."""
    return [
        {
            "id": id_of("service", name),
            "type": kind,
            "name": name,
            "endpoints": [
                {
                    "id": id_of("endpoint", f"{name}:{interface}"),
                    "interface": interface,
                    "region": REGION,
                    "region_id": REGION,
                    "url": root + path.format(project=user.project_id),
                }
                for interface in ("public", "internal", "admin")
            ],
        }
        for kind, name, path in SERVICES
    ]


def _version(root: str) -> Document:
    return {
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{"rel": "self", "href": f"{root}/identity/v3/"}],
        "media-types": [
            {
                "base": "application/json",
                "type": "application/vnd.openstack.identity-v3+json",
            }
        ],
    }


def _shown(token: Token, root: str, *, status: int) -> Reply:
    user = token.user
    document = {
        "token": {
            "methods": [token.method],
            "user": {
                "id": user.id,
                "name": user.name,
                "domain": DOMAIN,
                "password_expires_at": None,
            },
            "audit_ids": [token.id[:22]],
            "expires_at": _time(token.expires_at),
            "issued_at": _time(token.issued_at),
            "project": {"id": user.project_id, "name": user.project, "domain": DOMAIN},
            "is_domain": False,
            "roles": [{"id": id_of("role", role), "name": role} for role in user.roles],
            "catalog": catalog(root, user),
        }
    }
    return Reply(status=status, document=document, headers={"X-Subject-Token": token.id})


def _user_row(user: User) -> Document:
    return {
        "id": user.id,
        "name": user.name,
        "domain_id": DOMAIN["id"],
        "default_project_id": user.project_id,
        "enabled": True,
        "password_expires_at": None,
        "options": {},
        "links": {},
    }


def _project_row(user: User) -> Document:
    return {
        "id": user.project_id,
        "name": user.project,
        "domain_id": DOMAIN["id"],
        "parent_id": DOMAIN["id"],
        "description": "",
        "enabled": True,
        "is_domain": False,
        "options": {},
        "tags": [],
        "links": {},
    }


def _time(value: datetime) -> str:
    return value.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
