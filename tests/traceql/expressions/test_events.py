from __future__ import annotations

import pytest

from tests.traceql.shop import EVENTFUL, names


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{ event:name = `exception` }", ["a"]),
        ("{ event:name != `exception` }", ["a", "b"]),
        ("{ event:name =~ `re.*` }", ["a", "b"]),
        ("{ event.type = `Key` }", ["a"]),
        ("{ event.code > 8 }", ["b"]),
        ("{ event.code = `7` }", ["a"]),
        ("{ event:timeSinceStart >= 2ms }", ["a"]),
        ("{ event:name = `exception` && event.type = `Key` }", ["a"]),
        ("{ event:name = `exception` && event.type = `Soft` }", []),
        ("{ event:name = `exception` || event.type = `Soft` }", ["a"]),
        ("{ !(event:name = `exception`) }", ["b", "c"]),
        ("{ event.type = nil }", ["b", "c"]),
        ("{ event.type != nil }", ["a"]),
        ("{ event:name = name }", []),
        ("{ event:timeSinceStart = duration }", ["a"]),
        ("{ .type = `Key` }", ["a"]),
        ("{ .code = 9 }", ["b"]),
        ("{ link:traceID = `ab` }", ["a"]),
        ("{ link:spanID = `00cd` && link.why = `batch` }", ["a"]),
        ("{ link.why != nil && event.code = 7 }", ["a"]),
        ("{ } | by(event.code) | count() = 1", ["a", "b", "c"]),
    ],
)
def test_query_asks_whether_some_event_or_link_fits(text: str, expected: list[str]) -> None:
    assert names(text, EVENTFUL) == expected
