"""How fast dumps become span frames, and in how much memory.

    pytest tests/benchmarks/test_loading.py --benchmark-columns=min,median,rounds

Every bar is a ratio to something measured in the same run, or memory of a process of its own. Run it on a calm machine
with two cores or more. The large ones write some gigabytes to the temporary folder and take minutes; leave them out
with `-k "not large"`. orjson and otela are compared with where they are installed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from itertools import groupby
from operator import itemgetter
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pytest

from tests.loaders.dumps import protobuf
from tracelab.loaders import read, scan, write
from tracelab.loaders.otlp.writer import lines
from tracelab.synthetic import generate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SPANS: Final = 150_000
LARGE_SPANS: Final = 1_400_000
HUGE_SPANS: Final = 10_000_000
GIGABYTE: Final = 2**30
OF_ORJSON: Final = {5: 1.3, 50: 1.15, 400: 1.15, 8192: 0.75}
"""The most that reading may take of the time of orjson alone, for lines of so many spans: a Collector's are short."""
CHILD: Final = """
import json, re, time, warnings
from pathlib import Path
warnings.simplefilter("ignore")
def measured(function):
    start = time.perf_counter()
    result = function()
    seconds = time.perf_counter() - start
    peak = int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
    print(json.dumps([seconds, peak * 1024, result]))
"""
PARSE: Final = """
import orjson
measured(lambda: sum(len(orjson.loads(line)) for line in Path({path!r}).read_bytes().splitlines()))
"""
READ: Final = "from tracelab.loaders import read"
"""Peak memory is the kernel's high-water mark; what `getrusage` tells includes that of the process that started it."""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("dumps")


@pytest.fixture(scope="module")
def otlp(folder: Path) -> Path:
    return write(generate(SPANS, seed=1), folder / "otlp.jsonl")


@pytest.fixture(scope="module")
def large_otlp(folder: Path) -> Path:
    return write(generate(LARGE_SPANS, seed=1), folder / "large.jsonl")


def in_lines(spans: pl.DataFrame, size: int, path: Path) -> Path:
    """Write spans as the Collector does, so many a line: its batches have 5 to 500 more often than 8,192.

    As in its batches, spans of several services stand in one line.
    """
    parts = {
        (span["traceId"], span["spanId"]): (json.dumps(group["resource"]), json.dumps(scope["scope"]), span)
        for line in lines(spans)
        for group in json.loads(line)["resourceSpans"]
        for scope in group["scopeSpans"]
        for span in scope["spans"]
    }
    ids = spans.select("trace_id", "span_id").rows()
    with path.open("w") as file:
        for start in range(0, len(ids), size):
            batch = sorted((parts[each] for each in ids[start : start + size]), key=itemgetter(0, 1))
            groups = [
                {
                    "resource": json.loads(resource),
                    "scopeSpans": [{"scope": json.loads(scope), "spans": [span for *_, span in some]}],
                }
                for (resource, scope), some in groupby(batch, key=itemgetter(0, 1))
            ]
            file.write(json.dumps({"resourceSpans": groups}, separators=(",", ":")) + "\n")
    return path


@pytest.fixture(scope="module")
def document(folder: Path) -> Path:
    """One document of twice as many spans, the only thing that otela reads."""
    requests = write(generate(2 * SPANS, seed=2), folder / "document.jsonl").read_text().splitlines()
    groups = [group for line in requests for group in json.loads(line)["resourceSpans"]]
    path = folder / "document.json"
    path.write_text(json.dumps({"resourceSpans": groups}, separators=(",", ":")))
    return path


@pytest.fixture(scope="module")
def proto(otlp: Path) -> Path:
    path = otlp.with_suffix(".pb")
    path.write_bytes(b"".join(protobuf(json.loads(line)) for line in otlp.read_text().splitlines()))
    return path


