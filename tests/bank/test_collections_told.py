"""What the bank says of direct debits: credited, booked as one, come back, told again."""

from __future__ import annotations

import signal
from datetime import date
from decimal import Decimal as D

import pytest

from billing.application import bank, receivables
from billing.bank.reasons import REASONS, sentence
from billing.refusal import Refused
from tests.bank.files import (
    Ntry,
    Payment,
    Report,
    Stmt,
    Tx,
    TxStatus,
    camt,
    credit,
    debit,
    pain002,
    written,
)
from tests.bank.till import (
    BILLED_ON,
    LATER,
    at_the_bank,
    history,
    importing,
    length,
    owed,
    statement,
    told,
)
from tests.collections.house import CREDITOR, opened, ready
from tests.collections.house import contract as signed
from tests.collections.house import invoice as issued

FILE = "S-20260120-1"
SETTLED, RETURNED = "mandate.collection_settled", "mandate.collection_returned"
PAID, TAKEN_BACK = "invoice.payment_allocated", "invoice.payment_reversed"


def test_a_collection_credited_pays_its_invoice_on_the_value_day(url, tmp_path):
    at_the_bank(url, tmp_path)
    report = told(url, tmp_path, statement(credit("120.00", "F00000"), credit("122.00", "F00002")))
    assert dict(report.counts) == {"settled": 2}
    assert report.amounts == {"settled": D("242.00")}
    assert owed(url) == {"F00000": 0, "F00001": D("121.00"), "F00002": 0}
    first, _ = history(url, SETTLED)
    assert (first.end_to_end, first.amount, first.settled_on) == (
        "F00000", D("120.00"), date(2026, 2, 3),
    )  # fmt: skip
    paid, _ = history(url, PAID)
    assert (paid.amount, paid.means, paid.collection) == (D("120.00"), "direct_debit", "F00000")
    (imported,) = history(url, "bank_file.imported")
    assert (imported.supplier, imported.account) == ("S", CREDITOR)
    assert (imported.entries, imported.matched, imported.digest) == (2, 2, report.digest)


def test_the_same_file_a_second_time_changes_nothing_and_says_so(url, tmp_path):
    at_the_bank(url, tmp_path)
    text = statement(credit("120.00", "F00000"), debit("121.00", "F00001"))
    told(url, tmp_path, text)
    before, amounts = length(url), owed(url)
    again = told(url, tmp_path, text, on="2026-03-01")
    assert again.already == date(2026, 2, 20)
    assert (length(url), owed(url)) == (before, amounts)


def test_an_advice_then_the_statement_that_tells_the_same_counts_once(url, tmp_path):
    at_the_bank(url, tmp_path)
    lines = [credit("120.00", "F00000", reference="BK1"), debit("121.00", "F00001", reference="B2")]
    told(url, tmp_path, statement(*lines, schema="camt.054.001.02"))
    before = owed(url)
    again = told(url, tmp_path, statement(*lines, schema="camt.053.001.08", id="OTHER"))
    assert dict(again.counts) == {"known": 2}
    assert owed(url) == before
    assert len(history(url, PAID)) == 1


R_CODES = {f"F{place:05d}": code for place, code in enumerate(sorted(REASONS))}
"""An invoice for each code, under a mandate of its own."""
GROSS = {name: D(120 + place) for place, name in enumerate(R_CODES)}


def test_every_r_code_after_the_credit_opens_its_invoice_again(tmp_path):
    url = f"sqlite:///{tmp_path}/b.db"
    at_the_bank(url, tmp_path, len(R_CODES))
    told(url, tmp_path, statement(*(credit(f"{GROSS[name]}.00", name) for name in R_CODES)))
    assert owed(url) == dict.fromkeys(R_CODES, 0)
    back = [debit(f"{GROSS[name]}.00", name, code, booked="2026-02-05", value="2026-02-05")
            for name, code in R_CODES.items()]  # fmt: skip
    report = told(url, tmp_path, statement(*back, id="A-2"))
    assert dict(report.counts) == {"returned": len(R_CODES)}
    assert owed(url) == GROSS
    returned, taken = history(url, RETURNED), history(url, TAKEN_BACK)
    assert [(one.end_to_end, one.code, one.settled, one.amount) for one in returned] == [
        (name, code, True, GROSS[name]) for name, code in R_CODES.items()
    ]
    assert {one.kind for one in returned} == {"return", "refund"}
    assert [(one.collection, one.reason, one.value_on) for one in taken] == [
        (name, sentence(code), date(2026, 2, 5)) for name, code in R_CODES.items()
    ]
    for name, code in R_CODES.items():
        said = [line for line in report.told if name in line]
        assert sentence(code) in said[0]
        assert any(f"mandate RUM-{name[1:]}" in line for line in report.told) == (
            REASONS[code].next in ("account", "mandate")
        ), code


