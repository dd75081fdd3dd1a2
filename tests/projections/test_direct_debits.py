"""Collections and mandates: what was handed to the bank, what it said, and nobody's account."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal as D

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from billing.application import collections
from billing.events.party import (
    CollectionOrdered,
    CollectionReturned,
    CollectionSettled,
    MandateRevoked,
    PartyAmended,
)
from billing.identity import stream
from projections import direct_debits
from projections.bodies import in_euros
from projections.direct_debits import DirectDebits, collection, mandate
from projections.runner import Runner
from tests.collections import house


def rows(runner, query):
    with runner.store.reading() as connection:
        return connection.execute(query).all()


# On the demo


def test_followed_in_odd_pieces_it_is_what_is_rebuilt(retold):
    assert retold.compare("direct_debits") == []


def test_each_collection_is_told_as_billing_collections_tells_it(retold):
    found = {
        (row.supplier, row.end_to_end): (
            row.invoice, in_euros(row.amount_cents), row.collected_on, row.sequence, row.file,
            row.announced_on, row.status.replace("_", " "), row.returned_on or row.settled_on,
            row.return_code, row.return_reason,
        )
        for row in rows(retold, select(collection))
    }  # fmt: skip
    expected = {
        (one.supplier, one.end_to_end): (
            one.invoice, one.amount, one.collected_on, one.sequence, one.file, one.announced_on,
            one.status, one.on, one.code, one.why,
        )
        for one in collections.seen(retold.app)
    }  # fmt: skip
    assert len(found) > 150
    assert found == expected


def test_one_that_came_back_says_why_in_french_and_what_the_bank_charged(retold):
    (row,) = rows(retold, select(collection).where(collection.c.status == "returned"))
    told = json.loads(row.body)
    assert told["return_reason"] == row.return_reason == "AM04 : provision insuffisante"
    assert told["return_fee"] == f"{in_euros(row.return_fee_cents)}" == "12.50"
    assert row.settled_on < row.returned_on


def test_each_mandate_is_the_state_the_engine_keeps(retold):
    found = {row.reference: row for row in rows(retold, select(mandate))}
    known = [one.mandate for one in collections.mandates_seen(retold.app)]
    assert sorted(found) == sorted(one.reference for one in known)
    for one in known:
        row = found[one.reference]
        assert (row.last_used_on, row.lapses_on) == (one.collected_on, one.lapses_on)
        assert (row.presented, row.returned) == (one.presented, one.returned)
        assert (row.creditor, row.debtor, row.scheme) == (one.creditor, one.debtor, one.scheme)


def test_accounts_and_names_stand_in_private_only(retold):
    parties = {row.name: retold.app.party(row.name) for row in retold.store.states("party")}
    found = rows(retold, select(mandate))
    assert found
    for row in found:
        known = json.loads(row.private)
        assert known["debtor_name"] == parties[row.debtor].identity.name
        for told in (known["iban"], known["iban"][4:-4], known["bic"], known["debtor_name"]):
            assert told not in row.body
        assert json.loads(row.body)["account"] == f"{known['iban'][:4]} … {known['iban'][-4:]}"
    for row in rows(retold, select(collection.c.body)):
        assert not any(json.loads(one.private)["iban"] in row.body for one in found)


# By hand


@pytest.fixture
def app(url):
    """Three clients under a mandate each."""
    house.ready(url, house.plain(3))
    with house.opened(url, "2026-01-20") as opened:
        yield opened


def following(app):
    runner = Runner(app, [DirectDebits()])
    runner.catch_up()
    return runner


def tell(app, name, *events, kind="mandate"):
    id = stream(kind, name)
    app.write(app.stamp(events, id, len(app.store.read_stream(id))))


def ordered(number, rank=1, **more):
    return CollectionOrdered(
        end_to_end=number if rank == 1 else f"{number}/{rank}", supplier="S", invoice=number,
        amount=D("120.00"), collected_on=date(2026, 2, 2), sequence="FRST", file="F-1",
        batch="F-1-1", **more,
    )  # fmt: skip


def settled(number, rank=1):
    return CollectionSettled(
        end_to_end=ordered(number, rank).end_to_end, supplier="S", invoice=number,
        amount=D("120.00"), settled_on=date(2026, 2, 2),
    )  # fmt: skip


def returned(number, code="AM04"):
    return CollectionReturned(
        end_to_end=number, supplier="S", invoice=number, amount=D("120.00"),
        returned_on=date(2026, 2, 5), kind="return", code=code, settled=True, fee=D("12.5"),
    )  # fmt: skip


def standing(runner):
    query = select(collection.c.end_to_end, collection.c.status).order_by(collection.c.end_to_end)
    return dict(tuple(row) for row in rows(runner, query))


def test_an_answer_that_comes_much_later_finds_its_collection_among_the_others(app):
    runner = following(app)
    numbers = [f"F{n}" for n in range(3)]
    for number in numbers:
        tell(app, "RUM-00000", ordered(number))
        tell(app, "RUM-00000", ordered(number, 2))  # Its number is the invoice's of both.
        runner.catch_up()
    tell(app, "RUM-00000", settled("F1"))
    runner.catch_up()
    assert standing(runner) == {
        "F0": "under_way", "F0/2": "under_way", "F1": "settled", "F1/2": "under_way",
        "F2": "under_way", "F2/2": "under_way",
    }  # fmt: skip
    tell(app, "RUM-00000", returned("F1"), settled("F2", 2))
    runner.catch_up()
    after = standing(runner)
    assert (after["F1"], after["F2"], after["F2/2"]) == ("returned", "under_way", "settled")
    (row,) = rows(runner, select(collection).where(collection.c.end_to_end == "F1"))
    assert (row.settled_on, row.returned_on) == (date(2026, 2, 2), date(2026, 2, 5))
    assert json.loads(row.body)["return_fee"] == "12.50"
    assert runner.compare("direct_debits") == []


def test_ordered_and_answered_in_one_piece_is_the_same(app):
    runner = following(app)
    tell(app, "RUM-00000", ordered("F0"), settled("F0"), returned("F0", "MS03"), ordered("F0", 2))
    tell(app, "RUM-00001", settled("F9"))  # Of a collection that was never asked for here.
    runner.catch_up()
    assert standing(runner) == {"F0": "returned", "F0/2": "under_way"}
    assert runner.compare("direct_debits") == []


def test_a_party_renamed_renames_the_debtor_of_its_mandates(app):
    runner = following(app)
    known = app.party("C00001")
    amended = PartyAmended(party=replace(known.identity, name="Cliente renommée"))
    tell(app, "C00001", amended, kind="party")
    runner.catch_up()
    names = {row.debtor: json.loads(row.private)["debtor_name"]
             for row in rows(runner, select(mandate))}  # fmt: skip
    assert names == {
        "C00000": "Cliente C00000", "C00001": "Cliente renommée", "C00002": "Cliente C00002",
    }  # fmt: skip
    assert runner.compare("direct_debits") == []


def test_a_mandate_is_good_from_its_signature_until_it_lapses_or_is_revoked(app):
    runner = following(app)
    tell(app, "RUM-00001", MandateRevoked(revoked_on=date(2026, 3, 1)))
    tell(app, "RUM-00002", ordered("F2"), settled("F2"), returned("F2", "AC04"))
    runner.catch_up()
    found = {row.reference: row for row in rows(runner, select(mandate))}

    def why(reference, at):
        told = direct_debits.on_day(found[reference].body, date.fromisoformat(at))
        assert told["usable"] == (not told["why_not"])
        return told["why_not"]

    # Signed on 2025-12-01, never used: 36 months to 2028-12-01, good that day still.
    assert why("RUM-00000", "2025-11-30") == "signed on 2025-12-01"
    assert why("RUM-00000", "2025-12-01") == why("RUM-00000", "2028-12-01") == ""
    assert why("RUM-00000", "2028-12-02") == "lapsed on 2028-12-02"
    assert why("RUM-00001", "2026-02-28") == ""
    assert why("RUM-00001", "2026-03-01") == "revoked on 2026-03-01"
    assert (found["RUM-00001"].status, found["RUM-00000"].status) == ("revoked", "active")
    assert why("RUM-00002", "2026-03-01") == "stopped by the bank since 2026-02-05"


@pytest.mark.parametrize(
    ("iban", "shown"),
    [("FR7630006000011234567890189", "FR76 … 0189"), ("FR76", "…"), ("", "…")],
)
def test_an_account_is_recognised_and_cannot_be_used(iban, shown):
    assert direct_debits.masked(iban) == shown
