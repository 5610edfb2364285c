"""Count every planted fault in the spans that came out, with plain Python: sample_data/TRUTH.md and truth.json."""

from __future__ import annotations

import json
import statistics
from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from shop import truth_page
from shop.plan import BURSTS, CACHE_FLUSH_AT, SECONDS
from shop.spans import CLIENT, CONSUMER, PRODUCER, SERVER, Span, by_trace, load, with_parents
from toolbox import HERE, say

if TYPE_CHECKING:
    from pathlib import Path

UNKNOWN_PRODUCT = 999


def write(shop_jsonl: Path, slice_counts: dict[str, int]) -> None:
    truth = count(load(shop_jsonl)) | {"slice": slice_counts}
    (HERE / "truth.json").write_text(json.dumps(truth, indent=2) + "\n")
    (HERE / "TRUTH.md").write_text(truth_page.page(truth))
    say(f"{truth['totals']['traces']} traces, {truth['totals']['spans']} spans: see sample_data/TRUTH.md")


def count(spans: list[Span]) -> dict:
    roots = [span for span in spans if span.service == "gateway" and span.kind == SERVER]
    begin = min(span.start for span in roots)
    return {
        "totals": totals(spans),
        "load": load_shape(roots, begin),
        "version_change": version_change(spans, begin),
        "n_plus_one": n_plus_one(spans),
        "payments": payments(spans),
        "recommender": recommender(spans),
        "slow_origin": slow_origin(spans),
        "cache": cache(spans, begin),
        "errors": errors(spans, roots),
        "clock": clock(spans),
        "lost_context": lost_context(spans),
        "own_sampling": own_sampling(spans),
        "batches": batches(spans),
        "old_names": {"spans": sum("http.method" in span.attributes for span in spans)},
    }


def totals(spans: list[Span]) -> dict:
    services = Counter(span.service for span in spans)
    traces = {span.trace_id for span in spans}
    return {"traces": len(traces), "spans": len(spans), "spans_by_service": dict(sorted(services.items()))}


def load_shape(roots: list[Span], begin: int) -> dict:
    moments = [(span.start - begin) / 1e9 for span in roots]
    bursts = [sum(at <= moment < at + length for moment in moments) / length for at, length in BURSTS]
    in_bursts = sum(rate * length for rate, (_, length) in zip(bursts, BURSTS, strict=True))
    quiet = (len(roots) - in_bursts) / (SECONDS - sum(length for _, length in BURSTS))
    users = Counter(span.attributes["user.id"] for span in roots)
    routes = Counter(f"{span.attributes['http.request.method']} {span.attributes['http.route']}" for span in roots)
    return {
        "requests": len(roots),
        "users": len(users),
        "busiest_user": list(users.most_common(1)[0]),
        "requests_by_route": dict(routes.most_common()),
        "requests_per_second": round(quiet, 1),
        "bursts": [
            {"at_second": at, "seconds": length, "requests_per_second": round(rate, 1)}
            for rate, (at, length) in zip(bursts, BURSTS, strict=True)
        ],
    }


def version_change(spans: list[Span], begin: int) -> dict:
    orders = [span for span in spans if span.service == "orders" and span.kind == SERVER]
    groups = defaultdict(list)
    for span in orders:
        groups[span.version, span.attributes["customer.kind"]].append(span.milliseconds)
    first_new = min(span.start for span in orders if span.version == "1.9.0")
    return {
        "at_second": round((first_new - begin) / 1e9, 1),
        "orders": [
            {"version": version, "customer": kind, "count": len(times), "median_ms": round(statistics.median(times), 1)}
            for (version, kind), times in sorted(groups.items())
        ],
        "slowed": sum(span.name == "load_price_list" for span in spans),
    }


def n_plus_one(spans: list[Span]) -> dict:
    queries = Counter(
        (child.trace_id, parent.span_id) for child, parent in with_parents(spans) if "ListP" in parent.name
    )
    listings = [span for span in spans if span.service == "catalogue" and span.name.endswith("ListProducts")]
    counts = [queries[span.trace_id, span.span_id] for span in listings]
    return {
        "listings": len(listings),
        "queries": sum(counts),
        "fewest_queries": min(counts),
        "most_queries": max(counts),
    }


def payments(spans: list[Span]) -> dict:
    attempts = [span for span in spans if span.service == "orders" and span.name == "pay"]
    timed_out = [span for span in spans if span.service == "orders" and "deadline" in span.status_message]
    outliving = [
        child for child, parent in with_parents(spans) if child.service == "payments" and child.end > parent.end
    ]

    def orders(kind: str) -> int:
        return sum(span.attributes["order.id"].startswith(kind) for span in attempts)

    return {
        "orders": len(attempts),
        "paid_at_second_try": sum(span.attributes["payment.attempts"] == 2 and not span.failed for span in attempts),
        "failed_after_three": orders("down-"),
        "timed_out_after_three": orders("slow-"),
        "timed_out_calls": len(timed_out),
        "spans_that_outlive_their_parent": len(outliving),
        "declined": orders("declined-"),
    }


