"""Which version a journal's schema has, told without alembic, which is slow to import."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from koboshi.domain.errors import JournalError


def revision(connection: Connection) -> str | None:
    """Return the version of the schema; None if there is none yet."""
    if not inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    return None if found is None else str(found)


def newer(path: Path, found: str) -> JournalError:
    """Return the error for a journal that a newer program has made its own."""
    return JournalError(
        f"the journal {path} has schema version {found}, which this version of Koboshi does not "
        f"know: a newer one wrote it; run that version or a later one",
    )
