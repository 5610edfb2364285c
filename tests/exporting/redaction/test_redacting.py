"""Redacted dumps: what goes, what stays, and what is equal."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

import tracelab as tl
from tracelab.exporting.redaction.keeping import words_of
from tracelab.schema import ATTRIBUTES, EVENTS, LINKS
from tracelab.synthetic import draw, generate

if TYPE_CHECKING:
    from pathlib import Path

SPANS = (
    draw("""
acme-web::GET /pay/lovelace   =======  kind=server http.route=/pay/:who http.request.method=GET user.id=lovelace n=17
  acme-web::call bank         .=====   kind=client peer.service=acme-bank server.address=bank.acme.internal n=4
    acme-bank::for lovelace   ..===!   kind=server error.type=AcmeError acme.tier=gold n=4

acme-web::GET /pay/babbage    =======  kind=server http.route=/pay/:who http.request.method=GET user.id=babbage
""")
    .rename({"span.n": "span.item.count"})
    .with_columns(pl.Series("span.app.partial", [None, None, None, True]))
)
MESSAGE = "span.word-1.message"
SECRETS = ("acme", "lovelace", "babbage", "gold", "/pay", "AcmeError", "bank", "sk_live", "10.1.2.3", "Traceback")


def loaded() -> pl.DataFrame:
    """Give the spans with something to hide in every place."""
    happened = [
        {
            "time": datetime(2026, 5, 1, 12, tzinfo=UTC),
            "name": "exception",
            "attributes": {
                "exception.type": "AcmeError",
                "exception.message": "no gold for lovelace",
                "acme.key": "sk_live1",
            },
        },
        {"time": datetime(2026, 5, 1, 12, tzinfo=UTC), "name": "acme paid", "attributes": {}},
    ]
    first = SPANS["span_id"][0]
    linked = [
        {
            "trace_id": SPANS["trace_id"][0],
            "span_id": first,
            "trace_state": "acme=1",
            "attributes": {"acme": "lovelace"},
        }
    ]
    more = [
        {
            "span.acme.message": "lovelace",
            "span.acme.count": "12",
            "span.acme.count:type": "int",
            "resource.acme": "babbage",
        }
    ]
    mixed = ["1", "lovelace", "true", "eA=="]
    return SPANS.with_columns(
        pl.Series("events", [happened] * 4, dtype=EVENTS),
        pl.Series("links", [linked] * 4, dtype=LINKS),
        pl.Series("more_attributes", more * 4, dtype=ATTRIBUTES),
        pl.Series("span.app.value", mixed),
        pl.Series("span.app.value:type", ["int", "string", "bool", "bytes"]),
        pl.Series("span.tags", [["lovelace", "babbage"], [], None, ["lovelace"]]),
        status_message=pl.lit("Traceback: lovelace"),
        trace_state=pl.lit("acme=sk_live1,ot=th:8;acme:1;rv:d0000000000000"),
        scope_name=pl.lit("com.acme"),
        acme_column=pl.lit("gold"),
    )


def test_nothing_that_tells_of_the_house_is_left_in_a_file(tmp_path: Path) -> None:
    hidden = tl.redact(loaded())
    for name in ("x.jsonl", "x.perfetto.json"):
        text = tl.write(hidden, tmp_path / name).read_text(encoding="utf-8")
        assert [secret for secret in SECRETS if secret in text] == []
    hidden.write_parquet(tmp_path / "x.parquet", compression="uncompressed")
    content = (tmp_path / "x.parquet").read_bytes()
    assert [secret for secret in SECRETS if secret.encode() in content] == []


def test_no_original_text_of_the_sample_is_left() -> None:
    spans = tl.read("sample_data/shop.otlp.jsonl.gz")
    hidden = tl.redact(spans)
    names = ("trace_id", "span_id", "name", "status_message", "service_name", "scope_name")
    text = [name for name, dtype in spans.schema.items() if dtype == pl.String and name.startswith("span.")]
    before = {one for name in (*names, *text) for one in spans[name].drop_nulls().unique() if len(one) > 6}
    after = {one for name, dtype in hidden.schema.items() if dtype == pl.String for one in hidden[name].drop_nulls()}
    assert before & after <= {"127.0.0.1", "localhost", "postgresql", "rabbitmq", "publish", "receive", "process"}


def test_what_is_equal_stays_equal_wherever_it_stands() -> None:
    hidden = tl.redact(loaded())
    assert hidden["span.peer.service"][1] == hidden["service_name"][2]
    assert hidden["links"][0][0]["span_id"] == hidden["span_id"][0]
    assert hidden["parent_span_id"].to_list()[1:3] == hidden["span_id"].to_list()[:2]
    assert hidden["span.error.type"][2] == hidden["events"][2][0]["attributes"]["exception.type"]
    assert hidden["span.user.id"][0] == hidden["more_attributes"][0][MESSAGE]


def test_order_types_and_shape_stay() -> None:
    spans = loaded()
    hidden = tl.redact(spans)
    assert hidden.height == spans.height
    assert sorted(map(str, hidden.dtypes)) == sorted(map(str, spans.dtypes))
    for name in ("trace_id", "span_id", "service_name", "name", "span.user.id"):
        assert hidden[name].rank("dense").equals(spans[name].rank("dense"))
    assert hidden["span.item.count"].rank("dense").equals(spans["span.item.count"].rank("dense"))
    kept = ["start_time", "duration", "kind", "status_code", "flags", "depth", "tree_left", "tree_right", "entry"]
    assert_frame_equal(hidden.select(kept), spans.select(kept))


def test_what_conventions_list_stays() -> None:
    hidden = tl.redact(loaded())
    assert hidden["span.http.request.method"].to_list() == ["GET", None, None, "GET"]
    assert hidden["events"][0][0]["name"] == "exception"
    assert hidden["trace_state"].unique().to_list() == ["ot=th:8;rv:d0000000000000"]
    assert hidden["span.app.partial"].to_list() == [None, None, None, True]


def test_a_listed_value_that_is_no_word_goes() -> None:
    spans = SPANS.with_columns(pl.lit("lovelace@acme.com said so").alias("span.http.request.method"))
    assert "lovelace" not in str(tl.redact(spans)["span.http.request.method"].to_list())


@pytest.mark.parametrize(
    ("key", "stays", "goes"),
    [
        ("telemetry.sdk.language", "java", "acme-agent"),
        ("telemetry.sdk.version", "1.27.0", "acme-3"),
        ("process.runtime.version", "17.0.2+8", "17-acme"),
        ("db.system", "postgresql", "acmedb"),
        ("messaging.system", "kafka", "acme-bus"),
        ("http.request.method", "PATCH", "LOVELACE"),
        ("db.response.status_code", "42P01", "ACME1"),
        ("http.response.status_code", "503", "98765432"),
        ("sampler.param", "0.001", "lovelace"),
    ],
)
def test_a_word_that_conventions_do_not_list_goes(key: str, stays: str, goes: str) -> None:
    spans = SPANS.with_columns(pl.Series(f"span.{key}", [stays, goes, None, stays]))
    hidden = tl.redact(spans)[f"span.{key}"].to_list()
    assert hidden[0] == stays == hidden[3]
    assert hidden[1].startswith("value-")


def test_lists_and_large_numbers_of_listed_keys_go() -> None:
    hidden = tl.redact(
        SPANS.with_columns(
            pl.Series("span.http.method", [["lovelace"], None, [], ["GET"]]),
            pl.Series("span.http.status_code", [200, 98765432, None, 503]),
        )
    )
    assert "lovelace" not in str(hidden["span.http.method"].to_list())
    assert hidden["span.http.status_code"].to_list() == [200, 1, None, 503]


def test_text_that_is_called_a_boolean_goes() -> None:
    spans = SPANS.with_columns(
        pl.Series("span.app.value", ["lovelace", "true", None, "1"]),
        pl.Series("span.app.value:type", ["bool", "bool", None, "int"]),
    )
    hidden = tl.redact(spans)["span.app.value"].to_list()
    assert "lovelace" not in str(hidden)
    assert hidden[1] == "true"


def test_mixed_values_keep_their_types() -> None:
    hidden = tl.redact(loaded())
    assert hidden["span.app.value:type"].to_list() == ["int", "string", "bool", "bytes"]
    whole, text, flag, _ = hidden["span.app.value"].to_list()
    assert (whole, flag) == ("1", "true")
    assert text.startswith("value-")
    assert hidden["more_attributes"][0]["span.word-1.count:type"] == "int"


def test_kept_names_and_patterns_stay() -> None:
    keep = ("service_name", "user.*", "event.exception.type", "span.tags", "trace_id", "acme_column")
    hidden = tl.redact(loaded(), keep=keep)
    for name in ("service_name", "trace_id", "span.user.id", "span.tags", "acme_column"):
        assert hidden[name].equals(loaded()[name])
    assert hidden["events"][0][0]["attributes"]["exception.type"] == "AcmeError"
    assert hidden["span.peer.service"][1] == "acme-bank"
    assert hidden["links"][0][0]["trace_id"] == SPANS["trace_id"][0]


def test_a_name_that_keeps_nothing_is_told() -> None:
    with pytest.warns(tl.QueryWarning, match=r"'service_nam'.*Did you mean 'service_name'"):
        tl.redact(SPANS, keep="service_nam")


def test_one_key_gives_two_dumps_the_same_pseudonyms() -> None:
    one = tl.redact(SPANS, key="our own secret")
    other = tl.redact(SPANS.filter(pl.col("service_name") == "acme-bank"), key=b"our own secret")
    names = ["trace_id", "span_id", "parent_span_id", "service_name", "name", "span.item.count", "span.error.type"]
    assert other.select(names).rows() == one.filter(SPANS["service_name"] == "acme-bank").select(names).rows()
    assert not one["service_name"].equals(tl.redact(SPANS, key="another secret")["service_name"])
    assert one["trace_id"].str.len_chars().unique().to_list() == [32]


def test_without_a_key_no_two_dumps_have_the_same_ids() -> None:
    assert not tl.redact(SPANS)["trace_id"].equals(tl.redact(SPANS)["trace_id"])


def test_times_are_moved_back_together() -> None:
    spans = loaded()
    hidden = tl.redact(spans, shift_times="1000d")
    assert hidden["start_time"].equals(spans["start_time"] - timedelta(days=1000))
    assert hidden["events"][0][0]["time"] == datetime(2026, 5, 1, 12, tzinfo=UTC) - timedelta(days=1000)


@pytest.mark.parametrize(
    "options", [{"keep": 3}, {"keep": [""]}, {"key": "short"}, {"key": 12345678}, {"shift_times": "90000d"}]
)
def test_options_that_are_none_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(tl.TracelabError, match=f"`{next(iter(options))}`"):
        tl.redact(SPANS, **options)


def test_a_column_that_nobody_can_judge_is_refused() -> None:
    spans = SPANS.with_columns(mine=pl.struct("name"))
    with pytest.raises(tl.SchemaError, match=r"'mine' holds Struct.*keep"):
        tl.redact(spans)
    assert tl.redact(spans, keep="mine")["mine"].equals(spans["mine"])


def test_a_lazy_frame_stays_lazy_and_no_spans_stay_none() -> None:
    assert isinstance(tl.redact(SPANS.lazy()), pl.LazyFrame)
    assert tl.redact(loaded().clear()).height == 0
    assert tl.redact(tl.redact(SPANS)).height == SPANS.height


def test_words_of_keys_stay_where_many_have_them() -> None:
    assert all(stays for _, stays in words_of("order.id"))
    assert [part for part, stays in words_of("acme.tier") if not stays] == ["acme"]
    assert [part for part, stays in words_of("sk_live_4711") if not stays]


def test_messages_that_differ_in_numbers_stay_alike() -> None:
    spans = SPANS.with_columns(status_message=pl.Series(["no 1 here", "no 22 here", "gone", None]))
    found = tl.redact(spans)["status_message"].to_list()
    assert len(set(found)) == 4
    assert found[0].split(" ")[0] == found[1].split(" ")[0] != found[2].split(" ")[0]


def test_many_spans_take_little_time() -> None:
    spans = generate(50_000)
    hidden = tl.redact(spans)
    assert hidden["span_id"].n_unique() == spans["span_id"].n_unique()
