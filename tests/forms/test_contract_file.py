"""A contract file is read whole, or refused with every fault, each with its line."""

import tomllib
from datetime import date
from decimal import Decimal

import jsonschema
import pytest

from billing.contract.sign import sign
from billing.dates import Period
from billing.forms import BadFile, contract_from_text, contract_schema, load_form, read_contract
from billing.forms.form import SHIPPED
from indices import shipped

DEMO = SHIPPED.parent / "demo"
EXAMPLES = sorted((DEMO / "contracts").glob("*.toml"))
FOLDERS = [DEMO / "forms"]

GOOD = """\
form = "integral-micro"
number = "IM-1"
signed_on = 2023-06-20
starts_on = 2023-07-01
term_months = 12
billing = "monthly"
deposit = "100.00"

[supplier]
siren = "999 001 027"
vat_number = "FR10 999001027"
creditor_identifier = "FR21ZZZ990002"
address = { lines = ["5 avenue de l'Exemple"], postcode = "75011", city = "Paris" }

[client]
code = "CABINET"
name = "Cabinet Moreau"
siren = "999 001 076"
siret = "999 001 076 00010"
iban = "FR76 9999 9000 0110 0077 7777 784"
bic = "DEMOFRPPXXX"
email = "compta@cabinet.example"

[mandate]
reference = "RUM-1"

[[items]]
code = "POSTE-1"
catalogue = "POSTE"
unit_price = "32.50"
since = 2023-08-01
discount = 10
discount_until = 2023-12-31

[[items]]
code = "SERVEUR"
unit_price = 95

[bases]
SYNTEC = { value = "301.9", period = "2023-04" }

[terms.payment]
days = 30

[[terms.meters]]
code = "SAUVEGARDE"
included = 100
"""


