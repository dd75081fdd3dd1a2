"""An explanation: a tree of sentences, with every sum worked out anew beside the one recorded.

A node whose sum is not what was recorded says so, and so does every node above it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date, datetime
from fractions import Fraction
from typing import Any, NamedTuple

from msgspec import Struct

from billing.application.core import Billing
from billing.clauses import Terms
from billing.contract.state import Contract, fold
from billing.events import Event
from billing.events.contract import (
    ContractEvent,
    ContractSigned,
    InstalmentBilled,
    TermsAmended,
)
from billing.events.invoice import CreditNoteIssued, InvoiceIssued, Line
from billing.events.run import FormRecorded
from billing.forms import BadFile, Form, form_from_text, load_form
from billing.identity import invoice_id, stream
from billing.money import Exact, rounded
from billing.refusal import Refused
from indices import IndexBook, Reading


class Explanation(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One step: what it is, how it comes out, and the steps it rests on.

    `recorded` and `found` are the value in the log and the one worked out anew from the events;
    both are empty where nothing is computed. `agrees` speaks for the node and all below it.
    """

    title: str
    detail: str = ""
    kind: str = ""
    recorded: str = ""
    found: str = ""
    agrees: bool = True
    children: tuple[Explanation, ...] = ()


def node(
    kind: str,
    title: str,
    detail: str = "",
    children: Iterable[Explanation] = (),
    check: tuple[object, object] | None = None,
) -> Explanation:
    """A step; `check` is the value recorded and the one found again."""
    below = tuple(children)
    recorded, found = check if check is not None else ("", "")
    return Explanation(
        title=title,
        detail=detail,
        kind=kind,
        recorded=_text(recorded),
        found=_text(found),
        agrees=recorded == found and all(child.agrees for child in below),
        children=below,
    )


def _text(value: object) -> str:
    return "none" if value is None else str(value)


def render(explanation: Explanation) -> list[tuple[int, str]]:
    """The tree as lines of text, each with its depth."""
    return [(depth, _sentence(one)) for depth, one in _walk(explanation, 0)]


def mismatches(explanation: Explanation) -> list[Explanation]:
    """The steps whose own sum is not the one recorded."""
    return [one for _, one in _walk(explanation, 0) if one.recorded != one.found]


def _walk(explanation: Explanation, depth: int) -> Iterator[tuple[int, Explanation]]:
    yield depth, explanation
    for child in explanation.children:
        yield from _walk(child, depth + 1)


def _sentence(one: Explanation) -> str:
    told = f"{one.title}: {one.detail}" if one.detail else one.title
    if one.recorded != one.found:
        told = f"{told} — DOES NOT AGREE: recorded {one.recorded}, found {one.found}"
    return told


# How numbers and days are written


def number(value: Exact) -> str:
    """An exact number in digits; one that has no end is cut after eight decimals."""
    exact = Fraction(value)
    near = rounded(exact, 10)
    if near == exact:
        return format(near.normalize(), "f")
    return f"{format(rounded(exact, 8, 'down'), 'f')}…"


def days(start: date, end: date) -> str:
    """The days of [start, end), first and last."""
    last = date.fromordinal(end.toordinal() - 1)
    return f"{start} to {last}"


def moment(at: datetime) -> str:
    """When something was recorded."""
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def event_name(event: Event) -> str:
    """The event's name as words: "Equipment added"."""
    words = "".join(f" {c.lower()}" if c.isupper() else c for c in type(event).__name__)
    return words.strip().capitalize()


def recorded(event: Event) -> str:
    """Where the event stands in its stream, when it was recorded and by whom."""
    return (
        f"version {event.originator_version}, recorded {moment(event.recorded_at)} by "
        f"{event.recorded_by}"
    )


def read(reading: Reading) -> str:
    """A published value with all that is known of where it comes from."""
    marks = [reading.confidence] + (["publication day estimated"] if reading.estimated else [])
    return (
        f"{reading.value} ({reading.series} {reading.period}, published {reading.published_on}, "
        f"{', '.join(marks)}; source: {reading.source or 'not given'})"
    )


class Words(NamedTuple):
    """The form a contract was signed from, and which of its variants; how it was found."""

    form: Form
    variant: str
    found: str


