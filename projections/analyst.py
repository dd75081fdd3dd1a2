"""What analysts read by SQL: views on the tables of the projections, each column with a comment.

They are for reading only, and hold no personal data: neither the tables' `private` and `body` nor
the names of those who recorded something. Amounts stand in cents (`net_cents`), whole, and in
euros (`net`): NUMERIC(18,2) on PostgreSQL, text with two decimals on SQLite, exact on both.

One description makes the views, their comments on PostgreSQL, the view `v_dictionary` that says the
same on both databases, and the table of README.md (`python -m projections.analyst`).

The tables under a view are replaced when a projection is rebuilt, and the view is made again with
them; the roles that could read any of the views can then read it as before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Final, NamedTuple

from sqlalchemy import Connection, Table, inspect, text

from billing.refusal import Refused
from projections import contracts
from projections.calendar import calendar
from projections.contracts import contract, yearly_fee
from projections.direct_debits import collection, mandate
from projections.history import history
from projections.invoices import invoice, invoice_line
from projections.ledger import ledger_line, ledger_total
from projections.parties import party
from projections.prices import price, price_revision
from projections.receivables import (
    payment,
    payment_movement,
    receivable,
    receivable_movement,
)
from projections.recurring import recurring_move, recurring_total
from projections.revenue import revenue_month, revenue_total
from projections.runs import run, set_aside

DICTIONARY: Final = "v_dictionary"
HIDDEN: Final = frozenset(("stream", "body", "private", "site", "opened_by"))
"""Keys of our own, what the API answers, and what may be personal: where someone lives, who did."""

PUBLIC: Final = "PUBLIC"
IN_CENTS, CENTS = "_cents", ", in cents"


class Shown(NamedTuple):
    """A column of a view: its name, the SQL it is made by, and what it holds."""

    name: str
    sql: str
    comment: str


class Seen(NamedTuple):
    """A view: the table it shows, less some columns, and others beside them.

    `more` takes the dialect; `also` are the tables it looks into besides.
    """

    name: str
    table: Table
    comment: str
    without: tuple[str, ...] = ()
    more: Callable[[str], tuple[Shown, ...]] = lambda dialect: ()
    also: tuple[Table, ...] = ()
    joined: str = ""
    where: str = ""

    @property
    def tables(self) -> tuple[Table, ...]:
        """Every table it is made from."""
        return (self.table, *self.also)

    def columns(self, dialect: str) -> Iterator[Shown]:
        """Its columns, each amount in cents and in euros."""
        for column in self.table.columns:
            if column.name in HIDDEN or column.name in self.without:
                continue
            assert column.comment, (self.table.name, column.name)
            sql = f"{self.table.name}.{column.name}"
            yield from _with_euros(Shown(column.name, sql, column.comment), dialect)
        for shown in self.more(dialect):
            yield from _with_euros(shown, dialect)

    def select(self, dialect: str) -> str:
        """The query it stands for."""
        columns = ", ".join(f"{shown.sql} AS {shown.name}" for shown in self.columns(dialect))
        where = f" WHERE {self.where}" if self.where else ""
        return f"SELECT {columns} FROM {self.table.name}{self.joined}{where}"


def _with_euros(shown: Shown, dialect: str) -> Iterator[Shown]:
    yield shown
    if shown.name.endswith(IN_CENTS):
        name, comment = shown.name.removesuffix(IN_CENTS), shown.comment.removesuffix(CENTS)
        yield Shown(name, _euros(shown.sql, dialect), f"{comment}, in euros")


def _euros(cents: str, dialect: str) -> str:
    """Cents as euros with two decimals, no binary fraction between."""
    if dialect == "postgresql":
        return f"CAST({cents} / 100.0 AS NUMERIC(18, 2))"
    sign = f"CASE WHEN {cents} < 0 THEN '-' ELSE '' END"
    return f"{sign} || (abs({cents}) / 100) || '.' || substr('0' || (abs({cents}) % 100), -2)"


def _standing(dialect: str) -> tuple[Shown, ...]:
    """What of a contract depends on the day it is asked."""
    today = "CURRENT_DATE"
    return (
        Shown("status", contracts.status_sql(today), "How it stands today"),
        Shown("status_since", contracts.since_sql(today), "Since when, where that is known"),
        Shown("yearly_today_cents", contracts.yearly_sql(today), "Its yearly fee today, in cents"),
    )


def _account(dialect: str) -> tuple[Shown, ...]:
    body = "CAST(mandate.body AS JSON) ->> 'account'"
    if dialect == "sqlite":
        body = "json_extract(mandate.body, '$.account')"
    return (Shown("account", body, "The debtor's account, masked"),)


def _deferred(dialect: str) -> tuple[Shown, ...]:
    """What is deferred and accrued at a month's end: the sum of the moves up to it."""

    def balance(name: str, comment: str) -> Shown:
        up_to = "OVER (PARTITION BY supplier, kind ORDER BY month)"
        # A sum of BIGINT is NUMERIC on PostgreSQL.
        sql = f"CAST(sum({name}_cents) {up_to} AS BIGINT)"
        return Shown(f"{name}_balance_cents", sql, f"{comment}, at the month's end, in cents")

    return (
        balance("deferred", "Billed and not earned (produits constatés d'avance)"),
        balance("accrued", "Earned and not billed (produits à recevoir)"),
    )