def test_every_r_code_of_a_status_report_frees_its_invoice(tmp_path):
    url = f"sqlite:///{tmp_path}/b.db"
    kept = f"F{len(R_CODES):05d}"
    at_the_bank(url, tmp_path, len(R_CODES) + 1)
    refused = [TxStatus(name, "RJCT", code) for name, code in R_CODES.items()]
    text = pain002("pain.002.001.03", Report(FILE, payments=[
        Payment(f"{FILE}-1", txs=[*refused, TxStatus(kept, "ACCP")])
    ]))  # fmt: skip
    report = told(url, tmp_path, text)
    assert dict(report.counts) == {"pending": 1, "returned": len(R_CODES)}
    assert owed(url) == GROSS | {kept: D(120 + len(R_CODES))}
    returned = history(url, RETURNED)
    assert [(one.end_to_end, one.code, one.kind, one.settled) for one in returned] == [
        (name, code, "refusal" if "refusal" in REASONS[code].kinds else "reject", False)
        for name, code in R_CODES.items()
    ]
    assert history(url, TAKEN_BACK) == []
    with opened(url, LATER) as app:
        collecting = {one.number: one.collecting for one in receivables.book(app).documents()}
    assert collecting == dict.fromkeys(R_CODES, "") | {kept: kept}


@pytest.mark.parametrize(
    "report",
    [
        Report(FILE, status="RJCT", reason="FF01"),
        Report(FILE, status="PART", payments=[Payment(f"{FILE}-1", "RJCT", "FF01")]),
        Report(FILE, status="RJCT", reason="FF01",
               payments=[Payment(f"{FILE}-1", txs=[TxStatus("F00001", "RJCT", "AM04")])]),
    ],
    ids=["all of it", "a part of it", "all, one of them by name"],
)  # fmt: skip
def test_a_file_rejected_whole_rejects_all_its_collections(report, url, tmp_path):
    at_the_bank(url, tmp_path)
    counts = told(url, tmp_path, pain002("pain.002.001.10", report)).counts
    assert dict(counts) == {"returned": 3}
    codes = {event.end_to_end: event.code for event in history(url, RETURNED)}
    named = "AM04" if len(report.payments) and report.payments[0].txs else "FF01"
    assert codes == {"F00000": "FF01", "F00001": named, "F00002": "FF01"}


def test_a_reject_told_by_report_then_by_statement_is_one(url, tmp_path):
    at_the_bank(url, tmp_path, 1)
    rejected = Report(
        FILE, payments=[Payment(f"{FILE}-1", txs=[TxStatus("F00000", "RJCT", "AC01")])]
    )
    told(url, tmp_path, pain002("pain.002.001.03", rejected))
    report = told(url, tmp_path, statement(debit("120.00", "F00000", "AC01")))
    assert dict(report.counts) == {"known": 1}
    assert len(history(url, RETURNED)) == 1


WRONG_REPORTS = [
    (Report("S-1"), "it answers message S-1, and no such file"),
    (Report(FILE, payments=[Payment("P-9", "RJCT")]),
     "OrgnlPmtInfId P-9: S-20260120-1 has no such"),
    (Report(FILE, payments=[Payment(f"{FILE}-1", txs=[
        TxStatus("F00000", "RJCT", "AM04"), TxStatus("F99999", "RJCT", "AM04")])]),
     "OrgnlEndToEndId F99999: no such collection"),
    (Report(FILE, payments=[Payment(f"{FILE}-1", txs=[
        TxStatus("F00000", "RJCT", "AM04"), TxStatus("F00001", "RJCT", "AM04", amount="1.00")])]),
     "F00001: InstdAmt 1.00; 121.00 € were ordered"),
]  # fmt: skip


