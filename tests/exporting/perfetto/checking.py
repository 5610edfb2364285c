"""What the Trace Event Format asks of a document, told strictly."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

KNOWN = frozenset("XiMsf")
NUMBERS = Decimal, int


def checked(text: str) -> list[dict[str, Any]]:
    """Read a document and give its events; whatever is wrong with it fails."""
    document = json.loads(text, parse_float=Decimal, parse_constant=_refuse)
    assert set(document) <= {"traceEvents", "displayTimeUnit", "baseTimeNanoseconds", "tracelabBaseTimeNanoseconds"}
    assert document["displayTimeUnit"] in {"ms", "ns"}
    events: list[dict[str, Any]] = document["traceEvents"]
    for event in events:
        assert event["ph"] in KNOWN
        assert isinstance(event["name"], str)
        assert isinstance(event["pid"], int)
        assert isinstance(event["tid"], int)
        assert event["ph"] == "M" or isinstance(event["ts"], NUMBERS)
        assert isinstance(event.get("args", {}), dict)
    _check_names(events)
    _check_nesting(event for event in events if event["ph"] == "X")
    _check_flows(events)
    assert all(event["s"] == "t" for event in events if event["ph"] == "i")
    return events


def _refuse(constant: str) -> float:
    raise AssertionError(f"{constant} is no JSON")


def _check_names(events: list[dict[str, Any]]) -> None:
    """Every process and thread has one name, and no thread is in two processes."""
    named = Counter((event["name"], event["pid"], event["tid"]) for event in events if event["ph"] == "M")
    assert all(count == 1 for count in named.values())
    homes = defaultdict(set)
    for event in events:
        if event["ph"] == "M":
            continue
        assert ("process_name", event["pid"], 0) in named
        assert ("process_sort_index", event["pid"], 0) in named
        assert ("thread_name", event["pid"], event["tid"]) in named
        homes[event["tid"]].add(event["pid"])
    assert all(len(pids) == 1 for pids in homes.values())
    assert not homes.keys() & {pid for pids in homes.values() for pid in pids}


def _check_nesting(slices: Iterable[dict[str, Any]]) -> None:
    """On a thread each slice lies within another or beside it, and one that holds another comes before it."""
    threads = defaultdict(list)
    for one in slices:
        assert one["dur"] >= 0
        threads[one["pid"], one["tid"]].append((one["ts"], one["ts"] + one["dur"]))
    for times in threads.values():
        opened: list[Any] = []
        for start, end in sorted(times, key=lambda time: time[0]):  # a stable sort, as readers do
            while opened and opened[-1] <= start:
                opened.pop()
            assert not opened or end <= opened[-1]
            opened.append(end)


def _check_flows(events: list[dict[str, Any]]) -> None:
    """Each flow starts before it ends, at times at which nothing begins or ends in its thread."""
    slices = defaultdict(list)
    for event in events:
        if event["ph"] == "X" and event["cat"] == "tracelab.span":
            slices[event["tid"]].append((event["ts"], event["ts"] + event["dur"]))
    edges = {tid: {time for one in times for time in one} for tid, times in slices.items()}
    spread = {tid: (min(start for start, _ in times), max(end for _, end in times)) for tid, times in slices.items()}
    flows = defaultdict(list)
    for event in events:
        if event["ph"] in "sf":
            assert event["ts"] not in edges[event["tid"]]
            assert spread[event["tid"]][0] < event["ts"] < spread[event["tid"]][1]
            assert event["ph"] == "s" or event["bp"] == "e"
            flows[event["cat"], event["name"], event["id"]].append(event)
    for ends in flows.values():
        start, end = sorted(ends, key=lambda event: event["ph"] != "s")
        assert (start["ph"], end["ph"]) == ("s", "f")
        assert start["ts"] < end["ts"]
