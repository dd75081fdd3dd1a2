"""Webhooks: events posted in order, signed, tried again, given up, replayed; where they may go."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from threading import Event, Thread
from typing import Any
from uuid import uuid4

import pytest
from standardwebhooks import Webhook as Verifier
from standardwebhooks.webhooks import WebhookVerificationError

from billing.application import Billing
from billing.events.payment import PaymentReceived
from billing.refusal import Refused
from projections import schema
from projections import webhooks as core
from projections.webhooks import (
    DEAD_IN_A_ROW,
    PUBLIC,
    SCHEDULE,
    Answered,
    Courier,
    Hook,
    Policy,
    Post,
    Webhooks,
)
from tests.api.asking import NUMBER, asks, done, signs
from tests.api.listening import elsewhere
from tests.api.serving import Api, Clock
from tests.cli.running import INTEGRAL, Desk

HERE = Policy(("127.0.0.0/8",))


class Receiver:
    """A service that takes events, as long as `says` is 200."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], dict[str, Any], bytes]] = []
        self.says: Callable[[dict[str, Any]], int] = lambda message: 200
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                message = json.loads(body)
                status = receiver.says(message)
                if 200 <= status < 300:
                    told = {name.lower(): value for name, value in self.headers.items()}
                    receiver.got.append((told, message, body))
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def positions(self) -> list[int]:
        return [message["data"]["position"] for _, message, _ in self.got]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    found = Receiver()
    yield found
    found.server.shutdown()
    found.server.server_close()


@pytest.fixture
def billing(url: str) -> Iterator[Billing]:
    app = Billing({"DATABASE_URL": url}, clock=Clock(), user="tests")
    schema.ensure(app.store)
    yield app
    app.close()


@pytest.fixture
def on_sqlite(sqlite: str) -> Iterator[Billing]:
    app = Billing({"DATABASE_URL": sqlite}, clock=Clock(), user="tests")
    schema.ensure(app.store)
    yield app
    app.close()


def records(app: Billing, count: int = 1) -> None:
    for rank in range(count):
        received = PaymentReceived(
            reference=f"P-{rank}",
            supplier="S",
            client="C",
            amount=Decimal("12.50"),
            value_on=date(2026, 3, 10),
            payer_iban="FR7630006000011234567890189",
        )
        app.write(app.stamp([received], uuid4(), 0))


class Told:
    """A receiver without a network: what it was told, and what it answers."""

    def __init__(self, says: Callable[[int], int] = lambda position: 200) -> None:
        self.says = says
        self.tried: list[int] = []
        self.took: list[int] = []

    def __call__(self, hook: Hook, event: dict[str, Any], now: datetime) -> Answered:
        position = event["position"]
        self.tried.append(position)
        status = self.says(position)
        if status == 200:
            self.took.append(position)
        return Answered(status, "" if status == 200 else f"HTTP {status}")


def registered(
    app: Billing, url: str = "http://127.0.0.1:9/", **more: Any
) -> tuple[Webhooks, Hook]:
    webhooks = Webhooks(app.store, app.clock, HERE)
    return webhooks, webhooks.add(url, "tests", **({"after": 0} | more))


# What is sent


def test_events_are_posted_in_order_and_signed(billing: Billing, receiver: Receiver):
    # Receivers refuse what was signed long ago: the clock is the real one.
    billing.clock = lambda: datetime.now(UTC)
    webhooks, hook = registered(billing, receiver.url)
    records(billing, 5)
    Courier(webhooks).once()
    assert receiver.positions == [1, 2, 3, 4, 5]
    for headers, message, body in receiver.got:
        assert Verifier(hook.secret).verify(body, headers) == message
        with pytest.raises(WebhookVerificationError):
            Verifier(hook.secret).verify(body.replace(b"12.50", b"99.50"), headers)
        assert headers["webhook-id"] == f"msg_{hook.id}_{message['data']['position']}"
        assert headers["host"] == receiver.url.split("/")[2]
    _, message, _ = receiver.got[0]
    assert (message["type"], message["data"]["data"]["amount"]) == ("payment.received", "12.50")
    assert message["timestamp"] == message["data"]["recorded_at"]
    after = webhooks.one(hook.id)
    assert (after.position, after.delivered_at is not None) == (5, True)


