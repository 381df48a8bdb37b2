"""The first schema: events, open commands, and who leads."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0001"
down_revision = None

_SEQ = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_JSON = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")


def _text(length: int) -> sa.String:
    exact = mysql.VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin")
    return sa.String(length).with_variant(exact, "mysql", "mariadb")


def upgrade() -> None:
    """Make the three tables, and the one row that says who leads (nobody yet)."""
    op.create_table(
        "event",
        sa.Column("seq", _SEQ, primary_key=True, autoincrement=False),
        sa.Column("wall", _text(40), nullable=False),
        sa.Column("boot_us", sa.BigInteger, nullable=False),
        sa.Column("boot_id", _text(64), nullable=False),
        sa.Column("kind", _text(64), nullable=False),
        sa.Column("incident", _text(64)),
        sa.Column("server", _text(64)),
        sa.Column("data", _JSON, nullable=False),
    )
    op.create_index("ix_event_incident", "event", ["incident", "seq"])
    op.create_index("ix_event_server", "event", ["server", "seq"])
    op.create_table(
        "open_command",
        sa.Column("subject", _text(300), primary_key=True),
        sa.Column("command", _text(64), nullable=False, unique=True),
        sa.Column("kind", _text(64), nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
    )
    leader = op.create_table(
        "leader",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("epoch", sa.BigInteger, nullable=False),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("holder", _text(300), nullable=False),
        sa.Column("since", _text(40), nullable=False),
    )
    op.bulk_insert(leader, [{"id": 1, "epoch": 0, "seq": 0, "holder": "", "since": ""}])
