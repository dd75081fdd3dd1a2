"""A file of direct debits for the bank: read by a person, valid, whole, once, or not at all."""

import hashlib
import os
import signal
import subprocess
import sys
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree
from msgspec.structs import replace

from billing.documents.orders import _account_fault
from billing.documents.pain008 import Profile, fault, load_profile, write
from billing.documents.reread import schema_of
from billing.events.party import Address
from billing.forms import identifiers
from billing.refusal import Refused
from tests.bench.money import account
from tests.documents.orders import (
    BNP,
    BNP_TOO,
    OTHER_BANK,
    D,
    batch,
    direct,
    message,
)

HERE = Path(__file__).parent
EIGHT, TWO = "pain.008.001.08", "pain.008.001.02"
DEFAULT = load_profile()
PROFILES = {EIGHT: DEFAULT, TWO: load_profile(TWO)}


def golden():
    """Two batches: 120.00 + 1,250.50 + 0.01 + 48.60 = 1,419.11, and 999.99; 2,419.10 in all."""
    recurrent = batch(
        direct(remittance="Facture n° 2026-0001 – maintenance de novembre"),
        direct(
            "2026-0002",
            "1250.50",
            mandate="RUM-0002",
            debtor="Éts Lefèvre & Fils",
            bic="",
            original_iban=BNP_TOO,
        ),
        direct(
            "2026-0003/2",
            "0.01",
            mandate="RUM-0003",
            debtor="Société Générale d’Œuvres",
            original_iban=OTHER_BANK,
            address=Address(lines=("12 rue de l’Église",), postcode="75001", city="Paris"),
        ),
        direct(
            "2026-0004",
            "48.60",
            mandate="RUM-0004",
            original_mandate="ANCIEN-4",
            original_creditor="Alliance Télécom",
            original_creditor_identifier="FR96ZZZ222449",
            address=Address(
                lines=("Bâtiment B", "3 quai du Port"), postcode="13002", city="Marseille"
            ),
        ),
        creditor="Intégral Micro & Associés",
    )
    first = batch(
        direct("2026-0005", "999.99", mandate="RUM-0005"),
        id="PREL-2026-12-2",
        bic="",
        scheme="B2B",
        sequence="FRST",
        collected_on=date(2026, 12, 2),
    )
    return message(recurrent, first)


def written(folder, asked, profile=DEFAULT):
    path = folder / "file.xml"
    result = write(path, asked, profile)
    data = path.read_bytes()
    path.unlink()
    return result, data


def texts(data, path):
    """What the elements of that path say, whatever the namespace of the version."""
    root = etree.fromstring(data)
    steps = "/".join(f"*[local-name()='{step}']" for step in path.split("/"))
    return [element.text for element in root.xpath(f".//{steps}")]


@pytest.mark.parametrize("schema", PROFILES)
def test_the_file_is_the_one_a_person_has_read(schema, tmp_path):
    result, data = written(tmp_path, golden(), PROFILES[schema])
    assert data.decode() == (HERE / f"{schema}.xml").read_text()
    schema_of(schema).assertValid(etree.fromstring(data))
    assert result.digest == hashlib.sha256(data).hexdigest()
    assert (result.count, result.total) == (5, D("2419.10"))


def test_counts_and_sums_are_stated_for_the_file_and_each_batch(tmp_path):
    _, data = written(tmp_path, golden())
    assert texts(data, "GrpHdr/NbOfTxs") == ["5"]
    assert texts(data, "GrpHdr/CtrlSum") == ["2419.10"]
    assert texts(data, "PmtInf/NbOfTxs") == ["4", "1"]
    assert texts(data, "PmtInf/CtrlSum") == ["1419.11", "999.99"]


def test_the_time_of_the_file_is_that_of_paris(tmp_path):
    for at, said in (
        ("2026-07-01T22:30:00+00:00", "2026-07-02T00:30:00"),
        ("2026-11-20T08:30:15.987654+00:00", "2026-11-20T09:30:15"),
        ("2026-11-20T09:30:00", "2026-11-20T09:30:00"),
    ):
        asked = message(created_at=datetime.fromisoformat(at))
        assert texts(written(tmp_path, asked)[1], "GrpHdr/CreDtTm") == [said]


