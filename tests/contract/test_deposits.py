"""Deposits: the tax they hold, and what the invoices that follow take off (acomptes)."""

from datetime import date, timedelta

import pytest
from hypothesis import given as always
from hypothesis import settings
from hypothesis import strategies as st
from msgspec.structs import replace

from billing.clauses import Purchase, Terms
from billing.clauses.cover import Cover
from billing.clauses.fees import Item
from billing.clauses.payment import Payment
from billing.clauses.schedule import Schedule
from billing.clauses.vat import Vat, VatTotal
from billing.contract import change, cover, deposit, end
from billing.contract.state import from_bytes, to_bytes
from billing.events.contract import (
    Deduction,
    DepositCredited,
    DepositInvoiced,
    DepositReceived,
    DepositReversed,
)
from billing.invoice import Invoice
from billing.money import ZERO
from billing.refusal import Refused
from tests.scenario import BOOK, D, House, day, given, signed

APART = Cover(needs_acceptance=True, one_off_apart=True)
INSTALL = Item(
    code="INSTALL", label="Installation", unit_price=D("900.00"), per_months=0, kind="one_off"
)
RENT = Item(code="RENT", label="Loyer", unit_price=D("180.00"))


def house(*items, starts_on="2016-12-12", **terms):
    made = House()
    made.sign(signed(*items or (RENT,), terms=Terms(**terms), starts_on=starts_on))
    return made


def cashes(made, gross, on, name="A-1", vat="standard"):
    """Money comes, and has its invoice."""
    paid = made.do("C-1", change.deposit, D(gross), day(on))[0].originator_version
    told = (D(gross), day(on), day(on), name, BOOK, vat, paid)
    return made.do("C-1", deposit.invoiced, *told)[0]


def asks(made, gross, on, name="A-1"):
    """An invoice asks for money."""
    return made.do("C-1", deposit.invoiced, D(gross), day(on), day(on), name, BOOK)[0]


def is_told(made, event):
    """The contract hears of something."""
    return made.do("C-1", lambda contract: [event])


def amounts(documents):
    return [(x.net, x.tax, x.gross) for x in documents]


def of(*texts):
    return tuple(map(D, texts))


# The invoice of a deposit


@pytest.mark.parametrize(
    ("gross", "rate", "net", "tax"),
    [
        ("540.00", "20", "450.00", "90.00"),  # 540 × 20/120
        ("100.00", "20", "83.33", "16.67"),  # 16.666…
        ("100.05", "20", "83.37", "16.68"),  # 16.675, a tie: up
        ("598.00", "19.6", "500.00", "98.00"),  # 598 × 19.6/119.6
        ("100.00", "19.6", "83.61", "16.39"),  # 16.387…
        ("105.50", "5.5", "100.00", "5.50"),
        ("300.00", "0", "300.00", "0.00"),
        ("0.03", "20", "0.02", "0.01"),  # 0.005
    ],
)
def test_a_gross_amount_holds_its_tax(gross, rate, net, tax):
    assert deposit.tax_within(D(gross), D(rate)) == D(tax)
    assert D(gross) - D(tax) == D(net)


@pytest.mark.parametrize(
    ("cashed_on", "rate", "net", "tax"),
    [
        ("2013-12-31", "19.6", "500.00", "98.00"),
        ("2014-01-01", "20", "498.33", "99.67"),  # 598 × 20/120 = 99.666…
    ],
)
def test_the_rate_is_that_of_the_day_the_money_comes(cashed_on, rate, net, tax):
    made = house(starts_on="2013-12-01")
    event = cashes(made, "598.00", cashed_on)
    assert (event.vat_rate, event.net, event.tax) == of(rate, net, tax)
    assert event.rate_on == day(cashed_on)


def test_the_invoice_says_who_issues_it_and_for_which_money():
    made = house()
    event = cashes(made, "540.00", "2016-12-13")
    assert (event.invoice, event.issuer, event.issued_on) == ("A-1", "S", date(2016, 12, 13))
    assert event.received == 2
    assert made["C-1"].deposit == D("540.00")


def test_a_treatment_of_the_contract_is_kept():
    exempt = Vat(code="export", category="G", reason="Exportation")
    event = cashes(house(vat=(exempt,)), "540.00", "2016-12-13", vat="export")
    assert (event.net, event.tax, event.vat_category) == (D("540.00"), ZERO, "G")
    assert event.vat_reason == "Exportation"


