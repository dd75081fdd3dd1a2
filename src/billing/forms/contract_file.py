"""The file that signs a contract: a form, filled in with parties, dates, items and prices.

Everything that is wrong in it is told at once, each fault with its line. What is told here is
what the file says; what the law says of it is for `billing.review`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from billing import mandate as mandates
from billing.clauses import Terms
from billing.clauses.fees import Item, ItemKind
from billing.contract.sign import Signing
from billing.dates import DAY, add_months, months_between
from billing.events.party import Identity, MandateSigned
from billing.forms.fields import Checker, merged, schema_of, shape_of, suggestion
from billing.forms.form import Folder, Form, Per, load_form
from billing.forms.toml_text import Key, Lines, text_of, values_of
from billing.refusal import BadFile
from indices import CATALOG, IndexUnavailable, Reading, shipped

PER_MONTHS: Final[dict[str, int]] = {
    "month": 1,
    "quarter": 3,
    "half-year": 6,
    "year": 12,
    "once": 0,
}
BILLING: Final[dict[str, int | None]] = {
    "monthly": 1,
    "quarterly": 3,
    "half-yearly": 6,
    "yearly": 12,
    "whole-term": None,
}
OFFERED: Final = (
    "label",
    "unit_price",
    "per",
    "kind",
    "vat",
    "discount",
    "entry_fee",
    "list_price",
    "indexed",
)
"""What an item may leave to the form's catalogue."""


class ItemEntry(Struct, frozen=True, kw_only=True):
    """One item: what the form's catalogue says of its code need not be said again.

    `catalogue` is the entry it follows when its own code is another (POSTE-1, POSTE-2).
    `unit_price` in euros before tax, for each `per`. `discount` in percent, 100 for "offert".
    """

    code: str
    catalogue: str = ""
    label: str = ""
    quantity: Decimal = Decimal(1)
    unit_price: Decimal = Decimal(0)
    per: Per = "month"
    kind: ItemKind = "service"
    serial: str = ""
    warranty_until: date = date.max
    list_price: Decimal = Decimal(0)
    entry_fee: Decimal = Decimal(0)
    since: date = date.min
    until: date = date.max
    discount: Decimal = Decimal(0)
    discount_until: date = date.max
    site: str = ""
    indexed: bool = True
    vat: str = "standard"


class BaseEntry(Struct, frozen=True, kw_only=True):
    """So, as the contract writes it: the value of an index, and the period it is of.

    `series` says on which scale, where the index had several; without it, the one alive when the
    value was published. `published_on` is the day of signature unless given.
    """

    value: Decimal
    period: str
    series: str = ""
    published_on: date = date.max
    source: str = "contract"


class MandateEntry(Struct, frozen=True, kw_only=True):
    """The direct debit mandate joined to the contract; the account is the client's by default.

    Without a reference (RUM) it has the contract's. `proof` says where the signed mandate is kept,
    on paper or electronic; `last_collected_on` when it was last debited under, before.
    """

    reference: str = ""
    signed_on: date = date.max
    iban: str = ""
    bic: str = ""
    scheme: Literal["CORE", "B2B"] = "CORE"
    recurrent: bool = True
    proof: str = ""
    medium: Literal["paper", "electronic"] = "paper"
    last_collected_on: date = date.max


class ContractEntry(Struct, frozen=True, kw_only=True):
    """The file that signs a contract."""

    form: str
    number: str
    signed_on: date
    client: Identity
    items: tuple[ItemEntry, ...]
    variant: str = ""
    starts_on: date = date.max
    last_day: date = date.max
    term_months: int = 12
    billing: Literal["monthly", "quarterly", "half-yearly", "yearly", "whole-term"] = "monthly"
    parent: str = ""
    purchase_order: str = ""
    site: str = ""
    deposit: Decimal = Decimal(0)
    supplier: Identity | None = None
    mandate: MandateEntry | None = None
    bases: dict[str, BaseEntry] = {}
    terms: Terms = Terms()


