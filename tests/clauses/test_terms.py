"""Terms and cover: what a silent contract says, and what is stored with the signature."""

from decimal import Decimal

import msgspec
import pytest

from billing.clauses import Assignment, Purchase, Terms
from billing.clauses.cover import Cover, Overrun, Rate, Task
from billing.clauses.indemnity import Indemnity
from billing.clauses.interest import LateInterest
from billing.clauses.payment import Payment
from billing.clauses.renewal import Notice, Renewal
from billing.clauses.revision import Revision, Rounding, Weight
from billing.clauses.schedule import Schedule
from billing.clauses.suspension import Clock
from billing.clauses.termination import Ground, Termination
from billing.clauses.usage import Meter
from billing.clauses.vat import Vat

D = Decimal

CALLS = Meter(code="FIXE", label="Landlines", unit="s", unit_price=D("0.01"), units_per_price=D(60))
TRAVEL = Rate(code="TRAVEL", label="Travel", unit_price=D("85.00"))
UNPAID = Clock(name="unpaid", days=10, allows=("suspend", "recover"))
BREACH = Clock(name="breach", days=31, allows=("terminate",))
REDUCED = Vat(code="reduced", rate=D("5.5"))
EXEMPT = Vat(code="exempt", category="E", reason="CGI 261")

FULL = Terms(
    renewal=Renewal(term_months=60, months=12, notice=Notice(months=3, by="registered_letter")),
    schedule=Schedule(every_months=3, in_advance=False, anchor="calendar", days_before=5),
    cover=Cover(proration="thirty_360", whole_month_kinds=("access", "volume"), return_days=15),
    payment=Payment(days=45, counted="end_of_month_plus", retention_percent=D(5)),
    late_interest=LateInterest(
        series="LEGAL_INTEREST_PROFESSIONAL", times=D("1.5"), points=D(5), below_floor="as_written"
    ),
    revision=Revision(
        indices=(
            Weight(weight=D("0.20"), series="FSD2", name="PsdT"),
            Weight(weight=D("0.80"), series="ICHTREV_TS_IME", name="S"),
        ),
        coefficient_rounding=Rounding(4, "ceiling"),
        cap_percent=D("3.5"),
    ),
    meters=(CALLS,),
    clocks=(UNPAID, BREACH),
    termination=Termination(grounds=(Ground(cause="unpaid", by="supplier", indemnity=True),)),
    indemnity=Indemnity(share=D("0.75")),
    overrun=Overrun(then="subscribe", step=D(50), step_price=D("25.00")),
    assignment=Assignment(by_supplier=True),
    purchase=Purchase(rents_refunded=1),
    rates=(TRAVEL,),
    tasks=(Task(code="DESTROY", label="Destruction des données", days_after_end=30),),
    vat=(REDUCED, EXEMPT),
)


@pytest.mark.parametrize("terms", [Terms(), FULL])
def test_what_was_agreed_is_read_back_as_it_was_stored(terms):
    assert msgspec.json.decode(msgspec.json.encode(terms), type=Terms) == terms


def test_a_silent_contract_stores_nothing():
    assert msgspec.json.encode(Terms()) == b"{}"


@pytest.mark.parametrize(
    ("found", "by_law"),
    [
        (Terms().payment.days, 30),  # L441-10
        (Terms().payment.counted, "issue"),
        (Terms().payment.prenotification_days, 14),  # SEPA rulebook
        (Terms().payment.return_fees, "supplier"),
        (Terms().payment.retention_percent, 0),
        (Terms().late_interest.series, None),  # ECB + 10
        (Terms().late_interest.recovery_fee, 40),  # D441-5
        (Terms().late_interest.days_in_year, 365),
        (Terms().late_interest.below_floor, "raise"),
        (Terms().revision, None),
        (Terms().indemnity, None),
        (Terms().cover.proration, "days"),
        (Terms().cover.catch_up, "next"),
        (Terms().cover.removal_credit, False),
        (Terms().assignment, Assignment(by_supplier=False, by_client=False)),
        (Terms().termination.grounds, ()),
    ],
)
def test_a_silent_contract_has_the_defaults_of_the_law(found, by_law):
    assert found == by_law


def test_a_clause_is_found_by_its_name():
    assert FULL.clock("breach") is BREACH
    assert FULL.meter("FIXE") is CALLS
    assert FULL.rate("TRAVEL") is TRAVEL
    assert FULL.vat_treatment("exempt") is EXEMPT


@pytest.mark.parametrize("lookup", [Terms.clock, Terms.meter, Terms.rate, Terms.vat_treatment])
def test_a_clause_the_contract_does_not_have_is_not_found(lookup):
    assert lookup(FULL, "other") is None
    assert lookup(Terms(), "unpaid") is None


def test_a_revision_rolls_goes_both_ways_and_waits_a_year_unless_agreed():
    clause = Revision(indices=(Weight(weight=D(1), series="SYNTEC"),))
    assert (clause.base, clause.direction, clause.applies_to, clause.price_rounding) == (
        "rolling", "both", "next_period", "unit",
    )  # fmt: skip
    assert (clause.first_after_months, clause.if_unpublished) == (12, "hold")


def test_an_overrun_blocks_after_30_days_unless_the_terms_subscribe_the_next_step():
    assert (Overrun().days, Overrun().then) == (30, "block")
