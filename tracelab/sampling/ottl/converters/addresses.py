"""Converters of addresses and numbers that are written as text."""

from __future__ import annotations

import base64
import hashlib
import re
import struct
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from tracelab.sampling.ottl.converters.registry import OPEN, converter
from tracelab.sampling.ottl.values import ConditionFailedError, MachineInt, NotReplayableError, RawMap

_PROTOCOLS: Final = {"ICMP": 1, "TCP": 6, "UDP": 17, "RSVP": 46, "ICMP6": 58, "SCTP": 132}
_MOST_PORT: Final = 65_535


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """Read an address as Go does: one of version 4 in the form of version 6 is one of version 4."""
    if "%" in text or not text.isascii():
        return None
    try:
        found = ip_address(text)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def _network(text: Any) -> IPv4Network | IPv6Network:
    wrong = ConditionFailedError(f"this text is no network such as '10.0.0.0/8': {str(text)[:50]!r}")
    if not isinstance(text, str):
        raise wrong
    address, slash, bits = text.partition("/")
    found = None if "%" in address else _plain_address(address)
    if found is None or not slash or not re.fullmatch("[0-9]{1,3}", bits, re.ASCII) or int(bits) > found.max_prefixlen:
        raise wrong
    if isinstance(found, IPv4Address):
        return IPv4Network((found, int(bits)), strict=False)
    return IPv6Network((found, int(bits)), strict=False)


def _plain_address(text: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(text)
    except ValueError:
        return None


def _check_networks(_target: Any, networks: Any) -> None:
    for network in networks:
        if network is OPEN:
            break
        _network(network)


@converter("IsInCIDR", "Target: string", "Networks: [string]", check=_check_networks)
def is_in_cidr(text: str, networks: list[Any]) -> bool:
    address = _address(text)
    if address is None:
        return False
    return any(_contains(_network(network), address) for network in networks)


def _contains(network: IPv4Network | IPv6Network, address: IPv4Address | IPv6Address) -> bool:
    if isinstance(network, IPv6Network) and (mapped := network.network_address.ipv4_mapped) and network.prefixlen >= 96:
        network = IPv4Network((mapped, network.prefixlen - 96), strict=False)
    return network.version == address.version and address in network


@converter(
    "CommunityID",
    "SourceIP: string",
    "SourcePort: int",
    "DestinationIP: string",
    "DestinationPort: int",
    "Protocol?: string",
    "Seed?: int",
)
def community_id(
    source: str, source_port: int, destination: str, destination_port: int, protocol: str | None, seed: int | None
) -> str:
    ends = []
    for text, port in ((source, source_port), (destination, destination_port)):
        address = _address(text)
        if address is None or not 0 <= port <= _MOST_PORT:
            raise ConditionFailedError(f"this is no address with a port: {text[:50]!r}, {port}")
        ends.append((len(address.packed), address.packed, port))
    number = _PROTOCOLS.get("TCP" if protocol is None else protocol)
    if number is None or not 0 <= (seed or 0) <= _MOST_PORT:
        raise ConditionFailedError("the protocol is not known, or the seed has more than 16 bits")
    (_, one, one_port), (_, other, other_port) = sorted(ends)
    flow = struct.pack(">H", seed or 0) + one + other + struct.pack(">BBHH", number, 0, one_port, other_port)
    digest = hashlib.sha1(flow, usedforsecurity=False).digest()
    return "1:" + base64.b64encode(digest).decode()


@converter("IsValidLuhn", "Target: string-like")
def is_valid_luhn(text: str | None) -> bool:
    if text is None:
        raise ConditionFailedError("nil is no number with a check digit")
    digits = text.replace(" ", "")
    if not digits:
        return False
    if not (digits.isascii() and digits.isdecimal()):
        raise ConditionFailedError("something in it is no digit")
    numbers = [int(digit) for digit in digits]
    total = sum(
        number if place % 2 else number * 2 - (9 if number > 4 else 0)
        for place, number in enumerate(reversed(numbers[:-1]))
    )
    return (10 - total % 10) % 10 == numbers[-1]


_WRONG_ESCAPE: Final = re.compile("%(?![0-9a-fA-F]{2})")
_SCHEME: Final = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*):", re.ASCII)
_HOST: Final = re.compile(r"[a-zA-Z0-9._~!$&'()*+,;=<>\"\x80-\U0010ffff-]*")
_USER: Final = re.compile(r"[a-zA-Z0-9._~:!$&'()*+,;=%@-]*", re.ASCII)
_PATH_KEPT: Final = re.compile(r"[a-zA-Z0-9._~!$&'()*+,;=:@/\[\]%-]*", re.ASCII)


