"""What clients owe: aged balance, statement of account, days of sales outstanding."""

from decimal import Decimal as D

import pytest

from billing.application import balances
from billing.events.invoice import PaymentAllocated, PaymentReversed
from billing.refusal import Refused
from tests.money.office import day


@pytest.mark.parametrize(
    ("late", "column"),
    [
        (0, "not_due"),
        (1, "days_1_30"),
        (30, "days_1_30"),
        (31, "days_31_60"),
        (60, "days_31_60"),
        (61, "days_61_90"),
        (90, "days_61_90"),
        (91, "days_over_90"),
        (4000, "days_over_90"),
    ],
)
def test_a_debt_ages_by_its_days_late(late, column):
    assert balances.bucket(late) == column


def columns(line):
    return [
        f"{a:.2f}"
        for a in (line.not_due, line.days_1_30, line.days_31_60, line.days_61_90,
                  line.days_over_90, line.credit, line.total)
    ]  # fmt: skip


@pytest.fixture
def aging(office):
    """One document of each age on 30 June, a credit, and another client."""
    office.signs("K-2", client="D")
    office.invoice("F-1", "10.00", due="06-30")  # Due that day: not late.
    office.invoice("F-2", "20.00", due="06-29")
    office.invoice("F-3", "30.00", due="05-30")  # 31 days.
    office.invoice("F-4", "40.00", due="04-01")  # 90 days.
    office.invoice("F-5", "50.00", due="03-31")  # 91 days.
    office.invoice("F-6", "1080.00", due="06-01")
    office.withholds("F-6", "54.00", "01-03")
    office.invoice("F-7", "70.00", due="01-31", client="D", contract="K-2")
    office.pays("75.00", "02-01", client="D", reference="D-1")
    office.pays("6.00", "06-01", reference="C-1", amounts={"F-2": "1.00"})
    return office


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        # 10 + 54 withheld not due; 19 + 1026 of 1 to 30 days; 5 of the payment left.
        ("06-30", ["64.00", "1045.00", "30.00", "40.00", "50.00", "-5.00", "1224.00"]),
        # A day later F-1 is 1 day late, F-3 32, F-4 91.
        ("07-01", ["54.00", "1055.00", "30.00", "0.00", "90.00", "-5.00", "1224.00"]),
        # On 31 May nothing was paid: 10 + 20 + 1080; F-3 by 1 day, F-4 by 60, F-5 by 61.
        ("05-31", ["1110.00", "30.00", "40.00", "50.00", "0.00", "0.00", "1230.00"]),
        ("2025-12-31", []),
    ],
)
def test_the_aged_balance_of_a_client_at_a_day(aging, at, expected):
    found = balances.aged(aging.app, day(at), "C")
    assert [columns(line) for line in found.clients] == ([expected] if expected else [])


def test_the_aged_balance_has_a_line_a_client_and_their_sum(aging):
    found = balances.aged(aging.app, day("06-30"))
    assert [(line.client, line.total) for line in found.clients] == [
        ("C", D("1224.00")),
        ("D", D("-5.00")),  # 70 − 75
    ]
    assert found.total.total == D("1219.00")
    assert found.total.withheld == D("54.00")


def test_the_aged_balance_can_name_the_documents(aging):
    found = balances.aged(aging.app, day("06-30"), "C", detail=True)
    late = [(d.number, f"{d.owed:.2f}", d.late) for d in found.documents]
    assert late == [
        ("F-5", "50.00", 91),
        ("F-4", "40.00", 90),
        ("F-3", "30.00", 31),
        ("F-6", "1080.00", 29),
        ("F-2", "19.00", 1),
        ("F-1", "10.00", 0),
    ]


def test_a_past_day_knows_nothing_of_what_came_after(office):
    office.invoice("F-1", "100.00")
    office.pays("100.00", "03-01", means="cheque", reference="CHQ")
    office.does("reject-payment", payment="CHQ", rejected_on="04-01")
    totals = [office.total(at) for at in ("02-28", "03-01", "03-31", "04-01", "06-30")]
    assert totals == ["100.00", "0.00", "0.00", "100.00", "100.00"]


