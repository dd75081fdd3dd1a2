"""The data inside the PDF: UN/CEFACT Cross Industry Invoice, profile EN 16931 (`factur-x.xml`).

Business terms (BT-…) are those of EN 16931; the French rules of 2026 (BR-FR-…) are kept where the
parties are told well enough for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

from lxml import etree

from billing.clauses.vat import VatTotal
from billing.dates import Period
from billing.documents.facturx.lines import OUTSIDE, PrintedLine
from billing.documents.facturx.printed import Printed, electronic_address
from billing.events.party import Address, Identity
from billing.money import ZERO

NAME: Final = "factur-x.xml"
PROFILE: Final = "urn:cen.eu:en16931:2017"
LEVEL: Final = "EN 16931"

_UN: Final = "urn:un:unece:uncefact:data:standard:"
SPACES: Final = MappingProxyType(
    {
        "rsm": f"{_UN}CrossIndustryInvoice:100",
        "ram": f"{_UN}ReusableAggregateBusinessInformationEntity:100",
        "qdt": f"{_UN}QualifiedDataType:100",
        "udt": f"{_UN}UnqualifiedDataType:100",
    }
)
EXEMPT: Final = "E"
NO_REASON: Final = ("S", "Z")
"""Categories that bear no exemption reason (BR-S-10, BR-Z-10)."""

MEANS: Final[Mapping[str, str]] = MappingProxyType(
    {"transfer": "58", "cheque": "20", "card": "48", "direct_debit": "59"}
)
"""BT-81 (UNTDID 4461): SEPA credit transfer, cheque, bank card, SEPA direct debit."""
UNTOLD: Final = "1"
"""No account is known that a transfer could be made to."""

UNITS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "go": "E34", "gb": "E34", "to": "E35", "mo": "4L", "s": "SEC", "min": "MIN", "h": "HUR",
        "heure": "HUR", "hour": "HUR", "jour": "DAY", "day": "DAY", "mois": "MON", "km": "KMT",
    }
)  # fmt: skip
"""BT-130 (UN/ECE Recommendation 20) of the units a meter or a rate card names; else one, C62."""

DISCOUNT: Final = "95"
ON_ISSUE, ON_PAYMENT = "5", "72"
"""BT-8: the tax is due on the issue (option débits), or when the money comes."""


def _tag(name: str) -> str:
    prefix, _, local = name.partition(":")
    return f"{{{SPACES[prefix]}}}{local}"


class _Tags(dict[str, str]):
    """Names as lxml wants them, worked out once."""

    def __missing__(self, name: str) -> str:
        self[name] = full = _tag(name if ":" in name else f"ram:{name}")
        return full


_TAGS: Final = _Tags()


def _add(parent: Any, name: str, text: str | None = None, **attributes: str) -> Any:
    element = etree.SubElement(parent, _TAGS[name], attributes)
    if text is not None:
        element.text = text
    return element


def xml_of(document: Printed) -> bytes:
    """The invoice as data; the same document gives the same bytes."""
    root: Any = etree.Element(_TAGS["rsm:CrossIndustryInvoice"], nsmap=dict(SPACES))
    _context(root, document)
    _head(root, document)
    transaction = _add(root, "rsm:SupplyChainTradeTransaction")
    mixed = len({total.category for total in document.vat}) > 1
    for place, line in enumerate(document.lines, 1):
        _line(transaction, place, line, mixed)
    _agreement(transaction, document)
    _delivery(transaction, document)
    _settlement(transaction, document, mixed)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


def _context(root: Any, document: Printed) -> None:
    context = _add(root, "rsm:ExchangedDocumentContext")
    _add(_add(context, "BusinessProcessSpecifiedDocumentContextParameter"), "ID", document.process)
    _add(_add(context, "GuidelineSpecifiedDocumentContextParameter"), "ID", PROFILE)


def _head(root: Any, document: Printed) -> None:
    head = _add(root, "rsm:ExchangedDocument")
    _add(head, "ID", document.number)
    _add(head, "TypeCode", document.type_code)
    _day(head, "IssueDateTime", document.issued_on)
    told = [(note.subject, note.text) for note in document.notes]
    told += [("AAI", f"{document.say('nature')} : {document.nature}")]
    told += [("AAI", document.reason)] if document.reason else []
    told += [("BAR", _circuit(document))]
    for subject, text in told:
        note = _add(head, "IncludedNote")
        _add(note, "Content", text)
        _add(note, "SubjectCode", subject)


def _circuit(document: Printed) -> str:
    """By which way the invoice reaches the administration (BR-FR-20)."""
    if {total.category for total in document.vat} == {OUTSIDE}:
        return "OUTOFSCOPE"
    country = document.client.address.country if document.client.address else "FR"
    if not document.professional:
        return "B2C" if country == "FR" else "B2CINT"
    return "B2B" if country == "FR" and document.client.siren else "B2BINT"


# Lines


def _line(transaction: Any, place: int, line: PrintedLine, mixed: bool) -> None:
    item = _add(transaction, "IncludedSupplyChainTradeLineItem")
    head = _add(item, "AssociatedDocumentLineDocument")
    _add(head, "LineID", str(place))
    if line.details:
        _add(_add(head, "IncludedNote"), "Content", " ; ".join(line.details))
    product = _add(item, "SpecifiedTradeProduct")
    if line.code:
        _add(product, "SellerAssignedID", line.code)
    _add(product, "Name", line.label)
    price = _add(_add(item, "SpecifiedLineTradeAgreement"), "NetPriceProductTradePrice")
    _add(price, "ChargeAmount", _plain(line.unit_price))
    unit = UNITS.get(line.unit.lower(), "C62")
    if line.price_for != 1:
        _add(price, "BasisQuantity", _plain(line.price_for), unitCode=unit)
    delivery = _add(item, "SpecifiedLineTradeDelivery")
    _add(delivery, "BilledQuantity", _plain(line.quantity), unitCode=unit)
    settlement = _add(item, "SpecifiedLineTradeSettlement")
    _tax(settlement, line.vat_category, line.vat_rate, mixed)
    if line.period is not None:
        _period(settlement, line.period)
    if line.before_discount != line.net:
        allowance = _add(settlement, "SpecifiedTradeAllowanceCharge")
        _add(_add(allowance, "ChargeIndicator"), "udt:Indicator", "false")
        _add(allowance, "CalculationPercent", _plain(line.discount))
        _add(allowance, "BasisAmount", _plain(line.before_discount))
        _add(allowance, "ActualAmount", _plain(line.before_discount - line.net))
        _add(allowance, "ReasonCode", DISCOUNT)
    total = _add(settlement, "SpecifiedTradeSettlementLineMonetarySummation")
    _add(total, "LineTotalAmount", _plain(line.net))


def _tax(parent: Any, category: str, rate: Decimal, mixed: bool) -> None:
    tax = _add(parent, "ApplicableTradeTax")
    _add(tax, "TypeCode", "VAT")
    category = _category(category, mixed)
    _add(tax, "CategoryCode", category)
    if category != OUTSIDE:
        _add(tax, "RateApplicablePercent", _plain(rate))


def _category(category: str, mixed: bool) -> str:
    """What is outside VAT cannot stand beside what is within it (BR-O-11): exempt, same reason."""
    return EXEMPT if mixed and category == OUTSIDE else category


# Parties


def _agreement(transaction: Any, document: Printed) -> None:
    agreement = _add(transaction, "ApplicableHeaderTradeAgreement")
    # BR-O-02: what is outside VAT bears no VAT number.
    taxed = any(total.category != OUTSIDE for total in document.vat)
    address = electronic_address(document.supplier)
    _party(agreement, "SellerTradeParty", document.supplier, address, taxed)
    _party(agreement, "BuyerTradeParty", document.client, document.client_address, taxed)
    _reference(agreement, "BuyerOrderReferencedDocument", document.purchase_order)
    _reference(agreement, "ContractReferencedDocument", document.contract)


def _reference(parent: Any, name: str, number: str) -> None:
    if number:
        _add(_add(parent, name), "IssuerAssignedID", number)


def _party(
    agreement: Any, name: str, party: Identity, address: tuple[str, str], taxed: bool
) -> None:
    element = _add(agreement, name)
    if party.siret:
        _add(element, "GlobalID", party.siret, schemeID="0009")
    _add(element, "Name", party.name)
    if party.siren:
        organisation = _add(element, "SpecifiedLegalOrganization")
        _add(organisation, "ID", party.siren, schemeID="0002")
    if party.address is not None:
        _address(element, party.address)
    scheme, identifier = address
    if identifier:
        _add(_add(element, "URIUniversalCommunication"), "URIID", identifier, schemeID=scheme)
    if not taxed:
        return
    if party.vat_number:
        _add(_add(element, "SpecifiedTaxRegistration"), "ID", party.vat_number, schemeID="VA")
    elif name == "SellerTradeParty" and party.siren:
        _add(_add(element, "SpecifiedTaxRegistration"), "ID", party.siren, schemeID="FC")


def _address(parent: Any, address: Address) -> None:
    element = _add(parent, "PostalTradeAddress")
    if address.postcode:
        _add(element, "PostcodeCode", address.postcode)
    lines = [*address.lines[:2], ", ".join(address.lines[2:])]
    for name, line in zip(("LineOne", "LineTwo", "LineThree"), lines, strict=False):
        if line:
            _add(element, name, line)
    if address.city:
        _add(element, "CityName", address.city)
    _add(element, "CountryID", address.country)


# What is supplied, and what is owed


def _delivery(transaction: Any, document: Printed) -> None:
    delivery = _add(transaction, "ApplicableHeaderTradeDelivery")
    if document.supplied_on is not None:
        event = _add(delivery, "ActualDeliverySupplyChainEvent")
        _day(event, "OccurrenceDateTime", document.supplied_on)


def _settlement(transaction: Any, document: Printed, mixed: bool) -> None:
    settlement = _add(transaction, "ApplicableHeaderTradeSettlement")
    debited = document.mandate if document.means == "direct_debit" else None
    if debited is not None:
        _add(settlement, "CreditorReferenceID", debited.creditor_identifier)
    _add(settlement, "PaymentReference", document.number)
    _add(settlement, "InvoiceCurrencyCode", "EUR")
    if document.kind != "credit_note":
        _means(settlement, document)
    for total in breakdown(document.vat):
        _vat(settlement, total, document)
    if document.period is not None:
        _period(settlement, document.period)
    terms = _add(settlement, "SpecifiedTradePaymentTerms")
    _add(terms, "Description", document.terms)
    if document.due_on is not None:
        _day(terms, "DueDateDateTime", document.due_on)
    if debited is not None:
        _add(terms, "DirectDebitMandateID", debited.reference)
    _sums(settlement, document)
    for one in document.named:
        reference = _add(settlement, "InvoiceReferencedDocument")
        _add(reference, "IssuerAssignedID", one.number)
        issued = _add(reference, "FormattedIssueDateTime")
        _add(issued, "qdt:DateTimeString", f"{one.issued_on:%Y%m%d}", format="102")


def _means(settlement: Any, document: Printed) -> None:
    """How it is paid (BG-16): by transfer to the supplier's account, by debit of the client's."""
    means = _add(settlement, "SpecifiedTradeSettlementPaymentMeans")
    code = MEANS.get(document.means, UNTOLD)
    supplier = document.supplier
    if document.means == "transfer" and not supplier.iban:
        code = UNTOLD
    _add(means, "TypeCode", code)
    if document.means == "direct_debit" and document.mandate is not None:
        _add(_add(means, "PayerPartyDebtorFinancialAccount"), "IBANID", document.mandate.iban)
    elif document.means == "transfer" and supplier.iban:
        account = _add(means, "PayeePartyCreditorFinancialAccount")
        _add(account, "IBANID", supplier.iban)
        _add(account, "AccountName", supplier.name)
        if supplier.bic:
            bank = _add(means, "PayeeSpecifiedCreditorFinancialInstitution")
            _add(bank, "BICID", supplier.bic)


def breakdown(vat: Iterable[VatTotal]) -> tuple[VatTotal, ...]:
    """The VAT as EN 16931 takes it: one total by category and rate, those without rate one each.

    Outside VAT beside other categories is exempt, with both reasons.
    """
    vat = tuple(vat)
    mixed = len({total.category for total in vat}) > 1
    found: dict[tuple[str, Decimal], VatTotal] = {}
    for total in vat:
        category = _category(total.category, mixed)
        key = (category, total.rate)
        before = found.get(key)
        if before is None:
            reason = "" if category in NO_REASON else total.reason
            found[key] = VatTotal(total.rate, total.base, total.tax, category, reason)
        else:
            told = dict.fromkeys(filter(None, (before.reason, total.reason)))
            reason = "" if category in NO_REASON else " ; ".join(told)
            base, tax = before.base + total.base, before.tax + total.tax
            found[key] = VatTotal(total.rate, base, tax, category, reason)
    return tuple(found.values())


def _vat(settlement: Any, total: VatTotal, document: Printed) -> None:
    tax = _add(settlement, "ApplicableTradeTax")
    _add(tax, "CalculatedAmount", _plain(total.tax))
    _add(tax, "TypeCode", "VAT")
    if total.reason:
        _add(tax, "ExemptionReason", total.reason)
    _add(tax, "BasisAmount", _plain(total.base))
    _add(tax, "CategoryCode", total.category)
    if total.category == "S":
        _add(tax, "DueDateTypeCode", ON_ISSUE if document.supplier.vat_on_debits else ON_PAYMENT)
    if total.category != OUTSIDE:
        _add(tax, "RateApplicablePercent", _plain(total.rate))


def _sums(settlement: Any, document: Printed) -> None:
    sums = _add(settlement, "SpecifiedTradeSettlementHeaderMonetarySummation")
    lines = sum((line.net for line in document.lines), ZERO)
    _add(sums, "LineTotalAmount", _plain(lines))
    _add(sums, "TaxBasisTotalAmount", _plain(document.net))
    _add(sums, "TaxTotalAmount", _plain(document.tax), currencyID="EUR")
    _add(sums, "GrandTotalAmount", _plain(document.gross))
    if document.prepaid:
        _add(sums, "TotalPrepaidAmount", _plain(document.prepaid))
    _add(sums, "DuePayableAmount", _plain(document.payable))


# Values


def _plain(value: Decimal) -> str:
    return format(value, "f")


def _day(parent: Any, name: str, day: date) -> None:
    _add(_add(parent, name), "udt:DateTimeString", f"{day:%Y%m%d}", format="102")


def _period(parent: Any, period: Period) -> None:
    element = _add(parent, "BillingSpecifiedPeriod")
    _day(element, "StartDateTime", period.start)
    _day(element, "EndDateTime", period.last_day)
