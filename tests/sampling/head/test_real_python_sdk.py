"""Decisions beside those of the Python SDK."""

from __future__ import annotations

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import sampling as sdk

from tests.sampling.ids_by_the_thousand import RATIOS, one_span_each, random_ids
from tracelab.sampling import ProbabilitySampler, TraceIdRatioBased, sample_head

IDS = random_ids(100_000)
FRAME = one_span_each(IDS)


@pytest.mark.parametrize("ratio", RATIOS)
def test_ratios_sample_the_ids_that_the_sdk_samples(ratio: float) -> None:
    sampler = sdk.TraceIdRatioBased(ratio)
    expected = [each for each in IDS if sampler.should_sample(None, int(each, 16), "").decision.is_sampled()]  # type: ignore[no-untyped-call]
    found = sample_head(FRAME, TraceIdRatioBased(ratio))
    assert found["trace_id"].to_list() == expected


@pytest.mark.parametrize("ratio", RATIOS)
def test_consistent_samplers_sample_the_ids_and_write_the_thresholds_of_the_sdk(ratio: float) -> None:
    composite = pytest.importorskip("opentelemetry.sdk.trace._sampling_experimental")
    sampler = composite.composite_sampler(composite.composable_traceid_ratio_based(ratio))
    some = IDS[-20_000:]
    results = [sampler.should_sample(None, int(each, 16), "", trace.SpanKind.INTERNAL, {}, []) for each in some]
    expected = [
        (each, result.trace_state.to_header())
        for each, result in zip(some, results, strict=True)
        if result.decision.is_sampled()
    ]
    found = sample_head(FRAME[-20_000:], ProbabilitySampler(ratio))
    assert found.select("trace_id", "trace_state").rows() == expected