@pytest.mark.parametrize(("report", "said"), WRONG_REPORTS, ids=[one[1] for one in WRONG_REPORTS])
def test_a_report_on_what_was_not_ordered_is_refused_whole(report, said, url, tmp_path):
    at_the_bank(url, tmp_path)
    before = length(url)
    with pytest.raises(Refused) as refused:
        told(url, tmp_path, pain002("pain.002.001.03", report))
    assert said in str(refused.value)
    assert length(url) == before


# Booked as one


BATCHES = [
    # 120 + 121 + 122 + 123 = 486; the batch and message told, the amount, what becomes of it
    (("", f"{FILE}-1", "4", ""), "486.00", "settled"),
    ((FILE, "", "", ""), "486.00", "settled"),
    ((FILE, f"{FILE}-1", "4", "486.00"), "486.00", "settled"),
    (("BANK-REF", f"{FILE}-1", "4", ""), "486.00", "settled"),
    (("", f"{FILE}-1", "4", ""), "485.99", "waiting"),
    (("", "S-20260119-1-1", "4", ""), "486.00", "waiting"),
]


@pytest.mark.parametrize(("names", "amount", "outcome"), BATCHES)
def test_a_batch_booked_as_one_settles_its_collections_when_it_agrees(
    names, amount, outcome, url, tmp_path
):
    at_the_bank(url, tmp_path, 4)
    report = told(url, tmp_path, statement(Ntry(amount, batch=names)))
    assert dict(report.counts) == {outcome: 1}
    left = sum(owed(url).values())
    assert left == (0 if outcome == "settled" else D("486.00"))
    assert len(history(url, "bank_entry.unmatched")) == (outcome == "waiting")
    again = told(
        url, tmp_path, statement(Ntry(amount, batch=names), id="B", schema="camt.053.001.02")
    )
    assert dict(again.counts) == {"known" if outcome == "settled" else "waiting": 1}
    assert len(history(url, "bank_entry.unmatched")) == (outcome == "waiting")


@pytest.mark.parametrize("amount", ["486.00", "366.00"])  # All of it, or without the rejected 120.
def test_a_batch_credited_with_or_without_what_was_rejected(amount, url, tmp_path):
    at_the_bank(url, tmp_path, 4)
    rejected = Report(
        FILE, payments=[Payment(f"{FILE}-1", txs=[TxStatus("F00000", "RJCT", "AC01")])]
    )
    told(url, tmp_path, pain002("pain.002.001.03", rejected))
    report = told(url, tmp_path, statement(Ntry(amount, batch=("", f"{FILE}-1", "", ""))))
    assert dict(report.counts) == {"settled": 1}
    assert owed(url) == {"F00000": D("120.00"), "F00001": 0, "F00002": 0, "F00003": 0}


def test_a_batch_of_many_is_settled_in_chunks_and_goes_on_where_it_stopped(
    url, tmp_path, monkeypatch
):
    at_the_bank(url, tmp_path, 7)
    monkeypatch.setattr(bank, "CHUNK", 3)
    text = statement(Ntry("861.00", batch=("", f"{FILE}-1", "7", "861.00")))  # 7 × 120 + 0…6
    settle, calls = bank._Batches._settle, []

    def stopped(self, ids, wanted, line):
        calls.append(ids)
        if len(calls) == 2:
            raise KeyboardInterrupt
        settle(self, ids, wanted, line)

    monkeypatch.setattr(bank._Batches, "_settle", stopped)
    with pytest.raises(KeyboardInterrupt):
        told(url, tmp_path, text)
    assert len(history(url, SETTLED)) == 3
    monkeypatch.setattr(bank._Batches, "_settle", settle)
    assert dict(told(url, tmp_path, text).counts) == {"settled": 1}
    assert len(history(url, SETTLED)) == 7
    assert sum(owed(url).values()) == 0


# Fees


FEES = [
    # What the bank tells of a 120 € return and its 5 € fee.
    ("added to the amount", debit("125.00", "F00000", tx_amount="120.00", charges="5.00")),
    ("told with the first amount", debit("125.00", "F00000", tx_amount=None, instructed="120.00")),
    ("told apart", debit("120.00", "F00000", charges="5.00")),
]


