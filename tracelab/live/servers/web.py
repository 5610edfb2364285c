"""Questions to a server over HTTP: patient where that helps, an error in plain words where not, and never a secret."""

from __future__ import annotations

import base64
import logging
import re
import ssl
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, unquote, urljoin, urlsplit, urlunsplit

import msgspec
import requests
import urllib3
from requests.adapters import HTTPAdapter

from tracelab.display.words import format_bytes
from tracelab.errors import SourceError, TracelabError
from tracelab.loaders.input.addresses import without_secrets
from tracelab.markup import visible
from tracelab.options import seconds, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Parameters = list[tuple[str, str]]
Auth = Any
"""Whatever requests takes: a user and a password, or a callable that signs a request."""

WORKERS: Final = 8
_CONNECTING: Final = 10.0
_PATIENCE: Final = 60.0
_LONGEST_WAIT: Final = 60.0
_BACKOFF: Final = 0.2
_RETRIES: Final = 4
_BROKEN_CONNECTIONS: Final = 2
_BROKEN: Final = 2
_REDIRECTS: Final = 5
_GRACE: Final = 3.0
_TICK: Final = 0.3
_BLOCK: Final = 1 << 18
_LARGEST: Final = 2 << 30
_PASSING: Final = frozenset((429, 500, 502, 503, 504))
_LED_ELSEWHERE: Final = frozenset((301, 302, 303, 307, 308))
_PAGE: Final = (b"<!doctype html", b"<html", b"<?xml", b"<head", b"<body")
_PAGES: Final = re.compile(
    r"/(?:(?:search|dependencies|compare|monitor|trace/[^/]*)|api(?:/v[1-3])?/(?:traces|services|operations|search)(?:/.*)?)$"
)
_SHOWN: Final = 200
_SHORTEST_SECRET: Final = 3

