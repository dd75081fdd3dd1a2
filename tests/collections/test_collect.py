"""Direct debits handed over: files banks take, their record, what follows; on both databases."""

from __future__ import annotations

from datetime import date
from decimal import Decimal as D
from hashlib import sha256
from pathlib import Path

import pytest
from lxml import etree
from msgspec.structs import replace

from billing import documents
from billing.application import collections, commands, mandates, receivables, replay, runs
from billing.application.actions import action_of
from billing.application.chase import chase
from billing.application.collections import Asked
from billing.clauses import Assignment, Terms
from billing.clauses.payment import Payment
from billing.clauses.termination import Ground, Termination
from billing.contract import end
from billing.documents.profile import Profile
from billing.events.party import (
    CollectionOrdered,
    CollectionReturned,
    Identity,
)
from billing.events.payment import CollectionFileSubmitted
from billing.identity import stream
from billing.refusal import Refused
from tests.collections import house
from tests.collections.house import CREDITOR, IBANS, ICS, ICS_2, day, opened, ready

XSD = Path(documents.__file__).parent / "xsd"
NS = {"p": "urn:iso:std:iso:20022:tech:xsd:pain.008.001.08"}


def collect(app, out, **asked):
    return collections.collect(app, out, Asked(**asked))


def read(path: Path, schema: str = "pain.008.001.08"):
    """The file, valid by the official schema."""
    found = etree.parse(path)
    (xsd,) = XSD.glob(f"{schema}*.xsd")
    etree.XMLSchema(file=str(xsd)).assertValid(found)
    return found


def texts(found, path):
    return [one.text for one in found.iterfind(f".//p:{path.replace('/', '/p:')}", NS)]


def recorded(app, kind):
    return [event for _, event in app.recorded(topics=[kind.TOPIC])]


def comes_back(app, end_to_end, code="AM04", settled=False, on="2026-02-04", kind="reject"):
    """The bank returns a debit."""
    order = next(e for e in recorded(app, CollectionOrdered) if e.end_to_end == end_to_end)
    event = CollectionReturned(
        end_to_end=end_to_end,
        supplier=order.supplier,
        invoice=order.invoice,
        amount=order.amount,
        returned_on=day(on),
        kind=kind,
        code=code,
        settled=settled,
        iban=order.iban,
    )
    version = app.store.states("mandate", ids=[order.originator_id])[0].version
    app.write(app.stamp([event], order.originator_id, version))


def test_debits_due_are_handed_over_once_in_a_valid_file_whose_digest_is_recorded(url, tmp_path):
    ready(url, house.plain(3))
    with opened(url, "2026-01-25") as app:
        done = collect(app, tmp_path)
        (file,) = done.files
        # 120 + 121 + 122
        assert (file.message, file.debits, file.total) == ("S-20260125-1", 3, D("363.00"))
        assert file.digest == sha256(file.path.read_bytes()).hexdigest()
        found = read(file.path)
        assert texts(found, "GrpHdr/CtrlSum") == ["363.00"]
        assert texts(found, "EndToEndId") == ["F00000", "F00001", "F00002"]
        assert texts(found, "InstdAmt") == ["120.00", "121.00", "122.00"]
        assert texts(found, "ReqdColltnDt") == ["2026-02-02"]
        assert texts(found, "SeqTp") == ["FRST"]
        assert texts(found, "CdtrAcct/Id/IBAN") == [CREDITOR]
        assert texts(found, "RmtInf/Ustrd")[0] == "Facture F00000"
        (submitted,) = recorded(app, CollectionFileSubmitted)
        assert (submitted.digest, submitted.count, submitted.total) == (file.digest, 3, D("363.00"))
        orders = recorded(app, CollectionOrdered)
        assert {order.file for order in orders} == {"S-20260125-1"}
        assert {order.batch for order in orders} == set(texts(found, "PmtInfId"))
        assert {order.announced_on for order in orders} == {date(2026, 1, 1)}
        book = receivables.book(app)
        assert [r.collecting for r in book.open()] == ["F00000", "F00001", "F00002"]
        again = collect(app, tmp_path)
        assert again.files == ()
        assert {left.why for left in again.plan.left} == {
            f"the debit F0000{n} of 2026-02-02 is on its way" for n in range(3)
        }
        assert sorted(path.name for path in tmp_path.glob("*.xml")) == ["S-20260125-1.xml"]
        assert list(tmp_path.glob(".*.pending")) == []
        assert app.drifted_states() == []


