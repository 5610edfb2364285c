"""`URL`: addresses taken apart, and written again, as Go does."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv6Address
from typing import Any, Final

from tracelab.sampling.ottl.converters.registry import converter
from tracelab.sampling.ottl.texts import MachineInt
from tracelab.sampling.ottl.values import ConditionFailedError, NotReplayableError, RawMap

_UNRESERVED: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.~")
_PATH: Final = _UNRESERVED | frozenset(b"$&+,/:;=@")
_FRAGMENT: Final = _PATH | frozenset(b"?!()*")
_USER: Final = _UNRESERVED | frozenset(b"$&+,;=")
_HOST: Final = _UNRESERVED | frozenset(b"!$&'*+(),;=:[]<>\"")
_KEPT: Final = frozenset(b"!$&'*+(),;=:@[]%")
"""What may stand in a path or fragment as it is, though Go itself would write it otherwise."""

_SCHEME: Final = re.compile(rb"([a-zA-Z][a-zA-Z0-9+.-]*):")
_VALID_USER: Final = re.compile(rb"[A-Za-z0-9._:~!$&'*+(),;=%@-]*")
_WRONG_ESCAPE: Final = re.compile(rb"%(?![0-9a-fA-F]{2})")
_ESCAPE: Final = re.compile(rb"%([0-9a-fA-F]{2})")


@dataclass
class _Address:
    """An address in parts; those that are not there are empty, a user that is not there is None."""

    scheme: bytes = b""
    opaque: bytes = b""
    user: tuple[bytes, bytes | None] | None = None
    host: bytes = b""
    path: bytes = b""
    written_path: bytes = b""
    query: bytes = b""
    fragment: bytes = b""
    written_fragment: bytes = b""
    empty_query: bool = False
    without_host: bool = False


@converter("URL", "URI: string")
def url(text: str) -> RawMap:
    """Take an address apart, or a query that begins with a question mark."""
    if not text:
        raise ConditionFailedError("an empty text is no address")
    if text.startswith("?"):
        return _query(text[1:].encode())
    address = _read(text.encode())
    host, port = _host_and_port(address.host)
    found = RawMap()
    found["url.original"] = _text(_written(address))
    found["url.domain"], found["url.scheme"], found["url.path"] = map(_text, (host, address.scheme, address.path))
    if port:
        if len(port) > 18:
            raise ConditionFailedError("the port is no number of 64 bits")
        found["url.port"] = MachineInt(int(port))
    if address.fragment:
        found["url.fragment"] = _text(address.fragment)
    if address.user is not None:
        name, password = address.user
        found["url.user_info"] = _text(_written_user(address.user))
        if name:
            found["url.username"] = _text(name)
        if password is not None:
            found["url.password"] = _text(password)
    if address.query:
        found["url.query"] = _text(address.query)
    _, dot, extension = address.path.rpartition(b".")
    if dot and extension:
        found["url.extension"] = _text(extension)
    return found


def _text(content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise NotReplayableError("a part of the address is not UTF-8") from None


def _read(content: bytes) -> _Address:
    rest, _, fragment = content.partition(b"#")
    if re.search(rb"[\x00-\x1f\x7f]", rest):
        raise ConditionFailedError("an address has no control characters in it")
    address = _Address(fragment=_unescaped(fragment))
    address.written_fragment = _as_written(fragment, address.fragment, _FRAGMENT)
    if rest == b"*":
        address.path = address.written_path = rest
        return address
    if rest.startswith(b":"):
        raise ConditionFailedError("an address does not begin with a colon")
    if (found := _SCHEME.match(rest)) is not None:
        address.scheme, rest = found[1].lower(), rest[found.end() :]
    address.empty_query = rest.endswith(b"?") and rest.count(b"?") == 1
    rest, _, address.query = rest.partition(b"?")
    if not rest.startswith(b"/"):
        if address.scheme:
            address.opaque = rest
            return address
        if b":" in rest.partition(b"/")[0]:
            raise ConditionFailedError("the first part of a path has no colon")
    if rest.startswith(b"//") and (address.scheme or not rest.startswith(b"///")):
        authority, slash, path = rest[2:].partition(b"/")
        rest = slash + path
        address.user, address.host = _authority(authority)
    elif address.scheme and rest.startswith(b"/"):
        address.without_host = True
    address.path = _unescaped(rest)
    address.written_path = _as_written(rest, address.path, _PATH)
    return address


def _as_written(text: bytes, meaning: bytes, plain: frozenset[int]) -> bytes:
    """Keep a part as it stands, where it could stand so; else write it anew."""
    return text if set(text) <= plain | _KEPT else _escaped(meaning, plain)


def _escaped(content: bytes, plain: frozenset[int]) -> bytes:
    return b"".join(bytes([byte]) if byte in plain else b"%%%02X" % byte for byte in content)


def _unescaped(content: bytes) -> bytes:
    if _WRONG_ESCAPE.search(content):
        raise ConditionFailedError("a percent sign has no two hexadecimal digits behind it")
    return _ESCAPE.sub(lambda found: bytes([int(found[1], 16)]), content)


def _authority(content: bytes) -> tuple[tuple[bytes, bytes | None] | None, bytes]:
    """Cut the part between the slashes into user and host."""
    user, at, host = content.rpartition(b"@")
    host = _host(host)
    if not at:
        return None, host
    if not _VALID_USER.fullmatch(user):
        raise ConditionFailedError("a character stands in the user that cannot")
    name, colon, password = user.partition(b":")
    return (_unescaped(name), _unescaped(password) if colon else None), host


def _host(content: bytes) -> bytes:
    if b"[" in content or b"]" in content:
        return _bracketed(content)
    name, colon, port = content.rpartition(b":")
    if colon and (not re.fullmatch(rb"[0-9]*", port) or b":" in name):
        raise ConditionFailedError("the port is no number")
    # Only what ASCII has not may be escaped in a host.
    if any(int(found[1], 16) < 0x80 and found[1] != b"25" for found in _ESCAPE.finditer(content)):
        raise ConditionFailedError("an escape stands in the host that cannot")
    if any(byte < 0x80 and byte not in _HOST and byte != 0x25 for byte in content):
        raise ConditionFailedError("a character stands in the host that cannot")
    return _unescaped(content)


def _bracketed(content: bytes) -> bytes:
    found = re.fullmatch(rb"\[([0-9a-fA-F:.]*)\](:[0-9]*)?", content)
    try:
        if found is not None:
            IPv6Address(found[1].decode())
            return content
    except ValueError:
        pass
    raise NotReplayableError("this host in brackets cannot be replayed")


def _host_and_port(content: bytes) -> tuple[bytes, bytes]:
    name, colon, port = content.rpartition(b":")
    if not colon or not re.fullmatch(rb"[0-9]*", port):
        name, port = content, b""
    return (name[1:-1] if name.startswith(b"[") and name.endswith(b"]") else name), port


def _written_user(user: tuple[bytes, bytes | None]) -> bytes:
    name, password = user
    return _escaped(name, _USER) + (b"" if password is None else b":" + _escaped(password, _USER))


def _written(address: _Address) -> bytes:
    out = address.scheme + b":" if address.scheme else b""
    if address.opaque:
        out += address.opaque
    else:
        somewhere = bool(address.host) or address.user is not None
        if (address.scheme or somewhere) and not (address.without_host and not somewhere):
            if somewhere or address.path:
                out += b"//"
            if address.user is not None:
                out += _written_user(address.user) + b"@"
            out += _escaped(address.host, _HOST)
        path = address.written_path
        if path and not path.startswith(b"/") and address.host:
            out += b"/"
        if not out and b":" in path.partition(b"/")[0]:
            out += b"./"
        out += path
    if address.empty_query or address.query:
        out += b"?" + address.query
    return out + b"#" + address.written_fragment if address.fragment else out


def _query(content: bytes) -> RawMap:
    """Read a query: each name with all its values."""
    found: dict[str, Any] = {}
    for part in content.split(b"&"):
        if b";" in part:
            raise ConditionFailedError("a query has no semicolon")
        if part:
            name, _, value = (_unescaped(piece.replace(b"+", b" ")) for piece in part.partition(b"="))
            found.setdefault(_text(name), []).append(_text(value))
    return RawMap(query=found) if found else RawMap()