_ADVICE: Final = {
    400: "Check what was asked for.",
    401: "It wants credentials: auth=(user, password), or headers={'Authorization': 'Bearer ...'}.",
    403: "These credentials may not read it. Check auth, headers and, in Tempo, tenant.",
    404: "Check the address: a server behind a prefix needs it (http://host/jaeger).",
    429: "The server wants fewer requests. Try again later, or ask for less time.",
}
_NO_TENANT: Final = "This Tempo serves several tenants: say whose traces, with tenant='...'."


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: the status, the bytes, and what they are said to be."""

    status: int
    content: bytes
    kind: str


class WebPageError(SourceError):
    """A page for people came back, and no data."""


class RefusalError(SourceError):
    """The server answered, but with a status that is no success."""


class UnreachableError(SourceError):
    """No answer came, or not all of one; `waited` says that nothing at all came in time."""

    def __init__(self, message: str, *, waited: bool = False) -> None:
        super().__init__(message)
        self.waited = waited


class _Stopped(Exception):  # noqa: N818 - no error: somebody wants no answer any more
    """Nobody waits for the answer any more."""


class _WaitTooLong(Exception):  # noqa: N818 - said in plain words where it is caught
    """The server names a time to wait that nobody wants to wait."""

    def __init__(self, seconds: float, status: int) -> None:
        super().__init__()
        self.seconds = seconds
        self.status = status


class Web:
    """A server at an address; it may be asked from several threads.

    Credentials go to that host and nowhere else, also where it sends on to another one.
    """

    def __init__(
        self,
        url: Any,
        *,
        headers: Mapping[str, str] | None = None,
        auth: Auth | None = None,
        verify: bool | str = True,
        timeout: Any = None,
        example: str = "http://localhost:16686",
    ) -> None:
        self.base, in_address = _base_of(url, example)
        self.name = without_secrets(self.base)
        self._headers = _headers_of(headers)
        self._auth = _auth_of(auth) or in_address
        self._verify = _verify_of(verify)
        self._patience = _PATIENCE if timeout is None else seconds("timeout", timeout)
        self._secrets = _secrets_of(self._headers, self._auth)
        self._stopped = threading.Event()
        self._session = self._new_session(retries=True)

    def __repr__(self) -> str:
        """Name the server, and nothing of what opens it."""
        return f"Web({self.name})"

    def stop(self) -> None:
        """Let nobody wait any more."""
        self._stopped.set()

    def close(self) -> None:
        """Close every connection."""
        self.stop()
        self._session.close()

    def answers(self) -> bool:
        """Find out whether anybody is there, whatever the answer; wait a little for one who is starting again."""
        until = time.monotonic() + _GRACE
        while not self._stopped.is_set() and (left := until - time.monotonic()) > 0:
            session = self._new_session(retries=False)
            try:
                session.get(
                    self.base + "/",
                    auth=_unsigned,
                    verify=self._verify,
                    timeout=left,
                    allow_redirects=False,
                    stream=True,
                ).close()
            except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError):
                self._stopped.wait(_TICK)
            else:
                return True
            finally:
                session.close()
        return False

    def address(self, path: str, parameters: Iterable[tuple[str, str]] = ()) -> str:
        """Write the address of a question for people."""
        query = "&".join(f"{quote(key, safe='.')}={quote(value, safe=' {}.:/,')}" for key, value in parameters)
        return visible(self.name + path + (f"?{query}" if query else ""))

    def get(
        self,
        path: str,
        parameters: Parameters | None = None,
        *,
        accept: str = "application/json",
        fine: Iterable[int] = (),
        once: bool = False,
    ) -> Answer:
        """Ask, and give the whole answer; statuses other than 200 only where they are `fine`.

        What is likely to fail is asked `once`.

        Raises
        ------
        SourceError
            There is no whole answer to be had: what was asked, what came back, and what to do.
        """
        name = self.address(path)
        reason: SourceError | None = None
        for attempt in range(_BROKEN + 1):
            if self._stopped.is_set():
                raise SourceError(f"{name}: it was not asked any more.")
            try:
                answer, led = self._asked(self.base + path, parameters or [], accept, once=once)
            except _Stopped:
                reason = SourceError(f"{name}: it was not asked any more.")
                break
            except _WaitTooLong as wait:
                reason = SourceError(
                    f"{name}: the server answered {wait.status} and wants {wait.seconds:,.0f} s to pass before it is "
                    "asked again. Try again then."
                )
                break
            except (requests.exceptions.ChunkedEncodingError, urllib3.exceptions.ProtocolError):
                reason = UnreachableError(
                    f"{name}: the answer broke off, {attempt + 1} times. Is the server, or a proxy before it, "
                    "restarting? Ask for less time (start, end), or try again."
                )
                self._stopped.wait(_BACKOFF * 2**attempt)
                continue
            except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError, OSError, ValueError) as error:
                reason = self._unreachable(name, error)
                break
            if answer.status == 200 and "json" in accept and _is_half(answer):
                reason = SourceError(
                    f"{name}: half an answer came ({format_bytes(len(answer.content))} of JSON without its end), "
                    f"{attempt + 1} times. Try again, or ask for less time (start, end)."
                )
                self._stopped.wait(_BACKOFF * 2**attempt)
                continue
            return self._checked(name, answer, led, frozenset(fine))
        # Outside of the handler, so that no traceback shows what requests has in its own errors.
        raise reason or SourceError(f"{name}: no answer came.")

    def _asked(self, url: str, parameters: Parameters, accept: str, *, once: bool) -> tuple[Answer, str]:
        """Follow redirects by hand: the credentials stay with the host that they are for."""
        home = urlsplit(self.base)
        session, own, led = self._new_session(retries=False) if once else self._session, True, ""
        try:
            for _ in range(_REDIRECTS + 1):
                headers = {"Accept": accept} | (self._headers if own else {})
                response = session.get(
                    url,
                    params=None if led else parameters,
                    headers=headers,
                    auth=(self._auth or None) if own else _unsigned,
                    verify=self._verify,
                    timeout=(min(_CONNECTING, self._patience), self._patience),
                    allow_redirects=False,
                    stream=True,
                )
                with response:
                    further = response.headers.get("Location")
                    if response.status_code not in _LED_ELSEWHERE or not further:
                        return self._read(response), led
                url = urljoin(response.url, further)
                led = without_secrets(url)
                if own and not _same_place(home, urlsplit(url)):
                    own = False
                    session = self._new_session(retries=False)
            raise requests.exceptions.TooManyRedirects
        finally:
            if session is not self._session:
                session.close()

    def _read(self, response: requests.Response) -> Answer:
        """Read an answer to its end, if it comes in time and is no larger than anybody wants."""
        until = time.monotonic() + self._patience
        parts, size = [], 0
        # Not iter_content, which waits until a whole block is there, however slowly it drips.
        while block := response.raw.read1(_BLOCK, decode_content=True):
            parts.append(block)
            size += len(block)
            if self._stopped.is_set():
                raise _Stopped
            if time.monotonic() > until:
                raise requests.exceptions.ReadTimeout
            if size > _LARGEST:
                raise SourceError(
                    f"{self.name}: the answer is larger than {format_bytes(_LARGEST)}. Ask for less time (start, end)."
                )
        return Answer(response.status_code, b"".join(parts), response.headers.get("Content-Type", ""))

    def _checked(self, name: str, answer: Answer, led: str, fine: frozenset[int]) -> Answer:
        by = f", led to by a redirect: {led}" if led else ""
        if answer.status == 200 and _is_page(answer):
            raise WebPageError(
                f"{name}: a web page came back{by}, and no data. Perhaps one must log in, or a proxy stands between; "
                "give the address of the API itself, with auth or headers if it wants them."
            )
        if answer.status == 200 or answer.status in fine:
            return answer
        words = "" if _is_page(answer) else self.clean(_message_of(answer.content))
        told = f" ({words})" if words else ""
        advice = _NO_TENANT if "org id" in words else _ADVICE.get(answer.status)
        if advice is None:
            advice = "The server is in trouble. Look into its log, or try again later."
            if answer.status < 500:
                advice = "Check the address."
        raise RefusalError(f"{name}: the server answered {answer.status}{told}{by}. {advice}")

    def _unreachable(self, name: str, error: Exception) -> SourceError:
        """Say why there was no answer; the errors of requests have addresses in them, so none of their text is used."""
        if isinstance(error, SourceError):
            return error
        causes = list(_causes_of(error))
        text = " ".join(map(str, causes))
        if tls := next((cause for cause in causes if isinstance(cause, ssl.SSLError)), None):
            why = getattr(tls, "verify_message", "") or (tls.reason or type(tls).__name__)
            return SourceError(
                f"{name}: no safe connection could be made (TLS: {self.clean(str(why))}). Is it http:// and not "
                "https://? For a certificate of your own authority pass verify='its-file.pem'."
            )
        if isinstance(error, requests.exceptions.SSLError):
            return SourceError(f"{name}: no safe connection could be made (TLS). Check the address and verify.")
        if isinstance(error, requests.exceptions.ProxyError):
            return SourceError(f"{name}: the proxy of this machine (HTTPS_PROXY, HTTP_PROXY) lets nothing through.")
        if isinstance(error, requests.exceptions.TooManyRedirects):
            return SourceError(f"{name}: one redirect leads to another, without an end. Check the address.")
        if isinstance(error, requests.exceptions.ConnectTimeout):
            return UnreachableError(f"{name}: nobody answers there. Check the address, and whether a VPN is needed.")
        if isinstance(error, requests.exceptions.Timeout) or "timed out" in text:
            return UnreachableError(
                f"{name}: no whole answer came within {self._patience:g} s. Ask for less time (start, end), or wait "
                "longer with timeout='5m'.",
                waited=True,
            )
        if any(isinstance(cause, ConnectionRefusedError) for cause in causes) or "refused" in text:
            return UnreachableError(f"{name}: the connection was refused: nothing listens there. Is the server up?")
        if any(type(cause).__name__ in {"NameResolutionError", "gaierror"} for cause in causes):
            return SourceError(f"{name}: there is no host of this name. Check the address.")
        if isinstance(error, requests.exceptions.InvalidHeader | UnicodeError):
            return SourceError(f"{name}: `headers` or `auth` hold what no header can hold. Check them.")
        if isinstance(error, requests.exceptions.RetryError):
            return SourceError(f"{name}: the server answered with errors, {_RETRIES + 1} times. Try again later.")
        if isinstance(error, requests.exceptions.ConnectionError | urllib3.exceptions.HTTPError):
            return UnreachableError(f"{name}: the connection broke before an answer came. Is the server up?")
        return SourceError(f"{name}: it cannot be asked ({type(error).__name__}). Check the address, auth and verify.")

    def clean(self, text: str) -> str:
        """Take every secret out of a text, and cut it to a readable length."""
        for secret in self._secrets:
            text = text.replace(secret, "…")
        return visible(text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…")

    def _new_session(self, *, retries: bool) -> requests.Session:
        session = requests.Session()
        policy = _patient(self._stopped) if retries else urllib3.Retry(0, read=False)
        adapter = HTTPAdapter(pool_connections=2, pool_maxsize=WORKERS, max_retries=policy)
        session.mount("http://", adapter)
        session.mount("https://", adapter)
        return session


class _Patient(urllib3.Retry):
    """The rule by which to ask again; who waits can be woken, and never waits for longer than is sensible."""

    stopped: threading.Event

    def new(self, **changed: Any) -> _Patient:
        following = super().new(**changed)
        following.stopped = self.stopped
        return following

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: urllib3.BaseHTTPResponse | None = None,
        error: Exception | None = None,
        _pool: Any = None,
        _stacktrace: Any = None,
    ) -> _Patient:
        # Who waited once in vain for a server that hangs need not do so again.
        if isinstance(error, urllib3.exceptions.ReadTimeoutError):
            raise error
        return super().increment(method, url, response, error, _pool, _stacktrace)

    def sleep(self, response: urllib3.BaseHTTPResponse | None = None) -> None:
        asked = self.get_retry_after(response) if response is not None else None
        if response is not None and asked is not None and asked > _LONGEST_WAIT:
            raise _WaitTooLong(asked, response.status)
        if self.stopped.wait(self.get_backoff_time() if asked is None else asked):
            raise _Stopped


def _is_told(record: logging.LogRecord) -> bool:
    """Keep urllib3 from telling each of our new attempts, with the address, to whoever watches."""
    return not (isinstance(record.args, tuple) and any(isinstance(each, _Patient) for each in record.args))


logging.getLogger("urllib3.connectionpool").addFilter(_is_told)


def _patient(stopped: threading.Event) -> urllib3.Retry:
    policy = _Patient(
        total=_RETRIES,
        connect=_BROKEN_CONNECTIONS,
        read=_BROKEN_CONNECTIONS,
        status=_RETRIES,
        other=0,
        allowed_methods=frozenset(("GET",)),
        status_forcelist=_PASSING,
        backoff_factor=_BACKOFF,
        backoff_jitter=_BACKOFF,
        raise_on_status=False,
        respect_retry_after_header=True,
    )
    policy.stopped = stopped
    return policy


def _unsigned(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Sign nothing, not even with what ~/.netrc has for every host."""
    request.headers.pop("Authorization", None)
    return request


