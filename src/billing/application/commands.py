"""Commands: what people decide, checked and recorded in one transaction each.

Decisions on one contract alone go through `Billing.change`; here are those that touch more:
a signature with its parties and mandate, an end that linked contracts follow, a credit note
with its number, a publication.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from itertools import count
from typing import NamedTuple

from msgspec.structs import fields, replace

from billing import invoice as invoices
from billing import mandate as mandates
from billing.application import deposits, runs
from billing.application.core import Billing
from billing.application.issuable import Issuable
from billing.contract import change, cover, end, sign
from billing.contract.guards import issuer_of
from billing.contract.sign import Signing
from billing.contract.state import Contract, apply
from billing.documents import faults
from billing.events import Event
from billing.events.contract import (
    ContractEvent,
    ContractTerminated,
    InstalmentBilled,
    OrderCancelled,
    Party,
)
from billing.events.index import IndexCorrected, IndexPublished, SeriesDeclared, SeriesReplaced
from billing.events.invoice import CreditNoteIssued, DebitNoteIssued, Line
from billing.events.party import (
    Identity,
    MandateAmended,
    MandateSigned,
    PartyAmended,
    PartyRegistered,
)
from billing.events.run import FormRecorded
from billing.forms import ContractFile, Form
from billing.identity import contract_id, invoice_id, stream
from billing.money import ZERO, shared_out
from billing.month import Stamp, credit_note
from billing.refusal import Refused
from billing.review import Finding, review
from indices import Link, Observation, Series, diff


class Signed(NamedTuple):
    """A signature recorded: its events, and what the legality review had to say."""

    number: str
    events: tuple[Event, ...]
    findings: tuple[Finding, ...]


def sign_contract(app: Billing, file: ContractFile, by: str = "") -> Signed:
    """Signs a contract file: parties, mandate, form and contract in one transaction."""
    number = file.number
    if app.store.state("contract", number) is not None:
        raise Refused(f"{file.path}: number: contract {number} is already signed")
    app.publish_shipped()
    parent = None
    if file.parent:
        if app.store.state("contract", file.parent) is None:
            raise Refused(f"{file.path}: parent: no contract {file.parent}; sign that one first")
        parent = app.contract(file.parent)
    signing = file.signing(parent.terms if parent else None)
    book = app.book()
    findings = tuple(review(signing, book, file.form, file.variant))
    if refused := [finding for finding in findings if finding.severity == "refuse"]:
        raise Refused(
            "\n".join(
                f"{file.path}: {found.clause}: {found.message} ({found.source})"
                for found in refused
            )
        )
    events: list[Event] = []
    for side, identity in (("supplier", file.supplier), ("client", file.client)):
        events += _party_events(app, identity, f"{file.path}: {side}", by)
    if file.mandate is not None:
        events += _mandate_events(app, file.mandate, file.path, by)
    events += _form_events(app, file.form, by)
    events += app.stamp([sign.sign(signing, book, parent)], contract_id(number), 0, by)
    app.save(*events)
    return Signed(number, tuple(events), (*findings, *_unprintable(app, file, signing)))


def _unprintable(app: Billing, file: ContractFile, signing: Signing) -> Iterator[Finding]:
    """What its parties lack for an invoice to be printed: told now, it stops the bill later."""
    supplier, client = app.party(file.supplier.code), app.party(file.client.code)
    assert supplier is not None
    assert client is not None
    on = max(file.starts_on, app.today)
    treatments = (signing.terms.vat_treatment(item.vat) for item in signing.items)
    taxed = dict.fromkeys(one.category if one else "S" for one in treatments)
    for told in (
        *faults.supplier_faults(supplier.identity, taxed),
        *faults.unprintable_party(supplier.identity, f"supplier {file.supplier.code}"),
        *faults.client_faults(client.identity, taxed, signing.category, on),
        *faults.unprintable_party(client.identity, f"client {file.client.code}"),
    ):
        yield Finding("warn", "document", told, "billing waits for it: `billing party amend`")


def _party_events(app: Billing, identity: Identity, where: str, by: str) -> list[Event]:
    known = app.party(identity.code)
    if known is None:
        event = PartyRegistered(party=identity)
        return list(app.stamp([event], stream("party", identity.code), 0, by))
    told = [
        f"{field.name} {getattr(identity, field.name)!r}, known as "
        f"{getattr(known.identity, field.name)!r}"
        for field in fields(Identity)
        if getattr(identity, field.name) != field.default
        and getattr(identity, field.name) != getattr(known.identity, field.name)
    ]
    if told:
        raise Refused(
            f"{where}: {identity.code} is known otherwise: {'; '.join(told)}. Use another code, or "
            "change the party with `billing party amend`"
        )
    return []


def _mandate_events(app: Billing, signed: MandateSigned, where: str, by: str) -> list[Event]:
    known = app.mandate(signed.reference)
    if known is None:
        if told := mandates.reference_fault(signed.reference):
            raise Refused(f"{where}: mandate reference {signed.reference!r}: {told}")
        return list(app.stamp([signed], stream("mandate", signed.reference), 0, by))
    if known.revoked_on is not None:
        raise Refused(f"{where}: mandate {signed.reference} was revoked on {known.revoked_on}")
    if why := mandates.usable(known, max(signed.signed_on, known.signed_on)):
        raise Refused(f"{where}: {why}; give this one another reference")
    of = (known.creditor, known.debtor, known.iban)
    if of != (signed.creditor, signed.debtor, signed.iban):
        raise Refused(
            f"{where}: mandate {signed.reference} is of {known.debtor} on {known.iban}, for "
            f"{known.creditor}; give this one another reference"
        )
    return []


def _form_events(app: Billing, form: Form, by: str) -> list[Event]:
    id = stream("form", form.digest)
    if any(True for _ in app.events.get(id)):
        return []
    recorded = FormRecorded(form=form.name, digest=form.digest, text=form.text)
    return list(app.stamp([recorded], id, 0, by))


def amend_party(app: Billing, identity: Identity, by: str = "") -> list[Event]:
    """The party is from now on as told."""
    known = app.party(identity.code)
    if known is None:
        raise Refused(f"no party {identity.code}")
    if known.identity == identity:
        raise Refused(f"party {identity.code} is already so")
    events: list[Event] = list(
        app.stamp([PartyAmended(party=identity)], stream("party", identity.code), known.version, by)
    )
    app.save(*events)
    return events


# Mandates


def record_mandate(app: Billing, number: str, signed: MandateSigned, by: str = "") -> list[Event]:
    """A mandate is signed for a contract, which is collected under it from then on.

    Without a reference it has the contract's, of the first rank that is free.
    """
    contract = app.contract(number)
    if not signed.reference:
        names = (mandates.reference(number, rank) for rank in count(1))
        signed = replace(signed, reference=next(name for name in names if not app.mandate(name)))
    events = _mandate_events(app, signed, number, by)
    events += app.stamp(
        change.attach_mandate(contract, signed.reference, signed.signed_on),
        contract_id(number),
        contract.version,
        by,
    )
    app.save(*events)
    return events


def amend_mandate(
    app: Billing,
    reference: str,
    on: date,
    iban: str = "",
    bic: str = "",
    last_collected_on: date | None = None,
    by: str = "",
) -> list[Event]:
    """The debtor's account changes; its signature stays good."""
    mandate = _mandate(app, reference)
    decided = mandates.amend(mandate, on, iban, bic, last_collected_on)
    events = app.stamp([decided], stream("mandate", reference), mandate.version, by)
    app.save(*events)
    return list(events)


