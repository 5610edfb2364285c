from __future__ import annotations

import gzip

import pytest

from tests.loaders.rows.made import CHILD, ROOT, START, TRACE, found, quietly, row, table
from tracelab.errors import LoadError
from tracelab.loaders import load_report, read

HEADER = "trace_id,span_id,name,start_time,duration_ms,x"


def text(*rows: str) -> bytes:
    return "\n".join((HEADER, *rows)).encode()


def line(span_id: str = ROOT, name: str = "a", x: str = "1") -> str:
    return f"{TRACE},{span_id},{name},{START},5,{x}"


PLAIN = text(line(), line(CHILD, "b"))


@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        PLAIN + b"\n",
        PLAIN.replace(b",", b";"),
        PLAIN.replace(b",", b"\t"),
        PLAIN.replace(b",", b"|"),
        PLAIN.replace(b"\n", b"\r\n"),
        PLAIN.replace(b"\n", b"\n\n"),
        b"\xef\xbb\xbf" + PLAIN,
        PLAIN.decode().encode("utf-16"),
        PLAIN.decode().encode("utf-16-le"),
        gzip.compress(PLAIN, mtime=0),
        b"sep=;\n" + PLAIN.replace(b",", b";"),
        b"# exported by hand\n\n" + PLAIN,
        b'"' + HEADER.replace(",", '","').encode() + b'"' + PLAIN[len(HEADER) :],
    ],
)
def test_every_way_to_write_a_table_gives_the_same_spans(content: bytes) -> None:
    spans = quietly(content)
    assert spans.select("span_id", "name", "span.x").rows() == [(ROOT, "a", 1), (CHILD, "b", 1)]


def test_quotes_hold_separators_line_breaks_and_quotes() -> None:
    content = text(line(name='"a, ""b""\nc"'))
    assert read(content)["name"].item() == 'a, "b"\nc'


def test_decimal_commas_are_numbers_where_something_else_separates() -> None:
    content = table(row(duration_ms="2,5", ratio="0,25"), separator=";")
    spans = read(content)
    assert (spans["duration"].item().microseconds, spans["span.ratio"].item()) == (2_500, 0.25)
    assert found(content)["numbers with decimal commas"] == 2


def test_thousands_with_points_are_numbers_beside_decimal_commas() -> None:
    content = table(row(duration_ms="1.234,5"), row(span_id=CHILD, duration_ms="2,5"), separator=";")
    assert read(content)["duration"].dt.total_microseconds().to_list() == [1_234_500, 2_500]
    assert found(content)["numbers with decimal commas"] == 2


def test_points_without_any_comma_are_decimal_points() -> None:
    content = table(row(duration_ms="1.234"), separator=";")
    assert read(content)["duration"].dt.total_microseconds().item() == 1_234


@pytest.mark.parametrize("start", ["02.03.2026 13:00:05", "02.03.2026 13:00:05,000", "02.03.2026, 13:00:05"])
def test_dates_with_points_begin_with_the_day(start: str) -> None:
    content = table(row(start_time=start), separator=";")
    assert str(quietly(content)["start_time"].item()) == "2026-03-02 13:00:05+00:00"
    assert found(content)["times without a zone"] == 1


def test_rows_with_more_or_fewer_fields_are_kept_and_counted() -> None:
    content = text(line(), line(CHILD) + ",more,most", f"{TRACE},00000000000000aa,c,{START},7")
    spans = quietly(content).sort("span_id")
    assert spans["span.column_7"].to_list() == [None, None, "more"]
    assert spans["span.column_8"].to_list() == [None, None, "most"]
    assert spans["span.x"].to_list() == [None, 1, 1]
    counted = found(content)
    assert (counted["rows with more fields than the header"], counted["rows with fewer fields than the header"]) == (
        1,
        1,
    )


def test_fewer_fields_are_counted_in_regular_tables_too() -> None:
    short = f"{TRACE},00000000000000aa,c,{START},7"
    content = text(line(), short, line(CHILD, '"x, y"', ""), short.replace("aa", "ab"))
    report = load_report(content)
    row_of = (
        report.filter(report["problem"] == "rows with fewer fields than the header")
        .select("count", "first_place")
        .row(0)
    )
    assert row_of == (2, "row 2")
    assert "rows with fewer fields than the header" not in found(text(line(), line(CHILD, "x", "")))


