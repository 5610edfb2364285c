"""Dumps at addresses: https, s3 and what else fsspec knows; no secret of an address comes into a name or an error."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TypeVar, cast
from urllib.parse import parse_qsl, quote, unquote, urlsplit, urlunsplit
from urllib.request import url2pathname

from tracelab.errors import SourceError, TracelabError
from tracelab.markup import visible

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")

_ADDRESS: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_ADDRESS_IN_TEXT: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://[^\s'\"<>)\]}]+")
_WEB: Final = frozenset(("http", "https"))
_GLOB: Final = frozenset("*?[")
_PAGE: Final = (b"<!doctype html", b"<html", b"<?xml", b"<head")
_JAEGER: Final = b"<title>Jaeger UI"
_CONNECTING: Final = 30.0
_SILENCE: Final = 60.0
_SHOWN: Final = 60
_HARMLESS: Final = frozenset(
    (
        # What the APIs of Jaeger, Tempo and Zipkin are asked for, and what tells versions of objects apart.
        *("service", "services", "servicename", "spanname", "operation", "operationname", "limit", "lookback"),
        *(
            "start",
            "end",
            "startts",
            "endts",
            "mindur",
            "maxdur",
            "minduration",
            "maxduration",
            "mode",
            "raw",
            "prettyprint",
        ),
        *("q", "tags", "tag", "spss", "spans", "traceid", "id", "format", "query", "annotationquery"),
        *("start_time", "end_time", "version", "versionid", "download", "ref"),
    )
)
_NEEDS_NONE: Final = ". A running Jaeger or Tempo needs none: tracelab.fetch_jaeger, tracelab.fetch_tempo."
_ADVICE: Final = {
    401: "It wants credentials: https://user:password@host/..., or download it with a tool that has them.",
    403: "It may not be read with these credentials, or the address is no longer valid.",
    404: "Check the address; a server that deletes old traces may have lost it. From a Jaeger or Tempo itself one "
    "fetches: tracelab.fetch_jaeger, tracelab.fetch_tempo.",
    429: "The server wants fewer requests. Try again later.",
}


@dataclass(frozen=True, slots=True)
class Remote:
    """One file at an address: its name without secrets, and how to open it."""

    name: str
    size: int | None
    open: Callable[[], BinaryIO]


def is_address(text: str) -> bool:
    """Say whether a text is an address, and no path."""
    return _ADDRESS.match(text) is not None


def local_path(address: str) -> Path | None:
    """Give the path that a `file://` address means; None for others.

    Raises
    ------
    SourceError
        It means a file on another machine.
    """
    scheme, _, rest = address.partition("://")
    if scheme.lower() != "file":
        return None
    host, slash, path = rest.partition("/")
    if host not in ("", "localhost"):
        raise SourceError(f"{without_secrets(address)}: the file is on another machine. Copy it here.")
    return Path(url2pathname(slash + path))


def without_secrets(address: str) -> str:
    """Write an address without user, password and what its query may hold that nobody else should know."""
    try:
        parts = urlsplit(address)
        host = parts.netloc.rpartition("@")[2]
        _ = parts.port  # no number where a password has a / in it, which ends the host before the password does
        pairs = parse_qsl(parts.query, keep_blank_values=True)
    except ValueError:
        return visible(f"{address.partition('://')[0]}://…")
    query = "&".join(
        f"{quote(key, safe='')}={quote(value, safe=' {}.:/,') if key.lower() in _HARMLESS else '…'}"
        for key, value in pairs
    )
    lost = "…" if parts.query and not pairs else ""
    return visible(urlunsplit((parts.scheme, host, parts.path, query or lost, "")))


def files_at(address: str, wanted: Callable[[PurePosixPath], bool]) -> list[Remote]:
    """Find every file that an address stands for, in a fixed order: a file, a folder, or a pattern in a store.

    Raises
    ------
    SourceError
        There is none, it cannot be reached, or a package is missing that could.
    """
    return _Place(address).files(wanted)


class _Place:
    """An address, and the file system of fsspec that it is on."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.name = without_secrets(address)
        self.scheme = address.partition("://")[0].lower()
        self._secrets = _secrets_of(address)
        self.store, self.path = self.tried(self._found)

    def _found(self) -> tuple[Any, str]:
        fsspec = import_module("fsspec")
        if self.scheme in _WEB:
            # `::` chains file systems elsewhere; here it may be part of a host's number.
            return fsspec.filesystem(self.scheme, client_kwargs={"trust_env": True}), self.address
        store, path = fsspec.url_to_fs(self.address)
        return store, path

    def files(self, wanted: Callable[[PurePosixPath], bool]) -> list[Remote]:
        if self.scheme in _WEB:
            return [Remote(self.name, None, lambda: self.opened(self.path, self.name))]
        self.store.invalidate_cache()
        found = self.tried(lambda: self._found_files(wanted))
        if not found:
            raise SourceError(f"{self.name}: there are no dumps. Check the address, or name the file itself.")
        return [self._remote(path, size) for path, size in sorted(found.items())]

    def _found_files(self, wanted: Callable[[PurePosixPath], bool]) -> dict[str, int | None]:
        """List files with their sizes; what is there comes before what a pattern might stand for."""
        try:
            info = self.store.info(self.path)
        except FileNotFoundError:
            if not _GLOB & set(self.path):
                raise
            matching = self.store.glob(self.path, detail=True).values()
            return {each["name"]: each.get("size") for each in matching if each["type"] == "file"}
        if info["type"] != "directory":
            return {self.path: info.get("size")}
        below = self.store.find(self.path, detail=True).values()
        root = self.path.rstrip("/")
        return {
            each["name"]: each.get("size")
            for each in below
            if wanted(PurePosixPath(each["name"].removeprefix(root).lstrip("/")))
        }

    def _remote(self, path: str, size: int | None) -> Remote:
        name = visible(f"{self.scheme}://{path.lstrip('/')}")
        return Remote(name, size, lambda: self.opened(path, name))

    def opened(self, path: str, name: str) -> BinaryIO:
        """Open a file to be read from its beginning to its end."""
        return cast("BinaryIO", _RemoteFile(self, name, self.tried(lambda: self._open(path), name)))

    def _open(self, path: str) -> Any:
        if self.scheme not in _WEB:
            return self.store.open(path, "rb")
        limits = import_module("aiohttp").ClientTimeout(total=None, sock_connect=_CONNECTING, sock_read=_SILENCE)
        # Without a block size the answer streams; with a size nobody asks for it before, which many APIs refuse.
        return self.store.open(path, "rb", block_size=0, size=1, timeout=limits)

    def tried(self, action: Callable[[], T], name: str = "") -> T:
        """Do what may fail in as many ways as there are stores, and say why in words without secrets."""
        try:
            return action()
        except TracelabError:
            raise
        except Exception as error:  # noqa: BLE001 - every store has errors of its own
            reason = self._reason(error)
        # Outside of the handler, so that no traceback shows the address that the store's own error has in it.
        raise SourceError(f"{name or self.name}: {reason}")

    def _reason(self, error: Exception) -> str:
        status = getattr(error, "status", None)
        if isinstance(error, ImportError):
            return self._missing(error)
        if any(kind.__name__ == "TooManyRedirects" for kind in type(error).__mro__):
            count = len(getattr(error, "history", ()))
            return (
                f"it was redirected {count} times and led nowhere: the addresses seem to lead to each other. Perhaps "
                "one must log in, or a proxy is set up wrongly. Open the address in a browser and download the dump."
            )
        if isinstance(status, int) and not isinstance(status, bool) and status > 0:
            words = self.clean(str(getattr(error, "message", "")))
            return f"the server answered {status} {words}. {_ADVICE.get(status, 'Check the address.')}"
        if isinstance(error, FileNotFoundError):
            return f"there is nothing (404). {_ADVICE[404]}" if self.scheme in _WEB else "there is no such file."
        if isinstance(error, PermissionError):
            return f"it may not be read ({self.clean(str(error))}). Check your credentials."
        if isinstance(error, TimeoutError):
            return "no answer came in time. Is the server up? Try again."
        if "credential" in type(error).__name__.lower():
            return f"there are no credentials ({self.clean(str(error))}). Log in with the store's own tool first."
        if isinstance(error, ValueError) and self.scheme not in _WEB and "rotocol" in str(error):
            return f"there is no way to read {self.scheme}://. fsspec knows s3, gs, az, https, and more."
        text = self.clean(str(error)) or type(error).__name__
        return f"it cannot be reached ({text}). Check the address and the network."

    def _missing(self, error: ImportError) -> str:
        if self.scheme in _WEB or self.scheme == "s3" or error.name == "fsspec":
            return (
                f"reading from {self.scheme}:// needs a package that is not installed ({error!s:.100}). "
                f"pip install 'tracelab-kit[remote]'{_NEEDS_NONE if self.scheme in _WEB else ''}"
            )
        return f"reading from {self.scheme}:// needs a package that is not installed: {error!s:.200}."

    def clean(self, text: str) -> str:
        """Take every secret of the address, and of others, out of a text."""
        text = _ADDRESS_IN_TEXT.sub(lambda found: without_secrets(found[0]), text)
        for secret in self._secrets:
            text = text.replace(secret, "…")
        return text if len(text) <= 4 * _SHOWN else f"{text[: 4 * _SHOWN]}…"


