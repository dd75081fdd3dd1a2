"""The history: a line for every event, in words, on the day it is about."""

from __future__ import annotations

from sqlalchemy import func, select

from billing.application import words
from billing.identity import contract_id, invoice_id
from projections.history import history


def test_it_has_a_line_for_every_event_of_the_log(retold, told):
    with retold.store.reading() as connection:
        rows = connection.execute(select(history).order_by(history.c.position)).all()
    assert [row.position for row in rows] == list(range(1, len(told) + 1))
    for row, event in zip(rows, told, strict=True):
        assert (row.stream, row.version) == (event.originator_id, event.originator_version)
        assert (row.topic, row.told) == (event.TOPIC, words.told(event))
        assert (row.on_day, row.recorded_by) == (words.happened_on(event), event.recorded_by)


def test_a_contract_s_lines_are_those_of_its_stream(retold):
    number = "SC-2024-031"
    with retold.store.reading() as connection:
        lines = connection.execute(
            select(history.c.version, history.c.told)
            .where(history.c.stream == contract_id(number))
            .order_by(history.c.version)
        ).all()
    seen = retold.app.history(number)
    assert [tuple(line) for line in lines] == [(e.originator_version, words.told(e)) for e in seen]
    assert lines[0].told.startswith("signed with CONGRES-LUBERON")


def test_a_debit_note_happens_on_the_day_it_is_issued_not_when_it_is_due(retold):
    with retold.store.reading() as connection:
        row = connection.execute(
            select(history.c.on_day, func.count())
            .where(history.c.stream == invoice_id("SICONTACT", "SC2026-000005"))
            .where(history.c.topic == "invoice.debit_note_issued")
            .group_by(history.c.on_day)
        ).one()
    assert tuple(map(str, row)) == ("2026-11-20", "1")