def test_a_dry_run_writes_nothing(url, tmp_path):
    ready(url, house.plain(2))
    with opened(url, "2026-01-25") as app:
        receivables.book(app)
        position = app.store.log_position()
        found = collections.planned(app, Asked())
        assert [debit.end_to_end for debit in found.debits] == ["F00000", "F00001"]
        assert app.store.log_position() == position


def test_each_company_and_bank_condition_has_its_file(url, tmp_path):
    second = [
        house.company("T", ICS_2, IBANS[2]),
        house.mandate("RUM-T", "C00000", "T", creditor_identifier=ICS_2),
        house.contract("KT", "C00000", "RUM-T", supplier="T"),
        house.invoice("F00000", "C00000", "KT", "RUM-T", "2026-02-02", supplier="T"),
    ]
    ready(url, house.plain(3), second)
    with opened(url, "2026-01-25") as app:
        assert len(collect(app, tmp_path, supplier="T").files) == 1
        profile = Profile(schema="pain.008.001.02", max_per_file=2, first="RCUR")
        files = collect(app, tmp_path, profile=profile).files
        assert [(f.message, f.debits) for f in files] == [
            ("S-20260125-1-1", 2),
            ("S-20260125-1-2", 1),
        ]
        for file in files:
            read(file.path, "pain.008.001.02")
        assert {e.sequence for e in recorded(app, CollectionOrdered) if e.supplier == "S"} == {
            "RCUR"
        }
        # Each is written again from its events, in another folder, the same to the byte.
        for name, supplier in (("S-20260125-1-2", ""), ("T-20260125-1", "T")):
            again = collections.write_again(app, name, tmp_path / "again", supplier)
            assert again.path.read_bytes() == (tmp_path / f"{name}.xml").read_bytes()


def test_a_file_lost_is_written_again_as_it_was_whatever_changed_since(url, tmp_path):
    ready(url, house.plain(2))
    with opened(url, "2026-01-25") as app:
        (file,) = collect(app, tmp_path).files
        before = file.path.read_bytes()
        file.path.unlink()
    with opened(url, "2026-01-28") as app:
        party = app.party("C00000").identity
        commands.amend_party(app, replace(party, name="Cliente renommée"))
        commands.amend_mandate(app, "RUM-00001", day("2026-01-28"), IBANS[2])
        again = collections.write_again(app, file.message, tmp_path)
        assert again.path.read_bytes() == before
        assert collections.write_again(app, file.message, tmp_path).digest == file.digest


def test_a_file_this_program_would_write_otherwise_is_refused(sqlite, tmp_path, monkeypatch):
    ready(sqlite, house.plain(1))
    with opened(sqlite, "2026-01-25") as app:
        (file,) = collect(app, tmp_path).files
        direct = collections._direct
        monkeypatch.setattr(
            collections, "_direct", lambda *a: replace(direct(*a), remittance="autre chose")
        )
        with pytest.raises(Refused, match=f"{file.digest} was recorded"):
            collections.write_again(app, file.message, tmp_path / "again")
        assert list((tmp_path / "again").iterdir()) == []


def test_a_place_that_is_taken_is_refused_before_anything_is_recorded(sqlite, tmp_path):
    ready(sqlite, house.plain(1))
    (tmp_path / "S-20260125-1.xml").write_text("of another database")
    with opened(sqlite, "2026-01-25") as app:
        with pytest.raises(Refused, match="is there already"):
            collect(app, tmp_path)
        assert recorded(app, CollectionOrdered) == []
        with pytest.raises(Refused, match="cannot be the folder"):
            collect(app, tmp_path / "S-20260125-1.xml")


