"""Signature: a form filled in becomes a contract (signature)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from msgspec import Struct

from billing.clauses import Terms
from billing.clauses.fees import Item
from billing.clauses.renewal import first_term, next_term
from billing.contract.cover import one_off_charges
from billing.contract.guards import must_be_in_warranty
from billing.contract.state import Contract, terms_id
from billing.dates import NEVER, Period, months_between
from billing.events.contract import Charge, ContractSigned
from billing.refusal import Refused
from indices import IndexBook, IndexUnavailable, Reading


class Signing(Struct, frozen=True, kw_only=True):
    """What the parties sign: the form, who, when, what, at which price.

    `supplier` and `client` are the codes of parties; `bases` are the Io written in the contract.
    """

    number: str
    form: str
    form_digest: str
    supplier: str
    client: str
    signed_on: date
    starts_on: date
    terms: Terms
    items: tuple[Item, ...]
    bases: Mapping[str, Reading] = {}
    category: str = "professional"
    variant: str = ""
    mandate: str = ""
    parent: str = ""
    purchase_order: str = ""
    site: str = ""
    deposit: Decimal = Decimal(0)


def sign(signing: Signing, book: IndexBook, parent: Contract | None = None) -> ContractSigned:
    """The signature as an event: terms resolved, first term, base readings, one-off charges."""
    terms, number = signing.terms, signing.number
    if not signing.items:
        raise Refused(f"{number}: no item; a contract needs at least one")
    term = first_term(terms.renewal, signing.starts_on)
    if terms.renewal.kind == "linked":
        term = _parents_term(signing, parent)
    for item in signing.items:
        must_be_in_warranty(number, terms.cover, item, item.since or signing.starts_on)
    charges: list[Charge] = []
    for item in signing.items:
        if not item.per_months and item.until is not None and signing.signed_on > item.until:
            continue  # An offer that had ended ("remise jusqu'au 30/12/2016").
        due_on = max(item.since or signing.starts_on, signing.starts_on)
        charges += one_off_charges(item, due_on, terms.cover.one_off_apart)
    return ContractSigned(
        number=number,
        form=signing.form,
        form_digest=signing.form_digest,
        variant=signing.variant,
        supplier=signing.supplier,
        client=signing.client,
        signed_on=signing.signed_on,
        starts_on=signing.starts_on,
        term=term,
        terms=terms,
        terms_id=terms_id(terms),
        items=signing.items,
        bases=base_readings(signing, book),
        category=signing.category,
        mandate=signing.mandate,
        parent=signing.parent,
        purchase_order=signing.purchase_order,
        site=signing.site,
        deposit=signing.deposit,
        charges=tuple(charges),
    )


def base_readings(signing: Signing, book: IndexBook) -> tuple[Reading | None, ...]:
    """So for each index: as written in the contract, else the last known on the day; or none."""
    revision = signing.terms.revision
    if revision is None:
        return ()
    on = signing.signed_on if revision.base_read_on == "signature" else signing.starts_on
    readings: list[Reading | None] = []
    for weight in revision.indices:
        written = signing.bases.get(weight.series) or signing.bases.get(weight.name)
        if written is not None:
            readings.append(written)
            continue
        try:
            readings.append(book.last_known(weight.series, on))
        except IndexUnavailable:
            readings.append(None)
    return tuple(readings)


def _parents_term(signing: Signing, parent: Contract | None) -> Period | None:
    if parent is None:
        raise Refused(
            f"{signing.number}: its duration follows another contract; name it as `parent`, and "
            "sign that one first"
        )
    if signing.starts_on < parent.starts_on:
        raise Refused(
            f"{signing.number}: starts on {signing.starts_on}, before {parent.number} on "
            f"{parent.starts_on}"
        )
    end = parent.ends_on or NEVER
    if signing.starts_on >= end:
        raise Refused(f"{signing.number}: {parent.number} ended on {end}")
    term, months = parent.term, parent.term_months
    while term is not None and term.end <= signing.starts_on:  # It will be renewed by then.
        clause = parent.terms_on(term.end).renewal
        term = next_term(clause, parent.starts_on, term, months)
        months += months_between(term.start, term.end)
    return Period(signing.starts_on, min(end, term.end)) if term else None
