"""Which columns of a table matter where there is no room for all, on a terminal as in a narrow window."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from tracelab.display.words import SENTENCES

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tracelab.display.tables.cells import Cells

# These stay longest, then ids of traces, then numbers of things and what lies between three percentiles, then the
# others; these go first.
_STAY: Final = re.compile(
    r"(?:.+_)?(?:service_name|name)|caller|callee|quantile|duration|problem|count|status_code|error_rate"
    r"|time|value|share|severity|rule|where|p|p(?:50|95|99)|(?:error_rate|p\d+)_(?:kept|weighted)"
    r"|finding|route|outcome|subject"
)
_COUNTS: Final = re.compile(r"spans|errors|traces|requests|calls|matched|kept_alone|never_matched|p\d+")
_GO: Final = re.compile(
    r"exemplar_.*|exemplars|(?:root_|parent_)?span_id|.*_seen|depth|fragments|missing_parents|instrumented"
    r"|(?:.+_)?(?:lower|upper)"
)
# Services, and what stands above them in one cell where there is no room for both columns.
_FOLDED: Final = {"service_name": ("route", "name"), "parent_service_name": ("parent_name",)}
_MAIN: Final = re.compile(r"p95(?:_kept|_weighted)?")
_PERCENTILE: Final = re.compile(r"p\d+(?:_kept|_weighted)?")
_VALUE: Final = "value"
_MOST_NAMES: Final = 3

STAY, IDS, COUNTS, OTHERS, GO = range(5)


def importances(columns: Sequence[Cells]) -> dict[str, int]:
    """Rank columns; beside a value that was asked for, what comes before it says what it is the value of."""
    names = [column.name for column in columns]
    labels = names[: names.index(_VALUE)] if _VALUE in names else []
    return {name: STAY if name in labels else _importance(name) for name in names}


def by_importance(columns: Sequence[Cells], leading: Collection[str] = ()) -> list[Cells]:
    """Put columns into the order in which they find room; `leading` are narrow and lead to the evidence of their row.

    What may stand below another column comes last, since it is seen all the same.
    """
    ranks = importances(columns)
    staying = figures_first([column for column in columns if ranks[column.name] == STAY])
    others = sorted((c for c in columns if ranks[c.name] != STAY), key=lambda column: ranks[column.name])
    main = [column for column in staying if _MAIN.fullmatch(column.name)]
    further = [column for column in staying if _PERCENTILE.fullmatch(column.name) and column not in main]
    counts = [column for column in others if ranks[column.name] == COUNTS][: 1 if main else 0]
    services = [column for column in staying if column.name in folded(columns)]
    links = [column for column in others if column.name in leading]
    first = [column for column in staying if column not in [*main, *further, *services]]
    ordered = [*first, *main, *counts, *further, *links, *others, *services]
    return list({column.name: column for column in ordered}.values())


def folded(columns: Sequence[Cells]) -> dict[str, str]:
    """Say which columns may stand small in the cells of which: a service below what it was asked for.

    Not below what says the same in every row.
    """
    words = {column.name: column for column in columns if not column.number and not column.trends}
    owners = {name: [each for each in above if each in words] for name, above in _FOLDED.items() if name in words}
    return {name: above[0] for name, above in owners.items() if above and _tells(words[above[0]])}


def figures_first(columns: Sequence[Cells]) -> list[Cells]:
    """Put what tells rows apart before figures, then other names and times, then percentiles, of which some will do.

    Sentences come right after the first name; what says the same in every row comes last of the names.
    """
    telling = [column for column in columns if _tells(column)]
    names = _apart([column for column in telling if not column.whole])
    names[1:1] = [column for column in columns if SENTENCES.fullmatch(column.name)]
    percentiles = {column.name: column for column in columns if _PERCENTILE.fullmatch(column.name)}
    figures = [column for column in columns if column.number]
    ordered = {column.name: column for column in [*names, *figures, *telling, *columns]}
    return [*(ordered[name] for name in ordered if name not in percentiles), *percentiles.values()]


def _tells(column: Cells) -> bool:
    return len(set(column.texts)) > 1 or len(column.texts) < 2


def _apart(names: Sequence[Cells]) -> list[Cells]:
    """Take names until they tell all rows apart."""
    taken: list[Cells] = []
    for column in names[:_MOST_NAMES]:
        taken.append(column)
        rows = list(zip(*(each.texts for each in taken), strict=True))
        if len(set(rows)) == len(rows):
            break
    return taken


def _importance(name: str) -> int:
    if _STAY.fullmatch(name):
        return STAY
    if name == "trace_id":
        return IDS
    if _COUNTS.fullmatch(name):
        return COUNTS
    return GO if _GO.fullmatch(name) else OTHERS
