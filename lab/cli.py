"""The command line: python3 -m lab COMMAND.

Exit codes: 0 done, 1 it failed (the reason is on stderr), 2 wrong usage, 3 `truth` found a server
that was started while it ran elsewhere.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from lab import layout
from lab.boot import KINDS
from lab.errors import LabError
from lab.hosts import FAULTS
from lab.lab import BMC_MODES, Lab
from lab.settings import INTERVALS, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

VIOLATED = 3
_FAULT_HELP = """\
power    the host goes silent: cable cut, then everything killed; disks stay
process  nova-compute alone is killed; servers run on, ssh answers
restart  nova-compute alone is killed and started again at once
cut      both cables are out; the host runs on
cut-management, cut-storage   one of them
plug     both cables are in again, whether it has power or not
hang     all its processes stop; its kernel still accepts connections
reboot   off and on again within about 2 s; its servers stay stopped
start    power on, and mend all of the above"""
_BMC_HELP = """\
normal       the switch works
refuse       an error to everything: 503, or IPMI's "node busy"
hang         accepts connections, never answers
slow         answers after 4 s
lie-off      reads Off, off-commands do nothing
accept-only  accepts off-commands, does nothing, reads On
gone         no packet is answered
wrong-host   its cables end at the next host
wrong-password  it has another one now
dies-with-host  no packet is answered while the host has no power"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; give its exit code."""
    arguments = parser().parse_args(argv)
    run: Callable[[Lab, argparse.Namespace], int | None] = arguments.run
    try:
        return run(Lab(say=_say), arguments) or 0
    except LabError as error:
        print(f"lab: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def parser() -> argparse.ArgumentParser:
    """Describe every command."""
    raw = argparse.RawDescriptionHelpFormatter
    top = argparse.ArgumentParser(
        prog="python3 -m lab", description="A real OpenStack in network namespaces of this machine."
    )
    commands = top.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, run: object, text: str, **more: Any) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=more.pop("about", text), **more)
        made.set_defaults(run=run)
        return made

    command("install", _install, "install what the lab needs on this machine")
    up = command("up", _up, "bring the lab up (it is made anew if the settings differ)")
    up.add_argument("--hosts", type=int, default=4, metavar="N", help="compute hosts, 1 to 20 (4)")
    up.add_argument(
        "--intervals",
        choices=INTERVALS,
        default="fast",
        help="nova's heartbeat and service_down_time: fast 2 s/6 s, default 10 s/60 s (fast)",
    )
    command("down", _down, "stop the lab; also what a crashed one left behind")
    _format(command("status", _status, "show settings, services and hosts"))

    fault = command("fault", _fault, "break a host", about=_FAULT_HELP, formatter_class=raw)
    fault.add_argument("host", metavar="HOST")
    fault.add_argument("what", choices=FAULTS, metavar="FAULT", help=", ".join(FAULTS))
    bmc = command("bmc", _bmc, "set how a host's BMC behaves", about=_BMC_HELP, formatter_class=raw)
    bmc.add_argument("host", metavar="HOST")
    bmc.add_argument("mode", choices=BMC_MODES, metavar="MODE", help=", ".join(BMC_MODES))
    switch = command("switch", _switch, "let a switch carry packets, or none")
    switch.add_argument("name", metavar="NAME", help="rackN, storage, or station (the uplink)")
    switch.add_argument("action", choices=("on", "off"))
    _add_knob(command("knob", _knob, "turn a host's knobs; without options, show them"))
    _add_api(command("api", _api, "stop, start or disturb a service of the control plane"))

    boot = command("boot", _boot, "create servers on a host and wait until they are ACTIVE")
    boot.add_argument("--host", required=True, metavar="HOST")
    boot.add_argument("--kind", required=True, choices=KINDS, help="bfv: boot from volume")
    boot.add_argument("--count", type=int, default=1, metavar="N")
    boot.add_argument(
        "--ports", action="store_true", help="each with a port on net1 (twice as slow)"
    )
    boot.add_argument("--name", help="name, or its beginning if there are several")
    _format(boot)
    truth = command("truth", _truth, "show which server is where, from the hosts' own disks")
    truth.add_argument("--violations", action="store_true", help="servers that ran twice")
    truth.add_argument("--events", action="store_true", help="each start, stop and destruction")
    _format(truth)
    execute = command("exec", _exec, "run a command in the control plane's namespace")
    execute.add_argument("argv", nargs=argparse.REMAINDER, metavar="CMD ...")
    return top


def _format(command: argparse.ArgumentParser) -> None:
    command.add_argument("-f", "--format", choices=("table", "json"), default="table")


def _add_knob(knob: argparse.ArgumentParser) -> None:
    knob.add_argument("host", metavar="HOST", help="a host's name, or: all")
    knob.add_argument("action", nargs="?", choices=("clear",), help="all knobs back to normal")
    spawn = knob.add_mutually_exclusive_group()
    spawn.add_argument("--spawn-fails", action="store_true", help="each start of a server fails")
    spawn.add_argument("--spawn-seconds", type=float, metavar="S", help="each start takes S")
    spawn.add_argument(
        "--spawn-never-ends", action="store_true", help="starts hang until this is cleared"
    )
    knob.add_argument(
        "--spawn-kills", action="store_true", help="nova-compute dies once it has started a server"
    )
    knob.add_argument("--migrate-seconds", type=float, metavar="S", help="live migration takes S")
    knob.add_argument(
        "--shared-storage",
        action="store_true",
        help="new servers' disks are on storage shared by the hosts that have this knob",
    )