def test_what_cannot_be_asked_for_is_refused():
    told = (date(2016, 12, 13), date(2016, 12, 13), "A-1", BOOK)
    first = signed(starts_on="2016-12-12")
    given(first).when(deposit.invoiced, D(0), *told).refused("more than zero")
    given(first).when(deposit.invoiced, D(5), *told, "nope").refused("no VAT treatment", "nope")
    early = (date(2016, 12, 11), date(2016, 12, 13), "A-1", BOOK)
    given(first).when(deposit.invoiced, D(5), *early).refused("before its signature")


# What follows


def test_the_first_invoices_deduct_it_until_it_is_used_up():
    made = house(RENT)
    cashes(made, "540.00", "2016-12-12")
    # 450.00 net: 180.00, 180.00, then 90.00 of the third rent
    assert amounts(made.months("2016-12-01", "2017-04-01")) == [
        of("0.00", "0.00", "0.00"),
        of("0.00", "0.00", "0.00"),
        of("90.00", "18.00", "108.00"),
        of("180.00", "36.00", "216.00"),
    ]
    (advance,) = made["C-1"].deposits
    assert (advance.deducted_net, advance.deducted_tax) == of("450.00", "90.00")


def test_what_is_sold_once_comes_before_the_rent_of_that_day():
    made = house(INSTALL, RENT, cover=APART)
    cashes(made, "1188.00", "2016-12-13")  # 990.00 + 198.00
    made.do("C-1", cover.accept_installation, date(2016, 12, 20))
    # 900 − 900 = 0; 180 − 90 = 90
    assert amounts(made.run("2017-01-01")) == [
        of("0.00", "0.00", "0.00"),
        of("90.00", "18.00", "108.00"),
    ]


def test_where_the_terms_say_so_only_what_is_sold_once_deducts_it():
    made = house(INSTALL, RENT, cover=APART, payment=Payment(deposit_deducted_from="sale"))
    cashes(made, "1188.00", "2016-12-13")
    made.do("C-1", cover.accept_installation, date(2016, 12, 20))
    assert amounts(made.months("2016-12-01", "2017-02-01")) == [
        of("0.00", "0.00", "0.00"),
        of("180.00", "36.00", "216.00"),
        of("180.00", "36.00", "216.00"),
    ]
    assert deposit.available(made["C-1"].deposits[0]) == of("90.00", "18.00")


def test_the_line_names_the_deposit_invoice_and_its_tax():
    made = house(INSTALL, cover=APART)
    cashes(made, "540.00", "2016-12-13")
    made.do("C-1", cover.accept_installation, date(2016, 12, 20))
    [invoice] = made.run("2017-01-01")
    line = invoice.lines[-1]
    assert (line.kind, line.net, line.vat_rate) == ("deposit", D("-450.00"), D(20))
    assert line.label == "Acompte, facture A-1 du 13/12/2016"
    assert line.note == "TVA déjà facturée : 90.00 €"
    assert line.because == (3,)
    assert made.history("C-1")[0].deducted == (
        Deduction(invoice="A-1", net=D("450.00"), tax=D("90.00"), vat_rate=D(20), from_rate=D(20)),
    )


def test_two_deposits_are_deducted_in_the_order_of_their_invoices():
    made = house(INSTALL, cover=APART)
    cashes(made, "120.00", "2016-12-13")
    cashes(made, "1080.00", "2016-12-14", "A-2")
    made.do("C-1", cover.accept_installation, date(2016, 12, 20))
    [invoice] = made.run("2017-01-01")
    assert [x.net for x in invoice.lines] == [D("900.00"), D("-100.00"), D("-800.00")]
    assert deposit.available(made["C-1"].deposits[1]) == of("100.00", "20.00")


def test_the_tax_of_all_is_that_of_the_whole_to_the_cent():
    made = house(INSTALL, cover=APART)
    event = cashes(made, "100.05", "2016-12-13")
    assert (event.net, event.tax) == of("83.37", "16.68")
    made.do("C-1", cover.accept_installation, date(2016, 12, 20))
    [invoice] = made.run("2017-01-01")
    # 816.63 × 20 % = 163.326, 163.33; but 180.00 − 16.68 = 163.32, and 979.95 + 100.05 = 1080.00
    assert amounts([invoice]) == [of("816.63", "163.32", "979.95")]
    assert invoice.vat == (VatTotal(D(20), D("816.63"), D("163.32"), rounding=D("-0.01")),)


