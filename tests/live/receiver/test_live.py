from __future__ import annotations

import asyncio
import gc
import json
import os
import socket
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
import requests

import tracelab as tl
from tests.live.receiver.sending import JSON, PROTOBUF, body, post, trace, trace_id
from tests.live.receiver.test_store import same
from tests.loaders.dumps import attribute, request, shop_otlp, span
from tracelab.live import Receiver, receive
from tracelab.live.receiver.live import STATS_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def counts(live: Receiver) -> dict[tuple[str, str | None], int]:
    return {(what, of): count for what, of, count in live.stats().rows()}


def test_it_is_a_public_name() -> None:
    assert tl.receive is receive


def test_it_says_where_it_listens_and_what_it_holds(live: Receiver) -> None:
    post(live, body(*trace(1, 2)))
    text = repr(live)
    assert str(live.http_url) in text
    assert str(live.grpc_url) in text
    assert "2 spans in 1 trace" in text
    assert str(live.http_url) in live._repr_html_()
    live.close()
    assert repr(live) == "Receiver(closed; holds 2 spans in 1 trace)"


def test_it_says_that_the_network_may_send() -> None:
    with (
        pytest.warns(tl.LoadWarning, match="over the network"),
        receive(http_port=0, grpc_port=None, host="0.0.0.0") as live,  # noqa: S104 - what is tried
    ):
        assert "for everybody in the network (0.0.0.0)" in repr(live)


def test_a_closed_receiver_is_not_entered(live: Receiver) -> None:
    live.close()
    with pytest.raises(tl.TracelabError, match="is closed, and listens no more"), live:
        pass


def test_one_port_cannot_be_had_twice() -> None:
    with pytest.raises(tl.TracelabError, match="are both 24318"):
        receive(http_port=24318, grpc_port=24318)


def test_the_report_counts_what_went_to_make_room() -> None:
    with receive(http_port=0, grpc_port=None, max_spans=3) as live:
        post(live, body(*trace(1, 2)))
        live.wait(spans=2)
        post(live, body(*trace(2, 3)))
        for _ in range(2):
            report = live.wait(spans=5).report()
            dropped = report.filter(problem="spans beyond max_spans")
            assert dropped.select("count", "lost_spans").rows() == [(2, 2)]
            assert report.filter(problem="spans")["count"].to_list() == [5]


def test_wait_takes_seconds(live: Receiver) -> None:
    with pytest.raises(TimeoutError, match=r"0 of 1 spans came within 0\.05 s"):
        live.wait(timeout=0.05)


def test_it_runs_inside_of_a_running_loop() -> None:
    async def cell() -> int:
        with receive(http_port=0, grpc_port=None) as live:
            await asyncio.to_thread(post, live, body(*trace(1)))
            return live.wait(spans=1).spans().height

    assert asyncio.run(cell()) == 1


def test_wait_returns_as_soon_as_enough_came(live: Receiver) -> None:
    def send() -> None:
        for number in range(5):
            time.sleep(0.05)
            post(live, body(*trace(number, 2)))

    sending = threading.Thread(target=send)
    sending.start()
    assert live.wait(spans=3).spans().height >= 3
    assert live.wait(traces=5, spans=10, timeout="5s") is live
    sending.join()
    assert live.wait(spans=0, timeout="0s") is live
    assert live.wait() is live


def test_wait_counts_what_had_to_go_too() -> None:
    with receive(http_port=0, grpc_port=None, max_spans=10) as live:
        for number in range(5):
            post(live, body(*trace(number, 5)))
        assert live.wait(spans=25, traces=5).spans().height == 10


def test_wait_says_what_came_and_what_to_look_at(live: Receiver) -> None:
    start = time.monotonic()
    with pytest.raises(
        TimeoutError, match=r"0 of 1 spans came within 100ms\. Check that the sender exports to http://"
    ):
        live.wait(timeout="100ms")
    assert time.monotonic() - start < 2
    post(live, body(*trace(1, 2)))
    with pytest.raises(tl.TracelabError, match="2 of 3 spans and 1 of 2 traces came within 0s"):
        live.wait(spans=3, traces=2, timeout="0s")
    post(live, b"{", JSON)
    with pytest.raises(TimeoutError, match=r"1 request refused\. The last: The body is no OTLP JSON"):
        live.wait(spans=3, timeout="0s")
    live.close()
    with pytest.raises(TimeoutError, match="2 of 3 spans came before it was closed"):
        live.wait(spans=3)