class Case:
    """One invoice or credit note, and all that stands behind it, read once."""

    def __init__(self, app: Billing, number: str, supplier: str = "") -> None:
        events = app.invoice_events(number, supplier)
        document = events[0]
        if not isinstance(document, InvoiceIssued | CreditNoteIssued):
            raise Refused(f"{number}: its first event is {event_name(document)}, not its issue")
        self.app = app
        self.document: InvoiceIssued | CreditNoteIssued = document
        self.later = events[1:]
        self.history: list[ContractEvent] = app.history(document.contract)
        self.by_hand = not document.contract_version
        self.billed = self._billed()
        version = self.billed.originator_version - 1 if self.billed else document.contract_version
        self.contract = self.at(version or len(self.history))
        self.day = self.billed.billed_on if self.billed else document.issued_on
        self.terms: Terms = self.contract.terms_on(self.day)
        period = self.billed.period if self.billed else None
        self.agreed: Terms = self.contract.terms_on(period.start) if period else self.terms
        self.book: IndexBook = app.book()
        self._words: Words | str | None = ""

    def _billed(self) -> InstalmentBilled | None:
        """The contract's event that asked for the document.

        For a credit note made by hand, the one that asked for the invoice it gives back.
        """
        version = self.document.contract_version
        if isinstance(self.document, CreditNoteIssued) and self.by_hand:
            credited = invoice_id(self.document.supplier, self.document.credits)
            issued: Any = next(iter(self.app.events.get(credited)), None)
            version = issued.contract_version if isinstance(issued, InvoiceIssued) else 0
        event = self.event(version)
        return event if isinstance(event, InstalmentBilled) else None

    def event(self, version: int) -> ContractEvent | None:
        """The contract's event of that version."""
        found = self.history[version - 1 : version] if version > 0 else []
        return found[0] if found and found[0].originator_version == version else None

    def at(self, version: int) -> Contract:
        """The contract as it was at a version."""
        contract = fold(None, self.history[: max(1, version)])
        assert contract is not None
        return contract

    @property
    def signed(self) -> ContractSigned:
        """The signature."""
        signed = self.history[0]
        assert isinstance(signed, ContractSigned)
        return signed

    def instalment_of(self, invoice: str, before: int) -> InstalmentBilled | None:
        """The billing that an invoice came from."""
        return next(
            (
                event
                for event in self.history[: before - 1]
                if isinstance(event, InstalmentBilled) and event.invoice == invoice
            ),
            None,
        )

    def words(self) -> Words | None:
        """The words of the clauses: the text recorded at signature, else the form as it ships."""
        if isinstance(self._words, str):
            self._words = self._find_words()
        return self._words

    def _find_words(self) -> Words | None:
        digest, name = self.contract.form_digest, self.contract.form
        told = f"the text recorded when it was first signed from ({digest[:12]})"
        try:
            events: list[Any] = list(self.app.events.get(stream("form", digest)))
            texts = [event.text for event in events if isinstance(event, FormRecorded)]
            if texts:
                form = form_from_text(texts[0])
            else:
                form = load_form(name)
                told = "the form as it ships"
            if form.digest != digest:
                told = f"{told}, which is not the text signed ({digest[:12]})"
            return Words(form, self.signed.variant, told)
        except BadFile:
            return None

    def clause(self, name: str) -> Iterator[Explanation]:
        """The contract's own words for a clause, their source, and the reading chosen."""
        words = self.words()
        if words is None:
            return
        said = words.form.words(name, words.variant)
        amended = self._amended(name)
        if not (said.words or said.reading or amended):
            return
        variant = f", variant {words.variant}" if words.variant else ""
        place = f", {said.source}" if said.source else ""
        children = [node("reading", "Reading", said.reading)] if said.reading else []
        children.append(
            node("form", f"Form {words.form.title}{variant}", f"words from {words.found}")
        )
        if amended is not None:
            reason = f": {amended.reason}" if amended.reason else ""
            children.insert(
                0,
                node(
                    "event",
                    f"Amended by {amended.how} from {amended.effective_on}{reason}",
                    recorded(amended),
                ),
            )
        yield node(
            "clause",
            f"Clause {name}{place}",
            f"« {said.words} »" if said.words else "the contract is silent",
            children,
        )

    def _amended(self, name: str) -> TermsAmended | None:
        """The amendment that last changed the clause, as of the day billed."""
        found, before = None, getattr(self.signed.terms, name, None)
        for event in self.history[: self.contract.version]:
            if isinstance(event, TermsAmended) and event.effective_on <= self.day:
                after = getattr(event.terms, name, None)
                if after != before:
                    found, before = event, after
        return found

    def because(self, event: ContractEvent, detail: str = "", kind: str = "event") -> Explanation:
        """An event of the contract, as the reason of something."""
        told = f"{detail}; {recorded(event)}" if detail else recorded(event)
        return node(kind, f"{event_name(event)} on {self.contract.number}", told)

    def line_of(self, place: int) -> Line:
        """A line of the document, counted from 1."""
        lines = self.document.lines
        if not 1 <= place <= len(lines):
            raise Refused(
                f"{self.document.number}: no line {place}; it has {len(lines)}, counted from 1"
            )
        return lines[place - 1]
