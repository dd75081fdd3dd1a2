"""What is written comes back, in order, whole, or not at all."""

from __future__ import annotations

import tracemalloc
from datetime import date
from itertools import chain
from uuid import UUID, uuid4

import pytest

from billing.store import Conflict, StateRow, Store, StoreError, Stream
from billing.store import store as store_module
from tests.store.examples import contract, event, events, versions

JANUARY, FEBRUARY, MARCH = date(2026, 1, 1), date(2026, 2, 1), date(2026, 3, 1)
A, B = UUID(int=1), UUID(int=2**127)


def write(store: Store, *rows: StateRow, expected: list[int] | None = None) -> None:
    with store.transaction() as tx:
        tx.put_states(rows, expected)


def names(rows: list[StateRow]) -> list[str]:
    return [row.name for row in rows]


def test_an_event_comes_back_as_it_was_whatever_its_bytes(store: Store) -> None:
    written = [
        event(A, 1, "contract.signed", bytes(range(256))),
        event(A, 2, "été % \\ 'quoted'", b""),
        event(B, 1, "contract.signed", b"%s %(x)s \\N \\."),
    ]
    with store.transaction() as tx:
        assert tx.append(written) == range(1, 4)
    assert list(store.read_log()) == list(enumerate(written, 1))
    assert list(store.read_events([B, A])) == written
    assert all(type(e.state) is bytes for e in store.read_events([A]))
    assert store.read_stream(A, gt=1) == written[1:2]


def test_streams_are_told_whole_by_version(store: Store) -> None:
    written = [
        event(B, 1, "party.registered", '{"name":"été – \\n"}'.encode()),
        event(A, 1, "contract.signed", b'{"n":1}'),
        event(A, 2, "contract.renewed", b'{"n":2}'),
        event(A, 3, "contract.seen", b'{"n":3}'),
    ]
    with store.transaction() as tx:
        tx.append(written)
    asked = ["contract.signed", "contract.renewed", "party.registered"]
    assert list(store.read_by_stream(asked)) == [
        Stream(A, 2, b'[["contract.signed",{"n":1}],\n["contract.renewed",{"n":2}]]'),
        Stream(B, 1, '[["party.registered",{"name":"été – \\n"}]]'.encode()),
    ]


def test_thousands_of_events_go_in_as_one(store: Store) -> None:
    written = events(6_000)
    with store.transaction() as tx:
        tx.append(written[:1])
        assert tx.append(store.encode(written[1:])) == range(2, 6_001)
        assert tx.log_position() == 6_000
    assert [e for _, e in store.read_log()] == written
    by_stream = sorted(written, key=lambda e: (e.originator_id.int, e.originator_version))  # type: ignore[union-attr]
    assert list(store.read_events(e.originator_id for e in written)) == by_stream  # type: ignore[misc]


def test_positions_have_no_gap_after_a_refused_transaction(store: Store) -> None:
    with store.transaction() as tx:
        tx.append([event(A, 1)])
    with pytest.raises(Conflict), store.transaction() as tx:
        tx.append([*events(100), event(A, 1)])
    with store.transaction() as tx:
        assert tx.append([event(A, 2)]) == range(2, 3)


def test_a_version_already_taken_refuses_the_whole_transaction(store: Store) -> None:
    with store.transaction() as tx:
        tx.append([event(A, 1)])

    def write_again() -> None:
        with store.transaction() as tx:
            tx.put_states([contract("C-1")])
            tx.append([event(B, 1)])
            tx.append([event(A, 1)])

    with pytest.raises(Conflict, match="read the current state again"):
        write_again()
    assert versions(store.read_log()) == [(1, 1)]
    assert store.state("contract", "C-1") is None


def test_a_refusal_that_was_caught_still_refuses_the_transaction(store: Store) -> None:
    def write_twice() -> None:
        with store.transaction() as tx:
            tx.append([event(A, 1)])
            with pytest.raises(Conflict):
                tx.append([event(A, 1)])

    with pytest.raises(Conflict):
        write_twice()
    assert store.log_position() == 0
    with store.transaction() as tx:
        assert tx.append([event(A, 1)]) == range(1, 2)


