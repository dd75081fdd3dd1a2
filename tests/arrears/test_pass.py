"""The pass on a database: once, whatever is killed or run twice; and one poison contract."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from decimal import Decimal as D

import pytest

from billing.application import receivables
from billing.application.chase import chase
from billing.application.replay import audit_numbers
from billing.events.invoice import PaymentAllocated
from billing.identity import invoice_id
from billing.refusal import Refused
from tests.arrears import portfolio
from tests.arrears.late import POLICY
from tests.arrears.portfolio import CHASED, told

CONTRACTS = 60
# Contract n is billed (100 + n) × 1.20 on one of the first four days of January, thirty days to
# pay: of 2026-01-31 to 2026-02-03, 43 to 40 days late at 2.15 + 10 = 12.15 %.


def interest(place: int) -> D:
    gross, late = (100 + place) * D("1.20"), 43 - place % 4
    return (gross * D("12.15") * late / 36500).quantize(D("0.01"), "ROUND_HALF_UP")


TOTAL = sum((interest(place) + 40 for place in range(CONTRACTS)), D("0.00"))


def whole(app):
    """One reminder and one debit note a contract, numbered without a gap."""
    notes = told(app, "invoice.debit_note_issued")
    assert Counter(note.contract for note in notes) == {
        f"C{place:05d}": 1 for place in range(CONTRACTS)
    }
    by_contract = {note.contract: note.gross for note in notes}
    assert all(by_contract[f"C{n:05d}"] == interest(n) + 40 for n in range(CONTRACTS))
    assert len(told(app, "invoice.reminder_sent")) == CONTRACTS
    assert audit_numbers(app) == []
    assert app.drifted_states() == []
    return notes


def paid(app, one, amount, on):
    """Money goes to a document."""

    def decide(tx, book):
        now = book.one(one.supplier, one.number)
        event = PaymentAllocated(amount=amount, value_on=on, means="transfer")
        return app.stamp([event], invoice_id(one.supplier, one.number), now.version)

    receivables.record(app, decide)


def test_a_pass_charges_each_late_invoice_and_the_same_day_again_nothing(url):
    portfolio.billed(url, CONTRACTS)
    with portfolio.on_the_day(url) as app:
        dry = chase(app, CHASED, dry_run=True)
        assert told(app) == []
        report = chase(app, CHASED)
        assert report.total() == dry.total() == TOTAL
        assert [n.number for n in dry.debit_notes] == [n.number for n in report.debit_notes]
        assert dry.letters == report.letters
        notes = whole(app)
        position = app.store.log_position()
        assert chase(app, CHASED).nothing
        assert app.store.log_position() == position
        owed = {one.number for one in receivables.book(app).open() if one.kind == "debit_note"}
        assert owed == {note.number for note in notes}


def test_a_pass_killed_in_the_middle_is_given_again_and_leaves_what_one_would_have_left(
    url, tmp_path
):
    undisturbed = f"sqlite:///{tmp_path}/undisturbed.db"
    for database in (url, undisturbed):
        portfolio.billed(database, CONTRACTS)
    with portfolio.on_the_day(url) as app, portfolio.on_the_day(undisturbed) as other:
        with portfolio.chasing(url, chunk=5, pause=0.05) as process:
            portfolio.until_some_are_charged(app, CONTRACTS)
            process.kill()
        chase(app, CHASED, chunk=5)
        chase(other, CHASED, chunk=5)
        assert whole(app) == whole(other)


def test_two_passes_at_once_leave_one_set(url):
    portfolio.billed(url, CONTRACTS)
    with (
        portfolio.on_the_day(url) as app,
        portfolio.chasing(url, chunk=3, pause=0.02) as first,
        portfolio.chasing(url, chunk=7, pause=0.02) as second,
    ):
        made = 0
        for process in (first, second):
            ended = process.ended()
            assert ended.returncode == 0, ended.said
            made += int(ended.said)
        assert made == CONTRACTS
        whole(app)


def test_one_poison_contract_does_not_stop_the_others(url):
    portfolio.billed(url, 6)
    with portfolio.on_the_day(url) as app:
        row = app.store.state("contract", "C00003")
        with app.store.transaction() as tx:
            tx.lock()
            tx.put_states([row._replace(body=b"nothing a contract is made of")])
        report = chase(app, CHASED)
        assert [(one.contract, one.clause) for one in report.set_aside] == [("C00003", "engine")]
        assert len(report.debit_notes) == 5
        app.rebuild_states()
        assert [n.contract for n in chase(app, CHASED).debit_notes] == ["C00003"]


def test_one_contract_alone_leaves_the_others_to_the_next_pass(url):
    portfolio.billed(url, 4)
    with portfolio.on_the_day(url) as app:
        assert [n.contract for n in chase(app, CHASED, contract="C00002").debit_notes] == ["C00002"]
        assert len(chase(app, CHASED).debit_notes) == 3
        with pytest.raises(Refused, match="no contract NONE"):
            chase(app, CHASED, contract="NONE")


def test_what_was_paid_late_between_two_passes_is_charged_by_the_second(url):
    portfolio.billed(url, 4)
    with portfolio.on_the_day(url) as app:
        first, second, third, _ = sorted(
            (one for one in receivables.book(app).open()), key=lambda one: one.contract
        )
        paid(app, first, first.gross, first.due_on)
        paid(app, second, second.gross, date(2026, 2, 11))
        paid(app, third, third.gross - 20, date(2026, 2, 12))
        report = chase(app, CHASED)
        # Of 2026-02-01, 121.20: ten days at 12.15 %, 0.4034.
        lines = {n.contract: [line.amount for line in n.lines] for n in report.debit_notes}
        assert lines["C00001"] == [D("0.40"), D("40.00")]
        # Of 2026-02-02, 122.40 for ten days, then 20.00 for 31: 0.4074 + 0.2064 = 0.6138
        assert lines["C00002"] == [D("0.61"), D("40.00")]
        assert set(lines) == {"C00001", "C00002", "C00003"}
        assert {one.contract for one in report.letters} == {"C00002", "C00003"}
        app.rebuild_states()  # Every payment is looked at again, and brings nothing.
        assert chase(app, CHASED).nothing


def test_a_pass_for_a_day_gone_by_leaves_what_came_after_it_to_the_next(url):
    portfolio.billed(url, 2)
    with portfolio.on_the_day(url) as app:
        first, second = sorted(receivables.book(app).open(), key=lambda one: one.contract)
        paid(app, first, first.gross, date(2026, 3, 11))
        paid(app, second, second.gross, date(2026, 2, 20))
        early = chase(app, date(2026, 2, 28), POLICY)
        late = chase(app, CHASED, POLICY)
        assert [one.contract for one in late.debit_notes] == ["C00000"]
        # 120.00, of 2026-01-31: 28 days at 12.15 % are 1.1185, 39 are 1.5579
        totals = {}
        for one in (*early.debit_notes, *late.debit_notes):
            totals[one.contract] = totals.get(one.contract, 0) + one.gross
        assert totals["C00000"] == D("1.56") + 40
        assert chase(app, CHASED, POLICY).nothing


def test_a_day_to_come_is_refused_and_shown_by_a_dry_run(url):
    portfolio.billed(url, 2)
    with portfolio.on_the_day(url) as app:
        tomorrow = CHASED + timedelta(days=1)
        with pytest.raises(Refused, match="in the future"):
            chase(app, tomorrow)
        assert len(chase(app, tomorrow, dry_run=True).debit_notes) == 2
        assert told(app) == []