class ContractFile(Struct, frozen=True, kw_only=True):
    """A contract file that was read without a fault.

    `overrides` are the parameters the contract changes; `resolve` makes them, with the form's and
    the parent's, into the terms signed.
    """

    path: str
    form: Form
    variant: str
    number: str
    signed_on: date
    starts_on: date
    supplier: Identity
    client: Identity
    items: tuple[Item, ...]
    overrides: dict[str, Any]
    mandate: MandateSigned | None = None
    bases: dict[str, Reading] = {}
    parent: str = ""
    purchase_order: str = ""
    site: str = ""
    deposit: Decimal = Decimal(0)

    def resolve(self, parent_terms: Terms | None = None) -> Terms:
        """All the clauses signed; a linked contract takes some from its parent."""
        parameters = self.form.parameters(self.overrides, self.variant, parent_terms)
        return msgspec.convert(parameters, Terms)

    def signing(self, parent_terms: Terms | None = None) -> Signing:
        """What the parties sign, for `billing.contract.sign` and `billing.review`."""
        return Signing(
            number=self.number,
            form=self.form.name,
            form_digest=self.form.digest,
            variant=self.variant,
            supplier=self.supplier.code,
            client=self.client.code,
            signed_on=self.signed_on,
            starts_on=self.starts_on,
            terms=self.resolve(parent_terms),
            items=self.items,
            bases=self.bases,
            category=self.client.category,
            mandate=self.mandate.reference if self.mandate else "",
            parent=self.parent,
            purchase_order=self.purchase_order,
            site=self.site,
            deposit=self.deposit,
        )


def read_contract(path: Folder, *, folders: Iterable[Folder] = ()) -> ContractFile:
    """The contract a file signs; `folders` hold the house's own forms.

    Raises BadFile with every fault of the file, each with its line.
    """
    path = Path(path)
    return contract_from_text(text_of(path), str(path), folders=folders)


def contract_from_text(
    text: str, path: str = "contract", *, folders: Iterable[Folder] = ()
) -> ContractFile:
    """The same from the text of a file."""
    return _contract(values_of(text, path), Checker(path, Lines(text)), folders)


def contract_from_values(
    values: Mapping[str, Any], path: str = "contract", *, folders: Iterable[Folder] = ()
) -> ContractFile:
    """The same from what such a file holds, told as JSON: days and amounts are texts."""
    return _contract(values, Checker(path), folders)


def _contract(
    values: Mapping[str, Any], checker: Checker, folders: Iterable[Folder]
) -> ContractFile:
    said = checker.check(shape_of(ContractEntry), values, ())
    form, variant = _form(checker, said, folders)
    supplier = _party(checker, said, "supplier", form.supplier) if form else None
    client = _party(checker, said, "client", {})
    overrides = _overrides(checker, said)
    starts_on = said.get("starts_on", said.get("signed_on"))
    terms = _terms(checker, said, form, variant, overrides) if form else None
    items = _items(checker, said, form, terms)
    if supplier and client and supplier.code == client.code:
        checker.fault(("client", "code"), "the supplier bears that code too", client.code)
    mandate = _mandate(checker, said, supplier, client)
    bases = _bases(checker, said, terms)
    if checker.errors or not (form and supplier and client):
        raise BadFile(checker.errors)
    return ContractFile(
        path=checker.path,
        form=form,
        variant=variant,
        number=said["number"],
        signed_on=said["signed_on"],
        starts_on=starts_on,
        supplier=supplier,
        client=client,
        items=tuple(items),
        overrides=overrides,
        mandate=mandate,
        bases=bases,
        parent=said.get("parent", ""),
        purchase_order=said.get("purchase_order", ""),
        site=said.get("site", ""),
        deposit=said.get("deposit", Decimal(0)),
    )


def contract_schema() -> dict[str, Any]:
    """The JSON Schema of the contract file, dates written as texts.

    It says what each field may hold. What fields say of one another, the keys of account and
    company numbers, and the form named are for `read_contract`.
    """
    schema = schema_of(
        ContractEntry,
        title="Contract",
        about="The file that signs a contract, in TOML. Amounts are texts, or whole numbers.",
    )
    schema["properties"]["items"]["minItems"] = 1
    return schema


