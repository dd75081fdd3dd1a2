"""All that stands behind one document: its event, the parties of that day, what explains it."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from msgspec import Struct

from billing.clauses.interest import Category, LateInterest
from billing.documents.facturx.words import Both
from billing.documents.faults import Document as Document
from billing.events.contract import Deduction, IndexSubstituted, PriceRevised
from billing.events.party import Identity


class Debited(Struct, frozen=True, kw_only=True, gc=False):
    """The mandate a document is collected under, as it was that day (mandat SEPA)."""

    reference: str
    creditor_identifier: str
    iban: str
    bic: str = ""
    scheme: str = "CORE"


class Named(Struct, frozen=True, gc=False):
    """Another document that this one names: what it credits, deducts or charges interest on."""

    number: str
    issued_on: date
    debit_note: bool = False


class Late(Struct, frozen=True, kw_only=True, gc=False):
    """What the contract says of late payment, and of whom: the clause, the client's category.

    `series` is the published rate the clause rests on, or the one that replaced it.
    """

    clause: LateInterest = LateInterest()
    category: Category = "professional"
    series: str = ""
    series_name: Both = Both("", "")


class Revised(Struct, frozen=True, kw_only=True, gc=False):
    """A revision that set prices of the document, or that it regularises.

    `names` are those of the indices, `publishers` who publishes them, by series. `labels` name the
    items by their code. `explained_in` is the earlier invoice whose annex explains it; empty when
    it is this one's.
    """

    event: PriceRevised
    names: dict[str, Both] = {}
    publishers: dict[str, str] = {}
    labels: dict[str, str] = {}
    substitutions: tuple[IndexSubstituted, ...] = ()
    explained_in: str = ""


class Facts(Struct, frozen=True, kw_only=True, gc=False):
    """A document and what it is printed from; the same facts give the same bytes.

    `sites` and `units` are by code of the line. `prepaid` is what of a deposit invoice was cashed
    before it left, on `prepaid_on`, in euros. `client_address` is where the client receives
    electronic invoices (scheme, identifier); its SIREN when it is empty.
    """

    document: Document
    supplier: Identity
    client: Identity
    late: Late = Late()
    mandate: Debited | None = None
    contract_label: str = ""
    site: str = ""
    sites: dict[str, str] = {}
    units: dict[str, str] = {}
    named: tuple[Named, ...] = ()
    deductions: tuple[Deduction, ...] = ()
    prepaid: Decimal = Decimal("0.00")
    prepaid_on: date | None = None
    revisions: tuple[Revised, ...] = ()
    client_address: tuple[str, str] = ("", "")