@pytest.fixture
def account(office):
    office.invoice("F-1", "100.00", issued="01-01")
    office.pays("130.00", "02-03", means="cheque", reference="CHQ")
    office.credits("F-1", "A-1", "40.00", "02-10")
    office.does("refund", invoice="F-1", reason="avoir", refunded_on="02-12", amount="25.00")
    office.does("refund", payment="CHQ", reason="trop-perçu", refunded_on="02-13", amount="5.00")
    office.invoice("F-2", "60.00", issued="03-01", due="03-31")
    office.does("set-off", client="C")
    collected = PaymentAllocated(
        amount=D("20.00"), value_on=day("04-02"), means="direct_debit", collection="F-2"
    )
    back = PaymentReversed(amount=D("20.00"), value_on=day("04-09"), collection="F-2", code="AM04")
    office.tells("F-2", collected, back)
    office.does("reject-payment", payment="CHQ", rejected_on="05-01")
    office.debit_note("N-1", "7.00", issued="05-05", due="05-05")
    office.does("write-off", invoice="N-1", reason="geste", written_off_on="05-06")
    return office


def test_a_statement_tells_all_that_moved_the_account_and_its_running_balance(account):
    found = balances.statement(account.app, "C", None, day("06-30"))
    told = [
        f"{e.on:%m-%d} {e.what}, {e.reference}: {e.debit - e.credit:+.2f} = {e.balance:.2f}"
        for e in found.entries
    ]
    assert told == [
        "01-01 invoice, F-1: +100.00 = 100.00",
        "02-03 payment by cheque, CHQ: -130.00 = -30.00",
        "02-10 credit note on F-1, A-1: -40.00 = -70.00",
        "02-12 refund of F-1, F-1: +25.00 = -45.00",
        "02-13 refund of a payment, CHQ: +5.00 = -40.00",
        "03-01 invoice, F-2: +60.00 = 20.00",
        "04-02 direct debit of F-2 collected, F-2: -20.00 = 0.00",
        "04-09 direct debit of F-2 returned, F-2: +20.00 = 20.00",
        "05-01 cheque rejected, CHQ: +130.00 = 150.00",
        "05-05 debit note, N-1: +7.00 = 157.00",
        "05-06 N-1 written off, N-1: -7.00 = 150.00",
    ]
    assert (found.opening, found.closing) == (D(0), D("150.00"))


@pytest.mark.parametrize(
    ("start", "end", "opening", "lines", "closing"),
    [
        ("02-10", "03-01", "-30.00", 4, "20.00"),
        ("01-02", "01-31", "100.00", 0, "100.00"),
        ("2025-01-01", "2025-12-31", "0.00", 0, "0.00"),
        ("06-01", "06-30", "150.00", 0, "150.00"),
    ],
)
def test_a_statement_from_a_day_opens_with_the_balance_before(
    account, start, end, opening, lines, closing
):
    found = balances.statement(account.app, "C", day(start), day(end))
    assert (found.opening, len(found.entries), found.closing) == (D(opening), lines, D(closing))


@pytest.mark.parametrize("at", ["02-03", "02-10", "02-12", "03-01", "04-05", "05-01", "06-30"])
def test_a_statement_closes_on_the_total_of_the_aged_balance(account, at):
    closing = balances.statement(account.app, "C", None, day(at)).closing
    assert f"{closing:.2f}" == account.total(at)


def test_a_company_or_a_client_nobody_knows_is_refused_and_not_said_to_owe_nothing(office):
    at = day("06-30")
    for asked in (
        lambda: balances.aged(office.app, at, "X"),
        lambda: balances.aged(office.app, at, None, "X"),
        lambda: balances.dso(office.app, at, 90, "X"),
        lambda: balances.statement(office.app, "C", None, at, "X"),
    ):
        with pytest.raises(Refused, match="no party X"):
            asked()


