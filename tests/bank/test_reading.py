"""What a bank tells is read alike in every version of its messages."""

from __future__ import annotations

from datetime import date
from decimal import Decimal as D
from hashlib import sha256
from pathlib import Path

import pytest
from msgspec.structs import replace

from billing.bank import Balance, Batch, read
from tests.bank.files import (
    ACCOUNT,
    CAMT053,
    CAMT054,
    PAIN002,
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
    transfer,
    written,
)

JULY_3 = date(2026, 7, 3)


def entries(folder: Path, text: str | bytes):
    with read(written(folder, text)) as file:
        return list(file.entries())


@pytest.mark.parametrize("schema", [*CAMT053, *CAMT054])
def test_every_version_of_a_statement_tells_the_same(schema, tmp_path):
    told = [
        credit(
            "324.00",
            "IM2026-000001",
            reference="BK1",
            mandate="RUM-1",
            debtor="Café & Cie",
            iban="FR7630004000031234567890143",
            remittance=["Facture IM2026-000001", "juillet"],
        ),
        debit("100.00", "IM2026-000002/2", "MD01", information="non autorisé", charges="0.00"),
        transfer("50.50", scor="RF18539007547034", document="F-9", moment=True),
    ]
    text = camt(schema, [Stmt(entries=told, balances=[
        ("OPBD", "1000.00", "2026-07-02"), ("CLBD", "1274.50", "2026-07-03"),  # + 324 − 100 + 50.50
    ])])  # fmt: skip
    path = written(tmp_path, text)
    with read(path) as file:
        assert (file.schema, file.message, file.count) == (schema, "MSG-1", 3)
        assert file.digest == sha256(path.read_bytes()).hexdigest()
        (statement,) = file.statements
        assert (statement.id, statement.account) == ("REL-2026-07-03", ACCOUNT)
        assert statement.balances == (
            Balance("OPBD", date(2026, 7, 2), D("1000.00")),
            Balance("CLBD", JULY_3, D("1274.50")),
        )
        first, second, third = file.entries()
    (one,) = first.transactions
    assert (first.amount, first.credit, first.status) == (D("324.00"), True, "BOOK")
    assert (first.booked_on, first.value_on, first.code) == (JULY_3, JULY_3, "PMNT-IDDT-ESDD")
    assert (one.end_to_end, one.mandate, one.amount) == ("IM2026-000001", "RUM-1", D("324.00"))
    assert (one.counterparty, one.counterparty_iban) == (
        "Café & Cie",
        "FR7630004000031234567890143",
    )
    assert one.remittance == "Facture IM2026-000001 juillet"
    assert one.id == first.id
    (back,) = second.transactions
    assert (back.credit, back.returned, back.reason) == (False, True, "MD01")
    assert (back.end_to_end, back.information) == ("IM2026-000002/2", "non autorisé")
    (paid,) = third.transactions
    assert (paid.structured, paid.documents) == (("RF18539007547034",), ("F-9",))
    assert (paid.end_to_end, third.booked_on) == ("", JULY_3)


def test_the_charges_of_a_return_are_told_apart_however_the_version_writes_them(tmp_path):
    for schema in ("camt.054.001.02", "camt.054.001.04", "camt.054.001.08"):
        back = debit("105.00", "F-1", tx_amount=None, instructed="100.00")
        back.txs[0].charges = "5.00"
        (entry,) = entries(tmp_path, camt(schema, [Stmt(entries=[back])]))
        (one,) = entry.transactions
        assert (one.amount, one.instructed, one.charges) == (D("105.00"), D("100.00"), D("5.00"))


def test_a_batch_says_what_it_is_made_of(tmp_path):
    batch = Ntry(
        "366.00",
        batch=("MSG-9", "MSG-9-1", "3", "366.00"),
        txs=[Tx("120.00", "F-1"), Tx("121.00", "F-2"), Tx("125.00", "F-3")],
    )
    (entry,) = entries(tmp_path, camt("camt.054.001.08", [Stmt(entries=[batch])]))
    assert entry.batches == (Batch("MSG-9", "MSG-9-1", 3, D("366.00")),)
    assert [one.end_to_end for one in entry.transactions] == ["F-1", "F-2", "F-3"]
    assert len({entry.id, *(one.id for one in entry.transactions)}) == 4


def test_an_entry_of_thousands_of_transactions_comes_in_parts(tmp_path):
    txs = [Tx("1.00", f"F-{n}") for n in range(2_345)]
    batch = Ntry("2345.00", txs=txs, batch=("", "B-1", "2345", "2345.00"), information="fin")
    told = entries(tmp_path, camt("camt.054.001.08", [Stmt(entries=[batch, credit("9.00", "Z")])]))
    assert [(len(e.transactions), e.part, e.last) for e in told] == [
        (1000, 0, False),
        (1000, 1, False),
        (345, 2, True),
        (1, 0, True),
    ]
    found = [one.end_to_end for e in told[:3] for one in e.transactions]
    assert found == [f"F-{n}" for n in range(2_345)]
    assert len({one.id for e in told for one in e.transactions}) == 2_346
    assert told[2].information == "fin"


