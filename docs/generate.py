"""Writes docs/reference/ from the code, so that the reference cannot say anything else than it.

python docs/generate.py          write the pages
python docs/generate.py --check  exit 1 if one of them is out of date

"""

import dataclasses
import sys
import typing
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fastapi.routing import APIRoute

from koboshi.adapters.telemetry.metrics import Metrics
from koboshi.api.app import create_app
from koboshi.cli.app import build_app
from koboshi.cli.exit_codes import EXIT_CODE_MEANING
from koboshi.cli.first_page import first_page
from koboshi.domain.alone.stops import STOP_BEGINNINGS, STOP_MEANING, STOP_STEPS
from koboshi.domain.incidents.incident import INCIDENT_MEANING, INCIDENT_STEPS, IncidentState
from koboshi.domain.judging.verdict import VERDICT_MEANING
from koboshi.domain.memory import events
from koboshi.domain.memory.commands import Command
from koboshi.domain.memory.lifecycle import Table
from koboshi.domain.recoveries.recovery import RECOVERY_MEANING, RECOVERY_STEPS, RecoveryState
from koboshi.domain.restraint.brake import bound
from koboshi.domain.rules import Mode, Rules
from koboshi.rehearsal import brake_table
from koboshi.settings.keys import tables

FOLDER = Path(__file__).resolve().parent / "reference"
NOTE = "<!-- Written by docs/generate.py from the code: change the code, then run it. -->\n"
OFTEN = 0.6
"""A step that this share of all states has is told in a sentence, and not drawn from each."""

BEGINNINGS = (RecoveryState.QUEUED, RecoveryState.HELD, RecoveryState.IGNORED)


def pages() -> dict[Path, str]:
    """Return every page of the reference with its text."""
    return {
        FOLDER / f"{name}.md": f"{NOTE}\n{text.strip()}\n"
        for name, text in (
            ("configuration", configuration()),
            ("cli", command_line()),
            ("exit-codes", exit_codes()),
            ("events", event_pages()),
            ("metrics", metrics()),
            ("api", api()),
        )
    } | {FOLDER.parent / "brake.md": f"{NOTE}\n{brake().strip()}\n"}


def configuration() -> str:
    """Return the page of every setting."""
    parts = [
        "# Configuration\n",
        (
            "One TOML file: the one that `--config` names, or `KOBOSHI_CONFIG`, or "
            "`/etc/koboshi/koboshi.toml`; without any, the defaults. Each key can be overridden by an "
            "environment variable: `KOBOSHI_`, the table, two underscores, the key "
            "(`KOBOSHI_WINDOWS__LATCH=20m`). Unknown keys and variables are refused, with the nearest "
            "one that is known. Durations are `10s`, `15m`, `1h30m`, or a number of seconds. A file "
            "that holds a secret must have mode 0600. `koboshi init` writes a file with all of this "
            "as comments; `koboshi check` tests one against the cloud.\n"
        ),
    ]
    for table in tables():
        title = f"`[{'.'.join(table.path)}]`" if table.path else "The file itself"
        rows = [
            (
                f"`{key.name}`",
                key.type,
                f"`{key.default}`" if key.default else ("required" if key.is_required else "none"),
                key.bounds,
                key.reason,
            )
            for key in table.keys
        ]
        parts.append(f"## {title}\n\n{table.purpose}\n")
        parts.append(markdown_table(("key", "type", "default", "bounds", "what for"), rows))
    return "\n".join(parts)


def command_line() -> str:
    """Return the page of every command."""
    text = build_app().generate_docs()
    commands = text[text.index("\n## koboshi ") :]
    return f"# The command line\n\n```console\n$ koboshi --help\n{first_page()}```\n{commands}"


def exit_codes() -> str:
    """Return the page of exit codes."""
    rows = [(str(code.value), meaning) for code, meaning in EXIT_CODE_MEANING.items()]
    return "# Exit codes\n\nOne table for all commands.\n\n" + markdown_table(
        ("code", "meaning"), rows
    )


def event_pages() -> str:
    """Return the page of events, lifecycles and verdicts."""
    kinds: Iterable[Any] = typing.get_args(events.Event)
    commands: Iterable[Any] = typing.get_args(Command)
    return "\n".join(
        (
            "# Events and lifecycles\n",
            "The journal holds these events, and all that Koboshi remembers is a fold over them.\n",
            markdown_table(
                ("kind", "meaning", "fields"),
                [(f"`{_default(kind, 'kind')}`", _sentence(kind), _fields(kind)) for kind in kinds],
            ),
            "## Commands\n",
            "What Koboshi may do to a cloud; each is in the journal before it is carried out.\n",
            markdown_table(
                ("type", "meaning", "may be repeated"),
                [
                    (
                        f"`{_default(command, 'type')}`",
                        _sentence(command),
                        "yes" if command.may_be_repeated else "no",
                    )
                    for command in commands
                ],
            ),
            "## Verdicts on a host\n",
            _meanings(VERDICT_MEANING),
            "## An incident: one failure of one host\n",
            _meanings(INCIDENT_MEANING),
            diagram(INCIDENT_STEPS, IncidentState.CONFIRMED),
            "## A recovery: one server of an incident\n",
            _meanings(RECOVERY_MEANING),
            diagram(RECOVERY_STEPS, *BEGINNINGS),
            "## A stop: one server that Nova stopped by itself, on a host that lives\n",
            _meanings(STOP_MEANING),
            diagram(STOP_STEPS, *STOP_BEGINNINGS),
        )
    )


