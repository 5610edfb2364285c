"""Whatever frame goes in: the answer is that of the conformed frame, or a SchemaError says why there is none.

Of a LazyFrame only those values are checked that an answer looks at: it may say what it says of the frame without the
fault, or without the row that has it.
"""

from __future__ import annotations

import inspect
import re
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tracelab as tl
from tracelab.schema import SPAN_SCHEMA, TREE_COLUMNS
from tracelab.synthetic import draw

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SPANS = draw("""
web::GET /pay     ====================      kind=server http.route=/pay n=1
  web::POST       .========                 kind=client n=2
    bank::charge  ..======!                 kind=server n=3 note=x
  web::render     ...........======         n=4
  web::log        ..................=       kind=producer messaging.system=kafka n=5

web::GET /cart    =======!                  kind=server http.route=/cart n=6
  db::SELECT      .====                     kind=client db.system=redis n=7

web::GET /cart    =====                     kind=server http.route=/cart n=8
""")
TRACE_ID = SPANS["trace_id"][0]
SECOND = pl.col("span_id") == SPANS["span_id"][1]


def changed(**columns: pl.Expr) -> Callable[[pl.DataFrame], pl.DataFrame]:
    return lambda spans: spans.with_columns(**columns)


def with_null(name: str) -> Callable[[pl.DataFrame], pl.DataFrame]:
    return lambda spans: spans.with_columns(pl.when(~SECOND).then(pl.col(name)).alias(name))


def raw(**columns: pl.Expr) -> Callable[[pl.DataFrame], pl.DataFrame]:
    """Change a frame that somebody else made: it has no tree yet."""
    return lambda spans: spans.drop(TREE_COLUMNS).with_columns(**columns)


