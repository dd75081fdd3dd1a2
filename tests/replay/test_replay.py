"""A run done again from the log is the run that was recorded, and nothing altered goes unseen."""

from __future__ import annotations

from datetime import date

import msgspec
import pytest

from billing.application import runs
from billing.application.replay import Verification, audit_numbers, verify
from billing.clauses import Terms
from billing.clauses.fees import Item
from billing.clauses.renewal import Renewal
from billing.contract import change, cover, end
from billing.events import Event
from billing.events.contract import (
    ContractRenewed,
    ContractSetAside,
    ContractSigned,
    ContractTerminated,
    InstalmentBilled,
    PriceRevised,
)
from billing.events.index import IndexPublished
from billing.events.invoice import (
    CreditNoteIssued,
    InvoiceCredited,
    InvoiceIssued,
    InvoiceNumbersTaken,
)
from billing.events.run import BillingRunClosed
from billing.month import month_days
from billing.refusal import Refused
from tests.explain.house import D, House, day
from tests.known import register

RUNS = [f"2023-{month}" for month in (11, 12)] + [f"2024-{month:02}" for month in range(1, 8)]
OPEN_TERMS = Terms(renewal=Renewal(kind="open"))


def where(verification: Verification) -> set[tuple[str, int, str]]:
    """Contract, version and field of each difference."""
    return {(d.contract, d.version, d.field) for d in verification.differences}


@pytest.mark.parametrize("run", RUNS)
def test_a_closed_run_done_again_is_the_same_event_by_event(busy: House, run: str):
    found = verify(busy.app, run)
    assert found.differences == ()
    assert found.matches
    assert found.closed
    assert found.contracts >= 5
    assert found.digest_found == found.digest_recorded != ""


def test_what_was_compared_is_counted(busy: House):
    found = verify(busy.app, "2024-05")
    # BUSY: an indemnity and a credit note; LINKED, PARENT and CHILD: an instalment each
    assert (found.invoices, found.events) == (5, 9)
    assert found.gross == D("6355.38")
    assert found.set_aside == 1  # HELD has no mandate, since December.


def test_a_run_is_the_same_whatever_came_later(copy: House):
    copy.on("2024-08-02")
    copy.app.change(
        "LINKED",
        lambda c: cover.add_equipment(
            c, Item(code="NEW", label="Nouveau", unit_price=D("5.00")), day("2023-12-01")
        ),
    )
    copy.month("2024-08")
    assert all(verify(copy.app, run).matches for run in [*RUNS, "2024-08"])


def test_a_run_that_does_not_exist_is_refused(busy: House):
    with pytest.raises(Refused, match="no run 2019-01; the log has: 2023-11"):
        verify(busy.app, "2019-01")


class Died(Exception):
    pass


def three_contracts() -> House:
    house = House()
    for place in range(3):
        house.sign(
            f"C{place}",
            OPEN_TERMS,
            Item(code="A", label="Poste", unit_price=D(100 + place)),
            signed_on="2024-01-10",
        )
    house.on("2024-02-01")
    return house


def test_a_run_that_died_is_verified_as_far_as_it_went_then_whole():
    house = three_contracts()  # Two instalments each: six chunks of one contract.
    chunks: list[int] = []

    def dies(done: int, _total: int) -> None:
        chunks.append(done)
        if len(chunks) == 3:
            raise Died

    first, after = month_days(date(2024, 2, 1))
    with pytest.raises(Died):
        runs.run(house.app, first, after, "2024-02", dies, chunk=1)
    halfway = verify(house.app, "2024-02")
    assert (halfway.matches, halfway.closed, halfway.digest_recorded) == (True, False, "")
    assert 0 < halfway.invoices < 6
    house.on("2024-02-03")
    house.month("2024-02")
    whole = verify(house.app, "2024-02")
    assert (whole.matches, whole.closed, whole.invoices) == (True, True, 6)


def test_what_others_recorded_while_the_run_went_on_is_no_difference():
    house = three_contracts()
    did: list[int] = []

    def someone_else(done: int, _total: int) -> None:
        if not did:
            did.append(done)
            house.app.change(
                "C2",
                lambda c: cover.add_equipment(
                    c, Item(code="B", label="Autre", unit_price=D("7.00")), day("2024-01-20")
                ),
            )

    first, after = month_days(date(2024, 2, 1))
    runs.run(house.app, first, after, "2024-02", someone_else, chunk=1)
    found = verify(house.app, "2024-02")
    assert found.differences == ()


