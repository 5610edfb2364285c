"""The programs of the first trace, run as they stand: in Python alone, then across HTTP with Node.js."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

import tracelab as tl
from tests.conftest import ROOT
from tests.live.programs import jaeger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAMS = ROOT / "examples" / "first_trace"
BREAKFAST = [
    "kitchen: breakfast",
    "kitchen: breakfast > boil water",
    "kitchen: breakfast > brew coffee",
    "kitchen: breakfast > fry eggs",
    "kitchen: breakfast > grind coffee",
    "kitchen: breakfast > toast bread",
]
STOCK = [
    "shop: buy > GET",
    "shop: buy > GET > warehouse: GET",
    "shop: buy > GET > warehouse: GET > count shelves",
]
SHOP = sorted(
    [
        "shop: buy",
        "shop: buy > log in",
        "shop: buy > load basket",
        *STOCK * 3,
        "shop: buy > send order",
        "shop: buy > send order > POST",
        "shop: buy > send order > POST > warehouse: POST",
        "shop: buy > send order > warehouse: pack order",
        "shop: buy > send order > warehouse: pack order > shop: open parcel",
        *STOCK[:2],  # it waits for the parcel
    ]
)


@pytest.fixture
def live() -> Iterator[tl.live.Receiver]:
    with tl.receive(http_port=0, grpc_port=None) as receiver:
        yield receiver


@pytest.fixture(scope="module")
def node() -> str:
    found = shutil.which("node")
    if found is None:
        pytest.skip("there is no Node.js on this machine")
    if not (PROGRAMS / "node_modules").is_dir():
        pytest.skip("its packages are not installed (npm ci --prefix examples/first_trace does it)")
    return found


def run(program: str, endpoint: str | None, *arguments: str) -> None:
    command = [sys.executable, str(PROGRAMS / program), *arguments]
    done = subprocess.run(command, env=environment(endpoint), capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@contextmanager
def warehouse(node: str, endpoint: str | None, end: signal.Signals = signal.SIGTERM) -> Iterator[str]:
    """Run the warehouse on a free port, and end it so that it sends its last spans."""
    process = subprocess.Popen(
        [node, str(PROGRAMS / "warehouse.js"), "0"],
        env=environment(endpoint),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("port "), process.communicate(timeout=30)[1]
        yield f"http://127.0.0.1:{line.split()[1]}"
        process.send_signal(end)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.communicate()


def environment(endpoint: str | None) -> dict[str, str]:
    """Give a program the address to send to, if it is not the usual one, and nothing else that an SDK goes by."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    return ours | ({"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint} if endpoint else {})


def paths(spans: pl.DataFrame) -> list[str]:
    """Name each span with all that is above it, and a service where it is another than that of the span above."""
    rows = {row["span_id"]: row for row in spans.iter_rows(named=True)}

    def path(span_id: str) -> str:
        row = rows[span_id]
        above = rows.get(row["parent_span_id"])
        own = row["name"] if above and above["service_name"] == row["service_name"] else None
        name = own or f"{row['service_name']}: {row['name']}"
        return f"{path(above['span_id'])} > {name}" if above else name

    return sorted(path(span_id) for span_id in rows)


def times(spans: pl.DataFrame, *names: str) -> list[tuple[int, int]]:
    start = pl.col("start_time").dt.epoch("ns")
    ends = spans.select("name", start, end=start + pl.col("duration").dt.total_nanoseconds())
    return [ends.filter(pl.col("name") == name).select("start_time", "end").row(0) for name in names]


def one_of(spans: pl.DataFrame, *columns: str) -> pl.Expr:
    """Take an attribute by its new name or its old one, as instrumentations go over from one to the other."""
    return pl.col(next(name for name in columns if name in spans.columns))


