"""Contracts over HTTP: how each stands on a day, what happened to it, what comes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
from eventsourcing.persistence import StoredEvent
from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from billing.application import Billing
from billing.application.contract_page import seen
from billing.application.outlook import forecast, parents_of
from billing.events import Event
from billing.record import from_stored
from projections import contracts as table
from projections import history
from projections.api import asking, shapes
from projections.api.access import Auditor, Caller, Reader
from projections.api.deps import AtDesk
from projections.api.lean import Lean
from projections.api.live import worked_out
from projections.api.queries.calendar import CALENDAR
from projections.api.queries.prices import PRICE, REVISION
from projections.api.resources import Resource, among, between, equals
from projections.bodies import json_of
from projections.telling import told
from projections.view import STATUSES, Told, contract_from, contract_id, happened_on

router = APIRouter(prefix="/v1/contracts", tags=["contracts"], route_class=Lean)
TAGS: Final = [{"name": "contracts", "description": "Contracts: how each stands, and its prices."}]
PARIS: Final = ZoneInfo("Europe/Paris")

# A contract then


def contracts_then(
    app: Billing, ids: Sequence[UUID], as_of: date | None, known_at: datetime | None
) -> Iterator[Told]:
    """The rows contracts had: from what was recorded by a moment, and by a day agreed or in effect.

    What was recorded by the day counts though it takes effect later: an end agreed, a price to
    come. What was recorded later counts if it takes effect by the day: a correction.
    """
    view = table.Contracts()
    streams: dict[UUID, list[Event]] = {}
    for stored in app.store.read_events(ids):
        event = from_stored(stored)
        if _counts(event, as_of, known_at):
            streams.setdefault(event.originator_id, []).append(event)
    for id, events in streams.items():
        yield from view.show(id, contract_from(events))


def _counts(event: Event, as_of: date | None, known_at: datetime | None) -> bool:
    if known_at is not None and event.recorded_at > known_at:
        return False
    if as_of is None or happened_on(event) <= as_of:
        return True
    return event.recorded_at.astimezone(PARIS).date() <= as_of


_PRICES: Final = '"prices":['
_FROM: Final = re.compile(r'"from":"([0-9-]{10})","unit_price"')


def _in_force(body: str, day: date) -> str:
    """The contract with its items at the prices of the day: those last agreed may be later."""
    if _PRICES not in body or max(_FROM.findall(body)) <= (told := day.isoformat()):
        return body
    contract = msgspec.json.decode(body)
    for item in contract["items"]:
        for price in item.get("prices", ()):
            if price["from"] <= told or price is item["prices"][0]:
                item["unit_price"], item["priced_since"] = price["unit_price"], price["from"]
    return json_of(contract)


# What is told

_PERIOD: Final = shapes.period("Days, the last not included")
_ITEM: Final = shapes.record(
    "An item of the cover",
    code=shapes.text("How the contract names it"),
    label=shapes.text("What it is"),
    kind=shapes.text("service, equipment, videoconference, option, access, volume or one_off"),
    quantity=shapes.exact("How many"),
    unit_price=shapes.exact("The price in force, in euros before tax"),
    priced_since=shapes.day("Since when"),
    per_months=shapes.whole("For how many months: 1 a month, 12 a year"),
    discount=shapes.exact("In percent"),
    discount_until=shapes.maybe(shapes.day("The last day of the discount")),
    since=shapes.day("The first day it is in the cover"),
    until=shapes.maybe(shapes.day("The day after the last one its fee is due for")),
    warranty_until=shapes.maybe(shapes.day("The last day of the manufacturer's warranty")),
    serial=shapes.text("Its serial number"),
    site=shapes.text("Where it is"),
    indexed=shapes.flag("Whether its price is revised"),
    vat=shapes.anything("Its VAT, where it is not the contract's"),
    added=shapes.whole("The version of the event that brought it into the cover"),
    prices=shapes.optional(
        shapes.several(
            shapes.record(
                **{"from": shapes.day("From that day on")},
                unit_price=shapes.exact("In euros before tax"),
                by=shapes.whole("The version of the event that set it"),
            ),
            "The prices still needed, where there are several; /prices has all of them",
        )
    ),
)
_MONEY: Final = shapes.exact("In euros before tax")
SCHEMA: Final = shapes.of_table(
    table.contract,
    (
        *("term_start", "term_end", "yearly_from", "next_instalment_on", "why_running"),
        "priced_from",
        *("aside_on", "aside_clause", "aside_reason", "aside_held"),
    ),
    status=shapes.one_of("How it stands on the day asked about", *STATUSES),
    since=shapes.maybe(shapes.day("Since when it stands so")),
    why=shapes.text("Why it stands so"),
    yearly=shapes.maybe(shapes.amount("Its yearly fee on the day, before tax; null: usage only")),
    term=shapes.maybe({**_PERIOD, "description": "The present term"}),
    yearly_fees=shapes.several(
        shapes.record(
            **{"from": shapes.day("From that day on")},
            amount=shapes.maybe(shapes.amount("A year, before tax")),
        ),
        "Its yearly fees, each until the next",
    ),
    means=shapes.text("How it is paid"),
    renewal=shapes.text("tacit, offer or none"),
    terms=shapes.text("The digest of its clauses: contracts of the same clauses have the same"),
    next_instalment=shapes.maybe(
        shapes.record("What is billed next", on=shapes.day("The day it is billed"), period=_PERIOD)
    ),
    noticed_end=shapes.maybe(shapes.day("The day it ends by a notice given")),
    set_aside=shapes.maybe(
        shapes.record(
            "What could not be done when it was due",
            due_on=shapes.day("When it was"),
            clause=shapes.text("The clause that could not be followed"),
            reason=shapes.text("Why"),
            held=shapes.flag("Its billing waits too, not only the clause"),
        )
    ),
    items=shapes.several(_ITEM, "What it covers"),
    **{
        name: shapes.optional(schema)
        for name, schema in {
            "offered": shapes.anything("The renewal offered, and whether it was accepted"),
            "charges": shapes.several(shapes.anything("A charge"), "Charges not billed yet"),
            "formal_notices": shapes.several(shapes.anything("A notice"), "Whose clock runs"),
            "to_be_returned": shapes.several(shapes.anything("An item"), "Faulty items awaited"),
            "substituted_indices": shapes.several(
                shapes.anything("A series and what replaces it"), "Indices replaced by decision"
            ),
            "deposits": shapes.several(shapes.anything("A deposit"), "Deposits invoiced"),
            "indemnity": _MONEY,
            "tasks_done": shapes.several(shapes.text("A task")),
        }.items()
    },
)


def _live(day: str) -> Mapping[str, str]:
    return {
        "status": table.status_sql(day),
        "since": table.since_sql(day),
        "why": table.why_sql(day),
        "yearly_cents": table.yearly_sql(day),
    }


_STATUS: Final = table.status_sql("{day}")
CONTRACT: Final = Resource(
    "Contract",
    "contract",
    "contracts",
    table.contract,
    ("number",),
    filters=(
        equals("client", "Who buys (a party's code)"),
        equals("supplier", "Who supplies (a party's code)"),
        among(
            "status",
            "How it stands on the day",
            STATUSES,
            f"{table.status_sql('{day}')} = {{value}}",
        ),
        equals("form", "The contract form it was signed on"),
        equals("parent", "The contract whose duration it follows"),
        *between("ends_on", "The day after its last"),
        *between("next_revision_on", "Its next revision"),
        *between("notice_by", "The last day for a notice"),
    ),
    live=_live,
    in_force=_in_force,
    in_force_from="priced_from",
    schema=SCHEMA,
    replay=contracts_then,
    beside=(table.yearly_fee,),
)


# Its history


def _with_data(line: Mapping[str, Any], caller: Caller) -> Mapping[str, Any]:
    """The event's own data, less what is personal where the caller is not to see it."""
    stored = StoredEvent(_NOWHERE, line["version"], line["topic"], bytes(line["data"]))
    return {"data": told(line["position"], stored, caller.personal)["data"]}


