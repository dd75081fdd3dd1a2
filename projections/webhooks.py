"""Webhooks: events posted to other services as they are recorded, signed, in order, until taken.

A message is one event (`type`, `timestamp`, `data`), signed as standardwebhooks says with the
secret of the webhook, and for a day with the one before it when that was changed; `webhook-id` is
the same at every attempt, so that a receiver knows what it has seen. Each webhook has its own
position in the log and is told of one event at a time: the next one waits until this one is taken
(any 2xx). What is not taken is tried again after the delays of SCHEDULE; after the last it is a
dead letter, and the next event has its turn. A webhook that lets DEAD_IN_A_ROW events die, or
answers 410 (gone), is paused: then it is the receiver that is ill, not an event. Dead letters are
kept until they are replayed or their webhook is removed.

Delivered at least once: a process that dies after a receiver took an event tells it again. Several
processes may deliver; each webhook is claimed by one of them at a time.

Where it may go: https, to addresses of the public internet. Names are resolved at every attempt and
the connection is made to the address that was looked at, so that a name cannot move in between.
Private, link-local and loopback networks are refused unless they are allowed (`networks`), and
plain http unless it stays on this machine. Redirects are not followed.
"""

from __future__ import annotations

import os
import secrets
import socket
from base64 import b64encode
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from threading import Event as Flag
from time import monotonic
from typing import Any, Final, NamedTuple
from urllib.parse import SplitResult, urlsplit

import httpx
import msgspec
import structlog
from eventsourcing.persistence import StoredEvent
from sqlalchemy import delete, insert, or_, select, update
from standardwebhooks import Webhook as Signer

from billing.refusal import Refused
from billing.store import Store, StoreError, Tx
from projections import telling
from projections.desk import delivery, utc, webhook
from projections.runner import Closing, listening, wait_for_news

SCHEDULE: Final = tuple(
    timedelta(seconds=seconds) for seconds in (5, 30, 120, 600, 1_800, 3_600, 7_200, 14_400, 28_800)
)
"""What is waited for after each attempt that failed: ten attempts, over some sixteen hours."""
DEAD_IN_A_ROW: Final = 3
MOST: Final = 100  # Webhooks.
AT_ONCE: Final = 8  # Webhooks delivered to at the same time.
WINDOW: Final = 2_000  # Positions of the log looked through at once.
TIMEOUT: Final = 10.0
OVERLAP: Final = timedelta(hours=24)  # A secret goes on signing after another took its place.
LEASE: Final = timedelta(seconds=60)
POLL: Final = 1.0
ANSWER: Final = 4_096  # Bytes of an answer that are read, to keep the connection.
GONE: Final = 410
_log = structlog.get_logger("billing.webhooks")

Address = IPv4Address | IPv6Address


class NoWebhook(Refused):
    """There is no webhook of that id."""


class Hook(NamedTuple):
    """A webhook."""

    id: str
    url: str
    secret: str
    topics: tuple[str, ...]
    personal: bool
    state: str
    why: str
    position: int
    dead_in_a_row: int
    delivered_at: datetime | None
    created_at: datetime
    created_by: str
    secret_before: str | None
    signed_so_until: datetime | None

    def signature(self, id: str, now: datetime, body: str) -> str:
        """Of a message, as standardwebhooks says: by the secret, and by the one before if that
        still signs, with a space between."""
        secrets = [self.secret]
        if self.secret_before and self.signed_so_until and now < self.signed_so_until:
            secrets.append(self.secret_before)
        return " ".join(Signer(one).sign(id, now, body) for one in secrets)


class Letter(NamedTuple):
    """An event a webhook did not take."""

    webhook: str
    position: int
    topic: str
    state: str
    attempts: int
    next_at: datetime | None
    error: str
    first_at: datetime
    last_at: datetime


