"""Export requests of OTLP for hypothesis: any values, times, parents and spellings that OTLP allows."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from tests.loaders.dumps import START, attribute, span

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
KEYS = st.sampled_from(["a", "b", "http.route", "service.name", "name", "ü", "x y"])
SCALARS = st.one_of(
    TEXT,
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.binary(max_size=5),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=4,
)
IDS = st.integers(1, 6).map(lambda number: f"{number:016x}")
TRACES = st.integers(1, 3).map(lambda number: f"{number:032x}")


@st.composite
def attributes(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Draw attributes with distinct keys."""
    return [attribute(key, value) for key, value in draw(st.dictionaries(KEYS, VALUES, max_size=4)).items()]


@st.composite
def spans(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a span."""
    start = START + draw(st.integers(0, 9)) * 1_000
    events = [
        {"timeUnixNano": str(start), "name": draw(TEXT), "attributes": draw(attributes())}
        for _ in range(draw(st.integers(0, 2)))
    ]
    links = [{"traceId": draw(TRACES), "spanId": draw(IDS), "attributes": draw(attributes())}] * draw(st.integers(0, 1))
    code = draw(st.integers(0, 2))
    return span(
        draw(IDS),
        traceId=draw(TRACES),
        parentSpanId=draw(st.none() | IDS),
        name=draw(TEXT),
        kind=draw(st.integers(0, 5)),
        startTimeUnixNano=str(start),
        endTimeUnixNano=str(start + draw(st.integers(0, 5_000))),
        attributes=draw(attributes()),
        status={"code": code, "message": draw(TEXT)} if code else {},
        traceState=draw(st.sampled_from([None, "a=b"])),
        flags=draw(st.sampled_from([None, 1, 2**32 - 1])),
        events=events,
        links=links,
    )


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a request with some resources, scopes and spans."""
    groups = []
    for _ in range(draw(st.integers(1, 3))):
        scopes = [
            {
                "scope": {"name": draw(TEXT), "version": draw(TEXT), "attributes": draw(attributes())},
                "spans": draw(st.lists(spans(), min_size=1, max_size=4)),
            }
            for _ in range(draw(st.integers(1, 2)))
        ]
        groups.append({"resource": {"attributes": draw(attributes())}, "scopeSpans": scopes})
    return {"resourceSpans": groups}