def revoke_mandate(app: Billing, reference: str, on: date, by: str = "") -> list[Event]:
    """The mandate is withdrawn; the contracts that used it have none any more."""
    mandate = _mandate(app, reference)
    events: list[Event] = list(
        app.stamp([mandates.revoke(mandate, on)], stream("mandate", reference), mandate.version, by)
    )
    for contract in app.contracts():
        if contract.mandate == reference:
            events += app.stamp(
                change.attach_mandate(contract, "", on),
                contract_id(contract.number),
                contract.version,
                by,
            )
    app.save(*events)
    return events


def _mandate(app: Billing, reference: str) -> mandates.Mandate:
    mandate = app.mandate(reference)
    if mandate is None:
        raise Refused(f"no mandate {reference}")
    return mandate


# The end, and what follows it


def history_of(app: Billing, number: str) -> list[InstalmentBilled]:
    """The instalments billed on a contract, oldest first."""
    return [event for event in app.history(number) if isinstance(event, InstalmentBilled)]


def terminate(
    app: Billing, number: str, on: date, cause: str, side: Party, evidence: str = "", by: str = ""
) -> list[Event]:
    """Ends a contract before its term, and those that follow it."""
    contract = app.contract(number)
    decisions = end.terminate(contract, on, cause, side, evidence, history_of(app, number))
    events = _with_followers(app, contract, decisions, by)
    app.save(*events)
    return events


