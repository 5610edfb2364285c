"""Logs: dumps and printed spans behind what runtimes, services and loggers put around their lines."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.effort import ends
from tests.loaders.dumps import CALL, ROOT, TRACE_ID, compact, request, shop_jaeger, shop_otlp, shop_zipkin, span
from tracelab.errors import LoadError, LoadWarning
from tracelab.loaders import load_report, read
from tracelab.loaders.input.logs import layers_of

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")

SAMPLES = Path(__file__).parent / "samples"
PRINTED = ("node-console.txt", "collector-debug.txt", "dotnet-console.txt")
TIME = "2026-01-01T00:00:00.123456789Z"


def sample(name: str) -> bytes:
    return (SAMPLES / name).read_bytes()


def prefixed(prefix: str) -> Callable[[str], str]:
    return lambda line: f"{prefix}{line}\n"


def docker(line: str, size: int = 16_384) -> str:
    """Write a line as Docker's JSON driver does, in several entries where it is long."""
    text = f"{line}\n"
    parts = [text[start : start + size] for start in range(0, len(text), size)]
    return "".join(json.dumps({"log": part, "stream": "stdout", "time": TIME}) + "\n" for part in parts)


def cri(line: str, size: int = 16_384) -> str:
    """Write a line as containerd does, in several parts where it is long."""
    parts = [line[start : start + size] for start in range(0, len(line), size)] or [""]
    tags = ["P"] * (len(parts) - 1) + ["F"]
    return "".join(f"{TIME} stdout {tag} {part}\n" for tag, part in zip(tags, parts, strict=True))


def journald(line: str) -> str:
    entry = {"MESSAGE": line, "_SYSTEMD_UNIT": "shop.service", "PRIORITY": "6", "__REALTIME_TIMESTAMP": "1"}
    return json.dumps(entry) + "\n"


def logger(line: str) -> str:
    return json.dumps({"level": "info", "timestamp": TIME, "message": line, "thread": "main"}) + "\n"


WRAPPERS: dict[str, Callable[[str], str]] = {
    "docker": docker,
    "docker in parts": lambda line: docker(line, 50),
    "cri": cri,
    "cri in parts": lambda line: cri(line, 50),
    "journald json": journald,
    "json logger": logger,
    "docker compose": prefixed("web-1     | "),
    "foreman": prefixed("00:00:01 web.1 | "),
    "kubectl prefix": prefixed("[pod/shop-7d9f8b6c5-x2k4p/shop] "),
    "kubectl prefix and time": prefixed(f"[pod/shop-7d9f8b6c5-x2k4p/shop] {TIME} "),
    "kubectl time": prefixed(f"{TIME} "),
    "stern": prefixed("shop-7d9f8b6c5-x2k4p shop "),
    "github actions": prefixed("2026-01-01T00:00:00.1234567Z "),
    "gh run view": prefixed("test\tRun tests\t\ufeff2026-01-01T00:00:00.1234567Z "),
    "gitlab": prefixed("2026-01-01T00:00:00.123456Z 01O "),
    "journald short": prefixed("Jan 01 00:00:00 host shop[123]: "),
    "journald iso": prefixed("2026-01-01T00:00:00+0000 host shop[123]: "),
    "journald full": prefixed("Thu 2026-01-01 00:00:00 UTC host shop[123]: "),
    "syslog": prefixed("<14>1 2026-01-01T00:00:00Z host shop 123 - - "),
    "heroku": prefixed("2026-01-01T00:00:00.123456+00:00 app[web.1]: "),
    "colours": lambda line: f"\x1b[36mweb-1     |\x1b[0m {line}\n",
    "docker around json logger": lambda line: docker(logger(line).rstrip("\n")),
}
DUMPS: dict[str, bytes] = {
    "otlp lines": compact(*(request(span(f"{number:016x}")) for number in range(1, 30))),
    "otlp document": json.dumps(shop_otlp(), indent=2).encode(),
    "jaeger": compact(shop_jaeger()),
    "jaeger indented": json.dumps(shop_jaeger(), indent=4).encode(),
    "zipkin": compact(shop_zipkin()),
    **{name: sample(name) for name in ("python-sdk-json.json", "go-stdouttrace.json", *PRINTED)},
}


