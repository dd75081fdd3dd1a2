"""Mandates: who may be debited, on which account, for which creditor (mandat SEPA)."""

from __future__ import annotations

from datetime import date

from msgspec import Struct
from msgspec.structs import replace

from billing.events.base import Event
from billing.events.party import MandateAmended, MandateRevoked, MandateSigned
from billing.refusal import Refused


class Mandate(Struct, frozen=True, array_like=True):
    """A mandate as last amended."""

    reference: str
    version: int
    creditor: str
    creditor_identifier: str
    debtor: str
    iban: str
    bic: str
    scheme: str
    recurrent: bool
    signed_on: date
    revoked_on: date | None = None


def apply(mandate: Mandate | None, event: Event) -> Mandate:
    """The mandate after one more event."""
    if isinstance(event, MandateSigned):
        return Mandate(
            event.reference,
            event.originator_version,
            event.creditor,
            event.creditor_identifier,
            event.debtor,
            event.iban,
            event.bic,
            event.scheme,
            event.recurrent,
            event.signed_on,
        )
    assert mandate is not None
    if isinstance(event, MandateRevoked):
        return replace(mandate, version=event.originator_version, revoked_on=event.revoked_on)
    assert isinstance(event, MandateAmended), event
    changes = {
        field: value
        for field in ("iban", "bic", "creditor", "creditor_identifier")
        if (value := getattr(event, field))
    }
    return replace(mandate, version=event.originator_version, **changes)


def revoke(mandate: Mandate, on: date) -> MandateRevoked:
    """The debtor withdraws its authorisation."""
    if mandate.revoked_on is not None:
        raise Refused(f"mandate {mandate.reference} was already revoked on {mandate.revoked_on}")
    if on < mandate.signed_on:
        raise Refused(f"mandate {mandate.reference} was signed on {mandate.signed_on}, after {on}")
    return MandateRevoked(revoked_on=on)
