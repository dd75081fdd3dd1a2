"""Mandates: who may be debited, on which account, for which creditor (mandat SEPA).

A mandate is good until it is revoked, or 36 months pass without a collection handed to the bank
(rulebooks of the European Payments Council, CORE and B2B [R]: counted from the last one, even
if it came back; from the signature where there was none).

What the debtor's bank was told last is kept: the account or the creditor before an amendment goes
with the first collection after it, once (SMNDA).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import replace

from billing.clauses.interest import Category
from billing.dates import DAY, add_months
from billing.events.base import Event
from billing.events.party import (
    CollectionOrdered,
    CollectionReturned,
    CollectionsAnnounced,
    CollectionSettled,
    MandateAmended,
    MandateLapsed,
    MandateRevoked,
    MandateSigned,
)
from billing.identity import short
from billing.refusal import Refused

LAPSE_MONTHS = 36
LONGEST = 35  # Characters of a mandate reference (RUM), as of any SEPA identifier.
_REFERENCE = re.compile(r"[A-Za-z0-9+?:().,'-](?:[A-Za-z0-9+?/:().,' -]*[A-Za-z0-9+?:().,'-])?")


class Told(Struct, frozen=True, array_like=True, gc=False):
    """What the debtor's bank knows of a mandate: its account, and who collects."""

    iban: str
    bic: str
    creditor: str
    creditor_identifier: str

    def __eq__(self, other: object) -> bool:
        """Whether nothing was amended; the BIC follows from the account."""
        return isinstance(other, Told) and (
            self.iban == other.iban
            and self.creditor == other.creditor
            and self.creditor_identifier == other.creditor_identifier
        )

    __hash__ = None  # type: ignore[assignment]


class Announced(Struct, frozen=True, array_like=True, gc=False):
    """A debit the debtor was told of, at most that amount, and on which day it was told."""

    announced_on: date
    contract: str
    invoice: str
    amount: Decimal
    collected_on: date


class CameBack(Struct, frozen=True, array_like=True, gc=False):
    """Why and when the last collection of an invoice came back."""

    supplier: str
    invoice: str
    kind: str
    code: str
    returned_on: date


class Mandate(Struct, frozen=True, array_like=True, gc=False):
    """A mandate as last amended, and what was collected under it.

    `presented` are the collections handed to the bank, `unsettled` those of them that came back
    before they were credited, `returned` all those that came back, `stopped` why and when those
    did since one was credited or the account changed. `assigned` are the creditors before, each
    until the day the next one took its place.
    """

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
    proof: str = ""
    medium: str = "paper"
    presented: int = 0
    returned: int = 0
    unsettled: int = 0
    collected_on: date | None = None
    final: str = ""
    lapsed_on: date | None = None
    assigned: tuple[tuple[date, str, str], ...] = ()
    known: Told | None = None
    telling: tuple[str, Told | None] | None = None
    announced: tuple[Announced, ...] = ()
    came_back: tuple[CameBack, ...] = ()
    stopped: tuple[tuple[str, date], ...] = ()

    @property
    def lapses_on(self) -> date:
        """The first day it is good no more, unless it is collected under before."""
        return add_months(self.collected_on or self.signed_on, LAPSE_MONTHS) + DAY

    @property
    def next_due(self) -> date | None:
        """The day someone has to see that it lapsed; none once it is over."""
        over = self.revoked_on is not None or self.lapsed_on is not None
        return None if over else self.lapses_on

    @property
    def first(self) -> bool:
        """Whether no collection of it has gone through yet, nor is on its way."""
        return self.presented == self.unsettled

    def creditor_on(self, day: date) -> tuple[str, str]:
        """Who collects on a day, and its creditor identifier (ICS)."""
        for until, creditor, identifier in self.assigned:
            if day < until:
                return creditor, identifier
        return self.creditor, self.creditor_identifier

    def told_on(self, day: date) -> Told:
        """What a collection of that day tells the debtor's bank."""
        return Told(self.iban, self.bic, *self.creditor_on(day))

    def amended_from(self, day: date) -> Told | None:
        """What the bank was told before, where a collection of that day tells it otherwise."""
        return None if self.known in (None, self.told_on(day)) else self.known


