"""A round trip through redact keeps every answer, up to the names in it."""

from __future__ import annotations

import math
import re
import warnings
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given, settings

import tracelab as tl
from tests.property.test_door_laws import FUNCTIONS
from tests.strategies import span_frames
from tracelab.analysis.errors.exceptions import folded
from tracelab.exporting.redaction.pseudonyms import Pseudonyms
from tracelab.synthetic import generate, generate_system

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [
    pytest.mark.filterwarnings("ignore::tracelab.SkewWarning"),
    pytest.mark.filterwarnings("ignore::tracelab.QueryWarning"),
    pytest.mark.filterwarnings("ignore::tracelab.SamplingWarning"),
]
NO_ANSWERS = {
    # These give spans back, or draw what answers say, or write.
    "conform", "with_tree", "with_attributes", "with_self_time", "with_slack", "with_weights", "correct_skew", "query",
    "modernise", "repair_splits", "redact", "write", "to_markdown",
    # These rest on the digits of trace ids or on sizes in bytes, as the docstring says.
    "sample_head", "sample_tail", "sampling_decisions", "sampling_losses", "sampling_report", "compare_policies",
    "plan_sampling", "policy_matches",
}  # fmt: skip
ANSWERS = [name for name in FUNCTIONS if name not in NO_ANSWERS and not name.startswith("plot_")]
SLOW = pl.col("duration") > pl.col("duration").mean()
OTHER: dict[str, tuple[Any, ...]] = {
    "check": (["p95() < 1ms", "error_rate() < 1%", "no_repeated_calls(min=10)", "no_errors", "no_gaps"],),
    "search": ("{ status = error }",),
    "query_metrics": ("{ } | rate() by (resource.service.name)",),
    "gap": ("{ kind = client }", "{ kind = server }"),
    "what_if": ("{ kind = client }",),
    "retime": ("{ kind = client }",),
}
OPTIONS: dict[str, dict[str, Any]] = {
    "query_metrics": {"step": "1m"},
    "compare": {"where": SLOW, "unit": "span"},
    "root_causes": {"where": tl.is_root() & SLOW},
    "what_if": {"factor": 0.5, "resamples": 20},
    "retime": {"factor": 0.5},
    "optimise": {"resamples": 20},
}
TOKEN = re.compile(
    r"message-[g-v]+ (?:<n>|\d+)(?: timeout)?|\berror-\d+(?:-timeout)?"
    r"|\b(?:service|operation|event|host|scope|version|route|destination|database|value|word)-\d+\b"
    r"|(?<![0-9a-f])(?:[0-9a-f]{32}|[0-9a-f]{16})(?![0-9a-f])"
)


def redacted(spans: pl.DataFrame, **options: Any) -> tuple[pl.DataFrame, Callable[[Any], Any]]:
    """Redact, and give what turns pseudonyms back into what they stand for."""
    kept: list[Pseudonyms] = []

    class Kept(Pseudonyms):
        def __init__(self, key: bytes | None) -> None:
            super().__init__(key)
            kept.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tracelab.exporting.redaction.redacting.Pseudonyms", Kept)
        found = tl.redact(spans, **options)
    back: dict[str, str] = {}
    for kind, table in (kept[0]._tables or {}).items():
        for text, stands in table.rows():
            back[stands] = text
            if kind == "message":
                back[re.sub(r"\d+", "<n>", stands)] = folded(pl.Series([text]))[0]

    def unredacted(value: Any) -> Any:
        if isinstance(value, str):
            return TOKEN.sub(lambda match: str(back.get(match[0], match[0])), value)
        if isinstance(value, list | tuple):
            return (
                sorted(map(repr, map(unredacted, value))) if isinstance(value, list) else tuple(map(unredacted, value))
            )
        if isinstance(value, dict):
            return {unredacted(name): unredacted(held) for name, held in value.items()}
        if isinstance(value, float):
            return f"{value:.6g}" if math.isfinite(value) else str(value)  # sums differ in their last digits
        return value

    return found, unredacted


def answer(name: str, spans: pl.DataFrame) -> Any:
    if name == "trace_diff":
        middle = spans["start_time"].median()
        early = pl.col("start_time").min().over("trace_id") < middle
        return tl.trace_diff(spans.filter(early), spans.filter(~early), resamples=20)
    try:
        found = getattr(tl, name)(spans, *OTHER.get(name, ()), **OPTIONS.get(name, {}))
    except tl.TracelabError as error:
        return type(error)
    # Long texts of call paths are cut where names have another length.
    return found.drop("finding", "value", "also", "explained_by") if name == "compare" else found


def rows(found: Any, unredacted: Callable[[Any], Any]) -> Any:
    return sorted(repr(unredacted(row)) for row in found.rows()) if isinstance(found, pl.DataFrame) else found


@pytest.fixture(scope="module")
def system() -> tuple[pl.DataFrame, pl.DataFrame, Callable[[Any], Any]]:
    spans, _ = generate_system(5, traces=150)
    return spans, *redacted(spans, keep=["*port", "*size", "*count", "*total", "*rows", "thread.id"])


@pytest.fixture(scope="module")
def shop() -> tuple[pl.DataFrame, pl.DataFrame, Callable[[Any], Any]]:
    numbers = ["*.port", "*.size", "payment.*", "price_list.*", "*.partition.id", "*args_length", "*index", "*tokens"]
    # Of the addresses `findings` sees a word.
    spans = tl.correct_skew(tl.read("sample_data/shop.otlp.jsonl.gz"))
    return spans, *redacted(spans, keep=[*numbers, "embedding.chunks", "*message_count", "content.url"])


@pytest.mark.parametrize("name", ANSWERS)
def test_every_answer_about_the_sample_is_kept(
    name: str, shop: tuple[pl.DataFrame, pl.DataFrame, Callable[[Any], Any]]
) -> None:
    spans, hidden, unredacted = shop
    expected, found = rows(answer(name, spans), unredacted), rows(answer(name, hidden), unredacted)
    assert found == expected


@pytest.mark.parametrize("name", ANSWERS)
def test_every_answer_about_a_system_is_kept(
    name: str, system: tuple[pl.DataFrame, pl.DataFrame, Callable[[Any], Any]]
) -> None:
    spans, hidden, unredacted = system
    assert rows(answer(name, hidden), unredacted) == rows(answer(name, spans), unredacted)


PATHS = ("critical_path", "trace_summary", "service_graph", "error_origins", "outcomes", "repeated_calls", "gaps")


@given(spans=span_frames())
@settings(deadline=None, max_examples=30)
def test_answers_about_any_spans_are_kept_in_their_order(spans: pl.DataFrame) -> None:
    hidden, unredacted = redacted(spans)
    for name in PATHS:
        before, after = answer(name, spans), answer(name, hidden)
        assert list(map(repr, map(unredacted, after.rows()))) == list(map(repr, map(unredacted, before.rows())))


def test_answers_survive_a_file(tmp_path: Any) -> None:
    spans = generate(3_000, seed=4)
    hidden, unredacted = redacted(spans)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tl.LoadWarning)
        again = tl.read(tl.write(hidden, tmp_path / "hidden.jsonl"))
    for name in PATHS:
        assert rows(answer(name, again), unredacted) == rows(answer(name, spans), unredacted)