def test_the_names_of_a_day_follow_one_another(url, tmp_path):
    ready(url, house.plain(1), [house.invoice("G1", "C00000", "K00000", "RUM-00000", "2026-02-09")])
    with opened(url, "2026-01-26") as app:
        (first,) = collect(app, tmp_path, until=day("2026-02-02")).files
        (second,) = collect(app, tmp_path).files
        assert (first.message, second.message) == ("S-20260126-1", "S-20260126-2")
        assert [file.message for file in collections.files(app)] == [first.message, second.message]
        found = read(second.path)
        assert (texts(found, "SeqTp"), texts(found, "EndToEndId")) == (["RCUR"], ["G1"])


def test_one_bad_account_is_left_out_by_name_and_the_others_go(url, tmp_path):
    ready(
        url,
        house.plain(1),
        house.client("X"),
        house.mandate("RUM-X", "X", iban="FR7630006000011234567890188"),
        house.contract("KX", "X", "RUM-X"),
        house.invoice("FX", "X", "KX", "RUM-X", "2026-02-02"),
    )
    with opened(url, "2026-01-25") as app:
        done = collect(app, tmp_path)
        assert [debit.end_to_end for debit in done.plan.debits] == ["F00000"]
        (left,) = done.plan.left
        assert left.receivable.number == "FX"
        assert "FR7630006000011234567890188" in left.why


def test_a_company_without_an_account_collects_nothing(sqlite, tmp_path):
    ready(sqlite, house.company("S", iban=""), house.plain(1)[1:])
    with opened(sqlite, "2026-01-25") as app:
        (left,) = collect(app, tmp_path).plan.left
        assert left.why.startswith("S has no account (IBAN) to be credited")
        commands.amend_party(app, replace(app.party("S").identity, iban=IBANS[0][:-1] + "0"))
        (left,) = collect(app, tmp_path).plan.left
        assert left.why.startswith("S: an IBAN was expected")


def test_b2b_debits_are_a_batch_of_their_own_and_consumers_have_none(url, tmp_path):
    ready(
        url,
        house.plain(1),
        house.client("PRO"),
        house.mandate("RUM-P", "PRO", scheme="B2B"),
        house.contract("KP", "PRO", "RUM-P"),
        house.invoice("FP", "PRO", "KP", "RUM-P", "2026-02-02"),
        house.client("SYNDIC", "non_professional"),
        house.mandate("RUM-N", "SYNDIC", scheme="B2B"),
        house.contract("KN", "SYNDIC", "RUM-N"),
        house.invoice("FN", "SYNDIC", "KN", "RUM-N", "2026-02-02"),
    )
    with opened(url, "2026-01-25") as app:
        done = collect(app, tmp_path)
        found = read(done.files[0].path)
        assert sorted(texts(found, "LclInstrm/Cd")) == ["B2B", "CORE"]
        (left,) = done.plan.left
        assert (left.receivable.number, "SYNDIC is a non-professional" in left.why) == ("FN", True)


# Amendments


def test_a_new_account_is_told_to_its_bank_once(url, tmp_path):
    later = [
        house.invoice(f"G{n}", "C00000", "K00000", "RUM-00000", on)
        for n, on in ((1, "2026-03-02"), (2, "2026-04-01"))
    ]
    ready(url, house.plain(1), later)
    with opened(url, "2026-01-25") as app:
        collect(app, tmp_path)
        commands.amend_mandate(app, "RUM-00000", day("2026-01-25"), IBANS[1])
    with opened(url, "2026-02-20") as app:
        (file,) = collect(app, tmp_path).files
        found = read(file.path)
        assert texts(found, "DbtrAcct/Id/IBAN") == [IBANS[1]]
        assert texts(found, "AmdmntInd") == ["true"]
        # From one bank to another: the account before is not told, only that it changed.
        assert texts(found, "OrgnlDbtrAcct/Id/Othr/Id") == ["SMNDA"]
        (order,) = [e for e in recorded(app, CollectionOrdered) if e.invoice == "G1"]
        assert order.original_iban == IBANS[0]
        again = collections.write_again(app, file.message, tmp_path / "again")
        assert again.digest == file.digest
    with opened(url, "2026-03-25") as app:
        (file,) = collect(app, tmp_path).files
        assert texts(read(file.path), "AmdmntInd") == []