@pytest.mark.parametrize("terms", [BILLED_ON, None], ids=["billed on", "the supplier's"])
@pytest.mark.parametrize(("how", "back"), FEES, ids=[one[0] for one in FEES])
def test_the_banks_fee_is_billed_on_where_the_contract_says_so(how, back, terms, tmp_path):
    url = f"sqlite:///{tmp_path}/b.db"
    at_the_bank(url, tmp_path, 1, **({"terms": terms} if terms else {}))
    told(url, tmp_path, statement(credit("120.00", "F00000")))
    report = told(url, tmp_path, statement(back, id="A-2"))
    (event,) = history(url, RETURNED)
    assert (event.amount, event.fee) == (D("120.00"), D("5.00"))
    charges = history(url, "contract.charge_added")
    if terms is None:
        assert charges == []
        assert "the bank's fee of 5.00 € is the supplier's" in report.told[-1]
    else:
        ((charge,),) = [one.charges for one in charges]
        assert (charge.kind, charge.net) == ("bank_fee", D("5.00"))
        assert "billed on with K00000" in report.told[-1]
    assert owed(url) == {"F00000": D("120.00")}


def test_a_refund_after_eight_weeks_is_warned_of(url, tmp_path):
    at_the_bank(url, tmp_path, 1)
    told(url, tmp_path, statement(credit("120.00", "F00000")))
    back = debit("120.00", "F00000", "MD06", booked="2026-04-15", value="2026-04-15")
    report = told(url, tmp_path, statement(back, id="A-2"), on="2026-04-20")
    (event,) = history(url, RETURNED)
    assert event.kind == "refund"
    assert any("more than 8 weeks after 2026-02-02" in line for line in report.told)
    assert owed(url) == {"F00000": D("120.00")}


def test_what_the_creditor_takes_back_is_a_reversal(url, tmp_path):
    at_the_bank(url, tmp_path, 1)
    told(url, tmp_path, statement(credit("120.00", "F00000")))
    back = debit("120.00", "F00000", "AM05")
    back.code = "PMNT-IDDT-PRDD"
    told(url, tmp_path, statement(back, id="A-2"))
    assert [event.kind for event in history(url, RETURNED)] == ["reversal"]


# Matched otherwise


def test_without_an_end_to_end_id_the_mandate_and_the_amount_tell(url, tmp_path):
    at_the_bank(url, tmp_path)
    report = told(url, tmp_path, statement(
        credit("120.00", "", mandate="RUM-00000"),
        credit("121.00", "NOTPROVIDED", mandate="RUM-00001"),
        credit("999.00", "", mandate="RUM-00002"),
    ))  # fmt: skip
    assert dict(report.counts) == {"settled": 2, "waiting": 1}
    assert owed(url) == {"F00000": 0, "F00001": 0, "F00002": D("122.00")}


def test_without_a_mandate_the_number_in_the_text_tells(url, tmp_path):
    at_the_bank(url, tmp_path)
    report = told(url, tmp_path, statement(
        credit("120.00", "", remittance=["PRLV FACTURE F00000 JANVIER"]),
        debit("121.00", "", remittance=["REJET F00001"]),
    ))  # fmt: skip
    assert dict(report.counts) == {"settled": 1, "returned": 1}
    assert owed(url) == {"F00000": 0, "F00001": D("121.00"), "F00002": D("122.00")}


def test_an_amount_that_is_not_what_was_asked_for_waits(url, tmp_path):
    at_the_bank(url, tmp_path, 1)
    report = told(url, tmp_path, statement(credit("119.00", "F00000")))
    assert dict(report.counts) == {"waiting": 1}
    (line,) = history(url, "bank_entry.unmatched")
    assert line.why == "F00000 was collected for 120.00 €; the bank credits 119.00 €"
    assert owed(url) == {"F00000": D("120.00")}


def test_a_credit_of_what_was_rejected_waits(url, tmp_path):
    at_the_bank(url, tmp_path, 1)
    rejected = Report(
        FILE, payments=[Payment(f"{FILE}-1", txs=[TxStatus("F00000", "RJCT", "AC01")])]
    )
    told(url, tmp_path, pain002("pain.002.001.03", rejected))
    assert dict(told(url, tmp_path, statement(credit("120.00", "F00000"))).counts) == {"waiting": 1}


