"""An XML file of the bank read from end to end in flat memory, trusting nothing of it.

No document type, no entity, no other file; one ISO 20022 namespace; text and depth bounded;
what is read is let go of. Every refusal says the line and the element.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple
from xml.sax.saxutils import unescape
from zoneinfo import ZoneInfo

from lxml import etree

from billing.refusal import BadFile, FieldError

BLOCK = 1 << 16
TEXT = 4_000  # Characters of one text; the longest in ISO 20022 is 2,048.
DEPTH = 32
HELD = 1 << 24  # Bytes read without letting go of anything: no such file comes from a bank.

NAMESPACE = re.compile(r"urn:iso:std:iso:20022:tech:xsd:((camt|pain)\.(\d{3})\.001\.(\d{2}))")
KINDS = {"camt.053": range(2, 15), "camt.054": range(2, 15), "pain.002": range(3, 15)}
EXPECTED = "a camt.053 or camt.054 (.001.02 to .14) or a pain.002 (.001.03 to .14)"
PARIS = ZoneInfo("Europe/Paris")

NAMES = 1_000  # Names kept; ISO 20022 has some hundreds in a message.

_PASSED = frozenset(("SplmtryData", "RltdAgts", "Avlbty", "TechInptChanl"))
_MONEY = frozenset(("Amt", "InstdAmt", "TtlAmt", "TtlChrgsAndTaxAmt", "TtlNetNtryAmt"))
_CENTS = re.compile(r"\d{1,15}\.\d\d", re.ASCII)
_DECIMAL = re.compile(r"\+?(\d{1,15})(?:\.(\d{0,5}))?|\+?()\.(\d{1,5})", re.ASCII)


class Money(NamedTuple):
    """An amount as written, and its currency."""

    text: str
    currency: str


Node = dict[str, list[Any]]
"""An element: its children by name, each a Node, a text or Money."""


Fields = dict[str, Any]
"""What a plan asked for: a text, a list of texts, Money, a list of Nodes."""

_Kind = Literal["text", "texts", "money", "nodes", "stop", "down", "pass"]
_Step = tuple[_Kind, str, "dict[Any, _Step] | None"]
_PASS: _Step = ("pass", "", None)


class Plan:
    """Which elements are read, and what each is called here, whatever the version calls it.

    `told` maps a path to its name: "name" the first text there is, "name*" every text, "name€"
    an amount, "name{}" every element there as a whole. Nothing is read from `until` on.
    """

    def __init__(self, told: dict[str, str], until: str = "") -> None:
        self._told = told
        self._until = until
        self._made: dict[str, dict[Any, _Step]] = {}
        self._paths: dict[str, tuple[str, ...]] = {}
        for path, name in told.items():
            self._paths.setdefault(name.rstrip("*€{}"), tuple(path.split("/")))

    def path(self, name: str) -> tuple[str, ...]:
        """Where what is so called stands, for a refusal."""
        return self._paths[name]

    def steps(self, prefix: str) -> dict[Any, _Step]:
        """The same as a tree, for a namespace."""
        made = self._made.get(prefix)
        if made is None:
            made = self._made[prefix] = {}
            kinds: dict[str, _Kind] = {"*": "texts", "€": "money", "}": "nodes"}
            for path, name in self._told.items():
                *above, last = (prefix + part for part in path.split("/"))
                at = made
                for part in above:
                    kind, key, below = at.get(part, ("down", "", None))
                    below = {} if below is None else below
                    at[part] = (kind, key, below)
                    at = below
                _, _, below = at.get(last, _PASS)
                at[last] = (kinds.get(name[-1], "text"), name.rstrip("*€{}"), below)
            if self._until:
                made[prefix + self._until] = ("stop", "", None)
        return made


class Mould:
    """Where plans find their texts in elements that differ by their texts alone.

    A bank writes its entries alike. What is between the texts of one is looked up whole, and a
    shape seen before tells which text is what: the elements themselves are looked at once a shape.
    """

    def __init__(self, found: Fields) -> None:
        self._texts: list[tuple[str, int]] = []
        self._lists: list[tuple[str, list[int]]] = []
        self._money: list[tuple[str, int, str]] = []
        self._empty = [name for name, value in found.items() if value == ""]
        for name, value in found.items():
            if type(value) is Money:
                self._money.append((name, int(value.text or -1), value.currency))
            elif type(value) is list:
                self._lists.append((name, [int(one or -1) for one in value]))
            elif value:
                self._texts.append((name, int(value)))

    def fields(self, shaped: Shaped) -> Fields:
        """What the plan asked for, out of these texts."""
        texts = shaped.texts
        found: Fields = {name: texts[at].strip() for name, at in self._texts}
        for name, at, currency in self._money:
            found[name] = Money(texts[at].strip(), currency)
        for name, places in self._lists:
            found[name] = [texts[at].strip() for at in places]
        for name in self._empty:
            found[name] = ""
        return found


class Shaped(NamedTuple):
    """What is between the texts of an element, and the texts; the last of them is empty."""

    shape: str
    texts: list[str]


class Wrong(Exception):
    """What is wrong below an element: the path from there, what is written, what was expected."""

    def __init__(self, path: tuple[str, ...], value: str, expected: str) -> None:
        super().__init__(expected)
        self.path = path
        self.value = value
        self.expected = expected


def bad(path: str, expected: str, line: int = 0, place: str = "", value: str = "") -> BadFile:
    """The refusal of a whole file."""
    shown = value if len(value) <= 60 else f"{value[:60]}…"
    told = FieldError(path=path, line=line, key=place, value=shown, expected=expected)
    return BadFile([told])


class Document:
    """A file being read: `elements` yields those asked for as they end; then the digest is known.

    `schema` is known once the first element came. `place` is kept by the reader.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        self.schema = ""
        self.namespace = ""
        self.digest = ""
        self.place = ""
        self._prefix = ""
        self._names: dict[Any, str] = {}
        self._trusted = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
        self._held = 0
        self._root: etree._Element | None = None

    def elements(self, names: frozenset[str]) -> Iterator[tuple[str, etree._Element]]:
        """The elements of these names, as each ends; what one is done with, one lets go of.

        Now and then, under no name, the root: what ends is not yet read of it.
        """
        wanted = [f"{{*}}{name}" for name in ("Document", *sorted(names))]
        parser = etree.XMLPullParser(
            events=("start", "end"),
            tag=wanted,
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            dtd_validation=False,
            attribute_defaults=False,
            huge_tree=False,
            remove_comments=True,
            remove_pis=True,
        )
        hashed = sha256()
        try:
            with Path(self.path).open("rb") as file:
                for block in self._blocks(file):
                    hashed.update(block)
                    yield from self._fed(parser, names, block)
                yield from self._fed(parser, names)
        except FileNotFoundError:
            raise bad(self.path, "there is no such file") from None
        except IsADirectoryError:
            raise bad(self.path, f"this is a folder; {EXPECTED} was expected") from None
        except OSError as error:
            raise bad(self.path, f"the file cannot be read: {error.strerror}") from None
        if not self.namespace:
            raise bad(self.path, f"the file has no Document; {EXPECTED} was expected")
        self.digest = hashed.hexdigest()

    def let_go(self, element: etree._Element) -> None:
        """Frees the element and all that stands before it."""
        # The element itself stays, emptied: the parser may still be writing the text after it.
        element.clear(keep_tail=True)
        parent = element.getparent()
        if parent is not None:
            while element.getprevious() is not None:
                del parent[0]
        self._held = 0

    def node(self, element: etree._Element, until: str = "", depth: int = 1) -> Node:
        """The element as names and values, up to the first child named `until`."""
        found: Node = {}
        names = self._names
        for child in element:
            name = names.get(child.tag) or self.name(child)
            if name == until:
                break
            if len(child):
                if name in _PASSED:
                    continue
                if depth > DEPTH:
                    raise self.refusal(child, "", f"elements are nested more than {DEPTH} deep")
                value: Any = self.node(child, depth=depth + 1)
            else:
                value = self._text(child)
                if name in _MONEY:
                    value = Money(value, child.get("Ccy", ""))
            if name in found:
                found[name].append(value)
            else:
                found[name] = [value]
        return found

    def fields(self, element: etree._Element, plan: Plan) -> Fields:
        """What a plan asks of an element, by the plan's own names."""
        found: Fields = {}
        self._fill(element, plan.steps(self._prefix), found)
        return found

    def _fill(self, element: etree._Element, steps: dict[Any, _Step], found: Fields) -> None:
        step_of = steps.get
        for child in element:
            step = step_of(child.tag)
            if step is None:
                self.name(child)
                step = steps[child.tag] = _PASS
            kind, key, below = step
            if below is not None and len(child):
                self._fill(child, below, found)
            elif kind == "text":
                if key not in found:
                    text = child.text
                    found[key] = (
                        ""
                        if text is None
                        else text.strip()
                        if len(text) <= TEXT
                        else (self._text(child))
                    )
            elif kind == "texts":
                found.setdefault(key, []).append(self._text(child))
            elif kind == "money":
                if key not in found:
                    found[key] = Money(self._text(child), child.get("Ccy", ""))
            elif kind == "nodes":
                found.setdefault(key, []).append(self.node(child))
            elif kind == "stop":
                return

    def shape(self, element: etree._Element) -> Shaped | None:
        """The shape of an element and its texts; none of one that is not plain."""
        written = etree.tostring(element, encoding="unicode", with_tail=False)
        if len(written) > TEXT or "&#" in written:
            return None
        # Neither < nor > stands in a text or an attribute: the serializer escapes both.
        parts = written.replace("<", ">").split(">")
        texts = parts[2::2]
        if "&" in written:
            texts = [unescape(text) if "&" in text else text for text in texts]
        return Shaped(">".join(parts[1::2]), texts)

    def labelled(self, shape: str) -> etree._Element:
        """An element of that shape whose texts are their own ranks."""
        made = "".join(f"<{tag}>{rank}" for rank, tag in enumerate(shape.split(">")))
        return etree.fromstring(made.rstrip("0123456789"), self._trusted)

    def _text(self, element: etree._Element) -> str:
        text = element.text
        if text is None:
            return ""
        if len(text) > TEXT:
            told = f"a text of {len(text)} characters; expected at most {TEXT}"
            raise self.refusal(element, text[:20], told)
        return text.strip()

    def name(self, element: etree._Element) -> str:
        """Its name, if it is one of the message's; another namespace is refused."""
        tag = element.tag
        if not isinstance(tag, str):
            raise self.refusal(element, "", "an entity stands here; none is allowed")
        if not tag.startswith(self._prefix):
            told = f"an element of another namespace; expected {self.namespace}"
            raise self.refusal(element, tag, told)
        name = tag[len(self._prefix) :]
        if len(self._names) < NAMES:
            self._names[tag] = name
        return name

    def refusal(self, element: etree._Element, value: str, expected: str) -> BadFile:
        """The refusal of the whole file because of what stands at an element."""
        names = []
        at: etree._Element | None = element
        while at is not None and not self._is_placed(at):
            names.append(etree.QName(at).localname if isinstance(at.tag, str) else "&…;")
            at = at.getparent()
        place = "/".join(part for part in (self.place, *reversed(names)) if part)
        return bad(self.path, expected, element.sourceline or 0, place, value)

    def _is_placed(self, element: etree._Element) -> bool:
        last = self.place.rpartition("/")[2].partition("[")[0]
        if not last:
            return element.getparent() is None
        return isinstance(element.tag, str) and etree.QName(element).localname == last

    def wrong(self, element: etree._Element, error: Wrong, below: str = "") -> BadFile:
        """The same for what was found wrong in an element, itself `below` the present place."""
        at = element
        for name in error.path:
            found = at.find(self._prefix + name)
            if found is None:
                break
            at = found
        place = "/".join(part for part in (self.place, below, *error.path) if part)
        return bad(self.path, error.expected, at.sourceline or 0, place, error.value)

    def _blocks(self, file: IO[bytes]) -> Iterator[bytes]:
        block = file.read(BLOCK)
        if not block.strip():
            raise bad(self.path, f"the file is empty; {EXPECTED} was expected")
        line, tail = 1, b""
        while block:
            # Before the parser sees it: a document type is where entities are declared.
            seen = (tail + block).replace(b"\0", b"")
            if (at := seen.find(b"<!DOCTYPE")) >= 0 or (at := seen.find(b"<!ENTITY")) >= 0:
                line += seen.count(b"\n", len(tail.replace(b"\0", b"")), at)
                raise self._typed(line)
            yield block
            self._held += len(block)
            if self._held > HELD:
                raise bad(
                    self.path,
                    f"{HELD >> 20} MiB without the end of an entry; no statement is so made",
                    place=self.place,
                )
            line += block.count(b"\n")
            tail = block[-20:]
            block = file.read(BLOCK)

    def _typed(self, line: int) -> BadFile:
        told = "the file declares a document type or an entity (DOCTYPE); none is allowed"
        return bad(self.path, told, line, self.place)

    def _fed(
        self, parser: etree.XMLPullParser, names: frozenset[str], block: bytes = b""
    ) -> Iterator[tuple[str, etree._Element]]:
        """What a block, or the end, brings; what stands before a fault tells where it is."""
        broken = None
        try:
            if block:
                parser.feed(block)
            else:
                parser.close()
        except etree.XMLSyntaxError as error:
            broken = error
        yield from self._found(parser, names)
        if broken is not None:
            raise self._broken(broken)
        if self._root is not None:
            yield "", self._root

    def _broken(self, error: etree.XMLSyntaxError) -> BadFile:
        line = error.position[0] or 1
        what = "the file is cut short or is not well formed"
        if not self.namespace:
            what = f"this is not XML; {EXPECTED} was expected"
        return bad(self.path, f"{what} ({error.msg})", line, self.place)

    def _found(
        self, parser: etree.XMLPullParser, names: frozenset[str]
    ) -> Iterator[tuple[str, etree._Element]]:
        known = self._names
        for event, element in parser.read_events():
            if event == "start":
                if not self.namespace:
                    self._open(element)
                continue
            name = known.get(element.tag) or self.name(element)
            if name in names:
                yield name, element

    def _open(self, root: etree._Element) -> None:
        """The first element says which message this is, or the file is refused."""
        info = root.getroottree().docinfo
        if info.doctype or info.internalDTD is not None or info.externalDTD is not None:
            raise self._typed(1)
        name = etree.QName(root)
        found = NAMESPACE.fullmatch(name.namespace or "")
        family = f"{found[2]}.{found[3]}" if found else ""
        if (
            found is None
            or name.localname != "Document"
            or root.getparent() is not None
            or int(found[4]) not in KINDS.get(family, ())
        ):
            told = f"this is no message read here; {EXPECTED} was expected"
            raise bad(self.path, told, root.sourceline or 1, name.localname, name.namespace or "")
        self.namespace, self.schema, self._root = name.namespace or "", found[1], root
        self._prefix = f"{{{self.namespace}}}"


