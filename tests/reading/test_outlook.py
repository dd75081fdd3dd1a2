"""What is to come is what then comes."""

from datetime import date
from decimal import Decimal

import pytest

from billing.application import Billing, issued, outlook, runs
from billing.application.actions import action_of
from billing.application.lives import life_from_text, play
from billing.dates import NEVER, Period
from billing.demo import story
from billing.month import month_days

SIGNED = story.FOLDER / "contracts"


def signed(name, on):
    """One contract of the demo, just signed."""
    app = Billing({"DATABASE_URL": "sqlite://"})
    app.clock = lambda: story.at(on)
    action_of({"do": "sign", "path": str(SIGNED / name)}).perform(app)
    return app


def bill(app, month):
    first, end = month_days(date.fromisoformat(f"{month}-01"))
    app.clock = lambda: story.at(first)
    return runs.run(app, first, end, month)


def coming(app, number):
    return {one.what: one.on for one in outlook.next_dates(app, app.contract(number))}


@pytest.mark.parametrize(("name", "number", "on"), [
    ("pixel-tech-2024-001.toml", "PT-2024-001", date(2023, 12, 11)),
    ("alliance-telecom-2024-112.toml", "AT-2024-112", date(2024, 5, 21)),
    ("si-contact-2024-031.toml", "SC-2024-031", date(2024, 3, 15)),
])  # fmt: skip
def test_the_forecast_is_what_the_runs_then_bill(name, number, on):
    app = signed(name, on)
    ahead = outlook.forecast(app.contract(number), app.book(), on, 6).invoices
    assert ahead
    months = dict.fromkeys(f"{one.on:%Y-%m}" for one in ahead)
    for month in months:
        bill(app, month)
    billed = [(d.issued_on, d.net, d.gross, d.due_on) for d in issued.documents(app, number)]
    assert billed[: len(ahead)] == [(f.on, f.net, f.gross, f.due_on) for f in ahead]


def test_a_quote_is_due_sixty_days_before_the_last_day(played):
    app = signed("pixel-tech-2024-001.toml", date(2023, 12, 11))
    # 2024-12-31 − 60 days
    assert coming(app, "PT-2024-001")["quote"] == date(2024, 11, 1)
    bill(app, "2024-01")
    app.clock = lambda: story.at(date(2024, 11, 1))
    action_of({"do": "offer", "contract": "PT-2024-001"}).perform(app)
    assert "quote" not in coming(app, "PT-2024-001")


def test_the_first_dates_of_a_contract_signed(played):
    app = signed("integral-micro-2023-0042.toml", date(2023, 6, 20))
    dates = coming(app, "IM-2023-0042")
    assert dates["invoice"] == date(2023, 7, 1)
    assert dates["notice"] == date(2024, 3, 30)
    assert dates["revision"] == date(2024, 7, 1)
    assert dates["renewal"] == date(2024, 7, 1)
    standing = outlook.standing(app.contract("IM-2023-0042"), date(2023, 6, 20))
    assert (standing.status, standing.since) == ("to start", date(2023, 7, 1))


def test_before_its_acceptance_a_rental_waits():
    app = signed("alliance-telecom-2025-207.toml", date(2025, 2, 10))
    standing = outlook.standing(app.contract("AT-2025-207"), date(2025, 3, 2))
    assert standing.status == "waiting for acceptance"
    assert coming(app, "AT-2025-207") == {}


LETTER = """
[[actions]]
on = 2026-04-20
do = "formal-notice"
contract = "SC-2024-031"
clock = "unpaid"

[[actions]]
on = 2026-05-06
do = "suspend"
contract = "SC-2024-031"
clock = "unpaid"
"""


def test_a_letter_opens_a_day_and_a_suspension_shows():
    app = signed("si-contact-2024-031.toml", date(2024, 3, 15))
    list(play(app, life_from_text(LETTER)))
    # Fifteen days from the letter
    assert coming(app, "SC-2024-031")["clock"] == date(2026, 5, 5)
    standing = outlook.standing(app.contract("SC-2024-031"), date(2026, 5, 6))
    assert (standing.status, standing.since, standing.why) == (
        "suspended", date(2026, 5, 6), "unpaid",
    )  # fmt: skip


def test_warranties_and_exchanges_have_their_days():
    app = signed("si-contact-2024-031.toml", date(2024, 3, 15))
    app.clock = lambda: story.at(date(2025, 11, 12))
    action_of(
        {"do": "ship-replacement", "contract": "SC-2024-031", "code": "VISIO-ALPILLES"}
    ).perform(app)
    dates = [(one.what, one.on, one.net) for one in
             outlook.next_dates(app, app.contract("SC-2024-031"))]  # fmt: skip
    assert ("return", date(2025, 11, 27), Decimal("3400.00")) in dates


def test_a_linked_contract_is_forecast_past_its_parents_renewal():
    app = signed("pixel-tech-2024-001.toml", date(2023, 12, 11))
    app.clock = lambda: story.at(date(2024, 2, 19))
    for name in ("chronotech-sauvegarde-2024-017.toml", "chronotech-2024-018.toml"):
        action_of({"do": "sign", "path": str(SIGNED / name),
                   "folders": [str(story.FOLDER / "forms")]}).perform(app)  # fmt: skip
    ahead = outlook.forecast(
        app.contract("CH-2024-018"), app.book(), app.today, 30, parents=outlook.parents_of(app)
    )
    assert len(ahead.invoices) == 30
    assert ahead.stopped == ""


def test_without_a_mandate_the_forecast_says_why_it_stops():
    app = signed("alliance-telecom-2024-112.toml", date(2024, 5, 21))
    action_of({"do": "mandate-revoke", "mandate": "AT-RUM-0112"}).perform(app)
    ahead = outlook.forecast(app.contract("AT-2024-112"), app.book(), app.today, 3)
    assert ahead.invoices == ()
    assert ahead.stopped.startswith("payment: ")


def test_debits_are_read_from_the_invoices(played):
    every = issued.debits(played.app(), Period(date(2023, 1, 1), NEVER))
    debited = [d for d in issued.documents(played.app()) if d.collected_on and d.open_gross]
    assert len(every) == len(debited)
    assert sum(one.amount for one in every) == sum(d.open_gross for d in debited)
