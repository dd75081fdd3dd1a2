"""Read your own writes: a question that waits until its answer knows of a command.

A command is answered with the position of its last event (`Billing-Position`); passed back as
`at_least`, or in the same header, it makes a read wait until the read side has followed that far.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from time import monotonic
from typing import Annotated, Final

from anyio import to_thread
from fastapi import Header, Query
from sqlalchemy import select

from billing.store import Store
from billing.store.schema import tracking
from projections.api.deps import AtDesk, Desk
from projections.api.problems import Problem, unavailable
from projections.runner import tracked_as
from projections.tables import projection

HEADER: Final = "Billing-Position"
LONGEST: Final = 5.0  # Seconds a read waits.
PAUSE: Final = 0.02
LAST: Final = 2**62


def followed(store: Store, names: Sequence[str] = ()) -> int:
    """How far the projections of these names, or all that have not stopped, have followed."""
    wanted = [tracked_as(name) for name in names]
    t = tracking.c
    with store.reading() as connection:
        if not wanted:
            going = select(projection.c.name).where(projection.c.failed_at == 0)
            wanted = [tracked_as(name) for name in connection.execute(going).scalars()]
        at = select(t.notification_id).where(t.application_name.in_(wanted))
        found = connection.execute(at).scalars().all()
    return min(found) if found and len(found) == len(wanted) else 0


async def wait_for(desk: Desk, position: int, names: Sequence[str] = ()) -> None:
    """Waits until the read side knows of a position. Raises a Problem when it does not in time."""
    store = desk.billing.store
    until = monotonic() + LONGEST
    while (at := await to_thread.run_sync(followed, store, names)) < position:
        if monotonic() >= until:
            end = await to_thread.run_sync(store.log_position)
            if position > end:
                raise Problem(
                    409,
                    "position-unknown",
                    "There is no such position",
                    f"at_least: {position}; the log ends at {end}",
                )
            raise unavailable(
                "behind", "The answer would be older than asked", f"{at} of {position} are known"
            )
        await asyncio.sleep(PAUSE)


def at_least(*names: str) -> Callable[..., Awaitable[None]]:
    """The dependency of a read made from these projections: Depends(at_least("contracts"))."""

    async def wait(
        desk: AtDesk,
        at_least: Annotated[
            int | None,
            Query(ge=0, le=LAST, description="Wait until the answer knows of this position"),
        ] = None,
        billing_position: Annotated[int | None, Header(ge=0, le=LAST)] = None,
    ) -> None:
        position = max(at_least or 0, billing_position or 0)
        if position:
            await wait_for(desk, position, names)

    return wait
