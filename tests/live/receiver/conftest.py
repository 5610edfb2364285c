from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tracelab.live import Receiver, receive

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def live() -> Iterator[Receiver]:
    with receive(http_port=0, grpc_port=0) as receiver:
        yield receiver
