"""Credit notes on parts of an invoice end its tax to the cent."""

from __future__ import annotations

from decimal import Decimal as D

import pytest

from billing.application.commands import issue_credit_note
from billing.application.explain import explain
from billing.clauses import Terms
from billing.clauses.fees import Item
from billing.refusal import Refused
from tests.explain.house import House


def test_two_halves_of_an_invoice_give_back_its_tax_and_not_a_cent_more():
    house = House()
    house.sign(
        "C",
        Terms(),
        Item(code="A", label="Poste A", unit_price=D("100.03")),
        Item(code="B", label="Poste B", unit_price=D("100.03")),
        signed_on="2024-01-01",
    )
    house.month("2024-01")
    first = issue_credit_note(house.app, "2024-000001", "retrait", lines=[1])
    # 100.03 × 20 % = 20.006, so 20.01; both lines together: 200.06 × 20 % = 40.012, so 40.01.
    assert (first.net, first.tax) == (D("100.03"), D("20.01"))
    last = issue_credit_note(house.app, "2024-000001", "retrait", lines=[2])
    assert (last.net, last.tax, last.gross) == (D("100.03"), D("20.00"), D("120.03"))
    assert explain(house.app, last.number).agrees
    with pytest.raises(Refused, match="wholly credited"):
        issue_credit_note(house.app, "2024-000001", "encore")
