"""The reference: published series, with source and day of publication (indices publiés)."""

from indices.catalog import CATALOG, shipped
from indices.importers import BadIndexFile, Differences, Remark, diff, parse, read
from indices.series import (
    Comparison,
    IndexBook,
    IndexUnavailable,
    Lag,
    Link,
    MissingLink,
    NotYetPublished,
    Observation,
    Reading,
    Series,
    SeriesEnded,
    UnknownSeries,
)

__all__ = [
    "CATALOG",
    "BadIndexFile",
    "Comparison",
    "Differences",
    "IndexBook",
    "IndexUnavailable",
    "Lag",
    "Link",
    "MissingLink",
    "NotYetPublished",
    "Observation",
    "Reading",
    "Remark",
    "Series",
    "SeriesEnded",
    "UnknownSeries",
    "diff",
    "parse",
    "read",
    "shipped",
]
