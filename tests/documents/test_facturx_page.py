"""The page: a PDF/A-3b that says it is a Factur-X, every figure of its event in plain words."""

from __future__ import annotations

import hashlib
import io
import re
import subprocess
import sys
from datetime import date
from fractions import Fraction

import pikepdf
import pypdfium2
import pytest
from fontTools.ttLib import TTFont
from msgspec.structs import replace

from billing.clauses.revision import Revision, Rounding, Weight, coefficient
from billing.documents.facturx import Brand, Facts, Revised, cii, data_of, facturx, read_brands
from billing.documents.facturx.annex import formula
from billing.documents.facturx.page import FONTS, images_of, masked, page_data, said_to_be_facturx
from billing.documents.facturx.printed import printed
from billing.documents.facturx.words import Both, words
from billing.events import stamped
from billing.events.contract import FeeChange, IndexSubstituted, PriceRevised
from billing.forms import BadFile
from billing.identity import contract_id
from indices import Comparison, Link, Reading
from tests.documents import paper
from tests.documents.paper import D, attached, text_of
from tests.scenario import AT


def opened(pdf: bytes) -> pikepdf.Pdf:
    return pikepdf.open(io.BytesIO(pdf))


PDF = facturx(paper.debited())


# The file


def test_it_is_a_pdf_a_3b_with_its_data_attached_as_an_alternative():
    with opened(PDF) as pdf:
        metadata = pdf.Root.Metadata.read_bytes().decode()
        assert "<pdfaid:part>3</pdfaid:part>" in metadata
        assert "<pdfaid:conformance>B</pdfaid:conformance>" in metadata
        (file,) = pdf.Root.AF
        assert (str(file.UF), str(file.F)) == ("factur-x.xml", "factur-x.xml")
        assert file.AFRelationship == "/Alternative"
        assert list(pdf.attachments) == ["factur-x.xml"]
        assert file.EF.F.Subtype == "/text/xml"
        assert file.EF.F.Params.ModDate == "D:20261101000000Z"
        assert "/OutputIntents" in pdf.Root
    assert attached(PDF) == data_of(paper.debited())[1]


def test_its_metadata_say_it_is_a_factur_x_by_a_declared_schema():
    with opened(PDF) as pdf, pdf.open_metadata() as metadata:
        space = "{urn:factur-x:pdfa:CrossIndustryDocument:invoice:1p0#}"
        found = {name: metadata[f"{space}{name}"] for name in (
            "ConformanceLevel", "DocumentFileName", "DocumentType", "Version",
        )}  # fmt: skip
        assert found == {
            "ConformanceLevel": "EN 16931",
            "DocumentFileName": "factur-x.xml",
            "DocumentType": "INVOICE",
            "Version": "1.0",
        }
        raw = pdf.Root.Metadata.read_bytes().decode()
    assert raw.count("<pdfaExtension:schemas>") == 1
    declared = raw[raw.index("Factur-X PDFA Extension Schema") :]
    assert re.findall(r"<pdfaProperty:name>(\w+)<", declared[:2000])[:4] == [
        "DocumentFileName", "DocumentType", "Version", "ConformanceLevel",
    ]  # fmt: skip


def test_writing_the_metadata_moves_every_object_and_breaks_none():
    with opened(PDF) as pdf:
        assert pdf.check_pdf_syntax() == []
        assert len(pdf.pages) == 1
    # Every offset of the table is where its object begins.
    start = int(PDF[PDF.rindex(b"startxref") + 9 :].split()[0])
    assert PDF[start:].startswith(b"xref")
    entries = re.findall(rb"(\d{10}) 00000 n", PDF[start:])
    numbers = [PDF[int(at) :].split(b" ", 1)[0] for at in entries]
    assert numbers == [b"%d" % number for number in range(1, len(entries) + 1)]


def test_a_page_that_typst_did_not_write_is_refused():
    other = io.BytesIO()
    with opened(PDF) as pdf:
        pdf.save(other, object_stream_mode=pikepdf.ObjectStreamMode.generate)
    with pytest.raises(ValueError, match="typst"):
        said_to_be_facturx(other.getvalue())


