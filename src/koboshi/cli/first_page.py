"""The first help page: plain text, made without any library, so that it is there at once."""

from textwrap import fill

from koboshi.cli.commands import COMMANDS, GLOBAL_OPTIONS
from koboshi.cli.exit_codes import exit_codes_in_a_line, exit_codes_text

EXIT_CODES_PAGE = f"Exit codes of every command:\n\n{exit_codes_text()}"


def first_page() -> str:
    """Return what `koboshi --help` shows."""
    lines = [" ".join((*command.words, command.arguments)).strip() for command in COMMANDS]
    width = max(len(text) for text in (*lines, *(option for option, _ in GLOBAL_OPTIONS))) + 2
    commands = "".join(
        f"  {line:<{width}}{command.help}\n" for line, command in zip(lines, COMMANDS, strict=True)
    )
    options = "".join(f"  {option:<{width}}{text}\n" for option, text in GLOBAL_OPTIONS)
    return (
        "Koboshi: when a compute host of an OpenStack cloud dies, its servers get up elsewhere.\n"
        "\n"
        "Usage: koboshi [OPTIONS] COMMAND\n"
        "\n"
        f"Commands:\n{commands}"
        "\n"
        f"Options, before or after the command:\n{options}"
        "\n"
        "Listings take -f table|json|yaml|csv|value and -c COLUMN, as openstack's do.\n"
        f"{_wrapped(f'Exit codes: {exit_codes_in_a_line()}.')}"
        "\n"
        "First steps: koboshi --os-cloud NAME forecast; then init --output koboshi.toml, and check.\n"
    )


def _wrapped(text: str) -> str:
    return fill(text, width=79) + "\n"
