"""Actions: everything people decide or record, as data, one word each (`do = "add-equipment"`).

One vocabulary for the command line, for life files (`billing play`) and for programs: an action is
checked here once, whoever asks for it, and performed in one transaction. Amounts are in euros
before tax unless said otherwise; a day left out is the day of the action.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import msgspec
from msgspec import Struct

from billing.application import bank, chase, commands, deposits, payments, runs
from billing.application.core import Billing
from billing.clauses import Terms
from billing.clauses.fees import Item, ItemKind
from billing.clauses.renewal import Sending
from billing.clauses.suspension import Allowed
from billing.clauses.termination import Cause
from billing.contract import change, cover, end, renew
from billing.contract.sign import Signing
from billing.contract.state import Contract
from billing.dunning import read_policy
from billing.events import Event
from billing.events.contract import Party
from billing.events.party import Identity, MandateSigned
from billing.events.run import FormRecorded
from billing.forms import contract_from_text, contract_from_values, form_from_text, read_contract
from billing.forms.fields import Checker, merged, schema_of, shape_of, suggestion
from billing.forms.form import Form, Per
from billing.forms.toml_text import Key
from billing.identity import stream
from billing.month import month_days
from billing.refusal import BadFile, FieldError, Refused
from billing.review import Finding, review
from indices import IndexUnavailable, Link, Observation, Reading, read

if TYPE_CHECKING:
    from billing.application.collections import Asked, Collected

PER_MONTHS: dict[str, int] = {"month": 1, "quarter": 3, "half-year": 6, "year": 12, "once": 0}


class Told(NamedTuple):
    """What an action recorded, what the legality review said of it, what it changed in words."""

    events: list[Event]
    findings: tuple[Finding, ...] = ()
    changes: tuple[str, ...] = ()


def _kebab(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


class Action(
    Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
    tag_field="do",
    tag=_kebab,
):
    """Something a person decides or records.

    PARTS are the fields that complete something known: only what changes is said of it.
    """

    PARTS: ClassVar[Mapping[str, type]] = {}

    def perform(self, app: Billing) -> list[Event]:
        """Does it, in one transaction; raises Refused when it is not allowed."""
        return self.told(app).events

    def told(self, app: Billing) -> Told:
        """The same, with what the legality review found."""
        return Told(list(self._events(app)))

    def _events(self, app: Billing) -> Iterable[Event]:
        raise NotImplementedError

    @property
    def about(self) -> str:
        """What it is about, for people: the contract, the invoice, the mandate, the series."""
        for name in (
            "contract", "invoice", "mandate", "series", "month", "path", "payment", "client"
        ):  # fmt: skip
            if value := getattr(self, name, ""):
                return str(value)
        return ""


class NewItem(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """An item that enters; what the form's catalogue says of its code need not be said again.

    `catalogue` is the entry it follows when its own code is another (POSTE-1, POSTE-2).
    `unit_price` in euros before tax, for each `per`. `discount` in percent, 100 for "offert".
    """

    code: str
    catalogue: str = ""
    label: str | None = None
    quantity: Decimal = Decimal(1)
    unit_price: Decimal | None = None
    per: Per | None = None
    kind: ItemKind | None = None
    serial: str = ""
    warranty_until: date | None = None
    list_price: Decimal | None = None
    entry_fee: Decimal | None = None
    until: date | None = None
    discount: Decimal | None = None
    discount_until: date | None = None
    site: str = ""
    indexed: bool | None = None
    vat: str | None = None


class Base(Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A base value (So) given with a decision: which series and period, its value and source."""

    series: str
    period: str
    value: Decimal
    published_on: date
    source: str


# Signature and changes


class Sign(Action, frozen=True):
    """Sign a contract from its file (`path`, relative to the life file) or from its `text`.

    Or from its `values`: what such a file holds, as a table.
    """

    path: str = ""
    text: str = ""
    values: dict[str, Any] = {}
    folders: tuple[str, ...] = ()

    def told(self, app: Billing) -> Told:
        if sum(map(bool, (self.path, self.text, self.values))) != 1:
            raise Refused("a signature needs the path of a contract file, its text or its values")
        if self.path:
            file = read_contract(self.path, folders=self.folders)
        elif self.text:
            file = contract_from_text(self.text, folders=self.folders)
        else:
            file = contract_from_values(self.values, folders=self.folders)
        _past(app, file.signed_on, f"{file.path}: signed_on")
        signed = commands.sign_contract(app, file)
        return Told(list(signed.events), signed.findings)


class Amend(Action, frozen=True):
    """Change clauses or prices from a day on (avenant): `terms` says only what changes.

    `prices` are new unit prices by item code, in euros before tax. By agreement of both parties,
    or by publication where the contract allows it.
    """

    PARTS: ClassVar[Mapping[str, type]] = {"terms": Terms}

    contract: str
    effective_on: date | None = None
    how: Literal["agreement", "publication"] = "agreement"
    reason: str = ""
    terms: dict[str, Any] = {}
    prices: dict[str, Decimal] = {}

    def told(self, app: Billing) -> Told:
        if not self.terms and not self.prices:
            raise Refused(f"{self.contract}: nothing changes; say which terms or prices do")
        contract = app.contract(self.contract)
        on = self.effective_on or app.today
        terms = amended_terms(contract.terms, self.terms)
        if terms == contract.terms and not self.prices:
            raise Refused(f"{self.contract}: its clauses say so already; nothing changes")
        book = app.book()
        findings = tuple(review(_as_signed(contract, terms, on), book))
        if forbidden := [found for found in findings if found.severity == "refuse"]:
            raise Refused("\n".join(f"{self.contract}: {found}" for found in forbidden))
        events = app.change(
            self.contract,
            lambda c: change.amend(
                c, terms, on, self.how, book, self.reason, self.prices, app.today
            ),
        )
        changes = tuple(_differences(contract.terms, terms))
        return Told(list(events), findings if self.terms else (), changes)