@pytest.mark.parametrize(
    ("changes", "profile", "told"),
    [
        ({}, {}, {}),
        ({"original_iban": BNP_TOO}, {}, {"OrgnlDbtrAcct/Id/IBAN": BNP_TOO}),
        ({"original_iban": OTHER_BANK}, {}, {"OrgnlDbtrAcct/Id/Othr/Id": "SMNDA"}),
        (
            {"original_iban": BNP_TOO},
            {"smnda": "any_change"},
            {"OrgnlDbtrAcct/Id/Othr/Id": "SMNDA"},
        ),
        # Of the account before, only the bank is known.
        ({"original_bic": "PSSTFRPP"}, {}, {"OrgnlDbtrAcct/Id/Othr/Id": "SMNDA"}),
        # The account is the same: only its BIC was written otherwise.
        ({"original_iban": BNP, "original_bic": "PSSTFRPP"}, {}, {}),
        ({"original_mandate": "ANCIEN"}, {}, {"OrgnlMndtId": "ANCIEN"}),
        ({"original_creditor": "Avant & Cie"}, {}, {"OrgnlCdtrSchmeId/Nm": "Avant + Cie"}),
        (
            {"original_creditor_identifier": "FR96ZZZ222449"},
            {},
            {
                "OrgnlCdtrSchmeId/Id/PrvtId/Othr/Id": "FR96ZZZ222449",
                "OrgnlCdtrSchmeId/Id/PrvtId/Othr/SchmeNm/Prtry": "SEPA",
            },
        ),
    ],
)
@pytest.mark.parametrize("schema", PROFILES)
def test_an_amendment_says_what_was_before(schema, changes, profile, told, tmp_path):
    rules = replace(PROFILES[schema], **profile)
    _, data = written(tmp_path, message(batch(direct(**changes))), rules)
    found = {
        path: said
        for path in (
            "OrgnlMndtId",
            "OrgnlCdtrSchmeId/Nm",
            "OrgnlCdtrSchmeId/Id/PrvtId/Othr/Id",
            "OrgnlCdtrSchmeId/Id/PrvtId/Othr/SchmeNm/Prtry",
            "OrgnlDbtrAcct/Id/IBAN",
            "OrgnlDbtrAcct/Id/Othr/Id",
        )
        for said in texts(data, f"AmdmntInfDtls/{path}")
    }
    assert found == told
    assert texts(data, "AmdmntInd") == (["true"] if told else [])


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"amount": D("0.00")}, "the amount is 0.00"),
        ({"amount": D("-5.00")}, "the amount is -5.00"),
        ({"amount": D("1000000000.00")}, "the amount is 1000000000.00"),
        ({"amount": D("1.005")}, "the amount is 1.005: exact euros and cents"),
        ({"amount": D("NaN")}, "the amount is NaN"),
        ({"amount": D("Infinity")}, "the amount is Infinity"),
        ({"amount": 12.5}, "the amount is 12.5"),
        ({"iban": "FR7630004000031234567890144"}, "debtor's account is 'FR76"),
        ({"iban": "FR76 3000 4000 0312 3456 7890 143"}, "FR7630004000031234567890143 was expected"),
        ({"iban": ""}, "the debtor's account is ''"),
        ({"iban": "BR1800360305000010009795493C1"}, "not in the single euro payments area"),
        ({"bic": "BNPAFRP"}, "the debtor's bank is 'BNPAFRP'"),
        ({"debtor": ""}, "the debtor is '': a name with Latin letters"),
        ({"debtor": "東京"}, "the debtor is '東京'"),
        ({"mandate": ""}, "the mandate is '': it is empty"),
        ({"mandate": "RUM-" + "9" * 32}, "it has 36 characters"),
        ({"mandate": "RUM_1"}, "'_' is no character of a bank's file"),
        ({"end_to_end": "A</EndToEndId>"}, "'<' is no character"),
        ({"end_to_end": "A//B"}, "two slashes"),
        ({"signed_on": date(2026, 11, 21)}, "signed on 2026-11-21, after 2026-11-20"),
        ({"original_iban": "FR00"}, "the original account is 'FR00'"),
        ({"original_bic": "X"}, "the original bank is 'X'"),
        ({"original_mandate": "É"}, "the original mandate is 'É'"),
        ({"original_creditor": "…"}, "the original creditor is '…'"),
        ({"original_creditor_identifier": "FR96ZZZ222448"}, "its key does not fit"),
        ({"address": Address(lines=(), postcode="", city="", country="fr")}, "country is 'fr'"),
    ],
)
def test_a_collection_a_bank_would_reject_is_refused_before_a_byte_is_written(
    changes, why, tmp_path
):
    wrong = replace(direct("2026-0002"), **changes)
    with pytest.raises(Refused) as refused:
        write(tmp_path / "file.xml", message(batch(direct(), wrong)))
    assert why in str(refused.value)
    assert "nothing was written" in str(refused.value)
    assert list(tmp_path.iterdir()) == []
    assert why in fault(wrong, DEFAULT, date(2026, 11, 20))
    assert fault(direct(), DEFAULT, date(2026, 11, 20)) == ""


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (message(batch(id="É")), "batch É: its id: 'É' is no character"),
        (message(batch(creditor="")), "the creditor is ''"),
        (message(batch(iban="FR76")), "'FR76': an IBAN was expected"),
        (message(batch(bic="AGRI")), "'AGRI': a BIC was expected"),
        (message(batch(creditor_identifier="")), "a creditor identifier (ICS) was expected"),
        (message(batch(creditor_identifier="FR72ZZZ123457")), "its key does not fit"),
        (message(batch(scheme="COR1")), "'COR1': CORE or B2B was expected"),
        (message(batch(sequence="LAST")), "'LAST': FRST or RCUR or FNAL or OOFF was expected"),
        (message(batch(collected_on=date(2026, 12, 25))), "TARGET day: 2026-12-28 is the next"),
        (message(batch(collected_on=date(2026, 11, 19))), "before the day of the file, 2026-11-20"),
        (message(batch(collections=())), "there is nothing to collect"),
        (replace(message(), batches=()), "there is nothing to collect"),
        (message(batch(direct(), direct())), "collection 2026-0001: it is twice in the file"),
        (message(batch(), batch(direct("B"))), "another batch of the file bears that id"),
        (message(batch(), batch(id="2")), "collection 2026-0001: it is twice in the file"),
        (message(id=""), "the id of the file is '': it is empty"),
        (message(id="M" * 36), "it has 36 characters, at most 35"),
        (message(initiator="--"), "who hands over the file is '--'"),
    ],
)
def test_a_file_a_bank_would_reject_is_refused_and_nothing_is_left(asked, why, tmp_path):
    with pytest.raises(Refused) as refused:
        write(tmp_path / "file.xml", asked)
    assert why in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_a_file_larger_than_the_bank_takes_is_refused(tmp_path):
    asked = message(batch(*(direct(f"F{n}") for n in range(3))))
    for limit in ("max_per_batch", "max_per_file"):
        with pytest.raises(Refused, match="3 collections, and the bank takes 2 a"):
            write(tmp_path / "file.xml", asked, Profile(**{limit: 2}))
        write(tmp_path / f"{limit}.xml", asked, Profile(**{limit: 3}))


