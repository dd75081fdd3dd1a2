"""Revision: which items, from which day, by which readings, rounded where."""

from datetime import date

import pytest
from msgspec.structs import replace

from billing.clauses import Terms
from billing.clauses.fees import Item
from billing.clauses.revision import Revision, Rounding, Weight
from billing.clauses.schedule import Schedule
from billing.contract import change, cover, revise
from billing.events.contract import PriceRevised
from tests.scenario import BOOK, D, House, day, lines_of, nets, published, signed

SYNTEC = Weight(weight=D(1), series="SYNTEC")
# Signed and started on 1 July 2023: So is May 2023, 302.7; July 2024 reads May 2024, 313.3.
CLAUSE = Revision(indices=(SYNTEC,), month=7)
# Made up: May 2025 and May 2026.
BOOK_TO_2026 = published(
    "SYNTEC_REVISED", ("2025-05", "318.0", "2025-06-30"), ("2026-05", "325.0", "2026-06-30")
)
A = Item(code="A", label="A", unit_price=D("100.00"))


def house(*items, clause=CLAUSE, book=BOOK_TO_2026, starts_on="2023-07-01", **clauses):
    house = House(book)
    terms = Terms(revision=clause, **clauses)
    house.sign(signed(*(items or (A,)), terms=terms, starts_on=starts_on, book=book))
    return house


def revisions(house):
    return [e for e in house.events["C-1"] if isinstance(e, PriceRevised)]


def price(house, code="A", on="2030-01-01"):
    return house["C-1"].covered(code).price_on(day(on)).unit_price


@pytest.mark.parametrize(
    ("clause", "after"),
    [
        # 313.3/302.7 = 1.035018…
        (CLAUSE, "103.50"),
        (replace(CLAUSE, coefficient_rounding=Rounding(2)), "104.00"),  # 1.04
        (replace(CLAUSE, coefficient_rounding=Rounding(2, "down")), "103.00"),  # 1.03
        (replace(CLAUSE, coefficient_rounding=Rounding(3, "ceiling")), "103.60"),  # 1.036
        (replace(CLAUSE, ratio_rounding=Rounding(4)), "103.50"),  # 1.0350
        (replace(CLAUSE, percentage_rounding=Rounding(1)), "103.50"),  # 3.5 %
        (replace(CLAUSE, percentage_rounding=Rounding(0, "ceiling")), "104.00"),  # 4 %
        (replace(CLAUSE, cap_percent=D("2.5")), "102.50"),
        (replace(CLAUSE, floor_percent=D(5)), "105.00"),
        # 0.15 + 0.85 × 1.035018… = 1.029765…
        (
            replace(CLAUSE, fixed=D("0.15"), indices=(Weight(weight=D("0.85"), series="SYNTEC"),)),
            "102.98",
        ),
    ],
)
def test_the_price_after_the_first_july(clause, after):
    found = house(clause=clause)
    found.months("2023-07-01", "2024-08-01")
    assert price(found) == D(after)


def test_both_ways_or_only_up():
    falling = published("SYNTEC_REVISED", ("2024-05", "290.0", "2024-06-29"))
    for direction, after in (("both", D("95.80")), ("up_only", D("100.00"))):
        found = house(clause=replace(CLAUSE, direction=direction), book=falling)
        found.months("2023-07-01", "2024-08-01")
        # 100.00 × 290.0/302.7 = 95.804…
        assert price(found) == after


def test_the_link_between_two_scales_is_not_forgotten():
    # So 276.5 (August 2021, old scale), S1 306.0 (September 2023, revised):
    # 1000.00 × 306.0 × 0.97975/276.5 = 1084.28, where 306.0/276.5 would give 1106.69
    found = House()
    found.sign(
        signed(
            Item(code="A", label="A", unit_price=D("1000.00")),
            terms=Terms(revision=Revision(indices=(SYNTEC,))),
            signed_on="2021-10-01",
            starts_on="2022-11-01",
        )
    )
    found.months("2022-11-01", "2023-12-01")
    assert price(found) == D("1084.28")


