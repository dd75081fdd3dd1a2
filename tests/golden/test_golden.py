"""The invoices of the five contracts, line by line, as they were read and checked by hand.

The files beside this one are what a reader compares: change them only with the sum redone.
"""

from datetime import date
from pathlib import Path

import pytest

from billing.clauses.fees import Item
from billing.contract import change, cover, end, renew
from tests.scenario import D, House, rendered
from tests.seeds import test_alliance_telecom as alliance
from tests.seeds import test_chronotech as chronotech
from tests.seeds import test_integral_micro as integral
from tests.seeds import test_pixel_tech as pixel
from tests.seeds import test_si_contact as sicontact

HERE = Path(__file__).parent


def pixel_tech():
    """Two years, a quote for the second, work by the hour, the supplier's breach."""
    house = House()
    house.signs(pixel.CONTRACT)
    house.months("2026-01-01", "2026-03-01")
    house.do("PT-1", cover.do_work, "HEURE", date(2026, 3, 17), quantity=D("2.5"))
    house.do("PT-1", cover.add_equipment, pixel.STATION, date(2026, 7, 1))
    house.months("2026-03-01", "2026-11-01")
    house.do("PT-1", renew.offer, date(2026, 11, 1), prices={"CALDERA": D("934.50")})
    house.months("2026-11-01", "2027-03-01")
    house.do("PT-1", end.formal_notice, "breach", "client", date(2027, 3, 1), sending="email")
    house.do(
        "PT-1",
        end.terminate,
        date(2027, 4, 1),
        "breach_by_supplier",
        "client",
        history=house.history("PT-1"),
    )
    house.months("2027-03-01", "2028-03-01")
    return house


def integral_micro():
    """By the quarter: overage, a laptop, a revision, an assignment, a move abroad."""
    house = integral.signed("quarterly", book=integral.REVISED)
    house.run("2023-08-01")
    house.do("IM-1", cover.measure, "SAUVEGARDE", date(2023, 8, 31), D("112.2"))
    house.do("IM-1", cover.add_equipment, integral.LAPTOP, date(2023, 9, 17))
    house.months("2023-08-01", "2024-09-01")
    house.do("IM-1", change.assign, "supplier", "REPRENEUR", date(2024, 10, 1))
    house.months("2024-09-01", "2024-11-01")
    house.do(
        "IM-1",
        end.terminate,
        date(2024, 11, 16),
        "moved_abroad",
        "client",
        "bail à Genève",
        house.history("IM-1"),
    )
    house.months("2024-11-01", "2025-04-01")
    return house


def chronotech_copy():
    """The copy beside its backup: a volume, an access, an overrun, the parent's early end."""
    house = chronotech.linked(more=chronotech.OVERRUN)
    house.months("2024-03-01", "2024-05-01")
    house.do("COPY", cover.subscribe, chronotech.ACCESS, date(2024, 4, 17))
    house.do("COPY", end.formal_notice, "overrun", "supplier", date(2024, 4, 10), sending="email")
    house.months("2024-05-01", "2024-08-01")
    house.do("BACKUP", end.terminate, date(2024, 8, 20), "convenience", "client")
    house.months("2024-08-01", "2024-12-01")
    return house


def si_contact():
    """Five years: a warranty that ends, a room not sent back, and half of what was left."""
    house = sicontact.signed(60, warranty="2025-08-31")
    house.run("2024-04-01")
    house.do("SC-1", cover.ship_replacement, "MISTRAL", date(2024, 6, 3))
    house.months("2024-04-01", "2026-09-01")
    house.do(
        "SC-1",
        end.terminate,
        date(2026, 9, 1),
        "convenience",
        "client",
        history=house.history("SC-1"),
    )
    house.months("2026-09-01", "2027-06-01")
    return house


def alliance_rental():
    """The quote, calls, a seasonal agent, a rejected debit, the purchase."""
    house = alliance.rental()
    house.run("2017-02-01", earliest="2016-12-01")
    house.do("AT-1", cover.measure, "MOBILE", date(2017, 1, 31), D(4321))
    house.do("AT-1", cover.subscribe, alliance.AGENT, date(2017, 2, 14))
    house.do(
        "AT-1",
        change.add_charge,
        "bank_fee",
        "Frais de rejet",
        D("14.50"),
        date(2017, 2, 20),
        "rejet du prélèvement",
    )
    house.run("2017-03-01")
    house.do(
        "AT-1",
        end.purchase,
        date(2017, 3, 10),
        D("4500.00"),
        "Call Master",
        house.history("AT-1"),
    )
    house.months("2017-03-01", "2017-07-01")
    return house


def alliance_maintenance():
    """A handset added, a revision that waited, three quarters of what was left."""
    late = '\n[terms.revision]\nlate = "regularise"\n'
    house = alliance.maintenance(alliance.INDEXED, more=alliance.MANDATE + late)
    house.run("2024-07-01")
    handset = Item(code="POSTE", label="Poste", unit_price=D("10.00"), kind="equipment")
    house.do("AT-1", cover.add_equipment, handset, date(2024, 6, 16))
    house.months("2024-07-01", "2024-09-01")
    # The months between are as August: they are billed and left out.
    kept = list(house.documents)
    house.months("2024-09-01", "2025-08-01")
    alliance.substituted(house, "2025-07-20")
    house.documents = kept
    house.months("2025-08-01", "2025-09-01")
    house.do(
        "AT-1",
        end.terminate,
        date(2025, 9, 1),
        "convenience",
        "client",
        history=house.history("AT-1"),
    )
    house.months("2025-09-01", "2025-12-01")
    return house


LIVES = {
    "pixel-tech": pixel_tech,
    "integral-micro": integral_micro,
    "chronotech": chronotech_copy,
    "si-contact": si_contact,
    "alliance-rental": alliance_rental,
    "alliance-maintenance": alliance_maintenance,
}


@pytest.mark.parametrize("name", LIVES)
def test_the_invoices_are_those_a_reader_has_checked(name):
    found = rendered(LIVES[name]().documents)
    assert found == (HERE / f"{name}.txt").read_text("utf-8")


@pytest.mark.parametrize("name", LIVES)
def test_nothing_is_due_after_the_end(name):
    assert all(contract.next_due() is None for contract in LIVES[name]().contracts.values())
