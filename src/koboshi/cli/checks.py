"""What `koboshi check` says: one row for each thing that was tried, with its cure."""

import os
import socket
from enum import StrEnum
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from koboshi.cli.exit_codes import ExitCode
from koboshi.domain.rules import Mode, OnLocalDisk, ProofPolicy
from koboshi.settings import Settings

MIN_FREE_BYTES = 100 * 1024 * 1024
"""Years of journal, or one bad day of a large cloud."""


class Result(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARN = "warn"
    """It works, or may; somebody should look at it."""
    FAIL = "fail"
    """Koboshi cannot do its work so."""


class Check(BaseModel):
    """One thing that was tried."""

    model_config = ConfigDict(frozen=True)

    check: str
    subject: str
    result: Result
    detail: str
    cure: str = ""


def exit_code(checks: list[Check]) -> ExitCode:
    """Return the exit code that the worst of `checks` means."""
    results = {check.result for check in checks}
    if Result.FAIL in results:
        return ExitCode.ERROR
    return ExitCode.PARTLY if Result.WARN in results else ExitCode.DONE


def check_settings(settings: Settings) -> list[Check]:
    """Return what can be said of the configuration by itself."""
    return [
        _source(settings),
        _mode(settings),
        *_windows(settings),
        _local_disks(settings),
        *_proof(settings),
        _notices(settings),
        *_kdump(settings),
        _state_dir(settings.state_dir),
    ]


def _source(settings: Settings) -> Check:
    if settings.source is None:
        return Check(
            check="configuration",
            subject="",
            result=Result.WARN,
            detail="no file: the defaults, and what the environment says",
            cure="write one with: koboshi init --output /etc/koboshi/koboshi.toml",
        )
    return Check(
        check="configuration",
        subject=str(settings.source),
        result=Result.OK,
        detail="every key is known and within its bounds",
    )


def _mode(settings: Settings) -> Check:
    acting = settings.mode is Mode.ACT
    return Check(
        check="mode",
        subject=settings.mode,
        result=Result.OK,
        detail="it will fence, force down and evacuate"
        if acting
        else "it will watch, judge and journal, and change nothing",
        cure="" if acting else 'when you trust it: mode = "act"',
    )


def _windows(settings: Settings) -> list[Check]:
    return [
        Check(
            check="safety window",
            subject=window.key,
            result=Result.WARN,
            detail=str(window).partition(" = ")[2],
            cure=f"remove {window.key}, unless this is a test",
        )
        for window in settings.shortened_windows()
    ]


def _local_disks(settings: Settings) -> Check:
    rebuilds = settings.policy.on_local_disk is OnLocalDisk.REBUILD
    return Check(
        check="policy",
        subject="on_local_disk",
        result=Result.WARN if rebuilds else Result.OK,
        detail="rebuild: data on a dead host's own disk is given up at once"
        if rebuilds
        else "hold: servers with data on a dead host's own disk wait for it",
        cure='on_local_disk = "hold", unless those disks hold nothing of worth' if rebuilds else "",
    )


def _proof(settings: Settings) -> list[Check]:
    """Say what may go wrong where a death need not be proven by power."""
    details = {
        ProofPolicy.WORD: "word: a host without a power device waits for a person, and its servers with it",
        ProofPolicy.SILENCE: "silence: a host without a power device is assumed dead after 60 s. If it runs "
        "on, cut off from the management network and the message bus at once, its servers run twice and "
        "their data is destroyed",
    }
    detail = details.get(settings.policy.proof)
    if detail is None:
        return []
    cure = 'give every host a power device and remove proof from [policy]; safer than silence is "word"'
    return [Check(check="policy", subject="proof", result=Result.WARN, detail=detail, cure=cure)]


def _kdump(settings: Settings) -> list[Check]:
    """Say whether messages of crashed kernels can arrive, and what they count for."""
    said = settings.kdump
    if said.listen is None:
        return []
    subject = f"{said.listen} port {said.port}"

    def row(result: Result, detail: str, cure: str = "") -> Check:
        return Check(check="kdump", subject=subject, result=result, detail=detail, cure=cure)

    if (why := _why_not_bound(said.listen, said.port)) is not None:
        cure = "the daemon that runs listens there, or mend listen and port in [kdump]"
        return [row(Result.WARN, f"cannot be listened on now: {why}", cure)]
    if said.secret is None and not said.isolated:
        cure = "to have a crash proven: secret_file in [kdump], and a key on each host (docs/witnesses.md)"
        return [
            row(Result.WARN, "messages shorten the wait, and prove nothing: none is signed", cure)
        ]
    signed = ["signed messages"] if said.secret is not None else []
    apart = [f"those from {', '.join(said.isolated)}"] if said.isolated else []
    return [row(Result.OK, f"{' and '.join(signed + apart)} prove that a host's kernel died")]


def _why_not_bound(address: str, port: int) -> str | None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as trial:
            trial.bind((address, port))
    except OSError as error:
        return error.strerror or str(error)
    return None


def _notices(settings: Settings) -> Check:
    url = settings.webhook.place
    return Check(
        check="notices",
        subject=url or "",
        result=Result.OK,
        detail="to the log, the journal and the webhook" if url else "to the log and the journal",
        cure="" if url else "to be told elsewhere: [webhook] url",
    )


def _state_dir(path: Path) -> Check:
    """Say whether the journal can be written there; nothing is created."""

    def row(result: Result, detail: str, cure: str = "") -> Check:
        return Check(check="state_dir", subject=str(path), result=result, detail=detail, cure=cure)

    make = f"install -d -m 0700 -o KOBOSHI_USER {path}"
    if not path.exists():
        parent = next(p for p in path.parents if p.exists())
        if os.access(parent, os.W_OK | os.X_OK):
            return row(Result.OK, "is not there yet; the daemon will create it")
        return row(Result.FAIL, f"is not there, and {parent} may not be written", f"type: {make}")
    if not path.is_dir():
        return row(Result.FAIL, "is no folder", "name another in state_dir")
    if not os.access(path, os.R_OK | os.W_OK | os.X_OK):
        return row(Result.FAIL, "may not be written", f"type: {make}; or run this as its owner")
    usage = os.statvfs(path)
    free = usage.f_bavail * usage.f_frsize
    if free < MIN_FREE_BYTES:
        detail = f"only {free // 1024 // 1024} MiB are free: a full disk stops all acting"
        return row(Result.WARN, detail, "make room, or name another disk in state_dir")
    return row(Result.OK, "may be written")
