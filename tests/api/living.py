"""Lives told by hand, each event recorded when the test says, for questions about the past."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from billing.clauses import Terms
from billing.clauses.fees import Item
from billing.clauses.renewal import Renewal
from billing.contract.sign import Signing, sign
from billing.events import Event
from billing.events.contract import EquipmentAdded
from billing.events.invoice import InvoiceIssued
from billing.events.party import Identity, PartyRegistered
from billing.identity import contract_id, invoice_id, stream
from tests.api.serving import Api, served
from tests.databases import a_copy, followed
from tests.scenario import day

D = Decimal


class Lives:
    """What happens, recorded at the moment the clock shows, and followed."""

    def __init__(self, api: Api) -> None:
        self.api = api

    def on(self, moment: str) -> Lives:
        """From now on things are recorded then: a day (at nine, UTC) or a moment."""
        text = moment if "T" in moment else f"{moment}T09:00:00"
        self.api.clock.now = datetime.fromisoformat(text).replace(tzinfo=UTC)
        return self

    def records(self, id: UUID, *events: Event) -> None:
        """Some events of a stream; whatever follows the log follows them."""
        app = self.api.billing
        app.write(app.stamp(events, id, len(app.store.read_stream(id))))
        self.api.app.state.desk.runner.catch_up()

    def contract(self, number: str, *events: Event) -> None:
        """Something happens to a contract."""
        self.records(contract_id(number), *events)

    def invoice(self, number: str, *events: Event) -> None:
        """Something happens to a document of S."""
        self.records(invoice_id("S", number), *events)

    def knows(self, code: str, **more: Any) -> None:
        """A party is known."""
        party = Identity(code=code, name=f"{code} SAS", **more)
        self.records(stream("party", code), PartyRegistered(party=party))

    def signs(self, number: str, starts_on: str = "2026-01-01", **more: Any) -> None:
        """A contract of S with C at 100.00 € a month, five years from its start."""
        signing = Signing(
            **{"number": number, "form": "plain", "form_digest": "", "supplier": "S", "client": "C"}
            | more,
            signed_on=day(starts_on),
            starts_on=day(starts_on),
            terms=Terms(renewal=Renewal(term_months=60)),
            items=(Item(code="A", label="Poste A", unit_price=D("100.00")),),
        )
        self.contract(number, sign(signing, self.api.billing.book()))

    def issues(self, number: str, gross: str, issued_on: str, due_on: str, **more: Any) -> None:
        """An invoice leaves, outside VAT."""
        said: dict[str, Any] = {"client": "C", "contract": "K-1"} | more
        self.invoice(
            number,
            InvoiceIssued(
                number=number,
                supplier="S",
                contract_version=1,
                issued_on=day(issued_on),
                due_on=day(due_on),
                lines=(),
                vat=(),
                net=D(gross),
                tax=D(0),
                gross=D(gross),
                **said,
            ),
        )


def added(code: str, price: str, since: str) -> EquipmentAdded:
    """An item at so much a month enters the cover."""
    return EquipmentAdded(
        item=Item(code=code, label=f"Poste {code}", unit_price=D(price)), since=day(since)
    )


@contextmanager
def lived(request: pytest.FixtureRequest, folder: pytest.TempPathFactory) -> Iterator[Lives]:
    """A server for all the tests of a module that only ask, on the database of the parameter."""
    with a_copy(request, folder.mktemp("lived"), followed) as url, served(url) as api:
        yield Lives(api)
