"""What was invoiced = paid + owed + written off + credited, at every date, in any order."""

from datetime import date, timedelta
from decimal import Decimal as D

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing import receivable
from billing.application import balances
from billing.events.invoice import (
    DebitNoteIssued,
    InvoiceCredited,
    InvoiceIssued,
    InvoiceWrittenOff,
    PaymentAllocated,
    PaymentReversed,
)
from billing.events.payment import PaymentReceived, PaymentRefunded, PaymentRejected
from billing.refusal import Refused
from tests.money.office import Office, day

FIRST = date(2026, 1, 1)
ZERO = D(0)

days = st.integers(0, 180).map(lambda n: f"{FIRST + timedelta(n)}")
amounts = st.integers(1, 20_000).map(lambda cents: f"{D(cents) / 100:.2f}")
numbers = st.sampled_from([f"F-{n}" for n in range(1, 6)])
references = st.sampled_from([f"P-{n}" for n in range(1, 6)])
named = st.dictionaries(numbers, amounts, max_size=2)

steps = st.lists(
    st.one_of(
        st.tuples(st.just("invoice"), numbers, amounts, days, days),
        st.tuples(st.just("debit_note"), numbers, amounts, days, days),
        st.tuples(st.just("credit"), numbers, amounts, days),
        st.tuples(st.just("collect"), numbers, amounts, days),
        st.tuples(st.just("pay"), references, amounts, days, named),
        st.tuples(st.just("allocate"), references, named),
        st.tuples(st.just("set_off"), st.none() | amounts),
        st.tuples(st.just("refund_payment"), references, st.none() | amounts, days),
        st.tuples(st.just("refund_document"), numbers, st.none() | amounts, days),
        st.tuples(st.just("write_off"), numbers, st.none() | amounts, days),
        st.tuples(st.just("reject"), references, days),
    ),
    max_size=25,
)


def carried_out(office, step):
    """Does one step; one that is refused leaves nothing behind."""
    what, *said = step
    if what in ("invoice", "debit_note"):
        number, gross, issued, due = said
        number = number if what == "invoice" else f"N{number}"
        if not issued_on(office, number):
            getattr(office, what)(number, gross, issued=issued, due=max(issued, due))
        return
    if what in ("credit", "collect"):
        number, amount, on = said
        document = issued_on(office, number)
        if document is None or day(on) < document:
            return
        if what == "credit":
            office.credits(number, f"A-{office.app.store.log_position()}", amount, on)
        else:
            told = PaymentAllocated(
                amount=D(amount), value_on=day(on), means="direct_debit", collection=number
            )
            office.tells(number, told)
        return
    before = office.app.store.log_position()
    try:
        act(office, what, said)
    except Refused:
        assert office.app.store.log_position() == before


def act(office, what, said):
    if what == "pay":
        reference, amount, on, which = said
        office.pays(amount, on, reference=reference, means="cheque", amounts=which)
    elif what == "allocate":
        reference, which = said
        office.does("allocate", payment=reference, amounts=which)
    elif what == "set_off":
        office.does("set-off", client="C", **amount_of(said[0]))
    elif what in ("refund_payment", "refund_document"):
        name, amount, on = said
        which = "payment" if what == "refund_payment" else "invoice"
        office.does("refund", reason="trop", refunded_on=on, **{which: name}, **amount_of(amount))
    elif what == "write_off":
        number, amount, on = said
        office.does(
            "write-off", invoice=number, reason="perdu", written_off_on=on, **amount_of(amount)
        )
    else:
        reference, on = said
        office.does("reject-payment", payment=reference, rejected_on=on)


def amount_of(said):
    return {} if said is None else {"amount": said}


def issued_on(office, number):
    """The day a document was issued, from the log."""
    for _, event in office.app.recorded(topics=["invoice.issued", "invoice.debit_note_issued"]):
        if event.number == number:
            return event.issued_on
    return None


