"""Projections follow the log and are rebuilt from it: whatever happens, with the same rows."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from eventsourcing.persistence import StoredEvent
from sqlalchemy import Table, func, select, text

from billing.application import Billing
from billing.events import Event
from billing.events.contract import ContractSigned
from billing.events.invoice import CreditNoteIssued, InvoiceIssued
from billing.identity import contract_id
from billing.record import UnknownEvent, to_stored
from billing.refusal import Refused
from billing.store import Conflict, Store, StoreError
from projections import runner as core
from projections.catalog import VIEWS
from projections.invoices import invoice
from projections.revenue import revenue_total
from projections.runner import Runner, tracked_as
from projections.tables import projection
from projections.view import View
from tests.projections.following import (
    Signed,
    SignedAnew,
    another,
    differences,
    in_parts,
    opened,
    signed,
)

FEW = [view for view in VIEWS if view.name in ("contracts", "invoices", "receivables")]
"""Where not all are the point: made from states, from streams, and from the receivables book."""


def numbers(app: Billing) -> list[tuple[str, str]]:
    """The rows of the view of the tests."""
    return rows(app, signed, "number", "said")


def rows(app: Billing, table: Table, *columns: str) -> list[Any]:
    wanted = select(*(table.c[name] for name in columns)).order_by(table.c[columns[0]])
    with app.store.reading() as connection:
        return [tuple(row) for row in connection.execute(wanted)]


def count(app: Billing, table: Table) -> int:
    with app.store.reading() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def standing(one: Runner, name: str) -> core.Standing:
    return next(found for found in one.standings() if found.name == name)


def signatures(told: list[Event]) -> list[str]:
    return [event.number for event in told if isinstance(event, ContractSigned)]


def until(true: Callable[[], bool], seconds: float = 30) -> float:
    """Waits until it is so; how many seconds that took."""
    begun = time.monotonic()
    while not true():
        assert time.monotonic() - begun < seconds, "it never came"
        time.sleep(0.01)
    return time.monotonic() - begun


@contextmanager
def following(one: Runner) -> Iterator[None]:
    """It follows in a thread for the length of the block."""
    stop = threading.Event()
    thread = threading.Thread(target=one.follow, args=(stop,))
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)
        assert not thread.is_alive()


# Followed is rebuilt


@pytest.mark.parametrize(("seed", "step"), [(1, 5_000), (2, 61)])
def test_what_was_followed_in_odd_parts_is_what_is_rebuilt(
    app: Billing, told: list[Event], monkeypatch: pytest.MonkeyPatch, seed: int, step: int
) -> None:
    monkeypatch.setattr(core, "STEP", step)
    one = Runner(app)
    for part in in_parts(told, seed):
        app.write(part)
        one.catch_up()
    assert [found.behind for found in one.standings()] == [0] * len(VIEWS)
    assert differences(one) == {}


def test_a_view_that_looks_again_at_what_it_has_seen_changes_nothing(
    app: Billing, told: list[Event]
) -> None:
    app.write(told)
    one = Runner(app)
    one.catch_up()
    with app.store.transaction() as tx, tx.writing() as connection:
        connection.execute(
            text(
                "UPDATE tracking SET notification_id = notification_id / 3"
                " WHERE application_name IN ('projection:contracts', 'projection:invoices',"
                " 'projection:receivables', 'projection:revenue')"
            )
        )
    one.catch_up()
    assert differences(one) == {}


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ("UPDATE invoice SET gross_cents = gross_cents + 1 WHERE number = :number", "invoices"),
        ("DELETE FROM invoice WHERE number = :number", "invoices"),
        ("UPDATE revenue_total SET earned_cents = earned_cents - 1", "revenue"),
    ],
)
def test_a_row_that_was_tampered_with_is_found_and_a_rebuild_mends_it(
    app: Billing, told: list[Event], change: str, name: str
) -> None:
    app.write(told)
    one = Runner(app, [view for view in VIEWS if view.name in ("invoices", "revenue")])
    one.catch_up()
    number = next(event.number for event in told if isinstance(event, InvoiceIssued))
    with app.store.transaction() as tx, tx.writing() as connection:
        connection.execute(text(change), {"number": number} if ":number" in change else {})
    assert differences(one).keys() == {name}
    one.rebuild(name)
    assert differences(one) == {}


def test_totals_are_the_sums_of_their_rows(app: Billing, told: list[Event]) -> None:
    one = Runner(app, [view for view in VIEWS if view.name == "revenue"])
    for part in in_parts(told, 3, most=400):
        app.write(part)
        one.catch_up()
    documents = [e for e in told if isinstance(e, InvoiceIssued | CreditNoteIssued)]
    billed = sum(
        (-line.net if isinstance(event, CreditNoteIssued) else line.net)
        for event in documents
        for line in event.lines
        if line.kind != "deposit" and line.code not in ("INTERETS", "D441-5")
    )
    with app.store.reading() as connection:
        found = connection.execute(select(func.sum(revenue_total.c.billed_cents))).scalar_one()
    assert int(found) == int(billed * 100)


# Two at once, and a crash


def test_two_runners_at_once_leave_each_row_once(
    url: str, app: Billing, told: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core, "STEP", 61)
    monkeypatch.setattr(core, "POLL", 0.05)
    other = opened(url)
    one, two = Runner(app, FEW), Runner(other, FEW)
    app.write(told[:400])
    with following(one), following(two):
        for part in in_parts(told[400:], 4):
            app.write(part)
        end = app.store.log_position()
        until(lambda: all(found.position == end for found in one.standings()))
    assert differences(one) == {}
    other.close()


def test_what_is_recorded_while_a_rebuild_begins_is_followed(
    app: Billing, told: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    app.write(told[:400])
    meanwhile = [told[400:600]]
    follow = core.receivables.follow

    def follow_and_be_late(store: Store) -> int:
        followed = follow(store)
        while meanwhile:
            app.write(meanwhile.pop())
        return followed

    monkeypatch.setattr(core.receivables, "follow", follow_and_be_late)
    one = Runner(app, FEW)
    one.rebuild("receivables")
    assert differences(one) == {}


def test_who_is_overtaken_for_a_part_of_the_way_goes_on_from_there(
    url: str, app: Billing, told: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    app.write(told[:300])
    one, other = Runner(app, FEW), Runner(opened(url), FEW)
    one.catch_up()
    app.write(told[300:400])
    put, asked = one._put, Counter[str]()

    def overtaken(view: View, *given: Any) -> None:
        asked[view.name] += 1
        if asked[view.name] == 3:  # The first half of the batch, tried apart.
            other._followed([view], 310)
        if asked[view.name] <= 3:
            raise Conflict("someone else writes to the same rows")
        put(view, *given)

    monkeypatch.setattr(one, "_put", overtaken)
    one.catch_up()
    assert {standing.position for standing in one.standings()} == {400}
    assert differences(one) == {}
    other.app.close()


def test_two_runners_that_both_have_to_rebuild_do_so_in_turn(
    url: str, app: Billing, told: list[Event]
) -> None:
    app.write(told)
    built: list[int] = []
    apps = [opened(url) for _ in range(3)]
    runners = [Runner(each) for each in apps]
    threads = [
        threading.Thread(
            target=lambda one=one: built.append(one.rebuild("invoices", only_if_outdated=True))
        )
        for one in runners
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(built)[:2] == [0, 0]
    assert built.count(0) == 2
    assert runners[0].compare("invoices") == []
    for each in apps:
        each.close()


def test_a_follower_that_is_killed_is_followed_by_another_with_nothing_lost_or_doubled(
    url: str, app: Billing, told: list[Event]
) -> None:
    Runner(app, FEW).catch_up()
    app.write(told)
    with another(url, "follow") as process:
        until(lambda: (app.store.tracked(tracked_as("invoices")) or 0) > 200)
        assert process.alive
    killed_at = app.store.tracked(tracked_as("invoices")) or 0
    assert 200 < killed_at < len(told)
    one = Runner(app, FEW)
    one.catch_up()
    assert [found.behind for found in one.standings()] == [0] * len(FEW)
    assert differences(one) == {}


def test_a_rebuild_that_is_killed_leaves_what_was_read_and_is_begun_again(
    url: str, app: Billing, told: list[Event]
) -> None:
    app.write(told)
    one = Runner(app, FEW)
    one.catch_up()
    before = rows(app, invoice, "number", "supplier", "body")
    beside = "rebuilding.invoice" if url.startswith("postgres") else "invoice__rebuilding"

    def begun() -> bool:
        try:
            with app.store.reading() as connection:
                return bool(connection.execute(text(f"SELECT count(*) FROM {beside}")).scalar())
        except StoreError:
            return False

    with another(url, "rebuild") as process:
        until(begun)
        assert process.alive
    assert rows(app, invoice, "number", "supplier", "body") == before
    one.catch_up()
    assert one.rebuild("invoices") > 0
    assert rows(app, invoice, "number", "supplier", "body") == before
    assert one.compare("invoices") == []


# Reads never stop


def test_whoever_reads_while_tables_are_rebuilt_sees_them_full_all_the_time(
    url: str, app: Billing, told: list[Event]
) -> None:
    app.write(told)
    one = Runner(app, FEW)
    one.catch_up()
    whole, seen, waits, stop = count(app, invoice), list[Any](), list[float](), threading.Event()

    def read() -> None:
        reader = opened(url)
        while not stop.is_set():
            begun = time.monotonic()
            try:
                seen.append(count(reader, invoice))
            except Exception as error:
                seen.append(error)
            waits.append(time.monotonic() - begun)
            stop.wait(0.001)  # Or they take turns with each other, and leave the rebuild few.
        reader.close()

    readers = [threading.Thread(target=read) for _ in range(2)]
    for reader in readers:
        reader.start()
    for _ in range(4):
        one.rebuild("invoices")
    stop.set()
    for reader in readers:
        reader.join(30)
    assert len(seen) > 20
    assert set(seen) == {whole}
    assert max(waits) < 2


def test_a_rebuild_waits_for_a_long_query_without_holding_up_those_who_come_after_it(
    url: str, app: Billing, told: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    if url.startswith("sqlite"):
        pytest.skip("readers of SQLite hold up no one")
    monkeypatch.setattr(core, "POLL", 0.2)
    app.write(told)
    one = Runner(app, FEW)
    one.catch_up()
    reader, waits = opened(url), list[float]()
    rebuilt = threading.Event()

    def rebuild() -> None:
        one.rebuild("invoices")
        rebuilt.set()

    with app.store.engine.connect() as long, long.begin():
        long.execute(text("SELECT count(*) FROM invoice"))
        thread = threading.Thread(target=rebuild)
        thread.start()
        end = time.monotonic() + 2
        while time.monotonic() < end:
            begun = time.monotonic()
            count(reader, invoice)
            waits.append(time.monotonic() - begun)
        assert not rebuilt.is_set()
    thread.join(30)
    assert rebuilt.is_set()
    assert max(waits) < 1.5
    assert one.compare("invoices") == []
    reader.close()


@pytest.mark.parametrize("step", [5_000, 20])
def test_what_is_recorded_while_tables_are_rebuilt_is_in_them(
    url: str, app: Billing, told: list[Event], monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    monkeypatch.setattr(core, "STEP", step)
    half = len(told) // 2
    app.write(told[:half])
    one, other = Runner(app, FEW), opened(url)
    one.catch_up()
    thread = threading.Thread(
        target=lambda: [other.write(part) for part in in_parts(told[half:], 5)]
    )
    thread.start()
    while thread.is_alive():
        one.rebuild("invoices")
        one.rebuild("receivables")
    thread.join()
    one.catch_up()
    assert count(app, invoice) == sum(
        isinstance(event, InvoiceIssued | CreditNoteIssued) or "debit_note_issued" in event.TOPIC
        for event in told
    )
    assert differences(one) == {}
    other.close()


# What a view cannot take


def test_an_event_a_view_cannot_take_stops_that_view_before_it_and_no_other(
    app: Billing, told: list[Event]
) -> None:
    poison = signatures(told)[3]
    healthy = [view for view in VIEWS if view.name in ("invoices", "runs")]
    one = Runner(app, [Signed(refused=poison), *healthy])
    one.catch_up()
    app.write(told)
    one.catch_up()
    found, end = standing(one, "signed"), app.store.log_position()
    place = next(
        position
        for position, event in app.recorded()
        if isinstance(event, ContractSigned) and event.number == poison
    )
    assert (found.failed_at, found.position) == (place, place - 1)
    assert found.error == (
        f"contract.signed at position {place}: ValueError: {poison} is more than it can take"
    )
    assert [number for number, _ in numbers(app)] == sorted(signatures(told)[:3])
    assert [standing(one, view.name).position for view in healthy] == [end, end]
    with pytest.raises(Refused, match=f"signed stopped .* position {place}"):
        one.compare("signed")


def test_it_goes_on_once_the_cause_is_mended_and_it_is_asked_to(
    app: Billing, told: list[Event]
) -> None:
    one = Runner(app, [Signed(refused=signatures(told)[3])])
    one.catch_up()
    app.write(told)
    one.catch_up()
    mended = Runner(app, [Signed()])
    mended.catch_up()
    assert standing(mended, "signed").failed_at
    mended.catch_up(retry=True)
    assert standing(mended, "signed") == core.Standing("signed", app.store.log_position(), 0)
    assert [number for number, _ in numbers(app)] == sorted(signatures(told))
    assert mended.compare("signed") == []


def test_rows_that_meet_one_another_stop_their_view_as_well(
    app: Billing, told: list[Event]
) -> None:
    poison = signatures(told)[2]
    one = Runner(app, [Signed(doubled=poison), *VIEWS[-1:]])
    one.catch_up()
    app.write(told)
    one.catch_up()
    assert "contract.signed at position" in standing(one, "signed").error
    assert [number for number, _ in numbers(app)] == sorted(signatures(told)[:2])
    assert standing(one, VIEWS[-1].name).behind == 0


def test_a_view_that_cannot_be_made_at_all_says_at_which_event_and_holds_up_no_other(
    app: Billing, told: list[Event]
) -> None:
    poison = signatures(told)[3]
    app.write(told)
    one = Runner(app, [Signed(refused=poison), *VIEWS[-1:]])
    one.catch_up()
    found = standing(one, "signed")
    assert found.outdated
    assert f"contract.signed at position {found.failed_at}: ValueError: {poison}" in found.error
    assert standing(one, VIEWS[-1].name).behind == 0
    one.catch_up()  # It is not tried again and again.
    with pytest.raises(ValueError, match=poison):
        one.rebuild("signed")
    mended = Runner(app, [Signed()])
    mended.catch_up(retry=True)
    assert [number for number, _ in numbers(app)] == sorted(signatures(told))


def test_a_view_whose_rows_meet_one_another_when_it_is_made_holds_up_no_other_either(
    app: Billing, told: list[Event]
) -> None:
    app.write(told)
    one = Runner(app, [Signed(doubled=signatures(told)[2]), *VIEWS[-1:]])
    one.catch_up()
    assert "Conflict" in standing(one, "signed").error
    assert standing(one, VIEWS[-1].name).behind == 0


def test_what_no_program_can_read_stops_those_who_have_to_read_it_and_no_others(
    app: Billing, told: list[Event]
) -> None:
    one = Runner(app)
    one.catch_up()
    app.write(told)
    last = next(e for e in reversed(told) if isinstance(e, InvoiceIssued))
    version = max(e.originator_version for e in told if e.originator_id == last.originator_id)
    with app.store.transaction() as tx:
        tx.append(
            [StoredEvent(last.originator_id, version + 1, "invoice.payment_allocated", b"{}")]
        )
    one.catch_up()
    end = app.store.log_position()
    stopped = {found.name: found for found in one.standings() if found.failed_at}
    assert {"receivables", "ledger"} <= stopped.keys()
    assert {found.failed_at for found in stopped.values()} == {end}
    assert all(f"payment_allocated at position {end}" in found.error for found in stopped.values())
    assert {"contracts", "recurring", "revenue", "runs"}.isdisjoint(stopped)
    assert all(found.behind == 0 for found in one.standings() if found.name not in stopped)


@pytest.mark.parametrize(
    ("name", "topic", "body"),
    [
        ("history", "contract.equipment_checked", b'{"code":"X"}'),
        ("history", "contract.option_cancelled", b"{"),
        ("history", "contract.option_cancelled", b"\xff"),
        ("prices", "contract.equipment_removed", b'{"code":"X"}'),
        ("recurring", "contract.terminated", b"\xff"),
    ],
)
def test_what_cannot_be_read_is_told_as_well_when_rows_are_made_anew(
    app: Billing, told: list[Event], name: str, topic: str, body: bytes
) -> None:
    one = Runner(app, [view for view in VIEWS if view.name == name])
    app.write(told)
    last = next(e for e in reversed(told) if e.TOPIC.startswith("contract."))
    with app.store.transaction() as tx:
        tx.append([StoredEvent(last.originator_id, last.originator_version + 1, topic, body)])
    one.catch_up()
    found, version = standing(one, name), last.originator_version + 1
    assert found.outdated
    assert f"UnknownEvent: event {version} of stream {last.originator_id}, topic {topic}: " in (
        found.error
    )
    with pytest.raises((UnknownEvent, StoreError)):
        one.rebuild(name)


@pytest.mark.parametrize("name", ["prices", "recurring"])
def test_a_signature_whose_clauses_cannot_be_read_is_told_each_time_it_is_tried(
    app: Billing, told: list[Event], name: str
) -> None:
    one = Runner(app, [view for view in VIEWS if view.name == name])
    one.catch_up()
    app.write(told)
    whole = to_stored(next(e for e in told if isinstance(e, ContractSigned)))
    fields = json.loads(whole.state)
    fields["terms"]["schedule"] = "never"
    stream = contract_id("C-UNREADABLE")
    with app.store.transaction() as tx:
        tx.append([StoredEvent(stream, 1, whole.topic, json.dumps(fields).encode())])
    for _ in range(2):
        one.catch_up(retry=True)
        found, end = standing(one, name), app.store.log_position()
        assert (found.failed_at, found.position) == (end, end - 1)
        assert f"UnknownEvent: event 1 of stream {stream}, topic {whole.topic}: " in found.error
        with pytest.raises(UnknownEvent, match=str(stream)):
            one.rebuild(name)


def test_a_view_of_a_newer_version_is_rebuilt_and_an_older_failure_forgotten(
    app: Billing, told: list[Event]
) -> None:
    one = Runner(app, [Signed(refused=signatures(told)[3])])
    one.catch_up()
    app.write(told)
    one.catch_up()
    newer = Runner(app, [SignedAnew("anew")])
    assert standing(newer, "signed").outdated
    newer.catch_up()
    assert numbers(app) == [(number, "anew") for number in sorted(signatures(told))]
    assert standing(newer, "signed") == core.Standing("signed", app.store.log_position(), 0)
    assert rows(app, projection, "name", "version") == [("signed", 2)]


def test_a_name_that_is_none_is_refused_with_those_there_are(app: Billing) -> None:
    with pytest.raises(Refused, match=r"no projection revenues; there are .*revenue"):
        Runner(app).catch_up(["revenues"])


# Live


def test_a_follower_hears_at_once_of_what_another_process_records(
    url: str, app: Billing, told: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    if url.startswith("sqlite"):
        pytest.skip("on SQLite other processes are looked for every POLL")
    monkeypatch.setattr(core, "POLL", 60)
    app.write(told[:500])
    one, other = Runner(app, FEW), opened(url)
    one.catch_up()
    with following(one):
        time.sleep(0.5)  # It waits by now.
        other.write(told[500:600])
        took = until(lambda: app.store.tracked(tracked_as("invoices")) == 600)
        app.write(told[600:601])  # Wakes it, to be told to stop.
    assert took < 10
    other.close()


def test_a_follower_hears_at_once_of_what_its_own_process_records(
    app: Billing, told: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core, "POLL", 60)
    app.write(told[:500])
    one = Runner(app, FEW)
    one.catch_up()
    with following(one):
        time.sleep(0.5)
        app.write(told[500:600])
        took = until(lambda: app.store.tracked(tracked_as("invoices")) == 600)
        app.write(told[600:601])
    assert took < 10


def test_a_follower_outlives_a_database_that_does_not_answer(
    app: Billing, told: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(core, "POLL", 0.05)
    app.write(told[:100])
    troubles: list[Exception] = []
    one = Runner(app, FEW, troubled=troubles.append)
    one.catch_up()
    read = app.store.read_log

    def away(*given: Any, **more: Any) -> Any:
        if len(troubles) < 3:
            raise StoreError("The database does not answer.")
        return read(*given, **more)

    monkeypatch.setattr(app.store, "read_log", away)
    with following(one):
        app.write(told[100:200])
        until(lambda: app.store.tracked(tracked_as("invoices")) == 200)
    assert [str(error) for error in troubles] == ["The database does not answer."] * 3


def test_a_follower_whose_connections_are_cut_makes_new_ones(
    url: str, app: Billing, told: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    if url.startswith("sqlite"):
        pytest.skip("a file cuts no one off")
    monkeypatch.setattr(core, "POLL", 0.05)
    app.write(told[:500])
    troubles: list[Exception] = []
    one, other = Runner(app, FEW, troubled=troubles.append), opened(url)
    one.catch_up()

    def cut() -> bool:
        with other.store.reading() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE pid <> pg_backend_pid() AND datname = current_database()"
                )
            )
        return bool(troubles)

    with following(one):
        until(cut)  # Once it listens: before, a connection cut is replaced and nothing told.
        other.write(told[500:600])
        until(lambda: (other.store.tracked(tracked_as("invoices")) or 0) == 600)
    assert differences(one) == {}
    other.close()