@pytest.fixture(scope="module")
def jaeger(folder: Path) -> Path:
    path = folder / "jaeger.json"
    path.write_text(json.dumps({"data": jaeger_traces(generate(100_000, seed=1))}, separators=(",", ":")))
    return path


@pytest.mark.parametrize("spans_in_line", OF_ORJSON)
def test_otlp_json_in_lines_of_any_length_keeps_its_ratio_to_orjson_alone(
    benchmark: Any, folder: Path, spans_in_line: int
) -> None:
    pytest.importorskip("orjson")
    path = in_lines(generate(SPANS, seed=1), spans_in_line, folder / f"{spans_in_line}.jsonl")
    # Both in processes of their own, in turn, as other work on the machine comes and goes.
    code = f"{READ}\nmeasured(lambda: read({str(path)!r}).height)"
    pairs = [(child(PARSE.format(path=str(path)))[0], child(code)[0]) for _ in range(5)]
    bar, own = (min(times) for times in zip(*pairs, strict=True))
    benchmark.pedantic(read, args=(path,), rounds=3, warmup_rounds=1)
    told(benchmark, of_orjson=own / bar, spans_per_second=SPANS / own)
    assert own <= OF_ORJSON[spans_in_line] * bar


def test_a_large_file_of_short_lines_is_read_in_little_more_memory_than_its_frame_takes(
    benchmark: Any, folder: Path
) -> None:
    path = in_lines(generate(LARGE_SPANS, seed=1), 50, folder / "large lines of 50.jsonl")
    assert path.stat().st_size > 0.95 * GIGABYTE
    _, memory, spans = benchmark.pedantic(child, (f"{READ}\nmeasured(lambda: read({str(path)!r}).height)",))
    told(benchmark, gigabytes=memory / GIGABYTE)
    assert spans == LARGE_SPANS
    assert memory <= 1.2 * GIGABYTE


def test_jaeger_json_takes_less_time_than_orjson_alone(benchmark: Any, jaeger: Path) -> None:
    pytest.importorskip("orjson")
    bar = min(
        child(f"import orjson\nmeasured(lambda: len(orjson.loads(Path({str(jaeger)!r}).read_bytes())))")[0]
        for _ in range(3)
    )
    benchmark.pedantic(read, args=(jaeger,), rounds=5, warmup_rounds=1)
    told(benchmark, of_orjson=benchmark.stats["min"] / bar)
    assert benchmark.stats["min"] <= 0.7 * bar


def test_protobuf_is_at_least_half_as_fast_as_json(benchmark: Any, otlp: Path, proto: Path) -> None:
    bar = fastest(lambda: read(otlp))
    benchmark.pedantic(read, args=(proto,), rounds=5, warmup_rounds=1)
    told(benchmark, speed_of_json=bar / benchmark.stats["min"])
    assert benchmark.stats["min"] <= 2 * bar


def test_otela_takes_five_times_the_time_and_twice_the_memory(benchmark: Any, document: Path) -> None:
    pytest.importorskip("otela")
    own = benchmark.pedantic(child, (f"{READ}\nmeasured(lambda: read({str(document)!r}).height)",))
    other = child(f"import otela\nmeasured(lambda: len(otela.load({str(document)!r})))")
    told(benchmark, of_its_time=own[0] / other[0], of_its_memory=own[1] / other[1])
    assert own[0] <= other[0] / 5
    assert own[1] <= other[1] / 2


def test_large_otlp_json_takes_no_more_time_per_span(benchmark: Any, otlp: Path, large_otlp: Path) -> None:
    seconds, memory, spans = benchmark.pedantic(child, (f"{READ}\nmeasured(lambda: read({str(large_otlp)!r}).height)",))
    small = min(child(f"{READ}\nmeasured(lambda: read({str(otlp)!r}).height)")[0] for _ in range(3))
    told(benchmark, of_small_per_span=seconds / LARGE_SPANS / (small / SPANS), gigabytes=memory / GIGABYTE)
    assert spans == LARGE_SPANS
    assert memory <= 1.2 * GIGABYTE
    assert seconds / LARGE_SPANS <= 1.2 * small / SPANS


