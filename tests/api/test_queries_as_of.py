"""How things stood on a day, as they were known at a moment: two dates, each tried by itself."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal as D

import pytest

from billing.demo import story
from billing.events.contract import ContractTerminated, ServiceResumed, ServiceSuspended
from billing.events.invoice import InvoiceCredited, PaymentAllocated, RetentionWithheld
from billing.events.payment import PaymentReceived
from billing.record import from_stored
from projections.view import contract_id, payment_id
from tests.api.living import added, lived
from tests.api.serving import Clock, served
from tests.scenario import day


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def lives(request, tmp_path_factory):
    """A contract and an invoice, told in part too late; today is 15 October.

    K-1: 100.00 a month from January; B, 10.00 a month since March, is told in May.
    F-1: 1200.00 due in January; 500.00 come on 10 February, 300.00 of the 5th are told in March.
    """
    with lived(request, tmp_path_factory) as lives:
        lives.on("2025-12-15").signs("K-1")
        for code in "SC":
            lives.knows(code)
        lives.signs("K-2", starts_on="2027-01-01")
        lives.on("2026-01-01").issues("F-1", "1200.00", "2026-01-01", "2026-01-31", contract="K-2")
        pays(lives.on("2026-02-10"), "P-1", "500.00", "2026-02-10")
        pays(lives.on("2026-03-15"), "P-2", "300.00", "2026-02-05")
        credit = InvoiceCredited(
            credit_note="A-1", gross=D("100.00"), net=D("100.00"), credited_on=day("2026-03-01")
        )
        lives.on("2026-04-01").invoice("F-1", credit)
        held = RetentionWithheld(
            amount=D("60.00"), percent=D(5), notified_on=day("2026-05-02"), reason="reserves"
        )
        lives.on("2026-05-02").invoice("F-1", held)
        lives.on("2026-05-10").contract("K-1", added("B", "10.00", "2026-03-01"))
        stopped = ServiceSuspended(suspended_on=day("2026-06-01"), clock="n")
        lives.on("2026-06-01").contract("K-1", stopped)
        lives.on("2026-06-20").contract("K-1", ServiceResumed(resumed_on=day("2026-06-20")))
        ended = ContractTerminated(effective_on=day("2026-12-01"), cause="mutual", by="client")
        lives.on("2026-09-01").contract("K-1", ended)
        lives.on("2026-10-15")
        yield lives


def pays(lives, reference, amount, value_on):
    received = PaymentReceived(
        reference=reference,
        supplier="S",
        client="C",
        amount=D(amount),
        value_on=day(value_on),
        means="transfer",
    )
    lives.records(payment_id("S", reference), received)
    paid = PaymentAllocated(
        amount=D(amount), value_on=day(value_on), means="transfer", payment=reference
    )
    lives.invoice("F-1", paid)


def asked(lives, path, **said):
    return lives.api.gets(path, role="reader", params=said)


@pytest.mark.parametrize(
    ("as_of", "known_at", "yearly", "items"),
    [
        # 12 × 100.00 until B is there: 12 × 110.00, or 12 × 10.00 more.
        ("2026-04-01", "2026-05-09", "1200.00", ["A"]),
        ("2026-04-01", "2026-05-10", "1320.00", ["A", "B"]),
        ("2026-04-01", "2026-05-10T08:59:59Z", "1200.00", ["A"]),
        ("2026-04-01", "2026-05-10T11:00:00+02:00", "1320.00", ["A", "B"]),
        ("2026-04-01", "2026-05-10T10:59:59+02:00", "1200.00", ["A"]),
        ("2026-04-01", None, "1320.00", ["A", "B"]),
        ("2026-02-28", None, "1200.00", ["A"]),
        ("2026-03-01", None, "1320.00", ["A", "B"]),
        # Nobody knew of it in April: what is asked is what was to be known, not what is true.
        ("2026-04-30", "2026-04-30", "1200.00", ["A"]),
    ],
)
def test_an_item_told_late_is_there_from_its_day_for_who_knows(
    lives, as_of, known_at, yearly, items
):
    said = {"as_of": as_of} | ({"known_at": known_at} if known_at else {})
    one = asked(lives, "/v1/contracts/K-1", **said).json()
    assert one["yearly"] == yearly
    assert [item["code"] for item in one["items"]] == items
    page = asked(lives, "/v1/contracts", **said).json()
    assert one in page["data"]


@pytest.mark.parametrize(
    ("as_of", "status", "since", "ends_on"),
    [
        ("2025-12-31", "to start", "2026-01-01", None),
        ("2026-05-31", "running", "2026-01-01", None),
        ("2026-06-01", "suspended", "2026-06-01", None),
        ("2026-06-19", "suspended", "2026-06-01", None),
        ("2026-06-20", "running", "2026-01-01", None),
        ("2026-08-31", "running", "2026-01-01", None),
        ("2026-09-01", "running", "2026-01-01", "2026-12-01"),  # Its end is agreed.
        ("2026-11-30", "running", "2026-01-01", "2026-12-01"),
        ("2026-12-01", "ended", "2026-12-01", "2026-12-01"),
    ],
)
def test_on_each_day_of_its_life_a_contract_stands_as_it_did(lives, as_of, status, since, ends_on):
    one = asked(lives, "/v1/contracts/K-1", as_of=as_of).json()
    assert (one["status"], one["since"], one["ends_on"]) == (status, since, ends_on)
    said = {"as_of": as_of, "fields": "number"}
    found = asked(lives, "/v1/contracts", status=status, **said).json()["data"]
    assert {"number": "K-1"} in found
    other = "running" if status != "running" else "ended"
    assert asked(lives, "/v1/contracts", status=other, **said).json()["data"] == []


def test_before_it_was_recorded_a_contract_is_not_there(lives):
    missing = asked(lives, "/v1/contracts/K-1", known_at="2025-12-14")
    assert missing.status_code == 404
    assert missing.json()["detail"] == "no contract K-1"
    assert asked(lives, "/v1/contracts", known_at="2025-12-14").json()["data"] == []


def test_a_contract_asked_about_today_is_the_one_asked_about_without_a_day(lives):
    now = asked(lives, "/v1/contracts/K-1").json()
    assert asked(lives, "/v1/contracts/K-1", as_of="2026-10-15").json() == now
    assert asked(lives, "/v1/contracts/K-1", known_at="2026-10-15").json() == now


@pytest.mark.parametrize(
    ("as_of", "known_at", "owed", "paid", "credited"),
    [
        ("2026-01-31", None, "1200.00", "0.00", "0.00"),
        ("2026-02-05", None, "900.00", "300.00", "0.00"),
        ("2026-02-05", "2026-03-14", "1200.00", "0.00", "0.00"),
        ("2026-02-20", "2026-03-14", "700.00", "500.00", "0.00"),
        ("2026-02-20", "2026-03-15", "400.00", "800.00", "0.00"),
        ("2026-03-01", "2026-03-31", "400.00", "800.00", "0.00"),
        ("2026-03-01", "2026-04-01", "300.00", "800.00", "100.00"),
        ("2026-06-01", None, "300.00", "800.00", "100.00"),
        (None, "2026-02-28", "700.00", "500.00", "0.00"),
    ],
)
def test_what_was_owed_counts_value_days_among_what_was_recorded(
    lives, as_of, known_at, owed, paid, credited
):
    said = {name: one for name, one in (("as_of", as_of), ("known_at", known_at)) if one}
    one = asked(lives, "/v1/receivables/S/F-1", **said).json()
    assert (one["owed"], one["paid"], one["credited"]) == (owed, paid, credited)
    assert asked(lives, "/v1/receivables", **said).json()["data"] == [one]
    billed = asked(lives, "/v1/invoices/S/F-1", **said).json()
    assert (billed["gross"], billed["credited"]) == ("1200.00", credited)
    assert asked(lives, "/v1/invoices", **said).json()["data"] == [billed]


def test_before_its_day_a_document_is_not_there(lives):
    for path in ("/v1/receivables/S/F-1", "/v1/invoices/S/F-1"):
        assert asked(lives, path, as_of="2025-12-31").status_code == 404
    assert asked(lives, "/v1/receivables", as_of="2025-12-31").json()["data"] == []


@pytest.mark.parametrize(
    ("as_of", "days", "age"),
    [
        ("2026-01-31", 0, "not_due"),
        ("2026-02-01", 1, "days_1_30"),
        ("2026-03-02", 30, "days_1_30"),
        ("2026-03-03", 31, "days_31_60"),
    ],
)
def test_a_document_is_as_late_as_it_was_on_that_day(lives, as_of, days, age):
    one = asked(lives, "/v1/receivables/S/F-1", as_of=as_of).json()
    assert (one["days_late"], one["age"]) == (days, age)
    late = asked(lives, "/v1/receivables", as_of=as_of, late="true").json()["data"]
    assert bool(late) is (days > 0)


def test_a_guarantee_told_later_was_not_withheld_then(lives):
    before = asked(lives, "/v1/receivables/S/F-1", as_of="2026-05-01").json()
    assert before["retention"] is None
    then = asked(lives, "/v1/receivables/S/F-1", as_of="2026-05-02").json()["retention"]
    assert then == {"amount": "60.00", "withheld_on": "2026-05-02", "released_on": None}


# On the demo


@pytest.fixture(scope="module")
def demo(played, tmp_path_factory):
    path = tmp_path_factory.mktemp("then") / "demo.db"
    path.write_bytes(played.database.read_bytes())
    clock = Clock(datetime.combine(story.TODAY, datetime.min.time(), UTC) + timedelta(hours=12))
    with served(f"sqlite:///{path}", clock, embedded=True) as api:
        yield api


def test_at_each_event_of_the_demo_a_contract_is_what_was_recorded_by_then(demo):
    reader = demo.key("reader")
    numbers = [
        row["number"]
        for row in demo.gets("/v1/contracts?fields=number", token=reader).json()["data"]
    ]
    assert len(numbers) == 8
    looked_at = 0
    for number in numbers:
        history = [from_stored(one) for one in demo.billing.store.read_stream(contract_id(number))]
        for event in history[::4]:
            known = [one for one in history if one.recorded_at <= event.recorded_at]
            said = {"known_at": event.recorded_at.isoformat(), "fields": "number,version"}
            found = demo.gets(f"/v1/contracts/{number}", token=reader, params=said).json()
            assert found == {"number": number, "version": known[-1].originator_version}
            looked_at += 1
    assert looked_at > 60


@pytest.mark.parametrize("path", ["/v1/contracts", "/v1/invoices", "/v1/receivables"])
def test_as_known_now_rows_are_the_present_ones_and_any_day_can_be_asked_about(demo, path):
    reader = demo.key("reader")
    now = every(demo, path, reader)
    assert every(demo, f"{path}?known_at=2199-12-31", reader) == now
    assert now
    last = 0
    for year in range(2021, 2028):
        for month in (1, 7):
            on = date(year, month, 15)
            for more in ("", f"&known_at={on}"):
                found = every(demo, f"{path}?as_of={on}{more}", reader)
                assert len(found) >= last or more
            last = len(found)


def every(demo, path, token):
    found, following = [], f"{path}{'&' if '?' in path else '?'}limit=60"
    while following:
        page = demo.gets(following, token=token)
        assert page.status_code == 200, page.text
        found += page.json()["data"]
        following = page.json()["next"]
    return found


# What cannot be asked


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"as_of": "2026-13-01"}, "a day written YYYY-MM-DD"),
        ({"as_of": "01/02/2026"}, "a day written YYYY-MM-DD"),
        ({"known_at": "2026-05-10T09:00:00"}, "a moment YYYY-MM-DDTHH:MM:SS+02:00"),
        ({"known_at": "yesterday"}, "a moment YYYY-MM-DDTHH:MM:SS+02:00"),
        ({"as_of": "2026-01-01", "sort": "-issued_on"}, "in the order of supplier, number"),
    ],
)
def test_a_day_or_a_moment_that_is_none_is_refused_by_name(demo, said, expected):
    refused = demo.gets("/v1/invoices", role="reader", params=said)
    assert refused.status_code == 422
    (fault,) = refused.json()["errors"]
    assert fault["field"] == [*said][-1]
    assert expected in fault["expected"]


def test_what_has_no_past_may_not_be_asked_for_it(demo):
    refused = demo.gets("/v1/runs?as_of=2026-01-01", role="reader")
    assert refused.status_code == 422
    assert "there is no such parameter" in refused.json()["errors"][0]["expected"]
