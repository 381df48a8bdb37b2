"""The log: one form for all, bounded lines, no secrets."""

import io
import json
import logging
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
import structlog
from pydantic import SecretStr

from koboshi.adapters.telemetry.logs import MAX_TEXT, configure_logs
from koboshi.adapters.telemetry.redact import MASK


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    """Leave the process's log as it was."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


class Terminal(io.StringIO):
    """A stream that calls itself a terminal."""

    def isatty(self) -> bool:
        """Say yes."""
        return True


def log(**settings: Any) -> io.StringIO:
    """Configure the log, and return where it goes."""
    out: io.StringIO = settings.pop("stream", None) or io.StringIO()
    configure_logs(stream=out, **settings)
    return out


def test_our_lines_and_the_libraries_look_alike() -> None:
    out = log()
    structlog.get_logger("koboshi.engine").info("a host is silent", host="host-1")
    logging.getLogger("some.library").warning("%s of %s", 1, 2, extra={"why": "because"})
    ours, theirs = map(json.loads, out.getvalue().splitlines())
    assert (ours["event"], ours["host"], ours["level"], ours["logger"]) == (
        "a host is silent",
        "host-1",
        "info",
        "koboshi.engine",
    )
    assert (theirs["event"], theirs["level"], theirs["logger"], theirs["why"]) == (
        "1 of 2",
        "warning",
        "some.library",
        "because",
    )
    assert datetime.fromisoformat(ours["timestamp"]).utcoffset() is not None


def test_the_level_holds_for_both() -> None:
    out = log(level="warning")
    structlog.get_logger("koboshi").info("too small")
    logging.getLogger("some.library").info("too small")
    structlog.get_logger("koboshi").warning("large enough")
    assert [json.loads(line)["event"] for line in out.getvalue().splitlines()] == ["large enough"]


def test_request_lines_of_libraries_are_not_logged() -> None:
    out = log(level="debug")
    for name in ("httpx2", "httpcore2.http11", "keystoneauth.session", "urllib3.connectionpool"):
        logging.getLogger(name).info("HTTP Request: POST https://hooks.example.org/TOKEN")
    assert out.getvalue() == ""


def test_text_on_a_terminal_json_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    out = log(stream=Terminal())
    structlog.get_logger("koboshi").warning("a host is silent", host="host-1")
    assert "\x1b[" in out.getvalue()
    assert "a host is silent" in out.getvalue()
    monkeypatch.setenv("NO_COLOR", "1")
    out = log(stream=Terminal())
    structlog.get_logger("koboshi").warning("a host is silent", host="host-1")
    assert "\x1b[" not in out.getvalue()
    assert "host=host-1" in out.getvalue()
    out = log(stream=Terminal(), as_json=True)
    structlog.get_logger("koboshi").warning("a host is silent")
    assert json.loads(out.getvalue())["event"] == "a host is silent"


SECRETS = ["hunter2!", 'quo"te\\back', "umläut pass", "a/b+c=d&e"]


@pytest.mark.parametrize("as_json", [True, False])
@pytest.mark.parametrize("secret", SECRETS)
def test_secrets_are_masked_wherever_they_are(secret: str, *, as_json: bool) -> None:
    out = log(as_json=as_json, secrets=[SecretStr(one) for one in SECRETS])
    logger = structlog.get_logger("koboshi")
    logger.info("password %s", secret, nested={"deep": [secret]}, shown=repr(secret))
    try:
        int(f"{secret} is no number")
    except ValueError:
        logger.exception("it failed")
        logging.getLogger("library").exception("it failed too: %s", secret)
    text = out.getvalue()
    assert "it failed too" in text
    assert "Traceback" in text
    assert MASK in text
    for spelling in (secret, json.dumps(secret)[1:-1], repr(secret)[1:-1]):
        assert spelling not in text


def test_what_is_no_secret_stays() -> None:
    out = log(secrets=[SecretStr(""), SecretStr("a"), SecretStr("abc")])
    structlog.get_logger("koboshi").info("abc and a")
    assert json.loads(out.getvalue())["event"] == "abc and a"


def test_a_secret_within_a_secret_leaves_nothing() -> None:
    out = log(secrets=[SecretStr("pass"), SecretStr("password-1")])
    structlog.get_logger("koboshi").info("it is password-1")
    assert json.loads(out.getvalue())["event"] == f"it is {MASK}"


def test_lines_are_bounded() -> None:
    out = log()
    structlog.get_logger("koboshi").info("an error page", body="x" * 1_000_000)
    line = out.getvalue()
    assert len(line) < MAX_TEXT + 500
    assert "(1000000 characters)" in json.loads(line)["body"]


def test_a_traceback_shows_no_local_variables() -> None:
    for as_json in (True, False):
        out = log(as_json=as_json)
        local = ", ".join(str(n) for n in range(100, 110))
        try:
            int("odd")
        except ValueError:
            structlog.get_logger("koboshi").exception("it failed")
        assert local not in out.getvalue()
        assert "ValueError: invalid literal" in out.getvalue()
