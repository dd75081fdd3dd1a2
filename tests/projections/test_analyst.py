"""Analysts read views, and nothing else: every column with a comment, amounts exact, no person."""

from __future__ import annotations

import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from click.testing import CliRunner
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from billing.cli import cli
from billing.events.party import MandateSigned, PartyRegistered
from billing.events.payment import PaymentReceived
from billing.refusal import Refused
from projections import analyst
from projections.runner import Runner
from tests.projections.following import opened

README = Path(analyst.__file__).with_name("README.md")
NAMES = [view.name for view in analyst.VIEWS]


def asked(retold: Runner, query: str, **given: Any) -> list[Any]:
    with retold.store.reading() as connection:
        return [tuple(row) for row in connection.execute(text(query), given)]


def test_the_views_asked_for_are_there(retold):
    expected = (
        "v_contract v_contract_item v_price v_revision v_invoice v_invoice_line v_receivable"
        " v_direct_debit v_mandate v_revenue_month v_recurring_move v_ledger_line v_run"
        " v_set_aside v_history v_calendar"
    )
    assert set(expected.split()) <= set(NAMES)
    assert all(asked(retold, f"SELECT count(*) FROM {name}")[0][0] for name in NAMES)


def test_every_column_says_what_it_holds_in_the_database_itself(retold):
    told = asked(retold, "SELECT view_name, column_name, description FROM v_dictionary")
    known = {(view, column): words for view, column, words in told}
    for name in NAMES:
        with retold.store.reading() as connection:
            columns = list(connection.execute(text(f"SELECT * FROM {name} LIMIT 0")).keys())
        for column in ("", *columns):
            assert known[name, column], (name, column)
    if retold.store.engine.dialect.name == "postgresql":
        comments = asked(
            retold,
            "SELECT relname, coalesce(attname, ''), description FROM pg_description"
            " JOIN pg_class ON pg_class.oid = objoid LEFT JOIN pg_attribute ON attrelid = objoid"
            " AND attnum = objsubid AND objsubid > 0 WHERE relkind = 'v'"
            " AND starts_with(relname, 'v_')",
        )
        assert {(view, column): words for view, column, words in comments} == {
            key: words for key, words in known.items() if key[0] != analyst.DICTIONARY
        }


def test_amounts_in_euros_are_those_in_cents_to_the_cent(retold):
    pairs = 0
    for name in NAMES:
        with retold.store.reading() as connection:
            found = connection.execute(text(f"SELECT * FROM {name}"))
            columns = list(found.keys())
            amounts = [c.removesuffix("_cents") for c in columns if c.endswith("_cents")]
            for row in found.mappings():
                for amount in amounts:
                    cents, euros = row[f"{amount}_cents"], row[amount]
                    assert not isinstance(euros, float)
                    assert (cents is None) == (euros is None)
                    if cents is not None:
                        assert Decimal(euros) == Decimal(cents) / 100
                        assert re.fullmatch(r"-?\d+\.\d\d", str(euros))
                        pairs += 1
    assert pairs > 5_000


@pytest.mark.parametrize(
    ("cents", "euros"),
    [(0, "0.00"), (5, "0.05"), (-5, "-0.05"), (123456, "1234.56"), (-100, "-1.00"), (None, None)],
)
def test_euros_on_sqlite_are_written_as_they_are(cents, euros):
    sql = analyst._euros("given", "sqlite")
    with create_engine("sqlite://").connect() as connection:
        query = text(f"SELECT {sql} FROM (SELECT :cents AS given)")
        assert connection.execute(query, {"cents": cents}).scalar() == euros


def test_no_view_says_anything_personal(retold, told):
    secret: set[str] = set()
    for event in told:
        if isinstance(event, PartyRegistered):
            secret |= {event.party.email, event.party.iban}
        elif isinstance(event, MandateSigned):
            secret.add(event.iban)
        elif isinstance(event, PaymentReceived):
            secret |= {event.payer_iban, event.remittance}
    secret = {one for one in secret if one}
    assert len(secret) > 10
    for name in NAMES:
        shown = "\n".join(map(str, asked(retold, f"SELECT * FROM {name}")))
        assert [one for one in secret if one in shown] == [], name


