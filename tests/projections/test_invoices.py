"""The register of documents: every document and line, as the engine lists them."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal as D

import pytest
from msgspec.structs import replace
from sqlalchemy import func, select

from billing.application import Billing, issued
from billing.clauses.vat import VatTotal
from billing.dates import Period
from billing.events.invoice import CreditNoteIssued, InvoiceCredited, InvoiceIssued, Line
from billing.identity import invoice_id
from projections.bodies import in_euros
from projections.invoices import Invoices, invoice, invoice_line
from projections.runner import Runner


def rows(runner, query):
    with runner.store.reading() as connection:
        return connection.execute(query).all()


def bodies(runner):
    return [json.loads(row.body) for row in rows(runner, select(invoice.c.body))]


def test_followed_in_odd_pieces_it_is_what_is_rebuilt(retold):
    assert retold.compare("invoices") == []


def test_the_register_lists_the_documents_that_billing_invoices_lists(retold):
    kinds = {"deposit invoice": "deposit", "debit note": "debit_note", "credit note": "credit_note"}
    expected = {
        (one.supplier, one.number): (
            kinds.get(one.kind, one.kind), one.client, one.contract, one.issued_on, one.due_on,
            one.net, one.tax, one.gross, one.means, one.collected_on, one.mandate, one.run,
            one.credits, one.credited, one.period.start if one.period else None,
        )
        for one in issued.documents(retold.app)
    }  # fmt: skip
    found = {
        (row.supplier, row.number): (
            row.kind, row.client, row.contract, row.issued_on, row.due_on,
            in_euros(row.net_cents), in_euros(row.tax_cents), in_euros(row.gross_cents), row.means,
            row.collected_on, row.mandate, row.run, row.credits, in_euros(row.credited_cents),
            row.period_start,
        )
        for row in rows(retold, select(invoice))
    }  # fmt: skip
    assert len(found) > 200
    assert found == expected


def test_lines_sum_to_the_net_and_tax_by_rate_to_the_tax(retold):
    lines = select(invoice_line.c.number, func.sum(invoice_line.c.net_cents)).group_by(
        invoice_line.c.supplier, invoice_line.c.number
    )
    nets = dict(tuple(row) for row in rows(retold, lines))
    for row in rows(retold, select(invoice)):
        told = json.loads(row.body)
        assert nets[row.number] == row.net_cents, row.number
        assert sum(D(line["net"]) for line in told["lines"]) == D(told["net"])
        assert row.net_cents + row.tax_cents == row.gross_cents
        assert sum(D(one["tax"]) for one in told["vat"]) == D(told["tax"])
        if row.kind != "debit_note":
            assert sum(D(one["base"]) for one in told["vat"]) == D(told["net"])


def test_what_credit_notes_give_back_is_what_documents_were_credited(retold):
    given, credited = (
        func.sum(invoice.c.gross_cents).filter(invoice.c.kind == "credit_note"),
        func.sum(invoice.c.credited_cents),
    )
    ((back, told),) = rows(retold, select(given, credited))
    assert back == -told < 0


def test_amounts_in_a_body_are_texts_with_two_decimals(retold):
    for told in bodies(retold):
        for name in ("net", "tax", "gross", "credited"):
            assert D(told[name]).as_tuple().exponent == -2, told["number"]
        for line in told["lines"]:
            assert isinstance(line["quantity"], str)
            assert D(line["net"]).as_tuple().exponent == -2


def test_a_line_of_a_debit_note_names_the_invoice_that_is_late_and_its_stretches(retold):
    notes = [told for told in bodies(retold) if told["kind"] == "debit_note"]
    interest = [line for told in notes for line in told["lines"] if line["kind"] == "late_interest"]
    assert interest
    for line in interest:
        assert line["invoice"] in line["label"]
        assert D(line["net"]) == D(line["interest"]["amount"]) - D(line["charged_before"])


# One document by hand


ISSUED = InvoiceIssued(
    number="F-1",
    supplier="S",
    client="C",
    contract="K-1",
    contract_version=7,
    issued_on=date(2026, 1, 1),
    due_on=date(2026, 1, 31),
    period=Period(date(2026, 1, 1), date(2026, 2, 1)),
    lines=(
        Line(
            kind="fee",
            code="A",
            label="Poste",
            net=D("50.00"),
            vat_rate=D(20),
            unit_price=D("100.0000"),
            quantity=D("0.5"),
            because=(1, 4),
        ),
    ),
    vat=(VatTotal(D(20), D("50.00"), D("10.00")),),
    net=D("50.00"),
    tax=D("10.00"),
    gross=D("60.00"),
)
AVOIR = CreditNoteIssued(
    number="A-1",
    supplier="S",
    client="C",
    contract="K-1",
    contract_version=8,
    credits="F-1",
    issued_on=date(2026, 2, 1),
    lines=ISSUED.lines,
    vat=ISSUED.vat,
    net=D("50.00"),
    tax=D("10.00"),
    gross=D("60.00"),
)


def recorded(app, event):
    id = invoice_id("S", getattr(event, "number", "F-1"))
    version = len(app.store.read_stream(id))
    app.write(app.stamp([event], id, version))


def test_a_credit_note_is_negative_and_its_quantities_as_printed(url):
    app = Billing({"DATABASE_URL": url})
    runner = Runner(app, [Invoices()])
    recorded(app, ISSUED)
    runner.catch_up()
    recorded(app, AVOIR)
    told = InvoiceCredited(credit_note="A-1", gross=D("60.00"), net=D("50.00"))
    recorded(app, told)
    runner.catch_up()
    found = rows(runner, select(invoice).order_by(invoice.c.number))
    assert [(row.number, row.gross_cents, row.credited_cents) for row in found] == [
        ("A-1", -6000, 0),
        ("F-1", 6000, 6000),
    ]
    lines = rows(runner, select(invoice_line).order_by(invoice_line.c.number))
    assert [(line.net_cents, D(line.quantity), D(line.unit_price)) for line in lines] == [
        (-5000, D("0.5"), D(100)),
        (5000, D("0.5"), D(100)),
    ]
    assert lines[0].because == "1,4"
    assert json.loads(found[0].body)["vat"][0] == {
        "rate": "20", "category": "S", "reason": "", "base": "-50.00", "tax": "-10.00",
        "rounding": "0.00",
    }  # fmt: skip
    assert json.loads(found[1].body)["lines"][0]["unit_price"] == "100.0000"
    assert runner.compare("invoices") == []
    app.close()


@pytest.mark.parametrize("amount", ["10.001", "0.005"])
def test_an_amount_of_less_than_a_cent_stops_the_register_and_says_so(url, amount):
    app = Billing({"DATABASE_URL": url})
    runner = Runner(app, [Invoices()])
    runner.catch_up()
    recorded(app, replace(ISSUED, gross=D(amount)))
    runner.catch_up()
    (standing,) = runner.standings()
    assert standing.failed_at == 1
    assert f"{amount} is no amount in cents" in standing.error
    app.close()
