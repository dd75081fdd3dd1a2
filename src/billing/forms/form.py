"""Contract forms: the clauses a house signs with, as data, beside the words they come from.

A form gives the parameters of `Terms`; words, source and reading stay here and explain them.
What was signed names its form by the digest of its text, and the text itself is recorded: an
explanation years later quotes the form as it was.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
from msgspec import Struct

from billing.clauses import Terms
from billing.clauses.fees import ItemKind
from billing.events.party import Identity
from billing.forms.fields import MERGED_BY, Checker, merged, schema_of, shape_of, suggestion
from billing.forms.toml_text import (
    Key,
    Lines,
    named,
    text_of,
    values_of,
    written,
)
from billing.refusal import BadFile, FieldError

SHIPPED: Final = Path(__file__).parent
"""Where the five forms of the seeds lie."""

CLAUSES: Final = tuple(field.name for field in msgspec.structs.fields(Terms))
"""The clauses of `Terms`, in their order."""

Per = Literal["month", "quarter", "half-year", "year", "once"]
Folder = Path | str

_EXTENDED: Final = re.compile(r"^#: extended by .*$\n?", re.MULTILINE)
_UNPRICED: Final = {"rates": "unit_price"}
"""A line of the rate card without a price is no part of the terms until a contract prices it."""


class ClauseWords(Struct, frozen=True):
    """Where a clause comes from: the contract's own words, their place, the reading chosen.

    No words: the contract is silent, and the law or the reading speaks.
    """

    words: str = ""
    source: str = ""
    reading: str = ""


class CatalogueEntry(Struct, frozen=True, kw_only=True):
    """Something the form offers, by its code: what an item of a contract need not repeat.

    `offered_until` is the last day on which it may be signed for.
    """

    code: str
    label: str = ""
    unit_price: Decimal = Decimal(0)
    per: Per = "month"
    kind: ItemKind = "service"
    vat: str = "standard"
    discount: Decimal = Decimal(0)
    entry_fee: Decimal = Decimal(0)
    list_price: Decimal | None = None
    indexed: bool = True
    offered_until: date | None = None
    words: str = ""
    source: str = ""


def _entry(name: str, about: str, fields: list[Any]) -> Any:
    entry = msgspec.defstruct(name, fields, kw_only=True)
    entry.__doc__ = about
    return entry


_SAYS: Final = tuple(field.name for field in msgspec.structs.fields(ClauseWords))
_WORDS: Final[list[Any]] = [(name, str, "") for name in _SAYS]
_Said: Final = _entry("Said", "Words of the contract that no parameter holds.", _WORDS)
_ABOUT_CLAUSE: Final = (
    "A clause: the contract's words, their source, the reading chosen, the parameters (terms), "
    "and the values among which a contract may choose."
)
_CLAUSE_ENTRIES: Final[list[Any]] = [
    (
        field.name,
        _entry(
            f"{field.name.title().replace('_', '')}Clause",
            _ABOUT_CLAUSE,
            [*_WORDS, ("terms", field.type, None), ("choices", dict[str, tuple[Any, ...]], None)],
        ),
        None,
    )
    for field in msgspec.structs.fields(Terms)
]
_OTHER: Final[Any] = ("other", dict.__class_getitem__((str, _Said)), None)
_VariantEntry: Final = _entry(
    "Variant",
    "One way of signing the form: its title and the clauses that differ.",
    [("title", str), *_CLAUSE_ENTRIES, _OTHER],
)
FormEntry: Final = _entry(
    "FormFile",
    "A contract form.",
    [
        ("name", str),
        ("title", str, ""),
        ("about", str, ""),
        ("language", str, "fr"),
        ("extends", str, ""),
        ("inherits", tuple[str, ...], ()),
        ("default_variant", str, ""),
        ("supplier", Identity, None),
        ("catalogue", tuple[CatalogueEntry, ...], ()),
        ("variants", dict.__class_getitem__((str, _VariantEntry)), None),
        *_CLAUSE_ENTRIES,
        _OTHER,
    ],
)


class Form(Struct, frozen=True):
    """A contract form as it is, or as it was when it was first signed from.

    `text` is the whole of it, with the forms it extends; `digest` is the SHA-256 of that text.
    """

    name: str
    title: str
    digest: str
    text: str
    document: dict[str, Any]

    @property
    def about(self) -> str:
        """What the house wants a signer to know of the form."""
        return str(self.document.get("about", ""))

    @property
    def language(self) -> str:
        """The language of the contract's words."""
        return str(self.document.get("language", "fr"))

    @property
    def supplier(self) -> dict[str, Any]:
        """What the form says of the supplier; a contract completes it."""
        return dict(self.document.get("supplier", {}))

    @property
    def catalogue(self) -> dict[str, dict[str, Any]]:
        """What the form offers, by code."""
        return {entry["code"]: entry for entry in self.document.get("catalogue", [])}

    @property
    def inherits(self) -> tuple[str, ...]:
        """The clauses taken from the parent contract as far as this form does not state them."""
        return tuple(self.document.get("inherits", ()))

    @property
    def variants(self) -> dict[str, str]:
        """The ways of signing the form, and their titles."""
        return {name: one["title"] for name, one in self.document.get("variants", {}).items()}

    @property
    def default_variant(self) -> str:
        """How the form is signed when the contract names no variant; "" when it has none."""
        return str(self.document.get("default_variant") or next(iter(self.variants), ""))

    def words(self, clause: str, variant: str = "") -> ClauseWords:
        """The words a clause comes from, by its name in `Terms` or among the form's others."""
        document = self._signed_as(variant)
        entries = document if clause in CLAUSES else document.get("other", {})
        said = entries.get(clause, {})
        return ClauseWords(**{name: " ".join(said[name].split()) for name in _SAYS if name in said})

    def clauses(self, variant: str = "") -> tuple[str, ...]:
        """The clauses the form speaks of: those of `Terms` in their order, then the others."""
        document = self._signed_as(variant)
        return (*(name for name in CLAUSES if name in document), *document.get("other", {}))

    def others(self, variant: str = "") -> tuple[str, ...]:
        """The clauses quoted without any parameter, because nothing is computed from them."""
        return tuple(self._signed_as(variant).get("other", {}))

    def terms(
        self,
        overrides: Mapping[str, Any] | None = None,
        variant: str = "",
        parent_terms: Terms | None = None,
    ) -> Terms:
        """All clauses resolved: the law, the parent's, the form's, the variant's, the contract's.

        Raises BadFile when the overrides are not parameters of `Terms`.
        """
        checker = Checker(f"form {self.name}")
        wanted = checker.check(shape_of(Terms), dict(overrides or {}), ("terms",))
        terms = (
            checker.build(Terms, self.parameters(wanted, variant, parent_terms), ("terms",))
            if not checker.errors
            else None
        )
        if terms is None:
            raise BadFile(checker.errors)
        return terms

    def parameters(
        self,
        overrides: Mapping[str, Any],
        variant: str = "",
        parent_terms: Terms | None = None,
    ) -> dict[str, Any]:
        """The parameters of all clauses before they are made into `Terms`."""
        result: dict[str, Any] = {}
        if parent_terms is not None:
            everything = msgspec.to_builtins(parent_terms, builtin_types=(Decimal, date))
            result = {name: everything[name] for name in self.inherits if name in everything}
        document = self._signed_as(variant)
        stated = {
            name: document[name]["terms"]
            for name in CLAUSES
            if document.get(name, {}).get("terms", ...) is not ...
        }
        result = merged(merged(result, stated), overrides)
        for name, price in _UNPRICED.items():
            result[name] = [one for one in result.get(name, ()) if price in one]
        return result

    def choices(self, variant: str = "") -> dict[Key, tuple[Any, ...]]:
        """Where the form leaves a choice to the contract, the values it may take."""
        document = self._signed_as(variant)
        return {
            (clause, name): tuple(values)
            for clause in CLAUSES
            for name, values in document.get(clause, {}).get("choices", {}).items()
        }

    def _signed_as(self, variant: str) -> dict[str, Any]:
        name = variant or self.default_variant
        if not name:
            return self.document
        if name not in self.variants:
            told = f"the form has no such variant; {suggestion(name, list(self.variants))}"
            raise BadFile([FieldError(path=f"form {self.name}", key=name, expected=told)])
        return _restated(self.document, self.document["variants"][name])