class Policy(NamedTuple):
    """Where events may be posted besides the public internet."""

    networks: tuple[str, ...] = ()

    def allows(self, address: Address) -> bool:
        """Whether an address may be connected to."""
        seen = _really(address)
        if any(seen in ip_network(one) for one in self.networks):
            return True
        return seen.is_global and not (seen.is_multicast or seen.is_reserved)

    def check(self, url: str) -> SplitResult:
        """The address of a webhook. Raises Refused for one that could never be posted to."""
        try:
            parts = urlsplit(url)
            host, _ = parts.hostname, parts.port
        except ValueError as error:
            raise Refused(f"url: {url}: {error}") from None
        if parts.scheme not in ("https", "http") or not host or not url.isascii():
            raise Refused(f"url: {url}; an address such as https://erp.example.com/hook expected")
        if parts.username or parts.password or parts.fragment:
            raise Refused("url: no user, password or #fragment was expected in it")
        with suppress(ValueError):
            self._must_be_allowed(parts, ip_address(host))
        return parts

    def resolve(self, url: str) -> tuple[SplitResult, Address]:
        """The same, and the address to connect to now."""
        parts = self.check(url)
        host = parts.hostname or ""
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError):
            raise Refused(f"url: {host}: there is no such name") from None
        addresses = [ip_address(str(one[4][0]).partition("%")[0]) for one in found]
        for address in addresses:
            self._must_be_allowed(parts, address)
        return parts, addresses[0]

    def _must_be_allowed(self, parts: SplitResult, address: Address) -> None:
        if not self.allows(address):
            raise Refused(
                f"url: {parts.hostname} is {address}, in a network that events are not posted to"
            )
        if parts.scheme == "http" and not _really(address).is_loopback:
            raise Refused(f"url: {parts.geturl()}; https expected beyond this machine")


PUBLIC: Final = Policy()
_NAT64: Final = IPv6Network("64:ff9b::/96")


def _really(address: Address) -> Address:
    """The IPv4 address that an IPv6 address stands for, if it does."""
    if isinstance(address, IPv4Address):
        return address
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else None) or address


# The desk