@pytest.mark.parametrize("options", [{"spans": -1}, {"spans": "many"}, {"traces": 1.5}, {"timeout": "soon"}])
def test_wait_refuses_what_is_no_number_or_time(live: Receiver, options: dict[str, Any]) -> None:
    with pytest.raises(tl.TracelabError):
        live.wait(**options)


def test_stats_count_all_that_came(live: Receiver) -> None:
    content = body(*trace(1, 3), service="web") + body(*trace(1, 3)[1:2], service="shop")
    post(live, content)
    post(live, content)
    post(live, b"", path="/v1/metrics")
    post(live, b"{", JSON)
    post(live, b"x", "text/plain")
    assert live.stats().schema == STATS_SCHEMA
    found = counts(live)
    expected = {
        ("spans received", None): 4,
        ("spans held", None): 4,
        ("spans dropped", "delivered twice"): 4,
        ("spans dropped", "beyond max_spans"): 0,
        ("traces held", None): 1,
        ("requests", "traces"): 2,
        ("requests", "metrics"): 1,
        ("requests refused", "malformed"): 1,
        ("requests refused", "unknown content type"): 1,
        ("bytes received", None): 2 * len(content),
        ("spans of service", "shop"): 1,
        ("spans of service", "web"): 3,
    }
    assert {key: found[key] for key in expected} == expected


def test_the_revision_grows_with_what_comes_and_only_then(live: Receiver) -> None:
    before = live.revision
    live.spans()
    assert live.revision == before
    post(live, body(*trace(1)))
    assert live.revision > before


def test_the_report_says_what_was_repaired(live: Receiver) -> None:
    post(live, body(span(status={"code": 2}, droppedAttributesCount=3)))
    report = live.report()
    assert report.schema == tl.load_report(b'{"resourceSpans": []}').schema
    assert report.row(0, named=True)["count"] == 1
    assert report.filter(pl.col("problem").str.contains("producer"))["count"].to_list() == [3]


def test_a_taken_port_is_named_with_what_to_do(live: Receiver) -> None:
    ports: dict[str, Any] = {
        "http_port": int(str(live.http_url).rpartition(":")[2]),
        "grpc_port": int(str(live.grpc_url)[10:]),
    }
    for option, port in ports.items():
        with pytest.raises(tl.SourceError, match=rf"Port {port} .* taken: a receiver of this session .* {option}=0"):
            receive(**{"http_port": 0, "grpc_port": None, option: port})
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        for option in ports:
            with pytest.raises(tl.SourceError, match=rf"Port {port} .* taken, by .*Stop it, or pass {option}=0"):
                receive(**{"http_port": 0, "grpc_port": None, option: port})


def test_a_receiver_that_could_not_listen_on_one_port_leaves_the_other(live: Receiver) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(tl.SourceError):
        receive(http_port=port, grpc_port=int(str(live.grpc_url)[10:]))
    receive(http_port=port, grpc_port=None).close()


def test_the_same_port_can_be_had_at_once_after_closing() -> None:
    live = receive(http_port=0, grpc_port=0)
    http, grpc = int(str(live.http_url).rpartition(":")[2]), int(str(live.grpc_url)[10:])
    for number in range(3):
        post(live, body(*trace(number)))
        live.close()
        live = receive(http_port=http, grpc_port=grpc)
        assert live.spans().is_empty()
    live.close()


def test_closing_twice_is_fine_and_what_came_stays(live: Receiver) -> None:
    post(live, body(*trace(1, 3)))
    url = live.http_url
    live.close()
    live.close()
    assert live.closed
    assert live.spans().height == 3
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", int(str(url).rpartition(":")[2])), timeout=5)


def test_closing_answers_what_is_under_way_and_waits_for_nobody_else(live: Receiver) -> None:
    with socket.create_connection(("127.0.0.1", int(str(live.http_url).rpartition(":")[2]))) as idle:
        idle.sendall(b"POST /v1/traces HTTP/1.1\r\n")
        start = time.monotonic()
        live.close()
        assert time.monotonic() - start < 5
        assert idle.recv(10) == b""


def test_a_receiver_that_nobody_has_is_closed() -> None:
    live = receive(http_port=0, grpc_port=None)
    port = int(str(live.http_url).rpartition(":")[2])
    del live
    gc.collect()
    receive(http_port=port, grpc_port=None).close()


def test_no_thread_is_left_after_closing() -> None:
    live = receive(http_port=0, grpc_port=0)
    post(live, body(*trace(1)))
    live.close()
    end = time.monotonic() + 5
    while any(each.name.startswith("tracelab-receiver") for each in threading.enumerate()):
        assert time.monotonic() < end, [each.name for each in threading.enumerate()]
        time.sleep(0.02)