# Values


def child(node: Node, *names: str) -> Node:
    """The first element at that path below, or an empty one."""
    for name in names:
        found = node.get(name)
        if found is None or not isinstance(found[0], dict):
            return {}
        node = found[0]
    return node


def children(node: Node, name: str) -> list[Node]:
    """All elements of that name."""
    return [one for one in node.get(name, ()) if isinstance(one, dict)]


def texts(node: Node, name: str) -> tuple[str, ...]:
    """All texts of that name that say something."""
    return tuple(one for one in node.get(name, ()) if isinstance(one, str) and one)


def text(node: Node, *names: str) -> str:
    """The first text at that path below, or none."""
    value: Any = node
    for name in names:
        if type(value) is not dict:
            return ""
        found = value.get(name)
        if found is None:
            return ""
        value = found[0]
    return value if type(value) is str else ""


def needed(node: Node, *names: str) -> str:
    """The text at that path, or a refusal."""
    found = text(node, *names)
    if not found:
        raise Wrong(names, "", "nothing stands here; a text was expected")
    return found


def money(node: Node, *names: str) -> Decimal | None:
    """The euros at that path, or none where nothing stands; another currency is refused."""
    found = child(node, *names[:-1]).get(names[-1])
    return None if found is None else euros(found[0], names)