def _form(
    checker: Checker, said: dict[str, Any], folders: Iterable[Folder]
) -> tuple[Form | None, str]:
    if "form" not in said:
        return None, ""
    try:
        form = load_form(said["form"], folders)
    except BadFile as bad:
        for error in bad.errors:
            if error.path == "forms":
                checker.fault(("form",), error.expected, said["form"])
            else:
                checker.errors.append(error)
        return None, ""
    variant = said.get("variant", "")
    if variant and variant not in form.variants:
        told = f"the form {form.name} has no such variant; "
        checker.fault(("variant",), told + suggestion(variant, list(form.variants)), variant)
        return None, ""
    return form, variant or form.default_variant


def _party(
    checker: Checker, said: dict[str, Any], side: str, known: Mapping[str, Any]
) -> Identity | None:
    written = said.get(side)
    if written is None and (side == "client" or not known):
        if side == "supplier":
            checker.fault((side,), "the form does not say who the supplier is", at=())
        return None
    faults = len(checker.errors)
    party = merged(known, written or {})
    siren = party.get("siren") or party.get("siret", "")[:9]
    if siren and party.get("siret") and party["siret"][:9] != siren:
        told = f"a SIRET that starts with the SIREN, {siren}, was expected"
        checker.fault((side, "siret"), told, party["siret"])
    number = party.get("vat_number", "")
    if siren and number.startswith("FR") and number[4:] != siren:
        told = f"a VAT number that ends with the SIREN, {siren}, was expected"
        checker.fault((side, "vat_number"), told, number)
    address = party.get("address") or {}
    postcode = address.get("postcode", "")
    french = address.get("country", "FR") == "FR"
    if postcode and french and not (len(postcode) == 5 and postcode.isdecimal()):
        checker.fault((side, "address", "postcode"), "five digits were expected", postcode)
    identity = checker.build(Identity, party | ({"siren": siren} if siren else {}), (side,))
    return identity if len(checker.errors) == faults else None


def _overrides(checker: Checker, said: dict[str, Any]) -> dict[str, Any]:
    """The parameters the contract changes, with those it says by a shortcut."""
    overrides: dict[str, Any] = dict(said.get("terms", {}))
    starts_on = said.get("starts_on", said.get("signed_on"))
    if "billing" in said:
        every = BILLING[said["billing"]]
        overrides = _shortcut(checker, overrides, "billing", "schedule", "every_months", every)
    if "term_months" in said:
        months = said["term_months"]
        overrides = _shortcut(checker, overrides, "term_months", "renewal", "term_months", months)
    if "last_day" in said and starts_on is not None:
        last_day = said["last_day"]
        end = last_day + DAY
        months = months_between(starts_on, end)
        if last_day < starts_on:
            checker.fault(("last_day",), f"it is before the start, {starts_on}", last_day)
        elif not months or add_months(starts_on, months) != end:
            nearest = add_months(starts_on, max(1, months)) - DAY
            told = f"a whole number of months from {starts_on} was expected, such as {nearest}"
            checker.fault(("last_day",), told, last_day)
        else:
            overrides = _shortcut(checker, overrides, "last_day", "renewal", "term_months", months)
    if "mandate" in said and "means" not in overrides.get("payment", {}):
        overrides = merged(overrides, {"payment": {"means": "direct_debit"}})
    return overrides


def _shortcut(
    checker: Checker, overrides: dict[str, Any], key: str, clause: str, name: str, value: Any
) -> dict[str, Any]:
    known = overrides.get(clause, {}).get(name, value)
    if known != value:
        checker.fault((key,), f"terms.{clause}.{name} = {known} says otherwise")
    return merged(overrides, {clause: {name: value}})


def _terms(
    checker: Checker, said: dict[str, Any], form: Form, variant: str, overrides: dict[str, Any]
) -> Terms | None:
    parameters = form.parameters(overrides, variant)
    terms = checker.build(Terms, parameters, ("terms",), said.get("terms", {}))
    if terms is None:
        return None
    term, allowed = terms.renewal.term_months, terms.renewal.terms_allowed
    if allowed and term not in allowed:
        told = f"the form {form.name} allows {', '.join(map(str, allowed))} months"
        checker.fault(_where(said, "renewal", "term_months"), told, term or "none")
    for (clause, name), values in form.choices(variant).items():
        value = getattr(getattr(terms, str(clause)), str(name))
        if value not in values:
            told = f"the form {form.name} leaves the choice of {', '.join(map(str, values))}"
            checker.fault(_where(said, str(clause), str(name)), told, value or "none")
    linked = terms.renewal.kind == "linked"
    if linked and not said.get("parent"):
        told = "the contract follows another one: its number was expected"
        checker.fault(("parent",), told, at=())
    if said.get("parent") and not linked:
        told = f"a contract of the form {form.name} follows no other"
        checker.fault(("parent",), told, said["parent"])
    return terms