def test_a_retention_ages_from_its_release_and_the_rest_from_its_due_day(office):
    office.invoice("F-1", "100.00")  # Due on 31 January.
    office.withholds("F-1", "5.00", "01-03")
    office.pays("60.00", "01-31", invoices=["F-1"])
    office.releases("F-1", "5.00", "06-20")
    kept = balances.aged(office.app, day("06-19"), "C").total
    assert (kept.not_due, kept.withheld, kept.days_over_90) == (D("5.00"), D("5.00"), D("35.00"))
    free = balances.aged(office.app, day("06-30"), "C", detail=True)
    assert (free.total.days_1_30, free.total.days_over_90) == (D("5.00"), D("35.00"))
    assert free.documents[0].late == 150
    office.pays("35.00", "06-25", invoices=["F-1"])
    alone = balances.aged(office.app, day("06-30"), "C", detail=True)
    assert (alone.total.days_1_30, alone.total.days_over_90) == (D("5.00"), 0)
    assert alone.documents[0].late == 10  # From 20 to 30 June.


def test_a_statement_is_of_a_party_and_of_days_in_their_order(office):
    with pytest.raises(Refused, match="no party X"):
        balances.statement(office.app, "X", None, day("06-30"))
    with pytest.raises(Refused, match="the first day comes first"):
        balances.statement(office.app, "C", day("06-30"), day("06-01"))


def sold(office, *months):
    """So much sold on the 1st of each month from January, due at the end of June."""
    for rank, gross in enumerate(months, 1):
        office.invoice(f"F-{rank}", gross, issued=f"0{rank}-01", due="06-30")


@pytest.mark.parametrize(
    ("months", "paid", "simple", "count_back", "exhausted"),
    [
        # April to June 2026: 91 days, of which the last 90 hold all but 1 April's invoice.
        # Owed 400 of 600; 90 days from 2 April: 200. Back: June 100 (30 d), May 100 (31 d),
        # April 100 (30 d), March 100 (31 d): 122 days.
        (["100"] * 6, "200", "180.0", "122.0", False),  # 400 ÷ 200 × 90
        # Owed 150: June 100 (30 days) and half of May (15.5).
        (["100"] * 6, "450", "67.5", "45.5", False),
        (["100"] * 6, "600", "0.0", "0.0", False),
        # Nothing sold in the last 90 days; back to January: June to February, 150 days, and
        # January whole, 31.
        (["100"], "0", None, "181.0", False),
        # 30 of June's 120: a quarter of 30 days.
        (["100", "100", "100", "100", "100", "120"], "590", "12.3", "7.5", False),  # 30 ÷ 220 × 90
    ],
)
def test_days_of_sales_outstanding_by_both_methods(
    office, months, paid, simple, count_back, exhausted
):
    sold(office, *months)
    if D(paid):
        office.pays(paid, "06-15")
    found = balances.dso(office.app, day("06-30"))
    assert found.simple == (None if simple is None else D(simple))
    assert (found.count_back, found.exhausted) == (D(count_back), exhausted)


def test_sales_less_what_was_credited_of_them_and_payments_not_allocated(office):
    sold(office, "100", "100", "100", "100", "100", "100")
    office.credits("F-6", "A-1", "50.00", "06-10")
    office.pays("700.00", "06-15", reference="VIR")  # 550 owed; 150 left.
    office.debit_note("N-1", "99.00", issued="06-20", due="06-20")
    found = balances.dso(office.app, day("06-30"))
    assert (found.owed, found.sales) == (D("-150.00"), D("150.00"))  # 100 + 100 − 50
    assert (found.simple, found.count_back) == (D("0.0"), D("0.0"))
    assert "90" in found.simple_formula


def test_nothing_sold_has_no_days(office):
    found = balances.dso(office.app, day("06-30"))
    assert (found.simple, found.count_back, found.owed) == (None, None, D(0))
