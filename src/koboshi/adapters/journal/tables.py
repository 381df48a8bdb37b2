"""The journal's tables as the queries use them; the migrations are what makes them.

Every column keeps its exact value on SQLite, PostgreSQL and MariaDB alike: hence moments as text in
UTC (MariaDB drops fractions, SQLite drops zones) and durations as whole microseconds.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, MetaData, String, Table, Text
from sqlalchemy.dialects.mysql import LONGTEXT, VARCHAR

HEAD = "0001"
"""The newest migration. Stands here so that a reader needs no alembic, which is slow to import."""

# An integer primary key is SQLite's own row number only if it is called INTEGER.
_Seq = BigInteger().with_variant(Integer(), "sqlite")
# MariaDB's TEXT ends at 64 KiB, the list of a large host's servers does not.
_Json = Text().with_variant(LONGTEXT(), "mysql", "mariadb")


def _text(length: int) -> String:
    # Names are compared byte by byte: MariaDB's default would take host A for host a.
    exact = VARCHAR(length, charset="utf8mb4", collation="utf8mb4_bin")
    return String(length).with_variant(exact, "mysql", "mariadb")


metadata = MetaData()

event = Table(
    "event",
    metadata,
    Column("seq", _Seq, primary_key=True, autoincrement=False),
    Column("wall", _text(40), nullable=False),
    Column("boot_us", BigInteger, nullable=False),
    Column("boot_id", _text(64), nullable=False),
    Column("kind", _text(64), nullable=False),
    Column("incident", _text(64)),
    Column("server", _text(64)),
    Column("data", _Json, nullable=False),
    Index("ix_event_incident", "incident", "seq"),
    Index("ix_event_server", "server", "seq"),
)

open_command = Table(
    "open_command",
    metadata,
    Column("subject", _text(300), primary_key=True),
    Column("command", _text(64), nullable=False, unique=True),
    Column("kind", _text(64), nullable=False),
    Column("seq", BigInteger, nullable=False),
)

leader = Table(
    "leader",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("epoch", BigInteger, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("holder", _text(300), nullable=False),
    Column("since", _text(40), nullable=False),
)

LEADER_ROW = 1
"""The one row of `leader`: locking it puts all writers in a line."""
