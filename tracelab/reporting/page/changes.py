"""Changes within the time of the traces: when an operation became slower or failed more, and what came with that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from tracelab.reporting.page.section import Section, quiet
from tracelab.reporting.page.tables import table

if TYPE_CHECKING:
    from tracelab.reporting.page.evidence import Evidence
    from tracelab.reporting.page.links import Links

ROWS: Final = 30
_FIGURES: Final = {"p50": "latency", "error_rate": "error rate"}


def changes_section(evidence: Evidence, links: Links) -> Section:
    """Give the moments at which latency or error rates changed."""
    text = (
        "Moments at which an operation became slower, faster, or failed more or less, and what appeared or vanished "
        "then. Before and after: the median, or the share that failed; in brackets: where the true value lies. "
        "Follows: the operation whose change explains this one."
    )
    changes = changed_rows(evidence.changes)
    content = table(changes, links, rows=ROWS) if changes.height else quiet("No moment stands out.")
    return Section("changes", "Changes", "Changes over time", text, content)


def changed_rows(changes: pl.DataFrame) -> pl.DataFrame:
    """Put changes into the columns that a person reads, with figures of what changes here at all."""
    figures = [
        f"{side}_{figure}{end}"
        for figure, measure in _FIGURES.items()
        if (changes["measure"] == measure).any()
        for side in ("before", "after")
        for end in ("", "_lower", "_upper")
    ]
    worse, rate = pl.col("effect") > 0, pl.col("measure") == "error rate"
    change = (
        pl.when(rate & worse).then(pl.lit("fails more")).when(rate).then(pl.lit("fails less"))
        .when(worse).then(pl.lit("slower")).otherwise(pl.lit("faster"))
    )  # fmt: skip
    exemplar = pl.col("exemplars").list.first().alias("exemplar_trace_id")
    told = changes.with_columns(change=change)
    return told.select(
        "service_name", "name", "change", "moment", "until", *figures, "what_changed", "follows", exemplar
    )
