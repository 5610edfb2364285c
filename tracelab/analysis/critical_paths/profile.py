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
from tracelab.analysis.traces import trace_weights
from tracelab.clocks.doubts import timed_forest
from tracelab.conforming import takes_any_frame
from tracelab.errors import TracelabError
from tracelab.options import share
from tracelab.sampling.estimation.quantiles import quantiles
from tracelab.sampling.estimation.samples import Sample
from tracelab.sampling.estimation.shares import parts_of_whole
from tracelab.sampling.estimation.totals import totals
from tracelab.sampling.estimation.weighing import (
    EFFECTIVE,
    UNKNOWN,
    WEIGHT,
    counted,
    estimated,
    estimated_names,
    floats,
    weight_column,
)
from tracelab.schema import DURATION

if TYPE_CHECKING:
    from tracelab.analysis.critical_paths.algorithm import Sections
    from tracelab.array_types import Floats, Ints
    from tracelab.forest import Forest
    from tracelab.sampling.estimation.weighing import Weights

BAND: Final = pl.Enum(["slowest", "rest"])
CALL_PATH: Final = "call_path"

_MADE: Final = (
    "band", "time", "share", "traces", "trace_share", "mean", "excess", "p50", "p95", "ambiguous_share",
    "exemplar_trace_id",
)  # fmt: skip
_BOUNDS: Final = ("p50_lower", "p50_upper", "p95_lower", "p95_upper")
_WEIGHTED: Final = (
    "share_lower", "share_upper", "trace_share_lower", "trace_share_upper", *_BOUNDS,
    *estimated_names("seconds", "traces"),
)  # fmt: skip
_BANDS: Final = 2
_SECOND: Final = 1e9
_CONFIDENCE: Final = 0.95
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
    weight: Floats | None


