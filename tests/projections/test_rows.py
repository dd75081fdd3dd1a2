"""Rows in bulk: what COPY is told of each value, and amounts as whole cents."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal as D
from uuid import UUID

import pytest

from projections.bodies import in_cents
from projections.database import copied

SIX = datetime(2024, 7, 1, 6, tzinfo=UTC)
SEVEN = datetime(2024, 7, 1, 7, tzinfo=UTC)


def test_copy_is_told_a_value_of_each_type():
    row = (UUID(int=10), 3, D("1.50"), True, None, date(2024, 7, 1), SIX, "30 €")
    assert copied([row]) == (
        "0000000000000000000000000000000a\t3\t1.50\tt\t\\N\t2024-07-01\t2024-07-01T06:00:00+00:00"
        "\t30 €\n"
    )


def test_marks_that_end_a_value_are_escaped():
    assert copied([("a\tb\nc\\",), ("d",)]) == "a\\tb\\nc\\\\\nd\n"


def test_rows_keep_their_own_moments_when_neighbours_share_one():
    told = copied([(SIX,), (SIX,), (SEVEN,), (SIX,)]).split()
    assert [moment[11:13] for moment in told] == ["06", "06", "07", "06"]


def test_rows_keep_their_own_stream_when_neighbours_share_one():
    one, same, other = UUID(int=1), UUID(int=1), UUID(int=2)
    told = copied([(one,), (one,), (other,), (same,), (one,)]).split()
    assert [stream[-1] for stream in told] == ["1", "1", "2", "1", "1"]


@pytest.mark.parametrize(
    ("amount", "cents"),
    [("12.34", 1234), ("-0.05", -5), ("-0.00", 0), ("7", 700), ("1E+2", 10_000), ("3.100", 310)],
)
def test_an_amount_is_whole_cents(amount: str, cents: int):
    assert in_cents(D(amount)) == cents


@pytest.mark.parametrize("amount", ["0.001", "-12.345", "NaN"])
def test_what_is_no_amount_in_cents_is_refused(amount: str):
    with pytest.raises(ValueError):
        in_cents(D(amount))
