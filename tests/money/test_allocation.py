"""Which documents a payment pays: as told, by its text, by its amount, the oldest due."""

from datetime import date
from decimal import Decimal as D

import pytest

from billing.allocation import allocate, credited_since, numbered, owed_since, set_off
from billing.receivable import Movement, Receivable
from billing.refusal import Refused
from tests.money.office import day


def document(number, gross, due="01-31", kind="invoice", paid="", **more):
    movements = (Movement(day("01-15"), D(paid), "payment", "P-0", "payment"),) if paid else ()
    return Receivable(
        number=number,
        version=1,
        supplier="S",
        client="C",
        contract="K-1",
        kind=kind,
        issued_on=day("01-01"),
        due_on=day(due),
        gross=D(gross),
        means="transfer",
        movements=movements,
        **more,
    )


OLD = document("F-1", "100.00", due="01-31")
NEW = document("F-2", "60.00", due="02-28")
NOTE = document("N-3", "7.50", due="03-31", kind="debit_note")
HELD = document("F-4", "1080.00", due="01-10", withheld=D("54.00"), withheld_on=day("01-05"))
UNDER_WAY = document("F-5", "30.00", due="01-05", collecting="F-5", collecting_on=day("02-02"))
CONTESTED = document("F-6", "45.00", due="01-02", disputed_on=day("01-20"))
PARTLY = document("F-7", "90.00", due="01-20", paid="40.00")


@pytest.mark.parametrize(
    ("amount", "documents", "said", "text", "expected", "how", "left"),
    [
        # As told: what is named, the rest is the client's.
        ("60.00", (OLD, NEW), {"F-2": None}, "", "F-2 60.00", "as told", "0.00"),
        ("50.00", (OLD, NEW), {"F-2": None}, "", "F-2 50.00", "as told", "0.00"),
        ("130.00", (OLD, NEW), {"F-2": None}, "", "F-2 60.00", "as told", "70.00"),
        (
            "80.00",
            (OLD, NEW),
            {"F-1": D(30), "F-2": D(50)},
            "",
            "F-1 30.00 F-2 50.00",
            "as told",
            "0.00",
        ),
        (
            "80.00",
            (OLD, NEW),
            {"F-2": D(20), "F-1": None},
            "",
            "F-1 60.00 F-2 20.00",
            "as told",
            "0",
        ),
        ("30.00", (UNDER_WAY,), {"F-5": None}, "", "F-5 30.00", "as told", "0.00"),
        ("1080.00", (HELD,), {"F-4": None}, "", "F-4 1080.00", "as told", "0.00"),
        # The text names one that is not the oldest; 1 of it is not 12 of another.
        ("60.00", (OLD, NEW), {}, "VIR FACTURE F-2", "F-2 60.00", "remittance", "0.00"),
        ("160.00", (OLD, NEW), {}, "f1, f 2", "F-1 100.00 F-2 60.00", "remittance", "0.00"),
        ("40.00", (OLD, NEW), {}, "REGLT F 2", "F-2 40.00", "remittance", "0.00"),
        ("99.00", (OLD, NEW), {}, "F-12 F-20", "F-1 99.00", "oldest due", "0.00"),
        # The amount of one only.
        ("60.00", (OLD, NEW), {}, "", "F-2 60.00", "amount", "0.00"),
        ("50.00", (OLD, PARTLY), {}, "", "F-7 50.00", "amount", "0.00"),
        ("1026.00", (OLD, HELD), {}, "", "F-4 1026.00", "amount", "0.00"),  # 1080 − 54 withheld
        # The oldest due; of two of that amount too.
        ("130.00", (NEW, OLD), {}, "", "F-1 100.00 F-2 30.00", "oldest due", "0.00"),
        ("200.00", (NEW, OLD), {}, "", "F-1 100.00 F-2 60.00", "oldest due", "40.00"),
        (
            "100.00",
            (document("F-9", "100.00", due="03-01"), OLD),
            {},
            "",
            "F-1 100.00",
            "oldest due",
            "0.00",
        ),
        ("70.00", (PARTLY, OLD), {}, "", "F-7 50.00 F-1 20.00", "oldest due", "0.00"),
        # What is withheld is not paid before what is due; nor what is under way or contested.
        ("1100.00", (HELD, OLD), {}, "", "F-4 1026.00 F-1 74.00", "oldest due", "0.00"),
        ("75.00", (UNDER_WAY, CONTESTED, OLD), {}, "", "F-1 75.00", "oldest due", "0.00"),
        ("30.00", (UNDER_WAY,), {}, "", "", "not allocated", "30.00"),
        ("25.00", (), {}, "F-1", "", "not allocated", "25.00"),
        # Interest before principal, and the other way round by contract (below).
        ("20.00", (OLD, NOTE), {}, "", "N-3 7.50 F-1 12.50", "oldest due", "0.00"),
        ("50.00", (OLD, NOTE), {}, "F-1 N-3", "N-3 7.50 F-1 42.50", "remittance", "0.00"),
    ],
)
def test_a_payment_goes_where(amount, documents, said, text, expected, how, left):
    found = allocate(D(amount), documents, said, text, {"K-1"})
    told = " ".join(f"{part.document.number} {part.amount}" for part in found.parts)
    assert (told, found.how, found.left) == (expected, how, D(left))


