"""Documents as files: one, or all of a month with their digests (Factur-X)."""

from __future__ import annotations

from collections.abc import Iterator, Sized
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from billing.cli import Session, exits, pass_session
from billing.cli.batch import MONTH, progress_bar
from billing.cli.output import counted

if TYPE_CHECKING:
    from billing.application.archive import Report
    from billing.documents.facturx import Brand

BRANDS = click.option(
    "--brands",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="BILLING_BRANDS",
    metavar="FILE",
    help="Logos, colours and letterheads of the suppliers, as TOML. Else BILLING_BRANDS.",
)

OUT = click.option(
    "--out",
    type=click.Path(),
    default=".",
    metavar="FILE|DIR",
    help="The .pdf (or .xml) file; else the folder it goes to under its own name (here).",
)


def written(out: str, name: str, content: bytes) -> Path:
    """Writes the file, or in the folder, made when missing; a path that ends with / is one."""
    from billing.application.archive import write

    path, kind = Path(out), Path(name).suffix
    if out.endswith("/") or path.suffix.lower() not in (".pdf", ".xml") or path.is_dir():
        path /= name
    elif path.suffix.lower() != kind:
        raise exits.Failed(exits.USAGE, f"--out {out}: a {kind} file or a folder was expected")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, content)
    except OSError as error:
        raise exits.Failed(exits.BAD_FILE, f"{path}: {error.strerror}") from None
    return path


@click.command("print")
@click.argument("number")
@click.option("--supplier", default="", metavar="CODE", help="Whose, where several bear NUMBER.")
@OUT
@click.option("--xml", is_flag=True, help="Only the data, without its page.")
@click.option("--unchecked", is_flag=True, help="Leave out the schematrons; the schema is held.")
@BRANDS
@pass_session
def print_(
    session: Session,
    number: str,
    supplier: str,
    out: str,
    xml: bool,
    unchecked: bool,
    brands: Path | None,
) -> None:
    """Print the document NUMBER as Factur-X: a page to read, with its data (EN 16931) inside.

    The same events give the same bytes. The data are held against the official schema and, unless
    --unchecked, the schematrons.
    """
    from hashlib import sha256

    from billing.application.archive import file_name
    from billing.application.printed import Name, facts
    from billing.documents.facturx import PLAIN, check, data_of, pdf_of

    found = facts(session.app, number, supplier)
    document, data = data_of(found)
    if not unchecked:
        check.hold(found, data)
    brand = brands_of(brands).get(document.supplier.code, PLAIN)
    content = data if xml else pdf_of(document, data, brand)
    name = file_name(Name(document.supplier.code, document.number))
    path = written(out, f"{name.removesuffix('.pdf')}.xml" if xml else name, content)
    told = {"document": number, "file": str(path), "sha256": sha256(content).hexdigest()}
    session.out.say(told, f"{path}: {document.title} {document.number}, {len(content):,} bytes")


@click.command()
@click.argument("month", type=MONTH)
@click.option(
    "--out",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    required=True,
    metavar="DIR",
    help="Where the files go, with SHA256SUMS.",
)
@click.option("--strict", is_flag=True, help="Hold every document against the schematrons.")
@click.option("--processes", type=click.IntRange(min=1), help="How many at once; else the cores.")
@BRANDS
@pass_session
def documents(
    session: Session,
    month: date,
    folder: Path,
    strict: bool,
    processes: int | None,
    brands: Path | None,
) -> None:
    """Make every document issued in a MONTH, named by number, with a manifest of digests.

    Given again it makes only what lacks or differs. All are held against the official schema, a
    sample against the schematrons. Exit 3 when a document could not be made; the others are.
    """
    from billing.application.archive import archive
    from billing.application.printed import issues
    from billing.dates import month_of

    app = session.app
    wanted = issues(app, month_of(month))
    with into(folder), progress_bar(session, f"{month:%Y-%m}", "documents/s") as progress:
        report = archive(
            app,
            wanted,
            folder,
            brands_of(brands),
            strict=strict,
            processes=processes,
            progress=progress,
        )
    session.out.say(report, lambda: _told(report, month))
    none_refused(report.refused, "document")


@contextmanager
def into(folder: Path) -> Iterator[None]:
    """What may stop whoever fills a folder, as its command ends."""
    try:
        yield
    except KeyboardInterrupt:
        raise exits.Failed(
            exits.INTERRUPTED,
            "stopped. What was made is there; give the same command again for the rest.",
        ) from None
    except OSError as error:
        raise exits.Failed(exits.BAD_FILE, f"{folder}: {error.strerror}") from None


def none_refused(refused: Sized, what: str) -> None:
    """Exit 3 when some could not be made, once all has been told."""
    if refused:
        raise exits.Failed(exits.REFUSED, f"{counted(len(refused), what)} could not be made")


def _told(report: Report, month: date) -> str:
    kept = f", {report.kept} there already" if report.kept else ""
    told = [f"{report.folder}: {counted(report.made, 'document')} of {month:%Y-%m} made{kept}."]
    if report.made:
        told.append(f"All valid by the schema, {report.checked} held against the schematrons.")
    told += [f"  {one.refused}" for one in report.refused]
    return "\n".join([*told, f"Digest of all: {report.digest}"])


def brands_of(path: Path | None) -> dict[str, Brand]:
    """The suppliers' brands of a file; none without one."""
    from billing.documents.facturx import read_brands

    return {} if path is None else read_brands(path)