def test_each_rounding_of_the_price():
    # 3 × 33.33 = 99.99 and 7 × 0.55 = 3.85, in all 103.84; × 1.035018…
    items = (
        Item(code="A", label="A", unit_price=D("33.33"), quantity=D(3)),
        Item(code="B", label="B", unit_price=D("0.55"), quantity=D(7)),
    )
    expected = {
        # 34.497… → 34.50 and 0.569… → 0.57: 103.50 + 3.99
        "unit": [D("103.50"), D("3.99")],
        # 103.491… → 103.49 and 3.984… → 3.98
        "line": [D("103.49"), D("3.98")],
        # 107.476… → 107.48, shared out: 107.48 × 99.99/103.84 = 103.495… → 103.50, and the rest
        "contract": [D("103.50"), D("3.98")],
    }
    for rounding, amounts in expected.items():
        found = house(*items, clause=replace(CLAUSE, price_rounding=rounding))
        found.months("2023-07-01", "2024-08-01")
        assert [x.net for x in found.documents[-1].lines] == amounts, rounding


def test_what_is_not_indexed_and_what_has_left_keep_their_price():
    items = (
        A,
        replace(A, code="FIXED", indexed=False),
        replace(A, code="GONE"),
        replace(A, code="LEAVES", until=date(2025, 1, 1)),
    )
    found = house(*items)
    found.run("2023-08-01")
    found.do("C-1", cover.remove_equipment, "GONE", date(2023, 9, 1), BOOK, [])
    found.months("2023-08-01", "2024-08-01")
    [revised] = revisions(found)
    assert [f.code for f in revised.fees] == ["A", "LEAVES"]


def test_a_price_written_with_more_decimals_keeps_them():
    found = house(Item(code="A", label="A", unit_price=D("0.0850"), quantity=D(1000)))
    found.months("2023-07-01", "2024-08-01")
    # 0.0850 × 1.035018… = 0.08797… → 0.0880
    assert price(found) == D("0.0880")


# Additions, prices agreed


def test_what_enters_on_the_day_of_a_revision_enters_at_its_own_price():
    found = house()
    found.months("2023-07-01", "2024-07-01")
    found.do("C-1", cover.add_equipment, replace(A, code="B"), date(2024, 7, 1))
    found.months("2024-07-01", "2025-08-01")
    first, second = revisions(found)
    assert [f.code for f in first.fees] == ["A"]
    # 103.50 × 318.0/313.3 = 105.052…; 100.00 × 318.0/313.3 = 101.500…
    assert [f.after for f in second.fees] == [D("105.05"), D("101.50")]


@pytest.mark.parametrize("told_on", ["before", "after"])
def test_when_an_addition_is_told_changes_nothing_to_its_price_on_the_original_base(told_on):
    found = house(clause=replace(CLAUSE, base="original"))
    found.months("2023-07-01", "2024-07-01" if told_on == "before" else "2024-08-01")
    found.do("C-1", cover.add_equipment, replace(A, code="B"), date(2024, 7, 1))
    found.months(f"{found['C-1'].billed_until:%Y-%m}-01", "2025-08-01")
    # A: 100.00 × 318.0/302.7 = 105.054…; B entered at 313.3: 100.00 × 318.0/313.3 = 101.500…
    assert [f.after for f in revisions(found)[-1].fees] == [D("105.05"), D("101.50")]


def test_a_price_agreed_for_later_outlives_the_revision_between():
    found = house()
    found.months("2023-07-01", "2024-06-01")
    terms = found["C-1"].terms
    found.do(
        "C-1", change.amend, terms, date(2024, 10, 1), "agreement", BOOK, prices={"A": D("120.00")}
    )
    found.months("2024-06-01", "2024-12-01")
    # Revised from 100.00, not from the 120.00 of October.
    assert revisions(found)[0].fees[0].before == D("100.00")
    assert nets(found.documents)[-6:] == [
        D("100.00"),
        D("103.50"),
        D("103.50"),
        D("103.50"),
        D("120.00"),
        D("120.00"),
    ]


