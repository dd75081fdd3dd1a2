"""The receivables book follows the log, and can be made again from it."""

from datetime import UTC, date, datetime
from decimal import Decimal as D

import pytest

from billing.application import Billing, runs
from billing.application import receivables as book_of
from billing.events import stamped
from billing.events.invoice import InvoiceIssued, PaymentAllocated
from billing.events.party import (
    CollectionOrdered,
    CollectionReturned,
    CollectionSettled,
    MandateSigned,
)
from billing.identity import invoice_id, stream
from billing.refusal import Refused
from tests.faults import portfolio
from tests.money.office import Office, day

MANDATE = MandateSigned(
    reference="RUM",
    creditor="S",
    creditor_identifier="FR00",
    debtor="C",
    iban="FR7630006000011234567890189",
    signed_on=day("01-01"),
)


@pytest.fixture
def kept(url):
    """An office on a database that others can open."""
    with Office(url) as opened:
        opened.signs("K-1")
        yield opened


def ordered(end_to_end, invoice, on="02-02"):
    return CollectionOrdered(
        end_to_end=end_to_end,
        supplier="S",
        invoice=invoice,
        amount=D("100.00"),
        collected_on=day(on),
        sequence="RCUR",
        file="M-1",
    )


def returned(end_to_end, invoice, settled=True):
    return CollectionReturned(
        end_to_end=end_to_end,
        supplier="S",
        invoice=invoice,
        amount=D("100.00"),
        returned_on=day("02-06"),
        kind="return",
        code="AM04",
        settled=settled,
    )


def settled(end_to_end, invoice):
    return CollectionSettled(
        end_to_end=end_to_end,
        supplier="S",
        invoice=invoice,
        amount=D("100.00"),
        settled_on=day("02-02"),
    )


def on_the_mandate(office, *events):
    id = stream("mandate", "RUM")
    version = len(office.app.store.read_stream(id))
    office.app.write(office.app.stamp(events, id, version))


def lived(office):
    """A little of everything that can happen."""
    for number, gross in (("F-1", "100.00"), ("F-2", "100.00"), ("F-3", "60.00"), ("F-4", "9.00")):
        office.invoice(number, gross)
    on_the_mandate(office, MANDATE, ordered("F-1", "F-1"), ordered("F-2", "F-2"))
    office.pays("75.00", "02-03", reference="CHQ", means="cheque", amounts={"F-3": "60.00"})
    on_the_mandate(office, settled("F-1", "F-1"), returned("F-2", "F-2", settled=False))
    paid = PaymentAllocated(
        amount=D("100.00"), value_on=day("02-02"), means="direct_debit", collection="F-1"
    )
    office.tells("F-1", paid)
    office.does("reject-payment", payment="CHQ", rejected_on="02-20")
    office.credits("F-1", "A-1", "40.00", "03-01")
    office.does("set-off", credit="F-1", invoice="F-2", amount="15.00")
    office.does("write-off", invoice="F-4", reason="perdu", written_off_on="04-01")
    office.debit_note("N-1", "5.00", issued="04-01", due="04-01")
    office.pays("50.00", "04-05", reference="VIR")


def test_the_book_knows_what_is_owed_and_what_is_under_way(kept):
    kept.invoice("F-1", "100.00")
    kept.invoice("F-2", "100.00")
    on_the_mandate(kept, MANDATE, ordered("F-1", "F-1"), ordered("F-2", "F-2"))
    assert [(r.number, r.collecting) for r in kept.book.open()] == [("F-1", "F-1"), ("F-2", "F-2")]
    on_the_mandate(kept, settled("F-1", "F-1"), returned("F-2", "F-2"))
    first, second = kept.document("F-1"), kept.document("F-2")
    assert (first.collecting, first.attempts, first.returns) == ("", 1, 0)
    assert (second.collecting, second.attempts, second.returns) == ("", 1, 1)
    on_the_mandate(kept, ordered("F-2/2", "F-2", "03-02"))
    assert kept.document("F-2").collecting_on == day("03-02")


def test_open_documents_come_by_due_day_of_a_client_or_before_a_day(kept):
    kept.signs("K-2", client="D")
    kept.invoice("F-1", "10.00", due="03-31")
    kept.invoice("F-2", "10.00", due="01-31")
    kept.invoice("F-3", "10.00", due="02-15", client="D", contract="K-2")
    kept.invoice("F-4", "10.00", due="01-10")
    kept.pays("10.00", "01-05", invoices=["F-4"])
    book = kept.book
    assert [r.number for r in book.open()] == ["F-2", "F-3", "F-1"]
    assert [r.number for r in book.open("C")] == ["F-2", "F-1"]
    assert [r.number for r in book.open(due_before=day("02-16"))] == ["F-2", "F-3"]
    assert [r.number for r in book.open("D", day("02-15"))] == []
    assert sorted(r.number for r in book.documents()) == ["F-1", "F-2", "F-3", "F-4"]
    ids = [invoice_id("S", "F-1"), invoice_id("S", "F-9")]
    assert [r.number for r in book.many(ids).values()] == ["F-1"]
    with pytest.raises(Refused, match="no invoice F-9 of S"):
        book.one("S", "F-9")


def test_many_open_documents_are_read_a_page_after_another(kept, monkeypatch):
    monkeypatch.setattr(book_of, "ROWS", 3)
    for rank in range(10):
        kept.invoice(f"F-{rank}", "10.00", due="01-31" if rank % 2 else "02-28")
    odd, even = [f"F-{n}" for n in (1, 3, 5, 7, 9)], [f"F-{n}" for n in (0, 2, 4, 6, 8)]
    assert [r.number for r in kept.book.open()] == odd + even