def load_form(name: str, folders: Iterable[Folder] = ()) -> Form:
    """The form of that name: one the house keeps in a folder it names, or one that ships.

    Raises BadFile when there is none, or when it is not well written.
    """
    known = _known(folders)
    if name not in known:
        told = f'there is no form "{name}"; {suggestion(name, list(known))}'
        raise BadFile([FieldError(path="forms", expected=told)])
    return _form(name, known)


def forms(folders: Iterable[Folder] = ()) -> list[Form]:
    """Every form, the shipped ones first; raises BadFile at the first that is badly written."""
    known = _known(folders)
    return [_form(name, known) for name in known]


def form_from_text(text: str, path: str = "the form's text") -> Form:
    """The form whose whole text this is, as recorded when it was first signed from."""
    text = normalised(text)
    documents = [_document(part, path)[0] for part in _EXTENDED.split(text)]
    return _made(documents, text, path)


def form_schema() -> dict[str, Any]:
    """The JSON Schema of a form file."""
    return schema_of(FormEntry, title="Contract form", about="A contract form, in TOML.")


def normalised(text: str) -> str:
    """The text without what an editor may change unseen: line ends, blanks at their end."""
    return "\n".join(line.rstrip() for line in text.rstrip().splitlines()) + "\n"


def _known(folders: Iterable[Folder]) -> dict[str, Path]:
    known = {path.stem: path for path in sorted(SHIPPED.glob("*.toml"))}
    for folder in map(Path, folders):
        if not folder.is_dir():
            told = "there is no such folder of forms"
            raise BadFile([FieldError(path=str(folder), expected=told)])
        for path in sorted(folder.glob("*.toml")):
            if path.stem in known:
                told = f'a form "{path.stem}" is already at {known[path.stem]}; name this one anew'
                raise BadFile([FieldError(path=str(path), expected=told)])
            known[path.stem] = path
    return known


