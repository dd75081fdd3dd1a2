"""Alliance Telecom, Call Master: the rental, its purchase, and the maintenance of five years."""

from datetime import date
from decimal import Decimal

import msgspec
import pytest

from billing.clauses.fees import Item
from billing.contract import change, cover, deposit, end, renew
from billing.events.contract import (
    ContractRenewed,
    ContractSetAside,
    ContractTerminated,
    IndemnityAssessed,
    PriceRevised,
)
from billing.events.invoice import CreditNoteIssued, InvoiceIssued
from billing.forms import BadFile
from billing.invoice import apply, release, withhold
from billing.refusal import Refused
from tests.scenario import BOOK, D, House, day, lines_of, nets, published

HEAD = """
form = "alliance-telecom"
variant = "{variant}"
number = "AT-1"
signed_on = {signed_on}
starts_on = {starts_on}

[client]
code = "TELEVENTE"
name = "Télévente Occitane"
iban = "FR76 9999 9000 0110 0111 1111 009"
bic = "DEMOFRPPXXX"

[[items]]
code = "CALLMASTER"
{more}
"""
MANDATE = """
[mandate]
reference = "RUM-1"
"""
QUOTE = """
[[items]]
code = "INSTALL"
[[items]]
code = "MULTI"
[[items]]
code = "REMISE"
"""
RATES = """
[[terms.rates]]
code = "TICKET"
unit_price = "95.00"
[[terms.rates]]
code = "CLE"
unit_price = "60.00"
"""


def rental(more=QUOTE + MANDATE + RATES, signed_on="2016-12-12", accepted_on="2016-12-20"):
    house = House()
    house.signs(HEAD.format(variant="rental", signed_on=signed_on, starts_on=signed_on, more=more))
    if accepted_on:
        house.do("AT-1", cover.accept_installation, day(accepted_on))
    return house


def maintenance(book=BOOK, more=MANDATE, signed_on="2024-05-21", starts_on="2024-06-01"):
    house = House(book)
    house.signs(
        HEAD.format(variant="maintenance", signed_on=signed_on, starts_on=starts_on, more=more)
    )
    return house


# The quote


def test_the_quote_is_invoiced_on_acceptance_apart_from_the_rent():
    quote, rent = rental().run("2017-01-01")
    # 1200.00 + 0.00 (offered) − 300.00 = 900.00; 20 % = 180.00
    assert (quote.net, quote.tax, quote.gross) == (D("900.00"), D("180.00"), D("1080.00"))
    assert [(x.code, x.unit_price, x.discount, x.net) for x in quote.lines] == [
        ("INSTALL", D("1200.00"), 0, D("1200.00")),
        ("MULTI", D("300.00"), 100, D("0.00")),
        ("REMISE", D("-300.00"), 0, D("-300.00")),
    ]
    assert (quote.issued_on, quote.due_on) == (date(2016, 12, 20), date(2017, 1, 19))
    assert (rent.net, rent.tax, rent.gross) == (D("180.00"), D("36.00"), D("216.00"))
    assert (rent.period.start, rent.period.end) == (date(2016, 12, 20), date(2017, 1, 20))
    assert rent.means == "direct_debit"


def test_the_discount_is_offered_until_30_december():
    assert rental(signed_on="2016-12-30", accepted_on=None)
    with pytest.raises(BadFile, match="offered until 2016-12-30"):
        rental(signed_on="2016-12-31", accepted_on=None)


def test_nothing_is_billed_before_the_acceptance():
    house = rental(accepted_on=None)
    house.do("AT-1", cover.subscribe, AGENT_WITH_ENTRY, date(2017, 1, 3))
    assert house.months("2016-12-01", "2017-03-01") == []
    assert house["AT-1"].next_due() is None


def test_a_blocking_defect_stops_the_billing_and_a_reserve_does_not():
    house = rental(accepted_on=None)
    house.do("AT-1", cover.accept_installation, date(2016, 12, 20), "aucun appel ne sort")
    assert house.months("2016-12-01", "2017-02-01") == []
    house.do("AT-1", cover.accept_installation, date(2017, 2, 3), reserves="un casque manque")
    first, rent = house.run("2017-03-01")
    assert (first.issued_on, first.net) == (date(2017, 2, 3), D("900.00"))
    assert rent.period.start == date(2017, 2, 3)


