"""Commands over HTTP: every action has a path (`vocabulary`), and is done once for a key.

The body has the fields of the action, as in life files: amounts are texts, days ISO. What is wrong
in it is told field by field; what the contract or the law does not allow is refused in a sentence.
The answer has the events recorded and their position: pass it back as `at_least` to read what you
wrote.

A long command (a run, a file of debits, a bank's file, a chase) is waited for as long as `Prefer:
wait=SECONDS` says; then the answer is 202, and /v1/commands/KEY tells what becomes of it.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path as Place
from tempfile import TemporaryDirectory
from typing import Annotated, Any, Final, NamedTuple, cast

import msgspec
import structlog
from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Depends, FastAPI, Path, Query, Request, Response
from msgspec.structs import replace

from billing.application import Billing, collections, preview, runs
from billing.application.actions import ACTIONS, Action, Run, action_of, month_of
from billing.events.payment import CollectionFileSubmitted
from billing.forms import BadFile
from billing.forms.toml_text import NotExact
from billing.identity import invoice_id
from billing.month import month_days
from billing.refusal import Refused
from billing.store import Store
from projections import telling
from projections.api import access, vocabulary
from projections.api.access import Caller, Operator, Reader, need_personal
from projections.api.command_schemas import (
    COMPONENTS,
    JSON,
    SHOWN,
    TOML,
    WAIT,
    documented,
    responses,
)
from projections.api.deps import AtDesk, Desk
from projections.api.idempotency import Answer, Ask, More, Once, Positions, digest_of, key_of
from projections.api.positions import HEADER
from projections.api.problems import (
    MEDIA_TYPE,
    Fault,
    Problem,
    faulty,
    forbidden,
    problem_of,
    unknown,
)
from projections.api.vocabulary import ROUTES, Route

LONGEST_WAIT: Final = 60.0
LONG_AT_ONCE: Final = 4
PREVIEWED: Final = 200

router = APIRouter(tags=["Commands"])
TAGS: Final = [{"name": "Commands", "description": vocabulary.__doc__}]
_log = structlog.get_logger("billing.commands")
_decode = msgspec.json.Decoder(float_hook=NotExact).decode


class Stopped(BaseException):
    """The server stops: a run ends between two chunks, and goes on when it is asked for again."""


@dataclass
class Commands:
    """What carries out the commands of a server.

    Fewer at once than there are connections: each may hold one while it waits for the append lock,
    and whoever holds the lock may need another.
    """

    once: Once
    limiter: CapacityLimiter
    long: ThreadPoolExecutor
    stopping: bool = False
    shipped: bool = False
    progress: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)

    def stop(self) -> None:
        """Begins no more long ones, and ends the runs under way."""
        self.stopping = True
        self.long.shutdown(wait=False, cancel_futures=True)

    def ready(self, billing: Billing) -> None:
        """Records the series that ship, once a process: a command then has one transaction."""
        if not self.shipped:
            billing.publish_shipped()
            self.shipped = True


@asynccontextmanager
async def running(app: FastAPI) -> AsyncIterator[None]:
    """What commands need while the server runs."""
    desk: Desk = app.state.desk
    found = app.state.commands = Commands(
        Once(desk.billing.store, desk.billing.clock),
        CapacityLimiter(max(1, desk.settings.pool // 2)),
        ThreadPoolExecutor(LONG_AT_ONCE, "command"),
    )
    app.state.on_stop.append(found.stop)
    try:
        yield
    finally:
        found.stop()
        await to_thread.run_sync(partial(found.long.shutdown, wait=True))


class Command(NamedTuple):
    """One request for an action."""

    word: str
    route: Route
    action: Action
    content: str
    name: str
    ask: Ask
    caller: Caller
    desk: Desk
    of: Commands

    def act(self, store: Store) -> More:
        """Performs it, recorded by the caller."""
        billing = self.desk.billing
        self.of.ready(billing)
        app = billing.acting(self.caller.name, store)
        _must_exist(app, self.route, self.action)
        if isinstance(self.action, Run):
            return {"run": _report(self._run(app, self.action))}
        with TemporaryDirectory() as folder, _unplaced(folder):
            told = self._with_file(folder).told(app)
        return {
            "findings": msgspec.to_builtins(told.findings),
            "changes": list(told.changes),
        }

    def _with_file(self, folder: str) -> Action:
        if self.word == "collect":
            return replace(self.action, path=folder)
        if not self.content:
            return self.action
        path = Place(folder, self.name)
        path.write_text(self.content, "utf-8")
        return replace(self.action, path=str(path))

    def _run(self, app: Billing, run: Run) -> runs.Report:
        def progress(done: int, of: int) -> None:
            self.of.progress[self.ask.caller, self.ask.key] = (done, of)
            if self.of.stopping:
                raise Stopped

        first, until = month_days(month_of(run.month))
        return runs.run(app, first, until, run.month, progress)

    def tell(self, more: More, positions: Positions) -> bytes:
        """The answer: what was recorded, and what there is to say besides."""
        store = self.desk.billing.store
        body: dict[str, Any] = {
            "position": positions[-1][1] if positions else store.log_position(),
            "recorded": sum(last - first + 1 for first, last in positions),
            "events": [] if self.word == "run" else list(self._events(store, positions)),
            "findings": [],
            "changes": [],
        }
        if self.word == "collect":
            body["files"] = list(_files(store, positions))
        return msgspec.json.encode(body | more)

    def _events(self, store: Store, positions: Positions) -> Iterator[dict[str, Any]]:
        left = SHOWN
        for first, last in positions:
            for position, stored in store.read_log(first, last, left):
                left -= 1
                yield telling.told(position, stored, self.caller.personal)
            if not left:
                return

    def fail(self, error: Exception) -> Answer:
        """What a long command is answered that went wrong."""
        problem = problem_of(error)
        if problem.status_code >= 500:
            _log.error("command failed", key=self.ask.key, action=self.word, exc_info=error)
        response = problem.response()
        return Answer(response.status_code, bytes(response.body))


# Asking


async def _asked(request: Request, desk: Desk, caller: Caller, word: str) -> Response:
    route = ROUTES[word]
    key = key_of(request.headers.get("idempotency-key"))
    body = await request.body()
    action, content, name = _action(request, word, route, body)
    _permit(caller, route, action)
    commands: Commands = request.app.state.commands
    digest = digest_of(request.method, request.url.path, body)
    ask = Ask(caller.name, key, word, digest, route.status)
    command = Command(word, route, action, content, name, ask, caller, desk, commands)
    if route.long:
        return await _long(request, command)
    perform = partial(commands.once.perform, ask, command.act, command.tell)
    answer = await to_thread.run_sync(perform, limiter=commands.limiter)
    return await _answered(command, answer)


async def _long(request: Request, command: Command) -> Response:
    commands, ask = command.of, command.ask
    wait = _wait(request.headers.get("prefer", ""))
    begin = partial(commands.once.begin, ask, command.act, command.tell, command.fail)
    begun = await to_thread.run_sync(begin, limiter=commands.limiter)
    if isinstance(begun, Answer):
        return await _answered(command, begun)
    future = commands.long.submit(_carried_out, command, begun)
    waiting = asyncio.wrap_future(future)
    waiting.add_done_callback(_seen)
    done, _ = await asyncio.wait([waiting], timeout=wait)
    if not done:
        return _accepted(ask)
    if future.cancelled() or isinstance(future.exception(), Stopped):
        told = "ask again with the same key: it goes on where it stopped"
        raise Problem(503, "stopping", "The server stops", told, {"Retry-After": "5"})
    return await _answered(command, future.result())


def _seen(future: asyncio.Future[Answer]) -> None:
    """Nobody may be waiting any more: what went wrong was logged where it did."""
    if not future.cancelled():
        future.exception()


def _carried_out(command: Command, work: Callable[[], Answer]) -> Answer:
    ask = command.ask
    log = _log.bind(key=ask.key, action=ask.action, about=command.action.about)
    log.info("command begun")
    try:
        answer = work()
        log.info("command done", status=answer.status, position=answer.position)
        return answer
    except BaseException as error:
        log.warning("command stopped", error=type(error).__name__)
        raise
    finally:
        command.of.progress.pop((ask.caller, ask.key), None)


def _accepted(ask: Ask) -> Response:
    place = f"/v1/commands/{ask.key}"
    body = msgspec.json.encode({"key": ask.key, "state": "under_way", "see": place})
    return Response(body, 202, {"Location": place, "Retry-After": "5"}, JSON)


async def _answered(command: Command, answer: Answer) -> Response:
    position = answer.position
    if not position:
        position = await to_thread.run_sync(command.desk.billing.store.log_position)
    headers = {HEADER: str(position)}
    if answer.replayed:
        headers["Idempotency-Replayed"] = "true"
    media = JSON if answer.status < 400 else MEDIA_TYPE
    return Response(answer.body, answer.status, headers, media)


def _wait(prefer: str) -> float:
    found = re.search(r"\bwait=(\d{1,4})\b", prefer)
    return min(float(found[1]), LONGEST_WAIT) if found else WAIT


# Reading a request


def _action(request: Request, word: str, route: Route, body: bytes) -> tuple[Action, str, str]:
    """The action a request asks for; the file it brings, and the name of that."""
    media = request.headers.get("content-type", JSON).partition(";")[0].strip().lower()
    if word == "sign" and media == TOML:
        return action_of({"do": word, "text": _utf8(body)}), "", ""
    if media != JSON:
        raise Problem(
            415, "media-type", "The body is of another kind", f"{media}; {JSON} was expected"
        )
    values = _values(body) if body else {}
    if word == "sign":
        return action_of({"do": word, "values": values}), "", ""
    content, name = _upload(word, values)
    hidden = {"do", *vocabulary.HIDDEN.get(word, ())}
    if found := sorted(hidden & values.keys()):
        raise _fault(found[0], values[found[0]], "there is no such field")
    values = _bound(values, request.path_params)
    if content or word == "collect":
        values["path"] = name  # Until there is a folder to put it in.
    return action_of({"do": word, **values}), content, name


def _bound(values: dict[str, Any], params: dict[str, str]) -> dict[str, Any]:
    """The fields of the body and those of the path, which may not contradict each other."""
    for name, one in params.items():
        if values.get(name, one) != one:
            raise _fault(name, values[name], f"{one} was expected, as the path says")
    whole = values | params
    return {"party": whole} if "code" in params else whole


def _fault(field: str, value: Any, expected: str) -> Problem:
    return faulty(Fault(field, str(value) if isinstance(value, str) else value, expected))


def _upload(word: str, values: dict[str, Any]) -> tuple[str, str]:
    """The file a command brings, and a name without a path; taken out of the values."""
    if word not in vocabulary.UPLOADS:
        return "", ""
    content = values.pop("content", "")
    name = values.pop("name", "") or vocabulary.UPLOADS[word]
    if not (isinstance(content, str) and (content or word in vocabulary.MAY_LACK_FILE)):
        raise _fault("content", content, "the text of the file was expected")
    if not (isinstance(name, str) and re.fullmatch(r"\w[\w .()-]{0,99}", name)):
        raise _fault("name", name, "a file's name was expected, such as releve.xml")
    return content, name


def _values(body: bytes) -> dict[str, Any]:
    try:
        values = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Problem(400, "not-json", "The body is not JSON", str(error)) from None
    if not isinstance(values, dict):
        raise _fault("body", values, "an object was expected")
    _must_be_text(values, "")
    return values


_CONTROL: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def _must_be_text(value: Any, where: str) -> None:
    """Refuses what no database and no document can hold."""
    if isinstance(value, str) and _CONTROL.search(value):
        raise _fault(where or "body", value, "text without control characters was expected")
    if isinstance(value, dict):
        for key, one in value.items():
            _must_be_text(key, where)
            _must_be_text(one, f"{where}.{key}" if where else key)
    elif isinstance(value, list):
        for place, one in enumerate(value):
            _must_be_text(one, f"{where}[{place}]")


def _utf8(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError:
        raise Problem(400, "not-text", "The body is not UTF-8") from None


def _permit(caller: Caller, route: Route, action: Action) -> None:
    """Bank details are changed by admin, the rest by the role of the command."""
    if not route.bank:
        return
    said = getattr(action, route.bank).keys() - {"code"}
    details = said & set(vocabulary.BANK_DETAILS)
    if details and not caller.may("admin"):
        raise forbidden(f"{', '.join(sorted(details))}: bank details are for the role admin")
    if not caller.may(route.role) and not (details and said == details):
        raise forbidden(f"this is for the role {route.role}")


def _must_exist(app: Billing, route: Route, action: Action) -> None:
    """What the path names is known."""
    named = re.findall(r"{(\w+)}", route.path)
    for kind in {"contract", "mandate", "invoice"}.intersection(named):
        name = getattr(action, kind)
        if kind == "invoice":
            ids = [invoice_id(supplier, name) for supplier in app.suppliers()]
            found = any(app.store.read_stream(id, limit=1) for id in ids)
        else:
            found = app.store.state(kind, name) is not None
        if not found:
            raise unknown(kind, name)


@contextmanager
def _unplaced(folder: str) -> Iterator[None]:
    """What is said of a file says nothing of where we put it for a moment."""
    prefix = f"{folder}/"
    try:
        yield
    except Refused as error:
        raise Refused(str(error).replace(prefix, "")) from error
    except BadFile as error:
        faults = [replace(one, path=one.path.replace(prefix, "")) for one in error.errors]
        raise BadFile(faults) from error


# What is answered besides


def _report(report: runs.Report) -> dict[str, Any]:
    totals = report.totals
    told = {
        "name": report.name,
        "resumed": report.resumed,
        "nothing_due": report.nothing_due,
        "contracts": report.contracts,
        "invoices": totals.invoices,
        "credit_notes": totals.credit_notes,
        "net": totals.net,
        "tax": totals.tax,
        "gross": totals.gross,
        "vat": totals.vat,
        "renewed": totals.renewed,
        "revised": totals.revised,
        "set_aside": [
            {"contract": number, "on": aside.due_on, "clause": aside.clause}
            | {"reason": aside.reason, "billing_waits": aside.held}
            for number, aside in zip(report.aside_numbers, report.set_aside, strict=True)
        ],
        "digest": report.digest,
    }
    return cast("dict[str, Any]", msgspec.to_builtins(told))


def _files(store: Store, positions: Positions) -> Iterator[dict[str, Any]]:
    """The files of debits that were recorded."""
    topics = [CollectionFileSubmitted.TOPIC]
    for first, last in positions:
        for _, stored in store.read_log(first, last, topics=topics):
            said = msgspec.json.decode(stored.state)
            yield {
                name: said[name] for name in ("message", "supplier", "count", "total", "digest")
            } | {"see": f"/v1/collections/{said['message']}/file"}


# The paths


def _endpoint(word: str, route: Route) -> Callable[..., Any]:
    role = "reader" if route.bank and "{code}" in route.path else route.role
    guard: Any = Depends(getattr(access, role))

    async def command(request: Request, desk: AtDesk, caller: Any = guard) -> Response:
        return await _asked(request, desk, caller, word)

    return command


def _add(word: str, route: Route) -> None:
    about, _, more = (ACTIONS[word].__doc__ or word).strip().partition("\n")
    router.add_api_route(
        re.sub(r"{(\w+)}", r"{\1:path}", route.path),
        _endpoint(word, route),
        methods=["POST"],
        name=word,
        summary=about.rstrip("."),
        description="\n".join(line.strip() for line in more.splitlines()).strip(),
        status_code=route.status,
        responses=responses(route),
        response_class=Response,
        openapi_extra=documented(word, route),
    )


# What becomes of a long command, and what a run would do


@router.get("/v1/commands/{key}", name="command", summary="What became of a command")
async def command(key: str, request: Request, desk: AtDesk, caller: Reader) -> Response:
    """A command of one's own by its key, for 48 hours: under way or answered, and the answer."""
    commands: Commands = request.app.state.commands
    kept = await to_thread.run_sync(commands.once.kept, caller.name, key)
    if kept is None:
        raise unknown("command", key)
    answered = kept.state == "answered"
    told: dict[str, Any] = {
        "key": key,
        "state": "under_way" if kept.state == "under_way" else "done",
        "recorded": sum(last - first + 1 for first, last in kept.positions),
        "position": kept.positions[-1][1] if kept.positions else 0,
    }
    if progress := commands.progress.get((caller.name, key)):
        told["contracts_done"], told["contracts"] = progress
    if answered:
        told["status"], told["answer"] = kept.status, msgspec.Raw(kept.body.encode())
    return Response(msgspec.json.encode(told), media_type=JSON)