class Assign(Action, frozen=True):
    """Put another party in the place of a side from a day on (cession).

    A party already known is named by its code alone; a new supplier's mandate is amended. A new
    client is debited under `mandate`, one it signed already, else once it has signed one.
    """

    PARTS: ClassVar[Mapping[str, type]] = {"to": Identity}

    contract: str
    side: Party
    to: dict[str, Any]
    effective_on: date | None = None
    informed_on: date | None = None
    mandate: str = ""

    def _events(self, app: Billing) -> Iterable[Event]:
        identity = _party_told(app, self.to, must_exist=False)
        on = self.effective_on or app.today
        return commands.assign(
            app, self.contract, self.side, identity, on, self.informed_on, self.mandate
        )


class Accept(Action, frozen=True):
    """Record the acceptance of the installation (PV de réception); blocking defects stop it."""

    contract: str
    accepted_on: date | None = None
    blocking_defects: str = ""
    reserves: str = ""

    def _events(self, app: Billing) -> Iterable[Event]:
        on = _past(app, self.accepted_on, "accepted_on")
        return app.change(
            self.contract,
            lambda c: cover.accept_installation(c, on, self.blocking_defects, self.reserves),
        )


class Deposit(Action, frozen=True):
    """Record a deposit that validates the order (acompte), in euros, tax included.

    It pays the deposit invoices that asked for it; what is left gets one, paid, at the VAT of that
    day (`vat`: a treatment of the contract). `reference` names the payment.
    """

    contract: str
    amount: Decimal
    received_on: date | None = None
    reference: str = ""
    means: deposits.Means = "transfer"
    vat: str = "standard"

    def _events(self, app: Billing) -> Iterable[Event]:
        on = _past(app, self.received_on, "received_on")
        return deposits.record(
            app, self.contract, self.amount, on, self.reference, self.means, self.vat
        )


class DepositInvoice(Action, frozen=True):
    """Ask for a deposit by invoice (facture d'acompte), before the money comes.

    `amount` in euros, tax included; or `percent` of what the order sells once, or `of` an amount,
    tax included. Neither: what was received without an invoice, else the deposit agreed at
    signature. It is deducted from the invoices that follow, for as much as was paid.
    """

    contract: str
    amount: Decimal | None = None
    percent: Decimal | None = None
    of: Decimal | None = None
    vat: str = "standard"
    due_on: date | None = None

    def _events(self, app: Billing) -> Iterable[Event]:
        return deposits.invoice(
            app, self.contract, self.amount, self.percent, self.of, self.vat, self.due_on
        )


class CancelOrder(Action, frozen=True):
    """Give up an order before it is served (annulation); the deposit is kept unless agreed.

    `costs` are those engaged, in euros before tax, billed where there is no deposit to keep.
    """

    contract: str
    cancelled_on: date | None = None
    agreed: bool = False
    costs: Decimal = Decimal(0)

    def _events(self, app: Billing) -> Iterable[Event]:
        on = _past(app, self.cancelled_on, "cancelled_on")
        return commands.cancel_order(app, self.contract, on, self.agreed, self.costs)


# Cover and work


class AddEquipment(Action, frozen=True):
    """Add equipment to the cover since a day, told in time, late, or found undeclared."""

    contract: str
    item: NewItem
    since: date | None = None
    declared: Literal["in_time", "late", "undeclared"] = "in_time"
    evidence: str = ""

    def _events(self, app: Billing) -> Iterable[Event]:
        since = self.since or app.today
        item = item_of(app, app.contract(self.contract), self.item, since)
        return app.change(
            self.contract,
            lambda c: cover.add_equipment(c, item, since, self.declared, self.evidence),
        )


class RemoveEquipment(Action, frozen=True):
    """Take equipment out of the cover on a day (retrait)."""

    contract: str
    code: str
    removed_on: date | None = None
    evidence: str = ""

    def _events(self, app: Billing) -> Iterable[Event]:
        on = self.removed_on or app.today
        return commands.remove_equipment(app, self.contract, self.code, on, self.evidence)


class Subscribe(Action, frozen=True):
    """Open an option, an access or some volume from a day on (souscription)."""

    contract: str
    item: NewItem
    since: date | None = None

    def _events(self, app: Billing) -> Iterable[Event]:
        since = self.since or app.today
        item = item_of(app, app.contract(self.contract), self.item, since)
        return app.change(self.contract, lambda c: cover.subscribe(c, item, since))


class CancelOption(Action, frozen=True):
    """End an option on a day; a month begun stays due where options go by whole months."""

    contract: str
    code: str
    cancelled_on: date | None = None

    def _events(self, app: Billing) -> Iterable[Event]:
        on = self.cancelled_on or app.today
        return commands.cancel_option(app, self.contract, self.code, on)


class Usage(Action, frozen=True):
    """Record what a meter counted in a month (YYYY-MM), in the meter's unit.

    `included` replaces what the contract includes for that month.
    """

    contract: str
    meter: str
    month: str
    used: Decimal
    included: Decimal | None = None

    def _events(self, app: Billing) -> Iterable[Event]:
        first = month_of(self.month)
        if first > app.today:
            raise Refused(
                f"{self.contract}: {self.month} is in the future; today is {app.today}, and a "
                "meter is read once the month has begun"
            )
        return app.change(
            self.contract,
            lambda c: cover.measure(c, self.meter, first, self.used, self.included),
        )


class Work(Action, frozen=True):
    """Record work outside the fee, at the rate card of that day or by a quote accepted before.

    `unit_price` in euros before tax, with a quote only. `at_fault`: the client missed the
    appointment or its premises were unsafe.
    """

    contract: str
    code: str
    done_on: date | None = None
    quantity: Decimal = Decimal(1)
    label: str = ""
    unit_price: Decimal | None = None
    quote: str = ""
    accepted_on: date | None = None
    at_fault: bool = False

    def _events(self, app: Billing) -> Iterable[Event]:
        on = _past(app, self.done_on, "done_on")
        if self.unit_price is not None and not self.quote:
            raise Refused(
                f"{self.contract}: a price goes with the accepted quote it comes from; without "
                "one, the rate card of that day is billed"
            )
        return app.change(
            self.contract,
            lambda c: cover.do_work(
                c,
                self.code,
                on,
                self.quantity,
                self.label,
                self.unit_price,
                self.quote,
                self.accepted_on,
                self.at_fault,
            ),
        )


