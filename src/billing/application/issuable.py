"""Whether what is about to be issued can be printed, asked before its number is taken.

A run asks it of parties as they stood when it opened, so that one gone on with, and its replay,
decide alike; a command of parties as they are. Parties are read a chunk of contracts at a time,
and what is wrong with one is found once.
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

import msgspec
from msgspec import Struct

from billing.application.core import Billing
from billing.application.states import KINDS
from billing.contract.state import Contract
from billing.documents import faults
from billing.documents.faults import Document
from billing.events.party import Identity, PartyAmended, PartyRegistered
from billing.identity import stream
from billing.record import from_stored
from billing.refusal import Refused
from billing.store import StateRow

KEPT = 10_000
"""Parties held in memory at once."""
TOPICS = (PartyRegistered.TOPIC, PartyAmended.TOPIC)


class _Sides(Struct, array_like=True, gc=False):
    """What a contract's state begins with."""

    number: str
    version: int
    supplier: str
    client: str


_sides = msgspec.msgpack.Decoder(_Sides).decode

_Asked = tuple[str, str, tuple[str, ...], str, bool]


class Issuable:
    """Why a document of a contract cannot be issued; "" when it can.

    Parties are those known at `position` of the log, or first known after it; else those of now.
    """

    def __init__(self, app: Billing, position: int | None = None) -> None:
        self._app = app
        self._position = position
        self._seen = position or 0  # How far the log was looked through.
        self._since: dict[UUID, int] = {}  # The first version recorded of a party after it.
        self._plain: set[str] = set()  # Those that lack nothing, whatever is issued.
        self._parties: dict[str, Identity | None] = {}  # The others.
        self._told: dict[_Asked, str] = {}

    def read(self, rows: Iterable[StateRow]) -> None:
        """Reads the parties of these contracts together."""
        codes: set[str] = set()
        for row in rows:
            try:
                sides = _sides(row.body)
            except msgspec.MsgspecError:
                continue  # Who reads the contract tells.
            codes.update((sides.supplier, sides.client))
        if len(self._plain) + len(self._parties) > KEPT:
            self._plain.clear()
            self._parties.clear()
            self._told.clear()
        self._learn(codes)

    def __call__(self, contract: Contract | None, document: Document) -> str:
        """The first fault of its parties, its texts, its totals; sums are made where it is."""
        if not (document.supplier in self._plain and document.client in self._plain):
            categories = faults.categories_of(document)
            reformed = document.issued_on >= faults.FRENCH_RULES_FROM
            category = contract.category if contract else "professional"
            for asked in (
                (document.supplier, "supplier", categories, "", False),
                (document.client, "client", categories, category, reformed),
            ):
                told = self._told.get(asked)
                if told is None:
                    told = self._told[asked] = self._party(document, *asked)
                if told:
                    return told
        for told in faults.text_faults(document, contract.site if contract else ""):
            return told
        for told in faults.total_faults(document):
            return told
        return ""

    def refuse(self, contract: Contract | None, document: Document, what: str) -> None:
        """Raises Refused, saying what cannot be done and why."""
        if told := self(contract, document):
            raise Refused(f"{what}: {told}")

    def _party(
        self,
        document: Document,
        code: str,
        side: str,
        categories: tuple[str, ...],
        category: str,
        _reformed: bool,
    ) -> str:
        party = self._known(code)
        if code in self._plain:
            return ""
        if party is None:
            return f"{side} {code} is not registered; its name and address were expected"
        told = (
            faults.supplier_faults(party, categories)
            if side == "supplier"
            else faults.client_faults(party, categories, category, document.issued_on)
        )
        for fault in (*told, *faults.unprintable_party(party, f"{side} {code}")):
            return fault
        return ""

    # Parties

    def _known(self, code: str) -> Identity | None:
        self._learn({code})
        return self._parties.get(code)

    def _learn(self, codes: set[str]) -> None:
        new = codes - self._plain - self._parties.keys()
        if not new:
            return
        # By their streams: on PostgreSQL names are looked up in a table of their own first.
        for row in self._app.store.states("party", ids=[stream("party", code) for code in new]):
            party = self._as_it_was(row)
            if faults.plain(party):
                self._plain.add(row.name)
            else:
                self._parties[row.name] = party
        self._parties.update(dict.fromkeys(new - self._plain - self._parties.keys()))

    def _as_it_was(self, row: StateRow) -> Identity:
        """The party at the position asked for, or as it was first known."""
        now: Identity = KINDS["party"].decode(row.body).identity
        if self._position is None or row.version == 1:
            return now
        end = self._app.store.log_position()
        for _, stored in self._app.store.read_log(self._seen + 1, end, topics=TOPICS):
            changed: UUID = stored.originator_id  # type: ignore[assignment]
            self._since.setdefault(changed, stored.originator_version)
        self._seen = end
        first = self._since.get(row.id)
        if first is None or first > row.version:
            return now
        (told,) = self._app.store.read_stream(row.id, gt=max(first - 2, 0), limit=1)
        event = from_stored(told)
        assert isinstance(event, PartyRegistered | PartyAmended)
        return event.party


__all__ = ["Issuable"]