def test_large_parquet_answers_in_bounded_memory(benchmark: Any, folder: Path) -> None:
    part = generate(HUGE_SPANS // 10, seed=1)
    for number in range(10):
        moved = part.with_columns(pl.col("trace_id").str.replace("^..", f"{number:02}"))
        write(moved, folder / "huge" / f"{number}.parquet") if number else write(moved, folder / "huge")
    assert scan(folder / "huge").select(pl.len()).collect().item() == HUGE_SPANS
    code = f"""
from tracelab.analysis import latency_percentiles
from tracelab.loaders import scan
measured(lambda: latency_percentiles(scan({str(folder / "huge")!r})).height)
"""
    _, memory, services = benchmark.pedantic(child, (code,))
    told(benchmark, gigabytes=memory / GIGABYTE)
    assert services > 3
    assert memory <= 2 * GIGABYTE


def fastest(function: Callable[[], object], *, rounds: int = 3) -> float:
    """Give the least time that a function took."""
    times = []
    for _ in range(rounds + 1):
        start = perf_counter()
        function()
        times.append(perf_counter() - start)
    return min(times[1:])


def child(code: str) -> list[Any]:
    """Run code in a process of its own; give seconds, peak memory and what it answered."""
    run = subprocess.run([sys.executable, "-c", CHILD + code], capture_output=True, text=True, check=True)
    answer: list[Any] = json.loads(run.stdout)
    return answer


def told(benchmark: Any, **figures: float) -> None:
    """Put figures beside the times."""
    benchmark.extra_info.update({name: round(figure, 3) for name, figure in figures.items()})


def jaeger_traces(spans: pl.DataFrame) -> list[dict[str, Any]]:
    """Write a frame as Jaeger's API would."""
    keys = [name for name in spans.columns if name.startswith("span.")]
    rows = spans.with_columns(
        pl.col("start_time").dt.timestamp("us").alias("start"),
        pl.col("duration").dt.total_microseconds().alias("length"),
    )
    return [
        {
            "traceID": trace_id,
            "spans": [jaeger_span(row, keys) for row in group.iter_rows(named=True)],
            "processes": {name: {"serviceName": name, "tags": []} for name in group["service_name"].unique().to_list()},
            "warnings": None,
        }
        for (trace_id,), group in rows.group_by(["trace_id"], maintain_order=True)
    ]


def jaeger_span(row: dict[str, Any], keys: list[str]) -> dict[str, Any]:
    """Write one row as Jaeger's API would."""
    tags = [jaeger_tag(key.removeprefix("span."), row[key]) for key in keys if row[key] is not None]
    tags += [jaeger_tag("span.kind", row["kind"]), jaeger_tag("otel.scope.name", row["scope_name"])]
    if row["status_code"] == "error":
        tags += [jaeger_tag("error", True), jaeger_tag("otel.status_code", "ERROR")]
    parent = {"refType": "CHILD_OF", "traceID": row["trace_id"], "spanID": row["parent_span_id"]}
    return {
        "traceID": row["trace_id"],
        "spanID": row["span_id"],
        "operationName": row["name"],
        "references": [parent] if row["parent_span_id"] else [],
        "startTime": row["start"],
        "duration": row["length"],
        "tags": tags,
        "logs": [
            {
                "timestamp": row["start"],
                "fields": [
                    jaeger_tag(key, value) for key, value in {"event": event["name"], **event["attributes"]}.items()
                ],
            }
            for event in row["events"] or ()
        ],
        "processID": row["service_name"],
        "warnings": None,
    }


def jaeger_tag(key: str, value: Any) -> dict[str, Any]:
    """Write a tag with its type."""
    kinds = {bool: "bool", int: "int64", float: "float64"}
    return {"key": key, "type": kinds.get(type(value), "string"), "value": value}
