"""A command asked twice is done once: repeated, at the same time, by two servers, after a kill."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from threading import Barrier, Event
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import pytest

from billing.application import Billing
from billing.application.actions import Pay, Run
from billing.events.payment import PaymentReceived
from billing.store import Store, Tx
from projections import schema
from projections.api import idempotency
from projections.api.idempotency import LEASE, Answer, Ask, More, Once, Positions, digest_of
from projections.api.problems import Problem
from tests.api.asking import NUMBER, asks, done, signs
from tests.api.listening import PLAIN, Server, elsewhere
from tests.api.serving import Api, Clock, served


@pytest.fixture
def billing(url: str) -> Iterator[Billing]:
    app = Billing({"DATABASE_URL": url}, clock=Clock(), user="tests")
    schema.ensure(app.store)
    yield app
    app.close()


def an_ask(key: str = "k", digest: str = "d", caller: str = "erp") -> Ask:
    return Ask(caller, key, "pay", digest, 201)


def tell(more: More, positions: Positions) -> bytes:
    return msgspec.json.encode({"positions": positions, **more})


def paying(app: Billing, reference: str = "P-1", amount: str = "12.00") -> Any:
    """A payment of a client no one knows yet: one event each time it is performed."""

    def act(store: Store) -> More:
        twin = app.acting("erp", store)
        event = payment(twin, reference, amount)
        twin.write([event])
        return {"told": reference}

    return act


def payment(app: Billing, reference: str, amount: str) -> Any:
    received = PaymentReceived(
        reference=reference,
        supplier="S",
        client="",
        amount=Decimal(amount),
        value_on=date(2026, 3, 10),
    )
    # A stream of its own each time: only the key keeps it from being recorded twice.
    return app.stamp([received], uuid4(), 0)[0]


def recorded(app: Billing) -> int:
    return len(list(app.recorded(topics=["payment.received"])))


# Over HTTP


def test_a_repeated_command_has_the_same_answer_and_is_not_done_again(api_on_both: Api):
    api = api_on_both
    signs(api)
    body = {"amount": "12.00", "client": api.billing.contract(NUMBER).client, "reference": "P-1"}
    first = asks(api, "/v1/payments", body, key="p1")
    again = asks(api, "/v1/payments", body, key="p1")
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.content == again.content
    assert first.headers["Billing-Position"] == again.headers["Billing-Position"]
    assert "Idempotency-Replayed" not in first.headers
    assert again.headers["Idempotency-Replayed"] == "true"
    assert recorded(api.billing) == 1


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/payments", {"amount": "13.00", "client": "CABINET-MOREAU"}),
        ("/v1/allocations", {"amount": "12.00", "client": "CABINET-MOREAU"}),
    ],
)
def test_a_key_that_asked_for_something_else_is_refused(api: Api, path: str, body: dict[str, str]):
    signs(api)
    done(asks(api, "/v1/payments", {"amount": "12.00", "client": "CABINET-MOREAU"}, key="p1"))
    answer = asks(api, path, body if path == "/v1/payments" else {"client": "X"}, key="p1")
    assert (answer.status_code, answer.json()["type"]) == (422, "urn:billing:problem:key-reused")


def test_two_callers_may_use_the_same_key(api: Api):
    signs(api)
    body = {"amount": "12.00", "client": "CABINET-MOREAU"}
    for name in ("erp", "shop"):
        token = api.key("operator", name=name)
        done(asks(api, "/v1/payments", body | {"reference": name}, key="1", token=token))
    assert recorded(api.billing) == 2


def test_a_command_that_was_refused_may_be_asked_again_with_its_key(api: Api):
    body = {"amount": "12.00", "client": "CABINET-MOREAU"}
    assert asks(api, "/v1/payments", body, key="p1").status_code == 422
    signs(api)
    assert done(asks(api, "/v1/payments", body, key="p1"))["recorded"] == 1


def test_a_command_that_changes_nothing_is_remembered_too(api: Api):
    signs(api)
    first = asks(api, "/v1/chases", {}, key="c1")
    again = asks(api, "/v1/chases", {}, key="c1")
    assert done(first)["recorded"] == 0
    assert (again.content, again.headers["Idempotency-Replayed"]) == (first.content, "true")


def test_what_a_long_command_refused_is_its_answer(api: Api):
    bad = {"name": "releve.xml", "content": "<Document>"}
    first = asks(api, "/v1/bank/files", bad, key="b1")
    again = asks(api, "/v1/bank/files", bad, key="b1")
    assert (first.status_code, again.status_code) == (422, 422)
    assert again.headers["Content-Type"] == "application/problem+json"
    assert again.headers["Idempotency-Replayed"] == "true"


# At the same time


def test_a_command_under_way_is_not_begun_again(billing: Billing):
    once = Once(billing.store, billing.clock)
    inside, go_on = Event(), Event()

    def slow(store: Store) -> More:
        inside.set()
        assert go_on.wait(10)
        return paying(billing)(store)  # type: ignore[no-any-return]

    with ThreadPoolExecutor() as threads:
        first = threads.submit(once.perform, an_ask(), slow, tell)
        assert inside.wait(10)
        with pytest.raises(Problem) as refused:
            once.perform(an_ask(), paying(billing), tell)
        go_on.set()
        assert first.result(10).status == 201
    assert refused.value.kind == "under-way"
    assert refused.value.headers == {"Retry-After": "1"}
    assert recorded(billing) == 1


def test_of_two_servers_asked_at_once_one_records_and_both_answer_the_same(url: str):
    servers = [Billing({"DATABASE_URL": url}, clock=Clock()) for _ in range(2)]
    schema.ensure(servers[0].store)
    for round_ in range(10):
        together = Barrier(2)

        def ask(app: Billing, key: str, together: Barrier = together) -> Answer:
            def act(store: Store) -> More:
                together.wait(10)  # Both have seen that nobody answered yet.
                return paying(app, key)(store)  # type: ignore[no-any-return]

            return Once(app.store, app.clock).perform(an_ask(key), act, tell)

        with ThreadPoolExecutor(2) as threads:
            answers = list(threads.map(ask, servers, [f"k{round_}"] * 2))
        assert sorted(answer.replayed for answer in answers) == [False, True]
        assert answers[0].positions == answers[1].positions
        assert recorded(servers[0]) == round_ + 1
    for app in servers:
        app.close()


# After a kill


def pay_and_die(url: str, where: str) -> None:
    """A server that is killed at some moment of its answer."""
    app = Billing({"DATABASE_URL": url}, clock=Clock())
    note = idempotency._Attempt.note

    def die(*_: Any, **__: Any) -> Any:
        os.kill(os.getpid(), signal.SIGKILL)

    def note_and_die(self: Any, tx: Tx) -> None:
        note(self, tx)
        die()

    if where == "before the events":
        idempotency._Attempt.note = die  # type: ignore[method-assign]
    elif where == "before the commit":
        idempotency._Attempt.note = note_and_die  # type: ignore[method-assign]
    else:
        idempotency._Attempt.answer = die  # type: ignore[method-assign]
    Once(app.store, app.clock).perform(an_ask(), paying(app), tell)


@pytest.mark.parametrize(
    ("where", "kept"),
    [("before the events", 0), ("before the commit", 0), ("before the answer", 1)],
)
def test_a_server_killed_while_it_answers_has_done_all_or_nothing(url: str, where: str, kept: int):
    app = Billing({"DATABASE_URL": url}, clock=Clock())
    schema.ensure(app.store)
    died = elsewhere(pay_and_die, url, where)
    died.join(60)
    assert died.exitcode == -signal.SIGKILL
    assert recorded(app) == kept
    answer = Once(app.store, app.clock).perform(an_ask(), paying(app), tell)
    # Asked again, it is done now, or was: in either case once, and answered the same from now on.
    assert recorded(app) == 1
    assert (answer.status, answer.replayed, answer.position) == (201, bool(kept), 1)
    again = Once(app.store, app.clock).perform(an_ask(), paying(app), tell)
    assert (again.body, again.replayed, recorded(app)) == (answer.body, True, 1)
    app.close()


# Long commands


def test_a_long_command_that_died_is_taken_up_again_once_it_shows_no_life(billing: Billing):
    clock = Clock(datetime(2026, 3, 10, tzinfo=UTC))
    once = Once(billing.store, clock)

    class Died(BaseException):
        pass

    def dies(store: Store) -> More:
        paying(billing, "first")(store)
        raise Died

    work = once.begin(an_ask(), dies, tell, fail)
    assert callable(work)
    _die_in(work, Died)
    with pytest.raises(Problem, match="ask again in 60 s"):
        once.begin(an_ask(), dies, tell, fail)
    clock.now += LEASE + timedelta(seconds=1)
    again = once.begin(an_ask(), paying(billing, "second"), tell, fail)
    assert callable(again)
    answer = again()
    # What both attempts recorded is told.
    assert (answer.positions, recorded(billing)) == (((1, 2),), 2)


def _die_in(work: Any, kind: type[BaseException]) -> None:
    """As if the process were gone: nothing is tidied up behind it."""
    forget = idempotency._Attempt.forget
    idempotency._Attempt.forget = lambda self: None  # type: ignore[method-assign]
    try:
        with pytest.raises(kind):
            work()
    finally:
        idempotency._Attempt.forget = forget  # type: ignore[method-assign]


def test_a_long_command_that_was_taken_over_writes_no_more(billing: Billing):
    clock = Clock(datetime(2026, 3, 10, tzinfo=UTC))
    slow, quick = Once(billing.store, clock), Once(billing.store, clock)
    answers: list[Answer] = []

    def slowly(store: Store) -> More:
        paying(billing, "before")(store)
        clock.now += LEASE + timedelta(seconds=1)
        other = quick.begin(an_ask(), paying(billing, "other"), tell, fail)
        assert callable(other)
        answers.append(other())
        return paying(billing, "too late")(store)  # type: ignore[no-any-return]

    work = slow.begin(an_ask(), slowly, tell, fail)
    assert callable(work)
    late = work()
    references = [event.reference for _, event in billing.recorded()]  # type: ignore[attr-defined]
    assert references == ["before", "other"]
    assert (late.body, late.replayed) == (answers[0].body, True)


def fail(error: Exception) -> Answer:
    raise error


def test_a_command_said_to_take_one_transaction_may_not_take_two(billing: Billing):
    def twice(store: Store) -> More:
        paying(billing, "one")(store)
        return paying(billing, "two")(store)  # type: ignore[no-any-return]

    with pytest.raises(AssertionError, match="takes several transactions"):
        Once(billing.store, billing.clock).perform(an_ask(), twice, tell)
    assert recorded(billing) == 1


def test_a_run_under_way_goes_on_where_it_was_stopped(api: Api):
    signs(api)
    api.clock.now = datetime(2023, 7, 1, 8, tzinfo=UTC)
    app = api.billing
    assert Run(month="2023-07").perform(app)
    told = done(asks(api, "/v1/runs", {"month": "2023-07"}, key="r1"))
    # All was billed before: nothing is due, nothing is recorded.
    assert (told["run"]["nothing_due"], told["recorded"]) == (True, 0)


def test_answers_are_kept_for_two_days(billing: Billing):
    clock = Clock(datetime(2026, 3, 10, tzinfo=UTC))
    once = Once(billing.store, clock)
    once.perform(an_ask(), paying(billing), tell)
    clock.now += timedelta(hours=47)
    assert once.perform(an_ask(), paying(billing), tell).replayed
    clock.now += timedelta(hours=2)
    assert not once.perform(an_ask(), paying(billing), tell).replayed


def test_what_is_asked_is_told_by_method_path_and_body():
    told = {
        digest_of("POST", "/v1/payments", b"{}"),
        digest_of("POST", "/v1/refunds", b"{}"),
        digest_of("PUT", "/v1/payments", b"{}"),
        digest_of("POST", "/v1/payments", b"{ }"),
    }
    assert len(told) == 4


# A server killed at any moment


def test_payments_asked_until_answered_are_each_recorded_once_however_often_the_server_dies(
    url: str,
):
    with served(url) as api:
        signs(api)
        client = api.billing.contract(NUMBER).client
    server = Server(url)
    wanted = 24
    answers: dict[int, dict[str, Any]] = {}
    stop = Event()

    def pay(number: int) -> None:
        body = {"amount": f"{number}.00", "client": client, "value_on": "2026-03-01"}
        while not stop.is_set():
            try:
                answer = httpx.post(
                    f"{server.address}/v1/payments",
                    json=body | {"reference": f"P-{number}"},
                    headers={"Idempotency-Key": f"p-{number}"},
                    timeout=5,
                    **PLAIN,
                )
            except httpx.HTTPError:
                Event().wait(0.05)
                continue
            if answer.status_code == 201:
                answers[number] = answer.json()
                return
            assert answer.status_code in (409, 503), answer.text

    try:
        with ThreadPoolExecutor(4) as threads:
            futures = [threads.submit(pay, number) for number in range(1, wanted + 1)]
            for pause in (0.15, 0.4):
                Event().wait(pause)
                server.kill()
                server = Server(url, server.port)
            try:
                for future in futures:
                    future.result(60)
            finally:
                stop.set()
    finally:
        server.kill()
    app = Billing({"DATABASE_URL": url})
    told = {event.reference: position for position, event in app.recorded() if _paid(event)}  # type: ignore[attr-defined]
    assert recorded(app) == wanted == len(told)
    # Everyone was answered with the position of what is in the log.
    assert {f"P-{n}": answer["events"][0]["position"] for n, answer in answers.items()} == told
    app.close()


def _paid(event: Any) -> bool:
    return bool(event.TOPIC == "payment.received")


def test_nothing_is_kept_of_a_key_whose_command_was_refused(billing: Billing):
    once = Once(billing.store, billing.clock)
    with pytest.raises(Exception, match="no company could be paid"):
        once.perform(
            an_ask(),
            lambda store: {
                "events": Pay(amount=1, client="X").told(billing.acting("erp", store)).events  # type: ignore[arg-type]
            },
            tell,
        )
    assert once.kept("erp", "k") is None


def test_a_command_leaves_the_database_open_for_the_others(billing: Billing):
    pool = billing.store.engine.pool  # type: ignore[attr-defined]
    for rank in range(3):
        Once(billing.store, billing.clock).perform(an_ask(f"k{rank}"), paying(billing), tell)
    # The library closes an application that is forgotten: not one that was only lent.
    assert billing.store.engine.pool is pool  # type: ignore[attr-defined]
    assert not billing.closing.is_set()
