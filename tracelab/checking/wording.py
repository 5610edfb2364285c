"""What came of all rules, in words; and where traces are shown."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from tracelab.checking.verdicts import VERDICTS
from tracelab.display.words import counted
from tracelab.errors import TracelabError

if TYPE_CHECKING:
    from collections.abc import Callable

    import polars as pl

_SAID: Final = {
    "fails": ("fails", "fail"),
    "not tested": ("is not tested", "are not tested"),
    "cannot tell": ("cannot be judged", "cannot be judged"),
    "holds": ("holds", "hold"),
}
_PLACE: Final = "{trace_id}"
_URL: Final = re.compile(r"https?://[^\s<>\"'`\\\x00-\x20\x7f]+", re.IGNORECASE)


def totals(checked: pl.DataFrame) -> str:
    """Say how many rules fail, and so on, the worst first.

    Examples
    --------
    >>> import polars as pl
    >>> totals(pl.DataFrame({"verdict": ["holds", "fails", "holds"]}))
    '1 rule fails, 2 hold'
    """
    numbers = Counter(checked["verdict"].to_list())
    told = [(numbers[verdict], _SAID[verdict][numbers[verdict] != 1]) for verdict in VERDICTS if numbers[verdict]]
    parts = [
        f"{counted(number, 'rule') if not place else f'{number:,}'} {said}" for place, (number, said) in enumerate(told)
    ]
    return ", ".join(parts) or "no rules"


def linking(trace_url: str | None) -> Callable[[str], str | None]:
    """Give what makes the address of a trace of its id, from one that has `{trace_id}` in it.

    Raises
    ------
    TracelabError
        It has not, or is no address of the web.
    """
    if trace_url is None:
        return lambda _: None
    if _PLACE not in trace_url or not _URL.fullmatch(trace_url):
        raise TracelabError(
            f"{trace_url!r:.200} is no address of a trace. Write http:// or https:// and {_PLACE} where its id "
            f"belongs: http://jaeger:16686/trace/{_PLACE}."
        )
    return lambda trace_id: trace_url.replace(_PLACE, quote(trace_id, safe=""))