START, LENGTH, KIND, STATUS = (pl.col(name) for name in ("start_time", "duration", "kind", "status_code"))
LOSSLESS: dict[str, Callable[[pl.DataFrame], pl.DataFrame]] = {
    "durations in microseconds": changed(duration=LENGTH.cast(pl.Duration("us"))),
    "durations in milliseconds": changed(duration=LENGTH.cast(pl.Duration("ms"))),
    "starts in microseconds": changed(start_time=START.cast(pl.Datetime("us", "UTC"))),
    "starts in milliseconds": changed(start_time=START.cast(pl.Datetime("ms", "UTC"))),
    "starts in another zone": changed(start_time=START.dt.convert_time_zone("Asia/Tokyo")),
    "starts without a zone": changed(start_time=START.dt.replace_time_zone(None)),
    "kinds as text": changed(kind=KIND.cast(pl.String)),
    "kinds as OTLP's names": changed(kind="SPAN_KIND_" + KIND.cast(pl.String).str.to_uppercase()),
    "kinds as numbers": changed(kind=KIND.to_physical().cast(pl.Int64)),
    "kinds as categories": changed(kind=KIND.cast(pl.String).cast(pl.Categorical())),
    "statuses as text": changed(status_code=STATUS.cast(pl.String)),
    "statuses as numbers": changed(status_code=STATUS.to_physical().cast(pl.Int32)),
    "services as categories": changed(service_name=pl.col("service_name").cast(pl.Categorical())),
    "names as categories": changed(name=pl.col("name").cast(pl.Categorical())),
    "flags as wide numbers": changed(flags=pl.col("flags").cast(pl.Int64)),
    "attributes as narrow numbers": changed(**{"span.n": pl.col("span.n").cast(pl.Int8)}),
    "attributes as categories": changed(**{"span.note": pl.col("span.note").cast(pl.Categorical())}),
    "trees as wide numbers": changed(
        depth=pl.col("depth").cast(pl.Int64), tree_left=pl.col("tree_left").cast(pl.Int64)
    ),
    "no trees": raw(),
    "trees with holes": with_null("depth"),
    "ids as bytes": raw(
        trace_id=pl.col("trace_id").str.decode("hex"),
        span_id=pl.col("span_id").str.decode("hex"),
        parent_span_id=pl.col("parent_span_id").str.decode("hex"),
    ),
    "ids as bytes, zero for no parent": raw(
        trace_id=pl.col("trace_id").str.decode("hex"),
        span_id=pl.col("span_id").str.decode("hex"),
        parent_span_id=pl.col("parent_span_id").fill_null("0" * 16).str.decode("hex"),
    ),
    "ids in capitals": raw(parent_span_id=pl.col("parent_span_id").str.to_uppercase()),
    "empty parents": raw(parent_span_id=pl.col("parent_span_id").fill_null("")),
    "zero parents": raw(parent_span_id=pl.col("parent_span_id").fill_null("0" * 16)),
    "events that are null": changed(events=pl.lit(None, dtype=SPAN_SCHEMA["events"])),
    "columns in another order": lambda spans: spans.select(reversed(spans.columns)),
}
OTHERWISE: dict[str, Callable[[pl.DataFrame], pl.DataFrame]] = {
    "shuffled rows": lambda spans: spans[[4, 2, 0, 6, 1, 3, 5, 7]],
    "a null service": with_null("service_name"),
    "a null kind": with_null("kind"),
    "a null status": with_null("status_code"),
    "a null start": with_null("start_time"),
    "a null duration": with_null("duration"),
    "a null name": with_null("name"),
    "a null id": with_null("span_id"),
    "a negative duration": changed(duration=pl.when(SECOND).then(-LENGTH).otherwise(LENGTH)),
    "starts as text": changed(start_time=START.dt.to_string("iso:strict")),
    "starts as numbers": changed(start_time=START.dt.epoch("us")),
    "starts as dates": changed(start_time=START.dt.date()),
    "durations as whole numbers": changed(duration=LENGTH.dt.total_microseconds()),
    "durations as fractions": changed(duration=LENGTH.dt.total_nanoseconds() / 1e6),
    "durations as text": changed(duration=LENGTH.dt.total_nanoseconds().cast(pl.String)),
    "durations out of range": changed(duration=LENGTH.cast(pl.Duration("ms")) * 10**12),
    "an end out of range": changed(
        duration=pl.when(SECOND).then(pl.lit(2**63 - 1).cast(pl.Duration("ns"))).otherwise(LENGTH)
    ),
    "kinds that there are not": changed(kind=pl.lit("sideways")),
    "ids as numbers": changed(trace_id=pl.col("trace_id").hash()),
    "services as lists": changed(service_name=pl.concat_list("service_name")),
    "attributes as times": changed(**{"span.n": START}),
    "attributes out of range": changed(**{"span.n": pl.lit(2**63, dtype=pl.UInt64)}),
    "no duration": lambda spans: spans.drop("duration"),
    "no ids": lambda spans: spans.drop("trace_id", "span_id"),
    "no kind": lambda spans: spans.drop("kind"),
    "no columns at all": lambda spans: spans.select(),
    "no rows": lambda spans: spans.clear(),
}
VALUES = {name for name in OTHERWISE if name.startswith("a null ")} | {"a negative duration", "an end out of range"}
"""What is wrong with single values, which a LazyFrame tells when they are computed."""
MIXABLE = sorted({**LOSSLESS, **OTHERWISE}.keys() - VALUES)
FORMS: dict[str, Callable[[pl.DataFrame], Any]] = {
    "polars": lambda spans: spans,
    "lazy": lambda spans: spans.lazy(),
    "arrow": lambda spans: spans.to_arrow(),
    "pandas": lambda spans: spans.to_pandas(),
}
OTHER: dict[str, tuple[object, ...]] = {
    "query": ("{ kind = server && duration > 6ms }",),
    "search": ("{ status = error }",),
    "query_metrics": ("{ } | rate() by (resource.service.name)",),
    "gap": ('{ name = "POST" }', '{ name = "charge" }'),
    "with_attributes": ("n",),
    "plot_gantt": (TRACE_ID,),
    "plot_flamegraph": (TRACE_ID,),
    "compare_policies": ({"everything": tl.sampling.AlwaysOn()},),
    "plot_sampling_report": ({"everything": tl.sampling.AlwaysOn()},),
    "sample_head": (tl.sampling.TraceIdRatioBased(0.5),),
    "check": (['p95("GET /cart") < "6ms"', "no_errors", "no_new_edges", 'critical_share(service="db") < "20%"'],),
    "trace_diff": (SPANS,),
    "plot_trace_diff": (SPANS,),
    **dict.fromkeys(("what_if", "plot_what_if", "retime"), ("{ duration > 6ms }",)),
    **dict.fromkeys(
        ("policy_matches", "sample_tail", "sampling_decisions", "sampling_losses", "sampling_report"),
        (tl.sampling.presets.production(),),
    ),
}
OPTIONS: dict[str, dict[str, object]] = {
    "query_metrics": {"step": "5ms"},
    "repeated_calls": {"min_count": 2},
    "outliers": {"min_count": 2},
    "plan_sampling": {"budget": "5 GB/day"},
    "check": {"baseline": SPANS},
    "redact": {"key": "always the same"},
    "compare": {"where": "duration > 6ms", "unit": "span", "q": 1},
    "plot_compare": {"where": "duration > 6ms", "unit": "span", "q": 1},
    "root_causes": {"where": "traceDuration > 6ms", "q": 1},
    "plot_root_causes": {"where": "traceDuration > 6ms", "q": 1},
    "trace_diff": {"resamples": 20},
    "plot_trace_diff": {"resamples": 20},
    "retime": {"factor": 0.5},
    "what_if": {"factor": 0.5, "resamples": 20},
    "plot_what_if": {"factor": 0.5, "resamples": 20},
    "optimise": {"resamples": 20},
    "plot_optimise": {"resamples": 20},
}


