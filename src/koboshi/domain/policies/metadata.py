"""What a sweep understands of a server's metadata alone: it reads no tags, and nobody else's words."""

from collections.abc import Iterator, Mapping

from koboshi.domain.policies.readiness import readiness_of
from koboshi.domain.policies.terms import Key, Misspelt, key_of, value_of
from koboshi.domain.rules import LoneStop


def is_protected(metadata: Mapping[str, str]) -> bool:
    """Return whether a server's metadata alone leave it protected: as a sweep counts them."""
    return protection_denied(metadata) is None


def protection_denied(metadata: Mapping[str, str]) -> str | None:
    """Return the key by which a server's metadata take it out of all protection, if one does."""
    for name, text in _said_of(Key.PROTECT, metadata):
        try:
            if value_of(Key.PROTECT, text) is False:
                return name
        except Misspelt:
            continue  # told where all of its policy is looked at
    return None


def check_said(metadata: Mapping[str, str]) -> str:
    """Return where an owner wants a server to be asked, as it is written; empty where nowhere.

    Of several that differ in how the key is written the first counts that can be read, as in a policy.
    """
    texts = [text for _, text in _said_of(Key.HEALTH, metadata)]
    return next((t for t in texts if readiness_of(t) is not None), "")


def is_left_alone(metadata: Mapping[str, str]) -> bool:
    """Return whether a server's own metadata say that it is left off when its guest ended alone."""
    for _, text in _said_of(Key.LONE_STOP, metadata):
        try:
            if value_of(Key.LONE_STOP, text) is LoneStop.LEAVE:
                return True
        except Misspelt:
            return True
    return False


def _said_of(key: Key, metadata: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for name in sorted(metadata):
        try:
            if key_of(name) is key:
                yield name, metadata[name]
        except Misspelt:
            continue  # told where all of its policy is looked at
