"""The contracts of the busy house: together they bring every kind of line an invoice may have."""

from __future__ import annotations

from billing.application.commands import issue_credit_note
from billing.clauses import Terms
from billing.clauses.cover import Cover, Rate
from billing.clauses.fees import Item
from billing.clauses.indemnity import Indemnity
from billing.clauses.interest import LateInterest
from billing.clauses.payment import Payment
from billing.clauses.renewal import Renewal
from billing.clauses.revision import Revision, Weight
from billing.clauses.schedule import Schedule
from billing.clauses.termination import Ground, Termination
from billing.clauses.usage import Meter
from billing.clauses.vat import Vat
from billing.contract import change, cover, end
from tests.explain.house import D, House, day

SYNTEC = Revision(
    indices=(Weight(weight=D(1), series="SYNTEC", name="Syntec"),),
    every_months=24,
    first_after_months=24,
)
LINKED_INDEX = Terms(
    renewal=Renewal(term_months=60),
    schedule=Schedule(every_months=1),
    revision=SYNTEC,
    payment=Payment(days=15, counted="receipt", means="direct_debit", debit_day=1),
    late_interest=LateInterest(series="LEGAL_INTEREST_PROFESSIONAL", times=D("1.5"), points=D(5)),
)
BUSY = Terms(
    renewal=Renewal(term_months=36),
    cover=Cover(whole_month_kinds=("option",), removal_credit=True),
    payment=Payment(days=45, counted="end_of_month_after", then_on_day=10),
    meters=(
        Meter(
            code="GO",
            label="Sauvegarde",
            unit="Go",
            unit_price=D("3.00"),
            included=D(100),
            step=D(1),
        ),
        Meter(code="MIN", label="Appels", unit="s", unit_price=D("0.01"), units_per_price=D(60)),
    ),
    rates=(Rate(code="HEURE", label="Heure de travail", unit_price=D("85.00")),),
    vat=(Vat(code="outside", category="O", reason="Indemnité hors champ"),),
    indemnity=Indemnity(share=D("0.75"), taxable=False, untaxed_because="not a supply"),
    termination=Termination(
        grounds=(Ground(cause="convenience", by="client", indemnity=True, refund=True),)
    ),
)
BY_QUARTER = Terms(
    renewal=Renewal(term_months=12),
    schedule=Schedule(every_months=3, in_advance=False),
    cover=Cover(proration="thirty_360"),
    revision=Revision(
        indices=(Weight(weight=D("0.80"), series="S_SME", name="S"),),
        fixed=D("0.20"),
        if_unpublished="bill_unrevised",
        late="regularise",
    ),
)
DEBITED = Terms(payment=Payment(means="direct_debit", debit_required=True))
PARENT = Terms(renewal=Renewal(term_months=12))
CHILD = Terms(renewal=Renewal(kind="linked"), cover=Cover(whole_month_kinds=("volume",)))


def bill_them_all(house: House) -> None:
    """Signs, changes and bills them."""
    app = house.app
    house.sign(
        "LINKED",
        LINKED_INDEX,
        Item(code="AN", label="Redevance annuelle", unit_price=D("1000.00"), per_months=12),
        Item(code="PC", label="Poste", unit_price=D("12.34"), quantity=D(3), discount=D("12.5")),
        signed_on="2021-09-30",
        starts_on="2021-11-01",
        mandate="MANDATE-1",
    )
    house.sign(
        "PARENT",
        PARENT,
        Item(code="P", label="Sauvegarde", unit_price=D("50.00")),
        signed_on="2023-01-15",
    )
    house.sign(
        "CHILD",
        CHILD,
        Item(code="C", label="Copie", unit_price=D("20.00"), entry_fee=D("15.00")),
        signed_on="2023-02-10",
        parent=app.contract("PARENT"),
        form="chronotech",
    )
    house.sign(
        "QUARTER",
        BY_QUARTER,
        Item(code="Q", label="Trimestre", unit_price=D("99.99")),
        signed_on="2022-10-20",
        form="alliance-telecom",
    )
    house.sign(
        "BUSY",
        BUSY,
        Item(code="SRV", label="Serveur", unit_price=D("120.00"), quantity=D(2)),
        Item(code="INST", label="Installation", unit_price=D("1200.00"), per_months=0),
        Item(code="REM", label="Remise", unit_price=D("-300.00"), per_months=0),
        signed_on="2023-10-20",
        starts_on="2023-11-01",
    )
    house.on("2023-11-01")
    house.month("2023-11")
    house.on("2023-11-28")
    app.change(
        "BUSY",
        lambda c: cover.add_equipment(
            c,
            Item(code="PC", label="Poste", unit_price=D("31.13"), quantity=D(2)),
            day("2023-11-17"),
            "undeclared",
            "visite",
        ),
    )
    app.change(
        "BUSY",
        lambda c: cover.subscribe(
            c,
            Item(
                code="OPT",
                label="Option",
                unit_price=D("40.00"),
                kind="option",
                entry_fee=D("25.00"),
            ),
            day("2023-12-12"),
        ),
    )
    app.change("BUSY", lambda c: cover.measure(c, "GO", day("2023-11-01"), D("120.2")))
    app.change("BUSY", lambda c: cover.measure(c, "MIN", day("2023-11-01"), D("4321")))
    app.change("BUSY", lambda c: cover.do_work(c, "HEURE", day("2023-11-20"), D("1.5")))
    house.sign(
        "HELD",
        DEBITED,
        Item(code="H", label="Loyer", unit_price=D("180.00")),
        signed_on="2023-12-05",
    )
    house.months("2023-12", "2024-02")
    house.on("2024-02-20")
    app.change(
        "BUSY",
        lambda c: cover.remove_equipment(
            c, "PC", day("2024-02-20"), app.book(), house.history("BUSY")
        ),
    )
    app.change(
        "QUARTER",
        lambda c: change.substitute_index(
            c, "S_SME", "SYNTEC", day("2024-02-20"), "ada", "avenant 3", app.book()
        ),
    )
    house.months("2024-03", "2024-04")
    house.on("2024-04-10")
    app.change(
        "BUSY",
        lambda c: end.terminate(
            c, day("2024-04-15"), "convenience", "client", history=house.history("BUSY")
        ),
    )
    house.months("2024-05", "2024-07")
    house.on("2024-07-20")
    issue_credit_note(app, "2024-000001", "geste commercial")
