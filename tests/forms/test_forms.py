"""The five forms say what the five contracts say, and a house may write its own."""

import re
import tomllib
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import jsonschema
import pytest

from billing.clauses.interest import LateInterest
from billing.clauses.payment import Payment
from billing.clauses.renewal import Notice, first_term, last_day_for_notice, prompt_on
from billing.clauses.suspension import allowed_from
from billing.forms import BadFile, contract_from_text, form_from_text, form_schema, forms, load_form
from billing.forms.form import CLAUSES, SHIPPED

HERE = Path(__file__).parent
DEMO = SHIPPED.parent / "demo" / "forms"
SIGNED_AS = [(form, variant) for form in forms() for variant in (form.variants or {"": ""})]


def seed(name):
    return " ".join((HERE / "seeds" / f"{name}.txt").read_text().split())


def said(value):
    """Every passage of words in a form's document."""
    if isinstance(value, dict):
        for key, one in value.items():
            if key == "words":
                yield from " ".join(one.split()).split(" […] ")
            else:
                yield from said(one)
    elif isinstance(value, list):
        for one in value:
            yield from said(one)


@pytest.mark.parametrize("form", forms(), ids=lambda form: form.name)
def test_the_words_of_a_form_are_the_contracts_own(form):
    contract = seed(form.name)
    strangers = [passage for passage in said(form.document) if passage not in contract]
    assert not strangers


@pytest.mark.parametrize(("form", "variant"), SIGNED_AS, ids=lambda one: getattr(one, "name", one))
def test_each_clause_with_parameters_says_where_it_comes_from(form, variant):
    for clause in form.clauses(variant):
        words = form.words(clause, variant)
        assert words.source, clause
        assert words.words or words.reading, clause


@pytest.mark.parametrize(("form", "variant"), SIGNED_AS, ids=lambda one: getattr(one, "name", one))
def test_each_form_leaves_interest_and_fees_outside_vat_with_a_reason(form, variant):
    outside = form.terms(variant=variant).vat_treatment("outside")
    assert outside.category == "O"
    assert outside.rate == 0
    assert outside.reason


@pytest.mark.parametrize(("form", "variant"), SIGNED_AS, ids=lambda one: getattr(one, "name", one))
def test_the_parties_of_any_form_may_end_it_together(form, variant):
    grounds = form.terms(variant=variant).termination.grounds
    assert [ground.by for ground in grounds if ground.cause == "mutual"] == ["either"]


