"""Known secrets out of log lines, should one ever get so far: defence in depth, not the defence."""

import base64
import json
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

from pydantic import SecretStr

MASK = "**********"
SHORTEST = 4
"""A shorter secret would blank out half of every line, and is none."""


class Redactor:
    """Replaces secrets in a text, also as JSON, URLs and HTTP's basic authentication spell them."""

    def __init__(self, secrets: Iterable[SecretStr] = ()) -> None:
        spellings: set[str] = set()
        for secret in secrets:
            value = secret.get_secret_value()
            if len(value) >= SHORTEST:
                escaped = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
                spellings |= {value, repr(value)[1:-1], quote(value, ""), quote_plus(value)}
                spellings |= escaped | _in_base64(value.encode())
        # Longest first: where one secret is a part of another, nothing of the longer one is left.
        self._spellings = sorted(spellings, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """Return the text without the secrets."""
        for spelling in self._spellings:
            text = text.replace(spelling, MASK)
        return text

    def in_bytes(self, content: bytes) -> bytes:
        """Return the same of what was read from a wire."""
        for spelling in self._spellings:
            content = content.replace(spelling.encode(), MASK.encode())
        return content


def _in_base64(value: bytes) -> set[str]:
    """Return how base64 writes a value, whatever stands before and behind it (`user:password`)."""
    found: set[str] = set()
    for before in range(3):
        whole = base64.b64encode(bytes(before) + value + bytes(3)).decode()
        # Characters of which each bit is the value's own.
        found.add(whole[(8 * before + 5) // 6 : 8 * (before + len(value)) // 6])
    return {text for text in found if len(text) >= SHORTEST}
