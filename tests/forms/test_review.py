"""What the law says of a contract before it is signed."""

from datetime import date
from decimal import Decimal

import pytest

from billing.clauses import Terms
from billing.clauses.fees import Item
from billing.clauses.indemnity import Indemnity
from billing.clauses.interest import LateInterest
from billing.clauses.payment import Payment
from billing.clauses.renewal import Renewal
from billing.clauses.revision import Revision, Weight, variation_warning
from billing.clauses.schedule import Schedule
from billing.clauses.termination import Ground, Termination
from billing.clauses.usage import Meter
from billing.clauses.vat import Vat
from billing.contract.sign import Signing
from billing.forms import load_form, read_contract
from billing.forms.form import SHIPPED
from billing.review import review
from indices import Reading, shipped

DEMO = SHIPPED.parent / "demo"
ITEM = Item(code="A", label="A", unit_price=Decimal(100))
SYNTEC = Weight(weight=Decimal(1), series="SYNTEC")
METER = Meter(code="M", label="M", unit="Go", unit_price=Decimal(3))


def signing(terms, signed_on=date(2023, 6, 20), **kwargs):
    return Signing(
        **{
            "number": "X-1", "form": "f", "form_digest": "d", "supplier": "S", "client": "C",
            "signed_on": signed_on, "starts_on": signed_on, "terms": terms, "items": (ITEM,),
            **kwargs,
        }
    )  # fmt: skip


def revised_on(*weights, **kwargs):
    return Terms(revision=Revision(indices=weights, **kwargs))


def weight(series, share="1"):
    return Weight(weight=Decimal(share), series=series)


def owing(indemnity, **kwargs):
    ways = Termination(grounds=(Ground(cause="convenience", indemnity=True),))
    return Terms(indemnity=indemnity, termination=ways, **kwargs)


# fmt: off
# Each line: what is asked, the terms, whose contract it is, and the finding.
FINDINGS = [
    ("61 days from issue", Terms(payment=Payment(days=61)), {},
     ("refuse", "payment", "the law allows 60 days from issue")),
    ("46 days then the end of the month",
     Terms(payment=Payment(days=46, counted="end_of_month_after")), {},
     ("refuse", "payment", "45 days end of month")),
    ("50 days after the end of the month",
     Terms(payment=Payment(days=50, counted="end_of_month_plus")), {},
     ("refuse", "payment", "45 days end of month")),
    ("45 days end of month on the 10th",
     Terms(payment=Payment(days=45, counted="end_of_month_after", then_on_day=10)), {},
     ("refuse", "payment", "the law allows")),
    ("50 days from receipt, presumed 15 days later",
     Terms(payment=Payment(days=50, counted="receipt", presumed_receipt_days=15)), {},
     ("refuse", "payment", "65 days later")),
    ("50 days on a periodic invoice", Terms(payment=Payment(days=50), meters=(METER,)), {},
     ("refuse", "payment", "45 days from issue for a periodic invoice")),
    ("a public buyer at 45 days", Terms(payment=Payment(days=45)), {"category": "public"},
     ("warn", "payment", "a public buyer pays within 30 days")),
    ("direct debit required, no mandate", Terms(payment=Payment(debit_required=True)), {},
     ("warn", "payment", "the contract will be set aside")),
    ("direct debit scheduled, no mandate", Terms(payment=Payment(means="direct_debit")), {},
     ("warn", "payment", "nothing will be collected")),
    ("a recovery fee of 15 euros",
     Terms(late_interest=LateInterest(recovery_fee=Decimal("15.00"))), {},
     ("refuse", "late_interest", "the law sets 40.00")),
    ("an unknown rate", Terms(late_interest=LateInterest(series="LIBOR")), {},
     ("refuse", "late_interest", "LIBOR is no series of the catalogue")),
    ("a rate that ended", Terms(late_interest=LateInterest(series="BDF_DISCOUNT")), {},
     ("warn", "late_interest", "a substitution must be recorded")),
    ("an index as a rate", Terms(late_interest=LateInterest(series="SYNTEC")), {},
     ("refuse", "late_interest", "a yearly rate was expected")),
    # 1.5 × 4.22 + 5 = 11.33; 3 × 4.22 = 12.66 in the second half of 2023.
    ("1.5 × legal + 5 in 2023-S2",
     Terms(late_interest=LateInterest(series="LEGAL_INTEREST_PROFESSIONAL",
                                      times=Decimal("1.5"), points=Decimal(5))),
     {"signed_on": date(2023, 9, 1)},
     ("warn", "late_interest", "is 11.330 %, under three times the legal rate, 12.66 %")),
    ("weights that sum to 0.95", revised_on(weight("SYNTEC", "0.95")), {},
     ("refuse", "revision", "sum to 0.95, not to 1")),
    ("the consumer price index", revised_on(weight("IPC")), {},
     ("refuse", "revision", "IPC")),
    ("the minimum wage", revised_on(weight("SYNTEC", "0.5"), weight("SMIC", "0.5")), {},
     ("refuse", "revision", "SMIC")),
    ("a rate as an index", revised_on(weight("ECB_MRO")), {},
     ("refuse", "revision", "is a rate, not an index")),
    ("an unknown index", revised_on(weight("SYNTHEC")), {},
     ("refuse", "revision", "SYNTHEC is no series of the catalogue")),
    ("an index that is gone", revised_on(weight("PSDT")), {},
     ("warn", "revision", "until then the revision is set aside")),
    ("upwards only", revised_on(SYNTEC, direction="up_only"), {},
     ("warn", "revision", "it only raises the fees")),
    ("a floor of nought", revised_on(SYNTEC, floor_percent=Decimal(0)), {},
     ("warn", "revision", "it only raises the fees")),
    ("a floor above the cap",
     revised_on(SYNTEC, floor_percent=Decimal(-1), cap_percent=Decimal(-2)), {},
     ("refuse", "revision", "above its cap")),
    ("no index known at signature", revised_on(SYNTEC), {"signed_on": date(2025, 7, 1)},
     ("warn", "revision", "So cannot be read")),
    ("an open contract billed whole",
     Terms(renewal=Renewal(kind="open", term_months=None), schedule=Schedule(every_months=None)),
     {}, ("refuse", "schedule", "has no own term")),
    ("an association that is renewed tacitly", Terms(), {"category": "non_professional"},
     ("warn", "renewal", "a non-professional client is told")),
    ("a consumer who is renewed tacitly", Terms(), {"category": "consumer"},
     ("warn", "renewal", "the client may leave at any time")),
    ("an indemnity", owing(Indemnity(share=Decimal("0.75"))), {},
     ("warn", "indemnity", "0.75 of what remains is a penalty clause")),
    ("an indemnity outside VAT without a reason",
     owing(Indemnity(share=Decimal("0.5"), taxable=False)), {},
     ("refuse", "indemnity", "left out of VAT without a reason")),
    ("an indemnity that no clause sets", owing(None), {},
     ("refuse", "termination", "the terms have no indemnity clause")),
    ("a way out after a clock that is not there",
     Terms(termination=Termination(grounds=(Ground(cause="unpaid", clock="unpaid"),))), {},
     ("refuse", "termination", 'waits for a clock "unpaid"')),
    ("VAT of 0 without a reason", Terms(vat=(Vat(code="E", category="E"),)), {},
     ("refuse", "vat", '"E" has a rate of 0 without its reason')),
    ("an item with an unknown VAT", Terms(),
     {"items": (Item(code="A", label="A", unit_price=Decimal(1), vat="reduced"),)},
     ("refuse", "vat", 'item A names a VAT treatment "reduced"')),
]
# fmt: on


