"""The life of contracts, one command for each thing people decide or record.

Each command is an action of `billing.application.actions` with options; what they mean and what
is checked is written there. Here is only how they are said on a command line.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from billing.cli import DAY, Session, exits, pass_session
from billing.cli.output import counted, table

if TYPE_CHECKING:
    from billing.events.party import Identity

F = TypeVar("F", bound=Callable[..., Any])

SIDE = click.Choice(["client", "supplier"])
SENDING = click.Choice(["registered_letter", "letter", "email", "any"])
PER = click.Choice(["month", "quarter", "half-year", "year", "once"])
KIND = click.Choice(
    ["service", "equipment", "videoconference", "option", "access", "volume", "one_off"]
)
WRITTEN = {
    "item.unit_price": "--price",
    "item.catalogue": "--item",
    "item.code": "--code",
    "terms": "--set",
    "prices": "--price",
    "party": "",
    "to": "",
    "item": "",
}
"""How a field of an action is said when no parameter of the command bears its name."""


def record(session: Session, /, do: str, *, new: bool = False, **said: Any) -> None:
    """Performs the action that the options say, and tells what it recorded."""
    from billing.application.actions import action_of
    from billing.cli.telling import tell
    from billing.forms import BadFile

    given = {name: one for name, one in said.items() if one not in (None, "", (), [], {})}
    try:
        action = action_of({"do": do, **given})
    except BadFile as bad:
        raise click.UsageError(
            "; ".join(f"{f'{_option(e.key)} {e.value}'.strip()}: {e.expected}" for e in bad.errors),
            click.get_current_context(),
        ) from None
    app = session.new_app if new else session.app
    tell(app, session.out, action, action.told(app))


def _option(key: str) -> str:
    """How the field is said on this command line: its option, or its argument."""
    field, _, rest = key.partition(".")
    field = field.partition("[")[0]
    if key in WRITTEN:
        return WRITTEN[key]
    if WRITTEN.get(field):
        return f"{WRITTEN[field]} {rest}"
    name = (rest if field in WRITTEN else key).partition("[")[0]
    for param in click.get_current_context().command.params:
        if param.name == name:
            return (
                param.opts[0]
                if isinstance(param, click.Option)
                else param.make_metavar(click.get_current_context())
            )
    return name


def day(name: str, about: str, option: str = "--on") -> Callable[[F], F]:
    """An option for a day; without it, today."""
    return click.option(
        option, name, type=DAY, metavar="DATE", help=f"{about} (today unless said)."
    )


NUMBER = click.argument("number")
CODE = click.argument("code")
EVIDENCE = click.option("--evidence", default="", help="What proves it: a letter, a ticket.")
REFERENCE = click.option("--reference", default="", help="Its reference.")
SUPPLIER = click.option(
    "--supplier", default="", metavar="CODE", help="Who issued it, when several bear that number."
)
PRICES = click.option(
    "--price",
    "prices",
    multiple=True,
    metavar="CODE=PRICE",
    help="A new unit price before tax, such as POSTE-1=34.50; may be repeated.",
)


def _prices(said: Sequence[str]) -> dict[str, str]:
    found = {}
    for one in said:
        code, equals, price = one.rpartition("=")
        if not equals or not code:
            raise click.BadParameter(f"{one!r}; CODE=PRICE was expected", param_hint="--price")
        found[code] = price
    return found


# Signature and changes


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@pass_session
def sign(session: Session, files: tuple[Path, ...]) -> None:
    """Sign contracts from their FILES (TOML), each in a transaction of its own.

    A file that cannot be taken stops none of the others; the exit code is that of the first.
    `billing schema contract` describes the file.
    """
    from billing.application.actions import Sign
    from billing.cli.telling import tell
    from billing.store import StoreError

    app = session.new_app
    folders = tuple(map(str, session.folders))
    failed: list[int] = []
    for file in _parents_first(files):
        action = Sign(path=str(file), folders=folders)
        try:
            told = action.told(app)
        except StoreError:
            raise
        except Exception as error:
            trouble = exits.trouble_of(error)
            if trouble is None:
                raise
            session.out.fail(trouble.kind, trouble.sentence, **trouble.details)
            failed.append(trouble.code)
            continue
        tell(app, session.out, action, told, f"{file}: signed")
    if failed:
        signed = len(files) - len(failed)
        raise exits.Failed(
            failed[0],
            f"{signed} of {counted(len(files), 'contract')} signed" if len(files) > 1 else "",
        )


def _parents_first(files: Sequence[Path]) -> list[Path]:
    """The files in their order, but those that follow another one of them after it."""
    import tomllib

    said: dict[Path, dict[str, Any]] = {}
    for file in files:
        try:
            said[file] = tomllib.loads(file.read_text("utf-8"))
        except (OSError, ValueError):
            said[file] = {}  # What is wrong with it is told when its turn comes.
    by_number = {one.get("number"): file for file, one in said.items()}
    found: dict[Path, None] = {}

    def take(file: Path, behind: tuple[Path, ...] = ()) -> None:
        named = said[file].get("parent")
        parent = by_number.get(named) if named else None
        if parent is not None and parent != file and parent not in behind:
            take(parent, (*behind, file))
        found.setdefault(file)

    for file in files:
        take(file)
    return list(found)


@click.command()
@NUMBER
@click.option("--from", "effective_on", type=DAY, metavar="DATE", help="From that day (today).")
@click.option(
    "--how",
    type=click.Choice(["agreement", "publication"]),
    default="agreement",
    show_default=True,
    help="Agreed by both parties, or published conditions.",
)
@click.option("--reason", default="", help="Why, or the reference of the amendment.")
@click.option(
    "--terms",
    "terms_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A TOML file with the clauses that change, each under its name: [payment] days = 45.",
)
@click.option(
    "--set",
    "sets",
    multiple=True,
    metavar="CLAUSE.NAME=VALUE",
    help="One parameter, such as payment.days=45; may be repeated.",
)
@PRICES
@pass_session
def amend(
    session: Session,
    number: str,
    effective_on: date | None,
    how: str,
    reason: str,
    terms_file: Path | None,
    sets: tuple[str, ...],
    prices: tuple[str, ...],
) -> None:
    """Change clauses or prices of contract NUMBER from a day on (avenant).

    Only what changes is said; the rest stays. The legality review looks at the whole again.
    """
    from billing.forms.fields import merged

    terms = _terms_in(terms_file) if terms_file else {}
    for one in sets:
        terms = merged(terms, _parameter(one))
    record(
        session,
        "amend",
        contract=number,
        effective_on=effective_on,
        how=how,
        reason=reason,
        terms=terms,
        prices=_prices(prices),
    )


def _terms_in(path: Path) -> dict[str, Any]:
    from billing.clauses import Terms
    from billing.forms import BadFile
    from billing.forms.fields import Checker, shape_of
    from billing.forms.toml_text import Lines, text_of, values_of

    text = text_of(path)
    values = values_of(text, str(path))
    checker = Checker(str(path), Lines(text))
    checker.check(shape_of(Terms), values, (), partial=True)
    if checker.errors:
        raise BadFile(checker.errors)
    return values


def _parameter(said: str) -> dict[str, Any]:
    """payment.days=45 as a table; a value that is not TOML is a text."""
    from billing.forms import BadFile
    from billing.forms.toml_text import NotExact, values_of

    path, equals, text = said.partition("=")
    names = path.strip().split(".")
    if not equals or len(names) < 2 or not all(names):
        raise click.BadParameter(
            f"{said!r}; CLAUSE.NAME=VALUE was expected, such as payment.days=45",
            param_hint="--set",
        )
    try:
        value = values_of(f"value = {text}", "--set")["value"]
    except BadFile:
        value = text
    if isinstance(value, NotExact):
        value = str(value)  # On a command line 0.5 is a text anyway: nothing was rounded.
    for name in reversed(names):
        value = {name: value}
    found: dict[str, Any] = value
    return found


@click.command()
@NUMBER
@click.option("--side", type=SIDE, required=True, help="Which side changes.")
@click.option("--to", required=True, metavar="CODE", help="The code of the other party.")
@click.option(
    "--party",
    "party_file",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A TOML file with the party's name and numbers, when it is not known yet.",
)
@day("effective_on", "Since that day")
@click.option("--informed-on", type=DAY, metavar="DATE", help="When the other side was told.")
@click.option("--mandate", default="", metavar="REFERENCE", help="A new client's, signed already.")
@pass_session
def assign(
    session: Session,
    number: str,
    side: str,
    to: str,
    party_file: Path | None,
    effective_on: date | None,
    informed_on: date | None,
    mandate: str,
) -> None:
    """Put another party in the place of a side of contract NUMBER (cession).

    A new supplier's mandate is amended, not signed again. A new client signs its own: until then
    nothing is debited (--mandate, `billing mandate sign`).
    """
    party = _party_in(party_file) if party_file else {}
    record(
        session,
        "assign",
        contract=number,
        side=side,
        to={**party, "code": to},
        effective_on=effective_on,
        informed_on=informed_on,
        mandate=mandate,
    )


def _party_in(path: Path) -> dict[str, Any]:
    from billing.events.party import Identity as Party
    from billing.forms import BadFile
    from billing.forms.fields import Checker, shape_of
    from billing.forms.toml_text import Lines, text_of, values_of

    text = text_of(path)
    values = values_of(text, str(path))
    checker = Checker(str(path), Lines(text))
    checker.check(shape_of(Party), values, (), partial=True)
    if checker.errors:
        raise BadFile(checker.errors)
    return values


@click.command()
@NUMBER
@day("accepted_on", "The day it was signed")
@click.option("--defects", default="", help="Blocking defects: nothing is billed yet.")
@click.option("--reserves", default="", help="Reserves that block nothing.")
@pass_session
def accept(
    session: Session, number: str, accepted_on: date | None, defects: str, reserves: str
) -> None:
    """Record the acceptance of the installation of contract NUMBER (PV de réception)."""
    record(
        session,
        "accept",
        contract=number,
        accepted_on=accepted_on,
        blocking_defects=defects,
        reserves=reserves,
    )


@click.command()
@NUMBER
@click.argument("amount")
@day("received_on", "The day it came")
@REFERENCE
@click.option(
    "--means",
    type=click.Choice(["transfer", "cheque", "card", "cash", "direct_debit"]),
    help="How it was paid.",
)
@click.option("--vat", metavar="CODE", help="A VAT treatment of the contract; else the standard.")
@pass_session
def deposit(
    session: Session,
    number: str,
    amount: str,
    received_on: date | None,
    reference: str,
    means: str | None,
    vat: str | None,
) -> None:
    """Record a deposit of AMOUNT euros, tax included, for contract NUMBER (acompte).

    It pays the deposit invoice that asked for it, or gets one, and is deducted from what follows.
    """
    record(
        session,
        "deposit",
        contract=number,
        amount=amount,
        received_on=received_on,
        reference=reference,
        means=means,
        vat=vat,
    )


@click.command("cancel-order")
@NUMBER
@day("cancelled_on", "The day it was given up")
@click.option("--agreed", is_flag=True, help="The supplier agreed: the deposit goes back.")
@click.option("--costs", metavar="AMOUNT", help="Costs engaged, before tax, without a deposit.")
@pass_session
def cancel_order(
    session: Session, number: str, cancelled_on: date | None, agreed: bool, costs: str | None
) -> None:
    """Give up the order of contract NUMBER before it is served (annulation)."""
    record(
        session,
        "cancel-order",
        contract=number,
        cancelled_on=cancelled_on,
        agreed=agreed,
        costs=costs,
    )


# Cover and work


def item_options(command: F) -> F:
    """How an item is said: by its code in the form's catalogue, or in full."""
    for option in reversed(
        (
            click.option(
                "--item",
                "catalogue",
                default="",
                metavar="CODE",
                help="The entry of the form's catalogue it follows: its label, price, kind.",
            ),
            click.option("--code", default="", help="Its own code (that of --item by default)."),
            click.option("--label", help="What the invoice calls it."),
            click.option("--price", "unit_price", metavar="AMOUNT", help="Unit price before tax."),
            click.option("--per", type=PER, help="What the price is for."),
            click.option("--quantity", metavar="NUMBER", help="How many (1)."),
            click.option("--kind", type=KIND, help="What it is (service)."),
            click.option("--serial", default="", help="Its serial number."),
            click.option(
                "--warranty-until",
                type=DAY,
                metavar="DATE",
                help="Last day of the maker's warranty.",
            ),
            click.option("--list-price", metavar="AMOUNT", help="What it costs if not returned."),
            click.option("--entry-fee", metavar="AMOUNT", help="Due once, before tax."),
            click.option("--discount", metavar="PERCENT", help="100 for a free one."),
            click.option("--discount-until", type=DAY, metavar="DATE", help="Last day of it."),
            click.option("--until", type=DAY, metavar="DATE", help="Day its fee stops."),
            click.option("--site", default="", help="Where it is."),
            click.option("--vat", help="Its VAT treatment, if not the standard rate."),
            click.option(
                "--not-indexed",
                "indexed",
                flag_value=False,
                default=None,
                type=bool,
                help="Its price is never revised.",
            ),
        )
    ):
        command = option(command)
    return command


