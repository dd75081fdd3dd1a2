"""The books: each entry worked out by hand, and a file that another reader finds good."""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from billing.application import bank, receivables
from billing.dates import DAY, Period
from billing.documents.chart import load_chart
from billing.documents.fec_check import check
from billing.events.contract import OrderCancelled
from billing.events.invoice import PaymentAllocated, PaymentReversed
from billing.forms import BadFile
from billing.identity import contract_id
from billing.refusal import Refused
from tests.documents.bookkeeper import SIREN, Bookkeeper, line
from tests.money.office import day

D = Decimal


@pytest.fixture
def books() -> Iterator[Bookkeeper]:
    """Tax due on collection, as for services."""
    with Bookkeeper() as opened:
        yield opened


@pytest.fixture
def on_debits() -> Iterator[Bookkeeper]:
    """Tax due on debits, by option."""
    with Bookkeeper(vat_on_debits=True) as opened:
        yield opened


# Entries by hand


def test_an_invoice_is_owed_and_its_tax_waits_for_the_money(books):
    books.sells("F-1", line("1000.00"))
    assert books.entries() == ["VE 01-15 F-1: 411000 1200.00, 445740 -200.00, 706000 -1000.00"]


def test_the_tax_is_due_at_once_by_option_for_debits(on_debits):
    on_debits.sells("F-1", line("1000.00"))
    assert on_debits.entries() == ["VE 01-15 F-1: 411000 1200.00, 445710 -200.00, 706000 -1000.00"]


def test_the_option_counts_from_the_day_it_is_told():
    with Bookkeeper() as books:
        books.sells("F-1", line("1000.00"))
        books.amends("S", vat_on_debits=True)
        books.sells("F-2", line("1000.00"), issued="2026-01-16")
        assert "445740" in books.entries("F-1")[0]
        assert "445710" in books.entries("F-2")[0]


def test_a_part_payment_makes_its_part_of_the_tax_due(books):
    books.sells("F-1", line("1000.00"))
    books.pays("300.00", "01-20", invoices=["F-1"], reference="P-1")
    # 200.00 × 300.00 / 1200.00 = 50.00
    assert books.entries("P-1") == [
        "BQ 01-20 P-1: 445740 50.00, 512000 300.00, 411000 -300.00, 445710 -50.00"
    ]
    books.pays("900.00", "02-20", invoices=["F-1"], reference="P-2")
    assert books.entries() == [
        "VE 01-15 F-1: 411000[F-1] 1200.00, 445740 -200.00, 706000 -1000.00",
        "BQ 01-20 P-1: 445740 50.00, 512000 300.00, 411000[F-1] -300.00, 445710 -50.00",
        "BQ 02-20 P-2: 445740 150.00, 512000 900.00, 411000[F-1] -900.00, 445710 -150.00",
    ]


def test_the_last_payment_ends_the_tax_to_the_cent(books):
    books.sells("F-1", line("100.01"))  # Tax 20.00, gross 120.01.
    for rank in range(1, 4):
        books.pays("40.00", f"02-0{rank}", invoices=["F-1"], reference=f"P-{rank}")
    books.pays("0.01", "02-04", invoices=["F-1"], reference="P-4")
    # 20.00 × 40/120.01 = 6.666…; × 80/120.01 = 13.332…; × 120/120.01 = 19.998…
    due = [entry.partition("445740 ")[2][:4] for entry in books.entries("P-1", "P-2", "P-3")]
    assert due == ["6.67", "6.66", "6.67"]
    assert books.entries("P-4") == ["BQ 02-04 P-4: 512000 0.01, 411000[F-1] -0.01"]


def test_two_rates_are_paid_in_proportion(books):
    books.sells("F-1", line("100.00"), line("200.00", rate="5.5"))  # Tax 20.00 and 11.00.
    chart = load_chart()
    chart.vat_collected["5.5"] = chart.accounts.retention  # Any account that shows it apart.
    books.pays("165.50", "02-01", invoices=["F-1"], reference="P-1")  # One half.
    assert books.entries("P-1", chart=chart) == [
        "BQ 02-01 P-1: 445740 15.50, 512000 165.50, 411000 -165.50, 411700 -5.50, 445710 -10.00"
    ]