def test_a_contract_cancelled_while_the_run_went_on_is_not_left_undone():
    house = three_contracts()
    house.sign(
        "LATE",
        OPEN_TERMS,
        Item(code="A", label="Poste", unit_price=D("10.00")),
        signed_on="2024-02-01",
        starts_on="2024-02-25",
    )
    did: list[int] = []

    def gives_up(done: int, _total: int) -> None:
        if not did:
            did.append(done)
            house.app.change("LATE", lambda c: end.cancel_order(c, day("2024-02-01"), True))

    first, after = month_days(date(2024, 2, 1))
    runs.run(house.app, first, after, "2024-02", gives_up, chunk=1)
    assert verify(house.app, "2024-02").differences == ()


def test_a_linked_contract_is_decided_on_with_its_parent_as_the_run_had_left_it():
    house = House()
    item = Item(code="A", label="Poste", unit_price=D("10.00"))
    house.sign("P", Terms(), item, signed_on="2023-01-15")
    house.sign(
        "C",
        Terms(renewal=Renewal(kind="linked")),
        item,
        signed_on="2023-01-15",
        parent=house.app.contract("P"),
    )
    house.months("2023-02", "2024-01")
    assert ContractRenewed in {type(e) for e in house.app.history("C")}
    house.months("2024-02", "2025-03")
    assert all(verify(house.app, row.name).matches for row in house.app.store.states("run"))


def test_a_linked_contract_that_ends_with_its_parent_is_the_same_again():
    house = House()
    item = Item(code="A", label="Poste", unit_price=D("10.00"))
    house.sign("P", Terms(renewal=Renewal(kind="none")), item, signed_on="2023-01-15")
    house.sign(
        "C",
        Terms(renewal=Renewal(kind="linked")),
        item,
        signed_on="2023-02-01",
        parent=house.app.contract("P"),
    )
    house.months("2023-02", "2024-03")
    for row in house.app.store.states("run"):
        assert verify(house.app, row.name).differences == ()


def test_an_assigned_contract_is_billed_again_by_its_new_supplier():
    from billing.clauses import Assignment

    house = House()
    house.sign(
        "C",
        Terms(assignment=Assignment(by_supplier=True)),
        Item(code="A", label="Poste", unit_price=D("10.00")),
        signed_on="2024-01-01",
    )
    house.month("2024-01")
    register(house.app, "NEW")
    house.app.change("C", lambda c: change.assign(c, "supplier", "NEW", day("2024-02-01")))
    house.month("2024-02")
    assert [d.supplier for d in house.documents()] == ["SUP", "NEW"]
    assert all(verify(house.app, run).differences == () for run in ("2024-01", "2024-02"))
    assert audit_numbers(house.app) == []


# What was tampered with


def test_an_amount_changed_in_an_invoice_is_found(copy: House):
    position, invoice = copy.find(InvoiceIssued, contract="BUSY", issued_on=day("2024-03-01"))
    lines = msgspec.to_builtins(invoice.lines)
    lines[1]["net"] = "44.00"
    copy.alter(position, lines=lines)
    found = verify(copy.app, "2024-03")
    assert not found.matches
    (line,) = [d for d in found.differences if d.field == f"{invoice.number}.lines[1].net"]
    assert (line.contract, line.version) == ("BUSY", invoice.contract_version)
    assert (line.recorded, line.found) == ("44.00", "40.00")
    assert ("2024-03", 2, "digest") in where(found)


def test_a_rewriting_that_reads_the_same_is_found_too(copy: House):
    position, invoice = copy.find(InvoiceIssued, contract="BUSY", issued_on=day("2024-03-01"))
    copy.alter(position, forged="field no event has")
    assert ("BUSY", invoice.contract_version, f"{invoice.number}.bytes") in where(
        verify(copy.app, "2024-03")
    )


