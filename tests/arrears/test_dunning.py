"""Reminders by level, the formal notice and its clock, what it allows, and the house's policy."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from billing import arrears
from billing.clauses.suspension import Clock
from billing.contract import end
from billing.contract.sign import sign
from billing.dunning import STANDARD, Dunning, Level, policy_from_text, standard
from billing.events import invoice as iv
from billing.events.contract import BreachCured, FormalNoticeSent
from billing.events.party import CollectionOrdered, CollectionReturned
from billing.forms import BadFile, read_contract
from billing.receivable import observe
from tests.arrears.late import (
    STATUTORY,
    UNPAID,
    D,
    Desk,
    amounts,
    contract,
    credited,
    day,
    debit_note,
    invoice,
    paid,
    released,
    sent,
    taken_back,
    withheld,
)
from tests.cli.running import CONTRACTS
from tests.scenario import BOOK, House


def notices(chased):
    return [event for event in chased.events if isinstance(event, FormalNoticeSent)]


def cures(chased):
    return [event for event in chased.events if isinstance(event, BreachCured)]


# Reminders


@pytest.mark.parametrize(
    ("days", "levels"),
    [
        # chased so many days after the due day: the levels sent, one by one
        ([0, 7], []),
        ([8], [1]),
        ([7, 8, 9], [1]),
        ([8, 19, 20, 21], [1, 2]),
        ([8, 20, 34, 35, 36, 60], [1, 2, 3]),
        ([19, 20], [1]),  # Level 2 waits for eight days after level 1.
        ([19, 26, 27], [1, 2]),
        # first looked at after ninety days: still in order, and never two in eight days
        ([90], [1]),
        ([90, 91, 97, 98, 106], [1, 2, 3]),
        ([90, 90], [1]),
        ([20, 8], [1]),  # A day gone by sends nothing more.
    ],
)
def test_each_level_is_sent_once_in_order_and_not_before_its_day(days, levels):
    desk = Desk(contract(), invoice("F-1", "1000.00", "2026-07-31"))
    found = []
    for late in days:
        found += sent(desk.chase((day("2026-07-31") + timedelta(days=late)).isoformat()))
    assert found == [("F-1", level) for level in levels]


def test_a_reminder_says_its_level_its_name_its_way_and_what_is_owed():
    desk = Desk(contract(), invoice("F-1", "1000.00", "2026-07-31", paid("400.00", "2026-08-02")))
    desk.chase("2026-08-08")
    ((_, second),) = desk.chase("2026-08-20").reminders
    assert second == iv.ReminderSent(
        level=2, name="Deuxième relance", sent_on=day("2026-08-20"), owed=D("600.00"),
        sending="letter",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("happened", "why"),
    [
        ((paid("1000.00", "2026-08-05"),), "paid"),
        ((paid("1000.00", "2026-09-30"),), "paid"),  # Known by now, though of a later day.
        ((credited("1000.00", "2026-08-05"),), "paid"),
        ((withheld("50.00", "2026-08-01"), paid("950.00", "2026-08-05")), "withheld"),
        ((iv.InvoiceDisputed(disputed_on=day("2026-08-01"), reason="panne"),), "disputed"),
        ((paid("995.01", "2026-08-05"),), ""),  # 4.99 is under the house's 5.00
    ],
)
def test_nothing_is_asked_for_what_is_paid_withheld_disputed_or_too_little(happened, why):
    one = invoice("F-1", "1000.00", "2026-07-31", *happened)
    assert arrears.kept_from(one, day("2026-09-15")) == why
    assert sent(Desk(contract(), one).chase("2026-09-15")) == []


def test_what_is_released_or_no_longer_disputed_is_asked_for():
    of = contract()
    free = invoice(
        "F-1", "1000.00", "2026-07-31", withheld("50.00", "2026-08-01"),
        paid("950.00", "2026-08-05"), released("50.00", "2026-09-01"),
    )  # fmt: skip
    assert sent(Desk(of, free).chase("2026-09-15")) == [("F-1", 1)]
    told = iv.InvoiceDisputed(disputed_on=day("2026-08-01"), reason="panne")
    desk = Desk(of, invoice("F-1", "1000.00", "2026-07-31", told))
    assert desk.chase("2026-09-15").debits == ()
    over = iv.DisputeSettled(settled_on=day("2026-09-20"), how="expertise")
    desk.happens("F-1", over)
    chased = desk.chase("2026-09-20")
    # 51 days at 12.40: 17.3260
    assert sent(chased) == [("F-1", 1)]
    assert amounts(chased)["F-1", "late_interest"] == D("17.33")


def test_a_retention_alone_is_reminded_of_from_its_release_on():
    free = invoice(
        "F-1", "1080.00", "2026-01-31", withheld("54.00", "2026-01-05"),
        paid("1026.00", "2026-01-31"), released("54.00", "2026-06-20"),
    )  # fmt: skip
    desk = Desk(contract(STATUTORY, UNPAID), free)
    days = ["2026-06-20", "2026-06-27", "2026-06-28", "2026-07-09", "2026-07-10", "2026-07-25"]
    sent_on = [on for on in days if sent(desk.chase(on))]
    # 8, 20 and 35 days after 20 June
    assert sent_on == ["2026-06-28", "2026-07-10", "2026-07-25"]
    assert arrears.kept_from(free, day("2026-06-20")) == "not late"


def test_nothing_is_asked_while_a_direct_debit_is_on_its_way_and_all_once_it_is_back():
    ordered = CollectionOrdered(
        end_to_end="F-1", supplier="S", invoice="F-1", amount=D("1000.00"),
        collected_on=day("2026-08-03"), sequence="RCUR", file="f",
    )  # fmt: skip
    one = invoice(
        "F-1", "1000.00", "2026-07-31", means="direct_debit", collected_on=day("2026-08-03")
    )
    one = observe(one, ordered)
    desk = Desk(contract(), one)
    chased = desk.chase("2026-09-15")
    assert (chased.reminders, chased.debits) == ((), ())
    back = CollectionReturned(
        end_to_end="F-1", supplier="S", invoice="F-1", amount=D("1000.00"),
        returned_on=day("2026-08-06"), kind="reject", code="AM04", settled=False,
    )  # fmt: skip
    desk.documents["F-1"] = observe(desk["F-1"], back)
    chased = desk.chase("2026-09-15")
    assert sent(chased) == [("F-1", 1)]
    # From the day after the agreed debit: 43 days at 12.40, 14.6082
    assert amounts(chased)["F-1", "late_interest"] == D("14.61")


def test_a_debit_note_is_reminded_of_and_never_put_in_a_formal_notice():
    desk = Desk(contract(), debit_note("ND-1", "55.00", "2026-07-31"))
    found = [
        sent(desk.chase(on), "debit_note") for on in ("2026-08-08", "2026-08-20", "2026-09-10")
    ]
    assert found == [[("ND-1", 1)], [("ND-1", 2)], []]


# The formal notice, once, and its clock

LATE = "2026-07-31"
LEVELS = ("2026-08-08", "2026-08-20", "2026-09-04")


def chased_to_the_letter(*documents, of=None, levels=LEVELS):
    desk = Desk(of or contract(POLICY_CLAUSE, UNPAID), *documents)
    return desk, [desk.chase(on) for on in levels][-1]


POLICY_CLAUSE = contract().terms.late_interest


def test_the_formal_notice_starts_the_clock_of_the_contract_once_for_all_that_is_late():
    desk, last = chased_to_the_letter(
        invoice("F-1", "1000.00", LATE), invoice("F-2", "500.00", "2026-08-15")
    )
    assert sent(last) == [("F-1", 3), ("F-2", 1)]
    assert notices(last) == [
        FormalNoticeSent(
            clock="unpaid", by="supplier", sent_on=day("2026-09-04"), received_on=None,
            sending="registered_letter", allowed_from=day("2026-09-14"),
            allows=("suspend", "terminate"), about="Factures impayées : F-1, F-2",
        )
    ]  # fmt: skip
    # While the clock runs no other formal notice is sent, for F-2 as for any other.
    assert [notices(desk.chase(on)) for on in ("2026-09-19", "2026-10-30")] == [[], []]
    assert [one.level for one in desk["F-2"].reminders] == [1, 2]


def test_what_the_clock_allows_is_a_task_from_its_day_and_nothing_is_suspended():
    desk, _ = chased_to_the_letter(invoice("F-1", "1000.00", LATE))
    assert desk.chase("2026-09-13").measures == ()
    (task,) = desk.chase("2026-09-14").measures
    assert (task.allowed_from, task.allows, task.owed) == (
        day("2026-09-14"), ("suspend", "terminate"), D("1000.00"),
    )  # fmt: skip
    assert desk.contract.suspended_on is None
    for event in end.suspend(desk.contract, "unpaid", day("2026-09-15")):
        desk._tells(event)
    assert [task.allows for task in desk.chase("2026-09-16").measures] == [("terminate",)]


def test_the_clock_stops_once_all_that_was_late_on_the_day_of_the_letter_is_paid():
    desk, _ = chased_to_the_letter(
        invoice("F-1", "1000.00", LATE), invoice("F-2", "500.00", "2026-08-15")
    )
    desk.happens("F-1", paid("1000.00", "2026-09-10"))
    assert cures(desk.chase("2026-09-11")) == []  # F-2 was late too.
    desk.happens("F-2", paid("500.00", "2026-09-12"))
    cured = desk.chase("2026-09-15")
    assert cures(cured) == [BreachCured(clock="unpaid", cured_on=day("2026-09-15"))]
    assert cured.measures == ()
    assert desk.contract.clocks == ()
    assert desk.chase("2026-09-15").events == ()


def test_a_new_episode_has_a_letter_of_its_own():
    desk, _ = chased_to_the_letter(
        invoice("F-1", "1000.00", LATE), invoice("F-2", "500.00", "2026-09-05")
    )
    desk.happens("F-1", paid("1000.00", "2026-10-01"))
    for on in ("2026-09-13", "2026-09-25", "2026-10-09"):
        desk.chase(on)
    # F-2 was not late yet on the day of the first letter: its own is the 35th day.
    chased = desk.chase("2026-10-10")
    assert sent(chased) == [("F-2", 3)]
    assert [one.about for one in notices(chased)] == ["Factures impayées : F-2"]


def test_a_payment_that_comes_back_after_the_cure_has_another_formal_notice():
    desk, _ = chased_to_the_letter(invoice("F-1", "1000.00", LATE))
    desk.happens("F-1", paid("1000.00", "2026-09-08"))
    assert cures(desk.chase("2026-09-09"))
    desk.happens("F-1", taken_back("1000.00", "2026-09-20"))
    chased = desk.chase("2026-09-21")
    assert sent(chased) == [("F-1", 3)]
    assert notices(chased)[0].allowed_from == day("2026-10-01")
    assert desk.chase("2026-10-30").events == ()


def test_a_letter_sent_by_hand_is_not_sent_twice_and_is_cured_too():
    desk = Desk(contract(POLICY_CLAUSE, UNPAID), invoice("F-1", "1000.00", LATE))
    for event in end.formal_notice(desk.contract, "unpaid", "supplier", day("2026-08-10")):
        desk._tells(event)
    assert [notices(desk.chase(on)) for on in (*LEVELS, "2026-09-20")] == [[], [], [], []]
    desk.happens("F-1", paid("1000.00", "2026-09-21"))
    assert cures(desk.chase("2026-09-22"))


def test_a_breach_of_another_kind_is_not_cured_by_a_payment():
    breach = Clock(name="breach", days=30, allows=("terminate",), by="any", notice_by="either")
    desk = Desk(contract(POLICY_CLAUSE, breach), invoice("F-1", "1000.00", LATE))
    letter = end.formal_notice(
        desk.contract, "breach", "supplier", day("2026-08-01"), about="copie illicite"
    )
    for event in letter:
        desk._tells(event)
    chased = [desk.chase(on) for on in LEVELS][-1]
    assert (notices(chased), chased.measures) == ([], ())
    assert "runs already" in chased.remark
    desk.happens("F-1", paid("1000.00", "2026-09-05"))
    assert cures(desk.chase("2026-09-06")) == []


def test_a_contract_that_has_ended_has_its_letter_and_no_clock():
    of = replace(contract(POLICY_CLAUSE, UNPAID), terminated_on=day("2026-08-01"))
    _, chased = chased_to_the_letter(invoice("F-1", "1000.00", LATE), of=of)
    assert sent(chased) == [("F-1", 3)]
    assert (chased.events, "terminated" in chased.remark) == ((), True)


@pytest.mark.parametrize("category", ["consumer", "non_professional"])
def test_who_is_no_professional_owes_the_legal_rate_from_the_formal_notice_on(category):
    desk = Desk(
        contract(POLICY_CLAUSE, UNPAID, category=category),
        invoice("F-1", "1000.00", LATE),
        invoice("F-2", "500.00", "2026-08-15"),
    )
    for on in LEVELS:
        assert desk.chase(on).debits == ()
    # The letter of 2026-09-04 lists both: 20 days at 2.75 on 1000.00 and on 500.00
    assert amounts(desk.chase("2026-09-24")) == {
        ("F-1", "late_interest"): D("1.51"),  # 1.5068
        ("F-2", "late_interest"): D("0.75"),  # 0.7534
    }
    desk.happens("F-1", paid("1000.00", "2026-09-24"))
    desk.happens("F-2", paid("500.00", "2026-09-24"))
    cured = desk.chase("2026-10-01")
    assert cures(cured)
    assert (cured.debits, cured.credits) == ((), ())  # The clock stops; the letter was sent.


# The five forms


def of_form(name, parent=None):
    """A contract of the demo, signed."""
    house, number = House(BOOK), ""
    for one in filter(None, (parent, name)):
        file = read_contract(CONTRACTS / f"{one}.toml", folders=[CONTRACTS.parent / "forms"])
        follows = house[file.parent] if file.parent else None
        signing = file.signing(follows.terms if follows else None)
        number = house.sign(sign(signing, BOOK, follows))
    return house[number]


@pytest.mark.parametrize(
    ("name", "parent", "clock", "allowed_from", "allows"),
    [
        # a letter sent on 2026-09-04
        ("alliance-telecom-2025-207", None, "unpaid", "2026-09-14",
         ("suspend", "recover", "terminate")),  # Rental: ten days.
        ("alliance-telecom-2024-112", None, "unpaid", "2026-09-09",
         ("suspend", "terminate")),  # Maintenance: five days.
        ("si-contact-2024-031", None, "unpaid", "2026-09-19", ("suspend", "terminate")),
        # Thirty clear days: on the thirtieth the client may still pay.
        ("pixel-tech-2024-001", None, "breach", "2026-10-05", ("terminate",)),
        ("integral-micro-2023-0042", None, None, None, None),
        # The clock of the contract it follows: thirty days.
        ("chronotech-2024-018", "chronotech-sauvegarde-2024-017", "unpaid", "2026-10-04",
         ("suspend", "terminate")),
    ],
)  # fmt: skip
def test_each_of_the_five_forms_has_its_own_clock(name, parent, clock, allowed_from, allows):
    of = of_form(name, parent)
    due = day(LATE)
    if of.ends_on is not None and of.ends_on <= due:  # Si Contact ends unless it is renewed.
        of = replace(of, term=replace(of.term, end=due.replace(year=2027)))
    one = replace(invoice("F-1", "1000.00", LATE), contract=of.number)
    desk, chased = chased_to_the_letter(one, of=of)
    assert sent(chased) == [("F-1", 3)]
    found = [(n.clock, str(n.allowed_from), n.allows) for n in notices(chased)]
    assert found == ([(clock, allowed_from, allows)] if clock else [])
    assert chased.remark == ""
    if clock:
        before = day(allowed_from) - timedelta(days=1)
        assert desk.chase(before.isoformat()).measures == ()
        assert [m.allows for m in desk.chase(allowed_from).measures] == [allows]
        desk.happens("F-1", paid("1000.00", allowed_from))
        assert cures(desk.chase(allowed_from))


# The policy


def test_the_policy_that_ships_reminds_twice_then_sends_a_formal_notice():
    policy = standard()
    assert [(one.days, one.sending) for one in policy.levels] == [
        (8, "email"), (20, "letter"), (35, "registered_letter"),
    ]  # fmt: skip
    assert policy.level(policy.formal_notice).name == "Mise en demeure"
    assert policy.charge_from == 0


def test_a_house_may_write_its_own():
    text = """