def test_a_credit_note_before_any_payment_takes_off_what_waits(books):
    books.sells("F-1", line("1000.00"))
    books.gives_back("A-1", "F-1", line("400.00"))
    assert books.entries("A-1") == ["VE 02-01 A-1: 445740 80.00, 706000 400.00, 411000 -480.00"]


def test_a_credit_note_on_a_paid_invoice_takes_back_the_tax_that_was_due(books):
    books.sells("F-1", line("1000.00"))
    books.pays("1200.00", "01-20", invoices=["F-1"], reference="P-1")
    books.gives_back("A-1", "F-1", line("1000.00"))
    assert books.entries("A-1") == ["VE 02-01 A-1: 445710 200.00, 706000 1000.00, 411000 -1200.00"]
    books.does("refund", invoice="F-1", reason="rendu", refunded_on="02-10")
    assert books.entries("F-1") == [
        "VE 01-15 F-1: 411000[F-1] 1200.00, 445740 -200.00, 706000 -1000.00",
        "BQ 02-10 F-1: 411000[F-1] 1200.00, 512000 -1200.00",
    ]


def test_a_credit_note_is_lettered_with_the_invoice_it_ends(books):
    books.sells("F-1", line("1000.00"))
    books.gives_back("A-1", "F-1", line("1000.00"))
    assert [entry.count("411000[F-1]") for entry in books.entries()] == [1, 1]


def test_a_direct_debit_returned_is_owed_again_with_its_tax_and_costs_a_fee(books):
    books.sells("F-1", line("1000.00"))
    paid = PaymentAllocated(
        amount=D("1200.00"), value_on=day("02-02"), means="direct_debit", collection="E-1"
    )
    books.tells("F-1", paid)
    back = PaymentReversed(
        amount=D("1200.00"), value_on=day("02-09"), collection="E-1", code="AM04"
    )
    books.tells("F-1", back)
    books.returned("E-1", "F-1", "1200.00", "02-09", "4.50")
    assert books.entries("E-1") == [
        "BQ 02-02 E-1: 445740 200.00, 512000 1200.00, 411000 -1200.00, 445710 -200.00",
        "BQ 02-09 E-1: 411000 1200.00, 445710 200.00, 627000 4.50, 445740 -200.00, "
        "512000 -4.50, 512000 -1200.00",
    ]


def test_a_debit_note_has_interest_and_the_fee_outside_vat(books):
    books.sells("F-1", line("1000.00"))
    books.charges("N-1", "2026-03-01", late_interest="12.34", recovery_fee="40.00")
    assert books.entries("N-1") == ["VE 03-01 N-1: 411000 52.34, 758800 -40.00, 763100 -12.34"]


def test_interest_given_back_leaves_the_account_it_came_to(books):
    books.charges("N-1", "2026-03-01", late_interest="12.34", recovery_fee="40.00")
    back = line("2.34", kind="credit", code="INTERETS", rate="0")
    books.gives_back("A-1", "N-1", back, issued="2026-03-05")
    assert books.entries("A-1") == ["VE 03-05 A-1: 763100 2.34, 411000 -2.34"]


def test_a_deposit_is_the_clients_until_it_is_deducted(books):
    books.sells("D-1", line("500.00", kind="deposit"), kind="deposit", issued="2026-01-02")
    books.pays("600.00", "01-03", invoices=["D-1"], reference="P-1")
    books.sells("F-1", line("2000.00"), line("-500.00", kind="deposit"), taxes={"20": "300.00"})
    assert books.entries() == [
        "VE 01-02 D-1: 411000[D-1] 600.00, 419100 -500.00, 445740 -100.00",
        "BQ 01-03 P-1: 445740 100.00, 512000 600.00, 411000[D-1] -600.00, 445710 -100.00",
        # 2000.00 sold, 500.00 of it paid before with its tax: 1800.00 left to pay.
        "VE 01-15 F-1: 411000 1800.00, 419100 500.00, 445740 -300.00, 706000 -2000.00",
    ]


def test_a_deposit_kept_becomes_income(books):
    books.sells("D-1", line("500.00", kind="deposit"), kind="deposit", issued="2026-01-02")
    told = OrderCancelled(cancelled_on=day("02-01"), agreed=False, deposit_kept=D("600.00"))
    version = books.app.contract("K-1").version
    books.app.write(books.app.stamp([told], contract_id("K-1"), version))
    assert books.entries("K-1") == ["OD 02-01 K-1: 419100 500.00, 758800 -500.00"]