@pytest.mark.parametrize(
    "options",
    [
        {"http_port": 65_536},
        {"http_port": -1},
        {"http_port": "4318"},
        {"http_port": True},
        {"http_port": None, "grpc_port": None},
        {"max_spans": 0},
        {"max_spans": None},
        {"host": ""},
        {"host": 5},
        {"host": "203.0.113.7"},
        {"host": "no such host.example"},
        {"path": ""},
        {"path": "/nowhere/at/all/kept.jsonl"},
    ],
    ids=str,
)
def test_options_that_are_none_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(tl.TracelabError):
        receive(**{"http_port": 0, "grpc_port": None, **options})


def test_to_listen_to_the_whole_network_is_warned_of() -> None:
    with pytest.warns(tl.LoadWarning, match="anybody who reaches this machine"):
        live = receive(http_port=0, grpc_port=0, host="0.0.0.0")  # noqa: S104 - that is what is tried
    assert str(live.http_url).startswith("http://127.0.0.1:")
    assert post(live, body(*trace(1))).status_code == 200
    live.close()


def test_ipv6_is_a_loopback_too() -> None:
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    try:
        live = receive(http_port=0, grpc_port=0, host="::1")
    except tl.SourceError as error:
        pytest.skip(str(error))
    assert str(live.http_url).startswith("http://[::1]:")
    assert post(live, body(*trace(1))).status_code == 200
    live.close()


def test_what_comes_is_kept_in_a_file_before_the_answer(tmp_path: Path) -> None:
    path = tmp_path / "kept.jsonl"
    with receive(http_port=0, grpc_port=None, path=path) as live:
        post(live, body(*trace(1, 3)))
        assert tl.read(path).height == 3
        spread = json.dumps(shop_otlp(), indent=2).encode()
        post(live, spread, JSON)
        same(tl.read(path), live.spans())
        post(live, b"{", JSON)
        post(live, body(*trace(5)).replace(b"span 0", b"sp\xff\xfe 0"))
        assert path.read_bytes().count(b"\n") == 3
        assert counts(live)["lines written", str(path)] == 3
        same(tl.read(path), live.spans())
    with receive(http_port=0, grpc_port=None, path=path) as live:
        post(live, body(*trace(7)))
    assert tl.read(path).height == 3 + 3 + 1 + 1


def test_the_file_holds_what_the_receiver_lets_go(tmp_path: Path) -> None:
    path = tmp_path / "kept.jsonl"
    with receive(http_port=0, grpc_port=None, path=path, max_spans=5) as live:
        for number in range(10):
            post(live, body(*trace(number, 5)))
        assert live.spans().height == 5
    assert tl.read(path).height == 50


def test_a_file_that_cannot_be_written_is_told_to_the_sender_and_shown(tmp_path: Path) -> None:
    resource, signal = pytest.importorskip("resource"), pytest.importorskip("signal")
    path = tmp_path / "kept.jsonl"
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    heard = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    with receive(http_port=0, grpc_port=None, path=path) as live:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
        try:
            got = post(live, body(*trace(1, 3)))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)
            signal.signal(signal.SIGXFSZ, heard)
        assert (got.status_code, got.headers["Retry-After"]) == (503, "1")
        assert live.spans().is_empty()
        assert "cannot be written" in repr(live)
        assert counts(live)["lines not written", str(path)] == 1
        assert counts(live)["requests refused", "the file cannot be written"] == 1
        assert post(live, body(*trace(1, 3))).status_code == 200
        assert "kept.jsonl cannot be written" not in repr(live)
    assert tl.read(path).height == 3


def test_nothing_that_is_sent_is_written_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "kept.jsonl"
    evil = ["../out.jsonl", "/etc/passwd", str(tmp_path / "other"), "a\0b", "\n{}\n", "%2e%2e/x"]
    with receive(http_port=0, grpc_port=None, path=path) as live:
        for number, name in enumerate(evil):
            sent = request(*trace(number, attributes=[attribute(name, name)]), service=name)
            assert post(live, json.dumps(sent).encode(), JSON).status_code == 200
            post(live, body(*trace(100 + number, attributes=[attribute("path", name)]), service=name))
            post(live, b"{}", JSON, path=f"/v1/traces/{name.strip().encode().hex()}")
    assert [each.name for each in tmp_path.iterdir()] == ["kept.jsonl"]
    assert len(path.read_bytes().splitlines()) == 2 * len(evil)
    assert tl.read(path).height == 2 * len(evil)


