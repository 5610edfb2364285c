"""XXH3, of 64 and of 128 bits, as its specification has it, without a seed."""

from __future__ import annotations

from typing import Final

from tracelab.sampling.ottl.converters.registry import converter

_SECRET: Final = bytes.fromhex(
    "b8fe6c3923a44bbe7c01812cf721ad1cded46de9839097db7240a4a4b7b3671fcb79e64eccc0e578825ad07dccff7221"
    "b8084674f743248ee03590e6813a264c3c2852bb91c300cb88d0658b1b532ea371644897a20df94e3819ef46a9deacd8"
    "a8fa763fe39c343ff9dcbbc7c70b4f1d8a51e04bcdb45931c89f7ec9d9787364eac5ac8334d3ebc3c581a0fffa1363eb"
    "170ddd51b7f0da49d316552629d4689e2b16be587d47a1fc8ff8b8d17ad031ce45cb3a8f95160428afd7fbcabb4b407e"
)
_MASK: Final = 2**64 - 1
_MASK_32: Final = 2**32 - 1
_P32: Final = (2_654_435_761, 2_246_822_519, 3_266_489_917)
_P64: Final = (
    11_400_714_785_074_694_791,
    14_029_467_366_897_019_727,
    1_609_587_929_392_839_161,
    9_650_029_242_287_828_579,
    2_870_177_450_012_600_261,
)
_RRMXMX: Final = 0x9FB21C651E98DF25
_STRIPE: Final = 64
_BLOCK: Final = 1024


@converter("XXH3", "Target: string")
def xxh3(text: str) -> str:
    return f"{_hash_64(text.encode()):016x}"


@converter("XXH128", "Target: string")
def xxh128(text: str) -> str:
    high, low = _hash_128(text.encode())
    return f"{high:016x}{low:016x}"


def _read(content: bytes, at: int, size: int = 8) -> int:
    return int.from_bytes(content[at : at + size], "little")


def _key(at: int, size: int = 8) -> int:
    return _read(_SECRET, at, size)


def _rolled(value: int, count: int) -> int:
    return (value << count | value >> (64 - count)) & _MASK


def _swapped(value: int, size: int = 8) -> int:
    return int.from_bytes(value.to_bytes(size, "little"), "big")


def _folded(one: int, other: int) -> int:
    product = one * other
    return product & _MASK ^ product >> 64


def _avalanche(value: int) -> int:
    value = (value ^ value >> 37) * 0x165667919E3779F9 & _MASK
    return value ^ value >> 32


def _avalanche_64(value: int) -> int:
    value = (value ^ value >> 33) * _P64[1] & _MASK
    value = (value ^ value >> 29) * _P64[2] & _MASK
    return value ^ value >> 32


def _mixed(content: bytes, at: int, key: int) -> int:
    """Mix 16 bytes with as many of the secret."""
    return _folded(_read(content, at) ^ _key(key), _read(content, at + 8) ^ _key(key + 8))


def _sum(content: bytes, at: int) -> int:
    return _read(content, at) + _read(content, at + 8)


