"""What an endpoint works with: the application, what follows the log for it, the caller's hand.

One application a process, read by many threads at once; a command is given a twin of it that
records under the caller's name.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from sqlalchemy import Connection
from starlette.requests import Request

from billing.application import Billing
from projections.api.access import Caller
from projections.api.settings import Settings
from projections.runner import Runner


@dataclass(frozen=True)
class Desk:
    """The application behind the API."""

    billing: Billing
    settings: Settings
    runner: Runner

    def acting(self, caller: Caller) -> Billing:
        """The application, for commands: they are recorded by whoever asks."""
        return self.billing.acting(caller.name)

    def reading(self) -> AbstractContextManager[Connection]:
        """A connection to the read model: each statement sees what is committed at that moment."""
        return self.billing.store.reading()


async def desk(request: Request) -> Desk:
    """The desk of the server."""
    found: Desk = request.app.state.desk
    return found


AtDesk = Annotated[Desk, Depends(desk)]
