"""Converters that hash texts, and those that make ids."""

from __future__ import annotations

import hashlib
import re
import struct
from typing import TYPE_CHECKING, Any, Final

from tracelab.sampling.hashes import fnv1a_64_of
from tracelab.sampling.ottl.converters.registry import OPEN, converter
from tracelab.sampling.ottl.values import ConditionFailedError, Identifier, wrapped

if TYPE_CHECKING:
    from collections.abc import Callable

_32: Final = 2**32 - 1
_64: Final = 2**64 - 1
_HEX: Final = re.compile(b"[0-9a-fA-F]*")
_SIZES: Final = {"trace": 16, "span": 8, "profile": 16}


def _digest(name: str) -> Callable[[str], str]:
    def digest(text: str) -> str:
        return hashlib.new(name, text.encode(), usedforsecurity=False).hexdigest()

    return digest


converter("MD5", "Target: string")(_digest("md5"))
converter("SHA1", "Target: string")(_digest("sha1"))
converter("SHA256", "Target: string")(_digest("sha256"))
converter("SHA512", "Target: string")(_digest("sha512"))


@converter("FNV", "Target: string")
def fnv(text: str) -> int:
    """FNV-1a of 64 bits."""
    return wrapped(fnv1a_64_of(text.encode()))


@converter("Murmur3Hash", "Target: string")
def murmur3(text: str) -> str:
    """MurmurHash3 of 32 bits, its bytes from the least on."""
    content, value = text.encode(), 0
    whole = len(content) // 4 * 4
    for (block,) in struct.iter_unpack("<I", content[:whole]):
        value = (_rolled(value ^ _mixed_32(block), 13, 32) * 5 + 0xE6546B64) & _32
    value ^= _mixed_32(int.from_bytes(content[whole:], "little"))
    value ^= len(content)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        value = (value ^ value >> shift) * factor & _32
    return (value ^ value >> 16).to_bytes(4, "little").hex()


def _mixed_32(block: int) -> int:
    return _rolled(block * 0xCC9E2D51 & _32, 15, 32) * 0x1B873593 & _32


def _rolled(value: int, count: int, width: int) -> int:
    return (value << count | value >> (width - count)) & (1 << width) - 1


_C1: Final = 0x87C37B91114253D5
_C2: Final = 0x4CF5AD432745937F


@converter("Murmur3Hash128", "Target: string")
def murmur3_128(text: str) -> str:
    """MurmurHash3 of 128 bits for machines of 64 bits, its bytes from the least on."""
    content = text.encode()
    whole = len(content) // 16 * 16
    one = other = 0
    for left, right in struct.iter_unpack("<QQ", content[:whole]):
        one ^= _left(left)
        one = ((_rolled(one, 27, 64) + other) * 5 + 0x52DCE729) & _64
        other ^= _right(right)
        other = ((_rolled(other, 31, 64) + one) * 5 + 0x38495AB5) & _64
    rest = content[whole:]
    other ^= _right(int.from_bytes(rest[8:], "little"))
    one ^= _left(int.from_bytes(rest[:8], "little"))
    one, other = one ^ len(content), other ^ len(content)
    one = (one + other) & _64
    other = (other + one) & _64
    one, other = _finished(one), _finished(other)
    one = (one + other) & _64
    other = (other + one) & _64
    return struct.pack("<QQ", one, other).hex()


def _left(block: int) -> int:
    return _rolled(block * _C1 & _64, 31, 64) * _C2 & _64


def _right(block: int) -> int:
    return _rolled(block * _C2 & _64, 33, 64) * _C1 & _64


def _finished(value: int) -> int:
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        value = (value ^ value >> 33) * factor & _64
    return value ^ value >> 33


@converter("Hex", "Target: bytes-like")
def to_hex(content: bytes | None) -> str:
    return (content or b"").hex()


def _identifier(of: str) -> Callable[[bytes | None], Identifier]:
    def made(content: bytes | None) -> Identifier:
        content, size = content or b"", _SIZES[of]
        if len(content) == size:
            return Identifier(of, content)
        if len(content) != 2 * size:
            raise ConditionFailedError(f"a {of} id has {size} bytes or {2 * size} hexadecimal digits")
        if not _HEX.fullmatch(content):
            raise ConditionFailedError(f"these are no {2 * size} hexadecimal digits")
        return Identifier(of, bytes.fromhex(content.decode("ascii")))

    return made


def _checked(of: str) -> Callable[[Any], None]:
    def check(content: Any) -> None:
        if content is not OPEN:
            _identifier(of)(content)

    return check


converter("TraceID", "Target: bytes-like", check=_checked("trace"))(_identifier("trace"))
converter("SpanID", "Target: bytes-like", check=_checked("span"))(_identifier("span"))
converter("ProfileID", "Target: bytes-like", check=_checked("profile"))(_identifier("profile"))