def test_a_contract_may_pay_the_oldest_whatever_it_is():
    found = allocate(D("20.00"), (OLD, NOTE), {}, "", ())
    assert [(p.document.number, p.amount) for p in found.parts] == [("F-1", D("20.00"))]


@pytest.mark.parametrize(
    ("amount", "said", "words"),
    [
        ("120.00", {"F-1": D(110)}, "at most the 100.00 € that are owed"),
        ("80.00", {"F-1": D(50), "F-2": D(40)}, "90.00 € to allocate, of 80.00 € that are left"),
        ("80.00", {"F-1": D(0)}, "F-1: an amount of 0 €; expected whole cents, more than 0"),
        ("80.00", {"F-1": D(-5)}, "more than 0"),
        ("80.00", {"F-1": D("1.005")}, "expected whole cents"),
        ("80.00", {"F-1": D("NaN")}, "expected whole cents"),
        ("100.00", {"F-1": None, "F-2": None}, "F-2: nothing is left for it"),
        ("10.00", {"A-1": None}, "A-1 is a credit note"),
        ("10.00", {"F-0": None}, "F-0: nothing is owed on it since 2026-01-15"),
        ("10.00", {"F-8": None}, "F-8 was already written off on 2026-05-05"),
    ],
)
def test_what_a_payer_says_is_refused_when_it_cannot_be(amount, said, words):
    gone = Movement(day("05-05"), D("20.00"), "write_off")
    known = {
        d.number: d
        for d in (
            OLD,
            NEW,
            document("A-1", "0.00", kind="credit_note"),
            document("F-0", "100.00", paid="100.00"),
            Receivable(**{f: getattr(NEW, f) for f in NEW.__struct_fields__}
                       | {"number": "F-8", "gross": D("20.00"), "movements": (gone,)}),
        )
    }  # fmt: skip
    with pytest.raises(Refused, match=words):
        allocate(D(amount), [known[number] for number in said], said)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("F2026-000123", "F2026-000123"),
        ("VIREMENT F2026000123 MERCI", "F2026-000123"),
        ("fact. f2026/000123", "F2026-000123"),
        ("F 2026 000123", "F2026-000123"),
        ("F2026-0001234", ""),
        ("XF2026-000123", ""),
        ("F2026-000124 et F2026-000123", "F2026-000124 F2026-000123"),
        ("F2026-000123 150,00", "F2026-000123"),
        ("2026 000123", ""),
        ("", ""),
    ],
)
def test_a_number_is_read_however_the_bank_separates_it(text, expected):
    documents = [document("F2026-000123", "1.00"), document("F2026-000124", "1.00")]
    assert " ".join(d.number for d in numbered(text, documents)) == expected


def test_a_text_that_could_mean_two_documents_names_neither():
    documents = [document("2026-11", "1.00"), document("202-611", "1.00")]
    assert numbered("202611", documents) == []


def credit(number, amount, on, due="01-31"):
    """A document paid in full on 15 January, then credited that much."""
    paid = document(number, amount, due=due, paid=amount)
    note = Movement(day(on), D(amount), "credit", "A-1", "credit_note")
    fields = {name: getattr(paid, name) for name in paid.__struct_fields__}
    return Receivable(**fields | {"movements": (*paid.movements, note)})


@pytest.mark.parametrize(
    ("sources", "documents", "at_most", "expected"),
    [
        # From the day both are there: the credit of 10 March, an invoice of 1 January.
        ([credit("F-8", "40.00", "03-10")], [OLD], None, "F-8 F-1 40.00 2026-03-10"),
        (
            [credit("F-8", "130.00", "03-10")],
            [NEW, OLD],
            None,
            "F-8 F-1 100.00 2026-03-10, F-8 F-2 30.00 2026-03-10",
        ),
        ([credit("F-8", "130.00", "03-10")], [NEW, OLD], "70.00", "F-8 F-1 70.00 2026-03-10"),
        (
            [credit("F-8", "30.00", "03-10"), credit("F-9", "50.00", "04-01", due="01-05")],
            [NEW],
            None,
            "F-9 F-2 50.00 2026-04-01, F-8 F-2 10.00 2026-03-10",
        ),
        ([credit("F-8", "30.00", "03-10")], [], None, ""),
    ],
)
def test_a_credit_pays_the_oldest_of_the_rest(sources, documents, at_most, expected):
    found = set_off(sources, documents, (), None if at_most is None else D(at_most))
    told = ", ".join(f"{o.credit.number} {o.document.number} {o.amount} {o.on}" for o in found)
    assert told == expected


def test_a_debt_is_there_from_the_day_it_lasts():
    back = Movement(day("03-01"), D("-100.00"), "reversal", "P-0", "payment")
    fields = {f: getattr(OLD, f) for f in OLD.__struct_fields__}
    paid = Movement(day("01-15"), D("100.00"), "payment", "P-0", "payment")
    returned = Receivable(**fields | {"movements": (paid, back)})
    assert owed_since(OLD, D("100.00")) == date(2026, 1, 1)
    assert owed_since(returned, D("100.00")) == date(2026, 3, 1)  # Paid from January to March.
    assert credited_since(credit("F-8", "40.00", "03-10"), D("40.00")) == date(2026, 3, 10)
