"""A command's own output, undisturbed by what libraries log."""

from koboshi.adapters.telemetry.logs import configure_logs
from koboshi.cli.context import Context
from koboshi.settings import Settings


def keep_logs_apart(context: Context, settings: Settings) -> None:
    """Let nothing that a library logs get between a command's own output."""
    secrets = list(settings.fencing.secrets())
    configure_logs(level="error", as_json=False, secrets=secrets, stream=context.stderr)