@pytest.mark.parametrize(
    ("kind", "contract", "fields", "run", "field"),
    [
        (InstalmentBilled, "BUSY", {"net": "1.00"}, "2023-11", "net"),
        (
            InstalmentBilled,
            "BUSY",
            {"recorded_at": "2023-11-02T08:00:00Z"},
            "2023-11",
            "recorded_at",
        ),
        (ContractSetAside, "QUARTER", {"reason": "forged"}, "2023-11", "reason"),
        (ContractRenewed, "QUARTER", {"how": "accepted"}, "2023-11", "how"),
        (PriceRevised, "LINKED", {"warnings": []}, "2023-11", "warnings"),
    ],
)
def test_a_contract_event_of_the_run_changed_is_found(
    copy: House, kind: type[Event], contract: str, fields: dict[str, object], run: str, field: str
):
    from billing.identity import contract_id

    position, event = copy.find(kind, originator_id=contract_id(contract))
    copy.alter(position, **fields)
    assert (contract, event.originator_version, field) in where(verify(copy.app, run))


def test_a_price_changed_at_signature_is_found_in_what_it_billed(copy: House):
    position, signed = copy.find(ContractSigned, number="PARENT")
    items = msgspec.to_builtins(signed.items)
    items[0]["unit_price"] = "49.00"
    copy.alter(position, items=items)
    found = verify(copy.app, "2024-05")
    assert any(
        d.field.endswith("lines[0].unit_price") and d.contract == "PARENT"
        for d in found.differences
    )
    assert any(d.field == "state" and d.contract == "PARENT" for d in found.differences)


def test_a_signature_removed_is_found(copy: House):
    position, _ = copy.find(ContractSigned, number="PARENT")
    copy.sql("DELETE FROM events WHERE position = ?", position)
    found = verify(copy.app, "2024-05")
    assert "version" in {d.field for d in found.differences}


def test_an_invoice_deleted_is_found_and_leaves_a_gap(copy: House):
    position, invoice = copy.find(InvoiceIssued, contract="BUSY", issued_on=day("2024-03-01"))
    copy.sql("DELETE FROM events WHERE position = ?", position)
    found = verify(copy.app, "2024-03")
    assert ("BUSY", invoice.contract_version, f"{invoice.number}.event") in where(found)
    assert ("2024-03", 2, "digest") in where(found)
    assert audit_numbers(copy.app) == ["SUP/2024: number 12 missing"]


def test_a_billing_removed_with_its_invoice_is_found_as_left_undone(copy: House):
    _, billed = copy.find(InstalmentBilled, invoice="2024-000032")
    for kind, fields in (
        (InstalmentBilled, {"invoice": "2024-000032"}),
        (InvoiceIssued, {"number": "2024-000032"}),
    ):
        position, _ = copy.find(kind, **fields)
        copy.sql("DELETE FROM events WHERE position = ?", position)
    copy.app.rebuild_states()
    found = verify(copy.app, "2024-07")
    assert ("QUARTER", billed.originator_version, "event") in where(found)
    assert ("SUP/2024", 28, "number 32") in {(d.contract, 28, d.field) for d in found.differences}


def test_an_invoice_nobody_billed_is_found(copy: House):
    position, invoice = copy.find(InvoiceIssued, contract="BUSY", issued_on=day("2024-03-01"))
    copy.sql(
        "INSERT INTO events (originator_id, originator_version, topic, state) "
        "SELECT randomblob(16), 1, topic, state FROM events WHERE position = ?",
        position,
    )
    assert ("2024-03", 0, "invoices in the log") in where(verify(copy.app, "2024-03"))
    problems = audit_numbers(copy.app)
    assert f"{invoice.number} of SUP: recorded under another number" in problems
    assert "SUP/2024: number 12 is borne twice" in problems


def test_an_event_forged_in_the_name_of_the_run_is_found(copy: House):
    history = copy.app.history("PARENT")
    forged = copy.app.stamp(
        [ContractTerminated(effective_on=day("2024-08-01"), cause="mutual", by="client")],
        history[-1].originator_id,
        len(history),
        "run 2024-07",
    )
    copy.app.save(*forged)
    assert ("PARENT", len(history) + 1, "event") in where(verify(copy.app, "2024-07"))


def test_an_index_value_changed_is_found_in_the_revisions_that_read_it(copy: House):
    position, published = copy.find(IndexPublished, series="SYNTEC_REVISED")
    observations = msgspec.to_builtins(published.observations)
    for one in observations:
        if one["period"] == "2023-09":
            one["value"] = "307.0"
    copy.alter(position, observations=observations)
    fields = {d.field for d in verify(copy.app, "2023-11").differences}
    assert "comparisons[0].current.value" in fields
    assert "coefficient.applied" in fields


