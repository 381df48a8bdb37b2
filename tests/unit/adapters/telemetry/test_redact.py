"""A secret is found in every spelling in which an echo may bring it back."""

import base64

import pytest
from pydantic import SecretStr

from koboshi.adapters.telemetry.redact import MASK, Redactor

SECRET = 'pa"ss wörd&1'


@pytest.mark.parametrize("user", ["", "a", "ab", "abc", "admin"])
@pytest.mark.parametrize("secret", [SECRET, "calvin", "0penStack!"])
def test_basic_authentication_is_known_whatever_the_user_is_called(user: str, secret: str) -> None:
    said = base64.b64encode(f"{user}:{secret}".encode()).decode()
    shown = Redactor([SecretStr(secret)])(f"Authorization: Basic {said}")
    assert said not in shown
    assert MASK in shown
    left = shown.removeprefix("Authorization: Basic ").partition(MASK)[0]
    read_back = base64.b64decode(left[: len(left) // 4 * 4]).decode(errors="replace")
    assert not read_back.partition(":")[2]  # not even its first letter


def test_what_came_by_a_wire_is_masked_before_it_is_read() -> None:
    body = f'{{"message": "no {SECRET} here"}}'.encode()
    assert SECRET.encode() not in Redactor([SecretStr(SECRET)]).in_bytes(body)
    assert Redactor().in_bytes(body) == body
