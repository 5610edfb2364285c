"""compare(): how often each value of each attribute occurs in a selection of spans, and in the others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import polars as pl

from tracelab.schema import INTRINSIC_ATTRIBUTES, TYPE_SUFFIX, is_attribute, is_type_companion
from tracelab.traceql import metric_nodes as m
from tracelab.traceql import nodes as n
from tracelab.traceql.events import COLUMNS as ITEM_COLUMNS
from tracelab.traceql.series import Series, filled
from tracelab.traceql.values import as_text, column_value

if TYPE_CHECKING:
    from tracelab.traceql.plans import Plan
    from tracelab.traceql.windows import Window

META_TYPE: Final = "__meta_type"
META_ERROR: Final = "__meta_error"
_TOO_MANY: Final = "__too_many_values__"
_NIL: Final = "nil"
_INTRINSICS: Final = ("name", "kind", "status", "statusMessage", "rootName", "rootServiceName")
_SCOPE_INTRINSICS: Final = ("instrumentation:name", "instrumentation:version")


def compared_attributes(
    spans: pl.LazyFrame, plan: Plan, conditions: list[pl.Expr], metric: m.Compare, window: Window
) -> Series:
    """Count, in the selection and in the baseline, the spans with each value of each attribute.

    Values are text; of every attribute the `metric.top` most frequent ones are shown. The totals of an attribute have
    the value `nil`.
    """
    selection = plan.compiler.condition(metric.selection)
    if metric.start:
        selection &= pl.col("start_time").to_physical().is_between(metric.start, metric.end, closed="right")
    intrinsics = {}
    for name in (*_INTRINSICS, *_SCOPE_INTRINSICS):
        intrinsics[name] = as_text(plan.compiler.value(n.Intrinsic(name))).alias(f"traceql {name}")
    frame = (
        plan.columns.with_helpers(spans)
        .with_columns(
            window.interval().alias("interval"),
            pl.when(selection).then(pl.lit("selection")).otherwise(pl.lit("baseline")).alias(META_TYPE),
            *intrinsics.values(),
        )
        .filter(*conditions, pl.col("interval").is_not_null())
        .collect()
    )
    parts = []
    for name, values in _attributes(frame, list(intrinsics)):
        counts = values.drop_nulls(name).group_by("interval", META_TYPE, name).agg(value=pl.len().cast(pl.Float64))
        parts += _shown(counts, name, metric.top, window)
    if not parts:
        return Series(
            pl.DataFrame(schema={"interval": pl.Int64(), META_TYPE: pl.String(), "value": pl.Float64()}), (META_TYPE,)
        )
    together = pl.concat(parts, how="diagonal")
    first = [name for name in (META_TYPE, META_ERROR) if name in together.columns]
    labels = (*first, *sorted(set(together.columns) - {*first, "interval", "value"}))
    return Series(together.select("interval", *labels, "value"), labels)


def _attributes(frame: pl.DataFrame, intrinsics: list[str]) -> list[tuple[str, pl.DataFrame]]:
    """List every attribute with its values on the spans, as text."""
    keys = frame.select("interval", META_TYPE)
    found = [(name, keys.with_columns(frame[f"traceql {name}"].alias(name))) for name in intrinsics]
    own = [column for column in frame.columns if is_attribute(column) and not is_type_companion(column)]
    for column in own:
        text = as_text(column_value(pl.col(column), frame.schema[column])).alias(column)
        found.append((column, keys.with_columns(frame.select(text).to_series())))
    service = next(name for name, column in INTRINSIC_ATTRIBUTES.items() if column == "service_name")
    found.append((service, keys.with_columns(frame["service_name"].alias(service))))
    for prefix, entries in _entries(frame):
        for (key,), values in entries.group_by("key"):
            name = f"{prefix}{key}"
            found.append((name, values.select("interval", META_TYPE, pl.col("text").alias(name))))
    return sorted(found, key=lambda pair: pair[0])


def _entries(frame: pl.DataFrame) -> list[tuple[str, pl.DataFrame]]:
    """Lay out the attributes that have no column: one row per span, key and text."""
    parts = []
    if "more_attributes" in frame.columns:
        more = frame.select("interval", META_TYPE, entry=pl.col("more_attributes").map.entries())
        parts.append(("", more))
    for scope, column in ITEM_COLUMNS.items():
        if column in frame.columns:
            items = frame.select("interval", META_TYPE, column).filter(pl.col(column).list.len() > 0).explode(column)
            attributes = pl.col(column).struct.field("attributes").map.entries()
            parts.append((f"{scope}.", items.select("interval", META_TYPE, entry=attributes)))
            if scope == "event":
                names = items.select(
                    "interval", META_TYPE, key=pl.lit("name"), text=pl.col(column).struct.field("name")
                )
                parts.append(("event:", names))
    return [(prefix, _exploded(part) if "entry" in part.columns else part) for prefix, part in parts]


def _exploded(part: pl.DataFrame) -> pl.DataFrame:
    rows = part.filter(pl.col("entry").list.len() > 0).explode("entry")
    entry = pl.col("entry").struct
    fields = rows.schema["entry"].fields  # type: ignore[attr-defined]
    texts = rows.select("interval", META_TYPE, key=entry.field(fields[0].name), text=entry.field(fields[1].name))
    return texts.filter(~pl.col("key").str.ends_with(TYPE_SUFFIX))


def _shown(counts: pl.DataFrame, name: str, top: int, window: Window) -> list[pl.DataFrame]:
    """Keep the most frequent values of one attribute on each side, and add the totals."""
    if counts.is_empty():
        return []
    sums = counts.group_by(META_TYPE, name).agg(pl.col("value").sum())
    ordered = sums.sort(META_TYPE, "value", name, descending=[False, True, False])
    best = ordered.filter(pl.int_range(pl.len()).over(META_TYPE) < top).select(META_TYPE, name)
    shown = filled(Series(counts.join(best, on=[META_TYPE, name]), (META_TYPE, name)), window).frame
    totals = counts.group_by("interval", META_TYPE).agg(pl.col("value").sum())
    named = totals.with_columns(pl.col(META_TYPE) + "_total", pl.lit(_NIL).alias(name))
    parts = [shown, filled(Series(named, (META_TYPE, name)), window).frame]
    if best.height < sums.height:
        cut = {"interval": [window.count - 1], META_ERROR: [_TOO_MANY], name: [_NIL], "value": [None]}
        parts.append(pl.DataFrame(cut, schema_overrides={"value": pl.Float64()}))
    return parts