# fmt: off
# Each line: the form, the variant, where in the terms, and what contracts.md says.
CLAUSE_BY_CLAUSE = [
    ("pixel-tech", "", "renewal.kind", "tacit"),
    ("pixel-tech", "", "renewal.term_months", 12),
    ("pixel-tech", "", "renewal.months", None),  # the same length
    ("pixel-tech", "", "renewal.prompt_days", 60),
    ("pixel-tech", "", "renewal.notice", Notice(by="any", counted_on="receipt")),
    ("pixel-tech", "", "schedule.every_months", None),  # billed whole
    ("pixel-tech", "", "schedule.in_advance", True),
    ("pixel-tech", "", "payment.service_while_paid", True),
    ("pixel-tech", "", "payment.days", 30),
    ("pixel-tech", "", "late_interest", LateInterest()),
    ("pixel-tech", "", "revision", None),
    ("pixel-tech", "", "indemnity", None),
    ("pixel-tech", "", "assignment.by_supplier", False),
    ("pixel-tech", "", "assignment.by_client", False),
    ("integral-micro", "", "renewal.kind", "tacit"),
    ("integral-micro", "", "renewal.term_months", 12),
    ("integral-micro", "", "renewal.months", None),
    ("integral-micro", "", "renewal.notice", Notice(months=3, by="registered_letter")),
    ("integral-micro", "", "schedule.every_months", 1),
    ("integral-micro", "", "schedule.in_advance", True),
    ("integral-micro", "", "schedule.anchor", "start"),
    ("integral-micro", "", "cover.proration", "days"),
    ("integral-micro", "", "cover.undeclared_from_use", True),
    ("integral-micro", "", "payment.days", 15),
    ("integral-micro", "", "payment.counted", "receipt"),
    ("integral-micro", "", "payment.presumed_receipt_days", 0),
    ("integral-micro", "", "payment.debit_day", 1),
    ("integral-micro", "", "payment.return_fees", "supplier"),
    ("integral-micro", "", "revision.month", 7),
    ("integral-micro", "", "revision.first_after_months", 12),
    ("integral-micro", "", "revision.base", "rolling"),
    ("integral-micro", "", "revision.base_read_on", "signature"),
    ("integral-micro", "", "revision.applies_to", "next_period"),
    ("integral-micro", "", "revision.direction", "both"),
    ("integral-micro", "", "revision.if_unpublished", "hold"),
    ("integral-micro", "", "assignment.by_supplier", True),
    ("integral-micro", "", "late_interest", LateInterest()),
    ("integral-micro", "", "indemnity", None),
    ("chronotech", "", "renewal.kind", "linked"),
    ("chronotech", "", "schedule.every_months", 1),
    ("chronotech", "", "schedule.in_advance", True),
    ("chronotech", "", "cover.whole_month_kinds", ("volume", "access")),
    ("chronotech", "", "cover.removal_credit", False),
    ("chronotech", "", "overrun.days", 30),
    ("chronotech", "", "overrun.then", "block"),
    ("chronotech", "", "amendment.by_publication", True),
    ("si-contact", "", "renewal.kind", "offer"),
    ("si-contact", "", "renewal.terms_allowed", (12, 36, 60)),
    ("si-contact", "", "renewal.prompt_months", 2),
    ("si-contact", "", "schedule.every_months", 12),
    ("si-contact", "", "schedule.in_advance", True),
    ("si-contact", "", "cover.warranty_kinds", ("videoconference",)),
    ("si-contact", "", "cover.return_days", 15),
    ("si-contact", "", "indemnity.share", Decimal("0.5")),
    ("si-contact", "", "indemnity.of", "annuities"),
    ("si-contact", "", "revision", None),
    ("si-contact", "", "payment", Payment()),
    ("si-contact", "", "late_interest", LateInterest()),
    ("alliance-telecom", "rental", "renewal.kind", "open"),
    ("alliance-telecom", "rental", "renewal.term_months", None),
    ("alliance-telecom", "rental", "schedule.every_months", 1),
    ("alliance-telecom", "rental", "cover.whole_month_kinds", ("option",)),
    ("alliance-telecom", "rental", "cover.needs_acceptance", True),
    ("alliance-telecom", "rental", "purchase.rents_refunded", 1),
    ("alliance-telecom", "rental", "payment.days", 30),
    ("alliance-telecom", "rental", "payment.counted", "issue"),
    ("alliance-telecom", "rental", "payment.deposit_kept", True),
    ("alliance-telecom", "rental", "payment.debit_required", True),
    ("alliance-telecom", "rental", "payment.means", "direct_debit"),
    ("alliance-telecom", "rental", "payment.return_fees", "client"),
    ("alliance-telecom", "rental", "payment.retention_percent", Decimal(5)),
    ("alliance-telecom", "rental", "payment.retention_notice_days", 3),
    ("alliance-telecom", "rental", "late_interest.series", "LEGAL_INTEREST_PROFESSIONAL"),
    ("alliance-telecom", "rental", "late_interest.times", Decimal("1.5")),
    ("alliance-telecom", "rental", "late_interest.points", Decimal(5)),
    ("alliance-telecom", "rental", "late_interest.below_floor", "raise"),
    ("alliance-telecom", "rental", "indemnity", None),
    ("alliance-telecom", "rental", "revision", None),
    ("alliance-telecom", "sale", "renewal.kind", "none"),
    ("alliance-telecom", "sale", "payment.debit_required", False),
    ("alliance-telecom", "sale", "payment.retention_percent", Decimal(5)),
    ("alliance-telecom", "sale", "late_interest.times", Decimal("1.5")),
    ("alliance-telecom", "sale", "cover.needs_acceptance", True),
    ("alliance-telecom", "maintenance", "renewal.kind", "tacit"),
    ("alliance-telecom", "maintenance", "renewal.term_months", 60),
    ("alliance-telecom", "maintenance", "renewal.months", 12),
    ("alliance-telecom", "maintenance", "renewal.notice", Notice(months=3, by="registered_letter")),
    ("alliance-telecom", "maintenance", "cover.proration", "days"),
    ("alliance-telecom", "maintenance", "cover.needs_acceptance", False),
    ("alliance-telecom", "maintenance", "payment.debit_required", True),
    ("alliance-telecom", "maintenance", "late_interest.series", "BDF_DISCOUNT"),
    ("alliance-telecom", "maintenance", "late_interest.times", Decimal(1)),
    ("alliance-telecom", "maintenance", "late_interest.points", Decimal(2)),
    ("alliance-telecom", "maintenance", "indemnity.share", Decimal("0.75")),
    ("alliance-telecom", "maintenance", "indemnity.of", "instalments"),
    ("alliance-telecom", "maintenance", "revision.month", None),  # the anniversary
    ("alliance-telecom", "maintenance", "revision.fixed", Decimal(0)),
    ("alliance-telecom", "maintenance", "revision.base", "rolling"),
    ("alliance-telecom", "maintenance", "revision.if_unpublished", "bill_unrevised"),
    ("alliance-telecom", "maintenance", "assignment.by_supplier", True),
]
# fmt: on