def cancel_order(
    app: Billing, number: str, on: date, agreed: bool, costs: Decimal = ZERO, by: str = ""
) -> list[Event]:
    """The order is given up before it is served; contracts that follow it end too."""
    contract = app.contract(number)
    events = _with_followers(app, contract, end.cancel_order(contract, on, agreed, costs), by)
    if contract.deposits:
        return deposits.cancelled(app, number, events, by)
    app.save(*events)
    return events


def purchase(
    app: Billing, number: str, on: date, price: Decimal, label: str, by: str = ""
) -> list[Event]:
    """The client buys what it rents."""
    contract = app.contract(number)
    history = history_of(app, number)
    left = {
        billed.invoice: app.invoice(billed.invoice, issuer_of(contract, billed)).net_left
        for billed in history
        if billed.invoice
    }
    decisions = end.purchase(contract, on, price, label, history, left)
    events = _with_followers(app, contract, decisions, by)
    app.save(*events)
    return events


def _with_followers(
    app: Billing, contract: Contract, decisions: Iterable[ContractEvent], by: str
) -> list[Event]:
    id = contract_id(contract.number)
    told = app.stamp(decisions, id, contract.version, by)
    events: list[Event] = list(told)
    for event in told:
        contract = apply(contract, event)
    for event in told:
        if isinstance(event, ContractTerminated):
            events += _followers(app, contract, event.effective_on, by)
        elif isinstance(event, OrderCancelled):
            events += _followers(app, contract, contract.starts_on, by)
    return events


def _followers(app: Billing, parent: Contract, on: date, by: str) -> list[Event]:
    events: list[Event] = []
    for row in app.store.states("contract", parents=[contract_id(parent.number)]):
        child = app.contract_of(row)
        told = app.stamp(end.follow_parent(child, parent, on), row.id, child.version, by)
        events += told
        for event in told:
            child = apply(child, event)
        if told:
            events += _followers(app, child, on, by)
    return events


def remove_equipment(
    app: Billing, number: str, code: str, on: date, evidence: str = "", by: str = ""
) -> list[ContractEvent]:
    """An item leaves the cover."""
    history, book = history_of(app, number), app.book()
    return app.change(
        number,
        lambda c: cover.remove_equipment(c, code, on, book, history, evidence),
        by,
    )


def cancel_option(
    app: Billing, number: str, code: str, on: date, by: str = ""
) -> list[ContractEvent]:
    """An option ends."""
    history, book = history_of(app, number), app.book()
    return app.change(number, lambda c: cover.cancel_option(c, code, on, book, history), by)


def assign(
    app: Billing,
    number: str,
    side: Party,
    to: Identity,
    on: date,
    informed_on: date | None = None,
    named: str = "",
    by: str = "",
) -> list[Event]:
    """Another party takes a side; a new supplier's mandate is amended, not signed again.

    The mandate of the client before is not a new client's: it has the one that is named, or none.
    """
    contract = app.contract(number)
    if named:
        _must_be_its_own(app, contract, side, to.code, named, on)
    events: list[Event] = _party_events(app, to, f"{number}: {side}", by)
    events += app.stamp(
        change.assign(contract, side, to.code, on, informed_on, named),
        contract_id(number),
        contract.version,
        by,
    )
    if side == "supplier" and contract.mandate:
        mandate = _mandate(app, contract.mandate)
        known = app.party(to.code)
        identifier = (known.identity if known else to).creditor_identifier
        if not identifier:
            raise Refused(
                f"{number}: {to.code} has no creditor identifier, and the contract is collected "
                f"under mandate {contract.mandate}"
            )
        if (mandate.creditor, mandate.creditor_identifier) != (to.code, identifier):
            amended = MandateAmended(
                amended_on=on, creditor=to.code, creditor_identifier=identifier
            )
            events += app.stamp([amended], stream("mandate", contract.mandate), mandate.version, by)
    app.save(*events)
    return events