def test_the_faults_of_a_file_are_told_together_but_not_without_end(tmp_path):
    wrong = [direct(f"F{n}", "0.00") for n in range(30)]
    with pytest.raises(Refused) as refused:
        write(tmp_path / "file.xml", message(batch(*wrong)))
    lines = str(refused.value).splitlines()
    assert len(lines) == 1 + 20 + 1
    assert lines[1].startswith("collection F0: ")
    assert lines[-1] == "and more than these 20"


def test_the_same_collections_give_the_same_bytes(tmp_path):
    assert written(tmp_path, golden()) == written(tmp_path, golden())


def test_a_bank_that_books_each_collection_and_wants_capitals_is_served(tmp_path):
    rules = Profile(batch_booking=False, capitals=True, ampersand="et", name_length=20)
    _, data = written(tmp_path, golden(), rules)
    assert set(texts(data, "BtchBookg")) == {"false"}
    assert texts(data, "PmtInf/Cdtr/Nm") == ["INTEGRAL MICRO ET AS", "INTEGRAL MICRO"]


amounts = st.integers(1, 99_999_999_999)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    wanted=st.lists(
        st.lists(st.tuples(amounts, st.text(), st.text()), min_size=1, max_size=4),
        min_size=1,
        max_size=3,
    ),
    schema=st.sampled_from([EIGHT, TWO]),
)
def test_any_names_and_texts_make_a_valid_file_whose_amounts_add_up(wanted, schema, tmp_path):
    batches = [
        batch(
            *(
                direct(
                    f"F{rank}-{place}",
                    Decimal(cents).scaleb(-2),
                    debtor=f"A{debtor}",
                    remittance=text,
                )
                for place, (cents, debtor, text) in enumerate(lines)
            ),
            id=f"B{rank}",
        )
        for rank, lines in enumerate(wanted)
    ]
    result, data = written(tmp_path, message(*batches), PROFILES[schema])
    schema_of(schema).assertValid(etree.fromstring(data))
    of_file = [D(amount) for amount in texts(data, "DrctDbtTxInf/InstdAmt")]
    assert of_file == [Decimal(cents).scaleb(-2) for lines in wanted for cents, _, _ in lines]
    assert [result.total] == [D(one) for one in texts(data, "GrpHdr/CtrlSum")] == [sum(of_file)]
    assert sum(D(one) for one in texts(data, "PmtInf/CtrlSum")) == sum(of_file)
    assert [result.count] == [int(one) for one in texts(data, "GrpHdr/NbOfTxs")] == [len(of_file)]
    assert written(tmp_path, message(*batches), PROFILES[schema])[1] == data