def test_income_of_next_year_is_deferred_at_the_closing_and_comes_back_the_day_after(books):
    # 1 July to 30 June: 365 days, of which 181 from 1 January on.
    books.sells("F-1", line("1200.00", period="2026-07-01/2027-06-30"), issued="2026-07-01")
    # 1200.00 × 181/365 = 595.0684…
    assert books.entries("F-1")[1:] == ["OD 12-31 F-1: 706000 595.07, 487000 -595.07"]
    with books.on("2027-12-31"):
        assert books.entries(start="2027-01-01", end="2027-12-31") == [
            "OD 2027-01-01 F-1: 487000 595.07, 706000 -595.07"
        ]


def test_nothing_is_deferred_while_the_year_goes_on(books):
    with books.on("2026-08-01"):
        books.sells("F-1", line("1200.00", period="2026-07-01/2027-06-30"), issued="2026-07-01")
        assert len(books.entries()) == 1


def test_a_credit_note_of_the_year_is_deferred_too(books):
    books.sells("F-1", line("1200.00", period="2026-07-01/2027-06-30"), issued="2026-07-01")
    back = line("600.00", period="2027-01-01/2027-06-30")
    books.gives_back("A-1", "F-1", back, issued="2026-12-01")
    assert books.entries("A-1")[1:] == ["OD 12-31 A-1: 487000 600.00, 706000 -600.00"]


def test_three_years_in_advance_are_deferred_at_each_closing(books):
    books.sells("F-1", line("1096.00", period="2026-01-01/2028-12-31"), issued="2026-01-01")
    # 1096 days at 1.00: 731 are left at the end of 2026, 366 of 2028 at the end of 2027.
    with books.on("2028-01-05"):
        assert books.entries(start="2027-01-01", end="2027-12-31") == [
            "OD 2027-01-01 F-1: 487000 731.00, 706000 -731.00",
            "OD 2027-12-31 F-1: 706000 366.00, 487000 -366.00",
        ]


def test_a_loss_takes_back_the_tax_that_waited(books):
    books.sells("F-1", line("1000.00"))
    books.pays("600.00", "01-20", invoices=["F-1"])
    books.does("write-off", invoice="F-1", reason="liquidation", written_off_on="03-01")
    assert books.entries("F-1")[1:] == [
        "OD 03-01 F-1: 445740 100.00, 654000 500.00, 411000[F-1] -600.00"
    ]


def test_a_loss_of_tax_due_on_debits_is_taken_back_or_not_by_the_chart(on_debits, tmp_path):
    on_debits.sells("F-1", line("1000.00"))
    on_debits.does("write-off", invoice="F-1", reason="liquidation", written_off_on="03-01")
    own = tmp_path / "house.toml"
    own.write_text("vat_recovered_on_write_off = false\n")
    assert on_debits.entries("F-1")[1:] == [
        "OD 03-01 F-1: 445710 200.00, 654000 1000.00, 411000[F-1] -1200.00"
    ]
    assert on_debits.entries("F-1", chart=load_chart(own))[1:] == [
        "OD 03-01 F-1: 654000 1200.00, 411000[F-1] -1200.00"
    ]


def test_a_guarantee_is_kept_apart_until_it_is_released(books):
    books.sells("F-1", line("1000.00"))
    books.withholds("F-1", "60.00", "01-18")
    books.pays("1140.00", "01-20", invoices=["F-1"], reference="P-1")
    assert books.entries("F-1")[1:] == ["OD 01-18 F-1: 411700 60.00, 411000 -60.00"]
    books.releases("F-1", "60.00", "06-01")
    books.pays("60.00", "06-05", invoices=["F-1"], reference="P-2")
    assert books.entries("F-1")[1:] == [
        "OD 01-18 F-1: 411700[F-1] 60.00, 411000[F-1] -60.00",
        "OD 06-01 F-1: 411000[F-1] 60.00, 411700[F-1] -60.00",
    ]


def test_what_is_paid_too_much_is_the_clients_and_pays_later(books):
    with books.on("2026-01-20"):
        books.sells("F-1", line("1000.00"))
        books.pays("1500.00", "01-20", invoices=["F-1"], reference="P-1")
    with books.on("2026-02-10"):
        books.sells("F-2", line("250.00"), issued="2026-02-10")
        books.does("allocate", payment="P-1")
    assert books.entries("P-1") == [
        "BQ 01-20 P-1: 445740 200.00, 512000 1500.00, 411000[F-1] -1200.00, "
        "411000[P-1] -300.00, 445710 -200.00",
        "OD 02-10 P-1: 411000[P-1] 300.00, 445740 50.00, 411000[F-2] -300.00, 445710 -50.00",
    ]