@pytest.mark.parametrize(("name", "variant", "where", "expected"), CLAUSE_BY_CLAUSE)
def test_the_terms_are_those_of_the_contract(name, variant, where, expected):
    found = load_form(name).terms(variant=variant)
    for part in where.split("."):
        found = getattr(found, part)
    assert found == expected


# Each line: the form, the variant, then cause, by whom, after which clock, indemnity, refund.
WAYS_OUT = [
    ("pixel-tech", "", ("breach_by_client", "supplier", "breach", False, False)),
    ("pixel-tech", "", ("breach_by_supplier", "client", "breach", False, True)),
    ("integral-micro", "", ("moved_abroad", "client", "", False, True)),
    ("chronotech", "", ("linked", "either", "", False, False)),
    ("chronotech", "", ("conditions_refused", "client", "", False, False)),
    ("si-contact", "", ("unpaid", "supplier", "unpaid", True, False)),
    ("si-contact", "", ("convenience", "client", "", True, False)),
    ("si-contact", "", ("mutual", "either", "", True, False)),
    ("si-contact", "", ("breach_by_supplier", "client", "", False, True)),
    ("si-contact", "", ("force_majeure", "either", "", False, True)),
    ("alliance-telecom", "rental", ("convenience", "client", "", False, False)),
    ("alliance-telecom", "rental", ("unpaid", "supplier", "unpaid", False, False)),
    ("alliance-telecom", "sale", ("unpaid", "supplier", "unpaid", False, False)),
    ("alliance-telecom", "maintenance", ("convenience", "client", "", True, False)),
    ("alliance-telecom", "maintenance", ("unpaid", "supplier", "unpaid", True, False)),
    ("alliance-telecom", "maintenance", ("breach_by_client", "supplier", "breach", True, False)),
    ("alliance-telecom", "maintenance", ("breach_by_supplier", "client", "", False, True)),
    ("alliance-telecom", "maintenance", ("force_majeure", "either", "", False, True)),
]


@pytest.mark.parametrize(("name", "variant", "way"), WAYS_OUT)
def test_the_ways_out_are_those_of_the_contract(name, variant, way):
    grounds = load_form(name).terms(variant=variant).termination.grounds
    assert way in [(g.cause, g.by, g.clock, g.indemnity, g.refund) for g in grounds]


@pytest.mark.parametrize(("form", "variant"), SIGNED_AS, ids=lambda one: getattr(one, "name", one))
def test_no_form_has_a_way_out_that_the_table_does_not_name(form, variant):
    named = {way for name, signed_as, way in WAYS_OUT if (name, signed_as) == (form.name, variant)}
    grounds = form.terms(variant=variant).termination.grounds
    assert {g.cause for g in grounds} == {way[0] for way in named} | {"mutual"}