def _item(said: dict[str, Any]) -> dict[str, Any]:
    code = said["code"] or said["catalogue"]
    if not code:
        raise click.UsageError(
            "say which item: --item CODE of the form's catalogue, or --code with --label, --price "
            "and --per",
            click.get_current_context(),
        )
    found = {**said, "code": code}
    if code == found["catalogue"]:
        found["catalogue"] = ""
    return {name: one for name, one in found.items() if one not in (None, "")}


@click.command()
@NUMBER
@item_options
@day("since", "In the cover from that day", "--since")
@click.option(
    "--declared",
    type=click.Choice(["in_time", "late", "undeclared"]),
    default="in_time",
    show_default=True,
    help="When the client told; undeclared is billed from the day of use.",
)
@EVIDENCE
@pass_session
def add(
    session: Session, /, number: str, since: date | None, declared: str, evidence: str, **item: Any
) -> None:
    """Add equipment to the cover of contract NUMBER.

    What the catalogue of its form says of the code need not be said again. Days of a period
    already billed are caught up.
    """
    record(
        session,
        "add-equipment",
        contract=number,
        item=_item(item),
        since=since,
        declared=declared,
        evidence=evidence,
    )


@click.command()
@NUMBER
@item_options
@day("since", "Open from that day", "--since")
@pass_session
def subscribe(session: Session, /, number: str, since: date | None, **item: Any) -> None:
    """Open an option, an access or some volume on contract NUMBER (souscription)."""
    record(session, "subscribe", contract=number, item=_item(item), since=since)