def test_a_payment_nobody_knows_waits_until_it_is_known_whose_it_is(books):
    from billing.application.receivables import payment_id
    from billing.events.payment import PaymentReceived

    with books.on("2026-01-20"):
        books.sells("F-1", line("1000.00"))
        told = PaymentReceived(
            reference="P-1", supplier="S", client="", amount=D("1200.00"), value_on=day("01-20")
        )
        books.app.write(books.app.stamp([told], payment_id("S", "P-1"), 0))
    with books.on("2026-01-25"):
        books.does("allocate", payment="P-1", client="C")
    assert books.entries("P-1") == [
        "BQ 01-20 P-1: 512000 1200.00, 471000 -1200.00",
        "OD 01-20 P-1: 411000[P-1] 1200.00, 445740 200.00, 411000[F-1] -1200.00, 445710 -200.00",
        "OD 01-25 P-1: 471000 1200.00, 411000[P-1] -1200.00",
    ]


def test_a_rejected_cheque_is_undone_with_its_tax_and_its_fee(books):
    books.sells("F-1", line("1000.00"))
    books.pays("1200.00", "01-20", invoices=["F-1"], reference="P-1", means="cheque")
    books.does("reject-payment", payment="P-1", rejected_on="01-28", reason="x", fee="15.00")
    assert books.entries("P-1")[1:] == [
        "BQ 01-28 P-1: 411000 1200.00, 445710 200.00, 627000 15.00, 445740 -200.00, 512000 -1215.00"
    ]


def test_a_set_off_is_one_entry_of_the_two_documents(books):
    books.sells("F-1", line("100.00"))
    books.pays("120.00", "01-20", invoices=["F-1"])
    books.gives_back("A-1", "F-1", line("100.00"))
    books.sells("F-2", line("100.00"), issued="2026-02-02")
    books.does("set-off", client="C")
    assert books.entries("F-1 / F-2") == [
        "OD 02-02 F-1 / F-2: 411000[F-1] 120.00, 445740 20.00, 411000[F-2] -120.00, 445710 -20.00"
    ]


def test_an_invoice_of_nothing_makes_no_entry(books):
    books.sells("F-1", line("0.00"))
    assert books.entries() == []


# Which days, in which order


def test_what_is_told_late_is_numbered_last_on_its_own_day(books, tmp_path):
    with books.on("2026-02-10"):
        books.sells("F-1", line("1000.00"))
    before = books.file(tmp_path / "a").read_bytes()
    with books.on("2026-03-10"):
        books.pays("1200.00", "01-20", invoices=["F-1"], reference="P-1")
    after = books.file(tmp_path / "b").read_bytes()
    # The entry exported first keeps its number; only its letter is new.
    assert [row.split(b"\t")[:9] for row in after.splitlines()[:4]] == [
        row.split(b"\t")[:9] for row in before.splitlines()
    ]
    last = after.splitlines()[-1].split(b"\t")
    assert (last[2], last[3], last[15]) == (b"2", b"20260120", b"20260310")


def test_a_year_that_is_closed_hears_nothing_more(books, tmp_path):
    with books.on("2026-12-31"):
        books.sells("F-1", line("1000.00"), issued="2026-12-30")
    with books.on("2027-04-02"):
        books.pays("1200.00", "2026-12-31", invoices=["F-1"], reference="P-1")
        own = tmp_path / "house.toml"
        own.write_text("[[closings]]\nyear_end = 2026-12-31\nclosed_on = 2027-03-31\n")
        chart = load_chart(own)
        assert len(books.entries(chart=chart)) == 1
        assert books.entries(start="2027-01-01", end="2027-12-31", chart=chart)[0].startswith(
            "BQ 2027-01-01 P-1"
        )


def test_a_payment_of_the_next_year_letters_nothing_in_this_one(books):
    books.sells("F-1", line("1000.00"))
    with books.on("2027-02-01"):
        books.pays("1200.00", "2027-02-01", invoices=["F-1"], reference="P-1")
        assert books.entries() == ["VE 01-15 F-1: 411000 1200.00, 445740 -200.00, 706000 -1000.00"]
        assert "411000[F-1]" in books.entries(start="2027-01-01", end="2027-12-31")[0]