def test_it_is_accepted_once():
    with pytest.raises(Refused, match="already accepted on 2016-12-20"):
        rental().do("AT-1", cover.accept_installation, date(2016, 12, 21))


def test_without_a_mandate_the_contract_is_set_aside_until_it_has_one():
    house = rental(more=QUOTE)
    assert house.run("2017-01-01") == []
    [aside] = [e for e in house.events["AT-1"] if isinstance(e, ContractSetAside)]
    assert (aside.clause, aside.held) == ("payment", True)
    assert "mandate" in aside.reason
    house.do("AT-1", change.attach_mandate, "RUM-1", date(2017, 1, 5))
    assert nets(house.run("2017-02-01")) == [D("900.00"), D("180.00"), D("180.00")]


# Options, calls, work

AGENT = Item(code="AGENT", label="Agent", unit_price=D("40.00"), kind="option")
AGENT_WITH_ENTRY = msgspec.structs.replace(AGENT, entry_fee=D("25.00"))


def test_a_seasonal_agent_comes_and_goes_by_whole_months():
    house = rental()
    house.run("2017-02-01", earliest="2016-12-01")  # billed to 20 February
    house.do("AT-1", cover.subscribe, AGENT, date(2017, 2, 14))
    # 40.00 for the month from 20 January, though it came on 14 February, and 40.00 ahead.
    [february] = house.run("2017-03-01")
    assert [(x.kind, x.net) for x in february.lines if x.code == "AGENT"] == [
        ("catch_up", D("40.00")),
        ("fee", D("40.00")),
    ]
    house.do("AT-1", cover.cancel_option, "AGENT", date(2017, 3, 1), BOOK, house.history("AT-1"))
    assert nets(house.run("2017-04-01")) == [D("180.00")]


def test_calls_are_billed_by_the_second_and_rounded_on_the_line():
    house = rental()
    house.run("2017-02-01", earliest="2016-12-01")
    house.do("AT-1", cover.measure, "FIXE", date(2017, 1, 31), D(12345))
    house.do("AT-1", cover.measure, "MOBILE", date(2017, 1, 31), D(4321))
    calls = [x for x in lines_of(house.run("2017-03-01")) if x.kind == "usage"]
    # 12345 × 0.01/60 = 2.0575 → 2.06; 4321 × 0.08/60 = 5.7613… → 5.76
    assert [(x.code, x.net) for x in calls] == [("FIXE", D("2.06")), ("MOBILE", D("5.76"))]


def test_the_first_key_is_free_and_the_next_are_billed():
    house = rental()
    house.run("2017-02-01", earliest="2016-12-01")
    for on in (date(2017, 2, 2), date(2017, 2, 3)):
        house.do("AT-1", cover.do_work, "CLE", on)
    house.do("AT-1", cover.do_work, "TICKET", date(2017, 2, 4))
    work = [x for x in lines_of(house.run("2017-03-01")) if x.kind == "work"]
    assert [(x.code, x.net) for x in work] == [("CLE", D("60.00")), ("TICKET", D("95.00"))]


# Deposit, retention, rejections


def test_a_deposit_is_kept_when_the_client_cancels_without_agreement():
    house = rental(accepted_on=None)
    house.do("AT-1", change.deposit, D("500.00"), date(2016, 12, 13))
    [cancelled] = house.do("AT-1", end.cancel_order, date(2016, 12, 16), False)
    assert (cancelled.deposit_kept, cancelled.deposit_returned) == (D("500.00"), 0)
    assert house.months("2016-12-01", "2017-06-01") == []


def deposited(house, gross, on, number):
    """Money comes and has its invoice, as `billing deposit` records it."""
    [received] = house.do("AT-1", change.deposit, D(gross), day(on))
    told = (D(gross), day(on), day(on), number, BOOK, "standard", received.originator_version)
    return house.do("AT-1", deposit.invoiced, *told)[0]


