"""Ids as hex, drawn by the thousand."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

_PAIRS = np.array([f"{byte:02x}" for byte in range(256)], dtype="S2")


def hex_ids(rng: np.random.Generator, count: int, width: int) -> pl.Series:
    """Draw `count` ids of `width` bytes, as lower-case hex."""
    return as_hex(np.frombuffer(rng.bytes(count * width), dtype=np.uint8).reshape(count, width))


def as_hex(raw: npt.NDArray[np.uint8]) -> pl.Series:
    """Write rows of bytes as lower-case hex."""
    count, width = raw.shape
    return pl.Series(_PAIRS[raw.reshape(-1)].view(f"S{2 * width}")[:count]).cast(pl.String)


def uuids(rng: np.random.Generator, count: int) -> pl.Series:
    """Draw `count` random UUIDs (version 4)."""
    raw = np.frombuffer(rng.bytes(count * 16), dtype=np.uint8).reshape(count, 16).copy()
    raw[:, 6] = raw[:, 6] & 0x0F | 0x40
    raw[:, 8] = raw[:, 8] & 0x3F | 0x80
    return as_hex(raw).str.replace(r"^(.{8})(.{4})(.{4})(.{4})(.{12})$", "$1-$2-$3-$4-$5")
