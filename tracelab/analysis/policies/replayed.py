"""Spans with what a policy makes of each, as all answers about policies read them."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import polars as pl

from tracelab.analysis.errors.exceptions import exceptions_of
from tracelab.analysis.errors.routes import first_of, route
from tracelab.analysis.failures import has_failed
from tracelab.forest import build_forest
from tracelab.sampling.deciding import KEPT, marked
from tracelab.sampling.tail.sizes import span_sizes

TRACE: Final = "__trace"
BYTES: Final = "__bytes"
FAILED: Final = "__failed"
FAILURE: Final = "__failure"
ROUTE: Final = "__route"
USER: Final = "__user"
BROKEN: Final = "__broken"
USER_KEYS: Final = ("user.id", "enduser.id", "enduser.pseudo.id", "user.name")
_ROW: Final = "__row"


def measured(frame: pl.DataFrame) -> pl.DataFrame:
    """Say of each span which trace it is of, and how many bytes it has in OTLP's protobuf."""
    return numbered(frame).with_columns(pl.Series(BYTES, span_sizes(frame), dtype=pl.Int64))


def numbered(frame: pl.DataFrame) -> pl.DataFrame:
    """Say of each span which trace it is of, by a number."""
    return frame.with_columns(pl.col("trace_id").cast(pl.Categorical).to_physical().alias(TRACE))


def described(frame: pl.DataFrame, user: pl.Expr | None) -> pl.DataFrame:
    """Say of each span what may be lost with it, as far as there is that: failure, route and user."""
    known = frame.with_columns(has_failed(frame).fill_null(value=False).alias(FAILED))
    return known.with_columns(
        _failures(known),
        pl.when("entry").then(route()).alias(ROUTE),
        (first_of(USER_KEYS) if user is None else user).alias(USER),
    )


def _failures(frame: pl.DataFrame) -> pl.Series:
    """Name the failures of spans that failed, by the operation and what happened there."""
    rows = frame[FAILED].arg_true()
    failing = frame[rows]
    said = exceptions_of(failing, rows)["exception_type"]
    named = failing.select(pl.concat_str("name", pl.lit(said), separator=": ", ignore_nulls=True)).to_series()
    return pl.Series(FAILURE, [None], dtype=pl.String).new_from_index(0, frame.height).scatter(rows, named)


def replayed(frame: pl.DataFrame, policy: Any, *, arrival: Any, missing_parents: Any) -> pl.DataFrame:
    """Say of each span whether it is kept, what it stands for then, and whether it is broken off from its parent.

    A parent that is not in the frame was lost before, and no policy is to blame for it.
    """
    known = marked(frame, policy, arrival=arrival, missing_parents=missing_parents).with_row_index(_ROW)
    placed, forest = build_forest(known, KEPT, _ROW)
    broken = np.zeros(known.height, dtype=np.bool_)
    broken[placed[_ROW].to_numpy()] = forest.broken_off(placed[KEPT].to_numpy())
    return known.with_columns(pl.Series(BROKEN, broken)).drop(_ROW)
