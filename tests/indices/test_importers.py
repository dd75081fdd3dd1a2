"""Publishers' files, as they come and as they should not."""

from contextlib import suppress
from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from indices import CATALOG, BadIndexFile, Observation, diff, parse, read, shipped

BOOK = shipped()
RELEASED = date(2024, 10, 9)

INSEE_DOWN = """"Libellé";"Indice du coût horaire du travail révisé - IME - Base 100";"Codes"
"idBank";"001565183";""
"Dernière mise à jour";"09/10/2024 08:45";""
"Période";"";""
"2024-07";"";""
"2024-06";"139.2";"P"
"2024-05";"138.9";"A"
"2024-04";"138.7";"A"
"""
INSEE_DOWN_ASCENDING = """"Libellé";"Indice du coût horaire du travail révisé";"Codes"
"idBank";"001565183";""
"Dernière mise à jour";"09/10/2024 08:45";""
"Période";"";""
"04/2024";"138,7";"A"
"05/2024";"138,9";"A"
"06/2024";"139,2";"P"
"""
INSEE_ACROSS = """"Libellé";"idBank";"Dernière mise à jour";"Période";"2024M06";"2024M05";"2024M04"
"Indice du coût horaire";"001565183";"09/10/2024 08:45";"";"139,2";"138,9";"138,7"
"Codes";"";"";"";"P";"A";"A"
"""
INSEE_MARKED = """Libellé;Indice du coût horaire du travail révisé
idBank;001565183
Dernière mise à jour;09/10/2024 08:45
Période;
2024-06;139,2 (p)
2024-05;138,9
2024-04;138,7
"""

REFINANCING = "FM.D.U2.EUR.4F.KR.MRR_FR.LEV"
DEPOSIT = "FM.D.U2.EUR.4F.KR.DFR.LEV"
ECB = """KEY,FREQ,REF_AREA,CURRENCY,PROVIDER_FM,INSTRUMENT_FM,PROVIDER_FM_ID,DATA_TYPE_FM,\
TIME_PERIOD,OBS_VALUE,OBS_STATUS,TITLE
FM.D.U2.EUR.4F.KR.MRR_FR.LEV,D,U2,EUR,4F,KR,MRR_FR,LEV,2026-06-15,2.15,A,"Main refinancing, fixed"
FM.D.U2.EUR.4F.KR.MRR_FR.LEV,D,U2,EUR,4F,KR,MRR_FR,LEV,2026-06-16,2.15,A,"Main refinancing, fixed"
FM.D.U2.EUR.4F.KR.MRR_FR.LEV,D,U2,EUR,4F,KR,MRR_FR,LEV,2026-06-17,2.4,A,"Main refinancing, fixed"
FM.D.U2.EUR.4F.KR.MRR_FR.LEV,D,U2,EUR,4F,KR,MRR_FR,LEV,2026-06-18,2.4,A,"Main refinancing, fixed"
FM.D.U2.EUR.4F.KR.MRR_FR.LEV,D,U2,EUR,4F,KR,MRR_FR,LEV,2026-06-19,,A,"Main refinancing, fixed"
"""

OURS = """series,period,value,published_on,source,confidence
SYNTEC_REVISED,2025-05,318.4,2025-06-30,Fédération Syntec,found
SYNTEC_REVISED,2025-06,319.0,,Fédération Syntec,recalled
"""


@pytest.mark.parametrize(
    "content",
    [
        INSEE_DOWN.encode(),
        INSEE_DOWN.encode("utf-8-sig"),
        INSEE_DOWN.encode("latin-1"),
        INSEE_DOWN.replace("\n", "\r\n").encode(),
        INSEE_DOWN_ASCENDING.encode(),
        INSEE_ACROSS.encode(),
        INSEE_MARKED.encode(),
    ],
)
def test_an_insee_file_is_read_in_each_of_its_layouts(content):
    found = parse(content, "valeurs.csv", CATALOG, published_on=RELEASED)
    assert {o.period: o.value for o in found} == {
        "2024-04": Decimal("138.7"),
        "2024-05": Decimal("138.9"),
        "2024-06": Decimal("139.2"),  # July, empty, is a hole and stays one
    }
    assert {o.series for o in found} == {"ICHTREV_TS_IME"}
    assert {(o.published_on, o.estimated) for o in found} == {(RELEASED, False)}
    provisional = [o.period for o in found if o.source.endswith(", provisional")]
    assert provisional == ["2024-06"]
    assert all("valeurs.csv: INSEE BDM 001565183, updated 09/10/2024" in o.source for o in found)