def test_the_same_facts_give_the_same_bytes_in_another_process():
    program = (
        "import hashlib\nfrom billing.documents.facturx import facturx\n"
        "from tests.documents import paper\n"
        "for one in (paper.debited(), paper.facts(paper.credit_note())):\n"
        "    print(hashlib.sha256(facturx(one)).hexdigest())\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    here = [
        hashlib.sha256(facturx(one)).hexdigest()
        for one in (paper.debited(), paper.facts(paper.credit_note()))
    ]
    assert done.stdout.split() == here


def test_the_fonts_have_the_characters_that_are_taken():
    def characters(*names: str) -> set[int]:
        found = [set(TTFont(FONTS / name).getBestCmap()) for name in names]
        return set.intersection(*found)

    fonts = characters("IBMPlexSans-Regular.ttf", "IBMPlexSans-SemiBold.ttf")
    fonts |= characters("NotoSansArabic-Regular.ttf") | characters("NotoSansHebrew-Regular.ttf")
    listed: set[int] = set()
    for line in (FONTS / "coverage.txt").read_text().splitlines():
        if not line.startswith("#"):
            first, _, last = line.partition("-")
            listed |= set(range(int(first, 16), int(last or first, 16) + 1))
    assert listed <= fonts
    assert {ord(letter) for letter in "aéœÉŁőЖяΩά€’“«»–−×·•→…₀اשº"} <= listed
    assert not {ord(character) for character in "🥐北\u0007\ue000"} & listed


# The words


def test_every_figure_of_an_invoice_is_on_its_page():
    document = paper.invoice(
        paper.fee("1234.50"),
        paper.half_a_month(),
        paper.outside(),
        purchase_order="CMD-118",
        means="direct_debit",
        mandate="IM-RUM-0042",
        collected_on=date(2026, 12, 1),
    )
    text = text_of(facturx(paper.facts(document, mandate=paper.MANDATE)))
    for told in (
        "Facture M2026-000007", "SIREN 999 001 027", "TVA FR60999001076", "CMD-118",
        "01/11/2026 – 30/11/2026", "1 234,50 €", "Redevances de la période", "Indemnités et frais",
        "du 17/11 au 30/11/2026, 14 jours sur 30", "30,00 € par mois",
        "Total HT 1 261,00 €", "Total TVA 249,70 €", "Total TTC 1 510,70 €",
        "Net à payer 1 510,70 €", "Hors champ : remboursement de frais",
        "IM-RUM-0042", "FR21ZZZ990002",
        "1 510,70 € seront prélevés le 01/12/2026 sur votre compte FR76 •••• •••• 784.",
        "vaut notification préalable", "40,00 €", "Pas d’escompte pour paiement anticipé.",
        "Prestations de services", "Page 1 sur 1",
    ):  # fmt: skip
        assert told in text, told
    assert paper.MANDATE.iban[4:-3] not in text.replace(" ", "")


PLAIN_WORDS = [
    (paper.half_a_month(), "du 17/11 au 30/11/2026, 14 jours sur 30"),
    (
        replace(paper.half_a_month("5.75"), share=paper.Share(14 * 12, 365, "actual_365")),
        "du 17/11 au 30/11/2026, 14 jours sur 365 du prix annuel",
    ),
    (
        replace(paper.half_a_month(), share=paper.Share(14, 30, "thirty_360")),
        "14 jours sur 30 (mois de 30 jours)",
    ),
    (
        replace(paper.half_a_month("10.00"), share=paper.Share(1, 3, "whole_months")),
        "mois entiers : 1 sur 3",
    ),
    (
        paper.fee("100.00", unit_price=D("1200.00"), per_months=12, months=1, part=3, parts=12),
        "part 3 sur 12 du prix 1\u202f200,00\u00a0€ par an",
    ),
    (paper.fee("90.00", unit_price=D("30.00"), months=3), "3 mois"),
    (
        replace(paper.half_a_month(), kind="catch_up"),
        "Ajout en cours de période : du 17/11 au 30/11/2026, 14 jours sur 30",
    ),
    (paper.once("0.00", unit_price=D("300.00"), discount=D(100)), "Offert"),
    (
        paper.fee("105.00", unit_price=D("120.00"), discount=D("12.5")),
        "Remise de 12,5\u00a0% : −15,00\u00a0€",
    ),
    (paper.once("63.00", kind="usage", note="120.2 − 100 Go → 21"), "120,2 − 100 Go → 21"),
]


