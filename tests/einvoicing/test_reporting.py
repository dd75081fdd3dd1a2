"""E-reporting: a period's sales abroad and to consumers, and what was collected of them."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from lxml import etree

from billing.application.ereporting import Report, report
from billing.clauses.vat import VatTotal
from billing.dates import DAY, Period
from billing.einvoicing.house import Company, House
from billing.events.invoice import PaymentAllocated, PaymentReversed
from billing.refusal import Refused
from tests.einvoicing.desk import AT_HOME, HOUSE, Desk, abroad, line
from tests.money.office import day

D = Decimal
SEPTEMBER = Period(day("2026-09-01"), day("2026-10-01"))
OCTOBER = Period(day("2026-10-01"), day("2026-11-01"))


@pytest.fixture
def selling(desk: Desk) -> Desk:
    """Clients who receive nothing by a platform: a German business, a Swiss one, a consumer."""
    desk.knows("DE", address=abroad("DE"), vat_number="DE136695976")
    desk.knows("CH", address=abroad("CH"))
    desk.knows("JEAN", category="consumer", address=AT_HOME)
    return desk


def reported(desk: Desk, which: str, days: Period, folder: Path) -> tuple[Report, etree._Element]:
    """The report, and its XML."""
    found = report(desk.app, HOUSE, "S", which, days, folder)  # type: ignore[arg-type]
    assert found.path
    return found, etree.fromstring(Path(found.path).read_bytes())


def texts(root: etree._Element, *paths: str) -> list[tuple[str | None, ...]]:
    """Some values of each element of the first path."""
    first, *others = paths
    return [tuple(one.findtext(path) for path in others) for one in root.iterfind(first)]


def test_a_sale_abroad_is_told_by_invoice_and_a_sale_to_consumers_by_day(
    selling, tmp_path, ereporting_rules
):
    untaxed = VatTotal(D(0), D("500.00"), D(0), "AE", "Autoliquidation, CGI 283-2")
    for number, client in (("F-1", "DE"), ("F-2", "CH")):
        selling.sells(
            number, line("500.00", rate="0"), issued="2026-09-10", client=client, vat=(untaxed,)
        )
    selling.sells("F-3", line("100.00"), issued="2026-09-10", client="JEAN")
    selling.sells("F-4", line("50.00"), line("10.00", rate="5.5"), issued="2026-09-10",
                  client="JEAN")  # fmt: skip
    selling.sells("F-5", line("1.00"), issued="2026-09-30", client="JEAN")
    selling.sells("F-6", line("77.00"), issued="2026-09-10")  # By a platform.
    selling.sells("F-7", line("77.00"), issued="2026-10-01", client="JEAN")
    found, root = reported(selling, "transactions", SEPTEMBER, tmp_path)
    assert ereporting_rules.faults(Path(found.path).read_bytes()) == []
    assert found.prepared is not None
    assert (found.prepared.documents, found.prepared.type_code) == (5, "IN")
    assert (found.prepared.net, found.prepared.tax) == (D("1161.00"), D("30.75"))
    assert texts(root, ".//Invoice", "ID", "Buyer/CompanyId", "MonetaryTotal/TaxAmount") == [
        ("F-1", "DE136695976", "0.00"),
        ("F-2", "CHCH", "0.00"),
    ]
    assert texts(
        root, ".//Transactions", "Date", "CategoryCode", "TaxExclusiveAmount", "TaxTotal",
        "TransactionsCount", "TaxDueDateTypeCode",
    ) == [
        ("20260910", "TPS1", "160.00", "30.55", "2", "72"),
        ("20260930", "TPS1", "1.00", "0.20", "1", "72"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("before", "after", "rule"),
    [
        ("<Percent>20<", "<Percent>21<", "G1.24"),
        ("<TaxAmount>100.00<", "<TaxAmount>90.00<", "G1.5"),
        ('schemeId="0238"', 'schemeId="0002"', "G6.22"),
        ("<EndDate>20260930<", "<EndDate>20260901<", "G6.25"),
    ],
)
def test_the_official_rules_do_look_at_it(selling, tmp_path, ereporting_rules, before, after, rule):
    selling.sells("F-1", line("500.00"), issued="2026-09-10", client="DE")
    found, _ = reported(selling, "transactions", SEPTEMBER, tmp_path)
    text = Path(found.path).read_text("utf-8")
    assert before in text
    assert any(rule in x for x in ereporting_rules.faults(text.replace(before, after).encode()))


def test_a_credit_note_abroad_names_its_invoice_and_one_to_a_consumer_is_less(
    selling, tmp_path, ereporting_rules
):
    selling.sells("F-1", line("500.00"), issued="2026-09-10", client="DE")
    selling.sells("F-2", line("100.00"), issued="2026-09-11", client="JEAN")
    selling.gives_back("A-1", "F-1", line("500.00"), issued="2026-09-12", client="DE")
    selling.gives_back("A-2", "F-2", line("40.00"), issued="2026-09-11", client="JEAN")
    found, root = reported(selling, "transactions", SEPTEMBER, tmp_path)
    assert ereporting_rules.faults(Path(found.path).read_bytes()) == []
    paths = ("ID", "TypeCode", "ReferencedDocument/ID", "ReferencedDocument/IssueDate")
    assert texts(root, ".//Invoice", *paths)[1] == ("A-1", "381", "F-1", "20260910")
    assert texts(root, ".//Transactions", "TaxExclusiveAmount", "TaxTotal") == [("60.00", "12.00")]


def test_what_was_collected_is_told_by_day_and_rate(selling, tmp_path, ereporting_rules):
    selling.sells("F-1", line("500.00"), issued="2026-09-10", client="DE")
    selling.sells("F-2", line("100.00"), issued="2026-09-11", client="JEAN")
    selling.sells("F-3", line("10.00"), issued="2026-09-11")
    selling.pays("600.00", "2026-10-02", client="DE", invoices=["F-1"])
    selling.pays("60.00", "2026-10-02", client="JEAN", invoices=["F-2"])
    selling.pays("60.00", "2026-10-30", client="JEAN", invoices=["F-2"])
    selling.pays("12.00", "2026-10-30", invoices=["F-3"])
    found, root = reported(selling, "payments", OCTOBER, tmp_path)
    assert ereporting_rules.faults(Path(found.path).read_bytes()) == []
    assert texts(root, ".//Invoice", "InvoiceID", "Payment/Date", "Payment/SubTotals/Amount") == [
        ("F-1", "20261002", "600.00")
    ]
    assert texts(
        root, ".//Transactions/Payment", "Date", "SubTotals/TaxPercent", "SubTotals/Amount"
    ) == [("20261002", "20", "60.00"), ("20261030", "20", "60.00")]
    assert found.aside == ()


def test_what_was_taken_back_is_less_that_day_or_named(selling, tmp_path):
    selling.sells("F-1", line("100.00"), issued="2026-09-11", client="JEAN")
    selling.sells("F-2", line("100.00"), issued="2026-09-11", client="JEAN")
    for number, on in (("F-1", "2026-09-20"), ("F-2", "2026-10-05")):
        paid = PaymentAllocated(
            amount=D("120.00"), value_on=day(on), means="direct_debit", collection=number
        )
        selling.tells(number, paid)
    back = PaymentReversed(amount=D("120.00"), value_on=day("2026-10-06"), collection="F-1")
    selling.tells("F-1", back)
    found, root = reported(selling, "payments", OCTOBER, tmp_path)
    assert texts(root, ".//Transactions/Payment", "Date") == [("20261005",)]
    ((what, why),) = found.aside
    assert what == "2026-10-06"
    assert "-120.00 € at 20 % was taken back; correct the report" in why


def test_a_period_told_of_again_is_a_correction(selling, tmp_path):
    selling.sells("F-1", line("100.00"), issued="2026-09-11", client="JEAN")
    first, root = reported(selling, "transactions", SEPTEMBER, tmp_path)
    again, corrected = reported(selling, "transactions", SEPTEMBER, tmp_path)
    assert root.findtext("ReportDocument/TypeCode") == "IN"
    assert corrected.findtext("ReportDocument/TypeCode") == "RE"
    assert first.path != again.path


def test_a_period_of_nothing_writes_nothing(selling, tmp_path):
    found = report(selling.app, HOUSE, "S", "payments", SEPTEMBER, tmp_path)
    assert found.prepared is None
    assert list(tmp_path.iterdir()) == []


def test_tax_on_debits_has_no_payment_to_tell_of(tmp_path):
    with Desk(vat_on_debits=True) as desk:
        desk.knows("JEAN", category="consumer", address=AT_HOME)
        desk.sells("F-1", line("100.00"), issued="2026-09-11", client="JEAN")
        desk.pays("120.00", "2026-10-02", client="JEAN", invoices=["F-1"])
        assert report(desk.app, HOUSE, "S", "payments", OCTOBER, tmp_path).prepared is None
        _, root = reported(desk, "transactions", SEPTEMBER, tmp_path)
        assert root.findtext(".//TaxDueDateTypeCode") == "5"


@pytest.mark.parametrize(
    ("days", "told"),
    [
        (Period(day("2026-11-01"), day("2026-12-01")), "is not over"),
        (Period(day("2026-08-01"), day("2026-08-31")), "need not report"),
        (Period(day("2026-09-01"), day("2026-09-02")), "two days at least"),
    ],
)
def test_a_period_that_cannot_be_told_is_refused(desk, tmp_path, days, told):
    with pytest.raises(Refused, match=told):
        report(desk.app, HOUSE, "S", "transactions", days, tmp_path)


@pytest.mark.parametrize(
    ("client", "told"),
    [
        ({"address": abroad("DE")}, "X: no VAT number; F-1 to a business of the European Union"),
        ({"address": abroad("DE"), "vat_number": "DE136695976"}, "S: no VAT number; F-1 to X"),
    ],
)
def test_what_a_sale_abroad_lacks_is_named(tmp_path, client, told):
    ours = {} if "vat_number" not in client else {"vat_number": ""}
    with Desk(**ours) as desk:
        desk.knows("X", **client)
        desk.sells("F-1", line("100.00"), issued="2026-09-11", client="X")
        with pytest.raises(Refused, match=told):
            report(desk.app, HOUSE, "S", "transactions", SEPTEMBER, tmp_path)
        assert list(tmp_path.iterdir()) == []


def test_a_small_company_reports_from_2027(desk, tmp_path):
    small = House(
        platforms=HOUSE.platforms, suppliers={"S": Company(size="micro", platform="EXEMPLE")}
    )
    with pytest.raises(Refused, match=r"of its size \(micro\) need not report"):
        report(desk.app, small, "S", "transactions", SEPTEMBER, tmp_path)


def test_ten_days_are_a_period(selling, tmp_path, ereporting_rules):
    selling.sells("F-1", line("100.00"), issued="2026-09-11", client="JEAN")
    days = Period(day("2026-09-11"), day("2026-09-20") + DAY)
    found, root = reported(selling, "transactions", days, tmp_path)
    assert texts(root, ".//ReportPeriod", "StartDate", "EndDate") == [("20260911", "20260920")]
    assert ereporting_rules.faults(Path(found.path).read_bytes()) == []
