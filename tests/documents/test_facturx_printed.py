"""The documents of the five contracts: read from the record, printed, held against all rules."""

from __future__ import annotations

import hashlib
import shutil
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace

from billing.application import archive as archiving
from billing.application.printed import Issue, Name, facts, issues, read
from billing.dates import Period, date, month_of
from billing.documents.facturx import check, data_of, facturx, kind_of
from billing.events.invoice import CreditNoteIssued, DebitNoteIssued
from billing.events.party import PartyAmended
from billing.identity import stream
from billing.refusal import Refused
from tests.documents.paper import Data, attached, text_of
from tests.played import Typed

EVER = Period(date(2000, 1, 1), date(2100, 1, 1))
SUMS = "SpecifiedTradeSettlementHeaderMonetarySummation"


@pytest.fixture(scope="module")
def chased(played: Typed, tmp_path_factory: pytest.TempPathFactory) -> Typed:
    """The demo, and what it is owed for being late: debit notes."""
    path = tmp_path_factory.mktemp("chased") / "demo.db"
    shutil.copy(played.database, path)
    typed = Typed(path)
    assert typed("chase", "2026-11-22").code == 0
    return typed


def all_facts(typed: Typed):
    app = typed.app()
    found = list(read(app, [one.name for one in issues(app, EVER)]))
    app.close()
    return found


def one_of_each(found):
    """A document of each kind, kinds of line and categories, of each supplier."""
    kept = {}
    for one in found:
        document = one.document
        lines = tuple(sorted({line.kind for line in document.lines}))
        vat = tuple(sorted({total.category for total in getattr(document, "vat", ())}))
        key = (document.supplier, kind_of(document), lines, vat, bool(one.revisions))
        kept.setdefault(key, one)
    return list(kept.values())


def test_every_document_of_the_five_contracts_has_its_event_s_totals(chased):
    found = all_facts(chased)
    assert len(found) > 190
    kinds = {kind_of(one.document) for one in found}
    assert kinds == {"invoice", "deposit", "credit_note", "debit_note"}
    for one in found:
        document = one.document
        data = Data(data_of(one)[1])  # Valid by the schema, or it raises.
        assert data.one("ExchangedDocument/ID") == document.number
        assert data.amount(f"{SUMS}/GrandTotalAmount") == document.gross
        net = getattr(document, "net", document.gross)
        assert data.amount(f"{SUMS}/TaxBasisTotalAmount") == net
        assert data.amount(f"{SUMS}/TaxTotalAmount") == getattr(document, "tax", Decimal(0))
        assert data.amount(f"{SUMS}/LineTotalAmount") == net
        paid = one.prepaid
        assert data.amount("DuePayableAmount") == document.gross - paid


def test_each_kind_of_document_holds_both_schematrons(chased):
    some = one_of_each(all_facts(chased))
    assert len(some) > 20
    for one in some:
        _, xml = data_of(one)
        for rules in check.RULES:
            assert check.schematron(xml, rules) == [], one.document.number


def test_the_page_of_each_kind_shows_the_figures_of_its_event(chased):
    for one in one_of_each(all_facts(chased)):
        document = one.document
        pdf = facturx(one)
        assert attached(pdf) == data_of(one)[1]
        text = text_of(pdf).replace("\u202f", " ").replace("\u00a0", " ")
        amounts = [document.gross - one.prepaid]
        lines = document.lines
        amounts += [getattr(line, "amount", None) or getattr(line, "net", None) for line in lines]
        for amount in amounts:
            told = f"{abs(amount):,.2f}".replace(",", " ").replace(".", ",")
            assert told in text, (document.number, told)
        assert document.number in text
        assert one.client.name in text


def test_an_invoice_with_a_deposit_names_its_deposit_invoice(chased):
    app = chased.app()
    (one,) = [f for f in all_facts(chased) if f.deductions]
    (deduction,) = one.deductions
    deposit = facts(app, deduction.invoice)
    assert deposit.prepaid == deposit.document.gross == deduction.net + deduction.tax
    assert deposit.prepaid_on is not None
    assert [named.number for named in one.named] == [deduction.invoice]


