"""Converters of addresses and numbers that are written as text."""

from __future__ import annotations

import base64
import hashlib
import re
import struct
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Any, Final

from tracelab.sampling.ottl.converters.registry import OPEN, converter
from tracelab.sampling.ottl.values import ConditionFailedError

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
