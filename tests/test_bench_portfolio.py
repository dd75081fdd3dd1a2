"""The benchmark measures what it says: its portfolio is its log, and its run bills who is due."""

from __future__ import annotations

from collections import Counter

import pytest

from billing.application import runs
from billing.month import month_days
from tests.bench import portfolio

CONTRACTS = 300


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    url = f"sqlite:///{tmp_path_factory.mktemp('bench')}/bench.db"
    portfolio.create(url, CONTRACTS)
    opened = portfolio.open_at(url)
    yield opened
    opened.close()
    opened.store.close()


def test_every_contract_has_twenty_events_and_the_state_they_fold_to(app):
    topics = [event.TOPIC for _, event in app.recorded()]
    counted = Counter(e.originator_id for _, e in app.recorded() if e.TOPIC.startswith("contract."))
    assert len(set(topics)) > 12
    assert counted == {portfolio.id_of(place): 20 for place in range(CONTRACTS)}
    assert app.drifted_states() == []


def test_the_month_bills_each_contract_due_once_and_no_other(app):
    first, until = month_days(portfolio.MONTH)
    due = {row.name for row in app.store.states("contract", due_before=until)}
    billed_until = {c.number: c.billed_until for c in app.contracts()}
    position = app.store.log_position()

    report = runs.run(app, first, until, "2024-07", chunk=50)

    assert not report.set_aside
    assert report.contracts == len(due)
    issued = [e for _, e in app.recorded(position + 1, topics=["invoice.issued"])]
    periods = Counter(e.contract for e in issued if e.period is not None)
    assert set(periods.values()) == {1}
    assert {e.contract for e in issued} <= due
    # What was billed up to a day of July or before is billed further; the rest is not.
    for contract in app.contracts():
        further = contract.billed_until > billed_until[contract.number]
        assert further == (contract.number in periods)
        assert contract.billed_until > portfolio.MONTH
    # A number after another, in the order of the days, in each company.
    for supplier in portfolio.PREFIXES:
        ours = [e for e in issued if e.supplier == supplier]
        assert [int(e.number[-6:]) for e in ours] == list(range(1, len(ours) + 1))
        assert [e.issued_on for e in ours] == sorted(e.issued_on for e in ours)
    assert report.totals.renewed
    assert report.totals.revised
    assert app.drifted_states() == []
    assert runs.run(app, first, until, "2024-07").nothing_due


def test_a_state_that_is_not_the_fold_of_its_events_is_told_and_made_again(app):
    row = app.store.state("contract", portfolio.number_of(7))
    stray = row._replace(id=portfolio.id_of(CONTRACTS), name="STRAY", version=1)
    with app.store.transaction() as tx:
        tx.put_states([row._replace(next_due=None), stray])
    assert app.drifted_states() == [f"contract {row.name}", "contract STRAY"]
    app.rebuild_states()
    assert app.drifted_states() == []
    assert app.store.state("contract", row.name) == row
