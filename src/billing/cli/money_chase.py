"""What is late: `billing chase`, disputes, and the services that are open only while paid."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from billing.cli import DAY, Session, exits, pass_session
from billing.cli.batch import progress_bar
from billing.cli.lifecycle import SUPPLIER, day, record
from billing.cli.output import counted, euros, table

if TYPE_CHECKING:
    from rich.console import RenderableType

    from billing.application.chase import Report
    from billing.arrears import Gate

AMOUNTS = ("Documents", "Owed", "Amount", "Interest", "Fees", "Total")


@click.command()
@click.argument("chased_on", metavar="DATE", type=DAY)
@click.option("--dry-run", is_flag=True, help="Show what it would bring; write nothing.")
@click.option(
    "--policy",
    type=click.Path(path_type=Path),
    envvar="BILLING_POLICY",
    metavar="FILE",
    help="The house's own policy (TOML); else BILLING_POLICY, else the one that ships.",
)
@click.option("--contract", default="", metavar="NUMBER", help="Only that contract.")
@click.option("--strict", is_flag=True, help="Exit 8 when a contract was set aside.")
@pass_session
def chase(
    session: Session,
    chased_on: date,
    dry_run: bool,
    policy: Path | None,
    contract: str,
    strict: bool,
) -> None:
    """Bring a DATE to all that is late: reminders, formal notices, interest and 40 €.

    Nothing is asked for what is withheld, disputed, or on its way by direct debit; an invoice paid
    late is still charged. Give it again at will: the same day brings nothing new. Suspension is
    never automatic: what a clock allows is listed.
    """
    from billing.application import chase as arrears
    from billing.dunning import read_policy

    said = None if policy is None else read_policy(policy)
    try:
        with progress_bar(session, f"{chased_on}", "contracts/s") as progress:
            report = arrears.chase(session.app, chased_on, said, contract, dry_run, progress)
    except KeyboardInterrupt:
        raise exits.Failed(
            exits.INTERRUPTED,
            f"the arrears pass of {chased_on} was stopped. What it recorded stays; give the same "
            "command again and it goes on from there.",
        ) from None
    session.out.say(data(report), lambda: page(report))
    if strict and report.set_aside:
        told = counted(len(report.set_aside), "contract")
        raise exits.Failed(exits.SET_ASIDE, f"{told} set aside")


def data(report: Report) -> dict[str, Any]:
    """The report as data."""
    return {
        "day": report.day,
        "policy": report.policy.name,
        "dry_run": report.dry_run,
        "contracts": report.contracts,
        "reminders": report.letters,
        "formal_notices": report.notices,
        "cured": report.cured,
        "debit_notes": report.debit_notes,
        "credit_notes": report.credit_notes,
        "interest": report.total("late_interest"),
        "recovery_fees": report.total("recovery_fee"),
        "total": report.total(),
        "allowed": report.tasks,
        "to_collect": report.to_collect,
        "set_aside": report.set_aside,
        "remarks": report.remarks,
    }


def page(report: Report) -> RenderableType:
    """The report for people."""
    from rich.console import Group

    more = (report.tasks, report.to_collect, report.set_aside, report.remarks)
    if report.nothing and not any(more):
        return f"{report.day}: nothing new is late."
    verb = "would bring" if report.dry_run else "brought"
    told = [
        counted(len(report.letters), "reminder"),
        counted(len(report.notices), "formal notice"),
        counted(len(report.debit_notes), "debit note"),
    ]
    told += [counted(len(report.credit_notes), "credit note")] if report.credit_notes else []
    told += [f"{counted(len(report.cured), 'clock')} stopped"] if report.cured else []
    told += [f"{len(report.set_aside)} set aside"] if report.set_aside else []
    head = f"{report.day} {verb} {', '.join(told)} (policy {report.policy.name})."
    parts = [head, *_tables(report)]
    if report.dry_run:
        parts.append("Nothing was written.")
    return Group(*parts)


def _tables(report: Report) -> Iterator[RenderableType]:
    if report.letters:
        columns = ("Level", "", "Sent by", "Documents", "Owed")
        yield table("Reminders", columns, _levels(report), AMOUNTS)
    if report.notices:
        yield table(
            "Formal notices",
            ("Contract", "Clock", "About", "From", "It may"),
            (
                (n.contract, n.clock, n.about, n.allowed_from or "receipt", " or ".join(n.allows))
                for n in report.notices
            ),
        )
    if report.debit_notes:
        yield table(
            "Debit notes, outside VAT",
            ("Number", "Contract", "Client", "Interest", "Fees", "Total", "Due"),
            _notes(report),
            AMOUNTS,
        )
    if report.credit_notes:
        yield table(
            "Credit notes on debit notes: less was late",
            ("Number", "Credits", "Client", "Amount"),
            ((n.number, n.credits, n.client, euros(n.gross)) for n in report.credit_notes),
            AMOUNTS,
        )
    if report.cured:
        yield f"All is paid, the clock stops: {', '.join(report.cured)}.\n"
    if report.tasks:
        yield table(
            "Now allowed (a person decides)",
            ("Contract", "Client", "It may", "Since", "Letter of", "Clause", "Owed"),
            (
                (
                    one.contract,
                    one.client,
                    " or ".join(one.allows),
                    one.allowed_from,
                    one.sent_on,
                    f"{one.clock}, {one.clause}" if one.clause else one.clock,
                    euros(one.owed),
                )
                for one in report.tasks
            ),
            AMOUNTS,
        )
    if report.to_collect:
        owed = euros(_sum([one.owed for one in report.to_collect]))
        yield (
            f"{counted(len(report.to_collect), 'document')} not chased, {owed}: the direct debit "
            "was never asked for (`billing collect`).\n"
        )
    if report.set_aside:
        yield _asides("Set aside: nothing was charged", report.set_aside)
    if report.remarks:
        yield _asides("The letter starts no clock", report.remarks)


def _levels(report: Report) -> Iterator[tuple[Any, ...]]:
    for rank, level in enumerate(report.policy.levels, 1):
        ours = [one.owed for one in report.letters if one.level == rank]
        if ours:
            way = level.sending.replace("_", " ")
            yield rank, f"{level.name} ({level.english})", way, len(ours), euros(_sum(ours))


def _notes(report: Report) -> Iterator[tuple[Any, ...]]:
    for note in report.debit_notes:
        interest = _sum([line.amount for line in note.lines if line.kind == "late_interest"])
        rest = note.gross - interest
        yield (
            note.number, note.contract, note.client, euros(interest), euros(rest),
            euros(note.gross), note.due_on,
        )  # fmt: skip
    if len(report.debit_notes) > 1:
        fees = report.total() - report.total("late_interest")
        yield (
            "", "", "total", euros(report.total("late_interest")), euros(fees),
            euros(report.total()), "",
        )  # fmt: skip


def _asides(title: str, found: list[Any]) -> RenderableType:
    rows = ((one.contract, one.clause, one.reason) for one in found)
    return table(title, ("Contract", "Clause", "Why"), rows)


def _sum(amounts: list[Decimal]) -> Decimal:
    return sum(amounts, Decimal("0.00"))


# Disputes


@click.command()
@click.argument("invoice")
@click.option("--reason", required=True, help="What the client contests.")
@day("disputed_on", "The day the client told")
@SUPPLIER
@pass_session
def dispute(
    session: Session, invoice: str, reason: str, disputed_on: date | None, supplier: str
) -> None:
    """Record that INVOICE is disputed (litige): it is neither reminded of nor charged."""
    record(
        session, "dispute", invoice=invoice, reason=reason, disputed_on=disputed_on,
        supplier_code=supplier,
    )  # fmt: skip


@click.command("settle-dispute")
@click.argument("invoice")
@click.option("--how", required=True, help="How it was settled.")
@day("settled_on", "The day it was")
@SUPPLIER
@pass_session
def settle_dispute(
    session: Session, invoice: str, how: str, settled_on: date | None, supplier: str
) -> None:
    """Record that the dispute of INVOICE is over; what is owed is late since its due day."""
    record(
        session, "settle-dispute", invoice=invoice, how=how, settled_on=settled_on,
        supplier_code=supplier,
    )  # fmt: skip


# The service


@click.command()
@click.argument("on", metavar="DATE", type=DAY)
@click.option("--closed", is_flag=True, help="Only those that are closed.")
@pass_session
def gates(session: Session, on: date, closed: bool) -> None:
    """Show on a DATE the services that are open only while the period's invoice is paid."""
    from billing.application import chase as arrears

    found = [one for one in arrears.gates(session.app, on) if not (closed and one.open)]
    session.out.say(found, lambda: _gates(found, on))


def _gates(found: list[Gate], on: date) -> RenderableType:
    if not found:
        return f"{on}: no service waits for its payment."
    return table(
        f"Served only while paid, on {on}",
        ("Contract", "Client", "", "Since", "Invoice", "Owed", ""),
        (
            (
                one.contract,
                one.client,
                "open" if one.open else "closed",
                one.since,
                one.invoice,
                euros(one.owed) if one.invoice else "",
                one.why,
            )
            for one in found
        ),
        ("Owed",),
    )