# fmt: off
# Each line: the form, the variant, the clock, and the first day it allows something, counted
# from a letter sent on 2026-01-01.
CLOCKS = [
    ("pixel-tech", "", "breach", 31, ("terminate",), "any", "either"),
    ("chronotech", "", "overrun", 30, ("block", "subscribe"), "email", "supplier"),
    ("si-contact", "", "unpaid", 15, ("suspend", "terminate"), "registered_letter", "supplier"),
    ("alliance-telecom", "rental", "unpaid", 10, ("suspend", "recover", "terminate"),
     "registered_letter", "supplier"),
    ("alliance-telecom", "sale", "unpaid", 10, ("suspend", "recover", "terminate"),
     "registered_letter", "supplier"),
    ("alliance-telecom", "maintenance", "unpaid", 5, ("suspend", "terminate"),
     "registered_letter", "supplier"),
    ("alliance-telecom", "maintenance", "breach", 5, ("suspend", "terminate"),
     "registered_letter", "supplier"),
]
# fmt: on


@pytest.mark.parametrize(("name", "variant", "clock", "day", "allows", "by", "notice_by"), CLOCKS)
def test_the_clocks_run_as_long_as_the_contract_says(
    name, variant, clock, day, allows, by, notice_by
):
    found = load_form(name).terms(variant=variant).clock(clock)
    sent_on = date(2026, 1, 1)
    assert allowed_from(found, sent_on, None) == sent_on + timedelta(days=day)
    assert (found.allows, found.by, found.notice_by) == (allows, by, notice_by)


def test_the_dates_of_contracts_md_follow_from_the_terms():
    pixel = load_form("pixel-tech").terms()
    term = first_term(pixel.renewal, date(2026, 1, 1))
    assert prompt_on(pixel.renewal, term) == date(2026, 11, 1)
    integral = load_form("integral-micro").terms()
    term = first_term(integral.renewal, date(2026, 1, 1))
    assert last_day_for_notice(integral.renewal, term) == date(2026, 9, 30)
    si_contact = load_form("si-contact").terms({"renewal": {"term_months": 36}})
    term = first_term(si_contact.renewal, date(2024, 3, 15))
    assert prompt_on(si_contact.renewal, term) == date(2027, 1, 14)


def test_integral_micro_revises_on_syntec_alone_and_bills_three_euros_a_started_go():
    terms = load_form("integral-micro").terms()
    (index,) = terms.revision.indices
    assert (index.weight, index.series) == (1, "SYNTEC")
    meter = terms.meter("SAUVEGARDE")
    assert (meter.unit_price, meter.step, meter.unit) == (Decimal("3.00"), 1, "Go")


def test_alliance_maintenance_revises_on_a_fifth_of_psdt_and_four_fifths_of_wages():
    indices = load_form("alliance-telecom").terms(variant="maintenance").revision.indices
    assert [(index.weight, index.series, index.name) for index in indices] == [
        (Decimal("0.20"), "PSDT", "PsdT"),
        (Decimal("0.80"), "S_SME", "S"),
    ]


def test_alliance_rental_meters_calls_by_the_second_at_a_price_a_minute():
    terms = load_form("alliance-telecom").terms(variant="rental")
    assert [(m.code, m.unit_price, m.units_per_price, m.unit) for m in terms.meters] == [
        ("FIXE", Decimal("0.01"), 60, "second"),
        ("MOBILE", Decimal("0.08"), 60, "second"),
    ]


def test_the_alliance_form_is_signed_as_a_rental_unless_it_is_told():
    form = load_form("alliance-telecom")
    assert form.default_variant == "rental"
    assert form.terms() == form.terms(variant="rental")
    assert "rental" in form.about