@click.command()
@NUMBER
@CODE
@day("removed_on", "Out from that day")
@EVIDENCE
@pass_session
def remove(
    session: Session, number: str, code: str, removed_on: date | None, evidence: str
) -> None:
    """Take item CODE out of the cover of contract NUMBER (retrait)."""
    record(
        session,
        "remove-equipment",
        contract=number,
        code=code,
        removed_on=removed_on,
        evidence=evidence,
    )


@click.command("cancel-option")
@NUMBER
@CODE
@day("cancelled_on", "Closed from that day")
@pass_session
def cancel_option(session: Session, number: str, code: str, cancelled_on: date | None) -> None:
    """End option CODE of contract NUMBER; a month begun may stay due."""
    record(session, "cancel-option", contract=number, code=code, cancelled_on=cancelled_on)


@click.command()
@NUMBER
@click.argument("meter")
@click.argument("month")
@click.argument("used")
@click.option("--included", metavar="NUMBER", help="What the fee includes that month.")
@pass_session
def usage(
    session: Session, number: str, meter: str, month: str, used: str, included: str | None
) -> None:
    """Record what METER of contract NUMBER counted in a MONTH (YYYY-MM), in its unit."""
    record(
        session, "usage", contract=number, meter=meter, month=month, used=used, included=included
    )


