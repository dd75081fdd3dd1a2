"""What can go wrong, and the exit code each kind of trouble has: one code, one thing to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

DONE: Final = 0
USAGE: Final = 2
REFUSED: Final = 3
BAD_FILE: Final = 4
BUSY: Final = 5
STORE: Final = 6
CONFLICT: Final = 7
SET_ASIDE: Final = 8
DIFFERENT: Final = 9
INTERNAL: Final = 70
INTERRUPTED: Final = 130
CLOSED: Final = 141

MEANING: Final[dict[int, tuple[str, str]]] = {
    DONE: ("done", "all was done"),
    USAGE: ("usage", "the command line is not understood"),
    REFUSED: ("refused", "the contract, the law or the record does not allow it"),
    BAD_FILE: ("bad file", "a file cannot be taken; every fault is told with its line"),
    BUSY: ("store busy", "another process holds the database; run it again"),
    STORE: ("store", "the database is older, newer, missing or cannot be read"),
    CONFLICT: ("conflict", "someone else changed the same thing; run it again"),
    SET_ASIDE: ("set aside", "`run --strict`: some contracts could not be billed"),
    DIFFERENT: ("different", "`verify`, `audit`: the record and its replay differ"),
    INTERNAL: ("internal", "our fault; the message says where the details are"),
    INTERRUPTED: ("interrupted", "stopped by the keyboard; what was recorded stays"),
}


class Trouble(NamedTuple):
    """What went wrong, as it is told and as the process ends."""

    code: int
    sentence: str
    details: dict[str, Any]

    @property
    def kind(self) -> str:
        """The word for it in JSON."""
        return MEANING[self.code][0]


class Failed(Exception):
    """A command that ends with an exit code of its own, after it told all it had to tell.

    The sentence, if any, goes to stderr.
    """

    def __init__(self, code: int, sentence: str = "", **details: Any) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence
        self.details = details


def trouble_of(error: Exception) -> Trouble | None:
    """What an exception means to the one who ran the command; none when it is our own fault."""
    if isinstance(error, Failed):
        return Trouble(error.code, error.sentence, error.details)
    # Slow to import, and in memory already if the exception is one of theirs.
    from eventsourcing.persistence import PersistenceError

    from billing.forms import BadFile
    from billing.record import UnknownEvent
    from billing.refusal import Refused
    from billing.store import Conflict, StoreBusy
    from indices import BadIndexFile, IndexUnavailable

    told = str(error)
    if isinstance(error, Refused | IndexUnavailable):
        return Trouble(REFUSED, told, {})
    if isinstance(error, BadFile):
        return Trouble(BAD_FILE, told, {"faults": error.errors})
    if isinstance(error, BadIndexFile):
        fault = {
            "path": error.file,
            "line": error.line,
            "key": error.column,
            "value": error.value,
            "expected": error.expected,
        }
        return Trouble(BAD_FILE, told, {"faults": [fault]})
    if isinstance(error, StoreBusy):
        return Trouble(BUSY, told, {})
    if isinstance(error, Conflict):
        return Trouble(CONFLICT, told, {})
    if isinstance(error, PersistenceError | UnknownEvent):
        if "not a database" in told:
            told += " Say another file with --database or DATABASE_URL."
        return Trouble(STORE, told, {})
    return None


def write_details(error: BaseException) -> Path:
    """Leaves the traceback of a fault of ours in a file only its owner reads; where it is."""
    import os
    import sys
    import tempfile
    import traceback
    from datetime import UTC, datetime
    from pathlib import Path

    from billing import __version__

    at = datetime.now(UTC)
    told = "\n".join(
        (
            f"billing {__version__}, Python {sys.version.split()[0]}, {at.isoformat()}",
            without_password(" ".join(sys.argv)),
            "",
            without_password("".join(traceback.format_exception(error))),
        )
    )
    handle, name = tempfile.mkstemp(prefix=f"billing-error-{at:%Y%m%d-%H%M%S}-", suffix=".txt")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(told)
    return Path(name)


def without_password(text: str) -> str:
    """The text, where `scheme://user:password@host` lost its password."""
    import re

    return re.sub(r"(\w+://[^\s:/@]*):[^\s/@]*@", r"\1:…@", text)