def test_an_exception_in_the_block_leaves_nothing(store: Store) -> None:
    def fail() -> None:
        with store.transaction() as tx:
            tx.append(events(100))
            tx.put_states([contract("C-1")])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert store.log_position() == 0
    assert store.count_states("contract") == 0


def test_the_log_is_read_between_two_positions_and_by_topic(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "PAGE", 4)
    with store.transaction() as tx:
        tx.append([event(A, version, "odd" if version % 2 else "even") for version in range(1, 21)])
    assert versions(store.read_log(5, 7)) == [(5, 5), (6, 6), (7, 7)]
    assert versions(store.read_log(18)) == [(18, 18), (19, 19), (20, 20)]
    assert versions(store.read_log(limit=5)) == [(n, n) for n in range(1, 6)]
    assert versions(store.read_log(2, topics=["odd"], limit=6)) == [(n, n) for n in range(3, 14, 2)]
    assert versions(store.read_log(19, 40, topics=["even", "none"])) == [(20, 20)]
    assert versions(store.read_log(21)) == []


def test_the_log_by_pages_is_the_log(store: Store) -> None:
    names = ["odd", "even"]
    written = [event(A, n, names[n % 2 == 0], f'{{"é":"€ {n}"}}'.encode()) for n in range(1, 21)]
    with store.transaction() as tx:
        tx.append(written)
    pages = list(store.log_pages(19, names, 8))
    assert [[position for position, *_ in page] for page in pages] == [
        list(range(1, 9)), list(range(9, 17)), list(range(17, 20)),
    ]  # fmt: skip
    for (position, stream, version, topic, body), kept in zip(chain(*pages), written, strict=False):
        assert (position, version, topic) == (version, kept.originator_version, kept.topic)
        assert stream in (A.bytes, str(A))
        assert body in (kept.state, kept.state.decode())
    odd = [version for page in store.log_pages(20, ["odd"], 8) for _, _, version, _, _ in page]
    assert odd == list(range(1, 20, 2))
    assert list(store.log_pages(0, names, 8)) == []


def test_the_log_is_read_in_flat_memory(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "PAGE", 500)
    for _ in range(10):
        with store.transaction() as tx:
            tx.append(events(2_000, size=1_000))
    tracemalloc.start()
    assert sum(len(e.state) for _, e in store.read_log()) == 20_000_000
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 3_000_000  # Two pages of 500 events of 1,000 bytes, and their copies.


def test_a_state_comes_back_as_it_was(store: Store) -> None:
    rows = [
        contract("Été", 3, MARCH, 1, parent=A),
        contract("O'Neil %s \\", 2**31 - 1)._replace(body=bytes(range(256))),
        contract("old", due=date(1999, 12, 31), rank=-1)._replace(body=b""),
    ]
    write(store, *rows)
    assert [store.state("contract", row.name) for row in rows] == rows
    assert store.state("party", "Été") is None


def test_a_state_is_replaced_when_its_version_is_the_expected_one(store: Store) -> None:
    write(store, contract("C-1"), contract("C-2", due=JANUARY), expected=[0, 0])
    write(store, contract("C-3"), contract("C-2", 4, FEBRUARY), expected=[0, 1])
    assert store.states("contract") == [
        contract("C-1"),
        contract("C-2", 4, FEBRUARY),
        contract("C-3"),
    ]


@pytest.mark.parametrize("expected", [0, 1, 3])
def test_a_state_of_another_version_is_a_conflict(store: Store, expected: int) -> None:
    write(store, contract("C-1", 2))
    with pytest.raises(Conflict, match="decide anew"):
        write(store, contract("C-0"), contract("C-1", 9), expected=[0, expected])
    assert store.states("contract") == [contract("C-1", 2)]