def _must_be_its_own(
    app: Billing, contract: Contract, side: Party, client: str, named: str, on: date
) -> None:
    """Refuses a mandate under which a new client could not be debited."""
    if side == "supplier":
        raise Refused(
            f"{contract.number}: a new supplier collects under the mandate there is, amended; name "
            "none"
        )
    mandate = _mandate(app, named)
    supplier = contract.party_on("supplier", on)
    if mandate.debtor != client or mandate.creditor_on(on)[0] != supplier:
        raise Refused(
            f"{contract.number}: mandate {named} is of {mandate.debtor}, for "
            f"{mandate.creditor_on(on)[0]}; expected one of {client}, for {supplier}"
        )
    if why := mandates.usable(mandate, on):
        raise Refused(f"{contract.number}: {why}")


# Invoices


def issue_credit_note(
    app: Billing,
    number: str,
    reason: str,
    on: date | None = None,
    lines: Sequence[int] = (),
    net: Decimal | None = None,
    supplier: str = "",
    by: str = "",
) -> CreditNoteIssued:
    """A credit note on an invoice: all of it, some of its lines (from 1), or a net amount.

    A net amount is spread over the VAT rates of the invoice, in proportion. Never more than is
    left of the invoice.
    """
    events = app.invoice_events(number, supplier)
    invoice = invoices.fold(events)
    if invoice is None:
        if isinstance(events[0], DebitNoteIssued):
            raise Refused(f"{number} is a debit note: give it up with `billing write-off`")
        raise Refused(f"{number} is a credit note, and a credit note is not credited")
    if not reason:
        raise Refused(f"{number}: say why it is credited")
    issued = invoice.issued
    day = on or app.today
    if day < issued.issued_on:
        raise Refused(f"{number}: credited on {day}, before it was issued on {issued.issued_on}")
    if invoice.net_left <= 0:
        raise Refused(f"{number}: it is wholly credited already")
    chosen = _credited_lines(issued.lines, invoices.supplied(issued), lines, net, number)
    stamp = Stamp(app.clock(), by or app.user)
    with app.store.transaction() as tx:
        tx.lock()
        series = runs.series_of(app, tx)
        note = credit_note(
            issued.supplier,
            issued.client,
            issued.contract,
            0,
            number,
            chosen,
            reason,
            issued.purchase_order,
            series,
            day,
            stamp,
        )
        note = _last_cent(note, invoice)
        row = tx.state("contract", issued.contract)
        contract = None if row is None else app.contract_of(row)
        Issuable(app).refuse(contract, note, f"{number}: no credit note")
        marks = list(runs.credit_marks(tx, [note], stamp))
        heard = deposits.credited(app, tx, note, stamp) if issued.kind == "deposit" else []
        app.write_in(tx, [note, *marks, *series.taken(stamp), *heard])
    return note


def _last_cent(note: CreditNoteIssued, invoice: invoices.Invoice) -> CreditNoteIssued:
    """The last credit note of an invoice gives back the tax that is left, to the cent.

    Each rounds its own tax: two of 100.03 at 20 % would give back 40.02 of the 40.01 invoiced.
    """
    if note.net != invoice.net_left or len(note.vat) != 1:
        return note
    tax = invoice.tax_left
    total = replace(note.vat[0], tax=tax, rounding=tax - note.tax)
    return replace(note, vat=(total,), tax=tax, gross=note.net + tax)


def _credited_lines(
    lines: Sequence[Line],
    given: tuple[Line, ...],
    chosen: Sequence[int],
    net: Decimal | None,
    number: str,
) -> tuple[Line, ...]:
    """The lines to give back: those chosen, else all `given`, the lines but deducted deposits."""
    for rank in chosen:
        if not 1 <= rank <= len(lines):
            raise Refused(f"{number}: line {rank}; it has lines 1 to {len(lines)}")
        if list(chosen).count(rank) > 1:
            raise Refused(f"{number}: line {rank} is named twice")
        if lines[rank - 1] not in given:
            raise Refused(
                f"{number}: line {rank} deducts a deposit; credit what was supplied, the deposit "
                "is part of its price"
            )
    kept = tuple(lines[rank - 1] for rank in chosen) if chosen else given
    if net is None:
        return kept
    total = sum((line.net for line in kept), ZERO)
    if not 0 < net <= total:
        raise Refused(f"{number}: {net} € to credit; expected more than 0, at most {total}")
    bases: dict[tuple[Decimal, str, str], Decimal] = {}
    for line in kept:
        key = (line.vat_rate, line.vat_category, line.vat_reason)
        bases[key] = bases.get(key, ZERO) + line.net
    return tuple(
        Line(
            kind="credit",
            code="AVOIR",
            label=f"Avoir partiel sur {number}",
            net=share,
            vat_rate=rate,
            vat_category=category,
            vat_reason=vat_reason,
        )
        for (rate, category, vat_reason), share in zip(
            bases, shared_out(net, bases.values()), strict=True
        )
        if share
    )