def apply(mandate: Mandate | None, event: Event) -> Mandate:
    """The mandate after one more event."""
    version = event.originator_version
    if isinstance(event, MandateSigned):
        signed = Mandate(
            event.reference,
            version,
            event.creditor,
            event.creditor_identifier,
            event.debtor,
            event.iban,
            event.bic,
            event.scheme,
            event.recurrent,
            event.signed_on,
            proof=event.proof,
            medium=event.medium,
        )
        return _collected_elsewhere(signed, event.last_collected_on)
    assert mandate is not None
    if isinstance(event, CollectionOrdered):
        return _ordered(mandate, event)
    if isinstance(event, CollectionSettled):
        since = tuple(one for one in mandate.stopped if one[1] > event.settled_on)
        return replace(mandate, version=version, stopped=since)
    if isinstance(event, CollectionReturned):
        return _returned(mandate, event)
    if isinstance(event, CollectionsAnnounced):
        kept = [a for a in mandate.announced if a.collected_on >= event.announced_on]
        named = {debit.invoice for debit in event.debits} - {""}
        told = tuple(
            Announced(event.announced_on, d.contract, d.invoice, d.amount, d.collected_on)
            for d in event.debits
        )
        kept = [one for one in kept if one.invoice not in named]
        return replace(mandate, version=version, announced=(*kept, *told))
    if isinstance(event, MandateRevoked):
        return replace(mandate, version=version, revoked_on=event.revoked_on)
    if isinstance(event, MandateLapsed):
        return replace(mandate, version=version, lapsed_on=event.lapsed_on)
    assert isinstance(event, MandateAmended), event
    return _amended(mandate, event)


def _collected_elsewhere(mandate: Mandate, on: date | None) -> Mandate:
    """The mandate once a debit made under it by another program is known."""
    if on is None:
        return mandate
    last = max(on, mandate.collected_on or on)
    presented = mandate.presented + 1
    return replace(mandate, collected_on=last, presented=presented, known=mandate.told_on(on))


def _amended(mandate: Mandate, event: MandateAmended) -> Mandate:
    mandate = replace(mandate, version=event.originator_version)
    mandate = _collected_elsewhere(mandate, event.last_collected_on)
    if event.iban:  # The bank of the account before is not that of this one.
        mandate = replace(mandate, iban=event.iban, bic=event.bic, stopped=())
    elif event.bic:
        mandate = replace(mandate, bic=event.bic)
    if not event.creditor and not event.creditor_identifier:
        return mandate
    before = (event.amended_on, mandate.creditor, mandate.creditor_identifier)
    return replace(
        mandate,
        assigned=(*mandate.assigned, before),
        creditor=event.creditor or mandate.creditor,
        creditor_identifier=event.creditor_identifier or mandate.creditor_identifier,
    )


def _ordered(mandate: Mandate, event: CollectionOrdered) -> Mandate:
    now = mandate.told_on(event.collected_on)
    telling = mandate.telling
    if now != mandate.known:
        telling = (event.end_to_end, mandate.known)
    last = mandate.collected_on
    if last is None or event.collected_on > last:
        last = event.collected_on
    announced, came_back = mandate.announced, mandate.came_back
    if announced:
        told = announcement_of(mandate, event.invoice, event.collected_on)
        announced = tuple(
            one for one in announced if one is not told and one.invoice != event.invoice
        )
    if came_back:
        came_back = _without(came_back, event.supplier, event.invoice)
    return replace(
        mandate,
        version=event.originator_version,
        presented=mandate.presented + 1,
        collected_on=last,
        final=event.end_to_end if event.sequence == "FNAL" else mandate.final,
        known=now,
        telling=telling,
        announced=announced,
        came_back=came_back,
    )


def _returned(mandate: Mandate, event: CollectionReturned) -> Mandate:
    known, telling = mandate.known, mandate.telling
    stopped = mandate.stopped
    account = event.iban or (known.iban if known is not None else mandate.iban)
    if account == mandate.iban:  # Else it was of an account before.
        stopped = (
            *(one for one in stopped if one[0] != event.code),
            (event.code, event.returned_on),
        )
    if telling is not None and telling[0] == event.end_to_end and not event.settled:
        known, telling = telling[1], None  # Its bank did not take the amendment in.
    why = CameBack(event.supplier, event.invoice, event.kind, event.code, event.returned_on)
    return replace(
        mandate,
        version=event.originator_version,
        returned=mandate.returned + 1,
        unsettled=mandate.unsettled + (not event.settled),
        final="" if event.end_to_end == mandate.final else mandate.final,
        known=known,
        telling=telling,
        came_back=(*_without(mandate.came_back, event.supplier, event.invoice), why),
        stopped=stopped,
    )


def _without(came_back: tuple[CameBack, ...], supplier: str, invoice: str) -> tuple[CameBack, ...]:
    return tuple(one for one in came_back if one.supplier != supplier or one.invoice != invoice)


def announcement_of(
    mandate: Mandate, invoice: str, day: date, contract: str = ""
) -> Announced | None:
    """What announced the debit of that invoice on that day: by its number, else by a schedule."""
    scheduled = None
    for one in mandate.announced:
        if one.collected_on != day:
            continue
        if one.invoice == invoice:
            return one
        if not one.invoice and contract in ("", one.contract):
            scheduled = scheduled or one
    return scheduled