def test_the_return_read_before_the_credit_leaves_the_same(url, tmp_path):
    at_the_bank(url, tmp_path, 1)
    told(
        url, tmp_path, statement(debit("120.00", "F00000", booked="2026-02-04", value="2026-02-04"))
    )
    assert dict(told(url, tmp_path, statement(credit("120.00", "F00000"))).counts) == {"known": 1}
    assert owed(url) == {"F00000": D("120.00")}


def test_what_is_not_booked_yet_waits_for_its_statement(url, tmp_path):
    at_the_bank(url, tmp_path, 1)
    pending = told(url, tmp_path, statement(credit("120.00", "F00000", status="PDNG")))
    assert dict(pending.counts) == {"pending": 1}
    assert owed(url) == {"F00000": D("120.00")}
    assert dict(told(url, tmp_path, statement(credit("120.00", "F00000"))).counts) == {"settled": 1}


def test_a_second_attempt_is_another_collection(url, tmp_path):
    at_the_bank(url, tmp_path, 1)
    told(url, tmp_path, statement(credit("120.00", "F00000")))
    told(url, tmp_path, statement(debit("120.00", "F00000"), id="A-2"))
    from billing.events.base import stamped
    from billing.events.party import CollectionOrdered
    from billing.identity import stream

    with opened(url, LATER) as app:
        mandate = app.mandate("RUM-00000")
        order = CollectionOrdered(
            end_to_end="F00000/2", supplier="S", invoice="F00000", amount=D("120.00"),
            collected_on=date(2026, 3, 2), sequence="RCUR", file="S-2", batch="S-2-1",
        )  # fmt: skip
        app.write([stamped(order, stream("mandate", "RUM-00000"), mandate.version + 1,
                           app.clock(), "test")])  # fmt: skip
    again = credit("120.00", "F00000/2", booked="2026-03-03", value="2026-03-03")
    assert dict(told(url, tmp_path, statement(again), on="2026-03-10").counts) == {"settled": 1}
    assert owed(url, "2026-03-10") == {"F00000": 0}


# Whose account, and when


def test_an_account_that_is_no_suppliers_refuses_the_file_whole(url, tmp_path):
    at_the_bank(url, tmp_path, 1)
    before = length(url)
    ours = Stmt(entries=[credit("120.00", "F00000", booked="2026-02-03")], account=CREDITOR, id="A")
    theirs = Stmt(entries=[credit("1.00", "X", booked="2026-02-03")], id="B")
    with pytest.raises(
        Refused, match=r"statement 2, B: account FR7630006000011234567890189; expec"
    ):
        told(url, tmp_path, camt("camt.053.001.08", [ours, theirs]))
    with pytest.raises(Refused, match="no supplier NOBODY"):
        told(url, tmp_path, camt("camt.053.001.08", [ours]), supplier="NOBODY")
    with pytest.raises(Refused, match="expected an account of C00000"):
        told(url, tmp_path, camt("camt.053.001.08", [ours]), supplier="C00000")
    assert length(url) == before
    assert owed(url) == {"F00000": D("120.00")}


def test_a_booking_in_the_future_refuses_the_file_whole(url, tmp_path):
    at_the_bank(url, tmp_path, 2)
    before = length(url)
    tomorrow = credit("121.00", "F00001", booked="2026-02-21", value="2026-02-21")
    with pytest.raises(Refused, match=r"Ntry\[2\] was booked on 2026-02-21, in the future"):
        told(url, tmp_path, statement(credit("120.00", "F00000"), tomorrow))
    assert length(url) == before


def test_a_dry_run_tells_all_and_writes_nothing(url, tmp_path):
    at_the_bank(url, tmp_path)
    before = length(url)
    text = statement(
        credit("120.00", "F00000"), debit("120.00", "F00000"), Ntry("5.00", batch=("", FILE, "",
            "")),
        Ntry("243.00", batch=("", f"{FILE}-1", "", "")),  # 121 + 122, under way still
    )  # fmt: skip
    dry = told(url, tmp_path, text, dry=True)
    assert length(url) == before
    real = told(url, tmp_path, text)
    assert dry._replace(dry=False) == real
    assert dict(real.counts) == {"settled": 2, "returned": 1, "waiting": 1}