def test_the_quote_of_2016_comes_to_900_euros_before_tax():
    offered = load_form("alliance-telecom").catalogue
    once = [offered[code] for code in ("INSTALL", "MULTI", "REMISE")]
    # 1200.00 + 300.00 offered + (−300.00)
    assert sum(
        entry["unit_price"] * (100 - entry.get("discount", 0)) / 100 for entry in once
    ) == Decimal("900.00")
    assert offered["CALLMASTER"]["unit_price"] == Decimal("180.00")


def test_chronotech_destroys_the_data_thirty_days_after_the_end():
    (task,) = load_form("chronotech").terms().tasks
    assert (task.code, task.days_after_end) == ("DESTRUCTION", 30)


def test_the_client_of_integral_micro_chooses_among_four_frequencies():
    choices = load_form("integral-micro").choices()
    assert choices["schedule", "every_months"] == (1, 3, 6, 12)


def test_insolvency_is_quoted_and_is_no_way_out():
    form = load_form("alliance-telecom")
    assert "L622-13" in form.words("insolvency", "maintenance").reading
    assert "insolvency" in form.others("maintenance")
    assert "insolvency" not in form.others("rental")


def test_a_rate_card_line_counts_once_the_contract_prices_it():
    form = load_form("pixel-tech")
    assert form.terms().rates == ()
    (hour,) = form.terms({"rates": [{"code": "HEURE", "unit_price": "75.00"}]}).rates
    assert (hour.label, hour.unit_price) == ("Heure de travail sans accès distant", Decimal(75))


def test_a_linked_contract_takes_from_its_parent_what_it_does_not_state():
    parent = load_form("alliance-telecom").terms(variant="rental")
    linked = load_form("chronotech").terms(parent_terms=parent)
    assert linked.payment == parent.payment
    assert linked.late_interest == parent.late_interest
    assert {clock.name for clock in linked.clocks} == {"unpaid", "overrun"}
    assert linked.renewal.kind == "linked"
    assert linked.meters == ()


def test_an_override_changes_one_parameter_and_leaves_the_clause_as_it_was():
    form = load_form("integral-micro")
    meters = [{"code": "SAUVEGARDE", "included": 50}]
    terms = form.terms({"payment": {"days": 30}, "meters": meters})
    assert (terms.payment.days, terms.payment.counted) == (30, "receipt")
    assert (terms.meter("SAUVEGARDE").included, terms.meter("SAUVEGARDE").step) == (50, 1)


def test_false_takes_a_clause_away():
    assert load_form("integral-micro").terms({"revision": False}).revision is None


def test_an_override_that_is_no_parameter_is_refused_by_name():
    with pytest.raises(BadFile, match=r'terms.payment.dayz: .*did you mean "days"\?'):
        load_form("integral-micro").terms({"payment": {"dayz": 30}})


@pytest.mark.parametrize("form", forms([DEMO]), ids=lambda form: form.name)
def test_a_recorded_text_gives_the_same_form_back(form):
    again = form_from_text(form.text)
    assert (again.name, again.digest, again.document) == (form.name, form.digest, form.document)


def test_the_digest_does_not_change_with_what_an_editor_changes_unseen():
    text = load_form("pixel-tech").text
    assert form_from_text(text.replace("\n", "  \r\n")).digest == load_form("pixel-tech").digest


def test_every_clause_name_can_be_asked_for_its_words():
    form = load_form("pixel-tech")
    assert all(form.words(clause) is not None for clause in CLAUSES)
    assert form.words("revision").words == ""


# --- a house's own forms -------------------------------------------------------------------------

OWN = """
name = "our-terms"
title = "Nos conditions"
extends = "integral-micro"

[payment]
source = "art. 4"
words = "Nos factures sont payables à trente jours."
[payment.terms]
days = 30
counted = "issue"
"""


def written(folder, text, name="our-terms"):
    (folder / f"{name}.toml").write_text(text)
    return folder