@given(st.integers(0, 10**7 - 1), st.integers(4, 26), st.sampled_from("0123456789ABJSZ"))
def test_a_french_account_is_judged_as_by_the_registry_of_banks(place, at, character):
    right = account(place)
    assert _account_fault(right) == ""
    changed = right[:at] + character + right[at + 1 :]
    try:
        told = "" if identifiers.iban(changed) else "never"
    except ValueError as error:
        told = str(error)
    assert _account_fault(changed) == told


@pytest.mark.parametrize("key", ["00", "01", "97", "98", "99"])
def test_a_key_no_formula_gives_is_refused_though_its_remainder_fits(key):
    # Keys go from 02 to 98: 00, 01 and 99 have the remainders of 97, 98 and 02.
    for place in range(300):
        rest = account(place)[4:]
        iban = f"FR{key}{rest}"
        right = iban == account(place)
        assert (_account_fault(iban) == "") is right


def test_a_file_is_never_overwritten(tmp_path):
    path = tmp_path / "file.xml"
    path.write_text("of yesterday")
    with pytest.raises(Refused, match="is there already"):
        write(path, message())
    assert path.read_text() == "of yesterday"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_appears_meanwhile_is_not_overwritten_either(tmp_path, monkeypatch):
    path, link = tmp_path / "file.xml", os.link

    def late(source, target):
        path.write_text("of another")
        link(source, target)

    monkeypatch.setattr(os, "link", late)
    with pytest.raises(Refused, match="is there already"):
        write(path, message())
    assert path.read_text() == "of another"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(Refused, match="cannot be written: No such file or directory"):
        write(tmp_path / "absent" / "file.xml", message())


@pytest.mark.parametrize("fails", ["fsync", "link"])
def test_a_disk_that_fails_leaves_nothing_behind(fails, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, fails, full)
    with pytest.raises(Refused, match="No space left on device"):
        write(tmp_path / "file.xml", message())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("from_", "to"),
    [
        (b'<InstdAmt Ccy="EUR">120.00', b'<InstdAmt Ccy="EUR">120.01'),  # sums disagree
        (b"<CtrlSum>2419.10", b"<CtrlSum>2419.11"),
        (b"<MndtId>RUM-0002", b"<MndtId>RUM-0009"),  # not what was asked
        (b"<SeqTp>FRST", b"<SeqTp>LAST"),  # not valid
        (b"</Document>", b"<Document>"),  # not well formed
    ],
)
def test_a_file_that_reads_otherwise_than_asked_is_not_handed_over(
    from_, to, tmp_path, monkeypatch
):
    fsync = os.fsync

    def tampering(number):
        fsync(number)
        (part,) = tmp_path.glob(".file.xml.*.part")
        data = part.read_bytes()
        assert data.count(from_) == 1
        part.write_bytes(data.replace(from_, to))

    monkeypatch.setattr(os, "fsync", tampering)
    with pytest.raises(Refused, match="what was written is not what was asked"):
        write(tmp_path / "file.xml", golden())
    assert list(tmp_path.iterdir()) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.documents.orders import message
from billing.documents.pain008 import write
os.link = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
write(Path(sys.argv[1]), message())
"""


def test_a_process_killed_before_the_name_is_given_leaves_no_file_of_that_name(tmp_path):
    path = tmp_path / "file.xml"
    ended = subprocess.run([sys.executable, "-c", KILLED, path], cwd=HERE.parents[1], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert not path.exists()
    assert write(path, message()).count == 1  # the next attempt is not in its way


def test_only_its_owner_may_read_a_file_of_accounts(tmp_path):
    write(tmp_path / "file.xml", message())
    assert (tmp_path / "file.xml").stat().st_mode & 0o077 == 0