@takes_any_frame
def critical_path_profile(
    spans: Spans,
    *,
    by: By = ("service_name", "name"),
    slowest: float | None = None,
    within: By = None,
    method: Method = "tracelab",
    weights: Weights = None,
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
    weights
        How many spans each span stands for, where spans were sampled: a column, such as the `sampling_weight` of
        `with_weights`, or an expression; null is not known. A path is seen only if all spans of its trace are, so that
        a trace has the largest of their weights. Without, every trace counts once.

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

    With `weights` shares, means, `excess`, `p50` and `p95` are of all traces that there were (the slowest share of them
    too), `time` and `traces` of those that were seen, and before `exemplar_trace_id` stand `share_lower`,
    `share_upper`, `trace_share_lower`, `trace_share_upper` (Float64), `p50_lower`, `p50_upper`, `p95_lower`,
    `p95_upper` (Duration, null where there is no bound), `estimated_seconds`, `estimated_seconds_lower`,
    `estimated_seconds_upper`, `estimated_traces`, `estimated_traces_lower`, `estimated_traces_upper` (Float64: what
    `time`, in seconds, and `traces` would have been), `effective_sample_size` (Float64, how many traces of one weight
    would tell as much as those of the group), `unknown_weight` (UInt32, traces of the band whose weight is not known).
    Where there is such a trace in a band, shares and means are null, and so is what rests on one of the group.
    Intervals have a confidence of 95 %. Those of `share` and `estimated_seconds` hold less often where the time of a
    group lies in a few long traces (worth less than about 50 equal ones) of which few or none may have been kept: they
    know nothing of how long those are. The longest estimated time comes first.

    Raises
    ------
    TracelabError
        `slowest` is no share, `by` or `within` name no groups, there is no such method, or a weight is none.

    Warns
    -----
    SkewWarning
        The clocks of two hosts are further apart than the calls between them leave room for.

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
    weight = weight_column(spans, weights)
    frame, forest, names = _keyed_forest(spans, by, within, weight)
    traces = _traces(frame, forest, path_sections(frame, forest, method=method), weighted=bool(weight))
    band = np.zeros(traces.length.size, dtype=np.int64) if slowest is None else _bands(frame, traces, slowest)
    profile = _added_up(frame, list(names), traces, band)
    if _PATH in names:
        profile = profile.with_columns(call_path_texts(frame, forest, profile["place"].to_numpy()).alias(_PATH))
    return _answer(profile.rename(names), list(names.values()), banded=slowest is not None, weighted=bool(weight))


def _keyed_forest(
    spans: Spans, by: By, within: By, weight: list[pl.Expr]
) -> tuple[pl.DataFrame, Forest, dict[str, str]]:
    """Build the forest with a column for every key, and say under which name the answer has it."""
    parts = items_of("by", by)
    path_is_ours = CALL_PATH not in spans.lazy().collect_schema()
    columns: dict[str, str] = {}
    made = [key.alias(f"{_WITHIN}{number}") for number, key in enumerate(keys(spans, within, option="within"))]
    for number, part in enumerate(parts):
        if path_is_ours and isinstance(part, str) and part == CALL_PATH:
            columns[_PATH] = CALL_PATH
            continue
        (key,) = keys(spans, [part], made=(*_MADE, *(_WEIGHTED if weight else ())))
        columns[f"{_BY}{number}"] = key.meta.output_name()
        made.append(key.alias(f"{_BY}{number}"))
    if len(set(columns.values())) < len(parts):
        raise TracelabError(f"Two of the keys in `by` have one name: {parts!r}. Rename one with .alias().")
    frame, forest = timed_forest(spans, *process_columns(spans), *made, *weight)
    if _PATH in columns:
        frame = frame.with_columns(pl.Series(_PATH, call_path_numbers(frame, forest)))
    return frame, forest, columns


def _traces(frame: pl.DataFrame, forest: Forest, sections: Sections, *, weighted: bool) -> _Traces:
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
    ids = traces["trace_id"]
    weight = None
    if weighted:
        found = ids.to_frame().join(trace_weights(frame), on="trace_id", how="left", maintain_order="left")
        weight = found[WEIGHT].to_numpy().astype(np.float64)
    return _Traces(sections, number, ids, traces["length"].to_numpy(), traces["root"].to_numpy(), weight)


def _bands(frame: pl.DataFrame, traces: _Traces, slowest: float) -> Ints:
    """Put the traces with the longest paths into band 0, at least one of each kind, and the rest into band 1."""
    kinds = [name for name in frame.columns if name.startswith(_WITHIN)]
    # With weights traces that are longer stand for more than they are; one whose weight is not known is one here.
    weight = np.ones(traces.length.size) if traces.weight is None else np.nan_to_num(traces.weight, nan=1.0)
    own = pl.col(WEIGHT)
    place, count = own.cum_sum() - own, own.sum()
    if kinds:
        place, count = place.over(kinds), count.over(kinds)
    known = [pl.Series("length", traces.length), traces.ids.alias("trace_id"), pl.Series(WEIGHT, weight)]
    return (
        pl.LazyFrame([*frame[traces.root].select(kinds), *known])
        .with_row_index("number")
        .sort("length", "trace_id", descending=[True, False])
        .select("number", band=(place >= count * slowest).cast(pl.Int64))
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
    per_trace = (
        pairs.group_by("pair")
        .agg(pl.col("time", "ambiguous").sum())
        .select(
            "time",
            "ambiguous",
            code=pl.col("pair") // max(traces.length.size, 1),
            trace=pl.col("pair") % max(traces.length.size, 1),
        )
        .with_columns(band=pl.lit(pl.Series(band)).gather(pl.col("trace")))
    )
    if traces.weight is not None:
        per_trace = per_trace.collect().lazy()
    found = per_trace.group_by("code", "band").agg(
        pl.col("time", "ambiguous").sum(),
        traces=pl.len(),
        p50=pl.col("time").quantile(0.5, interpolation="linear"),
        p95=pl.col("time").quantile(0.95, interpolation="linear"),
        longest=pl.col("trace").filter(pl.col("time") == pl.col("time").max()).min(),
    )
    bands = (
        pl.LazyFrame({"band": band, "length": traces.length}, schema={"band": pl.Int64, "length": pl.Int64})
        .group_by("band")
        .agg(pl.len().alias("all_traces"), pl.col("length").sum().alias("all_time"))
    )
    profile = (
        groups.lazy()
        .join(bands, how="cross")
        .join(found, on=["code", "band"], how="left")
        .with_columns(pl.col("time", "ambiguous", "traces").fill_null(0))
        .with_columns(exemplar_trace_id=pl.lit(traces.ids).gather(pl.col("longest")))
        .collect()
    )
    if traces.weight is None:
        return profile
    return profile.with_columns(_estimates(profile, per_trace.collect(), traces, traces.weight, band))


def _estimates(
    profile: pl.DataFrame, per_trace: pl.DataFrame, traces: _Traces, weight: Floats, band: Ints
) -> list[pl.Series]:
    """Estimate for each row of a profile what it was before traces were dropped."""
    rows = profile.select("code", "band").with_row_index("row").lazy()
    joined = per_trace.lazy().join(rows, on=["code", "band"], how="left", maintain_order="left").collect()
    trace = joined["trace"].to_numpy().astype(np.int64)
    time, ambiguous = (joined[name].to_numpy().astype(np.float64) for name in ("time", "ambiguous"))
    group = joined["row"].to_numpy().astype(np.int64)
    sample = Sample.of(traces.ids.gather(trace), group, weight[trace], groups=profile.height)
    of_band = profile["band"].to_numpy()

    def everything(whole: Floats) -> tuple[Floats, Floats]:
        sums = (weight * whole, weight * (weight - 1) * whole**2)
        total, square = (np.bincount(band, weights=part, minlength=_BANDS) for part in sums)
        return total[of_band], square[of_band]

    length, ones = traces.length.astype(np.float64), np.ones(weight.size)
    share = parts_of_whole(sample, time, length[trace], everything=everything(length), confidence=_CONFIDENCE)
    trace_share = parts_of_whole(sample, ones[trace], ones[trace], everything=everything(ones), confidence=_CONFIDENCE)
    middle = quantiles(sample, time, np.array([0.5, 0.95]), confidence=_CONFIDENCE)
    spent = totals(sample, time / _SECOND, confidence=_CONFIDENCE)
    unsure = sample.of_groups(sample.of_clusters(sample.ordered_weight * ambiguous[sample.order]))
    unknown = np.bincount(band[np.isnan(weight)], minlength=_BANDS)[of_band]
    return [
        floats("all_traces", everything(ones)[0]),
        floats("share", share.value),
        floats("share_lower", share.lower),
        floats("share_upper", share.upper),
        floats("trace_share", trace_share.value),
        floats("trace_share_lower", trace_share.lower),
        floats("trace_share_upper", trace_share.upper),
        *(floats(name, middle.value[:, number]) for number, name in enumerate(("p50", "p95"))),
        *(floats(f"{name}_lower", middle.lower[:, number]) for number, name in enumerate(("p50", "p95"))),
        *(floats(f"{name}_upper", middle.upper[:, number]) for number, name in enumerate(("p50", "p95"))),
        *estimated("seconds", spent),
        *counted("traces", sample, confidence=_CONFIDENCE),
        floats("unsure", unsure / _SECOND),
        floats(EFFECTIVE, sample.effective),
        pl.Series(UNKNOWN, unknown).cast(pl.UInt32),
    ]


def _coded(frame: pl.DataFrame, columns: list[str], owner: Ints) -> tuple[pl.DataFrame, Ints]:
    """Give numbers to the groups on a path, with a place of each, and to every section that of its group."""
    labels = frame.select(columns)[owner] if columns else pl.DataFrame({"all": np.zeros(owner.size)})
    rows = labels.lazy().with_columns(pl.Series("place", owner))
    groups = rows.group_by(labels.columns).agg(pl.col("place").min()).with_row_index("code").collect()
    codes = groups.lazy().select(pl.col("code").cast(pl.Int64), *labels.columns)
    joined = labels.lazy().join(codes, on=labels.columns, how="left", nulls_equal=True, maintain_order="left")
    return groups.cast({"code": pl.Int64}), joined.select("code").collect()["code"].to_numpy()


def _answer(profile: pl.DataFrame, names: list[str], *, banded: bool, weighted: bool) -> pl.DataFrame:
    """Turn sums into shares and means, and put the rows in order."""
    # With weights shares stand there already, and sums are estimates.
    time = pl.col("estimated_seconds") * _SECOND if weighted else pl.col("time")
    ambiguous = pl.col("unsure") * _SECOND if weighted else pl.col("ambiguous")
    mean = time / pl.col("all_traces")
    other = mean.sum().over(names) - mean if names else mean.sum() - mean
    return (
        profile.lazy()
        .select(
            *names,
            *([pl.lit(BAND.categories).cast(BAND).gather(pl.col("band")).alias("band")] if banded else []),
            pl.col("time").cast(DURATION),
            pl.col("share") if weighted else (pl.col("time") / pl.col("all_time")).alias("share"),
            pl.col("traces").cast(pl.UInt32),
            pl.col("trace_share") if weighted else (pl.col("traces") / pl.col("all_traces")).alias("trace_share"),
            _duration(mean).alias("mean"),
            *([_duration(mean - other).alias("excess")] if banded else []),
            _duration(pl.col("p50")),
            _duration(pl.col("p95")),
            pl.when(time > 0).then(ambiguous / time).alias("ambiguous_share"),
            *((_duration(pl.col(name)) if name in _BOUNDS else pl.col(name)) for name in _WEIGHTED if weighted),
            "exemplar_trace_id",
        )
        .sort(
            [
                *(["band"] if banded else []),
                *([pl.col("estimated_seconds") * -1] if weighted else []),
                pl.col("time") * -1,
                *names,
            ],
            nulls_last=True,
        )
        .collect()
    )


def _duration(nanoseconds: pl.Expr) -> pl.Expr:
    return nanoseconds.round().cast(pl.Int64).cast(DURATION)