def test_a_house_form_extends_a_shipped_one_and_changes_one_clause(tmp_path):
    form = load_form("our-terms", [written(tmp_path, OWN)])
    terms = form.terms()
    assert (terms.payment.days, terms.payment.counted) == (30, "issue")
    assert terms.payment.debit_day == 1  # not stated anew
    assert terms.revision == load_form("integral-micro").terms().revision
    assert form.words("payment").words == "Nos factures sont payables à trente jours."
    assert form.words("payment").reading == ""  # the old reading was of the old words
    assert form.words("revision").words.startswith("Les tarifs des prestations")


def test_the_text_of_a_form_holds_the_form_it_extends(tmp_path):
    form = load_form("our-terms", [written(tmp_path, OWN)])
    assert 'name = "integral-micro"' in form.text
    again = form_from_text(form.text)
    assert again.terms() == form.terms()
    assert again.digest == form.digest


def test_forms_lists_the_shipped_ones_and_the_houses(tmp_path):
    names = [form.name for form in forms([written(tmp_path, OWN)])]
    assert names == [
        "alliance-telecom",
        "chronotech",
        "integral-micro",
        "pixel-tech",
        "si-contact",
        "our-terms",
    ]


# fmt: off
FAULTS = [
    ("unknown key", OWN + "dayz = 3\n", "our-terms", 12,
     'unknown key "dayz"; did you mean "days"?'),
    ("a clause without words", OWN + '[schedule.terms]\nevery_months = 3\n', "our-terms", 12,
     "neither words nor reading"),
    ("a name that is not the file's", OWN, "others", 2, 'expected "others", as the file is named'),
    ("extends nothing known", OWN.replace('"integral-micro"', '"integral"'), "our-terms", 4,
     'there is no such form; did you mean "integral-micro"?'),
    ("extends itself", OWN.replace('"integral-micro"', '"our-terms"'), "our-terms", 4, "in a ring"),
    ("inherits no clause", 'inherits = ["paymnt"]\n' + OWN, "our-terms", 1, 'mean "payment"?'),
    ("a default variant it lacks", 'default_variant = "x"\n' + OWN, "our-terms", 1,
     "no such variant"),
    ("a binary number", OWN + "retention_percent = 2.5\n", "our-terms", 12,
     'so that it is exact: "2.5"'),
    ("not TOML", OWN + "days = = 3\n", "our-terms", 12, "this is not TOML"),
]
# fmt: on


@pytest.mark.parametrize(
    ("text", "name", "line", "told"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS]
)
def test_a_badly_written_form_is_told_with_its_line(tmp_path, text, name, line, told):
    with pytest.raises(BadFile) as bad:
        load_form(name, [written(tmp_path, text, name)])
    (error,) = bad.value.errors
    assert told in str(error)
    assert error.line == line


def test_an_unknown_form_is_told_with_the_nearest():
    with pytest.raises(BadFile, match='did you mean "si-contact"'):
        load_form("si-contac")


def test_a_house_form_may_not_take_the_name_of_another(tmp_path):
    with pytest.raises(BadFile, match='a form "pixel-tech" is already at'):
        forms([written(tmp_path, OWN, "pixel-tech")])


def test_a_folder_that_is_not_there_is_told(tmp_path):
    with pytest.raises(BadFile, match="no such folder of forms"):
        forms([tmp_path / "nowhere"])


def test_an_unknown_variant_is_told():
    with pytest.raises(BadFile, match='did you mean "rental"'):
        load_form("alliance-telecom").terms(variant="rentals")


def test_the_form_schema_describes_the_shipped_forms():

    schema = form_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    for path in [*SHIPPED.glob("*.toml"), *DEMO.glob("*.toml")]:
        document = tomllib.loads(path.read_text())
        for entry in document.get("catalogue", []):
            if "offered_until" in entry:
                entry["offered_until"] = entry["offered_until"].isoformat()
        jsonschema.Draft202012Validator(schema).validate(document)


def test_the_examples_of_the_readme_are_read(tmp_path):
    readme = (SHIPPED / "README.md").read_text()
    form, contract = re.findall(r"```toml\n(.*?)```", readme, re.DOTALL)
    assert load_form("our-terms", [written(tmp_path, form)]).terms().payment.counted == "issue"
    assert contract_from_text(contract).number == "IM-2023-0042"