def receive_invoice(
    app: Billing, number: str, on: date, evidence: str = "", supplier: str = "", by: str = ""
) -> list[Event]:
    """The client received the invoice; a due day that counts from it moves."""
    invoice = app.invoice(number, supplier)
    contract = app.contract(invoice.issued.contract, invoice.issued.contract_version or None)
    payment = contract.terms_on(invoice.issued.issued_on).payment
    return _on_invoice(app, invoice, invoices.received(invoice, payment, on, evidence), by)


def withhold(
    app: Billing,
    number: str,
    percent: Decimal,
    on: date,
    reason: str,
    supplier: str = "",
    by: str = "",
) -> list[Event]:
    """A guarantee retention, told in time after the service began; in percent of the gross."""
    invoice = app.invoice(number, supplier)
    contract = app.contract(invoice.issued.contract)
    payment = contract.terms_on(invoice.issued.issued_on).payment
    served_on = contract.accepted_on or invoice.issued.issued_on
    decisions = invoices.withhold(invoice, payment, percent, on, served_on, reason)
    return _on_invoice(app, invoice, decisions, by)


def release(app: Billing, number: str, on: date, supplier: str = "", by: str = "") -> list[Event]:
    """The reserves are lifted."""
    invoice = app.invoice(number, supplier)
    return _on_invoice(app, invoice, invoices.release(invoice, on), by)


def _on_invoice(
    app: Billing, invoice: invoices.Invoice, decisions: Iterable[Event], by: str
) -> list[Event]:
    id = invoice_id(invoice.issued.supplier, invoice.issued.number)
    events: list[Event] = list(app.stamp(decisions, id, invoice.version, by))
    app.save(*events)
    return events


# Indices


def publish(
    app: Billing, observations: Sequence[Observation], reason: str = "", by: str = ""
) -> list[Event]:
    """Records values of series: new ones as published, others as corrections of the publisher."""
    app.publish_shipped()
    book = app.book()
    differences = diff(book, observations)
    if differences.refused:
        raise Refused(
            "\n".join(
                f"{remark.observation.series} {remark.observation.period}: {remark.reason}"
                for remark in differences.refused
            )
        )
    events: list[Event] = []
    for name in dict.fromkeys(o.series for o in observations):
        fresh = tuple(o for o in differences.new if o.series == name)
        changed = tuple(o for o in differences.changed if o.series == name)
        told: list[Event] = []
        if fresh:
            told.append(IndexPublished(series=name, observations=fresh))
        if changed:
            told.append(IndexCorrected(series=name, observations=changed, reason=reason))
        events += app.stamp(told, stream("series", name), _series_version(app, name), by)
    app.save(*events)
    return events


def declare_series(app: Billing, series: Series, by: str = "") -> list[Event]:
    """A house series is known by that name."""
    app.publish_shipped()
    if series.id in app.book().series():
        raise Refused(f"series {series.id} is already known")
    events: list[Event] = list(
        app.stamp([SeriesDeclared(series=series)], stream("series", series.id), 0, by)
    )
    app.save(*events)
    return events


def replace_series(app: Billing, link: Link, by: str = "") -> list[Event]:
    """A series stops and another goes on, by its published linking coefficient."""
    app.publish_shipped()
    book = app.book()
    for name in (link.old_series, link.new_series):
        if name not in book.series():
            raise Refused(f"no series {name}; known: {', '.join(sorted(book.series()))}")
    if link.coefficient <= 0:
        raise Refused(f"a linking coefficient of {link.coefficient}; expected more than zero")
    name = link.old_series
    events: list[Event] = []
    old = book.series()[name]
    if old.successor != link.new_series:
        month = date.fromisoformat(f"{link.at}-01" if len(link.at) == 7 else link.at)
        ended = old.ended or month
        events.append(SeriesDeclared(series=replace(old, successor=link.new_series, ended=ended)))
    events.append(SeriesReplaced(series=name, link=link))
    events = list(app.stamp(events, stream("series", name), _series_version(app, name), by))
    app.save(*events)
    return events


def _series_version(app: Billing, name: str) -> int:
    row = app.store.state("index", name)
    return row.version if row else 0