_RUNS_TODAY = "price.from_on <= CURRENT_DATE AND coalesce(price.until_on > CURRENT_DATE, TRUE)"

VIEWS: Final = (
    Seen(
        "v_calendar",
        calendar,
        "Days to come, and days passed with something left to do (agenda)",
        without=("rank",),
        where="calendar.what <> 'bank line'",  # What payers write may name a person.
    ),
    Seen(
        "v_contract",
        contract,
        "Contracts as they are now (contrats)",
        without=(
            *("billable", "yearly_from", "yearly_cents", "prompt", "why_running", "priced_from"),
        ),
        more=_standing,
        also=(yearly_fee,),
    ),
    Seen(
        "v_contract_item",
        price,
        "What contracts cover today, at today's prices (articles)",
        without=("recorded_by", "recorded_at"),
        where=_RUNS_TODAY,
    ),
    Seen("v_direct_debit", collection, "Direct debits, and what became of each (prélèvements)"),
    Seen(
        "v_history",
        history,
        "Every event, in words (chronologie)",
        without=("recorded_by",),
        more=lambda dialect: (
            Shown("contract", "contract.number", "The contract it is about"),
            Shown("document", "invoice.number", "The document it is about"),
        ),
        also=(contract, invoice),
        joined=" LEFT JOIN contract ON contract.stream = history.stream"
        " LEFT JOIN invoice ON invoice.stream = history.stream",
    ),
    Seen(
        "v_invoice",
        invoice,
        "Documents issued: invoices, deposits, credit and debit notes",
        without=("recorded_by",),
    ),
    Seen("v_invoice_line", invoice_line, "The lines of the documents"),
    Seen(
        "v_ledger_line",
        ledger_line,
        "Lines of the entries of the books, as in the FEC",
        without=("rank",),
    ),
    Seen("v_ledger_month", ledger_total, "What each account moved in a month (balance)"),
    Seen("v_mandate", mandate, "Mandates for direct debits, accounts masked", more=_account),
    Seen("v_party", party, "Companies that supply and buy; of persons only the code"),
    Seen("v_payment", payment, "Payments received and what is left of each (règlements)"),
    Seen("v_payment_movement", payment_movement, "What came of each payment, and where it went"),
    Seen("v_price", price, "Every price an item has had (prix)", without=("recorded_by",)),
    Seen("v_receivable", receivable, "What is owed on each document (créances)"),
    Seen("v_receivable_movement", receivable_movement, "What changed the amount owed"),
    Seen("v_recurring_month", recurring_total, "What moved the recurring revenue, by month"),
    Seen("v_recurring_move", recurring_move, "What moved the yearly fees of a contract"),
    Seen(
        "v_revenue_document",
        revenue_month,
        "What each document billed and earned, by month and kind",
    ),
    Seen(
        "v_revenue_month",
        revenue_total,
        "What a company billed and earned, by month and kind",
        more=_deferred,
    ),
    Seen(
        "v_revision",
        price_revision,
        "Revisions of prices (révisions de prix)",
        without=("recorded_by",),
    ),
    Seen("v_run", run, "Billing runs"),
    Seen("v_set_aside", set_aside, "What could not be done when it was due (mises de côté)"),
)


# In the database


def ensure(connection: Connection) -> None:
    """Makes the views, unless they are there as this version of the program knows them."""
    if current(connection):
        return
    dialect, roles = connection.dialect.name, granted(connection)
    for name in _there(connection):
        _run(connection, f"DROP VIEW {name}")
    rows = (*dictionary(dialect), (DICTIONARY, "", _version(dialect)))
    told = ", ".join(f"({', '.join(map(_quoted, row))})" for row in rows)
    columns = "column1 AS view_name, column2 AS column_name, column3 AS description"
    _run(connection, f"CREATE VIEW {DICTIONARY} AS SELECT {columns} FROM (VALUES {told}) AS told")
    create(connection, (table for view in VIEWS for table in view.tables), roles)
    grant(connection, roles, [DICTIONARY])


def current(connection: Connection) -> bool:
    """Whether the views are those this version of the program knows."""
    there = inspect(connection).has_table(DICTIONARY)
    return there and _version_there(connection) == _version(connection.dialect.name)


def drop(connection: Connection, tables: Iterable[Table]) -> list[str]:
    """Takes away the views on these tables, that are to be replaced; which roles could read."""
    roles, there = granted(connection), _there(connection)
    for view in _on(tables):
        if view.name in there:
            _run(connection, f"DROP VIEW {view.name}")
    return roles