class CheckEquipment(Action, frozen=True):
    """Record the check of an item without cover (reprise), and its repair quote in euros."""

    contract: str
    code: str
    checked_on: date | None = None
    working: bool = True
    repair_quote: str = ""
    repair_price: Decimal | None = None
    accepted_on: date | None = None

    def _events(self, app: Billing) -> Iterable[Event]:
        on = _past(app, self.checked_on, "checked_on")
        return app.change(
            self.contract,
            lambda c: cover.check_equipment(
                c,
                self.code,
                on,
                self.working,
                self.repair_quote,
                self.repair_price,
                self.accepted_on,
            ),
        )


class ShipReplacement(Action, frozen=True):
    """Ship a replacement; the faulty item is awaited, else billed at its list price (RMA)."""

    contract: str
    code: str
    shipped_on: date | None = None
    reference: str = ""

    def _events(self, app: Billing) -> Iterable[Event]:
        on = _past(app, self.shipped_on, "shipped_on")
        return app.change(
            self.contract, lambda c: cover.ship_replacement(c, self.code, on, self.reference)
        )


class ReturnFaulty(Action, frozen=True):
    """Record that the faulty item came back."""

    contract: str
    code: str
    returned_on: date | None = None
    reference: str = ""

    def _events(self, app: Billing) -> Iterable[Event]:
        on = _past(app, self.returned_on, "returned_on")
        return app.change(
            self.contract, lambda c: cover.return_faulty(c, self.code, on, self.reference)
        )


class Charge(Action, frozen=True):
    """Bill on a cost the contract lets the supplier bill on, in euros before tax."""

    contract: str
    kind: Literal["bank_fee", "work"]
    label: str
    amount: Decimal
    because: str
    charged_on: date | None = None

    def _events(self, app: Billing) -> Iterable[Event]:
        on = self.charged_on or app.today
        return app.change(
            self.contract,
            lambda c: change.add_charge(c, self.kind, self.label, self.amount, on, self.because),
        )


# Renewal and end


class Offer(Action, frozen=True):
    """Send a renewal quote or offer, for so many months, at unit prices by item code in euros."""

    contract: str
    offered_on: date | None = None
    months: int | None = None
    prices: dict[str, Decimal] = {}
    reference: str = ""

    def _events(self, app: Billing) -> Iterable[Event]:
        on = _past(app, self.offered_on, "offered_on")
        return app.change(
            self.contract, lambda c: renew.offer(c, on, self.months, self.prices, self.reference)
        )


class AcceptOffer(Action, frozen=True):
    """Record that the client accepts the offer, up to the last day of the term."""

    contract: str
    accepted_on: date | None = None

    def _events(self, app: Billing) -> Iterable[Event]:
        on = _past(app, self.accepted_on, "accepted_on")
        return app.change(self.contract, lambda c: renew.accept_offer(c, on))


class Notice(Action, frozen=True):
    """Record that a party will not renew (dénonciation); late, it works one term later."""

    contract: str
    by: Party
    sent_on: date | None = None
    received_on: date | None = None
    sending: Sending = "registered_letter"

    def _events(self, app: Billing) -> Iterable[Event]:
        sent_on = _past(app, self.sent_on, "sent_on")
        _past(app, self.received_on, "received_on")
        return app.change(
            self.contract,
            lambda c: renew.notice(c, self.by, sent_on, self.received_on, self.sending),
        )


class FormalNotice(Action, frozen=True):
    """Record the letter that starts a clock of the contract (mise en demeure)."""

    contract: str
    clock: str
    by: Party = "supplier"
    sent_on: date | None = None
    received_on: date | None = None
    sending: Sending = "registered_letter"
    reason: str = ""

    def _events(self, app: Billing) -> Iterable[Event]:
        sent_on = _past(app, self.sent_on, "sent_on")
        _past(app, self.received_on, "received_on")
        return app.change(
            self.contract,
            lambda c: end.formal_notice(
                c, self.clock, self.by, sent_on, self.received_on, self.sending, self.reason
            ),
        )


class Cure(Action, frozen=True):
    """Record that what the letter asked for was done; its clock stops."""

    contract: str
    clock: str
    cured_on: date | None = None

    def _events(self, app: Billing) -> Iterable[Event]:
        on = _past(app, self.cured_on, "cured_on")
        return app.change(self.contract, lambda c: end.cure(c, self.clock, on))


class Suspend(Action, frozen=True):
    """Suspend the service, block its growth or recover equipment, once a clock allows it."""

    contract: str
    clock: str
    suspended_on: date | None = None
    measure: Allowed = "suspend"

    def _events(self, app: Billing) -> Iterable[Event]:
        on = _past(app, self.suspended_on, "suspended_on")
        return app.change(self.contract, lambda c: end.suspend(c, self.clock, on, self.measure))


class Resume(Action, frozen=True):
    """Open the service again; the days suspended stay due."""

    contract: str
    resumed_on: date | None = None

    def _events(self, app: Billing) -> Iterable[Event]:
        on = _past(app, self.resumed_on, "resumed_on")
        return app.change(self.contract, lambda c: end.resume(c, on))


class Terminate(Action, frozen=True):
    """End a contract before its term, on its first day without it (résiliation anticipée)."""

    contract: str
    cause: Literal[Cause, "insolvency"]
    side: Party
    effective_on: date | None = None
    evidence: str = ""

    def _events(self, app: Billing) -> Iterable[Event]:
        on = self.effective_on or app.today
        return commands.terminate(app, self.contract, on, self.cause, self.side, self.evidence)


class SettleIndemnity(Action, frozen=True):
    """Waive an indemnity (amount 0) or record the amount negotiated, in euros before tax."""

    contract: str
    amount: Decimal
    reason: str
    settled_on: date | None = None
    invoice: str = ""

    def _events(self, app: Billing) -> Iterable[Event]:
        on = _past(app, self.settled_on, "settled_on")
        return app.change(
            self.contract,
            lambda c: end.settle_indemnity(c, self.amount, on, self.reason, self.invoice),
        )


class Purchase(Action, frozen=True):
    """Sell the client what it rents, at a price in euros before tax; first rents are refunded."""

    contract: str
    price: Decimal
    label: str
    purchased_on: date | None = None

    def _events(self, app: Billing) -> Iterable[Event]:
        on = _past(app, self.purchased_on, "purchased_on")
        return commands.purchase(app, self.contract, on, self.price, self.label)


