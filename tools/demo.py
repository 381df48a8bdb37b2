"""`make demo`: a host of a real OpenStack loses its power, and its servers get up. Worth watching.

Exit code 0 only if everything that should be back is back, what should be held is held, and no
server ever ran on two hosts.
"""

import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT)]

from rich.console import Console  # noqa: E402 the path to the lab was just set
from rich.markup import escape  # noqa: E402 the path to the lab was just set
from rich.panel import Panel  # noqa: E402 the path to the lab was just set
from rich.table import Table  # noqa: E402 the path to the lab was just set

from lab import Lab, LabError, Settings  # noqa: E402 the path to it was just set
from lab.boot import Booted  # noqa: E402 the path to it was just set
from lab.rig.home import bring_home  # noqa: E402 the path to it was just set
from lab.rig.koboshi import Happening, Koboshi  # noqa: E402 the path to it was just set
from lab.rig.nova import Nova  # noqa: E402 the path to it was just set

HOST = "cmp1"
EACH = 4
RECOVERY_S = 180.0
SHOWN = 2
KINDS = {
    "bfv": "volume only",
    "volume": "local root + volume",
    "image": "local root",
}
console = Console(highlight=False)


@dataclass
class Story:
    """Turns the journal's events into lines that are worth reading."""

    lost_at: float
    names: dict[str, str] = field(default_factory=dict[str, str])
    back: int = 0

    def lines(self, happening: Happening) -> Iterator[str]:
        """Give what there is to say about one event."""
        data = happening.data
        match happening.kind:
            case "incident_opened":
                yield f"[bold]{data['host']} is silent[/]; nothing was done yet"
                for word in data["evidence"]:
                    yield f"  [dim]{escape(word)}[/]"
            case "command_intended":
                yield from self._meant(data["command"])
            case "death_proven":
                yield f"[bold]proof[/]: its power read off three times ({data['proof']['kind']})"
            case "host_isolated":
                yield f"its service is forced down and disabled as {data['isolation']['marker']}"
            case "servers_listed":
                yield from self._listed(data["candidates"])
            case "recovery_moved" if data["to"] == "done":
                self.back += 1
                yield f"[green]✔ {self.names[data['server']]} is up again[/] ({self.back})"
            case "recovery_moved" if data["to"] in {"stuck", "given_up", "refused", "unknown"}:
                yield f"[red]{self.names[data['server']]}: {data['to']}[/], {escape(data['reason'])}"
            case "incident_moved" if data["to"] in {"settled", "unproven", "needs_human", "held"}:
                yield f"[bold]{data['to']}[/]: {escape(data['reason'])}"
            case _:
                pass

    def _meant(self, command: dict[str, Any]) -> Iterator[str]:
        match command["type"]:
            case "fence_off":
                yield f"switching {command['host']} off by its BMC, so that no copy can still run"
            case "evacuate":
                yield f"evacuating {self.names[command['server']]} to {command['destination']}"
            case _:
                pass

    def _listed(self, candidates: list[dict[str, Any]]) -> Iterator[str]:
        self.names |= {c["server"]: c["name"] for c in candidates}
        chosen: dict[tuple[str, str], int] = {}
        for candidate in candidates:
            key = (candidate["treatment"], candidate["reason"])
            chosen[key] = chosen.get(key, 0) + 1
        for (treatment, reason), count in chosen.items():
            yield f"{count} servers to [bold]{treatment}[/]: {escape(reason)}"

    def tell(self, happening: Happening) -> None:
        """Print them, with the seconds since the power was cut."""
        for line in self.lines(happening):
            say(f"[cyan]+{time.time() - self.lost_at:5.1f} s[/]  {line}")


def play(lab: Lab, nova: Nova, koboshi: Koboshi) -> bool:
    """Play the whole story; return whether all is as it should be."""
    with console.status("booting 12 servers of three kinds on cmp1"):
        servers = [s for kind in KINDS for s in lab.boot(host=HOST, kind=kind, count=EACH)]
    console.print(f"12 servers run on {HOST}: " + ", ".join(f"{EACH} {k}" for k in KINDS.values()))
    with console.status("koboshi run: getting to know the hosts"):
        koboshi.start()
        koboshi.wait_armed()
        time.sleep(6)  # one read of the servers while all is well
    console.print(f"[bold]koboshi run[/] watches {len(lab.hosts)} hosts, and may act\n")
    console.print(Panel(f"the power of [bold]{HOST}[/] is cut", style="red", expand=False))
    disks = disks_by_server(lab)
    story = Story(lost_at=time.time())
    lab.fault(HOST, "power")
    follow(koboshi, story)
    good = closing_table(lab, nova, servers, disks)
    (incident,) = koboshi.run("incident", "list", "-f", "json").json()
    detail = koboshi.run("incident", "show", incident["id"], "-f", "json").json()
    way_home(incident["id"], detail["way_home"])
    return good


