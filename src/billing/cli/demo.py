"""The demo: contracts of the five forms and their lives, billed and paid month by month."""

from __future__ import annotations

import shutil
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from billing.cli import SQLITE, Session, exits, pass_session

if TYPE_CHECKING:
    from rich.console import RenderableType

    from billing.application import Billing
    from billing.application.issued import Document

DATABASE = "sqlite:///demo.db"
EXPLAINED = "IM-2021-0015"
PAID_LATE = "PT-2024-001"
DEBIT_RETURNED = "SONDAGES-GARONNE", date(2025, 10, 1), date(2025, 12, 31)
CLOSED_RUNS = 12
SHOWN = 8


@click.command()
@pass_session
@click.pass_context
def demo(context: click.Context, session: Session) -> None:
    """Play eight contracts of the five forms, billed and paid to November 2026; show what came.

    In demo.db, unless --database is on the command line; the files for the bank and its
    statements are in a folder beside it, demo-bank. Given again it plays nothing twice: it
    verifies what is there and shows it; one that was stopped goes on.
    """
    from billing.demo import story

    assert context.parent is not None
    if context.parent.get_parameter_source("database") is not ParameterSource.COMMANDLINE:
        session.database = DATABASE
    bank = bank_folder(session.database)
    app, told = session.new_app, story.story(bank)
    before = story.done(app, told)
    started = perf_counter()
    try:
        with _progress(session) as progress:
            story.play(app, told, before, progress)
    except KeyboardInterrupt:
        raise exits.Failed(
            exits.INTERRUPTED, "the demo was stopped; `billing demo` goes on from there"
        ) from None
    took = perf_counter() - started
    story.tell_from(app)
    wrong = _checked(app) if before == len(told.steps) else []
    seen = _seen(app, session.database) | _money(app, bank)
    seen["played"] = {"steps": len(told.steps), "before": before, "seconds": round(took, 2)}
    seen["wrong"] = wrong
    session.out.say(seen, lambda: _page(app, seen))
    if wrong:
        raise exits.Failed(exits.DIFFERENT, "the record does not agree with itself")


def bank_folder(database: str) -> Path:
    """Where the files go to the bank and come from it: beside the database that is a file."""
    name = database.removeprefix(SQLITE).partition("?")[0]
    if not database.startswith(SQLITE) or name in ("", ":memory:") or name.startswith("file:"):
        name = DATABASE.removeprefix(SQLITE)
    path = Path(name)
    return path.with_name(f"{path.stem}-bank")


def _progress(session: Session) -> Any:
    from billing.cli.batch import progress_bar

    return progress_bar(session, "playing", "steps/s")


def _checked(app: Billing) -> list[str]:
    """The last runs done again, the numbers, the states: what is not right of it."""
    from billing.application import replay

    wrong = [*replay.audit_numbers(app), *app.drifted_states()]
    names = [row.name for row in app.store.states("run")]
    for name in names[-CLOSED_RUNS:]:
        found = replay.verify(app, name)
        wrong += [f"{name}: {found.differences_in_all} differences"] * (not found.matches)
    return wrong


def _seen(app: Billing, database: str) -> dict[str, Any]:
    from billing.application import issued, outlook
    from billing.application.explain import explain

    documents = issued.documents(app)
    contracts = list(app.contracts())
    explained = _revised_invoice(app)
    return {
        "database": database,
        "today": app.today,
        "contracts": [
            {"contract": c.number, "form": c.form, "client": c.client, "set_aside": c.aside,
             "standing": outlook.standing(c, app.today)}
            for c in contracts
        ],
        "documents": len(documents),
        "years": _years(documents),
        "last_invoices": documents[-SHOWN:],
        "debits": issued.debits_to_come(app),
        "set_aside": [
            {"contract": c.number, "set_aside": c.aside,
             "waiting": outlook.waiting(app, c) if c.aside.held else None}
            for c in contracts
            if c.aside is not None and outlook.needs_someone(c)
        ],
        "explained": explained,
        "explanation": explain(app, explained, line=1),
    }  # fmt: skip


def _money(app: Billing, bank: Path) -> dict[str, Any]:
    """What came in, what did not, and what lateness costs."""
    from billing.application import balances, collections, issued
    from billing.application.bank import unmatched
    from billing.application.explain import explain
    from billing.dates import month_of

    notes = [one.number for one in issued.documents(app, PAID_LATE) if one.kind == "debit note"]
    return {
        "bank": bank,
        "collections": collections.seen(app, days=month_of(app.today)),
        "unmatched": unmatched(app),
        "statement": balances.statement(app, *DEBIT_RETURNED),
        "owed": balances.aged(app, app.today),
        "charged": notes[-1],
        "interest": explain(app, notes[-1], line=1),
    }