class Webhooks:
    """The webhooks of a database: registered, paused, replayed, removed."""

    def __init__(
        self, store: Store, clock: Callable[[], datetime], policy: Policy = PUBLIC
    ) -> None:
        self.store = store
        self.clock = clock
        self.policy = policy

    def add(
        self,
        url: str,
        by: str,
        topics: Iterable[str] = (),
        personal: bool = False,
        after: int | None = None,
    ) -> Hook:
        """Registers one, told of what comes after a position: the end of the log, unless said.

        Its secret is in the answer. Raises Refused.
        """
        self.policy.resolve(url)
        said = tuple(topics)
        telling.topics_of(said)
        end = self.store.log_position()
        if after is not None and not 0 <= after <= end:
            raise Refused(f"after: {after}; a position from 0 to {end} expected")
        if len(self.all()) >= MOST:
            raise Refused(f"there are {MOST} webhooks already; remove one first")
        id = f"wh_{secrets.token_hex(6)}"
        secret = _new_secret()
        with self.store.transaction() as tx, tx.writing() as connection:
            connection.execute(
                insert(webhook).values(
                    id=id,
                    url=url,
                    secret=secret,
                    topics=msgspec.json.encode(said).decode(),
                    personal=personal,
                    state="active",
                    why="",
                    position=end if after is None else after,
                    dead_in_a_row=0,
                    claimed_by="",
                    created_at=self.clock(),
                    created_by=by,
                )
            )
        return self.one(id)

    def all(self) -> list[Hook]:
        """Every webhook, the oldest first."""
        with self.store.reading() as connection:
            rows = connection.execute(select(webhook).order_by(webhook.c.created_at, webhook.c.id))
            return [_hook(row) for row in rows]

    def one(self, id: str) -> Hook:
        """The webhook of that id. Raises NoWebhook."""
        with self.store.reading() as connection:
            row = connection.execute(select(webhook).where(webhook.c.id == id)).first()
        if row is None:
            raise NoWebhook(f"no webhook {id}")
        return _hook(row)

    def pause(self, id: str, why: str = "paused by hand") -> Hook:
        """Tells it nothing until it is resumed; then it goes on where it stopped."""
        return self._set(id, state="paused", why=why)

    def resume(self, id: str) -> Hook:
        """Goes on; what was waiting for its next attempt is tried at once."""
        with self.store.transaction() as tx, tx.writing() as connection:
            mine = (delivery.c.webhook == id, delivery.c.state == "waiting")
            connection.execute(update(delivery).where(*mine).values(next_at=self.clock()))
        return self._set(id, state="active", why="", dead_in_a_row=0)

    def rotate(self, id: str, overlap: timedelta = OVERLAP) -> Hook:
        """Gives it another secret, which is in the answer.

        The one before signs too for as long as `overlap` says, so that the receiver may change at
        its leisure; at once no more when that is nothing, as for a secret that came to be known.
        """
        before = self.one(id)
        return self._set(
            id,
            secret=_new_secret(),
            secret_before=before.secret if overlap else None,
            signed_so_until=self.clock() + overlap if overlap else None,
        )

    def remove(self, id: str) -> None:
        """Forgets it, with its dead letters."""
        self.one(id)
        with self.store.transaction() as tx, tx.writing() as connection:
            connection.execute(delete(delivery).where(delivery.c.webhook == id))
            connection.execute(delete(webhook).where(webhook.c.id == id))

    def replay(self, id: str, after: int) -> Hook:
        """Tells it again all that comes after a position, in order."""
        end = self.store.log_position()
        if not 0 <= after <= end:
            raise Refused(f"after: {after}; a position from 0 to {end} expected")
        with self.store.transaction() as tx, tx.writing() as connection:
            mine = (delivery.c.webhook == id, delivery.c.state == "waiting")
            connection.execute(delete(delivery).where(*mine))
            again = (delivery.c.webhook == id, delivery.c.position > after)
            connection.execute(delete(delivery).where(*again))
        return self._set(id, position=after, state="active", why="", dead_in_a_row=0)

    def replay_dead(self, id: str, position: int | None = None) -> int:
        """Tries dead letters once more, before anything else: one, or all; how many."""
        self.one(id)
        dead = [delivery.c.webhook == id, delivery.c.state == "dead"]
        if position is not None:
            dead.append(delivery.c.position == position)
        with self.store.transaction() as tx, tx.writing() as connection:
            count = connection.execute(update(delivery).where(*dead).values(state="again")).rowcount
        if position is not None and not count:
            raise Refused(f"webhook {id} has no dead letter of position {position}")
        return count

    def letters(self, id: str = "", states: Sequence[str] = ("dead", "again")) -> list[Letter]:
        """Events that were not taken, of one webhook or of all, by position."""
        query = select(delivery).where(delivery.c.state.in_(states))
        if id:
            self.one(id)
            query = query.where(delivery.c.webhook == id)
        with self.store.reading() as connection:
            rows = connection.execute(query.order_by(delivery.c.webhook, delivery.c.position))
            return [_letter(row) for row in rows]

    def _set(self, id: str, **values: Any) -> Hook:
        self.one(id)
        with self.store.transaction() as tx, tx.writing() as connection:
            connection.execute(update(webhook).where(webhook.c.id == id).values(values))
        return self.one(id)


def _new_secret() -> str:
    return f"whsec_{b64encode(secrets.token_bytes(32)).decode()}"


def _hook(row: Any) -> Hook:
    said = {name: getattr(row, name) for name in Hook._fields}
    said["topics"] = tuple(msgspec.json.decode(row.topics))
    moments = ("delivered_at", "created_at", "signed_so_until")
    return Hook(**said | {name: utc(said[name]) for name in moments})