def test_a_company_that_takes_a_contract_over_collects_under_its_mandate_amended(url, tmp_path):
    terms = replace(house.DEBITED, assignment=Assignment(by_supplier=True))
    ready(
        url,
        house.company("S"),
        house.company("T", ICS_2, IBANS[2]),
        house.client("C"),
        house.mandate("RUM", "C"),
        house.contract("K", "C", "RUM", terms),
        house.invoice("F1", "C", "K", "RUM", "2026-02-02"),
        house.invoice("F2", "C", "K", "RUM", "2026-03-02", supplier="T"),
        house.invoice("F3", "C", "K", "RUM", "2026-03-02"),
    )
    with opened(url, "2026-01-20") as app:
        # Told in advance: until its day the company before goes on.
        commands.assign(app, "K", "supplier", app.party("T").identity, day("2026-02-15"))
        (file,) = collect(app, tmp_path).files
        assert file.supplier == "S"
        assert texts(read(file.path), "AmdmntInd") == []
    with opened(url, "2026-02-20") as app:
        done = collect(app, tmp_path)
        (file,) = done.files
        assert file.supplier == "T"
        found = read(file.path)
        assert texts(found, "CdtrSchmeId/Id/PrvtId/Othr/Id") == [ICS_2]
        assert texts(found, "OrgnlCdtrSchmeId/Nm") == ["Societe S"]
        assert texts(found, "OrgnlCdtrSchmeId/Id/PrvtId/Othr/Id") == [ICS]
        (left,) = [one for one in done.plan.left if not one.receivable.collecting]
        assert (left.receivable.number, left.why) == (
            "F3",
            "mandate RUM is for T, the invoice is of S: to be paid by transfer",
        )
        assert collections.write_again(app, file.message, tmp_path / "b").digest == file.digest


def test_a_second_contract_taken_over_leaves_the_mandate_as_it_is(sqlite):
    terms = replace(house.DEBITED, assignment=Assignment(by_supplier=True))
    ready(
        sqlite,
        house.company("S"),
        house.company("T", ICS_2, IBANS[2]),
        house.client("C"),
        house.mandate("RUM", "C"),
        house.contract("K1", "C", "RUM", terms),
        house.contract("K2", "C", "RUM", terms),
    )
    with opened(sqlite, "2026-01-20") as app:
        new = Identity(code="T", name="Société T")  # What is known of it need not be said again.
        commands.assign(app, "K1", "supplier", new, day("2026-02-15"))
        assert app.mandate("RUM").creditor_identifier == ICS_2
        before = app.mandate("RUM")
        commands.assign(app, "K2", "supplier", new, day("2026-02-15"))
        assert app.mandate("RUM") == before


# Returns, and presenting again