@pytest.mark.parametrize("dump", DUMPS)
@pytest.mark.parametrize("wrapper", WRAPPERS)
def test_every_dump_is_read_behind_every_wrapper(wrapper: str, dump: str) -> None:
    content = DUMPS[dump]
    wrapped = "".join(map(WRAPPERS[wrapper], content.decode().rstrip("\n").split("\n"))).encode()
    assert_frame_equal(read(wrapped), read(content))
    report = load_report(wrapped)
    assert report["format"].unique().to_list() == load_report(content)["format"].unique().to_list()
    found = report.filter(pl.col("problem") == "lines wrapped by a log")
    assert found.select("action", "count").row(0) == ("repaired", sum(line != b"" for line in wrapped.split(b"\n")))


@pytest.mark.parametrize(
    ("noise", "before"),
    [("info: request 1 is done", 0), ("info: request 1 is done", 300), ("web app[12]: request 1 is done", 0)],
)
def test_lines_that_look_like_those_of_another_wrapper_hide_no_spans(noise: str, before: int) -> None:
    content = sample("dotnet-console.txt")
    text = "\n".join((*[noise] * before, content.decode().rstrip("\n"), *[noise] * 100))
    wrapped = "".join(f"{TIME} {line}\n" for line in text.split("\n")).encode()
    assert_frame_equal(read(wrapped), read(content))


def test_wrappers_alone_are_not_warned_of(recwarn: pytest.WarningsRecorder) -> None:
    read("".join(map(docker, DUMPS["otlp lines"].decode().splitlines())).encode(), strict=True)
    assert not [each for each in recwarn if issubclass(each.category, LoadWarning)]


def test_places_are_those_of_the_log() -> None:
    bad = compact(request(span(endTimeUnixNano="5"))).decode()
    log = f"starting\nstill starting\n[agent] INFO exporter - {bad}"
    assert found(log.encode(), "spans that end before they start")["first_place"].item().startswith("line 3, ")
    wrapped = "".join(map(docker, log.rstrip("\n").split("\n"))).encode()
    assert found(wrapped, "spans that end before they start")["first_place"].item().startswith("line 3, ")


def found(content: bytes, problem: str) -> pl.DataFrame:
    return load_report(content).filter(pl.col("problem") == problem)


def counts(content: bytes) -> dict[str, int]:
    return dict(load_report(content).select("problem", "count").rows())


@pytest.mark.parametrize(
    "other",
    [
        'INFO:     127.0.0.1:40000 - "GET / HTTP/1.1" 200 OK',
        'a quote that stays open "',
        "a brace { and another {{",
        "it's ] } over",
        "[main] WARN [x] {",
        '{"level": "info", "msg": "hello", "trace_id": "abc"}',
        "    at indented.Stack.trace(Shop.java:1)",
        '"quoted" text',
        "[",
        "{",
        "{ a: 1 }",
    ],
)
@pytest.mark.parametrize("name", ["otlp lines", "python-sdk-json.json", "go-stdouttrace.json", "node-console.txt"])
def test_other_lines_between_the_spans_lose_none(name: str, other: str) -> None:
    lines = DUMPS[name].decode().rstrip("\n").split("\n")
    ends = [number for number, line in enumerate(lines, 1) if line in ("}", "]") or name == "otlp lines"]
    for number in reversed([0, *ends]):
        lines.insert(number, other)
    log = "\n".join(("Started", *lines, "")).encode()
    assert_frame_equal(read(log), read(DUMPS[name]))
    assert counts(log)["log lines without spans"] >= len(ends)


@pytest.mark.parametrize("other", ['INFO: "GET / HTTP/1.1" 200', "it's {", '"half', "word"])
@pytest.mark.parametrize("name", ["python-sdk-json.json", "go-stdouttrace.json", "node-console.txt"])
def test_lines_of_others_in_the_middle_of_a_span_are_left_out(name: str, other: str) -> None:
    lines = DUMPS[name].decode().rstrip("\n").split("\n")
    middle = next(number for number, line in enumerate(lines) if line.strip() and line.startswith((" ", "\t")))
    lines.insert(middle + 1, other)
    log = "\n".join(("Started", *lines, "")).encode()
    assert_frame_equal(read(log), read(DUMPS[name]))