def plain(value):
    """TOML's values as JSON has them."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value.isoformat() if isinstance(value, date) else value


@pytest.fixture(scope="module")
def schema_takes():
    """Whether the JSON Schema takes a text."""

    checker = jsonschema.FormatChecker()
    validator = jsonschema.Draft202012Validator(contract_schema(), format_checker=checker)
    return lambda text: validator.is_valid(plain(tomllib.loads(text)))


def faults(text, **kwargs):
    with pytest.raises(BadFile) as bad:
        contract_from_text(text, "contract.toml", **kwargs)
    return bad.value.errors


# --- what is read --------------------------------------------------------------------------------


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_every_example_passes_the_reader_and_the_schema(path, schema_takes):
    assert read_contract(path, folders=FOLDERS).items
    assert schema_takes(path.read_text())


def test_there_is_an_example_for_each_of_the_five_forms():
    signed = {read_contract(path, folders=FOLDERS).form.name for path in EXAMPLES}
    assert signed == {path.stem for path in SHIPPED.glob("*.toml")} | {"chronotech-sauvegarde"}


def test_the_schema_is_a_schema_of_2020_12():

    jsonschema.Draft202012Validator.check_schema(contract_schema())


def test_a_file_gives_parties_dates_items_and_prices():
    contract = contract_from_text(GOOD)
    assert (contract.form.name, contract.number) == ("integral-micro", "IM-1")
    assert (contract.signed_on, contract.starts_on) == (date(2023, 6, 20), date(2023, 7, 1))
    assert contract.supplier.name == "INTÉGRAL MICRO"  # from the form
    assert contract.supplier.vat_number == "FR10999001027"
    assert (contract.client.siren, contract.client.siret) == ("999001076", "99900107600010")
    assert contract.client.iban == "FR7699999000011000777777784"
    assert contract.deposit == Decimal("100.00")
    post, server = contract.items
    assert (post.label, post.kind, post.per_months) == (
        "Maintenance d'un poste de travail",
        "equipment",
        1,
    )
    assert (post.unit_price, post.discount, post.since) == (Decimal("32.50"), 10, date(2023, 8, 1))
    assert (server.unit_price, server.code) == (Decimal(95), "SERVEUR")


def test_a_mandate_debits_the_clients_account_and_chooses_direct_debit():
    contract = contract_from_text(GOOD)
    assert contract.mandate.iban == contract.client.iban
    assert contract.mandate.signed_on == contract.signed_on
    assert contract.mandate.creditor_identifier == "FR21ZZZ990002"
    assert contract.resolve().payment.means == "direct_debit"
    without = contract_from_text(GOOD.replace('[mandate]\nreference = "RUM-1"\n', ""))
    assert without.mandate is None
    assert without.resolve().payment.means == "transfer"


def test_what_the_contract_says_wins_over_the_form():
    terms = contract_from_text(GOOD).resolve()
    assert (terms.payment.days, terms.payment.counted) == (30, "receipt")
    assert terms.meter("SAUVEGARDE").included == 100
    assert terms.meter("SAUVEGARDE").unit_price == Decimal("3.00")


def test_so_written_in_the_contract_is_on_the_scale_alive_when_it_was_published():
    base = contract_from_text(GOOD).bases["SYNTEC"]
    assert (base.series, base.period, base.value) == ("SYNTEC_REVISED", "2023-04", Decimal("301.9"))
    assert base.published_on == date(2023, 6, 20)  # at the latest on the day of signature
    older = GOOD.replace('"2023-04" }', '"2021-08", published_on = 2021-09-30 }')
    assert contract_from_text(older).bases["SYNTEC"].series == "SYNTEC_OLD"


@pytest.mark.parametrize(
    ("billing", "months"),
    [("monthly", 1), ("quarterly", 3), ("half-yearly", 6), ("yearly", 12)],
)
def test_billing_is_a_shortcut_for_the_schedule(billing, months):
    contract = contract_from_text(GOOD.replace('"monthly"', f'"{billing}"'))
    assert contract.resolve().schedule.every_months == months


@pytest.mark.parametrize(
    ("start", "last_day", "months"),
    [
        ("2023-07-01", "2024-06-30", 12),
        ("2023-07-01", "2023-07-31", 1),
        ("2023-08-31", "2024-02-28", 6),  # 31 August + 6 months is 29 February
        ("2024-02-29", "2025-02-27", 12),
    ],
)
def test_the_last_day_is_a_shortcut_for_the_length_of_the_term(start, last_day, months):
    text = GOOD.replace("starts_on = 2023-07-01", f"starts_on = {start}")
    text = text.replace("term_months = 12", f"last_day = {last_day}").replace(
        "since = 2023-08-01\ndiscount = 10\ndiscount_until = 2023-12-31\n", ""
    )
    assert contract_from_text(text).resolve().renewal.term_months == months


def test_a_contract_without_a_start_starts_on_its_signature():
    contract = read_contract(DEMO / "contracts" / "si-contact-2024-031.toml")
    assert contract.starts_on == contract.signed_on == date(2024, 3, 15)
    assert sum(item.unit_price for item in contract.items) == Decimal(2400)


def test_a_contract_file_signs():
    contract = read_contract(DEMO / "contracts" / "alliance-telecom-2024-112.toml")
    signed = sign(contract.signing(), shipped())
    assert signed.term == Period(date(2024, 6, 1), date(2029, 6, 1))
    assert signed.mandate == "AT-RUM-0112"
    assert signed.form_digest == load_form("alliance-telecom").digest
    assert (signed.items[0].unit_price, signed.items[0].per_months) == (Decimal("180.00"), 1)


def test_a_linked_contract_signs_with_its_parents_payment():
    parent = read_contract(
        DEMO / "contracts" / "chronotech-sauvegarde-2024-017.toml", folders=FOLDERS
    )
    contract = read_contract(DEMO / "contracts" / "chronotech-2024-018.toml")
    terms = contract.signing(parent.resolve()).terms
    assert contract.parent == parent.number
    assert terms.payment.debit_day == 5
    assert terms.late_interest == parent.resolve().late_interest
    assert (terms.overrun.then, terms.overrun.step) == ("subscribe", 100)


def test_the_quote_of_alliance_telecom_is_signed_from_its_codes_alone():
    contract = contract_from_text(QUOTE)
    once = [item for item in contract.items if not item.per_months]
    # 1200.00, the option offered, and the rebate of 300.00
    assert sum(i.unit_price * (100 - i.discount) / 100 for i in once) == Decimal("900.00")
    assert [item.kind for item in contract.items] == ["service", "one_off", "one_off", "one_off"]
    assert contract.resolve().renewal.kind == "open"


QUOTE = """\
form = "alliance-telecom"
number = "AT-2016-001"
signed_on = 2016-12-15
[client]
code = "C"
name = "Client"
[[items]]
code = "CALLMASTER"
[[items]]
code = "INSTALL"
[[items]]
code = "MULTI"
[[items]]
code = "REMISE"
"""


def test_the_account_and_the_ics_printed_in_the_alliance_contract_are_well_formed():
    supplier = contract_from_text(QUOTE).supplier
    assert supplier.iban == "FR7613506100008511675631022"
    assert supplier.bic == "AGRIFRPP835"
    assert supplier.creditor_identifier == "FR13222449274"


# --- what is refused -----------------------------------------------------------------------------

# fmt: off
# Each line: what is written instead, the line it is told at, what is told, and whether the JSON
# Schema refuses it too (it knows each field, not what fields say of one another).
MUTATIONS = [
    # the frame
    ('form = "integral-micro"', 'form = "integral"', 1,
     'there is no form "integral"; did you mean "integral-micro"?', False),
    ('form = "integral-micro"\n', "", 1, "form: it is missing", True),
    ('number = "IM-1"', 'number = ""', 2, "it is empty", True),
    ('number = "IM-1"', "number = 42", 2, "a text in quotes was expected", True),
    ('number = "IM-1"', 'numero = "IM-1"', 2, 'unknown key "numero"; did you mean "number"?', True),
    ("term_months = 12", 'variant = "x"', 5, "has no such variant", False),
    # dates
    ("2023-06-20", "2023-02-30", 3, "this is not TOML", None),
    ("signed_on = 2023-06-20", 'signed_on = "2023-02-30"', 3, "there is no such day", True),
    ("signed_on = 2023-06-20", 'signed_on = "20/06/2023"', 3, "such as 2024-01-31", True),
    ("signed_on = 2023-06-20", "signed_on = 2023-06-20T10:00:00", 3, "without the time", True),
    ("signed_on = 2023-06-20", "signed_on = 0203-06-20", 3, "a year from 1950", True),
    ("term_months = 12", "last_day = 2023-06-30", 5, "before the start, 2023-07-01", False),
    ("term_months = 12", "last_day = 2024-07-01", 5, "such as 2024-06-30", False),
    ("term_months = 12", "last_day = 2023-07-15", 5, "such as 2023-07-31", False),
    ("term_months = 12", "term_months = 0", 5, "at least 1 was expected", True),
    ("since = 2023-08-01", "since = 2023-06-30", 31, "before the contract starts, 2023-07-01",
     False),
    ("since = 2023-08-01", "since = 2024-01-01", 33, "before the item starts, 2024-01-01", False),
    # shortcuts
    ('billing = "monthly"', 'billing = "weekly"', 6, "expected half-yearly, monthly", True),
    ('billing = "monthly"', 'billing = "whole-term"', 6, "leaves the choice of 1, 3, 6, 12", False),
    ('billing = "monthly"', 'billing = "mensuel"', 6, "expected half-yearly, monthly", True),
    ("[terms.payment]", "[terms.schedule]\nevery_months = 3\n[terms.payment]", 6,
     "terms.schedule.every_months = 3 says otherwise", False),
    # amounts
    ('deposit = "100.00"', "deposit = 100.50", 7, 'so that it is exact: "100.50"', True),
    ('deposit = "100.00"', 'deposit = "100,00"', 7, 'decimals follow a point: "100.00"', True),
    ('deposit = "100.00"', 'deposit = "-100.00"', 7, "a negative number", True),
    ('deposit = "100.00"', 'deposit = "100.005"', 7, "3 decimals, at most 2", True),
    ('deposit = "100.00"', 'deposit = "1e3"', 7, "digits and a point only", True),
    ('deposit = "100.00"', "deposit = true", 7, "an amount in quotes", True),
    ('unit_price = "32.50"', 'unit_price = "0.0000001"', 30, "7 decimals, at most 6", True),
    ('unit_price = "32.50"', 'unit_price = "-32.50"', 30, "a negative price is a rebate", False),
    ('unit_price = "32.50"', "unit_price = 32.5", 30, 'so that it is exact: "32.5"', True),
    ('unit_price = "32.50"\n', "", 27, "a price was expected", False),
    ("discount = 10", "discount = 101", 32, "at most 100 was expected", True),
    ("discount = 10\n", "", 32, "a discount was expected with it", False),
    ("unit_price = 95", "unit_price = 95\nquantity = 0", 38, "more than nothing", False),
    # identifiers
    ('siren = "999 001 027"', 'siren = "999 001 028"', 10, "its key does not fit", False),
    ('siren = "999 001 027"', 'siren = "99900102"', 10, "nine digits", True),
    ('"FR10 999001027"', '"FR11 999001027"', 11, "its key does not fit", False),
    ('"FR10 999001027"', '"FR83 999001019"', 11, "ends with the SIREN, 999001027", False),
    ('"FR21ZZZ990002"', '"FR22ZZZ990002"', 12, "its key does not fit", False),
    ('"FR21ZZZ990002"', '"990002"', 12, "such as FR13222449274", True),
    ('creditor_identifier = "FR21ZZZ990002"\n', "", 23, "the supplier has no creditor_identifier",
     False),
    ('postcode = "75011"', 'postcode = "7501"', 13, "five digits were expected", False),
    ('"999 001 076 00010"', '"999 001 076 00011"', 19, "its key does not fit", False),
    ('"999 001 076 00010"', '"999 001 019 00010"', 19, "starts with the SIREN", False),
    ("7777 784", "7777 785", 20, "an IBAN was expected", False),
    ('bic = "DEMOFRPPXXX"', 'bic = "DEMO"', 21, "a BIC was expected", True),
    ('"compta@cabinet.example"', '"compta"', 22, "an e-mail address was expected", True),
    ('code = "CABINET"', 'code = "INTEGRALMICRO"', 16, "the supplier bears that code too", False),
    ('name = "Cabinet Moreau"\n', "", 15, "client.name: it is missing", False),
    ('reference = "RUM-1"', 'reference = "RÉF/1"', 25, "letters without accents", False),
    ('reference = "RUM-1"', 'medium = "fax"', 25, "electronic, paper", True),
    ('reference = "RUM-1"', 'reference = "RUM-1"\nscheme = "CORE1"', 26, 'did you mean "CORE"?',
     True),
    # items
    ('code = "SERVEUR"', 'code = "POSTE-1"', 36, "item 1 bears that code already", False),
    ('catalogue = "POSTE"', 'catalogue = "POST"', 29, 'did you mean "POSTE"?', False),
    ('code = "SERVEUR"', 'code = "SERVER"', 36, 'did you mean "SERVEUR"?', False),
    ("unit_price = 95", 'unit_price = 95\nkind = "equipement"', 38, 'did you mean "equipment"?',
     True),
    ("unit_price = 95", 'unit_price = 95\nvat = "reduced"', 38, "no such VAT treatment", False),
    ("unit_price = 95", 'unit_price = 95\nkind = "one_off"\nper = "month"', 39, 'per = "once"',
     False),
    ("unit_price = 95", 'unit_price = 95\nper = "mois"', 38, "expected half-year, month", True),
    # bases
    ("SYNTEC = {", "SYNTECS = {", 40, 'did you mean "SYNTEC"?', False),
    ('"2023-04"', '"04/2023"', 40, "a period was expected", True),
    ('"301.9"', '"0"', 40, "above zero", False),
    # terms
    ("days = 30", 'days = "30"', 43, "a whole number was expected", True),
    ("days = 30", "dayz = 30", 43, 'unknown key "dayz"; did you mean "days"?', True),
    ("[terms.payment]", "[terms.paiement]", 42, 'unknown key "paiement"; did you mean "payment"?',
     True),
    ("days = 30", 'counted = "recept"', 43, 'did you mean "receipt"?', True),
    ("days = 30", "debit_day = 32", 43, "at most 31", True),
    ("days = 30", "debit_required = 1", 43, "true or false was expected", True),
    ('code = "SAUVEGARDE"\n', "", 45, "terms.meters[1].code: it is missing", True),
    ('code = "SAUVEGARDE"', 'code = "IMPRESSION"', 45, "terms.meters[1].label: it is missing",
     False),
    ("included = 100", 'included = 100\n[terms.renewal]\nterm_months = "x"', 49, "a whole number",
     True),
    ('billing = "monthly"', 'parent = "X-1"', 6, "follows no other", False),
]
# fmt: on


@pytest.mark.parametrize(
    ("old", "new", "line", "told"), [m[:4] for m in MUTATIONS], ids=[m[1][:50] for m in MUTATIONS]
)
def test_a_fault_is_told_with_its_line_and_what_was_expected(old, new, line, told):
    assert old in GOOD
    text = GOOD.replace(old, new, 1)
    found = [(error.line, str(error)) for error in faults(text)]
    assert any(told in sentence and where == line for where, sentence in found), found


@pytest.mark.parametrize(
    ("old", "new", "by_schema"),
    [(m[0], m[1], m[4]) for m in MUTATIONS if m[4] is not None],
    ids=[m[1][:50] for m in MUTATIONS if m[4] is not None],
)
def test_the_schema_refuses_what_one_field_alone_tells(old, new, by_schema, schema_takes):
    assert schema_takes(GOOD.replace(old, new, 1)) is not by_schema


def test_the_file_the_mutations_start_from_is_good(schema_takes):
    contract_from_text(GOOD)
    assert schema_takes(GOOD)


JUNK = [
    "0", "-1", "999999", "true", "false", '"x"', '""', "[]", "{}", "1.5", "2024-01-01", "[[1]]",
    '[{ code = "X" }]', "{ a = 1 }", '"0.5"', "nan", "10:00:00", '["a"]', "[{}]",
]  # fmt: skip


def with_junk():
    """The good file with each of its values replaced by each piece of junk."""
    lines = GOOD.splitlines()
    for place, line in enumerate(lines):
        if " = " in line:
            name = line.partition(" = ")[0]
            for junk in JUNK:
                yield "\n".join([*lines[:place], f"{name} = {junk}", *lines[place + 1 :]])


def test_whatever_is_written_the_reader_answers_and_takes_nothing_the_schema_refuses(
    schema_takes,
):
    taken = []
    for text in with_junk():
        try:
            contract_from_text(text)
            taken.append(text)
        except BadFile as bad:
            told = bad.errors
            if not told or not all(error.line and error.expected for error in told):
                pytest.fail(f"a refusal without its line: {told} in\n{text}")
    assert taken
    for text in taken:
        assert schema_takes(text), text


def test_all_faults_are_told_at_once_in_the_order_of_their_lines():
    text = (
        GOOD.replace("2023-06-20", '"30/06/2023"')
        .replace("7777 784", "7777 785")
        .replace('"32.50"', "32.5")
        .replace("days = 30", "dayz = 30")
    )
    found = faults(text)
    assert [error.line for error in found] == [3, 20, 30, 43]
    assert str(found[2]) == (
        "contract.toml:30: items[1].unit_price = 32.5: a number with a point goes in quotes, so "
        'that it is exact: "32.5"'
    )


def test_a_contract_needs_at_least_one_item(schema_takes):
    text = GOOD[: GOOD.index("[[items]]")] + "[terms.payment]\ndays = 30\n"
    (error,) = faults(text)
    assert "items: it is missing" in str(error)
    text = GOOD[: GOOD.index("[supplier]")] + "items = []\n" + GOOD[GOOD.index("[supplier]") :]
    text = text[: text.index("[[items]]")]
    assert "at least one item was expected" in str(faults(text)[0])
    assert not schema_takes(text)


def test_a_rebate_that_was_offered_until_a_day_is_refused_after_it():
    (error,) = faults(QUOTE.replace("2016-12-15", "2017-01-05"))
    assert (error.line, error.key) == (14, "items[4].code")
    assert "it was offered until 2016-12-30" in error.expected


def test_si_contact_is_signed_for_one_three_or_five_years():
    text = (DEMO / "contracts" / "si-contact-2024-031.toml").read_text()
    (error,) = faults(text.replace("term_months = 36", "term_months = 24"))
    assert error.key == "term_months"
    assert error.expected == "the form si-contact allows 12, 36, 60 months"


def test_videoconference_equipment_is_signed_for_with_the_end_of_its_warranty():
    text = (DEMO / "contracts" / "si-contact-2024-031.toml").read_text()
    (error,) = faults(text.replace("warranty_until = 2028-12-31\n", ""))
    assert "the contract requires a warranty" in error.expected
    (error,) = faults(text.replace("2028-12-31", "2023-12-31"))
    assert "a warranty that still runs on 2024-03-15" in error.expected


def test_a_linked_contract_names_its_parent():
    text = (DEMO / "contracts" / "chronotech-2024-018.toml").read_text()
    (error,) = faults(text.replace('parent = "CH-2024-017"\n', ""))
    assert error.key == "parent"


def test_a_fault_in_the_houses_own_form_is_told_with_that_forms_line(tmp_path):
    (tmp_path / "ours.toml").write_text('name = "ours"\nextends = "nothing"\n')
    (error,) = faults(GOOD.replace('"integral-micro"', '"ours"'), folders=[tmp_path])
    assert error.path.endswith("ours.toml")
    assert error.line == 2


UNREADABLE = [
    ("not-toml.toml", b'form = "x\n', 1, "this is not TOML"),
    ("curly.toml", "form = “x”\n".encode(), 1, "in form = “x”"),
    ("twice.toml", b'form = "x"\nform = "y"\n', 2, "Cannot overwrite a value"),
    ("latin.toml", 'form = "x"\n# signé\n'.encode("latin-1"), 2, "not UTF-8"),
    ("empty.toml", b"\n \n", 0, "the file is empty"),
]


@pytest.mark.parametrize(
    ("name", "content", "line", "told"), UNREADABLE, ids=[one[0] for one in UNREADABLE]
)
def test_a_file_that_cannot_be_read_is_told_in_a_sentence(tmp_path, name, content, line, told):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BadFile) as bad:
        read_contract(tmp_path / name)
    (error,) = bad.value.errors
    assert error.line == line
    assert told in str(error)


def test_a_folder_and_a_missing_file_are_told_in_a_sentence(tmp_path):
    with pytest.raises(BadFile, match="this is a folder"):
        read_contract(tmp_path)
    with pytest.raises(BadFile, match="there is no such file"):
        read_contract(tmp_path / "nowhere.toml")


def test_a_file_saved_by_windows_is_read(tmp_path):
    path = tmp_path / "windows.toml"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert read_contract(path).number == "IM-1"