@pytest.mark.parametrize(("line", "told"), PLAIN_WORDS)
def test_a_line_tells_its_proration_in_plain_words(line, told):
    document = printed(paper.facts(paper.invoice(line, paper.fee(label="another"))))
    (found,) = (one for one in document.lines if one.label != "another")
    assert told in " · ".join(found.details)


def test_a_whole_month_of_the_period_needs_no_words():
    assert [line.details for line in printed(paper.facts()).lines] == [()]


def test_the_page_of_each_kind_tells_what_it_is():
    texts = {
        "Avoir M2026-000008": paper.facts(paper.credit_note()),
        "Note de débit M2026-000009": paper.facts(paper.debit_note()),
        "Facture d’acompte M2026-000007": paper.paid_deposit(),
        "Facture M2026-000007": paper.with_deposit(),
    }
    told = {
        "Avoir M2026-000008": ("M2026-000006 du 01/10/2026", "Net en votre faveur 36,00 €"),
        # 1440 × 12.40 % × 21 / 365 = 10.273…
        "Note de débit M2026-000009": (
            "du 01/11 au 21/11/2026 : 1 440,00 € à 12,4 % l’an, 21 jours",
            "Total, hors champ de la TVA 50,27 €",
        ),
        "Facture d’acompte M2026-000007": ("−540,00 €", "Net à payer 0,00 €", "Acquittée le 31"),
        "Facture M2026-000007": (
            "TTC avant acomptes 1 440,00 €", "−540,00 €", "TVA déjà facturée : 90,00 €",
            "Net à payer 900,00 €",
        ),
    }  # fmt: skip
    for title, facts in texts.items():
        text = text_of(facturx(facts))
        for one in (title, *told[title]):
            assert one in text, (one, text)


def test_an_english_client_reads_english():
    client = paper.client(language="en")
    text = text_of(facturx(paper.debited(client=client)))
    for told in (
        "Invoice M2026-000007", "Date of issue", "1 Nov 2026", "€144.00 will be collected on",
        "Late payment bears interest", "Amount due €144.00", "20%", "€120.00 a month",
    ):  # fmt: skip
        assert told in text.replace("DATE OF ISSUE", "Date of issue"), (told, text)
    assert "Facture" not in text


def test_any_other_language_reads_french():
    assert words("de") is not words("en")
    assert printed(paper.facts(client=paper.client(language="de"))).title == "Facture"


# Revisions

CLAUSE = Revision(
    fixed=D("0.20"),
    indices=(Weight(weight=D("0.80"), series="S_SME", name="S"),),
    coefficient_rounding=Rounding(4),
    cap_percent=D(5),
)
BASE = Reading("ICHT", "2025-08", D("125.0"), date(2025, 10, 9), "INSEE")
CURRENT = Reading("ICHT", "2026-08", D("130.0"), date(2026, 10, 9), "INSEE", estimated=True)
LINK = Link("S_SME", "ICHT", "2009-01", D("1.2"), "note de l’INSEE")
COMPARISON = Comparison(BASE, CURRENT, ())


