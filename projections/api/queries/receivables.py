"""What is owed, over HTTP: documents, ages, accounts, payments, interest to date."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

import msgspec
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from billing.application import Billing
from billing.application.balances import Balance, statement
from billing.clauses.interest import Stretch
from projections import receivables as table
from projections import receivables_at
from projections.api import asking, problems, shapes
from projections.api.access import Reader
from projections.api.asking import Asked, Parameter
from projections.api.deps import AtDesk
from projections.api.lean import Lean
from projections.api.live import worked_out
from projections.api.positions import wait_for
from projections.api.queries.parties import PARTY
from projections.api.resources import Order, Resource, among, between, equals, whether
from projections.view import Told, invoice_id

router = APIRouter(prefix="/v1", tags=["receivables"], route_class=Lean)
TAGS: Final = [
    {"name": "receivables", "description": "What is owed, by whom, how late; payments received."}
]
KINDS: Final = ("invoice", "deposit", "debit_note")
MEANS: Final = ("transfer", "cheque", "card", "cash", "direct_debit")


def receivables_then(
    app: Billing, ids: Sequence[UUID], as_of: date | None, known_at: datetime | None
) -> Iterator[Told]:
    """The rows documents had: what was owed on a day counts value days."""
    for id, one in receivables_at.documents_at(app, ids, as_of, known_at).items():
        yield from table.document_rows(id, one)


_MOVEMENT: Final = shapes.record(
    "What changed the amount owed",
    on=shapes.day("The day it counts from: a value day"),
    amount=shapes.amount("What less is owed by it; negative: more is"),
    kind=shapes.one_of("What it is", "payment", "reversal", "credit", "write_off"),
    source=shapes.text("The payment, the direct debit or the credit note it comes from"),
    source_kind=shapes.text("payment, collection, credit_note or set_off; '' for a refund"),
)
RECEIVABLE: Final = Resource(
    "Receivable",
    "document",
    "receivables",
    table.receivable,
    ("supplier", "number"),
    filters=(
        equals("supplier", "To whom it is owed (a party's code)"),
        equals("client", "Who owes it (a party's code)"),
        equals("contract", "The contract it is billed under"),
        among("kind", "What kind of document", KINDS),
        whether(
            "open",
            "Whether anything is owed on it, or owed back",
            "owed_cents <> 0",
            "owed_cents = 0",
        ),
        whether(
            "late",
            "Whether it is late on the day",
            "owed_cents > 0 AND late_from <= {day}",
            "(owed_cents <= 0 OR late_from IS NULL OR late_from > {day})",
        ),
        whether(
            "disputed",
            "Whether the client contests it",
            "disputed_on IS NOT NULL",
            "disputed_on IS NULL",
        ),
        *between("due_on", "The last day to pay it"),
        *between("issued_on", "The day the document bears"),
    ),
    orders=(Order(("due_on", "supplier", "number")),),
    on_day=table.on_day,
    schema=shapes.of_table(
        table.receivable,
        (
            "retention_cents",
            "retention",
            "withheld_on",
            "released_on",
            "reminded",
            "interest",
            "fee",
            "moved_on",
            "returns",
        ),
        period=shapes.maybe(shapes.period("The days billed")),
        retention=shapes.maybe(
            shapes.record(
                "The guarantee the client keeps, or kept (retenue de garantie)",
                amount=shapes.amount("What"),
                withheld_on=shapes.day("Since when"),
                released_on=shapes.maybe(shapes.day("The day it was released")),
            )
        ),
        reminders=shapes.several(
            shapes.record(level=shapes.whole("Its level"), sent_on=shapes.day("When it was sent")),
            "Reminders sent",
        ),
        interest_charged=shapes.amount("Late interest charged so far"),
        fee_charged=shapes.amount("Recovery fee charged (indemnité forfaitaire)"),
        debit_notes=shapes.several(
            shapes.record(
                kind=shapes.text("late_interest or recovery_fee"),
                number=shapes.text("The debit note"),
                amount=shapes.amount("What it claims of this document"),
            ),
            "Who claims what for its lateness",
        ),
        debits=shapes.several(
            shapes.record(
                end_to_end=shapes.text("Its name within the creditor"),
                amount=shapes.amount("What is debited"),
                collected_on=shapes.day("The day asked for"),
                settled_on=shapes.maybe(shapes.day("The day the bank credited it")),
                returned_on=shapes.maybe(shapes.day("The day it came back")),
            ),
            "Its direct debits",
        ),
        movements=shapes.several(_MOVEMENT, "What changed the amount owed"),
        days_late=shapes.whole("How late it is on the day asked about; 0 while it is not"),
        age=shapes.text("Its column in the aged balance; '' when nothing is owed"),
    ),
    replay=receivables_then,
)
PAYMENT: Final = Resource(
    "Payment",
    "payment",
    "receivables",
    table.payment,
    ("supplier", "reference"),
    filters=(
        equals("supplier", "Who received it (a party's code)"),
        equals("client", "Who paid (a party's code)"),
        among("means", "How it came", MEANS),
        whether("left", "Whether anything of it is left", "left_cents <> 0", "left_cents = 0"),
        whether("identified", "Whether it is known who paid", "client <> ''", "client = ''"),
        *between("value_on", "The day its funds were available"),
    ),
    orders=(Order(("value_on", "supplier", "reference"), down=True),),
    schema=shapes.of_table(
        table.payment,
        entry=shapes.text("The bank's line it came by; '' where it was told by hand"),
        allocated=shapes.several(
            shapes.record(
                on=shapes.day("Value day"),
                document=shapes.text("The document it pays"),
                amount=shapes.amount("What; negative: taken back"),
            ),
            "Where it went",
        ),
        refunds=shapes.several(
            shapes.record(on=shapes.day("When"), amount=shapes.amount("What")), "What went back"
        ),
        payer=shapes.personal(shapes.text("Who paid, in the bank's words")),
        payer_iban=shapes.personal(shapes.text("From which account")),
        remittance=shapes.personal(shapes.text("What the payer wrote")),
    ),
)


def _named(*parameters: Parameter) -> dict[str, Parameter]:
    return {one.name: one for one in parameters}


_SUPPLIER: Final = asking.text("supplier", "Of one company only (a party's code)")
AGED: Final = _named(
    asking.AS_OF, asking.text("client", "Of one client only (a party's code)"), _SUPPLIER,
    asking.AT_LEAST,
)  # fmt: skip
STATEMENT: Final = _named(
    asking.day("from", "The first day; the account's beginning when not said"),
    asking.day("to", "The last day; today when not said"),
    _SUPPLIER,
)
INTEREST: Final = _named(asking.AS_OF, asking.KNOWN_AT, asking.AT_LEAST)

COMPONENTS: Final[dict[str, Any]] = {
    **RECEIVABLE.components,
    **PAYMENT.components,
    **shapes.of_types(Balance, Stretch),
    "Statement": shapes.record(
        "A client's account from a day to another, both inclusive; tax included",
        client=shapes.text("Whose account (a party's code)"),
        start=shapes.day("The first day"),
        end=shapes.day("The last day"),
        opening=shapes.amount("What was owed before the first day"),
        entries=shapes.several(
            shapes.record(
                on=shapes.day("When"),
                what=shapes.text("What happened"),
                reference=shapes.text("The document, the payment or the debit"),
                debit=shapes.amount("What is owed more"),
                credit=shapes.amount("What is owed less"),
                balance=shapes.amount("What is owed then; negative: to the client"),
            )
        ),
        closing=shapes.amount("What is owed at the end of the last day"),
    ),
    "Lateness": shapes.record(
        "What the lateness of a document comes to; amounts in euros, outside VAT",
        supplier=shapes.text("To whom it is owed"),
        number=shapes.text("The document"),
        until=shapes.day("Up to that day, inclusive"),
        interest=shapes.amount("Late interest to date, whatever was charged"),
        stretches=shapes.several(shapes.named("Stretch"), "Days at one rate on one principal"),
        fee=shapes.amount("The recovery fee (indemnité forfaitaire)"),
        to_charge=shapes.amount("What no debit note claims yet; negative: they claim too much"),
        unknown=shapes.text("Which rate is not published: then nothing is counted"),
    ),
}


@router.get("/receivables", **RECEIVABLE.told_of_page("What is owed, document by document"))
async def list_receivables(request: Request, caller: Reader) -> Response:
    """What each document claims, what was paid, credited, written off, what is left, in euros.

    With `as_of`, what was owed at the end of that day: movements count from their value days.
    """
    return await RECEIVABLE.page(request, caller)


@router.get(
    "/receivables/aged",
    **shapes.documented(
        "What is owed by client and age",
        shapes.named("Balance"),
        AGED,
        shapes.EXAMPLES.get("Balance"),
    ),
)
async def show_aged_balance(request: Request, caller: Reader, desk: AtDesk) -> Response:
    """The aged balance of a day (balance âgée): by client, in euros, tax included, by days late.

    `credit` is what is the client's: payments not allocated, documents paid too much.
    """
    asked = asking.asked(request, AGED)
    await request.app.state.reads.caught_up()
    if asked.at_least:
        await wait_for(desk, asked.at_least, [RECEIVABLE.view])
    client, supplier = asked.get("client"), asked.get("supplier", "")

    def work() -> Any:
        desk.billing.must_know(client, supplier)
        with desk.reading() as connection:
            day = asked.get("as_of", desk.billing.today)
            return receivables_at.aged(connection, day, client, supplier)

    return await worked_out(request, work)


@router.get(
    "/receivables/interest",
    **RECEIVABLE.told_of_page("What the lateness of each document comes to", instead="Lateness"),
)
async def list_interest(request: Request, caller: Reader, desk: AtDesk) -> Response:
    """Late interest and the recovery fee to a day, in euros, outside VAT: of each document of the
    list, filtered like it; of one that was never late, 0.

    `late=yes` has those that are late on the day; what was paid late has its interest too.
    """

    def lateness(rows: Sequence[Any], asked: Asked) -> list[dict[str, Any]]:
        return _lateness(desk.billing, [(row["supplier"], row["number"]) for row in rows], asked)

    return await RECEIVABLE.page(request, caller, instead=lateness)


@router.get(
    "/receivables/{supplier}/{number:path}/interest",
    **shapes.documented(
        "What the lateness of a document comes to",
        shapes.named("Lateness"),
        INTEREST,
        shapes.EXAMPLES.get("Lateness"),
        missing="There is no such document",
    ),
)
async def show_interest(
    request: Request, caller: Reader, desk: AtDesk, supplier: str, number: str
) -> Response:
    """Late interest and the recovery fee to a day, in euros, stretch by stretch; outside VAT."""
    asked = asking.asked(request, INTEREST)
    if asked.at_least:
        await wait_for(desk, asked.at_least, [RECEIVABLE.view])
    await RECEIVABLE.must_be(request, [supplier, number])

    def work() -> Mapping[str, Any]:
        for found in _lateness(desk.billing, [(supplier, number)], asked):
            return found
        raise problems.unknown(RECEIVABLE.one, f"{supplier}/{number}")

    return await worked_out(request, work)


def _lateness(app: Billing, keys: Sequence[tuple[str, str]], asked: Asked) -> list[dict[str, Any]]:
    """What the lateness of documents comes to, of those there were, in the order asked for."""
    ids = [invoice_id(*key) for key in keys]
    then = receivables_at.documents_at(app, ids, asked.get("as_of"), asked.get("known_at"))
    accrued = receivables_at.accrued(app, then.values(), asked.get("as_of", app.today))
    return [
        {
            "supplier": key[0],
            "number": key[1],
            "until": found.until,
            "interest": found.interest.amount,
            "stretches": found.interest.stretches,
            "fee": found.fee,
            "to_charge": found.to_charge,
            "unknown": found.unknown,
        }
        for key in keys
        if (found := accrued.get(key)) is not None
    ]


@router.get(
    "/receivables/{supplier}/{number:path}", **RECEIVABLE.told_of_row("What is owed on a document")
)
async def show_receivable(request: Request, caller: Reader, supplier: str, number: str) -> Response:
    """A document by the company it is owed to and its number: amounts in euros, movements, debits.

    With `as_of`, what was owed at the end of that day: movements count from their value days.
    """
    return await RECEIVABLE.row(request, caller, [supplier, number])


@router.get("/payments", **PAYMENT.told_of_page("Payments received"))
async def list_payments(request: Request, caller: Reader) -> Response:
    """Payments, what documents had of each, and what is left, in euros. Who paid, in the bank's
    words, is for the scope `personal`."""
    return await PAYMENT.page(request, caller)


@router.get("/payments/{supplier}/{reference:path}", **PAYMENT.told_of_row("A payment received"))
async def show_payment(request: Request, caller: Reader, supplier: str, reference: str) -> Response:
    """A payment by the company that received it and its reference."""
    return await PAYMENT.row(request, caller, [supplier, reference])


@router.get(
    "/clients/{code:path}/statement",
    **shapes.documented(
        "A client's account",
        shapes.named("Statement"),
        STATEMENT,
        shapes.EXAMPLES.get("Statement"),
        missing="There is no such client",
    ),
)
async def show_statement(request: Request, caller: Reader, desk: AtDesk, code: str) -> Response:
    """The lines of the account with the running balance, in euros with tax (relevé de compte)."""
    asked = asking.asked(request, STATEMENT)
    await PARTY.must_be(request, [code])
    app = desk.billing
    last = asked.get("to", app.today)

    def work() -> Any:
        told = statement(app, code, asked.get("from"), last, asked.get("supplier", ""))
        entries = [one._asdict() for one in told.entries]
        return msgspec.structs.asdict(told) | {"entries": entries}

    return await worked_out(request, work)