def test_another_secret_signs_and_the_one_before_too_for_a_day(
    billing: Billing, receiver: Receiver
):
    now = datetime.now(UTC)  # Receivers refuse what was signed long ago.
    billing.clock = lambda: now
    webhooks, hook = registered(billing, receiver.url)
    first, second = hook.secret, webhooks.rotate(hook.id).secret
    assert second != first
    records(billing, 1)
    Courier(webhooks).once()
    headers, message, body = receiver.got[-1]
    for secret in (first, second):
        assert Verifier(secret).verify(body, headers) == message
    webhooks.rotate(hook.id, timedelta(0))  # The second came to be known.
    records(billing, 1)
    Courier(webhooks).once()
    headers, _, body = receiver.got[-1]
    for secret in (first, second):
        with pytest.raises(WebhookVerificationError):
            Verifier(secret).verify(body, headers)
    last = webhooks.one(hook.id)
    assert last.signature("msg", now, "{}") == Verifier(last.secret).sign("msg", now, "{}")


def test_the_secret_before_signs_no_more_once_its_day_is_over(on_sqlite: Billing):
    webhooks, hook = registered(on_sqlite, "https://93.184.216.34/")
    changed = webhooks.rotate(hook.id, timedelta(hours=2))
    until = on_sqlite.clock() + timedelta(hours=2)
    assert changed.signed_so_until == until
    assert changed.signature("msg", until - timedelta(seconds=1), "{}").count(" ") == 1
    assert changed.signature("msg", until, "{}").count(" ") == 0


def test_personal_data_goes_only_where_it_was_asked_for(on_sqlite: Billing, receiver: Receiver):
    webhooks, _ = registered(on_sqlite, receiver.url)
    webhooks.add(receiver.url, "tests", personal=True, after=0)
    records(on_sqlite)
    Courier(webhooks).once()
    told = sorted("payer_iban" in message["data"]["data"] for _, message, _ in receiver.got)
    assert told == [False, True]


def test_only_the_topics_wanted_are_told_and_the_others_are_passed_over(on_sqlite: Billing):
    webhooks, hook = registered(on_sqlite, topics=["invoice.*", "run.closed"])
    records(on_sqlite, 3)
    post = Told()
    Courier(webhooks, post).once()
    assert (post.tried, webhooks.one(hook.id).position) == ([], 3)


def test_a_webhook_is_told_of_what_comes_after_it_was_registered(on_sqlite: Billing):
    records(on_sqlite, 2)
    webhooks, _ = registered(on_sqlite, after=None)
    records(on_sqlite, 1)
    post = Told()
    Courier(webhooks, post).once()
    assert post.took == [3]


def test_a_redirect_is_not_followed_and_is_no_answer(on_sqlite: Billing, receiver: Receiver):
    webhooks, hook = registered(on_sqlite, receiver.url)
    receiver.says = lambda message: 302
    records(on_sqlite)
    Courier(webhooks).once()
    (letter,) = webhooks.letters(hook.id, ["waiting"])
    assert (letter.error, receiver.got) == ("HTTP 302 Found", [])


def test_a_receiver_that_does_not_answer_is_not_waited_for_long(on_sqlite: Billing):
    import socket

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        webhooks, hook = registered(on_sqlite, f"http://127.0.0.1:{silent.getsockname()[1]}/")
        records(on_sqlite)
        Courier(webhooks, Post(HERE, timeout=0.2)).once()
    (letter,) = webhooks.letters(hook.id, ["waiting"])
    assert letter.error.startswith("ReadTimeout")


# What is not taken