def revised(explained_in: str = "") -> Facts:
    """An invoice whose price was revised on its first day."""
    event = stamped(
        PriceRevised(
            effective_on=date(2026, 11, 1),
            formula=CLAUSE,
            comparisons=(COMPARISON,),
            coefficient=coefficient(CLAUSE, (COMPARISON,)),
            fees=(FeeChange("POSTE", D("116.28"), D("120.00")),),
        ),
        contract_id("M-001"), 5, AT, "the tests",
    )  # fmt: skip
    decision = IndexSubstituted(
        series="S_SME", by_series="ICHT", decided_on=date(2026, 3, 12), decided_by="ada",
        evidence="avenant 3",
    )  # fmt: skip
    one = Revised(
        event=event,
        names={"ICHT": Both("ICHTrev-TS", "ICHTrev-TS index")},
        publishers={"ICHT": "INSEE"},
        labels={"POSTE": "Maintenance d'un poste de travail"},
        substitutions=(decision,),
        explained_in=explained_in,
    )
    return paper.facts(paper.invoice(paper.fee(because=(1, 5))), revisions=(one,))


def test_the_annex_explains_a_revision():
    pdf = facturx(revised())
    with opened(pdf) as file:
        assert len(file.pages) == 2
    text = text_of(pdf)
    for told in (
        "Prix révisé au 01/11/2026 : 116,28 € → 120,00 €", "Révision des prix : calcul en annexe.",
        "Révision au 1er novembre 2026", "P = P₀ × (0,2 + 0,8 × S / S₀)",
        "S : ICHTrev-TS", "125 août 2025 publié le 09/10/2025",
        "130 août 2026 publié vers le 09/10/2026 (estimé)",
        "S est remplacé par ICHTrev-TS : décision du 12/03/2026 (avenant 3)", "Source : INSEE",
        # 0.20 + 0.80 × 1.04 = 1.032
        "0,2 + 0,8 × 1,04 = 1,032", "appliqué : 1,032", "arrondi à 4 décimales",
        "plafonné à 5 %", "116,28 € 120,00 € +3,20 %",
    ):  # fmt: skip
        assert told in text, (told, text)


def test_a_revision_explained_before_is_only_named():
    pdf = facturx(revised(explained_in="M2026-000005"))
    with opened(pdf) as file:
        assert len(file.pages) == 1
    assert "calcul en annexe de la facture M2026-000005" in text_of(pdf)


def test_a_ratio_without_end_says_that_it_is_cut():
    assert words("fr").fraction(Fraction(1, 3)) == "0,33333333…"
    assert words("fr").fraction(Fraction(13, 8)) == "1,625"


def test_a_single_index_needs_no_parentheses():
    clause = Revision(indices=(Weight(weight=D(1), series="SYNTEC", name="Syntec"),))
    assert formula(clause, words("fr")).replace("\u00a0", " ") == "P = P₀ × Syntec / Syntec₀"


# Limits


def test_five_hundred_lines_are_a_document_of_several_pages():
    lines = tuple(
        paper.fee(f"{place}.37", label=f"Poste n° {place}", code=f"P{place}")
        for place in range(1, 501)
    )
    facts = paper.facts(paper.invoice(*lines))
    pdf = facturx(facts)
    with opened(pdf) as file:
        pages = len(file.pages)
        assert 5 < pages < 30
    text = text_of(pdf)
    assert "Poste n° 500" in text
    # Σ 1…500 = 125 250, and 500 × 0.37 = 185.
    assert "Total HT 125 435,00 €" in text
    assert f"Page {pages} sur {pages}" in text
    assert text.count("Désignation") == pages  # The head of the table is on each.


def test_names_in_other_scripts_have_their_letters():
    name = "Компания Δέλτα Łódź"
    text = text_of(facturx(paper.facts(client=paper.client(name=name))))
    assert name in text
    hebrew = text_of(facturx(paper.facts(client=paper.client(name="Société שלום"))))
    assert "שלום" in hebrew or "םולש" in hebrew  # Either order of reading.
    arabic = facturx(paper.facts(client=paper.client(name="شركة المثال")))
    with opened(arabic) as file:
        fonts = {str(font.BaseFont) for font in file.pages[0].Resources.Font.values()}
    assert any("NotoSansArabic" in font for font in fonts)


def test_a_very_long_label_wraps():
    label = "Maintenance préventive et curative du parc informatique " * 6
    text = text_of(facturx(paper.facts(paper.invoice(paper.fee(label=label.strip())))))
    assert label.strip() in text


# The house's own look


