"""A portfolio to measure on: N contracts of the five forms, twenty events each, ready for July.

A few hundred lives are lived month after month by the engine's own decisions, from the signature
to June 2024. Each contract is one of these lives under its own number, mandate and stream. The
log is written in the order of the calendar, through the bulk path, and folded by the engine:
nothing is random, so the same N gives the same log.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

import billing
from billing.application import Billing
from billing.clauses import Terms
from billing.clauses.fees import Item
from billing.contract import cover, renew
from billing.contract.sign import Signing, sign
from billing.contract.state import Contract, apply
from billing.dates import add_months
from billing.events.base import stamped
from billing.events.contract import ContractEvent, FaultyItemReturned
from billing.events.index import IndexPublished
from billing.events.party import PartyRegistered
from billing.forms import load_form
from billing.identity import contract_id, stream
from billing.month import Series, Stamp, decide, issue
from billing.record import to_stored
from billing.store.schema import stored_event
from indices import IndexBook, Observation
from tests.known import party, register

MONTH = date(2024, 7, 1)
"""The month that is billed: Syntec revisions, renewals of contracts that began in a July."""

SIGNED = datetime(2022, 11, 1, 6, tzinfo=UTC)
NOW = datetime(2024, 7, 1, 6, tzinfo=UTC)
EVENTS = 20
VARIANTS = 36
BATCH = 20_000

# The number a life is lived under, and its parent's: replaced by those of each contract.
NUMBER = "BC-@@@@@@@"
PARENT = "BC-%%%%%%%"

SUPPLIERS = {
    "integral-micro": "INTEGRALMICRO",
    "alliance-telecom": "ALLIANCE",
    "chronotech-sauvegarde": "CHRONOTECH",
    "chronotech": "CHRONOTECH",
    "si-contact": "SICONTACT",
    "pixel-tech": "PIXELTECH",
}
PREFIXES = {
    "INTEGRALMICRO": "IM",
    "ALLIANCE": "AT",
    "CHRONOTECH": "CH",
    "SICONTACT": "SC",
    "PIXELTECH": "PT",
}
# The indices of Alliance's formula came out each month at these made-up values: the shipped
# series of both has one public value only.
MADE_UP = {"FSD2": Decimal("128.0"), "ICHTREV_TS_IME": Decimal("131.5")}


class Life(NamedTuple):
    """What one contract went through, as stored events by month, and how it ended up."""

    months: dict[date, tuple[tuple[int, str, bytes], ...]]
    contract: Contract


Act = Callable[[Contract, date], Iterable[ContractEvent]]


class Kind(NamedTuple):
    """One way of signing one form, and what happens during such a contract."""

    form: str
    variant: str
    overrides: dict[str, Any]
    items: tuple[tuple[str, str, int, str], ...]  # Code, euros, months, kind.
    acts: tuple[Act, ...]
    quiet: Act  # What happens, without any charge, until there are twenty events.


def _add(code: str, price: str, per_months: int, kind: Any = "equipment") -> Act:
    def act(contract: Contract, month: date) -> Iterator[ContractEvent]:
        item = Item(
            code=code,
            label=f"Maintenance {code.lower()}",
            unit_price=Decimal(price),
            per_months=per_months,
            kind=kind,
            warranty_until=date(2029, 12, 31) if kind == "videoconference" else None,
            list_price=Decimal("3400.00") if kind == "videoconference" else None,
        )
        return cover.add_equipment(contract, item, month + timedelta(days=9))

    return act


def _option(code: str, price: str) -> Act:
    def act(contract: Contract, month: date) -> Iterator[ContractEvent]:
        item = Item(
            code=code, label=f"Option {code.lower()}", unit_price=Decimal(price), kind="option"
        )
        return cover.subscribe(contract, item, month + timedelta(days=14))

    return act


def _usage(code: str, used: str) -> Act:
    def act(contract: Contract, month: date) -> Iterator[ContractEvent]:
        before = add_months(month, -1)
        if (code, before) in contract.measured:
            return _check(contract, month)
        return cover.measure(contract, code, before, Decimal(used))

    return act


def _removal(contract: Contract, month: date) -> Iterator[ContractEvent]:
    book = IndexBook((), ())  # Read only where a removal is credited; no form here does.
    last = [covered for covered in contract.items if covered.until is None][-1]
    return cover.remove_equipment(contract, last.item.code, month + timedelta(days=19), book, ())


def _work(contract: Contract, month: date) -> Iterator[ContractEvent]:
    return cover.do_work(
        contract,
        "INTERVENTION",
        month + timedelta(days=6),
        Decimal("2.5"),
        "Intervention",
        Decimal("75.00"),
        f"D-{month:%y%m}",
        month,
    )


def _offer(contract: Contract, month: date) -> Iterator[ContractEvent]:
    return renew.offer(contract, month, reference=f"O-{month:%y%m}")


def _exchange(contract: Contract, month: date) -> Iterator[ContractEvent]:
    code = contract.items[0].item.code
    yield from cover.ship_replacement(contract, code, month)
    yield FaultyItemReturned(code=code, returned_on=month + timedelta(days=8))


def _check(contract: Contract, month: date) -> Iterator[ContractEvent]:
    code = contract.items[0].item.code
    return cover.check_equipment(contract, code, month + timedelta(days=3), working=True)


_COMPUTERS = (
    ("SERVEUR", "95.00", 1, "equipment"),
    ("POSTE-1", "32.50", 1, "equipment"),
    ("POSTE-2", "32.50", 1, "equipment"),
    ("SAUVEGARDE", "45.00", 1, "service"),
)
_INTEGRAL = (
    _add("POSTE-3", "32.50", 1),
    _usage("SAUVEGARDE", "112.4"),
    _option("SITE", "18.00"),
    _add("POSTE-4", "33.90", 1),
    _work,
    _removal,
    _usage("SAUVEGARDE", "104"),
)
_STORAGE = {"meters": [{"code": "SAUVEGARDE", "included": 100}]}
_ALLIANCE_INDICES = {
    "revision": {
        "indices": [
            {"weight": "0.20", "series": "FSD2", "name": "PsdT"},
            {"weight": "0.80", "series": "ICHTREV_TS_IME", "name": "S"},
        ]
    }
}

KINDS = {
    "monthly": Kind(
        "integral-micro", "", _STORAGE, _COMPUTERS, _INTEGRAL, _usage("SAUVEGARDE", "61.7")
    ),
    "quarterly": Kind(
        "integral-micro",
        "",
        {**_STORAGE, "schedule": {"every_months": 3}},
        _COMPUTERS,
        _INTEGRAL,
        _usage("SAUVEGARDE", "58"),
    ),
    "yearly": Kind(
        "integral-micro",
        "",
        {**_STORAGE, "schedule": {"every_months": 12}},
        _COMPUTERS,
        _INTEGRAL,
        _usage("SAUVEGARDE", "99.5"),
    ),
    "rental": Kind(
        "alliance-telecom",
        "rental",
        {"cover": {"needs_acceptance": False}},
        (("CALLMASTER", "129.00", 1, "service"), ("AGENT", "29.00", 1, "option")),
        (_usage("MOBILE", "7320"), _option("AGENT", "29.00"), _usage("FIXE", "48210"), _removal),
        _usage("FIXE", "0"),
    ),
    "maintenance": Kind(
        "alliance-telecom",
        "maintenance",
        _ALLIANCE_INDICES,
        (("CALLMASTER", "2160.00", 12, "equipment"), ("AGENTS", "24.00", 1, "equipment")),
        (_add("POSTE-OPERATEUR", "12.40", 1), _work, _add("ENREGISTREUR", "540.00", 12), _removal),
        _check,
    ),
    "backup": Kind(
        "chronotech-sauvegarde",
        "",
        {},
        (("LOGICIEL", "39.00", 1, "service"),),
        (_work, _add("LOGICIEL-2", "19.00", 1, "service")),
        _check,
    ),
    "copy": Kind(
        "chronotech",
        "",
        {"overrun": {"then": "subscribe", "step": 100, "step_price": "0.12"}},
        (("VOLUME", "24.00", 1, "volume"), ("ACCES", "12.00", 1, "access")),
        (_add("ACCES", "6.00", 1, "access"), _add("VOLUME", "12.00", 1, "volume")),
        _check,
    ),
    "sites": Kind(
        "si-contact",
        "",
        {"renewal": {"term_months": 36}},
        (
            ("VISIO-1", "1500.00", 12, "videoconference"),
            ("VISIO-2", "900.00", 12, "videoconference"),
        ),
        (
            _add("AUDIO-1", "420.00", 12),
            _exchange,
            _work,
            _exchange,
            _add("VISIO-3", "900.00", 12, "videoconference"),
            _work,
            _exchange,
            _work,
            _work,
        ),
        _check,
    ),
    "licence": Kind(
        "pixel-tech",
        "",
        {},
        (("CALDERA", "890.00", 12, "service"),),
        (
            _work,
            _add("CALDERA-2", "445.00", 12, "service"),
            _work,
            _offer,
            _work,
            _work,
            _work,
            _work,
        ),
        _check,
    ),
}
# Twenty contracts in a row: 70 % billed each month, a quarterly one, the others by the year. A
# copy follows the backup signed just before it.
ROUND = (
    "monthly",
    "rental",
    "backup",
    "copy",
    "monthly",
    "sites",
    "maintenance",
    "monthly",
    "licence",
    "quarterly",
    "monthly",
    "rental",
    "backup",
    "copy",
    "monthly",
    "sites",
    "maintenance",
    "yearly",
    "monthly",
    "licence",
)


def number_of(place: int) -> str:
    """The number of a contract, by its place in the portfolio."""
    return f"BC-{place:07d}"


def kind_of(place: int) -> tuple[str, int]:
    """Which life the contract at that place has had."""
    return ROUND[place % len(ROUND)], place // len(ROUND) % VARIANTS


def open_at(url: str) -> Billing:
    """The application on that database, on the first of the month to bill."""
    return Billing(env={"DATABASE_URL": url}, clock=lambda: NOW, user="bench")


def create(url: str, contracts: int) -> tuple[int, int]:
    """Writes the portfolio into an empty database; how many events and states it has."""
    app = open_at(url)
    prepare(app)
    book = app.book()
    lives: dict[tuple[str, int], Life] = {}
    for place in range(min(contracts, len(ROUND) * VARIANTS)):
        kind, variant = kind_of(place)
        if (kind, variant) not in lives:
            parent = lives["backup", variant].contract if kind == "copy" else None
            lives[kind, variant] = live(KINDS[kind], variant, book, parent)
    stored = _log(contracts, lives)
    while batch := list(islice(stored, BATCH)):
        encoded = app.store.encode(batch)
        with app.store.transaction() as tx:
            tx.append(encoded)
    states = app.rebuild_states()
    events = app.store.log_position()
    app.close()
    app.store.close()
    return events, states


def prepare(app: Billing) -> None:
    """Records the published series and the suppliers."""
    app.publish_shipped()
    for series, value in MADE_UP.items():
        row = app.store.state("index", series)
        assert row is not None
        values = tuple(
            Observation(
                series,
                f"{month:%Y-%m}",
                value + Decimal(rank) / 10,
                add_months(month, 3),
                "made up for the benchmark",
            )
            for rank, month in enumerate(add_months(date(2022, 1, 1), n) for n in range(30))
            if add_months(month, 3) <= MONTH
        )
        app.write(
            app.stamp([IndexPublished(series=series, observations=values)], row.id, row.version)
        )
    for code, prefix in PREFIXES.items():
        register(app, code, invoice_prefix=prefix)


@cache
def terms_of(form: str, variant: str, overrides: str, parent: Terms | None) -> tuple[Terms, str]:
    """The terms a form gives with these overrides, and the form's digest."""
    folder = Path(billing.__file__).parent / "demo" / "forms"
    loaded = load_form(form, [folder])
    kinds = {repr(kind.overrides): kind.overrides for kind in KINDS.values()}
    return loaded.terms(kinds[overrides], variant, parent), loaded.digest


