"""The `billing` command: what people decide and ask, in words, one subcommand each.

Every subcommand is named here with its sentence and where it is written, so that `billing --help`
imports none of them. A new one is a line in SECTIONS, and a click command in a module:

    @click.command()
    @click.argument("number")
    @pass_session
    def show(session: Session, number: str) -> None:
        contract = session.app.contract(number)
        session.out.say(contract, lambda: page(contract))

It raises what goes wrong (`Refused`, `BadFile`, `StoreError`, or `exits.Failed` for a code of its
own); the sentence on stderr and the exit code are given here. Subcommands of other packages join
by entry points of the group `billing.commands`. README.md here has the exit codes.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, time
from functools import cached_property
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import click

from billing import __version__
from billing.cli import exits
from billing.cli.output import Output

if TYPE_CHECKING:
    from billing.application import Billing

DEFAULT_DATABASE = "sqlite:///billing.db"
GROUP = "billing.commands"
SQLITE = "sqlite:///"


class Where(NamedTuple):
    """A subcommand that is not imported yet: where it is written, and its sentence."""

    target: str
    sentence: str


SECTIONS: dict[str, dict[str, Where]] = {
    "Sign and change": {
        "sign": Where("billing.cli.lifecycle:sign", "Sign contracts from their files."),
        "amend": Where("billing.cli.lifecycle:amend", "Change clauses or prices from a day on."),
        "assign": Where("billing.cli.lifecycle:assign", "Put another party in a side's place."),
        "accept": Where("billing.cli.lifecycle:accept", "Record the acceptance (PV de réception)."),
        "deposit": Where("billing.cli.lifecycle:deposit", "Record a deposit (acompte)."),
        "deposit-invoice": Where(
            "billing.cli.money_deposits:deposit_invoice", "Ask for a deposit by invoice."
        ),
        "cancel-order": Where(
            "billing.cli.lifecycle:cancel_order", "Give up an order before it is served."
        ),
        "party": Where("billing.cli.lifecycle:party", "Show or change a party."),
        "mandate": Where("billing.cli.lifecycle:mandate", "Sign, change or revoke a mandate."),
    },
    "Cover and work": {
        "add": Where("billing.cli.lifecycle:add", "Add equipment to the cover."),
        "remove": Where("billing.cli.lifecycle:remove", "Take equipment out of the cover."),
        "subscribe": Where("billing.cli.lifecycle:subscribe", "Open an option, access or volume."),
        "cancel-option": Where("billing.cli.lifecycle:cancel_option", "End an option."),
        "usage": Where("billing.cli.lifecycle:usage", "Record what a meter counted in a month."),
        "work": Where("billing.cli.lifecycle:work", "Record work by rate card or by quote."),
        "check": Where("billing.cli.lifecycle:check", "Record the check of an item (reprise)."),
        "ship": Where("billing.cli.lifecycle:ship", "Ship a replacement (RMA)."),
        "return": Where("billing.cli.lifecycle:return_", "Record that a faulty item came back."),
        "charge": Where("billing.cli.lifecycle:charge", "Bill on a bank's fee or a cost."),
    },
    "Renew and end": {
        "offer": Where("billing.cli.lifecycle:offer", "Send a renewal quote or offer."),
        "accept-offer": Where("billing.cli.lifecycle:accept_offer", "Record that it is accepted."),
        "notice": Where("billing.cli.lifecycle:notice", "Record a notice of non-renewal."),
        "formal-notice": Where(
            "billing.cli.lifecycle:formal_notice", "Start a clock by letter (mise en demeure)."
        ),
        "cure": Where("billing.cli.lifecycle:cure", "Stop a clock: the breach is cured."),
        "suspend": Where("billing.cli.lifecycle:suspend", "Suspend the service."),
        "resume": Where("billing.cli.lifecycle:resume", "Open the service again."),
        "terminate": Where("billing.cli.lifecycle:terminate", "End a contract before its term."),
        "settle-indemnity": Where(
            "billing.cli.lifecycle:settle_indemnity", "Waive or negotiate an indemnity."
        ),
        "purchase": Where("billing.cli.lifecycle:purchase", "Sell what was rented (rachat)."),
        "task-done": Where("billing.cli.lifecycle:task_done", "Record a duty done after the end."),
    },
    "Bill": {
        "run": Where("billing.cli.batch:run", "Bill all that is due in a month."),
        "verify": Where("billing.cli.batch:verify", "Do a month again and compare."),
        "credit-note": Where("billing.cli.lifecycle:credit_note", "Credit an invoice."),
        "receive": Where("billing.cli.lifecycle:receive", "Record the receipt of an invoice."),
        "withhold": Where("billing.cli.lifecycle:withhold", "Record a guarantee retention."),
        "release": Where("billing.cli.lifecycle:release", "Release a guarantee retention."),
    },
    "Get paid": {
        "collect": Where("billing.cli.money_collections:collect", "Hand over direct debits."),
        "collections": Where(
            "billing.cli.money_collections:collections", "List debits and what became of them."
        ),
        "announce": Where("billing.cli.money_collections:announce", "Tell of debits to come."),
        "schedule": Where("billing.cli.money_collections:schedule", "Show a year of debits."),
        "mandates": Where("billing.cli.money_collections:mandates", "List mandates, good or not."),
        "pay": Where("billing.cli.money_payments:pay", "Record money received."),
        "allocate": Where("billing.cli.money_payments:allocate", "Use what is left of a payment."),
        "set-off": Where("billing.cli.money_payments:set_off", "Let a credit pay what is owed."),
        "refund": Where("billing.cli.money_payments:refund", "Give back what was paid too much."),
        "write-off": Where("billing.cli.money_payments:write_off", "Give up what is owed."),
        "reject-payment": Where(
            "billing.cli.money_payments:reject_payment", "Record a bounced cheque or card."
        ),
        "bank": Where("billing.cli.money_bank:bank", "Read statements, advices and reports."),
        "unmatched": Where(
            "billing.cli.money_bank:unmatched", "List the bank's lines nothing explains."
        ),
        "match": Where("billing.cli.money_bank:match", "Explain a line of the bank by hand."),
        "owed": Where("billing.cli.money_payments:owed", "Show what is owed, by age."),
        "statement": Where("billing.cli.money_payments:statement", "Show a client's account."),
        "dso": Where("billing.cli.money_payments:dso", "Show days of sales outstanding."),
        "chase": Where("billing.cli.money_chase:chase", "Remind of what is late, and charge it."),
        "dispute": Where("billing.cli.money_chase:dispute", "Record that an invoice is disputed."),
        "settle-dispute": Where(
            "billing.cli.money_chase:settle_dispute", "Record that a dispute is over."
        ),
        "gates": Where("billing.cli.money_chase:gates", "Show which services are paid and open."),
    },
    "Print": {
        "print": Where("billing.cli.documents:print_", "Print a document as Factur-X."),
        "documents": Where("billing.cli.documents:documents", "Make all documents of a month."),
        "letter": Where("billing.cli.documents_letters:letter", "Write a letter to a client."),
        "letters": Where("billing.cli.documents_letters:letters", "Write all letters of a month."),
    },
    "Close and declare": {
        "fec": Where("billing.cli.documents_ledger:fec", "Write the books of a year (FEC)."),
        "fec-check": Where("billing.cli.documents_ledger:fec_check", "Check a FEC, from anyone."),
        "outbox": Where("billing.cli.documents_outbox:outbox", "Invoices by approved platforms."),
    },
    "Look": {
        "list": Where("billing.cli.reading:list_", "List contracts."),
        "show": Where("billing.cli.reading:show", "Show a contract."),
        "calendar": Where("billing.cli.reading:calendar", "Show what comes, day by day."),
        "invoices": Where("billing.cli.reading:invoices", "List invoices."),
        "invoice": Where("billing.cli.reading:invoice", "Show an invoice."),
        "debits": Where("billing.cli.reading:debits", "List direct debits to come."),
        "explain": Where("billing.cli.reading:explain", "Explain an amount."),
    },
    "Indices and files": {
        "index": Where("billing.cli.index:index", "Publish, import and read index values."),
        "forms": Where("billing.cli.files:forms", "List the contract forms, show their clauses."),
        "schema": Where("billing.cli.files:schema", "Print the JSON Schema of a file."),
        "play": Where("billing.cli.files:play", "Carry out a file of dated actions."),
    },
    "The record": {
        "audit": Where("billing.cli.batch:audit", "Check the record against itself."),
        "rebuild": Where("billing.cli.batch:rebuild", "Fold all events again."),
        "demo": Where("billing.cli.demo:demo", "Play five contracts over their lives."),
    },
}


class Session:
    """What the options of `billing` say, for every subcommand; the database is opened late."""

    def __init__(
        self,
        out: Output,
        database: str = DEFAULT_DATABASE,
        user: str | None = None,
        today: date | None = None,
        folders: Sequence[Path] = (),
        debug: bool = False,
    ) -> None:
        self.out = out
        self.database = database
        self.user = user
        self.played = today
        self.folders = tuple(folders)
        self.debug = debug

    def clock(self) -> datetime:
        """The moment events are recorded: now, or nine o'clock of the day played."""
        if self.played is None:
            return datetime.now(UTC)
        from billing.application.core import PARIS

        return datetime.combine(self.played, time(9), PARIS).astimezone(UTC)

    @property
    def today(self) -> date:
        """The civil date in Paris, or the day played."""
        if self.played is not None:
            return self.played
        from billing.application.core import PARIS

        return self.clock().astimezone(PARIS).date()

    @property
    def app(self) -> Billing:
        """The application on a database that must be there already."""
        if "new_app" not in self.__dict__ and self.database_missing:
            from billing.store import StoreError

            raise StoreError(
                f"There is no database {self.database.removeprefix(SQLITE)}: `billing sign FILE` "
                "or `billing demo` makes one; --database or DATABASE_URL says where another is."
            )
        return self.new_app

    @cached_property
    def new_app(self) -> Billing:
        """The application; its database is made if there is none."""
        from billing.application import Billing

        return Billing({"DATABASE_URL": self.database}, clock=self.clock, user=self.user)

    def close(self) -> None:
        """Lets go of the database."""
        if "new_app" in self.__dict__:
            self.new_app.close()

    @property
    def database_missing(self) -> bool:
        """Whether the database is a file that is not there; others are known once opened."""
        if not self.database.startswith(SQLITE):
            return False
        path = self.database.removeprefix(SQLITE).partition("?")[0]
        if not path or path == ":memory:" or path.startswith("file:"):
            return False
        return not Path(path).exists()