def test_a_quote_that_does_not_end_costs_its_own_row_only() -> None:
    content = text(line(), f'{TRACE},"broken,x,{START},5,1', line(CHILD, "b"))
    spans = quietly(content)
    assert spans["name"].to_list() == ["a", "b"]
    report = load_report(content)
    assert report.filter(report["problem"] == "rows that cannot be read").select("count", "lost_spans").row(0) == (1, 1)


def test_bytes_that_are_no_utf8_are_replaced_and_counted() -> None:
    content = text(line(name="caf\u00e9"), line(CHILD, "b")).decode().encode("latin-1")
    assert quietly(content)["name"].to_list() == ["caf\ufffd", "b"]
    assert found(content)["bytes that are not UTF-8"] == 1


def test_headers_in_between_and_numbers_of_rows_are_left_out() -> None:
    content = PLAIN + b"\n" + text(line("00000000000000aa", "c"))
    assert read(content).height == 3
    assert found(content)["headers between the rows"] == 1
    numbered = b"," + PLAIN.replace(b"\n", b"\n0,", 1).replace(f"\n{TRACE}".encode(), f"\n1,{TRACE}".encode())
    assert "span.column_1" not in read(numbered).columns
    assert found(numbered)["numbers of rows"] == 2


def test_names_that_stand_twice_or_are_empty_get_names_of_their_own() -> None:
    content = f"{HEADER},x,\n{line()},2,3\n".encode()
    spans = read(content)
    assert spans.select("span.x", "span.x_7", "span.column_8").row(0) == (1, 2, 3)


def test_a_table_without_rows_is_an_empty_frame() -> None:
    assert read(HEADER.encode()).is_empty()
    assert read(HEADER.encode() + b"\n\n").is_empty()


def test_tables_of_something_else_are_refused_by_their_columns() -> None:
    with pytest.raises(LoadError, match=r"no column is known as.*\(columns: city, country, people\).*columns="):
        read(b"city,country,people\nRome,IT,5\nOslo,NO,6\n")
    with pytest.raises(LoadError, match="no JSON"):
        read(b"just, some text\nwithout a table")


@pytest.mark.parametrize(
    "content",
    [
        'made = table(["trace_id", "span_id", "name", "start_time", "duration_ms"], [1, 2, "a", 3, 4])\nread(made)\n',
        "INSERT INTO spans (trace_id, span_id, name, start_time, duration_ms)\nVALUES (1, 2, 'a', 3, 4);\n",
    ],
)
def test_code_that_lists_columns_is_no_header(content: str) -> None:
    with pytest.raises(LoadError, match="no trace dump"):
        read(content.encode())


@pytest.mark.parametrize("separator", [",", "\t", "|", ";"])
def test_numbers_may_have_commas_between_thousands(separator: str) -> None:
    content = table(
        row(duration_ms="1,234.5", size="12,345"),
        row(span_id="1a", duration_ms="2", size="-"),
        separator=separator,
    )
    spans = quietly(content).sort("name", "duration")
    assert spans["duration"].dt.total_microseconds().to_list() == [2_000, 1_234_500]
    assert found(content)["numbers with commas between thousands"] >= 1


def test_lengths_with_commas_between_thousands_may_say_their_unit() -> None:
    content = table(row(duration_ms=None, duration="1,234.5 ms"), row(span_id="1a", duration_ms=None, duration="12 ms"))
    assert sorted(quietly(content)["duration"].dt.total_microseconds().to_list()) == [12_000, 1_234_500]


@pytest.mark.parametrize("text", ["1,23", "1,2345", "0,123", "a,123", "1,234,5", "1,234; 5"])
def test_commas_that_part_no_thousands_stay(text: str) -> None:
    content = table(row(note=text), row(span_id="1a", note="1,234"))
    assert text in quietly(content)["span.note"].to_list()
    assert "numbers with commas between thousands" not in found(content)