class TaskDone(Action, frozen=True):
    """Record a duty done after the end, with its proof (destruction des données)."""

    contract: str
    code: str
    proof: str
    done_on: date | None = None

    def _events(self, app: Billing) -> Iterable[Event]:
        on = _past(app, self.done_on, "done_on")
        return app.change(self.contract, lambda c: end.finish_task(c, self.code, on, self.proof))


# Mandates and parties


class MandateSign(Action, frozen=True):
    """Record the SEPA mandate a contract is collected under; the client's account by default.

    Without a reference (RUM) it has the contract's. `proof` says where the signed mandate is kept,
    on paper or electronic; `last_collected_on` when it was last debited under, before.
    """

    contract: str
    mandate: str = ""
    signed_on: date | None = None
    iban: str = ""
    bic: str = ""
    scheme: Literal["CORE", "B2B"] = "CORE"
    recurrent: bool = True
    proof: str = ""
    medium: Literal["paper", "electronic"] = "paper"
    last_collected_on: date | None = None

    def _events(self, app: Billing) -> Iterable[Event]:
        on = _past(app, self.signed_on, "signed_on")
        if (last := self.last_collected_on) is not None and not on <= last <= app.today:
            raise Refused(
                f"{self.contract}: a last debit on {last}; expected from {on}, when the mandate "
                f"was signed, to today, {app.today}"
            )
        contract = app.contract(self.contract)
        creditor, debtor = _party(app, contract.supplier), _party(app, contract.client)
        if not creditor.creditor_identifier:
            raise Refused(
                f"{self.contract}: {creditor.code} has no creditor identifier (ICS) and cannot "
                "collect; give it one with `billing party amend`"
            )
        iban = self.iban or debtor.iban
        if not iban:
            raise Refused(
                f"{self.contract}: no account of {debtor.code} is known; say which IBAN is debited"
            )
        if self.scheme == "B2B" and debtor.category in ("consumer", "non_professional"):
            raise Refused(
                f"{self.contract}: the B2B scheme is for businesses, and {debtor.code} is a "
                f"{debtor.category.replace('_', '-')}"
            )
        bic = self.bic or (debtor.bic if iban == debtor.iban else "")
        signed = MandateSigned(
            reference=self.mandate,
            creditor=creditor.code,
            creditor_identifier=creditor.creditor_identifier,
            debtor=debtor.code,
            iban=iban,
            bic=bic,
            scheme=self.scheme,
            recurrent=self.recurrent,
            signed_on=on,
            proof=self.proof,
            medium=self.medium,
            last_collected_on=self.last_collected_on,
        )
        return commands.record_mandate(app, self.contract, signed)


class MandateAmend(Action, frozen=True):
    """Change the account of a mandate; the signature stays good (avenant).

    Or tell when it was last debited under elsewhere, which keeps it alive.
    """

    mandate: str
    iban: str = ""
    bic: str = ""
    amended_on: date | None = None
    last_collected_on: date | None = None

    def _events(self, app: Billing) -> Iterable[Event]:
        on = _past(app, self.amended_on, "amended_on")
        last = self.last_collected_on
        return commands.amend_mandate(app, self.mandate, on, self.iban, self.bic, last)


class MandateRevoke(Action, frozen=True):
    """Record that a mandate is withdrawn; the contracts that used it have none any more."""

    mandate: str
    revoked_on: date | None = None

    def _events(self, app: Billing) -> Iterable[Event]:
        on = _past(app, self.revoked_on, "revoked_on")
        return commands.revoke_mandate(app, self.mandate, on)


class PartyAmend(Action, frozen=True):
    """Change what is known of a party: `party` says its code and only what changes."""

    PARTS: ClassVar[Mapping[str, type]] = {"party": Identity}

    party: dict[str, Any]

    @property
    def about(self) -> str:
        return str(self.party.get("code", ""))

    def _events(self, app: Billing) -> Iterable[Event]:
        return commands.amend_party(app, _party_told(app, self.party, must_exist=True))


# Direct debits


class Collect(Action, frozen=True):
    """Hand over the debits due up to a day (prélèvements): a file for the bank in `path`.

    Up to two weeks ahead unless said. `profile` is a bank's: a name that ships, or a TOML file.
    `retries` and `retry_days`: how often, and how many days after, a debit that came back for
    want of money is presented again.
    """

    path: str
    until: date | None = None
    profile: str = "default"
    supplier_code: str = ""
    retries: int = 1
    retry_days: int = 8

    def _events(self, app: Billing) -> Iterable[Event]:
        return self.collect(app).events

    def collect(self, app: Billing, dry: bool = False) -> Collected:
        """The same, with what was planned and why the rest is left out."""
        from billing.application import collections  # Slow to import: it reads and writes XML.

        asked = self.asked()
        if dry:
            return collections.Collected((), collections.planned(app, asked), ())
        return collections.collect(app, Path(self.path), asked)

    def asked(self) -> Asked:
        """What is asked, with the bank's profile read."""
        from billing.application import collections
        from billing.documents.profile import load_profile

        if self.retries < 0 or self.retry_days < 1:
            raise Refused(
                f"presented again {self.retries} times after {self.retry_days} days; expected 0 "
                "times or more, after 1 day or more"
            )
        profile, code = load_profile(self.profile), self.supplier_code
        return collections.Asked(self.until, profile, code, self.retries, self.retry_days)


class Announce(Collect, frozen=True):
    """Tell clients of debits to come (pré-notification) that no invoice announces any more.

    Those that missed their day, or came back and may be presented again; of one contract only,
    or for a `year`: its schedule (échéancier).
    """

    path: str = ""
    contract: str = ""
    year: int | None = None

    def _events(self, app: Billing) -> Iterable[Event]:
        from billing.application import collections

        if self.year is None:
            return collections.announce(app, self.asked(), self.contract).events
        if not self.contract:
            raise Refused(f"a schedule of {self.year} is a contract's: say which")
        told = collections.schedule(app, self.contract, self.year)
        return collections.announce_schedule(app, told)


# Invoices


class OnDocument(Action, frozen=True, kw_only=True):
    """Something that happens to a document issued: the one of that number, or a contract's last."""

    invoice: str = ""
    contract: str = ""
    supplier_code: str = ""

    def number(self, app: Billing) -> str:
        """The number of the document."""
        return _invoice(app, self.invoice, self.contract)

    def fact(self, app: Billing, day: date | None, what: str) -> tuple[str, date]:
        """The number of the document, and the day of what happened to it, today unless told."""
        return self.number(app), _past(app, day, what)