def _base_of(url: Any, example: str) -> tuple[str, tuple[str, str] | None]:
    """Read the address of a server: what all questions begin with, and the credentials that stood in it."""
    if not isinstance(url, str) or not url.strip():
        got = shown(url) if isinstance(url, str) else type(url).__name__  # which shows no secret
        raise SourceError(f"`url` must be the address of a server, got {got}. Write {example}.")
    text = url.strip()
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise SourceError(
            f"{without_secrets(text)}: this is no address. Write {example}. "
            "A user and a password are best given as auth=(user, password)."
        ) from None
    if parts.scheme.lower() not in ("http", "https") or not host:
        plain = without_secrets(text) if "://" in text else visible(text.rpartition("@")[2][:_SHOWN])
        raise SourceError(f"{plain}: the address of a server begins with http:// or https://. Write {example}.")
    credentials = None
    if parts.username is not None:
        credentials = (unquote(parts.username), unquote(parts.password or ""))
    path = _PAGES.sub("", parts.path.rstrip("/"))
    in_brackets = f"[{host}]" if ":" in host else host
    where = in_brackets if port is None else f"{in_brackets}:{port}"
    return urlunsplit((parts.scheme.lower(), where, path.rstrip("/"), "", "")), credentials


def _headers_of(headers: Any) -> dict[str, str]:
    if headers is None:
        return {}
    try:
        pairs = dict(headers)
    except (TypeError, ValueError):
        raise TracelabError("`headers` must be a dict of names and texts.") from None
    if not all(isinstance(key, str) and isinstance(value, str) for key, value in pairs.items()):
        # Not what they are: they may hold secrets.
        raise TracelabError("`headers` must be a dict of names and texts; one of them is no text.")
    return pairs


