"""Renewal: what is said before the end of a term, and what its end brings."""

from datetime import date

import pytest
from msgspec.structs import replace

from billing.clauses import Terms
from billing.clauses.fees import Item
from billing.clauses.renewal import Notice, Renewal
from billing.clauses.schedule import Schedule
from billing.contract import change, cover, renew
from billing.dates import Period
from billing.events.contract import (
    ContractRenewed,
    FeeChange,
    NonRenewalNoticed,
    RenewalAccepted,
    RenewalOffered,
)
from tests.scenario import BOOK, D, House, day, given, signed

THREE_MONTHS = Notice(months=3, by="registered_letter")
A_YEAR = signed(terms=Terms(renewal=Renewal(notice=THREE_MONTHS)))
BY_OFFER = signed(terms=Terms(renewal=Renewal(kind="offer", terms_allowed=(12, 36))))
NEXT = Period(date(2027, 1, 1), date(2028, 1, 1))


def test_a_term_that_ends_is_followed_by_another():
    given(A_YEAR).when(renew.due, date(2027, 1, 1), None).then(
        ContractRenewed(term=NEXT, how="tacit")
    )


def test_nothing_comes_before_the_end_of_the_term():
    given(A_YEAR).when(renew.due, date(2026, 12, 31), None).then()


def test_another_length_follows_where_the_contract_says_so():
    five_then_one = signed(terms=Terms(renewal=Renewal(term_months=60, months=12)))
    sixth = ContractRenewed(term=Period(date(2031, 1, 1), date(2032, 1, 1)), how="tacit")
    seventh = ContractRenewed(term=Period(date(2032, 1, 1), date(2033, 1, 1)), how="tacit")
    given(five_then_one).when(renew.due, date(2031, 1, 1), None).then(sixth)
    given(five_then_one, sixth).when(renew.due, date(2032, 1, 1), None).then(seventh)


def test_renewals_may_be_counted():
    twice = signed(terms=Terms(renewal=Renewal(max_renewals=1)))
    given(twice).when(renew.due, date(2027, 1, 1), None).then(
        ContractRenewed(term=NEXT, how="tacit")
    )
    after = given(twice, ContractRenewed(term=NEXT, how="tacit"))
    assert after.contract.ends_on == date(2028, 1, 1)
    after.when(renew.due, date(2028, 1, 1), None).then()


def test_a_notice_in_time_ends_the_term():
    given(A_YEAR).when(renew.notice, "client", date(2026, 9, 30)).then(
        NonRenewalNoticed(
            by="client",
            sent_on=date(2026, 9, 30),
            received_on=None,
            sending="registered_letter",
            last_day=date(2026, 9, 30),
            in_time=True,
            ends_on=date(2027, 1, 1),
        )
    )


def test_a_late_notice_ends_the_next_term():
    given(A_YEAR).when(renew.notice, "supplier", date(2026, 10, 1)).then(
        NonRenewalNoticed(
            by="supplier",
            sent_on=date(2026, 10, 1),
            received_on=None,
            sending="registered_letter",
            last_day=date(2026, 9, 30),
            in_time=False,
            ends_on=date(2028, 1, 1),
        )
    )


@pytest.mark.parametrize(
    ("sent_on", "ends_on"),
    [
        # The pass has not renewed it yet: what counts is the term the letter falls in.
        ("2027-02-01", "2028-01-01"),
        ("2027-09-30", "2028-01-01"),
        ("2027-10-01", "2029-01-01"),
    ],
)
def test_a_notice_counts_in_its_own_term_even_before_the_renewal_is_recorded(sent_on, ends_on):
    [told] = given(A_YEAR).when(renew.notice, "client", day(sent_on)).events
    assert told.ends_on == day(ends_on)


def test_a_notice_longer_than_the_term_is_never_shortened():
    monthly = signed(terms=Terms(renewal=Renewal(term_months=1, notice=Notice(months=3))))
    [told] = given(monthly).when(renew.notice, "client", date(2026, 1, 10)).events
    # Three months from 10 January: the term that ends on 30 April is the first it reaches.
    assert (told.in_time, told.ends_on) == (False, date(2026, 5, 1))


@pytest.mark.parametrize(
    ("counted_on", "received_on", "in_time"),
    [
        ("dispatch", "2026-10-02", True),
        ("receipt", "2026-09-30", True),
        ("receipt", "2026-10-01", False),
    ],
)
def test_it_counts_on_dispatch_or_on_receipt(counted_on, received_on, in_time):
    clause = Renewal(notice=replace(THREE_MONTHS, counted_on=counted_on))
    [told] = (
        given(signed(terms=Terms(renewal=clause)))
        .when(renew.notice, "client", date(2026, 9, 29), day(received_on))
        .events
    )
    assert told.in_time == in_time


@pytest.mark.parametrize(
    ("months", "days", "sent_on", "ends_on"),
    [
        (0, 0, "2026-03-14", "2026-03-15"),
        (0, 0, "2026-03-15", "2026-04-15"),
        (1, 0, "2026-03-14", "2026-04-15"),
        (1, 0, "2026-03-15", "2026-04-15"),  # a whole month, to 14 April
        (1, 0, "2026-03-16", "2026-05-15"),
        (0, 15, "2026-03-31", "2026-04-15"),
        (0, 15, "2026-04-01", "2026-05-15"),
    ],
)
def test_a_contract_without_a_term_is_left_at_the_end_of_a_period(months, days, sent_on, ends_on):
    clause = Renewal(kind="open", term_months=None, notice=Notice(months=months, days=days))
    contract = given(signed(terms=Terms(renewal=clause), starts_on="2026-01-15"))
    [told] = contract.when(renew.notice, "client", day(sent_on)).events
    assert (told.ends_on, told.in_time) == (day(ends_on), True)