def test_credit_and_debit_notes_name_what_they_are_about(chased):
    for one in all_facts(chased):
        if isinstance(one.document, CreditNoteIssued):
            assert [named.number for named in one.named] == [one.document.credits]
        elif isinstance(one.document, DebitNoteIssued):
            wanted = dict.fromkeys(line.invoice for line in one.document.lines)
            assert [named.number for named in one.named] == list(wanted)


def test_a_revision_is_explained_once_and_named_afterwards(chased):
    explained: dict[tuple[str, int], str] = {}
    named = 0
    for one in sorted(all_facts(chased), key=lambda f: (f.document.issued_on, f.document.number)):
        for revised in one.revisions:
            key = (one.document.contract, revised.event.originator_version)
            if revised.explained_in:
                assert explained[key] == revised.explained_in
                named += 1
            elif kind_of(one.document) == "invoice":
                assert key not in explained
                explained[key] = one.document.number
    assert explained
    assert named


def test_a_party_that_moved_since_is_printed_as_it_was(copied):
    before = hashlib.sha256(facturx(facts(copied.app(), "IM2026-000002"))).hexdigest()
    app = copied.app()
    party = app.party("CABINET-MOREAU")
    assert party is not None
    moved = replace(party.identity, name="Cabinet Moreau et Filles SELARL", language="en")
    app.save(
        *app.stamp([PartyAmended(party=moved)], stream("party", "CABINET-MOREAU"), party.version)
    )
    again = hashlib.sha256(facturx(facts(app, "IM2026-000002"))).hexdigest()
    assert again == before


def test_a_party_that_is_not_registered_is_named(copied):
    app = copied.app()
    one = next(iter(read(app, [Name("INTEGRALMICRO", "IM2026-000002")])))
    with pytest.raises(Refused, match="no invoice"):
        facts(app, "IM2026-999999")
    with app.store.engine.begin() as connection:
        id = stream("party", "CABINET-MOREAU")
        connection.exec_driver_sql("DELETE FROM events WHERE originator_id = ?", (id.bytes,))
    (refused,) = read(app, [Name("INTEGRALMICRO", "IM2026-000002")])
    assert "client CABINET-MOREAU is not registered" in str(refused)
    assert not isinstance(one, Refused)


# Commands


@pytest.mark.parametrize("out", ["out", "out/"])
def test_print_writes_the_document_under_its_number(played, tmp_path, out):
    done = played("print", "IM2026-000002", "--out", f"{tmp_path}/{out}", "--json")
    assert done.code == 0, done.err
    path = tmp_path / "out" / "IM2026-000002.pdf"
    assert done.data == {
        "document": "IM2026-000002",
        "file": str(path),
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }
    assert "Facture IM2026-000002" in text_of(path.read_bytes())


def test_print_writes_the_data_alone_to_the_file_that_is_named(played, tmp_path):
    path = tmp_path / "there.xml"
    assert played("print", "AT2026-000014", "--xml", "--out", str(path)).code == 0
    assert check.xsd(path.read_bytes()) == []


def test_a_path_that_ends_with_a_slash_is_a_folder_whatever_its_name(played, tmp_path):
    done = played("print", "IM2026-000002", "--out", f"{tmp_path}/2026.pdf/", "--json")
    assert done.data["file"] == f"{tmp_path}/2026.pdf/IM2026-000002.pdf"
    done = played("print", "IM2026-000002", "--out", f"{tmp_path}/made/when.missing", "--json")
    assert done.data["file"] == f"{tmp_path}/made/when.missing/IM2026-000002.pdf"


def test_data_are_not_called_a_page(played, tmp_path):
    done = played("print", "IM2026-000002", "--xml", "--out", f"{tmp_path}/there.pdf")
    assert "a .xml file or a folder was expected" in done.err
    assert list(tmp_path.iterdir()) == []


def test_print_refuses_what_there_is_not(played):
    done = played("print", "NONE-1")
    assert done.code == 3
    assert "no invoice NONE-1" in done.err


