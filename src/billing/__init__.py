"""The write side: what may happen to a contract, and the record of it."""

__version__ = "0.1.0"
