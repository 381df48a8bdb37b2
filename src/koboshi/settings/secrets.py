"""Secrets come inline, from an environment variable, or from a file: exactly one of the three."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from pydantic import SecretStr

SECRET_NAMES = ("password", "secret")
MAX_BYTES = 64 * 1024

Trouble = tuple[tuple[str, ...], str, str]
"""The key, what is wrong with it, and the cure."""


def secret_tables(data: Mapping[str, Any]) -> Iterator[tuple[tuple[str, ...], dict[str, Any]]]:
    """Yield each table that may hold a secret, with its path."""
    fencing = _table(data.get("fencing"))
    if "defaults" in fencing:
        yield ("fencing", "defaults"), _table(fencing["defaults"])
    for host, entry in _table(fencing.get("hosts")).items():
        yield ("fencing", "hosts", host), _table(entry)
    yield ("webhook",), _table(data.get("webhook"))


def named_variables(data: Mapping[str, Any]) -> frozenset[str]:
    """Return the environment variables in which secrets are said to be."""
    return frozenset(
        str(table[f"{name}_env"])
        for _, table in secret_tables(data)
        for name in SECRET_NAMES
        if f"{name}_env" in table
    )


def resolve_secrets(
    data: dict[str, Any],
    environ: Mapping[str, str],
    base: Path,
) -> list[Trouble]:
    """Put each secret that is named by a variable or a file into its table.

    Relative files are looked for beside the configuration (`base`). Returns what is wrong.
    """
    troubles: list[Trouble] = []
    for path, table in secret_tables(data):
        for name in SECRET_NAMES:
            forms = [form for form in (name, f"{name}_env", f"{name}_file") if form in table]
            if len(forms) > 1:
                what = f"{' and '.join(forms)} are both set in [{'.'.join(path)}]"
                troubles.append(((*path, forms[1]), what, "keep one of them"))
            elif forms and forms[0] != name:
                trouble = _resolve(table, name, forms[0], environ, base)
                if trouble is not None:
                    troubles.append(((*path, forms[0]), *trouble))
                    table[name] = _PLACEHOLDER[name]
    return troubles


_PLACEHOLDER = {"password": SecretStr("?"), "secret": SecretStr("whsec_" + "A" * 32)}
"""Stands for a secret that could not be read, so that its absence is not reported a second time."""


def _resolve(
    table: dict[str, Any],
    name: str,
    form: str,
    environ: Mapping[str, str],
    base: Path,
) -> tuple[str, str] | None:
    source = table[form]
    if not isinstance(source, str):
        return None  # the schema will say so
    if form.endswith("_env"):
        value = environ.get(source, "")
        if not value:
            what = f"{form} names the environment variable {source}, which is not set"
            return what, "set it where the daemon starts (systemd: EnvironmentFile=)"
    else:
        file = base / Path(source).expanduser()
        try:
            with file.open("rb") as opened:
                value = opened.read(MAX_BYTES).decode().rstrip("\r\n")
        except OSError as error:
            what = f"{form} names {file}, which cannot be read: {error.strerror}"
            return what, "create it with mode 0600, owned by the daemon's user"
        except UnicodeDecodeError:
            return f"{form} names {file}, which is not UTF-8", "put the secret there as one line"
        if not value:
            return f"{form} names {file}, which is empty", "put the secret there as one line"
    table[name] = SecretStr(value)
    return None


def _table(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