FIRST: Final = {"spans", "selection", "before", "abnormal"}
"""What the first argument of a function is called that takes spans."""


def takes_spans(name: str) -> bool:
    found = getattr(tl, name)
    return inspect.isfunction(found) and next(iter(inspect.signature(found).parameters), "") in FIRST


NO_ANSWERS = {"expect", "write", "write_report"}
FUNCTIONS = sorted(name for name in vars(tl)["__all__"] if takes_spans(name) and name not in NO_ANSWERS)
EVERY_FUNCTION = pytest.mark.parametrize("function", FUNCTIONS)


def answer(function: str, spans: Any) -> Any:
    """Give what a function says, as something that can be compared, or the class of the error."""
    try:
        found = getattr(tl, function)(spans, *OTHER.get(function, ()), **OPTIONS.get(function, {}))
        found = found.collect() if isinstance(found, pl.LazyFrame) else found
    except tl.SchemaError:
        return tl.SchemaError
    except tl.TracelabError as error:
        return str(error)
    if isinstance(found, pl.DataFrame):
        return dict(found.schema), found.to_dicts()
    if isinstance(found, str):
        return found
    return found.yaml if isinstance(found, tl.sampling.TailPolicies) else str(found.to_plotly_json())


@pytest.mark.filterwarnings("ignore::tracelab.errors.QueryWarning")
@pytest.mark.filterwarnings("ignore::tracelab.errors.SamplingWarning")
@EVERY_FUNCTION
def test_the_same_spans_in_other_dtypes_get_the_same_answer(function: str) -> None:
    expected = answer(function, SPANS)
    assert expected is not tl.SchemaError
    wrong = []
    for name, change in LOSSLESS.items():
        if answer(function, change(SPANS)) != expected:
            wrong.append(name)
    assert wrong == []


@pytest.mark.filterwarnings("ignore::tracelab.errors.QueryWarning")
@pytest.mark.filterwarnings("ignore::tracelab.errors.SamplingWarning")
@EVERY_FUNCTION
@pytest.mark.parametrize("form", ["polars", "lazy"])
def test_any_frame_gets_the_answer_of_the_conformed_one_or_a_schema_error(function: str, form: str) -> None:
    wrong = []
    for name, change in OTHERWISE.items():
        found = answer(function, FORMS[form](change(SPANS)))
        allowed = [tl.SchemaError, answer(function, conformed(change(SPANS)))]
        if form == "lazy" and name in VALUES:
            allowed += [answer(function, SPANS), answer(function, SPANS.filter(~SECOND))]
        if found not in allowed:
            wrong.append(name)
    assert wrong == []


