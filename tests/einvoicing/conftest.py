"""The official rules of messages, run here: a rule that cannot run is an error, never a pass."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files

import pytest
from lxml import etree
from saxonche import PySaxonProcessor

from tests.einvoicing.desk import Desk


class Rules:
    """A schematron, compiled to XSLT 2."""

    def __init__(self, processor: PySaxonProcessor, path: str) -> None:
        self._processor = processor
        self._rules = processor.new_xslt30_processor().compile_stylesheet(
            stylesheet_text=files("pyfrctc").joinpath(path).read_text("utf-8")
        )

    def faults(self, document: bytes) -> list[str]:
        """What the rules refuse; at least one rule must have looked."""
        node = self._processor.parse_xml(xml_text=document.decode())
        told = etree.fromstring(self._rules.transform_to_string(xdm_node=node).encode())
        assert len(list(told.iter("{*}fired-rule"))) > 3, "no rule looked at it"
        return [
            " ".join("".join(one.itertext()).split())
            for one in told.iter("{*}failed-assert", "{*}successful-report")
        ]


@pytest.fixture(scope="session")
def saxon() -> PySaxonProcessor:
    return PySaxonProcessor(license=False)


@pytest.fixture(scope="session")
def cdar_rules(saxon: PySaxonProcessor) -> Rules:
    """BR-FR-CDV: the French rules of life-cycle messages (FNFE-MPE)."""
    return Rules(saxon, "cdar-schematron/BR-FR-CDV-Schematron-CDAR.xslt")


@pytest.fixture(scope="session")
def ereporting_rules(saxon: PySaxonProcessor) -> Rules:
    """Flux 10: the rules of e-reporting (annexe 7)."""
    return Rules(saxon, "frr-schematron/Flux10.xslt")


@pytest.fixture
def desk() -> Iterator[Desk]:
    """Company S, of a size that must issue since 2026-09-01, and its client C, in the directory."""
    with Desk() as opened:
        yield opened