def test_a_clause_that_starts_later_does_not_stop_the_revision_before_it():
    found = house()
    found.months("2023-07-01", "2024-06-01")
    unrevised = replace(found["C-1"].terms, revision=None)
    found.do("C-1", change.amend, unrevised, date(2025, 1, 1), "agreement", BOOK)
    found.months("2024-06-01", "2025-09-01")
    assert [e.effective_on for e in revisions(found)] == [date(2024, 7, 1)]
    assert found["C-1"].next_revision_on is None
    assert nets(found.documents)[-1] == D("103.50")


def test_a_new_month_of_revision_is_followed_from_its_day():
    found = house()
    found.months("2023-07-01", "2024-08-01")
    january = replace(found["C-1"].terms, revision=replace(CLAUSE, month=1))
    found.do("C-1", change.amend, january, date(2024, 9, 1), "agreement", BOOK)
    assert found["C-1"].next_revision_on == date(2025, 1, 1)


def test_a_clause_agreed_later_reads_its_base_on_its_day():
    found = House(BOOK_TO_2026)
    found.sign(signed(starts_on="2022-07-01"))
    found.months("2022-07-01", "2023-07-01")
    indexed = replace(found["C-1"].terms, revision=CLAUSE)
    found.do("C-1", change.amend, indexed, date(2023, 7, 1), "agreement", BOOK)
    # Base May 2023, on its first day; and 1 July 2023 is itself a day of revision, at a ratio of 1.
    assert found["C-1"].bases[0].value == D("302.7")
    found.months("2023-07-01", "2024-08-01")
    assert price(found) == D("103.50")


# Rolling or original


def test_two_indices_on_two_bases_give_two_prices():
    # Made up. In 2025 both give 0.5 × 110/100 + 0.5 × 90/100 = 1. In 2026 they part: rolling
    # 0.5 × 121/110 + 0.5 × 80/90 = 0.99444…, original 0.5 × 121/100 + 0.5 × 80/100 = 1.005
    book = published(
        "ICHTREV_TS_IME",
        ("2023-12", "100", "2024-04-09"),
        ("2024-12", "90", "2025-04-10"),
        ("2025-12", "80", "2026-04-10"),
        book=published(
            "FSD2",
            ("2024-01", "100", "2024-04-30"),
            ("2025-01", "110", "2025-04-30"),
            ("2026-01", "121", "2026-04-30"),
        ),
    )
    half = D("0.5")
    indices = (Weight(weight=half, series="FSD2"), Weight(weight=half, series="ICHTREV_TS_IME"))
    for base, after in (("rolling", D("994.44")), ("original", D("1005.00"))):
        found = House(book)
        found.sign(
            signed(
                Item(code="A", label="A", unit_price=D("1000.00")),
                book=book,
                terms=Terms(revision=Revision(indices=indices, base=base)),
                starts_on="2024-06-01",
            )
        )
        found.months("2024-06-01", "2026-07-01")
        assert price(found) == after


# Rectified values

# Made up: the publisher corrects May 2024 from 313.3 to 316.0 on 20 September 2024.
CORRECTED = published("SYNTEC_REVISED", ("2024-05", "316.0", "2024-09-20"), book=BOOK_TO_2026)


@pytest.mark.parametrize(
    ("policy", "october", "july_2025"),
    [
        # The value first published, for ever: 100.00 × 313.3/302.7, then × 318.0/313.3
        ("keep_first", ["103.50"], "105.05"),
        # The definitive one once it is known: the price stays, the next base is 316.0:
        # 103.50 × 318.0/316.0 = 104.155…
        ("definitive", ["103.50"], "104.16"),
        # A line for July to September, 3 × (104.39 − 103.50), and 100.00 × 316.0/302.7 = 104.393…;
        # then 104.39 × 318.0/316.0 = 105.050…
        ("regularise", ["104.39", "2.67"], "105.05"),
    ],
)
def test_what_a_correction_of_the_publisher_does(policy, october, july_2025):
    found = house(clause=replace(CLAUSE, rectified=policy))
    found.months("2023-07-01", "2024-10-01")
    found.book = CORRECTED
    assert [x.net for x in lines_of(found.run("2024-11-01"))] == [D(a) for a in october]
    found.months("2024-11-01", "2025-08-01")
    assert price(found) == D(july_2025)