def test_from_the_order_with_its_deposit_to_the_invoice_that_deducts_it():
    house = rental(accepted_on=None)
    # Half of the 1080.00 of the quote: 540.00, of which 540 × 20/120 = 90.00 is VAT.
    asked = deposited(house, "540.00", "2016-12-13", "AC-1")
    assert (asked.net, asked.tax, asked.vat_rate) == (D("450.00"), D("90.00"), D(20))
    house.do("AT-1", cover.accept_installation, date(2016, 12, 20))
    quote, rent = house.run("2017-01-01")
    # 1200.00 + 0.00 (offered) − 300.00 − 450.00 = 450.00; 180.00 − 90.00 = 90.00
    assert [(x.code, x.net) for x in quote.lines] == [
        ("INSTALL", D("1200.00")),
        ("MULTI", D("0.00")),
        ("REMISE", D("-300.00")),
        ("ACOMPTE", D("-450.00")),
    ]
    assert quote.lines[-1].label == "Acompte, facture AC-1 du 13/12/2016"
    assert (quote.net, quote.tax, quote.gross) == (D("450.00"), D("90.00"), D("540.00"))
    # 540.00 of the deposit and 540.00 here: the 1080.00 of the quote.
    assert (rent.net, rent.gross) == (D("180.00"), D("216.00"))


def test_a_deposit_larger_than_the_quote_pays_the_first_rents():
    house = rental(accepted_on=None)
    deposited(house, "1404.00", "2016-12-13", "AC-1")  # 1170.00 + 234.00
    house.do("AT-1", cover.accept_installation, date(2016, 12, 20))
    # 900.00, then 180.00 of the first rent and 90.00 of the second
    assert nets(house.months("2016-12-01", "2017-03-01")) == [0, 0, D("90.00"), D("180.00")]


def test_the_first_rent_is_refunded_on_purchase_though_a_deposit_paid_it():
    house = rental(accepted_on=None)
    deposited(house, "1296.00", "2016-12-13", "AC-1")
    house.do("AT-1", cover.accept_installation, date(2016, 12, 20))
    house.months("2016-12-01", "2017-02-01")
    house.do("AT-1", end.purchase, date(2017, 2, 10), D(4500), "Call Master", house.history("AT-1"))
    [note] = [d for d in house.run("2017-03-01") if isinstance(d, CreditNoteIssued)]
    assert (note.credits, note.net, note.gross) == ("2016-000002", D("180.00"), D("216.00"))


def test_and_returned_when_the_house_agrees():
    house = rental(accepted_on=None)
    house.do("AT-1", change.deposit, D("500.00"), date(2016, 12, 13))
    [cancelled] = house.do("AT-1", end.cancel_order, date(2016, 12, 16), True)
    assert (cancelled.deposit_kept, cancelled.deposit_returned) == (0, D("500.00"))


def test_without_a_deposit_the_costs_are_billed():
    house = rental(accepted_on=None)
    house.do("AT-1", end.cancel_order, date(2016, 12, 16), False, D("120.00"))
    assert nets(house.run("2017-01-01")) == [D("120.00")]


def test_what_is_served_is_not_cancelled():
    with pytest.raises(Refused, match="already served"):
        rental().do("AT-1", end.cancel_order, date(2016, 12, 21), False)


@pytest.mark.parametrize(
    ("percent", "on", "words"),
    [
        ("5", "2016-12-23", None),
        ("5", "2016-12-24", "too late"),
        ("5.01", "2016-12-22", "at most 5"),
        ("0", "2016-12-22", "more than zero"),
    ],
)
def test_a_retention_of_at_most_5_percent_told_within_3_days(percent, on, words):
    house = rental()
    quote, _ = house.run("2017-01-01")
    payment = house["AT-1"].terms.payment
    told = (payment, D(percent), day(on), date(2016, 12, 20), "un casque manque")
    if words:
        with pytest.raises(Refused, match=words):
            list(withhold(apply(None, quote), *told))
        return
    [withheld] = withhold(apply(None, quote), *told)
    assert withheld.amount == D("54.00")  # 1080.00 × 5 %
    [released] = release(apply(apply(None, quote), withheld), date(2017, 1, 9))
    assert released.amount == D("54.00")


