"""What several letters say in the same way: documents owed, how to pay, the contract's words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal

from billing.documents.facturx.facts import Late
from billing.documents.facturx.mentions import in_force, late_rate
from billing.documents.facturx.page import spaced
from billing.documents.letters.facts import Head, Owed, Quoted
from billing.documents.letters.letter import Block, Heading, Pairs, Quote, Table, Text
from billing.documents.letters.words import Letterwords, words
from billing.events.party import Identity
from billing.money import ZERO

FEW = 3
"""So many numbers of documents are told one by one."""


def saying(head: Head) -> Letterwords:
    """The words of the client's language."""
    return words(head.client.language)


def total(amounts: Iterable[Decimal]) -> Decimal:
    """Their sum, in euros."""
    return sum(amounts, ZERO)


def references(head: Head, say: Letterwords, *more: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    """The contract and what else heads the letter; what is empty is left out."""
    contracts = head.contracts
    label = say("contract") if len(contracts) == 1 else say("contracts")
    found = [(label, ", ".join(contracts)), (say("contract_label"), head.label)]
    if head.signed_on is not None:
        found.append((say("signed_on"), say.day(head.signed_on)))
    return tuple(one for one in (*found, *more) if one[1])


def quoted(clause: Quoted, say: Letterwords) -> Iterator[Block]:
    """The contract's own words, where it has some."""
    if not clause.words:
        return
    source = "; ".join(part for part in clause.source.split("; ") if "silent" not in part)
    place = say("clause_of", source=source) if source else say("clause_nowhere")
    written = clause.words.replace("$", "").replace(r"\times", "×")  # Formulas, as forms have them.
    yield Text(say("as_agreed"))
    yield Quote(say.typeset(f"« {written} »"), say.typeset(place))


def named(one: Owed, say: Letterwords) -> str:
    """Facture F-1, Note de débit F-2."""
    return say(f"doc_{one.kind}", number=one.number)


def owed_table(owed: Sequence[Owed], say: Letterwords, several: bool = False) -> Table:
    """Documents of which something is owed, with their contract where there are several."""
    heads = [say("document"), say("issued"), say("due"), say("lateness"), say("gross"), say("left")]
    rows: list[tuple[str, ...]] = [
        (
            named(one, say),
            say.day(one.issued_on),
            say.day(one.due_on),
            say.lasting(one.late) if one.late > 0 else "–",
            say.money(one.gross),
            say.money(one.owed),
        )
        for one in owed
    ]
    if several:
        heads.insert(1, say("contract"))
        rows = [(row[0], one.contract, *row[1:]) for row, one in zip(rows, owed, strict=True)]
    foot = ((say("total_left"), say.money(total(one.owed for one in owed))),)
    return Table(tuple(heads), tuple(rows), 3, foot)


def pay_to(supplier: Identity, owed: Sequence[Owed], say: Letterwords) -> Iterator[Block]:
    """The supplier's account and what to write with the payment."""
    rows: list[tuple[str, str]] = []
    if supplier.iban:
        rows.append((say("iban"), spaced(supplier.iban, 4)))
        if supplier.bic:
            rows.append((say("bic"), supplier.bic))
    if owed:
        few = ", ".join(one.number for one in owed)
        rows.append((say("reference"), few if len(owed) <= FEW else say("documents_above")))
    if rows:
        yield Heading(say("pay_to"))
        yield Pairs(tuple(rows))


def late_mentions(late: Late, say: Letterwords, day: date) -> str:
    """What the law has it say of late payment: the rate, the fixed fee."""
    protected = late.category in ("consumer", "non_professional")
    rate = late_rate(late, say, day)
    told = [say.choose(in_force("late_consumer" if protected else "late", day)).format(rate=rate)]
    fee = late.clause.recovery_fee
    if fee and not protected:
        told.append(say.choose(in_force("fee", day)).format(fee=say.money(fee)))
    return say.typeset(" ".join(told))
