"""E-reporting: a period's sales and payments that go by no platform, told to the administration."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Literal, NamedTuple

from msgspec.structs import replace

from billing.application.core import Billing
from billing.application.outbox import (
    Aside,
    collected_of,
    directory,
    outside,
    party_of,
    put,
    siren_of,
)
from billing.dates import Period
from billing.einvoicing import reporting
from billing.einvoicing.house import House, obliged, route_of
from billing.einvoicing.reporting import Head, Paid, Sale
from billing.events.einvoicing import ReportPrepared
from billing.events.invoice import CreditNoteIssued, InvoiceIssued
from billing.events.party import Identity, PartyAmended, PartyRegistered
from billing.identity import stream
from billing.money import ZERO
from billing.refusal import Refused

TOPICS = tuple(
    kind.TOPIC for kind in (PartyRegistered, PartyAmended, InvoiceIssued, CreditNoteIssued)
)
Which = Literal["transactions", "payments"]


class Report(NamedTuple):
    """What was prepared, and what could not be told in it; no event when nothing was to tell."""

    prepared: ReportPrepared | None
    path: str
    aside: tuple[Aside, ...]


class _Known(NamedTuple):
    """A sale that goes by no platform, and where its client is."""

    sale: Sale
    abroad: bool


def report(
    app: Billing, house: House, supplier: str, which: Which, days: Period, folder: Path
) -> Report:
    """Writes the report of a period, and records it: IN the first time, RE in its place."""
    head = _head(app, house, supplier, which, days)
    known = list(_sales(app, house, supplier))
    aside: list[Aside] = [one for one in known if isinstance(one, Aside)]
    sales = [one for one in known if isinstance(one, _Known)]
    if which == "transactions":
        ours = [one for one in sales if one.sale.document.issued_on in days]
        data = reporting.transactions(
            head,
            [one.sale for one in ours if one.abroad],
            [one.sale for one in ours if not one.abroad],
        )
        documents, net, tax = len(ours), ZERO, ZERO
        for one in ours:
            sign = -1 if isinstance(one.sale.document, CreditNoteIssued) else 1
            net += sign * one.sale.document.net
            tax += sign * one.sale.document.tax
    else:
        paid = list(_paid(app, sales, days))
        data, left = reporting.payments(head, paid)
        aside += [Aside(text.partition(":")[0], text) for text in left]
        documents, tax = len({one.number for one in paid}), ZERO
        net = sum((one.movement.total for one in paid), ZERO)
    if not documents:
        return Report(None, "", tuple(aside))
    path = folder / f"EREPORTING_{head.id}.xml"
    event = ReportPrepared(
        report=head.id, supplier=supplier, kind=which, type_code=head.type_code, start=days.start,
        end=days.last_day, documents=documents, net=net, tax=tax,
        digest=hashlib.sha256(data).hexdigest(), file=path.name,
    )  # fmt: skip
    put(path, data)
    (event,) = app.stamp([event], *_stream(app, supplier, which, days))
    app.write([replace(event, recorded_at=head.at)])
    return Report(event, str(path), tuple(aside))


def _stream(app: Billing, supplier: str, which: Which, days: Period) -> tuple:  # type: ignore[type-arg]
    id = stream("ereport", f"{supplier}/{which}/{days.start}/{days.end}")
    return id, len(app.store.read_stream(id))


def _head(app: Billing, house: House, supplier: str, which: Which, days: Period) -> Head:
    company = house.company(supplier)
    if obliged("report", company, days.last_day) is None:
        raise Refused(
            f"{supplier}: a company of its size ({company.size}) need not report the days of "
            f"{days}; `billing outbox law` says since when each does"
        )
    if days.last_day > app.today:
        raise Refused(f"{days} is not over; today is {app.today}")
    if days.days < 2:
        raise Refused(f"{days}: a period of two days at least was expected")
    siren = siren_of(app, supplier)
    _, done = _stream(app, supplier, which, days)
    letter = which[0].upper()
    return Head(
        id=f"{siren}-{letter}-{days.start:%Y%m%d}-{days.last_day:%Y%m%d}-{done + 1}",
        at=app.clock(),
        type_code="RE" if done else "IN",
        platform=house.platform(supplier),
        supplier=party_of(app, supplier),
        days=days,
    )


def _sales(app: Billing, house: House, supplier: str) -> Iterator[_Known | Aside]:
    """What was sold since the obligation began, and goes by no platform."""
    company, listed = house.company(supplier), directory(app)
    parties: dict[str, Identity] = {}
    issued: dict[str, date] = {}
    for _, event in app.recorded(topics=TOPICS):
        if isinstance(event, PartyRegistered | PartyAmended):
            parties[event.party.code] = event.party
            continue
        assert isinstance(event, InvoiceIssued | CreditNoteIssued)
        if event.supplier != supplier or outside(event):
            continue
        if obliged("report", company, event.issued_on) is None:
            continue
        client = parties[event.client]
        known = listed.of(client.siren, client.code, event.issued_on) if client.siren else None
        try:
            route = route_of(client, listed=known is not None)
        except Refused as refusal:
            yield Aside(event.number, str(refusal))
            continue
        if route == "einvoice":
            continue
        credits_of = None
        if isinstance(event, CreditNoteIssued):
            credits_of = issued.get(event.credits)
        else:
            issued[event.number] = event.issued_on
        sale = Sale(event, client, parties[supplier].vat_on_debits, credits_of)
        yield _Known(sale, route == "abroad")


def _paid(app: Billing, sales: list[_Known], days: Period) -> Iterator[Paid]:
    """What was collected in the period of services taxed on collection."""
    told = {
        (one.sale.document.supplier, one.sale.document.number): one
        for one in sales
        if isinstance(one.sale.document, InvoiceIssued)
        and not one.sale.on_debits
        and reporting.taxed_on_collection(one.sale.document)
    }
    for key, movements in collected_of(app, told):
        one = told[key]
        for movement in movements:
            if movement.value_on in days:
                document = one.sale.document
                yield Paid(document.number, document.issued_on, one.abroad, movement)


__all__ = ["Report", "report"]