def test_a_rejected_debit_is_billed_on_out_of_the_scope_of_vat():
    house = rental()
    house.run("2017-02-01", earliest="2016-12-01")
    house.do(
        "AT-1",
        change.add_charge,
        "bank_fee",
        "Frais de rejet",
        D("14.50"),
        date(2017, 2, 7),
        "rejet du prélèvement",
    )
    invoice = next(d for d in house.run("2017-03-01") if any(x.kind == "bank_fee" for x in d.lines))
    [line] = [x for x in invoice.lines if x.kind == "bank_fee"]
    assert (line.net, line.vat_rate, line.vat_category) == (D("14.50"), 0, "O")
    assert (invoice.net, invoice.tax) == (D("14.50"), 0)


# The end of a rental


@pytest.mark.parametrize(
    ("given_on", "ends_on"),
    [
        ("2017-02-01", "2017-02-20"),
        ("2017-02-19", "2017-02-20"),
        ("2017-02-20", "2017-03-20"),  # the month begun that day is owed
        ("2017-02-21", "2017-03-20"),
    ],
)
def test_the_client_leaves_at_the_end_of_a_billing_month(given_on, ends_on):
    house = rental()
    house.run("2017-02-01", earliest="2016-12-01")
    [notice] = house.do("AT-1", renew.notice, "client", day(given_on), sending="email")
    assert notice.ends_on == day(ends_on)
    house.months("2017-02-01", "2017-09-01")
    assert house["AT-1"].billed_until == day(ends_on)
    assert house["AT-1"].indemnity is None


def test_the_purchase_refunds_the_first_rent_and_ends_the_rental():
    house = rental()
    house.run("2017-02-01", earliest="2016-12-01")
    house.do(
        "AT-1",
        end.purchase,
        date(2017, 2, 10),
        D("4500.00"),
        "Call Master",
        house.history("AT-1"),
    )
    documents = house.months("2017-02-01", "2017-09-01")
    [sale] = [d for d in documents if isinstance(d, InvoiceIssued)]
    [note] = [d for d in documents if isinstance(d, CreditNoteIssued)]
    assert (sale.net, sale.gross) == (D("4500.00"), D("5400.00"))
    # The first rent, of 20 December, is the second invoice; the rent begun on 20 January stays.
    assert (note.credits, note.net, note.gross) == ("2016-000002", D("180.00"), D("216.00"))
    assert house["AT-1"].next_due() is None


def test_there_is_no_first_rent_to_refund_before_it_is_billed():
    with pytest.raises(Refused, match="no rent was billed"):
        rental().do("AT-1", end.purchase, date(2016, 12, 21), D(1), "x", [])


def test_unpaid_the_service_stops_and_the_equipment_is_recovered_on_the_10th_day():
    house = rental()
    house.run("2017-02-01", earliest="2016-12-01")
    [sent] = house.do("AT-1", end.formal_notice, "unpaid", "supplier", date(2017, 2, 3))
    assert sent.allowed_from == date(2017, 2, 13)
    with pytest.raises(Refused, match="too early"):
        house.do("AT-1", end.suspend, "unpaid", date(2017, 2, 12), "recover")
    house.do("AT-1", end.suspend, "unpaid", date(2017, 2, 13))
    house.do("AT-1", end.suspend, "unpaid", date(2017, 2, 20), "recover")
    events = house.do(
        "AT-1",
        end.terminate,
        date(2017, 2, 20),
        "unpaid",
        "supplier",
        history=house.history("AT-1"),
    )
    assert [type(e) for e in events] == [ContractTerminated]  # No indemnity.
    assert events[0].charges == ()  # What was paid is kept.


# Maintenance


def test_five_years_then_one():
    house = maintenance()
    assert house["AT-1"].term.last_day == date(2029, 5, 31)
    house.months("2024-06-01", "2030-07-01")
    renewed = [e.term for e in house.events["AT-1"] if isinstance(e, ContractRenewed)]
    assert [term.last_day for term in renewed] == [date(2030, 5, 31), date(2031, 5, 31)]