def _letter(row: Any) -> Letter:
    said = {name: getattr(row, name) for name in Letter._fields}
    return Letter(**said | {name: utc(said[name]) for name in ("next_at", "first_at", "last_at")})


# The post


class Answered(NamedTuple):
    """What a receiver said: its status, 0 when there was no answer, and what went wrong."""

    status: int
    error: str = ""

    @property
    def taken(self) -> bool:
        """Whether it has the event now."""
        return 200 <= self.status < 300


Send = Callable[[Hook, dict[str, Any], datetime], Answered]


class Post:
    """Sends messages: one at a time to each receiver, over a connection that is kept."""

    def __init__(self, policy: Policy, timeout: float = TIMEOUT) -> None:
        self._policy = policy
        self._timeout = timeout
        self._client = httpx.Client(
            timeout=httpx.Timeout(timeout, connect=timeout / 2),
            follow_redirects=False,
            trust_env=False,
            headers={"User-Agent": "billing-webhooks", "Content-Type": "application/json"},
        )

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def __call__(self, hook: Hook, event: dict[str, Any], now: datetime) -> Answered:
        """Posts an event, signed at that moment."""
        message = {"type": event["topic"], "timestamp": event["recorded_at"], "data": event}
        body = msgspec.json.encode(message)
        id = f"msg_{hook.id}_{event['position']}"
        try:
            parts, address = self._policy.resolve(hook.url)
            shown = f"[{address}]" if address.version == 6 else str(address)
            port = f":{parts.port}" if parts.port else ""
            headers = {
                "Host": parts.netloc,
                "webhook-id": id,
                "webhook-timestamp": str(int(now.timestamp())),
                "webhook-signature": hook.signature(id, now, body.decode()),
            }
            return self._posted(parts._replace(netloc=f"{shown}{port}"), parts, headers, body)
        except Refused as error:
            return Answered(0, str(error))
        except httpx.HTTPError as error:
            return Answered(0, f"{type(error).__name__}: {error}"[:300])

    def _posted(
        self, place: SplitResult, parts: SplitResult, headers: dict[str, str], body: bytes
    ) -> Answered:
        until = monotonic() + self._timeout
        with self._client.stream(
            "POST",
            place.geturl(),
            content=body,
            headers=headers,
            extensions={"sni_hostname": parts.hostname or ""},
        ) as answer:
            size = 0
            for chunk in answer.iter_raw():
                size += len(chunk)
                if size > ANSWER or monotonic() > until:
                    break
            status = answer.status_code
        if 200 <= status < 300:
            return Answered(status)
        return Answered(status, f"HTTP {status} {answer.reason_phrase}".strip())


# The round


