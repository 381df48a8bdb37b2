"""One request as a service's endpoint sees it: who asks, in which version, for what."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from starlette.requests import Request

from koboshi.sim.http.errors import Refused
from koboshi.sim.http.users import Token

Version = tuple[int, int]
Document = dict[str, Any]

TRUE = frozenset({"1", "t", "true", "on", "y", "yes"})
"""What oslo.utils' bool_from_string takes for true."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """An authenticated request in an agreed microversion."""

    request: Request
    token: Token
    version: Version = (0, 0)
    base_url: str
    """Where this service is, as the asker reaches it."""

    @property
    def query(self) -> Mapping[str, str]:
        """Return the query's parameters; of a repeated one, the last."""
        return self.request.query_params

    def part(self, name: str) -> str:
        """Return a part of the path."""
        return str(self.request.path_params[name])

    def flag(self, name: str) -> bool:
        """Return whether a query parameter says yes."""
        return self.query.get(name, "").strip().lower() in TRUE

    def number(self, name: str, otherwise: int) -> int:
        """Return a query parameter that counts. Raises Refused."""
        text = self.query.get(name)
        if text is None:
            return otherwise
        if not text.isdigit():
            raise Refused(
                400,
                f"Invalid input for query parameters {name}. Value: {text}. "
                f"'{text}' does not match '^[0-9]*$'",
            )
        return int(text)

    async def document(self) -> Document:
        """Return the request's JSON object. Raises Refused."""
        try:
            found: Any = json.loads(await self.request.body())
        except ValueError:
            raise Refused(400, "Malformed request body") from None
        if not isinstance(found, dict):
            raise Refused(400, "Malformed request body")
        return cast("Document", found)

    def demand_admin(self, rule: str) -> None:
        """Refuse who has not the role that nova's default policy asks for. Raises Refused."""
        if not self.token.user.is_admin:
            raise Refused(403, f"Policy doesn't allow {rule} to be performed.")
