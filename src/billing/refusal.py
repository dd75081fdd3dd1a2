"""Refusals: what the contract, the law or the record does not allow, said in one sentence."""


class Refused(Exception):
    """The contract does not allow it. The sentence names the contract, the clause, the values."""
