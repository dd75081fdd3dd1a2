"""Where events and current states are kept: SQLite or PostgreSQL."""

from billing.store.errors import Conflict, StoreBusy, StoreError, StoreOutdated
from billing.store.recorders import Factory
from billing.store.schema import StateRow, Stream
from billing.store.store import Encoded, Store, Tx

__all__ = [
    "Conflict",
    "Encoded",
    "Factory",
    "StateRow",
    "Store",
    "StoreBusy",
    "StoreError",
    "StoreOutdated",
    "Stream",
    "Tx",
]
