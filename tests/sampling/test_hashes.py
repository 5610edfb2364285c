"""FNV-1a as the Collector samples by it."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from tracelab.sampling.hashes import fnv1a_32, fnv1a_64, fnv1a_64_of
from tracelab.sampling.ids import TraceIds


def rows(text: bytes) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.frombuffer(text, dtype=np.uint8).reshape(1, -1)


def test_the_published_hashes_come_out_however_the_text_is_parted() -> None:
    assert fnv1a_64_of(b"foobar") == 0x85944171F73967E8
    for cut in range(7):
        assert fnv1a_32(b"foobar"[:cut], rows(b"foobar"[cut:])).tolist() == [0xBF9CF968]
        assert fnv1a_64(b"foobar"[:cut], rows(b"foobar"[cut:])).tolist() == [0x85944171F73967E8]


def test_the_tail_samplers_probabilistic_policy_decides_by_the_hash_of_64_bits(vectors: dict[str, Any]) -> None:
    ids = TraceIds.of(pl.Series(vectors["ids"]))
    for case in vectors["tail_probabilistic"]["cases"]:
        kept = fnv1a_64(case["salt"].encode(), ids.bytes) <= int(case["threshold"])
        assert "".join(map(str, kept[ids.number].astype(int))) == case["sampled"], case


def test_the_probabilistic_sampler_decides_by_the_hash_of_32_bits(vectors: dict[str, Any]) -> None:
    ids = TraceIds.of(pl.Series(vectors["ids"]))
    for case in vectors["probabilistic_processor_hash_seed"]["cases"]:
        kept = (fnv1a_32(case["hash_seed"].to_bytes(4, "little"), ids.bytes) & 0x3FFF) < case["scaled"]
        assert "".join(map(str, kept[ids.number].astype(int))) == case["sampled"], case
