"""The program `koboshi`: finds the command, and turns whatever happens into an exit code."""

import errno
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

from koboshi import __version__
from koboshi.cli.exit_codes import ExitCode

if TYPE_CHECKING:
    from cyclopts import App, CycloptsError
    from rich.console import Console

    from koboshi.cli.context import Context


def main() -> None:
    """Run the command that was typed."""
    code: int = ExitCode.DONE
    try:
        code = run_command(sys.argv[1:], os.environ, sys.stdout, sys.stderr)
        sys.stdout.flush()
        sys.exit(code)
    except BrokenPipeError:
        pass
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        sys.stderr.write(f"koboshi: the output could not be written: {error.strerror}\n")
        code = ExitCode.ERROR
    # Whoever read our output has seen enough; Python must not complain of it at its end.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(code)


def run_command(
    arguments: Sequence[str],
    environ: Mapping[str, str],
    stdout: TextIO,
    stderr: TextIO,
) -> int:
    """Run one command; return its exit code. Nothing is raised but what is a bug."""
    if not arguments or arguments[0] in {"--help", "-h"}:
        from koboshi.cli.first_page import first_page  # noqa: PLC0415 - --help must be quick

        (stdout if arguments else stderr).write(first_page())
        return ExitCode.DONE if arguments else ExitCode.USAGE
    if arguments[0] == "--version":
        stdout.write(f"koboshi {__version__}\n")
        return ExitCode.DONE
    from koboshi.cli.context import Context  # noqa: PLC0415 - --help must be quick

    return dispatch(arguments, Context(environ=environ, stdout=stdout, stderr=stderr))


def dispatch(arguments: Sequence[str], context: "Context") -> int:
    """Call the command; return the exit code of whatever happens."""
    from cyclopts import CycloptsError  # noqa: PLC0415 - --help must be quick

    from koboshi.cli.output import UsageProblem  # noqa: PLC0415 - --help must be quick
    from koboshi.domain.errors import (  # noqa: PLC0415 - --help must be quick
        ConfigurationError,
        KoboshiError,
        SafetyRefusal,
    )

    try:
        return _call(arguments, context)
    except CycloptsError as error:
        context.say(f"koboshi: {_usage_text(error)}")
        return ExitCode.USAGE
    except UsageProblem as error:
        context.say(f"koboshi: {error}")
        return ExitCode.USAGE
    except ConfigurationError as error:
        lines = str(error).splitlines()
        context.say("koboshi: the configuration must be mended:")
        for line in lines:
            context.say(f"  {line}")
        return ExitCode.ERROR
    except SafetyRefusal as error:
        context.say(f"koboshi: refused: {error}")
        return ExitCode.REFUSED
    except KoboshiError as error:
        context.say(f"koboshi: {error}")
        return ExitCode.ERROR
    except BrokenPipeError:
        return ExitCode.DONE
    except KeyboardInterrupt:
        context.say("")
        return ExitCode.INTERRUPTED


def _call(arguments: Sequence[str], context: "Context") -> int:
    from dataclasses import replace  # noqa: PLC0415 - --help must be quick

    from cyclopts import App, Parameter  # noqa: PLC0415 - --help must be quick

    app, out = build_app(context), context.help_page()

    def with_options(
        *words: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
        config: Path | None = None,
        os_cloud: str | None = None,
    ) -> int:
        chosen = replace(context, config=config, os_cloud=os_cloud)
        return _run(app, words, chosen, out)

    options = App(
        console=out,
        result_action="return_value",
        suppress_keyboard_interrupt=False,  # ours says what goes on
        help_flags=(),
        version_flags=(),
        default_command=with_options,
    )
    options.default_parameter = Parameter(negative=())
    code: int = options(
        list(arguments), exit_on_error=False, print_error=False, result_action="return_value"
    )
    return code


def _run(app: "App", words: Sequence[str], context: "Context", out: "Console") -> int:
    function, bound, unparsed = app.parse_args(
        list(words), console=out, exit_on_error=False, print_error=False
    )
    if "context" in unparsed:
        bound.arguments["context"] = context
    result = function(*bound.args, **bound.kwargs)
    return ExitCode.DONE if result is None else int(result)


def build_app(context: "Context | None" = None) -> "App":
    """Return the parser of all commands; their modules are imported when they are called."""
    from pkgutil import resolve_name  # noqa: PLC0415 - --help must be quick

    from cyclopts import App  # noqa: PLC0415 - --help must be quick

    from koboshi.cli.commands import COMMANDS, GROUPS  # noqa: PLC0415 - --help must be quick

    console = None if context is None else context.help_page()
    app = App(
        name="koboshi",
        help="Instance high availability for OpenStack.",
        version=__version__,
        console=console,
        help_format="plaintext",
        result_action="return_value",
    )
    groups = {name: App(name=name, help=text) for name, text in GROUPS.items()}
    for group in groups.values():
        app.command(group)
    for command in COMMANDS:
        if len(command.words) == 1 and command.words[0] in groups:
            # What a group does by itself must be known to its parser, a lazy target is not.
            groups[command.words[0]].default(resolve_name(command.target))
        elif len(command.words) == 1:
            app.command(command.target, name=command.words[0])
        else:
            groups[command.words[0]].command(
                command.target, name=command.words[-1], help=command.help
            )
    return app


def _usage_text(error: "CycloptsError") -> str:
    """Return what was not understood, and where to read on."""
    chain = [word for word in (error.command_chain or ()) if word != "koboshi"]
    page = " ".join(("koboshi", *chain, "--help"))
    return f"{str(error).strip().rstrip('.')}; see {page}"
