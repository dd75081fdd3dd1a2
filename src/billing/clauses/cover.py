"""Cover: what happens when equipment, options or volume come and go (périmètre).

"L'augmentation intervenue en cours de mois donnera lieu à facturation pour le volume entier."
— Chronotech, espace de stockage supplémentaire

"Les équipements de visioconférence devront obligatoirement bénéficier d'une garantie
constructeur en cours sous peine de nullité du contrat." — Si Contact, art. 1

"Tout matériel non renvoyé dans les délais sera facturé." — Si Contact, art. 6
"""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

from msgspec import Struct

from billing.clauses.fees import ItemKind
from billing.clauses.proration import Method


class Cover(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """How additions and removals are billed.

    proration: how a part of a period is counted; whole_month_kinds are billed by whole months
    whatever it says (accesses, volumes, options). catch_up: an addition to a period already
    billed is billed on the next billing date, or at once. removal_credit: whether a removal
    gives back what was billed ahead. warranty_kinds: items that leave the cover when their
    manufacturer's warranty ends. return_days: days to send a replaced item back before it is
    billed at list price; none: no exchange. needs_acceptance: nothing is billed before the
    installation is accepted. one_off_apart: what is sold once has an invoice of its own.
    undeclared_from_use: equipment found undeclared is billed from the day it was in use.
    """

    proration: Method = "days"
    whole_month_kinds: tuple[ItemKind, ...] = ()
    catch_up: Literal["next", "at_once"] = "next"
    removal_credit: bool = False
    warranty_kinds: tuple[ItemKind, ...] = ()
    return_days: int | None = None
    needs_acceptance: bool = False
    one_off_apart: bool = False
    undeclared_from_use: bool = True


class Overrun(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """What an overrun of the agreed volume leads to (dépassement de volume).

    After `days` from the e-mail: block the growth, or subscribe the next volume step when
    `then` says so: `step` units at `step_price` euros a month before tax.
    """

    days: int = 30
    then: Literal["block", "subscribe"] = "block"
    step: Decimal = Decimal(0)
    step_price: Decimal = Decimal(0)


class Rate(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """A line of the rate card (tarif en vigueur): travel, an hour's work, a ticket.

    The first `first_free` cost nothing; nor does any while the item `included_with` is in the
    cover, unless the client is at fault (missed appointment, unsafe premises).
    """

    code: str
    label: str
    unit_price: Decimal
    unit: str = "unit"
    first_free: int = 0
    included_with: str = ""
    vat: str = "standard"


class Task(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Something to do by a day after the end, and to prove (destruction des données)."""

    code: str
    label: str
    days_after_end: int
