from __future__ import annotations

from datetime import timedelta

import networkx as nx
import polars as pl
import pytest

from tracelab.analysis import critical_services, service_graph, to_networkx
from tracelab.errors import SchemaError
from tracelab.synthetic import draw, generate

SHOP = """
web::GET /buy       ==============    kind=server
  web::check        .==
  web::POST         ...==========!    kind=client
    pay::POST       ....========      kind=server
      pay::INSERT   .....===          kind=client  db.system.name=postgresql db.namespace=shop
      pay::bank     .........==       kind=client  server.address=bank.example
      pay::send     ...........=      kind=producer messaging.system=kafka messaging.destination.name=mails
  web::notify       .............=    kind=producer messaging.system=kafka
    mail::send      ................= kind=consumer
"""


def ms(length: float) -> timedelta:
    return timedelta(milliseconds=length)


def test_service_graph_has_an_edge_per_caller_and_callee() -> None:
    edges = service_graph(draw(SHOP)).sort("caller", "callee")
    assert edges.select("caller", "callee", "callee_type", "instrumented", "calls", "messages", "errors").rows() == [
        ("pay", "bank.example", "external", False, 1, 0, 0),
        ("pay", "kafka/mails", "queue", False, 1, 1, 0),
        ("pay", "postgresql/shop", "database", False, 1, 0, 0),
        ("web", "mail", "service", True, 1, 1, 0),
        ("web", "pay", "service", True, 1, 0, 1),
    ]


def test_service_graph_tells_the_time_on_the_wire() -> None:
    edges = service_graph(draw(SHOP)).filter(pl.col("callee") == "pay")
    assert edges.select("p50", "network_p50").row(0) == (ms(10), ms(2))


def test_service_graph_takes_direct_children_in_other_services_for_calls() -> None:
    spans = draw("""
        web   ====
          pay .==
    """)
    assert service_graph(spans).select("caller", "callee", "p50", "network_p50").rows() == [("web", "pay", ms(2), None)]


def test_service_graph_leaves_out_the_wire_where_one_call_has_two_answers() -> None:
    spans = draw("""
        web::call ======  kind=client
          a       .==     kind=server
          b       ...==   kind=server
    """)
    assert service_graph(spans)["network_p50"].to_list() == [None, None]


def test_service_graph_sees_a_service_that_calls_itself() -> None:
    spans = draw("""
        web::call ====  kind=client
          web::in .==   kind=server
          web::x  .=
    """)
    assert service_graph(spans).select("caller", "callee", "calls").rows() == [("web", "web", 1)]


def test_service_graph_reads_peers_that_have_no_column() -> None:
    spans = draw("web ==== kind=client").with_columns(
        more_attributes=pl.Series([[{"key": "span.peer.service", "value": "legacy"}]]).cast(
            pl.Map(pl.String(), pl.String())
        )
    )
    assert service_graph(spans).select("callee", "callee_type").rows() == [("legacy", "external")]


def test_service_graph_has_no_edge_to_who_is_not_known() -> None:
    assert service_graph(draw("web ==== kind=client")).is_empty()


def test_service_graph_knows_a_callee_by_its_name_however_it_is_told() -> None:
    spans = draw("""
        web::a        ==  kind=producer messaging.system=kafka messaging.destination.name=mails

        web::b        ==  kind=client peer.service=kafka/mails

        web::c        ==  kind=client
          kafka/mails =   kind=server

        web::d        ==  kind=client db.system=kafka db.name=mails
    """)
    assert service_graph(spans).select("callee", "callee_type", "instrumented", "calls").rows() == [
        ("kafka/mails", "service", True, 4)
    ]
    assert critical_services(spans).filter(service_name="web")["callees"].item() == 1


def test_service_graph_points_to_a_failing_trace() -> None:
    call = "web ==== kind=client server.address=x"
    spans = draw(f"{call}\n\n{call.replace('====', '====!')}")
    assert service_graph(spans).select("errors", "exemplar_trace_id").row(0) == (1, f"{2:032x}")


def test_to_networkx_keeps_all_that_is_known() -> None:
    graph = to_networkx(service_graph(draw(SHOP)))
    assert sorted(graph) == ["bank.example", "kafka/mails", "mail", "pay", "postgresql/shop", "web"]
    assert graph.nodes["pay"] == {"type": "service", "instrumented": True}
    assert graph.nodes["kafka/mails"] == {"type": "queue", "instrumented": False}
    assert graph.edges["web", "pay"]["errors"] == 1
    assert nx.has_path(graph, "web", "postgresql/shop")


def test_to_networkx_says_what_is_wrong() -> None:
    with pytest.raises(SchemaError, match="no column 'caller'"):
        to_networkx(pl.DataFrame({"a": [1]}))
    with pytest.raises(SchemaError, match="A NoneType is no service graph"):
        to_networkx(None)  # type: ignore[arg-type]


def test_to_networkx_takes_the_edges_in_any_frame() -> None:
    edges = service_graph(draw(SHOP)).drop("p50", "p95", "network_p50", "network_p95")
    for frame in (edges.lazy(), edges.to_pandas(), edges.to_arrow()):
        assert sorted(to_networkx(frame).edges) == sorted(to_networkx(edges).edges)  # type: ignore[arg-type]


def test_a_weighted_graph_counts_what_was_there_and_a_call_has_the_larger_weight_of_its_spans() -> None:
    spans = draw("""
        web::GET /pay   ========== kind=server
          web::POST     .========  kind=client
            pay::POST   ..======!  kind=server

        web::GET /pay   ========== kind=server
          web::POST     .====      kind=client
            pay::POST   ..==       kind=server
    """).with_columns(sampling_weight=pl.Series([1.0, 1.0, 1.0, 2.0, 2.0, 3.0]))
    row = service_graph(spans, weights="sampling_weight").row(0, named=True)
    assert (row["calls"], row["errors"]) == (2, 1)
    assert (row["estimated_calls"], row["estimated_errors"], row["error_rate"]) == (4, 1, 0.25)
    # Three calls of 4 ms and one of 8 ms, as the caller sees them.
    assert row["p50"] == timedelta(milliseconds=4)
    assert row["p95"] == timedelta(milliseconds=7.4)
    unknown = spans.with_columns(sampling_weight=pl.Series([1.0, 1.0, 1.0, 2.0, None, 3.0]))
    row = service_graph(unknown, weights="sampling_weight").row(0, named=True)
    assert (row["calls"], row["unknown_weight"], row["estimated_calls"], row["p50"]) == (2, 1, None, None)


def test_a_graph_with_a_weight_of_one_everywhere_is_the_graph() -> None:
    spans = generate(3_000, seed=5)
    plain, weighted = service_graph(spans), service_graph(spans, weights=pl.lit(1))
    by = ["caller", "callee"]
    assert weighted.select(plain.columns).sort(by).equals(plain.sort(by))
    assert weighted["estimated_calls_upper"].to_list() == weighted["calls"].to_list()
    assert service_graph(spans.clear(), weights=pl.lit(1)).height == 0
