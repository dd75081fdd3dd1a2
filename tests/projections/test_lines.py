"""A line of the history, from an event as it is stored: what is left undecoded is in no line."""

from __future__ import annotations

from pathlib import Path
from uuid import UUID

import pytest
from eventsourcing.persistence import StoredEvent

from billing.application import words
from billing.application.lines import line
from billing.identity import contract_id
from billing.record import UnknownEvent, from_stored, to_stored

SAMPLES = sorted((Path(__file__).parents[1] / "events" / "samples").glob("*.json"))
STREAM = contract_id("C-1")
FORMS: tuple[str | bytes | UUID, ...] = (STREAM, str(STREAM), STREAM.bytes)


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_line_says_what_the_whole_event_says(path: Path):
    topic, _, _ = path.stem.rpartition(".v")
    body = path.read_bytes()
    whole = from_stored(StoredEvent(STREAM, 1, topic, body))
    said = words.happened_on(whole), whole.recorded_at, whole.recorded_by, words.told(whole)
    assert line(STREAM, 1, topic, body) == said
    assert line(STREAM, 1, topic, body.decode()) == said


def test_a_line_of_every_event_of_a_record_says_what_the_whole_event_says(told):
    for event in told:
        stored = to_stored(event)
        said = words.happened_on(event), event.recorded_at, event.recorded_by, words.told(event)
        assert line(STREAM, 1, stored.topic, stored.state) == said


@pytest.mark.parametrize("stream", FORMS, ids=("id", "text", "bytes"))
@pytest.mark.parametrize(
    ("topic", "body", "why"),
    [
        ("contract.equipment_checked", b'{"code":"X"}', "required field"),
        ("contract.equipment_checked", b'{"code":"X"', "truncated"),
        ("contract.instalment_billed", '{"billed_on":"2024-02-30"}', "billed_on"),
        ("contract.invented_since", b"{}", "upgrade the program"),
    ],
)
def test_an_event_that_cannot_be_read_is_named(stream, topic, body, why):
    with pytest.raises(UnknownEvent, match=f"event 7 of stream {STREAM}, topic {topic}: .*{why}"):
        line(stream, 7, topic, body)