def test_a_deposit_cashed_before_the_rate_changed_keeps_its_own():
    sold = replace(INSTALL, unit_price=D("1000.00"))
    made = house(sold, starts_on="2013-12-10", cover=APART)
    cashes(made, "598.00", "2013-12-15")
    made.do("C-1", cover.accept_installation, date(2014, 1, 10))
    [invoice] = made.run("2014-02-01")
    assert [(x.kind, x.net, x.vat_rate) for x in invoice.lines] == [
        ("one_off", D("1000.00"), D(20)),
        ("deposit_rate", D("-500.00"), D(20)),
        ("deposit_rate", D("500.00"), D("19.6")),
        ("deposit", D("-500.00"), D("19.6")),
    ]
    # In all 500.00 at 19.6 %, 98.00, and 500.00 at 20 %, 100.00.
    assert [(x.rate, x.base, x.tax) for x in invoice.vat] == [
        of("20", "500.00", "100.00"),
        of("19.6", "0.00", "0.00"),
    ]
    assert amounts([invoice]) == [of("500.00", "100.00", "600.00")]


def test_a_deposit_of_a_later_rate_waits_for_what_is_supplied_at_it():
    arrears = Schedule(every_months=1, in_advance=False)
    made = house(RENT, starts_on="2013-12-01", schedule=arrears)
    cashes(made, "216.00", "2014-01-01")
    # December was supplied at 19.6 %; January at 20 %.
    assert amounts(made.months("2014-01-01", "2014-03-01")) == [
        of("180.00", "35.28", "215.28"),
        of("0.00", "0.00", "0.00"),
    ]


def test_what_is_of_another_vat_is_not_paid_by_it():
    outside = Vat(code="outside", category="O", reason="Hors champ")
    made = house(RENT, vat=(outside,), payment=Payment(return_fees="client"))
    cashes(made, "540.00", "2016-12-12")
    fee = ("bank_fee", "Frais", D("14.50"), date(2016, 12, 12), "rejet")
    made.do("C-1", change.add_charge, *fee)
    assert amounts(made.run("2017-01-01")) == [of("14.50", "0.00", "14.50")]


def test_a_discount_on_the_invoice_is_no_room_for_more():
    rebate = Item(
        code="REMISE", label="Remise", unit_price=D("-300.00"), per_months=0, kind="one_off"
    )
    made = house(replace(INSTALL, unit_price=D("1200.00")), rebate, cover=APART)
    cashes(made, "1200.00", "2016-12-13")  # 1000.00 + 200.00
    made.do("C-1", cover.accept_installation, date(2016, 12, 20))
    assert amounts(made.run("2017-01-01")) == [of("0.00", "0.00", "0.00")]
    assert deposit.available(made["C-1"].deposits[0]) == of("100.00", "20.00")


# Asked for, and paid or not


@pytest.mark.parametrize(
    ("cashed", "left"),
    [
        ("0.00", ("0.00", "0.00")),
        ("300.00", ("250.00", "50.00")),
        ("100.00", ("83.33", "16.67")),
        ("540.00", ("450.00", "90.00")),
        ("600.00", ("450.00", "90.00")),  # Too much is the client's credit, not a deposit.
    ],
)
def test_only_what_was_cashed_is_deducted(cashed, left):
    made = house(INSTALL, cover=APART)
    asks(made, "540.00", "2016-12-13")
    if cashed != "0.00":
        is_told(
            made, DepositReceived(amount=D(cashed), received_on=date(2016, 12, 14), invoice="A-1")
        )
    assert deposit.available(made["C-1"].deposits[0]) == of(*left)
    made.do("C-1", cover.accept_installation, date(2016, 12, 20))
    [invoice] = made.run("2017-01-01")
    assert invoice.gross == D("1080.00") - sum(map(D, left))


def test_what_comes_later_is_deducted_later():
    made = house()
    asks(made, "540.00", "2016-12-12")
    is_told(
        made, DepositReceived(amount=D("108.00"), received_on=date(2016, 12, 12), invoice="A-1")
    )
    assert amounts(made.run("2017-01-01")) == [of("90.00", "18.00", "108.00")]
    is_told(made, DepositReceived(amount=D("432.00"), received_on=date(2017, 1, 5), invoice="A-1"))
    assert amounts(made.months("2017-01-01", "2017-04-01")) == [
        of("0.00", "0.00", "0.00"),
        of("0.00", "0.00", "0.00"),
        of("180.00", "36.00", "216.00"),
    ]


