"""Secrets come inline, from an environment variable, from a file, or from systemd: exactly one of these."""

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from pydantic import SecretStr

SECRET_NAMES = ("password", "secret")
SECRET_PARAMETERS = ("passw", "community", "secret", "token", "hexadecimal_kg")
"""Words in the names of a fence agent's parameters that hold a secret."""
CREDENTIALS_VARIABLE = "CREDENTIALS_DIRECTORY"
"""Where systemd puts what a unit's LoadCredential names."""
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
    for host, named in _table(fencing.get("outlets")).items():
        for name, entry in _table(named).items():
            yield ("fencing", "outlets", host, name), _table(entry)
    for section in ("webhook", "prometheus", "kdump"):
        yield (section,), _table(data.get(section))


def secret_parameters(table: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the keys of a fence agent's parameters that hold secrets."""
    return tuple(
        f"parameters.{name}"
        for name in _table(table.get("parameters"))
        if any(word in name.lower() for word in SECRET_PARAMETERS)
    )


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
            written = (name, f"{name}_env", f"{name}_file", f"{name}_credential")
            forms = [form for form in written if form in table]
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
        table[name] = SecretStr(value)
        return None
    if form.endswith("_credential"):
        folder = environ.get(CREDENTIALS_VARIABLE)
        if not folder:
            what = f"{form} names {source}, but {CREDENTIALS_VARIABLE} is not set"
            return what, f"add to the unit: LoadCredential={source}:/PATH"
        file = Path(folder) / source
    else:
        file = base / Path(source).expanduser()
    found = _read(file, form, is_guarded=form.endswith("_credential"))
    if isinstance(found, tuple):
        return found
    table[name] = SecretStr(found)
    return None


def _read(file: Path, form: str, *, is_guarded: bool) -> str | tuple[str, str]:
    """Return the secret in `file`, or what is wrong with it; systemd guards its own files."""
    try:
        with file.open("rb") as opened:
            seen = os.fstat(opened.fileno())
            value = opened.read(MAX_BYTES).decode().rstrip("\r\n")
    except OSError as error:
        what = f"{form} names {file}, which cannot be read: {error.strerror}"
        return what, "create it with mode 0600, owned by the daemon's user"
    except UnicodeDecodeError:
        return f"{form} names {file}, which is not UTF-8", "put the secret there as one line"
    mode = stat.S_IMODE(seen.st_mode)
    allowed = 0o640 if seen.st_uid == 0 else 0o600
    if not is_guarded and stat.S_ISREG(seen.st_mode) and mode & 0o077 & ~allowed:
        what = f"{form} names {file}, which others may read (mode {mode:04o})"
        return what, f"type: chmod 0600 {file}"
    if not value:
        return f"{form} names {file}, which is empty", "put the secret there as one line"
    return value


def _table(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}
