"""The formats of `openstack`: `-f table|json|yaml|csv|value`, `-c COLUMN`."""

import csv
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from typing import Annotated, Any

from cyclopts import Parameter

from koboshi.cli.context import Context
from koboshi.cli.words import clean
from koboshi.domain.errors import KoboshiError

Row = Mapping[str, Any]


class UsageProblem(KoboshiError):
    """The command was understood, and cannot be meant so."""


class Format(StrEnum):
    """How a listing is written."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    CSV = "csv"
    VALUE = "value"


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Output:
    """What every command that lists or shows understands."""

    format: Annotated[
        Format,
        Parameter(name=("--format", "-f"), help="How to write it."),
    ] = Format.TABLE
    column: Annotated[
        tuple[str, ...],
        Parameter(
            name=("--column", "-c"),
            negative=(),
            show_default=False,
            help="Only this column; may be repeated.",
        ),
    ] = ()


def write_rows(
    context: Context,
    output: Output,
    rows: Sequence[Row],
    *,
    columns: Sequence[str],
    table: Callable[[], None],
    nothing: str,
) -> None:
    """Write a listing. `table` draws it for eyes when no column was chosen."""
    chosen = _chosen(output, columns)
    picked = [{name: row[name] for name in chosen} for row in rows]
    match output.format:
        case Format.JSON:
            _json(context, picked)
        case Format.YAML:
            _yaml(context, picked)
        case Format.CSV:
            writer = csv.writer(context.stdout, lineterminator="\n")
            writer.writerow(chosen)
            writer.writerows([_text(value) for value in row.values()] for row in picked)
        case Format.VALUE:
            for row in picked:
                context.stdout.write(" ".join(_text(value) for value in row.values()) + "\n")
        case Format.TABLE:
            if not rows:
                context.say(nothing)
            elif output.column:
                draw(context, chosen, [[_text(v) for v in row.values()] for row in picked])
            else:
                table()


def write_item(
    context: Context,
    output: Output,
    item: Row,
    *,
    table: Callable[[], None],
) -> None:
    """Write one thing. `table` draws it for eyes when no column was chosen."""
    chosen = _chosen(output, tuple(item))
    picked = {name: item[name] for name in chosen}
    match output.format:
        case Format.JSON:
            _json(context, picked)
        case Format.YAML:
            _yaml(context, picked)
        case Format.CSV:
            writer = csv.writer(context.stdout, lineterminator="\n")
            writer.writerow(("field", "value"))
            writer.writerows((name, _text(value)) for name, value in picked.items())
        case Format.VALUE:
            for value in picked.values():
                context.stdout.write(f"{_text(value)}\n")
        case Format.TABLE:
            if output.column:
                draw(context, ("field", "value"), [[n, _text(v)] for n, v in picked.items()])
            else:
                table()


def draw(context: Context, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Draw a plain table."""
    from rich import box  # noqa: PLC0415 - only where a table is drawn
    from rich.table import Table  # noqa: PLC0415 - only where a table is drawn
    from rich.text import Text  # noqa: PLC0415 - only where a table is drawn

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(clean(value)) for value in row))
    context.out().print(table)


def _chosen(output: Output, columns: Sequence[str]) -> tuple[str, ...]:
    """Return the columns that were asked for; raises UsageProblem for one that there is not."""
    if not output.column:
        return tuple(columns)
    found: list[str] = []
    for wanted in output.column:
        name = wanted.strip().lower().replace(" ", "_").replace("-", "_")
        if name not in columns:
            close = get_close_matches(name, columns, n=1)
            meant = f"did you mean {close[0]}?" if close else f"there are: {', '.join(columns)}"
            raise UsageProblem(f"no column {wanted!r}; {meant}")
        found.append(name)
    return tuple(dict.fromkeys(found))


def _json(context: Context, value: object) -> None:
    json.dump(value, context.stdout, indent=2, ensure_ascii=False)
    context.stdout.write("\n")


def _yaml(context: Context, value: object) -> None:
    import yaml  # noqa: PLC0415 - only where it is asked for

    yaml.safe_dump(value, context.stdout, sort_keys=False, allow_unicode=True)


def _text(value: object) -> str:
    """Return one value in one line; what is nested, as JSON."""
    if value is None:
        return ""
    if isinstance(value, bool | dict | list):
        return json.dumps(value, ensure_ascii=False)
    return clean(str(value))