class Courier:
    """Delivers: a round looks at every webhook, and each is served by one thread."""

    def __init__(
        self,
        webhooks: Webhooks,
        send: Send | None = None,
        schedule: Sequence[timedelta] = SCHEDULE,
    ) -> None:
        self.webhooks = webhooks
        self.store = webhooks.store
        self.clock = webhooks.clock
        self.name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(4)}"
        self.schedule = schedule
        self._post = Post(webhooks.policy) if send is None else None
        self._send: Send = send or self._post  # type: ignore[assignment]
        self._serving: dict[str, Future[None]] = {}
        self._stop = Flag()
        self._woken = Flag()

    def stop(self) -> None:
        """Ends the rounds after the messages under way."""
        self._stop.set()
        self._woken.set()

    def run(self) -> None:
        """Rounds as events come, until stopped. A database that is away is asked again."""
        self.store.listen(self._woken)
        try:
            with ThreadPoolExecutor(AT_ONCE, "webhook") as threads:
                while not self._stop.is_set():
                    try:
                        with Closing(listening(self.store)) as heard:
                            while not self._stop.is_set():
                                self._round(threads)
                                wait_for_news(self._woken, heard, POLL)
                                self._woken.clear()
                    except StoreError as error:
                        _log.warning("webhooks wait for the database", error=str(error))
                        self._stop.wait(POLL)
        finally:
            self.store.unlisten(self._woken)
            if self._post is not None:
                self._post.close()

    def once(self) -> None:
        """One round to its end: everything that can be delivered now is."""
        with ThreadPoolExecutor(AT_ONCE, "webhook") as threads:
            self._round(threads)
        for future in self._serving.values():
            future.result()

    def _round(self, threads: ThreadPoolExecutor) -> None:
        active = [hook for hook in self.webhooks.all() if hook.state == "active"]
        if not active:
            return
        end, now = self.store.log_position(), self.clock()
        letters = self.webhooks.letters(states=("again", "waiting"))
        due = {one.webhook for one in letters if one.next_at is None or one.next_at <= now}
        wait = {one.webhook for one in letters if one.state == "waiting"} - due
        for hook in active:
            under_way = self._serving.get(hook.id)
            wanted = hook.id in due or (hook.position < end and hook.id not in wait)
            if wanted and (under_way is None or under_way.done()):
                self._serving[hook.id] = threads.submit(self._serve, hook.id)

    def _serve(self, id: str) -> None:
        try:
            if self._claim(id):
                try:
                    _Turn(self, self.webhooks.one(id)).take()
                finally:
                    self._let_go(id)
        except (StoreError, Refused) as error:  # Busy, or removed meanwhile.
            _log.warning("webhook not served", webhook=id, error=str(error))
        except Exception:
            _log.exception("webhook not served", webhook=id)

    def _claim(self, id: str) -> bool:
        now = self.clock()
        c = webhook.c
        free = or_(c.claimed_by.in_(("", self.name)), c.claimed_until < now)
        with self.store.transaction() as tx, tx.writing() as connection:
            claimed = connection.execute(
                update(webhook)
                .where(c.id == id, c.state == "active", free)
                .values(claimed_by=self.name, claimed_until=now + LEASE)
            )
        return bool(claimed.rowcount)

    def _let_go(self, id: str) -> None:
        with self.store.transaction() as tx, tx.writing() as connection:
            mine = (webhook.c.id == id, webhook.c.claimed_by == self.name)
            connection.execute(
                update(webhook).where(*mine).values(claimed_by="", claimed_until=None)
            )