def test_money_taken_back_or_given_back_is_not_deducted():
    bounced, credited = house(), house()
    for made in (bounced, credited):
        cashes(made, "540.00", "2016-12-12")
    is_told(
        bounced,
        DepositReversed(invoice="A-1", amount=D("540.00"), reversed_on=date(2016, 12, 12)),
    )
    is_told(
        credited,
        DepositCredited(
            invoice="A-1", credit_note="N-1", net=D("360.00"), tax=D("72.00"),
            credited_on=date(2016, 12, 12),
        ),
    )  # fmt: skip
    assert amounts(bounced.run("2017-01-01")) == [of("180.00", "36.00", "216.00")]
    assert amounts(credited.run("2017-01-01")) == [of("90.00", "18.00", "108.00")]
    assert deposit.to_come(bounced["C-1"].deposits[0]) == D("540.00")
    assert bounced["C-1"].deposit == ZERO


# Given up


@pytest.mark.parametrize(
    ("agreed", "kept", "because", "back"),
    [
        (False, True, "", []),
        (True, True, "", ["540.00"]),
        (False, False, "", ["540.00"]),
        (False, True, "arrhes (C. civ. 1590)", ["540.00"]),
    ],
)
def test_an_order_given_up_keeps_its_deposit_or_gives_it_back(agreed, kept, because, back):
    terms = Payment(deposit_kept=kept, deposit_untaxed_because=because)
    made = house(INSTALL, cover=APART, payment=terms, vat=(Vat(code="outside", category="O"),))
    cashes(made, "540.00", "2016-12-13")
    before = made["C-1"]
    [event] = made.do("C-1", end.cancel_order, date(2016, 12, 16), agreed)
    assert [gross for _, gross in end.given_back(before, event)] == [D(x) for x in back]
    # Kept outside VAT, it is invoiced anew without tax: 540.00.
    billed = amounts(made.months("2016-12-01", "2017-02-01"))
    assert billed == ([of("540.00", "0.00", "540.00")] if because else [])


def test_what_was_asked_for_and_not_paid_is_given_back_in_any_case():
    made = house(INSTALL, cover=APART, payment=Payment(deposit_kept=True))
    asks(made, "540.00", "2016-12-13")
    is_told(
        made, DepositReceived(amount=D("200.00"), received_on=date(2016, 12, 14), invoice="A-1")
    )
    before = made["C-1"]
    [event] = made.do("C-1", end.cancel_order, date(2016, 12, 16), False)
    assert (event.deposit_kept, event.deposit_returned) == of("200.00", "0.00")
    assert [gross for _, gross in end.given_back(before, event)] == [D("340.00")]


# The first rent refunded on purchase


def rented(**schedule):
    made = house(
        RENT,
        starts_on="2017-01-20",
        schedule=Schedule(**schedule),
        purchase=Purchase(rents_refunded=1),
    )
    made.months("2017-01-01", "2017-04-01")
    return made


def refunds(made, left=None):
    told = (date(2017, 4, 10), D(0), "Achat", made.history("C-1"), left)
    bought, _ = made.do("C-1", end.purchase, *told)
    return [(c.credits, c.net) for c in bought.charges]


@pytest.mark.parametrize(
    ("left", "found"),
    [
        ({}, [("2017-000001", "-180.00")]),
        ({"2017-000001": "180.00"}, [("2017-000001", "-180.00")]),
        ({"2017-000001": "130.00"}, [("2017-000001", "-130.00")]),  # 50.00 was credited before.
        ({"2017-000001": "0.00"}, []),  # All of it was.
    ],
)
def test_a_first_rent_given_back_already_is_not_given_back_twice(left, found):
    told = {number: D(amount) for number, amount in left.items()}
    assert refunds(rented(), told) == [(number, D(net)) for number, net in found]


def test_one_rent_is_a_whole_one_where_the_first_was_cut_short():
    # 20 to 31 January is 12/31 of 180.00, 69.68; the first whole rent is February's.
    made = rented(anchor="calendar")
    assert made.documents[0].net == D("69.68")
    assert refunds(made) == [("2017-000002", D("-180.00"))]


def test_the_part_of_a_month_is_refunded_where_no_whole_one_was_billed():
    made = house(
        RENT,
        starts_on="2017-01-20",
        schedule=Schedule(anchor="calendar"),
        purchase=Purchase(rents_refunded=1),
    )
    made.run("2017-02-01")
    told = (date(2017, 1, 30), D(0), "Achat", made.history("C-1"))
    [bought, _] = made.do("C-1", end.purchase, *told)
    assert [c.net for c in bought.charges] == [D("-69.68")]


def test_a_free_first_month_is_not_the_first_rent():
    free = replace(RENT, discount=D(100), discount_until=date(2017, 2, 1))
    made = house(
        free,
        starts_on="2017-01-20",
        purchase=Purchase(rents_refunded=1),
    )
    made.months("2017-01-01", "2017-03-01")
    assert refunds(made) == [("2017-000002", D("-180.00"))]


