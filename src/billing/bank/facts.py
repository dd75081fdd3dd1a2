"""What a bank tells, as plain facts: nothing here is decided or known of this house.

Amounts are positive euros, `credit` says which way they went. Days are civil days in Paris.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Literal

from msgspec import Struct

Family = Literal["camt.053", "camt.054", "pain.002"]

PART = 1_000
"""Transactions one `Entry` holds at most: an entry with more comes in parts."""

NOT_PROVIDED = "NOTPROVIDED"
"""What stands for an end-to-end id that the payer did not give."""


class Balance(Struct, frozen=True, gc=False):
    """A balance of the account (OPBD opening, CLBD closing …), negative when overdrawn."""

    code: str
    on: date
    amount: Decimal


class Statement(Struct, frozen=True, kw_only=True, gc=False):
    """A statement (relevé, camt.053) or an advice (avis, camt.054) of one account."""

    id: str
    account: str
    currency: str
    created: str
    start: str
    end: str
    page: str
    balances: tuple[Balance, ...]
    line: int


class Batch(Struct, frozen=True, array_like=True, gc=False):
    """Several payments booked as one (remise): the message and payment information they are of."""

    message: str
    payment_information: str
    count: int | None
    total: Decimal | None


class Transaction(Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """A payment within an entry.

    `instructed` is the amount first asked for, `charges` what the bank kept or added. `reason`
    and `information` are why it came back (ISO 20022 code, the bank's words).
    `reference` is the bank's own (AcctSvcrRef).
    """

    id: str
    amount: Decimal
    credit: bool
    reference: str = ""
    end_to_end: str = ""
    instruction: str = ""
    mandate: str = ""
    creditor_identifier: str = ""
    message: str = ""
    payment_information: str = ""
    counterparty: str = ""
    counterparty_iban: str = ""
    structured: tuple[str, ...] = ()
    unstructured: tuple[str, ...] = ()
    documents: tuple[str, ...] = ()
    instructed: Decimal | None = None
    charges: Decimal = Decimal("0.00")
    returned: bool = False
    reason: str = ""
    information: str = ""
    code: str = ""

    @property
    def remittance(self) -> str:
        """All that was written with it, as one text."""
        return " ".join((*self.structured, *self.documents, *self.unstructured))


class Entry(Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """A line of the account (écriture). Only one that is BOOK has happened.

    `id` stays the same whatever file tells it. `code` is the bank transaction code
    (PMNT-IDDT-ESDD) or the bank's own. `part` counts from 0 when there are too many
    transactions for one.
    """

    id: str
    statement: int
    rank: int
    line: int
    amount: Decimal
    credit: bool
    reversal: bool
    status: str
    booked_on: date | None
    value_on: date | None
    code: str
    reference: str
    charges: Decimal
    information: str
    batches: tuple[Batch, ...] = ()
    transactions: tuple[Transaction, ...] = ()
    part: int = 0
    last: bool = True

    @property
    def on(self) -> date:
        """The day the money is available, or else the day it was booked."""
        day = self.value_on or self.booked_on
        assert day is not None
        return day


class Status(Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """What became of an order, as a status report tells it (compte rendu, pain.002).

    `level`: the whole message, a payment information, or one transaction. `details` counts the
    transactions told one by one below it.
    """

    level: Literal["group", "payment", "transaction"]
    rank: int
    line: int
    status: str
    message: str
    payment_information: str = ""
    instruction: str = ""
    end_to_end: str = ""
    mandate: str = ""
    reason: str = ""
    information: str = ""
    amount: Decimal | None = None
    charges: Decimal = Decimal("0.00")
    details: int = 0