def stranger(mandate: Mandate, supplier: str, client: str, on: date) -> str:
    """Why the company may not debit the client under the mandate on a day; "" when it may.

    A mandate is given by one debtor to one creditor (ICS): once it is amended to the next one,
    the creditor before collects nothing more under it, and asks for what it is owed otherwise.
    """
    name = f"mandate {mandate.reference}"
    creditor, _ = mandate.creditor_on(on)
    if creditor != supplier:
        return f"{name} is for {creditor}, the invoice is of {supplier}: to be paid by transfer"
    if mandate.debtor != client:
        return f"{name} is of {mandate.debtor}, the invoice for {client}: to be paid by transfer"
    return ""


def halted(mandate: Mandate, stops: Mapping[str, str]) -> str:
    """What a bank said after which the account or the mandate is debited no more; "" if nothing."""
    for code, since in mandate.stopped:
        if code in stops:
            return f"mandate {mandate.reference} is stopped since {since}: {stops[code]} ({code})"
    return ""


def usable(
    mandate: Mandate,
    on: date,
    category: Category = "professional",
    stops: Mapping[str, str] | None = None,
) -> str:
    """Why no collection may be asked for under the mandate on a day; "" when one may.

    `category` is the debtor's. `stops` are the reasons of the banks after which an account or a
    mandate is debited no more, until it is amended, each with its sentence.
    """
    name = f"mandate {mandate.reference}"
    if mandate.revoked_on is not None and mandate.revoked_on <= on:
        return f"{name} was revoked on {mandate.revoked_on}"
    if mandate.lapsed_on is not None or mandate.lapses_on <= on:
        since = mandate.collected_on
        from_ = f"the last was on {since}" if since else f"signed on {mandate.signed_on}"
        return (
            f"{name} lapsed on {mandate.lapsed_on or mandate.lapses_on}, after {LAPSE_MONTHS} "
            f"months without a collection ({from_})"
        )
    if on < mandate.signed_on:
        return f"{name} was signed on {mandate.signed_on}, after {on}"
    if not mandate.recurrent and mandate.presented > mandate.returned:
        return f"{name} was for one debit, made on {mandate.collected_on}"
    if mandate.final:
        return f"{name} is over: its last debit (FNAL) was {mandate.final}"
    if mandate.scheme == "B2B" and category in ("consumer", "non_professional"):
        kind = category.replace("_", "-")
        return f"{name} is of the B2B scheme, for businesses, and {mandate.debtor} is a {kind}"
    return halted(mandate, stops or {})


def revoke(mandate: Mandate, on: date) -> MandateRevoked:
    """The debtor withdraws its authorisation."""
    if mandate.revoked_on is not None:
        raise Refused(f"mandate {mandate.reference} was already revoked on {mandate.revoked_on}")
    if on < mandate.signed_on:
        raise Refused(f"mandate {mandate.reference} was signed on {mandate.signed_on}, after {on}")
    return MandateRevoked(revoked_on=on)


def amend(
    mandate: Mandate, on: date, iban: str = "", bic: str = "", last_collected_on: date | None = None
) -> MandateAmended:
    """The debtor's account changes; its signature stays good (SMNDA, same mandate new account).

    Or its last debit was made elsewhere, on `last_collected_on`.
    """
    name = f"mandate {mandate.reference}"
    if mandate.revoked_on is not None:
        raise Refused(f"{name} was revoked on {mandate.revoked_on}; sign another")
    if on < mandate.signed_on:
        raise Refused(f"{name} was signed on {mandate.signed_on}, after {on}")
    if last_collected_on is not None and not mandate.signed_on <= last_collected_on <= on:
        raise Refused(
            f"{name}: a last debit on {last_collected_on}; expected from {mandate.signed_on}, when "
            f"it was signed, to {on}"
        )
    if last_collected_on is None and (why := usable(replace(mandate, final=""), on)):
        raise Refused(f"{why}; sign another")
    if not iban and not bic and last_collected_on is None:
        raise Refused(f"{name}: say the new IBAN")
    if iban == mandate.iban and bic in ("", mandate.bic):
        raise Refused(f"{name}: its account is {iban} already")
    return MandateAmended(amended_on=on, iban=iban, bic=bic, last_collected_on=last_collected_on)


def reference(contract: str, rank: int = 1) -> str:
    """The reference of a contract's mandate, of that rank, when none is given (RUM)."""
    return short(f"RUM-{contract}" if rank == 1 else f"RUM-{contract}-{rank}", LONGEST)


def reference_fault(reference: str) -> str:
    """Why a text is no reference of a mandate for a bank; "" when it is one."""
    if len(reference) > LONGEST:
        return f"it has {len(reference)} characters, at most {LONGEST} were expected"
    if not _REFERENCE.fullmatch(reference) or "//" in reference:
        return (
            "letters without accents, digits and + ? / : ( ) . , ' - were expected, no slash or "
            "space first or last, no two slashes in a row"
        )
    return ""