def _revised_invoice(app: Billing) -> str:
    """The first invoice of Intégral's contract of 2021 after its first revision."""
    from billing.events.contract import InstalmentBilled, PriceRevised

    revised = False
    for event in app.history(EXPLAINED):
        revised = revised or isinstance(event, PriceRevised)
        if revised and isinstance(event, InstalmentBilled) and event.invoice:
            return event.invoice
    raise AssertionError(f"{EXPLAINED} was revised in July 2023")


def _years(documents: list[Document]) -> list[dict[str, Any]]:
    """What was billed; what lateness cost, outside VAT, is on debit notes."""
    years: dict[int, dict[str, Any]] = {}
    for one in (one for one in documents if one.kind != "debit note"):
        year = years.setdefault(
            one.issued_on.year,
            {"year": one.issued_on.year, "invoices": 0, "credit_notes": 0,
             "net": Decimal(0), "tax": Decimal(0), "gross": Decimal(0)},
        )  # fmt: skip
        year["credit_notes" if one.credits else "invoices"] += 1
        for amount in ("net", "tax", "gross"):
            year[amount] += getattr(one, amount)
    return [years[year] for year in sorted(years)]


def _page(app: Billing, seen: dict[str, Any]) -> RenderableType:
    from rich.console import Group

    from billing.cli import money_bank, money_collections, money_payments, pages
    from billing.cli.output import euros, table

    played = seen["played"]
    steps = played["steps"] - played["before"]
    if not steps:
        first = (
            f"The demo in {seen['database']} is whole: nothing was played again. Numbers, states "
            f"and the last {CLOSED_RUNS} runs were checked"
            + (": all right." if not seen["wrong"] else f": {'; '.join(seen['wrong'])}.")
        )
    else:
        went_on = f", after the {played['before']} that were there" if played["before"] else ""
        first = (
            f"{steps} steps played in {played['seconds']} s{went_on}: contracts signed and lived, "
            f"billed, collected and chased month by month to November 2026, in {seen['database']}; "
            f"what went to the bank and came from it is in {seen['bank']}."
        )
    return Group(
        f"{first}\nThe suppliers and the words are those of the five contracts; their clients "
        f"and amounts are fictional. Told on {seen['today']}.\n",
        table(
            "Contracts",
            ("Contract", "Form", "Client", "Status", "Since", "Why"),
            ((one["contract"], one["form"], one["client"], one["standing"].status,
              one["standing"].since, _short(one["standing"].why)) for one in seen["contracts"]),
        ),
        pages.documents(seen["last_invoices"], seen["documents"]),
        table(
            "Billed a year",
            ("Year", "Invoices", "Credit notes", "Net", "Tax", "Gross"),
            ((year["year"], year["invoices"], year["credit_notes"], euros(year["net"]),
              euros(year["tax"]), euros(year["gross"])) for year in seen["years"]),
            right=("Invoices", "Credit notes", "Net", "Tax", "Gross"),
        ),
        pages.debits(seen["debits"]),
        pages.asides(seen["set_aside"]),
        "Nothing is estimated: a value that is not in the book is waited for. Once someone has\n"
        "entered it (`billing index publish`), the next run bills what waited.\n",
        f"Why line 1 of {seen['explained']} is what it is:",
        pages.explanation(seen["explanation"]),
        "\nThe money. Direct debits of this month:\n",
        money_collections.seen_page(seen["collections"]),
        "A debit that came back, its fee billed on, its interest and 40 €, presented again:\n",
        money_payments.account_page(seen["statement"]),
        money_payments.balance_page(seen["owed"]),
        money_bank.unmatched_page(seen["unmatched"]),
        f"Why line 1 of {seen['charged']}, the last interest on an invoice paid late, is what it "
        "is:",
        pages.explanation(seen["interest"]),
        _next(seen),
    )  # fmt: skip


def _short(why: str) -> str:
    return why if len(why) <= 60 else f"{why[:57]}…"


def _next(seen: dict[str, Any]) -> str:
    command = "billing"
    if shutil.which("billing") is None:
        command = f"{sys.executable} -m billing"
        first = f"  alias billing='{command}'\n"
    else:
        first = ""
    return (
        "\nGo on with:\n"
        f"{first}"
        f"  export DATABASE_URL={seen['database']} BILLING_TODAY={seen['today']}\n"
        "  billing show SC-2024-031 --clauses        a contract, with its own words\n"
        "  billing calendar --until 2027-06-30       what comes\n"
        "  billing run 2026-12 --dry-run             what December would bill, and what changed\n"
        "  billing list --set-aside                  what waits, and why\n"
        f"  billing explain {seen['explained']:<25} every amount of an invoice\n"
        "  billing collect --out DIR --dry-run       the direct debits the bank is asked for next\n"
        "  billing chase 2026-11-22 --dry-run        what is late, and what it would bring\n"
        "  billing owed --documents                  who owes what, and how late\n"
        "  billing verify 2026-11                    November done again and compared\n"
        "  billing serve --open                      the API: http://127.0.0.1:8000/docs, open to\n"
        "                                            this machine alone, no key asked\n"
        "  billing --help"
    )