name = "house"
minimum_owed = "15.00"
days_between = 10
debit_note_days = 30

[[levels]]
days = 15
name = "Rappel"
english = "Reminder"
"""
    assert policy_from_text(text) == Dunning(
        name="house",
        levels=(Level(days=15, name="Rappel", english="Reminder"),),
        minimum_owed=D("15.00"),
        days_between=10,
        debit_note_days=30,
    )


LEVEL = '\n[[levels]]\ndays = {}\nname = "Rappel"\nenglish = "Reminder"\n'


@pytest.mark.parametrize(
    ("text", "line", "key", "words"),
    [
        ('name = "h"\n', 1, "levels", "it is missing"),
        ('name = "h"\nlevels = []\n', 2, "levels", "at least one"),
        (f'name = "h"\n{LEVEL.format(8)}{LEVEL.format(8)}', 9, "levels[2].days", "more than 8"),
        (f'name = "h"\n{LEVEL.format(0)}', 4, "levels[1].days", "more than 0"),
        (f'name = "h"\n{LEVEL.format("-3")}', 4, "levels[1].days", "at least 0"),
        (f'name = "h"\nformal_notice = 2\n{LEVEL.format(8)}', 2, "formal_notice", "1 to 1"),
        (f'name = "h"\ncharge_from = 9\n{LEVEL.format(8)}', 2, "charge_from", "1 to 1"),
        (f'name = "h"\nminimum_owed = 5.5\n{LEVEL.format(8)}', 2, "minimum_owed", '"5.5"'),
        (f'name = "h"\nminimum_owed = "0.005"\n{LEVEL.format(8)}', 2, "minimum_owed", "cents"),
        (f'name = "h"\nfrom_level = 1\n{LEVEL.format(8)}', 2, "from_level", "unknown key"),
        (f'name = "h"\ncredit_note = "no"\n{LEVEL.format(8)}', 2, "credit_note", "due_day"),
        (f'name = "h"\n{LEVEL.format(8)}sending = "fax"\n', 7, "levels[1].sending", "email"),
    ],
)
def test_a_policy_that_cannot_be_taken_says_where_and_what_was_expected(text, line, key, words):
    with pytest.raises(BadFile) as bad:
        policy_from_text(text, "house.toml")
    (fault,) = bad.value.errors
    assert (fault.path, fault.line, fault.key) == ("house.toml", line, key)
    assert words in fault.expected


def test_the_shipped_policy_explains_itself():
    assert STANDARD.read_text("utf-8").count("#") > 8


# Served only while paid


def pixel(*happened, gross="1068.00", number="F-1", start="2026-01-01", end="2027-01-01"):
    from billing.dates import Period

    return invoice(
        number, gross, "2026-01-31", *happened, issued=start,
        period=Period(day(start), day(end)),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("happened", "on", "since"),
    [
        # 1068.00 issued on 2026-01-01 for the year; since when it is closed, or open
        ((), "2026-01-01", "2026-01-01"),
        ((), "2026-06-30", "2026-01-01"),
        ((paid("1068.00", "2026-01-20"),), "2026-01-19", "2026-01-01"),
        ((paid("1068.00", "2026-01-20"),), "2026-01-20", None),
        ((paid("1068.00", "2026-01-20"),), "2026-12-31", None),
        ((paid("1067.99", "2026-01-20"),), "2026-02-01", "2026-01-01"),
        ((paid("1068.00", "2026-01-20"), taken_back("1068.00", "2026-02-03")), "2026-02-02", None),
        (
            (paid("1068.00", "2026-01-20"), taken_back("1068.00", "2026-02-03")),
            "2026-03-01", "2026-02-03",
        ),
        ((withheld("53.40", "2026-01-03"), paid("1014.60", "2026-01-20")), "2026-01-20", None),
        (
            (
                withheld("53.40", "2026-01-03"), paid("1014.60", "2026-01-20"),
                released("53.40", "2026-05-01"),
            ),
            "2026-05-02", "2026-05-01",
        ),
        ((credited("1068.00", "2026-02-01"),), "2026-03-01", None),  # Not billed any more.
    ],
)  # fmt: skip
def test_the_pixel_tech_period_is_open_only_while_its_invoice_is_paid(happened, on, since):
    of = of_form("pixel-tech-2024-001")
    gate = arrears.service_open(of, [pixel(*happened)], day(on))
    assert (gate.open, gate.since) == (since is None, since and day(since))
    assert gate.invoice == ("" if since is None else "F-1")


def test_the_gate_looks_at_the_invoice_of_the_period_only():
    of = of_form("pixel-tech-2024-001")
    last_year = pixel(number="F-0", start="2025-01-01", end="2026-01-01")
    this_year = pixel(paid("1068.00", "2026-01-02"))
    assert arrears.service_open(of, [last_year, this_year], day("2026-02-01")).open
    assert not arrears.service_open(of, [last_year, this_year], day("2025-12-31")).open
    assert arrears.service_open(of, [], day("2026-02-01")).why == "the period is not billed yet"


def test_no_service_before_its_period_nor_after_its_end():
    of = of_form("pixel-tech-2024-001")
    assert "not begun" in arrears.service_open(of, [], day("2023-12-31")).why
    ended = replace(of, terminated_on=day("2026-07-01"))
    gate = arrears.service_open(ended, [pixel(paid("1068.00", "2026-01-02"))], day("2026-07-01"))
    assert (gate.open, gate.since) == (False, day("2026-07-01"))


def test_other_contracts_have_no_gate():
    assert arrears.service_open(contract(), [pixel()], day("2026-06-01")).open