class CreditNote(OnDocument, frozen=True):
    """Credit an invoice: all of it, some of its lines (from 1), or a net amount in euros.

    The invoice is named by its number, or is the last of a contract.
    """

    reason: str
    issued_on: date | None = None
    lines: tuple[int, ...] = ()
    net: Decimal | None = None

    def _events(self, app: Billing) -> Iterable[Event]:
        number, on = self.fact(app, self.issued_on, "issued_on")
        return [
            commands.issue_credit_note(
                app, number, self.reason, on, self.lines, self.net, self.supplier_code
            )
        ]


class ReceiveInvoice(OnDocument, frozen=True):
    """Record the day the client received an invoice; what is due from the receipt moves."""

    received_on: date | None = None
    evidence: str = ""

    def _events(self, app: Billing) -> Iterable[Event]:
        number, on = self.fact(app, self.received_on, "received_on")
        return commands.receive_invoice(app, number, on, self.evidence, self.supplier_code)


class Withhold(OnDocument, frozen=True):
    """Record a guarantee retention the client told in time, in percent of the gross."""

    percent: Decimal
    reason: str
    notified_on: date | None = None

    def _events(self, app: Billing) -> Iterable[Event]:
        number, on = self.fact(app, self.notified_on, "notified_on")
        return commands.withhold(app, number, self.percent, on, self.reason, self.supplier_code)


class Release(OnDocument, frozen=True):
    """Record that the reserves are lifted: what was withheld is due."""

    released_on: date | None = None

    def _events(self, app: Billing) -> Iterable[Event]:
        number, on = self.fact(app, self.released_on, "released_on")
        return commands.release(app, number, on, self.supplier_code)


# Payments


class Pay(Action, frozen=True):
    """Record money received and what it pays (règlement), in euros, tax included.

    `invoices` are those the payer names, `amounts` how much for each where it says so, `contract`
    stands for its last invoice; else the numbers found in `remittance`, the one document of
    exactly that amount, the oldest due. What is left is the client's credit. `reference` names
    the payment: the cheque's number, the bank's.
    """

    amount: Decimal
    client: str = ""
    contract: str = ""
    invoices: tuple[str, ...] = ()
    amounts: dict[str, Decimal] = {}
    value_on: date | None = None
    means: payments.Means = "transfer"
    reference: str = ""
    remittance: str = ""
    payer: str = ""
    payer_iban: str = ""
    currency: str = "EUR"
    supplier_code: str = ""

    def told(self, app: Billing) -> Told:
        if self.currency != "EUR":
            raise Refused(f"{self.amount} {self.currency}: only payments in euros are recorded")
        said, supplier = _said(app, self.invoices, self.amounts, self.contract)
        done = payments.pay(
            app,
            self.amount,
            self.value_on or app.today,
            self.means,
            client=self.client,
            said=said,
            reference=self.reference,
            remittance=self.remittance,
            payer=self.payer,
            payer_iban=self.payer_iban,
            supplier=self.supplier_code or supplier,
        )
        return Told(done.events, (), done.told)


class Allocate(Action, frozen=True):
    """Use what is left of a payment, or of a client's payments, for what is owed (imputation).

    As told (`invoices`, `amounts`), else by the rules of `pay`. A payment whose payer was not
    known is the client's from then on.
    """

    payment: str = ""
    client: str = ""
    contract: str = ""
    invoices: tuple[str, ...] = ()
    amounts: dict[str, Decimal] = {}
    supplier_code: str = ""

    def told(self, app: Billing) -> Told:
        said, supplier = _said(app, self.invoices, self.amounts, self.contract)
        done = payments.allocate_left(
            app, self.payment, self.client, said=said, supplier=self.supplier_code or supplier
        )
        return Told(done.events, (), done.told)


class SetOff(Action, frozen=True):
    """Let what a client paid or was credited too much pay what it owes (compensation).

    `credit` is the document it is on, `invoice` the one it pays; else all of the client's, to
    the oldest due.
    """

    client: str = ""
    credit: str = ""
    invoice: str = ""
    amount: Decimal | None = None
    supplier_code: str = ""

    def told(self, app: Billing) -> Told:
        done = payments.compensate(
            app,
            self.client,
            self.credit,
            invoice=self.invoice,
            amount=self.amount,
            supplier=self.supplier_code,
        )
        return Told(done.events, (), done.told)


class Refund(Action, frozen=True):
    """Record that what was paid too much went back: of a `payment`, or of an `invoice`."""

    reason: str
    payment: str = ""
    invoice: str = ""
    amount: Decimal | None = None
    refunded_on: date | None = None
    supplier_code: str = ""

    def told(self, app: Billing) -> Told:
        done = payments.refund(
            app,
            self.refunded_on or app.today,
            self.reason,
            reference=self.payment,
            invoice=self.invoice,
            amount=self.amount,
            supplier=self.supplier_code,
        )
        return Told(done.events, (), done.told)


class WriteOff(OnDocument, frozen=True):
    """Record that what is owed on a document, or part of it, will not be paid (irrécouvrable)."""

    reason: str
    amount: Decimal | None = None
    written_off_on: date | None = None

    def told(self, app: Billing) -> Told:
        number = self.number(app)
        on = self.written_off_on or app.today
        done = payments.write_off(app, number, on, self.reason, self.amount, self.supplier_code)
        return Told(done.events, (), done.told)


class RejectPayment(Action, frozen=True):
    """Record that a cheque or a card payment failed (impayé): what it paid is owed again.

    `code` and `reason` are the bank's; its `fee`, in euros, is billed on where the contract says
    so.
    """

    payment: str
    reason: str = ""
    code: str = ""
    fee: Decimal = Decimal(0)
    rejected_on: date | None = None
    supplier_code: str = ""

    def told(self, app: Billing) -> Told:
        done = payments.reject(
            app,
            self.payment,
            self.rejected_on or app.today,
            self.reason,
            code=self.code,
            fee=self.fee,
            supplier=self.supplier_code,
        )
        return Told(done.events, (), done.told)