def _auth_of(auth: Any) -> Auth | None:
    if auth is None or callable(auth):
        return auth
    if isinstance(auth, tuple | list) and len(auth) == 2 and all(isinstance(each, str) for each in auth):
        return tuple(auth)
    raise TracelabError(
        "`auth` must be (user, password), or something that requests takes as auth. A token goes into "
        "headers={'Authorization': 'Bearer ...'}."
    )


def _verify_of(verify: Any) -> bool | str:
    if isinstance(verify, bool):
        return verify
    if isinstance(verify, str) or hasattr(verify, "__fspath__"):
        return str(verify)
    raise TracelabError(f"`verify` must be True, False or the path of a file of certificates, got {shown(verify)}.")


def _secrets_of(headers: dict[str, str], auth: Auth | None) -> list[str]:
    """List the texts that must not be shown, the longest first."""
    found = list(headers.values())
    found += [word for value in headers.values() for word in value.split()]
    if isinstance(auth, tuple):
        user, password = auth
        found += [user, password, base64.b64encode(f"{user}:{password}".encode()).decode()]
    elif auth is not None:
        found += [value for value in getattr(auth, "__dict__", {}).values() if isinstance(value, str)]
    spelled = {spelling for text in found for spelling in (text, quote(text, safe=""), repr(text)[1:-1])}
    plain = {"Bearer", "Basic", "Token"}
    return sorted((text for text in spelled - plain if len(text) >= _SHORTEST_SECRET), key=len, reverse=True)