def _hash_64(content: bytes) -> int:
    size = len(content)
    if size == 0:
        return _avalanche_64(_key(56) ^ _key(64))
    if size <= 3:
        return _avalanche_64(_three(content) ^ _key(0, 4) ^ _key(4, 4))
    if size <= 8:
        value = (_read(content, size - 4, 4) + (_read(content, 0, 4) << 32)) ^ _key(8) ^ _key(16)
        value ^= _rolled(value, 49) ^ _rolled(value, 24)
        value = value * _RRMXMX & _MASK
        value = (value ^ (value >> 35) + size) * _RRMXMX & _MASK
        return value ^ value >> 28
    if size <= 16:
        low = _read(content, 0) ^ _key(24) ^ _key(32)
        high = _read(content, size - 8) ^ _key(40) ^ _key(48)
        return _avalanche((size + _swapped(low) + high + _folded(low, high)) & _MASK)
    total = size * _P64[0]
    if size <= 128:
        for place in range((size - 1) // 32 + 1):
            total += _mixed(content, 16 * place, 32 * place)
            total += _mixed(content, size - 16 * (place + 1), 32 * place + 16)
        return _avalanche(total & _MASK)
    if size <= 240:
        total += sum(_mixed(content, 16 * place, 16 * place) for place in range(8))
        total = _avalanche(total & _MASK)
        total += sum(_mixed(content, 16 * place, 16 * (place - 8) + 3) for place in range(8, size // 16))
        return _avalanche((total + _mixed(content, size - 16, 119)) & _MASK)
    return _merged(_accumulated(content), 11, total)


def _three(content: bytes) -> int:
    """Put up to three bytes and how many there are into 32 bits."""
    size = len(content)
    return content[0] << 16 | content[size >> 1] << 24 | content[-1] | size << 8


def _hash_128(content: bytes) -> tuple[int, int]:
    """Give the upper and the lower half."""
    size = len(content)
    if size == 0:
        return _avalanche_64(_key(80) ^ _key(88)), _avalanche_64(_key(64) ^ _key(72))
    if size <= 3:
        low = _three(content)
        turned = _swapped(low, 4)
        high = (turned << 13 | turned >> 19) & _MASK_32
        low ^= _key(0, 4) ^ _key(4, 4)
        return _avalanche_64(high ^ _key(8, 4) ^ _key(12, 4)), _avalanche_64(low)
    if size <= 16:
        return _eight(content) if size <= 8 else _sixteen(content)
    if size > 240:
        sums = _accumulated(content)
        return _merged(sums, 117, ~(size * _P64[1]) & _MASK), _merged(sums, 11, size * _P64[0])
    pair = (0, size * _P64[0] & _MASK)
    if size <= 128:
        for place in reversed(range((size - 1) // 32 + 1)):
            pair = _mixed_pair(pair, content, (16 * place, size - 16 * (place + 1)), 32 * place)
    else:
        for place in range(4):
            pair = _mixed_pair(pair, content, (32 * place, 32 * place + 16), 32 * place)
        pair = _avalanche(pair[0]), _avalanche(pair[1])
        for place in range(4, size // 32):
            pair = _mixed_pair(pair, content, (32 * place, 32 * place + 16), 32 * (place - 4) + 3)
        pair = _mixed_pair(pair, content, (size - 16, size - 32), 103)
    high, low = pair
    upper = (low * _P64[0] + high * _P64[3] + size * _P64[1]) & _MASK
    return -_avalanche(upper) & _MASK, _avalanche((high + low) & _MASK)


def _mixed_pair(pair: tuple[int, int], content: bytes, places: tuple[int, int], key: int) -> tuple[int, int]:
    """Mix 32 bytes, at two places, into both halves."""
    high, low = pair
    one, other = places
    low = (low + _mixed(content, one, key)) & _MASK ^ _sum(content, other) & _MASK
    high = (high + _mixed(content, other, key + 16)) & _MASK ^ _sum(content, one) & _MASK
    return high, low


def _eight(content: bytes) -> tuple[int, int]:
    size = len(content)
    keyed = (_read(content, 0, 4) + (_read(content, size - 4, 4) << 32)) ^ _key(16) ^ _key(24)
    product = keyed * (_P64[0] + (size << 2))
    high, low = product >> 64, product & _MASK
    high = (high + (low << 1)) & _MASK
    low ^= high >> 3
    low = (low ^ low >> 35) * _RRMXMX & _MASK
    return _avalanche(high), low ^ low >> 28


def _sixteen(content: bytes) -> tuple[int, int]:
    size = len(content)
    first, last = _read(content, 0), _read(content, size - 8)
    product = (first ^ last ^ _key(32) ^ _key(40)) * _P64[0]
    high, low = product >> 64, (product & _MASK) + ((size - 1) << 54) & _MASK
    last ^= _key(48) ^ _key(56)
    high = (high + last + (last & _MASK_32) * (_P32[1] - 1)) & _MASK
    low ^= _swapped(high)
    product = low * _P64[1]
    return _avalanche(((product >> 64) + high * _P64[1]) & _MASK), _avalanche(product & _MASK)


def _accumulated(content: bytes) -> list[int]:
    """Take a long content in, stripe by stripe."""
    sums = [_P32[2], _P64[0], _P64[1], _P64[2], _P64[3], _P32[1], _P64[4], _P32[0]]
    for start in range(0, len(content), _STRIPE):
        if start and start % _BLOCK == 0:
            # A whole block was taken in, and there is more.
            mixed = [(each ^ each >> 47 ^ _key(128 + 8 * place)) for place, each in enumerate(sums)]
            sums = [each * _P32[0] & _MASK for each in mixed]
        if start + _STRIPE < len(content):
            _take_in(sums, content, start, start % _BLOCK // 8)
    _take_in(sums, content, len(content) - _STRIPE, 121)
    return sums


def _take_in(sums: list[int], content: bytes, start: int, key: int) -> None:
    for place in range(8):
        value = _read(content, start + 8 * place)
        keyed = value ^ _key(key + 8 * place)
        sums[place ^ 1] = (sums[place ^ 1] + value) & _MASK
        sums[place] = (sums[place] + (keyed & _MASK_32) * (keyed >> 32)) & _MASK


def _merged(sums: list[int], key: int, start: int) -> int:
    keyed = [each ^ _key(key + 8 * place) for place, each in enumerate(sums)]
    pairs = [_folded(one, other) for one, other in zip(keyed[::2], keyed[1::2], strict=True)]
    return _avalanche((start + sum(pairs)) & _MASK)
