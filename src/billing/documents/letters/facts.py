"""What each kind of letter is written from: the events that ask for it, and what stands behind.

Amounts in euros. What the record does not hold is left empty, and the letter does not say it.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from msgspec import Struct

from billing.clauses import Terms
from billing.clauses.renewal import Notice
from billing.clauses.revision import Revision
from billing.clauses.suspension import Clock
from billing.dates import Period
from billing.documents.facturx.facts import Debited, Late
from billing.documents.facturx.words import Both
from billing.events.contract import (
    ContractTerminated,
    FormalNoticeSent,
    IndemnityAssessed,
    IndemnitySettled,
    IndexSubstituted,
    RenewalOffered,
    ServiceSuspended,
    TermsAmended,
)
from billing.events.invoice import CreditNoteIssued, InvoiceIssued
from billing.events.party import AnnouncedDebit, Identity
from billing.money import ZERO


class Head(Struct, frozen=True, kw_only=True):
    """What every letter says: from whom to whom, when, how it goes out, about which contract.

    `label` is what the contract is called on its form; `contracts` are several for a client's
    reminder or a mandate's debits.
    """

    supplier: Identity
    client: Identity
    dated: date
    contracts: tuple[str, ...]
    label: str = ""
    signed_on: date | None = None
    sending: str = ""


class Quoted(Struct, frozen=True):
    """A clause in the contract's own words; empty when its form is silent or not recorded."""

    words: str = ""
    source: str = ""


class Priced(Struct, frozen=True, kw_only=True):
    """An item of the term to come, its unit price before and after, for `per_months`.

    `discount` in percent; `ends`: its fee or its discount ends before the term does.
    """

    code: str
    label: str
    quantity: Decimal
    per_months: int
    before: Decimal
    after: Decimal
    discount: Decimal = ZERO
    ends: bool = False


class Renewal(Struct, frozen=True, kw_only=True):
    """A quote or an offer; `notice_until` is the last day to refuse where it is tacit."""

    head: Head
    event: RenewalOffered
    tacit: bool
    current: Period
    items: tuple[Priced, ...]
    notice: Notice
    notice_until: date | None
    protected: bool
    clause: Quoted = Quoted()


class Owed(Struct, frozen=True, kw_only=True):
    """A document of which something is owed; `late` in days.

    `interest` and `fee`: all that its lateness comes to; none when a rate is not known.
    """

    number: str
    kind: str
    contract: str
    issued_on: date
    due_on: date
    gross: Decimal
    owed: Decimal
    late: int = 0
    reminded: bool = False
    interest: Decimal | None = ZERO
    fee: Decimal = ZERO
    interest_charged: Decimal = ZERO
    fee_charged: Decimal = ZERO


class Reminder(Struct, frozen=True, kw_only=True):
    """Documents reminded of together: one level, one client, one day."""

    head: Head
    level: int
    name: Both
    owed: tuple[Owed, ...]
    late: tuple[Late, ...]


class FormalNotice(Struct, frozen=True, kw_only=True):
    """A formal notice: of the contract (`event`, its clock), or of the policy alone.

    `about` is what it is for where it lists no document. `debit_notes` claimed interest before.
    """

    head: Head
    event: FormalNoticeSent | None
    clock: Clock | None
    owed: tuple[Owed, ...]
    debit_notes: tuple[Owed, ...]
    late: Late
    about: str = ""
    overrun: tuple[Decimal, Decimal] | None = None
    clause: Quoted = Quoted()


class Suspension(Struct, frozen=True, kw_only=True):
    """The service is stopped, by a formal notice left without effect."""

    head: Head
    event: ServiceSuspended
    notice: FormalNoticeSent | None
    owed: tuple[Owed, ...]
    clause: Quoted = Quoted()


class Prenotified(Struct, frozen=True, kw_only=True):
    """Debits a debtor is told of; `year` for a schedule."""

    head: Head
    debits: tuple[AnnouncedDebit, ...]
    mandate: Debited
    schedule: bool = False


class Substitution(Struct, frozen=True, kw_only=True):
    """Indices replaced on one day. `names` by series; `called` is how the contract names them."""

    head: Head
    events: tuple[IndexSubstituted, ...]
    names: dict[str, Both]
    called: dict[str, str]
    revision: Revision | None
    interest: bool
    clause: Quoted = Quoted()


class Returned(Struct, frozen=True, kw_only=True):
    """Equipment to be given back: by a day and at a price where it was replaced."""

    code: str
    label: str
    serial: str = ""
    return_by: date | None = None
    list_price: Decimal | None = None


class Duty(Struct, frozen=True):
    """What the supplier does after the end, at the latest on a day (destruction des données)."""

    label: str
    by: date


class Settlement(Struct, frozen=True, kw_only=True):
    """What the end of a contract leaves owed on either side.

    `to_come` are the invoices and credit notes still to be issued, as the runs will issue them;
    `unknown`: something could not be worked out yet.
    """

    head: Head
    event: ContractTerminated
    parent: str
    indemnity: IndemnityAssessed | None
    settled: IndemnitySettled | None
    owed: tuple[Owed, ...]
    to_come: tuple[InvoiceIssued | CreditNoteIssued, ...]
    unknown: bool
    returned: tuple[Returned, ...]
    duties: tuple[Duty, ...]
    purchased: bool = False
    clause: Quoted = Quoted()
    recovery: Quoted = Quoted()


class Amended(Struct, frozen=True, kw_only=True):
    """Clauses before and after; `labels` name the items, `names` the indices."""

    head: Head
    event: TermsAmended
    before: Terms
    labels: dict[str, str]
    names: dict[str, Both]
    clause: Quoted = Quoted()


Facts = (
    Renewal
    | Reminder
    | FormalNotice
    | Suspension
    | Prenotified
    | Substitution
    | Settlement
    | Amended
)
