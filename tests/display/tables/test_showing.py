from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest

import tracelab as tl
from tracelab.synthetic import draw, generate

SPANS = generate(200, seed=1)
IDS = {*SPANS["trace_id"], *SPANS["span_id"], *SPANS["parent_span_id"].drop_nulls()}
EVIL = "</script><img src=x onerror=alert(1)>\x1b[31m\u202e$x$\"'"


def answers() -> list[pl.DataFrame]:
    return [
        tl.trace_summary(SPANS),
        tl.latency_percentiles(SPANS),
        tl.error_rates(SPANS),
        tl.error_origins(SPANS),
        tl.critical_path_profile(SPANS),
        tl.search(SPANS, "{ }"),
        tl.service_graph(SPANS),
        SPANS,
    ]


@pytest.mark.parametrize("width", [20, 40, 80, 120, 200])
def test_tables_fit_and_no_id_is_cut(width: int) -> None:
    for frame in answers():
        text = tl.show(frame).text(width=width)
        assert max(map(len, text.split("\n"))) <= width
        if width >= 40:
            assert set(re.findall(r"\b[0-9a-f]{16,32}\b", text)) <= IDS
            assert not re.search(r"\b[0-9a-f]{9,15}…", text)


def test_columns_that_found_no_room_are_named() -> None:
    narrow = tl.show(tl.latency_percentiles(SPANS)).text(width=70)
    assert "1 column more: exemplar_trace_id" in narrow
    assert "more" not in tl.show(tl.latency_percentiles(SPANS)).text(width=200)


def test_durations_and_shares_read_well_and_dtypes_stay() -> None:
    frame = pl.DataFrame({"p95": [timedelta(microseconds=1_023_912), None], "error_rate": [0.04, 0.0]})
    schema = dict(frame.schema)
    text = str(tl.show(frame))
    assert "1.02 s" in text
    assert "4.0 %" in text
    assert "–" in text  # noqa: RUF001 - what stands for null
    assert frame.schema == schema


def test_what_is_a_share_is_said_by_all_rows_and_not_by_those_shown() -> None:
    per_cents = pl.DataFrame({"error_rate": [0.5, 40.0]})
    for frame in (per_cents, per_cents.lazy()):
        assert "%" not in str(tl.show(frame, rows=1))
        assert "50.0 %" in str(tl.show(frame.head(1)))


def test_rows_that_are_not_shown_are_counted() -> None:
    frame = pl.DataFrame({"n": range(1234)})
    assert "20 of 1,234 rows" in str(tl.show(frame))
    assert "3 of 1,234 rows" in str(tl.show(frame.lazy(), rows=3))
    assert "1,234 rows" in str(tl.show(frame, rows=2000))
    assert "of" not in str(tl.show(frame, rows=2000)).rsplit("\n", 1)[1]
    assert "no rows" in str(tl.show(frame.clear()))


def test_a_span_frame_shows_what_matters_first() -> None:
    wide = SPANS.with_columns(pl.lit("v1").alias("span.same"), pl.lit(7).alias("mine"))
    wide = wide.with_columns(pl.int_range(pl.len()).cast(pl.String).alias("span.http.route"))
    text = tl.show(wide, rows=5).text(width=400)
    names = re.split(r"  +", text.split("\n")[0].strip())
    assert names[:5] == ["start time", "duration", "service name", "name", "kind"]
    assert "status code" in names
    assert "mine" in names
    assert "span.http.route" in names
    assert "span.same" not in names
    assert names[-3:] == ["trace id", "span id", "parent span id"]
    assert f"{len(names)} of {wide.width} columns" in text


def test_columns_may_be_chosen() -> None:
    assert str(tl.show(SPANS, columns=["name", "duration"])).split("\n")[0].split() == ["name", "duration"]
    assert str(tl.show(SPANS, columns="name")).split("\n")[0].split() == ["name"]
    with pytest.raises(tl.SchemaError, match="Did you mean 'duration'"):
        tl.show(SPANS, columns=["duraton"])


