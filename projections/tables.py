"""The tables of the read side, every column with a word on what it holds.

Amounts are whole cents (`*_cents`), exact on both databases; prices and quantities, which have more
decimals, are NUMERIC on PostgreSQL and text on SQLite, never floating. Days are civil dates.

`stream` names the aggregate a row was made from: rows are replaced a stream at a time. `body` is
what the API answers, made when the row is written (of contracts without its last brace: the fields
of the day come behind it); `private` holds the personal data it leaves out.

A projection's tables are thrown away and rebuilt at will. Tables of the `desk` are not: keys of the
API, webhooks and what was answered to whom are recorded nowhere else.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import BigInteger, Boolean, Column, Date, Integer, MetaData, Numeric, Table, Text
from sqlalchemy.types import DateTime

from billing.store.schema import StreamId

metadata: Final = MetaData()

Exact: Final = Text().with_variant(Numeric(), "postgresql")
Key: Final = Text().with_variant(Text(collation="C"), "postgresql")
"""Sorts by code point on both databases, as Python sorts: a page goes on where the last ended."""


def stream() -> Column[Any]:
    """The stream a row was made from."""
    return Column("stream", StreamId, nullable=False, comment="The aggregate the row is made from")


def key(name: str, comment: str, primary: bool = False) -> Column[Any]:
    """A code, a number, a name that is looked up and sorted by."""
    return Column(name, Key, nullable=False, primary_key=primary, comment=comment)


def text(name: str, comment: str) -> Column[Any]:
    """Words, "" where there are none."""
    return Column(name, Text, nullable=False, comment=comment)


def day(name: str, comment: str, *, primary: bool = False, optional: bool = False) -> Column[Any]:
    """A civil date."""
    return Column(name, Date, nullable=optional, primary_key=primary, comment=comment)


def moment(name: str, comment: str, *, optional: bool = False) -> Column[Any]:
    """A moment, with its time zone on PostgreSQL, in UTC."""
    return Column(name, DateTime(timezone=True), nullable=optional, comment=comment)


def cents(name: str, comment: str, *, optional: bool = False) -> Column[Any]:
    """An amount in whole cents; the comment says of what, the name ends in `_cents`."""
    return Column(name, BigInteger, nullable=optional, comment=f"{comment}, in cents")


def exact(name: str, comment: str, *, optional: bool = False) -> Column[Any]:
    """A price, a quantity, a rate or a coefficient, with as many decimals as it has."""
    return Column(name, Exact, nullable=optional, comment=comment)


def whole(name: str, comment: str, *, primary: bool = False, optional: bool = False) -> Column[Any]:
    """A count, a version, a rank."""
    return Column(name, Integer, nullable=optional, primary_key=primary, comment=comment)


def position(name: str, comment: str, *, primary: bool = False) -> Column[Any]:
    """A position in the log."""
    kind = BigInteger().with_variant(Integer(), "sqlite")
    return Column(
        name, kind, nullable=False, primary_key=primary, autoincrement=False, comment=comment
    )


def flag(name: str, comment: str) -> Column[Any]:
    """Yes or no."""
    return Column(name, Boolean, nullable=False, comment=comment)


def body() -> Column[Any]:
    """What the API answers for the row."""
    return Column("body", Text, nullable=False, comment="The row as the API answers it (JSON)")


IN_LINE: Final = {"toast_tuple_target": 8160}
"""On PostgreSQL, rows of a few kB stay as they are: compressing them takes longer than the rest."""


def private() -> Column[Any]:
    """The personal data of the row, "" where there is none."""
    return Column(
        "private", Text, nullable=False, comment="Its personal data (JSON), for those who need it"
    )


projection = Table(
    "projection",
    metadata,
    key("name", "The projection", primary=True),
    whole("version", "Of the code its rows were made by, negative if it could not: see runner.py"),
    position("failed_at", "The position of the event it stopped at; 0 while it goes on"),
    text("error", "Why it stopped"),
    comment="How each projection stands; how far it has followed the log is in `tracking`",
    info={"desk": True},
)
