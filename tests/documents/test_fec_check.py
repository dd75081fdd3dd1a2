"""A file of entries that was tampered with: each fault is named with its line and column."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from billing.documents.fec_check import FAULTS, check
from tests.documents.bookkeeper import SIREN, Bookkeeper, line

NAME = f"{SIREN}FEC20261231.txt"
DEBIT, CREDIT, NUMBER, ON, VALID = 11, 12, 2, 3, 15

Row = list[str]


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The lines of a good file: two invoices, one paid."""
    with Bookkeeper() as books:
        books.sells("F-1", line("1000.00"))
        books.sells("F-2", line("50.00"), issued="2026-02-15")
        books.pays("1200.00", "03-20", invoices=["F-1"], reference="P-1")
        path = books.file(tmp_path_factory.mktemp("fec"))
    assert check(path).faults == []
    return path.read_bytes().decode("iso8859-15").split("\r\n")


def faults(folder: Path, lines: list[str], name: str = NAME, encoding: str = "iso8859-15") -> str:
    """What is found wrong, as text."""
    path = folder / name
    path.write_bytes("\r\n".join(lines).encode(encoding))
    return "\n".join(str(fault).removeprefix(f"{folder}/") for fault in check(path).faults)


def changed(lines: list[str], line: int, change: Callable[[Row], None]) -> list[str]:
    """The lines with one of them changed, as a person counts them."""
    fields = lines[line - 1].split("\t")
    change(fields)
    return [*lines[: line - 1], "\t".join(fields), *lines[line:]]


def put(column: int, value: str) -> Callable[[Row], None]:
    """Another value in a column."""

    def change(fields: Row) -> None:
        fields[column] = value

    return change


@pytest.mark.parametrize(
    ("line", "column", "value", "told"),
    [
        (2, DEBIT, "1200,01", ":2: EcritureNum = 1: debits and credits that agree"),
        (2, DEBIT, "1200,01", "debits of 2660,01 € and credits of 2660,00 € that agree"),
        (2, DEBIT, "1200.00", ":2: Debit = 1200.00: an amount with a comma"),
        (2, DEBIT, "1 200,00", "an amount with a comma"),
        (2, DEBIT, "0,00", ":2: Debit / Credit = 0,00 / 0,00: one of the two"),
        (2, CREDIT, "1200,00", "one of the two"),
        (2, NUMBER, "0", "1 was expected: the numbers of entries are unbroken"),
        (5, NUMBER, "9", ":5: EcritureNum = 9: 2 was expected"),
        (5, NUMBER, "deux", ":5: EcritureNum = deux: a whole number"),
        (3, ON, "20260116", ":3: EcritureNum = VE 20260116 20261231: as on line 2"),
        (2, ON, "20250115", ":2: EcritureDate = 20250115: a day from 2026-01-01 to 2026-12-31"),
        (2, ON, "15/01/2026", ":2: EcritureDate = 15/01/2026: a day written AAAAMMJJ"),
        (2, ON, "20260230", "a day written AAAAMMJJ"),
        (2, VALID, "20260101", ":2: ValidDate = 20260101: no day before its EcritureDate"),
        (8, VALID, "20260401", ":8: ValidDate = 20260401: no day before 20261231"),
        (2, VALID, "", ":2: ValidDate: it is missing"),
        (2, 0, "", ":2: JournalCode: it is missing"),
        (2, 8, "", ":2: PieceRef: it is missing"),
        (2, 4, "41", ":2: CompteNum = 41: an account was expected"),
        (7, 5, "Ventes", ':7: CompteLib = Ventes: 706000 is called "Prestations de services"'),
        (5, 5, "Débiteurs", '411000 is called "Clients" before'),
        (2, 6, "", ":2: CompAuxNum: CompAuxNum and CompAuxLib go together"),
        (2, 14, "", ":2: EcritureLet = F-1: EcritureLet and DateLet go together"),
        (2, 17, "EUR", "Montantdevise and Idevise go together"),
    ],
)
def test_what_was_changed_in_a_row_is_found(tmp_path, good, line, column, value, told):
    assert told in faults(tmp_path, changed(good, line, put(column, value)))


def test_a_line_that_is_missing_is_an_entry_that_does_not_balance(tmp_path, good):
    told = faults(tmp_path, [*good[:3], *good[4:]])
    assert (
        ":2: EcritureNum = 1: debits and credits that agree were expected; they differ by" in told
    )


def test_an_entry_that_is_missing_breaks_the_numbers(tmp_path, good):
    assert ":2: EcritureNum = 2: 1 was expected" in faults(tmp_path, [good[0], *good[4:]])


def test_two_entries_in_another_order_break_the_numbers(tmp_path, good):
    told = faults(tmp_path, [good[0], *good[4:7], *good[1:4], *good[7:]])
    assert ":2: EcritureNum = 2: 1 was expected" in told
    assert ":5: EcritureNum = 1: 3 was expected" in told


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (lambda text: text.replace("CompteNum", "Compte"), "column 5 = Compte: CompteNum"),
        (lambda text: "\t".join(text.split("\t")[:17]), "18 columns were expected, there are 17"),
        (lambda text: "\ufeff" + text, "a byte order mark"),
        (lambda text: text.replace("\t", ";"), "columns between tabs, or between |"),
        (lambda text: "", "columns between tabs, or between |"),
    ],
)
def test_other_columns_are_named(tmp_path, good, header, told):
    assert told in faults(tmp_path, [header(good[0]), *good[1:]], encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("fec2026.txt", "file name = fec2026.txt: SirenFECAAAAMMJJ.txt was expected"),
        ("732829321FEC20261231.txt", "file name = 732829321: a SIREN was expected"),
        (f"{SIREN}FEC20261331.txt", "file name = 20261331: the day the year closes"),
        (f"{SIREN}FEC20251231.txt", "a day from 2025-01-01 to 2025-12-31 was expected"),
    ],
)
def test_the_name_says_whose_and_which_year(tmp_path, good, name, told):
    assert told in faults(tmp_path, good, name)


def test_a_field_too_many_is_told_with_its_line(tmp_path, good):
    told = faults(tmp_path, changed(good, 2, lambda fields: fields.insert(3, "x")))
    assert f"{NAME}:2: " in told
    assert "18 fields were expected, there are 19" in told


def test_a_file_of_nothing_is_no_book(tmp_path, good):
    assert "at least one entry was expected" in faults(tmp_path, [good[0], ""])
    assert "columns between tabs" in faults(tmp_path, [""])
    assert "cannot be read" in str(check(tmp_path / "missing" / NAME).faults[-1])


def test_bytes_that_are_no_text_are_told_and_end_nothing(tmp_path):
    path = tmp_path / NAME
    path.write_bytes(bytes(range(256)) * 50)
    assert check(path).faults


def test_many_faults_are_counted_past_those_named(tmp_path, good):
    wrong = [changed(good, 2, put(DEBIT, "x"))[1]] * (FAULTS + 50)
    path = tmp_path / NAME
    path.write_bytes("\r\n".join([good[0], *wrong]).encode())
    found = check(path)
    assert len(found.faults) == FAULTS
    assert found.more > 50


def test_it_reads_what_others_write_lf_and_a_single_decimal(tmp_path, good):
    text = "\n".join(good).replace("1200,00", "1200,0")
    path = tmp_path / NAME
    path.write_bytes(text.encode("iso8859-15"))
    assert check(path).faults == []
