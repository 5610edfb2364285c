"""Three small traces as OTLP JSON that can be read in an editor: sample_data/traces/."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from shop.spans import Span
from toolbox import HERE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from shop.spans import Span

WIDTH = 118


def cold_cache_on_a_wrong_clock(spans: list[Span]) -> bool:
    missed = any(span.name == "product.lookup" and span.attributes["cache.hit"] is False for span in spans)
    return missed and any(span.host == "catalogue-2" for span in spans) and not any(span.failed for span in spans)


def swallowed_timeout(spans: list[Span]) -> bool:
    return any(span.failed and "aborted due to timeout" in span.status_message for span in spans)


def payment_tried_twice(spans: list[Span]) -> bool:
    mailed = any(span.name == "send_mail" for span in spans) and any(span.name == "mails send" for span in spans)
    return mailed and any(span.attributes.get("payment.attempts") == 2 for span in spans)


TRACES = {
    "cold-cache-wrong-clock.json": cold_cache_on_a_wrong_clock,
    "swallowed-timeout.json": swallowed_timeout,
    "order-paid-at-second-try.json": payment_tried_twice,
}


def write(traces: dict[str, list[Span]], shop_jsonl: Path) -> None:
    folder = HERE / "traces"
    folder.mkdir(exist_ok=True)
    for name, fits in TRACES.items():
        (folder / name).write_text(pretty(gather(smallest(traces, fits), shop_jsonl)) + "\n")


def smallest(traces: dict[str, list[Span]], fits: Callable[[list[Span]], bool]) -> str:
    return min((len(spans), trace_id) for trace_id, spans in traces.items() if fits(spans))[1]


def gather(trace_id: str, shop_jsonl: Path) -> dict:
    """Collect a trace from all lines into one request: a resource once, a scope once, spans by start."""
    resources: dict[str, dict] = {}
    with shop_jsonl.open() as lines:
        for line in lines:
            if trace_id not in line:
                continue
            for resource_spans in json.loads(line)["resourceSpans"]:
                add(trace_id, resource_spans, resources)
    for resource in resources.values():
        resource["scopeSpans"] = [scope for scope in resource["scopeSpans"].values() if scope["spans"]]
        for scope in resource["scopeSpans"]:
            scope["spans"].sort(key=lambda span: int(span["startTimeUnixNano"]))
    return {"resourceSpans": [resource for resource in resources.values() if resource["scopeSpans"]]}


def add(trace_id: str, resource_spans: dict, resources: dict[str, dict]) -> None:
    key = json.dumps(resource_spans["resource"], sort_keys=True)
    resource = resources.setdefault(key, resource_spans | {"scopeSpans": {}})
    for scope_spans in resource_spans["scopeSpans"]:
        scope = resource["scopeSpans"].setdefault(json.dumps(scope_spans["scope"]), scope_spans | {"spans": []})
        scope["spans"] += [span for span in scope_spans["spans"] if span["traceId"] == trace_id]


def pretty(value: object, indent: int = 0) -> str:
    """Write JSON with everything that fits on a line on one line."""
    flat = json.dumps(value)
    if len(flat) + indent <= WIDTH or not isinstance(value, dict | list):
        return flat
    inner = " " * (indent + 2)
    if isinstance(value, dict):
        parts = [f"{inner}{json.dumps(key)}: {pretty(item, indent + 2)}" for key, item in value.items()]
        return "{\n" + ",\n".join(parts) + "\n" + " " * indent + "}"
    parts = [inner + pretty(item, indent + 2) for item in value]
    return "[\n" + ",\n".join(parts) + "\n" + " " * indent + "]"
