"""The Instrumentation Score: the specification's rules, weights and bands."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

import tracelab as tl
from tracelab.auditing.score import SPECIFICATION, WEIGHTS, scored
from tracelab.synthetic import draw


def results(**levels: tuple[int, int]) -> pl.DataFrame:
    """Make results of rules: by impact, how many pass of how many."""
    rows = [
        ("shop", "passed" if number < passed else "failed", WEIGHTS[impact])
        for impact, (passed, total) in levels.items()
        for number in range(total)
    ]
    return pl.DataFrame(rows, schema=["service_name", "result", "weight"], orient="row")


def of(spans: pl.DataFrame, rule: str, service: str | None = None) -> dict[str, Any]:
    found = tl.instrumentation_score(spans).filter(pl.col("rule") == rule)
    return found.filter(pl.col("service_name") == service if service else pl.lit(value=True)).row(0, named=True)


def described(spans: pl.DataFrame, **resource: Any) -> pl.DataFrame:
    return spans.with_columns(
        **{f"resource.{key.replace('_', '.')}": pl.Series(values, dtype=pl.String) for key, values in resource.items()}
    )


def test_the_specifications_own_example_has_its_score() -> None:
    example = results(critical=(4, 8), important=(8, 10), normal=(6, 8), low=(1, 5))
    assert scored(example)["score"][0] == pytest.approx(63.86, abs=0.005)


@pytest.mark.parametrize(
    ("passed", "band"),
    [(200, "excellent"), (180, "excellent"), (179, "good"), (150, "good"), (149, "needs improvement"), (99, "poor")],
)
def test_what_is_between_two_bands_is_in_the_lower_one(passed: int, band: str) -> None:
    assert scored(results(normal=(passed, 200)))["band"][0] == band


def test_rules_that_are_not_assessable_do_not_count() -> None:
    rest = pl.DataFrame({"service_name": ["shop"], "result": ["not assessable"], "weight": [30]})
    both = scored(pl.concat([results(normal=(1, 2)), rest]))
    assert both["score"].to_list() == [50.0] * 3
    assert both["assessed"].to_list() == [2] * 3
    assert both["incomplete"].all()


def test_every_rule_of_the_specification_has_a_row_per_service() -> None:
    score = tl.instrumentation_score(draw("web ===\nbank ==="))
    assert score.height == 2 * len(SPECIFICATION) == 2 * 19
    assert score["incomplete"].all()
    assert set(score.filter(pl.col("rule").str.contains("LOG|MET|SDK|SPA-003"))["result"]) == {"not assessable"}


def test_instances_without_an_id_fail() -> None:
    spans = draw("web ===\nweb ===")
    assert of(spans, "RES-001")["result"] == "failed"
    assert of(described(spans, service_instance_id=["a", None]), "RES-001")["count"] == 1
    assert of(described(spans, service_instance_id=["a", "b"]), "RES-001")["result"] == "passed"


def test_two_pods_with_one_instance_id_fail() -> None:
    spans = draw("web ===\nweb ===")
    shared = described(spans, service_instance_id=["a", "a"], k8s_pod_name=["x", "y"])
    own = described(spans, service_instance_id=["a", "b"], k8s_pod_name=["x", "y"])
    assert of(shared, "RES-002")["result"] == "failed"
    assert len(of(shared, "RES-002")["exemplar_span_ids"]) == 2
    assert of(own, "RES-002")["result"] == "passed"
    assert of(described(spans, service_instance_id=["a", "a"]), "RES-002")["result"] == "not assessable"


def test_services_may_share_an_instance_id() -> None:
    spans = described(draw("web ===\nbank ==="), service_instance_id=["a", "a"], k8s_pod_name=["x", "y"])
    assert of(spans, "RES-002", "web")["result"] == "passed"


def test_pods_should_have_a_uid_where_pods_are_described() -> None:
    spans = draw("web ===")
    assert of(spans, "RES-003")["result"] == "not assessable"
    assert of(described(spans, k8s_pod_name=["x"]), "RES-003")["result"] == "failed"
    assert of(described(spans, k8s_pod_name=["x"], k8s_pod_uid=["1"]), "RES-003")["result"] == "passed"


def test_attributes_at_the_wrong_level_fail() -> None:
    assert of(draw("web === service.name=web"), "RES-004")["result"] == "not assessable"
    assert of(described(draw("web === service.name=web"), os_name=["linux"]), "RES-004")["result"] == "failed"
    assert of(described(draw("web ==="), http_request_method=["GET"]), "RES-004")["result"] == "failed"
    assert of(described(draw("web ==="), os_name=["linux"]), "RES-004")["result"] == "passed"


@pytest.mark.parametrize(
    ("name", "result"), [("", "failed"), ("unknown_service", "failed"), ("unknown_service:go", "passed")]
)
def test_a_service_without_a_name_fails(name: str, result: str) -> None:
    assert of(draw("web ===").with_columns(service_name=pl.lit(name)), "RES-005")["result"] == result


@pytest.mark.parametrize(("internal", "result"), [(10, "passed"), (11, "failed")])
def test_a_trace_has_at_most_ten_internal_spans_of_a_service(internal: int, result: str) -> None:
    spans = draw("web ========= kind=server\n" + "  web ========= \n" * internal)
    row = of(spans, "SPA-001")
    assert (row["result"], row["out_of"]) == (result, 1)
    assert len(row["exemplar_span_ids"] or []) == (5 if result == "failed" else 0)


@pytest.mark.parametrize(("short", "result"), [(20, "passed"), (21, "failed")])
def test_a_trace_has_at_most_twenty_short_spans_of_a_service(short: int, result: str) -> None:
    spans = draw("web ========= kind=server\n" + "  web ==== kind=client\n" * short + "  web ===== kind=client\n" * 9)
    assert of(spans, "SPA-005")["result"] == result


def test_a_parent_that_is_missing_fails_the_service_of_the_child() -> None:
    spans = draw("""
        web    =====
          gone
            bank .==
    """)
    assert of(spans, "SPA-002", "bank")["result"] == "failed"
    assert of(spans, "SPA-002", "web")["result"] == "passed"


def test_a_trace_that_begins_with_a_call_fails() -> None:
    assert of(draw("web === kind=client"), "SPA-004")["result"] == "failed"
    assert of(draw("web === kind=server\n  web === kind=client"), "SPA-004")["result"] == "passed"


def test_no_spans_give_no_rows_with_the_same_columns() -> None:
    spans = draw("web ===")
    assert tl.instrumentation_score(spans.clear()).schema == tl.instrumentation_score(spans).schema


def test_the_order_of_rows_changes_nothing() -> None:
    spans = draw("web ===\nbank === kind=client\nbank === kind=client")
    assert tl.instrumentation_score(spans.reverse()).equals(tl.instrumentation_score(spans))