@pytest.mark.parametrize(
    ("sent_on", "ends_on"),
    [("2029-02-28", "2029-06-01"), ("2029-03-01", "2030-06-01")],
)
def test_a_registered_letter_three_months_before(sent_on, ends_on):
    # The last day is 31 May 2029; three months before is 28 February, as there is no 31st.
    [notice] = maintenance().do("AT-1", renew.notice, "client", day(sent_on))
    assert notice.ends_on == day(ends_on)


def test_equipment_added_raises_the_fee_by_day():
    house = maintenance()
    house.run("2024-07-01")
    handset = Item(code="POSTE", label="Poste", unit_price=D("10.00"), kind="equipment")
    house.do("AT-1", cover.add_equipment, handset, date(2024, 6, 16))
    [july] = house.run("2024-08-01")
    # 16 to 30 June: 15 days of 30
    assert [x.net for x in july.lines] == [D("180.00"), D("5.00"), D("10.00")]


@pytest.mark.parametrize(
    ("on", "count", "amount"),
    [
        # From 1 June 2024, 60 months; 29 have begun by 31 October 2026: 31 × 180.00 × ¾
        ("2026-11-01", 31, "4185.00"),
        ("2026-11-02", 30, "4050.00"),
        ("2029-05-01", 1, "135.00"),
        ("2029-05-02", 0, "0.00"),
    ],
)
def test_leaving_early_costs_three_quarters_of_the_rents_left(on, count, amount):
    house = maintenance()
    house.months("2024-06-01", f"{on[:7]}-01")
    assessed = house.do("AT-1", end.terminate, day(on), "convenience", "client")[-1]
    assert isinstance(assessed, IndemnityAssessed)
    assert (len(assessed.remaining), assessed.amount) == (count, D(amount))


def test_a_month_begun_stays_due_whether_the_run_comes_before_or_after_the_end():
    early, late = maintenance(), maintenance()
    early.months("2024-06-01", "2024-09-01")
    for house in (early, late):
        house.do("AT-1", end.terminate, date(2024, 8, 20), "convenience", "client")
        house.months("2024-06-01", "2024-10-01")
    fees = [[x.net for x in lines_of(h.documents) if x.kind == "fee"] for h in (early, late)]
    assert fees == [[D("180.00")] * 3] * 2


def test_the_letter_of_maintenance_runs_five_days():
    house = maintenance()
    [sent] = house.do("AT-1", end.formal_notice, "breach", "supplier", date(2024, 9, 2))
    assert sent.allowed_from == date(2024, 9, 7)
    ended, assessed = house.do(
        "AT-1", end.terminate, date(2024, 9, 7), "breach_by_client", "supplier"
    )
    # October 2024 to May 2029: 56 × 180.00 × ¾
    assert (ended.cause, assessed.amount) == ("breach_by_client", D("7560.00"))


# The formula: PsdT and S are gone, FSD2 and ICHTrev-TS-IME take their place. Values made up.
INDEXED = published(
    "ICHTREV_TS_IME",
    ("2023-12", "140.0", "2024-04-09"),
    ("2024-12", "142.8", "2025-04-10"),
    ("2025-12", "147.084", "2026-04-10"),
    book=published(
        "FSD2",
        ("2024-01", "160.0", "2024-04-30"),
        ("2025-01", "168.0", "2025-04-30"),
        ("2026-01", "172.2", "2026-04-30"),
    ),
)


def substituted(house, on):
    for series, by_series in (("PSDT", "FSD2"), ("S_SME", "ICHTREV_TS_IME")):
        house.do(
            "AT-1",
            change.substitute_index,
            series,
            by_series,
            day(on),
            "la direction",
            "courrier aux clients",
            INDEXED,
        )


def revisions(house):
    return [e for e in house.events["AT-1"] if isinstance(e, PriceRevised)]


