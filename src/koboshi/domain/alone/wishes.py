"""What is wanted of a server that stopped alone: by its owner and its operator, as of any policy.

A sweep knows no server's tags, flavor or image, so the few servers that stopped alone are read.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from koboshi.domain.decision import Picture
from koboshi.domain.facts.cloud import Server
from koboshi.domain.facts.sweep import StoppedSince
from koboshi.domain.names import ServerId
from koboshi.domain.policies.observed import observed_policy
from koboshi.domain.rules import LoneStop

UNREAD_FOR = timedelta(minutes=10)
"""So long after the stop it is waited for whoever may say something of the server; then it is left."""
LONE = "nothing of its host tells why it stopped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """Whether a server is to be started that stopped alone, and why."""

    starts: bool
    reason: str


def wish_of(picture: Picture, server: ServerId, stop: StoppedSince) -> Wish | None:
    """Return what is wanted of it; None while that is being read."""
    read = read_since(picture, server, stop)
    policy = observed_policy(read, picture.world, picture.rules) if read is not None else None
    if read is None or policy is None or not _is_image_told(read, picture):
        if picture.now.since(stop.at) < UNREAD_FOR:
            return None
        return Wish(starts=False, reason=f"{LONE}, and what is wanted of it could not be read")
    if policy.lone_stop is LoneStop.START and not policy.is_protected:
        return Wish(starts=False, reason=f"{LONE}, and {policy.why_protected}")
    said = f"; {policy.why_lone_stop}" if policy.why_lone_stop else ""
    return Wish(starts=policy.lone_stop is LoneStop.START, reason=LONE + said)


def read_since(picture: Picture, server: ServerId, stop: StoppedSince) -> Server | None:
    """Return the server as it was read by id after its stop."""
    read = picture.world.servers.get(server)
    return read.server if read is not None and read.at.is_after(stop.at) else None


def images_of(servers: Iterator[Server | None]) -> frozenset[str]:
    """Return the images that may say something of them."""
    return frozenset(s.image_id for s in servers if s is not None and s.image_id is not None)


def _is_image_told(server: Server, picture: Picture) -> bool:
    return server.image_id is None or server.image_id in picture.world.images