def test_a_debit_that_came_back_is_told_again_then_presented_once_more(url, tmp_path):
    ready(url, house.plain(1))
    with opened(url, "2026-01-25") as app:
        collect(app, tmp_path)
    with opened(url, "2026-02-05") as app:
        comes_back(app, "F00000")
        done = collect(app, tmp_path, until=day("2026-12-31"))
        assert done.files == ()
        (left,) = done.plan.left
        # 14 days from 5 February; the next 1st is a Sunday.
        assert left.to_announce_for == day("2026-03-02")
        told = collections.announce(app, Asked(), dry=True)
        assert (len(told.notices), told.events) == (1, ())
        (notice,) = collections.announce(app, Asked(until=day("2026-12-31"))).notices
        assert (notice.client, notice.amount) == ("C00000", D("120.00"))
        assert (notice.mandate, notice.collected_on) == ("RUM-00000", day("2026-03-02"))
        assert collections.announce(app, Asked(until=day("2026-12-31"))).notices == ()
    with opened(url, "2026-02-20") as app:
        (file,) = collect(app, tmp_path).files
        found = read(file.path)
        # Rejected before it was credited: the first is still to be had.
        assert (texts(found, "EndToEndId"), texts(found, "SeqTp")) == (["F00000/2"], ["FRST"])
        comes_back(app, "F00000/2", settled=True, on="2026-03-04", kind="return")
    with opened(url, "2026-03-05") as app:
        (left,) = collect(app, tmp_path, until=day("2026-12-31")).plan.left
        assert "2 times in all: have it paid otherwise" in left.why
        seen = collections.seen(app)
        assert [(one.end_to_end, one.status, one.code) for one in seen] == [
            ("F00000", "returned", "AM04"),
            ("F00000/2", "returned", "AM04"),
        ]
        assert collections.seen(app, status="settled") == []


def test_a_closed_account_stops_the_mandate_until_another_is_told(url, tmp_path):
    ready(url, house.plain(1), house.invoice("G1", "C00000", "K00000", "RUM-00000", "2026-03-02"))
    with opened(url, "2026-01-25") as app:
        collect(app, tmp_path)
        comes_back(app, "F00000", "AC04")
    with opened(url, "2026-02-20") as app:
        left = {one.receivable.number: one for one in collect(app, tmp_path).plan.left}
        assert "stopped since 2026-02-04" in left["G1"].why
        (one,) = collections.mandates_seen(app, unusable_only=True)
        assert "AC04" in one.trouble
        commands.amend_mandate(app, "RUM-00000", day("2026-02-20"), IBANS[1])
        done = collect(app, tmp_path)
        assert [debit.end_to_end for debit in done.plan.debits] == ["G1"]
        (left_out,) = done.plan.left
        assert (left_out.receivable.number, left_out.to_announce_for is not None) == (
            "F00000",
            True,
        )


def test_what_cannot_be_debited_on_a_closed_account_is_asked_of_the_client(sqlite, tmp_path):
    on = {"issued_on": day("2026-02-01"), "due_on": day("2026-02-28")}
    after = house.invoice("G1", "C00000", "K00000", "RUM-00000", "2026-03-02", **on)
    ready(sqlite, house.plain(1), after)
    with opened(sqlite, "2026-01-25") as app:
        collect(app, tmp_path)
        comes_back(app, "F00000", "AC04")
    with opened(sqlite, "2026-03-20") as app:
        report = chase(app, day("2026-03-20"), dry_run=True)
        # Nothing is left for the supplier to do: both wait for a transfer.
        assert report.to_collect == []
        assert {one.invoice for one in report.letters} == {"F00000", "G1"}


# Ends and lapses


def test_the_last_debit_of_a_contract_that_is_over_is_final(url, tmp_path):
    leaving = Termination(grounds=(Ground(cause="convenience", by="client"),))
    terms = replace(house.DEBITED, termination=leaving)
    both = [
        (
            house.client(f"C{n}"),
            house.mandate(f"RUM-{n}", f"C{n}", last_collected_on=date(2025, 12, 5)),
            house.contract(f"K{n}", f"C{n}", f"RUM-{n}", terms),
            house.invoice(f"F{n}", f"C{n}", f"K{n}", f"RUM-{n}", "2026-02-02"),
        )
        for n in (0, 1, 2)
    ]
    ready(
        url,
        house.company("S"),
        *both,
        house.contract("K9", "C1", "RUM-1"),  # Goes on under the same mandate.
        house.invoice("F9", "C2", "K2", "RUM-2", "2026-03-02"),
    )
    with opened(url, "2026-01-25") as app:
        for number in ("K0", "K1", "K2"):
            over = end.terminate(app.contract(number), day("2026-01-01"), "convenience", "client")
            app.change(number, lambda c, over=list(over): over)
        done = collect(app, tmp_path)
        assert {d.end_to_end: d.sequence for d in done.plan.debits} == {
            "F0": "FNAL",
            "F1": "RCUR",
            "F2": "RCUR",
        }
        assert sorted(texts(read(done.files[0].path), "SeqTp")) == ["FNAL", "RCUR"]
        (over,) = collections.mandates_seen(app, unusable_only=True)
        assert over.trouble == "mandate RUM-0 is over: its last debit (FNAL) was F0"
        comes_back(app, "F0", settled=True)
        assert collections.mandates_seen(app, unusable_only=True) == []


