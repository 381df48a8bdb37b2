"""The look ahead, for people: which hosts must not die today."""

from rich.console import RenderableType
from rich.text import Text

from koboshi.api.views import OutlookView, ShortfallView, StatusView
from koboshi.cli.words import clean, count, since

ROWS = 5
NAMED = 3


def draw_outlook(status: StatusView) -> list[RenderableType]:
    """Return the look ahead, drawable; nothing before the first one."""
    outlook = status.outlook
    if outlook is None:
        return []
    parts: list[RenderableType] = [Text("\nRoom, should a host die", style="bold")]
    if outlook.hosts:
        parts.append(_summary(status, outlook))
    parts += [_row(s) for s in outlook.short[:ROWS]]
    if len(outlook.short) > ROWS:
        parts.append(Text(f"  … and {len(outlook.short) - ROWS} more: koboshi forecast"))
    if outlook.not_counted:
        parts.append(Text(f"  not known: {clean(outlook.not_counted)}", style="yellow"))
    if outlook.trouble:
        parts.append(Text(f"  not known: {clean(outlook.trouble)}", style="yellow"))
    return parts


def _summary(status: StatusView, outlook: OutlookView) -> Text:
    domains = f" and {count(outlook.domains, 'domain')}" if outlook.domains else ""
    played = (
        f"{count(outlook.hosts, 'host')}{domains} played through {since(outlook.at, status.at)}"
    )
    if outlook.short:
        return Text(
            f"  {played}: {len(outlook.short)} would leave servers without a place", "yellow"
        )
    others = "every other" if outlook.not_counted else "every"
    return Text(f"  {played}: {others} server that may be evacuated would find a place", "green")


def _row(short: ShortfallView) -> Text:
    name = f"domain {short.domain}" if short.domain else short.hosts[0]
    names = ", ".join(map(clean, short.servers[:NAMED]))
    more = " …" if short.without_room > NAMED else ""
    return Text(
        f"  {clean(name)}: {short.without_room} of {short.of} would find none: {names}{more} "
        f"({clean(short.lacking)})"
    )
