"""Known secrets out of log lines, should one ever get so far: defence in depth, not the defence."""

import json
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

from pydantic import SecretStr

MASK = "**********"
SHORTEST = 4
"""A shorter secret would blank out half of every line, and is none."""


class Redactor:
    """Replaces secrets in a text, also as JSON and URLs spell them."""

    def __init__(self, secrets: Iterable[SecretStr] = ()) -> None:
        spellings: set[str] = set()
        for secret in secrets:
            value = secret.get_secret_value()
            if len(value) >= SHORTEST:
                escaped = {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
                spellings |= {value, repr(value)[1:-1], quote(value, ""), quote_plus(value)}
                spellings |= escaped
        # Longest first: where one secret is a part of another, nothing of the longer one is left.
        self._spellings = sorted(spellings, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        """Return the text without the secrets."""
        for spelling in self._spellings:
            text = text.replace(spelling, MASK)
        return text
