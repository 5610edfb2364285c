"""TRUTH.md from the counts."""

from __future__ import annotations


def page(truth: dict) -> str:
    speed = [change, many_queries, retries, fallbacks, slow_fetches, cold_cache]
    faults = [told_and_untold, wrong_clock, lost, sampled, batched, old_names]
    return "\n\n".join(section(truth) for section in [head, *speed, *faults]) + "\n"


def table(header: list[str], rows: list[list[object]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def head(truth: dict) -> str:
    totals, load = truth["totals"], truth["load"]
    user, most = load["busiest_user"]
    bursts = "; ".join(
        f"at second {burst['at_second']:.0f} for {burst['seconds']} s with {burst['requests_per_second']} a second"
        for burst in load["bursts"]
    )
    return f"""# What is true about `shop.otlp.jsonl.gz`

Written by `shop/truth.py` at the end of a run, counted from the spans themselves; the same numbers are in `truth.json`.
Seconds count from the first request. A new run has other ids and times, and the same shapes and proportions.

{totals["traces"]:,} traces, {totals["spans"]:,} spans.

{table(["service", "spans"], [[name, count] for name, count in totals["spans_by_service"].items()])}

{load["requests"]:,} requests of {load["users"]} users (`user.id`) in three minutes.
The busiest, {user}, sent {most} of them.
Between the bursts {load["requests_per_second"]} requests a second came; bursts: {bursts}.

{table(["route", "requests"], [[f"`{name}`", count] for name, count in load["requests_by_route"].items()])}"""


def change(truth: dict) -> str:
    data = truth["version_change"]
    rows = [[group["version"], group["customer"], group["count"], group["median_ms"]] for group in data["orders"]]
    return f"""## A new version makes one route slower, for one kind of customer

* Where: `orders`, `POST /orders`, span `load_price_list` below `compute_discount`.
* When: from second {data["at_second"]} on, when all orders go to version 1.9.0 on host `orders-2`.
* How many: {data["slowed"]} orders of business customers (`customer.kind`) wait about 140 ms more; consumers do not.
* See it: latency of `POST /orders` by `resource.service.version` and `span.customer.kind`.

{table(["version", "customer", "orders", "median ms"], rows)}"""


def many_queries(truth: dict) -> str:
    data = truth["n_plus_one"]
    return f"""## N+1 queries

* Where: `catalogue`, gRPC `ListProducts`: one query for the products, then one for the price of each.
* When: always.
* How many: {data["listings"]} listings made {data["queries"]:,} queries, at least {data["fewest_queries"]} and
  at most {data["most_queries"]} each.
* See it: count the `SELECT` children of each `/shop.Catalogue/ListProducts`."""


def retries(truth: dict) -> str:
    data = truth["payments"]
    return f"""## Retries and timeouts

* Where: `orders` calls `payments`, at most three times with 30 ms between, each time for at most 400 ms
  (span `pay`, attribute `payment.attempts`).
* When: always. How it goes is the first word of `order.id`.

| `order.id` | what happens | orders |
| --- | --- | --- |
| `flaky-` | first call answered 503, second one succeeds: swallowed | {data["paid_at_second_try"]} |
| `down-` | three calls answered 503: the user gets 502 | {data["failed_after_three"]} |
| `slow-` | three calls time out: the user gets 504 | {data["timed_out_after_three"]} |
| `declined-` | answered 402 at once, no retry: the user gets 402 | {data["declined"]} |

* {data["timed_out_calls"]} calls timed out. `payments` went on all the same:
  {data["spans_that_outlive_their_parent"]} of its spans end after their parent.
* See it: siblings named `HTTP POST` below `pay`; server spans of `payments` that end later than their parent."""


def fallbacks(truth: dict) -> str:
    data = truth["recommender"]
    return f"""## A helper that fails in silence

* Where: `gateway` asks `recommender` and gives up after 450 ms; on any failure it answers with bestsellers, 200.
* When: always. How it goes is the first word of `session.id` (on `rank_products`).
* How many: of {data["calls"]} calls {data["broken"]} met an exception (`broken-`) and {data["given_up"]} were given up
  ({data["stuck"]} sessions were `stuck-`, a second). {data["fallbacks"]} answers carry `recommendations.fallback`.
* See it: traces with a failing span whose root did not fail."""


def slow_fetches(truth: dict) -> str:
    data = truth["slow_origin"]
    return f"""## A slow origin makes the tail

* Where: `content-analysis`, span `fetch_content`, where `content.url` says `slowcdn-`.
* When: always.
* How many: {data["slow"]} of {data["fetches"]} fetches, median {data["slow_median_ms"]} ms
  instead of {data["usual_median_ms"]} ms.
* See it: p99 of `POST /api/reviews` and its critical path."""


def cold_cache(truth: dict) -> str:
    data = truth["cache"]
    rows = [
        [f"{phase['from_second']:.0f} to {phase['to_second']:.0f}", phase["lookups"], phase["misses"]]
        for phase in data["phases"]
    ]
    return f"""## A cache goes cold

* Where: `gateway`, span `product.lookup` (attribute `cache.hit`); a miss asks the catalogue and fills the cache.
* When: empty at the beginning; flushed at second {data["cold_at_second"]:.0f}.
* See it: share of `cache.hit = false` over time (without product 999, which does not exist).

{table(["seconds", "lookups", "misses"], rows)}"""


def told_and_untold(truth: dict) -> str:
    data = truth["errors"]
    reached = [[f"`{name}`", count] for name, count in data["reached_the_user"].items()]
    refused = [[f"`{name}`", count] for name, count in data["refused"].items()]
    swallowed = [[f"`{name}`", count] for name, count in data["swallowed_by_failing_span"].items()]
    return f"""## Errors that reach the user, and errors that do not

{table(["reached the user", "requests"], reached)}

{table(["refused, which is no failure of the shop", "requests"], refused)}

{data["traces_with_swallowed_errors"]} traces hold failing spans though the user got an answer below 400:

{table(["failing span", "traces"], swallowed)}"""


def wrong_clock(truth: dict) -> str:
    rows = [
        [host, data["spans"], data["calls"], data["calls_that_begin_before_their_caller"], data["median_lag_ms"]]
        for host, data in truth["clock"].items()
    ]
    header = ["host", "spans", "calls", "begin before their caller", "median lag behind the caller, ms"]
    return f"""## A clock that is 40 ms behind

* Where: host `catalogue-2` (products with even numbers, categories with an even number of letters).
* When: always; every span of the host is 40 ms too early.
* See it: gRPC server spans that begin before the client span that called them.

{table(header, rows)}"""


def lost(truth: dict) -> str:
    data = truth["lost_context"]
    return f"""## A service that loses the context

* Where: `recommender`, on the way into its thread pool: `rank_products` is the root of a trace of its own.
* When: always.
* How many: {data["traces"]} traces without a front end, {data["spans"]:,} spans in them (the catalogue's included).
* See it: traces whose root is in `recommender`; `GET /recommendations` has no children."""


def sampled(truth: dict) -> str:
    data = truth["own_sampling"]
    return f"""## A service that samples with a ratio of its own

* Where: `fulfilment` records 60 % of the traces (`traceidratio`), whatever its caller decided; `mailer` records all.
* When: always.
* How many: {data["orders_sent"]} orders were sent to the queue, {data["orders_with_fulfilment"]} of them have spans of
  `fulfilment` ({data["share"]:.1%}). {data["mails_without_parent"]} of {data["mails"]} spans
  `send_mail` name a parent that nobody recorded.
* The packing machine jams once for orders `jam-`: the error is recorded, the message goes back to the queue and is
  packed at its second delivery. {data["jams_recorded"]} jams were recorded, the others were not sampled.
* See it: orphans by service."""


def batched(truth: dict) -> str:
    data = truth["batches"]
    return f"""## Links between traces

* Where: `mailer` takes several mails at once. A batch (`mails process`) is a trace of its own with a link to every
  mail's sender; each `send_mail` belongs to its order's trace and links back to the batch.
* How many: {data["batches"]} batches with {data["links"]} links, the largest with {data["largest"]}."""


def old_names(truth: dict) -> str:
    return f"""## Two generations of attribute names

`recommender` still writes the old HTTP names (`http.method`): {truth["old_names"]["spans"]} spans. The others write
`http.request.method`. The database and gRPC instrumentations write the old `db.*` and `rpc.*` names."""
