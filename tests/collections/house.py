"""A house that collects: companies, clients, contracts, mandates and invoices, as events.

`python -m tests.collections.house URL DIR DAY WHERE` collects in a process of its own, which kills
itself (kill -9) at the point WHERE names, if any.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal as D
from pathlib import Path
from typing import Any

from billing.application import Billing, collections
from billing.clauses import Terms
from billing.clauses.fees import Item
from billing.clauses.payment import Payment
from billing.clauses.vat import VatTotal
from billing.contract.sign import Signing, sign
from billing.events import Event, stamped
from billing.events.invoice import InvoiceIssued
from billing.events.party import MandateSigned, PartyRegistered
from billing.identity import contract_id, invoice_id, stream
from tests import another
from tests.known import party

ICS = "FR13222449274"
ICS_2 = "FR21ZZZ990002"
CREDITOR = "FR7613506100008511675631022"
IBANS = (
    "FR7630006000011234567890189",
    "FR1420041010050500013M02606",
    "FR7699999000011001111111009",
)
AT = datetime(2025, 12, 1, 9, tzinfo=UTC)
DEBITED = Terms(payment=Payment(means="direct_debit", debit_day=1))


def day(text: str) -> date:
    """A day as it is written: 2026-11-01."""
    return date.fromisoformat(text)


def opened(url: str, on: str | date, hour: int = 8) -> Billing:
    """The application on that database, at nine in Paris of that day (in winter)."""
    on = day(on) if isinstance(on, str) else on
    clock = datetime(on.year, on.month, on.day, hour, tzinfo=UTC)
    return Billing({"DATABASE_URL": url}, clock=lambda: clock, user="test")


def company(code: str, ics: str = ICS, iban: str = CREDITOR) -> Event:
    """A company that collects."""
    more = {"iban": iban, "creditor_identifier": ics, "bic": "AGRIFRPP835"}
    known = PartyRegistered(party=party(code, name=f"Société {code}", **more))
    return _at(known, stream("party", code))


def client(code: str, category: Any = "professional", **more: Any) -> Event:
    """A client."""
    known = PartyRegistered(party=party(code, name=f"Cliente {code}", category=category, **more))
    return _at(known, stream("party", code))


def mandate(reference: str, debtor: str, creditor: str = "S", **more: Any) -> Event:
    """A mandate, signed on 1 December 2025 unless said."""
    signed = MandateSigned(
        **{
            "reference": reference,
            "creditor": creditor,
            "creditor_identifier": ICS,
            "debtor": debtor,
            "iban": IBANS[0],
            "signed_on": date(2025, 12, 1),
        }
        | more
    )
    return _at(signed, stream("mandate", reference))


def contract(number: str, debtor: str, under: str, terms: Terms = DEBITED, **more: Any) -> Event:
    """A contract of 100 € a month from January 2026, collected under a mandate."""
    signing = Signing(
        **{
            "number": number,
            "form": "plain",
            "form_digest": "",
            "supplier": "S",
            "client": debtor,
            "signed_on": date(2025, 12, 1),
            "starts_on": date(2026, 1, 1),
            "terms": terms,
            "items": (Item(code="A", label="Poste", unit_price=D("100.00")),),
            "mandate": under,
        }
        | more
    )
    return _at(sign(signing, BOOK), contract_id(number))


def invoice(
    number: str,
    debtor: str,
    of: str,
    under: str,
    collected_on: str | date,
    gross: str = "120.00",
    **more: Any,
) -> Event:
    """An invoice of 1 January 2026, due and debited on that day."""
    on = day(collected_on) if isinstance(collected_on, str) else collected_on
    gross_, net = D(gross), (D(gross) / D("1.2")).quantize(D("0.01"))
    vat = VatTotal(D(20), net, gross_ - net, "S", "")
    issued = InvoiceIssued(
        **{
            "number": number,
            "supplier": "S",
            "client": debtor,
            "contract": of,
            "contract_version": 1,
            "issued_on": date(2026, 1, 1),
            "due_on": min(on, date(2026, 1, 31)),
            "lines": (),
            "vat": (vat,),
            "net": net,
            "tax": gross_ - net,
            "gross": gross_,
            "means": "direct_debit",
            "collected_on": on,
            "mandate": under,
        }
        | more
    )
    return _at(issued, invoice_id(issued.supplier, number))


def _at(event: Event, id: Any) -> Event:
    return stamped(event, id, 1, AT, "test")


def ready(url: str, *events: Event | Iterable[Event]) -> None:
    """The house as these events leave it, before it collects."""
    flat: list[Event] = []
    for event in events:
        flat += [event] if isinstance(event, Event) else list(event)
    with opened(url, "2025-12-01") as app:
        app.publish_shipped()
        for first in range(0, len(flat), 5_000):
            app.write(flat[first : first + 5_000])


def plain(count: int = 1, collected_on: str = "2026-02-02", terms: Terms = DEBITED) -> list[Event]:
    """A company, and so many clients of one invoice each: 120, 121, 122 € …"""
    events = [company("S")]
    for place in range(count):
        code, under = f"C{place:05d}", f"RUM-{place:05d}"
        events += [
            client(code),
            mandate(under, code, iban=IBANS[place % 2]),
            contract(f"K{place:05d}", code, under, terms),
            invoice(
                f"F{place:05d}", code, f"K{place:05d}", under, collected_on, f"{120 + place}.00"
            ),
        ]
    return events


def _book() -> Any:
    from indices import shipped

    return shipped()


BOOK = _book()


# Another process


def collecting(url: str, out: Path, on: str, where: str = "") -> another.Ended:
    """A collection by another process, killed at that point if one is said."""
    return another.done("tests.collections.house", url, out, on, where)


def _die(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _killed(where: str) -> None:
    """Arms the point at which this process dies."""
    from billing.documents import pain008
    from billing.store import Tx

    if where == "while the file is written":
        pain008._reread = _die  # type: ignore[assignment]
    elif where == "before the record":
        Tx.append = _die  # type: ignore[assignment,method-assign]
    elif where == "before the commit":
        Tx._commit = _die  # type: ignore[method-assign]
    elif where == "before the name":
        collections._give_name = _die  # type: ignore[assignment]
    elif where == "after the name":
        from billing.application import receivables

        follow, calls = receivables.follow, []

        def once(store: Any) -> int:  # The book is followed once before the plan.
            calls.append(store)
            return _die() or 0 if len(calls) > 1 else follow(store)

        receivables.follow = once
    elif where:
        raise ValueError(where)


def main(url: str, out: str, on: str, where: str = "") -> None:
    """Collects; prints the files made."""
    _killed(where)
    with opened(url, on) as app:
        done = collections.collect(app, Path(out), collections.Asked())
    for file in done.files:
        print(file.message, file.debits, file.total)


if __name__ == "__main__":
    main(*sys.argv[1:])