def euros(value: Any, names: tuple[str, ...]) -> Decimal:
    """An amount in euros."""
    if type(value) is not Money:
        raise Wrong(names, "", "an amount was expected")
    written, currency = value
    if currency != "EUR":
        shown = f"{written} {currency}".strip()
        raise Wrong(names, shown, "an amount in EUR was expected: other accounts are not read")
    if _CENTS.fullmatch(written):
        return Decimal(written)
    return decimal(written, names)


def decimal(written: str, names: tuple[str, ...]) -> Decimal:
    """An amount of whole cents, as XML writes decimals."""
    found = _DECIMAL.fullmatch(written)
    cents = (found[2] or found[4] or "") if found else ""
    if found is None or cents[2:].strip("0"):
        raise Wrong(names, written, "an amount of euros and cents was expected, such as 1080.00")
    return Decimal(f"{found[1] or found[3] or 0}.{cents[:2].ljust(2, '0')}")


def whole(written: str, names: tuple[str, ...]) -> int:
    """A count."""
    if not (written.isascii() and written.isdigit() and len(written) <= 15):
        raise Wrong(names, written, "a whole number was expected")
    return int(written)


def credited(written: str, names: tuple[str, ...]) -> bool:
    """Whether CdtDbtInd says credit."""
    if written not in ("CRDT", "DBIT"):
        raise Wrong(names, written, "CRDT or DBIT was expected")
    return written == "CRDT"


def day(written: str, names: tuple[str, ...]) -> date:
    """The civil day in Paris, told as a day or as a moment."""
    found = civil_day(written)
    if found is None:
        raise Wrong(names, written, "a date was expected, such as 2026-07-01")
    return found


@lru_cache(maxsize=4096)
def civil_day(written: str) -> date | None:
    """The day in Paris, from a date or a moment as XML writes them; none if it is neither."""
    try:
        if "T" not in written:
            return date.fromisoformat(written[:10]) if _dated(written) else None
        moment = datetime.fromisoformat(written)
    except ValueError:
        return None
    return (moment.astimezone(PARIS) if moment.tzinfo else moment).date()


def _dated(written: str) -> bool:
    return re.fullmatch(r"\d{4}-\d\d-\d\d(Z|[+-]\d\d:\d\d)?", written, re.ASCII) is not None