def required(debit_day=1):
    return Terms(payment=Payment(means="direct_debit", debit_required=True, debit_day=debit_day))


def test_a_contract_whose_mandate_lapsed_is_set_aside_by_name_at_the_run(url, tmp_path):
    ready(
        url,
        house.plain(1),
        house.client("OLD"),
        house.mandate("RUM-OLD", "OLD", signed_on=date(2023, 1, 31)),
        house.contract("KOLD", "OLD", "RUM-OLD", required()),
    )
    with opened(url, "2026-01-25") as app:
        collect(app, tmp_path)
    with opened(url, "2026-01-31") as app:
        first = runs.run(app, date(2026, 1, 1), date(2026, 2, 1), "2026-01")
        assert first.aside_numbers == ()  # Good to the day: 31 January 2026.
    with opened(url, "2026-02-01") as app:
        drafts, report = runs.preview(app, date(2026, 2, 1), date(2026, 3, 1), "2026-02")
        list(drafts)
        assert report().aside_numbers == ("KOLD",)
        done = runs.run(app, date(2026, 2, 1), date(2026, 3, 1), "2026-02")
        assert done.aside_numbers == ("KOLD",)
        assert "no mandate" in done.set_aside[0].reason
        assert app.mandate("RUM-OLD").lapsed_on == day("2026-02-01")
        assert mandates.lapse(app) == []
        assert replay.verify(app, "2026-02").matches
        assert app.drifted_states() == []
        # Another is signed: it is billed again.
        action_of({"do": "mandate-sign", "contract": "KOLD", "iban": IBANS[1]}).perform(app)
        assert app.contract("KOLD").mandate == "RUM-KOLD"
        again = runs.run(app, date(2026, 2, 1), date(2026, 3, 1), "2026-02")
        assert (again.aside_numbers, again.totals.invoices) == ((), 1)


def test_a_house_that_hands_its_debits_over_elsewhere_is_not_told_that_its_mandates_lapse(sqlite):
    ready(
        sqlite,
        house.company("S"),
        house.client("OLD"),
        house.mandate("RUM-OLD", "OLD", signed_on=date(2022, 1, 31)),
        house.contract("KOLD", "OLD", "RUM-OLD", required()),
    )
    with opened(sqlite, "2026-01-31") as app:
        assert mandates.lapse(app) == []
        first = runs.run(app, date(2026, 1, 1), date(2026, 2, 1), "2026-01")
        assert (first.aside_numbers, first.totals.invoices) == ((), 1)


def test_a_contract_whose_mandate_is_revoked_is_set_aside_by_name_at_the_run(url):
    ready(
        url,
        house.company("S"),
        house.client("C"),
        house.mandate("RUM", "C"),
        house.contract("K", "C", "RUM", required()),
    )
    with opened(url, "2026-01-15") as app:
        commands.revoke_mandate(app, "RUM", day("2026-01-15"))
        assert runs.run(app, date(2026, 1, 1), date(2026, 2, 1), "2026-01").aside_numbers == ("K",)


# Signing


