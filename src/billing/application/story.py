"""The demo's story: the lives in `billing/demo` and a run every month, played once (démonstration).

Each step is recorded under its own name, in the transaction of what it does: a story that was
stopped goes on after the last step the log holds, and one that is whole is never played again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time
from hashlib import sha256
from pathlib import Path
from typing import Final, NamedTuple

import billing
from billing.application.actions import Action, Run
from billing.application.core import PARIS, Billing
from billing.application.lives import read_life
from billing.dates import add_months
from billing.events.run import BillingRunOpened
from billing.record import from_stored
from billing.refusal import Refused

FOLDER: Final = Path(billing.__file__).parent / "demo"
FIRST_RUN: Final = date(2021, 11, 1)
LAST_RUN: Final = date(2026, 11, 1)
TODAY: Final = date(2026, 11, 22)
"""The day the story is told from."""

_STEP = re.compile(r"demo, step (\d+) \((\w+)\)")


class Step(NamedTuple):
    """One thing that happens in the story, and its day."""

    on: date
    action: Action


class Story(NamedTuple):
    """All steps in order; the digest names this version of them."""

    steps: tuple[Step, ...]
    digest: str


def story() -> Story:
    """The lives, each on its days, and a run on the first of every month, after that day's rest."""
    steps: list[tuple[date, bool, Step]] = []
    digest = sha256()
    for path in sorted(FOLDER.glob("lives/*.toml")):
        life = read_life(path)
        steps += ((one.on, False, Step(one.on, one.action)) for one in life.actions)
    for path in sorted(FOLDER.rglob("*.toml")):
        digest.update(path.read_bytes())
    month = FIRST_RUN
    while month <= LAST_RUN:
        steps.append((month, True, Step(month, Run(month=f"{month:%Y-%m}"))))
        month = add_months(month, 1)
    steps.sort(key=lambda one: one[:2])
    return Story(tuple(step for _, _, step in steps), digest.hexdigest()[:8])


def done(app: Billing, told: Story) -> int:
    """How many steps the log holds; raises Refused when it holds something else."""
    last, others = 0, False
    for _, stored in app.store.read_log():
        event = from_stored(stored)
        by = event.recorded_by
        if found := _STEP.fullmatch(by):
            if found[2] != told.digest:
                raise Refused(
                    "this database was made by another version of the demo: remove it, or name "
                    "another with --database"
                )
            if not isinstance(event, BillingRunOpened):
                last = max(last, int(found[1]))
        elif by != "shipped data" and not by.startswith("run "):
            others = True
    if others and not last:
        raise Refused(
            "this database holds other contracts: the demo plays in one of its own (--database)"
        )
    return last


def play(
    app: Billing, told: Story, after: int, progress: Callable[[int, int], None] | None = None
) -> None:
    """Carries out the steps after the first `after`, each with the clock at nine on its day."""
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