def test_a_correction_on_the_original_base_starts_from_the_first_price():
    found = house(clause=replace(CLAUSE, base="original", rectified="regularise"))
    found.months("2023-07-01", "2025-10-01")
    found.book = published("SYNTEC_REVISED", ("2025-05", "320.0", "2025-09-20"), book=BOOK_TO_2026)
    found.run("2025-11-01")
    # 100.00 × 320.0/302.7 = 105.715…
    assert price(found) == D("105.72")


def test_a_correction_leaves_alone_a_price_agreed_since():
    found = house(clause=replace(CLAUSE, rectified="regularise"))
    found.months("2023-07-01", "2024-09-01")
    terms = found["C-1"].terms
    found.do(
        "C-1", change.amend, terms, date(2024, 9, 1), "agreement", BOOK, prices={"A": D("110.00")}
    )
    found.run("2024-10-01")
    found.book = CORRECTED
    # July and August: 2 × (104.39 − 103.50); September was 110.00 and stays.
    assert [x.net for x in lines_of(found.run("2024-11-01"))] == [D("110.00"), D("1.78")]


def test_the_event_of_a_correction_names_the_day_it_corrects():
    found = house(clause=replace(CLAUSE, rectified="regularise"))
    found.months("2023-07-01", "2024-10-01")
    found.book = CORRECTED
    found.run("2024-11-01")
    first, correction = revisions(found)
    assert correction.corrects == first.effective_on == date(2024, 7, 1)
    assert correction.comparisons[0].current.value == D("316.0")
    assert first.comparisons[0].current.value == D("313.3")


# Late


@pytest.mark.parametrize(
    ("late", "october"),
    [
        ("next_period", ["105.05"]),
        # July to September 2025: 3 × (105.05 − 103.50) = 4.65
        ("regularise", ["105.05", "4.65"]),
    ],
)
def test_a_revision_that_waited(late, october):
    clause = replace(CLAUSE, if_unpublished="bill_unrevised", late=late)
    found = house(clause=clause, book=BOOK)
    found.months("2023-07-01", "2025-10-01")
    found.book = BOOK_TO_2026
    assert [x.net for x in lines_of(found.run("2025-11-01"))] == [D(a) for a in october]


def test_a_regularisation_counts_the_days_each_item_was_billed():
    clause = replace(CLAUSE, if_unpublished="bill_unrevised", late="regularise")
    items = (
        replace(A, discount=D(50), discount_until=date(2025, 8, 1)),
        replace(A, code="B", until=date(2025, 9, 1)),
    )
    found = house(*items, clause=clause, book=BOOK, schedule=Schedule(every_months=3))
    found.months("2023-07-01", "2025-10-01")
    found.do("C-1", cover.add_equipment, replace(A, code="C"), date(2025, 8, 1))
    found.book = BOOK_TO_2026
    lines = lines_of(found.run("2025-11-01"))
    # A: at half price, 3 × 1.55 / 2 = 2.325: 157.58 − 155.25 = 2.33.
    # B: 62 of 92 days, 315.15 × 62/92 = 212.38… less 310.50 × 62/92 = 209.25
    # C: entered after July, at its own price.
    assert [(x.code, x.net) for x in lines if x.kind == "regularisation"] == [
        ("A", D("2.33")),
        ("B", D("3.13")),
    ]


def test_a_missing_base_is_named():
    found = House()
    terms = Terms(revision=Revision(indices=(Weight(weight=D(1), series="PSDT", name="PsdT"),)))
    found.sign(signed(terms=terms, starts_on="2024-06-01"))
    [aside] = revise.due(replace(found["C-1"], term=None, term_months=0), date(2025, 6, 1), BOOK)
    assert "PSDT" in aside.reason
    assert "substitution must be recorded" in aside.reason


def test_thirteen_months_of_index_in_twelve_are_warned_of():
    book = published("SYNTEC_REVISED", ("2024-06", "314.0", "2024-07-01"))
    found = house(book=book)
    found.months("2023-07-01", "2024-08-01")
    [told] = revisions(found)[0].warnings
    assert "2023-05" in told
    assert "2024-06" in told
    assert "13 months" in told
