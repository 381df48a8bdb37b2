"""A small REST client of the lab's OpenStack, for the lab's own needs (standard library only).

Call it inside the control plane's namespace (`network.inside`).
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Any

from lab.errors import LabError
from lab.layout import CONTROL_IP

KEYSTONE = f"http://{CONTROL_IP}:5000/v3"
PLACEMENT = f"http://{CONTROL_IP}:8778"
GLANCE = f"http://{CONTROL_IP}:9292/v2"
CINDER = f"http://{CONTROL_IP}:8776/v3"
NEUTRON = f"http://{CONTROL_IP}:9696/v2.0"
NOVA = f"http://{CONTROL_IP}:8774/v2.1"
_opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))


@dataclass
class Cloud:
    """A client with a password; it fetches its token at the first call."""

    username: str
    password: str
    project: str
    timeout_s: float = 60.0
    _token: str = ""
    project_id: str = field(default="", init=False)

    def get(self, url: str) -> Any:
        """Read."""
        return self.call("GET", url)

    def post(self, url: str, body: Any) -> Any:
        """Create, or act."""
        return self.call("POST", url, body)

    def put(self, url: str, body: Any = None) -> Any:
        """Set."""
        return self.call("PUT", url, body)

    def call(self, method: str, url: str, body: Any = None, *, raw: bytes | None = None) -> Any:
        """Send the request; give the answer's JSON, or None if it has none."""
        if not self._token:
            self._log_in()
        data = raw if raw is not None else (json.dumps(body).encode() if body is not None else None)
        kind = "application/octet-stream" if raw is not None else "application/json"
        headers = {"X-Auth-Token": self._token, "OpenStack-API-Version": _version(url)}
        return self._send(method, url, data, {**headers, "Content-Type": kind})[0]

    def _log_in(self) -> None:
        domain = {"id": "default"}
        user = {"name": self.username, "domain": domain, "password": self.password}
        identity = {"methods": ["password"], "password": {"user": user}}
        scope = {"project": {"name": self.project, "domain": domain}}
        body = json.dumps({"auth": {"identity": identity, "scope": scope}}).encode()
        headers = {"Content-Type": "application/json"}
        answer, sent = self._send("POST", f"{KEYSTONE}/auth/tokens", body, headers)
        self._token = sent["X-Subject-Token"]
        self.project_id = answer["token"]["project"]["id"]

    def _send(
        self, method: str, url: str, data: bytes | None, headers: dict[str, str]
    ) -> tuple[Any, Any]:
        request = urllib.request.Request(url, data=data, headers=headers, method=method)  # noqa: S310 the URLs are the constants above
        try:
            with _opener.open(request, timeout=self.timeout_s) as answer:
                text = answer.read()
                return (json.loads(text) if text else None), answer.headers
        except urllib.error.HTTPError as error:
            words = error.read().decode(errors="replace")[:500]
            raise LabError(f"{method} {url}: {error.code} {words}") from error
        except (OSError, ValueError) as error:
            raise LabError(f"{method} {url}: {error}") from error


def _version(url: str) -> str:
    if url.startswith(NOVA):
        return "compute 2.94"
    if url.startswith(CINDER):
        return "volume 3.70"
    return "placement 1.39"