def test_without_a_day_the_publication_is_estimated_by_the_lag():
    found = parse(INSEE_DOWN.encode(), "valeurs.csv", CATALOG)
    # Second quarter of 2024: 30 June + 100 days.
    assert {(o.published_on, o.estimated) for o in found} == {(date(2024, 10, 8), True)}


def test_an_ecb_file_gives_the_days_the_rate_changed_and_the_last():
    found = parse(ECB.encode(), "ecb.csv", CATALOG)
    assert [(o.series, o.period, o.value) for o in found] == [
        ("ECB_MRO", "2026-06-15", Decimal("2.15")),
        ("ECB_MRO", "2026-06-17", Decimal("2.4")),
        ("ECB_MRO", "2026-06-18", Decimal("2.4")),  # how far it is known
    ]
    assert all(o.published_on.isoformat() == o.period and o.estimated for o in found)


def test_an_ecb_file_read_over_the_shipped_rates_brings_nothing_new():
    assert not diff(BOOK, parse(ECB.encode(), "ecb.csv", CATALOG)).new


def test_a_daily_ecb_file_that_goes_further_tells_how_far_the_rate_is_known():
    later = ECB.replace("2026-06-18,2.4", "2027-01-01,2.65")
    found = diff(BOOK, parse(later.encode(), "ecb.csv", CATALOG))
    assert [(o.period, o.value) for o in found.new] == [("2027-01-01", Decimal("2.65"))]
    book = BOOK.with_observations(found.new)
    assert book.in_force("ECB_MRO", date(2027, 1, 1)).value == Decimal("2.65")


@pytest.mark.parametrize(
    "content", [OURS, OURS.replace(",", ";"), "\n" + OURS.replace("8.4", "8.40")]
)
def test_our_own_layout_is_read_with_what_it_says_of_each_value(tmp_path, content):
    (tmp_path / "values.csv").write_text(content, encoding="utf-8")
    may, june = read(tmp_path / "values.csv", CATALOG)
    assert may == Observation(
        "SYNTEC_REVISED", "2025-05", Decimal("318.4"), date(2025, 6, 30), "Fédération Syntec"
    )
    assert (june.published_on, june.estimated) == (date(2025, 7, 31), True)
    assert june.confidence == "recalled"


def refusal(content: str | bytes) -> BadIndexFile:
    with pytest.raises(BadIndexFile) as refused:
        parse(content if isinstance(content, bytes) else content.encode(), "bad.csv", CATALOG)
    return refused.value


