"""Whoever works with pandas may hand its frames in, and gets the answers that polars frames give."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import tracelab as tl
from tracelab.synthetic import draw

if TYPE_CHECKING:
    from pathlib import Path

# An integer on every span: pandas turns integers with gaps into floats, which no reader can undo.
SPANS = draw("""
web::GET /pay     ==========      kind=server n=1
  web::POST       .========       kind=client n=2
    bank::charge  ..======!       kind=server n=3 note=x
""")
OTHER: dict[str, tuple[Any, ...]] = {
    "query": ("status = error",),
    "search": ("{ status = error }",),
    "query_metrics": ("{ } | count_over_time()",),
    "check": (['p95("bank::charge") < "3ms"', "no_errors"],),
    "gap": ('{ name = "POST" }', '{ name = "charge" }'),
    "with_attributes": ("n",),
    "plot_gantt": (SPANS["trace_id"][0],),
    "plot_flamegraph": (SPANS["trace_id"][0],),
    "compare_policies": ({"everything": tl.sampling.AlwaysOn()},),
    "plot_sampling_report": ({"everything": tl.sampling.AlwaysOn()},),
    "sample_head": (tl.sampling.TraceIdRatioBased(0.5),),
    **dict.fromkeys(("what_if", "plot_what_if", "retime"), ("{ kind = server }",)),
    **dict.fromkeys(
        ("policy_matches", "sample_tail", "sampling_decisions", "sampling_losses", "sampling_report"),
        (tl.sampling.presets.production(),),
    ),
}
OPTIONS: dict[str, dict[str, Any]] = {
    "plan_sampling": {"budget": "5 GB/day"},
    "redact": {"key": "always the same"},
    **{name: {"factor": 0.5} for name in ("what_if", "plot_what_if", "retime")},
}
"""What a function needs beside the spans."""


def takes_spans(name: str) -> bool:
    found = getattr(tl, name)
    return inspect.isfunction(found) and next(iter(inspect.signature(found).parameters), "") == "spans"


NO_ANSWERS = {"expect", "with_tree", "write", "write_report"}
NAMES = [name for name in vars(tl)["__all__"] if takes_spans(name) and name not in NO_ANSWERS]


def answer(name: str, spans: Any) -> Any:
    found = getattr(tl, name)(spans, *OTHER.get(name, ()), **OPTIONS.get(name, {}))
    if isinstance(found, tl.sampling.TailPolicies):
        return found.yaml
    return found if isinstance(found, pl.DataFrame | str) else found.to_plotly_json()


@pytest.mark.filterwarnings("ignore::tracelab.errors.QueryWarning")
@pytest.mark.filterwarnings("ignore::tracelab.errors.SamplingWarning")
@pytest.mark.parametrize("name", NAMES)
def test_a_pandas_frame_gets_the_answer_of_a_polars_frame(name: str) -> None:
    expected, found = answer(name, SPANS), answer(name, SPANS.to_pandas())
    if isinstance(expected, pl.DataFrame):
        assert_frame_equal(found, expected)
    else:
        assert str(found) == str(expected)


def test_write_and_report_take_pandas(tmp_path: Path) -> None:
    tl.write(SPANS.to_pandas(), tmp_path / "spans.parquet")
    assert tl.read(tmp_path / "spans.parquet").height == SPANS.height
    tl.write_report(SPANS.to_pandas(), tmp_path / "report.html")
    assert (tmp_path / "report.html").is_file()


@pytest.mark.parametrize("name", [*NAMES, "with_tree"])
def test_what_is_no_frame_is_a_clear_error(name: str) -> None:
    with pytest.raises(tl.SchemaError, match="A str is no"):
        getattr(tl, name)("dump.json", *OTHER.get(name, ()), **OPTIONS.get(name, {}))