@pytest.mark.parametrize("columns", [5, pl.col("name"), [pl.col("name")], [5], b"name", ["name", None], [["name"]]])
def test_what_is_no_name_of_a_column_is_refused(columns: Any) -> None:
    with pytest.raises(tl.TracelabError, match="`columns` must be names of columns, got "):
        tl.show(SPANS, columns=columns)


@pytest.mark.parametrize("rows", [0, -1, 2.5, "3", True, None])
def test_what_is_no_number_of_rows_is_refused(rows: Any) -> None:
    with pytest.raises(tl.TracelabError, match=r"`rows` must be .*1 or more, got .* It is the number of rows to show"):
        tl.show(SPANS, rows=rows)


@pytest.mark.parametrize("frame", [SPANS, SPANS.lazy()])
def test_any_whole_number_of_rows_will_do(frame: pl.DataFrame | pl.LazyFrame) -> None:
    assert str(tl.show(frame, rows=np.int64(3))) == str(tl.show(SPANS, rows=3))  # type: ignore[arg-type]
    assert str(tl.show(frame, rows=10**30)) == str(tl.show(SPANS, rows=SPANS.height))


@pytest.mark.parametrize("what", [None, 5, "text", [1, 2], {"a": [1]}])
def test_what_is_no_frame_is_refused(what: Any) -> None:
    with pytest.raises(tl.SchemaError, match="is no frame"):
        tl.show(what)


def test_pandas_arrow_and_series_are_shown_alike() -> None:
    pytest.importorskip("pandas")
    frame = pl.DataFrame({"name": ["GET", "PUT"], "p95": [timedelta(seconds=1.5), timedelta(milliseconds=3)]})
    expected = str(tl.show(frame))
    assert str(tl.show(frame.to_pandas())) == expected
    assert str(tl.show(frame.to_arrow())) == expected
    assert "1.5 s" in str(tl.show(frame["p95"]))
    grouped = frame.to_pandas().groupby("name")["p95"].max()
    assert str(tl.show(grouped)) == expected


def test_html_escapes_names_values_and_dtypes() -> None:
    frame = pl.DataFrame(
        {EVIL: [EVIL], "list": [[EVIL]], "struct": [{EVIL: EVIL}], "enum": pl.Series([EVIL], dtype=pl.Enum([EVIL]))}
    )
    html = tl.show(frame)._repr_html_()
    assert "<img" not in html
    assert "</script" not in html
    assert not {"\x1b", "\u202e", "$"} & set(html)
    assert all('"' not in title[7:-1] for title in re.findall(r'title=".*?"(?=>)', html))


def test_headings_are_words_and_say_the_exact_name_on_hover() -> None:
    html = tl.show(pl.DataFrame({"error_rate_weighted": [0.5], "span.http.route": ["/"]}))._repr_html_()
    assert '<th scope="col" class="number" title="error_rate_weighted (Float64)">error rate weighted</th>' in html
    assert 'title="span.http.route (String)">span.<wbr>http.<wbr>route</th>' in html


def test_html_follows_the_theme_and_puts_numbers_to_the_right() -> None:
    html = tl.show(pl.DataFrame({"n": [1], "trace_id": ["ab" * 16], "text": ["x" * 80]}))._repr_html_()
    assert "var(--jp-content-font-color1" in html
    assert re.search(r'<td class="number(?: from\d+)?">1</td>', html)
    assert re.search(rf'<td class="id(?: from\d+)?">{"ab" * 16}</td>', html)
    assert re.search(rf'<td class="text long(?: from\d+)?">{"x" * 80}</td>', html)


def test_text_holds_no_controls() -> None:
    text = str(tl.show(pl.DataFrame({EVIL: [EVIL + "\n\r\t\x00"]})))
    assert not {"\x1b", "\u202e", "\r", "\t", "\x00"} & set(text)
    assert "\\x1b" in text


