"""A real Collector and the replay of its configuration agree, trace by trace and span by span."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pytest

import tracelab as tl
from tests.sampling.collecting import kept_by_collector
from tests.sampling.tail.settings import STATELESS
from tracelab.sampling import sample_tail, tail_decisions, tail_policies

if TYPE_CHECKING:
    from collections.abc import Iterator

SAMPLES: Final = sorted((Path(__file__).parents[3] / "sample_data").glob("*.otlp.jsonl.gz"))
AGREEMENTS: Final[list[tuple[str, int, int, int]]] = []
"""What was compared: type, settings, traces, agreements; the summary of a test run shows it."""

_VERSION: Final = "0.161"
_ROWS: Final = "row_of_the_dump"


@pytest.fixture(scope="module")
def requests() -> list[bytes]:
    """The sample dumps, a request a line: a quarter of the traces, some with trace states, which the dumps lack."""
    found = []
    for path in SAMPLES:
        for number, line in enumerate(gzip.decompress(path.read_bytes()).splitlines()):
            request = json.loads(line)
            for resource in request["resourceSpans"]:
                for scope in resource["scopeSpans"]:
                    scope["spans"] = [span for span in scope["spans"] if span["traceId"][-1] in "05af"]
            for span in _spans_of(request):
                span["traceState"] = _state(span["traceId"], number)
            found.append(json.dumps(request).encode())
    return found


def _spans_of(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for resource in request["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            yield from scope["spans"]


def _state(trace_id: str, number: int) -> str:
    """Give some traces a trace state, good and bad ones."""
    states = (
        "vendor=gold",
        "vendor=gold,vendor=lead",
        "ot=th:8;rv:1234567890abcd,a@b=2",
        " vendor=gold ,, b=1",
        "A=1,vendor=gold",
        "ot=th:8",
    )
    return states[number % len(states)] if trace_id[-2] in "05af" else ""


@pytest.fixture(scope="module")
def spans(requests: list[bytes]) -> pl.DataFrame:
    frame = tl.read(b"\n".join(requests))
    ids = [(span["traceId"], span["spanId"]) for request in requests for span in _spans_of(json.loads(request))]
    rows = pl.DataFrame(ids, schema=["trace_id", "span_id"], orient="row").with_row_index(_ROWS)
    # The Collector hears them in the order of the dump.
    came = pl.from_epoch(pl.col(_ROWS).cast(pl.Int64), time_unit="us").dt.replace_time_zone("UTC").alias("came")
    return frame.join(rows, on=["trace_id", "span_id"], maintain_order="left").with_columns(came)


@pytest.fixture(scope="module")
def kept(requests: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[tuple[str, str], str]]:
    """What the real one keeps, for all settings at once."""
    processors: dict[str, dict[str, Any]] = {
        f"tail_sampling/{kind}.{name}": {"decision_wait": "600s", "policies": policies}
        for kind, settings in STATELESS.items()
        for name, policies in settings.items()
    }
    processors["tail_sampling/first"] = {
        "decision_wait": "600s",
        "sample_on_first_match": True,
        "policies": STATELESS["several"]["order"],
    }
    return kept_by_collector(processors, requests, tmp_path_factory.mktemp("tail"))


@pytest.mark.parametrize("kind", STATELESS)
def test_the_collector_and_the_replay_agree_on_every_trace(
    kind: str, spans: pl.DataFrame, kept: dict[str, dict[tuple[str, str], str]]
) -> None:
    agreed = compared = 0
    for name, policies in STATELESS[kind].items():
        theirs = kept[f"tail_sampling/{kind}.{name}"]
        ours = tail_decisions(spans, tail_policies(policies, collector_version=_VERSION), arrival="came")
        decided = dict(ours.select("trace_id", pl.when(pl.col("decision") == "sampled").then("policy")).iter_rows())
        found = {trace: policy for (trace, _), policy in theirs.items()}
        differing = [trace for trace, policy in decided.items() if found.get(trace) != policy]
        assert not differing, f"{name}: {len(differing)} of {ours.height}, such as {differing[0]}"
        assert sum(ours["spans_kept"]) == len(theirs)
        agreed += ours.height - len(differing)
        compared += ours.height
    AGREEMENTS.append((kind, len(STATELESS[kind]), compared, agreed))


def test_the_first_match_ends_the_evaluation_as_in_the_collector(
    spans: pl.DataFrame, kept: dict[str, dict[tuple[str, str], str]]
) -> None:
    block = {"sample_on_first_match": True, "policies": STATELESS["several"]["order"]}
    ours = sample_tail(spans, tail_policies(block, collector_version=_VERSION), arrival="came")
    rows = ours.select("trace_id", "span_id", "sampling_policy").iter_rows()
    assert {(trace, span): policy for trace, span, policy in rows} == kept["tail_sampling/first"]
