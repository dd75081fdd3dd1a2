"""Changes: clauses amended, sides replaced, indices substituted, charges recorded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from typing import Literal

from billing.clauses import Terms
from billing.contract.guards import (
    must_run,
    no_earlier_than_signature,
    not_negative,
    price_changes,
)
from billing.contract.state import Contract, terms_id
from billing.events.contract import (
    Charge,
    ChargeAdded,
    ContractAssigned,
    ContractEvent,
    DepositReceived,
    IndexSubstituted,
    MandateAttached,
    Party,
    TermsAmended,
)
from billing.money import to_cents
from billing.refusal import Refused
from indices import IndexBook, IndexUnavailable, Link, Reading


def amend(
    contract: Contract,
    terms: Terms,
    effective_on: date,
    how: Literal["agreement", "publication"],
    book: IndexBook,
    reason: str = "",
    prices: Mapping[str, Decimal] | None = None,
    today: date | None = None,
) -> Iterator[ContractEvent]:
    """New clauses from a day on (avenant); published conditions are never retroactive."""
    must_run(contract, effective_on)
    no_earlier_than_signature(contract, effective_on)
    if how == "publication":
        if not contract.terms.amendment.by_publication:
            raise Refused(
                f"{contract.number}: its clauses change by agreement only, not by publication"
            )
        if today is not None and effective_on < today:
            raise Refused(
                f"{contract.number}: conditions published take effect from {today} on, not "
                f"{effective_on}"
            )
    if effective_on < contract.terms_ids[-1][0]:
        raise Refused(
            f"{contract.number}: amended already from {contract.terms_ids[-1][0]}, after "
            f"{effective_on}"
        )
    if terms.renewal.kind != contract.terms.renewal.kind and contract.term is None:
        raise Refused(
            f"{contract.number}: a contract without a term needs a new signature to get one"
        )
    bases: tuple[Reading | None, ...] | None = None
    old = contract.terms.revision
    if terms.revision is not None and (old is None or old.indices != terms.revision.indices):
        readings: list[Reading | None] = []
        for weight in terms.revision.indices:
            try:
                readings.append(book.last_known(weight.series, effective_on))
            except IndexUnavailable:
                readings.append(None)
        bases = tuple(readings)
    yield TermsAmended(
        effective_on=effective_on,
        terms=terms,
        terms_id=terms_id(terms),
        how=how,
        reason=reason,
        fees=price_changes(contract, prices or {}, effective_on),
        bases=bases,
    )


def assign(
    contract: Contract,
    side: Party,
    to: str,
    on: date,
    informed_on: date | None = None,
    mandate: str = "",
) -> Iterator[ContractEvent]:
    """Another party takes a side (cession), where the contract allows it.

    A mandate is of the one who signed it: a new client has its own, or none yet.
    """
    must_run(contract, on)
    no_earlier_than_signature(contract, on)
    clause = contract.terms_on(on).assignment
    if not (clause.by_supplier if side == "supplier" else clause.by_client):
        raise Refused(f"{contract.number}: it may not be assigned by the {side} (cession)")
    if to == getattr(contract, side):
        raise Refused(f"{contract.number}: its {side} is {to} already")
    own = mandate if side == "client" and (mandate or contract.mandate) else None
    yield ContractAssigned(side=side, to=to, effective_on=on, informed_on=informed_on, mandate=own)


def attach_mandate(contract: Contract, mandate: str, on: date) -> Iterator[ContractEvent]:
    """Collect the contract's invoices under that mandate; "" for none any more."""
    if contract.mandate == mandate:
        raise Refused(f"{contract.number}: its mandate is {mandate or 'none'} already")
    yield MandateAttached(mandate=mandate, effective_on=on)


def deposit(
    contract: Contract, amount: Decimal, on: date, reference: str = ""
) -> Iterator[ContractEvent]:
    """A deposit validates the order (acompte), in euros, tax included."""
    must_run(contract, on)
    no_earlier_than_signature(contract, on)
    if amount <= 0:
        raise Refused(f"{contract.number}: a deposit of {amount}; expected more than zero")
    yield DepositReceived(amount=to_cents(amount), received_on=on, reference=reference)


def substitute_index(
    contract: Contract,
    series: str,
    by_series: str,
    on: date,
    by: str,
    evidence: str,
    book: IndexBook,
    base: Reading | None = None,
    coefficient: Decimal | None = None,
) -> Iterator[ContractEvent]:
    """Replace an index that is gone or never was (C. civ. 1167): who decided, when, on what.

    The base is given, or the new series' last known value at signature; a coefficient instead
    keeps the old base and links the new values to it.
    """
    no_earlier_than_signature(contract, on)
    terms = contract.terms_on(on)
    used = {weight.series for weight in terms.revision.indices} if terms.revision else set()
    if terms.late_interest.series:
        used.add(terms.late_interest.series)
    if series not in used:
        raise Refused(
            f"{contract.number}: {series} is in none of its clauses; they use: "
            f"{', '.join(sorted(used)) or 'no index'}"
        )
    if by_series not in book.series() and by_series not in book.families():
        raise Refused(f"{contract.number}: {by_series} is not a known series")
    if not by or not evidence:
        raise Refused(
            f"{contract.number}: a substitution is a decision: say who took it, and on what"
        )
    link = None
    in_formula = terms.revision and any(w.series == series for w in terms.revision.indices)
    if coefficient is not None:
        if coefficient <= 0:
            raise Refused(f"{contract.number}: a linking coefficient of {coefficient}")
        link = Link(
            old_series=series,
            new_series=by_series,
            at=f"{on:%Y-%m}",
            coefficient=coefficient,
            source=evidence,
            published_on=on,
        )
    elif base is None and in_formula and terms.revision is not None:
        read_on = (
            contract.signed_on if terms.revision.base_read_on == "signature" else contract.starts_on
        )
        try:
            base = book.last_known(by_series, read_on)
        except IndexUnavailable as unavailable:
            raise Refused(
                f"{contract.number}: no base value for {by_series} ({unavailable}); give one"
            ) from None
    yield IndexSubstituted(
        series=series,
        by_series=by_series,
        decided_on=on,
        decided_by=by,
        evidence=evidence,
        base=base,
        link=link,
    )


def add_charge(
    contract: Contract,
    kind: Literal["bank_fee", "work"],
    label: str,
    amount: Decimal,
    on: date,
    because: str,
) -> Iterator[ContractEvent]:
    """A cost the contract lets the supplier bill on: a bank's fee for a rejection, a trip."""
    no_earlier_than_signature(contract, on)
    not_negative(contract, label, amount)
    terms = contract.terms_on(on)
    vat = "standard"
    if kind == "bank_fee":
        if terms.payment.return_fees != "client":
            raise Refused(
                f"{contract.number}: bank fees are borne by the supplier (payment clause)"
            )
        vat = next((v.code for v in terms.vat if v.category == "O"), "standard")
    yield ChargeAdded(
        because=because,
        charges=(
            Charge(
                kind=kind,
                code=kind.upper(),
                label=label,
                due_on=on,
                net=to_cents(amount),
                unit_price=amount,
                vat=vat,
            ),
        ),
    )