def _form(name: str, known: dict[str, Path]) -> Form:
    changed = tuple((one, path, path.stat().st_mtime_ns) for one, path in known.items())
    return _read(name, changed)


@lru_cache(maxsize=64)
def _read(name: str, known: tuple[tuple[str, Path, int], ...]) -> Form:
    """The form and those it extends, read again when a file of a form has changed."""
    paths = {one: path for one, path, _ in known}
    documents: list[dict[str, Any]] = []
    text, wanted = "", name
    while wanted:
        path = paths[wanted]
        part = normalised(text_of(path))
        document, lines = _document(part, str(path))
        if document["name"] != wanted:
            told = f'expected "{wanted}", as the file is named'
            raise _bad(path, lines, ("name",), document["name"], told)
        text = f"{part}#: extended by {documents[0]['name']}\n{text}" if documents else part
        documents.insert(0, document)
        wanted = document.get("extends", "")
        if wanted and wanted not in paths:
            told = f"there is no such form; {suggestion(wanted, list(paths))}"
            raise _bad(path, lines, ("extends",), wanted, told)
        if wanted in {one["name"] for one in documents}:
            raise _bad(path, lines, ("extends",), wanted, "the forms extend one another in a ring")
    return _made(documents, text, str(paths[name]))


def _made(documents: list[dict[str, Any]], text: str, path: str) -> Form:
    whole: dict[str, Any] = {}
    for document in documents:
        whole = _restated(whole, document)
    form = Form(
        name=whole["name"],
        title=whole.get("title") or whole["name"],
        digest=hashlib.sha256(text.encode()).hexdigest(),
        text=text,
        document=whole,
    )
    lines = Lines(_EXTENDED.split(text)[-1])
    if form.default_variant and form.default_variant not in form.variants:
        told = f"there is no such variant; {suggestion(form.default_variant, list(form.variants))}"
        raise _bad(path, lines, ("default_variant",), form.default_variant, told)
    for variant in form.variants or ("",):
        checker = Checker(path, lines)
        checker.build(Terms, form.parameters({}, variant), ("terms",))
        if checker.errors:
            raise BadFile(checker.errors)
    return form


def _restated(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    """The base with what is stated anew: new words take the place of all the old ones."""
    kept = dict(base)
    for name in CLAUSES:
        if name in kept and any(said in over.get(name, {}) for said in _SAYS):
            kept[name] = {key: one for key, one in kept[name].items() if key not in _SAYS}
    return merged(kept, over)


def _document(text: str, path: str) -> tuple[dict[str, Any], Lines]:
    values, lines = values_of(text, path), Lines(text)
    checker = Checker(path, lines)
    document = checker.check(shape_of(FormEntry), values, ())
    for place, clause in enumerate(document.get("inherits", ())):
        if clause not in CLAUSES:
            told = f"there is no such clause; {suggestion(str(clause), CLAUSES)}"
            checker.fault(("inherits", place), told, clause)
    _look_for_words(checker, values, ())
    for name, variant in _tables(values, "variants"):
        _look_for_words(checker, variant, ("variants", name))
    if checker.errors:
        raise BadFile(checker.errors)
    return document, lines


def _look_for_words(checker: Checker, document: dict[str, Any], above: Key) -> None:
    """A clause without the contract's words says at least how the silence is read."""
    clauses: list[tuple[Key, Any]] = [((name,), document.get(name)) for name in CLAUSES]
    others: list[tuple[Key, Any]] = [
        (("other", name), said) for name, said in _tables(document, "other")
    ]
    told = "neither words nor reading say where this clause comes from"
    for key, said in (*clauses, *others):
        if isinstance(said, dict) and not said.get("words") and not said.get("reading"):
            checker.fault((*above, *key), told)


def _tables(document: dict[str, Any], name: str) -> list[tuple[str, dict[str, Any]]]:
    tables = document.get(name)
    found = tables.items() if isinstance(tables, dict) else ()
    return [(key, table) for key, table in found if isinstance(table, dict)]


def _bad(path: Folder, lines: Lines, key: Key, value: str, expected: str) -> BadFile:
    error = FieldError(
        path=str(path), line=lines[key], key=named(key), value=written(value), expected=expected
    )
    return BadFile([error])


__all__ = [
    "CLAUSES",
    "MERGED_BY",
    "CatalogueEntry",
    "ClauseWords",
    "Form",
    "FormEntry",
    "form_from_text",
    "form_schema",
    "forms",
    "load_form",
    "normalised",
]