def metrics() -> str:
    """Return the page of metrics."""
    rows: list[tuple[str, ...]] = []
    for family in Metrics().registry.collect():
        if not family.name.startswith("koboshi_"):
            continue
        suffix = {"counter": "_total", "info": "_info"}.get(family.type, "")
        labels = sorted({name for sample in family.samples for name in sample.labels or ()})
        labels_text = ", ".join(f"`{label}`" for label in labels)
        rows.append((f"`{family.name}{suffix}`", family.type, labels_text, family.documentation))
    return (
        "# Metrics\n\n`/metrics` on the daemon's socket, and on `[http] listen` where that is set. "
        "Every series exists from the start. Besides these there are prometheus-client's "
        "`process_*`.\n\n" + markdown_table(("name", "type", "labels", "meaning"), rows)
    )


def api() -> str:
    """Return the page of HTTP routes."""
    app = create_app(typing.cast("Any", None), Metrics().registry)
    rows = [
        (f"`{method} {route.path}`", route.summary or "")
        for route in app.routes
        if isinstance(route, APIRoute)
        for method in sorted(route.methods or ())
    ]
    return (
        "# HTTP API\n\nOn the Unix socket `koboshi.sock` in `state_dir`, for root and the daemon's "
        "own user; `/livez`, `/readyz` and `/metrics` also on `[http] listen`, without names of "
        "hosts or servers. `/openapi.json` describes the answers.\n\n"
        "```console\n# curl --unix-socket /var/lib/koboshi/koboshi.sock http://koboshi/v1/status\n"
        "```\n\n" + markdown_table(("route", "what for"), rows)
    )


def brake() -> str:
    """Return the page of what the brake does, cloud by cloud and failure by failure."""
    cells = brake_table.table()
    rules = Rules(mode=Mode.ACT)

    def word(hosts: int, failure: brake_table.Failure) -> str:
        outcome = cells[hosts, failure].outcome
        return "no racks" if outcome is None else str(outcome)

    parts = [
        "# The brake: what happens when, and why\n",
        (
            "When too much fails at once, Koboshi's own view, a switch or the control plane is the "
            "likelier cause than dead hosts, and it holds still. This table is not written, but found: "
            "for each cell a cloud is made in which that fails, and the daemon's own decision is asked, "
            "with all settings at their defaults. `docs/safety.md` has the argument, "
            "[`[brake]`](reference/configuration.md) the numbers.\n"
        ),
        markdown_table(
            ("hosts", "may fail at once", *brake_table.Failure),
            [
                (
                    f"{hosts:,}",
                    str(bound(hosts, rules)),
                    *(word(hosts, failure) for failure in brake_table.Failure),
                )
                for hosts in brake_table.CLOUDS
            ],
        ),
        (
            "*Switched off*: fenced, proven dead, and recovered. *Recovered*: its power is off already, so "
            "nothing is switched. *Held*: nothing is done, and it is told loudly; what is held goes on by "
            "itself when the picture has been plausible for a minute. A rack is a declared domain "
            "(`[domains]`); its whole death is acted upon where each of its hosts was off before we acted, "
            "or is silent on two networks that share no switch, and else by one command of a person's, "
            "`koboshi domain confirm`.\n"
        ),
        "## What fails\n",
        _meanings(brake_table.FAILURE_MEANING),
        "## Why\n",
        markdown_table(
            ("hosts", "what fails", "what happens", "why"),
            [
                (f"{hosts:,}", failure.value, str(cell.outcome), cell.why)
                for (hosts, failure), cell in cells.items()
                if cell.outcome is not None
            ],
        ),
    ]
    return "\n".join(parts)


def markdown_table(headers: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a Markdown table."""
    head = tuple(headers)
    lines = [head, tuple("---" for _ in head), *(tuple(map(_escaped, row)) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def diagram(steps: Table[Any], *beginnings: str) -> str:
    """Return a lifecycle's diagram, drawn from its table."""
    order = list(steps)
    going_on = [state for state in order if steps[state]]
    often = [
        to for to in order if sum(to in steps[state] for state in going_on) > OFTEN * len(going_on)
    ]
    lines = ["stateDiagram-v2", *(f"    [*] --> {state}" for state in beginnings)]
    for state in order:
        lines += [f"    {state} --> {to}" for to in order if to in steps[state] and to not in often]
        if not steps[state]:
            lines.append(f"    {state} --> [*]")
    text = "```mermaid\n" + "\n".join(lines) + "\n```\n"
    for to in often:
        without = [f"`{s}`" for s in going_on if to not in steps[s] and s != to]
        exception = f", except from {' and '.join(without)}" if without else ""
        text += f"\nFrom every state that is not an end it may go to `{to}`{exception}.\n"
    return text


def _meanings(meaning: Mapping[Any, str]) -> str:
    rows = [(f"`{state}`", text) for state, text in meaning.items()]
    return markdown_table(("state", "meaning"), rows)


def _sentence(described: type) -> str:
    return (described.__doc__ or "").strip().partition("\n")[0]


def _default(kind: Any, name: str) -> str:
    """Return a field's default; classes with slots do not have it as an attribute."""
    return next(str(f.default) for f in dataclasses.fields(kind) if f.name == name)


def _fields(kind: Any) -> str:
    return ", ".join(f"`{f.name}`" for f in dataclasses.fields(kind) if f.name != "kind")


def _escaped(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")


def main(arguments: list[str]) -> int:
    """Write the pages, or say which are out of date."""
    stale = [
        path
        for path, text in pages().items()
        if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    if "--check" in arguments:
        for path in stale:
            print(f"{path} is out of date; run: python docs/generate.py", file=sys.stderr)
        return 1 if stale else 0
    FOLDER.mkdir(exist_ok=True)
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
