"""Data of sales and payments for the administration (e-reporting, flux 10): pure, held to its XSD.

One file tells of one period, and of sales or of payments (G6.29): sales abroad invoice by
invoice, sales to consumers day by day. The names TT-n and TG-n are those of the DGFiP's
specifications (annexe 6, format sémantique FE e-reporting).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Final, Literal

from lxml import etree
from lxml.builder import E
from msgspec import Struct

from billing.clauses.vat import VatTotal
from billing.dates import Period
from billing.einvoicing.cdar import PARIS
from billing.einvoicing.collected import Movement
from billing.einvoicing.house import Platform
from billing.einvoicing.xml import EREPORTING, held_to, written
from billing.events.invoice import CreditNoteIssued, InvoiceIssued
from billing.events.party import Identity
from billing.money import ZERO, plain
from billing.refusal import Refused

PROFILE: Final = "urn.cpro.gouv.fr:1p0:ereporting"
SERVICES: Final = "S1"
"""The frame of invoicing: a service, invoiced by who rendered it (G1.02)."""

ON_DEBITS, ON_COLLECTION = "5", "72"  # UNTDID 2475: the tax is due on the invoice, the payment.
TAXED, UNTAXED = "TPS1", "TNT1"  # Services taxed in France; sales not taxed there (G1.68).
_IN_SCOPE = frozenset("SZ")


class Head(Struct, frozen=True, kw_only=True):
    """Which report it is: its id, the moment, whose, through which platform."""

    id: str
    at: datetime
    type_code: Literal["IN", "RE"]
    platform: Platform
    supplier: Identity
    days: Period


class Sale(Struct, frozen=True):
    """An invoice or a credit note, its client, and the day of the invoice it credits."""

    document: InvoiceIssued | CreditNoteIssued
    client: Identity
    on_debits: bool
    credits_of: date | None = None


class Paid(Struct, frozen=True):
    """What was collected of an invoice that day; `abroad` it is told by invoice, else by day."""

    number: str
    issued_on: date
    abroad: bool
    movement: Movement


def transactions(head: Head, abroad: Sequence[Sale], consumers: Sequence[Sale]) -> bytes:
    """The report of what was sold: flux 10.1 for sales abroad, 10.3 for sales to consumers."""
    report = E.TransactionsReport(
        _period(head.days), *(_invoice(head, one) for one in abroad), *_days(consumers)
    )
    return _report(head, report)


def payments(head: Head, paid: Iterable[Paid]) -> tuple[bytes, tuple[str, ...]]:
    """The report of what was collected (flux 10.2, 10.4), and what could not be told in it.

    Amounts are never negative there (G1.16): what was taken back is told off the same day, or is
    named, for a correction of the period it was collected in.
    """
    by_invoice: dict[tuple[str, date, date], dict[Decimal, Decimal]] = {}
    by_day: dict[date, dict[Decimal, Decimal]] = {}
    for one in paid:
        on = one.movement.value_on
        sums = (
            by_invoice.setdefault((one.number, one.issued_on, on), {})
            if one.abroad
            else by_day.setdefault(on, {})
        )
        for part in one.movement.amounts:
            sums[part.rate] = sums.get(part.rate, ZERO) + part.amount
    aside: list[str] = []
    told: list[etree._Element] = []
    for (number, issued_on, on), sums in sorted(by_invoice.items()):
        if parts := _subtotals(sums, f"{number}, {on}", aside):
            payment = E.Payment(E.Date(_day(on)), *parts)
            told.append(E.Invoice(E.InvoiceID(number), E.IssueDate(_day(issued_on)), payment))
    for on, sums in sorted(by_day.items()):
        if parts := _subtotals(sums, f"{on}", aside):
            told.append(E.Transactions(E.Payment(E.Date(_day(on)), *parts)))
    return _report(head, E.PaymentsReport(_period(head.days), *told)), tuple(aside)


def taxed_on_collection(document: InvoiceIssued) -> bool:
    """Whether some of it bears French tax: what bears none has no payment to tell of."""
    return any(total.tax for total in document.vat)


def _report(head: Head, report: etree._Element) -> bytes:
    root = E.Report(
        E.ReportDocument(
            E.Id(head.id),  # TT-1
            E.Name("E-reporting"),
            E.IssueDateTime(E.DateTimeString(f"{head.at.astimezone(PARIS):%Y%m%d%H%M%S}")),  # TT-3
            E.TypeCode(head.type_code),  # TT-4
            E.Sender(
                E.Id(head.platform.matricule, schemeId="0238"),
                E.Name(head.platform.name),
                E.RoleCode("WK"),
            ),
            E.Issuer(
                E.Id(head.supplier.siren, schemeId="0002"),
                E.Name(head.supplier.name),
                E.RoleCode("SE"),
            ),
        ),
        report,
    )
    data = written(root)
    held_to(EREPORTING, etree.fromstring(data), f"report {head.id}")
    return data


def _period(days: Period) -> etree._Element:
    return E.ReportPeriod(E.StartDate(_day(days.start)), E.EndDate(_day(days.last_day)))


def _invoice(head: Head, sale: Sale) -> etree._Element:
    """TG-8: a sale abroad."""
    one, client = sale.document, sale.client
    seller = E.Seller(E.CompanyId(head.supplier.siren, schemeId="0002"))
    if not head.supplier.vat_number:
        raise Refused(
            f"{head.supplier.code}: no VAT number; {one.number} to {client.code}, abroad, needs it"
        )
    seller.append(E.TaxRegistrationId(head.supplier.vat_number, qualifyingId="VAT"))
    seller.append(E.PostalAddress(E.CountryId("FR")))
    totals = [
        E.TaxSubTotal(
            E.TaxableAmount(_amount(total.base)),
            E.TaxAmount(_amount(total.tax)),
            E.TaxCategory(
                E.Code(total.category),
                E.Percent(plain(total.rate.normalize())),
                *([E.TaxExemptionReason(total.reason)] if total.reason else []),
            ),
        )
        for total in one.vat
    ]
    return E.Invoice(
        E.ID(one.number),
        E.IssueDate(_day(one.issued_on)),
        E.TypeCode(type_code(one)),
        E.CurrencyCode("EUR"),
        *([E.DueDate(_day(one.due_on))] if isinstance(one, InvoiceIssued) else []),
        E.TaxDueDateTypeCode(ON_DEBITS if sale.on_debits else ON_COLLECTION),
        E.BusinessProcess(E.ID(SERVICES), E.TypeID(PROFILE)),
        *_referenced(sale),
        seller,
        _buyer(client, one.number),
        *_invoice_period(one),
        E.MonetaryTotal(
            E.TaxExclusiveAmount(_amount(one.net)),
            E.TaxAmount(_amount(one.tax), CurrencyCode="EUR"),
        ),
        *totals,
    )


def type_code(document: InvoiceIssued | CreditNoteIssued) -> Literal["380", "381", "386"]:
    """What it is (UNTDID 1001)."""
    if isinstance(document, CreditNoteIssued):
        return "381"
    return "386" if document.kind == "deposit" else "380"


def _referenced(sale: Sale) -> list[etree._Element]:
    if not isinstance(sale.document, CreditNoteIssued):
        return []
    day = [E.IssueDate(_day(sale.credits_of))] if sale.credits_of else []
    return [E.ReferencedDocument(E.ID(sale.document.credits), *day)]


def _invoice_period(one: InvoiceIssued | CreditNoteIssued) -> list[etree._Element]:
    period = one.period if isinstance(one, InvoiceIssued) else None
    if period is None or period.days < 2:  # One day is no period there (G6.25).
        return []
    days = E.StartDate(_day(period.start)), E.EndDate(_day(period.last_day))
    return [E.InvoicePeriod(*days)]


def _buyer(client: Identity, number: str) -> etree._Element:
    from stdnum.eu.vat import MEMBER_STATES

    if client.address is None:
        raise Refused(f"{client.code}: no address; {number} is told of by the client's country")
    country = client.address.country
    if country.lower() in MEMBER_STATES or country == "GR":
        if not client.vat_number:
            raise Refused(
                f"{client.code}: no VAT number; {number} to a business of the European Union "
                "needs it: record it with `billing party amend`"
            )
        id, scheme = client.vat_number, "0223"
    else:
        id, scheme = f"{country}{client.name[:16]}", "0227"
    return E.Buyer(
        E.CompanyId(id, schemeId=scheme),
        *(
            [E.TaxRegistrationId(client.vat_number, qualifyingId="VAT")]
            if client.vat_number
            else []
        ),
        E.PostalAddress(E.CountryId(country)),
    )


class _Day:
    """What was sold to consumers in a day, of one kind."""

    def __init__(self) -> None:
        self.count = 0
        self.rates: dict[Decimal, list[Decimal]] = {}

    def add(self, total: VatTotal, sign: int) -> None:
        sums = self.rates.setdefault(total.rate, [ZERO, ZERO])
        sums[0] += sign * total.base
        sums[1] += sign * total.tax


def _days(consumers: Sequence[Sale]) -> Iterable[etree._Element]:
    """TG-31: sales to consumers, by day, when the tax is due, and whether there is any."""
    days: dict[tuple[date, str, str], _Day] = {}
    for sale in consumers:
        one, due = sale.document, ON_DEBITS if sale.on_debits else ON_COLLECTION
        sign = -1 if isinstance(one, CreditNoteIssued) else 1
        kinds = set()
        for total in one.vat:
            if total.category == "O":
                continue  # Outside the scope of the tax, and of this.
            kind = TAXED if total.category in _IN_SCOPE else UNTAXED
            days.setdefault((one.issued_on, due, kind), _Day()).add(total, sign)
            kinds.add(kind)
        for kind in kinds:
            days[one.issued_on, due, kind].count += 1
    for (on, due, kind), sold in sorted(days.items()):
        sums = list(sold.rates.values())
        yield E.Transactions(
            E.Date(_day(on)),
            E.TransactionsCurrency("EUR"),
            E.TaxDueDateTypeCode(due),
            E.CategoryCode(kind),
            E.TaxExclusiveAmount(_amount(sum((net for net, _ in sums), ZERO))),
            E.TaxTotal(_amount(sum((tax for _, tax in sums), ZERO))),
            E.TransactionsCount(str(sold.count)),
            *(
                E.TaxSubtotal(
                    E.TaxPercent(plain(rate.normalize())),
                    E.TaxableAmount(_amount(net)),
                    E.TaxTotal(_amount(tax)),
                )
                for rate, (net, tax) in sorted(sold.rates.items(), reverse=True)
            ),
        )


def _subtotals(sums: dict[Decimal, Decimal], what: str, aside: list[str]) -> list[etree._Element]:
    found = []
    for rate, amount in sorted(sums.items(), reverse=True):
        if amount < 0:
            aside.append(
                f"{what}: {amount} € at {plain(rate.normalize())} % was taken back; correct the "
                "report of the period it was collected in"
            )
        elif amount and rate:
            found.append(
                E.SubTotals(
                    E.TaxPercent(plain(rate.normalize())),
                    E.CurrencyCode("EUR"),
                    E.Amount(_amount(amount)),
                )
            )
    return found


def _day(on: date) -> str:
    return f"{on:%Y%m%d}"


def _amount(amount: Decimal) -> str:
    return f"{amount:.2f}"
