"""The recorders of the `eventsourcing` library, over the same tables as `Store`.

Configured by `PERSISTENCE_MODULE=billing.store` and `DATABASE_URL`, each possibly with the name
of the application in front. Snapshots are refused: the current states take their place.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Any
from uuid import UUID

from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    InfrastructureFactory,
    ListenNotifySubscription,
    Notification,
    ProcessRecorder,
    ShutDown,
    StoredEvent,
    Subscription,
    Tracking,
    TrackingRecorder,
)
from eventsourcing.utils import Environment, EnvType, resolve_topic

from billing.store.errors import StoreError
from billing.store.store import Store

POLL = 0.2  # Seconds between two looks for what other processes appended.


class StoreRecorder:
    """Anything that records in a store."""

    def __init__(self, store: Store) -> None:
        self.store = store


class StoreAggregateRecorder(StoreRecorder, AggregateRecorder):
    """Streams of events."""

    def insert_events(
        self, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        self._append(stored_events, **kwargs)
        return None

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        id = originator_id if isinstance(originator_id, UUID) else UUID(originator_id)
        return self.store.read_stream(id, gt=gt, lte=lte, desc=desc, limit=limit)

    def _append(
        self,
        stored_events: Sequence[StoredEvent],
        tracking: Tracking | None = None,
        **_: Any,
    ) -> list[int]:
        encoded = self.store.encode(stored_events)
        with self.store.transaction() as tx:
            if tracking:
                tx.track(tracking)
            return list(tx.append(encoded))


class StoreApplicationRecorder(StoreAggregateRecorder, ApplicationRecorder):
    """Streams of events, and the log of all of them."""

    def insert_events(
        self, stored_events: Sequence[StoredEvent], **kwargs: Any
    ) -> Sequence[int] | None:
        return self._append(stored_events, **kwargs)

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        first = 1 if start is None else start + (not inclusive_of_start)
        found = self.store.read_log(max(first, 1), stop, limit, topics)
        return [Notification(id=position, **vars(event)) for position, event in found]

    def max_notification_id(self) -> int | None:
        return self.store.log_position() or None

    def subscribe(
        self, gt: int | None = None, topics: Sequence[str] = ()
    ) -> Subscription[ApplicationRecorder]:
        return StoreSubscription(self, gt, topics)


class StoreSubscription(ListenNotifySubscription[ApplicationRecorder]):
    """The log as it grows: at once when this process appends, polled for the others.

    Projections and the change feed listen to PostgreSQL's NOTIFY besides (postgres.CHANNEL).
    """

    def __init__(
        self, recorder: StoreApplicationRecorder, gt: int | None, topics: Sequence[str]
    ) -> None:
        self._store = recorder.store
        super().__init__(recorder, gt, topics)
        self._store.listen(self._has_been_notified)

    def stop(self) -> None:
        super().stop()
        self._store.unlisten(self._has_been_notified)

    def _loop_on_pull(self) -> None:
        try:
            while not self._has_been_stopped:
                self._has_been_notified.clear()
                self._pull()
                self._has_been_notified.wait(POLL)
        except ShutDown:
            pass  # The queue was closed by `stop`.
        except BaseException as error:
            self._thread_error = error
            self.stop()

    def _pull(self) -> None:
        # Up to the position read first, nothing can appear later: appenders take turns.
        seen = self._last_notification_id or 0
        end = self._store.log_position()
        found = self._store.read_log(seen + 1, end, topics=self._topics)
        while batch := [
            Notification(id=position, **vars(event))
            for position, event in islice(found, self._select_limit)
        ]:
            self._notifications_queue.put(batch)
        self._last_notification_id = max(seen, end)


class StoreTrackingRecorder(StoreRecorder, TrackingRecorder):
    """How far the logs of other applications were followed."""

    def insert_tracking(self, tracking: Tracking) -> None:
        with self.store.transaction() as tx:
            tx.track(tracking)

    def max_tracking_id(self, application_name: str) -> int | None:
        return self.store.tracked(application_name)


class StoreProcessRecorder(StoreTrackingRecorder, StoreApplicationRecorder, ProcessRecorder):
    """Events and the position they answer to, in one transaction."""


class Factory(InfrastructureFactory[StoreTrackingRecorder]):
    """Builds recorders that share one store."""

    DATABASE_URL = "DATABASE_URL"
    POOL_SIZE = "POOL_SIZE"  # As many connections as threads that use them at once.

    def __init__(self, env: Environment | EnvType | None) -> None:
        super().__init__(env)
        url = self.env.get(self.DATABASE_URL)
        if not url:
            raise StoreError("No DATABASE_URL: set it to sqlite:///path/file.db or postgresql://…")
        self.store = Store.open(url, pool_size=int(self.env.get(self.POOL_SIZE, "10")))

    def aggregate_recorder(self, purpose: str = "events") -> AggregateRecorder:
        if purpose != "events":
            raise StoreError(
                f"This store keeps no {purpose}: unset IS_SNAPSHOTTING_ENABLED; the current "
                "states take their place."
            )
        return StoreAggregateRecorder(self.store)

    def application_recorder(self) -> ApplicationRecorder:
        return StoreApplicationRecorder(self.store)

    def tracking_recorder(
        self, tracking_recorder_class: type[StoreTrackingRecorder] | None = None
    ) -> StoreTrackingRecorder:
        if tracking_recorder_class is None:
            topic = self.env.get(self.TRACKING_RECORDER_TOPIC)
            tracking_recorder_class = resolve_topic(topic) if topic else StoreTrackingRecorder
        return tracking_recorder_class(self.store)

    def process_recorder(self) -> ProcessRecorder:
        return StoreProcessRecorder(self.store)

    def close(self) -> None:
        self.store.close()
