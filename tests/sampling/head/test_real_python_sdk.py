"""Decisions beside those of the Python SDK."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry import context, trace
from opentelemetry.sdk.trace import TracerProvider, id_generator
from opentelemetry.sdk.trace import sampling as sdk

from tests.sampling.head.fleets import Call, Recipe, frame_of, ours, random_calls, random_fleet
from tests.sampling.ids_by_the_thousand import RATIOS, one_span_each, random_ids
from tracelab.sampling import ParentThreshold, ProbabilitySampler, TraceIdRatioBased, sample_head

CALLS = random_calls(400, seed=5)
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


@pytest.mark.parametrize("seed", range(25))
def test_fleets_keep_the_spans_that_the_sdk_records(seed: int) -> None:
    fleet = random_fleet(seed)
    samplers = {service: ours(recipe, "python") for service, recipe in fleet.items()}
    assert sample_head(frame_of(CALLS), samplers)["span_id"].to_list() == recorded(fleet, CALLS)


CONSISTENT = (
    {"*": ("parent", 0.5)},
    {"*": ("ratio", 0.3)},
    {"web": ("ratio", 0.5), "shop": ("parent", 0.25), "bank": ("ratio", 0.75), "mail": ("parent", 1.0)},
    {"web": ("parent", 0.9), "*": ("ratio", 0.2)},
    {"web": ("off", 0.0), "shop": ("on", 1.0), "*": ("parent", 0.5)},
)


@pytest.mark.parametrize("fleet", CONSISTENT)
def test_parents_thresholds_are_kept_to_as_by_the_sdk(fleet: dict[str, tuple[str, float]]) -> None:
    composite = pytest.importorskip("opentelemetry.sdk.trace._sampling_experimental")
    real_ones = {service: composite.composite_sampler(consistent(composite, *each)) for service, each in fleet.items()}
    outcomes: list[sdk.SamplingResult] = []
    for call in CALLS:
        parent, state = context.Context(), None
        if call.parent is not None:
            above = outcomes[call.parent]
            sampled = above.decision.is_sampled()  # type: ignore[no-untyped-call]
            # The specification wants thresholds gone where nothing was sampled; the SDK leaves some, and looks at them.
            state = above.trace_state if sampled else None
            flags = trace.TraceFlags(int(sampled))
            ids = trace.SpanContext(int(call.trace_id, 16), 1, call.remote, flags, state)
            parent = trace.set_span_in_context(trace.NonRecordingSpan(ids), parent)
        sampler = real_ones.get(call.service) or real_ones["*"]
        outcomes.append(sampler.should_sample(parent, int(call.trace_id, 16), "", None, {}, [], state))
    expected = [
        (call.span_id, found.trace_state.to_header() if found.trace_state else None)
        for call, found in zip(CALLS, outcomes, strict=True)
        if found.decision.is_sampled()  # type: ignore[no-untyped-call]
    ]
    samplers = {service: our_consistent(*each) for service, each in fleet.items()}
    assert sample_head(frame_of(CALLS), samplers).select("span_id", "trace_state").rows() == expected


def consistent(composite: Any, kind: str, ratio: float) -> Any:
    """Make the sampler of the SDK."""
    root = composite.composable_traceid_ratio_based(ratio)
    match kind:
        case "on":
            return composite.composable_always_on()
        case "off":
            return composite.composable_always_off()
        case "parent":
            return composite.composable_parent_threshold(root)
        case _:
            return root


def our_consistent(kind: str, ratio: float) -> ProbabilitySampler | ParentThreshold:
    """Make the sampler of ours."""
    return ParentThreshold(ProbabilitySampler(ratio)) if kind == "parent" else ProbabilitySampler(ratio)


class Given(id_generator.IdGenerator):
    """Give the ids that are wanted."""

    trace_id: int
    span_id: int

    def generate_trace_id(self) -> int:
        return self.trace_id

    def generate_span_id(self) -> int:
        return self.span_id


def recorded(fleet: dict[str, Recipe], calls: list[Call]) -> list[str]:
    """Make the spans with the real SDK, a provider per service, and give the ids of those that are recorded."""
    ids = Given()
    tracers = {
        service: TracerProvider(sampler=real(recipe), id_generator=ids, shutdown_on_exit=False).get_tracer("test")
        for service, recipe in fleet.items()
    }
    spans: list[trace.Span] = []
    for call in calls:
        ids.trace_id, ids.span_id = int(call.trace_id, 16), int(call.span_id, 16)
        above = trace.INVALID_SPAN if call.parent is None else spans[call.parent]
        if call.remote:
            known = above.get_span_context()
            away = trace.SpanContext(known.trace_id, known.span_id, True, known.trace_flags, known.trace_state)
            above = trace.NonRecordingSpan(away)
        spans.append(tracers[call.service].start_span("call", trace.set_span_in_context(above, context.Context())))
    return [call.span_id for call, span in zip(calls, spans, strict=True) if span.is_recording()]


def real(recipe: Recipe) -> sdk.Sampler:
    """Make the sampler of the SDK."""
    match recipe:
        case {"kind": "on"}:
            return sdk.ALWAYS_ON
        case {"kind": "off"}:
            return sdk.ALWAYS_OFF
        case {"kind": "ratio", "ratio": ratio}:
            return sdk.TraceIdRatioBased(ratio)
        case _:
            return sdk.ParentBased(**{name: real(each) for name, each in recipe.items() if name != "kind"})