def test_the_formula_rolls_on_the_anniversary():
    house = maintenance(INDEXED)
    substituted(house, "2024-06-03")
    house.months("2024-06-01", "2026-07-01")
    first, second = revisions(house)
    assert first.effective_on == date(2025, 6, 1)
    # 0.20 × 168.0/160.0 + 0.80 × 142.8/140.0 = 0.21 + 0.816 = 1.026; 180.00 × 1.026 = 184.68
    assert Decimal(first.coefficient.exact.split("/")[0]) / Decimal(
        first.coefficient.exact.split("/")[1]
    ) == D("1.026")
    assert first.fees[0].after == D("184.68")
    # 0.20 × 172.2/168.0 + 0.80 × 147.084/142.8 = 0.205 + 0.824 = 1.029; 184.68 × 1.029 = 190.0357
    assert second.fees[0].after == D("190.04")


def test_on_the_original_base_two_indices_give_another_price():
    house = maintenance(INDEXED, more=MANDATE + '\n[terms.revision]\nbase = "original"\n')
    substituted(house, "2024-06-03")
    house.months("2024-06-01", "2026-07-01")
    # 0.20 × 172.2/160.0 + 0.80 × 147.084/140.0 = 0.21525 + 0.84048 = 1.05573;
    # 180.00 × 1.05573 = 190.0314 → 190.03, where rolling gives 190.04
    assert [e.fees[0].after for e in revisions(house)] == [D("184.68"), D("190.03")]


def test_without_a_decision_the_revision_is_set_aside_and_the_rents_go_on():
    house = maintenance(INDEXED)
    billed = house.months("2024-06-01", "2025-12-01")
    assert nets(billed) == [D("180.00")] * 18
    [aside] = [e for e in house.events["AT-1"] if isinstance(e, ContractSetAside)]
    assert (aside.clause, aside.held, aside.due_on) == ("revision", False, date(2025, 6, 1))


def test_the_revision_is_applied_once_the_decision_is_recorded():
    house = maintenance(INDEXED)
    house.months("2024-06-01", "2025-12-01")
    substituted(house, "2025-12-04")
    [december] = house.run("2026-01-01")
    # Recorded after the rent of 1 December was due: it bills December at the revised price, and
    # leaves June to November as they were.
    assert revisions(house)[0].effective_on == date(2025, 6, 1)
    assert december.net == D("184.68")


def test_two_anniversaries_that_waited_are_both_applied_before_the_next_rent():
    house = maintenance(INDEXED)
    house.months("2024-06-01", "2026-08-01")
    substituted(house, "2026-07-20")
    assert nets(house.run("2026-09-01")) == [D("190.04")]
    assert [e.effective_on.year for e in revisions(house)] == [2025, 2026]


def test_what_waited_is_regularised_where_the_contract_says_so():
    late = MANDATE + '\n[terms.revision]\nlate = "regularise"\n'
    house = maintenance(INDEXED, more=late)
    house.months("2024-06-01", "2026-08-01")
    substituted(house, "2026-07-20")
    [august] = house.run("2026-09-01")
    # June 2025 to July 2026, 14 rents × (184.68 − 180.00) = 65.52; then June and July 2026,
    # 2 × (190.04 − 184.68) = 10.72
    assert [(x.kind, x.net) for x in august.lines] == [
        ("fee", D("190.04")),
        ("regularisation", D("65.52")),
        ("regularisation", D("10.72")),
    ]


def test_a_substitution_says_who_decided_it_and_on_what():
    house = maintenance(INDEXED)
    told = ("PSDT", "FSD2", date(2024, 6, 3))
    with pytest.raises(Refused, match="who took it"):
        house.do("AT-1", change.substitute_index, *told, "", "", INDEXED)
    with pytest.raises(Refused, match="not a known series"):
        house.do(
            "AT-1", change.substitute_index, "PSDT", "NOPE", date(2024, 6, 3), "x", "y", INDEXED
        )
    with pytest.raises(Refused, match="in none of its clauses"):
        house.do(
            "AT-1", change.substitute_index, "SYNTEC", "FSD2", date(2024, 6, 3), "x", "y", INDEXED
        )


def test_the_supplier_may_assign_the_maintenance():
    house = maintenance()
    house.do("AT-1", change.assign, "supplier", "ANALYTEL", date(2024, 8, 1))
    assert {i.issued_on.month: i.supplier for i in house.months("2024-06-01", "2024-09-01")} == {
        6: "ALLIANCE",
        7: "ALLIANCE",
        8: "ANALYTEL",
    }
