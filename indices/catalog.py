"""The series this house reads, and the values shipped with the engine (catalogue des séries).

What is only recalled of a series (a lag, a day it stopped) is said in its note: a house may
replace an entry with `IndexBook.with_series`.
"""

from collections.abc import Mapping
from datetime import date
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

from indices.importers import read, read_links
from indices.series import IndexBook, Lag, Series

__all__ = ["CATALOG", "DATA", "Series", "shipped", "value_files"]

DATA: Final = Path(__file__).parent / "data"

# 20 dated releases of 2019–2025 all fall on the last days of the month after.
_SYNTEC_LAG = Lag("month", months=1)
# Dated releases of 2009–2023 fall from 94 to 102 days after the quarter they close.
_ICHT_LAG = Lag("quarter", days=100)
_ON_ITS_DAY = Lag("start")

_SERIES = (
    Series(
        "SYNTEC_OLD",
        "Syntec index, until August 2022",
        "Indice Syntec (ancien)",
        "Fédération Syntec",
        "month",
        "activity",
        base="100 in January 1961 (recalled)",
        lag=_SYNTEC_LAG,
        grace_days=5,
        ended=date(2022, 9, 30),
        successor="SYNTEC_REVISED",
        family="SYNTEC",
    ),
    Series(
        "SYNTEC_REVISED",
        "Syntec index, revised",
        "Indice Syntec révisé",
        "Fédération Syntec",
        "month",
        "activity",
        base="scale of August 2022 = 286.4; old scale = revised × 0.97975",
        lag=_SYNTEC_LAG,
        grace_days=5,
        first_published=date(2022, 9, 30),
        family="SYNTEC",
        note="back-cast to December 2019 on its first day",
    ),
    Series(
        "S_SME",
        "Index S, wages in mechanical and electrical industries",
        "Indice S « Salaires mécaniques et électriques »",
        "BOCCRF",
        "month",
        "activity",
        ended=date(1999, 9, 26),
        successor="ICHTTS1_IME",
        note="taken as ended on the day the BOCCRF first printed ICHTTS1-IME",
    ),
    Series(
        "ICHTTS1_IME",
        "Hourly labour cost, mechanical and electrical industries, to 2009",
        "ICHTTS1, industries mécaniques et électriques",
        "INSEE",
        "month",
        "activity",
        base="100 in October 1997",
        lag=_ICHT_LAG,
        grace_days=30,
        first_published=date(1999, 9, 26),
        ended=date(2009, 10, 2),
        successor="ICHTREV_TS_IME",
        note="taken as ended with the first dated release of ICHTrev-TS",
    ),
    Series(
        "ICHTREV_TS_IME",
        "Hourly labour cost, revised, mechanical and electrical industries",
        "ICHTrev-TS, industries mécaniques et électriques",
        "INSEE",
        "month",
        "activity",
        base="100 in December 2008",
        lag=_ICHT_LAG,
        grace_days=30,
        first_published=date(2009, 10, 2),
        idbank="001565183",
        note="a quarter comes with the first month of the next",
    ),
    Series(
        "PSDT",
        "Miscellaneous products and services, T",
        "Produits et services divers T (PsdT)",
        "Le Moniteur",
        "month",
        "activity",
        ended=date(2004, 8, 1),
        successor="FSD2",
        note="the coefficient is PsdT(2004-07)/100, a value that must be supplied",
    ),
    Series(
        "FSD2",
        "Miscellaneous costs and services 2",
        "Frais et services divers 2 (FSD2)",
        "Le Moniteur",
        "month",
        "activity",
        base="100 in July 2004; 72 % EBIQ + 20 % TCH + 8 % ICC",
        lag=Lag("month", months=3),
        grace_days=30,
        note="lag recalled: about three months",
    ),
    Series(
        "ECB_MRO",
        "ECB main refinancing rate",
        "Taux de refinancement principal de la BCE",
        "European Central Bank",
        "step",
        "rate",
        base="percent a year",
        lag=_ON_ITS_DAY,
        sdmx_keys=tuple(
            f"FM.{often}.U2.EUR.4F.KR.{kind}.LEV"
            for often in ("B", "D")
            for kind in ("MRR_FR", "MRR_RT")
        ),
        known_through=date(2026, 11, 22),
        note="from 2000-06 to 2008-10 it is the minimum bid rate of the tenders (MRR_RT)",
    ),
    Series(
        "LEGAL_INTEREST",
        "Legal interest rate, one rate for all, to 2014",
        "Taux d'intérêt légal (taux unique, jusqu'en 2014)",
        "Journal officiel",
        "year",
        "rate",
        base="percent a year",
        # The decrees of 1990–2013 came out in January to March of their own year.
        lag=Lag("start", days=45),
        grace_days=60,
        ended=date(2015, 1, 1),
        note="two rates follow it, for professionals and for individuals",
    ),
    Series(
        "LEGAL_INTEREST_PROFESSIONAL",
        "Legal interest rate, professionals",
        "Taux d'intérêt légal, créances des professionnels",
        "Journal officiel",
        "half-year",
        "rate",
        base="percent a year",
        lag=_ON_ITS_DAY,
        grace_days=15,
        predecessor="LEGAL_INTEREST",
    ),
    Series(
        "LEGAL_INTEREST_INDIVIDUAL",
        "Legal interest rate, individuals not acting for business",
        "Taux d'intérêt légal, créances des particuliers",
        "Journal officiel",
        "half-year",
        "rate",
        base="percent a year",
        lag=_ON_ITS_DAY,
        grace_days=15,
        predecessor="LEGAL_INTEREST",
    ),
    Series(
        "BDF_DISCOUNT",
        "Banque de France discount rate",
        "Taux d'escompte de la Banque de France",
        "Banque de France",
        "step",
        "rate",
        base="percent a year",
        lag=_ON_ITS_DAY,
        ended=date(1990, 2, 15),
        note="declared « caduc », with no substitute",
    ),
    Series(
        "VAT_STANDARD",
        "Standard VAT rate",
        "TVA, taux normal",
        "Journal officiel",
        "step",
        "tax",
        base="percent",
        lag=_ON_ITS_DAY,
        note="in force until the law changes it",
    ),
    Series(
        "IPC",
        "Consumer price index",
        "Indice des prix à la consommation",
        "INSEE",
        "month",
        "general",
        note="a general price level, forbidden between businesses (L112-2 CMF); no values kept",
    ),
    Series(
        "SMIC",
        "Minimum wage",
        "Salaire minimum de croissance",
        "Journal officiel",
        "step",
        "general",
        note="a general wage level, forbidden between businesses (L112-2 CMF); no values kept",
    ),
)

CATALOG: Final[Mapping[str, Series]] = MappingProxyType({one.id: one for one in _SERIES})


def value_files(directory: Path) -> list[Path]:
    """The files of values; beside them lie the links and the declared holes."""
    return sorted(set(directory.glob("*.csv")) - {directory / "links.csv", directory / "holes.csv"})


@cache
def shipped() -> IndexBook:
    """The book shipped with the engine. Read once; it never changes."""
    observations = [o for path in value_files(DATA) for o in read(path, CATALOG)]
    return IndexBook(_SERIES, observations, read_links(DATA / "links.csv"))