pass_session = click.make_pass_decorator(Session)


class LazyGroup(click.Group):
    """A group whose subcommands are imported when they are run."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All names, in the order of the sections, then those of other packages."""
        own = [name for section in SECTIONS.values() for name in section]
        return [*own, *(name for name in _plugged() if name not in own)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The subcommand itself, imported."""
        for section in SECTIONS.values():
            if cmd_name in section:
                return _imported(section[cmd_name].target)
        target = _plugged().get(cmd_name)
        return None if target is None else _imported(target)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does; a name mistyped is answered with those near it."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from difflib import get_close_matches

            near = get_close_matches(args[0], self.list_commands(ctx), n=3, cutoff=0.6)
            told = f"no command {args[0]!r}"
            if near:
                told += f"; did you mean {' or '.join(near)}?"
            raise click.UsageError(told, error.ctx or ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The subcommands by section, from the sentences here: none is imported."""
        sections = {
            title: [(name, where.sentence) for name, where in section.items()]
            for title, section in SECTIONS.items()
        }
        own = {name for section in SECTIONS.values() for name in section}
        more = [
            (name, f"From {target.partition(':')[0]}.")
            for name, target in _plugged().items()
            if name not in own
        ]
        if more:
            sections["More"] = more
        width = max(len(name) for rows in sections.values() for name, _ in rows)
        for title, rows in sections.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), told) for name, told in rows])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The exit codes."""
        with formatter.section("Exit codes"):
            formatter.write_dl(
                [
                    (f"{code:3}", f"{kind}: {meaning}")
                    for code, (kind, meaning) in exits.MEANING.items()
                ]
            )

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """The options of `billing` are understood wherever they stand."""
        return super().parse_args(ctx, args if ctx.resilient_parsing else _ours_first(args))

    def main(self, args: Sequence[str] | None = None, *more: Any, **extra: Any) -> Any:
        """Runs the command; whatever goes wrong is one sentence and an exit code."""
        given = list(sys.argv[1:] if args is None else args)
        extra["standalone_mode"] = False
        out = Output("--json" in given)
        for stream in (sys.stdout, sys.stderr):
            with suppress(AttributeError):  # A terminal that cannot write € writes ? instead.
                stream.reconfigure(errors="replace")  # type: ignore[union-attr]
        try:
            code = super().main(given, *more, **extra)
            sys.stdout.flush()
        except click.exceptions.NoArgsIsHelpError as error:
            click.echo(error.format_message(), err=True)
            sys.exit(exits.USAGE)
        except click.UsageError as error:
            _end(out, exits.USAGE, _usage(error))
        except click.Abort:
            _end(out, exits.INTERRUPTED, "interrupted; what was recorded stays")
        except click.ClickException as error:
            _end(out, exits.USAGE, error.format_message())
        except BrokenPipeError:
            # The reader has seen enough (`billing list | head`).
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(exits.CLOSED)
        except Exception as error:
            if "--debug" in given:
                import traceback

                traceback.print_exception(error)
            trouble = exits.trouble_of(error)
            if trouble is None:
                where = exits.write_details(error)
                _end(
                    out,
                    exits.INTERNAL,
                    f"this is our fault ({type(error).__name__}); the details are in {where}: send "
                    "them to those who maintain billing. What was recorded before stays.",
                    details=str(where),
                )
            _end(out, trouble.code, trouble.sentence, **trouble.details)
        sys.exit(code if isinstance(code, int) else 0)


ANYWHERE = {"--json": False, "--debug": False, "--database": True, "--forms": True, "--today": True}
"""Options understood before and after the subcommand, and whether they have a value."""


def _ours_first(args: list[str]) -> list[str]:
    """--json, --database and their like moved before the subcommand, up to a `--`."""
    ours: list[str] = []
    rest: list[str] = []
    waiting = iter(args)
    for arg in waiting:
        if arg == "--":
            rest += [arg, *waiting]
        elif arg in ANYWHERE:
            ours += [arg, *([next(waiting, "")] if ANYWHERE[arg] else [])]
        elif arg.partition("=")[0] in ANYWHERE:
            ours.append(arg)
        else:
            rest.append(arg)
    return [*ours, *rest]


def _end(out: Output, code: int, sentence: str, **details: Any) -> NoReturn:
    if sentence:
        out.fail(exits.MEANING[code][0], sentence, **details)
    sys.exit(code)


def _usage(error: click.UsageError) -> str:
    told = error.format_message()
    if isinstance(error, click.NoSuchOption) and error.option_name[1:2].isdigit():
        told = f"{error.option_name}: no negative number is expected here"
    if error.ctx is None:
        return told
    stop = "" if told.endswith((".", "?")) else "."
    return f"{told}{stop} `{error.ctx.command_path} --help` says how it is written."


def _imported(target: str) -> click.Command:
    module, _, attribute = target.partition(":")
    command = getattr(import_module(module), attribute)
    assert isinstance(command, click.Command), f"{target} is not a click command"
    return command


def _plugged() -> dict[str, str]:
    """Where the subcommands of other packages are written, by name: their entry points.

    Read here because importlib.metadata takes 30 ms, a third of the whole help.
    """
    found: dict[str, str] = {}
    for folder in dict.fromkeys(sys.path):
        for path in sorted(Path(folder or ".").glob("*-info/entry_points.txt")):
            group = ""
            for line in path.read_text("utf-8", errors="replace").splitlines():
                name, equals, target = (part.strip() for part in line.partition("="))
                if line.startswith("["):
                    group = line.strip("[] ")
                elif equals and group == GROUP:
                    found.setdefault(name, target.partition("[")[0].strip())
    return found


class Day(click.ParamType[date]):
    """A day written YYYY-MM-DD."""

    name = "day"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> date:
        """The day, or a refusal that shows how it is written."""
        if isinstance(value, date):
            return value
        if len(value) != len("2024-03-10") or value[4:8:3] != "--":
            self.fail(f"{value!r}; a day written YYYY-MM-DD was expected", param, ctx)
        try:
            return date.fromisoformat(value)
        except ValueError as error:
            self.fail(f"{value!r} is no day ({error})", param, ctx)


DAY = Day()


def _no_later_than_now(ctx: click.Context, param: click.Parameter, day: date | None) -> date | None:
    if day is not None and day > datetime.now(UTC).date():
        raise click.BadParameter(f"{day} is in the future; only past days are played", ctx, param)
    return day


@click.group(
    cls=LazyGroup,
    name="billing",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--database",
    envvar="DATABASE_URL",
    default=DEFAULT_DATABASE,
    show_default=True,
    metavar="URL",
    help="sqlite:///file.db or postgresql://… Else DATABASE_URL.",
)
@click.option("--json", "as_json", is_flag=True, help="Tell everything as JSON, one line each.")
@click.option(
    "--user", envvar="BILLING_USER", metavar="NAME", help="Who decides; the login by default."
)
@click.option(
    "--today",
    type=DAY,
    metavar="DATE",
    callback=_no_later_than_now,
    envvar="BILLING_TODAY",
    help="Play a past day: the clock of this command, for replays and tests.",
)
@click.option(
    "--forms",
    "folders",
    multiple=True,
    envvar="BILLING_FORMS",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="A folder of the house's own forms; may be repeated. Else BILLING_FORMS.",
)
@click.option("--debug", is_flag=True, help="Show the traceback of what goes wrong.")
@click.version_option(__version__, prog_name="billing", message="%(prog)s %(version)s")
@click.pass_context
def cli(
    ctx: click.Context,
    database: str,
    as_json: bool,
    user: str | None,
    today: date | None,
    folders: tuple[Path, ...],
    debug: bool,
) -> None:
    """Bill and revise French maintenance contracts, from the record of what happened.

    What was agreed and what happened are events, kept for ever; `billing run MONTH` turns what is
    due into numbered invoices, once.
    """
    ctx.obj = session = Session(Output(as_json), database, user, today, folders, debug)
    ctx.call_on_close(session.close)


main: Callable[[], None] = cli
"""The command, as the wheel's script calls it."""

__all__ = ["DAY", "SECTIONS", "LazyGroup", "Session", "cli", "exits", "main", "pass_session"]
