"""What happens to a billing run, and the forms contracts are signed from."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import ClassVar

from billing.clauses.vat import VatTotal
from billing.events.base import Event


class BillingRunOpened(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A run begins (facturation du mois): all it takes to do it again.

    It bills what is due before `until`; nothing is dated before `earliest`. `log_position` is
    the last event it saw, indices included; `at` is its clock. `stopped` are the mandates the
    banks debit no more, each with its sentence.
    """

    TOPIC: ClassVar[str] = "run.opened"

    run: str
    earliest: date
    until: date
    log_position: int
    engine: str
    stopped: tuple[tuple[str, str], ...] = ()


class BillingRunClosed(Event, frozen=True, kw_only=True, omit_defaults=True):
    """The run is whole: how much it billed, and the digest of what it recorded.

    Amounts in euros. `digest` is the SHA-256 of the run's invoices, in the order of the log.
    """

    TOPIC: ClassVar[str] = "run.closed"

    invoices: int
    credit_notes: int
    net: Decimal
    tax: Decimal
    gross: Decimal
    vat: tuple[VatTotal, ...]
    set_aside: int
    renewed: int
    revised: int
    digest: str


class FormRecorded(Event, frozen=True, kw_only=True, omit_defaults=True):
    """A contract form as it was when first signed from: its text, with the words of the clauses."""

    TOPIC: ClassVar[str] = "form.recorded"

    form: str
    digest: str
    text: str
