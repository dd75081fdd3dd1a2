"""More than memory holds, put in order: runs sorted in memory, merged from the disk."""

from __future__ import annotations

import heapq
import os
from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter
from struct import Struct as Packed
from tempfile import TemporaryFile
from typing import Self

HELD = 1 << 22  # Bytes held before a run goes to the disk; some five times that with the objects.
BLOCK = 1 << 16
_SIZES = Packed(">II")
_key = itemgetter(0)

Row = tuple[bytes, bytes]


class SortedOnDisk:
    """Values under keys, given in any order, taken in that of the keys; equal ones as given.

    All runs lie in one file, one after another: however many, they take one handle.
    """

    def __init__(self, held: int = HELD) -> None:
        self._held = held
        self._rows: list[Row] = []
        self._bytes = 0
        self._file = TemporaryFile(buffering=BLOCK)  # noqa: SIM115 (closed by __exit__)
        self._ends = [0]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def add(self, key: bytes, value: bytes) -> None:
        """One more."""
        self._rows.append((key, value))
        self._bytes += len(key) + len(value)
        if self._bytes > self._held:
            self._spill()

    def __iter__(self) -> Iterator[Row]:
        """All of them, in order."""
        self._rows.sort(key=_key)
        self._file.flush()
        runs = [self._run(*bounds) for bounds in zip(self._ends, self._ends[1:], strict=False)]
        return heapq.merge(*runs, iter(self._rows), key=_key)

    def groups(self, length: int) -> Iterator[list[bytes]]:
        """The values whose keys begin with the same so many bytes, together."""
        for _, rows in groupby(self, lambda row: row[0][:length]):
            yield [value for _, value in rows]

    def _spill(self) -> None:
        self._rows.sort(key=_key)
        for key, value in self._rows:
            self._file.write(_SIZES.pack(len(key), len(value)) + key + value)
        self._ends.append(self._file.tell())
        self._rows, self._bytes = [], 0

    def _run(self, at: int, end: int) -> Iterator[Row]:
        handle, held = self._file.fileno(), b""
        while at < end or held:
            place = 0
            while len(held) - place >= _SIZES.size:
                key, value = _SIZES.unpack_from(held, place)
                first, last = place + _SIZES.size, place + _SIZES.size + key + value
                if last > len(held):
                    break
                yield held[first : first + key], held[first + key : last]
                place = last
            block = os.pread(handle, min(BLOCK, end - at), at)
            at += len(block)
            held = held[place:] + block
