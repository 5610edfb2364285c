"""Spans that come late, and traces that are forgotten, as a real Collector and the simulation have them."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pytest

import tracelab as tl
from tests.sampling.collecting import kept_by_collector
from tests.sampling.tail.settings import one, policy
from tracelab.sampling import sample_tail, tail_policies
from tracelab.sampling.tail.groups import trace_groups
from tracelab.sampling.tail.sizes import trace_sizes

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ERRORS: Final = policy("errors", "status_code", status_codes=["ERROR"])
SECOND: Final = 1_000_000_000
# When it comes, its trace, whether it is a root, whether it failed. No instant decides where a tick of a real clock,
# whose phase is not known, could fall before or after it.
TRAFFIC: Final = (
    (0.0, "a", False, False),
    (0.1, "b", False, True),
    (0.2, "c", False, False),
    (0.3, "d", True, False),
    (0.4, "c", False, True),
    (0.5, "e", False, True),
    (3.6, "d", False, True),
    (4.0, "a", False, True),
    (5.0, "e", False, False),
)

SETTINGS: Final[dict[str, dict[str, Any]]] = {
    "short": {"decision_wait": "1s", "policies": [ERRORS]},
    "long": {"decision_wait": "30s", "policies": [ERRORS]},
    "root": {"decision_wait": "30s", "decision_wait_after_root_received": "1s", "policies": [ERRORS]},
    "one": {"decision_wait": "30s", "num_traces": 1, "policies": [ERRORS]},
    "two": {"decision_wait": "1s", "num_traces": 2, "policies": [ERRORS]},
    "cached": {
        "decision_wait": "1s",
        "num_traces": 4,
        "decision_cache": {"sampled_cache_size": 5, "non_sampled_cache_size": 5},
        "policies": [ERRORS],
    },
    "ingest": {"decision_wait": "1s", "sampling_strategy": "span-ingest", "policies": [ERRORS]},
    "ingest-cached": {
        "decision_wait": "1s",
        "sampling_strategy": "span-ingest",
        "decision_cache": {"sampled_cache_size": 5, "non_sampled_cache_size": 5},
        "policies": [ERRORS],
    },
    "ingest-one": {
        "decision_wait": "30s",
        "sampling_strategy": "span-ingest",
        "num_traces": 1,
        "policies": one("span_count", min_spans=2),
    },
    "ingest-drop": {
        "decision_wait": "1s",
        "sampling_strategy": "span-ingest",
        "policies": [ERRORS, policy("off", "drop", drop_sub_policy=[policy("x", "trace_flags")])],
    },
    "ingest-count": {
        "decision_wait": "30s",
        "sampling_strategy": "span-ingest",
        "policies": one("span_count", min_spans=2),
    },
}


def _request(number: int, trace: str, failed: bool, root: bool) -> bytes:
    span = {
        "traceId": trace.encode().hex() * 16,
        "spanId": f"{number + 1:016x}",
        "parentSpanId": "" if root else "f" * 16,
        "name": f"span {number}",
        "startTimeUnixNano": str(SECOND),
        "endTimeUnixNano": str(2 * SECOND),
        "status": {"code": 2} if failed else {},
        "attributes": [{"key": "n", "value": {"intValue": str(number * 200)}}],
    }
    resource = {"attributes": [{"key": "service.name", "value": {"stringValue": "api"}}]}
    return json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": [span]}]}]}).encode()


@pytest.fixture(scope="module")
def requests() -> list[bytes]:
    return [_request(number, trace, failed, root) for number, (_, trace, root, failed) in enumerate(TRAFFIC)]


@pytest.fixture(scope="module")
def spans(requests: list[bytes]) -> pl.DataFrame:
    came = [datetime.fromtimestamp(second, UTC) for second, *_ in TRAFFIC]
    when = pl.DataFrame({"span_id": [f"{number + 1:016x}" for number in range(len(came))], "came": came})
    return tl.read(b"\n".join(requests)).join(when, on="span_id", maintain_order="left")


@pytest.fixture(scope="module")
def kept(requests: list[bytes], tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[tuple[str, str], str]]:
    def in_time() -> Iterator[bytes]:
        begun = time.monotonic()
        for (second, *_), request in zip(TRAFFIC, requests, strict=True):
            time.sleep(max(0.0, begun + second - time.monotonic()))
            yield request

    processors = {f"tail_sampling/{name}": block for name, block in SETTINGS.items()}
    return kept_by_collector(processors, in_time(), tmp_path_factory.mktemp("clock"))


@pytest.mark.parametrize("name", SETTINGS)
def test_late_spans_and_forgotten_traces_fare_alike(
    name: str, spans: pl.DataFrame, kept: dict[str, dict[tuple[str, str], str]]
) -> None:
    ours = sample_tail(spans, tail_policies(SETTINGS[name], collector_version="0.161"), arrival="came")
    theirs = {span for _, span in kept[f"tail_sampling/{name}"]}
    assert sorted(ours["span_id"]) == sorted(theirs)


def test_a_budget_of_bytes_is_spent_on_the_same_sizes(
    requests: list[bytes], spans: pl.DataFrame, tmp_path: Path
) -> None:
    trace = spans.filter(pl.col("trace_id") == b"c".hex() * 16)
    parts = [request for request, (_, name, *_) in zip(requests, TRAFFIC, strict=True) if name == "c"]
    whole = json.loads(parts[0])
    whole["resourceSpans"][0]["scopeSpans"][0]["spans"] += json.loads(parts[1])["resourceSpans"][0]["scopeSpans"][0][
        "spans"
    ]
    (size,) = trace_sizes(trace_groups(trace)).tolist()
    processors = {
        f"tail_sampling/{burst}": {
            "decision_wait": "30s",
            "policies": one("bytes_limiting", bytes_per_second=1, burst_capacity=burst),
        }
        for burst in (size - 1, size)
    }
    kept = kept_by_collector(processors, [json.dumps(whole).encode()], tmp_path)
    assert [len(each) for each in kept.values()] == [0, 2]


BUDGETS: Final[dict[str, dict[str, Any]]] = {
    "spans": policy("it", "rate_limiting", spans_per_second=1, burst_capacity=13),
    "twice the rate": policy("it", "rate_limiting", spans_per_second=5),
    "none": policy("it", "rate_limiting", spans_per_second=0),
    "bytes": policy("it", "bytes_limiting", bytes_per_second=1, burst_capacity=1500),
    "inside": policy(
        "it",
        "and",
        and_sub_policy=[ERRORS, policy("few", "rate_limiting", spans_per_second=1, burst_capacity=4)],
    ),
    "composite": policy(
        "it",
        "composite",
        max_total_spans_per_second=20,
        composite_sub_policy=[ERRORS, policy("rest", "always_sample")],
        rate_allocation=[{"policy": "errors", "percent": 25}],
    ),
}


def test_budgets_let_as_many_pass(tmp_path: Path) -> None:
    """Which ones is a matter of chance in the Collector, since all are decided at once; all are of one size."""
    requests = [_request(50, chr(place), failed=place % 2 == 0, root=False) for place in range(33, 93)]
    spans = tl.read(b"\n".join(requests)).with_columns(came=pl.lit(datetime.fromtimestamp(9, UTC)))
    processors = {
        f"tail_sampling/{number}": {"decision_wait": "30s", "policies": [rule]}
        for number, rule in enumerate(BUDGETS.values())
    }
    kept = kept_by_collector(processors, requests, tmp_path)
    for (name, rule), theirs in zip(BUDGETS.items(), kept.values(), strict=True):
        ours = sample_tail(spans, tail_policies([rule], collector_version="0.161"), arrival="came")
        assert ours["sampling_weight"].null_count() == ours.height
        # A second of the clock may have ended in between, with which a composite begins anew.
        assert len(theirs) in ({ours.height} if name != "composite" else range(ours.height, 2 * ours.height + 1)), name
