"""Microversions as nova and placement negotiate them (microversion-parse; nova api/openstack/wsgi.py)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request

from koboshi.sim.http.call import Version
from koboshi.sim.http.errors import Refused

HEADER = "OpenStack-API-Version"
LATEST = "latest"


def text_of(version: Version) -> str:
    """Return a version as headers write it."""
    return f"{version[0]}.{version[1]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """The microversions of one service."""

    service: str
    minimum: Version
    maximum: Version
    legacy_header: str | None = None
    vary: str = HEADER

    def negotiate(self, request: Request) -> Version:
        """Return the version that was asked for. Raises Refused (400, 406)."""
        asked = self._asked(request.headers)
        if asked is None:
            return self.minimum
        if asked == LATEST:
            return self.maximum
        if not re.fullmatch(r"[1-9]\d*\.(0|[1-9]\d*)", asked):
            raise Refused(
                400,
                f"API Version String {asked} is of invalid format. Must be of format "
                "MajorNum.MinorNum.",
            )
        major, _, minor = asked.partition(".")
        version = (int(major), int(minor))
        if not self.minimum <= version <= self.maximum:
            raise Refused(
                406,
                f"Version {asked} is not supported by the API. Minimum is "
                f"{text_of(self.minimum)} and maximum is {text_of(self.maximum)}.",
                headers=self.headers(version),
            )
        return version

    def headers(self, version: Version) -> Mapping[str, str]:
        """Return what an answer says of its version."""
        told = {HEADER: f"{self.service} {text_of(version)}", "Vary": self.vary}
        if self.legacy_header is not None:
            told[self.legacy_header] = text_of(version)
            told["Vary"] += f", {self.legacy_header}"
        return told

    def _asked(self, headers: Mapping[str, str]) -> str | None:
        for part in headers.get(HEADER.lower(), "").split(","):
            words = part.split()
            if len(words) == 2 and words[0] == self.service:  # noqa: PLR2004 service and version
                return words[1]
        return headers.get(self.legacy_header.lower()) if self.legacy_header else None


COMPUTE = Range(
    service="compute",
    minimum=(2, 1),
    maximum=(2, 104),
    legacy_header="X-OpenStack-Nova-API-Version",
)
"""nova 34's (NOVA-FACTS has the maxima of older ones)."""
PLACEMENT = Range(service="placement", minimum=(1, 0), maximum=(1, 39), vary=HEADER.lower())
VOLUME = Range(service="volume", minimum=(3, 0), maximum=(3, 71))