# Stopped, and two at once


@pytest.mark.parametrize("die", [1, 2, 3, 4])
def test_an_import_killed_before_any_commit_is_given_again_and_doubles_nothing(die, url, tmp_path):
    at_the_bank(url, tmp_path, 8)
    lines = [credit(f"{120 + n}.00", f"F0000{n}") for n in range(7)]
    text = statement(*lines, debit("120.00", "F00000"), Ntry("7.00", reference="X"))
    path = written(tmp_path, text, "killed.xml")
    dead = importing(url, path, LATER, die)
    assert dead.returncode == -signal.SIGKILL, dead.said
    assert history(url, "bank_file.imported") == []
    again = importing(url, path, LATER)
    assert again.returncode == 0, again.said
    assert len(history(url, SETTLED)) == 7
    assert len(history(url, RETURNED)) == 1
    assert len(history(url, "bank_entry.unmatched")) == 1
    expected = {f"F0000{n}": D(0) for n in range(7)}
    assert owed(url) == {**expected, "F00000": D("120.00"), "F00007": D("127.00")}
    (imported,) = history(url, "bank_file.imported")
    assert (imported.entries, imported.matched) == (9, 8)


def test_somebody_else_who_records_meanwhile_makes_it_decide_again(url, tmp_path, monkeypatch):
    at_the_bank(url, tmp_path, 2)
    text = statement(credit("120.00", "F00000"), credit("121.00", "F00001"))
    from billing.application import bank_chunks

    write, other = bank_chunks._write, []

    def raced(*given):
        if not other:
            other.append(1)
            with opened(url, LATER) as app:
                bank.import_file(app, written(tmp_path, text.replace("A-1", "A-2"), "other.xml"))
        return write(*given)

    monkeypatch.setattr(bank_chunks, "_write", raced)
    report = told(url, tmp_path, text)
    assert dict(report.counts) == {"known": 2}
    assert len(history(url, SETTLED)) == 2
    assert owed(url) == {"F00000": 0, "F00001": 0}


def test_two_suppliers_in_one_file_each_have_their_lines(url, tmp_path):
    from tests.collections.house import ICS_2, client, company, mandate

    other = "FR7630004000031234567890143"
    ready(
        url,
        [company("S"), company("T", ICS_2, other), client("C1"), client("C2"),
         mandate("M1", "C1"), mandate("M2", "C2", "T", creditor_identifier=ICS_2),
         signed("K1", "C1", "M1"), signed("K2", "C2", "M2", supplier="T"),
         issued("F-1", "C1", "K1", "M1", "2026-02-02"),
         issued("F-1", "C2", "K2", "M2", "2026-02-02", "60.00", supplier="T")],
    )  # fmt: skip
    from billing.application import collections

    with opened(url, "2026-01-20") as app:
        collections.collect(app, tmp_path, collections.Asked())
    lines = [
        credit("120.00", "F-1", booked="2026-02-03"),
        credit("60.00", "F-1", booked="2026-02-03"),
    ]
    text = camt("camt.054.001.08", [
        Stmt(entries=lines[:1], account=CREDITOR, id="A"), Stmt(entries=lines[1:], account=other,
            id="B"),
    ])  # fmt: skip
    report = told(url, tmp_path, text)
    assert report.suppliers == ("S", "T")
    assert dict(report.counts) == {"settled": 2}
    assert [event.supplier for event in history(url, "bank_file.imported")] == ["S", "T"]
    assert set(owed(url).values()) == {D(0)}


def test_a_large_entry_is_settled_part_by_part(url, tmp_path, monkeypatch):
    from billing.bank import camt as reader

    monkeypatch.setattr(reader, "PART", 2)
    monkeypatch.setattr(reader, "FEW", 2)
    at_the_bank(url, tmp_path, 5)
    txs = [Tx(f"{120 + n}.00", f"F0000{n}") for n in range(5)]
    report = told(url, tmp_path, statement(Ntry("610.00", txs=txs)))
    assert dict(report.counts) == {"settled": 5}
    assert sum(owed(url).values()) == 0
