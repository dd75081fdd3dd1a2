"""Figures of the server and of the record behind it, as Prometheus reads them."""

from __future__ import annotations

from collections.abc import Iterator
from time import monotonic
from typing import Any, Final, NamedTuple

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.process_collector import ProcessCollector
from sqlalchemy import func, select

from billing.application import Billing
from billing.application.states import KINDS
from billing.record import from_stored
from billing.run import Run
from billing.store.schema import events
from projections.runner import Runner, Standing

BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
ASKED_AGAIN: Final = 5.0  # Seconds the figures of the record are kept between two readings.
disable_created_metrics()  # type: ignore[no-untyped-call]  # Nobody asks for them.
BILLED: Final = ("contract.instalment_billed", "contract.set_aside")


class Meters:
    """Counts requests by route and status; what the database knows is asked when it is read."""

    def __init__(self, billing: Billing, runner: Runner) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "billing_http_requests",
            "Requests, by route and status",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "billing_http_request_seconds",
            "How long they took, streams left out",
            ("method", "route"),
            buckets=BUCKETS,
            registry=self.registry,
        )
        self.streams = Gauge("billing_http_streams", "Streams open now", registry=self.registry)
        self._errors = Counter(
            "billing_errors", "Requests that failed by our fault", registry=self.registry
        )
        ProcessCollector(registry=self.registry)
        self.registry.register(Record(billing, runner))
        # Looking a counter up by its labels takes longer than counting.
        self._counted: dict[tuple[str, str, int], Any] = {}
        self._timed: dict[tuple[str, str], Any] = {}

    def request(self, method: str, route: str, status: int, seconds: float | None) -> None:
        """One more request; `seconds` is None for a stream."""
        counted = self._counted.get((method, route, status))
        if counted is None:
            counted = self._requests.labels(method, route, str(status))
            self._counted[method, route, status] = counted
        counted.inc()
        if status == 500:
            self._errors.inc()
        if seconds is not None:
            timed = self._timed.get((method, route))
            if timed is None:
                timed = self._timed[method, route] = self._seconds.labels(method, route)
            timed.observe(seconds)

    def text(self) -> bytes:
        """Everything, in the text format."""
        return generate_latest(self.registry)


class Lag(NamedTuple):
    """How late a projection is."""

    standing: Standing
    seconds: float


def lags(billing: Billing, runner: Runner) -> list[Lag]:
    """How late each projection is: the age of the first event it has not followed."""
    ages: dict[int, float] = {}
    now = billing.clock()
    found = []
    for one in runner.standings():
        if one.behind and one.position not in ages:
            following = billing.store.read_log(one.position + 1, limit=1)
            at = [from_stored(stored).recorded_at for _, stored in following]
            ages[one.position] = max((now - at[0]).total_seconds(), 0.0) if at else 0.0
        found.append(Lag(one, ages.get(one.position, 0.0) if one.behind else 0.0))
    return found


class Record:
    """Figures read from the database when someone asks, not more often than every 5 seconds."""

    def __init__(self, billing: Billing, runner: Runner) -> None:
        self._billing = billing
        self._runner = runner
        self._read: tuple[float, list[Metric]] = (float("-inf"), [])
        self._done: dict[str, int] = {}  # Contracts billed by runs that are closed.

    def describe(self) -> list[Metric]:
        """Nothing: registering reads no database."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The figures."""
        if self._read[0] + ASKED_AGAIN < monotonic():
            self._read = (monotonic(), [*self._projections(), *self._runs(), *self._issued()])
        yield from self._read[1]

    def _projections(self) -> Iterator[Metric]:
        families = {
            name: GaugeMetricFamily(f"billing_projection_{name}", told, labels=["projection"])
            for name, told in {
                "position": "The last position of the log it has followed",
                "behind": "Positions of the log it has still to follow",
                "lag_seconds": "Age of the first event it has not followed",
                "stopped": "1 when it stopped at an event it cannot take",
            }.items()
        }
        for standing, seconds in lags(self._billing, self._runner):
            values = (standing.position, standing.behind, seconds, bool(standing.failed_at))
            for family, value in zip(families.values(), values, strict=True):
                family.add_metric([standing.name], value)
        yield from families.values()
        yield GaugeMetricFamily(
            "billing_log_position",
            "The last position of the log",
            value=self._billing.store.log_position(),
        )

    def _runs(self) -> Iterator[Metric]:
        """The run that was begun last: how far it is, how many contracts it set aside."""
        store = self._billing.store
        runs: list[Run] = [KINDS["run"].decode(row.body) for row in store.states("run")]
        if not runs:
            return
        last = max(runs, key=lambda run: (run.at, run.log_position))
        figures = {
            "opened_seconds": ("When it was begun, seconds since 1970", last.at.timestamp()),
            "finished": ("1 when it is whole", float(last.closed is not None)),
            "contracts_done": ("Contracts it is done with", self._contracts(last)),
            "contracts_left": (
                "Contracts it has still to bill",
                0 if last.closed else store.count_due("contract", last.until),
            ),
            "set_aside": (
                "Contracts it set aside",
                last.closed.set_aside if last.closed else self._events(last, BILLED[1:]),
            ),
        }
        for name, (told, value) in figures.items():
            family = GaugeMetricFamily(
                f"billing_run_{name}", f"The last billing run. {told}", labels=["run"]
            )
            family.add_metric([last.name], value)
            yield family

    def _contracts(self, run: Run) -> int:
        if run.name in self._done:
            return self._done[run.name]
        count = self._events(run, BILLED)
        if run.closed is not None:
            self._done = {run.name: count}
        return count

    def _events(self, run: Run, topics: tuple[str, ...]) -> int:
        """Contracts with such events since the run began: what it bills, it bills after that."""
        query = select(func.count(events.c.originator_id.distinct())).where(
            events.c.position > run.log_position, events.c.topic.in_(topics)
        )
        with self._billing.store.reading() as connection:
            return connection.execute(query).scalar_one()

    def _issued(self) -> Iterator[Metric]:
        issued = CounterMetricFamily(
            "billing_invoices_issued",
            "Numbers taken by invoices and credit notes, by company and year",
            labels=["supplier", "year"],
        )
        for row in self._billing.store.states("numbers"):
            numbers = KINDS["numbers"].decode(row.body)
            issued.add_metric([numbers.supplier, str(numbers.year)], numbers.last)
        yield issued
