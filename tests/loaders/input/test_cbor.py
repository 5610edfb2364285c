from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.loaders.otlp.otap_tables import cbor as encoded
from tracelab.loaders.input.cbor import BadCbor, decode

SCALARS = st.none() | st.booleans() | st.integers(-(2**64), 2**64 - 1) | st.floats(allow_nan=False) | st.text()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


@given(VALUES)
def test_what_was_written_is_read(value: Any) -> None:
    assert decode(encoded(value)) == value


@given(st.binary(max_size=40))
def test_any_bytes_are_a_value_or_none(content: bytes) -> None:
    with suppress(BadCbor):
        decode(content)


@pytest.mark.parametrize(
    ("content", "value"),
    [
        (b"\xf9\x3e\x00", 1.5),
        (b"\xfa\x3f\xc0\x00\x00", 1.5),
        (b"\x42\x00\xff", "AP8="),
        (b"\x9f\x01\x02\xff", [1, 2]),
        (b"\xbf\x61a\x01\xff", {"a": 1}),
        (b"\x7f\x61a\x61b\xff", "ab"),
        (b"\xc1\x05", 5),
        (b"\xf7", None),
        (b"\xa1\x05\x06", {"5": 6}),
    ],
)
def test_every_form_of_a_value_is_known(content: bytes, value: Any) -> None:
    assert decode(content) == value


@pytest.mark.parametrize(
    "content",
    [b"", b"\x01\x02", b"\x62a", b"\x9f\x01", b"\xff", b"\x9b" + b"\xff" * 8, b"\x81" * 1000 + b"\x01", b"\x61\xff",
     b"\xbf\x61a\xff", b"\x82\x01\xff", b"\x1f", b"\x5f\x41a\xff", b"\xf0", b"\x1c", b"\xfb\x00"],
)  # fmt: skip
def test_what_is_no_value_is_an_error(content: bytes) -> None:
    with pytest.raises(BadCbor):
        decode(content)
