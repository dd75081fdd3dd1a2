"""Cover: equipment, options, usage and work come and go (périmètre, consommations)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from typing import Literal

from msgspec.structs import replace

from billing.clauses.fees import Item, gross_fee
from billing.clauses.proration import whole_months_around
from billing.clauses.schedule import billing_period
from billing.clauses.usage import usage_fee
from billing.contract.bill import CannotBill, fee_line
from billing.contract.guards import (
    free_code,
    in_cover,
    issuer_of,
    must_be_in_warranty,
    must_run,
    no_earlier_than_signature,
    not_negative,
    supplied_on,
)
from billing.contract.state import Contract, Covered
from billing.dates import DAY, NEVER, Period, month_of
from billing.events.contract import (
    BreachCured,
    Charge,
    ChargeAdded,
    ContractEvent,
    EquipmentAdded,
    EquipmentChecked,
    EquipmentRemoved,
    FaultyItemReturned,
    InstallationAccepted,
    InstalmentBilled,
    OptionCancelled,
    OptionSubscribed,
    ReplacementShipped,
    ServiceSuspended,
    SupplementaryWorkDone,
    UsageMeasured,
)
from billing.money import to_cents
from billing.refusal import Refused
from indices import IndexBook


def one_off_charges(item: Item, due_on: date, apart: bool) -> tuple[Charge, ...]:
    """What an item costs once: its price when it is sold once, and its entry fee."""
    charges = []
    if not item.per_months:
        charges.append(
            Charge(
                kind="one_off",
                code=item.code,
                label=item.label,
                due_on=due_on,
                net=to_cents(gross_fee(item.quantity, item.unit_price, item.discount)),
                quantity=item.quantity,
                unit_price=item.unit_price,
                discount=item.discount,
                vat=item.vat,
                apart=apart,
            )
        )
    if item.entry_fee:
        charges.append(
            Charge(
                kind="entry_fee",
                code=item.code,
                label=f"{item.label} – droit d'entrée",
                due_on=due_on,
                net=to_cents(item.quantity * item.entry_fee),
                quantity=item.quantity,
                unit_price=item.entry_fee,
                vat=item.vat,
                apart=apart,
            )
        )
    return tuple(charges)


def add_equipment(
    contract: Contract,
    item: Item,
    since: date,
    declared: Literal["in_time", "late", "undeclared"] = "in_time",
    evidence: str = "",
) -> Iterator[ContractEvent]:
    """An item enters the cover; days of periods already billed are caught up."""
    must_run(contract, since)
    no_earlier_than_signature(contract, since)
    since = max(since, contract.starts_on)
    cover = contract.terms_on(since).cover
    if declared == "undeclared" and not cover.undeclared_from_use:
        raise Refused(
            f"{contract.number}: its cover clause does not bill undeclared equipment from its use"
        )
    must_be_in_warranty(contract.number, cover, item, since)
    item = replace(item, code=free_code(contract, item))
    yield EquipmentAdded(
        item=item,
        since=since,
        declared=declared,
        evidence=evidence,
        charges=one_off_charges(item, since, cover.one_off_apart),
    )


def subscribe(contract: Contract, item: Item, since: date) -> Iterator[ContractEvent]:
    """An option, an access or some volume is opened; by whole months where the clause says so."""
    must_run(contract, since)
    no_earlier_than_signature(contract, since)
    since = max(since, contract.starts_on)
    cover = contract.terms_on(since).cover
    item = replace(item, code=free_code(contract, item))
    yield OptionSubscribed(
        item=item, since=since, charges=one_off_charges(item, since, cover.one_off_apart)
    )


def remove_equipment(
    contract: Contract,
    code: str,
    on: date,
    book: IndexBook,
    history: Sequence[InstalmentBilled],
    evidence: str = "",
) -> Iterator[ContractEvent]:
    """An item leaves; what was billed ahead comes back only if the contract says so."""
    must_run(contract, on)
    covered = _leaving(contract, code, on)
    until, charges = _fee_end(contract, covered, on, book, history)
    yield EquipmentRemoved(
        code=code, removed_on=on, fee_until=until, evidence=evidence, charges=charges
    )


def cancel_option(
    contract: Contract,
    code: str,
    on: date,
    book: IndexBook,
    history: Sequence[InstalmentBilled],
) -> Iterator[ContractEvent]:
    """An option ends; a month begun stays due where options go by whole months."""
    must_run(contract, on)
    covered = _leaving(contract, code, on)
    until, charges = _fee_end(contract, covered, on, book, history)
    yield OptionCancelled(code=code, cancelled_on=on, fee_until=until, charges=charges)


def _leaving(contract: Contract, code: str, on: date) -> Covered:
    covered = in_cover(contract, code)
    if on < covered.since:
        raise Refused(f"{contract.number}: {code} entered on {covered.since}, after {on}")
    return covered


def _fee_end(
    contract: Contract,
    covered: Covered,
    on: date,
    book: IndexBook,
    history: Sequence[InstalmentBilled],
) -> tuple[date, tuple[Charge, ...]]:
    """The day the item's fee ends, and what comes back of the days already billed after it."""
    terms = contract.terms_on(on)
    until = on
    if covered.item.kind in terms.cover.whole_month_kinds and on > covered.since:
        anchor = billing_period(
            terms.schedule, contract.anchor_on, contract.whole_term, on - DAY
        ).period.start
        until = whole_months_around(Period(on - DAY, on), anchor).end
    billed = contract.billed_until
    if covered.owed_from is not None or until >= billed:
        return until, ()
    if not terms.cover.removal_credit:
        return billed, ()
    charges = []
    for event in history:
        if event.period is None or not event.invoice or event.period.end <= until:
            continue
        start = max(event.period.start, until)
        whole = billing_period(
            terms.schedule, contract.anchor_on, contract.whole_term, event.period.start
        )
        days = Period(start, event.period.end)
        try:
            line = fee_line(covered, days, whole, terms, "refund", days.start, book)
        except CannotBill as cannot:
            raise Refused(f"{contract.number}: {cannot.reason}") from None
        charges.append(
            Charge(
                kind="refund",
                code=covered.item.code,
                label=f"{covered.item.label} – retrait",
                due_on=on,
                net=-line.net,
                period=days,
                vat=covered.item.vat,
                supplied_on=supplied_on(contract, event.period),
                credits=event.invoice,
                issuer=issuer_of(contract, event),
            )
        )
    return until, tuple(charges)


