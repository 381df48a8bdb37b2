"""What tenants and operators make beside servers, made for one test and taken away after it."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from lab import Lab, LabError, seed
from lab import cloud as rest


class Things:
    """Groups, flavors, images, aggregates, tags and quotas of the administrator's project."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._cloud = seed.admin(lab.layout)
        self._undo: list[tuple[str, str, object]] = []

    @property
    def project(self) -> str:
        """Return the project's id."""
        if not self._cloud.project_id:
            self._call("GET", f"{rest.NOVA}/flavors")
        return self._cloud.project_id

    def group(self, policy: str) -> str:
        """Make a server group; returns its id."""
        body = {"server_group": {"name": f"lab-{policy}", "policy": policy}}
        return self._made(f"{rest.NOVA}/os-server-groups", body, "server_group")

    def flavor(
        self, name: str, specs: Mapping[str, str], *, disk_gb: int = 1, ram_mb: int = 64
    ) -> str:
        """Make a flavor with extra specs; returns its id."""
        body = {"name": name, "ram": ram_mb, "vcpus": 1, "disk": disk_gb, "swap": 0}
        flavor = self._made(f"{rest.NOVA}/flavors", {"flavor": body}, "flavor")
        if specs:
            url = f"{rest.NOVA}/flavors/{flavor}/os-extra_specs"
            self._call("POST", url, {"extra_specs": dict(specs)})
        return flavor

    def image(self, name: str, properties: Mapping[str, str]) -> str:
        """Make a public image with properties; returns its id."""
        body = {"name": name, "disk_format": "raw", "container_format": "bare"}
        image = self._call(
            "POST", f"{rest.GLANCE}/images", {**body, "visibility": "public", **properties}
        )["id"]
        self._undo.append(("DELETE", f"{rest.GLANCE}/images/{image}", None))
        with self._lab.inside():
            self._cloud.call("PUT", f"{rest.GLANCE}/images/{image}/file", raw=bytes(65536))
        return image

    def aggregate(
        self, name: str, hosts: list[str], metadata: Mapping[str, str] | None = None
    ) -> str:
        """Make an aggregate of hosts; returns its id."""
        url = f"{rest.NOVA}/os-aggregates"
        aggregate = self._made(url, {"aggregate": {"name": name}}, "aggregate")
        for host in hosts:
            body = {"host": host}
            self._call("POST", f"{url}/{aggregate}/action", {"add_host": body})
            self._undo.append(("POST", f"{url}/{aggregate}/action", {"remove_host": body}))
        if metadata:
            body = {"set_metadata": {"metadata": dict(metadata)}}
            self._call("POST", f"{url}/{aggregate}/action", body)
        return aggregate

    def tag(self, server: str, tag: str) -> None:
        """Tag a server."""
        self._call("PUT", f"{rest.NOVA}/servers/{server}/tags/{quote(tag, safe='')}")

    def quota(self, **limits: int) -> None:
        """Limit the project in Nova."""
        url = f"{rest.NOVA}/os-quota-sets/{self.project}"
        self._call("PUT", url, {"quota_set": {**limits, "force": True}})
        self._undo.append(("PUT", url, {"quota_set": dict.fromkeys(limits, -1)}))

    def undo(self) -> None:
        """Take all of it away, the newest first."""
        while self._undo:
            try:
                self._call(*self._undo.pop())
            except LabError as error:
                if " 404 " not in str(error):
                    raise

    def _made(self, url: str, body: object, key: str) -> str:
        found = str(self._call("POST", url, body)[key]["id"])
        self._undo.append(("DELETE", f"{url}/{found}", None))
        return found

    def _call(self, method: str, url: str, body: object = None) -> Any:
        with self._lab.inside():
            return self._cloud.call(method, url, body)
