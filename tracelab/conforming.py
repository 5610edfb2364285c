"""The door: turn what looks like spans into a span frame, or say why it is none.

Every public function of spans stands behind `takes_any_frame`. A frame that has the dtypes of a span frame goes through
untouched; any other is conformed or refused, so that no answer ever reads microseconds as nanoseconds.
"""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from functools import partial, wraps
from typing import Any, Final, TypeVar, cast, overload

import numpy as np
import numpy.typing as npt
import polars as pl

from tracelab.columns import DEFAULTS, attribute_column, attribute_dtype, filled, fixed_column
from tracelab.errors import SchemaError, own_words
from tracelab.frames import as_polars
from tracelab.schema import (
    SPAN_SCHEMA,
    TREE_COLUMNS,
    in_order,
    is_attribute,
)
from tracelab.tree import IDENTITY, add_tree, schema_with_tree

FrameT = TypeVar("FrameT", pl.DataFrame, pl.LazyFrame)
FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])

REQUIRED: Final = ("trace_id", "span_id", "name", "start_time", "duration")
_LATEST: Final = 2**63 - 1
_TOO_LATE: Final = (
    "'start_time' and 'duration' add up to more than nanoseconds in 64 bits can hold (the year 2262). "
    "Filter the spans that last so long."
)
_NEVER_NULL: Final = (*REQUIRED, *DEFAULTS, *TREE_COLUMNS)


@overload
def conform(frame: pl.LazyFrame) -> pl.LazyFrame: ...
@overload
def conform(frame: Any) -> pl.DataFrame: ...
def conform(frame: Any) -> pl.DataFrame | pl.LazyFrame:
    """Make a span frame of a frame that has the required columns.

    Parameters
    ----------
    frame
        A polars DataFrame or LazyFrame, a pandas DataFrame, or anything that polars can build a frame from through
        the Arrow interface; an index of pandas that has a name is a column. `trace_id`, `span_id`, `name`,
        `start_time` (a datetime) and `duration` (a duration) must be there; every other column of `SPAN_SCHEMA` may be
        missing. Columns of other names are kept, at the end.

    Returns
    -------
    The columns of `SPAN_SCHEMA` in its order, with `span.*`, `resource.*` and `instrumentation.*` columns before
    `more_attributes`. Times are made nanoseconds in UTC (a time without a zone is read as UTC), ids that are hex are
    made lower-case, empty and all-zero parents null, and tree columns are computed where they are missing. A
    LazyFrame gives a LazyFrame. Conforming twice changes nothing.

    Raises
    ------
    SchemaError
        A column is missing, has a dtype that cannot be read as its own, or holds values that no span has.

    Examples
    --------
    >>> from datetime import UTC, datetime, timedelta
    >>> frame = pl.DataFrame({
    ...     "trace_id": ["AB" * 16], "span_id": ["0F" * 8], "name": ["GET /"],
    ...     "start_time": [datetime(2026, 5, 1, tzinfo=UTC)], "duration": [timedelta(milliseconds=3)],
    ... })
    >>> conform(frame).select("span_id", "kind", "service_name", "depth").row(0)
    ('0f0f0f0f0f0f0f0f', 'unspecified', 'unknown_service', 0)
    """
    if isinstance(frame, pl.LazyFrame):
        schema = frame.collect_schema()
        if all(name in schema for name in SPAN_SCHEMA) and _has_dtypes(schema):
            return with_checks(frame).select(in_order(schema.names()))
        return _conform(frame.collect()).lazy()
    return _conform(_as_polars(frame))


def with_tree(spans: FrameT) -> FrameT:
    """Add (or compute anew) the columns that hold the tree, for instance after a `polars.concat`.

    Children are ordered by start, then span id; traces by their first start, then trace id. A span whose parent is
    missing is the root of its own fragment. A cycle is cut at the span that starts first.

    Returns
    -------
    The frame with `depth`, `tree_left`, `tree_right` (UInt32) and `entry` (Boolean: the request enters its service
    here), in its old order of rows, conformed where it was no span frame. A LazyFrame gives a LazyFrame.

    Raises
    ------
    SchemaError
        It cannot be conformed, or has more spans than a frame can number.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... api    =====
    ...   auth .=
    ...   db   ..==
    ... ''')
    >>> with_tree(spans).select("name", "depth", "tree_left", "tree_right").rows()
    [('api', 0, 1, 6), ('auth', 1, 2, 3), ('db', 1, 4, 5)]
    """
    if not isinstance(spans, pl.LazyFrame):
        frame = _as_polars(spans)
        bare = frame.drop(TREE_COLUMNS, strict=False)
        whole = _is_derived(frame.schema) and all(name in frame.columns for name in IDENTITY)
        return add_tree(frame) if whole and _has_values(bare) else _conform(bare)
    schema = spans.collect_schema()
    if not _is_derived(schema) or not all(name in schema for name in IDENTITY):
        return with_tree(spans.collect()).lazy()
    return spans.map_batches(
        with_tree,
        predicate_pushdown=False,
        projection_pushdown=False,
        slice_pushdown=False,
        schema=schema_with_tree(schema),
    )