def test_the_totals_told_at_the_close_are_added_up_again(copy: House):
    position, _ = copy.find(BillingRunClosed, gross=D("6355.38"))
    copy.alter(position, gross="6355.39", set_aside=7)
    fields = where(verify(copy.app, "2024-05"))
    assert ("2024-05", 2, "gross") in fields
    assert ("2024-05", 2, "set_aside") in fields


def test_a_block_of_numbers_changed_is_found(copy: House):
    position, block = copy.find(InvoiceNumbersTaken, year=2024, first=21)
    assert block.last == 22
    copy.alter(position, last=23)
    fields = {(d.contract, d.field) for d in verify(copy.app, "2024-05").differences}
    assert ("SUP/2024", "number 23") in fields
    assert "SUP/2024: a block of 23 to 23 follows number 23" in audit_numbers(copy.app)


def test_a_day_of_issue_going_backwards_is_found(copy: House):
    position, _ = copy.find(InvoiceIssued, number="2024-000012")
    copy.alter(position, issued_on="2024-02-28")
    assert audit_numbers(copy.app) == [
        "SUP/2024: number 12 is dated 2024-02-28, before 2024-03-01 of an earlier number"
    ]
    assert "12.issued_on" in {d.field for d in verify(copy.app, "2024-03").differences}


def test_a_credit_note_without_its_mark_is_found(copy: House):
    _, note = copy.find(CreditNoteIssued, contract="BUSY", issued_on=day("2024-03-01"))
    position, _ = copy.find(InvoiceCredited, credit_note=note.number)
    copy.sql("DELETE FROM events WHERE position = ?", position)
    assert ("BUSY", note.contract_version, f"{note.credits}.credited by {note.number}") in where(
        verify(copy.app, "2024-03")
    )


def test_bytes_that_no_longer_read_are_told_not_raised(copy: House):
    position, invoice = copy.find(InvoiceIssued, contract="BUSY", issued_on=day("2024-03-01"))
    copy.sql("UPDATE events SET state = ? WHERE position = ?", b"{", position)
    fields = {d.field for d in verify(copy.app, "2024-03").differences}
    assert {f"{invoice.number}.event", "totals"} <= fields
    assert len(audit_numbers(copy.app)) == 2  # It cannot be read, and so is missing.


def test_a_state_changed_beside_the_log_is_found(copy: House):
    copy.sql("UPDATE states SET next_due = '2030-01-01' WHERE name = 'PARENT'")
    assert copy.app.drifted_states() == ["contract PARENT"]
    assert [d.contract for d in verify(copy.app, "2024-07").differences] == ["PARENT"]
    copy.app.rebuild_states()
    assert verify(copy.app, "2024-07").matches


def test_all_sequences_of_the_house_are_unbroken(busy: House):
    assert audit_numbers(busy.app) == []


def test_a_verification_is_json(busy: House):
    found = verify(busy.app, "2024-05")
    assert msgspec.json.decode(msgspec.json.encode(found), type=Verification) == found


def test_a_credit_above_what_is_left_of_its_invoice_is_set_aside_again():
    from billing.application.commands import issue_credit_note, remove_equipment
    from billing.clauses.cover import Cover

    house = House()
    house.sign(
        "C",
        Terms(renewal=Renewal(kind="open"), cover=Cover(removal_credit=True)),
        Item(code="A", label="Poste", unit_price=D("10.00")),
        signed_on="2024-01-01",
    )
    house.month("2024-01")
    house.on("2024-01-10")
    issue_credit_note(house.app, "2024-000001", "geste commercial")
    remove_equipment(house.app, "C", "A", day("2024-01-11"))
    house.month("2024-02")
    assert house.app.history("C")[-1].TOPIC == "contract.set_aside"
    house.month("2024-03")
    for run in ("2024-01", "2024-02"):
        assert verify(house.app, run).differences == ()
    # 10.00 × 21/31 = 6.77
    _, aside = house.find(ContractSetAside)
    assert aside.reason == (
        "6.77 € before tax to credit on 2024-000001, of which only 0.00 € is left"
    )