class BankImport(Action, frozen=True):
    """Apply a file of the bank (`path`, relative to the life file): statement, advice, report."""

    path: str
    supplier_code: str = ""

    def told(self, app: Billing) -> Told:
        report = bank.import_file(app, self.path, self.supplier_code)
        events: list[Any] = list(app.events.get(stream("bank_file", report.digest)))
        return Told(events if report.already is None else [], (), report.told)


class MatchEntry(Action, frozen=True):
    """Explain a line of the bank that waits: what it pays, who paid, or why to ignore it."""

    entry: str
    invoices: tuple[str, ...] = ()
    client: str = ""
    ignore: str = ""
    supplier_code: str = ""

    def _events(self, app: Billing) -> Iterable[Event]:
        return bank.match_entry(
            app, self.entry, self.invoices, self.client, self.ignore, self.supplier_code
        )


# What is late


class Chase(Action, frozen=True):
    """Bring a day to all that is late: reminders, formal notices, interest and 40 € (relances).

    By the house's policy (`path`, a TOML file), or the one that ships; `contract` alone, if said.
    """

    chased_on: date | None = None
    contract: str = ""
    path: str = ""

    def _events(self, app: Billing) -> Iterable[Event]:
        policy = read_policy(self.path) if self.path else None
        on = self.chased_on or app.today
        return chase.chase(app, on, policy, self.contract, keep=True).events


class Dispute(OnDocument, frozen=True):
    """Record that a document is contested (litige): it is neither reminded of nor charged."""

    reason: str
    disputed_on: date | None = None

    def _events(self, app: Billing) -> Iterable[Event]:
        number, on = self.fact(app, self.disputed_on, "disputed_on")
        return chase.dispute(app, number, on, self.reason, self.supplier_code)


class SettleDispute(OnDocument, frozen=True):
    """Record that a dispute is over; what is still owed is late since its due day."""

    how: str
    settled_on: date | None = None

    def _events(self, app: Billing) -> Iterable[Event]:
        number, on = self.fact(app, self.settled_on, "settled_on")
        return chase.settle_dispute(app, number, on, self.how, self.supplier_code)


# Indices


class IndexPublish(Action, frozen=True):
    """Record a value of a series, on the scale of the series, with its day of publication."""

    series: str
    period: str
    value: Decimal
    source: str
    published_on: date | None = None
    confidence: Literal["found", "derived", "recalled"] = "found"

    def _events(self, app: Billing) -> Iterable[Event]:
        app.publish_shipped()
        told = _observation(app, self)
        known = app.book().versions(told.series, told.period)
        if known and all(one.value != told.value for one in known):
            raise Refused(
                f"{told.series} {told.period}: {known[-1].value} is known, published "
                f"{known[-1].published_on}; a rectified value is recorded as a correction "
                "(`billing index correct`)"
            )
        return commands.publish(app, [told])


class IndexCorrect(Action, frozen=True):
    """Record a rectified value beside the one published before, which stays as it was."""

    series: str
    period: str
    value: Decimal
    source: str
    reason: str
    published_on: date | None = None
    confidence: Literal["found", "derived", "recalled"] = "found"

    def _events(self, app: Billing) -> Iterable[Event]:
        app.publish_shipped()
        told = _observation(app, self)
        if not app.book().versions(told.series, told.period):
            raise Refused(
                f"{told.series} {told.period}: no value is known that could be corrected; record "
                "it with `billing index publish`"
            )
        return commands.publish(app, [told], self.reason)


class IndexReplace(Action, frozen=True):
    """Record that a series stops and another goes on: old scale = new value × coefficient."""

    series: str
    successor: str
    period: str
    coefficient: Decimal
    source: str
    published_on: date | None = None
    rule: str = ""

    def _events(self, app: Billing) -> Iterable[Event]:
        on = _past(app, self.published_on, "published_on")
        return commands.replace_series(
            app,
            Link(
                old_series=self.series,
                new_series=self.successor,
                at=self.period,
                coefficient=self.coefficient,
                source=self.source,
                published_on=on,
                rule=self.rule,
            ),
        )


class IndexSubstitute(Action, frozen=True):
    """Record the decision that replaces an index in one contract (C. civ. 1167).

    `base` is the new So; without it, the value last known at signature. `coefficient` instead
    keeps the old base and links the new values to it.
    """

    contract: str
    series: str
    by_series: str
    decided_by: str
    evidence: str
    decided_on: date | None = None
    base: Base | None = None
    coefficient: Decimal | None = None

    def _events(self, app: Billing) -> Iterable[Event]:
        app.publish_shipped()
        on = _past(app, self.decided_on, "decided_on")
        base = (
            None
            if self.base is None
            else Reading(
                self.base.series,
                self.base.period,
                self.base.value,
                self.base.published_on,
                self.base.source,
                read_on=on,
            )
        )
        book = app.book()
        return app.change(
            self.contract,
            lambda c: change.substitute_index(
                c,
                self.series,
                self.by_series,
                on,
                self.decided_by,
                self.evidence,
                book,
                base,
                self.coefficient,
            ),
        )


class IndexImport(Action, frozen=True):
    """Record the values of a publisher's file (`path`, relative to the life file).

    `published_on` is the day of the release, for files that do not say it.
    """

    path: str
    published_on: date | None = None
    source: str = ""
    reason: str = ""

    def _events(self, app: Billing) -> Iterable[Event]:
        app.publish_shipped()
        observations = observations_of(app, self.path, self.published_on, self.source)
        return commands.publish(app, observations, self.reason)


# Runs


class Run(Action, frozen=True):
    """Bill all that is due in a month (YYYY-MM): `billing run`."""

    month: str

    def _events(self, app: Billing) -> Iterable[Event]:
        return list(_of_run(app, self.run(app).name))

    def run(self, app: Billing) -> runs.Report:
        """The run, as a report."""
        first, until = month_days(month_of(self.month))
        return runs.run(app, first, until, self.month)


def _of_run(app: Billing, name: str) -> Iterable[Any]:
    return app.events.get(stream("run", name))