def takes_any_frame(function: FunctionT) -> FunctionT:
    """Let a function of spans take whatever `conform` takes, and see span frames only."""
    return _behind(function, span_frame)


def takes_any_frame_unchecked(function: FunctionT) -> FunctionT:
    """Do the same for a function that checks a LazyFrame itself (`with_checks`), after filters that can be pushed."""
    return _behind(function, unchecked_frame)


def _behind(function: FunctionT, door: Callable[[Any], pl.DataFrame | pl.LazyFrame]) -> FunctionT:
    @wraps(function)
    def taking(spans: Any, *args: Any, **options: Any) -> Any:
        frame = door(spans)
        try:
            return function(frame, *args, **options)
        except SchemaError as error:
            if (text := own_words(error)) == str(error):
                raise
            raise SchemaError(text) from None

    return cast("FunctionT", taking)


def span_frame(frame: Any) -> pl.DataFrame | pl.LazyFrame:
    """Give the frame if it has the dtypes and values of a span frame, else what `conform` makes of it.

    The values of a LazyFrame are checked while it is computed.

    Raises
    ------
    SchemaError
        It cannot be conformed.
    """
    known = unchecked_frame(frame)
    return with_checks(known) if isinstance(known, pl.LazyFrame) else known


def unchecked_frame(frame: Any) -> pl.DataFrame | pl.LazyFrame:
    """Do as `span_frame` does, but for the values of a LazyFrame."""
    if isinstance(frame, pl.LazyFrame):
        # Without the right dtypes it must be computed to be conformed.
        return frame if _is_derived(frame.collect_schema()) else _conform(frame.collect()).lazy()
    eager = _as_polars(frame)
    if _is_derived(eager.schema) and _has_values(eager):
        missing = _defaults(eager.columns)
        return eager.with_columns(missing) if missing else eager
    return _conform(eager)


def _has_dtypes(schema: pl.Schema) -> bool:
    """Say whether the columns of a span frame that are there have their dtypes; their order does not matter."""
    return all(
        SPAN_SCHEMA[name] == dtype if name in SPAN_SCHEMA else not is_attribute(name) or _holds(name, dtype)
        for name, dtype in schema.items()
    )


def _holds(name: str, dtype: pl.DataType) -> bool:
    return attribute_dtype(name, dtype) == dtype


def _is_derived(schema: pl.Schema) -> bool:
    """Say whether a frame comes from a span frame: it has the dtypes, and a tree, so that its ids are in order."""
    return all(name in schema for name in (*REQUIRED, *TREE_COLUMNS)) and _has_dtypes(schema)


def _has_values(frame: pl.DataFrame) -> bool:
    """Say whether the columns that are there hold what they must."""
    if any(frame[name].null_count() for name in _NEVER_NULL if name in frame.columns):
        return False
    whole = "tree_left" not in frame.columns or not _clashes(frame["tree_left"])
    return whole and _has_lengths(frame)


def _clashes(left: pl.Series) -> bool:
    """Say whether frames were put together without a new tree, so that numbers of the nested set occur twice."""
    values = left.to_numpy()
    return not bool(np.all(values[1:] > values[:-1])) and left.n_unique() < left.len()


def _has_lengths(frame: pl.DataFrame) -> bool:
    """Say whether no duration is negative and no span ends too late."""
    # Without its sign a negative number is larger than any other: one look at the durations tells both.
    longest = int(_numbers(frame["duration"]).view(np.uint64).max(initial=0))
    if longest > _LATEST:
        return False
    latest = int(_numbers(frame["start_time"]).max(initial=0))
    return latest + longest <= _LATEST or not _ends_too_late(frame)


def _ends_too_late(frame: pl.DataFrame) -> bool:
    """Say whether some span ends later than nanoseconds in 64 bits can tell, which is in the year 2262."""
    start, length = _numbers(frame["start_time"]), _numbers(frame["duration"])
    if int(start.max(initial=0)) + int(length.max(initial=0)) <= _LATEST:
        return False
    return bool((start > _LATEST - length).any())


def with_checks(frame: pl.LazyFrame) -> pl.LazyFrame:
    """Fill what has a default, and refuse other nulls, in what is computed in the end of a lazy frame.

    Columns are checked one by one, so that those that an answer does not need are not read. A filter that comes
    afterwards is not pushed into a scan.
    """
    schema = frame.collect_schema()
    there = [name for name in _NEVER_NULL if name in schema]
    return frame.with_columns(*map(_checked_column, there), *_defaults(schema.names()))


