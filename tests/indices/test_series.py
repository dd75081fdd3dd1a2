"""Readings and comparisons, on small books made for the purpose and on the shipped one."""

import pickle
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from indices import (
    Comparison,
    IndexBook,
    IndexUnavailable,
    Lag,
    Link,
    MissingLink,
    NotYetPublished,
    Observation,
    Reading,
    Series,
    SeriesEnded,
    UnknownSeries,
    shipped,
)

BOOK = shipped()
HOUSE = Series("HOUSE", "House index", "Indice maison", "the house", "month", "activity")


def observed(period: str, value: str, published_on: date, series: str = "HOUSE") -> Observation:
    return Observation(series, period, Decimal(value), published_on, "a test")


def outcome(book: IndexBook, series: str, on: date, policy: str) -> Reading | str:
    try:
        return book.last_known(series, on, policy)
    except IndexUnavailable as refused:
        return str(refused)


# --- the last known index ---


@pytest.mark.parametrize(
    ("on", "series", "period", "value"),
    [
        (date(2023, 6, 29), "SYNTEC_REVISED", "2023-04", "301.9"),  # May comes out on the 30th
        (date(2023, 6, 30), "SYNTEC_REVISED", "2023-05", "302.7"),  # public that day
        (date(2023, 7, 1), "SYNTEC_REVISED", "2023-05", "302.7"),  # June is not out yet
        (date(2023, 9, 28), "SYNTEC_REVISED", "2023-07", "304.8"),  # August came out on the 29th
        (date(2024, 7, 1), "SYNTEC_REVISED", "2024-05", "313.3"),  # estimated: end of June
        (date(2022, 9, 30), "SYNTEC_REVISED", "2022-08", "286.4"),  # the revised series begins
        (date(2021, 9, 29), "SYNTEC_OLD", "2021-07", "275.8"),  # August came out on the 30th
        (date(2021, 10, 1), "SYNTEC_OLD", "2021-08", "276.5"),
        (date(2022, 3, 4), "SYNTEC_OLD", "2021-12", "277.3"),  # January: 28 February + 5 days
    ],
)
def test_the_last_known_syntec_follows_the_day_of_publication(on, series, period, value):
    reading = BOOK.last_known("SYNTEC", on)
    assert (reading.series, reading.period, reading.value) == (series, period, Decimal(value))
    assert reading.read_on == on


@pytest.mark.parametrize(
    ("series", "on", "missing", "last"),
    [
        ("SYNTEC", date(2025, 7, 1), "2025-05", "2025-01"),  # January is not read in its place
        ("SYNTEC", date(2022, 3, 5), "2022-01", "2021-12"),  # 28 February + 5 days
        ("SYNTEC", date(2022, 9, 29), "2022-07", "2022-06"),  # old scale, the day before its end
        ("SYNTEC", date(2024, 2, 5), "2023-12", "2023-11"),  # 31 January + 5 days
        ("SYNTEC", date(2026, 11, 22), "2026-09", "2025-10"),
        ("ICHTREV_TS_IME", date(2017, 2, 7), "2016-09", "2016-07"),  # 30 Sept. + 100 + 30 = 7 Feb.
        ("ICHTREV_TS_IME", date(2015, 7, 9), "2015-03", "2015-01"),  # one release: no grace
        ("FSD2", date(2017, 1, 1), "2016-09", "2004-07"),  # due three months after: 31 December
        ("LEGAL_INTEREST_PROFESSIONAL", date(2027, 1, 16), "2027-01-01", "2026-07-01"),
        ("ECB_MRO", date(2026, 11, 23), "2026-11-23", "2026-09-16"),  # known through the 22nd
    ],
)
def test_a_value_that_must_be_public_and_is_not_in_the_book_is_refused(series, on, missing, last):
    with pytest.raises(NotYetPublished) as refused:
        BOOK.last_known(series, on)
    error = refused.value
    assert error.on == on
    assert error.expected == missing
    assert error.last_known is not None
    assert error.last_known.period == last
    for told in (error.series, on, missing, last, error.last_known.value):
        assert str(told) in str(error)


def test_the_grace_covers_a_late_publication():
    # July 2016 came out early, on 7 October; August is due on 8 January 2017, + 30 days.
    assert BOOK.last_known("ICHTREV_TS_IME", date(2017, 2, 6)).value == Decimal("117.7")


def test_nothing_is_known_before_the_first_publication():
    with pytest.raises(NotYetPublished, match="no value was published") as refused:
        BOOK.last_known("SYNTEC_REVISED", date(2022, 9, 29))
    assert refused.value.last_known is None