def test_an_event_is_tried_again_on_its_days_and_the_next_waits(billing: Billing):
    clock = billing.clock
    assert isinstance(clock, Clock)
    webhooks, hook = registered(billing)
    records(billing, 3)
    post = Told(lambda position: 500 if position == 2 else 200)
    courier = Courier(webhooks, post)
    courier.once()
    assert (post.took, post.tried) == ([1], [1, 2])
    for wait in SCHEDULE[:3]:
        before = len(post.tried)
        clock.now += wait - timedelta(seconds=1)
        courier.once()
        assert len(post.tried) == before
        clock.now += timedelta(seconds=1)
        courier.once()
        assert post.tried[before:] == [2]
    post.says = lambda position: 200
    clock.now += SCHEDULE[3]
    courier.once()
    assert post.took == [1, 2, 3]
    assert webhooks.letters(hook.id, ["waiting", "dead"]) == []


def test_an_event_given_up_is_a_dead_letter_and_the_next_has_its_turn(billing: Billing):
    clock = billing.clock
    assert isinstance(clock, Clock)
    webhooks, hook = registered(billing)
    records(billing, 3)
    post = Told(lambda position: 500 if position == 2 else 200)
    courier = Courier(webhooks, post)
    for wait in (*SCHEDULE, timedelta(0)):
        courier.once()
        clock.now += wait
    assert post.tried == [1, *[2] * (len(SCHEDULE) + 1), 3]
    (dead,) = webhooks.letters(hook.id)
    assert (dead.position, dead.state, dead.attempts) == (2, "dead", 10)
    assert (dead.topic, dead.error) == ("payment.received", "HTTP 500")
    assert dead.last_at - dead.first_at == sum(SCHEDULE, timedelta(0))
    assert webhooks.one(hook.id).state == "active"
    # Asked for once more, it fails once more, and stays; then it is taken, and is gone.
    assert webhooks.replay_dead(hook.id) == 1
    courier.once()
    assert [one.attempts for one in webhooks.letters(hook.id)] == [11]
    post.says = lambda position: 200
    webhooks.replay_dead(hook.id, 2)
    courier.once()
    assert (post.took, webhooks.letters(hook.id)) == ([1, 3, 2], [])
    with pytest.raises(Refused, match="no dead letter of position 2"):
        webhooks.replay_dead(hook.id, 2)


def test_a_receiver_that_takes_nothing_is_paused(on_sqlite: Billing):
    clock = on_sqlite.clock
    assert isinstance(clock, Clock)
    webhooks, hook = registered(on_sqlite)
    records(on_sqlite, 9)
    post = Told(lambda position: 503)
    courier = Courier(webhooks, post, schedule=[timedelta(seconds=5)])
    for _ in range(20):
        courier.once()
        clock.now += timedelta(seconds=5)
    assert post.tried == [1, 1, 2, 2, 3, 3]
    paused = webhooks.one(hook.id)
    assert (paused.state, paused.why) == (
        "paused",
        f"{DEAD_IN_A_ROW} events in a row were given up: HTTP 503",
    )
    post.says = lambda position: 200
    webhooks.resume(hook.id)
    courier.once()
    assert post.took == [4, 5, 6, 7, 8, 9]
    webhooks.replay_dead(hook.id)
    courier.once()
    assert post.took[6:] == [1, 2, 3]


def test_a_receiver_that_is_gone_is_paused_at_once_and_loses_nothing(on_sqlite: Billing):
    webhooks, hook = registered(on_sqlite)
    records(on_sqlite, 2)
    post = Told(lambda position: 410)
    Courier(webhooks, post).once()
    assert (post.tried, webhooks.one(hook.id).why) == ([1], "it answered 410: gone")
    webhooks.resume(hook.id)
    post.says = lambda position: 200
    Courier(webhooks, post).once()
    assert post.took == [1, 2]


