"""Prices: every one an item has had, from when until when, set by what."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal as D

import pytest
from sqlalchemy import select

from billing.clauses import Terms
from billing.clauses.fees import Item
from billing.clauses.revision import Coefficient, Revision, Weight
from billing.dates import DAY, NEVER, Period
from billing.events.contract import (
    ContractRenewed,
    EquipmentAdded,
    EquipmentRemoved,
    FeeChange,
    InstalmentBilled,
    PriceRevised,
    TermsAmended,
)
from billing.record import to_stored
from indices import Comparison, Reading
from projections.prices import Prices, price, price_revision
from projections.view import Noted
from tests.projections.stages import Stage, days_of, stages
from tests.scenario import day, recorded, signed

A = Item(code="A", label="Poste A", unit_price=D("100.00"))
SYNTEC = Revision(indices=(Weight(weight=D(1), series="SYNTEC"),))


def revised(on, before, after, coefficient, corrects=None):
    readings = [
        Reading("SYNTEC", period, D(value), day(published_on), "made up for a test")
        for period, value, published_on in (
            ("2025-05", "300.0", "2025-06-30"), ("2026-05", "309.0", "2026-06-30"),
        )
    ]  # fmt: skip
    return PriceRevised(
        effective_on=day(on), formula=SYNTEC, comparisons=(Comparison(*readings),),
        coefficient=Coefficient((coefficient,), coefficient, coefficient),
        fees=(FeeChange("A", D(before), D(after)),), corrects=corrects and day(corrects),
    )  # fmt: skip


def told_of(*events):
    """The prices of a contract of these events: item, code, from, until, price, why, version."""
    rows = [row for table, row in folded(*events) if table is price]
    names = ("item", "code", "from_on", "until_on", "unit_price", "why", "version")
    places = [list(price.columns.keys()).index(name) for name in names]
    picked = [tuple(row[place] for place in places) for row in rows]
    told = [
        (item, code, str(start), until and str(until), str(amount), why, version)
        for item, code, start, until, amount, why, version in picked
    ]
    return sorted(told, key=lambda one: (one[0], one[2], one[3] or "later"))


def folded(*events):
    kept = [event for event in recorded(events) if event.TOPIC in Prices.topics]
    return list(Prices().fold(kept[0].originator_id, kept))


SIGNED = signed(A)
REVISED = revised("2026-07-01", "100.00", "103.00", "103/100")
CASES = {
    "signed": ((SIGNED,), [(1, "A", "2026-01-01", None, "100.00", "signed", 1)]),
    "revised, and billed in between": (
        (
            SIGNED,
            InstalmentBilled(billed_on=day("2026-01-01"), period=None, until=None, net=D(0)),
            REVISED,
        ),
        [
            (1, "A", "2026-01-01", "2026-07-01", "100.00", "signed", 1),
            (1, "A", "2026-07-01", None, "103.00", "revised", 3),
        ],
    ),
    # Worked out again with the definitive index, from the same day on.
    "corrected": (
        (SIGNED, REVISED, revised("2026-07-01", "103.00", "102.90", "1029/1000", "2026-07-01")),
        [
            (1, "A", "2026-01-01", "2026-07-01", "100.00", "signed", 1),
            (1, "A", "2026-07-01", "2026-07-01", "103.00", "revised", 2),
            (1, "A", "2026-07-01", None, "102.90", "corrected", 3),
        ],
    ),
    "renewed, then revised from before": (
        (
            SIGNED,
            ContractRenewed(
                term=Period(day("2027-01-01"), day("2028-01-01")), how="tacit",
                fees=(FeeChange("A", D("100.00"), D("110.00")),),
            ),
            REVISED,
        ),
        [
            (1, "A", "2026-01-01", "2026-07-01", "100.00", "signed", 1),
            (1, "A", "2026-07-01", "2027-01-01", "103.00", "revised", 3),
            (1, "A", "2027-01-01", None, "110.00", "renewed", 2),
        ],
    ),
    "removed, and another of the same code added": (
        (
            SIGNED,
            EquipmentRemoved(code="A", removed_on=day("2026-03-10"), fee_until=day("2026-04-01")),
            EquipmentAdded(item=A, since=day("2026-05-01")),
            REVISED,
        ),
        [
            (1, "A", "2026-01-01", "2026-04-01", "100.00", "signed", 1),
            (2, "A", "2026-05-01", "2026-07-01", "100.00", "added", 3),
            (2, "A", "2026-07-01", None, "103.00", "revised", 4),
        ],
    ),
    "sold once, and of the code of what is not": (
        (
            signed(A, Item(code="A", label="Pose", unit_price=D("450.00"), per_months=0)),
            TermsAmended(
                effective_on=day("2026-02-01"), terms=Terms(), terms_id="none", how="agreement",
                fees=(FeeChange("A", D("100.00"), D("99.00")),),
            ),
        ),
        [
            (1, "A", "2026-01-01", "2026-02-01", "100.00", "signed", 1),
            (1, "A", "2026-02-01", None, "99.00", "amended", 2),
            (2, "A", "2026-01-01", None, "450.00", "signed", 1),
        ],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("events", "expected"), CASES.values(), ids=CASES.keys())
def test_every_price_has_its_days_and_its_cause(events, expected):
    assert told_of(*events) == expected


def test_a_revision_tells_its_formula_its_readings_and_the_prices_before_and_after():
    (row,) = [row for table, row in folded(SIGNED, REVISED) if table is price_revision]
    told = json.loads(row[-1])
    assert (told["effective_on"], told["coefficient"]) == ("2026-07-01", "103/100")
    assert told["fees"] == [{"code": "A", "before": "100.00", "after": "103.00"}]
    current = told["comparisons"][0]["current"]
    assert (current["period"], current["value"]) == ("2026-05", "309.0")


def test_a_revised_price_tells_the_months_values_and_publication_of_its_indices():
    rows = [row for table, row in folded(SIGNED, REVISED) if table is price]
    row = next(row for row in rows if "revised" in row)
    assert json.loads(row[-1])["indices"] == [
        {
            "series": "SYNTEC",
            "base": "300.0", "base_period": "2025-05", "base_published_on": "2025-06-30",
            "value": "309.0", "period": "2026-05", "published_on": "2026-06-30", "links": [],
        }
    ]  # fmt: skip


def test_on_any_day_not_billed_yet_they_are_the_prices_the_contract_bills(told):
    compared = 0
    for stage in stages(told):
        rows = [row for table, row in rows_of(stage) if table is price]
        place = {name: rank for rank, name in enumerate(price.columns.keys())}
        for covered in stage.contract.items:
            known = covered.prices[0].effective_on
            for on in near(covered, stage):
                if not max(known, covered.since) <= on < (covered.until or NEVER):
                    continue
                found = {
                    (row[place["unit_price"]], row[place["version"]])
                    for row in rows
                    if row[place["code"]] == covered.item.code
                    and row[place["from_on"]] <= on < (row[place["until_on"]] or NEVER)
                }
                wanted = covered.price_on(on)
                assert (wanted.unit_price, wanted.by) in found
                compared += 1
    assert compared > 5_000


def near(covered, stage: Stage) -> list[date]:
    days = days_of([stage])
    return [on for on in days if on >= covered.since - DAY]


def rows_of(stage: Stage):
    kept = [event for event in stage.events if event.TOPIC in Prices.topics]
    return Prices().fold(stage.id, kept)


def test_of_the_demo_it_knows_every_price_from_the_signature_on(retold):
    c = price.c
    with retold.store.reading() as connection:
        found = connection.execute(
            select(c.from_on, c.until_on, c.unit_price, c.why, c.coefficient)
            .where(c.contract == "IM-2021-0015")
            .order_by(c.from_on)
        ).all()
    assert [tuple(map(str, row)) for row in found] == [
        ("2021-11-01", "2023-07-01", "1000.00", "signed", ""),
        ("2023-07-01", "2024-07-01", "1072.59", "revised", "11862813/11060000"),
        ("2024-07-01", "None", "1110.15", "revised", "3133/3027"),
    ]


def test_a_renewal_at_the_same_fees_touches_no_price():
    term = Period(day("2027-01-01"), day("2028-01-01"))
    moved = (FeeChange("A", D("100.00"), D("110.00")),)
    for fees, touched in (((), 0), (moved, 1)):
        events = recorded((SIGNED, ContractRenewed(term=term, how="tacit", fees=fees)))
        noted = [Noted(position, to_stored(event)) for position, event in enumerate(events, 1)]
        assert [len(list(Prices().touches(one))) for one in noted] == [1, touched]
        # Its rows are the same without it.
        assert (folded(*events) == folded(SIGNED)) is (not touched)