def test_a_month_is_made_once_and_what_lacks_is_made_again(played, tmp_path):
    out = tmp_path / "july"
    first = played("documents", "2026-07", "--out", str(out), "--json")
    assert first.code == 0, first.err
    numbers = {one["number"] for one in played("invoices", "--month", "2026-07", "--json").data}
    assert {path.stem for path in out.glob("*.pdf")} == numbers
    assert (first.data["made"], first.data["kept"]) == (len(numbers), 0)
    assert first.data["checked"] >= 2  # The first invoice and the first credit note.
    assert sums(out) == {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in out.glob("*.pdf")
    }
    again = played("documents", "2026-07", "--out", str(out), "--json").data
    assert (again["made"], again["kept"], again["digest"]) == (
        0, len(numbers), first.data["digest"],
    )  # fmt: skip
    lost, cut = sorted(out.glob("*.pdf"))[:2]
    lost.unlink()
    cut.write_bytes(cut.read_bytes()[:1000])
    mended = played("documents", "2026-07", "--out", str(out), "--json").data
    assert (mended["made"], mended["kept"]) == (2, len(numbers) - 2)
    assert mended["digest"] == first.data["digest"]
    assert not list(out.glob(".*"))  # Neither a journal nor half a file is left.


def test_another_month_in_the_folder_keeps_the_first_in_the_manifest(played, tmp_path):
    assert played("documents", "2026-07", "--out", str(tmp_path)).code == 0
    before = sums(tmp_path)
    assert played("documents", "2026-08", "--out", str(tmp_path)).code == 0
    assert before.items() < sums(tmp_path).items()


def test_other_brands_make_other_files(played, tmp_path):
    brands = tmp_path / "brands.toml"
    brands.write_text('[suppliers.ALLIANCE]\naccent = "#9b2d1f"\n')
    out = str(tmp_path / "out")
    first = played("documents", "2026-07", "--out", out, "--json").data
    second = played("documents", "2026-07", "--out", out, "--brands", str(brands), "--json").data
    assert second["made"] == first["made"]
    assert second["digest"] != first["digest"]


def test_several_processes_make_the_same_bytes_as_one(chased, tmp_path):
    app = chased.app()
    wanted = issues(app, EVER)[:60]
    alone = archiving.archive(app, wanted, tmp_path / "one", processes=1)
    told = []
    many = archiving.archive(
        app, wanted, tmp_path / "two", processes=2, progress=lambda *at: told.append(at)
    )
    assert (alone.made, alone.refused, alone.digest) == (60, (), many.digest)
    assert told[-1] == (60, 60)
    assert sums(tmp_path / "one") == sums(tmp_path / "two")


def test_a_stopped_archive_goes_on(played, tmp_path, monkeypatch):
    app = played.app()
    wanted = issues(app, month_of(date(2026, 7, 1)))
    real, made = archiving.write, []

    def stopped(path: Path, content: bytes) -> None:
        if len(made) == 3:
            raise KeyboardInterrupt
        made.append(path)
        real(path, content)

    monkeypatch.setattr(archiving, "write", stopped)
    monkeypatch.setattr(archiving, "CHUNK", 1)
    with pytest.raises(KeyboardInterrupt):
        archiving.archive(app, wanted, tmp_path, processes=1)
    monkeypatch.undo()
    report = archiving.archive(app, wanted, tmp_path, processes=1)
    assert (report.made, report.kept) == (len(wanted) - 3, 3)


def test_a_document_that_cannot_be_made_is_told_and_the_rest_goes_on(copied, tmp_path):
    app = copied.app()
    id = stream("party", "CABINET-MOREAU")
    with app.store.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM events WHERE originator_id = ?", (id.bytes,))
    done = copied("documents", "2026-07", "--out", str(tmp_path))
    assert done.code == 3
    assert "IM2026-000007: client CABINET-MOREAU is not registered" in done.out
    assert "1 document could not be made" in done.err
    assert len(list(tmp_path.glob("*.pdf"))) == 6


def test_two_companies_with_one_number_have_two_files():
    same = [Issue(Name("A", "2026-1"), "invoice"), Issue(Name("B", "2026-1"), "invoice")]
    assert list(archiving._files(same).values()) == ["A-2026-1.pdf", "B-2026-1.pdf"]
    assert archiving.file_name(Name("A", "F/2026/1")) == "F-2026-1.pdf"


def sums(folder: Path) -> dict[str, str]:
    """The manifest of a folder."""
    lines = (folder / "SHA256SUMS").read_text().splitlines()
    assert lines[0].startswith("# billing-engine ")
    return {file: digest for digest, file in (line.split("  ") for line in lines[1:])}