def test_two_who_print_at_once_are_told_apart() -> None:
    one, two = (DUMPS["otlp document"].decode().replace(TRACE_ID, each * 32).split("\n") for each in "ab")
    mixed = [part for pair in zip(one, two, strict=True) for part in (f"web-1  | {pair[0]}", f"web-2  | {pair[1]}")]
    assert read("\n".join(mixed).encode())["trace_id"].unique().sort().to_list() == ["a" * 32, "b" * 32]
    kinds = [docker(part).replace("stdout", stream) for pair in zip(one, two, strict=True)
             for part, stream in zip(pair, ("stdout", "stderr"), strict=True)]  # fmt: skip
    assert read("".join(kinds).encode())["trace_id"].n_unique() == 2


def test_several_formats_in_one_log_are_all_read() -> None:
    log = b"".join((b"start\n", *(sample(name) for name in PRINTED), DUMPS["otlp lines"]))
    traces = sample("python-sdk-json.compose.log")
    report = load_report(log)
    assert report.filter(pl.col("problem") == "spans")["count"].item() == 2 * len(PRINTED) + 29
    assert report["format"].unique().to_list() == ["node-console"]
    assert read(traces).height == 2


def test_logs_in_json_beside_spans_are_skipped_and_counted() -> None:
    entry = json.dumps({"@timestamp": TIME, "level": "INFO", "message": "answered {"}) + "\n"
    log = entry.encode() + DUMPS["otlp lines"] + entry.encode()
    assert read(log).height == 29
    assert counts(log)["log lines without spans"] == 2


def test_an_entry_of_a_logger_may_hold_json_as_text() -> None:
    lines = [json.dumps({"level": "INFO", "time": TIME, "msg": "hello"})]
    lines += [
        json.dumps({"level": "INFO", "time": TIME, "msg": each.decode()}) for each in DUMPS["otlp lines"].splitlines()
    ]
    lines.append(json.dumps({"level": "INFO", "time": TIME, "msg": DUMPS["otlp document"].decode()}))
    log = "\n".join(lines).encode()
    assert read(log).height == 29 + 3


def test_journald_writes_what_is_not_plain_as_bytes_and_cuts_long_lines() -> None:
    line = DUMPS["jaeger"].decode().strip()
    entries: list[dict[str, Any]] = [
        {"MESSAGE": list(line[:100].encode()), "_PID": "7", "PRIORITY": "6", "_LINE_BREAK": "line-max"},
        {"MESSAGE": "another", "_PID": "8", "PRIORITY": "6"},
        {"MESSAGE": line[100:], "_PID": "7", "PRIORITY": "6"},
        {"MESSAGE": None, "_PID": "7", "PRIORITY": "6"},
    ]
    assert_frame_equal(read(compact(*entries)), read(DUMPS["jaeger"]))


def test_a_printed_json_that_breaks_off_is_kept_as_far_as_it_goes() -> None:
    text = json.dumps(request(span(), span(CALL)), indent=2)
    whole = request(span("cd" * 8))
    log = "\n".join(["start", text[: text.rindex("endTimeUnixNano")], json.dumps(whole, indent=2), ""])
    assert sorted(read(log.encode())["span_id"]) == sorted([ROOT, "cd" * 8])
    assert counts(log.encode())["printed spans that break off"] == 1


def test_a_line_of_json_that_breaks_off_is_kept_as_far_as_it_goes() -> None:
    line = compact(request(span(), span(CALL))).decode()
    log = (
        f"INFO exporter - {line[: line.rindex('endTime')]}\nINFO exporter - {compact(request(span('cd' * 8))).decode()}"
    )
    assert sorted(read(log.encode())["span_id"]) == sorted([ROOT, "cd" * 8])
    assert counts(log.encode())["printed spans that break off"] == 1
    lost = f'INFO exporter - {{"resourceSpans": [{{"res\n{line}'.encode()
    assert read(lost).height == 2
    assert found(lost, "JSON that cannot be read")["first_place"].to_list() == ["line 1"]


def test_text_in_utf_16_is_a_log_as_well() -> None:
    for encoding in ("utf-16", "utf-16-le"):
        assert_frame_equal(read(sample("node-console.txt").decode().encode(encoding)), read(sample("node-console.txt")))


def test_lines_may_end_like_those_of_windows_and_begin_with_blank_ones() -> None:
    for name in (*PRINTED, "otlp-json.java-agent.log"):
        changed = b"\n\n\n\xef\xbb\xbf"[: 3 if name == PRINTED[0] else None] + sample(name).replace(b"\n", b"\r\n")
        assert_frame_equal(read(changed), read(sample(name)))