def check_equipment(
    contract: Contract,
    code: str,
    on: date,
    working: bool,
    repair_quote: str = "",
    repair_price: Decimal | None = None,
    accepted_on: date | None = None,
) -> Iterator[ContractEvent]:
    """Verify an item that had no cover (reprise); an accepted repair quote is billed."""
    must_run(contract, on)
    no_earlier_than_signature(contract, on)
    charges: tuple[Charge, ...] = ()
    if accepted_on is not None:
        if repair_price is None or not repair_quote:
            raise Refused(f"{contract.number}: an accepted repair needs its quote and its price")
        not_negative(contract, "the repair", repair_price)
        charges = (
            Charge(
                kind="work",
                code=code,
                label=f"Remise en état {code} – devis {repair_quote}",
                due_on=max(on, accepted_on),
                net=to_cents(repair_price),
                unit_price=repair_price,
            ),
        )
    yield EquipmentChecked(
        code=code,
        checked_on=on,
        working=working,
        repair_quote=repair_quote,
        repair_accepted_on=accepted_on,
        charges=charges,
    )


def ship_replacement(
    contract: Contract, code: str, on: date, reference: str = ""
) -> Iterator[ContractEvent]:
    """Ship a replacement; the faulty item is billed if it is not back in time (RMA)."""
    must_run(contract, on)
    covered = in_cover(contract, code)
    days = contract.terms_on(on).cover.return_days
    if days is None:
        raise Refused(f"{contract.number}: its cover clause has no exchange of equipment")
    if covered.item.list_price is None:
        raise Refused(f"{contract.number}: {code} has no list price to bill if it is not returned")
    yield ReplacementShipped(
        code=code,
        shipped_on=on,
        return_by=on + timedelta(days=days),
        list_price=covered.item.list_price,
        reference=reference,
    )


def return_faulty(
    contract: Contract, code: str, on: date, reference: str = ""
) -> Iterator[ContractEvent]:
    """The faulty item is back."""
    if not any(exchange.code == code for exchange in contract.exchanges):
        raise Refused(f"{contract.number}: no replacement of {code} is waiting for its return")
    yield FaultyItemReturned(code=code, returned_on=on, reference=reference)


def measure(
    contract: Contract, code: str, month: date, used: Decimal, included: Decimal | None = None
) -> Iterator[ContractEvent]:
    """Record what a meter counted in the month of that day; billed from the first of the next."""
    terms = contract.terms_on(month)
    meter = terms.meter(code)
    if meter is None:
        known = ", ".join(m.code for m in terms.meters) or "none"
        raise Refused(f"{contract.number}: no meter {code}; it has: {known}")
    period = month_of(month)
    if period.end <= contract.signed_on:
        raise Refused(
            f"{contract.number}: {period} is before its signature on {contract.signed_on}"
        )
    if contract.cancelled_on is not None or period.start >= (contract.ends_on or NEVER):
        raise Refused(f"{contract.number}: {period} is after its end on {contract.ends_on}")
    if (code, period.start) in contract.measured:
        raise Refused(f"{contract.number}: {code} was already measured for {period.start:%Y-%m}")
    not_negative(contract, f"the usage of {code}", used)
    allowance = meter.included if included is None else included
    excess = usage_fee(meter, used, allowance)
    charges: tuple[Charge, ...] = ()
    if excess.net:
        charges = (
            Charge(
                kind="usage",
                code=code,
                label=meter.label,
                due_on=period.end,
                net=excess.net,
                quantity=excess.billed,
                unit_price=meter.unit_price,
                period=period,
                vat=meter.vat,
                supplied_on=period.last_day,
                note=f"{used} − {allowance} {meter.unit} → {excess.billed}, "
                f"{meter.unit_price} € pour {meter.units_per_price} {meter.unit}",
            ),
        )
    yield UsageMeasured(
        meter=code,
        period=period,
        used=used,
        included=allowance,
        billed=excess.billed,
        charges=charges,
    )


