"""The legality review of a contract, at its signature: findings, each with its source.

"refuse" is what the law does not allow, or what could never be billed: the signature is refused.
"warn" is what the parties should know and may keep. Sources marked [R] are recalled and were not
re-read. This is not legal advice.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Final, Literal

from msgspec import Struct

from billing.clauses.interest import RECOVERY_FEE, rate_between
from billing.clauses.payment import Payment, due_on
from billing.contract.sign import Signing
from billing.dates import end_of_month
from billing.forms.form import Form
from billing.money import plain
from indices import IndexBook, IndexUnavailable, Series, SeriesEnded, UnknownSeries

DELAYS: Final = "C. com. L441-10"
PUBLIC_DELAY: Final = 30
LONGEST: Final = timedelta(days=60)
PERIODIC: Final = timedelta(days=45)
_ISSUED: Final = tuple(date(2023, 1, 1) + timedelta(days=n) for n in range(1461))
"""Every day of four years, leap day included: what a payment clause makes of each."""


class Finding(Struct, frozen=True):
    """What the review found in a clause, and where it is written."""

    severity: Literal["refuse", "warn"]
    clause: str
    message: str
    source: str

    def __str__(self) -> str:
        return f"{self.clause}: {self.message} ({self.source})"


def review(
    signing: Signing, book: IndexBook, form: Form | None = None, variant: str = ""
) -> list[Finding]:
    """What the law says of the clauses signed, those that forbid the signature first.

    The form tells of clauses no parameter holds, such as an end for insolvency.
    """
    findings = [
        *_payment(signing),
        *_late_interest(signing, book),
        *_revision(signing, book),
        *_renewal(signing),
        *_termination(signing),
        *_vat(signing),
    ]
    if form is not None and "insolvency" in form.others(variant):
        findings.append(
            Finding(
                "warn",
                "termination",
                "a clause that ends the contract for insolvency alone is void; it is not applied, "
                "and the administrator is asked whether the contract goes on",
                "C. com. L622-13 [R]",
            )
        )
    return sorted(findings, key=lambda finding: finding.severity)


@lru_cache(maxsize=256)
def too_late(
    clause: Payment, allowed: timedelta, *, by_month: bool = False
) -> tuple[date, date] | None:
    """A day of issue and its due day beyond what the law allows; none when there is no such day.

    Allowed is so many days from issue; `by_month`, an agreed end of month is judged instead at 45
    days, in the more generous of its two readings.
    """
    for issued_on in _ISSUED:
        limit = issued_on + allowed
        if by_month and clause.counted.startswith("end_of_month"):
            limit = max(end_of_month(issued_on + PERIODIC), end_of_month(issued_on) + PERIODIC)
        presumed = issued_on + timedelta(days=clause.presumed_receipt_days)
        due = due_on(clause, issued_on, presumed)
        if due > limit:
            return issued_on, due
    return None


def _payment(signing: Signing) -> Iterator[Finding]:
    clause, category = signing.terms.payment, signing.category
    if category == "professional":
        allowed, by_month, told = LONGEST, True, "60 days from issue, or 45 days end of month"
        if signing.terms.meters:
            # A month's measures on one invoice make it a periodic one (CGI 289, I, 3).
            allowed, by_month, told = PERIODIC, False, "45 days from issue for a periodic invoice"
        if beyond := too_late(clause, allowed, by_month=by_month):
            issued_on, due = beyond
            yield Finding(
                "refuse",
                "payment",
                f"an invoice of {issued_on} would be due on {due}, {(due - issued_on).days} days "
                f"later; the law allows {told}",
                DELAYS,
            )
    elif category == "public" and (beyond := too_late(clause, timedelta(days=PUBLIC_DELAY))):
        yield Finding(
            "warn",
            "payment",
            f"an invoice of {beyond[0]} would be due on {beyond[1]}; a public buyer pays within "
            f"{PUBLIC_DELAY} days",
            "CCP R2192-10 [R]",
        )
    if not signing.mandate:
        if clause.debit_required:
            yield Finding(
                "warn",
                "payment",
                "direct debit is required and there is no mandate: the contract will be set aside",
                "the contract",
            )
        elif clause.means == "direct_debit":
            yield Finding(
                "warn",
                "payment",
                "direct debit is scheduled and there is no mandate: nothing will be collected",
                "the contract",
            )


def _late_interest(signing: Signing, book: IndexBook) -> Iterator[Finding]:
    clause, on = signing.terms.late_interest, signing.signed_on
    if signing.category in ("professional", "public") and clause.recovery_fee < RECOVERY_FEE:
        yield Finding(
            "refuse",
            "late_interest",
            f"the recovery fee is {clause.recovery_fee} €; the law sets {RECOVERY_FEE} €",
            "C. com. D441-5",
        )
    if clause.series is None:
        return
    found, trouble = _series(clause.series, on, book)
    if trouble:
        yield _unreadable("late_interest", trouble)
        return
    if found and found.scope != "rate":
        yield Finding(
            "refuse",
            "late_interest",
            f"{found.id} ({found.french_name}) is an index, and a yearly rate was expected",
            DELAYS,
        )
        return
    if signing.category != "professional":
        return
    try:
        tested = rate_between(clause, on, book)
    except IndexUnavailable as unavailable:
        yield Finding(
            "warn",
            "late_interest",
            f"the agreed rate could not be compared with its floor: {unavailable}",
            DELAYS,
        )
        return
    if tested.agreed is not None and tested.floor is not None and tested.agreed < tested.floor:
        then = {
            "raise": "the floor is charged instead",
            "statutory": f"the statutory rate, {plain(tested.statutory or Decimal(0))} %, is "
            "charged instead",
            "as_written": "the contract keeps it as written",
        }[clause.below_floor]
        yield Finding(
            "warn",
            "late_interest",
            f"on {on} the agreed rate is {plain(tested.agreed)} %, under three times the legal "
            f"rate, {plain(tested.floor)} %; {then}",
            DELAYS,
        )


def _revision(signing: Signing, book: IndexBook) -> Iterator[Finding]:
    clause = signing.terms.revision
    if clause is None:
        return
    total = clause.fixed + sum((index.weight for index in clause.indices), Decimal(0))
    if total != 1:
        yield Finding(
            "refuse",
            "revision",
            f"the fixed part and the weights sum to {plain(total)}, not to 1",
            "the formula",
        )
    for index in clause.indices:
        found, trouble = _series(index.series, signing.signed_on, book)
        if trouble:
            yield _unreadable("revision", trouble)
        if found is None:
            continue
        if found.scope == "general":
            yield Finding(
                "refuse",
                "revision",
                f"{found.id} ({found.french_name}) follows prices or wages in general; the index "
                "must relate to the object of the contract or the activity of a party",
                "L112-2 CMF",
            )
        elif found.scope != "activity":
            yield Finding(
                "refuse",
                "revision",
                f"{found.id} ({found.french_name}) is a {found.scope}, not an index of prices",
                "L112-2 CMF",
            )
        elif not trouble and not _based(signing, index.series, index.name):
            yield from _no_base(index.series, signing, book)
    yield from _both_ways(signing)


def _both_ways(signing: Signing) -> Iterator[Finding]:
    clause = signing.terms.revision
    assert clause is not None
    floor, cap = clause.floor_percent, clause.cap_percent
    if clause.direction == "up_only" or (floor is not None and floor >= 0):
        yield Finding(
            "warn",
            "revision",
            "it only raises the fees; a judge may deem such a clause unwritten",
            "case law on commercial leases",
        )
    if floor is not None and cap is not None and floor > cap:
        yield Finding(
            "refuse", "revision", f"its floor, {floor} %, is above its cap, {cap} %", "the formula"
        )


def _based(signing: Signing, series: str, name: str) -> bool:
    return series in signing.bases or name in signing.bases


def _no_base(series: str, signing: Signing, book: IndexBook) -> Iterator[Finding]:
    revision = signing.terms.revision
    on = signing.signed_on
    if revision is not None and revision.base_read_on == "start":
        on = signing.starts_on
    try:
        book.last_known(series, on)
    except IndexUnavailable as unavailable:
        yield Finding(
            "warn",
            "revision",
            f"So cannot be read ({unavailable}); write it in the contract, or import the series",
            "the formula",
        )


def _renewal(signing: Signing) -> Iterator[Finding]:
    renewal, schedule = signing.terms.renewal, signing.terms.schedule
    endless = renewal.kind in ("open", "linked") or renewal.term_months is None
    if endless and schedule.every_months is None:
        yield Finding(
            "refuse",
            "schedule",
            f'the whole term is billed at once, and a contract "{renewal.kind}" has no own term',
            "the contract",
        )
    if renewal.kind == "tacit" and signing.category in ("consumer", "non_professional"):
        yield Finding(
            "warn",
            "renewal",
            f"a {signing.category.replace('_', '-')} client is told, one to three months before "
            "the end of the time to refuse, that the contract renews itself; without proof of it "
            "the client may leave at any time",
            "C. conso. L215-1 and L215-3",
        )


def _termination(signing: Signing) -> Iterator[Finding]:
    terms = signing.terms
    for ground in terms.termination.grounds:
        if ground.clock and terms.clock(ground.clock) is None:
            yield Finding(
                "refuse",
                "termination",
                f'{ground.cause} waits for a clock "{ground.clock}" that the terms do not have',
                "the contract",
            )
        if ground.indemnity and terms.indemnity is None:
            yield Finding(
                "refuse",
                "termination",
                f"{ground.cause} owes an indemnity, and the terms have no indemnity clause",
                "the contract",
            )
    clause = terms.indemnity
    if clause is None:
        return
    yield Finding(
        "warn",
        "indemnity",
        f"{plain(clause.share)} of what remains is a penalty clause: a judge may reduce it if it "
        "is manifestly excessive",
        "C. civ. 1231-5",
    )
    if not clause.taxable and not clause.untaxed_because:
        yield Finding(
            "refuse",
            "indemnity",
            "it is left out of VAT without a reason; it is taxable by default",
            "CJEU C-295/17 and C-43/19; BOI-TVA-BASE-10-10-50",
        )


def _vat(signing: Signing) -> Iterator[Finding]:
    terms = signing.terms
    for vat in terms.vat:
        if not vat.rate and not vat.reason:
            yield Finding(
                "refuse",
                "vat",
                f'"{vat.code}" has a rate of 0 without its reason',
                "EN 16931; CGI ann. II 242 nonies A [R]",
            )
    used = [
        *((f"item {item.code}", item.vat) for item in signing.items),
        *((f"meter {meter.code}", meter.vat) for meter in terms.meters),
        *((f"rate {rate.code}", rate.vat) for rate in terms.rates),
    ]
    for who, code in used:
        if code != "standard" and terms.vat_treatment(code) is None:
            yield Finding(
                "refuse",
                "vat",
                f'{who} names a VAT treatment "{code}" that the terms do not have',
                "the contract",
            )


def _series(
    name: str, on: date, book: IndexBook
) -> tuple[Series | None, UnknownSeries | SeriesEnded | None]:
    """The series of that name, and why it cannot be read on the day if it cannot."""
    try:
        return book.resolve(name, on), None
    except UnknownSeries as unknown:
        return None, unknown
    except SeriesEnded as ended:
        return book.series().get(name), ended


def _unreadable(clause: str, trouble: UnknownSeries | SeriesEnded) -> Finding:
    if isinstance(trouble, UnknownSeries):
        told = f"{trouble.series} is no series of the catalogue"
        return Finding("refuse", clause, told, "the index book")
    waits = "the revision" if clause == "revision" else "late interest"
    told = f"{trouble.series}: {trouble.why}; until then {waits} is set aside"
    return Finding("warn", clause, told, "C. civ. 1167")