@pytest.mark.parametrize(
    ("log", "reason"),
    [
        (
            f"INFO: 'GET /' : {TRACE_ID} {ROOT} SERVER [tracer: shop:1.0] AttributesMap{{data={{a=1}}}}\n",
            "LoggingSpanExporter",
        ),
        (
            f"info\tResourceTraces #0 service.name=shop\nScopeTraces #0\nGET / {TRACE_ID} {ROOT} a=1\n",
            "verbosity: detailed",
        ),
        ('info\tTraces\t{"resource spans": 1, "spans": 2}\n', "verbosity: detailed"),
        (compact({"level": "info", "ts": 1, "msg": "Traces", "spans": 2}).decode(), "verbosity: detailed"),
        ("hello\nworld\n", "no JSON"),
        ("{ a: 1 }\n", "no JSON"),
        (docker("hello"), "no trace dump"),
        (compact({"level": 30, "time": 1, "msg": "done", "reqId": "r"}).decode(), r"its first JSON: .* level, time"),
    ],
)
def test_a_log_without_spans_or_times_is_refused_with_the_reason(log: str, reason: str) -> None:
    with pytest.raises(LoadError, match=reason):
        read(log.encode())


def test_spans_without_times_are_counted_beside_others() -> None:
    lost = f"INFO: 'GET /' : {TRACE_ID} {ROOT} SERVER [tracer: shop:1.0] {{}}\n".encode()
    log = lost + DUMPS["otlp lines"] + lost
    row = found(log, "printed spans without times").select("count", "lost_spans", "first_place").row(0)
    assert row == (2, 2, "line 1")
    assert read(log).height == 29
    with pytest.raises(LoadError, match="without times"):
        read(log, strict=True)


def test_a_format_that_was_asked_for_must_be_in_the_log() -> None:
    with pytest.raises(LoadError, match="it is otlp-json, not zipkin"):
        read(sample("otlp-json.java-agent.log"), format="zipkin")
    with pytest.raises(LoadError, match="it is node-console, not dotnet-console"):
        read(sample("node-console.txt"), format="dotnet-console")


def test_plain_dumps_are_no_logs() -> None:
    for name in ("otlp lines", "otlp document", "jaeger", "zipkin", "python-sdk-json.json", "go-stdouttrace.json"):
        assert not {"lines wrapped by a log", "log lines without spans"} & counts(DUMPS[name]).keys()
    rows = b'{"message": "hello", "level": "info"}\n'
    assert not layers_of([DUMPS["otlp lines"].decode().split("\n")[0]])
    assert layers_of([rows.decode()])


@pytest.mark.parametrize(
    "hostile",
    [
        b"{\n" * 50_000,
        b"log\n" + b'{"a":' * 50_000,
        b"log\n" + b"{ a: " * 50_000,
        b"log {\n" * 50_000,
        b"log " + b'[{"' * 50_000,
        b"log\n" + b" " * 1_000_000 + b"{\n" + b"\t" * 1_000_000,
        b"log\n     -> " + b"a: " * 300_000,
        b"Span #1\n     -> " + b"a: " * 300_000,
        b"Activity.TraceId: x\nActivity.Tags:\n    " + b"a:b" * 300_000,
        b"".join(b"s%d | {\n" % number for number in range(50_000)),
        b"log\n" + b"x [ " * 300_000,
        b"log\n{ a: '" + b"\\" * 500_001,
        b'{"log": "' + b"\\u0000" * 100_000 + b'", "stream": "a", "time": 1}\n',
        b'{"log": 5, "stream": {}, "time": []}\n' * 3,
        b'{"MESSAGE": [300, -1, "a"], "PRIORITY": "6"}\n' * 3,
        b'{"log": "\\ud800", "stream": "a", "time": 1}\n' * 3,
        b"\xff\xfe\xfd text \xff\n" * 3,
    ],
)
def test_hostile_logs_are_refused_in_time(hostile: bytes) -> None:
    def refused() -> None:
        try:
            assert read(hostile).height <= 1
        except LoadError as error:
            assert "no trace dump" in str(error) or "no span can be read" in str(error)  # noqa: PT017 - either is right

    assert ends(refused)


def test_a_long_log_takes_little_memory() -> None:
    def peak(content: bytes) -> int:
        tracemalloc.start()
        read(content)
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    noise = b"2026-01-01 00:00:00.000 INFO shop : nothing to see in this line\n" * 20_000
    assert peak(noise * 8 + DUMPS["otlp lines"]) < 3 * peak(noise * 4 + DUMPS["otlp lines"])
