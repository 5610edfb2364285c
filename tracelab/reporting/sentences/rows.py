"""What a finding is, and how much harm it does."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Final

import polars as pl

from tracelab.analysis.intervals import wilson
from tracelab.schema import DURATION

if TYPE_CHECKING:
    from collections.abc import Iterable

SUBJECT: Final = pl.Enum(["change", "failure", "slowness", "loss", "repetition", "gap", "context", "clock"])

# A second of waiting is the measure. The limits are those of J. Nielsen, "Usability Engineering" (1993), chapter 5:
# people notice 0.1 s, lose their thread after 1 s, and turn away after 10 s.
FAILED: Final = 10.0
"""Harm of a request that failed for who asked: it turned them away."""

UNTOLD: Final = 1.0
"""Harm of a failure that somebody made up for, or that nobody has been told of: the answer may be less than asked."""

RETRIED: Final = 0.1
"""Harm of a failure after which another attempt went well."""

UNSEEN: Final = 0.01
"""Harm of a span or trace that does not tell what it should: it costs who looks for a fault, not who asked."""

RARE: Final = "rare"
"""What findings have in common in which unlike failures go together: nothing that could be compared."""

SLOW: Final = 5
"""Fewer slow requests may be chance."""

REPEATED: Final = 3
"""Fewer operations that repeat a call may be what one request asked for."""

SCHEMA: Final = pl.Schema(
    {
        "finding": pl.String(),
        "subject": SUBJECT,
        "service_name": pl.String(),
        "name": pl.String(),
        "requests": pl.UInt32(),
        "of": pl.UInt32(),
        "share": pl.Float64(),
        "lower": pl.Float64(),
        "upper": pl.Float64(),
        "added": DURATION,
        "added_lower": DURATION,
        "added_upper": DURATION,
        "harm": pl.Float64(),
        "evidence": pl.String(),
        "exemplar_trace_id": pl.String(),
    }
)
_CONFIDENCE: Final = 0.95


@dataclass(frozen=True)
class Finding:
    """One sentence, with the figures that it rests on.

    Attributes
    ----------
    finding
        The sentence.
    subject, service_name, name, requests, of, added, added_lower, added_upper, harm, evidence, exemplar_trace_id
        As `findings` has them; times in nanoseconds.
    same
        What else, beside subject and service, a finding of another time has in common with it if it is of the same.
    changed
        Whether it is something that is not in the baseline.
    """

    finding: str
    subject: str
    service_name: str
    name: str | None
    requests: int
    of: int
    harm: float
    evidence: str
    exemplar_trace_id: str | None
    added: int | None = None
    added_lower: int | None = None
    added_upper: int | None = None
    same: str = field(default="", kw_only=True)
    changed: bool = field(default=False, kw_only=True)


def table(found: Iterable[Finding]) -> pl.DataFrame:
    """Put findings into the table that `findings` gives, what changed first, then the most harmful first."""
    rows = pl.DataFrame(
        [asdict(one) for one in found],
        schema={**SCHEMA, "changed": pl.Boolean()},
        strict=False,
        orient="row",
    )
    lower, upper = wilson(pl.col("requests"), pl.col("of"), confidence=_CONFIDENCE)
    shared = pl.col("of") > 0
    return (
        rows.with_columns(
            share=pl.when(shared).then(pl.col("requests") / pl.col("of")),
            lower=pl.when(shared).then(lower),
            upper=pl.when(shared).then(upper),
        )
        .sort(
            "changed",
            "harm",
            "subject",
            "service_name",
            "name",
            "finding",
            "exemplar_trace_id",
            descending=[True, True, False, False, False, False, False],
            nulls_last=True,
        )
        .select(list(SCHEMA))
    )
