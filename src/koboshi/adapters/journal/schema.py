"""The journal's schema, brought up to date by its one writer; never by a reader, never downwards."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection

from koboshi.adapters.journal.revision import newer, revision
from koboshi.adapters.journal.tables import HEAD
from koboshi.domain.errors import JournalError

MIGRATIONS = Path(__file__).parent / "migrations"


def alembic_config(connection: Connection | None = None) -> Config:
    """Return alembic's configuration for our migrations, on `connection`."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def bring_up_to_date(connection: Connection, path: Path) -> None:
    """Run the migrations that are missing, within the connection's transaction."""
    found = revision(connection)
    if found == HEAD:
        return
    config = alembic_config(connection)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise newer(path, found)
    try:
        command.upgrade(config, HEAD)
    except CommandError as error:
        raise JournalError(
            f"the journal {path} cannot be brought from version {found or 'none'} to {HEAD} "
            f"({error}); reinstall Koboshi: its migrations are incomplete",
        ) from error
