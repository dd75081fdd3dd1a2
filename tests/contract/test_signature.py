"""Signature: what a contract starts with."""

from datetime import date

import pytest

from billing.clauses import Terms
from billing.clauses.cover import Cover
from billing.clauses.fees import Item
from billing.clauses.renewal import Renewal
from billing.clauses.revision import Revision, Weight
from billing.contract.sign import Signing, sign
from billing.dates import Period
from indices import Reading
from tests.scenario import BOOK, D, When, given, signed

SYNTEC = Weight(weight=D(1), series="SYNTEC", name="Syntec")
LINKED = Terms(renewal=Renewal(kind="linked", term_months=None))


def asked(**fields):
    """A signing that is asked, not signed yet."""
    parent = fields.pop("parent_contract", None)
    whole = {
        "number": "C-2",
        "form": "f",
        "form_digest": "0",
        "supplier": "S",
        "client": "C",
        "signed_on": date(2026, 1, 1),
        "starts_on": date(2026, 1, 1),
        "terms": Terms(),
        "items": (Item(code="A", label="A", unit_price=D(100)),),
    } | fields
    return When(lambda: sign(Signing(**whole), BOOK, parent))


def test_a_contract_needs_an_item():
    asked(items=()).refused("C-2", "no item")


def test_a_contract_that_follows_another_names_it():
    asked(terms=LINKED).refused("name it as `parent`")


def test_it_does_not_start_before_the_one_it_follows():
    parent = given(signed(starts_on="2026-03-01")).contract
    asked(terms=LINKED, parent="C-1", parent_contract=parent).refused(
        "2026-01-01", "before C-1 on 2026-03-01"
    )


@pytest.mark.parametrize(
    ("warranty", "told"), [(None, "not given"), (date(2025, 12, 31), "2025-12-31")]
)
def test_equipment_out_of_warranty_is_not_covered_where_a_warranty_is_asked_for(warranty, told):
    item = Item(
        code="V", label="V", unit_price=D(1), kind="videoconference", warranty_until=warranty
    )
    terms = Terms(cover=Cover(warranty_kinds=("videoconference",)))
    asked(items=(item,), terms=terms).refused("must be under manufacturer's warranty", told)


@pytest.mark.parametrize(
    ("kind", "months", "term"),
    [
        ("tacit", 12, Period(date(2024, 2, 29), date(2025, 2, 28))),
        ("offer", 48, Period(date(2024, 2, 29), date(2028, 2, 29))),
        ("none", 1, Period(date(2024, 2, 29), date(2024, 3, 29))),
        ("open", None, None),
    ],
)
def test_the_first_term(kind, months, term):
    terms = Terms(renewal=Renewal(kind=kind, term_months=months))
    assert given(signed(terms=terms, starts_on="2024-02-29")).contract.term == term


@pytest.mark.parametrize(
    ("signed_on", "starts_on", "read_on", "period", "value"),
    [
        # May 2023 comes out on 30 June.
        ("2023-06-29", "2023-09-01", "signature", "2023-04", "301.9"),
        ("2023-06-30", "2023-09-01", "signature", "2023-05", "302.7"),
        ("2023-06-29", "2023-09-01", "start", "2023-07", "304.8"),
    ],
)
def test_so_is_the_last_index_known_on_its_day(signed_on, starts_on, read_on, period, value):
    terms = Terms(revision=Revision(indices=(SYNTEC,), base_read_on=read_on))
    [base] = signed(terms=terms, signed_on=signed_on, starts_on=starts_on).bases
    assert (base.period, base.value) == (period, D(value))


@pytest.mark.parametrize("named", ["SYNTEC", "Syntec"])
def test_so_is_what_the_contract_writes(named):
    written = Reading(
        "SYNTEC_REVISED",
        "2023-01",
        D("293.9"),
        date(2023, 2, 28),
        "contract",
        "found",
        False,
        date(2023, 6, 29),
    )
    terms = Terms(revision=Revision(indices=(SYNTEC,)))
    event = signed(terms=terms, starts_on="2023-06-29", bases={named: written})
    assert event.bases == (written,)


def test_an_index_that_was_gone_leaves_its_base_open():
    terms = Terms(revision=Revision(indices=(Weight(weight=D(1), series="PSDT"),)))
    assert signed(terms=terms, starts_on="2024-06-01").bases == (None,)


def test_what_is_sold_once_and_the_entry_fees_are_due_from_the_start():
    items = (
        Item(code="A", label="A", unit_price=D("6.00"), quantity=D(3), entry_fee=D("15.00")),
        Item(code="B", label="B", unit_price=D("99.99"), per_months=0, quantity=D(2)),
        Item(code="C", label="C", unit_price=D("300.00"), per_months=0, discount=D(100)),
    )
    event = signed(*items, signed_on="2025-12-01", starts_on="2026-01-01")
    assert [(c.kind, c.code, c.net, c.due_on) for c in event.charges] == [
        ("entry_fee", "A", D("45.00"), date(2026, 1, 1)),
        ("one_off", "B", D("199.98"), date(2026, 1, 1)),
        ("one_off", "C", D("0.00"), date(2026, 1, 1)),
    ]
    assert [c.item.code for c in given(event).contract.items] == ["A"]


@pytest.mark.parametrize(("signed_on", "offered"), [("2016-12-30", True), ("2016-12-31", False)])
def test_an_offer_holds_until_its_day(signed_on, offered):
    rebate = Item(
        code="R", label="Remise", unit_price=D("-300.00"), per_months=0, until=date(2016, 12, 30)
    )
    other = Item(code="A", label="A", unit_price=D(180))
    event = signed(other, rebate, signed_on=signed_on, starts_on="2017-01-02")
    assert bool(event.charges) == offered
