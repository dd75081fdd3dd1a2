"""Termination: who may end the contract before its term, when, and for what (résiliation).

"Seuls les cas de déménagement à l'étranger constituent des conditions valables de résiliation
du présent contrat." — Intégral Micro, durée, 2

"L'une ou l'autre des parties peut résilier le présent Contrat si l'autre partie enfreint
matériellement ses obligations […] et ne parvient pas à y remédier dans les trente (30) jours
suivant la notification écrite." — Pixel Tech, art. 10
"""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Side = Literal["client", "supplier", "either"]
Cause = Literal[
    "convenience",
    "breach_by_client",
    "breach_by_supplier",
    "unpaid",
    "moved_abroad",
    "force_majeure",
    "linked",
    "mutual",
    "conditions_refused",
    "warranty_lost",
    "purchased",
]


class Ground(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """One way out: the cause, who may invoke it, after which clock, and what it costs.

    clock: the formal notice that must have run out first. proof: a document is required.
    indemnity: whether the indemnity clause applies. refund: whether the prepaid part not used
    is credited, pro rata. effective: on the day asked, or at the end of the billing period.
    """

    cause: Cause
    by: Side = "either"
    clock: str = ""
    proof: bool = False
    indemnity: bool = False
    refund: bool = False
    effective: Literal["day", "period_end"] = "day"


class Termination(Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """The ways out of the contract; what is not listed is refused."""

    grounds: tuple[Ground, ...] = ()


def ground_for(clause: Termination, cause: Cause, by: str) -> Ground | None:
    """The ground of that cause that the side may invoke, if the contract has one."""
    for ground in clause.grounds:
        if ground.cause == cause and ground.by in (by, "either"):
            return ground
    return None