def test_a_back_cast_value_was_not_public_before_its_series_existed():
    (january,) = BOOK.versions("SYNTEC_REVISED", "2022-01")
    assert (january.published_on, january.estimated) == (date(2022, 9, 30), True)


def test_a_house_series_without_a_lag_is_never_stale():
    book = IndexBook([HOUSE], [observed("2001-01", "100", date(2001, 3, 1))])
    assert book.last_known("HOUSE", date(2026, 1, 1)).period == "2001-01"


def test_an_unknown_series_is_refused_by_name():
    for ask in (BOOK.last_known, BOOK.in_force):
        with pytest.raises(UnknownSeries, match="SINTEC"):
            ask("SINTEC", date(2023, 7, 1))
    with pytest.raises(UnknownSeries, match="SINTEC"):
        BOOK.at("SINTEC", "2023-05", date(2023, 7, 1))
    with pytest.raises(UnknownSeries, match="SINTEC"):
        BOOK.with_observations([observed("2023-05", "1", date(2023, 7, 1), series="SINTEC")])


def test_the_same_question_gets_the_same_reading_object():
    on = date(2023, 7, 1)
    assert BOOK.last_known("SYNTEC", on) is BOOK.last_known("SYNTEC", on)


# --- rectifications ---

# INSEE revised April to June 2020 on 2021-01-08; the values here are made up.
RECTIFIED = IndexBook(
    [HOUSE],
    [
        observed("2020-06", "110.0", date(2020, 10, 8)),
        observed("2020-06", "111.5", date(2021, 1, 8)),
        observed("2020-05", "109.0", date(2021, 1, 8)),
    ],
)


@pytest.mark.parametrize(
    ("on", "policy", "value"),
    [
        (date(2021, 1, 7), "first", "110.0"),
        (date(2021, 1, 7), "definitive", "110.0"),  # the rectification is of the next day
        (date(2021, 1, 8), "first", "110.0"),
        (date(2021, 1, 8), "definitive", "111.5"),
    ],
)
def test_a_rectification_is_read_by_policy_and_from_its_own_day(on, policy, value):
    assert RECTIFIED.last_known("HOUSE", on, policy).value == Decimal(value)
    assert RECTIFIED.at("HOUSE", "2020-06", on, policy).value == Decimal(value)


def test_an_observation_met_twice_is_one_version():
    again = RECTIFIED.with_observations(RECTIFIED.observations())
    assert again.observations() == RECTIFIED.observations()


def test_a_period_is_read_only_once_public():
    with pytest.raises(NotYetPublished, match="2020-05 was not public") as refused:
        RECTIFIED.at("HOUSE", "2020-05", date(2020, 12, 1))
    assert refused.value.expected == "2020-05"


# --- rates in force ---


@pytest.mark.parametrize(
    ("series", "on", "period", "value"),
    [
        ("ECB_MRO", date(2026, 1, 1), "2025-06-11", "2.15"),
        ("ECB_MRO", date(2026, 7, 1), "2026-06-17", "2.40"),
        ("ECB_MRO", date(2026, 9, 15), "2026-06-17", "2.40"),  # the rise is of the 16th
        ("ECB_MRO", date(2026, 11, 22), "2026-09-16", "2.65"),  # the last day known
        ("LEGAL_INTEREST_PROFESSIONAL", date(2023, 12, 31), "2023-07-01", "4.22"),
        ("LEGAL_INTEREST_PROFESSIONAL", date(2024, 1, 1), "2024-01-01", "5.07"),
        ("LEGAL_INTEREST_PROFESSIONAL", date(2009, 7, 1), "2009-01-01", "3.79"),  # one rate then
        ("LEGAL_INTEREST_PROFESSIONAL", date(2014, 12, 31), "2014-01-01", "0.04"),
        ("LEGAL_INTEREST_INDIVIDUAL", date(2023, 7, 1), "2023-07-01", "6.82"),
        ("LEGAL_INTEREST", date(2009, 1, 15), "2009-01-01", "3.79"),  # decreed on 11 February
        ("VAT_STANDARD", date(2013, 12, 31), "2000-04-01", "19.6"),
        ("VAT_STANDARD", date(2014, 1, 1), "2014-01-01", "20"),
        ("VAT_STANDARD", date(2030, 1, 1), "2014-01-01", "20"),  # until the law changes it
    ],
)
def test_the_rate_in_force_is_that_of_the_day_whenever_it_was_published(series, on, period, value):
    reading = BOOK.in_force(series, on)
    assert (reading.period, reading.value) == (period, Decimal(value))