@click.command()
@NUMBER
@CODE
@day("done_on", "The day of the work")
@click.option("--quantity", metavar="NUMBER", help="How many (1).")
@click.option("--label", default="", help="What the invoice calls it.")
@click.option("--quote", default="", help="The quote the client accepted.")
@click.option("--price", "unit_price", metavar="AMOUNT", help="Unit price before tax, by quote.")
@click.option("--accepted-on", type=DAY, metavar="DATE", help="When the quote was accepted.")
@click.option("--at-fault", is_flag=True, help="Missed appointment or unsafe premises.")
@pass_session
def work(session: Session, /, number: str, code: str, **said: Any) -> None:
    """Record work CODE on contract NUMBER, at the rate card of that day or by accepted quote."""
    record(session, "work", contract=number, code=code, **said)


@click.command()
@NUMBER
@CODE
@day("checked_on", "The day of the check")
@click.option("--working/--faulty", default=True, help="In which state it was found.")
@click.option("--quote", "repair_quote", default="", help="The repair quote.")
@click.option("--price", "repair_price", metavar="AMOUNT", help="Its price before tax.")
@click.option("--accepted-on", type=DAY, metavar="DATE", help="When it was accepted.")
@pass_session
def check(session: Session, /, number: str, code: str, **said: Any) -> None:
    """Record the check of item CODE before contract NUMBER covers it again (reprise)."""
    record(session, "check-equipment", contract=number, code=code, **said)