def test_zones_are_said_once() -> None:
    frame = pl.DataFrame({"a": [datetime(2026, 5, 1, tzinfo=UTC)]})
    both = frame.with_columns(b=pl.col("a").dt.convert_time_zone("Europe/Berlin"))
    assert str(tl.show(frame)).endswith("1 row; times in UTC")
    assert str(tl.show(both)).endswith("a in UTC; b in Europe/Berlin")


def test_a_frame_without_columns_is_shown() -> None:
    assert "no rows" in str(tl.show(pl.DataFrame()))
    assert "no rows" in tl.show(pl.DataFrame())._repr_html_()


def test_drawn_spans_are_shown() -> None:
    assert "1 row; 9 of 21 columns" in tl.show(draw("api =====")).text(width=300)


def test_where_room_is_scarce_figures_come_before_their_bounds() -> None:
    took = timedelta(milliseconds=177)
    names = [name for p in ("p50", "p90", "p95", "p99") for name in (p, f"{p}_lower", f"{p}_upper")]
    frame = pl.DataFrame({"service_name": ["gateway"], "count": [3_000], **{name: [took] for name in names}})
    head, _, row, note = tl.show(frame).text(width=54).split("\n", 3)
    assert head.split() == ["service", "name", "count", "p50", "p90", "p95", "p99"]
    assert row.split("  ")[-1] == "177 ms"
    assert note.split()[:7] == ["1", "row;", "8", "columns", "more:", "p50_lower,", "p50_upper,"]
    wide = tl.show(frame).text(width=300)
    assert wide.count("177 ms (177 – 177 ms)") == 4  # noqa: RUF001 - how a range is written
    assert wide.endswith("1 row; bounds in brackets")


@pytest.mark.parametrize("width", range(20, 200, 9))
def test_a_bound_never_stands_without_its_figure(width: int) -> None:
    for frame in answers():
        text = tl.show(frame).text(width=width)
        head = text.split("─")[0]
        assert not re.search(r"\b(?:lower|upper)\b", head)
        said = "bounds in brackets" in " ".join(text.split())
        assert said == bool(re.search(r"\((?:from |up to )?[-\d<.]+ (?:[mµn]?s|%|–)", text))  # noqa: RUF001


def first_line(frame: pl.DataFrame, width: int) -> set[str]:
    """Give the columns of a table of so many characters, whose headings may be broken between words."""
    head = tl.show(frame).text(width=width).split("─")[0]
    return {name for name in frame.columns if all(part in head for part in re.findall(r"[^_.]+", name))}


@pytest.mark.parametrize("width", [40, 60, 80])
def test_the_answer_stays_longest(width: int) -> None:
    service = "resource.service.name"
    rates = tl.query_metrics(SPANS, f"{{ }} | rate() by ({service})", step="5m")
    assert {"time", service, "value"} <= first_line(rates, width)
    percentiles = tl.query_metrics(SPANS, f"{{ }} | quantile_over_time(duration, .5, .95) by ({service})", step="5m")
    assert {service, "p", "value"} <= first_line(percentiles, width)
    assert {"service_name", "name", "time", "share"} <= first_line(tl.critical_path_profile(SPANS), width)
    assert {"service_name", "spans", "errors", "error_rate"} <= first_line(tl.error_rates(SPANS), width)
    assert {"caller", "callee", "p50"} <= first_line(tl.service_graph(SPANS), width)
    wide = tl.latency_percentiles(SPANS, wide=True)
    assert {"service_name", "count", "p50", "p95"} <= first_line(wide, width)


def test_a_time_stands_below_its_date_before_it_is_left_out() -> None:
    frame = pl.DataFrame(
        {"time": [datetime(2026, 5, 1, 12, tzinfo=UTC)], "name": ["GET /" * 5], "p": 0.5, "value": 1.5}
    )
    lines = tl.show(frame).text(width=34).split("\n")
    assert lines[0].split() == frame.columns
    assert lines[2].startswith("2026-05-01 ")
    assert lines[3].startswith("12:00:00 ")
    assert "2026-05-01 12:00:00" in tl.show(frame).text(width=80)