@router.get("/v1/previews/{month}", name="preview", summary="What the run of a month would bill")
async def preview_run(
    desk: AtDesk,
    caller: Operator,
    month: Annotated[str, Path(pattern=r"^\d{4}-\d{2}$", examples=["2026-03"])],
    limit: Annotated[int, Query(ge=0, le=10_000)] = PREVIEWED,
) -> Response:
    """The documents of a run, and why each differs from the one before; nothing is recorded."""
    return Response(await to_thread.run_sync(_preview, desk, month, limit), media_type=JSON)


def _preview(desk: Desk, month: str, limit: int) -> bytes:
    first, until = month_days(month_of(month))
    app = desk.billing
    app.publish_shipped()
    drafts, report = runs.preview(app, first, until, month)
    documents = []
    for place, one in enumerate(preview.planned(app, drafts, until)):
        if place < limit:
            documents.append(one)
    return msgspec.json.encode({"run": _report(report()), "documents": documents})


@router.get("/v1/collections/{message}/file", name="collection-file", summary="A file for the bank")
async def collection_file(
    message: str,
    desk: AtDesk,
    caller: Operator,
    supplier: Annotated[str, Query(max_length=100)] = "",
) -> Response:
    """A file of direct debits (pain.008), byte for byte as it was recorded."""
    need_personal(caller)
    found = await to_thread.run_sync(_written_again, desk.billing, message, supplier)
    name = re.sub(r"[^A-Za-z0-9.-]", "_", message)
    headers = {"Content-Disposition": f'attachment; filename="{name}.xml"'}
    return Response(found, media_type="application/xml", headers=headers)


def _written_again(app: Billing, message: str, supplier: str) -> bytes:
    if all(one.message != message for one in collections.files(app, supplier)):
        raise unknown("file", message)
    with TemporaryDirectory() as folder, _unplaced(folder):
        return collections.write_again(app, message, Place(folder), supplier).path.read_bytes()


for _word, _route in ROUTES.items():
    _add(_word, _route)

__all__ = ["COMPONENTS", "TAGS", "Commands", "router", "running"]
