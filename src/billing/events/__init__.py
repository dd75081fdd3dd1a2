"""What happened: the vocabulary. An auditor can read this folder alone."""

from billing.events import contract, einvoicing, index, invoice, party, payment, run
from billing.events.base import TOPICS, UPCASTERS, Event, stamped, upcaster

__all__ = [
    "TOPICS",
    "UPCASTERS",
    "Event",
    "contract",
    "einvoicing",
    "index",
    "invoice",
    "party",
    "payment",
    "run",
    "stamped",
    "upcaster",
]