class _Turn:
    """One webhook's turn: dead letters asked for again, what waits, then what is new."""

    def __init__(self, courier: Courier, hook: Hook) -> None:
        self._courier = courier
        self._hook = hook
        self._topics = telling.topics_of(hook.topics)
        self._store = courier.store
        self._claimed_at = courier.clock()

    def take(self) -> None:
        """Delivers all that can be delivered now."""
        webhooks, id = self._courier.webhooks, self._hook.id
        for letter in webhooks.letters(id, ["again"]):
            if not self._again(letter):
                return
        for letter in webhooks.letters(id, ["waiting"]):
            if letter.next_at and letter.next_at > self._courier.clock():
                return
            if not self._next(letter.position, self._event(letter.position), letter):
                return
        while not self._courier._stop.is_set():
            start, end = self._hook.position, self._store.log_position()
            stop = min(end, start + WINDOW)
            if stop <= start:
                return
            for position, stored in self._store.read_log(start + 1, stop, topics=self._topics):
                if not self._next(position, stored):
                    return
            if self._hook.position < stop and not self._moved(stop, {}):
                return

    def _event(self, position: int) -> StoredEvent:
        ((_, stored),) = self._store.read_log(position, position)
        return stored

    def _sent(self, position: int, stored: StoredEvent) -> Answered:
        told = telling.told(position, stored, self._hook.personal)
        return self._courier._send(self._hook, told, self._courier.clock())

    def _next(self, position: int, stored: StoredEvent, before: Letter | None = None) -> bool:
        """Delivers the next event; whether the one after it may follow."""
        if self._courier._stop.is_set() or not self._still_ours():
            return False
        answer = self._sent(position, stored)
        now = self._courier.clock()
        if answer.taken:
            return self._moved(position, {"delivered_at": now, "dead_in_a_row": 0}, before)
        attempts = (before.attempts if before else 0) + 1
        letter = Letter(
            self._hook.id,
            position,
            stored.topic,
            "waiting",
            attempts,
            None,
            answer.error,
            before.first_at if before else now,
            now,
        )
        log = _log.bind(webhook=self._hook.id, position=position, attempts=attempts)
        if answer.status == GONE:
            log.warning("webhook is gone", error=answer.error)
            why = "it answered 410: gone"
            return self._failed(letter._replace(next_at=now), {"state": "paused", "why": why})
        if attempts <= len(self._courier.schedule):
            log.info("event not taken", error=answer.error)
            wait = self._courier.schedule[attempts - 1]
            return self._failed(letter._replace(next_at=now + wait), {})
        log.warning("event given up", error=answer.error)
        dead = self._hook.dead_in_a_row + 1
        values: dict[str, Any] = {"dead_in_a_row": dead}
        if dead >= DEAD_IN_A_ROW:
            why = f"{dead} events in a row were given up: {answer.error}"
            values |= {"state": "paused", "why": why}
        return self._moved(position, values, letter._replace(state="dead"))

    def _again(self, letter: Letter) -> bool:
        """Tries a dead letter once more; whether the webhook is still ours."""
        if self._courier._stop.is_set() or not self._still_ours():
            return False
        answer = self._sent(letter.position, self._event(letter.position))
        with self._store.transaction() as tx:
            if answer.taken:
                _forget(tx, letter)
            else:
                tried = letter.attempts + 1
                still = letter._replace(state="dead", attempts=tried, error=answer.error)
                _write(tx, still._replace(last_at=self._courier.clock()))
        return True

    def _still_ours(self) -> bool:
        """Claims it for another while; whether it is there, active, and no one else's."""
        if self._courier.clock() < self._claimed_at + LEASE / 2:
            return True
        return self._update({}, self._hook.position)

    def _moved(self, position: int, values: dict[str, Any], letter: Letter | None = None) -> bool:
        """Goes on to a position; a letter is forgotten, or kept when it is dead."""
        return self._update(values | {"position": position}, self._hook.position, letter)

    def _failed(self, letter: Letter, values: dict[str, Any]) -> bool:
        """Keeps a letter for its next attempt; nothing else may follow now."""
        self._update(values, self._hook.position, letter)
        return False

    def _update(self, values: dict[str, Any], at: int, letter: Letter | None = None) -> bool:
        """Writes how it stands, unless someone replayed, paused or claimed it meanwhile."""
        c = webhook.c
        now = self._courier.clock()
        with self._store.transaction() as tx:
            with tx.writing() as connection:
                row = connection.execute(
                    update(webhook)
                    .where(c.id == self._hook.id, c.claimed_by == self._courier.name)
                    .where(c.position == at)
                    .values({"claimed_until": now + LEASE, **values})
                    .returning(*(c[name] for name in Hook._fields))
                ).first()
            if row is None:
                return False
            if letter is not None and letter.state == "waiting" and "position" in values:
                _forget(tx, letter)
            elif letter is not None:
                _write(tx, letter)
        self._hook, self._claimed_at = _hook(row), now
        return self._hook.state == "active"


def _forget(tx: Tx, letter: Letter) -> None:
    with tx.writing() as connection:
        mine = (delivery.c.webhook == letter.webhook, delivery.c.position == letter.position)
        connection.execute(delete(delivery).where(*mine))


def _write(tx: Tx, letter: Letter) -> None:
    _forget(tx, letter)
    with tx.writing() as connection:
        connection.execute(insert(delivery).values(letter._asdict()))
