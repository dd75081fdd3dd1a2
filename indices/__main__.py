"""`python -m indices`: is the shipped reference sound; `show`: what was known on a day."""

import argparse
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from fractions import Fraction
from itertools import groupby, pairwise
from pathlib import Path
from typing import Literal

from msgspec import Struct

from indices.catalog import CATALOG, DATA, shipped, value_files
from indices.importers import BadIndexFile, diff, read, read_holes, read_links
from indices.series import (
    Frequency,
    IndexBook,
    IndexUnavailable,
    Link,
    Observation,
    next_period,
)


class Finding(Struct, frozen=True):
    """Something to say of a series. Only an error fails the check."""

    series: str
    gravity: Literal["error", "hole", "note"]
    text: str


def findings(
    observations: Sequence[Observation],
    links: Iterable[Link],
    holes: Iterable[tuple[str, str]],
) -> Iterator[Finding]:
    """What is wrong, missing or worth knowing in a set of values, in the order of its series."""
    book = IndexBook(CATALOG.values(), observations, links)
    found = diff(IndexBook(CATALOG.values()), observations)
    for remark in found.refused:
        yield Finding(remark.observation.series, "error", remark.reason)
    for remark in found.warnings:
        yield Finding(remark.observation.series, "note", remark.reason)
    declared = set(holes)
    for series, of_series in groupby(observations, key=lambda o: o.series):
        yield from _in_sequence(series, list(of_series), declared)
    for series, period in sorted(declared):
        if book.versions(series, period):
            yield Finding(series, "error", f"{period} is declared a hole and has a value")
    yield from _succession(book)


def _in_sequence(
    series: str, listed: Sequence[Observation], declared: set[tuple[str, str]]
) -> Iterator[Finding]:
    for one, after in pairwise(listed):
        if (after.period, after.published_on) <= (one.period, one.published_on):
            yield Finding(series, "error", f"{after.period} is given twice or out of order")
        elif (frequency := CATALOG[series].frequency) != "step":
            missing = list(_between(frequency, one.period, after.period))
            for known, stretch in groupby(missing, key=lambda period: (series, period) in declared):
                first, *others = stretch
                text = f"{first} to {others[-1]} are missing" if others else f"{first} is missing"
                yield Finding(
                    series, "hole" if known else "error", text if known else f"{text}, undeclared"
                )


def _between(frequency: Frequency, one: str, other: str) -> Iterator[str]:
    while (one := next_period(frequency, one)) < other:
        yield one


def _succession(book: IndexBook) -> Iterator[Finding]:
    for link in book.links():
        pair = f"link {link.old_series} → {link.new_series}"
        if not {link.old_series, link.new_series} <= set(CATALOG):
            yield Finding(link.old_series, "error", f"{pair}: a series not in the catalogue")
            continue
        old, new = (book.versions(s, link.at) for s in (link.old_series, link.new_series))
        # Both scales at the link: the coefficient must give back the old value as printed.
        if old and new:
            gap = Fraction(new[0].value) * Fraction(link.coefficient) - Fraction(old[0].value)
            if abs(gap) > Fraction(1, 20):
                text = f"{pair}: {new[0].value} × {link.coefficient} is not {old[0].value}"
                yield Finding(link.old_series, "error", text)
    for series in CATALOG.values():
        if series.successor and series.successor not in CATALOG:
            yield Finding(series.id, "error", f"{series.successor} is not in the catalogue")
        elif series.ended:
            try:
                book.resolve(series.id, series.ended)
            except IndexUnavailable as stopped:
                yield Finding(series.id, "note", stopped.why)


def check(directory: Path) -> int:
    """Print the state of the values in a folder; 1 if something is wrong, else 0."""
    try:
        observations = [o for path in value_files(directory) for o in read(path, CATALOG)]
        links = read_links(directory / "links.csv")
        holes = read_holes(directory / "holes.csv", CATALOG)
    except BadIndexFile as bad:
        print(f"error  {bad}")
        return 1
    found = list(findings(observations, links, holes))
    print(f"{'series':28}{'values':>7} {'from':11}{'to':11}{'last':>7}  dated  holes  confidence")
    for name in CATALOG:
        listed = [o for o in observations if o.series == name]
        if not listed:
            print(f"{name:28}{'none':>7}")
            continue
        last = listed[-1]
        estimated = sum(o.estimated for o in listed)
        missing = sum(series == name for series, _ in holes)
        sure = ", ".join(
            f"{count} {how}" for how, count in Counter(o.confidence for o in listed).items()
        )
        print(
            f"{name:28}{len(listed):7} {listed[0].period:11}{last.period:11}{last.value:>7}"
            f"{len(listed) - estimated:7}{missing:7}  {sure}"
        )
    print("dated: publication day known; the others are estimated from the declared lag")
    for finding in found:
        print(f"{finding.gravity:6} {finding.series}: {finding.text}")
    errors = sum(finding.gravity == "error" for finding in found)
    print(f"{len(observations)} values, {len(links)} links, {errors} errors")
    return 1 if errors else 0


def show(name: str, on: date, policy: str) -> int:
    """Print what a clause would read on a day: an index last known, or a rate in force."""
    book = shipped()
    try:
        read_for = book.resolve(name, on)
        ask = book.in_force if read_for.scope in ("rate", "tax") else book.last_known
        reading = ask(name, on, policy)
    except IndexUnavailable as refused:
        print(refused, file=sys.stderr)
        return 1
    estimated = " (estimated)" if reading.estimated else ""
    print(f"{reading.series} {reading.period} = {reading.value}")
    print(f"published on {reading.published_on}{estimated}, {reading.confidence}")
    print(f"source: {reading.source}")
    return 0


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m indices", description=__doc__)
    asked = parser.add_subparsers(dest="asked")
    checked = asked.add_parser("check", help="gaps, order, sources, links (what runs by default)")
    checked.add_argument("directory", type=Path, nargs="?", default=DATA)
    shown = asked.add_parser("show", help="what a clause reads on a day")
    shown.add_argument("series")
    shown.add_argument("--on", type=date.fromisoformat, required=True, metavar="YYYY-MM-DD")
    shown.add_argument("--policy", choices=("first", "definitive"), default="first")
    given = parser.parse_args(arguments)
    if given.asked == "show":
        return show(given.series, given.on, given.policy)
    return check(given.directory if given.asked else DATA)


if __name__ == "__main__":
    sys.exit(main())
