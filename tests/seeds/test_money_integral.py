"""Intégral Micro with its money: a debit that comes back, reminded, charged, and settled."""

from decimal import Decimal as D

from tests.bank import files
from tests.seeds.money import House

CONTRACT = """
form = "integral-micro"
number = "IM-1"
signed_on = 2024-01-10
starts_on = 2024-02-01

[supplier]
siren = "999 001 027"
vat_number = "FR10 999001027"
address = { lines = ["5 avenue de l'Exemple"], postcode = "75011", city = "Paris" }
invoice_prefix = "IM"
iban = "FR76 3000 6000 0112 3456 7890 189"
bic = "AGRIFRPP"
creditor_identifier = "FR21ZZZ990002"

[client]
code = "MOREAU"
name = "Cabinet Moreau"
address = { lines = ["1 rue de l'Exemple"], postcode = "75011", city = "Paris" }
iban = "FR76 9999 9000 0110 0111 1111 009"
bic = "DEMOFRPPXXX"

[mandate]
reference = "RUM-2"
signed_on = 2024-01-10
scheme = "CORE"

[[items]]
code = "SERVEUR"
unit_price = "250.00"
"""
CLIENT = "MOREAU"


def test_from_the_signature_to_a_settled_account(url, tmp_path):
    house = House(tmp_path, url, "FR7630006000011234567890189")
    house.signs("2024-01-10", CONTRACT)
    house.on("2024-02-29", "run", month="2024-02")
    assert house.owed(CLIENT) == {"IM2024-000001": "300.00"}

    # Received on the day of issue, due on the 16th, debited on the next 1st of a month.
    assert house.collects("2024-02-20") == [("IM2024-000001", "2024-03-01", "300.00")]
    house.bank_tells("2024-03-01", [files.credit("300.00", "IM2024-000001", mandate="RUM-2")])
    assert house.owed(CLIENT) == {}

    # It comes back; the contract leaves the bank's 9.00 to the supplier.
    back = files.debit(
        "309.00", "IM2024-000001", tx_amount="300.00", charges="9.00", mandate="RUM-2"
    )
    house.bank_tells("2024-03-05", [back])
    assert house.owed(CLIENT) == {"IM2024-000001": "300.00"}

    # ECB 4.50 + 10 = 14.50 %; 6 to 13 March, 8 days: 300 × 14.5 % × 8/365 = 0.953…
    letters, charged = house.chases("2024-03-13")
    assert letters == [("IM2024-000001", "Première relance")]
    assert charged == [("late_interest", "0.95"), ("recovery_fee", "40.00")]

    # Paid by cheque on 2 April: 28 days in all, 3.337…, 3.34, less 0.95 charged before.
    house.on(
        "2024-04-02", "pay", client=CLIENT, amount=D("300.00"), invoices=("IM2024-000001",),
        means="cheque", reference="CHQ 12",
    )  # fmt: skip
    _, charged = house.chases("2024-04-03")
    assert charged == [("late_interest", "2.39")]

    # March's rent is debited in April; the two debit notes are paid by transfer.
    house.on("2024-04-03", "run", month="2024-03")
    assert house.collects("2024-04-22") == [("IM2024-000004", "2024-05-02", "300.00")]
    house.bank_tells("2024-05-02", [files.credit("300.00", "IM2024-000004", mandate="RUM-2")])
    assert house.owed(CLIENT) == {"IM2024-000002": "40.95", "IM2024-000003": "2.39"}
    notes = files.transfer(
        "43.34", remittance=["IM2024-000002", "IM2024-000003"], debtor="Cabinet Moreau"
    )
    house.bank_tells("2024-05-03", [notes])
    assert house.owed(CLIENT) == {}
    assert house.balance(CLIENT) == 0
    house.is_sound()
