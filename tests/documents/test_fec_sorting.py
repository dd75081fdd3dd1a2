"""What memory does not hold is put in order on the disk."""

from __future__ import annotations

import random

import pytest

from billing.application.sorted_on_disk import BLOCK, SortedOnDisk


@pytest.mark.parametrize("held", [1, 100, 5_000, 1 << 22])
def test_rows_come_in_the_order_of_their_keys_however_little_is_held(held):
    chance = random.Random(held)
    rows = [(chance.randbytes(chance.randint(1, 6)), chance.randbytes(9)) for _ in range(3_000)]
    with SortedOnDisk(held) as sorted_rows:
        for row in rows:
            sorted_rows.add(*row)
        assert list(sorted_rows) == sorted(rows, key=lambda row: row[0])


def test_equal_keys_come_as_they_were_given_across_runs():
    with SortedOnDisk(held=10) as rows:
        for rank in range(50):
            rows.add(b"same", bytes([rank]))
        assert [value[0] for _, value in rows] == list(range(50))


def test_a_value_longer_than_a_block_and_an_empty_one_are_whole():
    values = [b"a" * (3 * BLOCK + 1), b"", b"b" * BLOCK]
    with SortedOnDisk(held=1) as rows:
        for rank, value in enumerate(values):
            rows.add(bytes([rank]), value)
        assert [value for _, value in rows] == values


def test_rows_are_grouped_by_the_beginning_of_their_keys():
    with SortedOnDisk(held=8) as rows:
        for key in (b"b2", b"a1", b"b1", b"a2", b"c1"):
            rows.add(key, key)
        assert list(rows.groups(1)) == [[b"a1", b"a2"], [b"b1", b"b2"], [b"c1"]]


def test_nothing_gives_nothing():
    with SortedOnDisk() as rows:
        assert list(rows) == []
