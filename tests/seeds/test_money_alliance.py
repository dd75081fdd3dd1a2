"""Alliance Telecom with its money: a deposit, a debit that comes back, an account settled."""

from decimal import Decimal as D

from tests.bank import files
from tests.seeds.money import House

CONTRACT = """
form = "alliance-telecom"
variant = "rental"
number = "AT-1"
signed_on = 2026-01-12
starts_on = 2026-01-12

[supplier]
siren = "999 001 050"
vat_number = "FR79 999001050"
invoice_prefix = "AT"

[client]
code = "TELEVENTE"
name = "Télévente Occitane"
address = { lines = ["1 rue de l'Exemple"], postcode = "34000", city = "Montpellier" }
iban = "FR76 9999 9000 0110 0111 1111 009"
bic = "DEMOFRPPXXX"

[mandate]
reference = "RUM-1"
signed_on = 2026-01-12
scheme = "CORE"

[[items]]
code = "CALLMASTER"
[[items]]
code = "INSTALL"
[[items]]
code = "MULTI"
"""
CLIENT = "TELEVENTE"


def test_from_the_signature_to_a_settled_account(url, tmp_path):
    house = House(tmp_path, url, "FR7613506100008511675631022")
    house.signs("2026-01-12", CONTRACT)

    # Half of the order, 1200.00 and its VAT, validates it: 720.00, of which 120.00 is VAT.
    house.on("2026-01-13", "deposit-invoice", contract="AT-1", percent=D("50"))
    assert house.owed(CLIENT) == {"AT2026-000001": "720.00"}
    deposit = files.transfer("720.00", remittance=["Acompte AT2026-000001"], debtor="Televente")
    house.bank_tells("2026-01-15", [deposit])
    assert house.owed(CLIENT) == {}

    # Accepted, it is invoiced less the deposit, and the first rent is debited 30 days later.
    house.on("2026-01-20", "accept", contract="AT-1")
    house.on("2026-01-31", "run", month="2026-01")
    assert house.owed(CLIENT) == {"AT2026-000002": "720.00", "AT2026-000003": "216.00"}
    assert house.collects("2026-02-05") == [("AT2026-000003", "2026-02-19", "216.00")]
    paid = files.transfer("720.00", remittance=["AT2026-000002"], debtor="Televente")
    debited = files.credit("216.00", "AT2026-000003", mandate="RUM-1")
    house.bank_tells("2026-02-19", [debited, paid])
    assert house.owed(CLIENT) == {}

    # The debit comes back, and the bank's 14.50 is billed on, outside VAT.
    back = files.debit(
        "230.50", "AT2026-000003", tx_amount="216.00", charges="14.50", mandate="RUM-1"
    )
    house.bank_tells("2026-02-24", [back])
    house.on("2026-02-28", "run", month="2026-02")
    assert house.owed(CLIENT) == {
        "AT2026-000003": "216.00",
        "AT2026-000004": "216.00",
        "AT2026-000005": "14.50",
    }

    # 1.5 × 2.62 + 5 = 8.93 %; 25 February to 5 March, 9 days: 216 × 8.93 % × 9/365 = 0.475…
    letters, charged = house.chases("2026-03-05")
    assert letters == [("AT2026-000003", "Première relance")]
    assert charged == [("late_interest", "0.48"), ("recovery_fee", "40.00")]
    assert house.chases("2026-03-05") == ([], [])

    # The client is told of the day, then both rents are debited.
    house.on("2026-03-06", "announce")
    assert house.collects("2026-03-10") == [
        ("AT2026-000003/2", "2026-03-20", "216.00"),
        ("AT2026-000004", "2026-03-23", "216.00"),
    ]
    assert house.collects("2026-03-10") == []
    again = files.credit("216.00", "AT2026-000003/2", mandate="RUM-1")
    house.bank_tells("2026-03-20", [again])
    house.bank_tells("2026-03-23", [files.credit("216.00", "AT2026-000004", mandate="RUM-1")])

    # 40.48 of the debit note and 14.50 of the bank's fee: 54.98, in one transfer.
    assert house.balance(CLIENT) == D("54.98")
    rest = files.transfer("54.98", remittance=["AT2026-000006 AT2026-000005"], debtor="Televente")
    house.bank_tells("2026-03-26", [rest])
    assert house.owed(CLIENT) == {}
    assert house.balance(CLIENT) == 0
    assert house.issued() == {
        "AT2026-000001": "720.00",
        "AT2026-000002": "720.00",
        "AT2026-000003": "216.00",
        "AT2026-000004": "216.00",
        "AT2026-000005": "14.50",
        "AT2026-000006": "40.48",
    }
    house.is_sound()


def test_bought_the_first_rent_comes_back_and_pays_for_part_of_it(url, tmp_path):
    house = House(tmp_path, url, "FR7613506100008511675631022")
    house.signs("2026-01-12", CONTRACT)
    # 1440.00 of the order and 216.00 of the first rent, all of it ahead.
    house.on("2026-01-13", "deposit", contract="AT-1", amount=D("1656.00"), reference="VIR 1")
    house.on("2026-01-20", "accept", contract="AT-1")
    house.on("2026-01-31", "run", month="2026-01")
    assert house.owed(CLIENT) == {}
    assert house.collects("2026-02-05") == []  # Nothing is left to debit.

    house.on("2026-02-10", "purchase", contract="AT-1", price=D("2000.00"), label="Achat")
    house.on("2026-02-28", "run", month="2026-02")
    # The sale, 2400.00; the rent paid by the deposit, 216.00, is the client's credit.
    assert house.owed(CLIENT) == {"AT2026-000004": "2400.00"}
    assert house.issued()["AT2026-000005"] == "216.00"
    assert house.balance(CLIENT) == D("2184.00")
    house.on("2026-02-28", "set-off", client=CLIENT)
    assert house.owed(CLIENT) == {"AT2026-000004": "2184.00"}
    house.on("2026-03-02", "pay", client=CLIENT, amount=D("2184.00"), reference="CHQ 9")
    assert house.balance(CLIENT) == 0
    house.is_sound()