_NOWHERE: Final = UUID(int=0)
HISTORY: Final = Resource(
    "HistoryLine",
    "event",
    "history",
    history.history,
    ("position",),
    filters=(
        equals("topic", "What kind of event, such as contract.price_revised"),
        *between("on_day", "The day it is about", "on"),
    ),
    live=lambda day: {"data": "SELECT state FROM events WHERE events.position = history.position"},
    more=_with_data,
    under="stream = {value}",
    schema=shapes.of_table(
        history.history, data=shapes.anything("The event's own fields, as it was recorded")
    ),
)

SCHEDULE: Final = {
    one.name: one
    for one in (
        asking.whole("count", "How many invoices", 1, 60, default=12),
        asking.day("to", "None after that day"),
    )
}
CLAUSES: Final = {
    one.name: one
    for one in (
        asking.yes("words", "With the words of the contract, their source, the reading chosen"),
        asking.whole("version", "As they were at a version of the contract", 1),
    )
}
COMPONENTS: Final[dict[str, Any]] = {
    **CONTRACT.components,
    **HISTORY.components,
    "Schedule": shapes.record(
        "The next invoices, at the prices and indices of today",
        contract=shapes.text("The contract's number"),
        on=shapes.day("The day it was worked out"),
        invoices=shapes.several(
            shapes.record(
                "An invoice to come; amounts in euros",
                on=shapes.day("When it will be issued"),
                period=shapes.maybe(_PERIOD),
                net=shapes.amount("Before tax"),
                tax=shapes.amount("VAT"),
                gross=shapes.amount("Tax included"),
                due_on=shapes.day("The last day to pay it"),
                collected_on=shapes.maybe(shapes.day("The day of its direct debit")),
                means=shapes.text("How it will be paid"),
            )
        ),
        stopped=shapes.text("Why there are no more, where something stops them"),
    ),
    "Clauses": shapes.record(
        "What the contract says, clause by clause",
        contract=shapes.text("The contract's number"),
        version=shapes.whole("The version of the contract"),
        form=shapes.text("The contract form"),
        clauses=shapes.several(
            shapes.record(
                name=shapes.text("The clause"),
                terms=shapes.anything("Its parameters; null: the contract has none of it"),
                words=shapes.text("The contract's words"),
                source=shapes.text("Where they stand"),
                reading=shapes.text("How they are read, where that was a choice"),
            )
        ),
    ),
}