def do_work(
    contract: Contract,
    code: str,
    on: date,
    quantity: Decimal = Decimal(1),
    label: str = "",
    unit_price: Decimal | None = None,
    quote: str = "",
    accepted_on: date | None = None,
    at_fault: bool = False,
) -> Iterator[ContractEvent]:
    """Supplementary work: at the rate card of that day, or by a quote the client accepted.

    `at_fault`: the client missed the appointment or its premises were unsafe; work its options
    include is then billed all the same.
    """
    must_run(contract, on)
    no_earlier_than_signature(contract, on)
    not_negative(contract, f"the quantity of {code}", quantity)
    rate = contract.terms_on(on).rate(code)
    free = False
    vat = "standard"
    if quote:
        if accepted_on is None or accepted_on > on:
            raise Refused(
                f"{contract.number}: quote {quote} was not accepted before the work of {on}"
            )
        if unit_price is None or not label:
            raise Refused(f"{contract.number}: quote {quote} needs a label and a unit price")
    elif rate is None:
        known = ", ".join(r.code for r in contract.terms_on(on).rates) or "none"
        raise Refused(
            f"{contract.number}: {code} is not on its rate card ({known}); work outside the "
            "contract needs an accepted quote"
        )
    else:
        unit_price, label, vat = rate.unit_price, label or rate.label, rate.vat
        free = contract.free_used.count(code) < rate.first_free
        if rate.included_with and not at_fault:
            option = contract.covered(rate.included_with)
            free = free or (option is not None and (option.until or NEVER) > on >= option.since)
    not_negative(contract, f"the price of {code}", unit_price)
    net = Decimal("0.00") if free else to_cents(quantity * unit_price)
    yield SupplementaryWorkDone(
        code=code,
        done_on=on,
        quote=quote,
        quote_accepted_on=accepted_on,
        free=free,
        charges=()
        if free
        else (
            Charge(
                kind="work",
                code=code,
                label=label + (f" – devis {quote}" if quote else ""),
                due_on=on,
                net=net,
                quantity=quantity,
                unit_price=unit_price,
                vat=vat,
            ),
        ),
    )


def accept_installation(
    contract: Contract, on: date, blocking_defects: str = "", reserves: str = ""
) -> Iterator[ContractEvent]:
    """The acceptance is signed (PV de réception): the installation and the fees are billed."""
    must_run(contract, on)
    no_earlier_than_signature(contract, on)
    if contract.accepted_on is not None:
        raise Refused(f"{contract.number}: it was already accepted on {contract.accepted_on}")
    charges: tuple[Charge, ...] = ()
    if not blocking_defects:
        charges = tuple(replace(charge, due_on=on) for charge in contract.awaiting)
    yield InstallationAccepted(
        accepted_on=on, blocking_defects=blocking_defects, reserves=reserves, charges=charges
    )


def due(contract: Contract, on: date) -> Iterator[ContractEvent]:
    """What a day brings to the cover by itself: warranties, exchanges and overruns run out."""
    terms = contract.terms_on(on)
    if terms.cover.warranty_kinds:
        for covered in contract.items:
            until = covered.item.warranty_until
            if (
                covered.until is None
                and until is not None
                and until < on
                and covered.item.kind in terms.cover.warranty_kinds
            ):
                yield EquipmentRemoved(
                    code=covered.item.code,
                    removed_on=until + DAY,
                    fee_until=max(contract.billed_until, until + DAY)
                    if terms.schedule.in_advance
                    else until + DAY,
                    because="out_of_warranty",
                    evidence=f"warranty ended on {until}",
                )
    for exchange in contract.exchanges:
        if exchange.return_by < on:
            yield ChargeAdded(
                because=f"not returned by {exchange.return_by}",
                charges=(
                    Charge(
                        kind="exchange",
                        code=exchange.code,
                        label=f"Matériel non retourné {exchange.code}",
                        due_on=exchange.return_by + DAY,
                        net=to_cents(exchange.list_price),
                        unit_price=exchange.list_price,
                    ),
                ),
            )
    overrun = terms.overrun
    if overrun is not None and not contract.blocked and on < (contract.ends_on or NEVER):
        for clock in contract.clocks:
            if clock.clock == "overrun" and clock.allowed_from and clock.allowed_from <= on:
                if overrun.then == "block":
                    yield ServiceSuspended(
                        suspended_on=clock.allowed_from, clock="overrun", measure="block"
                    )
                else:
                    yield from _next_step(contract, clock.allowed_from)


def _next_step(contract: Contract, on: date) -> Iterator[ContractEvent]:
    overrun = contract.terms_on(on).overrun
    assert overrun is not None
    item = Item(
        code="VOLUME",
        label="Volume supplémentaire",
        kind="volume",
        quantity=overrun.step,
        unit_price=overrun.step_price,
    )
    yield from subscribe(contract, item, on)
    yield BreachCured(clock="overrun", cured_on=on)