@click.command()
@NUMBER
@CODE
@day("shipped_on", "The day it left")
@REFERENCE
@pass_session
def ship(session: Session, number: str, code: str, shipped_on: date | None, reference: str) -> None:
    """Ship a replacement for item CODE of contract NUMBER; the faulty one is awaited (RMA)."""
    record(
        session,
        "ship-replacement",
        contract=number,
        code=code,
        shipped_on=shipped_on,
        reference=reference,
    )


@click.command("return")
@NUMBER
@CODE
@day("returned_on", "The day it came back")
@REFERENCE
@pass_session
def return_(
    session: Session, number: str, code: str, returned_on: date | None, reference: str
) -> None:
    """Record that faulty item CODE of contract NUMBER came back."""
    record(
        session,
        "return-faulty",
        contract=number,
        code=code,
        returned_on=returned_on,
        reference=reference,
    )


@click.command()
@NUMBER
@click.argument("amount")
@click.option(
    "--kind", type=click.Choice(["bank_fee", "work"]), default="bank_fee", show_default=True
)
@click.option("--label", required=True, help="What the invoice calls it.")
@click.option("--because", required=True, help="Why it is owed, and what proves it.")
@day("charged_on", "Due that day")
@pass_session
def charge(
    session: Session,
    number: str,
    amount: str,
    kind: str,
    label: str,
    because: str,
    charged_on: date | None,
) -> None:
    """Bill on a cost of AMOUNT euros before tax on contract NUMBER, where it is allowed."""
    record(
        session,
        "charge",
        contract=number,
        amount=amount,
        kind=kind,
        label=label,
        because=because,
        charged_on=charged_on,
    )


# Renewal and end


@click.command()
@NUMBER
@day("offered_on", "The day it is sent")
@click.option("--months", type=click.IntRange(1, 600), help="The length of the next term.")
@PRICES
@REFERENCE
@pass_session
def offer(
    session: Session,
    number: str,
    offered_on: date | None,
    months: int | None,
    prices: tuple[str, ...],
    reference: str,
) -> None:
    """Send the renewal quote or offer of contract NUMBER (devis, proposition)."""
    record(
        session,
        "offer",
        contract=number,
        offered_on=offered_on,
        months=months,
        prices=_prices(prices),
        reference=reference,
    )


@click.command("accept-offer")
@NUMBER
@day("accepted_on", "The day the client accepts")
@pass_session
def accept_offer(session: Session, number: str, accepted_on: date | None) -> None:
    """Record that the client accepts the renewal offered on contract NUMBER."""
    record(session, "accept-offer", contract=number, accepted_on=accepted_on)


@click.command()
@NUMBER
@click.option("--by", type=SIDE, required=True, help="Who will not renew.")
@day("sent_on", "The day it was sent", "--sent-on")
@click.option("--received-on", type=DAY, metavar="DATE", help="The day it arrived.")
@click.option("--sending", type=SENDING, default="registered_letter", show_default=True)
@pass_session
def notice(session: Session, /, number: str, **said: Any) -> None:
    """Record that a party will not renew contract NUMBER (dénonciation)."""
    record(session, "notice", contract=number, **said)


