"""Conditions about every attribute of the sample traces, held beside what the Collector's own OTTL says."""

from __future__ import annotations

import gzip
import json
from itertools import islice
from pathlib import Path
from typing import Any, Final

import pytest

import tracelab as tl
from tests.sampling.ottl.asking import differences, ours, theirs

_SAMPLES: Final = Path(__file__).parents[3] / "sample_data"
_REQUESTS: Final = 12
_SCOPES: Final = {"span": "attributes", "resource": "resource.attributes", "instrumentation": "scope.attributes"}
_OF_SPANS: Final = (
    "IsRootSpan()", "status.code == STATUS_CODE_ERROR", "kind == SPAN_KIND_SERVER", "Len(attributes) > 5",
    "Len(events) > 0", "Len(links) > 0", 'end_time - start_time > Duration("5ms")', 'scope.version == ""',
    'trace_state == ""', "flags == 257", 'status.message != ""', 'IsMatch(name, "^[A-Z]+ /")',
    'resource.attributes["service.name"] == nil', 'ContainsValue(Keys(attributes), "http.route")',
    "IsEmpty(scope.attributes)", "parent_span_id == SpanID(0x0000000000000000)", "Minute(start_time) > 12",
    "UnixMilli(start_time) > 1700000000000", "ToLowerCase(name) == name", 'IsMatch(String(attributes), "http.*200")',
)  # fmt: skip
_OF_ATTRIBUTES: Final = (
    "{} == nil", "IsString({})", "IsInt({})", "IsDouble({})", "IsBool({})", "IsList({})", "{} > 100", '{} >= "a"',
    'IsMatch({}, "[0-9]{{3}}")', "Len({}) > 5", "Int({}) == 200", "{} == true", 'SHA1(String({})) < "8"',
    "{}[0] == nil", "{} + 1 > 200", 'Concat([{}, name], "-") > "m"',
)  # fmt: skip


@pytest.mark.parametrize("name", ["content", "shop"])
def test_conditions_about_the_sample_traces_are_answered_as_the_collector_answers_them(name: str) -> None:
    traces = _traces(name)
    spans = tl.read(json.dumps(traces).encode())
    texts = list(_OF_SPANS)
    for key, scope in tl.attributes(spans).select("key", "scope").iter_rows():
        if scope in _SCOPES:
            path = f"{_SCOPES[scope]}[{json.dumps(key)}]"
            texts += [text.format(path) for text in _OF_ATTRIBUTES]
    assert len(texts) > 300
    places = {span_id: row for row, span_id in enumerate(spans["span_id"])}
    rows = [places[span["spanId"]] for span in _spans(traces)]
    own = [[answers[row] for row in rows] for answers in (ours(spans, text) for text in texts)]
    assert not list(differences(texts, own, theirs(traces, texts)))
    assert not [text for text, answers in zip(texts, own, strict=True) if "unknown" in answers]


def _traces(name: str) -> dict[str, Any]:
    with gzip.open(_SAMPLES / f"{name}.otlp.jsonl.gz", "rt", encoding="utf-8") as lines:
        requests = [json.loads(line) for line in islice(lines, _REQUESTS)]
    return {"resourceSpans": [resource for request in requests for resource in request["resourceSpans"]]}


def _spans(traces: dict[str, Any]) -> list[dict[str, Any]]:
    scopes = [scope for resource in traces["resourceSpans"] for scope in resource["scopeSpans"]]
    return [span for scope in scopes for span in scope["spans"]]