def way_home(incident: str, steps: list[dict[str, Any]]) -> None:
    """Show the end of `koboshi incident show`: how the host and the held servers come back."""
    say(f"\n[bold]koboshi incident show {incident}[/] says how the rest comes home:")
    for number, step in enumerate(steps, start=1):
        say(f"  {number}. {escape(step['text'])}")
        for command in step["commands"][:SHOWN]:
            say(f"     [cyan]{escape(command)}[/]")
        if more := len(step["commands"][SHOWN:]):
            say(f"     [dim]… and {more} more[/]")


def disks_by_server(lab: Lab) -> dict[str, set[str]]:
    """Return the ids of each server's disks, wherever they are."""
    found: dict[str, set[str]] = {}
    for entry in lab.truth():
        found.setdefault(entry["server"], set()).update(disk["id"] for disk in entry["disks"])
    return found


def follow(koboshi: Koboshi, story: Story) -> None:
    """Tell what happens until nothing is on its way any more."""
    seen = max((h.seq for h in koboshi.happenings()), default=0)
    end = time.monotonic() + RECOVERY_S
    while True:
        for happening in koboshi.happenings(after=seen):
            seen = happening.seq
            story.tell(happening)
            if happening.kind == "incident_moved" and happening.data["to"] == "settled":
                return
        if time.monotonic() > end:
            raise LabError(f"not settled after {RECOVERY_S:.0f} s; {koboshi.story()}")
        time.sleep(0.1)


def closing_table(lab: Lab, nova: Nova, servers: list[Booted], disks: dict[str, set[str]]) -> bool:
    """Show each server before and after, as Nova and the hosts' own disks have it."""
    rows, records, now = nova.servers(), nova.evacuations(source=HOST), disks_by_server(lab)
    table = Table("server", "disks", "was on", "is on", "requests", "", "", box=None)
    good = True
    for server in servers:
        running = [e["host"] for e in lab.truth() if e["server"] == server.id and e["running"]]
        own = [r.status for r in records if r.server == server.id]
        row = rows[server.id]
        kept = now[server.id] == disks[server.id]
        if server.kind == "bfv":
            right = own == ["done"] and running == [row.host] and row.is_well and row.host != HOST
            after = f"up, {'same disk' if kept else 'ANOTHER DISK'}"
        else:
            right = not own and not running and row.host == HOST
            after = f"held, {'disk kept' if kept else 'DISK LOST'}"
        good = good and right and kept
        mark = "[green]✔[/]" if right and kept else "[red]✘[/]"
        table.add_row(server.name, KINDS[server.kind], HOST, row.host, str(len(own)), after, mark)
    console.print()
    console.print(table)
    twice = lab.violations()
    say(f" servers that ever ran on two hosts: {len(twice)}")
    return good and not twice


def say(text: str) -> None:
    """Print one line, however long: whoever pipes it wants it whole."""
    console.print(text, soft_wrap=True)


def told(*, good: bool) -> int:
    """Say how it ended; return the exit code."""
    end = "[bold green]They got up again.[/]" if good else "[bold red]Not as it should be.[/]"
    console.print(end)
    return 0 if good else 1


def interrupted(*_: object) -> None:
    """End as Ctrl-C does: everything is cleaned up."""
    raise KeyboardInterrupt


def main() -> int:
    """Bring a lab up, play the story, and clean up whatever happens."""
    signal.signal(signal.SIGTERM, interrupted)
    lab = Lab(say=lambda text: console.print(f"[dim]{escape(text)}[/]"))
    koboshi: Koboshi | None = None
    ours = True
    try:
        console.print("[bold]A real OpenStack with four compute hosts, on this machine[/]")
        ours = lab.up(Settings())
        nova = Nova(lab)
        bring_home(lab, nova)
        koboshi = Koboshi(lab)
        return told(good=play(lab, nova, koboshi))
    except LabError as error:
        console.print(f"demo: {error}", style="red", markup=False)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        if koboshi is not None:
            koboshi.close()
        if ours:
            console.print("[dim]cleaning up[/]")
            lab.down()


if __name__ == "__main__":
    sys.exit(main())