ACTIONS: dict[str, type[Action]] = {
    str(kind.__struct_config__.tag): kind
    for kind in (
        Sign,
        Amend,
        Assign,
        Accept,
        Deposit,
        DepositInvoice,
        CancelOrder,
        AddEquipment,
        RemoveEquipment,
        Subscribe,
        CancelOption,
        Usage,
        Work,
        CheckEquipment,
        ShipReplacement,
        ReturnFaulty,
        Charge,
        Offer,
        AcceptOffer,
        Notice,
        FormalNotice,
        Cure,
        Suspend,
        Resume,
        Terminate,
        SettleIndemnity,
        Purchase,
        TaskDone,
        MandateSign,
        MandateAmend,
        MandateRevoke,
        PartyAmend,
        Collect,
        Announce,
        CreditNote,
        ReceiveInvoice,
        Withhold,
        Release,
        Pay,
        Allocate,
        SetOff,
        Refund,
        WriteOff,
        RejectPayment,
        BankImport,
        MatchEntry,
        Chase,
        Dispute,
        SettleDispute,
        IndexPublish,
        IndexCorrect,
        IndexReplace,
        IndexSubstitute,
        IndexImport,
        Run,
    )
}
"""All actions by their word."""


# Reading actions


def action_of(values: Mapping[str, Any]) -> Action:
    """The action that values describe (`do` and its fields), dates and amounts as texts or not.

    Raises BadFile with every fault; its errors name the fields.
    """
    checker = Checker()
    action = checked_action(checker, values, ())
    if checker.errors or action is None:
        raise BadFile(checker.errors)
    return action


def checked_action(
    checker: Checker, values: Mapping[str, Any], key: Key, besides: Sequence[str] = ()
) -> Action | None:
    """The same, with the faults noted in the checker; `besides` are fields that are not its own."""
    do = values.get("do")
    if do is None:
        checker.fault((*key, "do"), f"it is missing; expected {', '.join(ACTIONS)}", at=key)
        return None
    if not isinstance(do, str) or do not in ACTIONS:
        checker.fault((*key, "do"), f"no such action; {suggestion(str(do), ACTIONS)}", do)
        return None
    cls = ACTIONS[do]
    faults = len(checker.errors)
    own = {name: one for name, one in values.items() if name not in ("do", *besides)}
    said = checker.check(shape_of(cls), own, key)
    for name, part in cls.PARTS.items():
        if name in own:
            wanted = checker.check(shape_of(part), own[name], (*key, name), partial=True)
            if isinstance(said, dict):
                said[name] = wanted
            if part is Identity and isinstance(own[name], dict) and "code" not in own[name]:
                checker.fault((*key, name, "code"), "it is missing", at=(*key, name))
    month = own.get("month")
    if isinstance(month, str):
        try:
            month_of(month)
        except Refused:
            checker.fault((*key, "month"), "a month was expected, such as 2024-03", month)
    if len(checker.errors) > faults:
        return None
    kept = {name: one for name, one in said.items() if one is not None}
    return msgspec.convert({**kept, "do": do}, cls)