class _RemoteFile(io.RawIOBase):
    """A file at an address, read from its beginning to its end."""

    def __init__(self, place: _Place, name: str, file: Any) -> None:
        self._place = place
        self._name = name
        self._file = file
        self._begun = self._ended = False

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        """Read as much as was asked for, which servers give in parts."""
        parts: list[bytes] = []
        missing = size
        while missing > 0 and (block := self._part(missing)):
            parts.append(block)
            missing -= len(block)
        content = b"".join(parts)
        if not self._begun:
            self._begun = True
            self._refuse_pages(content)
        return content

    def close(self) -> None:
        if not self.closed:
            self._file.close()
        super().close()

    def _part(self, size: int) -> bytes:
        """Read a part; not once more behind the end, which aiohttp complains about in the user's terminal."""
        if self._ended:
            return b""
        part = self._place.tried(lambda: cast("bytes", self._file.read(size)), self._name)
        self._ended = not part
        return part

    def _refuse_pages(self, content: bytes) -> None:
        """Refuse what servers send in place of a dump: a page to log in, an account of an error, a site."""
        if not content[:1024].lstrip(b"\xef\xbb\xbf \t\r\n").lower().startswith(_PAGE):
            return
        if _JAEGER in content:
            raise SourceError(
                f"{self._name}: this is a Jaeger. Fetch from it: tracelab.fetch_jaeger(url, service=None), or one "
                "trace: tracelab.fetch_jaeger_trace(url, trace_id)."
            )
        final = str(getattr(getattr(self._file, "r", None), "url", ""))
        led = f", led to by a redirect: {without_secrets(final)}" if final and final != self._place.address else ""
        raise SourceError(
            f"{self._name}: a web page came back{led}. Perhaps one must log in: open the address in a browser and "
            "download the dump. From a Jaeger or Tempo one fetches: tracelab.fetch_jaeger, tracelab.fetch_tempo."
        )


def _secrets_of(address: str) -> list[str]:
    """List the texts in an address that must not be shown, the longest first."""
    try:
        parts = urlsplit(address)
        user = parts.netloc.rpartition("@")[0]
        values = [value for key, value in parse_qsl(parts.query) if key.lower() not in _HARMLESS]
    except ValueError:
        return []
    found = [user, *user.split(":", 1), *values, parts.fragment]
    spelled = {spelling for text in found for spelling in (text, unquote(text), quote(text, safe=""))}
    return sorted((text for text in spelled if len(text) > 2), key=len, reverse=True)