def test_a_book_followed_in_steps_is_the_one_made_from_the_whole_log(kept, monkeypatch):
    monkeypatch.setattr(book_of, "STEP", 3)
    monkeypatch.setattr(book_of, "EVENTS_HELD", 2)
    lived(kept)
    followed = list(kept.rows())
    assert {row.name for row in followed} >= {"S/F-1", "S/N-1", "S/A-1", "S/CHQ", "S/VIR"}
    assert kept.app.drifted_states() == []
    monkeypatch.setattr(book_of, "STEP", 50_000)
    monkeypatch.setattr(book_of, "EVENTS_HELD", 5_000)
    kept.app.rebuild_states()
    assert list(kept.rows()) == followed
    assert kept.app.drifted_states() == []


def test_the_rebuilt_book_is_there_at_once_where_there_was_one(kept):
    lived(kept)
    states = kept.app.store
    assert states.tracked("receivables") == states.log_position()
    kept.app.rebuild_states()
    assert states.tracked("receivables") == states.log_position()
    assert states.count_states("payment") == 2
    states.delete_all_states()
    assert states.tracked("receivables") is None
    assert states.count_states("receivable") == 0


def test_a_book_nobody_asked_for_is_not_made(kept):
    kept.invoice("F-1", "100.00")
    kept.app.rebuild_states()
    assert kept.app.store.tracked("receivables") is None
    assert kept.app.store.count_states("receivable") == 0
    assert kept.app.drifted_states() == []


def test_the_audit_names_rows_that_are_not_what_the_log_says(kept):
    lived(kept)
    store = kept.app.store
    (changed,) = store.states("receivable", names=["S/F-3"])
    (left,) = store.states("payment", names=["S/VIR"])
    stray = changed._replace(id=invoice_id("S", "F-99"), name="S/F-99")
    late = changed._replace(body=store.states("receivable", names=["S/F-4"])[0].body)
    with store.transaction() as tx:
        tx.put_states([late, stray, left._replace(next_due=day("01-01"))])
    assert kept.app.drifted_states() == ["payment S/VIR", "receivable S/F-3", "receivable S/F-99"]
    kept.app.rebuild_states()
    assert kept.app.drifted_states() == []


def test_the_audit_looks_no_further_than_the_book_has_followed(kept):
    lived(kept)
    kept.invoice("F-50", "10.00")  # Not followed yet.
    assert kept.app.store.tracked("receivables") < kept.app.store.log_position()
    assert kept.app.drifted_states() == []
    assert kept.owed("F-50") == "10.00"


def test_what_is_decided_reaches_the_book_in_the_same_transaction(kept):
    kept.invoice("F-1", "100.00")
    kept.pays("100.00", "02-01")
    store = kept.app.store
    assert store.tracked("receivables") == store.log_position()
    (row,) = store.states("receivable", names=["S/F-1"])
    assert row.next_due is None


def test_what_fails_while_it_is_recorded_leaves_the_book_as_it_was(kept):
    kept.invoice("F-1", "100.00")
    before = list(kept.rows())
    position = kept.app.store.log_position()

    def decide(tx, book):
        found = book.one("S", "F-1")
        paid = PaymentAllocated(amount=D(1), value_on=day("02-01"), means="x", payment="NONE")
        yield from kept.app.stamp([paid], invoice_id("S", "F-1"), found.version)

    with pytest.raises(KeyError):  # It names a payment that was never received: our own fault.
        book_of.record(kept.app, decide)
    assert kept.app.store.log_position() == position
    assert list(kept.rows()) == before


def test_the_monthly_run_does_not_write_the_book(url):
    portfolio.signed(url, 8)
    with portfolio.opened(url) as app:
        runs.run(app, portfolio.JANUARY, portfolio.FEBRUARY, portfolio.RUN)
        assert app.store.tracked("receivables") is None
        assert app.store.count_states("receivable") == 0
        book = book_of.book(app)
        # 100 to 107 € net, 20 % VAT: 1.2 × 828.
        assert sum(r.owed for r in book.open()) == D("993.60")
        assert app.drifted_states() == []


def test_a_long_log_is_followed_in_short_transactions(url, monkeypatch):
    at = datetime(2026, 6, 30, 9, tzinfo=UTC)
    with Billing({"DATABASE_URL": url}, clock=lambda: at, user="tests") as app:
        events = []
        for rank in range(250):
            number = f"F-{rank:03}"
            issued = InvoiceIssued(
                number=number,
                supplier="S",
                client=f"C{rank % 7}",
                contract="K-1",
                contract_version=0,
                issued_on=date(2026, 1, 1),
                due_on=date(2026, 1, 31),
                lines=(),
                vat=(),
                net=D(rank),
                tax=D(0),
                gross=D(rank),
            )
            events.append(stamped(issued, invoice_id("S", number), 1, at, "tests"))
        app.write(events)
        monkeypatch.setattr(book_of, "STEP", 100)
        positions = []
        catch_up = book_of.catch_up

        def watched(tx, until=None):
            found = catch_up(tx, until)
            positions.append(tx.tracked("receivables"))
            return found

        monkeypatch.setattr(book_of, "catch_up", watched)
        assert book_of.follow(app.store) == 250
        assert positions == [100, 200, 250]
        # 0 + 1 + … + 249, of which the first has nothing to claim.
        assert sum(r.owed for r in book_of.book(app).open()) == D(249 * 250 // 2)
        assert app.drifted_states() == []
