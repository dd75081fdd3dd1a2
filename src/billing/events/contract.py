"""What happens to a contract, from its signature to its end."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import ClassVar, Literal

from msgspec import Struct

from billing.clauses import Terms
from billing.clauses.fees import Item
from billing.clauses.indemnity import Indemnity, Remaining
from billing.clauses.renewal import Sending
from billing.clauses.revision import Coefficient, Revision
from billing.clauses.suspension import Allowed
from billing.clauses.termination import Cause, Ground
from billing.dates import Period
from billing.events.base import Event
from indices import Comparison, Link, Reading

Party = Literal["client", "supplier"]


class Charge(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Something owed once, waiting for its day to be billed (ligne hors redevance).

    `net` in euros before tax, negative for a credit; a credit that gives back what an invoice
    billed names it in `credits`, with its `issuer`, and leaves as a credit note. `apart` asks for
    an invoice of its own. `supplied_on` gives the VAT rate when it is not the day billed.
    """

    kind: Literal[
        "usage",
        "work",
        "one_off",
        "entry_fee",
        "catch_up",
        "indemnity",
        "refund",
        "regularisation",
        "exchange",
        "bank_fee",
        "cancellation",
    ]
    code: str
    label: str
    due_on: date
    net: Decimal
    quantity: Decimal = Decimal(1)
    unit_price: Decimal | None = None
    discount: Decimal = Decimal(0)
    period: Period | None = None
    vat: str = "standard"
    supplied_on: date | None = None
    credits: str = ""
    issuer: str = ""
    apart: bool = False
    note: str = ""