def test_transactions_each_in_their_own_details_are_read(tmp_path):
    text = camt("camt.054.001.08", [Stmt(entries=[
        Ntry("3.00", txs=[Tx("1.00", "A"), Tx("2.00", "B")])
    ])]).replace("</TxDtls><TxDtls>", "</TxDtls></NtryDtls><NtryDtls><TxDtls>")  # fmt: skip
    text = text.replace("</TxDtls>\n<TxDtls>", "</TxDtls></NtryDtls>\n<NtryDtls><TxDtls>")
    assert text.count("<NtryDtls>") == 2
    (entry,) = entries(tmp_path, text)
    assert [one.end_to_end for one in entry.transactions] == ["A", "B"]


@pytest.mark.parametrize(
    ("written_as", "day"),
    [
        ("<Dt>2026-07-03</Dt>", "2026-07-03"),
        ("<Dt>2026-07-03+02:00</Dt>", "2026-07-03"),
        ("<DtTm>2026-07-03T23:30:00</DtTm>", "2026-07-03"),
        ("<DtTm>2026-07-03T22:30:00Z</DtTm>", "2026-07-04"),  # 00:30 in Paris
        ("<DtTm>2026-01-03T23:30:00.123+01:00</DtTm>", "2026-01-03"),
    ],
)
def test_a_day_is_the_civil_day_in_paris(written_as, day, tmp_path):
    text = camt("camt.053.001.02", [Stmt(entries=[credit("1.00", "F-1")])])
    text = text.replace("<ValDt><Dt>2026-07-03</Dt>", f"<ValDt>{written_as}")
    (entry,) = entries(tmp_path, text)
    assert entry.value_on == date.fromisoformat(day)


@pytest.mark.parametrize(
    ("amount", "read_as"),
    [("12", "12.00"), ("12.5", "12.50"), ("12.50000", "12.50"), ("+0.07", "0.07"), (".5", "0.50")],
)
def test_an_amount_is_read_as_xml_writes_decimals(amount, read_as, tmp_path):
    told = [Ntry(amount, txs=[])]
    (entry,) = entries(tmp_path, camt("camt.053.001.08", [Stmt(entries=told, totals=False)]))
    assert entry.amount == D(read_as)


def test_only_what_is_booked_has_a_name(tmp_path):
    told = [credit("1.00", "F-1", status="PDNG"), credit("1.00", "F-1")]
    pending, booked = entries(tmp_path, camt("camt.054.001.08", [Stmt(entries=told)]))
    assert (pending.status, pending.id) == ("PDNG", "")
    assert booked.id


SAME = [
    # The same line told in two files has one name; what differs between the two; kind of name.
    ("with the bank's reference, in an advice and a statement", {"reference": "BK1"}, {}, {}),
    ("details or none", {"reference": "BK1"}, {}, {"txs": ()}),
    ("reference above or below", {"tx_reference": "BK1"}, {}, {"reference": "BK1", "txs": ()}),
    ("an end-to-end id, the debtor told or not", {}, {"debtor": "X"}, {"debtor": "Y"}),
]


@pytest.mark.parametrize(("what", "both", "one", "other"), SAME, ids=[s[0] for s in SAME])
def test_a_line_told_twice_has_one_name(what, both, one, other, tmp_path):
    first = credit("10.00", "E2E-1", **{**both, **one})
    txs = other.pop("txs", None)
    second = credit("10.00", "E2E-1", **{**both, **other})
    if txs is not None:
        second.txs = txs
    (a,) = entries(tmp_path, camt("camt.054.001.02", [Stmt(entries=[first])]))
    (b,) = entries(tmp_path, camt("camt.053.001.08", [Stmt(entries=[second], id="AUTRE")]))
    assert a.id == b.id
    assert a.transactions[0].id == b.id


DIFFERENT = [
    ("amount", {"amount": "10.01"}),
    ("way", {"credit": False}),
    ("day", {"booked": "2026-07-04"}),
    ("reference", {"reference": "BK2"}),
]


@pytest.mark.parametrize(("what", "change"), DIFFERENT, ids=[d[0] for d in DIFFERENT])
def test_lines_that_differ_have_two_names(what, change, tmp_path):
    one = Ntry("10.00", reference="BK1")
    other = Ntry(**{**vars(one), **change})
    told = entries(tmp_path, camt("camt.053.001.08", [Stmt(entries=[one, other])]))
    assert told[0].id != told[1].id


