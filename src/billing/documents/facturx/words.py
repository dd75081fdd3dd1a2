"""What a document says, in the client's language: words, days and amounts (libellés).

Babel writes numbers and days; an amount is exact before it is written, so nothing is rounded here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from types import MappingProxyType
from typing import Final, NamedTuple

from babel.core import Locale
from babel.dates import format_date
from babel.numbers import parse_pattern

from billing.dates import Period
from billing.money import CENT, rounded

LANGUAGES: Final = MappingProxyType({"fr": "fr_FR", "en": "en_GB"})
"""The editions, and the customs each follows; any other language reads French."""

_CENTS: Final = parse_pattern("#,##0.00")
_DECIMAL: Final = re.compile(r"(?<![\d.])(\d+)\.(\d+)(?![\d.])")

NO_BREAK = "\u00a0"
"""A space no line is broken at."""


class Both(NamedTuple):
    """The same in French and in English."""

    fr: str
    en: str


PHRASES: Final[Mapping[str, Both]] = MappingProxyType(
    {
        key: Both(*said)
        for key, said in {
            # Titles
            "invoice": ("Facture", "Invoice"),
            "deposit": ("Facture d’acompte", "Deposit invoice"),
            "credit_note": ("Avoir", "Credit note"),
            "debit_note": ("Note de débit", "Debit note"),
            "subject": ("{title} {number} – {supplier}", "{title} {number} – {supplier}"),
            # Parties
            "client": ("Client", "Bill to"),
            "siren": ("SIREN {siren}", "SIREN {siren}"),
            "siret": ("SIRET {siret}", "SIRET {siret}"),
            "vat_number": ("TVA {number}", "VAT {number}"),
            # Particulars
            "number": ("Numéro", "Number"),
            "issued_on": ("Date d’émission", "Date of issue"),
            "due_on": ("Échéance", "Due date"),
            "period": ("Période facturée", "Billing period"),
            "contract": ("Contrat", "Contract"),
            "contract_label": ("Objet", "Subject"),
            "site": ("Site", "Site"),
            "purchase_order": ("Votre commande", "Your order"),
            "credits": ("Facture d’origine", "Original invoice"),
            "credits_debit": ("Note de débit d’origine", "Original debit note"),
            "document_of": ("{number} du {day}", "{number} of {day}"),
            "reason": ("Motif", "Reason"),
            "nature": ("Nature de l’opération", "Nature of the supply"),
            "services": ("Prestations de services", "Services"),
            "goods": ("Livraison de biens", "Goods"),
            "mixed": ("Biens et prestations de services", "Goods and services"),
            "outside": ("Hors champ de la TVA", "Outside the scope of VAT"),
            # Lines
            "label": ("Désignation", "Description"),
            "quantity": ("Quantité", "Quantity"),
            "unit_price": ("Prix unitaire HT", "Unit price excl. VAT"),
            "vat": ("TVA", "VAT"),
            "net": ("Montant HT", "Amount excl. VAT"),
            "amount": ("Montant", "Amount"),
            "subtotal": ("Sous-total", "Subtotal"),
            "fees": ("Redevances de la période", "Fees of the period"),
            "caught_up": ("Périmètre modifié en cours de période", "Changes within a period"),
            "usage": ("Consommations", "Usage"),
            "works": ("Prestations et ventes", "Works and sales"),
            "regularised": ("Régularisations de révision", "Revision adjustments"),
            "ends": ("Indemnités et frais", "Indemnities and costs"),
            "given_back": ("Sommes créditées", "Amounts credited"),
            "deposits": ("Acomptes", "Deposits"),
            "late": ("Retards de paiement", "Late payment"),
            "times_rate": ("{times} fois {rate}", "{times} times {rate}"),
            "plus_points": ("{rate} majoré de {points} points", "{rate} plus {points} points"),
            # Plain words of a line
            "a_month": ("par mois", "a month"),
            "a_year": ("par an", "a year"),
            "for_months": ("pour {months} mois", "for {months} months"),
            "months_one": ("1 mois", "1 month"),
            "months_many": ("{months} mois", "{months} months"),
            "part": ("part {part} sur {parts}", "part {part} of {parts}"),
            "of_price": ("{part} du prix {price}", "{part} of the price {price}"),
            "days": ("{days}, {over} jours sur {under}", "{days}, {over} days of {under}"),
            "days_365": (
                "{days}, {over} jours sur 365 du prix annuel",
                "{days}, {over} days of 365 of the yearly price",
            ),
            "days_360": (
                "{days}, {over} jours sur {under} (mois de 30 jours)",
                "{days}, {over} days of {under} (months of 30 days)",
            ),
            "days_months": (
                "{days}, mois entiers : {over} sur {under}",
                "{days}, whole months: {over} of {under}",
            ),
            "days_share": ("{days}, {share} de la période", "{days}, {share} of the period"),
            "added": ("Ajout en cours de période : {days}", "Added within the period: {days}"),
            "offered": ("Offert", "Free of charge"),
            "discount": ("Remise de {percent} : −{amount}", "Discount of {percent}: −{amount}"),
            "revised": (
                "Prix révisé au {day} : {before} → {after}",
                "Price revised from {day}: {before} → {after}",
            ),
            "revised_here": (
                "Révision des prix : calcul en annexe.",
                "Price revision: worked out in the annex.",
            ),
            "revised_before": (
                "Prix révisés au {day} : calcul en annexe de la facture {number}.",
                "Prices revised from {day}: worked out in the annex of invoice {number}.",
            ),
            "stretch": (
                "{days} : {principal} à {rate} l’an, {count} jours",
                "{days}: {principal} at {rate} a year, {count} days",
            ),
            "stretch_one": (
                "{days} : {principal} à {rate} l’an, 1 jour",
                "{days}: {principal} at {rate} a year, 1 day",
            ),
            "charged_before": (
                "{total} d’intérêts à ce jour, dont {before} déjà facturés",
                "{total} of interest to date, of which {before} charged before",
            ),
            # Totals
            "vat_table": ("Détail de la TVA", "VAT breakdown"),
            "rate": ("Taux", "Rate"),
            "base": ("Base HT", "Taxable amount"),
            "tax": ("TVA", "VAT"),
            "total_net": ("Total HT", "Total excl. VAT"),
            "total_tax": ("Total TVA", "Total VAT"),
            "total_gross": ("Total TTC", "Total incl. VAT"),
            "total_outside": ("Total, hors champ de la TVA", "Total, outside the scope of VAT"),
            "before_deposits": ("TTC avant acomptes", "Total before deposits"),
            "deposits_deducted": ("Acomptes déduits, TTC", "Deposits deducted, incl. VAT"),
            "tax_before": ("TVA déjà facturée : {tax}", "VAT invoiced before: {tax}"),
            "prepaid": ("Acompte encaissé le {day}", "Deposit received on {day}"),
            "payable": ("Net à payer", "Amount due"),
            "credited": ("Net en votre faveur", "Amount in your favour"),
            # VAT
            "E": ("Exonération", "Exempt"),
            "AE": ("Autoliquidation", "Reverse charge"),
            "O": ("Hors champ", "Outside scope"),
            "Z": ("Taux zéro", "Zero rate"),
            "G": ("Exportation", "Export"),
            "K": ("Intracommunautaire", "Intra-Community"),
            "E_short": ("Exonéré", "Exempt"),
            "AE_short": ("Autoliq.", "Reverse"),
            "O_short": ("Hors champ", "Outside"),
            "Z_short": ("Taux zéro", "Zero"),
            "G_short": ("Export", "Export"),
            "K_short": ("Intracom.", "Intra-EU"),
            # Payment
            "payment": ("Règlement", "Payment"),
            "transfer": ("Virement", "Bank transfer"),
            "cheque": ("Chèque", "Cheque"),
            "card": ("Carte bancaire", "Card"),
            "direct_debit": ("Prélèvement SEPA", "SEPA direct debit"),
            "debited": (
                "{amount} seront prélevés le {day} sur votre compte {iban}. La présente facture "
                "vaut notification préalable du prélèvement.",
                "{amount} will be collected on {day} from your account {iban}. This invoice is "
                "the pre-notification of that direct debit.",
            ),
            "mandate": ("Référence du mandat (RUM)", "Mandate reference (UMR)"),
            "creditor_identifier": ("Identifiant créancier (ICS)", "Creditor identifier"),
            "iban": ("IBAN", "IBAN"),
            "bic": ("BIC", "BIC"),
            "reference": ("Référence à rappeler", "Payment reference"),
            "before": ("À régler avant le", "To be paid by"),
            "nothing_due": ("Rien n’est à régler.", "Nothing is to be paid."),
            "was_paid": ("Acquittée le {day}.", "Paid on {day}."),
            "set_off": (
                "Avoir à valoir sur vos prochaines factures, ou remboursé sur demande.",
                "To be set off against your next invoices, or refunded on request.",
            ),
            "terms": ("Échéance le {day}.", "Due on {day}."),
            # Annex
            "annex": ("Révision des prix", "Price revision"),
            "annex_number": (
                "Annexe à la facture {number} – contrat {contract}",
                "Annex to invoice {number} – contract {contract}",
            ),
            "annex_credit": (
                "Annexe à l’avoir {number} – contrat {contract}",
                "Annex to credit note {number} – contract {contract}",
            ),
            "revision_of": ("Révision au {day}", "Revision from {day}"),
            "corrects": (
                "Révision du {day} refaite avec l’indice définitif",
                "Revision of {day} worked out again with the definitive index",
            ),
            "formula": ("Formule", "Formula"),
            "index": ("Indice", "Index"),
            "old": ("Ancien", "Old"),
            "new": ("Nouveau", "New"),
            "ratio": ("Rapport", "Ratio"),
            "published": ("publié le {day}", "published on {day}"),
            "estimated": ("publié vers le {day} (estimé)", "published about {day} (estimated)"),
            "source": ("Source : {source}", "Source: {source}"),
            "linked": (
                "Raccordement : {new} × {coefficient} prolonge {old} ({source})",
                "Linking: {new} × {coefficient} continues {old} ({source})",
            ),
            "substituted": (
                "{old} est remplacé par {new} : décision du {day} ({evidence})",
                "{old} is replaced by {new}: decision of {day} ({evidence})",
            ),
            "coefficient": ("Coefficient", "Coefficient"),
            "worked_out": ("{sum} = {exact}", "{sum} = {exact}"),
            "applied": ("appliqué : {applied} ({how})", "applied: {applied} ({how})"),
            "unrounded": ("exact, non arrondi", "exact, not rounded"),
            "ratio_rounded": ("chaque rapport {how}", "each ratio {how}"),
            "percentage_rounded": ("le pourcentage {how}", "the percentage {how}"),
            "coefficient_rounded": ("le coefficient {how}", "the coefficient {how}"),
            "half_up": ("arrondi à {n} décimales", "rounded to {n} decimals"),
            "ceiling": ("arrondi à {n} décimales par excès", "rounded up to {n} decimals"),
            "down": ("tronqué à {n} décimales", "cut to {n} decimals"),
            "capped": ("plafonné à {percent}", "at most {percent}"),
            "floored": ("au moins {percent}", "at least {percent}"),
            "up_only": ("jamais à la baisse", "never down"),
            "old_price": ("Ancien prix HT", "Old price excl. VAT"),
            "new_price": ("Nouveau prix HT", "New price excl. VAT"),
            "change": ("Évolution", "Change"),
            "more_prices": ("et {count} autres articles", "and {count} more items"),
            "page": ("Page {page} sur {pages}", "Page {page} of {pages}"),
        }.items()
    }
)


class Words:
    """One language."""

    def __init__(self, language: str) -> None:
        self.language = language if language in LANGUAGES else "fr"
        self._locale = Locale.parse(LANGUAGES[self.language])
        self._plain = self._locale.decimal_formats[None]
        # Once: to name a currency takes Babel ten times as long as to write the number.
        euros = self._locale.currency_formats["standard"]
        one = _CENTS.apply(1, self._locale)
        self._euros = euros.apply(1, self._locale, currency="EUR").replace(one, "{}")

    def __call__(self, phrase: str, **values: object) -> str:
        """The phrase, its places filled."""
        said = self.choose(PHRASES[phrase])
        return said.format(**values) if values else said

    def choose(self, both: Both) -> str:
        """The text in this language."""
        return both.en if self.language == "en" else both.fr

    @lru_cache(maxsize=65536)  # noqa: B019 (there are two of these, for ever)
    def money(self, amount: Decimal) -> str:
        """An amount of whole cents: 1 234,50 €."""
        cents = amount.quantize(CENT)
        assert cents == amount, f"{amount} € is no amount of whole cents"
        told = self._euros.format(_CENTS.apply(abs(cents), self._locale))
        return _signed(told, negative=cents < 0)

    def price(self, amount: Decimal) -> str:
        """A unit price, with as many decimals as it has, at least two: 0,0085 €."""
        cents = amount.quantize(CENT)
        if cents == amount:
            return self.money(cents)
        return _signed(self._euros.format(self.number(abs(amount))), negative=amount < 0)

    @lru_cache(maxsize=65536)  # noqa: B019
    def number(self, value: Decimal) -> str:
        """A number with all its decimals: 1 234,5."""
        plain = value.normalize()
        told = self._plain.apply(abs(plain), self._locale, decimal_quantization=False)
        return _signed(told, negative=plain < 0)

    def percent(self, value: Decimal) -> str:
        """A percentage with all its decimals: 12,5 %."""
        return self._of_hundred(self.number(value))

    def change(self, value: Decimal) -> str:
        """How much something moved, in percent of two decimals: +3,50 %."""
        sign = "+" if value > 0 else "−" if value < 0 else ""
        return self._of_hundred(sign + _CENTS.apply(abs(value), self._locale))

    def _of_hundred(self, told: str) -> str:
        return f"{told}%" if self.language == "en" else f"{told}{NO_BREAK}%"

    def fraction(self, value: Fraction) -> str:
        """An exact number; one that has no end is cut after eight decimals and says so."""
        near = rounded(value, 8, "down")
        return self.number(near) + ("" if Fraction(near) == value else "…")

    @lru_cache(maxsize=65536)  # noqa: B019
    def day(self, day: date) -> str:
        """A day: 01/07/2026; 1 Jul 2026."""
        form = "d MMM y" if self.language == "en" else "dd/MM/y"
        return format_date(day, form, self._locale)

    def full_day(self, day: date) -> str:
        """A day in full: 1er juillet 2026."""
        told = format_date(day, "long", self._locale)
        return told.replace("1 ", "1er ", 1) if self.language == "fr" and day.day == 1 else told

    @lru_cache(maxsize=4096)  # noqa: B019
    def days(self, period: Period) -> str:
        """The first and the last day: du 17/11 au 30/11/2026."""
        start, last = period.start, period.last_day
        if start == last:
            return self.day(start)
        if self.language == "en":
            first = format_date(start, "d MMM" if start.year == last.year else "d MMM y", "en_GB")
            return f"{first} to {self.day(last)}"
        first = f"{start:%d/%m}" if start.year == last.year else self.day(start)
        return f"du {first} au {self.day(last)}"

    def note(self, text: str) -> str:
        """A note the engine wrote, its decimals as this language writes them."""
        return text if self.language == "en" else _DECIMAL.sub(r"\1,\2", text)

    def published_period(self, period: str) -> str:
        """The period of a published value: mai 2023, or the day a step begins."""
        if len(period) != len("2023-05"):
            return self.day(date.fromisoformat(period))
        return format_date(date.fromisoformat(f"{period}-01"), "MMMM y", self._locale)


def _signed(told: str, negative: bool) -> str:
    return f"−{told}" if negative else told


@lru_cache(maxsize=4)
def words(language: str) -> Words:
    """The words of a language; French where there is no edition of it."""
    return Words(language)
