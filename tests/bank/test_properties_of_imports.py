"""Whatever the files, their order and how often: the same lines leave the same balances."""

from __future__ import annotations

import itertools
import shutil
from decimal import Decimal as D

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.application import bank, receivables
from tests.bank.files import Ntry, Payment, Report, Tx, TxStatus, credit, debit, pain002, transfer
from tests.bank.till import at_the_bank, statement, told
from tests.collections.house import opened

AT = "2026-03-20"
FILE = "S-20260120-1"
_number = itertools.count()


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    """Six collections at the bank, 120 to 125 €, in a file to start each example from."""
    folder = tmp_path_factory.mktemp("begun")
    at_the_bank(f"sqlite:///{folder}/b.db", folder, 6)
    return folder


def lines() -> dict[str, Ntry]:
    """What happened: four credited one by one, two of them come back; two transfers of clients
    whose names are known, one of an unknown payer; a batch of two with its details."""
    return {
        "settled 0": credit("120.00", "F00000", reference="A0"),
        "settled 1": credit("121.00", "F00001"),
        "back 0": debit("125.00", "F00000", "AM04", tx_amount="120.00", charges="5.00"),
        "settled 2": credit("122.00", "F00002", reference="A2"),
        "back 2": debit("122.00", "F00002", "MD01", reference="B2"),
        "transfer 3": transfer("50.00", debtor="Cliente C00003", reference="T3"),
        "transfer 1": transfer("10.00", debtor="Cliente C00001"),
        "unknown": transfer("7.00", debtor="Nobody", reference="T9"),
        "batch": Ntry(
            "249.00", txs=[Tx("124.00", "F00004"), Tx("125.00", "F00005")], reference="G"
        ),
    }


REPORT = pain002("pain.002.001.03", Report(FILE, payments=[
    Payment(f"{FILE}-1", txs=[TxStatus("F00003", "RJCT", "AC04")])
]))  # fmt: skip
EXPECTED = {
    # 120 came back; 121 paid, and 10 more; 122 came back; 123 rejected, 50 paid of it or kept for
    # it while it is under way; the batch paid 124 and 125.
    "C00000": D("120.00"),
    "C00001": D("-10.00"),
    "C00002": D("122.00"),
    "C00003": D("73.00"),
    "C00004": D(0),
    "C00005": D(0),
}
NAMES = list(lines())


def balances(url: str):
    """What each client owes, its credit taken off, and how many lines wait."""
    with opened(url, AT) as app:
        book = receivables.book(app)
        owed = {r.client: r.owed for r in book.documents()}
        for payment in book.payments(left_only=False):
            owed[payment.client] -= payment.left
        assert app.drifted_states() == []
        return owed, len(bank.unmatched(app))


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    order=st.permutations(NAMES),
    cuts=st.sets(st.integers(1, len(NAMES) - 1), max_size=4),
    again=st.lists(st.sampled_from(NAMES), max_size=5),
    schemas=st.lists(
        st.sampled_from(["camt.053.001.02", "camt.053.001.08", "camt.054.001.04"]),
        min_size=6, max_size=6,
    ),
    rejected_at=st.integers(0, 4),
)  # fmt: skip
def test_any_split_order_and_repetition_of_the_same_lines_gives_the_same_balances(
    begun, tmp_path, order, cuts, again, schemas, rejected_at
):
    path = tmp_path / f"{next(_number)}.db"
    shutil.copy(begun / "b.db", path)
    url, all_lines = f"sqlite:///{path}", lines()
    bounds = [0, *sorted(cuts), len(order)]
    files = [[all_lines[n] for n in order[a:b]] for a, b in itertools.pairwise(bounds)]
    files.append([all_lines[name] for name in dict.fromkeys(again)])
    for rank, (entries, schema) in enumerate(zip(files, schemas, strict=False)):
        if rank == min(rejected_at, len(files) - 1):
            told(url, tmp_path, REPORT, on=AT)
        if entries:
            told(url, tmp_path, statement(*entries, schema=schema, id=f"R-{rank}"), on=AT)
    assert balances(url) == (EXPECTED, 1)
