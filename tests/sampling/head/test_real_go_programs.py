"""Decisions beside those of Go's SDK and of the Collector's probabilistic sampler, as they come from their modules."""

from __future__ import annotations

import json
import random
import subprocess
from itertools import compress
from typing import Any

import polars as pl
import pytest

import tracelab as tl
from tests.live.programs import ANSWERED, HEAD
from tests.sampling.ids_by_the_thousand import RATIOS, one_span_each, random_ids
from tracelab.sampling import ProbabilisticProcessor, TraceIdRatioBased, sample_head
from tracelab.sampling.trace_state import SamplingState

STATES = (
    "", "", "x=1", "x=1,y=2", "ot=th:8", "ot=th:c", "ot=th:0,x=1", "ot=rv:80000000000000", "ot=rv:01234567890abc;th:0",
    "x=1,ot=th:4;rv:ffffffffffffff;p:7", "ot=th:C", "ot=rv:80000000000ABC", "ot=th:", "ot=th:fffffffffffffff",
    "ot=th:8;th:4", "ot=th:4,ot=th:8", "ot=p:1;rv:123", "ot=;", "ot=", "ot=p:", "X=1", "a@b=1", "=1", "x", ",,",
    " x=1 , ot=th:2 ", "x=1 ,\ty=2", "ot=th:8;", "ot=th:ffffffffffffff", "ot=q:1;z:2", "x=é", "ot=th:08",
    ",".join(f"k{n}=1" for n in range(31)),
    ",".join(f"k{n}=1" for n in range(32)), "k" * 257 + "=1", "x=" + "1" * 257, "x=" + "1" * 256, "ot=p:" + "1" * 253,
    "ot=p:" + "1" * 254, "a@" + "b" * 15 + "=1", "a@" + "b" * 14 + "=1", "a" * 242 + "@b=1", "a" * 241 + "@b=1",
)  # fmt: skip
PRIORITIES: tuple[dict[str, Any] | None, ...] = (
    *(None,) * 12, {"intValue": "0"}, {"intValue": "1"}, {"intValue": "-1"}, {"doubleValue": 0.5},
    {"doubleValue": -0.0}, {"stringValue": "0"}, {"stringValue": "1e0"}, {"stringValue": " 1"},
    {"stringValue": "0x1p-2"}, {"stringValue": "inf"},
    {"stringValue": "nan"}, {"stringValue": "1e999"}, {"stringValue": "yes"}, {"stringValue": ""}, {"boolValue": True},
    {"stringValue": "1_0"}, {"stringValue": "1__0"}, {"stringValue": "0x_1p-1_0"}, {"stringValue": "1_.0"},
    {"stringValue": "٣"}, {"stringValue": "-0"}, {"stringValue": "0x0p0"}, {"stringValue": "0x1"},
    {"stringValue": "1e"},
)  # fmt: skip


def asked(questions: list[dict[str, Any]]) -> list[str]:
    """Ask the program; skip the test where it is not built."""
    program = HEAD.found()
    if program is None:
        pytest.skip(f"no {HEAD.name} {HEAD.version} is built (python -m tests.live.programs does it)")
    lines = "".join(json.dumps(question) + "\n" for question in questions)
    done = subprocess.run([program], input=lines, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    if HEAD.title not in ANSWERED:
        ANSWERED.append(HEAD.title)
    return done.stdout.splitlines()


@pytest.mark.parametrize("sdk", ["go", "rust"])
def test_ratios_sample_the_ids_that_gos_sdk_samples(sdk: str) -> None:
    ids = random_ids(100_000)
    frame = one_span_each(ids)
    for ratio, line in zip(RATIOS, asked([{"Ratio": ratio, "Ids": ids} for ratio in RATIOS]), strict=True):
        found = sample_head(frame, TraceIdRatioBased(ratio, sdk=sdk))
        assert found["trace_id"].to_list() == list(compress(ids, map(int, line))), ratio


def random_spans(count: int, seed: int) -> dict[str, Any]:
    """Draw spans as OTLP JSON has them."""
    draw = random.Random(seed)
    spans = []
    for number in range(count):
        priority = draw.choice(PRIORITIES)
        spans.append(
            {
                "traceId": f"{draw.getrandbits(128):032x}",
                "spanId": f"{number + 1:016x}",
                "traceState": draw.choice(STATES),
                "name": "call",
                "startTimeUnixNano": "1777636800000000000",
                "endTimeUnixNano": "1777636800001000000",
                "attributes": [] if priority is None else [{"key": "sampling.priority", "value": priority}],
            }
        )
    return {"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}


def kept_by_the_collector(line: str) -> list[tuple[str, str]]:
    document = json.loads(line)
    return [
        (span["spanId"], span.get("traceState", ""))
        for resource in document.get("resourceSpans", [])
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]


CONFIGURATIONS: list[dict[str, Any]] = [
    {"sampling_percentage": percentage, "mode": mode, **more}
    for mode in ("hash_seed", "equalizing", "proportional")
    for percentage in (0, 1e-9, 0.001, 0.01, 1, 15.3, 33.333, 50, 99.99, 100, 150)
    for more in ({}, {"fail_closed": False, "sampling_precision": 14, "hash_seed": 22}, {"sampling_precision": 1})
]


def test_spans_are_kept_and_their_trace_states_written_as_the_collector_does() -> None:
    document = random_spans(4000, seed=3)
    spans = tl.read(json.dumps(document).encode())
    lines = asked([{"Config": configuration, "Spans": document} for configuration in CONFIGURATIONS])
    broken = spans.filter(SamplingState.of_collector(spans["trace_state"]).broken)["span_id"].to_list()
    for configuration, line in zip(CONFIGURATIONS, lines, strict=True):
        processor = ProbabilisticProcessor(**configuration)
        own = dict(sample_head(spans, processor).select("span_id", pl.col("trace_state").fill_null("")).rows())
        theirs = dict(kept_by_the_collector(line))
        assert own.keys() == theirs.keys(), configuration
        # Where nothing is sampled but by priority, the Collector writes what it could read of broken ones.
        never = processor.ratio == 0 or (processor.mode == "hash_seed" and processor.buckets == 0)
        differing = [each for each in own if own[each] != theirs[each] and not (never and each in broken)]
        assert [(own[each], theirs[each]) for each in differing[:3]] == [], configuration


@pytest.mark.parametrize(
    "configuration",
    [
        {"sampling_percentage": -1},
        {"sampling_percentage": 1e-20},
        {"sampling_percentage": 10, "mode": "hash"},
        {"sampling_percentage": 10, "sampling_precision": 0},
        {"sampling_percentage": 10, "sampling_precision": 15},
        {"sampling_percentage": 10, "hash_seed": -1},
    ],
)
def test_what_the_collector_refuses_is_refused(configuration: dict[str, Any]) -> None:
    with pytest.raises(tl.TracelabError, match=list(configuration)[-1]):
        ProbabilisticProcessor(**configuration)
    (line,) = asked([{"Config": configuration, "Spans": random_spans(0, seed=1)}])
    assert line.startswith("refused: ")