def test_another_companys_documents_are_in_its_own_books(books):
    books.signs("K-2", client="C", supplier="T")
    books.invoice("T-1", "50.00", supplier="T", contract="K-2")
    books.does("pay", client="C", amount="50.00", value_on="02-01", supplier_code="T")
    assert books.entries() == []


# The file


GOLDEN = """\
JournalCode|JournalLib|EcritureNum|EcritureDate|CompteNum|CompteLib|CompAuxNum|CompAuxLib|PieceRef|PieceDate|EcritureLib|Debit|Credit|EcritureLet|DateLet|ValidDate|Montantdevise|Idevise
VE|Ventes|1|20260115|411000|Clients|C|Client & Fils   Cie|F-1|20260115|Facture F-1|1200,00|0,00|F-1|20260131|20260131||
VE|Ventes|1|20260115|445740|TVA collectée en attente d'encaissement|||F-1|20260115|Facture F-1|0,00|200,00|||20260131||
VE|Ventes|1|20260115|706000|Prestations de services|||F-1|20260115|Facture F-1|0,00|1000,00|||20260131||
BQ|Banque|2|20260120|445740|TVA collectée en attente d'encaissement|||P-1|20260120|Règlement P-1 F-1|200,00|0,00|||20260131||
BQ|Banque|2|20260120|512000|Banque|||P-1|20260120|Règlement P-1|1200,00|0,00|||20260131||
BQ|Banque|2|20260120|411000|Clients|C|Client & Fils   Cie|P-1|20260120|Règlement P-1 F-1|0,00|1200,00|F-1|20260131|20260131||
BQ|Banque|2|20260120|445710|TVA collectée|||P-1|20260120|Règlement P-1 F-1|0,00|200,00|||20260131||
"""  # noqa: E501


@pytest.mark.parametrize("encoding", ["iso8859-15", "utf-8"])
def test_the_file_is_the_one_a_person_has_read(books, tmp_path, encoding):
    with books.on("2026-01-31"):
        books.sells("F-1", line("1000.00"))
        books.pays("1200.00", "01-20", invoices=["F-1"], reference="P-1")
    path = books.file(tmp_path, encoding=encoding, separator="pipe")
    assert path.name == f"{SIREN}FEC20261231.txt"
    assert path.read_bytes() == GOLDEN.replace("\n", "\r\n").encode(encoding)
    found = check(path)
    assert (found.faults, found.entries, found.rows, found.debit) == ([], 2, 7, 260000)
    assert found.encoding == encoding


@pytest.mark.parametrize(
    ("name", "latin"),
    [
        ("Œuvre d’été – “Noël”", 'Œuvre d\'été - "Noël"'),
        ("Łódź Ağaç", "?ódz Agaç"),
        ("Ирина\tи Ко", "????? ? ??"),
        ("株式会社|日本", "???? ??"),
        ("e\u0301te\u0301", "été"),
    ],
)
def test_a_name_the_alphabet_of_the_file_lacks_is_still_one_field(tmp_path, name, latin):
    with Bookkeeper() as books:
        books.amends("C", name=name)
        books.sells("F-1", line("10.00"))
        path = books.file(tmp_path)
        rows = path.read_bytes().decode("iso8859-15").splitlines()
        assert rows[1].split("\t")[7] == latin
        assert check(path).faults == []


def test_the_same_events_give_the_same_bytes(books, tmp_path):
    for rank in range(1, 40):
        books.sells(f"F-{rank}", line(f"{rank}.00", period="2026-07-01/2027-06-30"))
        books.pays(f"{rank}.00", "02-01", reference=f"P-{rank}")
    assert books.file(tmp_path / "a").read_bytes() == books.file(tmp_path / "b").read_bytes()


def test_without_a_siren_the_file_has_no_name(tmp_path):
    with Bookkeeper(siren="") as books, pytest.raises(Refused, match=r"S: SIREN ''.*nine digits"):
        books.file(tmp_path)