@converter("URL", "URI: string")
def url(text: str) -> RawMap:
    """Take an address apart."""
    if not text:
        raise ConditionFailedError("an empty text is no address")
    if text.startswith("?"):
        raise NotReplayableError("a query by itself cannot be replayed")
    if re.search(r"[\x00-\x1f\x7f]", text):
        raise ConditionFailedError("an address has no control characters in it")
    rest, hash_, fragment = text.partition("#")
    scheme, rest = _scheme(rest)
    force_query = rest.endswith("?") and rest.count("?") == 1
    rest, _, query = rest.partition("?")
    if not rest.startswith("/") and (scheme or ":" in rest.partition("/")[0]):
        if not scheme:
            raise ConditionFailedError("the first part of a path has no colon")
        raise NotReplayableError("an address without slashes behind its scheme cannot be replayed")
    authority = None
    if rest.startswith("//") and (scheme or not rest.startswith("///")):
        authority, slash, path = rest[2:].partition("/")
        rest = slash + path
    user, host, port = (None, "", "") if authority is None else _authority(authority)
    path, kept = _unescaped(rest, _PATH_KEPT)
    shown_fragment, fragment_kept = _unescaped(fragment, _FRAGMENT_KEPT)
    if not kept or not fragment_kept or (hash_ and not fragment) or (authority is not None and not host and port):
        raise NotReplayableError("Go writes this address in another way than it stands there")
    if authority == "" or force_query or re.search(r"[^\x21-\x7e]|[<>\"]", query + host):
        raise NotReplayableError("Go writes this address in another way than it stands there")
    found = RawMap()
    written = text if not scheme else scheme + text[len(scheme) :]
    found["url.original"] = written
    found["url.domain"], found["url.scheme"], found["url.path"] = host.strip("[]"), scheme, path
    if port:
        found["url.port"] = MachineInt(int(port))
    if shown_fragment:
        found["url.fragment"] = shown_fragment
    if user is not None:
        _add_user(found, user)
    if query:
        found["url.query"] = query
    extension = path.rpartition(".")
    if extension[1] and extension[2]:
        found["url.extension"] = extension[2]
    return found


_FRAGMENT_KEPT: Final = re.compile(r"[a-zA-Z0-9._~!$&'()*+,;=:@/?%-]*", re.ASCII)


def _scheme(text: str) -> tuple[str, str]:
    found = _SCHEME.match(text)
    if found:
        return found[1].lower(), text[found.end() :]
    if text.startswith(":"):
        raise ConditionFailedError("an address does not begin with a colon")
    return "", text


def _authority(text: str) -> tuple[str | None, str, str]:
    """Cut the part between the slashes into user, host and port."""
    user, at, host = text.rpartition("@")
    if at and not _USER.fullmatch(user):
        raise ConditionFailedError("a character stands in the user that cannot")
    if _WRONG_ESCAPE.search(text):
        raise ConditionFailedError("a percent sign has no two hexadecimal digits behind it")
    if "%" in text or host.startswith("[") or "[" in host or "]" in host:
        raise NotReplayableError("escapes and addresses of version 6 in a host cannot be replayed")
    name, colon, port = host.rpartition(":") if ":" in host else (host, "", "")
    if not re.fullmatch("[0-9]*", port, re.ASCII) or ":" in name:
        raise ConditionFailedError("the port is no number")
    if not _HOST.fullmatch(name):
        raise ConditionFailedError("a character stands in the host that cannot")
    if (colon and not port) or len(port) > 18 or (at and not user):
        raise NotReplayableError("Go writes this address in another way than it stands there")
    return user if at else None, name, port


def _unescaped(text: str, kept: re.Pattern[str]) -> tuple[str, bool]:
    """Resolve escapes; also says whether Go writes the text as it stands there."""
    if _WRONG_ESCAPE.search(text):
        raise ConditionFailedError("a percent sign has no two hexadecimal digits behind it")
    try:
        return unquote_to_bytes(text).decode(), bool(kept.fullmatch(text))
    except UnicodeDecodeError:
        raise NotReplayableError("the text is not UTF-8") from None


def _add_user(found: RawMap, user: str) -> None:
    name, colon, password = user.partition(":")
    if re.search(r"[!'()*@]", user) or ":" in password:
        raise NotReplayableError("Go writes this user in another way than it stands there")
    found["url.user_info"] = user
    if name:
        found["url.username"] = name
    if colon:
        found["url.password"] = password