def test_breakfast_is_one_trace_of_steps_one_after_the_other_and_then_at_once(live: tl.live.Receiver) -> None:
    run("breakfast.py", live.http_url)
    spans = live.wait(spans=6).spans()
    assert spans["trace_id"].n_unique() == 1
    assert paths(spans) == BREAKFAST
    (whole,) = times(spans, "breakfast")
    steps = times(spans, "boil water", "grind coffee")
    at_once = times(spans, "brew coffee", "fry eggs", "toast bread")
    assert whole[0] <= steps[0][0] < steps[0][1] <= steps[1][0] < steps[1][1] <= min(start for start, _ in at_once)
    assert max(start for start, _ in at_once) < min(end for _, end in at_once)
    assert max(end for _, end in at_once) <= whole[1]


def test_shop_and_warehouse_make_one_trace_across_http_and_a_queue(live: tl.live.Receiver, node: str) -> None:
    with warehouse(node, live.http_url) as url:
        run("shop.py", live.http_url, url)
    spans = live.wait(spans=len(SHOP)).spans()
    assert spans["trace_id"].n_unique() == 1
    assert paths(spans) == SHOP
    assert (spans["status_code"] != "error").all()
    kinds = dict(spans.filter(pl.col("name").is_in(["send order", "pack order", "open parcel"]))["name", "kind"].rows())
    assert kinds == {"send order": "producer", "pack order": "consumer", "open parcel": "consumer"}


def test_each_request_is_the_parent_of_its_own_answer(live: tl.live.Receiver, node: str) -> None:
    with warehouse(node, live.http_url, signal.SIGINT) as url:
        run("shop.py", live.http_url, url)
    spans = live.wait(spans=len(SHOP)).spans()
    asked = spans.filter(pl.col("kind") == "client").select(
        parent_span_id="span_id", asked=one_of(spans, "span.url.full", "span.http.url").str.replace(url, "")
    )
    answered = spans.filter(pl.col("kind") == "server").select(
        "parent_span_id", answered=one_of(spans, "span.url.path", "span.http.target")
    )
    both = asked.join(answered, on="parent_span_id", how="full")
    assert both.height == 5
    assert (both["asked"] == both["answered"]).all()


def test_warehouse_goes_on_after_requests_that_are_none_of_its_own(live: tl.live.Receiver, node: str) -> None:
    import requests

    with warehouse(node, live.http_url) as url:
        for path, code in (("/", 400), ("/stock", 400), ("/parcels", 200), ("/stock/lamp", 200)):
            assert requests.get(f"{url}{path}", timeout=10).status_code == code


def test_the_trace_that_is_written_down_is_what_the_programs_make() -> None:
    spans = tl.read(PROGRAMS / "shop.otlp.jsonl")
    assert spans["trace_id"].n_unique() == 1
    assert paths(spans) == SHOP


def test_the_readme_receives_on_the_ports_that_sdks_send_to() -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", (ROOT / "README.md").read_text(), flags=re.DOTALL | re.MULTILINE)
    (block,) = (block for block in blocks if "tl.receive()" in block)
    for port in (4317, 4318):
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                pytest.skip(f"somebody listens on port {port}, where SDKs send by default")
    names: dict[str, Any] = {"tl": tl}
    sender = threading.Thread(target=run_when_it_listens, args=(4318, "breakfast.py"))
    sender.start()
    exec(block, names)  # noqa: S102 - it is our own
    sender.join()
    assert paths(names["live"].spans()) == BREAKFAST


def run_when_it_listens(port: int, program: str) -> None:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            break
    run(program, None)


def test_the_same_programs_send_to_jaeger_with_another_endpoint(tmp_path: Path, node: str) -> None:
    with jaeger(tmp_path) as server:
        run("breakfast.py", server.otlp)
        with warehouse(node, server.otlp) as url:
            run("shop.py", server.otlp, url)
        until = time.monotonic() + 30
        while set(tl.jaeger_services(server.url)["service_name"]) < {"kitchen", "shop", "warehouse"}:
            assert time.monotonic() < until
            time.sleep(0.2)
        assert paths(tl.fetch_jaeger(server.url, service="kitchen")) == BREAKFAST
        assert paths(tl.fetch_jaeger(server.url, service="warehouse")) == SHOP