def test_a_record_that_does_not_add_up_leaves_no_file(books, tmp_path):
    books.sells("F-1", line("1000.00"), taxes={"20": "200.00"})
    odd = books.sells("F-2", line("10.00"), issued="2026-01-16")
    books._issue("S", type(odd)(**{f: getattr(odd, f) for f in (
        "supplier", "client", "contract", "contract_version", "issued_on", "due_on", "lines",
        "vat", "net", "tax")} | {"number": "F-3", "gross": D("13.00")}))  # fmt: skip
    with pytest.raises(Refused, match=r"F-3, 2026-01-16: .* out by 1\.00 €"):
        books.file(tmp_path)
    assert list(tmp_path.iterdir()) == []


# The chart


def test_a_house_has_its_own_accounts_and_journals(books, tmp_path):
    own = tmp_path / "house.toml"
    own.write_text(
        '[journals]\nsales = { code = "VT", label = "Ventes" }\n'
        '[codes]\nLIC = { number = "707100", label = "Licences" }\n'
        '[revenue]\nusage = { number = "706200", label = "Consommations" }\n'
    )
    books.sells("F-1", line("10.00", code="LIC"), line("5.00", kind="usage"), line("1.00"))
    assert books.entries(chart=load_chart(own)) == [
        "VE 01-15 F-1: 411000 19.20, 445740 -3.20, 706000 -1.00, 706200 -5.00, 707100 -10.00"
    ]
    assert b"VT\tVentes\t1" in books.file(tmp_path / "out", chart=load_chart(own)).read_bytes()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[accounts]\nclient = { number = "41", label = "C" }', "at least three digits"),
        ('[accounts]\nclint = { number = "411", label = "C" }', 'did you mean "client"'),
        ('[accounts]\nclient = { number = "411000", label = "" }', "it is empty"),
        ('[codes]\nX = { number = "706000", label = "Autre" }', "one account has one label"),
        ('[vat_collected]\n"5,5" = { number = "445712", label = "x" }', "a rate in percent"),
        ("[[closings]]\nyear_end = 2026-12-31\nclosed_on = 2026-06-30", "after the end"),
        ("name = 3", "a text in quotes"),
    ],
)
def test_a_wrong_chart_is_refused_with_its_line(tmp_path, text, told):
    own = tmp_path / "house.toml"
    own.write_text(text + "\n")
    with pytest.raises(BadFile, match=told) as refusal:
        load_chart(own)
    assert all(fault.line for fault in refusal.value.errors)


# Properties


def _played(books: Bookkeeper, seed: int) -> None:
    """A year of everything, told day by day."""
    chance = random.Random(seed)
    numbers: list[str] = []
    on = date(2026, 1, 1)
    while on < date(2026, 12, 20):
        on += chance.randint(1, 9) * DAY
        with books.on(on.isoformat()):
            _one_thing(books, chance, numbers, on)


def _one_thing(books: Bookkeeper, chance: random.Random, numbers: list[str], on: date) -> None:
    what = chance.choice(["sell", "sell", "pay", "pay", "credit", "lose", "set off", "reject", "x"])
    cents = D(chance.randint(100, 30_000)) / 100
    today = on.isoformat()
    number = f"X-{len(numbers) + 1}"
    try:
        if what == "sell":
            first = on + chance.randint(-40, 200) * DAY
            period = f"{first}/{first + chance.randint(20, 400) * DAY}"
            rate = chance.choice(["20", "5.5", "0"])
            lines = line(f"{cents:.2f}", period=period), line("10.01", rate=rate)
            books.sells(number, *lines, issued=today)
            numbers.append(number)
        elif what == "pay":
            value_on = max(on - chance.randint(0, 6) * DAY, date(2026, 1, 1))
            said = {"invoices": [chance.choice(numbers)]} if numbers and cents < 200 else {}
            books.pays(f"{cents:.2f}", value_on.isoformat(), **said)
        elif what == "credit" and numbers:
            known = chance.choice(numbers)
            owed = books.document(known).gross
            if cents * D("1.2") < owed and not books.document(known).movements:
                books.gives_back(number, known, line(f"{cents:.2f}"), issued=today)
                numbers.append(number)
        elif what == "lose" and numbers:
            books.does("write-off", invoice=chance.choice(numbers), reason="x", written_off_on=on)
        elif what == "set off":
            books.does("set-off", client="C")
        elif what == "reject":
            payment = next(iter(books.book.payments("C", left_only=False)), None)
            if payment is not None:
                books.does("reject-payment", payment=payment.reference, rejected_on=on, fee="5.00")
        elif numbers:
            known = chance.choice(numbers)
            if not books.document(known).withheld and books.document(known).kind == "invoice":
                books.withholds(known, "5.00", today)
    except Refused:
        pass


