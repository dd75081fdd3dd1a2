"""API keys: made at random, shown once, kept as a digest; each may do what it was given to do.

`bk_<id>_<secret>`: the id (12 hexadecimal digits) finds the row and may be told; the secret (256
bits) is told by nobody. What is kept is the SHA-256 of the whole: of 256 random bits there is
nothing to guess, so nothing slower is needed.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final, NamedTuple

from sqlalchemy import ColumnElement, Connection, insert, or_, select, update

from billing.refusal import Refused
from billing.store import Store
from projections.api.settings import ROLES
from projections.desk import api_key, utc

PREFIX: Final = "bk_"
SCOPES: Final = {"personal": "names, addresses, telephones, e-mails and IBAN of people"}
USED_EVERY: Final = timedelta(minutes=1)
_WRITTEN: Final = re.compile(r"bk_([0-9a-f]{12})_[A-Za-z0-9_-]{43}")
_NAME: Final = re.compile(r"[\w.@+ -]{1,60}")


class Key(NamedTuple):
    """A key, without its secret."""

    id: str
    name: str
    digest: str
    roles: frozenset[str]
    scopes: frozenset[str]
    created_at: datetime
    created_by: str
    expires_at: datetime | None
    revoked_at: datetime | None
    revoked_by: str
    last_used_at: datetime | None

    def state(self, now: datetime) -> str:
        """Whether it opens anything: valid, revoked or expired."""
        if self.revoked_at is not None:
            return "revoked"
        expired = self.expires_at is not None and self.expires_at <= now
        return "expired" if expired else "valid"

    def opens(self, presented: str) -> bool:
        """Whether this is the key presented."""
        return secrets.compare_digest(self.digest, digest_of(presented))


def digest_of(presented: str) -> str:
    """What is kept of a key."""
    return sha256(presented.encode()).hexdigest()


def id_of(presented: str) -> str:
    """The id within a key; "" when it is not written as a key."""
    found = _WRITTEN.fullmatch(presented)
    return found[1] if found else ""


def add(
    store: Store,
    name: str,
    roles: Iterable[str],
    scopes: Iterable[str] = (),
    *,
    by: str,
    at: datetime,
    expires_at: datetime | None = None,
) -> str:
    """Makes a key; returns it, and no one ever can again."""
    roles, scopes = sorted(set(roles)), sorted(set(scopes))
    if not _NAME.fullmatch(name):
        raise Refused(f"name {name!r}: 1 to 60 letters, digits, spaces and .@+-_ were expected")
    if not roles or set(roles) - set(ROLES):
        raise Refused(f"roles {', '.join(roles) or 'none'}: some of {', '.join(ROLES)} expected")
    if wrong := set(scopes) - SCOPES.keys():
        raise Refused(f"scope {min(wrong)!r}: one of {', '.join(SCOPES)} was expected")
    if expires_at is not None and expires_at <= at:
        raise Refused(f"expires at {expires_at.isoformat()}: a moment to come was expected")
    id = secrets.token_hex(6)
    made = f"{PREFIX}{id}_{secrets.token_urlsafe(32)}"
    with store.transaction() as tx, tx.writing() as connection:
        connection.execute(
            insert(api_key).values(
                id=id,
                name=name,
                digest=digest_of(made),
                roles=" ".join(roles),
                scopes=" ".join(scopes),
                created_at=at,
                created_by=by,
                expires_at=expires_at,
                revoked_by="",
            )
        )
    return made


def find(store: Store, id: str) -> Key | None:
    """The key of that id."""
    with store.reading() as connection:
        return next(iter(_read(connection, api_key.c.id == id)), None)


def listed(store: Store) -> list[Key]:
    """All keys there have been, the first made first."""
    with store.reading() as connection:
        return _read(connection)


def revoke(store: Store, named: str, *, by: str, at: datetime) -> list[Key]:
    """Takes back the key of that id, or the keys of that name; those that were valid."""
    with store.transaction() as tx, tx.writing() as connection:
        found = _read(connection, or_(api_key.c.id == named, api_key.c.name == named))
        if not found:
            raise Refused(f"no key {named!r}; `billing key list` shows those there are")
        valid = [one for one in found if one.revoked_at is None]
        if not valid:
            raise Refused(f"key {named!r} was already revoked on {found[-1].revoked_at:%Y-%m-%d}")
        connection.execute(
            update(api_key)
            .where(api_key.c.id.in_([one.id for one in valid]))
            .values(revoked_at=at, revoked_by=by)
        )
    return valid


def used(store: Store, id: str, at: datetime) -> None:
    """Notes that a key was used, at most once a minute."""
    long_ago = or_(api_key.c.last_used_at.is_(None), api_key.c.last_used_at < at - USED_EVERY)
    with store.transaction() as tx, tx.writing() as connection:
        connection.execute(
            update(api_key).where(api_key.c.id == id, long_ago).values(last_used_at=at)
        )


def _read(connection: Connection, *conditions: ColumnElement[bool]) -> list[Key]:
    query = select(api_key).where(*conditions).order_by(api_key.c.created_at, api_key.c.id)
    return [Key(*map(_read_as, Key._fields, row)) for row in connection.execute(query)]


def _read_as(name: str, value: Any) -> Any:
    if name in ("roles", "scopes"):
        return frozenset(value.split())
    if isinstance(value, datetime):
        return utc(value)
    return value
