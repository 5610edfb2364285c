"""Critical paths of many traces put together: where the time goes, and where it goes in the slow ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import polars as pl

from tracelab.analysis.arrays import group_starts
from tracelab.analysis.asynchronous import process_columns
from tracelab.analysis.critical_paths.call_paths import call_path_numbers, call_path_texts
from tracelab.analysis.critical_paths.paths import Method, path_sections
from tracelab.analysis.grouping import By, Spans, items_of, keys
from tracelab.conforming import takes_any_frame
from tracelab.errors import TracelabError
from tracelab.forest import Forest, Ints, build_forest
from tracelab.options import share
from tracelab.schema import DURATION

if TYPE_CHECKING:
    from tracelab.analysis.critical_paths.algorithm import Sections

BAND: Final = pl.Enum(["slowest", "rest"])
CALL_PATH: Final = "call_path"

_MADE: Final = (
    "band", "time", "share", "traces", "trace_share", "mean", "excess", "p50", "p95", "ambiguous_share",
    "exemplar_trace_id",
)  # fmt: skip
_BY: Final = "__by_"
_WITHIN: Final = "__within_"
_PATH: Final = "__call_path"


@dataclass(frozen=True, slots=True)
class _Traces:
    """The traces that have a path: the sections, the number of the trace of each, and per trace what is known of it."""

    sections: Sections
    number: Ints
    ids: pl.Series
    length: Ints
    root: Ints


@takes_any_frame
def critical_path_profile(
    spans: Spans,
    *,
    by: By = ("service_name", "name"),
    slowest: float | None = None,
    within: By = None,
    method: Method = "tracelab",
) -> pl.DataFrame:
    """Put the critical paths of all traces together: what they wait for, how long, and how surely.

    Parameters
    ----------
    spans
        The spans.
    by
        What to tell apart: a column, an attribute's key, an expression, or a list of these, read from the span that a
        section belongs to. `"call_path"` is the way from the root down to it, written `web::GET / > pay::POST`.
    slowest
        Compare this share of the traces, those with the longest paths, with the rest: 0.05 for the slowest 5 %.
    within
        With `slowest`: choose the slowest of each kind of trace, as told by these keys of its root, such as `"name"`.
        Without, slow kinds of traces are compared with fast kinds.
    method
        How paths are found, see `critical_path`.

    Returns
    -------
    One row per group, longest time first, then by the keys; with `slowest` two rows per group, all of the slowest
    before all of the rest: the columns of `by` under their names, `band` (Enum: slowest, rest; only with `slowest`),
    `time` (Duration, on the paths of all traces), `share` (Float64, of the length of all paths), `traces` (UInt32,
    those that the group is on the path of), `trace_share` (Float64, of all traces), `mean` (Duration, time per trace,
    over all traces), `excess` (Duration, `mean` less that of the other band; the excesses of a band sum to how much
    longer its paths are; only with `slowest`), `p50`, `p95` (Duration, of the time in a trace, over the traces that it
    is on the path of), `ambiguous_share` (Float64, of the time: sections where the path is a guess, see
    `critical_path`), `exemplar_trace_id` (String, the trace with the most of that time). Shares and means are of the
    traces of the band.

    Raises
    ------
    TracelabError
        `slowest` is no share, `by` or `within` name no groups, or there is no such method.

    Notes
    -----
    The end-to-end time of a trace is the length of its path, which is that of its root; where parts of a trace hang
    from parents that were not received, each part has a path and all of them count.

    Examples
    --------
    >>> from tracelab.synthetic import draw
    >>> spans = draw('''
    ... api      ==========
    ...   auth   .==
    ...   db     ...======
    ... ''')
    >>> critical_path_profile(spans).select("name", "share", "traces").rows()
    [('db', 0.6, 1), ('api', 0.2, 1), ('auth', 0.2, 1)]
    """
    if slowest is not None:
        slowest = share("slowest", slowest, ends=False, why="The slowest 5 % are 0.05.")
    frame, forest, names = _keyed_forest(spans, by, within)
    traces = _traces(frame, forest, path_sections(frame, forest, method=method))
    band = np.zeros(traces.length.size, dtype=np.int64) if slowest is None else _bands(frame, traces, slowest)
    profile = _added_up(frame, list(names), traces, band)
    if _PATH in names:
        profile = profile.with_columns(call_path_texts(frame, forest, profile["place"].to_numpy()).alias(_PATH))
    return _answer(profile.rename(names), list(names.values()), banded=slowest is not None)


def _keyed_forest(spans: Spans, by: By, within: By) -> tuple[pl.DataFrame, Forest, dict[str, str]]:
    """Build the forest with a column for every key, and say under which name the answer has it."""
    parts = items_of("by", by)
    path_is_ours = CALL_PATH not in spans.lazy().collect_schema()
    columns: dict[str, str] = {}
    made = [key.alias(f"{_WITHIN}{number}") for number, key in enumerate(keys(spans, within, option="within"))]
    for number, part in enumerate(parts):
        if path_is_ours and isinstance(part, str) and part == CALL_PATH:
            columns[_PATH] = CALL_PATH
            continue
        (key,) = keys(spans, [part], made=_MADE)
        columns[f"{_BY}{number}"] = key.meta.output_name()
        made.append(key.alias(f"{_BY}{number}"))
    if len(set(columns.values())) < len(parts):
        raise TracelabError(f"Two of the keys in `by` have one name: {parts!r}. Rename one with .alias().")
    frame, forest = build_forest(spans, *process_columns(spans), *made)
    if _PATH in columns:
        frame = frame.with_columns(pl.Series(_PATH, call_path_numbers(frame, forest)))
    return frame, forest, columns


def _traces(frame: pl.DataFrame, forest: Forest, sections: Sections) -> _Traces:
    """Give the traces numbers, by way of their fragments, and measure their paths."""
    root = forest.root[sections.owner]
    begins = group_starts(root)
    length = sections.end - sections.start
    fragments = pl.DataFrame(
        {
            "trace_id": frame["trace_id"].gather(root[begins]),
            "length": np.add.reduceat(length, begins) if begins.size else length,
            "root": root[begins],
        }
    )
    traces = (
        fragments.lazy()
        .with_row_index("fragment")
        .group_by("trace_id", maintain_order=True)
        .agg(pl.col("root").get(pl.col("length").arg_max()), pl.col("length").sum(), pl.col("fragment"))
        .with_row_index("number")
        .collect()
    )
    of_fragment = traces.select("number", "fragment").explode("fragment").drop_nulls().sort("fragment")["number"]
    number = np.repeat(of_fragment.to_numpy().astype(np.int64), np.diff(begins, append=root.size))
    return _Traces(sections, number, traces["trace_id"], traces["length"].to_numpy(), traces["root"].to_numpy())


def _bands(frame: pl.DataFrame, traces: _Traces, slowest: float) -> Ints:
    """Put the traces with the longest paths into band 0, at least one of each kind, and the rest into band 1."""
    kinds = [name for name in frame.columns if name.startswith(_WITHIN)]
    place, count = pl.int_range(pl.len()), pl.len()
    if kinds:
        place, count = place.over(kinds), count.over(kinds)
    known = [pl.Series("length", traces.length), traces.ids.alias("trace_id")]
    return (
        pl.LazyFrame([*frame[traces.root].select(kinds), *known])
        .with_row_index("number")
        .sort("length", "trace_id", descending=[True, False])
        .select("number", band=(place >= (count * slowest).ceil()).cast(pl.Int64))
        .sort("number")
        .collect()["band"]
        .to_numpy()
    )


def _added_up(frame: pl.DataFrame, columns: list[str], traces: _Traces, band: Ints) -> pl.DataFrame:
    """Add sections up by group and trace, then by group and band; what a band lacks gets a row of nothing."""
    groups, code = _coded(frame, columns, traces.sections.owner)
    length = traces.sections.end - traces.sections.start
    pairs = pl.LazyFrame(
        {
            # One whole number for group and trace groups several times faster than two columns of text do.
            "pair": code * max(traces.length.size, 1) + traces.number,
            "time": length,
            "ambiguous": np.where(traces.sections.ambiguous, length, 0),
        }
    )
    found = (
        pairs.group_by("pair")
        .agg(pl.col("time", "ambiguous").sum())
        .select(
            "time",
            "ambiguous",
            code=pl.col("pair") // max(traces.length.size, 1),
            trace=pl.col("pair") % max(traces.length.size, 1),
        )
        .with_columns(band=pl.lit(pl.Series(band)).gather(pl.col("trace")))
        .group_by("code", "band")
        .agg(
            pl.col("time", "ambiguous").sum(),
            traces=pl.len(),
            p50=pl.col("time").quantile(0.5, interpolation="linear"),
            p95=pl.col("time").quantile(0.95, interpolation="linear"),
            longest=pl.col("trace").filter(pl.col("time") == pl.col("time").max()).min(),
        )
    )
    bands = (
        pl.LazyFrame({"band": band, "length": traces.length}, schema={"band": pl.Int64, "length": pl.Int64})
        .group_by("band")
        .agg(pl.len().alias("all_traces"), pl.col("length").sum().alias("all_time"))
    )
    return (
        groups.lazy()
        .join(bands, how="cross")
        .join(found, on=["code", "band"], how="left")
        .with_columns(pl.col("time", "ambiguous", "traces").fill_null(0))
        .with_columns(exemplar_trace_id=pl.lit(traces.ids).gather(pl.col("longest")))
        .collect()
    )


def _coded(frame: pl.DataFrame, columns: list[str], owner: Ints) -> tuple[pl.DataFrame, Ints]:
    """Give numbers to the groups on a path, with a place of each, and to every section that of its group."""
    labels = frame.select(columns)[owner] if columns else pl.DataFrame({"all": np.zeros(owner.size)})
    rows = labels.lazy().with_columns(pl.Series("place", owner))
    groups = rows.group_by(labels.columns).agg(pl.col("place").min()).with_row_index("code").collect()
    codes = groups.lazy().select(pl.col("code").cast(pl.Int64), *labels.columns)
    joined = labels.lazy().join(codes, on=labels.columns, how="left", nulls_equal=True, maintain_order="left")
    return groups.cast({"code": pl.Int64}), joined.select("code").collect()["code"].to_numpy()


def _answer(profile: pl.DataFrame, names: list[str], *, banded: bool) -> pl.DataFrame:
    """Turn sums into shares and means, and put the rows in order."""
    mean = pl.col("time") / pl.col("all_traces")
    other = mean.sum().over(names) - mean if names else mean.sum() - mean
    return (
        profile.lazy()
        .select(
            *names,
            *([pl.lit(BAND.categories).cast(BAND).gather(pl.col("band")).alias("band")] if banded else []),
            pl.col("time").cast(DURATION),
            (pl.col("time") / pl.col("all_time")).alias("share"),
            pl.col("traces").cast(pl.UInt32),
            (pl.col("traces") / pl.col("all_traces")).alias("trace_share"),
            _duration(mean).alias("mean"),
            *([_duration(mean - other).alias("excess")] if banded else []),
            _duration(pl.col("p50")),
            _duration(pl.col("p95")),
            pl.when(pl.col("time") > 0).then(pl.col("ambiguous") / pl.col("time")).alias("ambiguous_share"),
            "exemplar_trace_id",
        )
        .sort([*(["band"] if banded else []), pl.col("time") * -1, *names], nulls_last=True)
        .collect()
    )


def _duration(nanoseconds: pl.Expr) -> pl.Expr:
    return nanoseconds.round().cast(pl.Int64).cast(DURATION)
