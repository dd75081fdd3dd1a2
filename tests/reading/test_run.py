"""The month's run as finance sees it: a dry run first, then the same, once."""

import shutil
from datetime import date
from decimal import Decimal

import pytest

from billing.application import Billing, issued, runs
from billing.application.preview import planned
from billing.cli import batch
from billing.demo import story
from billing.month import month_days

MONTHS = ["2023-10", "2024-07", "2025-04", "2025-12", "2026-03", "2026-07", "2026-11"]


@pytest.fixture
def until(played, tmp_path):
    """The demo up to the morning of a month's run."""

    def opened(month):
        path = shutil.copy(played.morning(month), tmp_path / "morning.db")
        app = Billing({"DATABASE_URL": f"sqlite:///{path}"})
        app.clock = lambda: story.at(month_days(date.fromisoformat(f"{month}-01"))[0])
        return app

    return opened


@pytest.mark.parametrize("month", MONTHS)
def test_the_run_bills_what_the_dry_run_said(until, month):
    app = until(month)
    first, end = month_days(date.fromisoformat(f"{month}-01"))
    position = app.store.log_position()
    drafts, report = runs.preview(app, first, end, month, chunk=2)
    plans = list(planned(app, drafts, end, batch=3))
    foretold = report()
    assert app.store.log_position() == position
    done = runs.run(app, first, end, month)
    wanted = [(p.contract, p.on, p.net, p.gross, p.due_on, p.collected_on) for p in plans]
    billed = [
        (d.contract, d.issued_on, d.net, d.gross, d.due_on, d.collected_on)
        for d in issued.documents(app)
        if d.run == done.name
    ]
    assert sorted(billed, key=str) == sorted(wanted, key=str)
    assert done.set_aside == foretold.set_aside
    assert (done.totals.net, done.totals.vat) == (foretold.totals.net, foretold.totals.vat)


@pytest.mark.parametrize("month", MONTHS)
def test_the_changes_of_an_invoice_add_up_to_its_difference(until, month):
    app = until(month)
    first, end = month_days(date.fromisoformat(f"{month}-01"))
    drafts, _ = runs.preview(app, first, end, month)
    for plan in planned(app, drafts, end):
        changed = sum((c.net for c in plan.changes if c.net is not None), Decimal(0))
        if plan.previous_net is not None:
            assert changed == plan.net - plan.previous_net, plan
        elif plan.changes:
            assert changed == plan.net, plan


@pytest.fixture
def told(until):
    """What a month's run would change of a contract."""

    def changes(month, contract):
        app = until(month)
        first, end = month_days(date.fromisoformat(f"{month}-01"))
        drafts, _ = runs.preview(app, first, end, month)
        return [change for plan in planned(app, drafts, end) if plan.contract == contract
                for change in plan.changes]  # fmt: skip

    return changes


def test_an_item_added_is_told_with_the_days_caught_up(told):
    changes = {change.kind: change for change in told("2023-10", "IM-2023-0042")}
    assert changes["new"].told == "new item POSTE-5 since 2023-09-17"
    assert changes["catch_up"].told.startswith("catch-up of 14 days of POSTE-5")
    assert (changes["new"].net, changes["catch_up"].net) == (Decimal("32.50"), Decimal("15.17"))


def test_a_revision_is_told_once_with_its_indices_and_what_it_costs(told):
    changes = {change.kind: change for change in told("2024-07", "IM-2023-0042")}
    assert changes["revised"].told == (
        "revised ×1.0378 on 2024-07-01 (SYNTEC_REVISED 301.9 (2023-04) → 313.3 (2024-05))"
    )
    # Six items of 32.50, 95.00 and 45.00: each × 1.03776, to the cent
    assert changes["revised"].net == Decimal("12.67")
    assert changes["renewed"].net is None
    assert changes["past"].net == Decimal("-147.82")


def test_an_option_closed_is_told_by_the_day_its_fee_ends(told):
    assert any("AGENT closed" in change.told for change in told("2026-02", "AT-2025-207"))


def test_a_month_the_same_as_before_has_nothing_to_tell(told):
    assert told("2023-09", "IM-2023-0042") == []


def test_changed_only_and_limit_hide_documents_but_not_their_sums(played):
    whole = played("run", "2026-12", "--dry-run", "--json").data
    few = played("run", "2026-12", "--dry-run", "--limit", "0", "--json").data
    assert few["gross"] == whole[-1]["gross"]
    assert few["dry_run"] is True
    assert "Nothing was written." in played("run", "2026-12", "--dry-run").out


def test_a_run_says_what_it_billed_and_what_it_set_aside(copied):
    answer = copied("run", "2026-11")
    assert answer.out.startswith("2026-11: nothing more was due.")
    assert copied("run", "2026-11", "--strict").code == 8
    published = copied("index", "publish", "SYNTEC_REVISED", "2025-05", "318.0",
                       "--published-on", "2025-06-30", "--source", "a test")  # fmt: skip
    assert published.code == 0, published.err
    answer = copied("run", "2026-11", "--json").data
    assert (answer["run"], answer["invoices"], answer["revised"]) == ("2026-11#2", 4, 1)
    # The next revision, of July 2026, has no index either: billing waits again from there.
    assert [(a["contract"], a["on"], a["billing_waits"]) for a in answer["set_aside"]] == [
        ("IM-2021-0015", "2026-07-01", True)
    ]
    assert copied("verify", "2026-11#2").code == 0
    assert copied("audit").code == 0


def test_a_month_to_come_is_previewed_but_not_billed(played):
    assert played("run", "2026-12", "--dry-run").code == 0
    refused = played("run", "2026-12")
    assert refused.code == 3
    assert "future" in refused.err


def test_up_to_a_day_the_run_is_named_after_it(copied):
    copied("usage", "IM-2023-0042", "SAUVEGARDE", "2026-10", "101.5")
    answer = copied("run", "--until", "2026-11-15", "--json").data
    assert (answer["run"], answer["invoices"], answer["net"]) == ("until 2026-11-15", 1, "6.00")
    assert copied("verify", "until 2026-11-15").code == 0


def test_stopped_by_the_keyboard_it_says_that_it_goes_on(copied, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "run", interrupted)
    answer = copied("run", "2026-11")
    assert answer.code == 130
    assert "goes on from there" in answer.err


def test_states_are_rebuilt_to_what_they_were(copied):
    before = copied("list", "--json").data
    assert copied("rebuild").code == 0
    assert copied("list", "--json").data == before
    assert copied("audit").out.count("\n") == 2


def test_a_state_that_drifted_is_found_and_repaired(copied):
    app = copied.app()
    row = app.store.state("contract", "PT-2024-001")
    with app.store.transaction() as tx:
        tx.put_states([row._replace(next_due=date(2030, 1, 1))])
    app.close()
    found = copied("audit")
    assert found.code == 9
    assert "PT-2024-001" in found.out
    copied("rebuild")
    assert copied("audit").code == 0


def test_many_contracts_are_listed_without_a_frame(played):
    from billing.cli import pages

    shown = pages.rows_of("Many", ("A", "B"), [(n, n * n) for n in range(pages.MANY)], ["B"])
    assert isinstance(shown, str)
    assert shown.splitlines()[2:5] == ["A         B", "0         0", "1         1"]


def test_one_is_singular():
    assert [batch.counted(n, "invoice") for n in (0, 1, 2)] == [
        "0 invoices", "1 invoice", "2 invoices",
    ]  # fmt: skip
