from __future__ import annotations

import gzip
import io
import socket
import sys
import threading
import traceback
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from tests.loaders.dumps import compact, protobuf, request, shop_jaeger, shop_otlp, span
from tracelab.errors import LoadWarning, SourceError
from tracelab.loaders import load_report, read
from tracelab.loaders.input import addresses
from tracelab.loaders.input.addresses import without_secrets

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

fsspec = pytest.importorskip("fsspec", reason="fsspec comes with the extra `remote`")
pytest.importorskip("aiohttp", reason="aiohttp comes with the extra `remote`")

SHOP = compact(shop_otlp())
LOGIN = b"\n<!DOCTYPE html><html><body>Log in</body></html>"


class Handler(BaseHTTPRequestHandler):
    """Answers as the servers do that people have dumps on."""

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if path == "/moved":
            self.answer(302, b"", Location="/login?token=hush-hush")
        elif path in ("/round", "/about"):
            self.answer(302, b"", Location="/about?token=hush-hush" if path == "/round" else "/round")
        elif path == "/slow":
            self.server.stopped.wait(20)  # type: ignore[attr-defined]
        elif path == "/torn":
            self.answer(200, SHOP[:100], length=len(SHOP))
        elif path == "/private" and not self.headers.get("Authorization", "").startswith("Basic "):
            self.answer(401, b"no")
        elif path == "/signed" and query != "X-Amz-Signature=hush-hush":
            self.answer(403, b"<Error>SignatureDoesNotMatch hush-hush</Error>")
        else:
            content = self.server.files.get(path)  # type: ignore[attr-defined]
            self.answer(404 if content is None else 200, content or b"not here")

    def answer(self, status: int, content: bytes, *, length: int | None = None, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the name in the standard library
        """Say nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("shop.json", SHOP)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.stopped = threading.Event()  # type: ignore[attr-defined]
        http.files = {  # type: ignore[attr-defined]
            "/shop.jsonl": SHOP,
            "/shop.jsonl.gz": gzip.compress(SHOP),
            "/shop.pb": protobuf(shop_otlp()),
            "/shop.zip": archive.getvalue(),
            "/api/traces/0af7651916cd43dd8448eb211c80319c": compact(shop_jaeger()),
            "/api/v2/traces/1": compact({"trace": shop_otlp()}),
            "/private": SHOP,
            "/signed": SHOP,
            "/login": LOGIN,
            "/trace/1": LOGIN,
            "/jaeger/": b"<!doctype html><html><head><title>Jaeger UI</title></head></html>",
        }
        thread = threading.Thread(target=http.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{http.server_address[1]}"
        http.stopped.set()  # type: ignore[attr-defined]
        http.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/shop.jsonl", "otlp-json"),
        ("/shop.jsonl.gz", "otlp-json"),
        ("/shop.pb", "otlp-proto"),
        ("/api/traces/0af7651916cd43dd8448eb211c80319c?raw=true", "jaeger-json"),
        ("/api/v2/traces/1", "otlp-json"),
    ],
)
def test_an_address_of_the_web_is_a_source(server: str, path: str, form: str) -> None:
    assert read(server + path).height == 3
    report = load_report(server + path)
    assert report.select("source", "format").row(0) == (server + path, form)


def test_reading_to_the_end_is_silent(server: str, caplog: pytest.LogCaptureFixture) -> None:
    for path in ("/shop.jsonl", "/shop.jsonl.gz", "/shop.zip", "/shop.pb"):
        assert read(server + path).height == 3
    assert caplog.messages == []


def test_an_archive_at_an_address_is_one(server: str) -> None:
    report = load_report(f"{server}/shop.zip")
    assert report["source"].to_list()[0] == f"{server}/shop.zip!/shop.json"


def test_addresses_go_with_other_sources(server: str, tmp_path: Path) -> None:
    (tmp_path / "own.json").write_bytes(compact(request(span("cc" * 8, traceId="dd" * 16))))
    assert read([f"{server}/shop.jsonl", tmp_path]).height == 4


def test_credentials_are_used_but_never_shown(server: str) -> None:
    for address, name in (
        (server.replace("//", "//me:hush-hush@") + "/private", f"{server}/private"),
        (f"{server}/signed?X-Amz-Signature=hush-hush", f"{server}/signed?X-Amz-Signature=…"),
    ):
        assert read(address).height == 3
        assert load_report(address)["source"].unique().to_list() == [name]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/nowhere?token=hush-hush", "there is nothing"),
        ("/private?token=hush-hush", "answered 401 .*credentials"),
        ("/signed?X-Amz-Signature=hush-hush%21", "answered 403"),
        (
            "/moved?key=hush-hush",
            r"page came back, led to by a redirect: .*/login\?token=…\. .*tracelab\.fetch_jaeger",
        ),
        ("/round?key=hush-hush", r"redirected \d+ times and led nowhere: .*lead to each other"),
        ("/trace/1", "web page came back. Perhaps"),
        ("/jaeger/", r"this is a Jaeger\. .*tracelab\.fetch_jaeger\("),
        ("/torn?sig=hush-hush", "cannot be reached"),
    ],
)
def test_what_fails_is_said_without_secrets(server: str, path: str, reason: str) -> None:
    with pytest.raises(SourceError, match=reason) as caught:
        read(server + path)
    shown = "".join(traceback.format_exception(caught.value))
    assert "hush" not in shown
    assert server in shown
    assert caught.value.__context__ is None


def test_a_server_that_is_silent_is_given_up(server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "_SILENCE", 0.2)
    with pytest.raises(SourceError, match="no answer came in time"):
        read(f"{server}/slow")


def test_a_server_that_is_down_is_said_to_be() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with pytest.raises(SourceError, match="cannot be reached") as caught:
        read(f"http://me:hush-hush@127.0.0.1:{port}/x.json?token=hush-hush")
    assert "hush" not in str(caught.value)


def test_a_store_has_files_folders_and_patterns() -> None:
    store = fsspec.filesystem("memory")
    for name, content in {"a.jsonl": SHOP, "deep/b.jsonl": SHOP, ".hidden.json": b"{}", "run.py": b"{}"}.items():
        store.pipe(f"/bucket/{name}", content)

    def names(address: str) -> list[str]:
        return load_report(address).filter(pl.col("problem") == "spans")["source"].to_list()

    try:
        assert names("memory://bucket/a.jsonl") == ["memory://bucket/a.jsonl"]
        assert names("memory://bucket/*.jsonl") == ["memory://bucket/a.jsonl"]
        assert names("memory://bucket/") == ["memory://bucket/a.jsonl", "memory://bucket/deep/b.jsonl"]
        with pytest.warns(LoadWarning, match="duplicated"):
            assert read("memory://bucket").height == 3
        store.pipe("/bucket/[1].jsonl", SHOP)
        assert names("memory://bucket/[1].jsonl") == ["memory://bucket/[1].jsonl"]
        for address in ("memory://bucket/c.jsonl", "memory://bucket/*.pb", "memory://elsewhere/"):
            with pytest.raises(SourceError, match="there "):
                read(address)
    finally:
        store.rm("/bucket", recursive=True)


def test_a_file_of_a_store_keeps_its_size_for_the_progress_bar(capsys: pytest.CaptureFixture[str]) -> None:
    store = fsspec.filesystem("memory")
    store.pipe("/bucket/a.jsonl", SHOP)
    read("memory://bucket/a.jsonl", progress=True)
    store.rm("/bucket", recursive=True)
    assert "100%" in capsys.readouterr().err


def test_an_address_of_a_file_is_its_path(tmp_path: Path) -> None:
    (tmp_path / "with space.json").write_bytes(SHOP)
    for address in (f"file://{tmp_path}/with%20space.json", f"file://localhost{tmp_path}/*.json", f"FILE://{tmp_path}"):
        assert load_report(address)["source"].to_list()[0] == str(tmp_path / "with space.json")
    with pytest.raises(SourceError, match="another machine"):
        read("file://elsewhere/x.json")


def test_without_the_package_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(SourceError, match=r"pip install 'tracelab-kit\[remote\]'.*tracelab\.fetch_jaeger"):
        read("https://example.org/x.json?token=hush-hush")


def test_a_store_that_nobody_knows_is_said_to_be() -> None:
    with pytest.raises(SourceError, match="there is no way to read gopher://"):
        read("gopher://example.org/x.json")


@pytest.mark.parametrize(
    "address", ["http://[::1", "http://", "https://me:hush@[bad/x", "http://\0/", "s3://", "memory://"]
)
def test_addresses_that_are_none_are_source_errors(address: str) -> None:
    with pytest.raises(SourceError) as caught:
        read(address)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://user:pass@host:8080/a/b.json", "https://host:8080/a/b.json"),
        ("https://host/b?X-Amz-Signature=abc&X-Amz-Expires=5", "https://host/b?X-Amz-Signature=…&X-Amz-Expires=…"),
        ("https://host/b?sv=1&sig=abc#access_token=1", "https://host/b?sv=…&sig=…"),
        ("http://host/api/traces?service=shop&limit=20", "http://host/api/traces?service=shop&limit=20"),
        ("https://host/b?abc", "https://host/b?abc=…"),
        ("s3://key:secret@bucket/x", "s3://bucket/x"),
        ("https://a@b:c@host/x", "https://host/x"),
    ],
)
def test_an_address_is_shown_without_its_secrets(address: str, shown: str) -> None:
    assert without_secrets(address) == shown