def recommender(spans: list[Span]) -> dict:
    calls = [span for span in spans if span.service == "gateway" and span.kind == CLIENT and span.name == "GET"]
    ranked = [span for span in spans if span.name == "rank_products"]
    fallbacks = sum("recommendations.fallback" in span.attributes for span in spans)
    return {
        "calls": len(calls),
        "stuck": sum(span.attributes["session.id"].startswith("stuck-") for span in ranked),
        "broken": sum(span.failed for span in ranked),
        "given_up": sum("timeout" in span.status_message for span in calls),
        "fallbacks": fallbacks,
    }


def slow_origin(spans: list[Span]) -> dict:
    fetched = [span for span in spans if span.name == "fetch_content"]
    slow = [span.milliseconds for span in fetched if "/slowcdn-" in span.attributes["content.url"]]
    usual = [span.milliseconds for span in fetched if "/slowcdn-" not in span.attributes["content.url"]]
    return {
        "fetches": len(fetched),
        "slow": len(slow),
        "slow_median_ms": round(statistics.median(slow), 1),
        "usual_median_ms": round(statistics.median(usual), 1),
    }


def cache(spans: list[Span], begin: int) -> dict:
    """Count misses per phase; a product that does not exist is never in the cache and does not count."""
    looked_up = [
        ((span.start - begin) / 1e9, span.attributes["cache.hit"])
        for span in spans
        if span.name == "product.lookup" and span.attributes["product.id"] != UNKNOWN_PRODUCT
    ]

    def phase(since: float, until: float) -> dict:
        hits = [hit for moment, hit in looked_up if since <= moment < until]
        return {"from_second": since, "to_second": until, "lookups": len(hits), "misses": hits.count(False)}

    flush = round(CACHE_FLUSH_AT, 1)
    return {
        "cold_at_second": flush,
        "phases": [phase(0, 20), phase(20, flush), phase(flush, flush + 20), phase(flush + 20, float(SECONDS))],
    }


def errors(spans: list[Span], roots: list[Span]) -> dict:
    reached: Counter[str] = Counter()
    refused: Counter[str] = Counter()
    for span in roots:
        status = span.attributes["http.response.status_code"]
        target = reached if status >= 500 else refused if status >= 400 else None
        if target is not None:
            target[f"{span.attributes['http.request.method']} {span.attributes['http.route']} {status}"] += 1
    traces = by_trace(spans)
    swallowed: Counter[str] = Counter()
    for root in roots:
        if root.attributes["http.response.status_code"] < 400:
            failing = {f"{span.service} {span.name}" for span in traces[root.trace_id] if span.failed}
            swallowed.update(failing | {"(any)"} if failing else ())
    return {
        "reached_the_user": dict(sorted(reached.items())),
        "refused": dict(sorted(refused.items())),
        "traces_with_swallowed_errors": swallowed.pop("(any)", 0),
        "swallowed_by_failing_span": dict(sorted(swallowed.items())),
    }


def clock(spans: list[Span]) -> dict:
    """Compare each gRPC server span with its client: a server cannot begin before it is called."""
    lags = defaultdict(list)
    for child, parent in with_parents(spans):
        if child.service == "catalogue" and child.kind == SERVER:
            lags[child.host].append((child.start - parent.start) / 1e6)
    return {
        host: {
            "spans": sum(span.host == host for span in spans),
            "calls": len(values),
            "calls_that_begin_before_their_caller": sum(value < 0 for value in values),
            "median_lag_ms": round(statistics.median(values), 1),
        }
        for host, values in sorted(lags.items())
    }


def lost_context(spans: list[Span]) -> dict:
    lost = {span.trace_id for span in spans if span.name == "rank_products" and not span.parent_id}
    return {"traces": len(lost), "spans": sum(span.trace_id in lost for span in spans)}


def own_sampling(spans: list[Span]) -> dict:
    sent = {span.trace_id for span in spans if span.name == "orders.placed send" and span.kind == PRODUCER}
    recorded = {span.trace_id for span in spans if span.service == "fulfilment"}
    mails = [span for span in spans if span.name == "send_mail"]
    known = {(span.trace_id, span.span_id) for span in spans}
    jams = [span for span in spans if span.name == "pack_order" and span.failed]
    return {
        "orders_sent": len(sent),
        "orders_with_fulfilment": len(sent & recorded),
        "share": round(len(sent & recorded) / len(sent), 3),
        "mails": len(mails),
        "mails_without_parent": sum((span.trace_id, span.parent_id) not in known for span in mails),
        "jams_recorded": len(jams),
    }


def batches(spans: list[Span]) -> dict:
    found = [span for span in spans if span.name == "mails process" and span.kind == CONSUMER]
    sizes = [span.links for span in found]
    return {"batches": len(found), "links": sum(sizes), "largest": max(sizes)}