@click.command("formal-notice")
@NUMBER
@click.argument("clock")
@click.option("--by", type=SIDE, default="supplier", show_default=True, help="Who sends it.")
@day("sent_on", "The day it was sent", "--sent-on")
@click.option("--received-on", type=DAY, metavar="DATE", help="The day it arrived.")
@click.option("--sending", type=SENDING, default="registered_letter", show_default=True)
@click.option("--reason", default="", help="What it is about: the invoices, the breach.")
@pass_session
def formal_notice(session: Session, /, number: str, clock: str, **said: Any) -> None:
    """Record the letter that starts CLOCK of contract NUMBER (mise en demeure)."""
    record(session, "formal-notice", contract=number, clock=clock, **said)


@click.command()
@NUMBER
@click.argument("clock")
@day("cured_on", "The day it was done")
@pass_session
def cure(session: Session, number: str, clock: str, cured_on: date | None) -> None:
    """Record that what the letter asked for was done: CLOCK of contract NUMBER stops."""
    record(session, "cure", contract=number, clock=clock, cured_on=cured_on)


@click.command()
@NUMBER
@click.argument("clock")
@day("suspended_on", "From that day")
@click.option(
    "--measure",
    type=click.Choice(["suspend", "recover", "block"]),
    default="suspend",
    show_default=True,
)
@pass_session
def suspend(
    session: Session, number: str, clock: str, suspended_on: date | None, measure: str
) -> None:
    """Suspend the service of contract NUMBER, once CLOCK has run out."""
    record(
        session,
        "suspend",
        contract=number,
        clock=clock,
        suspended_on=suspended_on,
        measure=measure,
    )


@click.command()
@NUMBER
@day("resumed_on", "From that day")
@pass_session
def resume(session: Session, number: str, resumed_on: date | None) -> None:
    """Open the service of contract NUMBER again; the days suspended stay due."""
    record(session, "resume", contract=number, resumed_on=resumed_on)


@click.command()
@NUMBER
@click.option("--cause", required=True, help="Why: unpaid, breach_by_client, moved_abroad …")
@click.option("--side", type=SIDE, required=True, help="Who ends it.")
@day("effective_on", "Its first day without")
@EVIDENCE
@pass_session
def terminate(session: Session, /, number: str, **said: Any) -> None:
    """End contract NUMBER before its term, on a ground it allows (résiliation anticipée)."""
    record(session, "terminate", contract=number, **said)


@click.command("settle-indemnity")
@NUMBER
@click.option("--amount", metavar="AMOUNT", help="The amount agreed, before tax.")
@click.option("--waive", is_flag=True, help="Nothing is owed any more.")
@click.option("--reason", required=True, help="Why, and what proves it.")
@day("settled_on", "The day of the agreement")
@click.option("--invoice", default="", help="The invoice to credit, if it is not the last.")
@pass_session
def settle_indemnity(
    session: Session,
    number: str,
    amount: str | None,
    waive: bool,
    reason: str,
    settled_on: date | None,
    invoice: str,
) -> None:
    """Waive the indemnity of contract NUMBER, or record the amount negotiated."""
    if (amount is None) == (not waive):
        raise click.UsageError("say --amount or --waive, not both", click.get_current_context())
    record(
        session,
        "settle-indemnity",
        contract=number,
        amount="0" if waive else amount,
        reason=reason,
        settled_on=settled_on,
        invoice=invoice,
    )


@click.command()
@NUMBER
@click.argument("price")
@click.option("--label", required=True, help="What the invoice calls it.")
@day("purchased_on", "The day of the sale")
@pass_session
def purchase(
    session: Session, number: str, price: str, label: str, purchased_on: date | None
) -> None:
    """Sell what contract NUMBER rents for PRICE euros before tax (rachat)."""
    record(
        session, "purchase", contract=number, price=price, label=label, purchased_on=purchased_on
    )


@click.command("task-done")
@NUMBER
@CODE
@click.option("--proof", required=True, help="The certificate, or where it is kept.")
@day("done_on", "The day it was done")
@pass_session
def task_done(session: Session, number: str, code: str, proof: str, done_on: date | None) -> None:
    """Record that duty CODE, due after the end of contract NUMBER, is done."""
    record(session, "task-done", contract=number, code=code, proof=proof, done_on=done_on)


# Invoices


