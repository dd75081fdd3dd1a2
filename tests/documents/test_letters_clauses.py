"""What an amendment changes, in words: every parameter of a contract has its own."""

from __future__ import annotations

import typing
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from msgspec import Struct
from msgspec.structs import replace

from billing.clauses import Terms
from billing.clauses.payment import Payment
from billing.clauses.revision import Revision, Rounding, Weight
from billing.clauses.suspension import Clock
from billing.documents.facturx.words import Both
from billing.documents.letters.parameters import changes, texts
from billing.documents.letters.words import words

D = Decimal
NAMES = {"SYNTEC_REVISED": Both("Indice Syntec révisé", "Revised Syntec index")}


def parameters(of: type, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every parameter of the clauses, by its path, with its type."""
    for field in msgspec.structs.fields(of):
        name = f"{path}.{field.name}" if path else field.name
        inner = [one for one in _within(field.type) if isinstance(one, type)]
        structs = [one for one in inner if issubclass(one, Struct)]
        if structs:
            yield from parameters(structs[0], name)
        else:
            yield name, field.type


def _within(hint: Any) -> Iterator[Any]:
    yield hint
    for one in typing.get_args(hint):
        yield from _within(one)


ALL = dict(parameters(Terms))


def test_every_parameter_is_named_and_nothing_else():
    known = texts().parameters
    lists = {name for name, one in known.items() if one.key}
    assert set(known) - lists == set(ALL)
    assert set(texts().clauses) == {field.name for field in msgspec.structs.fields(Terms)}


@pytest.mark.parametrize("name", ALL)
def test_every_word_a_parameter_may_say_is_said_in_french_and_english(name):
    parameter, known = texts().parameters[name], texts().values
    literals = [one for one in _within(ALL[name]) if typing.get_origin(one) is typing.Literal]
    for literal in literals:
        for value in typing.get_args(literal):
            if isinstance(value, str) and name != "vat.category":
                assert value in parameter.values or value in known, value


def said(before: Terms, after: Terms, language: str = "fr") -> list[tuple[str, ...]]:
    return [
        tuple(part.replace("\u00a0", " ") for part in one)
        for one in changes(before, after, words(language), NAMES)
    ]


SILENT = Terms()
SYNTEC = Revision(indices=(Weight(weight=D(1), series="SYNTEC_REVISED", name="S"),))

CASES = [
    (
        replace(SILENT, payment=Payment(days=45, counted="end_of_month_after")),
        [
            ("Règlement", "Délai de paiement", "30 jours", "45 jours"),
            ("Règlement", "Délai compté", "de l’émission de la facture", "puis fin de mois"),
        ],
    ),
    (
        replace(SILENT, payment=Payment(debit_day=1, deposit_kept=True)),
        [
            ("Règlement", "Prélèvement le", "–", "1er du mois"),
            ("Règlement", "Acompte conservé en cas d’annulation", "non", "oui"),
        ],
    ),
    (
        replace(SILENT, clocks=(Clock(name="unpaid", days=10, allows=("suspend", "terminate")),)),
        [
            ("Mises en demeure", "Défaut de paiement – délai", "–", "10 jours"),
            (
                "Mises en demeure", "Défaut de paiement – mesures possibles", "–",
                "suspension, résiliation",
            ),
            ("Mises en demeure", "Défaut de paiement – forme", "–", "lettre recommandée"),
            ("Mises en demeure", "Défaut de paiement – délai compté", "–", "de l’envoi"),
            ("Mises en demeure", "Défaut de paiement – à l’initiative", "–", "du fournisseur"),
        ],
    ),
    (SILENT, []),
]  # fmt: skip


@pytest.mark.parametrize(("after", "expected"), CASES)
def test_what_differs_is_told_before_and_after(after, expected):
    assert said(SILENT, after) == expected


def test_a_clause_that_goes_is_told_too():
    before = replace(SILENT, clocks=CASES[2][0].clocks)
    assert said(before, SILENT)[0] == (
        "Mises en demeure", "Défaut de paiement – délai", "10 jours", "–",
    )  # fmt: skip


def test_one_element_of_a_list_changes_alone():
    one, other = CASES[2][0].clocks[0], Clock(name="breach", days=5, allows=("suspend",))
    before = replace(SILENT, clocks=(one, other))
    after = replace(SILENT, clocks=(replace(one, days=15), other))
    assert said(before, after) == [
        ("Mises en demeure", "Défaut de paiement – délai", "10 jours", "15 jours")
    ]


def test_a_formula_is_told_with_the_name_of_its_index():
    told = said(SILENT, replace(SILENT, revision=SYNTEC))
    assert ("Révision des prix", "Indice Indice Syntec révisé – poids", "–", "1") not in told
    assert ("Révision des prix", "Indice Syntec révisé – poids", "–", "1") in told
    rounded = replace(SYNTEC, coefficient_rounding=Rounding(4), month=7)
    assert said(replace(SILENT, revision=SYNTEC), replace(SILENT, revision=rounded)) == [
        ("Révision des prix", "Mois de révision", "–", "juillet"),
        ("Révision des prix", "Décimales du coefficient", "–", "4"),
        ("Révision des prix", "Arrondi du coefficient", "–", "au plus proche"),
    ]


def test_english_has_its_own_words():
    assert said(SILENT, CASES[0][0], "en") == [
        ("Payment", "Time to pay", "30 days", "45 days"),
        ("Payment", "Time counted", "from the issue of the invoice", "then end of month"),
    ]