def _where(said: dict[str, Any], clause: str, name: str) -> Key:
    """Where the file says a parameter: under its shortcut, or among the terms."""
    shortcuts = {"term_months": ("term_months", "last_day"), "every_months": ("billing",)}
    for shortcut in shortcuts.get(name, ()):
        if shortcut in said:
            return (shortcut,)
    return ("terms", clause, name)


def _items(
    checker: Checker, said: dict[str, Any], form: Form | None, terms: Terms | None
) -> list[Item]:
    if said.get("items") == []:
        checker.fault(("items",), "at least one item was expected")
    seen: dict[str, int] = {}
    items = []
    for place, entry in enumerate(said.get("items", [])):
        key: Key = ("items", place)
        code = entry.get("code")
        if code in seen:
            told = f"item {seen[code] + 1} bears that code already; add to its quantity, or say "
            checker.fault((*key, "code"), told + f'catalogue = "{code}" with another code', code)
        elif code:
            seen[code] = place
        offered = _offered(checker, said, form, entry, key)
        if offered is None or form is None:
            continue
        faults = len(checker.errors)
        whole = {name: offered[name] for name in OFFERED if name in offered} | entry
        for name, what in (("label", "a label"), ("unit_price", "a price"), ("per", "a period")):
            if name not in whole and checker.absent((*key, name)):
                told = f"{what} was expected, the form's catalogue does not give it"
                checker.fault((*key, name), told, at=key)
        _sense(checker, said, terms, whole, key)
        if len(checker.errors) == faults and {"code", "label", "unit_price", "per"} <= whole.keys():
            items.append(_item(whole))
    return items


def _offered(
    checker: Checker, said: dict[str, Any], form: Form | None, entry: dict[str, Any], key: Key
) -> dict[str, Any] | None:
    """What the form's catalogue says of an item; nothing when it speaks for itself."""
    if form is None or not (code := entry.get("catalogue") or entry.get("code")):
        return None
    offered = form.catalogue.get(code)
    if offered is None:
        of_catalogue = "catalogue" in entry
        if of_catalogue or not {"label", "unit_price", "per"} <= entry.keys():
            catalogue = list(form.catalogue)
            told = f"the catalogue of {form.name} has no such code; {suggestion(code, catalogue)}"
            if not of_catalogue:
                told += ", or a label, a unit_price and a per of its own"
            checker.fault((*key, "catalogue" if of_catalogue else "code"), told, code)
            return None
        return {}
    until, signed_on = offered.get("offered_until"), said.get("signed_on")
    if until and signed_on and signed_on > until:
        told = f"it was offered until {until}, and the contract is signed on {signed_on}"
        checker.fault((*key, "code"), told, code)
    return offered


def _sense(
    checker: Checker, said: dict[str, Any], terms: Terms | None, item: dict[str, Any], key: Key
) -> None:
    """What the fields of an item say of one another."""
    starts_on = said.get("starts_on", said.get("signed_on"))
    once = item.get("per") == "once"
    price = item.get("unit_price")
    if price is not None and price < 0 and not once:
        told = 'a negative price is a rebate: it goes with per = "once"'
        checker.fault((*key, "unit_price"), told, price)
    if item.get("kind") == "one_off" and "per" in item and not once:
        told = 'what is sold once goes with per = "once"'
        checker.fault((*key, "per"), told, item["per"])
    if item.get("quantity") == 0:
        checker.fault((*key, "quantity"), "more than nothing was expected", item["quantity"])
    since = item.get("since", starts_on)
    if starts_on and since and since < starts_on:
        checker.fault((*key, "since"), f"it is before the contract starts, {starts_on}", since)
    for name in ("until", "discount_until"):
        if name in item and since and item[name] < since:
            checker.fault((*key, name), f"it is before the item starts, {since}", item[name])
    if "discount_until" in item and not item.get("discount"):
        checker.fault((*key, "discount_until"), "a discount was expected with it")
    if terms is None:
        return
    if item.get("kind") in terms.cover.warranty_kinds and since:
        ends = item.get("warranty_until")
        if ends is None and checker.absent((*key, "warranty_until")):
            told = "the contract requires a warranty: the day it ends was expected"
            checker.fault((*key, "warranty_until"), told, at=key)
        elif ends is not None and ends < since:
            told = f"the contract requires a warranty that still runs on {since}"
            checker.fault((*key, "warranty_until"), told, ends)
    code = item.get("vat", "standard")
    if code != "standard" and terms.vat_treatment(code) is None:
        known = ["standard", *(vat.code for vat in terms.vat)]
        told = f"the terms have no such VAT treatment; {suggestion(code, known)}"
        checker.fault((*key, "vat"), told, code)