def _checked_column(name: str) -> pl.Expr:
    if name in DEFAULTS:
        return filled(name)
    if name == "duration":
        times = pl.struct("start_time", "duration")
        return times.map_batches(_refuse_lengths, return_dtype=SPAN_SCHEMA[name], is_elementwise=True).alias(name)
    check = partial(_refuse, name)
    return pl.col(name).map_batches(check, return_dtype=SPAN_SCHEMA[name], is_elementwise=True)


def _refuse(name: str, values: pl.Series) -> pl.Series:
    """Refuse what no span has; only a part is at hand, so that there is no telling how many rows are wrong."""
    if values.null_count():
        raise SchemaError(f"{name!r} is null in some rows. Fill or filter them.")
    return values


def _refuse_lengths(times: pl.Series) -> pl.Series:
    lengths = _refuse("duration", times.struct.field("duration"))
    if _shortest(lengths) < 0:
        raise SchemaError("'duration' is negative in some rows. A span cannot end before it starts: filter them.")
    if _ends_too_late(times.struct.unnest()):
        raise SchemaError(_TOO_LATE)
    return lengths


def _as_polars(frame: Any) -> pl.DataFrame:
    return as_polars(
        frame, what="frame of spans", remedy="Pass a polars or pandas DataFrame; tracelab.read reads files."
    )


def _conform(frame: pl.DataFrame) -> pl.DataFrame:
    for name in REQUIRED:
        if name not in frame.columns:
            raise _missing(name, frame.columns)
    columns = [fixed_column(frame, name) for name in SPAN_SCHEMA if name in frame.columns and name not in TREE_COLUMNS]
    columns += [attribute_column(frame[name]) for name in frame.columns if is_attribute(name)]
    spans = frame.with_columns(*columns, *_defaults(frame.columns))
    for name in REQUIRED:
        _check_column(name, spans[name], spans)
    if _ends_too_late(spans):
        raise SchemaError(_TOO_LATE)
    tree = _tree_columns(spans)
    spans = spans.drop(TREE_COLUMNS, strict=False)
    if len(tree) < len(TREE_COLUMNS) or _clashes(tree["tree_left"]):
        # A nested set holds together or not at all.
        spans = add_tree(spans)
        if "entry" in tree:
            # Whether a span is an entry was known when its parent was there; now it is told of those that have theirs.
            known = pl.when(pl.col("depth") > 0).then("entry").otherwise(tree["entry"])
            spans = spans.with_columns(known.alias("entry"))
    else:
        spans = spans.with_columns(tree.values())
    return spans.select(in_order(spans.columns))


def _defaults(columns: list[str]) -> list[pl.Expr]:
    """Make the columns that may be missing."""
    return [
        pl.lit(DEFAULTS.get(name), dtype=dtype).alias(name)
        for name, dtype in SPAN_SCHEMA.items()
        if name not in columns and name not in TREE_COLUMNS
    ]


def _tree_columns(frame: pl.DataFrame) -> dict[str, pl.Series]:
    """Read the tree columns that hold; what has nulls or another kind of values is computed anew."""
    columns: dict[str, pl.Series] = {}
    for name in TREE_COLUMNS:
        if name not in frame.columns or frame[name].null_count():
            continue
        found = frame[name].dtype
        if found == SPAN_SCHEMA[name] or (name != "entry" and found.is_integer() and _shortest(frame[name]) >= 0):
            columns[name] = frame[name].cast(SPAN_SCHEMA[name])
    return columns


def _missing(name: str, columns: list[str]) -> SchemaError:
    near = get_close_matches(name, columns, n=2, cutoff=0.6)
    hint = f" Did you mean {' or '.join(map(repr, near))}? Rename it." if near else f" Columns: {_listed(columns)}."
    return SchemaError(f"A span frame needs the column {name!r}, and there is none.{hint}")


def _check_column(name: str, values: pl.Series, spans: pl.DataFrame) -> None:
    """Refuse values that no span has."""
    if nulls := values.null_count():
        raise SchemaError(f"{name!r} is null in {nulls:,} of {values.len():,} rows. Fill or filter them.")
    if name == "duration" and _shortest(values) < 0:
        negative = (values.to_physical() < 0).arg_true()
        raise SchemaError(
            f"'duration' is negative in {negative.len():,} of {values.len():,} rows, first in span "
            f"{spans['span_id'][negative[0]]!r}. A span cannot end before it starts: clip it to 0 or filter it."
        )


def _numbers(values: pl.Series) -> npt.NDArray[Any]:
    """Give whole numbers, times or durations without nulls as they are in memory; polars plans each of its answers."""
    return values.to_numpy().view(np.int64) if values.dtype.is_temporal() else values.to_numpy()


def _shortest(values: pl.Series) -> int:
    """Give the smallest of some whole numbers or durations; 0 where all are larger."""
    return int(_numbers(values).min(initial=0))


def _listed(names: list[str]) -> str:
    return ", ".join(map(repr, names[:8])) + (f" and {len(names) - 8} more" if len(names) > 8 else "")