def test_everything_after_a_position_is_told_again(on_sqlite: Billing):
    webhooks, hook = registered(on_sqlite)
    records(on_sqlite, 4)
    post = Told()
    courier = Courier(webhooks, post)
    courier.once()
    webhooks.replay(hook.id, after=2)
    courier.once()
    assert post.took == [1, 2, 3, 4, 3, 4]
    for wrong in (-1, 5):
        with pytest.raises(Refused, match=f"after: {wrong}; a position from 0 to 4 expected"):
            webhooks.replay(hook.id, after=wrong)


def test_a_replay_asked_for_during_a_delivery_is_not_forgotten(on_sqlite: Billing):
    webhooks, hook = registered(on_sqlite)
    records(on_sqlite, 3)

    def says(position: int) -> int:
        if position == 3 and post.tried.count(3) == 1:
            webhooks.replay(hook.id, after=1)
        return 200

    post = Told(says)
    courier = Courier(webhooks, post)
    courier.once()
    courier.once()
    assert post.took == [1, 2, 3, 2, 3]


def test_a_paused_webhook_is_told_nothing_until_it_is_resumed(on_sqlite: Billing):
    webhooks, hook = registered(on_sqlite)
    webhooks.pause(hook.id)
    records(on_sqlite, 2)
    post = Told()
    courier = Courier(webhooks, post)
    courier.once()
    assert post.tried == []
    webhooks.resume(hook.id)
    courier.once()
    assert post.took == [1, 2]


# Several at once


def test_two_couriers_tell_each_event_once(billing: Billing):
    webhooks, _ = registered(billing)
    records(billing, 40)
    post = Told()
    couriers = [Courier(webhooks, post) for _ in range(2)]
    threads = [Thread(target=courier.once) for courier in couriers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    couriers[0].once()
    assert post.took == list(range(1, 41))


def test_a_courier_that_died_is_replaced_after_a_while(billing: Billing):
    clock = billing.clock
    assert isinstance(clock, Clock)
    webhooks, hook = registered(billing)
    records(billing, 1)
    dead = Courier(webhooks, Told())
    assert dead._claim(hook.id)
    post = Told()
    other = Courier(webhooks, post)
    other.once()
    assert post.tried == []
    clock.now += core.LEASE + timedelta(seconds=1)
    other.once()
    assert post.took == [1]


def deliver_elsewhere(database: str, clock_from: datetime) -> None:
    """A courier in a process of its own, on the real network."""
    app = Billing({"DATABASE_URL": database}, clock=lambda: datetime.now(UTC))
    Courier(Webhooks(app.store, app.clock, HERE)).run()


def test_a_courier_killed_in_the_middle_loses_nothing_and_keeps_the_order(
    url: str, billing: Billing, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
):
    billing.clock = lambda: datetime.now(UTC)
    webhooks, hook = registered(billing, receiver.url)
    records(billing, 60)
    some = Event()

    def says(message: dict[str, Any]) -> int:
        if len(receiver.got) >= 20:
            some.set()
        return 200

    receiver.says = says
    process = elsewhere(deliver_elsewhere, url, datetime.now(UTC))
    assert some.wait(60)
    process.kill()
    process.join()
    at = webhooks.one(hook.id).position
    assert 0 < at <= 60
    later = datetime.now(UTC) + core.LEASE + timedelta(seconds=1)
    again = Webhooks(billing.store, lambda: later, HERE)
    Courier(again).once()
    # In order; the one under way when it died may have come twice, and bears the same id.
    assert list(dict.fromkeys(receiver.positions)) == list(range(1, 61))
    assert len(receiver.positions) <= 61
    assert len({headers["webhook-id"] for headers, _, _ in receiver.got}) == 60


def test_a_courier_delivers_as_events_come_until_it_is_stopped(
    billing: Billing, receiver: Receiver
):
    billing.clock = lambda: datetime.now(UTC)
    webhooks, _ = registered(billing, receiver.url)
    courier = Courier(webhooks)
    thread = Thread(target=courier.run)
    thread.start()
    records(billing, 3)
    for _ in range(500):
        if len(receiver.got) == 3:
            break
        Event().wait(0.02)
    courier.stop()
    thread.join(10)
    assert (receiver.positions, thread.is_alive()) == ([1, 2, 3], False)


# Where they may go


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("93.184.216.34", True),
        ("2606:2800:220:1::1", True),
        ("127.0.0.1", False),
        ("::1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("169.254.169.254", False),
        ("100.64.0.1", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("fe80::1", False),
        ("fd00::1", False),
        ("::ffff:10.0.0.1", False),
        ("::ffff:127.0.0.1", False),
        ("64:ff9b::a00:1", False),
        ("2002:a00:1::", False),
    ],
)
def test_events_go_to_the_public_internet_only(address: str, allowed: bool):
    assert PUBLIC.allows(ip_address(address)) is allowed


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("ftp://example.com/", "https"),
        ("https://", "https"),
        ("javascript:alert(1)", "https"),
        ("https://user:pass@example.com/", "no user"),
        ("https://example.com/#part", "no user"),
        ("https://example.com:99999/", "Port"),
        ("https://127.0.0.1/", "in a network"),
        ("https://[::1]/", "in a network"),
        ("https://169.254.169.254/latest/meta-data", "in a network"),
        ("https://localhost/", "in a network"),
        ("https://2130706433/", "in a network"),
        ("http://93.184.216.34/", "https expected"),
        ("https://no-such-name.invalid/", "no such name"),
    ],
)
def test_other_addresses_are_refused(url: str, why: str):
    with pytest.raises(Refused, match=why):
        PUBLIC.resolve(url)


