"""The tables of the desk, which no rebuild touches: keys of the API, what was answered to
whom, and webhooks.

Of a key only a digest stands here. The secret of a webhook stands here as it is, because what is
sent is signed with it. A database user for analysts is given the views, never these tables.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Column, Index, Table, Text

from projections.tables import flag, key, metadata, moment, position, text, whole

DESK: Final = {"desk": True}

api_key = Table(
    "api_key",
    metadata,
    key("id", "What finds it, the part of the key that may be told", primary=True),
    key("name", "Who comes with it: commands are recorded under that name"),
    text("digest", "SHA-256 of the whole key, hexadecimal"),
    text("roles", "What it may do: reader, operator, approver, auditor, admin"),
    text("scopes", "What it may see besides: personal"),
    moment("created_at", "When it was made"),
    text("created_by", "Who made it"),
    moment("expires_at", "From when on it is worth nothing", optional=True),
    moment("revoked_at", "When it was taken back", optional=True),
    text("revoked_by", "Who took it back"),
    moment("last_used_at", "When it was last used, to the minute", optional=True),
    comment="Keys of the API; the keys themselves are kept nowhere",
    info=DESK,
)

idempotency = Table(
    "idempotency",
    metadata,
    key("caller", "Who asked", primary=True),
    key("key", "The Idempotency-Key of the request", primary=True),
    text("digest", "SHA-256 of the method, the path and the body"),
    text("action", "The word of the command"),
    text("state", "under_way, recorded (its events are in the log), answered"),
    text("attempt", "Which attempt it is: one that was taken over may write no more"),
    text("positions", "The positions of the events recorded (JSON: pairs of first and last)"),
    whole("status", "The status answered, 0 while there is none"),
    text("body", "The answer (JSON)"),
    moment("begun_at", "When it was first asked"),
    moment("touched_at", "When it last showed that it lives"),
    Index("idempotency_begun", "begun_at"),
    comment="Commands asked over HTTP, and what was answered: a repeated request is not done twice",
    info=DESK,
)

webhook = Table(
    "webhook",
    metadata,
    key("id", "The webhook", primary=True),
    text("url", "Where events are posted"),
    text("secret", "What they are signed with (whsec_…)"),
    text("topics", "Those it is told of, and groups such as invoice.* (JSON); [] for all"),
    flag("personal", "Whether it is told personal data too"),
    text("state", "active or paused"),
    text("why", "Why it is paused"),
    position("position", "The last event delivered, given up or passed over"),
    whole("dead_in_a_row", "Events given up since the last one delivered"),
    text("claimed_by", "The process that delivers to it now"),
    moment("claimed_until", "Until when", optional=True),
    moment("delivered_at", "When an event was last delivered", optional=True),
    moment("created_at", "When it was registered"),
    text("created_by", "Who registered it"),
    moment("signed_so_until", "Until when the secret before signs too", optional=True),
    Column("secret_before", Text, comment="The secret before, while it signs too"),
    comment="Where other services are told of events",
    info=DESK,
)

delivery = Table(
    "delivery",
    metadata,
    key("webhook", "The webhook", primary=True),
    position("position", "The event", primary=True),
    text("topic", "What kind of event it is"),
    text("state", "waiting (for another attempt), dead (given up), again (asked for once more)"),
    whole("attempts", "How often it was tried"),
    moment("next_at", "When it is tried again", optional=True),
    text("error", "What went wrong the last time"),
    moment("first_at", "When it was first tried"),
    moment("last_at", "When it was last tried"),
    comment="Events a webhook did not take: to be tried again, or given up (dead letters)",
    info=DESK,
)


def utc(moment: datetime | None) -> datetime | None:
    """A moment as it was written: SQLite forgets that it is in UTC."""
    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment
