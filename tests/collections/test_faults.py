"""What a crash, or a second collection at the same time, leaves behind: each debit once."""

from __future__ import annotations

import os
import time
from collections import Counter
from decimal import Decimal as D
from hashlib import sha256

import pytest

from billing.application import collections, payments
from billing.application.collections import Asked
from billing.events.party import CollectionOrdered
from billing.events.payment import CollectionFileSubmitted
from tests import another
from tests.collections import house
from tests.collections.house import opened, ready
from tests.collections.test_collect import read

ON = "2026-01-25"
DEBITS = 20


def whole(app, folder, debits=DEBITS):
    """Every debit ordered once, in files that are what was recorded."""
    orders = [event for _, event in app.recorded(topics=[CollectionOrdered.TOPIC])]
    assert Counter(order.end_to_end for order in orders) == {
        f"F{place:05d}": 1 for place in range(debits)
    }
    files = [event for _, event in app.recorded(topics=[CollectionFileSubmitted.TOPIC])]
    assert sum(file.count for file in files) == debits
    for file in files:
        path = folder / f"{file.message}.xml"
        read(path)
        assert sha256(path.read_bytes()).hexdigest() == file.digest
    assert {path.stem for path in folder.glob("*.xml")} == {file.message for file in files}
    assert app.drifted_states() == []
    return files


# fmt: off
POINTS = [
    # where it dies; whether anything is recorded; whether the file has its name
    ("while the file is written", False, False),
    ("before the record", False, False),
    ("before the commit", False, False),
    ("before the name", True, False),
    ("after the name", True, True),
]
# fmt: on


@pytest.mark.parametrize(("where", "is_recorded", "named"), POINTS)
def test_a_collection_killed_anywhere_is_given_again_and_asks_for_each_debit_once(
    url, tmp_path, where, is_recorded, named
):
    out = tmp_path / "out"
    ready(url, house.plain(DEBITS))
    killed = house.collecting(url, out, ON, where)
    assert killed.returncode == -9, killed.said
    with opened(url, ON) as app:
        recorded = [event for _, event in app.recorded(topics=[CollectionFileSubmitted.TOPIC])]
        assert bool(recorded) == is_recorded
        assert bool(list(out.glob("*.xml"))) == named
        done = collections.collect(app, out, Asked())
        assert bool(done.files) == (not is_recorded)
        assert bool(done.finished) == (is_recorded and not named)
        (file,) = whole(app, out)
        # Undisturbed, it would have been the same file to the byte.
        again = collections.write_again(app, file.message, tmp_path / "again")
        assert again.digest == file.digest
        assert collections.collect(app, out, Asked()).files == ()


def test_a_file_whose_pending_bytes_are_lost_too_is_written_again_from_its_events(url, tmp_path):
    ready(url, house.plain(DEBITS))
    assert house.collecting(url, tmp_path, ON, "before the name").returncode == -9
    for pending in tmp_path.glob(".*.pending"):
        pending.unlink()
    with opened(url, ON) as app:
        assert collections.collect(app, tmp_path, Asked()).files == ()
        (file,) = collections.files(app)
        assert not list(tmp_path.glob("*.xml"))
        collections.write_again(app, file.message, tmp_path)
        whole(app, tmp_path)


def test_two_collections_at_once_never_ask_for_the_same_debit_twice(url, tmp_path):
    ready(url, house.plain(DEBITS))
    processes = [another.Started("tests.collections.house", url, tmp_path, ON) for _ in range(3)]
    for process in processes:
        ended = process.ended()
        assert ended.returncode == 0, ended.said
    with opened(url, ON) as app:
        whole(app, tmp_path)
        assert not list(tmp_path.glob(".*.pending"))


def _paying(app, monkeypatch, times):
    """Each of the first plans is overtaken by a payment of 10 € on the first invoice."""
    made, paid = collections._made, []

    def overtaken(*args):
        planned = made(*args)
        if len(paid) < times and args[1] is app.store:
            paid.append(1)
            with opened(str(app.store.engine.url.render_as_string(False)), ON) as other:
                payments.pay(
                    other, D("10.00"), other.today, "transfer", client="C00000",
                    said={"F00000": D("10.00")}, reference=f"P{len(paid)}", supplier="S",
                )  # fmt: skip
        return planned

    monkeypatch.setattr(collections, "_made", overtaken)
    return paid


@pytest.mark.parametrize(("times", "amount"), [(1, "110.00"), (2, "100.00"), (9, "90.00")])
def test_money_that_comes_while_the_file_is_made_is_not_debited_again(
    url, tmp_path, monkeypatch, times, amount
):
    ready(url, house.plain(2))
    with opened(url, ON) as app:
        paid = _paying(app, monkeypatch, times)
        done = collections.collect(app, tmp_path, Asked())
        assert [debit.amount for debit in done.plan.debits] == [D(amount), D("121.00")]
        assert len(paid) == min(times, 3)  # The third plan is made again under the lock.
        whole(app, tmp_path, 2)


def test_what_a_collection_that_died_left_is_taken_away_after_a_day(sqlite, tmp_path):
    ready(sqlite, house.plain(1))
    old, fresh = tmp_path / ".X-1.abc.pending", tmp_path / ".X-2.abc.pending"
    part = tmp_path / "..X-3.abc.pending.0.part"
    for path in (old, fresh, part):
        path.write_text("half a file")
    for path in (old, part):
        os.utime(path, (time.time() - 100_000,) * 2)
    with opened(sqlite, ON) as app:
        collections.collect(app, tmp_path, Asked())
    assert (old.exists(), part.exists(), fresh.exists()) == (False, False, True)