def test_networks_may_be_allowed_and_http_stays_on_this_machine():
    policy = Policy(("10.1.0.0/16", "127.0.0.0/8"))
    assert policy.resolve("https://10.1.2.3/")[1] == ip_address("10.1.2.3")
    assert policy.resolve("http://127.0.0.1:8080/")[1] == ip_address("127.0.0.1")
    for refused in ("http://10.1.2.3/", "https://10.2.0.1/"):
        with pytest.raises(Refused):
            policy.resolve(refused)


def test_a_name_that_moves_to_a_private_address_is_not_posted_to(
    on_sqlite: Billing, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
):
    webhooks, hook = registered(on_sqlite, receiver.url)
    records(on_sqlite)
    moved = Webhooks(on_sqlite.store, on_sqlite.clock, PUBLIC)
    Courier(moved).once()
    (letter,) = webhooks.letters(hook.id, ["waiting"])
    assert (receiver.got, "in a network" in letter.error) == ([], True)


# Over HTTP, and from the command line


def test_administrators_register_look_at_and_remove_webhooks(api: Api, monkeypatch: Any):
    monkeypatch.setattr("projections.api.webhooks.policy_of", lambda settings: HERE)
    said = {"url": "http://127.0.0.1:9/", "topics": ["invoice.*"]}
    made = api.asks("POST", "/v1/webhooks", role="admin", json=said)
    assert made.status_code == 201
    hook = made.json()
    assert hook["secret"].startswith("whsec_")
    listed = api.gets("/v1/webhooks", role="admin").json()["webhooks"]
    assert listed == [{name: one for name, one in hook.items() if name != "secret"}]
    place = f"/v1/webhooks/{hook['id']}"
    assert api.asks("POST", f"{place}/pause", role="admin").json()["why"] == "paused by admin"
    assert api.asks("POST", f"{place}/resume", role="admin").json()["state"] == "active"
    other = api.asks("POST", f"{place}/rotate", role="admin", json={}).json()
    assert other["secret"] not in ("", hook["secret"])
    assert other["signed_so_until"] is not None
    assert hook["secret"] not in str(other) + api.gets(place, role="admin").text
    once = api.asks("POST", f"{place}/rotate", role="admin", json={"overlap_hours": 0}).json()
    assert once["signed_so_until"] is None
    signs(api)
    back = api.asks("POST", f"{place}/replay", role="admin", json={"after": 2}).json()
    assert back["position"] == 2
    assert api.gets(f"{place}/letters", role="admin").json() == {"letters": []}
    assert api.asks("DELETE", place, role="admin").status_code == 204
    assert api.gets(place, role="admin").status_code == 404