@pytest.mark.parametrize(
    ("content", "line", "column", "value", "expected"),
    [
        (b"", 1, "column 1", "", "a header and at least one line"),
        (OURS.splitlines()[0], 1, "column 1", OURS[:40], "at least one line"),
        (b"\x89PNG\x00\x01\n\x00", 1, "column 1", "binary data", "a text file"),
        ("<html>\n<p>Erreur 404</p>\n", 1, "column 1", "<html>", "the header of an INSEE"),
        ("series,period\nSYNTEC_OLD,2020-01\n", 1, "column 1", "series", "the header series,per"),
        (OURS.partition(".0,")[0], 3, "column 3", "319", "a line of 6 cells"),  # cut in a value
        (INSEE_DOWN.partition(':45";')[0], 3, "column 1", "unexpected end of data", "whole lines"),
        (INSEE_DOWN.partition('";"P"')[0] + '"\n', 6, "column 2", "139.2", "a line of 3 cells"),
        (INSEE_DOWN.replace("Période", "Mois"), 1, "column 1", "Libellé", "with 'Période'"),
        (INSEE_DOWN.replace("2024-05", "2024-06"), 7, "column 2", "138.9", "139.2, already given"),
        (OURS.replace(",2025-06-30,", ",,").replace("2025-06", "2025-05"), 3, "column value",
         "319.0", "318.4, already given for SYNTEC_REVISED 2025-05"),
        (OURS.replace("SYNTEC_REVISED,2025-06,319.0", "PSDT,2004-07,137.3"), 3, "column value",
         "137.3", "a value whose publication day is given"),
        (OURS.replace("Fédération Syntec,found", ",found"), 2, "column source", "", "a source"),
    ],
)  # fmt: skip
def test_a_bad_file_is_refused_whole_and_says_where(content, line, column, value, expected):
    error = refusal(content)
    assert (error.file, error.line, error.column) == ("bad.csv", line, column)
    assert error.value == value
    assert expected in error.expected
    assert f"bad.csv, line {line}, {column}: {value!r} where" in str(error)


@pytest.mark.parametrize(
    ("file", "good", "bad", "line", "column", "expected"),
    [
        (INSEE_DOWN, "001565183", "001652128", 2, "column 2", "one of 001565183"),  # EBI
        (INSEE_DOWN, "138.9", "1 138,9", 7, "column 2", "a number"),
        (INSEE_DOWN, "138.9", "1.138,9", 7, "column 2", "a number"),
        (INSEE_DOWN, "138.9", "138.9e2", 7, "column 2", "a number"),
        (INSEE_DOWN, "138.9", "١٣٨", 7, "column 2", "a number"),
        (INSEE_DOWN, "2024-05", "2024-T2", 7, "column 1", "a month"),
        (INSEE_DOWN, "2024-05", "2024-13", 7, "column 1", "a month"),
        (INSEE_DOWN, "2024-05", "9999-12", 7, "column 1", "a month"),
        (INSEE_ACROSS, "138,9", "x", 2, "column 6", "a number"),
        (
            ECB,
            "FM.D.U2.EUR.4F.KR.MRR_FR.LEV",
            "FM.D.U2.EUR.4F.KR.DFR.LEV",
            2,
            "column KEY",
            "one of",
        ),
        (ECB, "2026-06-17", "2026-W25", 4, "column TIME_PERIOD", "a first day"),
        (OURS, "SYNTEC_REVISED", "SYNTEC", 2, "column series", "one of SYNTEC_OLD"),
        (OURS, "2025-06-30", "30/06/2025", 2, "column published_on", "a day written YYYY-MM-DD"),
        (OURS, "2025-06-30", "20250630", 2, "column published_on", "a day written YYYY-MM-DD"),
        (OURS, "2025-06-30", "2025-06", 2, "column published_on", "a day written YYYY-MM-DD"),
        (OURS, "recalled", "sure", 3, "column confidence", "one of found"),
    ],
)
def test_a_bad_cell_is_named_with_what_was_expected(file, good, bad, line, column, expected):
    error = refusal(file.replace(good, bad, 1))
    assert (error.line, error.column, error.value) == (line, column, bad)
    assert expected in error.expected


@given(
    st.binary(max_size=200)
    | st.lists(st.sampled_from(f"{INSEE_DOWN}{ECB}{OURS}".splitlines())).map(
        lambda lines: "\n".join(lines).encode()
    )
)
def test_any_bytes_are_read_or_refused_by_name(content):
    with suppress(BadIndexFile):
        parse(content, "any.csv", CATALOG)


@given(st.integers(0, len(INSEE_DOWN)))
def test_a_file_cut_anywhere_gives_no_value_that_was_not_in_it(length):
    whole = {(o.period, o.value) for o in parse(INSEE_DOWN.encode(), "whole.csv", CATALOG)}
    try:
        cut = parse(INSEE_DOWN[:length].encode(), "cut.csv", CATALOG)
    except BadIndexFile:
        return
    assert {(o.period, o.value) for o in cut} <= whole