@pytest.mark.parametrize(
    ("event", "sending", "words"),
    [
        (A_YEAR, "email", ["notice by email", "registered_letter"]),
        (BY_OFFER, "registered_letter", ["not renewed by itself", "2027-01-01"]),
    ],
)
def test_a_notice_that_does_not_count(event, sending, words):
    given(event).when(renew.notice, "client", date(2026, 9, 1), sending=sending).refused(*words)


def test_no_notice_before_the_signature_nor_after_the_end():
    given(A_YEAR).when(renew.notice, "client", date(2025, 9, 1)).refused("before its signature")
    ended = given(signed(terms=Terms(renewal=Renewal(kind="none", term_months=1))))
    ended.when(renew.notice, "client", date(2026, 2, 1)).refused("ended on 2026-02-01")


def test_an_offer_carries_its_prices_and_its_length():
    given(BY_OFFER).when(renew.offer, date(2026, 11, 1), 36, {"A": D("110.00")}, "D-9").then(
        RenewalOffered(
            offered_on=date(2026, 11, 1),
            term=Period(date(2027, 1, 1), date(2030, 1, 1)),
            fees=(FeeChange("A", D("100.00"), D("110.00")),),
            reference="D-9",
        )
    )


@pytest.mark.parametrize(
    ("months", "prices", "words"),
    [
        (24, {}, ["24 months", "12, 36"]),
        (12, {"B": D(1)}, ["no item B"]),
        (12, {"A": D(-1)}, ["-1", "zero or more"]),
    ],
)
def test_an_offer_the_contract_does_not_allow(months, prices, words):
    given(BY_OFFER).when(renew.offer, date(2026, 11, 1), months, prices).refused(*words)


def test_only_what_has_an_offer_gets_one():
    clause = Renewal(kind="open", term_months=None)
    given(signed(terms=Terms(renewal=clause))).when(renew.offer, date(2026, 11, 1)).refused(
        "(open) has no quote or offer"
    )


OFFER = RenewalOffered(offered_on=date(2026, 11, 1), term=NEXT)


def test_an_offer_is_accepted_up_to_the_last_day():
    given(BY_OFFER, OFFER).when(renew.accept_offer, date(2026, 12, 31)).then(
        RenewalAccepted(accepted_on=date(2026, 12, 31), term=NEXT)
    )
    given(BY_OFFER, OFFER).when(renew.accept_offer, date(2027, 1, 1)).refused("2027-01-01")


def test_only_an_offer_accepted_is_a_renewal():
    accepted = RenewalAccepted(accepted_on=date(2026, 12, 31), term=NEXT)
    given(BY_OFFER, OFFER).when(renew.due, date(2027, 1, 1), None).then()
    given(BY_OFFER, OFFER, accepted).when(renew.due, date(2027, 1, 1), None).then(
        ContractRenewed(term=NEXT, how="accepted")
    )


@pytest.mark.parametrize("months", [1, 3, 12])
def test_a_term_from_the_31st_never_drifts(months):
    house = House()
    clause = Renewal(term_months=months)
    house.sign(
        signed(
            terms=Terms(renewal=clause, schedule=Schedule(every_months=None)),
            starts_on="2024-01-31",
        )
    )
    house.run("2026-02-01", earliest="2024-01-01")
    assert house["C-1"].term.start == date(2026, 1, 31)


def test_a_way_of_renewing_agreed_for_the_next_term_does_not_end_this_one():
    house = House()
    house.sign(A_YEAR)
    house.months("2026-01-01", "2026-07-01")
    once = replace(house["C-1"].terms, renewal=Renewal(kind="none"))
    house.do("C-1", change.amend, once, date(2027, 3, 1), "agreement", BOOK)
    house.months("2026-07-01", "2027-06-01")
    # It is renewed for 2027 under the old clause, and for the last time.
    assert house["C-1"].ends_on == date(2028, 1, 1)


def test_a_late_notice_leaves_the_quote_its_price():
    house = House()
    house.sign(A_YEAR)
    house.do("C-1", renew.offer, date(2026, 11, 1), prices={"A": D("110.00")})
    house.do("C-1", renew.notice, "client", date(2026, 12, 1))  # late: one more term
    house.months("2026-01-01", "2027-02-01")
    # The quote was the renewal's price, and the contract is renewed.
    assert house.documents[-1].net == D("110.00")


def test_an_item_added_after_the_quote_keeps_its_own_price():
    house = House()
    house.sign(A_YEAR)
    house.do("C-1", renew.offer, date(2026, 11, 1), prices={"A": D("110.00")})
    extra = Item(code="B", label="B", unit_price=D("10.00"))
    house.do("C-1", cover.add_equipment, extra, date(2026, 12, 1))
    house.months("2026-01-01", "2027-02-01")
    assert house.documents[-1].net == D("120.00")
