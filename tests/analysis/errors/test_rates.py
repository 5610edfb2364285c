from __future__ import annotations

import polars as pl
import pytest

from tracelab.analysis import error_rates
from tracelab.errors import TracelabError
from tracelab.schema import ATTRIBUTES
from tracelab.synthetic import draw


def test_error_rates_have_wilsons_interval() -> None:
    spans = draw("\n\n".join(["api =!"] * 2 + ["api ="] * 8))
    answer = error_rates(spans).row(0, named=True)
    assert (answer["spans"], answer["errors"], answer["error_rate"]) == (10, 2, 0.2)
    # Worked by hand: z = 1.96, middle (0.2 + 0.19207) / 1.38415, reach 1.96 / 1.38415 * sqrt(0.016 + 0.0096036).
    assert answer["lower"] == pytest.approx(0.05668, abs=1e-4)
    assert answer["upper"] == pytest.approx(0.50984, abs=1e-4)


@pytest.mark.parametrize("confidence", [0.5, 0.95, 0.999])
def test_error_rates_of_none_and_all_reach_the_ends(confidence: float) -> None:
    none = error_rates(draw("api =\n\napi ="), confidence=confidence).row(0, named=True)
    every = error_rates(draw("api =!\n\napi =!"), confidence=confidence).row(0, named=True)
    assert none["lower"] == 0
    assert 0 < none["upper"] < 1
    assert every["upper"] == 1
    assert 0 < every["lower"] < 1


def test_error_rates_count_http_5xx_only_where_the_status_is_unset() -> None:
    spans = draw("""
        a = http.response.status_code=503

        b = http.status_code=500 status=ok

        c = http.response.status_code=404

        d =! http.response.status_code=404
    """)
    assert error_rates(spans).select("service_name", "errors").rows() == [("a", 1), ("b", 0), ("c", 0), ("d", 1)]


def test_error_rates_read_a_status_that_is_text() -> None:
    spans = draw("a = http.status_code=503\n\na = http.status_code=none")
    assert error_rates(spans)["errors"].item() == 1


def test_error_rates_read_a_status_that_has_no_column() -> None:
    more = pl.Series([[{"key": "span.http.status_code", "value": "502"}]]).cast(ATTRIBUTES)
    assert error_rates(draw("a =").with_columns(more_attributes=more))["errors"].item() == 1
    assert error_rates(draw("a =").drop("more_attributes"))["errors"].item() == 0


SERVERS_OWN = (2, 4, 12, 13, 14, 15)
OLD, NEW = "rpc.grpc.status_code", "rpc.response.status_code"


@pytest.mark.parametrize("key", [OLD, NEW])
@pytest.mark.parametrize("code", range(17))
def test_error_rates_count_codes_of_grpc_as_the_conventions_do(key: str, code: int) -> None:
    kinds = ("server", "client", "producer", "consumer", "internal", "unspecified")
    spans = draw("\n\n".join(f"{kind} = kind={kind} {key}={code}" for kind in kinds))
    failed = dict(error_rates(spans, entry_only=False).select("service_name", "errors").rows())
    assert failed == {kind: int(code in SERVERS_OWN if kind == "server" else code != 0) for kind in kinds}


@pytest.mark.parametrize(
    ("attributes", "failed"),
    [
        (f'{OLD}="14"', True),
        (f"{OLD}=14.0", True),
        (f"{OLD}=UNAVAILABLE", True),
        (f"{OLD}=deadline_exceeded", True),
        (f"{OLD}=DeadlineExceeded", True),
        (f"{OLD}=StatusCode.DATA_LOSS", True),
        (f"{OLD}=NOT_FOUND", False),
        (f"{OLD}=OK", False),
        (f"{OLD}=17", False),
        (f"{OLD}=-1", False),
        (f"{OLD}=nonsense", False),
        (f"{NEW}=UNAVAILABLE", True),
        (f"{NEW}=14 rpc.system=grpc", True),
        (f"{NEW}=14 rpc.system.name=gRPC", True),
        (f"{NEW}=14 rpc.system.name=dubbo", False),
        (f"{NEW}=14 rpc.system=dubbo", False),
        (f'{NEW}=14 rpc.system.name="" rpc.system=dubbo', False),
        (f'{NEW}=14 rpc.system.name="" rpc.system=""', True),
        (f"{NEW}=14 rpc.system.name=jsonrpc rpc.system=grpc", False),
        (f"{NEW}=unavailable rpc.system=connect_rpc", True),
        (f"{OLD}=14 rpc.system=dubbo", True),
        (f"{OLD}=0 {NEW}=UNAVAILABLE", True),
        (f"{OLD}=14 status=ok", False),
        (f"{OLD}=14 http.response.status_code=200", True),
        (f"{OLD}=0 http.response.status_code=502", True),
        ("http.response.status_code=404 http.status_code=500", False),
        ("http.response.status_code=500 http.status_code=200", True),
        ('http.response.status_code="" http.status_code=500', True),
        ("http.response.status_code=none http.status_code=500", True),
    ],
)
@pytest.mark.parametrize("in_columns", [True, False])
def test_error_rates_read_codes_however_they_were_written(attributes: str, *, in_columns: bool, failed: bool) -> None:
    spans = draw(f"a = kind=server {attributes}")
    assert error_rates(spans if in_columns else without_columns(spans))["errors"].item() == failed


def without_columns(spans: pl.DataFrame) -> pl.DataFrame:
    """Move the attributes of a frame of one span into `more_attributes`."""
    columns = [name for name in spans.columns if name.startswith("span.")]
    pairs = [{"key": name, "value": str(spans[name].item())} for name in columns]
    return spans.drop(columns).with_columns(more_attributes=pl.Series([pairs]).cast(ATTRIBUTES))


def test_error_rates_name_a_failing_trace() -> None:
    spans = draw("a =\n\na =!\n\na =!\n\nb =")
    assert error_rates(spans)["exemplar_trace_id"].to_list() == [f"{2:032x}", None]


def test_error_rates_go_by_windows() -> None:
    spans = draw("a =\n\na =!\n\na =")
    answer = error_rates(spans, by="name", every="2s")
    assert answer.select("spans", "errors").rows() == [(2, 1), (1, 0)]
    assert answer.columns[:2] == ["name", "window"]


def test_error_rates_say_what_is_wrong() -> None:
    with pytest.raises(TracelabError, match="`confidence` must lie between 0 and 1, got 0"):
        error_rates(draw("a ="), confidence=0)
