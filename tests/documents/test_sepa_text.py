"""Names and remittance texts become what a bank's file may hold; identifiers are never changed."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.documents.sepa_text import identifier_fault, says_something, sepa

TAKEN = re.compile(r"[A-Za-z0-9\-?:().,'+/ ]*")


@pytest.mark.parametrize(
    ("written", "taken"),
    [
        ("Atelier Dupont", "Atelier Dupont"),
        ("Société Générale d’Équipement", "Societe Generale d'Equipement"),
        ("Ça naît où ? Là-bas, à Noël : ïÿüâ", "Ca nait ou ? La-bas, a Noel : iyua"),
        ("Cœur & Œuvre, ex æquo", "Coeur + OEuvre, ex aequo"),
        ("Cafe\u0301", "Cafe"),  # the accent apart from its letter, as macOS writes it
        ("Straße, Łódź, Ørsted, Þór, ħ", "Strasse, Lodz, Orsted, THor, ."),
        ("Facture n° 12 — 30 % « net »", "Facture no 12 - 30 pct ' net '"),
        ("100 € … 2 × 50", "100 EUR ... 2 x 50"),
        ("a@b.fr; [x] {y} <z> = a\\b|c", "a(at)b.fr, (x) (y) (z) - a/b/c"),
        ("tabs\tand\nlines\u00a0 and   blanks ", "tabs and lines and blanks"),
        ("/leading//double/trailing/", "leading/double/trailing"),
        ("ﬁche ½ № ① ＡＢ", "fiche 1/2 No 1 AB"),
        ("zero\u200bwidth", "zerowidth"),
        ("Альфа 東京 😀", "..... .. ."),
        ("nul\x00 bell\x07 surrogate \ud800", "nul bell surrogate ."),
        ("]]><!-- &lt;", ")))(.-- +lt,"),
        (" / ", ""),
        ("", ""),
    ],
)
def test_a_text_is_brought_to_the_characters_of_banks(written, taken):
    assert sepa(written, 70) == taken


def test_a_text_is_cut_at_its_length_and_ends_with_no_slash_nor_blank():
    assert sepa("é" * 71, 70) == "e" * 70
    assert sepa("12345 789", 6) == "12345"
    assert sepa("12345/789", 6) == "12345"
    assert sepa("œœœ", 5) == "oeoeo"


def test_a_bank_may_want_capitals_and_the_word_et():
    assert sepa("Père & Fils", 70, "et", capitals=True) == "PERE ET FILS"
    assert sepa("R&D", 70, "et") == "R et D"


@given(st.text(), st.integers(1, 140), st.sampled_from(["+", "et"]), st.booleans())
def test_any_text_becomes_one_a_bank_takes(text, length, ampersand, capitals):
    taken = sepa(text, length, ampersand, capitals)
    assert len(taken) <= length
    assert TAKEN.fullmatch(taken)
    assert taken == taken.strip(" /")
    assert "//" not in taken
    assert "  " not in taken
    assert sepa(taken, length, ampersand, capitals) == taken


@given(st.text(st.sampled_from("ABCxyz012/-?:().,'+ "), max_size=40))
def test_a_text_a_bank_takes_is_left_as_it_is(text):
    if "//" in text or "  " in text or text != text.strip(" /"):
        return
    assert sepa(text, 70) == text


@pytest.mark.parametrize(
    ("identifier", "why"),
    [
        ("2026-0001/2", ""),
        ("RUM:A.B(C)?+',-", ""),
        ("A B", ""),
        ("x" * 35, ""),
        ("", "it is empty"),
        ("x" * 36, "it has 36 characters, at most 35"),
        ("FAC-É1", "'É' is no character"),
        ("FAC_1", "'_' is no character"),
        ("<Document>", "'<' is no character"),
        ("A\n", "'\\n' is no character"),
        ("/A", "slash"),
        ("A/", "slash"),
        ("A//B", "slash"),
        (" A", "space"),
    ],
)
def test_an_identifier_is_taken_or_refused_but_never_changed(identifier, why):
    told = identifier_fault(identifier)
    assert why in told
    assert bool(told) == bool(why)


def test_a_name_of_which_no_letter_is_left_says_nothing():
    assert not says_something(sepa("東京", 70))
    assert says_something(sepa("東京 2", 70))
