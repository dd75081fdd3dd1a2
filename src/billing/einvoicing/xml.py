"""XML from elsewhere, trusted in nothing; XML of ours, held to its official schema."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Final

from lxml import etree

from billing.refusal import BadFile, FieldError

SCHEMAS: Final = Path(__file__).parent / "xsd"
CDAR: Final = SCHEMAS / "cdar" / "CrossDomainAcknowledgementAndResponse_100pD22B.xsd"
EREPORTING: Final = SCHEMAS / "ereporting" / "ereporting.xsd"
MOST: Final = 1 << 22
"""Bytes of a message that is read; one has some thousands."""

FAULTS: Final = 20


def parsed(data: bytes, path: str) -> etree._Element:
    """The root of a document without a document type, an entity, or another file."""
    if len(data) > MOST:
        told = f"{len(data)} bytes; a message of at most {MOST} was expected"
        raise BadFile([FieldError(path=path, expected=told)])
    seen = data.replace(b"\0", b"").upper()
    for word in (b"<!DOCTYPE", b"<!ENTITY"):
        if (at := seen.find(word)) >= 0:
            told = "the file declares a document type or an entity (DOCTYPE); none is allowed"
            raise BadFile([FieldError(path=path, line=seen.count(b"\n", 0, at) + 1, expected=told)])
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, dtd_validation=False,
        attribute_defaults=False, huge_tree=False, remove_comments=True, remove_pis=True,
    )  # fmt: skip
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        line = getattr(error, "position", (0, 0))[0] or 1
        told = f"the file is cut short or is not XML ({error})"
        raise BadFile([FieldError(path=path, line=line, expected=told)]) from None
    if root.getroottree().docinfo.doctype:
        told = "the file declares a document type (DOCTYPE); none is allowed"
        raise BadFile([FieldError(path=path, line=1, expected=told)])
    return root


@cache
def _schema(path: Path) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(path))


def held_to(schema: Path, root: etree._Element, path: str) -> None:
    """Refuses what the official schema does, each fault with its line."""
    validator = _schema(schema)
    if validator.validate(root):
        return
    found: Any = validator.error_log
    raise BadFile(
        [
            FieldError(path=path, line=error.line, expected=f"the schema says: {error.message}")
            for error in list(found)[:FAULTS]
        ]
    )


def written(root: etree._Element) -> bytes:
    """The bytes of a document: UTF-8, indented by two."""
    etree.indent(root)
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8") + b"\n"
