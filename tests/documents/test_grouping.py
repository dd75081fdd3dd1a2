"""Collections are put together as the bank wants them, in an order that is always the same."""

from datetime import UTC, date, datetime
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from billing.documents.grouping import Group, messages
from billing.documents.profile import Profile
from tests.documents.orders import CREDITOR, OTHER_BANK, TUESDAY, direct

AT = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
GROUP = Group("Integral Micro", CREDITOR, "AGRIFRPP", "FR72ZZZ123456", "CORE", "RCUR", TUESDAY)
GROUPS = [
    GROUP,
    replace(GROUP, sequence="FRST"),
    replace(GROUP, scheme="B2B"),
    replace(GROUP, collected_on=date(2026, 12, 2)),
    replace(GROUP, iban=OTHER_BANK),
]


def named(batch):
    return [one.end_to_end for one in batch.collections]


def told(files):
    return [
        (
            file.id,
            [
                (
                    batch.id,
                    batch.scheme,
                    batch.sequence,
                    [one.end_to_end for one in batch.collections],
                )
                for batch in file.batches
            ],
        )
        for file in files
    ]


def grouped(collections, **profile):
    return messages("P", AT, "Integral Micro", collections, Profile(**profile))


def test_what_differs_in_day_account_scheme_or_sequence_goes_into_its_own_batch():
    collections = [(group, direct(f"F{n}")) for n, group in enumerate(GROUPS)]
    (file,) = grouped(collections)
    assert [
        (batch.collected_on.day, batch.iban, batch.scheme, batch.sequence, batch.id)
        for batch in file.batches
    ] == [
        (1, OTHER_BANK, "CORE", "RCUR", "P-1"),
        (1, CREDITOR, "B2B", "RCUR", "P-2"),
        (1, CREDITOR, "CORE", "FRST", "P-3"),
        (1, CREDITOR, "CORE", "RCUR", "P-4"),
        (2, CREDITOR, "CORE", "RCUR", "P-5"),
    ]


def test_a_bank_that_wants_recurrent_from_the_first_has_one_batch_for_both():
    collections = [(GROUPS[0], direct("F2")), (GROUPS[1], direct("F1"))]
    assert told(grouped(collections, first="RCUR")) == [
        ("P", [("P-1", "CORE", "RCUR", ["F1", "F2"])])
    ]


def test_a_batch_and_a_file_hold_no_more_than_the_bank_takes():
    collections = [(GROUP, direct(f"F{n}")) for n in range(5)]
    assert told(grouped(collections, max_per_batch=2)) == [
        (
            "P",
            [
                ("P-1", "CORE", "RCUR", ["F0", "F1"]),
                ("P-2", "CORE", "RCUR", ["F2", "F3"]),
                ("P-3", "CORE", "RCUR", ["F4"]),
            ],
        )
    ]
    assert told(grouped(collections, max_per_batch=2, max_per_file=4)) == [
        ("P-1", [("P-1-1", "CORE", "RCUR", ["F0", "F1"]), ("P-1-2", "CORE", "RCUR", ["F2", "F3"])]),
        ("P-2", [("P-2-1", "CORE", "RCUR", ["F4"])]),
    ]
    assert told(grouped(collections, max_per_file=3)) == [
        ("P-1", [("P-1-1", "CORE", "RCUR", ["F0", "F1", "F2"])]),
        ("P-2", [("P-2-1", "CORE", "RCUR", ["F3", "F4"])]),
    ]


def test_nothing_to_collect_makes_no_file():
    assert grouped([]) == ()


@given(
    st.lists(st.tuples(st.sampled_from(GROUPS), st.integers(0, 10**6)), unique_by=lambda it: it[1]),
    st.none() | st.integers(1, 5),
    st.none() | st.integers(1, 7),
    st.randoms(use_true_random=False),
)
def test_each_collection_is_in_one_file_whatever_the_order(wanted, per_batch, per_file, random):
    collections = [(group, direct(f"F{n}", Decimal(n + 1))) for group, n in wanted]
    files = grouped(collections, max_per_batch=per_batch, max_per_file=per_file)
    found = [name for file in files for batch in file.batches for name in named(batch)]
    assert sorted(found) == sorted(one.end_to_end for _, one in collections)
    for file in files:
        sizes = [len(batch.collections) for batch in file.batches]
        assert all(0 < size <= (per_batch or size) for size in sizes)
        assert sum(sizes) <= (per_file or sum(sizes))
    assert len({batch.id for file in files for batch in file.batches}) == sum(
        len(file.batches) for file in files
    )
    random.shuffle(collections)
    assert grouped(collections, max_per_batch=per_batch, max_per_file=per_file) == files