@router.get("", **CONTRACT.told_of_page("Contracts"))
async def list_contracts(request: Request, caller: Reader) -> Response:
    """Contracts by number: how each stands on the day, its price, its dates. Amounts in euros."""
    return await CONTRACT.page(request, caller)


@router.get("/{number}", **CONTRACT.told_of_row("A contract"))
async def show_contract(request: Request, caller: Reader, number: str) -> Response:
    """A contract by its number, as it stands today or on another day (`as_of`).

    `known_at` leaves out what was recorded later. What was recorded by the day asked about counts
    though it takes effect later (an end agreed, a price to come); what was recorded later counts
    if it took effect by then (a correction). Amounts in euros.
    """
    return await CONTRACT.row(request, caller, [number])


@router.get("/{number:path}/history", **HISTORY.told_of_page("What happened to a contract"))
async def list_contract_history(request: Request, caller: Auditor, number: str) -> Response:
    """Every event of the contract in the order it was recorded, in words and with its data."""
    await CONTRACT.must_be(request, [number])
    return await HISTORY.page(request, caller, [request.app.state.reads.id_of(contract_id(number))])


@router.get("/{number:path}/prices", **PRICE.told_of_page("The prices of a contract"))
async def list_contract_prices(request: Request, caller: Reader, number: str) -> Response:
    """Every price an item has had, in euros before tax: from when, until when, set by what."""
    await CONTRACT.must_be(request, [number])
    return await PRICE.page(request, caller, also=("contract", number))


@router.get("/{number:path}/revisions", **REVISION.told_of_page("The revisions of a contract"))
async def list_contract_revisions(request: Request, caller: Reader, number: str) -> Response:
    """Each revision of its prices: the formula, the indices read, the coefficient, the fees."""
    await CONTRACT.must_be(request, [number])
    return await REVISION.page(request, caller, also=("contract", number))


@router.get("/{number:path}/calendar", **CALENDAR.told_of_page("The dates to come of a contract"))
async def list_contract_calendar(request: Request, caller: Reader, number: str) -> Response:
    """What is to be sent, done or expected, and what passed with something left to do (`late`)."""
    await CONTRACT.must_be(request, [number])
    return await CALENDAR.page(request, caller, also=("contract", number))


@router.get(
    "/{number:path}/schedule",
    **shapes.documented(
        "The next invoices of a contract",
        shapes.named("Schedule"),
        SCHEDULE,
        shapes.EXAMPLES.get("Schedule"),
        missing="There is no such contract",
    ),
)
async def show_schedule(request: Request, caller: Reader, desk: AtDesk, number: str) -> Response:
    """What the runs to come would bill at the prices and indices of today, in euros (échéancier).

    Revisions to come are left out, since their indices are not known; renewals are not.
    """
    asked = asking.asked(request, SCHEDULE)
    await CONTRACT.must_be(request, [number])
    app = desk.billing

    def work() -> Any:
        (row,) = app.store.states("contract", names=[number])
        ahead = forecast(
            app.contract_of(row),
            app.book(),
            app.today,
            asked.get("count", 12),
            asked.get("to") and date.fromordinal(asked.values["to"].toordinal() + 1),
            parents_of(app),
        )
        invoices = [one._asdict() for one in ahead.invoices]
        return {"contract": number, "on": app.today, "invoices": invoices, "stopped": ahead.stopped}

    return await worked_out(request, work)


@router.get(
    "/{number:path}/clauses",
    **shapes.documented(
        "What a contract says",
        shapes.named("Clauses"),
        CLAUSES,
        shapes.EXAMPLES.get("Clauses"),
        missing="There is no such contract",
    ),
)
async def show_clauses(request: Request, caller: Reader, desk: AtDesk, number: str) -> Response:
    """Its clauses with their parameters; and the contract's own words for each."""
    asked = asking.asked(request, CLAUSES)
    await CONTRACT.must_be(request, [number])

    def work() -> Any:
        page = seen(desk.billing, number, asked.get("version"), asked.get("words", False))
        return {
            "contract": number,
            "version": page.version,
            "form": page.form,
            "clauses": [msgspec.structs.asdict(one) for one in page.clauses],
        }

    return await worked_out(request, work)


# A number may hold slashes: looked for when nothing above is meant.
router.add_api_route("/{number:path}", show_contract, methods=["GET"], include_in_schema=False)
