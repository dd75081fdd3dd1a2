"""Collections that a bank would take, and small changes to them."""

from datetime import UTC, date, datetime
from decimal import Decimal

from msgspec.structs import replace

from billing.documents.pain008 import Batch, Direct, Message

D = Decimal

CREDITOR = "FR7630006000011234567890189"
OTHER_BANK = "FR1420041010050500013M02606"
BNP = "FR7630004000031234567890143"
BNP_TOO = "FR7630004000039876543210127"
TUESDAY = date(2026, 12, 1)


def direct(end_to_end="2026-0001", amount="120.00", **changes):
    """A collection of 120.00 € under a mandate of March 2024."""
    one = Direct(
        end_to_end, D(amount), "RUM-0001", date(2024, 3, 15), "Atelier Dupont", BNP, "BNPAFRPP"
    )
    return replace(one, **changes)


def batch(*collections, **changes):
    """A batch for Tuesday 1 December 2026."""
    one = Batch(
        "PREL-2026-12-1",
        "Integral Micro",
        CREDITOR,
        "AGRIFRPP",
        "FR72ZZZ123456",
        "CORE",
        "RCUR",
        TUESDAY,
        collections or (direct(),),
    )
    return replace(one, **changes)


def message(*batches, **changes):
    """A file of 20 November 2026, 9:30 in Paris."""
    at = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
    return replace(Message("PREL-2026-12", at, "Integral Micro", batches or (batch(),)), **changes)
