"""Every projection there is."""

from __future__ import annotations

from typing import Final

from projections.calendar import Calendar
from projections.contracts import Contracts
from projections.direct_debits import DirectDebits
from projections.history import History
from projections.invoices import Invoices
from projections.ledger import Ledger
from projections.parties import Parties
from projections.prices import Prices
from projections.receivables import Receivables
from projections.recurring import Recurring
from projections.revenue import Revenue
from projections.runs import Runs
from projections.view import View

VIEWS: Final[tuple[View, ...]] = (
    Calendar(),
    Contracts(),
    DirectDebits(),
    History(),
    Invoices(),
    Ledger(),
    Parties(),
    Prices(),
    Receivables(),
    Recurring(),
    Revenue(),
    Runs(),
)
