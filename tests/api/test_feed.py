"""The change feed: every event once and in order, however it is read, and whoever writes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from multiprocessing.process import BaseProcess
from threading import Thread
from typing import Any
from uuid import uuid4

import httpx
import msgspec
import pytest
from eventsourcing.persistence import StoredEvent

from billing.application import Billing
from billing.events import TOPICS
from billing.events.party import Address, Identity, PartyRegistered
from billing.events.payment import PaymentIdentified, PaymentReceived
from billing.record import to_stored
from projections.telling import NATURAL, PERSONAL, told, topics_of
from tests.api.asking import NUMBER, asks, done, signs
from tests.api.listening import PLAIN, Server, Told, elsewhere, stream
from tests.api.serving import Api


@pytest.fixture
def signed(api_on_both: Api) -> Api:
    signs(api_on_both)
    return api_on_both


def read(api: Api, query: str = "", **more: Any) -> dict[str, Any]:
    answer = api.gets(f"/v1/events?{query}", **({"role": "reader"} | more))
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


# Pages


def test_pages_hold_every_event_once_and_in_order(signed: Api):
    end = signed.billing.store.log_position()
    seen: list[int] = []
    after = 0
    while (page := read(signed, f"after={after}&limit=7"))["events"]:
        seen += [event["position"] for event in page["events"]]
        assert page["next"] == seen[-1]
        after = page["next"]
    assert seen == list(range(1, end + 1))
    assert (page["next"], page["end"]) == (end, end)


def test_topics_are_wanted_by_name_or_by_group(signed: Api):
    parties = read(signed, "topic=party.*,contract.signed")
    assert [event["topic"] for event in parties["events"]] == [
        "party.registered",
        "party.registered",
        "contract.signed",
    ]
    # Everything was looked through: the next page begins behind it.
    assert parties["next"] == signed.billing.store.log_position()
    assert read(signed, "topic=party.*&topic=mandate.*&limit=2")["events"][1]["version"] == 1


def test_a_topic_that_is_none_is_refused_with_those_like_it(signed: Api):
    answer = signed.gets("/v1/events?topic=invoice.isued", role="reader")
    assert answer.status_code == 422
    assert "did you mean invoice.issued" in answer.json()["detail"]


def test_what_makes_no_page_is_refused(api: Api):
    for query in ("after=-1", "after=x", "limit=0", "limit=1001", "wait=31"):
        assert api.gets(f"/v1/events?{query}", role="reader").status_code == 422


def test_a_page_that_has_not_changed_is_not_sent_again(signed: Api):
    first = signed.gets("/v1/events?after=3", role="reader")
    same = {"If-None-Match": first.headers["ETag"]}
    again = signed.gets("/v1/events?after=3", role="reader", headers=same)
    assert (again.status_code, again.content) == (304, b"")
    # Someone who may see more is not told that nothing changed.
    more = signed.gets(
        "/v1/events?after=3", token=signed.key("reader", personal=True), headers=same
    )
    assert more.status_code == 200
    done(asks(signed, f"/v1/contracts/{NUMBER}/notice", {"by": "client"}, on=date(2023, 7, 10)))
    assert signed.gets("/v1/events?after=3", role="reader", headers=same).status_code == 200


def test_whoever_waits_is_told_as_soon_as_something_is_recorded(signed: Api):
    end = signed.billing.store.log_position()
    found: list[dict[str, Any]] = []
    started = time.monotonic()
    waiting = Thread(target=lambda: found.append(read(signed, f"after={end}&wait=20")))
    waiting.start()
    time.sleep(0.3)
    assert not found
    done(asks(signed, f"/v1/contracts/{NUMBER}/notice", {"by": "client"}, on=date(2023, 7, 10)))
    waiting.join(10)
    assert [event["topic"] for event in found[0]["events"]] == ["contract.non_renewal_noticed"]
    assert time.monotonic() - started < 10


def test_nobody_waits_longer_than_asked(signed: Api):
    end = signed.billing.store.log_position()
    started = time.monotonic()
    assert read(signed, f"after={end}&wait=1")["events"] == []
    assert 0.9 < time.monotonic() - started < 5


# Personal data


def test_every_kind_of_event_was_looked_at_for_personal_data():
    assert PERSONAL.keys() == TOPICS.keys()


SUSPECT = ("iban", "bic", "email", "phone", "payer", "remittance", "counterparty", "account")


@pytest.mark.parametrize("topic", TOPICS)
def test_no_field_that_sounds_personal_is_told_to_everyone(topic: str):
    fields = {
        path
        for path in _paths(TOPICS[topic])
        if any(word in path.split(".")[-1] for word in SUSPECT)
    }
    hidden = set(PERSONAL[topic])
    assert {one for one in fields if one not in hidden} == set()
    # And what is left out is there to be left out.
    assert hidden <= set(_paths(TOPICS[topic]))


def _paths(kind: Any, above: str = "") -> Iterator[str]:
    for field in msgspec.structs.fields(kind):
        yield f"{above}{field.encode_name}"
        if topic_struct := _struct(field.type):
            yield from _paths(topic_struct, f"{above}{field.encode_name}.")


def _struct(kind: Any) -> Any:
    return kind if isinstance(kind, type) and issubclass(kind, msgspec.Struct) else None


def test_personal_data_is_told_to_those_with_the_scope(signed: Api):
    parties = "topic=party.registered,mandate.signed"
    without = read(signed, parties)["events"]
    supplier, client, mandate = (event["data"] for event in without)
    assert not {"iban", "bic", "email"} & (supplier["party"].keys() | client["party"].keys())
    assert client["party"]["name"] == "Cabinet Moreau et Associés SELARL"
    assert not {"iban", "bic", "proof"} & mandate.keys()
    whole = read(signed, parties, token=signed.key("reader", personal=True))["events"]
    assert whole[1]["data"]["party"]["email"] == "comptabilite@cabinet-moreau.example"
    assert whole[2]["data"]["iban"]


@pytest.mark.parametrize("category", ["professional", "public", *NATURAL])
def test_a_person_s_name_and_address_are_personal_and_a_company_s_are_not(category: Any):
    address = Address(lines=("1 rue",), postcode="75001", city="Paris")
    party = Identity(code="P", name="Jeanne Moreau", category=category, address=address)
    stored = to_stored(PartyRegistered(party=party, originator_id=uuid4(), originator_version=1))
    shown = told(1, stored, personal=False)["data"]["party"]
    assert ("name" in shown, "address" in shown) == ((category not in NATURAL),) * 2
    assert told(1, stored, personal=True)["data"]["party"]["name"] == "Jeanne Moreau"


def test_an_event_of_a_later_version_is_told_without_its_data():
    stored = StoredEvent(uuid4(), 1, "party.cloned", b'{"iban": "FR76", "recorded_by": "x"}')
    assert told(1, stored, personal=False)["data"] == {}
    assert told(1, stored, personal=True)["data"] == {"iban": "FR76"}


def test_groups_of_topics_are_those_of_the_vocabulary():
    assert set(topics_of(["payment.*", "run.closed"])) == {
        *(topic for topic in TOPICS if topic.startswith("payment.")),
        "run.closed",
    }


# Streams, of a server in a process of its own


def write(url: str, name: str, count: int) -> None:
    """Payments, in transactions of 1, 2, 3, 1, 2, 3 … events each."""
    app = Billing({"DATABASE_URL": url}, user=name)
    for rank in range(count):
        received = PaymentReceived(
            reference=f"{name}-{rank}",
            supplier="S",
            client="",
            amount=Decimal(1),
            value_on=date(2026, 3, 10),
            payer_iban="FR76",
        )
        app.write(app.stamp([received] * (rank % 3 + 1), uuid4(), 0))
    app.close()


WRITERS = 4
EACH = 60


@pytest.fixture
def served(url: str) -> Iterator[tuple[Server, Billing]]:
    app = Billing({"DATABASE_URL": url})
    server = Server(url)
    yield server, app
    server.kill()
    app.close()


def writing(url: str) -> list[BaseProcess]:
    return [elsewhere(write, url, f"w{rank}", EACH) for rank in range(WRITERS)]


EVENTS = WRITERS * EACH * 2


def test_nothing_is_lost_or_doubled_with_four_writers_and_readers_and_servers_killed(
    url: str, served: tuple[Server, Billing]
):
    server, app = served
    writers = writing(url)
    seen: list[Told] = []
    cut = 0
    while len(seen) < EVENTS:
        last = seen[-1].id if seen else 0
        before = len(seen)
        try:
            for one in stream(server.address, last_event_id=last):
                if isinstance(one, Told):
                    seen.append(one)
                # A reader is cut off after 41 events; the server is killed after some more.
                if len(seen) == EVENTS or len(seen) - before == 41:
                    break
        except httpx.HTTPError:
            pass
        cut += 1
        if cut == 4:
            server.kill()
            server = Server(url, server.port)
        assert cut < 100
    for writer in writers:
        writer.join(30)
        assert writer.exitcode == 0
    server.kill()
    assert cut > 5
    assert [one.id for one in seen] == list(range(1, EVENTS + 1))
    logged = [(event.reference, event.originator_version) for _, event in app.recorded()]  # type: ignore[attr-defined]
    assert [(one.data["data"]["reference"], one.data["version"]) for one in seen] == logged
    assert len(set(logged)) == EVENTS


def test_two_readers_and_pages_are_told_the_same(url: str, served: tuple[Server, Billing]):
    server, _ = served
    writers = writing(url)
    found: list[list[dict[str, Any]]] = [[], []]

    def listen(rank: int) -> None:
        for one in stream(server.address):
            if isinstance(one, Told):
                found[rank].append(one.data)
            if len(found[rank]) == EVENTS:
                return

    threads = [Thread(target=listen, args=(rank,)) for rank in range(2)]
    for thread in threads:
        thread.start()
    paged: list[dict[str, Any]] = []
    while len(paged) < EVENTS:
        after = paged[-1]["position"] if paged else 0
        path = f"{server.address}/v1/events?after={after}&limit=33&wait=5"
        paged += httpx.get(path, timeout=20, **PLAIN).json()["events"]
    for thread in threads:
        thread.join(20)
    for writer in writers:
        writer.join(30)
    assert paged == found[0] == found[1]


def test_a_stream_tells_at_once_what_another_process_records(
    url: str, served: tuple[Server, Billing]
):
    server, app = served
    follower = stream(server.address)
    delays = []
    elsewhere(write, url, "first", 1).join()
    next(follower)
    for _ in range(5):
        app.write(app.stamp([PaymentIdentified(client="C")], uuid4(), 0))
        recorded = time.monotonic()
        one = next(follower)
        delays.append(time.monotonic() - recorded)
        assert isinstance(one, Told)
        assert one.event == "payment.identified"
    follower.close()  # type: ignore[attr-defined]
    assert max(delays) < 2


def test_a_stream_of_some_topics_tells_those_and_where_it_stands(
    url: str, served: tuple[Server, Billing]
):
    server, _ = served
    elsewhere(write, url, "w", 3).join()
    found = [httpx.get(f"{server.address}/v1/events?after=0&topic=party.*", **PLAIN).json()]
    assert (found[0]["events"], found[0]["next"]) == ([], 6)
    assert next(stream(server.address, after=4)).id == 5  # type: ignore[union-attr]


def test_a_last_event_id_that_is_none_is_refused(api: Api):
    for said in ("x", "-1", "1" * 30, "１"):
        headers: Any = {"Last-Event-ID": said.encode()}
        answer = api.gets("/v1/events/stream", role="reader", headers=headers)
        assert answer.status_code == 422


def test_a_server_asked_to_stop_ends_its_streams(url: str, served: tuple[Server, Billing]):
    server, _ = served
    ended: list[float] = []

    def listen() -> None:
        for _ in stream(server.address):
            pass
        ended.append(time.monotonic())

    threads = [Thread(target=listen) for _ in range(3)]
    for thread in threads:
        thread.start()
    time.sleep(0.5)
    asked = time.monotonic()
    code = server.ask_to_stop()
    for thread in threads:
        thread.join(10)
    assert len(ended) == 3
    assert max(ended) - asked < 5
    assert code == 0


def test_the_clients_of_a_stream_that_went_away_cost_nothing(served: tuple[Server, Billing]):
    server, app = served
    for _ in range(3):
        follower = stream(server.address)
        app.write(app.stamp([PaymentIdentified(client="C")], uuid4(), 0))
        next(follower)
        follower.close()  # type: ignore[attr-defined]
    for _ in range(50):
        text = httpx.get(f"{server.address}/metrics", **PLAIN).text
        if "billing_http_streams 0.0" in text:
            return
        time.sleep(0.1)
    raise AssertionError(text)


def test_the_log_is_told_in_the_shape_of_the_schema(signed: Api):
    import jsonschema

    from projections.api.feed import COMPONENTS

    schema = {"$ref": "#/components/schemas/EventPage", "components": {"schemas": COMPONENTS}}
    jsonschema.Draft202012Validator(schema).validate(read(signed, "limit=1000"))