@pytest.mark.parametrize(
    ("series", "on", "error"),
    [
        ("ECB_MRO", date(2026, 11, 23), NotYetPublished),  # nobody has looked after the 22nd
        ("ECB_MRO", date(1998, 12, 31), NotYetPublished),
        ("LEGAL_INTEREST_PROFESSIONAL", date(2027, 1, 1), NotYetPublished),  # that very half-year
        ("LEGAL_INTEREST_PROFESSIONAL", date(1989, 12, 31), NotYetPublished),
        ("LEGAL_INTEREST", date(2015, 1, 1), SeriesEnded),  # two rates since
        ("BDF_DISCOUNT", date(2017, 1, 1), SeriesEnded),  # ended on 1990-02-15
        ("BDF_DISCOUNT", date(1990, 2, 14), NotYetPublished),
    ],
)
def test_a_rate_that_is_not_known_for_the_day_is_refused(series, on, error):
    with pytest.raises(error):
        BOOK.in_force(series, on)


def test_a_newer_observation_tells_how_far_a_rate_is_known():
    confirmed = observed("2027-01-01", "2.65", date(2027, 1, 1), series="ECB_MRO")
    book = BOOK.with_observations([confirmed])
    assert book.in_force("ECB_MRO", date(2026, 12, 31)).period == "2026-09-16"
    assert book.in_force("ECB_MRO", date(2027, 1, 1)).value == Decimal("2.65")
    with pytest.raises(NotYetPublished):
        book.in_force("ECB_MRO", date(2027, 1, 2))


def test_a_half_year_left_out_is_not_read_from_the_one_before():
    rate = msgspec.structs.replace(HOUSE, frequency="half-year", scope="rate")
    book = IndexBook([rate], [observed("2023-01-01", "2.06", date(2023, 1, 1))])
    assert book.in_force("HOUSE", date(2023, 6, 30)).value == Decimal("2.06")
    with pytest.raises(NotYetPublished, match=r"2023-01-01 = 2\.06"):
        book.in_force("HOUSE", date(2023, 7, 1))


# --- succession ---


@pytest.mark.parametrize(
    ("name", "on", "series"),
    [
        ("SYNTEC", date(2022, 9, 29), "SYNTEC_OLD"),
        ("SYNTEC", date(2022, 9, 30), "SYNTEC_REVISED"),
        ("SYNTEC_OLD", date(2022, 9, 29), "SYNTEC_OLD"),
        ("SYNTEC_OLD", date(2022, 9, 30), "SYNTEC_REVISED"),  # its link is in the book
        ("SYNTEC_REVISED", date(2000, 1, 1), "SYNTEC_REVISED"),
        ("PSDT", date(2004, 7, 31), "PSDT"),
    ],
)
def test_a_name_is_the_series_living_on_the_day(name, on, series):
    assert BOOK.resolve(name, on).id == series


@pytest.mark.parametrize("name", ["PSDT", "S_SME", "ICHTTS1_IME"])
def test_an_extinct_series_without_a_link_needs_a_recorded_substitution(name):
    with pytest.raises(SeriesEnded, match="a substitution must be recorded") as refused:
        BOOK.last_known(name, date(2017, 1, 1))
    successor = BOOK.series()[name].successor
    assert successor is not None
    assert successor in str(refused.value)


def test_a_link_supplied_for_an_extinct_series_continues_it():
    # PsdT(2004-07) = 137.3 is made up: the ratio is (137.3/100) × 169.8/130.0.
    supplied = Link("PSDT", "FSD2", "2004-07", Decimal("1.373"), "a test")
    book = BOOK.with_links([supplied]).with_observations(
        [observed("2024-10", "169.8", date(2025, 1, 31), series="FSD2")]
    )
    current = book.last_known("PSDT", date(2025, 2, 1))
    assert (current.series, current.value) == ("FSD2", Decimal("169.8"))
    base = Reading("PSDT", "2003-06", Decimal("130.0"), date(2003, 9, 1), "a test")
    comparison = book.compare(base, current)
    assert comparison.ratio == Fraction("1.373") * Fraction("169.8") / Fraction("130.0")
    assert comparison.links == (supplied,)


@pytest.mark.parametrize(
    ("period", "series"),
    [
        ("2021-08", "SYNTEC_OLD"),
        ("2022-06", "SYNTEC_OLD"),  # back-cast since, but it first came out on the old scale
        ("2022-08", "SYNTEC_REVISED"),  # the first month to come out on the revised one
        ("2023-09", "SYNTEC_REVISED"),
    ],
)
def test_a_period_of_syntec_is_read_on_the_scale_it_first_came_out_on(period, series):
    assert BOOK.at("SYNTEC", period, date(2024, 1, 1)).series == series