@pytest.mark.filterwarnings("ignore::tracelab.errors.QueryWarning")
@pytest.mark.filterwarnings("ignore::tracelab.errors.SamplingWarning")
@EVERY_FUNCTION
@settings(max_examples=5, deadline=None)
@given(
    changes=st.lists(st.sampled_from(MIXABLE), min_size=1, max_size=3, unique=True),
    form=st.sampled_from(sorted(FORMS)),
)
def test_mixtures_of_changes_in_any_form_are_no_exception(function: str, changes: list[str], form: str) -> None:
    frame = SPANS
    for name in changes:
        try:
            frame = {**LOSSLESS, **OTHERWISE}[name](frame)
        except pl.exceptions.PolarsError:
            continue  # changes of one column need not go together
    found = answer(function, FORMS[form](frame))
    assert found in [tl.SchemaError, answer(function, conformed(FORMS[form](frame)))]


def conformed(frame: Any) -> Any:
    """Conform; what cannot be is told from all that can."""
    try:
        return tl.conform(frame)
    except tl.SchemaError:
        return "no frame of spans"


def test_the_error_names_the_column_what_it_found_and_what_to_do() -> None:
    frame = SPANS.with_columns(duration=LENGTH.dt.total_microseconds())
    with pytest.raises(tl.SchemaError, match=r"'duration' should be a duration, and is Int64\. Convert numbers"):
        tl.latency_percentiles(frame)


def test_a_lazy_null_is_found_when_the_frame_is_computed() -> None:
    frame = with_null("duration")(SPANS).lazy()
    with pytest.raises(tl.SchemaError, match="'duration' is null in some rows"):
        tl.latency_percentiles(frame)


@pytest.mark.filterwarnings("ignore::tracelab.errors.QueryWarning")
@pytest.mark.filterwarnings("ignore::tracelab.errors.SamplingWarning")
@EVERY_FUNCTION
def test_parts_of_traces_that_are_put_together_are_whole_again(function: str) -> None:
    parts = [tl.conform(SPANS.filter(pl.col("kind") == kind).drop(TREE_COLUMNS)) for kind in SPANS["kind"].unique()]
    assert answer(function, pl.concat(parts)) == answer(function, tl.with_tree(pl.concat(parts)))


@pytest.mark.parametrize("change", ["durations in microseconds", "durations as whole numbers", "a null service"])
def test_files_are_written_from_conformed_frames(change: str, tmp_path: Path) -> None:
    frame = {**LOSSLESS, **OTHERWISE}[change](SPANS)
    if change == "durations as whole numbers":
        with pytest.raises(tl.SchemaError, match="duration"):
            tl.write(frame, tmp_path / "spans.jsonl")
        with pytest.raises(tl.SchemaError, match="duration"):
            tl.write_report(frame, tmp_path / "report.html")
        return
    for name, source in (("found", frame), ("expected", tl.conform(frame))):
        tl.write(source, tmp_path / f"{name}.jsonl")
        tl.write_report(source, tmp_path / f"{name}.html")
    assert (tmp_path / "found.jsonl").read_bytes() == (tmp_path / "expected.jsonl").read_bytes()
    # plotly gives every figure an id by chance.
    found, expected = (
        re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "", (tmp_path / f"{name}.html").read_text())
        for name in ("found", "expected")
    )
    assert found == expected


@pytest.mark.parametrize(
    "query", ["{ resource.service.name = `unknown_service` }", "{ kind = unspecified }", "{ status != ok }"]
)
def test_a_lazy_null_counts_as_its_default_in_a_query(query: str) -> None:
    nulls = ("service_name", "kind", "status_code")
    frame = SPANS.with_columns(pl.when(~SECOND).then(pl.col(name)).alias(name) for name in nulls)
    found = tl.query(frame.lazy(), query).collect()
    assert found["span_id"].to_list() == tl.query(tl.conform(frame), query)["span_id"].to_list()
    assert not any(found[name].null_count() for name in nulls)