def test_revenue_by_month_says_what_is_deferred_at_each_month_s_end(retold):
    rows = asked(
        retold,
        "SELECT supplier, kind, month, billed_cents, earned_cents, deferred_balance_cents,"
        " accrued_balance_cents FROM v_revenue_month ORDER BY supplier, kind, month",
    )
    billed: dict[tuple[str, str], int] = {}
    for supplier, kind, _, more, earned, deferred, accrued in rows:
        billed[supplier, kind] = billed.get((supplier, kind), 0) + more - earned
        assert deferred - accrued == billed[supplier, kind]


def test_the_readme_lists_the_views_as_they_are():
    assert analyst.readme() in README.read_text()


def test_views_are_made_again_only_when_the_program_knows_others(url, monkeypatch):
    def made() -> list[str]:
        with opened(url) as app:
            Runner(app).prepare()
            with app.store.transaction() as tx, tx.writing() as connection:
                statements.clear()
                analyst.ensure(connection)
                there = analyst._there(connection)
            app.store.close()
        return there

    statements: list[str] = []
    run = analyst._run
    monkeypatch.setattr(analyst, "_run", lambda c, sql: (statements.append(sql), run(c, sql)))
    assert set(made()) == {*NAMES, analyst.DICTIONARY}
    assert statements == []
    monkeypatch.setattr(analyst, "VIEWS", analyst.VIEWS[:-1])
    assert set(made()) == {*NAMES[:-1], analyst.DICTIONARY}


@pytest.fixture
def role(url, postgres):
    """A role of the server's that may do nothing yet, and how it asks."""
    if url.startswith("sqlite"):
        pytest.skip("SQLite has no roles")
    database = make_url(url).database

    def connected(user: str) -> Any:
        connection = psycopg2.connect(dbname=database, user=user, host=str(postgres.folder))
        connection.autocommit = True
        return connection

    name = f"analyst {database}"
    owner = connected("postgres")
    owner.cursor().execute(f'CREATE ROLE "{name}" LOGIN')
    yield name, lambda query: _answer(connected(name), query)
    owner.cursor().execute(f'DROP OWNED BY "{name}"; DROP ROLE "{name}"')


def _answer(connection: Any, query: str) -> Any:
    cursor = connection.cursor()
    try:
        cursor.execute(query)
        return cursor.fetchall()
    except psycopg2.errors.InsufficientPrivilege as error:
        return str(error).split("\n")[0]
    finally:
        connection.close()


def test_a_role_that_is_granted_the_views_reads_them_and_no_table(url, app, told, role):
    name, ask = role
    app.write(told)
    runner = Runner(app)
    runner.catch_up()
    assert "permission denied" in ask("SELECT count(*) FROM v_invoice")
    answer = CliRunner().invoke(cli, ["--database", url, "project", "--grant", name])
    assert (answer.exit_code, answer.stderr) == (0, "")
    for view in (*NAMES, analyst.DICTIONARY):
        assert isinstance(ask(f"SELECT * FROM {view} LIMIT 1"), list)
    for table in ("invoice", "mandate", "party", "events", "states", "projection", "api_key"):
        assert ask(f"SELECT * FROM {table}") == f"permission denied for table {table}"
    assert "permission denied" in ask("UPDATE v_run SET name = name")
    assert "permission denied" in ask("CREATE TABLE mine (one integer)")
    for projection in ("invoices", "receivables", "contracts"):
        runner.rebuild(projection)
    assert ask("SELECT count(*) FROM v_invoice") != [(0,)]
    assert isinstance(ask("SELECT count(*) FROM v_history"), list)


def test_a_role_that_is_none_is_refused(app):
    Runner(app).prepare()
    with app.store.reading() as connection:
        sqlite = connection.dialect.name == "sqlite"
        with pytest.raises(Refused, match="SQLite has no roles" if sqlite else "no role nobody_at"):
            analyst.grant_to(connection, "nobody_at_all")
