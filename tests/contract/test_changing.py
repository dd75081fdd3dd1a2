"""Changes: clauses amended, sides replaced, indices substituted, charges recorded."""

from datetime import date

import pytest
from msgspec.structs import replace

from billing.clauses import Amendment, Assignment, Terms
from billing.clauses.payment import Payment
from billing.clauses.renewal import Renewal
from billing.clauses.revision import Revision, Weight
from billing.clauses.vat import Vat
from billing.contract import change
from billing.events.contract import (
    Charge,
    ChargeAdded,
    ContractAssigned,
    DepositReceived,
    MandateAttached,
)
from tests.scenario import BOOK, D, House, day, given, signed

SIGNED = signed()
FORTY_FIVE = Terms(payment=Payment(days=45))


def test_terms_agreed_for_a_day_are_in_force_from_that_day():
    house = House()
    house.sign(SIGNED)
    for days, on in ((45, "2026-03-01"), (60, "2026-06-01"), (15, "2026-09-01")):
        house.do("C-1", change.amend, Terms(payment=Payment(days=days)), day(on), "agreement", BOOK)
    found = {
        i.issued_on.month: (i.due_on - i.issued_on).days
        for i in house.months("2026-01-01", "2026-11-01")
    }
    assert found == {1: 30, 2: 30, 3: 45, 4: 45, 5: 45, 6: 60, 7: 60, 8: 60, 9: 15, 10: 15}


def test_an_amendment_of_the_same_day_takes_the_place_of_the_last():
    house = House()
    house.sign(SIGNED)
    for days in (45, 60):
        house.do(
            "C-1",
            change.amend,
            Terms(payment=Payment(days=days)),
            date(2026, 3, 1),
            "agreement",
            BOOK,
        )
    assert house["C-1"].terms_on(date(2026, 3, 1)).payment.days == 60
    assert house["C-1"].terms_on(date(2026, 2, 28)).payment.days == 30


@pytest.mark.parametrize(
    ("how", "on", "words"),
    [
        ("publication", "2026-03-01", ["by agreement only"]),
        ("agreement", "2025-12-31", ["before its signature"]),
    ],
)
def test_what_cannot_be_amended(how, on, words):
    given(SIGNED).when(change.amend, FORTY_FIVE, day(on), how, BOOK).refused(*words)


def test_conditions_are_published_for_the_future_where_the_contract_allows_it():
    published = signed(terms=Terms(amendment=Amendment(by_publication=True)))
    told = (FORTY_FIVE, date(2026, 3, 1), "publication", BOOK)
    given(published).when(change.amend, *told, today=date(2026, 3, 2)).refused("2026-03-02")
    [event] = given(published).when(change.amend, *told, today=date(2026, 3, 1)).events
    assert (event.how, event.effective_on) == ("publication", date(2026, 3, 1))


def test_an_amendment_does_not_go_back_before_the_last():
    [first] = (
        given(SIGNED).when(change.amend, FORTY_FIVE, date(2026, 6, 1), "agreement", BOOK).events
    )
    given(SIGNED, first).when(change.amend, Terms(), date(2026, 5, 1), "agreement", BOOK).refused(
        "amended already from 2026-06-01"
    )


def test_a_contract_without_a_term_gets_none_by_amendment():
    open_ = Terms(renewal=Renewal(kind="open", term_months=None))
    given(signed(terms=open_)).when(
        change.amend, Terms(), date(2026, 5, 1), "agreement", BOOK
    ).refused("new signature")


def test_a_new_index_reads_its_base_on_the_day_of_the_amendment():
    indexed = Terms(revision=Revision(indices=(Weight(weight=D(1), series="SYNTEC"),)))
    [event] = (
        given(signed(starts_on="2023-01-01"))
        .when(change.amend, indexed, date(2023, 7, 1), "agreement", BOOK)
        .events
    )
    assert event.bases[0].value == D("302.7")


# Assignment