def counted(events, at):
    """From the log alone: what was invoiced, credited, written off, and what money moved."""
    rejected = {e.originator_id: e.rejected_on for e in events if isinstance(e, PaymentRejected)}
    total = dict.fromkeys(("invoiced", "credited", "lost", "received", "back"), ZERO)
    for e in events:
        if isinstance(e, InvoiceIssued | DebitNoteIssued) and e.issued_on <= at:
            total["invoiced"] += e.gross
        elif isinstance(e, InvoiceCredited) and e.credited_on <= at:
            total["credited"] += e.gross
        elif isinstance(e, InvoiceWrittenOff) and e.written_off_on <= at:
            total["lost"] += e.amount
        elif isinstance(e, PaymentReceived) and e.value_on <= at:
            gone = rejected.get(e.originator_id, date.max) <= at
            total["received"] += ZERO if gone else e.amount
        elif isinstance(e, PaymentAllocated) and e.collection and e.value_on <= at:
            total["received"] += e.amount
        elif isinstance(e, PaymentRefunded):
            total["back"] += e.amount if e.refunded_on <= at else ZERO
        elif isinstance(e, PaymentReversed) and e.value_on <= at and not e.payment:
            total["back"] += e.amount
    return total


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=False
)
@given(steps)
def test_money_is_never_made_nor_lost(told):
    with Office("sqlite://") as office:
        office.signs("K-1")
        for step in told:
            carried_out(office, step)
        events = [event for _, event in office.app.recorded()]
        nothing_too_much_is_allocated(events)
        moved = {e.value_on for e in events if isinstance(e, PaymentAllocated | PaymentReversed)}
        for at in sorted({FIRST, FIRST + timedelta(90), office.today, *moved}):
            total = counted(events, at)
            owed = balances.aged(office.app, at, "C").total.total
            # invoiced − credited − written off − received + given back = owed − the client's credit
            balance = total["invoiced"] - total["credited"] - total["lost"]
            assert owed == balance - total["received"] + total["back"], at
            assert balances.statement(office.app, "C", None, at).closing == owed
            each_document_and_payment_adds_up(office, events, at)
        rows = list(office.rows())
        assert office.app.drifted_states() == []
        office.app.rebuild_states()
        assert list(office.rows()) == rows


def each_document_and_payment_adds_up(office, events, at):
    for r in office.book.documents():
        if r.issued_on > at or r.kind == "credit_note":
            continue
        paid = r.total("payment", at) + r.total("reversal", at)
        settled = paid + r.total("credit", at) + r.total("write_off", at)
        assert r.gross == settled + r.owed_on(at)
    for p in office.book.payments(left_only=False):
        if p.value_on <= at and (p.rejected_on is None or p.rejected_on > at):
            assert p.amount == p.allocated_on(at) + p.refunded_on(at) + p.left_on(at)
            assert p.left_on(at) >= 0
        assert p.left >= 0 or p.rejected_on is not None


def nothing_too_much_is_allocated(events):
    """Allocations never exceed the payment, nor what is owed on the document at that moment."""
    documents, left, rejected = {}, {}, set()
    for e in events:
        if isinstance(e, PaymentReceived):
            left[e.reference] = e.amount
            continue
        if isinstance(e, PaymentRejected):
            rejected.add(e.originator_id)
            continue
        if type(e) not in receivable.EVENTS:
            continue
        before = documents.get(e.originator_id)
        if isinstance(e, PaymentAllocated) and not e.collection:
            if e.amount > 0:
                assert e.amount <= before.owed
            else:
                assert e.amount >= before.owed  # A credit gives no more than it has.
            assert e.value_on >= before.issued_on
            if e.payment:
                left[e.payment] -= e.amount
                assert left[e.payment] >= 0
        if isinstance(e, InvoiceWrittenOff):
            assert 0 < e.amount <= before.owed
        documents[e.originator_id] = receivable.apply(before, e)
