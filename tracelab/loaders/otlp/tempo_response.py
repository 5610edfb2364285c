"""Tempo's answer for a trace, in protobuf: the trace in it, and whether it is all of it."""

from __future__ import annotations

from typing import Final

import numpy as np

from tracelab.errors import LoadError
from tracelab.loaders.input.wire import LENGTH, PADDING, VARINT, BadWire, Message, numbers

_TRACE: Final = 1
_STATUS: Final = 3
_MESSAGE: Final = 4
_PARTIAL: Final = 1


def opened(content: bytes, name: str) -> tuple[bytes, bool, str]:
    """Give the trace as OTLP has it, whether it is only a part, and what Tempo says of that.

    Raises
    ------
    LoadError
        It is no such answer.
    """
    data = np.frombuffer(content + PADDING, dtype=np.uint8)
    try:
        message = Message(data, np.array([0], dtype=np.int64), np.array([len(content)], dtype=np.int64))
        traces, texts = message.field(_TRACE, LENGTH), message.field(_MESSAGE, LENGTH)
        status = numbers(message, data, _STATUS, VARINT)[0]
    except (BadWire, IndexError, ValueError) as error:
        raise LoadError(f"{name}: what came is no trace in protobuf.") from error
    # Parts of a message that stand one after another are one message.
    trace, text = (
        b"".join(content[start:end] for start, end in zip(each.start.tolist(), each.end.tolist(), strict=True))
        for each in (traces, texts)
    )
    return trace, status == _PARTIAL, text.decode("utf-8", "replace")
