"""Letters: which events ask for one, and the record it is written from (courriers).

    RenewalOffered → quote or offer          IndexSubstituted → notice of substitution
    ReminderSent → reminder                  ContractTerminated, IndemnitySettled → settlement
    FormalNoticeSent → formal notice         TermsAmended → amendment
    ServiceSuspended → suspension            CollectionsAnnounced → pre-notification, schedule

A reminder of the level that is the policy's formal notice is told by the formal notice of its
contract, or is one itself. An invoice announces its own debit: a letter says so again when asked.
What is sent is dated the day it was sent; what is decided, the day it was recorded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple

from billing.application import receivables
from billing.application.archive import SUMS, made_by, write
from billing.application.core import PARIS, Billing
from billing.application.letter_facts import Gathering
from billing.application.receivables import Book
from billing.application.words import happened_on
from billing.arrears import ABOUT
from billing.dates import Period
from billing.documents.facturx import PLAIN, Brand
from billing.documents.letters import Facts, Kind, letter_of, pdf_of
from billing.dunning import Dunning, standard
from billing.events import Event
from billing.events.contract import (
    ContractTerminated,
    FormalNoticeSent,
    IndemnitySettled,
    IndexSubstituted,
    RenewalOffered,
    ServiceSuspended,
    TermsAmended,
)
from billing.events.invoice import InvoiceIssued, ReminderSent
from billing.events.party import CollectionsAnnounced
from billing.identity import contract_id, invoice_id, short, stream
from billing.receivable import Receivable
from billing.record import from_stored
from billing.refusal import Refused

_OF_CONTRACT: Final[dict[type[Event], Kind]] = {
    RenewalOffered: "renewal",
    FormalNoticeSent: "formal-notice",
    ServiceSuspended: "suspension",
    IndexSubstituted: "index-substitution",
    ContractTerminated: "settlement",
    IndemnitySettled: "settlement",
    TermsAmended: "amendment",
}
_ASKING: Final[tuple[type[Event], ...]] = (*_OF_CONTRACT, ReminderSent, CollectionsAnnounced)
_SENT: Final = ("offered_on", "sent_on", "announced_on", "issued_on")
CHUNK: Final = 100
"""Letters whose record is read at once."""
LONGEST: Final = 60
"""Characters of a name in the name of a file."""

Progress = Callable[[int, int], None]


class Cause(NamedTuple):
    """The events that ask for one letter: its kind, what it is about, its day.

    `mark` tells apart the letters of one kind, subject and day. `documents` are what reminders
    are of, each beside its event.
    """

    kind: Kind
    subject: str
    day: date
    mark: str
    events: tuple[Any, ...]
    documents: tuple[Receivable, ...] = ()

    @property
    def file(self) -> str:
        """The name of its file."""
        told = (self.kind, short(self.subject, LONGEST), f"{self.day}", self.mark)
        return "-".join(part for part in told if part) + ".pdf"


def day_of(event: Event) -> date:
    """The day its letter bears: the day it was sent, else the day the decision was recorded."""
    for name in _SENT:
        if (day := getattr(event, name, None)) is not None:
            return day  # type: ignore[no-any-return]
    return event.recorded_at.astimezone(PARIS).date()


# Which letters


def of_month(
    app: Billing, month: Period, policy: Dunning | None = None, every_debit: bool = False
) -> list[Cause]:
    """The letters that the events of a month ask for, by kind, subject and day.

    `every_debit`: also those of the debits that an invoice announced itself.
    """
    topics = [kind.TOPIC for kind in _ASKING]
    topics += [InvoiceIssued.TOPIC] if every_debit else []
    events = (event for _, event in app.recorded(topics=topics))
    return _causes(app, [one for one in events if day_of(one) in month], policy or standard())


def of(
    app: Billing,
    kind: Kind,
    about: str,
    on: date | None = None,
    policy: Dunning | None = None,
    supplier: str = "",
) -> Cause:
    """The last letter of a kind on a contract or an invoice, or that of a day.

    `supplier` is whose invoice it is, where several bear its number.
    """
    book = receivables.book(app)
    events, invoice = _told_of(app, book, about, supplier)
    found = [one for one in _causes(app, events, policy or standard()) if one.kind == kind]
    if invoice is not None and kind in ("reminder", "pre-notification"):
        found = [one for one in found if _names(one, invoice)]
    if not found:
        raise Refused(f"{about}: nothing recorded asks for a letter of kind {kind}")
    if on is not None:
        that_day = [one for one in found if on in _days(one)]
        if not that_day:
            days = ", ".join(sorted({f"{one.day}" for one in found}))
            raise Refused(f"{about}: no {kind} on {on}; there is one of: {days}")
        found = that_day
    return found[-1]


def _days(cause: Cause) -> set[date]:
    return {cause.day, *(happened_on(event) for event in cause.events)}


def _names(cause: Cause, invoice: Receivable) -> bool:
    """Whether the letter is about that invoice."""
    id = invoice_id(invoice.supplier, invoice.number)
    return any(
        event.originator_id == id
        or any(debit.invoice == invoice.number for debit in getattr(event, "debits", ()))
        for event in cause.events
    )


def _told_of(
    app: Billing, book: Book, about: str, supplier: str
) -> tuple[list[Any], Receivable | None]:
    """All that may ask for a letter on a contract, or on the contract of an invoice."""
    invoice, number = None, about
    if app.store.state("contract", about) is None:
        document: Any = _invoice(app, about, supplier)
        invoice = book.one(document.supplier, document.number)
        number = invoice.contract
    contract = app.contract(number)
    clients = {contract.client, *(was for side, _, was in contract.assigned if side == "client")}
    documents = [one for client in sorted(clients) for one in book.documents(client)]
    mandates = {one.mandate for one in documents if one.contract == number} | {contract.mandate}
    ids = [contract_id(number), *(stream("mandate", name) for name in sorted(mandates - {""}))]
    ids += [invoice_id(one.supplier, one.number) for one in documents]
    ours = {invoice_id(one.supplier, one.number) for one in documents if one.contract == number}
    found: list[Any] = [from_stored(stored) for stored in app.store.read_events(ids)]
    found.sort(key=lambda event: event.recorded_at)
    kept = [
        one
        for one in found
        if isinstance(one, _ASKING)
        or (isinstance(one, InvoiceIssued) and one.originator_id in ours)
    ]
    return [one for one in kept if _concerns(one, number)], invoice


def _invoice(app: Billing, number: str, supplier: str) -> Event:
    try:
        return app.invoice_events(number, supplier)[0]
    except Refused as refused:
        if "several" in f"{refused}":
            raise
        raise Refused(
            f"no contract and no invoice {number}; `billing list` and `billing invoices` show "
            "those there are"
        ) from None


def _concerns(event: Any, contract: str) -> bool:
    """A mandate may serve several contracts."""
    debits = getattr(event, "debits", None)
    return debits is None or any(debit.contract == contract for debit in debits)


def _causes(app: Billing, events: Sequence[Any], policy: Dunning) -> list[Cause]:
    """The letters these events ask for, by kind, subject and day; several may ask for one."""
    names = _contracts(app, events)
    reminded = receivables.book(app).many(
        {event.originator_id for event in events if isinstance(event, ReminderSent)}
    )
    notices = {
        (names[event.originator_id], event.sent_on): event
        for event in events
        if isinstance(event, FormalNoticeSent) and event.about.startswith(ABOUT)
    }
    found: dict[tuple[Any, ...], Cause] = {}
    for event in events:
        document = reminded.get(event.originator_id) if isinstance(event, ReminderSent) else None
        cause = (
            _reminded(event, document, notices, policy)
            if document is not None
            else _told(event, names.get(event.originator_id, ""))
        )
        if cause is not None:
            key = (*cause[:4], event.recorded_at if document is not None else None)
            known = found.get(key)
            found[key] = cause if known is None else _together(known, cause)
    return _apart(sorted(found.values(), key=_in_order))


def _in_order(cause: Cause) -> tuple[Any, ...]:
    first = cause.events[0]
    return cause.day, first.recorded_at, cause.kind, cause.subject, cause.mark


def _contracts(app: Billing, events: Iterable[Event]) -> dict[Any, str]:
    ids = {event.originator_id for event in events if type(event) in _OF_CONTRACT}
    return {row.id: row.name for row in app.store.states("contract", ids=ids)}


def _told(event: Any, contract: str) -> Cause | None:
    """The letter one event asks for; None when it is not ours to write."""
    day = day_of(event)
    if isinstance(event, InvoiceIssued):
        if not event.mandate or event.collected_on is None:
            return None
        return Cause("pre-notification", event.number, day, "", (event,))
    if isinstance(event, CollectionsAnnounced):
        about = ", ".join(dict.fromkeys(debit.contract for debit in event.debits))
        kind: Kind = "schedule" if event.how == "schedule" else "pre-notification"
        return Cause(kind, about, day, f"v{event.originator_version}", (event,))
    if isinstance(event, FormalNoticeSent):
        if event.by != "supplier":
            return None
        return Cause("formal-notice", contract, day, event.clock, (event,))
    mark = ""
    if isinstance(event, TermsAmended | ServiceSuspended | RenewalOffered):
        mark = f"v{event.originator_version}"
    return Cause(_OF_CONTRACT[type(event)], contract, day, mark, (event,))


def _reminded(
    event: ReminderSent,
    document: Receivable,
    notices: dict[tuple[str, date], FormalNoticeSent],
    policy: Dunning,
) -> Cause | None:
    """One reminder; None when the formal notice of its contract tells of it."""
    if is_formal(event, policy):
        notice = notices.get((document.contract, event.sent_on))
        if notice is not None and document.number in notice.about.removeprefix(ABOUT).split(", "):
            return None
        return Cause("formal-notice", document.contract, event.sent_on, "", (event,), (document,))
    subject = f"{document.supplier}-{document.client}"
    mark = f"{event.level}"
    return Cause("reminder", subject, event.sent_on, mark, (event,), (document,))


def is_formal(event: ReminderSent, policy: Dunning) -> bool:
    """Whether the policy has that reminder as its formal notice."""
    rank = policy.formal_notice
    return bool(rank) and event.level == rank and event.name == policy.level(rank).name


def _together(one: Cause, other: Cause) -> Cause:
    return one._replace(
        events=(*one.events, *other.events), documents=(*one.documents, *other.documents)
    )


def _apart(causes: Sequence[Cause]) -> list[Cause]:
    """The letters under names of their own: a second pass of a day is marked 2."""
    seen: dict[str, int] = {}
    found = []
    for cause in causes:
        rank = seen[cause.file] = seen.get(cause.file, 0) + 1
        mark = "-".join(part for part in (cause.mark, f"{rank}") if part)
        found.append(cause if rank == 1 else cause._replace(mark=mark))
    return found


# What they are written from


def read(
    app: Billing, causes: Sequence[Cause], policy: Dunning | None = None
) -> Iterator[Facts | Refused]:
    """What these letters are written from, in their order, or why one cannot be told."""
    for start in range(0, len(causes), CHUNK):
        gathering = Gathering(app, policy or standard())
        some = causes[start : start + CHUNK]
        gathering.add(event.originator_id for cause in some for event in cause.events)
        for cause in some:
            try:
                yield _gathered(gathering, cause)
            except Refused as refused:
                yield refused


def _gathered(gathering: Gathering, cause: Cause) -> Facts:
    events, last = cause.events, cause.events[-1]
    if cause.kind == "reminder":
        return gathering.reminder(events, cause.documents)
    if cause.kind == "formal-notice" and isinstance(last, ReminderSent):
        return gathering.formal_reminder(events, cause.documents)
    if cause.kind in ("pre-notification", "schedule"):
        return gathering.debits(last)
    if cause.kind == "index-substitution":
        return gathering.substitution(cause.subject, events)
    if cause.kind == "settlement":
        return gathering.settlement(cause.subject, last)
    if cause.kind == "renewal":
        return gathering.renewal(cause.subject, last)
    if cause.kind == "formal-notice":
        return gathering.formal_notice(cause.subject, last)
    if cause.kind == "suspension":
        return gathering.suspension(cause.subject, last)
    return gathering.amendment(cause.subject, last)


# As files


class Made(NamedTuple):
    """A letter as a file, made or there already; or `refused`, why it could not be."""

    kind: Kind
    subject: str
    day: date
    file: str
    digest: str = ""
    kept: bool = False
    refused: str = ""


class Report(NamedTuple):
    """What came of the letters of a month."""

    folder: str
    letters: tuple[Made, ...]

    @property
    def made(self) -> int:
        """How many files were written."""
        return sum(1 for one in self.letters if one.digest and not one.kept)

    @property
    def kept(self) -> int:
        """How many were there already, the same to the byte."""
        return sum(1 for one in self.letters if one.kept)

    @property
    def refused(self) -> tuple[Made, ...]:
        """Those that could not be made."""
        return tuple(one for one in self.letters if one.refused)


def make(
    app: Billing,
    causes: Sequence[Cause],
    folder: Path,
    brands: dict[str, Brand] | None = None,
    policy: Dunning | None = None,
    progress: Progress | None = None,
) -> Report:
    """Writes these letters into a folder, each at once or not at all, and their digests.

    One that is there with the right digest is left alone; what cannot be made stops no other.
    """
    brands = brands or {}
    folder.mkdir(parents=True, exist_ok=True)
    found: list[Made] = []
    for cause, facts in zip(causes, read(app, causes, policy), strict=True):
        found.append(_made(cause, facts, folder, brands))
        if progress is not None:
            progress(len(found), len(causes))
    _publish(folder, brands, {one.file: one.digest for one in found if one.digest})
    return Report(str(folder), tuple(found))


def _made(cause: Cause, facts: Facts | Refused, folder: Path, brands: dict[str, Brand]) -> Made:
    made = Made(cause.kind, cause.subject, cause.day, cause.file)
    if isinstance(facts, Refused):
        return made._replace(refused=str(facts))
    try:
        pdf = finished(facts, brands)
    except Refused as refused:
        return made._replace(refused=str(refused))
    path, digest = folder / cause.file, sha256(pdf).hexdigest()
    kept = path.is_file() and sha256(path.read_bytes()).hexdigest() == digest
    if not kept:
        write(path, pdf)
    return made._replace(digest=digest, kept=kept)


def finished(facts: Facts, brands: dict[str, Brand]) -> bytes:
    """The file of a letter, under the brand of its supplier."""
    return pdf_of(letter_of(facts), brands.get(facts.head.supplier.code, PLAIN))


def _publish(folder: Path, brands: dict[str, Brand], digests: dict[str, str]) -> None:
    """Writes the manifest, as `sha256sum --check` reads it; other files of it keep their lines."""
    path = folder / SUMS
    lines = path.read_text("utf-8").splitlines() if path.exists() else []
    head = next((line for line in lines if line.startswith("#")), made_by(brands))
    known = {
        file: digest
        for digest, _, file in (line.partition("  ") for line in lines)
        if len(digest) == 64 and file
    }
    told = "".join(f"{digest}  {file}\n" for file, digest in sorted((known | digests).items()))
    write(path, f"{head}\n{told}".encode())


__all__ = [
    "Cause",
    "Made",
    "Report",
    "day_of",
    "finished",
    "make",
    "of",
    "of_month",
    "read",
]