class Deduction(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What of a deposit invoice an invoice deducts, in euros: net, and the tax cashed on it.

    `vat_rate` is the deposit's; `from_rate` that of the lines it was taken from, the same unless
    the rate changed since the deposit was cashed.
    """

    invoice: str
    net: Decimal
    tax: Decimal
    vat_rate: Decimal
    from_rate: Decimal


class FeeChange(Struct, frozen=True, gc=False):
    """The unit price of an item before and after, in euros before tax."""

    code: str
    before: Decimal
    after: Decimal


class ContractEvent(Event, frozen=True, kw_only=True, omit_defaults=True):
    """Anything in the stream of one contract. `charges` are what it makes due, once."""

    charges: tuple[Charge, ...] = ()


class ContractSigned(ContractEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The parties agree (signature): the form, what it was filled with, all clauses resolved.

    `bases` are So, one reading for each index of the revision clause, none where nothing was
    published. `parent` is the contract whose duration this one follows.
    """

    TOPIC: ClassVar[str] = "contract.signed"

    number: str
    form: str
    form_digest: str
    variant: str = ""
    supplier: str
    client: str
    signed_on: date
    starts_on: date
    term: Period | None
    terms: Terms
    terms_id: str
    items: tuple[Item, ...]
    bases: tuple[Reading | None, ...] = ()
    category: str = "professional"
    mandate: str = ""
    parent: str = ""
    purchase_order: str = ""
    site: str = ""
    deposit: Decimal = Decimal(0)


class TermsAmended(ContractEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The clauses change from a day on, never before it (avenant, nouvelles conditions)."""

    TOPIC: ClassVar[str] = "contract.terms_amended"

    effective_on: date
    terms: Terms
    terms_id: str
    how: Literal["agreement", "publication"]
    reason: str = ""
    fees: tuple[FeeChange, ...] = ()
    bases: tuple[Reading | None, ...] | None = None


class ContractAssigned(ContractEvent, frozen=True, kw_only=True, omit_defaults=True):
    """One side is replaced by another party from a day on (cession).

    `mandate` is the new client's, "" for none yet: the one before is the former client's. It is
    left out where the mandate stays, as when the supplier is replaced.
    """

    TOPIC: ClassVar[str] = "contract.assigned"

    side: Party
    to: str
    effective_on: date
    informed_on: date | None = None
    mandate: str | None = None


class MandateAttached(ContractEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The invoices of the contract are collected under that mandate; "" for none any more."""

    TOPIC: ClassVar[str] = "contract.mandate_attached"

    mandate: str
    effective_on: date


class InstallationAccepted(ContractEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The client signs the acceptance (PV de réception): without blocking defects it bills."""

    TOPIC: ClassVar[str] = "contract.installation_accepted"

    accepted_on: date
    blocking_defects: str = ""
    reserves: str = ""


class DepositReceived(ContractEvent, frozen=True, kw_only=True, omit_defaults=True):
    """Money that validates the order (acompte), in euros, tax included.

    `invoice` is the deposit invoice it pays, where one had asked for it.
    """

    TOPIC: ClassVar[str] = "contract.deposit_received"

    amount: Decimal
    received_on: date
    reference: str = ""
    invoice: str = ""


class DepositInvoiced(ContractEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A deposit has its invoice (facture d'acompte), in euros: money received, or asked for.

    `tax` is what the gross holds at the rate in force on `rate_on`: the day the money came, or
    the day it is asked for. `received` is the version of the DepositReceived it is for; 0 when
    the money is still to come.
    """

    TOPIC: ClassVar[str] = "contract.deposit_invoiced"

    invoice: str
    issuer: str
    issued_on: date
    net: Decimal
    tax: Decimal
    vat_rate: Decimal
    rate_on: date
    vat: str = "standard"
    vat_category: str = "S"
    vat_reason: str = ""
    received: int = 0
    note: str = ""


class DepositReversed(ContractEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The money of a deposit is taken back (impayé, rejet), in euros: its invoice is owed again."""

    TOPIC: ClassVar[str] = "contract.deposit_reversed"

    invoice: str
    amount: Decimal
    reversed_on: date
    reason: str = ""


class DepositCredited(ContractEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A credit note gives back some of a deposit invoice, in euros: it is deducted no more."""

    TOPIC: ClassVar[str] = "contract.deposit_credited"

    invoice: str
    credit_note: str
    net: Decimal
    tax: Decimal
    credited_on: date


class OrderCancelled(ContractEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The client gives up the order before it starts (annulation): a deposit may be kept."""

    TOPIC: ClassVar[str] = "contract.order_cancelled"

    cancelled_on: date
    agreed: bool
    deposit_kept: Decimal = Decimal(0)
    deposit_returned: Decimal = Decimal(0)


class EquipmentAdded(ContractEvent, frozen=True, kw_only=True, omit_defaults=True):
    """An item enters the cover on a day (ajout de matériel), told in time, late, or found out."""

    TOPIC: ClassVar[str] = "contract.equipment_added"

    item: Item
    since: date
    declared: Literal["in_time", "late", "undeclared"] = "in_time"
    evidence: str = ""


class EquipmentRemoved(ContractEvent, frozen=True, kw_only=True, omit_defaults=True):
    """An item leaves the cover on a day (retrait). `fee_until` is when its fee ends."""

    TOPIC: ClassVar[str] = "contract.equipment_removed"

    code: str
    removed_on: date
    fee_until: date
    because: Literal["removed", "out_of_warranty"] = "removed"
    evidence: str = ""


class OptionSubscribed(ContractEvent, frozen=True, kw_only=True, omit_defaults=True):
    """An option, an access or some volume is opened from a day on (souscription)."""

    TOPIC: ClassVar[str] = "contract.option_subscribed"

    item: Item
    since: date


class OptionCancelled(ContractEvent, frozen=True, kw_only=True, omit_defaults=True):
    """An option ends; what was opened stays due until `fee_until`."""

    TOPIC: ClassVar[str] = "contract.option_cancelled"

    code: str
    cancelled_on: date
    fee_until: date


class EquipmentChecked(ContractEvent, frozen=True, kw_only=True, omit_defaults=True):
    """An item without cover is verified before it enters (reprise de maintenance).

    An accepted repair quote is among the charges.
    """

    TOPIC: ClassVar[str] = "contract.equipment_checked"

    code: str
    checked_on: date
    working: bool
    repair_quote: str = ""
    repair_accepted_on: date | None = None


class ReplacementShipped(ContractEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A replacement left for the client; the faulty item must be back in time (RMA)."""

    TOPIC: ClassVar[str] = "contract.replacement_shipped"

    code: str
    shipped_on: date
    return_by: date
    list_price: Decimal
    reference: str = ""


class FaultyItemReturned(ContractEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The faulty item came back, at the client's cost; nothing more is owed for it."""

    TOPIC: ClassVar[str] = "contract.faulty_item_returned"

    code: str
    returned_on: date
    reference: str = ""


class UsageMeasured(ContractEvent, frozen=True, kw_only=True, omit_defaults=True):
    """What a meter counted in a month (consommation relevée)."""

    TOPIC: ClassVar[str] = "contract.usage_measured"

    meter: str
    period: Period
    used: Decimal
    included: Decimal
    billed: Decimal


class SupplementaryWorkDone(ContractEvent, frozen=True, kw_only=True, omit_defaults=True):
    """Work outside the contract (prestation complémentaire), by quote or by the rate card."""

    TOPIC: ClassVar[str] = "contract.supplementary_work_done"

    code: str
    done_on: date
    quote: str = ""
    quote_accepted_on: date | None = None
    free: bool = False


class ChargeAdded(ContractEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A cost the contract lets the supplier bill on, such as a bank's fee for a rejection."""

    TOPIC: ClassVar[str] = "contract.charge_added"

    because: str


class RentalPurchased(ContractEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The client buys what it rented (rachat): the first rents are refunded."""

    TOPIC: ClassVar[str] = "contract.rental_purchased"

    purchased_on: date
    price: Decimal


class PriceRevised(ContractEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The fees move by the coefficient of the revision clause (révision de prix).

    The readings are those public on the day of the revision. A later correction of an index is
    another event and leaves this one as it was. `corrects` names the day of an earlier revision
    worked out again with the definitive index.
    """

    TOPIC: ClassVar[str] = "contract.price_revised"

    effective_on: date
    formula: Revision
    comparisons: tuple[Comparison, ...]
    coefficient: Coefficient
    fees: tuple[FeeChange, ...]
    corrects: date | None = None
    warnings: tuple[str, ...] = ()


class IndexSubstituted(ContractEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The parties replace an index that is gone or never was (C. civ. 1167): a decision."""

    TOPIC: ClassVar[str] = "contract.index_substituted"

    series: str
    by_series: str
    decided_on: date
    decided_by: str
    evidence: str
    base: Reading | None = None
    link: Link | None = None


class RenewalOffered(ContractEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A renewal quote or offer is sent (devis, proposition); its prices are the renewal's."""

    TOPIC: ClassVar[str] = "contract.renewal_offered"

    offered_on: date
    term: Period
    fees: tuple[FeeChange, ...] = ()
    reference: str = ""


class RenewalAccepted(ContractEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The client accepts the offer; the next term starts when this one ends."""

    TOPIC: ClassVar[str] = "contract.renewal_accepted"

    accepted_on: date
    term: Period


class NonRenewalNoticed(ContractEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A party will not renew (dénonciation): in time it ends the term, late the next one."""

    TOPIC: ClassVar[str] = "contract.non_renewal_noticed"

    by: Party
    sent_on: date
    received_on: date | None
    sending: Sending
    last_day: date
    in_time: bool
    ends_on: date


class ContractRenewed(ContractEvent, frozen=True, kw_only=True, omit_defaults=True):
    """Another term begins (reconduction)."""

    TOPIC: ClassVar[str] = "contract.renewed"

    term: Period
    how: Literal["tacit", "accepted", "linked"]
    fees: tuple[FeeChange, ...] = ()


class FormalNoticeSent(ContractEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A letter starts a clock (mise en demeure); `allowed_from` is when its measures may come."""

    TOPIC: ClassVar[str] = "contract.formal_notice_sent"

    clock: str
    by: Party
    sent_on: date
    received_on: date | None
    sending: Sending
    allowed_from: date | None
    allows: tuple[Allowed, ...]
    about: str = ""


class BreachCured(ContractEvent, frozen=True, kw_only=True, omit_defaults=True):
    """What the formal notice asked for was done in time; its clock stops."""

    TOPIC: ClassVar[str] = "contract.breach_cured"

    clock: str
    cured_on: date


class ServiceSuspended(ContractEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The supplier stops the service, blocks the growth or takes its equipment back."""

    TOPIC: ClassVar[str] = "contract.service_suspended"

    suspended_on: date
    clock: str
    measure: Allowed = "suspend"


class ServiceResumed(ContractEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The service is open again; the days suspended give nothing back."""

    TOPIC: ClassVar[str] = "contract.service_resumed"

    resumed_on: date


class ContractTerminated(ContractEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The contract ends before its term (résiliation anticipée) on a ground it allows."""

    TOPIC: ClassVar[str] = "contract.terminated"

    effective_on: date
    cause: Cause
    by: Party
    ground: Ground | None = None
    evidence: str = ""


class IndemnityAssessed(ContractEvent, frozen=True, kw_only=True, omit_defaults=True):
    """What leaving early costs: a share of what remained (indemnité)."""

    TOPIC: ClassVar[str] = "contract.indemnity_assessed"

    clause: Indemnity
    remaining: tuple[Remaining, ...]
    amount: Decimal


class IndemnitySettled(ContractEvent, frozen=True, kw_only=True, omit_defaults=True):
    """The indemnity is waived, or another amount agreed (remise, transaction), with a reason.

    The charges take the place of what was still to be billed of it.
    """

    TOPIC: ClassVar[str] = "contract.indemnity_settled"

    assessed: Decimal
    amount: Decimal
    reason: str


class TaskDone(ContractEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A duty that follows the end was done, with its proof (destruction des données)."""

    TOPIC: ClassVar[str] = "contract.task_done"

    code: str
    done_on: date
    proof: str


class InstalmentBilled(ContractEvent, frozen=True, kw_only=True, omit_defaults=True):
    """A billing day is past: the fees until a day, and the charges then due, are invoiced.

    `net` in euros before tax, `nets` by VAT treatment; the lines are in the invoice of that
    number. `settled` are the keys of the charges billed with it (version × 1000 + place);
    `credit_notes` give back what others billed; `deducted` is what its lines take of deposits.
    """

    TOPIC: ClassVar[str] = "contract.instalment_billed"

    billed_on: date
    period: Period | None
    until: date | None
    net: Decimal
    nets: tuple[tuple[str, Decimal], ...] = ()
    invoice: str = ""
    settled: tuple[int, ...] = ()
    credit_notes: tuple[str, ...] = ()
    run: str = ""
    deducted: tuple[Deduction, ...] = ()


class ContractSetAside(ContractEvent, frozen=True, kw_only=True, omit_defaults=True):
    """What was due that day could not be done (mise de côté); the batch went on without it.

    `held` says whether the billing waits too, or only the clause.
    """

    TOPIC: ClassVar[str] = "contract.set_aside"

    due_on: date
    clause: str
    reason: str
    held: bool
