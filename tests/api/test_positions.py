"""Reading one's own writes: a read that waits for the position a command was answered with."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import date
from threading import Timer
from typing import Any

import pytest
from fastapi import APIRouter, Depends

from projections.api import positions
from projections.api.access import Reader
from projections.api.positions import at_least, followed
from projections.tables import projection
from tests.api.asking import NUMBER, asks, done, signs
from tests.api.serving import Api, served

router = APIRouter()


@router.get("/v1/probe", dependencies=[Depends(at_least("runs"))])
async def probe(caller: Reader) -> dict[str, bool]:
    """A read made from one projection."""
    return {"known": True}


@pytest.fixture
def probed(url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    monkeypatch.setattr(positions, "LONGEST", 1.0)
    with served(url) as api:
        api.adds(router)
        api.app.state.desk.runner.catch_up()
        signs(api)
        yield api


def reads(api: Api, position: int, header: bool = False) -> Any:
    if header:
        return api.gets("/v1/probe", role="reader", headers={"Billing-Position": str(position)})
    return api.gets(f"/v1/probe?at_least={position}", role="reader")


@pytest.mark.parametrize("header", [False, True])
def test_a_read_waits_until_the_projection_has_followed_that_far(
    probed: Api, header: bool, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(positions, "LONGEST", 20.0)  # However busy the machine is.
    answer = asks(probed, f"/v1/contracts/{NUMBER}/notice", {"by": "client"}, on=date(2023, 7, 10))
    position = int(answer.headers["Billing-Position"])
    assert position == done(answer)["position"]
    Timer(0.3, probed.app.state.desk.runner.catch_up).start()
    started = time.monotonic()
    assert reads(probed, position, header).status_code == 200
    assert time.monotonic() - started > 0.25
    assert followed(probed.billing.store, ["runs"]) == position


def test_a_read_that_would_be_older_than_asked_is_not_answered(probed: Api):
    end = probed.billing.store.log_position()
    answer = reads(probed, end)
    assert (answer.status_code, answer.json()["type"]) == (503, "urn:billing:problem:behind")
    assert answer.headers["Retry-After"]
    probed.app.state.desk.runner.catch_up()
    assert reads(probed, end).status_code == 200


def test_a_position_the_log_does_not_have_is_told_from_one_that_is_late(probed: Api):
    answer = reads(probed, 10**6)
    assert (answer.status_code, answer.json()["type"]) == (
        409,
        "urn:billing:problem:position-unknown",
    )


@pytest.mark.parametrize("said", ["-1", "x", str(2**63)])
def test_what_is_no_position_is_refused(probed: Api, said: str):
    assert probed.gets(f"/v1/probe?at_least={said}", role="reader").status_code == 422


def test_a_projection_that_stopped_holds_up_only_those_who_ask_it(probed: Api):
    store, end = probed.billing.store, probed.billing.store.log_position()
    probed.app.state.desk.runner.catch_up()
    with store.transaction() as tx, tx.writing() as connection:
        connection.exec_driver_sql(
            "UPDATE tracking SET notification_id = 1 WHERE application_name = 'projection:runs'"
        )
    assert (followed(store), followed(store, ["runs"])) == (1, 1)
    with store.transaction() as tx, tx.writing() as connection:
        stopped = projection.update().where(projection.c.name == "runs").values(failed_at=2)
        connection.execute(stopped)
    assert (followed(store), followed(store, ["runs"])) == (end, 1)