def test_both_scales_of_a_month_keep_their_own_values():
    on = date(2024, 1, 1)
    assert BOOK.at("SYNTEC_OLD", "2022-06", on).value == Decimal("280")
    assert BOOK.at("SYNTEC_REVISED", "2022-06", on).value == Decimal("284.7")


# --- comparisons ---


def test_an_old_base_is_compared_through_the_linking_coefficient():
    base = BOOK.last_known("SYNTEC", date(2021, 10, 1))
    current = BOOK.last_known("SYNTEC", date(2023, 10, 31))
    comparison = BOOK.compare(base, current)
    assert comparison.comparable == Fraction("299.8035")  # 306.0 × 0.97975
    price = 1000 * comparison.ratio  # 1000 × 299.8035 / 276.5 = 1084.2802…; unlinked 1106.69
    assert round(price, 2) == Fraction("1084.28")
    assert [link.coefficient for link in comparison.links] == [Decimal("0.97975")]


def test_the_same_scale_needs_no_link():
    base = BOOK.at("SYNTEC_REVISED", "2023-05", date(2023, 7, 1))
    current = BOOK.at("SYNTEC_REVISED", "2024-05", date(2024, 7, 1))
    assert BOOK.compare(base, current) == Comparison(base, current)
    assert BOOK.compare(base, current).ratio == Fraction(3133, 3027)


def test_links_are_followed_one_after_another():
    names = ("A", "B", "C")
    book = IndexBook(
        [msgspec.structs.replace(HOUSE, id=name) for name in names],
        links=[
            Link("A", "B", "2010-01", Decimal("1.5"), "a test"),
            Link("B", "A", "2010-01", Decimal("0.6"), "a test"),  # a loop does not trap it
            Link("B", "C", "2020-01", Decimal("0.8"), "a test"),
        ],
    )
    base, current = (
        Reading(name, "2015-01", Decimal(value), date(2015, 3, 1), "a test")
        for name, value in (("A", "90"), ("C", "100"))
    )
    assert book.compare(base, current).ratio == Fraction(4, 3)  # 100 × 0.8 × 1.5 / 90


@pytest.mark.parametrize(
    ("base", "current"),
    [
        ("PSDT", "FSD2"),  # the coefficient is a value we do not have
        ("ICHTTS1_IME", "ICHTREV_TS_IME"),
        ("SYNTEC_REVISED", "SYNTEC_OLD"),  # a link is never taken backwards
        ("SYNTEC_OLD", "FSD2"),
    ],
)
def test_a_missing_link_fails_and_never_counts_as_one(base, current):
    readings = (
        Reading(name, "2020-01", Decimal(100), date(2020, 3, 1), "a test")
        for name in (base, current)
    )
    with pytest.raises(MissingLink, match=f"from {base} to {current}"):
        BOOK.compare(*readings)


# --- kept in events, sent to other processes ---


def test_a_comparison_can_sit_in_a_stored_event():
    comparison = BOOK.compare(
        BOOK.last_known("SYNTEC", date(2021, 10, 1)), BOOK.last_known("SYNTEC", date(2023, 10, 31))
    )
    stored = msgspec.json.encode(comparison)
    assert msgspec.json.decode(stored, type=Comparison) == comparison


def test_a_book_and_its_refusals_can_be_sent_to_another_process():
    book = pickle.loads(pickle.dumps(BOOK))
    with pytest.raises(NotYetPublished) as refused:
        book.last_known("SYNTEC", date(2025, 7, 1))
    received = pickle.loads(pickle.dumps(refused.value))
    assert str(received) == str(refused.value)
    assert received.last_known == refused.value.last_known


# --- publication lags ---


@pytest.mark.parametrize(
    ("lag", "period", "due"),
    [
        (Lag("month", months=1), "2023-05", date(2023, 6, 30)),
        (Lag("month", months=1), "2024-01", date(2024, 2, 29)),
        (Lag("month", months=1), "2023-12", date(2024, 1, 31)),
        (Lag("month", months=1, days=5), "2023-12", date(2024, 2, 5)),
        (Lag("quarter", days=100), "2021-01", date(2021, 7, 9)),  # 31 March + 100 days
        (Lag("quarter", days=100), "2021-03", date(2021, 7, 9)),
        (Lag("quarter", days=100), "2020-12", date(2021, 4, 10)),  # 31 December + 100 days
        (Lag("start"), "2026-07-01", date(2026, 7, 1)),
        (Lag("start", days=45), "2014-01-01", date(2014, 2, 15)),
    ],
)
def test_a_lag_gives_the_day_a_value_is_due(lag, period, due):
    assert lag.due(period) == due