@click.command("credit-note")
@click.argument("invoice")
@click.option("--reason", required=True, help="What the credit note says.")
@click.option("--line", "lines", type=int, multiple=True, help="A line, from 1; may be repeated.")
@click.option("--net", metavar="AMOUNT", help="A net amount, shared out over the VAT rates.")
@day("issued_on", "Dated that day")
@SUPPLIER
@pass_session
def credit_note(
    session: Session,
    invoice: str,
    reason: str,
    lines: tuple[int, ...],
    net: str | None,
    issued_on: date | None,
    supplier: str,
) -> None:
    """Credit INVOICE: all of it, some lines, or a net amount (avoir)."""
    record(
        session,
        "credit-note",
        invoice=invoice,
        reason=reason,
        lines=list(lines),
        net=net,
        issued_on=issued_on,
        supplier_code=supplier,
    )


@click.command()
@click.argument("invoice")
@day("received_on", "The day it arrived")
@EVIDENCE
@SUPPLIER
@pass_session
def receive(
    session: Session, invoice: str, received_on: date | None, evidence: str, supplier: str
) -> None:
    """Record the day the client received INVOICE."""
    record(
        session,
        "receive-invoice",
        invoice=invoice,
        received_on=received_on,
        evidence=evidence,
        supplier_code=supplier,
    )


@click.command()
@click.argument("invoice")
@click.argument("percent")
@click.option("--reason", required=True, help="Which reserves it is for.")
@day("notified_on", "The day the client told")
@SUPPLIER
@pass_session
def withhold(
    session: Session,
    invoice: str,
    percent: str,
    reason: str,
    notified_on: date | None,
    supplier: str,
) -> None:
    """Record a guarantee retention of PERCENT on INVOICE (retenue de garantie)."""
    record(
        session,
        "withhold",
        invoice=invoice,
        percent=percent,
        reason=reason,
        notified_on=notified_on,
        supplier_code=supplier,
    )


@click.command()
@click.argument("invoice")
@day("released_on", "The day the reserves are lifted")
@SUPPLIER
@pass_session
def release(session: Session, invoice: str, released_on: date | None, supplier: str) -> None:
    """Release the guarantee retention on INVOICE."""
    record(session, "release", invoice=invoice, released_on=released_on, supplier_code=supplier)


# Mandates and parties

LAST_COLLECTED = click.option(
    "--last-collected",
    "last_collected_on",
    type=DAY,
    metavar="DATE",
    help="Its last debit, made by another program.",
)


@click.group()
def mandate() -> None:
    """Sign, change, revoke or show SEPA mandates."""


@mandate.command("sign")
@NUMBER
@click.argument("reference", required=False)
@day("signed_on", "The day it was signed")
@click.option("--iban", default="", help="The account debited (the client's by default).")
@click.option("--bic", default="", help="Its bank.")
@click.option("--scheme", type=click.Choice(["CORE", "B2B"]), default="CORE", show_default=True)
@click.option("--one-off", is_flag=True, help="For one debit only.")
@click.option("--proof", default="", help="Where the signed mandate is kept.")
@click.option("--electronic", is_flag=True, help="It was signed electronically, not on paper.")
@LAST_COLLECTED
@pass_session
def mandate_sign(
    session: Session,
    /,
    number: str,
    reference: str | None,
    one_off: bool,
    electronic: bool,
    **said: Any,
) -> None:
    """Record mandate REFERENCE, under which contract NUMBER is collected from then on.

    Without REFERENCE (RUM) it has the contract's.
    """
    medium = "electronic" if electronic else "paper"
    once = {"recurrent": False} if one_off else {}
    record(
        session, "mandate-sign", contract=number, mandate=reference, medium=medium, **once, **said
    )


@mandate.command("amend")
@click.argument("reference")
@click.option("--iban", default="", help="The new account.")
@click.option("--bic", default="", help="Its bank.")
@day("amended_on", "The day the client told")
@LAST_COLLECTED
@pass_session
def mandate_amend(session: Session, /, reference: str, **said: Any) -> None:
    """Change the account of mandate REFERENCE; the signature stays good.

    Or tell when it was last debited under elsewhere: without a debit it lapses after 36 months.
    """
    record(session, "mandate-amend", mandate=reference, **said)


