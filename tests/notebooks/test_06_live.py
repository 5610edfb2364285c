from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
from functools import partial

import polars as pl
import pytest

import tracelab as tl
from tests.conftest import ROOT
from tests.notebooks import conftest

NOTEBOOK = "06_live"
says, shows, runs = (
    partial(conftest.says, NOTEBOOK),
    partial(conftest.shows, NOTEBOOK),
    partial(conftest.runs, NOTEBOOK),
)
PROGRAMS = ROOT / "examples" / "first_trace"


@pytest.fixture(scope="module")
def breakfast() -> pl.DataFrame:
    """What the program of the notebook makes now."""
    with tl.receive(http_port=0, grpc_port=None) as live:
        variables = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": str(live.http_url)}
        subprocess.run([sys.executable, PROGRAMS / "breakfast.py"], env=variables, check=True, timeout=60)
        return live.wait(spans=6).spans()


@pytest.fixture(scope="module")
def orders() -> pl.DataFrame:
    return tl.read(PROGRAMS / "shop.otlp.jsonl")


def sources(kind: str) -> list[str]:
    return ["".join(cell["source"]) for cell in conftest.cells(NOTEBOOK) if cell["cell_type"] == kind]


def test_the_cell_that_sends_is_the_program_word_for_word() -> None:
    (cell,) = (source for source in sources("code") if source.startswith("%%script"))
    line, _, program = cell.partition("\n")
    assert line == "%%script {python}"
    assert f"{program}\n" == (PROGRAMS / "breakfast.py").read_text(encoding="utf-8")


def test_programs_that_the_text_shows_are_the_files_word_for_word() -> None:
    shown = re.findall(r"^```\w+\n(.*?)^```$", "\n".join(sources("markdown")), flags=re.DOTALL | re.MULTILINE)
    for name in ("warehouse.js", "shop.py"):
        assert (PROGRAMS / name).read_text(encoding="utf-8") in shown


def test_a_receiver_alone_listens_where_sdks_send_by_default() -> None:
    says("`tl.receive()` alone listens where SDKs send by default, on port 4318 for HTTP and 4317 for gRPC.")
    options = inspect.signature(tl.receive).parameters
    assert (options["http_port"].default, options["grpc_port"].default) == (4318, 4317)
    shows("listens on http://127.0.0.1:", "(HTTP)")


def test_two_steps_come_one_after_the_other_and_then_three_at_once(breakfast: pl.DataFrame) -> None:
    says("`boil water` ends before `grind coffee` begins; the other three begin within a moment of each other, and run")
    start = pl.col("start_time").dt.epoch("ns")
    ends = breakfast.select("name", start, end=start + pl.col("duration").dt.total_nanoseconds())
    times = {name: (begin, end) for name, begin, end in ends.iter_rows()}
    assert times["boil water"][1] <= times["grind coffee"][0]
    at_once = [times[name] for name in ("brew coffee", "fry eggs", "toast bread")]
    assert max(begin for begin, _ in at_once) < min(end for _, end in at_once)
    shows("kitchen | breakfast | 0 |", "kitchen | toast bread | 1 |", "6 rows")


def test_breakfast_waits_for_both_first_steps_and_then_for_the_coffee(breakfast: pl.DataFrame) -> None:
    says("what breakfast had to wait for: both first steps, and then `brew coffee`, the longest of the three.")
    says("Faster eggs would not have helped.")
    names = ["breakfast", "boil water", "grind coffee", "brew coffee"]
    assert set(tl.critical_path(breakfast)["name"]) == set(names)
    (shown,) = (text for text in conftest.outputs(NOTEBOOK) if "brew coffee" in text and "fry eggs" not in text)
    assert sorted(re.findall(r"^\s*([a-z ]+?) \|", shown, flags=re.MULTILINE)) == sorted([*names, "name"])


def test_an_exception_that_leaves_a_span_marks_it_as_an_error() -> None:
    says("An exception that leaves a span marks it as an error:")
    shows("divide | 2 | unset", "divide | 1 | unset", "divide | 0 | error | ZeroDivisionError: division by zero")


def test_what_two_processes_sent_is_one_trace(orders: pl.DataFrame) -> None:
    says("It is one trace, though two processes sent their parts of it in requests of their own.")
    lines = (PROGRAMS / "shop.otlp.jsonl").read_text().splitlines()
    parts = [part for line in lines for part in json.loads(line)["resourceSpans"]]
    assert len(parts) == orders["service_name"].n_unique() == 2
    assert orders["trace_id"].n_unique() == 1
    assert orders.filter(tl.is_root()).height == 1


def test_instrumentation_put_each_answer_below_its_request(orders: pl.DataFrame) -> None:
    says("Below every `GET` of the shop is that of the warehouse which answered it: instrumentation did that.")
    asked = orders.filter(pl.col("service_name") == "shop", pl.col("name") == "GET")
    answered = orders.filter(pl.col("service_name") == "warehouse", pl.col("name") == "GET")
    assert asked.height == 4
    assert sorted(asked["span_id"]) == sorted(answered["parent_span_id"])
    assert all("instrumentation" in name for name in (*asked["scope_name"], *answered["scope_name"]))


def test_the_context_crosses_twice_by_hand() -> None:
    says("the warehouse packs the order below the span that sent it, and the shop opens the parcel below the one that")
    shows("shop | send order | producer | shop | buy", "warehouse | pack order | consumer | shop | send order")
    shows("shop | open parcel | consumer | warehouse | pack order")
    warehouse, shop = ((PROGRAMS / name).read_text(encoding="utf-8") for name in ("warehouse.js", "shop.py"))
    assert "propagation.extract(" in warehouse
    assert "propagation.inject(" in warehouse
    assert "propagate.extract(" in shop
    assert "propagate.inject(" in shop


def test_text_says_where_nothing_is_run() -> None:
    says("This notebook does not run them, since it cannot know whether Node.js is there.")
    says("It is text here and no cell, since it needs a Jaeger that runs:")
    assert not any("fetch_jaeger" in source for source in sources("code"))


def test_the_receiver_is_closed_at_the_end() -> None:
    runs("live.close()")
    shows("spans received |", "spans of service | kitchen | 6", "requests | traces | 1")
