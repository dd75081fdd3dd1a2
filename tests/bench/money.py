"""Files for the bank, on this machine: `python -m tests.bench.money`.

A pain.008 of 100,000 collections, checked, written, validated against the official schema, read
again and given its name; and beside it the naive way: the whole tree in memory, amounts formatted
from decimals, the tree validated at once. Each in a new process, medians of three.

`python -m tests.bench.money pain008|pain008_naive N` prints one JSON object.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from time import perf_counter
from xml.etree import ElementTree

from billing.documents.pain008 import Batch, Direct, Message, write
from tests.bench.measures import Figures, peak

COLLECTIONS = 100_000
GOALS = {"seconds": 5, "peak": 150}
DAY = date(2026, 12, 1)
AT = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
CREDITOR = "FR7630004000031234567890143"


def pain008(count: int) -> Figures:
    """As it is handed over."""
    message = asked(count)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        path = Path(folder) / "pain.008.xml"
        start = perf_counter()
        written = write(path, message)
        seconds = perf_counter() - start
        assert written.count == count
        size = path.stat().st_size
    return {"seconds": seconds, "collections": count, "mib": size / 2**20, "peak": peak()}


def pain008_naive(count: int) -> Figures:
    """A tree of everything, then its text, then another tree to validate; nothing else checked."""
    from lxml import etree

    from billing.documents.reread import schema_of

    message = asked(count)
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        path = Path(folder) / "pain.008.xml"
        start = perf_counter()
        ElementTree.ElementTree(_tree(message)).write(path, encoding="UTF-8", xml_declaration=True)
        schema_of("pain.008.001.08").assertValid(etree.parse(path))
        seconds = perf_counter() - start
        size = path.stat().st_size
    return {"seconds": seconds, "collections": count, "mib": size / 2**20, "peak": peak()}


def asked(count: int) -> Message:
    """Collections of as many debtors, a hundred to a bank's branch, in batches of ten thousand."""
    batches = [
        Batch(
            f"BENCH-{first // 10_000 + 1}",
            "Integral Micro",
            CREDITOR,
            "BNPAFRPP",
            "FR72ZZZ123456",
            "CORE",
            "RCUR",
            DAY,
            tuple(collection(place) for place in range(first, min(first + 10_000, count))),
        )
        for first in range(0, count, 10_000)
    ]
    return Message("BENCH", AT, "Integral Micro", tuple(batches))


def collection(place: int) -> Direct:
    """One of them: an account of its own, keys right, an amount, a name, a text."""
    return Direct(
        f"2026-{place:06d}",
        Decimal(place % 90_000 + 1_000).scaleb(-2),
        f"RUM-BC-{place:07d}",
        date(2024, place % 12 + 1, place % 28 + 1),
        f"Société Générale d’Équipement {place}",
        account(place),
        "BNPAFRPP",
        f"Facture 2026-{place:06d} du 15/11/2026 – échéance au 01/12/2026",
    )


def account(place: int) -> str:
    """A French account, by the formulas of its two keys."""
    bank, branch, number = 30004, place // 100 % 100_000, place
    key = 97 - (89 * bank + 15 * branch + 3 * number) % 97
    rest = f"{bank:05d}{branch:05d}{number:011d}{key:02d}"
    return f"FR{98 - int(f'{rest}152700') % 97:02d}{rest}"


def _tree(message: Message) -> ElementTree.Element:
    document = ElementTree.Element(
        "Document", xmlns="urn:iso:std:iso:20022:tech:xsd:pain.008.001.08"
    )
    root = _put(document, "CstmrDrctDbtInitn")
    everything = [one for batch in message.batches for one in batch.collections]
    header = _put(root, "GrpHdr")
    _put(header, "MsgId", message.id)
    _put(header, "CreDtTm", f"{message.created_at:%Y-%m-%dT%H:%M:%S}")
    _sums(header, everything)
    _put(header, "InitgPty Nm", message.initiator)
    for batch in message.batches:
        lot = _put(root, "PmtInf")
        _put(lot, "PmtInfId", batch.id)
        _put(lot, "PmtMtd", "DD")
        _sums(lot, batch.collections)
        _put(lot, "ReqdColltnDt", str(batch.collected_on))
        _put(lot, "Cdtr Nm", batch.creditor)
        _put(lot, "CdtrAcct Id IBAN", batch.iban)
        _put(lot, "CdtrAgt FinInstnId BICFI", batch.bic)
        _put(lot, "CdtrSchmeId Id PrvtId Othr Id", batch.creditor_identifier)
        for one in batch.collections:
            line = _put(lot, "DrctDbtTxInf")
            _put(line, "PmtId EndToEndId", one.end_to_end)
            _put(line, "InstdAmt", f"{one.amount:.2f}").set("Ccy", "EUR")
            mandate = _put(line, "DrctDbtTx MndtRltdInf")
            _put(mandate, "MndtId", one.mandate)
            _put(mandate, "DtOfSgntr", str(one.signed_on))
            _put(line, "DbtrAgt FinInstnId BICFI", one.bic)
            _put(line, "Dbtr Nm", one.debtor)
            _put(line, "DbtrAcct Id IBAN", one.iban)
            _put(line, "RmtInf Ustrd", one.remittance)
    return document


def _sums(above: ElementTree.Element, collections: object) -> None:
    amounts = [one.amount for one in collections]  # type: ignore[attr-defined]
    _put(above, "NbOfTxs", str(len(amounts)))
    _put(above, "CtrlSum", f"{sum(amounts):.2f}")


def _put(above: ElementTree.Element, path: str, text: str | None = None) -> ElementTree.Element:
    for tag in path.split():
        above = ElementTree.SubElement(above, tag)
    above.text = text
    return above


MEASURES: dict[str, Callable[[int], Figures]] = {
    one.__name__: one for one in (pain008, pain008_naive)
}


def measured(name: str, count: int, times: int) -> Figures:
    """The median of each figure, each time in a process of its own."""
    command = [sys.executable, "-m", "tests.bench.money", name, str(count)]
    runs = [
        json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
        for _ in range(times)
    ]
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def bench(count: int = COLLECTIONS, times: int = 3) -> dict[str, Figures]:
    """Every measure, by name."""
    return {name: measured(name, count, times) for name in MEASURES}


def table(found: dict[str, Figures]) -> str:
    """One measure a line."""
    lines = [f"  {'':<16}{'collections':>14}{'seconds':>10}{'peak MiB':>10}{'file MiB':>10}"]
    lines += [
        f"  {name:<16}{one['collections']:>14,.0f}{one['seconds']:>10.2f}{one['peak']:>10,.0f}"
        f"{one['mib']:>10,.0f}"
        for name, one in found.items()
    ]
    return "\n".join(lines)


def main() -> None:
    """One measure as JSON when it is named, else all of them as a table."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.money", description=__doc__)
    parser.add_argument("measure", nargs="?", choices=MEASURES)
    parser.add_argument("count", nargs="?", type=int, default=COLLECTIONS)
    asked = parser.parse_args()
    if asked.measure:
        print(json.dumps(MEASURES[asked.measure](asked.count)))
    else:
        print(table(bench(asked.count)))
        print(f"\nGoals: {GOALS['seconds']} s and {GOALS['peak']} MiB at most.")


if __name__ == "__main__":
    main()
