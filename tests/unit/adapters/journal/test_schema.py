"""The schema: what the migrations make is what the queries expect, on every database."""

import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.dialects.mysql.mariadb import MariaDBDialect
from sqlalchemy.dialects.postgresql import dialect as postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.schema import CreateTable

from koboshi.adapters.journal.schema import alembic_config
from koboshi.adapters.journal.sql import SqlJournal
from koboshi.adapters.journal.tables import HEAD, metadata
from koboshi.domain.errors import JournalError

from .samples import NOW, down


def test_the_newest_migration_is_the_one_that_readers_expect() -> None:
    assert ScriptDirectory.from_config(alembic_config()).get_heads() == [HEAD]


@pytest.mark.anyio
async def test_the_migrations_make_the_tables_that_are_queried(path: Path) -> None:
    async with await SqlJournal.open_to_lead(path, "first") as journal:
        with journal.writer.begin() as connection:
            assert compare_metadata(MigrationContext.configure(connection), metadata) == []


@pytest.mark.anyio
async def test_an_older_program_refuses_a_newer_schema(path: Path) -> None:
    async with await SqlJournal.open_to_lead(path, "first") as journal:
        await journal.append(NOW, [down("host-1")])
    with sqlite3.connect(path) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '0999'")
    connection.close()
    with pytest.raises(JournalError, match=r"version 0999.*a newer one wrote it; run that version"):
        await SqlJournal.open_to_lead(path, "older")


@pytest.mark.parametrize(
    ("dialect", "words"),
    [
        (postgresql(), ["BIGINT", "TEXT", "VARCHAR(300)"]),
        (MariaDBDialect(), ["BIGINT", "LONGTEXT", "VARCHAR(300) CHARACTER SET utf8mb4", "_bin"]),
    ],
    ids=["postgresql", "mariadb"],
)
def test_the_tables_suit_the_databases_to_come(dialect: Dialect, words: list[str]) -> None:
    made = "\n".join(str(CreateTable(t).compile(dialect=dialect)) for t in metadata.sorted_tables)
    assert [word for word in words if word not in made] == []
    assert "SERIAL" not in made
    assert "AUTO_INCREMENT" not in made