def create(connection: Connection, tables: Iterable[Table], roles: Sequence[str] = ()) -> None:
    """Makes the views on these tables, and has those roles read them.

    One that needs a table, or a column, that is not there waits for its projection to be rebuilt.
    """
    dialect = connection.dialect.name
    made = [view for view in _on(tables) if _complete(connection, view)]
    for view in made:
        _run(connection, f"CREATE VIEW {view.name} AS {view.select(dialect)}")
        if dialect == "postgresql":
            told = [f"COMMENT ON VIEW {view.name} IS {_quoted(view.comment)}"]
            told += [
                f"COMMENT ON COLUMN {view.name}.{shown.name} IS {_quoted(shown.comment)}"
                for shown in view.columns(dialect)
            ]
            _run(connection, "; ".join(told))
    grant(connection, roles, [view.name for view in made])


def granted(connection: Connection) -> list[str]:
    """The roles that may read any of the views: PostgreSQL's; SQLite has none."""
    if connection.dialect.name != "postgresql":
        return []
    found = connection.execute(
        text(
            "SELECT DISTINCT coalesce(quote_ident(pg_roles.rolname), :everyone)"
            " FROM pg_class, aclexplode(pg_class.relacl) AS acl"
            " LEFT JOIN pg_roles ON pg_roles.oid = acl.grantee"
            " WHERE relkind = 'v' AND starts_with(relname, 'v_') AND acl.grantee <> relowner"
            " AND relnamespace = CAST(current_schema() AS regnamespace)"
            " AND privilege_type = 'SELECT'"
        ),
        {"everyone": PUBLIC},
    )
    return sorted(found.scalars())


def grant(connection: Connection, roles: Sequence[str], views: Sequence[str] = ()) -> None:
    """Has roles (quoted, where their names have to be) read these views, or all there are."""
    if not roles:
        return
    names = ", ".join(views or _there(connection))
    schema = connection.execute(text("SELECT quote_ident(current_schema())")).scalar_one()
    for role in roles:
        _run(connection, f"GRANT USAGE ON SCHEMA {schema} TO {role}")
        if names:
            _run(connection, f"GRANT SELECT ON {names} TO {role}")


def grant_to(connection: Connection, role: str) -> list[str]:
    """Has a role of the server's read the views, nothing else; which there are.

    Raises Refused where there are no roles, or none of that name.
    """
    if connection.dialect.name != "postgresql":
        raise Refused("SQLite has no roles: whoever opens the file reads all of it")
    known = text("SELECT 1 FROM pg_roles WHERE rolname = :role")
    if role != PUBLIC and not connection.execute(known, {"role": role}).scalar():
        raise Refused(f"no role {role} on this server: CREATE ROLE makes one")
    quoted = connection.dialect.identifier_preparer.quote_identifier(role)
    grant(connection, [PUBLIC if role == PUBLIC else quoted])
    return _there(connection)


def dictionary(dialect: str = "sqlite") -> Iterator[tuple[str, str, str]]:
    """View, column ("" for the view itself) and what it holds, in order."""
    for view in VIEWS:
        yield view.name, "", view.comment
        for shown in view.columns(dialect):
            yield view.name, shown.name, shown.comment


def _run(connection: Connection, sql: str) -> None:
    """Runs a statement as it is written, % and all."""
    postgresql = connection.dialect.name == "postgresql"
    connection.exec_driver_sql(sql.replace("%", "%%") if postgresql else sql)


def _on(tables: Iterable[Table]) -> list[Seen]:
    names = {table.name for table in tables}
    return [view for view in VIEWS if names.intersection(one.name for one in view.tables)]


def _there(connection: Connection) -> list[str]:
    return [name for name in inspect(connection).get_view_names() if name.startswith("v_")]


def _complete(connection: Connection, view: Seen) -> bool:
    here = inspect(connection)
    for table in view.tables:
        if not here.has_table(table.name):
            return False
        known = {column["name"] for column in here.get_columns(table.name)}
        if not known.issuperset(table.columns.keys()):
            return False
    return True


def _version(dialect: str) -> str:
    told = [(view.select(dialect), *view.columns(dialect)) for view in VIEWS]
    return sha256(repr(told).encode()).hexdigest()[:16]


def _version_there(connection: Connection) -> str | None:
    query = text(f"SELECT description FROM {DICTIONARY} WHERE view_name = :view")
    found: str | None = connection.execute(query, {"view": DICTIONARY}).scalar()
    return found


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


# In README.md


def readme() -> str:
    """The views as a table of Markdown."""
    shown: dict[str, list[str]] = {}
    about: Mapping[str, str] = {view.name: view.comment for view in VIEWS}
    for view, column, _ in dictionary():
        if column:
            shown.setdefault(view, []).append(column)
    rows = [f"| `{view}` | {about[view]} | {', '.join(found)} |" for view, found in shown.items()]
    return "\n".join(["| view | what it shows | columns |", "|---|---|---|", *rows])


if __name__ == "__main__":
    print(readme())
