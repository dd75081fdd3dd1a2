"""A file read again from the disk, a piece at a time, tells what it holds or what is wrong."""

import hashlib
import io
from pathlib import Path

import pytest

from billing.documents import reread
from billing.documents.reread import Debit, Digested, Disagreement, cents_in, debits
from tests.documents.orders import BNP

SCHEMA = "pain.008.001.08"
DATA = (Path(__file__).parent / f"{SCHEMA}.xml").read_bytes()
HELD = [
    Debit("PREL-2026-12-1", "2026-0001", "RUM-0001", BNP, 120_00),
    Debit("PREL-2026-12-1", "2026-0002", "RUM-0002", BNP, 1250_50),
    Debit("PREL-2026-12-1", "2026-0003/2", "RUM-0003", BNP, 1),
    Debit("PREL-2026-12-1", "2026-0004", "RUM-0004", BNP, 48_60),
    Debit("PREL-2026-12-2", "2026-0005", "RUM-0005", BNP, 999_99),
]


def read(data, schema=SCHEMA):
    return list(debits(io.BytesIO(data), schema))


@pytest.mark.parametrize("piece", [1, 7, 64, 1000, 3000, 10**6])
def test_wherever_the_pieces_are_cut_the_same_is_read(piece, monkeypatch):
    monkeypatch.setattr(reread, "PIECE", piece)
    assert read(DATA) == HELD
    wrong = DATA.replace(b">999.99</InstdAmt>", b">999.98</InstdAmt>")
    with pytest.raises(Disagreement, match=r"batch PREL-2026-12-2 states 1 .* 99999 cents and"):
        read(wrong)


def test_the_digest_is_that_of_all_the_bytes_read_or_not():
    digested = Digested(io.BytesIO(DATA))
    digested.read(10)
    assert digested.digest() == hashlib.sha256(DATA).hexdigest()


@pytest.mark.parametrize(
    ("was", "becomes", "told"),
    [
        (b"<NbOfTxs>5", b"<NbOfTxs>4", "the file states 4 collections"),
        (b"<CtrlSum>2419.10", b"<CtrlSum>2419.11", "the file states 5 collections of 241911 cents"),
        (b"<NbOfTxs>4", b"<NbOfTxs>3", "batch PREL-2026-12-1 states 3 collections"),
        (b"<CtrlSum>2419.10", b"<CtrlSum>2419.101", "'2419.101' is no amount"),
        (b'Ccy="EUR">999.99', b'Ccy="EUR">-999.99', "'-999.99' is no amount"),
        (b'Ccy="EUR">999.99', b'Ccy="eur">999.99', "Ccy"),
        (b"<MndtId>RUM-0005</MndtId>", b"", "no mandate or no IBAN"),
        (b"<Cd>B2B</Cd>", b"<Cd>B2B</Cd><Cd>B2B</Cd>", "not expected"),
        (b"2026-12-02", b"2026-12-32", "ReqdColltnDt"),
        (b"001.08", b"001.02", "No matching global declaration"),
        (b"</Document>", b"", "Premature end of data"),
        (b"</Document>", b"</Document><Document/>", "Extra content"),
    ],
)
def test_what_is_wrong_is_told(was, becomes, told):
    assert DATA.count(was) == 1
    with pytest.raises(Disagreement, match=told):
        read(DATA.replace(was, becomes))


def test_an_empty_file_is_no_file():
    with pytest.raises(Disagreement):
        read(b"")


@pytest.mark.parametrize(
    ("written", "cents"),
    [("0", 0), ("12", 1200), ("12.5", 1250), ("12.05", 1205), ("999999999999999999", 10**20 - 100)],
)
def test_an_amount_is_read_as_whole_cents(written, cents):
    assert cents_in(written) == cents


@pytest.mark.parametrize("written", ["", "-1", "1.005", "1,50", "1e3", ".5", "١"])
def test_what_is_no_amount_of_cents_is_refused(written):
    with pytest.raises(Disagreement):
        cents_in(written)
