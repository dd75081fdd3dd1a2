"""Direct debits (prélèvements): a row a collection handed to the bank, a row a mandate.

A collection lives in the stream of its mandate, beside those of other months: its rows are its
own, under an id made of its company and its end-to-end id, so that the bank's answer to one does
not make all the others again. The account and the debtor's name are in `private` only.

What is due and not yet asked for is in `receivable` (means, collected_on, debit, disputed_on);
which of it a file made today would hold, and why not the rest, is `billing collect --dry-run`:
that takes the bank's calendar, the clauses and what the debtors were told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import islice
from typing import Any, ClassVar, Final, NamedTuple
from uuid import UUID, uuid5

import msgspec
from msgspec import Struct
from sqlalchemy import Index, Table

from billing.bank import reasons
from billing.events import Event
from billing.events.party import (
    CollectionOrdered,
    CollectionReturned,
    CollectionsAnnounced,
    CollectionSettled,
    MandateAmended,
    MandateLapsed,
    MandateRevoked,
    MandateSigned,
    PartyAmended,
)
from billing.money import ZERO
from billing.record import from_stored
from projections.bodies import in_cents, json_of
from projections.database import made
from projections.tables import (
    body,
    cents,
    day,
    flag,
    key,
    metadata,
    moment,
    private,
    stream,
    text,
    whole,
)
from projections.view import (
    PAGE,
    Mandate,
    Noted,
    Rows,
    Source,
    Told,
    View,
    gathered,
    paged,
    party_id,
)

collection = Table(
    "collection",
    metadata,
    stream(),
    key("supplier", "The creditor", primary=True),
    key("end_to_end", "Its name within the creditor (EndToEndId)", primary=True),
    key("invoice", "The document it collects"),
    key("mandate", "The mandate it is made under (RUM)"),
    key("debtor", "Who is debited"),
    key("status", "under_way, settled or returned"),
    cents("amount_cents", "What is debited"),
    day("collected_on", "The day asked for"),
    moment("ordered_at", "When it was handed over"),
    day("announced_on", "The day the debtor was told (pré-notification)", optional=True),
    key("scheme", "CORE or B2B"),
    key("sequence", "FRST, RCUR, FNAL or OOFF"),
    key("file", "The file it is part of (MsgId)"),
    key("batch", "The batch within the file (PmtInfId)"),
    day("settled_on", "The day the bank credited it", optional=True),
    day("returned_on", "The day it came back", optional=True),
    key("return_kind", "reject, refusal, return, refund or reversal; '' while it has not"),
    key("return_code", "The bank's reason (ISO 20022)"),
    text("return_reason", "The same as a French sentence"),
    cents("return_fee_cents", "What the bank charges for it"),
    body(),
    comment="Direct debits handed to the bank (prélèvements), and what became of each",
)
Index("collection_stream", collection.c.stream)
Index("collection_day", collection.c.collected_on, collection.c.supplier, collection.c.end_to_end)
Index("collection_invoice", collection.c.supplier, collection.c.invoice)
Index("collection_debtor", collection.c.debtor, collection.c.collected_on)
Index("collection_mandate", collection.c.mandate, collection.c.collected_on)
Index("collection_file", collection.c.file)

mandate = Table(
    "mandate",
    metadata,
    stream(),
    key("reference", "Its unique reference (RUM)", primary=True),
    key("creditor", "Who collects"),
    text("creditor_identifier", "Its creditor identifier (ICS)"),
    key("debtor", "Who is debited"),
    key("scheme", "CORE or B2B"),
    flag("recurrent", "For several debits, not for one"),
    key("status", "active, revoked, lapsed or final: as it is recorded"),
    day("signed_on", "The day the debtor signed it"),
    day("last_used_on", "The day of the last collection under it", optional=True),
    day("lapses_on", "The first day it is good no more, unless it is used before"),
    day("revoked_on", "The day the debtor withdrew it", optional=True),
    whole("presented", "Collections handed to the bank under it"),
    whole("returned", "How many of them came back"),
    body(),
    private(),
    comment="Mandates for direct debits (mandats SEPA)",
)
Index("mandate_stream", mandate.c.stream)
Index("mandate_debtor", mandate.c.debtor)
Index("mandate_lapses_on", mandate.c.lapses_on)

COLLECTION: Final = (CollectionOrdered, CollectionSettled, CollectionReturned)
MANDATE: Final = (
    MandateSigned, MandateAmended, MandateRevoked, MandateLapsed, CollectionsAnnounced,
)  # fmt: skip
_TOPICS: Final = frozenset(one.TOPIC for one in COLLECTION)
_OF_MANDATE: Final = frozenset(one.TOPIC for one in (*COLLECTION, *MANDATE))
_ROOT: Final = uuid5(UUID(int=0), "collection")


class Under(NamedTuple):
    """What a collection has of its mandate; none of it changes."""

    reference: str
    debtor: str
    scheme: str


def under(one: Mandate | MandateSigned) -> Under:
    """What a mandate says of all its collections."""
    return Under(one.reference, one.debtor, one.scheme)


class DirectDebits(View):
    """The collections and the mandates they are made under."""

    name = "direct_debits"
    tables = (collection, mandate)
    topics: ClassVar = _OF_MANDATE | {PartyAmended.TOPIC}

    def change(self, source: Source, batch: Sequence[Noted]) -> tuple[list[UUID], Rows]:
        """The collections and mandates a batch of events is about."""
        asked: dict[UUID, list[Any]] = {}  # The events of each collection.
        mandates: dict[UUID, None] = {}
        renamed: set[str] = set()
        for noted in batch:
            if noted.topic in _OF_MANDATE:
                mandates[noted.stream] = None
            elif isinstance(noted.event, PartyAmended):
                renamed.add(noted.event.party.code)
            if noted.topic in _TOPICS:
                event: Any = noted.event
                asked.setdefault(collection_id(event), []).append(event)
        _complete(source, asked)
        found: dict[UUID, Mandate] = dict(source.states("mandate", list(mandates)))
        told: list[Told] = []
        for id, events in asked.items():
            told += _collection(id, under(found[events[0].originator_id]), events)
        if renamed:
            # Who they are mandates of is written nowhere else; parties seldom change.
            found |= {id: one for id, one in source.states("mandate") if one.debtor in renamed}
        told += _mandates(source, found.items())
        return [*asked, *found], gathered(self.tables, told)

    def pages(self, source: Source, until: int) -> Iterator[Rows]:
        """Every collection, mandate by mandate; then every mandate."""
        streams = source.streams({MandateSigned.TOPIC, *_TOPICS})
        yield from paged(self.tables, streams, lambda one: _under_one(one[1]))
        states = source.states("mandate")
        while some := list(islice(states, PAGE)):
            yield gathered(self.tables, _mandates(source, some))


def collection_id(event: CollectionOrdered | CollectionSettled | CollectionReturned) -> UUID:
    """Under which the rows of a collection are replaced."""
    return uuid5(_ROOT, f"{event.supplier}/{event.end_to_end}")


def _complete(source: Source, asked: dict[UUID, list[Any]]) -> None:
    """Reads what was recorded before of the collections that were only answered here."""
    answered = {id for id, events in asked.items() if type(events[0]) is not CollectionOrdered}
    named: dict[UUID, list[bytes]] = {}  # By mandate, their names as they are stored.
    for id in answered:
        first = asked[id][0]
        named.setdefault(first.originator_id, []).append(msgspec.json.encode(first.end_to_end))
        asked[id] = []
    for stored in source.reading.read_events(named, _TOPICS):
        # A mandate has years of collections: only those asked for are decoded.
        names = named[stored.originator_id]  # type: ignore[index]
        if any(name in stored.state for name in names):
            event: Any = from_stored(stored)
            if (id := collection_id(event)) in answered:
                asked[id].append(event)


def _under_one(events: Sequence[Event]) -> Iterator[Told]:
    """The collections of a mandate, from its signature on."""
    signed, *others = events
    assert isinstance(signed, MandateSigned), signed
    of_all = under(signed)
    asked: dict[UUID, list[Any]] = {}
    for event in others:
        assert isinstance(event, COLLECTION)
        asked.setdefault(collection_id(event), []).append(event)
    for id, some in asked.items():
        yield from _collection(id, of_all, some)


def _collection(id: UUID, of: Under, events: Sequence[Any]) -> Iterator[Told]:
    """A collection, and the last the bank said of it."""
    ordered, *answers = events
    if not isinstance(ordered, CollectionOrdered):
        return  # An answer to what was never asked for here.
    settled = next((one for one in reversed(answers) if type(one) is CollectionSettled), None)
    returned = next((one for one in reversed(answers) if type(one) is CollectionReturned), None)
    status = "under_way"
    if answers:
        status = "settled" if answers[-1] is settled else "returned"
    back = {
        "return_kind": returned.kind if returned else "",
        "return_code": returned.code if returned else "",
        "return_reason": reasons.sentence(returned.code) if returned else "",
    }
    fee = returned.fee + ZERO if returned else ZERO
    shown = {
        "supplier": ordered.supplier,
        "end_to_end": ordered.end_to_end,
        "invoice": ordered.invoice,
        "mandate": of.reference,
        "debtor": of.debtor,
        "status": status,
        "amount": ordered.amount + ZERO,
        "collected_on": ordered.collected_on,
        "ordered_at": ordered.recorded_at,
        "ordered_by": ordered.recorded_by,
        "announced_on": ordered.announced_on,
        "scheme": of.scheme,
        "sequence": ordered.sequence,
        "file": ordered.file,
        "batch": ordered.batch,
        "settled_on": settled and settled.settled_on,
        "returned_on": returned and returned.returned_on,
        **back,
        "return_fee": fee,
    }
    yield made(
        collection,
        stream=id,
        supplier=ordered.supplier,
        end_to_end=ordered.end_to_end,
        invoice=ordered.invoice,
        mandate=of.reference,
        debtor=of.debtor,
        status=status,
        amount_cents=in_cents(ordered.amount),
        collected_on=ordered.collected_on,
        ordered_at=ordered.recorded_at,
        announced_on=ordered.announced_on,
        scheme=of.scheme,
        sequence=ordered.sequence,
        file=ordered.file,
        batch=ordered.batch,
        settled_on=settled and settled.settled_on,
        returned_on=returned and returned.returned_on,
        **back,
        return_fee_cents=in_cents(fee),
        body=json_of(shown),
    )


def _mandates(source: Source, found: Iterable[tuple[UUID, Mandate]]) -> Iterator[Told]:
    """The rows of some mandates, with the names of who is debited."""
    found = list(found)
    ids = list({party_id(one.debtor) for _, one in found})
    names = {party.identity.code: party.identity.name for _, party in source.states("party", ids)}
    for id, one in found:
        yield _mandate(id, one, names.get(one.debtor, ""))


def _mandate(id: UUID, one: Mandate, debtor_name: str) -> Told:
    status = "active"
    if one.revoked_on is not None:
        status = "revoked"
    elif one.lapsed_on is not None:
        status = "lapsed"
    elif one.final:
        status = "final"
    lapses_on = one.lapsed_on or one.lapses_on
    shown = {
        "reference": one.reference,
        "creditor": one.creditor,
        "creditor_identifier": one.creditor_identifier,
        "debtor": one.debtor,
        "account": masked(one.iban),
        "scheme": one.scheme,
        "recurrent": one.recurrent,
        "status": status,
        "signed_on": one.signed_on,
        "medium": one.medium,
        "last_used_on": one.collected_on,
        "lapses_on": lapses_on,
        "revoked_on": one.revoked_on,
        "presented": one.presented,
        "returned": one.returned,
        "stopped": [
            {
                "code": code,
                "since": since,
                "reason": reasons.sentence(code),
                "stops": code in reasons.STOPS,
            }
            for code, since in one.stopped
        ],
        "announced": [
            {
                "announced_on": told.announced_on,
                "contract": told.contract,
                "invoice": told.invoice,
                "amount": told.amount + ZERO,
                "collected_on": told.collected_on,
            }
            for told in one.announced
        ],
    }
    known = {"iban": one.iban, "bic": one.bic, "debtor_name": debtor_name, "proof": one.proof}
    return made(
        mandate,
        stream=id,
        reference=one.reference,
        creditor=one.creditor,
        creditor_identifier=one.creditor_identifier,
        debtor=one.debtor,
        scheme=one.scheme,
        recurrent=one.recurrent,
        status=status,
        signed_on=one.signed_on,
        last_used_on=one.collected_on,
        lapses_on=lapses_on,
        revoked_on=one.revoked_on,
        presented=one.presented,
        returned=one.returned,
        body=json_of(shown),
        private=json_of(known),
    )


class _Good(Struct):
    """What of a mandate's body says whether it is good on a day."""

    recurrent: bool
    status: str
    signed_on: date
    lapses_on: date
    revoked_on: date | None
    presented: int
    returned: int
    stopped: list[_Stopped]


class _Stopped(Struct):
    since: date
    stops: bool


_good = msgspec.json.Decoder(_Good).decode


def on_day(body: str, day: date) -> dict[str, Any]:
    """Whether a mandate is good on a day, and why it is not: as a collection would be refused."""
    one = _good(body)
    stopped = [stop.since for stop in one.stopped if stop.stops]
    why = ""
    if one.revoked_on is not None and one.revoked_on <= day:
        why = f"revoked on {one.revoked_on}"
    elif one.lapses_on <= day:
        why = f"lapsed on {one.lapses_on}"
    elif day < one.signed_on:
        why = f"signed on {one.signed_on}"
    elif not one.recurrent and one.presented > one.returned:
        why = "for one debit, which was made"
    elif one.status == "final":
        why = "its last debit was made"
    elif stopped:
        why = f"stopped by the bank since {min(stopped)}"
    return {"usable": not why, "why_not": why}


def masked(iban: str) -> str:
    """An account one recognises and cannot use: its country, key and last four characters."""
    return f"{iban[:4]} … {iban[-4:]}" if len(iban) > 8 else "…"
