"""What the contract says: one clause, one module, a term and its function.

`Terms` holds all clauses of one contract. It is data: a contract form gives the defaults, a
contract may override any of them, and what was agreed is stored with the signature.
"""

from __future__ import annotations

from msgspec import Struct

from billing.clauses.cover import Cover, Overrun, Rate, Task
from billing.clauses.indemnity import Indemnity
from billing.clauses.interest import LateInterest
from billing.clauses.payment import Payment
from billing.clauses.renewal import Renewal
from billing.clauses.revision import Revision
from billing.clauses.schedule import Schedule
from billing.clauses.suspension import Clock
from billing.clauses.termination import Termination
from billing.clauses.usage import Meter
from billing.clauses.vat import Vat


class Assignment(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Whether the contract may change hands (cession): the supplier's side, the client's side.

    "Ce contrat est personnel et non cessible." — Pixel Tech
    """

    by_supplier: bool = False
    by_client: bool = False


class Amendment(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Whether the supplier may publish new conditions, in force on publication, for the future.

    "les nouvelles Conditions seront effectives dès leur publication" — Chronotech
    """

    by_publication: bool = False


class Purchase(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Buying what was rented refunds so many rents (rachat, remboursement de loyer).

    "Evolutif vers l'achat CallMaster, par remboursement du 1er loyer." — Alliance Telecom
    """

    rents_refunded: int = 0


class Terms(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """All the clauses of one contract. What a contract is silent on has the law's default."""

    renewal: Renewal = Renewal()
    schedule: Schedule = Schedule()
    cover: Cover = Cover()
    payment: Payment = Payment()
    late_interest: LateInterest = LateInterest()
    revision: Revision | None = None
    meters: tuple[Meter, ...] = ()
    clocks: tuple[Clock, ...] = ()
    termination: Termination = Termination()
    indemnity: Indemnity | None = None
    overrun: Overrun | None = None
    assignment: Assignment = Assignment()
    amendment: Amendment = Amendment()
    purchase: Purchase = Purchase()
    rates: tuple[Rate, ...] = ()
    tasks: tuple[Task, ...] = ()
    vat: tuple[Vat, ...] = ()

    def clock(self, name: str) -> Clock | None:
        """The clock of that name."""
        return next((clock for clock in self.clocks if clock.name == name), None)

    def meter(self, code: str) -> Meter | None:
        """The meter of that code."""
        return next((meter for meter in self.meters if meter.code == code), None)

    def rate(self, code: str) -> Rate | None:
        """The line of the rate card of that code."""
        return next((rate for rate in self.rates if rate.code == code), None)

    def vat_treatment(self, code: str) -> Vat | None:
        """The VAT treatment of that code; none for the standard rate."""
        return next((vat for vat in self.vat if vat.code == code), None)


__all__ = ["Amendment", "Assignment", "Purchase", "Terms"]