@pytest.mark.parametrize(
    ("month", "released"),
    [
        ("2009-06", date(2009, 10, 2)),  # insee.fr/fr/statistiques/1561738
        ("2016-06", date(2016, 10, 7)),
        ("2018-09", date(2019, 1, 10)),  # insee.fr/fr/statistiques/3692155
        ("2020-09", date(2021, 1, 8)),  # insee.fr/fr/statistiques/5010319
        ("2021-03", date(2021, 7, 9)),  # insee.fr/fr/statistiques/5409104
        ("2021-06", date(2021, 10, 8)),  # insee.fr/fr/statistiques/5540998
        ("2023-03", date(2023, 7, 7)),  # insee.fr/fr/statistiques/7647414
    ],
)
def test_the_icht_lag_is_within_a_week_of_the_dated_releases(month, released):
    lag = BOOK.series()["ICHTREV_TS_IME"].lag
    assert lag is not None
    assert abs(lag.due(month) - released) <= timedelta(days=7)


def test_no_dated_syntec_release_is_later_than_its_declared_day():
    for name in ("SYNTEC_OLD", "SYNTEC_REVISED"):
        lag = BOOK.series()[name].lag
        assert lag is not None
        dated = [o for o in BOOK.observations(name) if not o.estimated]
        assert dated
        for observation in dated:
            early = lag.due(observation.period) - observation.published_on
            assert timedelta(0) <= early <= timedelta(days=3)


# --- what holds for any book ---

DAYS = st.dates(date(2019, 12, 1), date(2023, 1, 31))
MONTHS = st.dates(date(2020, 1, 1), date(2021, 12, 31)).map(lambda day: f"{day:%Y-%m}")
VALUES = st.decimals("0.1", "999.9", places=1)
OBSERVATIONS = st.builds(
    Observation, st.just("HOUSE"), MONTHS, VALUES, DAYS, st.just("any"), st.just("found")
)
LISTS = st.lists(OBSERVATIONS, max_size=30, unique_by=lambda o: (o.period, o.published_on))
POLICIES = st.sampled_from(["first", "definitive"])
LATE_SYNTEC = st.builds(
    Observation,
    st.just("SYNTEC_REVISED"),
    st.dates(date(2022, 1, 1), date(2025, 12, 31)).map(lambda day: f"{day:%Y-%m}"),
    VALUES,
    st.dates(date(2022, 9, 30), date(2026, 12, 31)),
    st.just("any"),
)


@given(LISTS, DAYS, POLICIES)
def test_the_last_known_is_the_greatest_period_public_that_day(observations, on, policy):
    public = sorted(
        (o for o in observations if o.published_on <= on),
        key=lambda o: (o.period, o.published_on),
    )
    book = IndexBook([HOUSE], observations)
    if not public:
        with pytest.raises(NotYetPublished):
            book.last_known("HOUSE", on, policy)
        return
    versions = [o for o in public if o.period == public[-1].period]
    expected = versions[0] if policy == "first" else versions[-1]
    reading = book.last_known("HOUSE", on, policy)
    assert reading.published_on <= on
    assert (reading.period, reading.value) == (expected.period, expected.value)


@given(LISTS, DAYS, DAYS, POLICIES)
def test_the_last_known_period_never_goes_back(observations, one, other, policy):
    early, late = sorted((one, other))
    book = IndexBook([HOUSE], observations)
    try:
        before = book.last_known("HOUSE", early, policy)
    except NotYetPublished:
        return
    assert book.last_known("HOUSE", late, policy).period >= before.period


@given(LISTS, st.randoms(use_true_random=False), DAYS, POLICIES)
def test_the_order_of_entry_does_not_matter(observations, any_order, on, policy):
    book = IndexBook([HOUSE], observations)
    any_order.shuffle(observations)
    half = len(observations) // 2
    other = IndexBook([HOUSE], observations[:half]).with_observations(observations[half:])
    assert outcome(other, "HOUSE", on, policy) == outcome(book, "HOUSE", on, policy)


@given(LATE_SYNTEC, st.integers(1, 1200), POLICIES)
def test_a_version_never_changes_what_was_known_before_its_publication(added, days, policy):
    on = added.published_on - timedelta(days=days)
    book = BOOK.with_observations([added])
    assert outcome(book, "SYNTEC", on, policy) == outcome(BOOK, "SYNTEC", on, policy)


@given(OBSERVATIONS)
def test_a_value_compared_with_itself_is_one(observation):
    book = IndexBook([HOUSE], [observation])
    reading = book.last_known("HOUSE", observation.published_on)
    assert book.compare(reading, reading).ratio == 1