def actions_schema(besides: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The JSON Schema of an action; `besides` are properties every action has in a life file."""
    definitions: dict[str, Any] = {}
    choices = []
    for word, cls in ACTIONS.items():
        schema = schema_of(cls, title=word, about=(cls.__doc__ or "").strip())
        definitions |= schema.pop("$defs")
        schema.pop("$schema")
        properties = dict(schema["properties"])
        for name, part in cls.PARTS.items():
            whole = schema_of(_Part[part], title=name, about="")
            definitions |= whole["$defs"]
            properties[name] = whole["properties"]["supplier" if part is Identity else "terms"]
        schema["properties"] = {"do": {"const": word}, **(besides or {}), **properties}
        schema["required"] = ["do", *(besides or {}), *schema["required"]]
        choices.append(schema)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Action",
        "description": "Something a person decides or records.",
        "oneOf": choices,
        "$defs": dict(sorted(definitions.items())),
    }


class _OfTerms(Struct):
    terms: Terms


class _OfParty(Struct):
    supplier: Identity


_Part: dict[type, type] = {Terms: _OfTerms, Identity: _OfParty}
"""The fields whose schemas leave everything out that need not be said."""


# What several actions need


def month_of(text: str) -> date:
    """The first day of a month written YYYY-MM."""
    if re.fullmatch(r"\d{4}-\d{2}", text, re.ASCII):
        try:
            return date.fromisoformat(f"{text}-01")
        except ValueError:
            pass
    raise Refused(f"{text!r} is no month; a month is written YYYY-MM, such as 2024-03")


def _past(app: Billing, day: date | None, what: str) -> date:
    """The day of a fact, today unless told; a fact is recorded once it has happened."""
    if day is None:
        return app.today
    if day > app.today:
        raise Refused(
            f"{what} {day} is in the future; today is {app.today}: record it once it has happened"
        )
    return day


def item_of(app: Billing, contract: Contract, said: NewItem, since: date) -> Item:
    """The item, with what the form's catalogue says of its code where nothing else is said."""
    form = recorded_form(app, contract.form_digest)
    code = said.catalogue or said.code
    offered = form.catalogue.get(code, {}) if form else {}
    known = ", ".join(form.catalogue) if form and form.catalogue else "nothing"
    if said.catalogue and not offered:
        raise Refused(
            f"{contract.number}: no {said.catalogue} in the catalogue of {contract.form}; it "
            f"offers: {known}"
        )
    until = offered.get("offered_until")
    if until and since > until and said.unit_price is None:
        raise Refused(
            f"{contract.number}: {code} was offered until {until}, and {since} is later; say its "
            "price"
        )
    whole = {name: one for name, one in msgspec.structs.asdict(said).items() if one is not None}
    fields = {
        name: one
        for name, one in offered.items()
        if one is not None and name not in ("code", "words", "source", "offered_until")
    } | {name: one for name, one in whole.items() if name not in ("catalogue",)}
    missing = [name for name in ("label", "unit_price", "per") if name not in fields]
    if offered:
        fields.setdefault("per", "month")
        missing = [name for name in missing if name == "unit_price"]
        fields.setdefault("label", said.code)
    if missing:
        raise Refused(
            f"{contract.number}: {said.code} is not in the catalogue of {contract.form} (it "
            f"offers: {known}); say its {' and its '.join(missing)}"
            if not offered
            else f"{contract.number}: the catalogue of {contract.form} has no price for {code}; "
            "say it"
        )
    per = fields.pop("per")
    if per == "once":
        fields.setdefault("kind", "one_off")
    return msgspec.convert({**fields, "per_months": PER_MONTHS[per]}, Item)


def recorded_form(app: Billing, digest: str) -> Form | None:
    """The form as it was when it was first signed from, if it was recorded."""
    for event in app.events.get(stream("form", digest)):
        if isinstance(event, FormRecorded):
            return form_from_text(event.text)
    return None


def amended_terms(terms: Terms, overrides: Mapping[str, Any]) -> Terms:
    """The terms with what is said instead, clause by clause; raises BadFile."""
    if not overrides:
        return terms
    checker = Checker()
    wanted = checker.check(shape_of(Terms), dict(overrides), ("terms",), partial=True)
    if checker.errors:
        raise BadFile(checker.errors)
    current = msgspec.to_builtins(terms, builtin_types=(Decimal, date))
    amended = checker.build(Terms, merged(current, wanted), ("terms",), dict(overrides))
    if amended is None:
        raise BadFile(checker.errors)
    return amended


def _differences(before: Terms, after: Terms) -> Iterator[str]:
    """The parameters that differ, in words: payment.days: 30 → 45."""
    old, new = dict(_parameters(before)), dict(_parameters(after))
    for name in dict.fromkeys((*old, *new)):
        if old.get(name) != new.get(name):
            yield f"{name}: {old.get(name, 'none')} → {new.get(name, 'none')}"


def _parameters(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Struct):
        for field in value.__struct_fields__:
            yield from _parameters(getattr(value, field), f"{name}.{field}" if name else field)
    elif isinstance(value, tuple) and value and isinstance(value[0], Struct):
        for place, one in enumerate(value, 1):
            yield from _parameters(one, f"{name}[{place}]")
    elif value not in (None, (), ""):
        shown = ", ".join(map(str, value)) if isinstance(value, tuple) else value
        yield name, str(shown)


def _as_signed(contract: Contract, terms: Terms, on: date) -> Signing:
    """The contract as if its amended clauses were signed that day, for the legality review."""
    revision = terms.revision
    names = [weight.series for weight in revision.indices] if revision else []
    bases = {
        name: reading
        for name, reading in zip(names, contract.bases, strict=False)
        if reading is not None
    }
    return Signing(
        number=contract.number,
        form=contract.form,
        form_digest=contract.form_digest,
        supplier=contract.supplier,
        client=contract.client,
        signed_on=on,
        starts_on=contract.starts_on,
        terms=terms,
        items=tuple(covered.item for covered in contract.items if covered.until is None),
        bases=bases,
        category=contract.category,
        mandate=contract.mandate,
        parent=contract.parent,
    )


def _party(app: Billing, code: str) -> Identity:
    known = app.party(code)
    if known is None:
        raise Refused(f"no party {code}")
    return known.identity


def _party_told(app: Billing, said: Mapping[str, Any], *, must_exist: bool) -> Identity:
    """The party as known, with what is said of it instead."""
    code = str(said.get("code", ""))
    known = app.party(code)
    if known is None and must_exist:
        raise Refused(f"no party {code}; a party is registered when its first contract is signed")
    if known is None and "name" not in said:
        raise Refused(f"no party {code} is known: say its name and its numbers too")
    checker = Checker()
    wanted = checker.check(shape_of(Identity), dict(said), (), partial=True)
    before = msgspec.to_builtins(known.identity, builtin_types=(Decimal, date)) if known else {}
    identity = (
        None if checker.errors else checker.build(Identity, merged(before, wanted), (), dict(said))
    )
    if identity is None:
        raise BadFile(checker.errors)
    return _consistent(identity)


def _consistent(party: Identity) -> Identity:
    """Refuses company numbers that contradict one another."""
    if party.siren and party.siret and not party.siret.startswith(party.siren):
        raise Refused(f"{party.code}: SIRET {party.siret} is not of SIREN {party.siren}")
    number = party.vat_number
    if party.siren and number.startswith("FR") and number[4:] != party.siren:
        raise Refused(f"{party.code}: VAT number {number} is not of SIREN {party.siren}")
    return party


def _invoice(app: Billing, number: str, contract: str) -> str:
    """The invoice named, or the last of the contract."""
    if bool(number) == bool(contract):
        raise Refused("name the invoice by its number, or the contract whose last invoice it is")
    if number:
        return number
    last = app.contract(contract).last_invoice
    if not last:
        raise Refused(f"{contract}: no invoice was issued yet")
    return last


def _said(
    app: Billing, invoices: Sequence[str], amounts: Mapping[str, Decimal], contract: str
) -> tuple[dict[str, Decimal | None], str]:
    """The documents a payer names, with the amounts it says; and the supplier of the contract."""
    said: dict[str, Decimal | None] = {**dict.fromkeys(invoices), **amounts}
    if not contract:
        return said, ""
    said.setdefault(_invoice(app, "", contract), None)
    return said, app.contract(contract).supplier


def _observation(app: Billing, said: IndexPublish | IndexCorrect) -> Observation:
    on = _past(app, said.published_on, "published_on")
    book = app.book()
    name = said.series
    if name in book.families():
        try:
            name = book.resolve(name, on).id
        except IndexUnavailable as unavailable:
            raise Refused(str(unavailable)) from None
    elif name not in book.series():
        raise Refused(f"no series {name}; {suggestion(name, list(book.series()))}")
    return Observation(name, said.period, said.value, on, said.source, said.confidence)


def observations_of(
    app: Billing, path: str | Path, published_on: date | None = None, source: str = ""
) -> tuple[Observation, ...]:
    """The values of a publisher's file, in the series the log knows; raises BadIndexFile."""
    file = Path(path)
    try:
        return read(file, app.book().series(), published_on=published_on, source=source)
    except OSError as error:
        told = "there is no such file" if not file.exists() else f"cannot be read: {error.strerror}"
        raise BadFile([FieldError(path=str(file), expected=told)]) from None


__all__ = [
    "ACTIONS",
    "Action",
    "NewItem",
    "Run",
    "Sign",
    "Told",
    "action_of",
    "actions_schema",
    "amended_terms",
    "checked_action",
    "item_of",
    "month_of",
    "observations_of",
    "recorded_form",
]
