"""What is owed: rows that reconcile, and the engine's own balance, on any day."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D

import pytest
from sqlalchemy import func, select

from billing import receivable as fold
from billing.application import Billing, balances
from billing.application.receivables import book
from billing.dates import DAY
from billing.demo import story
from billing.events import Event
from billing.events.invoice import DebitNoteIssued, InvoiceIssued, PaymentAllocated, PaymentReversed
from billing.events.party import CollectionOrdered, CollectionSettled
from billing.events.payment import PaymentIdentified, PaymentReceived
from billing.identity import invoice_id, stream
from projections import receivables, receivables_at
from projections.bodies import in_euros
from projections.invoices import invoice
from projections.receivables import Receivables, payment, payment_movement, receivable
from projections.runner import Runner
from tests.collections import house
from tests.money.office import Office, day


def rows(runner, query):
    with runner.store.reading() as connection:
        return connection.execute(query).all()


def aged(runner, at, *of):
    with runner.store.reading() as connection:
        return receivables_at.aged(connection, at, *of)


# On the demo


def test_followed_in_odd_pieces_it_is_what_is_rebuilt(retold):
    assert retold.compare("receivables") == []


def test_of_each_document_what_was_invoiced_is_paid_owed_credited_or_written_off(retold):
    found = rows(retold, select(receivable))
    assert len(found) > 190
    for row in found:
        assert row.gross_cents == (
            row.paid_cents + row.owed_cents + row.written_off_cents + row.credited_cents
        ), row.number


def test_in_total_what_the_register_invoiced_is_what_came_of_it(retold):
    billed = select(func.sum(invoice.c.gross_cents)).where(invoice.c.kind != "credit_note")
    given = select(func.sum(-invoice.c.gross_cents)).where(invoice.c.kind == "credit_note")
    c = receivable.c
    became = select(
        func.sum(c.paid_cents), func.sum(c.owed_cents), func.sum(c.written_off_cents),
        func.sum(c.credited_cents),
    )  # fmt: skip
    ((invoiced,),), ((back,),) = rows(retold, billed), rows(retold, given)
    ((paid, owed, lost, credited),) = rows(retold, became)
    assert invoiced == paid + owed + lost + credited > 0
    assert credited == back > 0


def test_each_row_says_what_the_book_of_the_engine_says(retold):
    found = {(row.supplier, row.number): row for row in rows(retold, select(receivable))}
    known = [r for r in book(retold.app).documents() if r.kind != "credit_note"]
    assert len(found) == len(known)
    for r in known:
        row = found[r.supplier, r.number]
        assert in_euros(row.owed_cents) == r.owed
        assert (row.due_on, row.disputed_on, row.debit) == (r.due_on, r.disputed_on, r.collecting)
        assert in_euros(row.interest_cents) == r.interest
        assert in_euros(row.fee_cents) == r.fee


def test_movements_sum_to_what_left_the_gross(retold):
    m = receivables.receivable_movement.c
    sums = select(m.supplier, m.number, func.sum(m.amount_cents)).group_by(m.supplier, m.number)
    moved = {(supplier, number): cents for supplier, number, cents in rows(retold, sums)}
    for row in rows(retold, select(receivable)):
        assert row.gross_cents - moved.get((row.supplier, row.number), 0) == row.owed_cents


def test_what_is_left_of_payments_is_what_came_of_them(retold):
    m = payment_movement.c
    sums = select(m.supplier, m.reference, func.sum(m.amount_cents)).group_by(
        m.supplier, m.reference
    )
    left = {(supplier, reference): cents for supplier, reference, cents in rows(retold, sums)}
    found = rows(retold, select(payment))
    assert found
    for row in found:
        assert left[row.supplier, row.reference] == row.left_cents
        assert json.loads(row.body)["left"] == f"{in_euros(row.left_cents)}"


def test_what_payers_wrote_stands_in_private_only(retold):
    known = [row for row in rows(retold, select(payment)) if row.private]
    assert known
    for row in known:
        for told in filter(None, json.loads(row.private).values()):
            assert told not in row.body


def test_the_aged_balance_is_that_of_billing_owed_on_every_eleventh_day(retold):
    first, last = date(2024, 1, 1), story.TODAY + timedelta(days=120)
    days = [first + n * DAY for n in range(0, (last - first).days, 11)]
    totals = set()
    for at in days:
        expected = balances.aged(retold.app, at)
        assert aged(retold, at) == expected, at
        totals.add(expected.total.total)
    assert len(totals) > 20


def test_the_aged_balance_of_a_client_or_a_company_is_too(retold):
    today = story.TODAY
    whole = balances.aged(retold.app, today)
    assert len(whole.clients) > 1
    for line in whole.clients:
        assert aged(retold, today, line.client) == balances.aged(retold.app, today, line.client)
    for supplier in retold.app.suppliers():
        expected = balances.aged(retold.app, today, supplier=supplier)
        assert aged(retold, today, None, supplier) == expected


def streams(runner):
    known = list(book(runner.app).documents())
    return {invoice_id(r.supplier, r.number): r for r in known}


def test_folded_again_from_its_events_each_document_is_what_the_book_has(retold):
    expected = streams(retold)
    assert receivables_at.documents_at(retold.app, expected) == expected


@pytest.mark.parametrize("at", ["2024-06-30", "2025-10-10", "2025-10-12", "2026-05-15"])
def test_as_of_a_day_each_document_is_owed_what_it_was_at_the_end_of_it(retold, at):
    now = streams(retold)
    on = date.fromisoformat(at)
    then = receivables_at.documents_at(retold.app, now, as_of=on)
    assert 0 < len(then) < len(now)
    for id, r in now.items():
        assert (then[id].owed if id in then else 0) == r.owed_on(on)
        assert (id in then) == (r.issued_on <= on)


def test_known_at_a_moment_is_what_the_record_up_to_it_makes(retold, told, url):
    middle = len(told) // 2
    while told[middle].recorded_at == told[middle - 1].recorded_at:
        middle += 1
    moment = told[middle - 1].recorded_at
    app = Billing({"DATABASE_URL": url})
    app.write(told[:middle])
    then = {invoice_id(r.supplier, r.number): r for r in book(app).documents()}
    app.close()
    assert receivables_at.documents_at(retold.app, streams(retold), known_at=moment) == then


def stood(told, place, ids):
    """Some documents as the record up to a place leaves them."""
    found = {}
    for event in told[:place]:
        id = event.originator_id
        if type(event) in fold.OBSERVED:
            id = invoice_id(event.supplier, event.invoice)
            found |= {id: fold.observe(found[id], event)} if id in ids else {}
        elif id in ids:
            found[id] = fold.apply(found.get(id), event)
    return found.values()


def test_what_debit_notes_claimed_is_what_was_accrued_and_not_charged_just_before(retold, told):
    notes = [place for place, event in enumerate(told) if isinstance(event, DebitNoteIssued)]
    assert len(notes) > 10
    for place in notes:
        note = told[place]
        claimed: dict[str, D] = {}
        for line in note.lines:
            claimed[line.invoice] = claimed.get(line.invoice, D(0)) + line.amount
        late = stood(told, place, {invoice_id(note.supplier, number) for number in claimed})
        found = receivables_at.accrued(retold.app, late, note.issued_on)
        assert claimed == {number: found[note.supplier, number].to_charge for number in claimed}


# By hand


@pytest.fixture
def office(url):
    with Office(url) as opened:
        opened.signs("K-1")
        yield opened


def following(office):
    runner = Runner(office.app, [Receivables()])
    runner.catch_up()
    return runner


def one(runner, number):
    (row,) = rows(runner, select(receivable).where(receivable.c.number == number))
    return row


def unknown(office, amount, on):
    """Money comes from someone nobody knows."""
    came = PaymentReceived(
        reference="WHO", supplier="S", client="", amount=D(amount), value_on=day(on)
    )
    office.app.write(office.app.stamp([came], stream("payment", "S/WHO"), 0))


def everything_happens(office):
    """An account with all that can happen to one, told while a projection follows."""
    office.signs("K-2", client="D")
    office.invoice("F-1", "100.00", issued="01-01")
    yield
    office.pays("130.00", "02-03", means="cheque", reference="CHQ")
    yield
    office.credits("F-1", "A-1", "40.00", "02-10")
    office.does("refund", invoice="F-1", reason="avoir", refunded_on="02-12", amount="25.00")
    office.does("refund", payment="CHQ", reason="trop-perçu", refunded_on="02-13", amount="5.00")
    yield
    office.invoice("F-2", "60.00", issued="03-01", due="03-31")
    office.does("set-off", client="C")
    yield
    collected = PaymentAllocated(
        amount=D("20.00"), value_on=day("04-02"), means="direct_debit", collection="F-2"
    )
    office.tells("F-2", collected)
    yield
    back = PaymentReversed(amount=D("20.00"), value_on=day("04-09"), collection="F-2", code="AM04")
    office.tells("F-2", back)
    office.does("reject-payment", payment="CHQ", rejected_on="05-01")
    yield
    office.debit_note("N-1", "7.00", issued="05-05", due="05-05")
    office.does("write-off", invoice="N-1", reason="geste", written_off_on="05-06")
    office.invoice("F-6", "1080.00", due="06-01")
    office.withholds("F-6", "54.00", "01-03")
    yield
    office.pays("1026.00", "05-20", reference="C-2", amounts={"F-6": "1026.00"})
    office.releases("F-6", "54.00", "06-10")
    office.invoice("F-7", "70.00", due="01-31", client="D", contract="K-2")
    office.pays("75.00", "02-01", client="D", reference="D-1")
    unknown(office, "12.34", "06-20")
    yield


def test_whatever_happens_the_rows_that_followed_it_are_those_rebuilt(office):
    runner = following(office)
    for _ in everything_happens(office):
        runner.catch_up()
    assert runner.compare("receivables") == []
    for at in (
        "01-15",
        "01-31",
        "02-03",
        "02-10",
        "02-13",
        "03-01",
        "04-02",
        "04-09",
        "05-01",
        "05-06",
        "05-19",
        "06-09",
        "06-10",
        "06-11",
        "06-20",
        "06-30",
        "07-11",
        "12-31",
    ):
        assert aged(runner, day(at)) == balances.aged(office.app, day(at)), at


def test_a_payment_taken_back_is_owed_again_and_tells_the_payment(office):
    runner = following(office)
    office.invoice("F-1", "100.00")
    office.pays("100.00", "03-01", means="cheque", reference="CHQ")
    runner.catch_up()
    assert (one(runner, "F-1").owed_cents, one(runner, "F-1").paid_on) == (0, day("03-01"))
    (paid,) = rows(runner, select(payment))
    assert (paid.left_cents, json.loads(paid.body)["allocated"]) == (
        0,
        [{"on": "2026-03-01", "document": "F-1", "amount": "100.00"}],
    )
    office.does("reject-payment", payment="CHQ", rejected_on="04-01")
    runner.catch_up()
    (paid,) = rows(runner, select(payment))
    assert (one(runner, "F-1").owed_cents, paid.left_cents, paid.rejected_on) == (
        10000,
        0,
        day("04-01"),
    )


def test_paid_in_advance_a_document_is_not_there_before_it_was_issued(office):
    office.pays("60.00", "01-05", reference="EARLY")
    office.invoice("F-1", "100.00", issued="02-01", due="02-28")
    office.does("allocate", payment="EARLY", amounts={"F-1": "60.00"})
    runner = following(office)
    id = invoice_id("S", "F-1")
    for at, owed in (("01-20", None), ("02-01", D("40.00"))):
        then = receivables_at.documents_at(office.app, [id], as_of=day(at))
        assert (then[id].owed if then else None) == owed
        assert aged(runner, day(at)) == balances.aged(office.app, day(at))
        registered = receivables_at.registered_at(office.app, [id], as_of=day(at))
        assert bool(registered) == (owed is not None)


def test_a_payment_nobody_is_known_to_have_made_is_of_no_client_until_it_is(office):
    runner = following(office)
    unknown(office, "12.34", "06-20")
    runner.catch_up()
    assert [row.client for row in rows(runner, select(payment))] == [""]
    assert [(line.client, line.credit) for line in aged(runner, day("06-30")).clients] == [
        ("", D("-12.34"))
    ]
    office.app.write(
        office.app.stamp([PaymentIdentified(client="C")], stream("payment", "S/WHO"), 1)
    )
    runner.catch_up()
    assert [row.client for row in rows(runner, select(payment))] == ["C"]


def test_a_debit_on_its_way_shows_on_its_document_until_the_bank_answers(url):
    house.ready(url, house.plain(2))
    ordered = CollectionOrdered(
        end_to_end="F00001", supplier="S", invoice="F00001", amount=D("121.00"),
        collected_on=date(2026, 2, 2), sequence="FRST", file="R-1", batch="R-1-1",
    )  # fmt: skip
    settled = CollectionSettled(
        end_to_end="F00001", supplier="S", invoice="F00001", amount=D("121.00"),
        settled_on=date(2026, 2, 2),
    )  # fmt: skip
    id = stream("mandate", "RUM-00001")
    with house.opened(url, "2026-01-20") as app:
        runner = Runner(app, [Receivables()])
        runner.catch_up()
        shown = []
        for version, event in enumerate((ordered, settled), 1):
            app.write(app.stamp([event], id, version))
            runner.catch_up()
            row = one(runner, "F00001")
            shown.append((row.debit, row.debited_on, json.loads(row.body)["debits"][0]))
            assert one(runner, "F00000").debit == ""
        assert runner.compare("receivables") == []
    assert [(debit, on, told["settled_on"]) for debit, on, told in shown] == [
        ("F00001", date(2026, 2, 2), None),
        ("", None, "2026-02-02"),
    ]


def test_interest_to_date_is_counted_by_the_day_and_the_fee_once(office):
    office.app.publish_shipped()
    office.invoice("F-1", "3650.00", issued="01-01", due="01-31")
    documents = list(office.book.documents())
    # First half of 2026: 2.15 + 10 = 12.15 % of 3650, 443.475 a year: 1.215 a day.
    for at, interest, fee in (
        ("01-31", "0.00", "0.00"),
        ("02-01", "1.22", "40.00"),  # 1.215, rounded half up.
        ("03-02", "36.45", "40.00"),  # 30 days.
    ):
        found = receivables_at.accrued(office.app, documents, day(at))["S", "F-1"]
        assert (found.interest.amount, found.fee) == (D(interest), D(fee))
        assert found.to_charge == D(interest) + D(fee)


def test_where_a_rate_is_not_published_nothing_is_counted_and_it_is_said(office):
    office.invoice("F-1", "3650.00", issued="01-01", due="01-31")  # No index was recorded.
    found = receivables_at.accrued(office.app, office.book.documents(), day("03-02"))["S", "F-1"]
    assert found.interest.amount == found.to_charge == 0
    assert "ECB_MRO" in found.unknown


@pytest.mark.parametrize(
    ("at", "late", "age"),
    [
        ("06-01", 0, "not_due"),
        ("06-02", 1, "days_1_30"),
        ("07-01", 30, "days_1_30"),
        ("07-02", 31, "days_31_60"),
        ("08-30", 90, "days_61_90"),
        ("08-31", 91, "days_over_90"),
    ],
)
def test_a_body_tells_how_late_it_is_on_a_day(office, at, late, age):
    runner = following(office)
    office.invoice("F-1", "100.00", due="06-01")
    runner.catch_up()
    assert receivables.on_day(one(runner, "F-1").body, day(at)) == {"days_late": late, "age": age}


def test_what_is_withheld_is_not_late_and_is_from_its_release(office):
    runner = following(office)
    office.invoice("F-1", "100.00", due="02-01")
    office.withholds("F-1", "5.00", "01-15")
    office.pays("95.00", "02-01")
    office.releases("F-1", "5.00", "06-10")
    runner.catch_up()
    body = one(runner, "F-1").body
    assert receivables.on_day(body, day("06-09"))["days_late"] == 0
    assert receivables.on_day(body, day("06-10"))["days_late"] == 0
    assert receivables.on_day(body, day("06-11"))["days_late"] == 1
    assert one(runner, "F-1").late_from == day("06-11")


def test_every_event_of_a_document_says_from_which_day_it_counts():
    own = {kind.__name__ for kind in receivables.FOLLOWS} - {
        "LateInterestCharged", "RecoveryFeeCharged", "CollectionOrdered",  # When recorded.
        "PaymentReceived", "PaymentIdentified", "PaymentRejected", "PaymentRefunded",
    }  # fmt: skip
    assert {kind.__name__ for kind in receivables_at.DAYS} == own
    assert all(name in kind.__struct_fields__ for kind, name in receivables_at.DAYS.items())


def test_an_event_recorded_late_counts_from_its_own_day():
    told: Event = InvoiceIssued(
        number="F", supplier="S", client="C", contract="K", contract_version=0,
        issued_on=date(2026, 1, 1), due_on=date(2026, 1, 31), lines=(), vat=(), net=D(0), tax=D(0),
        gross=D(0), recorded_at=datetime(2026, 3, 1, tzinfo=UTC),
    )  # fmt: skip
    at = datetime(2026, 2, 28, tzinfo=UTC)
    assert receivables_at.happened(date(2026, 1, 1), None)(told)
    assert not receivables_at.happened(date(2025, 12, 31), None)(told)
    assert not receivables_at.happened(date(2026, 1, 1), at)(told)
