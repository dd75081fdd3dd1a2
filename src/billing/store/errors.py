"""What the store refuses, each as a sentence that says what to do."""

from eventsourcing.persistence import IntegrityError, OperationalError, PersistenceError


class StoreError(PersistenceError):
    """The store could not do what was asked."""


class StoreBusy(StoreError, OperationalError):
    """Another process holds the store for longer than we may wait."""


class StoreOutdated(StoreError):
    """The store was made by another version of this program."""


class Conflict(StoreError, IntegrityError):
    """Another writer was first; nothing of this transaction was written."""