def test_logo_colour_and_letterhead_are_the_supplier_s(tmp_path):
    (tmp_path / "logo.svg").write_text(
        '<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><circle r="9"/></svg>'
    )
    (tmp_path / "brands.toml").write_text(
        '[suppliers.MAINT]\nlogo = "logo.svg"\naccent = "#9b2d1f"\ncontact = ["05 00 00 00 00"]\n'
        'legal = "SAS au capital de 50 000 € – RCS Paris 999 001 027"\n'
    )
    brand = read_brands(tmp_path / "brands.toml")["MAINT"]
    pdf = facturx(paper.facts(), brand)
    text = text_of(pdf)
    assert "RCS Paris 999 001 027" in text
    assert "05 00 00 00 00" in text
    assert pdf != facturx(paper.facts())
    assert page_data(printed(paper.facts()), brand)["accent"] == "#9b2d1f"


BAD_BRANDS = {
    '[suppliers.M]\naccent = "blue"': "a colour was expected",
    '[suppliers.M]\nlogo = "none.svg"': "a file beside this one was expected",
    "[suppliers.M]\ncolour = 1": "colour",
    "[supplier.M]": "supplier",
}


@pytest.mark.parametrize("text", BAD_BRANDS)
def test_a_bad_brand_is_told_with_its_line(text, tmp_path):
    path = tmp_path / "brands.toml"
    path.write_text(text)
    with pytest.raises(BadFile) as bad:
        read_brands(path)
    assert BAD_BRANDS[text] in str(bad.value)


def test_a_page_can_be_looked_at():
    document, xml = data_of(paper.facts())
    (image,) = images_of(document, xml, Brand(), ppi=30)
    assert image.startswith(b"\x89PNG")


# Words


def test_amounts_are_written_as_the_language_has_it():
    fr, en = words("fr"), words("en")
    assert fr.money(D("-1234.50")) == "−1\u202f234,50\u00a0€"
    assert en.money(D("1234.50")) == "€1,234.50"
    assert fr.price(D("0.0085")) == "0,0085\u00a0€"
    assert fr.number(D("1E+3")) == "1\u202f000"
    assert fr.change(D("3.50")) == "+3,50\u00a0%"
    assert masked("FR7630004000031234567890143").replace("\u00a0", " ") == "FR76 •••• •••• 143"


def test_what_is_no_whole_cent_is_never_rounded_in_silence():
    with pytest.raises(AssertionError, match="whole cents"):
        words("fr").money(D("1.005"))


def test_a_tie_is_not_rounded_to_even_by_babel():
    # 0.125 rounded HALF_UP before it is written: 0.13, where Babel alone would write 0.12.
    assert words("fr").change(D("0.13")) == "+0,13\u00a0%"
    assert words("fr").number(D("0.125")) == "0,125"


def test_the_data_are_named_as_the_standard_names_them():
    assert (cii.NAME, cii.LEVEL) == ("factur-x.xml", "EN 16931")


def test_lines_that_fit_a_page_are_laid_out_as_those_that_go_over_it(monkeypatch):
    facts = paper.facts(paper.invoice(paper.fee(), paper.half_a_month(), paper.outside()))
    short = _rectangles(facturx(facts))
    monkeypatch.setattr("billing.documents.facturx.page.ONE_PAGE", 0)
    assert _rectangles(facturx(facts)) == short


def _rectangles(pdf: bytes) -> list[tuple[str, tuple[int, ...]]]:
    """Each run of text on the first page, and where it is, in whole points."""
    page = pypdfium2.PdfDocument(pdf)[0].get_textpage()
    places = [page.get_rect(rank) for rank in range(page.count_rects())]
    return [(page.get_text_bounded(*at), tuple(round(x) for x in at)) for at in places]


def test_the_heads_of_the_lines_are_on_each_page_they_go_over():
    pdf = facturx(paper.facts(paper.invoice(*(paper.fee() for _ in range(60)))))
    with pikepdf.open(io.BytesIO(pdf)) as opened:
        pages = len(opened.pages)
    assert text_of(pdf).count("Désignation Quantité") == pages == 2
