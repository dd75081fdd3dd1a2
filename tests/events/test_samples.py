"""What was once recorded is read for ever: a sample of every event, as it is stored."""

import json
from datetime import date
from pathlib import Path
from typing import ClassVar

import pytest
from eventsourcing.persistence import StoredEvent

from billing import record
from billing.application.states import folds
from billing.events import TOPICS, UPCASTERS, Event, upcaster
from billing.identity import contract_id
from billing.record import Reader, UnknownEvent, from_stored, to_stored
from billing.store import Stream

# Written once, never again: a file that today's code no longer reads is a log it no longer reads.
SAMPLES = sorted((Path(__file__).parent / "samples").glob("*.json"))
STREAM = contract_id("C-1")


def stored(topic, fields):
    return StoredEvent(STREAM, 1, topic, json.dumps(fields).encode())


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_what_was_recorded_is_still_read_and_nothing_of_it_is_lost(path):
    topic, _, version = path.stem.rpartition(".v")
    fields = json.loads(path.read_text("utf-8"))
    event = from_stored(stored(topic, fields))
    assert type(event) is TOPICS[topic]
    if int(version) == event.VERSION:
        assert json.loads(to_stored(event).state) == fields


@pytest.mark.parametrize("topic", sorted(TOPICS))
def test_every_event_has_a_sample_of_each_of_its_shapes(topic):
    names = {path.stem for path in SAMPLES}
    assert {f"{topic}.v{n}" for n in range(1, TOPICS[topic].VERSION + 1)} <= names


@pytest.mark.parametrize("topic", sorted(TOPICS))
def test_every_older_shape_has_its_upcaster(topic):
    steps = {version for known, version in UPCASTERS if known == topic}
    assert steps == set(range(1, TOPICS[topic].VERSION))


@pytest.fixture
def moved():
    """An event in its third shape: a day once called `on`, then `moved_on`, and a reason since."""

    class Moved(Event, frozen=True, kw_only=True, omit_defaults=True):
        TOPIC: ClassVar[str] = "test.moved"
        VERSION: ClassVar[int] = 3

        moved_on: date
        reason: str

    @upcaster("test.moved", 1)
    def _renamed(fields):
        return {name: value for name, value in fields.items() if name != "on"} | {
            "moved_on": fields["on"]
        }

    @upcaster("test.moved", 2)
    def _reasoned(fields):
        return fields | {"reason": "unknown"}

    record._upcast["test.moved"] = 3
    yield Moved
    del TOPICS["test.moved"], record._upcast["test.moved"]
    del UPCASTERS["test.moved", 1], UPCASTERS["test.moved", 2]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"on": "2026-03-01"}, "unknown"),  # The first shape bears no version.
        ({"moved_on": "2026-03-01", "v": 2}, "unknown"),
        ({"moved_on": "2026-03-01", "reason": "lease", "v": 3}, "lease"),
    ],
)
def test_an_older_shape_is_read_as_todays(moved, fields, reason):
    event = from_stored(stored("test.moved", fields))
    assert event == moved(moved_on=date(2026, 3, 1), reason=reason, v=3)


def test_an_event_of_a_newer_program_is_named_and_not_guessed():
    with pytest.raises(UnknownEvent, match=r"contract\.teleported.*upgrade"):
        from_stored(stored("contract.teleported", {}))


@pytest.mark.parametrize(
    "fields", [{}, {"clock": "unpaid"}, {"clock": "unpaid", "cured_on": "yesterday"}]
)
def test_an_event_that_cannot_be_read_says_where_it_lies(fields):
    with pytest.raises(UnknownEvent, match=rf"event 1 of stream {STREAM}"):
        from_stored(stored("contract.breach_cured", fields))


def told(*events):
    """A stream as the store tells it: each event its topic and its body."""
    return b"[%b]]" % b"],\n".join(b'["%b",%b' % (topic.encode(), body) for topic, body in events)


def test_a_stream_read_at_once_is_its_events_read_one_by_one(moved):
    events = [(path.stem.rpartition(".v")[0], path.read_bytes()) for path in SAMPLES]
    events.append(("test.moved", b'{"on":"2026-03-01"}'))
    read = Reader({topic: TOPICS[topic] for topic, _ in events})
    one_by_one = [from_stored(StoredEvent(STREAM, 1, *event)) for event in events]
    assert read(STREAM, len(events), told(*events)) == one_by_one
    assert type(one_by_one[-1]) is moved


CURED = ("contract.breach_cured", b'{"clock":"unpaid","cured_on":"2026-03-01"}')
READ = Reader({topic: TOPICS[topic] for topic in ("contract.breach_cured", "contract.task_done")})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'{"clock"',
        b"null",
        b"\xff",
        b'"clock":1}',
        CURED[1] + b",{}",
        CURED[1] + b"]",
        CURED[1] + b'],["contract.breach_cured",' + CURED[1],  # Two in the place of one.
    ],
)
def test_the_event_of_a_stream_that_cannot_be_read_is_told(body):
    with pytest.raises(UnknownEvent, match=rf"event 2 of stream {STREAM}, topic contract.breach"):
        READ(STREAM, 3, told(CURED, (CURED[0], body), CURED))


@pytest.mark.parametrize("field", ["terms", "items"])
def test_what_is_read_only_to_be_folded_is_told_too(field):
    signed = next(path for path in SAMPLES if path.stem == "contract.signed.v1")
    fields = json.loads(signed.read_text("utf-8")) | {field: [0]}
    stream = Stream(STREAM, 1, told(("contract.signed", json.dumps(fields).encode())))
    with pytest.raises(UnknownEvent, match=rf"event 1 of stream {STREAM}, topic contract.signed"):
        list(folds([stream]))