# What always holds

money = st.decimals(min_value=D("0.01"), max_value=2500, places=2)


@st.composite
def paid_ahead(draw):
    """A contract of some items and one-off charges, and the deposits of its first months."""
    fees = draw(st.lists(money, min_size=1, max_size=3))
    sold = draw(st.lists(money, max_size=2))
    items = [Item(code=f"F{n}", label="F", unit_price=fee) for n, fee in enumerate(fees)]
    items += [
        Item(code=f"O{n}", label="O", unit_price=price, per_months=0, kind="one_off")
        for n, price in enumerate(sold)
    ]
    start = draw(st.sampled_from([date(2013, 10, 31), date(2016, 12, 12), date(2016, 2, 29)]))
    paid = draw(
        st.lists(st.tuples(st.integers(0, 100), money, st.booleans()), min_size=1, max_size=3)
    )
    return items, start, sorted(paid, key=lambda one: one[0]), draw(st.booleans())


def billed(items, start, paid, apart):
    made = house(
        *items,
        starts_on=start.isoformat(),
        cover=Cover(one_off_apart=apart),
    )
    month = start.replace(day=1)
    waiting = list(enumerate(paid))
    for _ in range(10):
        following = (month + timedelta(days=32)).replace(day=1)
        while waiting and start + timedelta(days=waiting[0][1][0]) < following:
            n, (offset, gross, whole) = waiting.pop(0)
            on = (start + timedelta(days=offset)).isoformat()
            if whole:
                cashes(made, gross, on, f"A-{n}")
            else:
                asks(made, gross, on, f"A-{n}")
                part = DepositReceived(
                    amount=(gross / 2).quantize(D("0.01")) or gross,
                    received_on=day(on),
                    invoice=f"A-{n}",
                )
                is_told(made, part)
        made.run(following.isoformat())
        month = following
    return made


@always(paid_ahead())
@settings(max_examples=150, deadline=None)
def test_in_all_the_same_is_billed_with_and_without_deposits(life):
    items, start, _, apart = life
    made, plain = billed(*life), billed(items, start, [], apart)
    for document in made.documents:
        assert document.net >= 0
        assert document.gross >= 0
        assert document.net == sum(line.net for line in document.lines)
        assert document.tax == sum(total.tax for total in document.vat)
    taken = [d for event in made.history("C-1") for d in event.deducted]
    net, tax = sum((d.net for d in taken), ZERO), sum((d.tax for d in taken), ZERO)
    whole, less = plain.documents, made.documents
    assert sum(x.net for x in less) + net == sum(x.net for x in whole)
    if all(d.vat_rate == d.from_rate for d in taken):  # Else it is another tax, rightly.
        assert sum(x.tax for x in less) + tax == sum(x.tax for x in whole)


@always(paid_ahead())
@settings(max_examples=150, deadline=None)
def test_what_is_deducted_is_what_was_invoiced_and_cashed_no_more_and_in_the_end_no_less(life):
    made = billed(*life)
    contract = made["C-1"]
    assert from_bytes(to_bytes(contract)) == contract
    events = {e.invoice: e for e in made.events["C-1"] if isinstance(e, DepositInvoiced)}
    for advance in contract.deposits:
        taken = [d for e in made.history("C-1") for d in e.deducted if d.invoice == advance.invoice]
        net, tax = sum((d.net for d in taken), ZERO), sum((d.tax for d in taken), ZERO)
        assert (advance.deducted_net, advance.deducted_tax) == (net, tax)
        event = events[advance.invoice]
        assert net + tax <= min(event.net + event.tax, advance.cashed)
        left_net, left_tax = deposit.available(advance)
        assert min(left_net, left_tax) >= 0
        if not left_net:  # Used up: to the cent.
            assert net + tax == min(event.net + event.tax, advance.cashed)


@always(paid_ahead())
@settings(max_examples=60, deadline=None)
def test_what_a_deposit_paid_can_be_credited_all_the_same(life):
    items, start, _, apart = life
    made, plain = billed(*life), billed(items, start, [], apart)
    assert [_left(x) for x in made.documents] == [x.net for x in plain.documents]


def _left(document):
    return Invoice(document, 1, document.due_on, None).net_left


def test_an_order_paid_ahead_still_refuses_what_is_no_order():
    made = house(INSTALL, cover=APART)
    cashes(made, "540.00", "2016-12-13")
    made.do("C-1", end.cancel_order, date(2016, 12, 16), True)
    with pytest.raises(Refused, match="cancelled"):
        cashes(made, "540.00", "2016-12-17", "A-2")
