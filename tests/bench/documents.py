"""Documents as files, on this machine: `python -m tests.bench.documents`.

Invoices of twelve lines and two pages, the second explaining a revision: read from a database, laid
out, their data attached and valid by the official schema, written and digested, by two processes
that start within the measure. Beside it the naive way: for each, fonts and schema are read again,
and the file is written anew to change its metadata. Each in a new process; medians of three.

`python -m tests.bench.documents archive|naive N` prints one JSON object.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from pathlib import Path
from time import perf_counter, process_time

from msgspec.structs import replace

from billing.application import Billing
from billing.application.archive import archive
from billing.application.printed import issues, read
from billing.clauses import Terms
from billing.clauses.fees import Item
from billing.clauses.renewal import Renewal
from billing.clauses.revision import Revision, Weight
from billing.clauses.schedule import Schedule
from billing.dates import month_of
from billing.documents.facturx import check, printed
from billing.documents.facturx.cii import xml_of
from billing.documents.facturx.page import FOLDER, FONTS, page_data, said_to_be_facturx
from billing.events import Event
from billing.events.party import PartyRegistered
from billing.identity import stream
from tests.bench.measures import Figures, peak
from tests.known import party
from tests.scenario import STAMP, House, day, signed

DOCUMENTS = 1_000
LINES = 12
GOAL = 50
CORES = 2
MORE = ("kib", "checked", "at_a_fifth", "cpu_ms")
"""Size of a file, how many saw the schematrons, memory at a fifth of the way, processor time."""
SYNTEC = Revision(indices=(Weight(weight=Decimal(1), series="SYNTEC_REVISED", name="Syntec"),))
TERMS = Terms(revision=SYNTEC, schedule=Schedule(every_months=12), renewal=Renewal(term_months=36))


def archived(count: int) -> Figures:
    """As `billing documents` does it; the schematrons, held against a sample, are told apart."""
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        app = house(Path(folder), count)
        wanted = issues(app, month_of(day("2024-07-01")))
        watched = Watched()
        start = perf_counter()
        report = archive(app, wanted, Path(folder) / "out", processes=CORES, progress=watched.look)
        seconds = perf_counter() - start
        assert (report.made, report.refused) == (count, ()), report
        size = sum(path.stat().st_size for path in Path(folder).glob("out/*.pdf"))
    return {
        "seconds": seconds,
        "documents": count,
        "checked": report.checked,
        "kib": size / count / 1024,
        "cpu_ms": 1000 * sum(watched.seconds.values()) / count,
        "peak": max(watched.peaks.values()),
    }


def one_process(count: int) -> Figures:
    """One process, its caches warm: what a document costs, and how much memory stays."""
    from billing.application.archive import finished

    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        app = house(Path(folder), count)
        names = [one.name for one in issues(app, month_of(day("2024-07-01")))]
        first = 0.0
        start, used = perf_counter(), process_time()
        for place, facts in enumerate(read(app, names), 1):
            finished(facts)  # type: ignore[arg-type]
            if place == max(1, count // 5):
                first = peak()
        seconds, used = perf_counter() - start, process_time() - used
    cpu_ms = 1000 * used / count
    return {
        "seconds": seconds,
        "documents": count,
        "cpu_ms": cpu_ms,
        "peak": peak(),
        "at_a_fifth": first,
    }


def naive(count: int) -> Figures:
    """Nothing is kept from one document to the next."""
    import pikepdf
    import typst
    from lxml import etree

    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        app = house(Path(folder), count)
        names = [one.name for one in issues(app, month_of(day("2024-07-01")))]
        start = perf_counter()
        for facts in read(app, names):
            document = printed(facts)  # type: ignore[arg-type]
            xml = xml_of(document)
            etree.XMLSchema(etree.parse(check.XSD)).assertValid(etree.fromstring(xml))
            data = json.dumps(
                page_data(document) | {"xml": xml.decode()}, default=lambda value: list(value)
            )
            page = typst.compile(
                str(FOLDER / "invoice.typ"),
                root="/",
                font_paths=[str(FONTS)],
                pdf_standards=["a-3b"],
                sys_inputs={"data": data},
            )
            with (
                pikepdf.open(io.BytesIO(page)) as pdf,
                pikepdf.open(io.BytesIO(said_to_be_facturx(page))) as said,
            ):
                pdf.Root.Metadata.write(said.Root.Metadata.read_bytes())
                pdf.save(Path(folder) / f"{document.number}.pdf")
        seconds = perf_counter() - start
    return {"seconds": seconds, "documents": count, "peak": peak()}


def house(folder: Path, count: int) -> Billing:
    """A database of as many contracts, each billed twice, its prices revised in between."""
    app = Billing({"DATABASE_URL": f"sqlite:///{folder / 'bench.db'}"})
    app.publish_shipped()
    house = House()
    events: list[Event] = []
    for place in range(count):
        events.append(_party(f"K{place}", f"Société du Banc d’Essai n° {place} SARL"))
        number = house.sign(
            signed(
                *(_item(place, rank) for rank in range(LINES)),
                terms=TERMS,
                starts_on="2023-07-01",
                number=f"B-{place:06}",
                client=f"K{place}",
            )
        )
        assert number
    house.run("2023-07-02")
    house.run("2024-07-02")
    events.append(_party("S", "Maintenance Exemple SAS"))
    events += [event for history in house.events.values() for event in history]
    events += [replace(document, recorded_at=STAMP.at) for document in house.documents]
    app.write(events)
    return app


def _item(place: int, rank: int) -> Item:
    return Item(
        code=f"POSTE-{rank + 1}",
        label=f"Maintenance du poste {rank + 1}, série {place * 7 % 997}",
        unit_price=Decimal(place % 900 * 100 + rank * 137 + 1999).scaleb(-2),
        quantity=Decimal(rank % 3 + 1),
    )


def _party(code: str, name: str) -> Event:
    """Registered long ago."""
    account = {"iban": "FR7630004000031234567890143", "bic": "BNPAFRPP"}
    return replace(
        PartyRegistered(party=party(code, name=name, **account)),
        originator_id=stream("party", code),
        originator_version=1,
        recorded_at=STAMP.at,
        recorded_by="bench",
    )


class Watched:
    """The processes below this one, looked at each time some documents are made."""

    def __init__(self) -> None:
        self.peaks: dict[str, float] = {}
        self.seconds: dict[str, float] = {}

    def look(self, *_: int) -> None:
        """Memory at most, in MiB, and processor time, in seconds, of each."""
        parents = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                fields = stat.read_text().rpartition(")")[2].split()
                parents[stat.parent.name] = fields[1]
                used = int(fields[11]) + int(fields[12])
                self.seconds[stat.parent.name] = used / os.sysconf("SC_CLK_TCK")
        mine = {str(os.getpid())}
        for _ in range(3):  # The server of processes, and those it makes.
            mine |= {child for child, parent in parents.items() if parent in mine}
        mine.discard(str(os.getpid()))
        self.seconds = {one: used for one, used in self.seconds.items() if one in mine}
        for one in mine:
            with suppress(OSError):
                status = Path(f"/proc/{one}/status").read_text()
                self.peaks[one] = int(status.partition("VmHWM:")[2].split()[0]) / 1024


MEASURES: dict[str, Callable[[int], Figures]] = {
    "archive": archived,
    "one_process": one_process,
    "naive": naive,
}


def measured(name: str, count: int) -> Figures:
    """One measure in a new process."""
    command = [sys.executable, "-m", "tests.bench.documents", name, str(count)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


def main() -> None:
    """All of them, and what they mean beside the goal."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("measure", nargs="?", choices=MEASURES)
    parser.add_argument("count", nargs="?", type=int, default=DOCUMENTS)
    parser.add_argument("--times", type=int, default=3)
    asked = parser.parse_args()
    if asked.measure:
        print(json.dumps(MEASURES[asked.measure](asked.count)))
        return
    rates = {}
    for name, count in (("archive", asked.count), ("one_process", asked.count), ("naive", 40)):
        times = asked.times if name == "archive" else 1
        runs = [measured(name, count) for _ in range(times)]
        rates[name] = statistics.median(run["documents"] / run["seconds"] for run in runs)
        peak = max(run["peak"] for run in runs)
        told = {key: round(figure, 1) for key, figure in runs[0].items() if key in MORE}
        print(
            f"{name:<12} {rates[name]:6.1f} documents/s, {peak:4.0f} MiB a process at most {told}"
        )
    verdict = "met" if rates["archive"] >= GOAL else "MISSED"
    print(
        f"goal: {GOAL} documents/s on {CORES} cores: {verdict}; "
        f"{rates['archive'] / rates['naive']:.1f} × the naive way"
    )


if __name__ == "__main__":
    main()
