"""Contracts: how each stands and what a year of it costs, on any day, in SQL as in the program."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal as D
from fractions import Fraction
from uuid import UUID

import pytest
from sqlalchemy import inspect, select, text

from billing.application.outlook import STATUSES, standing
from billing.clauses import Terms
from billing.clauses.fees import Item
from billing.clauses.usage import Meter
from billing.contract.state import fold
from billing.dates import NEVER
from billing.events.party import Address, Identity, PartyAmended, PartyRegistered
from billing.identity import stream
from billing.money import to_cents
from projections import contracts, recurring
from projections.bodies import in_cents
from projections.contracts import Contracts, contract, yearly_fee, yearly_fees
from projections.parties import Parties, party
from projections.runner import Runner
from tests.projections.stages import days_of, laid_out, stages
from tests.scenario import day, recorded, signed

METER = Meter(code="GO", label="Sauvegarde", unit="Go", unit_price=D("3.00"))


@pytest.mark.parametrize("name", ["contracts", "parties", "prices", "history", "calendar"])
def test_followed_in_odd_pieces_it_is_what_is_rebuilt(retold, name):
    assert retold.compare(name) == []


def test_on_any_day_a_row_stands_as_the_outlook_says(app, told):
    some = stages(told)
    laid_out(app, Contracts(), some)
    seen = set()
    with app.store.reading() as connection:
        rows = {row.stream: row._mapping for row in connection.execute(select(contract))}
        assert len(rows) == len(some) > 200
        for on in days_of(some)[::5]:
            asked = f"'{on}'"
            if connection.dialect.name == "postgresql":
                asked = f"DATE {asked}"
            found = connection.execute(
                select(
                    contract.c.stream,
                    text(contracts.status_sql(asked)),
                    text(f"CAST({contracts.since_sql(asked)} AS TEXT)"),
                    text(contracts.why_sql(asked)),
                )
            )
            in_sql = {row[0]: tuple(row[1:]) for row in found}
            for id, state, _ in some:
                expected = standing(state, on)
                assert contracts.standing_on(rows[id], on) == expected
                assert in_sql[id] == (expected.status, str(expected.since), expected.why)
                seen.add(contracts.status_on(rows[id], on))
    assert seen == set(STATUSES)


def test_on_any_day_a_year_costs_the_items_of_that_day_at_the_prices_of_that_day(app, told):
    some = stages(told)
    laid_out(app, Contracts(), some)
    before: dict[UUID, list[tuple[date, int]]] = {}
    with app.store.reading() as connection:
        rows = {row.stream: row._mapping for row in connection.execute(select(contract))}
        for row in connection.execute(select(yearly_fee).order_by(yearly_fee.c.from_on)):
            before.setdefault(row.stream, []).append((row.from_on, row.yearly_cents))
        for on in days_of(some)[::5]:
            asked = f"DATE '{on}'" if connection.dialect.name == "postgresql" else f"'{on}'"
            found = connection.execute(select(contract.c.stream, text(contracts.yearly_sql(asked))))
            in_sql = {row[0]: row[1] for row in found}
            for id, state, _ in some:
                expected = in_cents(to_cents(summed(state, on)))
                assert in_sql[id] == expected, (state.number, state.version, on)
                assert contracts.yearly_on(rows[id], before.get(id, []), on) == expected
                if state.billable and on >= state.anchor_on:
                    assert to_cents(recurring.yearly_fee(state, on)) == D(expected).scaleb(-2)


def summed(state, on):
    """The definition, item by item: before the first day that day counts, from the end on none."""
    on = max(on, state.starts_on)
    if state.cancelled_on or on >= (state.ends_on or NEVER):
        return Fraction(0)
    total = Fraction(0)
    for covered in state.items:
        if covered.since <= on < (covered.until or NEVER):
            item = covered.item
            fee = Fraction(item.quantity) * Fraction(covered.price_on(on).unit_price)
            if item.discount_until is None or on <= item.discount_until:
                fee *= 1 - Fraction(item.discount) / 100
            total += fee * 12 / item.per_months
    return total


def test_a_yearly_fee_is_rounded_once_a_contract():
    by_seven = [
        Item(code=code, label=code, unit_price=D("10.00"), per_months=7) for code in ("A", "B")
    ]
    # 2 × 10.00 × 12/7 = 34.2857…; 17.14 twice would be 34.28.
    assert yearly_fees(state_of(*by_seven)) == [(day("2026-01-01"), D("34.29"))]


def test_a_yearly_fee_changes_on_the_days_its_items_do():
    option = Item(
        code="O", label="o", unit_price=D("5.00"), kind="option", until=day("2026-07-01"),
        discount=D(100), discount_until=day("2026-02-28"),
    )  # fmt: skip
    service = Item(code="S", label="s", unit_price=D("1200.00"), per_months=12)
    assert yearly_fees(state_of(service, option)) == [
        (day("2026-01-01"), D("1200.00")),
        (day("2026-03-01"), D("1260.00")),  # 1200 + 12 × 5
        (day("2026-07-01"), D("1200.00")),
    ]


@pytest.mark.parametrize(
    ("price", "per_months", "meters", "costs"),
    [
        ("900.00", 0, (), D("0.00")),  # Sold once.
        ("9.00", 0, (METER,), None),  # Nothing but usage.
        ("1110.15", 3, (), D("4440.60")),  # 4 × 1110.15
    ],
)
def test_what_is_sold_once_has_no_yearly_fee_and_usage_none(price, per_months, meters, costs):
    item = Item(code="I", label="i", unit_price=D(price), per_months=per_months)
    assert yearly_fees(state_of(item, terms=Terms(meters=meters))) == [(day("2026-01-01"), costs)]


def state_of(*items, **more):
    return fold(None, recorded([signed(*items, **more)]))


def test_the_body_of_a_contract_tells_its_items_at_their_last_prices_and_what_comes(retold):
    with retold.store.reading() as connection:
        found = select(contract.c.body).where(contract.c.number == "IM-2023-0042")
        told = json.loads(f"{connection.execute(found).scalar_one()}}}")
    assert told["next_instalment"] == {
        "on": "2026-12-01", "period": {"start": "2026-12-01", "end": "2027-01-01"},
    }  # fmt: skip
    assert told["term"] == {"start": "2026-07-01", "end": "2027-07-01"}
    # The last day of the term is 2027-06-30; three months before.
    assert told["notice_by"] == "2027-03-30"
    assert told["set_aside"]["clause"] == "revision"
    server = told["items"][0]
    # 95.00 × 313.3/301.9 = 98.587…
    assert (server["unit_price"], server["priced_since"]) == ("98.59", "2024-07-01")
    assert server["prices"][0] == {"from": "2023-07-01", "unit_price": "95.00", "by": 1}
    # 98.59 + 5 × 33.73 + 46.70 + 25.00 + 33.64 = 372.58 a month
    assert told["yearly_fees"][-1] == {"from": "2025-12-15", "amount": "4470.96"}


def test_no_row_tells_what_is_personal(retold, told):
    secrets = set()
    for event in told:
        if isinstance(event, PartyRegistered | PartyAmended):
            who = event.party
            secrets |= {who.email, who.iban, who.bic}
    secrets.discard("")
    assert len(secrets) > 8
    tables = [t for name in NAMES for t in retold.views[name].tables]
    with retold.store.reading() as connection:
        for table in tables:
            told_of = [c for c in table.columns if c.name != "private"]
            for row in connection.execute(select(*told_of)):
                said = " ".join(map(str, row))
                assert not [secret for secret in secrets if secret in said], (table.name, row)


NAMES = ("contracts", "parties", "prices", "history", "calendar")


def test_a_company_is_named_and_a_person_is_not(app):
    lyon = Address(lines=("1 rue de la Paix",), postcode="69001", city="Lyon")
    company = Identity(
        code="SA", name="Société Anonyme", siren="999001076", address=lyon, email="a@sa.example"
    )
    person = Identity(
        code="P-1", name="Jeanne Martin", address=lyon, iban="FR7630001007941234567890185",
        category="consumer",
    )  # fmt: skip
    for who in (company, person):
        app.write(app.stamp([PartyRegistered(party=who)], stream("party", who.code), 0))
    Runner(app, [Parties()]).catch_up()
    with app.store.reading() as connection:
        rows = {row.code: row for row in connection.execute(select(party))}
    assert rows["SA"].name == json.loads(rows["SA"].body)["name"] == "Société Anonyme"
    assert json.loads(rows["SA"].private) == {"email": "a@sa.example"}
    hidden = json.loads(rows["P-1"].private)
    assert (hidden["name"], hidden["address"]["city"]) == ("Jeanne Martin", "Lyon")
    assert (rows["P-1"].name, rows["P-1"].country) == ("", "FR")
    for secret in ("Jeanne", "Lyon", "FR76"):
        assert secret not in rows["P-1"].body


def test_every_column_says_what_it_holds(retold):
    for name in NAMES:
        for table in retold.views[name].tables:
            assert table.comment
            assert [c.name for c in table.columns if not c.comment] == []
            with retold.store.reading() as connection:
                kept = {c["name"] for c in inspect(connection).get_columns(table.name)}
            assert kept == set(table.columns.keys())