def test_two_payments_alike_in_a_file_are_two(tmp_path):
    told = [transfer("10.00", debtor="X"), transfer("10.00", debtor="X")]
    a, b = entries(tmp_path, camt("camt.053.001.08", [Stmt(entries=told)]))
    assert a.id != b.id
    again = entries(tmp_path, camt("camt.054.001.04", [Stmt(entries=told[:1])]))
    assert again[0].id == a.id


def test_a_bank_that_gives_one_reference_to_several_does_not_lose_any(tmp_path):
    told = [credit("10.00", f"F-{n}", reference="BATCH") for n in range(3)]
    found = entries(tmp_path, camt("camt.054.001.08", [Stmt(entries=told)]))
    assert len({entry.id for entry in found}) == 3


@pytest.mark.parametrize("schema", PAIN002)
def test_every_version_of_a_status_report_tells_the_same(schema, tmp_path):
    report = Report(
        "S-20260120-1",
        status="PART",
        payments=[
            Payment(
                "S-20260120-1-1",
                status="PART",
                rejected="1",
                txs=[
                    TxStatus("F-1", "RJCT", "AC04", "compte clos", mandate="RUM-1", amount="12.00"),
                    TxStatus("F-2", "ACCP"),
                ],
            ),
            Payment("S-20260120-1-2", status="RJCT", reason="FF01"),
        ],
    )
    with read(written(tmp_path, pain002(schema, report))) as file:
        assert (file.schema, file.original, file.message) == (schema, "S-20260120-1", "PSR-1")
        one, two, part, whole, group = file.statuses()
    assert (one.level, one.status, one.end_to_end) == ("transaction", "RJCT", "F-1")
    assert (one.reason, one.information, one.mandate) == ("AC04", "compte clos", "RUM-1")
    assert (one.amount, one.payment_information) == (D("12.00"), "S-20260120-1-1")
    assert (two.status, two.reason) == ("ACCP", "")
    assert (part.level, part.status, part.details) == ("payment", "PART", 2)
    assert (whole.status, whole.reason, whole.details) == ("RJCT", "FF01", 0)
    assert (group.level, group.status, group.message) == ("group", "PART", "S-20260120-1")


def test_a_transaction_says_nothing_and_has_the_status_above_it(tmp_path):
    report = Report("M", payments=[Payment("M-1", status="RJCT", reason="AG02", txs=[
        TxStatus("F-1", status="")
    ])])  # fmt: skip
    with read(written(tmp_path, pain002("pain.002.001.03", report))) as file:
        one = next(file.statuses())
    assert (one.status, one.reason) == ("RJCT", "AG02")


def test_entries_of_one_shape_are_read_as_each_of_them_alone(tmp_path):
    names = ["A & B", "C <D>", "É\u00a0G", "", "x" * 300]
    told = [
        credit(
            f"{n}.07", f"E-{n}", debtor=names[n % 5], remittance=[f"l{n}"] * (n % 3), reference="R"
        )
        for n in range(60)
    ]
    told += [debit(f"{n}.00", f"B-{n}", charges="1.00" if n % 2 else "") for n in range(9)]
    told += [Ntry(f"{n}.00", reference=f"N{n}", information="i & j" * (n % 2)) for n in range(9)]
    told += [Ntry("4.00", txs=[Tx("1.00", "a"), Tx("3.00", "b")]), Ntry("5.00", txs=[Tx(None)])]
    together = entries(tmp_path, camt("camt.054.001.08", [Stmt(entries=told)]))
    for entry, alone in zip(together, told, strict=True):
        (same,) = entries(tmp_path, camt("camt.054.001.08", [Stmt(entries=[alone])]))
        assert replace(same, rank=entry.rank, line=entry.line, id=entry.id) == replace(
            entry, transactions=tuple(replace(t, id=s.id) for t, s in
                                      zip(entry.transactions, same.transactions, strict=True)),
        )  # fmt: skip
    assert together[-1].transactions[0].amount == D("5.00")


def test_a_large_file_is_read_in_flat_memory(tmp_path):
    import tracemalloc

    def peak(count: int) -> int:
        told = [credit("1.00", f"F-{n}", reference=f"R{n}") for n in range(count)]
        path = written(tmp_path, camt("camt.054.001.08", [Stmt(entries=told)]))
        del told
        tracemalloc.start()
        with read(path) as file:
            assert sum(1 for _ in file.entries()) == count
        top = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return top

    small, large = peak(1_000), peak(8_000)
    # What is kept of each line is its name and its facts: some 290 bytes. Whole lines: 1,450.
    assert large - small < (8_000 - 1_000) * 600