@pytest.mark.parametrize(
    ("terms", "whose", "expected"), [one[1:] for one in FINDINGS], ids=[one[0] for one in FINDINGS]
)
def test_the_review_finds(terms, whose, expected):
    found = review(signing(terms, **whose), shipped())
    severity, clause, told = expected
    assert any(
        (one.severity, one.clause) == (severity, clause) and told in one.message for one in found
    ), [str(one) for one in found]
    assert all(one.source for one in found)


# fmt: off
ALLOWED = [
    ("60 days from issue", Terms(payment=Payment(days=60)), {}),
    ("45 days then the end of the month",
     Terms(payment=Payment(days=45, counted="end_of_month_after")), {}),
    ("45 days after the end of the month",
     Terms(payment=Payment(days=45, counted="end_of_month_plus")), {}),
    ("45 days on a periodic invoice", Terms(payment=Payment(days=45), meters=(METER,)), {}),
    ("90 days to a consumer", Terms(payment=Payment(days=90), renewal=Renewal(kind="offer")),
     {"category": "consumer"}),
    ("direct debit with a mandate", Terms(payment=Payment(debit_required=True)), {"mandate": "M"}),
    ("three times the legal rate",
     Terms(late_interest=LateInterest(series="LEGAL_INTEREST_PROFESSIONAL", times=Decimal(3))), {}),
    ("Syntec, both ways", revised_on(SYNTEC), {}),
    ("a formula with a fixed part", revised_on(weight("SYNTEC", "0.85"), fixed=Decimal("0.15")),
     {}),
    ("a term billed whole", Terms(schedule=Schedule(every_months=None)), {}),
    ("VAT of 0 with its reason", Terms(vat=(Vat(code="O", category="O", reason="why"),)), {}),
]
# fmt: on


@pytest.mark.parametrize(
    ("terms", "whose"), [one[1:] for one in ALLOWED], ids=[one[0] for one in ALLOWED]
)
def test_the_review_has_nothing_to_say_of(terms, whose):
    assert review(signing(terms, **whose), shipped()) == []


def test_what_is_refused_comes_first():
    terms = owing(Indemnity(share=Decimal("0.5")), payment=Payment(days=90))
    found = review(signing(terms), shipped())
    assert [one.severity for one in found] == ["refuse", "warn"]


def test_an_end_for_insolvency_is_told_from_the_words_of_the_form():
    form = load_form("alliance-telecom")
    terms = form.terms(variant="maintenance")
    found = review(signing(terms, mandate="M"), shipped(), form, "maintenance")
    assert any("L622-13" in one.source for one in found)
    rental = review(signing(form.terms(), mandate="M"), shipped(), form, "rental")
    assert rental == []


@pytest.mark.parametrize(
    "path", sorted((DEMO / "contracts").glob("*.toml")), ids=lambda path: path.stem
)
def test_no_example_is_refused(path):
    contract = read_contract(path, folders=[DEMO / "forms"])
    found = review(contract.signing(), shipped(), contract.form, contract.variant)
    assert [one for one in found if one.severity == "refuse"] == []


def test_a_base_written_in_the_contract_need_not_be_in_the_book():
    base = Reading("SYNTEC_REVISED", "2025-05", Decimal("318.0"), date(2025, 6, 30), "contract")
    signed = signing(revised_on(SYNTEC), date(2025, 7, 1), bases={"SYNTEC": base})
    assert review(signed, shipped()) == []


def reading(period):
    return Reading("SYNTEC_REVISED", period, Decimal(300), date(2024, 1, 1), "test")


def test_an_index_that_varies_over_thirteen_months_in_twelve_is_told_with_both_periods():
    told = variation_warning(reading("2023-04"), reading("2024-05"), 12)
    assert "from 2023-04 to 2024-05, 13 months" in told
    assert variation_warning(reading("2023-05"), reading("2024-05"), 12) is None
