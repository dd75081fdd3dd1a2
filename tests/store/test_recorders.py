"""The library's own tests of recorders and of their factory, on both databases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar
from uuid import UUID

import pytest
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import InfrastructureFactory, IntegrityError
from eventsourcing.tests import persistence as library
from eventsourcing.utils import Environment

from billing.store import Factory, Store, StoreError
from billing.store import recorders as ours
from tests.postgres import Server


class OnSQLite:
    __test__ = True

    @pytest.fixture(autouse=True)
    def _address(self, tmp_path: Path) -> None:
        self.url = f"sqlite:///{tmp_path}/store.db"


class OnPostgreSQL:
    __test__ = True

    @pytest.fixture(autouse=True)
    def _address(self, postgres: Server) -> Iterator[None]:
        with postgres.database() as self.url:
            yield


class Recorder:
    __test__ = False  # Only once it knows on which database.
    url: str
    recorder: ClassVar[type[ours.StoreRecorder]]

    def create_recorder(self) -> Any:
        store = Store.open(self.url, lock_timeout=30)
        self.addCleanup(store.close)  # type: ignore[attr-defined]
        return self.recorder(store)


class AggregateRecorder(Recorder, library.AggregateRecorderTestCase):
    recorder = ours.StoreAggregateRecorder


class ApplicationRecorder(Recorder, library.ApplicationRecorderTestCase[Any]):
    recorder = ours.StoreApplicationRecorder

    def test_insert_subscribe(self) -> None:
        self.optional_test_insert_subscribe()


class NonInterleaving(Recorder, library.NonInterleavingNotificationIDsBaseCase):
    recorder = ours.StoreApplicationRecorder


class TrackingRecorder(Recorder, library.TrackingRecorderTestCase):
    recorder = ours.StoreTrackingRecorder


class ProcessRecorder(Recorder, library.ProcessRecorderTestCase):
    recorder = ours.StoreProcessRecorder


class MyTrackingRecorder(ours.StoreTrackingRecorder):
    """A tracking recorder of another application."""


class RecorderFactory(library.InfrastructureFactoryTestCase[Factory]):
    __test__ = False
    url: str

    def setUp(self) -> None:
        self.env = Environment("Billing")
        self.env[InfrastructureFactory.PERSISTENCE_MODULE] = "billing.store"
        self.env[Factory.DATABASE_URL] = self.url
        super().setUp()

    def expected_factory_class(self) -> type[Factory]:
        return Factory

    def expected_aggregate_recorder_class(self) -> type[ours.StoreAggregateRecorder]:
        return ours.StoreAggregateRecorder

    def expected_application_recorder_class(self) -> type[ours.StoreApplicationRecorder]:
        return ours.StoreApplicationRecorder

    def expected_tracking_recorder_class(self) -> type[ours.StoreTrackingRecorder]:
        return ours.StoreTrackingRecorder

    def tracking_recorder_subclass(self) -> type[ours.StoreTrackingRecorder]:
        return MyTrackingRecorder

    def expected_process_recorder_class(self) -> type[ours.StoreProcessRecorder]:
        return ours.StoreProcessRecorder


# fmt: off
class TestAggregateRecorderOnSQLite(OnSQLite, AggregateRecorder): ...
class TestAggregateRecorderOnPostgreSQL(OnPostgreSQL, AggregateRecorder): ...
class TestApplicationRecorderOnSQLite(OnSQLite, ApplicationRecorder): ...
class TestApplicationRecorderOnPostgreSQL(OnPostgreSQL, ApplicationRecorder): ...
class TestNonInterleavingOnSQLite(OnSQLite, NonInterleaving): ...
class TestNonInterleavingOnPostgreSQL(OnPostgreSQL, NonInterleaving): ...
class TestTrackingRecorderOnSQLite(OnSQLite, TrackingRecorder): ...
class TestTrackingRecorderOnPostgreSQL(OnPostgreSQL, TrackingRecorder): ...
class TestProcessRecorderOnSQLite(OnSQLite, ProcessRecorder): ...
class TestProcessRecorderOnPostgreSQL(OnPostgreSQL, ProcessRecorder): ...
class TestFactoryOnSQLite(OnSQLite, RecorderFactory): ...
class TestFactoryOnPostgreSQL(OnPostgreSQL, RecorderFactory): ...
# fmt: on


class Machine(Aggregate):
    @event("Repaired")
    def repair(self) -> None: ...


def environment(url: str) -> dict[str, str]:
    return {"PERSISTENCE_MODULE": "billing.store", "DATABASE_URL": url}


def test_an_application_of_the_library_keeps_its_events_here(url: str) -> None:
    with Application[UUID](environment(url)) as application:
        machine = Machine()
        machine.repair()
        machine.repair()
        application.save(machine)
        assert [n.id for n in application.notification_log.select(1, 10)] == [1, 2, 3]
        stale: Machine = application.repository.get(machine.id, version=2)
        stale.repair()
        with pytest.raises(IntegrityError):
            application.save(stale)
    with Application[UUID](environment(url)) as application:
        assert application.repository.get(machine.id).version == 3


def test_the_application_and_the_store_share_one_engine_and_its_tables(url: str) -> None:
    with Application[UUID](environment(url)) as application:
        application.save(Machine())
        recorder = application.recorder
        assert isinstance(recorder, ours.StoreApplicationRecorder)
        assert recorder.store.log_position() == 1


def test_snapshots_are_refused_in_favour_of_the_current_states(url: str) -> None:
    with pytest.raises(StoreError, match="unset IS_SNAPSHOTTING_ENABLED"):
        Application[UUID](environment(url) | {"IS_SNAPSHOTTING_ENABLED": "y"})


def test_without_an_address_the_factory_says_what_to_set() -> None:
    with pytest.raises(StoreError, match="set it to sqlite"):
        Factory({})