@pytest.mark.parametrize(
    ("side", "clause", "refused"),
    [
        ("supplier", Assignment(), True),
        ("client", Assignment(by_supplier=True), True),
        ("supplier", Assignment(by_supplier=True), False),
        ("client", Assignment(by_client=True), False),
    ],
)
def test_a_contract_changes_hands_only_where_it_may(side, clause, refused):
    when = given(signed(terms=Terms(assignment=clause))).when(
        change.assign, side, "NEW", date(2026, 6, 1), date(2026, 5, 1)
    )
    if refused:
        when.refused(f"may not be assigned by the {side}")
    else:
        when.then(
            ContractAssigned(
                side=side, to="NEW", effective_on=date(2026, 6, 1), informed_on=date(2026, 5, 1)
            )
        )


def test_it_is_not_assigned_to_who_has_it():
    both = signed(terms=Terms(assignment=Assignment(by_supplier=True)))
    given(both).when(change.assign, "supplier", "S", date(2026, 6, 1)).refused("is S already")


def test_two_assignments_each_count_from_their_day():
    contract = given(
        SIGNED,
        ContractAssigned(side="supplier", to="S2", effective_on=date(2026, 6, 1)),
        ContractAssigned(side="supplier", to="S3", effective_on=date(2026, 9, 1)),
        ContractAssigned(side="client", to="C2", effective_on=date(2026, 7, 1)),
    ).contract
    days = ["2026-05-31", "2026-06-01", "2026-08-31", "2026-09-01"]
    assert [contract.party_on("supplier", day(d)) for d in days] == ["S", "S2", "S2", "S3"]
    assert [contract.party_on("client", day(d)) for d in days] == ["C", "C", "C2", "C2"]


# Mandate, deposit, charges


def test_a_mandate_is_attached_and_taken_off():
    attached = MandateAttached(mandate="RUM", effective_on=date(2026, 2, 1))
    given(SIGNED).when(change.attach_mandate, "RUM", date(2026, 2, 1)).then(attached)
    given(SIGNED, attached).when(change.attach_mandate, "RUM", date(2026, 2, 2)).refused("already")
    assert given(SIGNED, attached).contract.mandate == "RUM"


def test_a_deposit_is_more_than_nothing():
    given(SIGNED).when(change.deposit, D("500"), date(2026, 1, 5), "VIR").then(
        DepositReceived(amount=D("500.00"), received_on=date(2026, 1, 5), reference="VIR")
    )
    given(SIGNED).when(change.deposit, D(0), date(2026, 1, 5)).refused("more than zero")


def test_a_banks_fee_is_billed_on_where_the_client_bears_it():
    terms = Terms(
        payment=Payment(return_fees="client"),
        vat=(Vat(code="outside", category="O", reason="débours"),),
    )
    told = ("bank_fee", "Frais de rejet", D("14.50"), date(2026, 3, 1), "rejet")
    given(signed(terms=terms)).when(change.add_charge, *told).then(
        ChargeAdded(
            because="rejet",
            charges=(
                Charge(
                    kind="bank_fee",
                    code="BANK_FEE",
                    label="Frais de rejet",
                    due_on=date(2026, 3, 1),
                    net=D("14.50"),
                    unit_price=D("14.50"),
                    vat="outside",
                ),
            ),
        )
    )
    given(SIGNED).when(change.add_charge, *told).refused("borne by the supplier")


# Indices replaced


def test_a_coefficient_links_the_new_values_to_the_old_base():
    terms = Terms(revision=Revision(indices=(Weight(weight=D(1), series="SYNTEC_OLD"),)))
    [event] = (
        given(signed(terms=terms, starts_on="2021-10-01"))
        .when(
            change.substitute_index,
            "SYNTEC_OLD",
            "SYNTEC_REVISED",
            date(2022, 10, 3),
            "la direction",
            "avis de la fédération",
            BOOK,
            coefficient=D("0.97975"),
        )
        .events
    )
    assert event.base is None
    assert (event.link.coefficient, event.link.source) == (D("0.97975"), "avis de la fédération")


def test_a_series_without_a_value_needs_a_base():
    terms = replace(Terms(), revision=Revision(indices=(Weight(weight=D(1), series="PSDT"),)))
    given(signed(terms=terms, starts_on="2024-06-01")).when(
        change.substitute_index, "PSDT", "ICHTREV_TS_IME", date(2024, 6, 3), "x", "y", BOOK
    ).refused("no base value for ICHTREV_TS_IME", "give one")
