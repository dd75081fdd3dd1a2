"""What several decisions ask."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from billing.clauses.cover import Cover
from billing.clauses.fees import Item
from billing.contract.state import Contract, Covered
from billing.dates import Period
from billing.events.contract import FeeChange, InstalmentBilled
from billing.refusal import Refused


def must_run(contract: Contract, on: date) -> None:
    """Refuses what comes after the end of the contract."""
    if contract.cancelled_on is not None:
        raise Refused(f"{contract.number}: the order was cancelled on {contract.cancelled_on}")
    if contract.terminated_on is not None and on >= contract.terminated_on:
        raise Refused(f"{contract.number}: it was terminated on {contract.terminated_on}")
    end = contract.ends_on
    if end is not None and on >= end:
        raise Refused(f"{contract.number}: it ended on {end}, and {on} is not before that day")


def no_earlier_than_signature(contract: Contract, on: date) -> None:
    """Refuses what is dated before the signature."""
    if on < contract.signed_on:
        raise Refused(f"{contract.number}: {on} is before its signature on {contract.signed_on}")


def in_cover(contract: Contract, code: str) -> Covered:
    """The item of that code that is still covered."""
    found = contract.covered(code)
    if found is None or found.until is not None:
        known = ", ".join(c.item.code for c in contract.items if c.until is None) or "none"
        raise Refused(f"{contract.number}: no item {code} in its cover; it covers: {known}")
    return found


def must_be_in_warranty(number: str, cover: Cover, item: Item, since: date) -> None:
    """Refuses an item the contract covers only under its manufacturer's warranty."""
    until = item.warranty_until
    if item.kind in cover.warranty_kinds and (until is None or until < since):
        raise Refused(
            f"{number}: {item.code} must be under manufacturer's warranty on {since}; its warranty "
            f"ends: {until or 'not given'}"
        )


def not_negative(contract: Contract, what: str, amount: Decimal) -> None:
    """Refuses a negative amount of anything."""
    if amount < 0:
        raise Refused(f"{contract.number}: {what} is {amount}; expected zero or more")


def issuer_of(contract: Contract, billed: InstalmentBilled) -> str:
    """Who issued that invoice: a credit note on it is theirs, whoever has the contract since."""
    return contract.party_on("supplier", billed.billed_on)


def supplied_on(contract: Contract, period: Period) -> date:
    """The day that gave a period's fees their VAT rate: its first, or in arrears its last."""
    in_advance = contract.terms_on(period.start).schedule.in_advance
    return period.start if in_advance else period.last_day


def free_code(contract: Contract, item: Item) -> str:
    """The item's code, numbered when another item already bears it (VOL, VOL-2, VOL-3)."""
    taken = {covered.item.code for covered in contract.items}
    code, number = item.code, 1
    while code in taken:
        number += 1
        code = f"{item.code}-{number}"
    return code


def price_changes(
    contract: Contract, prices: Mapping[str, Decimal], on: date
) -> tuple[FeeChange, ...]:
    """The new unit prices of items in cover, in euros before tax."""
    changes = []
    for code, after in prices.items():
        covered = in_cover(contract, code)
        if covered.item.kind != "one_off":
            not_negative(contract, f"the price of {code}", after)
        changes.append(FeeChange(code, covered.price_on(on).unit_price, after))
    return tuple(changes)
