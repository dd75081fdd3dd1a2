"""The documents of a month as files, with their digests: made again at will (archive).

Each file is written beside its place and renamed, so that a name never stands for half of one. A
journal keeps the digest of what was made: given again, only what lacks or differs is made. The
files are not flushed to the disk one by one: one lost with the power has no longer its digest.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager, suppress
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from tempfile import mkstemp
from typing import Final, NamedTuple

from billing import __version__
from billing.application.core import Billing
from billing.application.printed import Issue, Name, read
from billing.documents.facturx import PLAIN, Brand, Facts, check, data_of, pdf_of
from billing.refusal import Refused

SUMS: Final = "SHA256SUMS"
JOURNAL: Final = f".{SUMS}.part"
CHUNK: Final = 20
"""Documents a process makes before it tells."""
ALONE: Final = 2 * CHUNK
"""So few are made here: another process takes a second to start."""
SAMPLED: Final = 100
"""One document in so many is held against the schematrons too, and the first of each kind."""
RENEWED: Final = 100
"""Chunks after which a process gives way to a new one, so that memory stays flat."""

Progress = Callable[[int, int], None]


class Made(NamedTuple):
    """A document made: the digest of its file; or `refused`, why it could not be."""

    name: Name
    digest: str = ""
    checked: bool = False
    refused: str = ""


class Report(NamedTuple):
    """What came of an archive; `kept` were there already, with the right digest.

    `digest` is that of the manifest's lines of the documents asked for.
    """

    folder: str
    made: int
    kept: int
    checked: int
    refused: tuple[Made, ...]
    digest: str


def file_name(name: Name, shared: bool = False) -> str:
    """The file of a document: its number, after its supplier where another has that number."""
    number = name.number.replace("/", "-")
    return f"{name.supplier}-{number}.pdf" if shared else f"{number}.pdf"


def archive(
    app: Billing,
    issues: Sequence[Issue],
    folder: Path,
    brands: Mapping[str, Brand] | None = None,
    *,
    strict: bool = False,
    processes: int | None = None,
    progress: Progress | None = None,
) -> Report:
    """Makes the files of these documents, or what of them is not there yet.

    `strict` holds every document against the schematrons, made before or not.
    """
    brands = brands or {}
    folder.mkdir(parents=True, exist_ok=True)
    files = _files(issues)
    by = made_by(brands)
    known = _known(folder, by)
    wanted = [one for one in issues if strict or not _there(folder / files[one.name], known)]
    kept = len(issues) - len(wanted)
    tasks = [
        [(one.name, files[one.name], checked) for one in some]
        for checked, some in _tasks(wanted, strict)
    ]
    found: list[Made] = []
    digests = dict(known)
    with _journal(folder, by, digests) as journal:
        for some in _carried_out(app, tasks, folder, brands, processes):
            for made in some:
                found.append(made)
                if made.digest:
                    digests[files[made.name]] = made.digest
                    journal(files[made.name], made.digest)
            if progress:
                progress(kept + len(found), len(issues))
    return Report(
        str(folder),
        sum(1 for made in found if made.digest),
        kept,
        sum(made.checked for made in found),
        tuple(made for made in found if made.refused),
        _publish(folder, by, digests, sorted(files.values())),
    )


def _files(issues: Sequence[Issue]) -> dict[Name, str]:
    bearing = Counter(one.name.number for one in issues)
    return {one.name: file_name(one.name, bearing[one.name.number] > 1) for one in issues}


def _tasks(wanted: Sequence[Issue], strict: bool) -> Iterator[tuple[bool, Sequence[Issue]]]:
    """Some documents at a time; those held against the schematrons first, and together.

    A process takes a second to learn the rules: so few need to.
    """
    sample = _sample(wanted, strict)
    for checked in (True, False):
        some = [one for one in wanted if (one.name in sample) is checked]
        for start in range(0, len(some), CHUNK):
            yield checked, some[start : start + CHUNK]


def _sample(wanted: Sequence[Issue], strict: bool) -> set[Name]:
    if strict:
        return {one.name for one in wanted}
    first = {one.kind: one.name for one in reversed(wanted)}
    return {*first.values(), *(one.name for one in wanted[::SAMPLED])}


# Making


Task = list[tuple[Name, str, bool]]


def _carried_out(
    app: Billing,
    tasks: list[Task],
    folder: Path,
    brands: Mapping[str, Brand],
    processes: int | None,
) -> Iterator[list[Made]]:
    url = str(app.env["DATABASE_URL"])
    processes = processes or os.cpu_count() or 1
    private = url in ("sqlite://", "sqlite:///:memory:")
    if private or processes == 1 or sum(map(len, tasks)) <= ALONE:
        for task in tasks:
            yield list(make(app, task, folder, brands))
        return
    context = get_context("forkserver")  # One that has imported all of this, and no thread.
    context.set_forkserver_preload([__name__])
    pool = ProcessPoolExecutor(
        processes,
        mp_context=context,
        initializer=_begin,
        initargs=(url, str(folder), dict(brands)),
        max_tasks_per_child=RENEWED,
    )
    try:
        for done in as_completed([pool.submit(_make, task) for task in tasks]):
            yield done.result()
    finally:
        pool.shutdown(cancel_futures=True)


class _Worker(NamedTuple):
    app: Billing
    folder: Path
    brands: Mapping[str, Brand]


_workers: list[_Worker] = []


def _begin(url: str, folder: str, brands: Mapping[str, Brand]) -> None:
    # As many processes as cores already: typst's own threads would only wait for one another.
    os.environ.setdefault("RAYON_NUM_THREADS", "1")
    _workers[:] = [_Worker(Billing({"DATABASE_URL": url}), Path(folder), brands)]


def _make(task: Task) -> list[Made]:
    (worker,) = _workers
    return list(make(worker.app, task, worker.folder, worker.brands))


def make(app: Billing, task: Task, folder: Path, brands: Mapping[str, Brand]) -> Iterator[Made]:
    """Makes these files, one after another; what cannot be made is told, and the rest goes on."""
    for one, (name, file, checked) in zip(
        read(app, [name for name, _, _ in task]), task, strict=True
    ):
        if isinstance(one, Refused):
            yield Made(name, refused=str(one))
            continue
        try:
            pdf = finished(one, brands.get(name.supplier, PLAIN), checked)
        except (Refused, check.Invalid) as refused:
            yield Made(name, refused=str(refused))
        else:
            write(folder / file, pdf)
            yield Made(name, sha256(pdf).hexdigest(), checked)


def finished(facts: Facts, brand: Brand = PLAIN, checked: bool = False) -> bytes:
    """The file of a document, its data valid by the schema; `checked`: by the schematrons too."""
    document, xml = data_of(facts)
    if checked:
        check.hold(facts, xml)
    return pdf_of(document, xml, brand)


def write(path: Path, content: bytes) -> None:
    """The file at once, or not at all; one that is there is replaced."""
    handle, temporary = mkstemp(prefix=f".{path.name}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(temporary).chmod(0o644)
        Path(temporary).replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(temporary).unlink()
        raise


# Digests


def made_by(brands: Mapping[str, Brand]) -> str:
    """What a file depends on besides its events: the engine and the brands, logos included."""
    told = sha256(repr(sorted((code, brand) for code, brand in brands.items())).encode())
    for brand in brands.values():
        if brand.logo:
            told.update(Path(brand.logo).read_bytes())
    return f"# billing-engine {__version__}, brands {told.hexdigest()[:16]}"


def _known(folder: Path, by: str) -> dict[str, str]:
    """The digests told before, by file; none when they were told by something else."""
    found: dict[str, str] = {}
    for name in (SUMS, JOURNAL):
        path = folder / name
        lines = path.read_text("utf-8").splitlines() if path.exists() else []
        if lines[:1] != [by]:
            continue
        for line in lines[1:]:
            digest, _, file = line.partition("  ")
            if len(digest) == 64 and file:  # The last line may be cut.
                found[file] = digest
    return found


def _there(path: Path, known: Mapping[str, str]) -> bool:
    digest = known.get(path.name)
    return digest is not None and path.is_file() and sha256(path.read_bytes()).hexdigest() == digest


@contextmanager
def _journal(
    folder: Path, by: str, digests: Mapping[str, str]
) -> Iterator[Callable[[str, str], None]]:
    with (folder / JOURNAL).open("w", encoding="utf-8") as file:
        file.write(f"{by}\n" + "".join(f"{d}  {name}\n" for name, d in digests.items()))
        file.flush()

        def told(name: str, digest: str) -> None:
            file.write(f"{digest}  {name}\n")
            file.flush()

        yield told


def _publish(folder: Path, by: str, digests: Mapping[str, str], asked: Sequence[str]) -> str:
    """Writes the manifest, as `sha256sum --check` reads it; the digest of the lines asked for."""
    lines = {name: f"{digests[name]}  {name}\n" for name in sorted(digests)}
    write(folder / SUMS, f"{by}\n{''.join(lines.values())}".encode())
    (folder / JOURNAL).unlink()
    return sha256("".join(lines.get(name, "") for name in asked).encode()).hexdigest()