@mandate.command("revoke")
@click.argument("reference")
@day("revoked_on", "The day it is withdrawn")
@pass_session
def mandate_revoke(session: Session, reference: str, revoked_on: date | None) -> None:
    """Withdraw mandate REFERENCE; its contracts have none any more."""
    record(session, "mandate-revoke", mandate=reference, revoked_on=revoked_on)


@mandate.command("show")
@click.argument("reference", required=False)
@pass_session
def mandate_show(session: Session, reference: str | None) -> None:
    """Show mandate REFERENCE, or all of them."""
    from billing.application.states import KINDS
    from billing.mandate import Mandate
    from billing.refusal import Refused

    app = session.app
    rows = app.store.states("mandate")
    found: list[Mandate] = [KINDS["mandate"].decode(row.body) for row in rows]
    if reference is not None:
        found = [one for one in found if one.reference == reference]
        if not found:
            raise Refused(f"no mandate {reference}; `billing mandate show` lists those there are")
    used: dict[str, list[str]] = {}
    for contract in app.contracts():
        used.setdefault(contract.mandate, []).append(contract.number)
    session.out.say(
        [{"mandate": one, "contracts": used.get(one.reference, [])} for one in found],
        lambda: table(
            "Mandates",
            (
                "reference",
                "debtor",
                "account",
                "creditor",
                "ICS",
                "scheme",
                "signed",
                "revoked",
                "contracts",
            ),
            (
                (
                    m.reference,
                    m.debtor,
                    m.iban,
                    m.creditor,
                    m.creditor_identifier,
                    m.scheme,
                    m.signed_on,
                    m.revoked_on,
                    ", ".join(used.get(m.reference, [])),
                )
                for m in found
            ),
        ),
    )


@click.group()
def party() -> None:
    """Show parties, or change what is known of one."""


@party.command("show")
@click.argument("code", required=False)
@pass_session
def party_show(session: Session, code: str | None) -> None:
    """Show party CODE, or all of them."""
    from billing.application.states import KINDS
    from billing.refusal import Refused

    rows = session.app.store.states("party")
    found: list[Identity] = [KINDS["party"].decode(row.body).identity for row in rows]
    if code is not None:
        found = [one for one in found if one.code == code]
        if not found:
            raise Refused(f"no party {code}; `billing party show` lists those there are")
        one = found[0]
        rows_shown = [
            (name.replace("_", " "), _shown(getattr(one, name)))
            for name in one.__struct_fields__
            if getattr(one, name) not in ("", None)
        ]
        session.out.say(one, lambda: table("", ("", ""), rows_shown))
        return
    session.out.say(
        found,
        lambda: table(
            "Parties",
            ("code", "name", "SIREN", "VAT number", "category", "IBAN"),
            ((p.code, p.name, p.siren, p.vat_number, p.category, p.iban) for p in found),
        ),
    )


def _shown(value: Any) -> str:
    from billing.events.party import Address

    if isinstance(value, Address):
        return ", ".join((*value.lines, f"{value.postcode} {value.city}", value.country))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)


@party.command("amend")
@click.argument("code")
@click.option("--name", help="Legal name.")
@click.option("--siren", help="Nine digits.")
@click.option("--siret", help="Fourteen digits.")
@click.option("--vat-number", help="FR and eleven characters.")
@click.option("--email", help="Where invoices are sent.")
@click.option("--iban", help="Bank account.")
@click.option("--bic", help="Its bank.")
@click.option("--creditor-identifier", metavar="ICS", help="Who may collect direct debits.")
@click.option(
    "--category",
    type=click.Choice(["professional", "public", "non_professional", "consumer"]),
    help="What the law takes it for.",
)
@click.option("--invoice-prefix", help="What its invoice numbers begin with.")
@click.option("--vat-on-debits/--vat-on-collection", default=None, help="When the tax is due.")
@click.option(
    "--file", "party_file", type=click.Path(path_type=Path), help="A TOML file with what changes."
)
@pass_session
def party_amend(session: Session, /, code: str, party_file: Path | None, **said: Any) -> None:
    """Change what is known of party CODE; what is not said stays."""
    changes = _party_in(party_file) if party_file else {}
    changes |= {name: one for name, one in said.items() if one is not None}
    if not changes:
        raise click.UsageError("nothing changes; say what does", click.get_current_context())
    record(session, "party-amend", party={**changes, "code": code})
