"""Faults of servers and networks: each is one clear error, and what opens the server is shown nowhere."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
import traceback
from email.utils import formatdate
from typing import TYPE_CHECKING

import pytest

import tracelab as tl
from tests.live.servers.faults import Asked, Reply, serving
from tests.live.servers.jaegers import BEGIN, Jaeger, traces
from tracelab.live.servers.web import Web

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "hunter2secret"  # noqa: S105 - of nothing


def refused(url: str, match: str, **options: object) -> str:
    """Give the message of the error, and everything else that a notebook would show with it."""
    with pytest.raises(tl.SourceError, match=match) as caught:
        tl.jaeger_services(url, **options)  # type: ignore[arg-type]
    shown = "".join(traceback.format_exception(caught.value))
    assert SECRET not in shown
    return str(caught.value)


def with_secret(url: str) -> str:
    return url.replace("://", f"://joe:{SECRET}@")


def test_a_refused_connection_is_said() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    refused(f"http://joe:{SECRET}@127.0.0.1:{port}", "nothing listens there")


@pytest.mark.parametrize("url", ["", "localhost:16686", "ftp://host", "http://", "http://host:port", 5, None])
def test_what_is_no_address_is_refused(url: str) -> None:
    refused(url, "http://localhost:16686")


def test_an_address_without_a_scheme_shows_no_password() -> None:
    refused(f"joe:{SECRET}@localhost:16686", "begins with http")


@pytest.mark.parametrize("mark", ["/", "?", "#"])
def test_a_password_with_a_mark_that_ends_the_host_is_not_shown(mark: str) -> None:
    for url in (f"http://joe:{SECRET}{mark}@localhost", f"http://joe:x{mark}{SECRET}@localhost:1"):
        refused(url, r"best given as auth=\(user, password\)")
        with pytest.raises(tl.SourceError) as caught:
            tl.read(url)
        assert SECRET not in str(caught.value)


def test_a_host_of_no_such_name_is_said() -> None:
    refused(f"http://joe:{SECRET}@no-such-host.invalid", "no host of this name|nobody answers")


@pytest.mark.parametrize(("status", "advice"), [(401, "auth="), (403, "may not"), (400, "Check"), (418, "Check")])
def test_refusals_say_the_status_and_what_to_do(status: int, advice: str) -> None:
    with serving(lambda _: Reply(status, b'{"message": "no, ' + SECRET.encode() + b'"}')) as server:
        message = refused(with_secret(server.url), f"answered {status}.*{advice}")
        assert "no, …" in message
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_passing_trouble_is_outlasted(status: int) -> None:
    jaeger = Jaeger(traces(1))
    with serving(lambda asked: Reply(status) if len(server.asked) < 3 else jaeger(asked)) as server:
        assert tl.jaeger_services(server.url).height == 1


def test_trouble_that_stays_is_an_error() -> None:
    with serving(lambda _: Reply(500, b"out of memory")) as server:
        refused(server.url, r"answered 500 \(out of memory\)")


def test_the_server_says_how_long_to_wait() -> None:
    jaeger = Jaeger(traces(1))
    busy = Reply(429, b"slow down", {"Retry-After": "1"})
    begun = time.monotonic()
    with serving(lambda asked: busy if len(server.asked) < 2 else jaeger(asked)) as server:
        assert tl.jaeger_services(server.url).height == 1
    assert time.monotonic() - begun >= 1


def test_the_server_says_until_when_to_wait() -> None:
    jaeger = Jaeger(traces(1))
    begun = time.time()
    busy = Reply(503, b"slow down", {"Retry-After": formatdate(begun + 3, usegmt=True)})
    with serving(lambda asked: busy if len(server.asked) < 2 else jaeger(asked)) as server:
        assert tl.jaeger_services(server.url).height == 1
    assert time.time() - begun >= 1.5


def test_no_attempt_is_told_to_who_watches(caplog: pytest.LogCaptureFixture) -> None:
    jaeger = Jaeger(traces(1))
    with serving(lambda asked: Reply(dies=True) if len(server.asked) < 3 else jaeger(asked)) as server:
        assert tl.jaeger_services(with_secret(server.url)).height == 1
    assert not caplog.messages


def test_https_to_who_speaks_http_is_said() -> None:
    with serving(Jaeger(traces(1))) as server:
        refused(with_secret(server.url.replace("http://", "https://")), "TLS.*http:// and not")


def test_what_is_missing_is_reported_without_secrets() -> None:
    jaeger = Jaeger(traces(900), most=200)
    failing = Reply(400, b'{"error": {"message": "no room for ' + SECRET.encode() + b'"}}')

    def answer(asked: Asked) -> Reply:
        return failing if asked.path == "/api/v3/traces" and len(server.asked) % 5 == 0 else jaeger(asked)

    with serving(answer) as server, pytest.warns(tl.LoadWarning, match="could not be had") as warned:
        spans = tl.fetch_jaeger(
            with_secret(server.url),
            service="shop",
            start=BEGIN,
            end=BEGIN + 3600 * 10**9,
            headers={"X-Key": SECRET},
            progress=True,
        )
    assert 0 < spans.height < 900
    report = tl.fetch_report()
    assert "no room for …" in str(report["example"].to_list())
    assert SECRET not in str(report.to_dicts()) + "".join(str(each.message) for each in warned)
    assert set(report["source"]) == {server.url}


def test_nobody_waits_for_an_hour() -> None:
    with serving(lambda _: Reply(429, b"slow down", {"Retry-After": "3600"})) as server:
        refused(server.url, "wants 3,600 s to pass")


def test_a_server_that_hangs_is_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        begun = time.monotonic()
        refused(f"http://127.0.0.1:{silent.getsockname()[1]}", "within 0.5 s", timeout="500ms")
    assert time.monotonic() - begun < 5


def test_a_server_that_drips_is_left() -> None:
    with socket.create_server(("127.0.0.1", 0)) as dripping:

        def drip() -> None:
            one, _ = dripping.accept()
            with one:
                one.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
                try:
                    while True:
                        one.sendall(b"x" * 5)
                        time.sleep(0.05)
                except OSError:
                    return

        threading.Thread(target=drip, daemon=True).start()
        begun = time.monotonic()
        refused(f"http://127.0.0.1:{dripping.getsockname()[1]}", "no whole answer", timeout=1)
    assert time.monotonic() - begun < 10


def test_the_page_of_a_proxy_is_said() -> None:
    with serving(lambda _: Reply(200, b"<!DOCTYPE html><title>Log in</title>")) as server:
        refused(server.url, "a web page came back")


def test_an_answer_that_breaks_off_is_asked_for_again() -> None:
    jaeger = Jaeger(traces(1))

    def answer(asked: Asked) -> Reply:
        whole = jaeger(asked)
        return whole if len(server.asked) > 1 else Reply(200, whole.body[:-3], length=len(whole.body))

    with serving(answer) as server:
        assert tl.jaeger_services(server.url).height == 1
    assert len(server.asked) == 2


@pytest.mark.parametrize("length", [100, None])
def test_half_an_answer_that_stays_half_is_an_error(length: int | None) -> None:
    half = Reply(200, b'{"services": [{}', length=length, without_length=length is None)
    with serving(lambda _: half) as server:
        refused(server.url, "broke off|half an answer")
    assert len(server.asked) == 3


def test_a_redirect_to_another_host_gets_no_credentials() -> None:
    there = Jaeger(traces(2))
    with (
        serving(there) as other,
        serving(lambda asked: Reply(302, b"", {"Location": f"{other.url}{asked.path}", "Set-Cookie": "a=b"})) as server,
    ):
        found = tl.jaeger_services(with_secret(server.url), headers={"X-Scope-OrgID": SECRET, "Authorization": SECRET})
    assert found.height == 1
    assert server.asked[0].headers["X-Scope-OrgID"] == SECRET
    assert "Authorization" in server.asked[0].headers
    shown = str(other.asked[0].headers)
    assert SECRET not in shown
    assert not {"Authorization", "X-Scope-OrgID", "Cookie"} & set(other.asked[0].headers)


def test_a_redirect_on_the_same_host_keeps_credentials() -> None:
    there = Jaeger(traces(2))

    def answer(asked: Asked) -> Reply:
        moved = Reply(307, b"", {"Location": f"/jaeger{asked.path}"})
        return there(asked) if asked.path.startswith("/jaeger") else moved

    with serving(answer) as server:
        assert tl.jaeger_services(server.url, headers={"X-Scope-OrgID": "a"}, auth=("joe", SECRET)).height == 1
    assert server.asked[1].headers["X-Scope-OrgID"] == "a"
    assert server.asked[1].headers["Authorization"].startswith("Basic ")


def test_a_circle_of_redirects_is_left() -> None:
    with serving(lambda asked: Reply(302, b"", {"Location": asked.path})) as server:
        refused(server.url, "without an end")


def test_credentials_of_the_address_are_sent_and_not_shown() -> None:
    with serving(Jaeger(traces(1))) as server:
        url = with_secret(server.url)
        assert tl.jaeger_services(url).height == 1
        web = Web(url, headers={"Authorization": SECRET})
        assert SECRET not in repr(web)
    assert server.asked[0].headers["Authorization"].startswith("Basic ")


def test_a_certificate_of_ones_own_is_said_and_can_be_trusted(tmp_path: Path) -> None:
    key, certificate = tmp_path / "key.pem", tmp_path / "own.pem"
    made = subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate),
            *("-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1"),
        ],
        check=False,
        capture_output=True,
    )
    if made.returncode:
        pytest.skip("no openssl to make a certificate with")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with serving(Jaeger(traces(1)), tls=context) as server:
        refused(with_secret(server.url), "TLS: self-signed certificate")
        assert tl.jaeger_services(server.url, verify=str(certificate)).height == 1