# --- what a set of observations would bring ---


def syntec(
    period: str,
    value: str,
    published_on: date,
    series: str = "SYNTEC_REVISED",
    estimated: bool = False,
) -> Observation:
    return Observation(series, period, Decimal(value), published_on, "a test", "found", estimated)


@pytest.mark.parametrize(
    ("observation", "kind"),
    [
        (syntec("2025-05", "318.4", date(2025, 6, 30)), "new"),
        (syntec("2023-05", "302.70", date(2023, 6, 30)), "unchanged"),
        (syntec("2023-05", "302.7", date(2026, 1, 1)), "unchanged"),  # printed again since
        (syntec("2023-05", "302.9", date(2023, 9, 1)), "changed"),
    ],
)
def test_an_observation_is_new_known_or_a_rectification(observation, kind):
    found = diff(BOOK, [observation])
    assert getattr(found, kind) == (observation,)
    assert sum(map(len, (found.new, found.changed, found.unchanged, found.refused))) == 1


@pytest.mark.parametrize(
    ("observation", "reason"),
    [
        (syntec("2025-05", "318.4", date(2025, 6, 30), "SINTEC"), "not in the catalogue"),
        (syntec("2025-05", "0", date(2025, 6, 30)), "0 is not a value"),
        (syntec("2025-05", "-3", date(2025, 6, 30)), "-3 is not a value"),
        (syntec("2025-05", "NaN", date(2025, 6, 30)), "NaN is not a value"),
        (syntec("2025-05", "318.4", date(2025, 5, 31)), "before 2025-05 ended"),
        (syntec("2020-05", "275.0", date(2020, 6, 30)), "before SYNTEC_REVISED existed"),
        (syntec("mai 2025", "318.4", date(2025, 6, 30)), "mai 2025"),
        (syntec("2025-05-01", "318.4", date(2025, 6, 30)), "not a month of SYNTEC_REVISED"),
        (syntec("2027-02-01", "2.6", date(2027, 1, 1), "LEGAL_INTEREST_PROFESSIONAL"), "half-year"),
        (syntec("2023-05", "302.9", date(2023, 9, 1), estimated=True), "publication day is needed"),
        (syntec("2023-05", "302.9", date(2023, 6, 30)), "not published after it"),
    ],
)
def test_an_observation_that_cannot_be_taken_says_why(observation, reason):
    found = diff(BOOK, [observation])
    assert found.new == found.changed == found.unchanged == ()
    (remark,) = found.refused
    assert remark.observation == observation
    assert reason in remark.reason


@pytest.mark.parametrize(
    ("observation", "doubt"),
    [
        # October 2025 is 322.2: a quarter more is 402.75.
        (syntec("2025-11", "402.8", date(2025, 12, 31)), "from 322.2 to 402.8 in a month"),
        (syntec("2025-11", "232.2", date(2025, 12, 31)), "from 322.2 to 232.2 in a month"),
        (syntec("2025-05", "318.4", date(2026, 11, 22)), "dated 510 days after it was due"),
        (syntec("2022-10", "283.5", date(2022, 11, 30), "SYNTEC_OLD"), "ended on 2022-09-30"),
    ],
)
def test_an_unlikely_observation_is_taken_with_a_warning(observation, doubt):
    found = diff(BOOK, [observation])
    assert found.new == (observation,)
    assert [remark.reason for remark in found.warnings if doubt in remark.reason]


def test_a_likely_observation_raises_no_doubt():
    assert diff(BOOK, [syntec("2025-11", "402.7", date(2025, 12, 31))]).warnings == ()


def test_two_values_for_one_month_in_one_batch_are_not_both_taken():
    one, other = (syntec("2025-05", value, date(2025, 6, 30)) for value in ("318.4", "381.4"))
    found = diff(BOOK, [one, other])
    assert found.new == (one,)
    assert [remark.observation for remark in found.refused] == [other]