def test_a_mandate_without_a_reference_has_the_first_of_its_contract_that_is_free(sqlite):
    ready(
        sqlite,
        house.company("S"),
        house.client("C", iban=IBANS[0]),
        house.mandate("RUM-K", "C"),
        house.contract("K", "C", "RUM-K"),
    )
    with opened(sqlite, "2026-01-20") as app:
        said = {"do": "mandate-sign", "contract": "K", "proof": "SIG-77", "medium": "electronic"}
        action_of(said).perform(app)
        signed = app.mandate("RUM-K-2")
        assert (signed.iban, signed.proof, signed.medium) == (IBANS[0], "SIG-77", "electronic")
        assert app.contract("K").mandate == "RUM-K-2"
        with pytest.raises(Refused, match="accents"):
            action_of(said | {"mandate": "RÉF"}).perform(app)
        with pytest.raises(Refused, match="a last debit on 2026-01-21"):
            action_of(said | {"last_collected_on": date(2026, 1, 21)}).perform(app)


def test_a_lapsed_mandate_serves_no_new_contract(sqlite):
    ready(
        sqlite,
        house.company("S"),
        house.client("C", iban=IBANS[0]),
        house.mandate("OLD", "C", signed_on=date(2022, 1, 31)),
        house.contract("K", "C", ""),
    )
    with opened(sqlite, "2026-01-20") as app, pytest.raises(Refused, match="lapsed on 2025-02-01"):
        action_of({"do": "mandate-sign", "contract": "K", "mandate": "OLD"}).perform(app)


# Schedules


def test_a_schedule_told_for_a_year_brings_each_debit_to_its_day_without_a_notice(url, tmp_path):
    terms = Terms(payment=Payment(means="direct_debit", days=0, debit_day=5))
    ready(
        url,
        house.company("S"),
        house.client("C"),
        house.mandate("RUM", "C"),
        house.contract("K", "C", "RUM", terms),
    )
    with opened(url, "2025-12-10") as app:
        year = collections.schedule(app, "K", 2026)
        days = [line.collected_on for line in year.lines]
        # The 5th, or the next TARGET day: 5 April is Easter, 6 its Monday; 5 July, 5 September and
        # 5 December 2026 are not open.
        assert days == [
            day(f"2026-{on}")
            for on in ("01-05", "02-05", "03-05", "04-07", "05-05", "06-05", "07-06", "08-05",
                       "09-07", "10-05", "11-05", "12-07")
        ]  # fmt: skip
        assert (year.total, year.stopped) == (D("1440.00"), "")  # 12 × 120
        collections.announce_schedule(app, year)
        with pytest.raises(Refused, match="announced already"):
            collections.announce_schedule(app, year)
    with opened(url, "2026-01-02") as app:
        runs.run(app, date(2026, 1, 1), date(2026, 2, 1), "2026-01")
        (debit,) = collect(app, tmp_path).plan.debits
        # Its own notice, of 14 days, would have brought it to 5 February.
        assert (debit.collected_on, debit.announced_on) == (day("2026-01-05"), day("2025-12-10"))
        again = collections.schedule(app, "K", 2026)
        assert again.lines[0].status == "debit of 2026-01-05 under way"


def test_what_is_not_debited_has_no_schedule(sqlite):
    ready(
        sqlite,
        house.company("S"),
        house.client("C"),
        house.mandate("RUM", "C", signed_on=date(2022, 1, 1)),
        house.contract("K", "C", "", Terms()),
        house.contract("L", "C", "RUM"),
    )
    with opened(sqlite, "2026-01-02") as app:
        with pytest.raises(Refused, match="not collected by direct debit"):
            collections.schedule(app, "K", 2026)
        with pytest.raises(Refused, match="lapsed"):
            collections.schedule(app, "L", 2026)
        with pytest.raises(Refused, match="no file X"):
            collections.write_again(app, "X", Path("nowhere"))


def test_what_is_told_of_a_mandate_is_recorded_on_its_stream(sqlite, tmp_path):
    ready(sqlite, house.plain(1))
    with opened(sqlite, "2026-01-25") as app:
        collect(app, tmp_path)
        (order,) = recorded(app, CollectionOrdered)
        assert order.originator_id == stream("mandate", "RUM-00000")
        assert app.mandate("RUM-00000").collected_on == day("2026-02-02")
        before = app.store.states("mandate")
        app.rebuild_states()
        assert app.store.states("mandate") == before