@pytest.mark.parametrize("seed", range(6))
def test_every_entry_is_balanced_and_the_clients_account_is_the_receivables_book(tmp_path, seed):
    with Bookkeeper(vat_on_debits=bool(seed % 2)) as books:
        _played(books, seed)
        lines = books.books()
        by_entry: dict[object, Decimal] = {}
        for entry, one in lines:
            by_entry[entry] = by_entry.get(entry, D(0)) + one.amount
        assert len(by_entry) > 40
        assert set(by_entry.values()) == {D(0)}
        book = receivables.book(books.app)
        documents, payments = list(book.documents()), list(book.payments(left_only=False))
        for month in range(1, 13):
            for on in (date(2026, month, 1), date(2026, month, 15)):
                owed = sum(d.owed_on(on) for d in documents) - sum(p.left_on(on) for p in payments)
                ours = sum(x.amount for e, x in lines if x.account[:3] == "411" and e.on <= on)
                assert ours == owed, on
        assert check(books.file(tmp_path)).faults == []


@pytest.mark.parametrize("seed", range(3))
def test_once_all_is_paid_all_is_lettered_and_no_tax_waits(seed):
    with Bookkeeper() as books:
        _played(books, seed)
        for document in list(books.book.open("C")):
            books.pays(f"{document.owed:.2f}", "12-30", invoices=[document.number])
        for document in list(books.book.documents("C")):
            if document.withheld:
                books.releases(document.number, "5.00", "12-31")
        lines = books.books()
        letters: dict[tuple[str, str], Decimal] = {}
        for _, one in lines:
            key = one.account, one.letter
            letters[key] = letters.get(key, D(0)) + one.amount
        unlettered = letters.pop(("411000", ""), D(0))
        assert {amount for (_, letter), amount in letters.items() if letter} == {D(0)}
        # What is left is what the client has too much: on documents, and on payments.
        book = receivables.book(books.app)
        credit = sum(d.owed for d in book.documents()) - sum(p.left for p in book.payments())
        assert unlettered == credit
        assert letters["445740", ""] == 0
        assert letters["445710", ""] < -100


def test_period_of_a_year_is_named_by_its_last_day(books, tmp_path):
    from billing.application import ledger

    books.sells("F-1", line("10.00"), issued="2026-07-02")
    days = Period(date(2025, 10, 1), date(2026, 10, 1))
    written = ledger.write(books.app, "S", days, tmp_path)
    assert Path(written.path).name == f"{SIREN}FEC20260930.txt"
    assert check(Path(written.path)).faults == []


# Lines of the bank


@pytest.mark.parametrize(
    ("amount", "lines"),
    [
        ("75.00", "512000 75.00, 471100 -75.00"),
        ("-12.50", "471100 12.50, 512000 -12.50"),
    ],
)
def test_a_line_of_the_bank_that_nothing_explains_waits(books, amount, lines):
    books.bank_tells("E-1", amount, "03-10")
    books.bank_tells("E-9", "5.00", "03-10", supplier="OTHER")
    assert books.entries() == [f"BQ 03-10 E-1: {lines}"]


def test_a_line_explained_later_leaves_the_bank_as_it_was_on_its_day(books):
    books.sells("F-1", line("1000.00"))
    with books.on("2026-03-12"):
        books.bank_tells("E-1", "1200.00", "03-10")
    bank.match_entry(books.app, "E-1", ["F-1"])
    told = books.books()
    assert {entry.on for entry, one in told if one.account == "512000"} == {day("03-10")}
    of = {"512000": D(0), "471100": D(0), "411000": D(0)}
    for _, one in told:
        if one.account in of:
            of[one.account] += one.amount
    assert of == {"512000": D("1200.00"), "471100": D(0), "411000": D(0)}


def test_a_line_that_is_ignored_is_the_general_ledgers(books):
    with books.on("2026-03-11"):
        books.bank_tells("E-1", "-300.00", "03-10")
    books.settles("E-1", "03-12")
    assert books.entries() == [
        "BQ 03-10 E-1: 471100 300.00, 512000 -300.00",
        "BQ 03-10 E-1: 512000 300.00, 471100 -300.00",
    ]
