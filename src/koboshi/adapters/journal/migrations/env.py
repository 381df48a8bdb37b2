"""What alembic runs: our migrations, on the connection and in the transaction of who calls it."""

from alembic import context

from koboshi.adapters.journal.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # Alembic takes SQLite to have no transactional DDL; with our explicit BEGIN it has.
    transactional_ddl=True,
)
context.run_migrations()
