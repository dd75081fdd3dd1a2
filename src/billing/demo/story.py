"""The demo's story: contracts' lives, and every month billed, collected, chased (démonstration).

A month is a run on the first, direct debits handed over on the 5th and the 25th, the bank's
statement on the last day, then the arrears pass. Each step is recorded under its own name, in the
transactions of what it does: a story that was stopped goes on after the last step the log holds,
and one that is whole is never played again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

from billing.application.actions import Action, Chase, Collect, Run
from billing.application.core import PARIS, Billing
from billing.application.lives import read_life
from billing.dates import DAY, add_months, end_of_month
from billing.demo.bank import Statement
from billing.events import Event
from billing.events.party import MandateLapsed
from billing.events.payment import BankFileImported
from billing.events.run import BillingRunOpened
from billing.record import from_stored
from billing.refusal import Refused

FOLDER: Final = Path(__file__).parent
FIRST_RUN: Final = date(2021, 11, 1)
LAST_RUN: Final = date(2026, 11, 1)
TODAY: Final = date(2026, 11, 22)
"""The day the story is told from."""
LAST_STATEMENT: Final = date(2026, 11, 20)
COLLECTED: Final = (5, 25)
"""Days of the month: a bank takes a debit at most two weeks ahead."""

_STEP = re.compile(r"demo, step (\d+) \((\w+)\)")


class Step(NamedTuple):
    """One thing that happens in the story, and its day."""

    on: date
    action: Action | Statement


class Story(NamedTuple):
    """All steps in order; the digest names this version of them. Files go to and from `bank`."""

    steps: tuple[Step, ...]
    digest: str
    bank: Path


def story(bank: Path) -> Story:
    """The lives, each on its days, then what is done every month, after that day's rest."""
    steps: list[tuple[date, int, Step]] = []
    digest = sha256()
    for path in [*sorted(FOLDER.glob("lives/*.toml")), FOLDER / "money.toml"]:
        life = read_life(path)
        steps += ((one.on, 0, Step(one.on, one.action)) for one in life.actions)
    for path in sorted(FOLDER.rglob("*.toml")):
        digest.update(path.read_bytes())
    month = FIRST_RUN
    while month <= LAST_RUN:
        steps += ((one.on, rank, one) for rank, one in enumerate(_month(month, bank), 1))
        month = add_months(month, 1)
    steps.sort(key=lambda one: one[:2])
    return Story(tuple(step for _, _, step in steps), digest.hexdigest()[:8], bank)


def _month(first: date, bank: Path) -> Iterator[Step]:
    """What is done in a month, whatever else happens in it."""
    yield Step(first, Run(month=f"{first:%Y-%m}"))
    last = min(end_of_month(first), LAST_STATEMENT)
    for day in COLLECTED:
        if (on := first.replace(day=day)) <= last:
            yield Step(on, Collect(path=str(bank)))
    yield Step(last, Statement(first - DAY, last, bank))
    yield Step(last, Chase())


def done(app: Billing, told: Story) -> int:
    """How many steps the log holds; raises Refused when it holds something else."""
    last, others = 0, False
    for _, stored in app.store.read_log():
        event = from_stored(stored)
        by = event.recorded_by
        if found := _STEP.fullmatch(by):
            if found[2] != told.digest:
                raise Refused(
                    "this database was made by another version of the demo: remove it and the "
                    f"folder {told.bank}, or name another with --database"
                )
            rank = int(found[1])
            if _ends(told.steps[rank - 1], event):
                last = max(last, rank)
        elif by != "shipped data" and not by.startswith("run "):
            others = True
    if others and not last:
        raise Refused(
            "this database holds other contracts: the demo plays in one of its own (--database)"
        )
    return last


def _ends(step: Step, event: Event) -> bool:
    """Whether the event is of the last transaction of its step; one stopped before is done again.

    Whoever gives a run, a collection or a file of the bank again does only what is left of it.
    """
    if isinstance(step.action, Statement):
        return isinstance(event, BankFileImported)
    return not isinstance(event, BillingRunOpened | MandateLapsed)


def play(
    app: Billing, told: Story, after: int, progress: Callable[[int, int], None] | None = None
) -> None:
    """Carries out the steps after the first `after`, each with the clock at nine on its day."""
    if not after and any(told.bank.glob("*.xml")):
        raise Refused(
            f"{told.bank} holds files of the bank of another demo: remove that folder, or name "
            "another database with --database"
        )
    clock, user = app.clock, app.user
    try:
        for rank, step in _left(told, after):
            app.clock = lambda day=step.on: at(day)  # type: ignore[misc]
            app.user = f"demo, step {rank} ({told.digest})"
            step.action.perform(app)
            if progress is not None:
                progress(rank, len(told.steps))
    finally:
        app.clock, app.user = clock, user


def _left(told: Story, after: int) -> Iterator[tuple[int, Step]]:
    for rank, step in enumerate(told.steps, 1):
        if rank > after:
            yield rank, step


def at(day: date) -> datetime:
    """Nine o'clock in Paris on that day."""
    return datetime.combine(day, time(9), PARIS).astimezone(UTC)


def tell_from(app: Billing) -> None:
    """Sets the clock to the day the story is told from."""
    app.clock = lambda: at(TODAY)