def _item(whole: dict[str, Any]) -> Item:
    fields = {name: one for name, one in whole.items() if name not in ("per", "catalogue")}
    if whole["per"] == "once":
        fields.setdefault("kind", "one_off")
    return msgspec.convert({**fields, "per_months": PER_MONTHS[whole["per"]]}, Item)


def _mandate(
    checker: Checker,
    said: dict[str, Any],
    supplier: Identity | None,
    client: Identity | None,
) -> MandateSigned | None:
    entry = said.get("mandate")
    if entry is None or not supplier or not client or "signed_on" not in said:
        return None
    if not supplier.creditor_identifier:
        told = "the supplier has no creditor_identifier (ICS): it cannot collect a direct debit"
        checker.fault(("mandate",), told)
    iban = entry.get("iban") or client.iban
    if not iban and checker.absent(("mandate", "iban")):
        checker.fault(("mandate", "iban"), "the account to debit was expected", at=("mandate",))
    if entry.get("scheme") == "B2B" and client.category in ("consumer", "non_professional"):
        told = f"the B2B scheme is for businesses, and the client is a {client.category}"
        checker.fault(("mandate", "scheme"), told, "B2B")
    reference = entry.get("reference", "")
    if reference and (told := mandates.reference_fault(reference)):
        checker.fault(("mandate", "reference"), told, reference)
    if "number" not in said:
        return None
    return MandateSigned(
        reference=reference or mandates.reference(said["number"]),
        creditor=supplier.code,
        creditor_identifier=supplier.creditor_identifier,
        debtor=client.code,
        iban=iban,
        bic=entry.get("bic") or (client.bic if iban == client.iban else ""),
        scheme=entry.get("scheme", "CORE"),
        recurrent=entry.get("recurrent", True),
        signed_on=entry.get("signed_on", said["signed_on"]),
        proof=entry.get("proof", ""),
        medium=entry.get("medium", "paper"),
        last_collected_on=entry.get("last_collected_on"),
    )


def _bases(checker: Checker, said: dict[str, Any], terms: Terms | None) -> dict[str, Reading]:
    bases = {}
    revision = terms.revision if terms else None
    weights = revision.indices if revision else ()
    names = {name for weight in weights for name in (weight.series, weight.name) if name}
    for name, entry in said.get("bases", {}).items():
        key: Key = ("bases", name)
        if terms and name not in names:
            known = suggestion(name, [weight.series for weight in weights])
            told = f"no index of the revision clause is called so; {known}"
            checker.fault(key, told)
            continue
        if entry.get("value") == 0:
            checker.fault((*key, "value"), "an index above zero was expected", 0)
        if not {"value", "period"} <= entry.keys() or "signed_on" not in said:
            continue
        published_on = entry.get("published_on", said["signed_on"])
        index = next((w.series for w in weights if name in (w.series, w.name)), name)
        bases[name] = Reading(
            series=entry.get("series") or _scale(index, published_on),
            period=entry["period"],
            value=entry["value"],
            published_on=published_on,
            source=entry.get("source", "contract"),
            read_on=said["signed_on"],
        )
    return bases


def _scale(index: str, published_on: date) -> str:
    """The series a family name stood for on that day ("SYNTEC", on its old or revised scale)."""
    if index in CATALOG:
        return index
    try:
        return shipped().resolve(index, published_on).id
    except IndexUnavailable:
        return index  # a series of the house's own, which the law's review will look up