def test_two_aggregates_of_a_kind_cannot_bear_one_name(store: Store) -> None:
    write(store, contract("C-1"))
    with pytest.raises(Conflict):
        write(store, contract("C-1")._replace(id=A))
    write(store, contract("C-1")._replace(id=A, kind="party"))


def test_states_are_written_over_when_no_version_is_expected(store: Store) -> None:
    write(store, contract("C-1"), contract("C-2"))
    write(store, contract("C-2", 5, MARCH), contract("C-3"))
    assert store.states("contract", names=["C-2", "C-3"]) == [
        contract("C-2", 5, MARCH),
        contract("C-3"),
    ]


def test_what_is_due_is_read_page_by_page_a_parent_before_its_children(store: Store) -> None:
    due = [
        contract("B", due=JANUARY),
        contract("A", due=JANUARY, rank=1),
        contract("a", due=JANUARY, rank=1),
        contract("é", due=JANUARY, rank=1),
        contract("0", due=FEBRUARY),
    ]
    write(store, *reversed(due), contract("later", due=MARCH), contract("never"))
    read: list[StateRow] = []
    after = None
    while page := store.states("contract", due_before=MARCH, after=after, limit=2):
        assert len(page) <= 2
        read += page
        last = page[-1]
        assert last.next_due
        after = (last.next_due, last.rank, last.name)
    assert read == due
    assert store.count_due("contract", MARCH) == 5
    assert store.count_due("party", MARCH) == 0
    assert store.count_states("contract") == 7


def test_names_sort_as_python_sorts_them(store: Store) -> None:
    unsorted = ["é", "Z", "a", "10", "9", "A-1", "A 1", "a_b"]
    write(store, *map(contract, unsorted))
    assert names(store.states("contract")) == sorted(unsorted)
    assert names(store.states("contract", names=unsorted)) == sorted(unsorted)


def test_states_are_asked_for_by_id_name_or_parent_in_any_number(store: Store) -> None:
    rows = [
        contract(f"C-{n:05}", due=JANUARY, rank=n % 2, parent=A if n % 3 else B)
        for n in range(2_500)
    ]
    write(store, *rows)
    assert store.states("contract", ids=[row.id for row in rows] * 2) == rows
    assert store.states("contract", names=[row.name for row in rows]) == rows
    assert store.states("contract", parents=[B]) == rows[::3]
    assert store.states("contract", parents=[B], names=["C-00000", "C-00001"]) == rows[:1]
    assert store.states("contract", ids=[]) == []
    assert store.states("party", ids=[rows[0].id]) == []
    found = store.states("contract", ids=[r.id for r in rows], due_before=MARCH, limit=1_300)
    assert found == [*rows[::2], *rows[1:100:2]]


def test_states_may_be_forgotten_and_written_again_in_one_transaction(store: Store) -> None:
    write(store, contract("C-1"), contract("C-2"))
    with store.transaction() as tx:
        tx.delete_all_states()
        tx.put_states([contract("C-2", 7)], [0])
        assert tx.states("contract") == [contract("C-2", 7)]
    assert store.states("contract") == [contract("C-2", 7)]
    store.delete_all_states()
    assert store.states("contract") == []


def test_a_transaction_reads_what_it_wrote(store: Store) -> None:
    with store.transaction() as tx:
        tx.append([event(A, 1)])
        tx.append([event(A, 2)])
        tx.put_states([contract("C-1")])
        assert list(tx.read_events([A])) == [event(A, 1), event(A, 2)]
        assert versions(tx.read_log()) == [(1, 1), (2, 2)]
        assert tx.state("contract", "C-1") == contract("C-1")


def test_an_empty_transaction_is_nothing(store: Store) -> None:
    with store.transaction() as tx:
        tx.put_states([])
        assert list(tx.append([])) == []
    assert store.log_position() == 0
    assert list(store.read_events([])) == []


def test_a_refused_transaction_answers_nothing_more(store: Store) -> None:
    with pytest.raises(StoreError), store.transaction() as tx:
        tx.put_states([contract("C-1")], [1])
    with pytest.raises(Conflict):
        tx.state("contract", uuid4().hex)