def _same_place(home: Any, other: Any) -> bool:
    """Say whether an address is on the host that the credentials are for, and no less safe."""
    default = {"http": 80, "https": 443}
    ports = [each.port or default.get(each.scheme) for each in (home, other)]
    upgraded = (home.scheme, other.scheme) == ("http", "https") and ports == [80, 443]
    same = home.scheme == other.scheme and ports[0] == ports[1]
    return bool(home.hostname == other.hostname and (same or upgraded))


def _is_page(answer: Answer) -> bool:
    return answer.content[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_PAGE)


def _is_half(answer: Answer) -> bool:
    """Say whether JSON breaks off, which connections that simply end do not tell."""
    if answer.content.lstrip()[:1] not in (b"{", b"["):
        return False
    try:
        msgspec.json.decode(answer.content, type=msgspec.Raw)
    except (msgspec.DecodeError, RecursionError) as error:
        return "truncated" in str(error)
    return False


def _message_of(content: bytes) -> str:
    """Give the first words of what a server says of an error."""
    text = content[: 8 * _SHOWN].decode("utf-8", "replace")
    told = re.search(r'"(?:message|msg|error)"\s*:\s*"((?:[^"\\]|\\.)*)"', text)
    return " ".join((told[1] if told else text).split())


def _causes_of(error: BaseException) -> Iterable[BaseException]:
    """Go through an error, and what it wraps, however it does so."""
    seen: list[BaseException] = []
    todo: list[Any] = [error]
    while todo and len(seen) < 20:
        one = todo.pop(0)
        if isinstance(one, BaseException) and one not in seen:
            seen.append(one)
            todo += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
    return seen
