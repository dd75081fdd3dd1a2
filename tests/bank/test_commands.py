"""Bank files as typed: `billing bank import`, `unmatched`, `match`."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from billing.application.lives import play, read_life
from billing.cli import cli
from tests.bank.files import Ntry, credit, debit, transfer, written
from tests.bank.till import LATER, at_the_bank, history, owed, statement
from tests.collections.house import opened


@pytest.fixture
def desk(tmp_path):
    """`billing …` on one database where three collections are at the bank."""
    url = f"sqlite:///{tmp_path}/b.db"
    at_the_bank(url, tmp_path)

    def typed(*words, code=0):
        given = ["--database", url, "--today", LATER, *map(str, words)]
        answer = CliRunner().invoke(cli, given, prog_name="billing")
        assert answer.exit_code == code, answer.output + answer.stderr
        return answer.stdout if code == 0 else answer.stderr

    typed.url = url
    return typed


def test_a_file_is_imported_and_what_waits_is_matched(desk, tmp_path):
    text = statement(
        credit("120.00", "F00000"), debit("121.00", "F00001"), transfer("30.00", debtor="Nobody")
    )
    path = written(tmp_path, text, "avis.xml")
    told = desk("bank", "import", path)
    assert "camt.054.001.08 MSG-1 of S, 3 lines:" in told
    assert "1 credited, 120.00 €" in told
    assert "F00001: 121.00 € came back (return): AM04 : provision insuffisante" in told
    assert "`billing unmatched` shows what waits" in told
    assert "imported already, on 2026-02-20; nothing changes" in desk("bank", "import", path)
    assert "the payer is not known" in desk("unmatched")
    (line,) = json.loads(desk("--json", "unmatched"))
    entry = line["line"]["entry"]
    assert line["line"]["amount"] == "30.00"
    assert "line of the bank settled: payment of C00002" in desk(
        "match", entry, "--client", "C00002"
    )
    assert desk("unmatched") == "No line of the bank waits.\n"
    assert "was settled on" in desk("match", entry, "--ignore", "x", code=3)


def test_a_dry_run_says_so(desk, tmp_path):
    path = written(tmp_path, statement(credit("120.00", "F00000")))
    assert desk("bank", "import", path, "--dry-run").endswith("Nothing was written.\n")
    report = json.loads(desk("--json", "bank", "import", path, "--dry-run"))
    assert report["counts"] == {"settled": 1}
    assert (report["amounts"], report["dry"]) == ({"settled": "120.00"}, True)
    assert history(desk.url, "mandate.collection_settled") == []


def test_a_bad_file_ends_with_its_own_code_and_its_place(desk, tmp_path):
    path = written(tmp_path, statement(credit("120.00", "F00000")).replace("CRDT", "CRED"))
    told = desk("bank", "import", path, code=4)
    assert "Ntfctn[1]/Ntry[1]/CdtDbtInd = CRED: CRDT or DBIT was expected" in told
    error = json.loads(desk("--json", "bank", "import", path, code=4))
    assert error["faults"][0]["line"] > 1
    assert error["kind"] == "bad file"


def test_a_life_file_imports_and_matches(desk, tmp_path):
    written(tmp_path, statement(credit("120.00", "F00000"), Ntry("3.00", reference="X")), "a.xml")
    life = tmp_path / "life.toml"
    life.write_text(
        f'title = "Bank"\n\n[[actions]]\non = {LATER}\ndo = "bank-import"\npath = "a.xml"\n'
    )
    with opened(desk.url, LATER) as app:
        list(play(app, read_life(life)))
    assert owed(desk.url)["F00000"] == 0
    (line,) = history(desk.url, "bank_entry.unmatched")
    entry = line.entry
    life.write_text(
        f'title = "Bank"\n\n[[actions]]\non = {LATER}\ndo = "match-entry"\nentry = "{entry}"\n'
        'ignore = "frais"\n'
    )
    with opened(desk.url, LATER) as app:
        list(play(app, read_life(life)))
    assert [event.how for event in history(desk.url, "bank_entry.settled")] == ["ignored: frais"]
