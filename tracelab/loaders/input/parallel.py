"""Work on several pieces at once, results in order, and give back the memory that it took."""

from __future__ import annotations

import ctypes
import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")
R = TypeVar("R")

WORKERS: Final = max(1, min(os.cpu_count() or 1, 8))


def in_order(function: Callable[[T], R], items: Iterator[T]) -> Iterator[R]:
    """Apply a function to items on all cores; at most one item more than there are cores is under way."""
    with ThreadPoolExecutor(WORKERS, thread_name_prefix="tracelab") as pool:
        waiting: deque[Future[R]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                del item
                while len(waiting) > WORKERS:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def give_back() -> None:
    """Give memory back that is not used: what allocators keep for the next piece is as much as several columns."""
    pa.default_memory_pool().release_unused()
    if _trim is not None:
        _trim(0)


def _trimming() -> Any:
    """Find the function by which glibc gives memory back, which each thread keeps for itself otherwise."""
    try:
        return ctypes.CDLL(None).malloc_trim
    except (AttributeError, OSError, TypeError):
        return None


_trim: Final = _trimming()