def test_no_one_else_does(api: Api):
    for role in ("reader", "operator", "approver", "auditor"):
        assert api.gets("/v1/webhooks", role=role).status_code == 403
        said = {"url": "https://example.com/"}
        assert api.asks("POST", "/v1/webhooks", role=role, json=said).status_code == 403


def test_what_may_be_registered(api: Api):
    cases: list[tuple[dict[str, Any], int]] = [
        ({}, 422),
        ({"url": "https://127.0.0.1/"}, 422),
        ({"url": "https://93.184.216.34/", "topics": ["nothing"]}, 422),
        ({"url": "https://93.184.216.34/", "colour": "blue"}, 422),
        ({"url": "https://93.184.216.34/", "after": 10**6}, 422),
        ({"url": "https://93.184.216.34/", "personal": True}, 403),
        ({"url": "https://93.184.216.34/"}, 201),
    ]
    for said, status in cases:
        answer = api.asks("POST", "/v1/webhooks", role="admin", json=said)
        assert (said, answer.status_code) == (said, status)


def test_a_replay_says_from_where_or_of_what(api: Api):
    made = api.asks("POST", "/v1/webhooks", role="admin", json={"url": "https://93.184.216.34/"})
    place = f"/v1/webhooks/{made.json()['id']}/replay"
    for said in ({}, {"after": 1, "dead": True}, {"after": -1}):
        assert api.asks("POST", place, role="admin", json=said).status_code == 422


def test_a_command_over_http_is_told_to_a_webhook(api: Api, receiver: Receiver):
    signs(api)
    webhooks, _ = registered(api.billing, receiver.url, topics=["contract.*"], after=None)
    done(asks(api, f"/v1/contracts/{NUMBER}/notice", {"by": "client"}, on=date(2023, 7, 10)))
    Courier(webhooks).once()
    assert [message["type"] for _, message, _ in receiver.got] == ["contract.non_renewal_noticed"]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Desk:
    for name in ("DATABASE_URL", "BILLING_FORMS", "BILLING_TODAY", "BILLING_USER"):
        monkeypatch.delenv(name, raising=False)
    return Desk(tmp_path)


def test_webhooks_from_the_command_line(desk: Desk, monkeypatch: Any, receiver: Receiver):
    monkeypatch.setenv("BILLING_API_WEBHOOK_NETWORKS", "127.0.0.0/8")
    desk.reads("sign", INTEGRAL, today="2023-06-20")
    said = desk.reads("webhook", "add", receiver.url, "--topic", "contract.*", "--after", "0")
    id = said.split()[0]
    assert "whsec_" in said
    assert "whsec_" not in desk.reads("webhook", "list")
    desk.reads("webhook", "deliver", "--once")
    assert [message["type"] for _, message, _ in receiver.got] == ["contract.signed"]
    assert "The one before signs too until " in desk.reads("webhook", "rotate", id)
    said = desk.reads("webhook", "rotate", id, "--overlap", "0")
    assert "whsec_" in said
    assert "signs no more" in said
    assert "paused" in desk.reads("webhook", "pause", id)
    assert "active" in desk.reads("webhook", "replay", id, "--after", "0")
    assert "0 dead letters" in desk.reads("webhook", "replay", id, "--dead")
    assert desk.is_refused("webhook", "replay", id, code=2)
    assert "no webhook wh_0" in desk.is_refused("webhook", "pause", "wh_0", code=3)
    desk.reads("webhook", "dead")
    assert f"{id} is removed" in desk.reads("webhook", "remove", id)