def test_a_script_that_never_closes_it_ends() -> None:
    code = "import tracelab as tl\nlive = tl.receive(http_port=0, grpc_port=0)\nprint(live.http_url)"
    start = time.monotonic()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.startswith("http://")
    assert not done.stderr
    assert time.monotonic() - start < 30


def test_ctrl_c_in_a_cell_leaves_it_running(live: Receiver) -> None:
    signal = pytest.importorskip("signal")
    threading.Timer(0.3, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        live.wait(spans=1, timeout="20s")
    assert post(live, body(*trace(1))).status_code == 200
    assert live.wait(spans=1).spans().height == 1


def test_without_grpcio_http_works_and_it_is_said_that_grpc_does_not() -> None:
    # A process that does not find grpcio, as where it is not installed.
    code = (
        "import sys, importlib.util as u\n"
        "real = u.find_spec\n"
        "u.find_spec = lambda name, *rest: None if name == 'grpc' else real(name, *rest)\n"
        "import tracelab as tl\n"
        "live = tl.receive(http_port=0)\n"
        "print(live.grpc_url, live)\n"
        "for options in ({'grpc_port': 0}, {'http_port': None}):\n"
        "    try:\n"
        "        tl.receive(**{'http_port': 0, **options})\n"
        "    except ImportError as error:\n"
        "        print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    first, *others = done.stdout.splitlines()
    assert first.startswith("None Receiver(listens on http://")
    assert 'gRPC is off, as grpcio is not installed. Install it with: pip install "tracelab-kit[live]"' in first
    assert len(others) == 2
    assert all("grpc_port=None" in each for each in others)


COMMAND = [sys.executable, "-m", "tracelab", "receive"]


def started(*words: str) -> tuple[subprocess.Popen[str], list[str]]:
    """Start the command; gives it and what it says until it listens."""
    process = subprocess.Popen(
        [*COMMAND, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "COLUMNS": "80", "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    said: list[str] = []
    while not said or "Ctrl-C" not in said[-1]:
        line = process.stdout.readline()
        assert line, process.communicate()
        said.append(line)
    return process, said


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_the_command_receives_until_it_is_told_to_stop_and_sums_up(tmp_path: Path, name: str) -> None:
    signal = pytest.importorskip("signal")
    path = tmp_path / "kept.jsonl"
    process, said = started("--http-port", "0", "--grpc-port", "0", "--path", str(path))
    url = said[0].split()[-1]
    assert url.startswith("http://127.0.0.1:")
    assert "gRPC: 127.0.0.1:" in said[1]
    got = requests.post(f"{url}/v1/traces", data=body(*trace(1, 3)), headers={"Content-Type": PROTOBUF}, timeout=10)
    assert got.status_code == 200
    process.send_signal(getattr(signal, name))
    output, errors = process.communicate(timeout=30)
    assert process.returncode == 0, errors
    assert "3 spans in 1 trace of 1 service, by 1 request" in output
    assert f"Wrote 1 line to {path}" in output
    assert trace_id(1) in output
    assert tl.read(path).height == 3
    assert all(len(line) <= 80 for line in output.splitlines() if str(tmp_path) not in line)


def test_the_command_ends_with_an_error_where_a_port_is_taken(live: Receiver) -> None:
    port = str(live.http_url).rpartition(":")[2]
    done = subprocess.run([*COMMAND, "--http-port", port], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert f"Port {port}" in done.stderr


@pytest.mark.parametrize("words", [["--http-port", "http"], ["--grpc-port", "70000"], ["--max-spans", "0"]], ids=str)
def test_the_command_refuses_options_that_are_none(words: list[str]) -> None:
    done = subprocess.run([*COMMAND, *words], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2


def test_the_line_of_a_terminal_counts_what_comes() -> None:
    pty, signal = pytest.importorskip("pty"), pytest.importorskip("signal")
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "--http-port", "0", "--grpc-port", "off"],
        stdout=theirs,
        stderr=theirs,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "80"},
    )
    os.close(theirs)
    shown = b""

    def until(holds: Callable[[], bool]) -> None:
        nonlocal shown
        while not holds():
            shown += os.read(ours, 4096)

    until(lambda: b"Ctrl-C" in shown)
    url = shown.split(b"HTTP: ")[1].split(b"\r")[0].replace(b"\x1b[0m", b"").decode().strip()
    requests.post(f"{url}/v1/traces", data=body(*trace(1, 3)), headers={"Content-Type": PROTOBUF}, timeout=10)
    until(lambda: b"3 spans in 1 trace" in shown)
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 0
    os.close(ours)
