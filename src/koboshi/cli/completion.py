"""`koboshi completion`: scripts for the shells."""

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from koboshi.cli.app import build_app
from koboshi.cli.context import Context
from koboshi.cli.exit_codes import ExitCode

INSTALL = {
    "bash": "koboshi completion bash > /etc/bash_completion.d/koboshi",
    "zsh": 'koboshi completion zsh > "${fpath[1]}/_koboshi"',
    "fish": "koboshi completion fish > ~/.config/fish/completions/koboshi.fish",
}


def completion(
    shell: Literal["bash", "zsh", "fish"],
    *,
    context: Annotated[Context, Parameter(parse=False)],
) -> ExitCode:
    """Print the completion script for a shell.

    bash: koboshi completion bash > /etc/bash_completion.d/koboshi

    zsh: koboshi completion zsh > "${fpath[1]}/_koboshi"

    fish: koboshi completion fish > ~/.config/fish/completions/koboshi.fish

    Parameters
    ----------
    shell
        The shell that will read it.
    """
    app = build_app()
    app.default(_global_options)
    script = app.generate_completion(shell=shell)
    context.stdout.write(script if script.endswith("\n") else f"{script}\n")
    if context.stdout.isatty():
        context.say(f"\nInstall it with: {INSTALL[shell]}\nThen open a new shell.")
    return ExitCode.DONE


def _global_options(*, config: Path | None = None, os_cloud: str | None = None) -> None:
    """Stand for the options of every command: the parser takes them before all others.

    Parameters
    ----------
    config
        Settings to use.
    os_cloud
        Cloud in clouds.yaml.
    """