def _add_api(api: argparse.ArgumentParser) -> None:
    api.add_argument("service", help="nova, conductor, scheduler, keystone, rabbit, mysql, …")
    api.add_argument("action", choices=("stop", "start", "fail", "normal"))
    api.add_argument("--path", metavar="REGEX", help="fail: only requests whose path has this")
    api.add_argument("--method", metavar="VERB", help="fail: only this method")
    api.add_argument("--status", type=int, metavar="CODE", help="fail: answer this status at once")
    api.add_argument("--delay", type=float, metavar="S", help="fail: wait before handling it")
    api.add_argument(
        "--drop-after",
        action="store_true",
        help="fail: the request takes effect, the connection closes without an answer",
    )


def _say(text: str) -> None:
    print(text, flush=True)


def _install(lab: Lab, _: argparse.Namespace) -> None:
    print("installed" if lab.install() else "everything is installed already")


def _up(lab: Lab, arguments: argparse.Namespace) -> None:
    settings = Settings(hosts=arguments.hosts, intervals=arguments.intervals)
    if not lab.up(settings):
        print(f"the lab is up already ({settings.hosts} hosts, {settings.intervals} intervals)")
    print("next:  python3 -m lab boot --host cmp1 --kind bfv --count 2")
    print("       python3 -m lab exec openstack --os-cloud lab server list --long")
    print("       python3 -m lab fault cmp1 power     (see also: python3 -m lab --help)")


def _down(_: Lab, __: argparse.Namespace) -> None:
    for where in layout.all_here():
        Lab(where, say=_say).down()
    print("the lab is down")


def _fault(lab: Lab, arguments: argparse.Namespace) -> None:
    lab.fault(arguments.host, arguments.what)


def _bmc(lab: Lab, arguments: argparse.Namespace) -> None:
    lab.bmc(arguments.host, arguments.mode)


def _switch(lab: Lab, arguments: argparse.Namespace) -> None:
    lab.switch(arguments.name, on=arguments.action == "on")


def _knob(lab: Lab, arguments: argparse.Namespace) -> None:
    if arguments.action == "clear":
        lab.clear_knobs(arguments.host)
        return
    names = ("spawn_fails", "spawn_seconds", "spawn_never_ends", "migrate_seconds")
    chosen = {name: getattr(arguments, name) for name in (*names, "spawn_kills", "shared_storage")}
    chosen = {name: value for name, value in chosen.items() if value not in (None, False)}
    print(json.dumps(lab.knob(arguments.host, **chosen)))


def _api(lab: Lab, arguments: argparse.Namespace) -> None:
    service = arguments.service
    match arguments.action:
        case "stop":
            lab.api_stop(service)
        case "start":
            lab.api_start(service)
        case "normal":
            lab.api_normal(service)
        case _:
            lab.api_fail(
                service,
                path=arguments.path,
                method=arguments.method,
                status=arguments.status,
                delay_s=arguments.delay,
                drop_after=arguments.drop_after,
            )


def _boot(lab: Lab, arguments: argparse.Namespace) -> None:
    found = lab.boot(
        host=arguments.host,
        kind=arguments.kind,
        count=arguments.count,
        name=arguments.name,
        ports=arguments.ports,
    )
    _print(arguments.format, [asdict(server) for server in found])


def _truth(lab: Lab, arguments: argparse.Namespace) -> int:
    violations = lab.violations()
    if arguments.violations:
        _print(arguments.format, violations)
    elif arguments.events:
        _print(arguments.format, lab.events())
    else:
        entries = lab.truth()
        rows: list[Any] = list(entries)
        if arguments.format == "table":
            rows = [
                {**e, "disks": " ".join(f"{d['name'][:8]}={d['id'][:8]}" for d in e["disks"])}
                for e in entries
            ]
        _print(arguments.format, rows)
    if violations:
        print(
            f"lab: {len(violations)} times a server was started while it ran elsewhere",
            file=sys.stderr,
        )
    return VIOLATED if violations else 0


def _status(lab: Lab, arguments: argparse.Namespace) -> None:
    found = lab.status()
    if arguments.format == "json":
        _print("json", found)
        return
    services = found["services"]
    _print("table", [{"service": n, "pid": pid or "-"} for n, pid in services.items()])
    print()
    _print("table", [{"host": name, **state} for name, state in found["hosts"].items()])
    print(f"\nintervals: {found['intervals']}, violations: {found['violations']}")


def _exec(lab: Lab, arguments: argparse.Namespace) -> None:
    argv = arguments.argv[1:] if arguments.argv[:1] == ["--"] else arguments.argv
    if not argv:
        raise LabError("say what to run: python3 -m lab exec CMD ...")
    lab.exec(argv)


def _print(form: str, rows: Any) -> None:
    if form == "json":
        print(json.dumps(rows, indent=2))
        return
    if not rows:
        print("(none)")
        return
    columns = list(rows[0])
    table = [[str(row.get(column, "")) for column in columns] for row in rows]
    widths = [max(map(len, cells)) for cells in zip(columns, *table, strict=True)]
    for cells in [columns, *table]:
        print("  ".join(c.ljust(w) for c, w in zip(cells, widths, strict=True)).rstrip())
