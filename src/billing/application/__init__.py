"""The application: the only reader and writer of the log."""

from billing.application.core import Billing

__all__ = ["Billing"]
