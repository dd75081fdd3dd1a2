"""Who the parties are, and the mandates they sign."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import ClassVar, Literal

from msgspec import Struct

from billing.clauses.interest import Category
from billing.events.base import Event


class Address(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Where a party is; the country is an ISO 3166 code."""

    lines: tuple[str, ...]
    postcode: str
    city: str
    country: str = "FR"


class Identity(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A party: legal name, SIREN, VAT number, address, category, bank details.

    `code` is how contracts name it. `creditor_identifier` (ICS) and `invoice_prefix` serve a
    supplier. `vat_on_debits`: tax due on invoicing instead of collection, by option.
    """

    code: str
    name: str
    siren: str = ""
    siret: str = ""
    vat_number: str = ""
    address: Address | None = None
    email: str = ""
    category: Category = "professional"
    iban: str = ""
    bic: str = ""
    creditor_identifier: str = ""
    invoice_prefix: str = ""
    vat_on_debits: bool = False
    language: str = "fr"


class PartyRegistered(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A party is known to the house."""

    TOPIC: ClassVar[str] = "party.registered"

    party: Identity


class PartyAmended(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Something about the party changed: all of it, as it is from now on."""

    TOPIC: ClassVar[str] = "party.amended"

    party: Identity


class MandateSigned(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The debtor authorises direct debits (mandat de prélèvement SEPA).

    `proof` says where the signed mandate is kept, `medium` whether it is paper or electronic.
    `last_collected_on` is the last debit made under it before it was recorded here (reprise).
    """

    TOPIC: ClassVar[str] = "mandate.signed"

    reference: str
    creditor: str
    creditor_identifier: str
    debtor: str
    iban: str
    bic: str = ""
    scheme: Literal["CORE", "B2B"] = "CORE"
    recurrent: bool = True
    signed_on: date
    proof: str = ""
    medium: Literal["paper", "electronic"] = "paper"
    last_collected_on: date | None = None


class MandateAmended(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The account or the creditor changes; the signature stays good (avenant au mandat).

    Or a debit made elsewhere is told, which keeps the mandate alive (`last_collected_on`).
    """

    TOPIC: ClassVar[str] = "mandate.amended"

    amended_on: date
    iban: str = ""
    bic: str = ""
    creditor: str = ""
    creditor_identifier: str = ""
    last_collected_on: date | None = None


class MandateRevoked(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The debtor withdraws its authorisation (révocation)."""

    TOPIC: ClassVar[str] = "mandate.revoked"

    revoked_on: date


class MandateLapsed(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The house finds that the mandate lapsed (caducité): 36 months without a collection.

    It lapses of itself, on `lapsed_on`; from this event on its contracts are no longer under it.
    """

    TOPIC: ClassVar[str] = "mandate.lapsed"

    lapsed_on: date


class AnnouncedDebit(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One debit the debtor was told of: at most that amount, in euros, on that day.

    Of an invoice, or of one to come of the contract (`invoice` empty).
    """

    contract: str
    amount: Decimal
    collected_on: date
    invoice: str = ""


class CollectionsAnnounced(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The debtor was told of debits to come (pré-notification), by a notice or for a year.

    An invoice announces its own debit; this is for those it did not: another day, another
    attempt, or the schedule of a year (échéancier).
    """

    TOPIC: ClassVar[str] = "mandate.collections_announced"

    announced_on: date
    debits: tuple[AnnouncedDebit, ...]
    how: Literal["notice", "schedule"] = "notice"


class CollectionOrdered(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The bank is asked to debit (prélèvement remis), in euros.

    `end_to_end` names the collection within the supplier. `announced_on` is the day the debtor
    was told of the amount and the day (pré-notification). The account and creditor before an
    amendment are told to the bank once, with the first collection after it. `file` and `batch`
    are the message and the payment information it is part of (MsgId, PmtInfId). `iban` is the
    account debited; "" where it was not recorded.
    """

    TOPIC: ClassVar[str] = "mandate.collection_ordered"

    end_to_end: str
    supplier: str
    invoice: str
    amount: Decimal
    collected_on: date
    sequence: Literal["FRST", "RCUR", "FNAL", "OOFF"]
    file: str
    announced_on: date | None = None
    original_iban: str = ""
    original_creditor_identifier: str = ""
    original_creditor: str = ""
    original_reference: str = ""
    batch: str = ""
    iban: str = ""


class CollectionSettled(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The bank credited the collection (prélèvement encaissé), in euros."""

    TOPIC: ClassVar[str] = "mandate.collection_settled"

    end_to_end: str
    supplier: str
    invoice: str
    amount: Decimal
    settled_on: date
    entry: str = ""


class CollectionReturned(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The collection came back (R-transaction: rejet, refus, retour, remboursement, annulation).

    `code` is the ISO reason, `fee` what the bank charges, in euros. `settled` tells whether it
    had been credited before. `iban` is the account that was debited; "" where it is not known.
    """

    TOPIC: ClassVar[str] = "mandate.collection_returned"

    end_to_end: str
    supplier: str
    invoice: str
    amount: Decimal
    returned_on: date
    kind: Literal["reject", "refusal", "return", "refund", "reversal"]
    code: str
    settled: bool
    fee: Decimal = Decimal(0)
    entry: str = ""
    iban: str = ""
