"""A contract on one page: parties, items, clauses, what happened, what comes (fiche contrat)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from msgspec import Struct

from billing.application import chase
from billing.application.actions import recorded_form
from billing.application.core import Billing
from billing.application.outlook import Coming, Outlook, Standing, next_dates, standing, waiting
from billing.application.words import happened_on, told
from billing.arrears import Gate
from billing.clauses import Terms
from billing.contract.state import Advance, Aside, Contract, Substitute
from billing.dates import Period
from billing.events.contract import ContractEvent, ContractSigned
from billing.events.party import Identity
from billing.forms import BadFile, Form
from billing.mandate import Mandate
from billing.refusal import Refused


class ItemSeen(Struct, frozen=True):
    """An item of the cover: its price in force, since when, and the days it is covered."""

    code: str
    label: str
    quantity: Decimal
    unit_price: Decimal
    priced_since: date
    per_months: int
    since: date
    until: date | None
    kind: str
    discount: Decimal
    warranty_until: date | None
    serial: str


class ClauseSeen(Struct, frozen=True):
    """A clause: its parameters, the contract's words for it, their source, the reading chosen."""

    name: str
    terms: Any
    words: str = ""
    source: str = ""
    reading: str = ""


class Happened(Struct, frozen=True):
    """One event of the contract, in a line."""

    version: int
    on: date
    event: str
    told: str
    recorded_at: datetime
    recorded_by: str


class Seen(Struct, frozen=True, kw_only=True):
    """The page. `waiting` is what could be billed today were the contract not set aside."""

    number: str
    version: int
    as_of: date
    form: str
    variant: str
    standing: Standing
    supplier: Identity
    client: Identity
    mandate: Mandate | None
    parent: str
    purchase_order: str
    signed_on: date
    starts_on: date
    term: Period | None
    ends_on: date | None
    renewals: int
    billed_until: date
    deposits: tuple[Advance, ...] = ()
    gate: Gate | None = None
    items: tuple[ItemSeen, ...]
    clauses: tuple[ClauseSeen, ...]
    substitutes: tuple[Substitute, ...]
    set_aside: Aside | None
    waiting: Outlook | None
    coming: tuple[Coming, ...]
    timeline: tuple[Happened, ...]


def seen(app: Billing, number: str, version: int | None = None, words: bool = False) -> Seen:
    """The contract now, or as it was at a version; `words` adds those of its clauses."""
    history = app.history(number)
    if version is not None and version > len(history):
        raise Refused(f"{number} has {len(history)} versions, not {version}")
    contract = app.contract(number, version)
    history = history[: contract.version]
    signed = history[0]
    assert isinstance(signed, ContractSigned)
    form = _form(app, contract)
    variant = signed.variant
    # A past version is looked at from the day it was recorded.
    now = version is None
    today = app.today if now else history[-1].recorded_at.date()
    held = contract.aside is not None and contract.aside.held
    return Seen(
        number=number,
        version=contract.version,
        as_of=today,
        form=contract.form,
        variant=variant,
        standing=standing(contract, today),
        supplier=_party(app, contract.supplier),
        client=_party(app, contract.client),
        mandate=app.mandate(contract.mandate) if contract.mandate else None,
        parent=contract.parent,
        purchase_order=contract.purchase_order,
        signed_on=contract.signed_on,
        starts_on=contract.starts_on,
        term=contract.term,
        ends_on=contract.ends_on,
        renewals=contract.renewals,
        billed_until=contract.billed_until,
        deposits=contract.deposits,
        gate=_gate(app, contract, today) if now else None,
        items=tuple(_items(contract, today)),
        clauses=tuple(_clauses(contract.terms_on(today), form if words else None, variant)),
        substitutes=contract.substitutes,
        set_aside=contract.aside,
        waiting=waiting(app, contract) if held and now else None,
        coming=tuple(next_dates(app, contract)) if now else (),
        timeline=tuple(_happened(event) for event in history),
    )


def _gate(app: Billing, contract: Contract, today: date) -> Gate | None:
    """Whether its service is open, for a contract that is served only while paid."""
    if not contract.terms_on(today).payment.service_while_paid:
        return None
    return chase.gate(app, contract, today)


def _form(app: Billing, contract: Contract) -> Form | None:
    try:
        return recorded_form(app, contract.form_digest)
    except BadFile:
        return None


def _party(app: Billing, code: str) -> Identity:
    known = app.party(code)
    return known.identity if known else Identity(code=code, name=code)


def _items(contract: Contract, today: date) -> Iterator[ItemSeen]:
    for covered in contract.items:
        item, price = covered.item, covered.price_on(today)
        yield ItemSeen(
            item.code, item.label, item.quantity, price.unit_price, price.effective_on,
            item.per_months, covered.since, covered.until, item.kind, item.discount,
            item.warranty_until, item.serial,
        )  # fmt: skip


def _clauses(terms: Terms, form: Form | None, variant: str) -> Iterator[ClauseSeen]:
    names = form.clauses(variant) if form else ()
    for name in dict.fromkeys((*Terms.__struct_fields__, *names)):
        clause = getattr(terms, name, None)
        if form is None or name not in names:
            if clause:
                yield ClauseSeen(name, clause)
            continue
        words = form.words(name, variant)
        yield ClauseSeen(name, clause, words.words, words.source, words.reading)


def _happened(event: ContractEvent) -> Happened:
    return Happened(
        event.originator_version, happened_on(event), event.TOPIC, told(event), event.recorded_at,
        event.recorded_by,
    )  # fmt: skip