def live(kind: Kind, variant: int, book: IndexBook, parent: Contract | None) -> Life:
    """One life of exactly twenty events; as many of its acts take place as leave room."""
    best: tuple[int, list[ContractEvent]] = (0, [])
    for acts in range(len(kind.acts) + 1):
        events, _ = _lived(kind, variant, acts, 0, book, parent)
        if len(events) <= EVENTS:
            best = (acts, events)
    acts, events = best
    events, contract = _lived(kind, variant, acts, EVENTS - len(events), book, parent)
    assert len(events) == EVENTS, (kind.form, variant, len(events), Counter(map(type, events)))
    months: dict[date, list[tuple[int, str, bytes]]] = defaultdict(list)
    for event in events:
        stored = to_stored(event)
        months[event.recorded_at.date().replace(day=1)].append(
            (stored.originator_version, stored.topic, stored.state)
        )
    return Life({month: tuple(told) for month, told in months.items()}, contract)


def _lived(
    kind: Kind, variant: int, acts: int, quiet: int, book: IndexBook, parent: Contract | None
) -> tuple[list[ContractEvent], Contract]:
    day = 1 if variant % 3 < 2 else variant * 5 % 28 + 1
    # No later than the backup it copies, whose variant gives the same day.
    starts_on = date(2023, variant % 12 + 1, day)
    signed_on = starts_on - timedelta(days=20)
    terms, digest = terms_of(
        kind.form, kind.variant, repr(kind.overrides), parent.terms if parent else None
    )
    dearer = Decimal(variant) / 4
    event = sign(
        Signing(
            number=NUMBER,
            form=kind.form,
            form_digest=digest,
            supplier=SUPPLIERS[kind.form],
            client=f"CL{NUMBER}",
            signed_on=signed_on,
            starts_on=starts_on,
            terms=terms,
            items=tuple(
                Item(
                    code=code,
                    label=f"Maintenance {code.lower()}",
                    per_months=months,
                    unit_price=Decimal(price) + dearer,
                    kind=sort,  # type: ignore[arg-type]
                    warranty_until=date(2028, 12, 31) if sort == "videoconference" else None,
                    list_price=Decimal("6900.00") if sort == "videoconference" else None,
                )
                for code, price, months, sort in kind.items
            ),
            mandate=f"RUM-{NUMBER}" if terms.payment.means == "direct_debit" else "",
            parent=PARENT if parent else "",
        ),
        book,
        parent,
    )
    life = _Living(event, signed_on, book, parent)
    months = [add_months(starts_on.replace(day=1), n) for n in range(1, 36)]
    months = [month for month in months if month < MONTH]
    planned: dict[date, list[Act]] = defaultdict(list)
    for rank in range(acts):
        planned[months[1 + rank * (len(months) - 2) // max(1, acts)]].append(kind.acts[rank])
    for rank in range(quiet):
        planned[months[rank % len(months)]].append(kind.quiet)
    for month in [starts_on.replace(day=1), *months]:
        life.bill(month)
        for act in planned[month]:
            life.act(act, month)
    return life.events, life.contract


class _Living:
    def __init__(
        self, signed: ContractEvent, on: date, book: IndexBook, parent: Contract | None
    ) -> None:
        self.id = contract_id(NUMBER)
        self.book = book
        self.parent = parent
        self.series = Series(lambda supplier, year: None, lambda supplier: f"{NUMBER}-")
        at = datetime(on.year, on.month, on.day, 10, tzinfo=UTC)
        first = stamped(signed, self.id, 1, at, "bench")
        self.events: list[ContractEvent] = [first]
        self.contract = apply(None, first)

    def act(self, act: Act, month: date) -> None:
        """A decision of that month."""
        at = datetime(month.year, month.month, 21, 15, tzinfo=UTC)
        for decision in act(self.contract, month):
            event = stamped(decision, self.id, self.contract.version + 1, at, "bench")
            self.contract = apply(self.contract, event)
            self.events.append(event)

    def bill(self, month: date) -> None:
        """The run of that month, on its first day."""
        at = datetime(month.year, month.month, 1, 6, tzinfo=UTC)
        stamp = Stamp(at, f"run {month:%Y-%m}", f"{month:%Y-%m}")
        until = add_months(month, 1)
        while (due := self.contract.next_due()) is not None and due < until:
            outcome = decide(self.id, self.contract, due, self.book, self.parent, stamp)
            assert outcome.aside is None, outcome.aside
            issued = issue(outcome, self.series, month, stamp)
            assert issued.after.version > self.contract.version
            self.events += issued.contract_events
            self.contract = issued.after


def _log(contracts: int, lives: dict[tuple[str, int], Life]) -> Iterator[Any]:
    yield from map(_client, range(contracts))
    months = sorted({month for life in lives.values() for month in life.months})
    marks = (NUMBER.encode(), PARENT.encode(), str(contract_id(NUMBER)).encode())
    for month in months:
        for place in range(contracts):
            told = lives[kind_of(place)].months.get(month)
            if told is None:
                continue
            number = number_of(place)
            id = stream("contract", number)
            own, written = number.encode(), str(id).encode()
            for version, topic, state in told:
                state = state.replace(marks[2], written).replace(marks[0], own)
                if version == 1:
                    state = state.replace(marks[1], number_of(place - 1).encode())
                yield stored_event(id, version, topic, state)


def _client(place: int) -> Any:
    """Each contract has a client of its own."""
    known = PartyRegistered(party=party(f"CL{number_of(place)}"))
    id = stream("party", known.party.code)
    stored = to_stored(stamped(known, id, 1, SIGNED, "bench"))
    return stored_event(id, 1, stored.topic, stored.state)


def id_of(place: int) -> UUID:
    """The stream of the contract at that place."""
    return stream("contract", number_of(place))
