"""Failures: those that users saw, those that somebody made up for, and those that nobody has been told of."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from tracelab.reporting.asking import ROUTE, Asked
from tracelab.reporting.kinds import main_causes
from tracelab.reporting.sentences.rows import FAILED, RARE, RETRIED, UNTOLD, Finding
from tracelab.reporting.sentences.words import (
    NUMBERS,
    listed,
    named,
    operation,
    part,
    sentence,
    times,
    were,
    within,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ANSWER: Final = re.compile(r"HTTP (\d+)|gRPC (\w+)")
_NEARLY_ALL: Final = 0.95
_SHOWN: Final = 3
_FEW: Final = 2
"""So few requests are no pattern; so few such findings need not be folded."""

_HOW: Final = ["culprit", "timed_out", "service_name", "name", "exception_type"]


def failure_findings(asked: Asked, *, fold: bool = True) -> tuple[list[Finding], pl.DataFrame]:
    """Say what failed, one sentence for whoever is to blame, and for each route whose own work failed.

    With `fold` those that hit one or two requests go together where there are many of them.

    Returns
    -------
    The findings, and the requests that they speak of (`place`), whose time is told of with them.
    """
    failures = asked.failures.filter(~pl.col("blamed") | pl.col("reached"))
    seen = _seen(asked.requests, failures)
    blamed = pl.concat([seen, _held(asked.requests, failures).select(seen.columns)])
    own = pl.when(pl.col("culprit") == pl.col("service_name")).then(pl.col("route")).otherwise(pl.lit(""))
    groups = list(_in_order(blamed.with_columns(own=own), ["culprit", "own"]))
    rare = [rows for _, rows in groups if rows["place"].n_unique() <= _FEW]
    folding = fold and len(rare) > _FEW
    told = [
        _of_culprit(asked, culprit, own, rows) for (culprit, own), rows in groups if not (folding and len(rows) <= _FEW)
    ]
    others = [_of_many(asked, pl.concat(rare))] if folding else []
    return [*told, *others, *_elsewhere(asked, failures, blamed)], blamed.select("place").unique()


def _seen(requests: pl.DataFrame, failures: pl.DataFrame) -> pl.DataFrame:
    """Give the requests that failed, each with the failure that got to it last."""
    causes = main_causes(failures).drop("trace_id", "span_id", "start_time", "asked", "reached")
    causes = causes.rename({"service_name": "failing_service", "name": "failing_name"})
    return requests.filter("failed").join(causes, on="place").with_columns(how=pl.lit("seen"))


def _held(requests: pl.DataFrame, failures: pl.DataFrame) -> pl.DataFrame:
    """Give the requests that went well though something below them failed, once per culprit."""
    below = failures.filter("asked", ~pl.col("reached"), ~pl.col("blamed")).sort("start_time", "span_id")
    below = below.unique(["place", "culprit"], keep="last", maintain_order=True)
    below = below.drop("trace_id", "span_id", "start_time", "asked", "reached")
    below = below.rename({"service_name": "failing_service", "name": "failing_name"})
    again = pl.col("attempts") > pl.col("failed_attempts")
    return (
        requests.filter(~pl.col("failed"), ~pl.col("refused"))
        .join(below, on="place")
        .with_columns(how=pl.when(again).then(pl.lit("retried")).otherwise(pl.lit("held")))
    )


def _of_culprit(asked: Asked, culprit: str, own: str, rows: pl.DataFrame) -> Finding:
    """Say what one culprit did to the routes that need it."""
    seen, held, retried = (rows.filter(pl.col("how") == how) for how in ("seen", "held", "retried"))
    worst, tell = next(
        (some, tell) for some, tell in ((seen, _failed), (held, _went_on), (retried, _went_well)) if some.height
    )
    of = _of(asked, worst)
    text = tell(asked, worst, of)
    if held.height and worst is seen:
        text = f"{text}; {held.height:,} more {were(held.height)} answered all the same"
    if retried.height and worst is not retried:
        text = f"{text}; in {retried.height:,} more another attempt went well"
    return Finding(
        sentence(text),
        "failure",
        culprit,
        _routes(worst)["route"][0],
        worst.height,
        of,
        _harm(rows),
        "outcomes" if worst is seen else "error_origins",
        _middle(worst),
        same=own,
    )


def _of_many(asked: Asked, rows: pl.DataFrame) -> Finding:
    """Say how many requests failed in ways of which each is rare; all of them do as much harm as the worst."""
    seen = rows.filter(pl.col("how") == "seen")
    some = seen if seen.height else rows
    requests = some.unique("place", keep="first", maintain_order=True)
    ways = some.select("culprit", "own").n_unique()
    of = asked.requests.height
    said = "failed" if seen.height else "went well though something below them failed"
    head = part(requests.height, of, "requests")
    text = f"{head} {said}{within(requests.height, of)} in {ways:,} ways of which none was seen more than twice"
    kinds = (rows.filter(culprit=culprit, own=own) for culprit, own in rows.select("culprit", "own").unique().rows())
    most = _routes(requests)
    return Finding(
        sentence(text),
        "failure",
        some["culprit"].mode().sort()[0],
        most["route"][0],
        requests.height,
        of,
        max(_harm(kind) for kind in kinds),
        "outcomes" if seen.height else "error_origins",
        _middle(requests),
        same=RARE,
    )


def _harm(rows: pl.DataFrame) -> float:
    """Add up the harm; who was told that the fault is their own was not turned away by us."""
    refused = pl.col("outcome").str.starts_with("4")
    harm = pl.when(pl.col("how") == "seen").then(pl.when(refused).then(UNTOLD).otherwise(FAILED))
    every = rows.select(harm.when(pl.col("how") == "held").then(UNTOLD).otherwise(RETRIED).alias("harm"))
    return float(every["harm"].sum())


def _middle(rows: pl.DataFrame) -> str:
    """Choose the trace of the request whose duration is in the middle."""
    return str(rows.sort("duration", "trace_id")["trace_id"][(rows.height - 1) // 2])


def _routes(rows: pl.DataFrame) -> pl.DataFrame:
    return rows.group_by(ROUTE).len().sort("len", *ROUTE, descending=[True, False, False])


def _of(asked: Asked, rows: pl.DataFrame) -> int:
    """Count all requests to the routes of some."""
    return asked.requests.join(rows.select(ROUTE).unique(), on=ROUTE, how="semi").height


def _head(asked: Asked, rows: pl.DataFrame, of: int) -> str:
    """Say how many of how many requests to what."""
    routes = _routes(rows)
    several = asked.requests["service_name"].n_unique() > 1
    names = [
        operation(service, route) if several else named(route)
        for service, route in routes.head(_SHOWN).select(ROUTE).iter_rows()
    ]
    more = [f"{routes.height - _SHOWN:,} more"] if routes.height > _SHOWN else []
    return part(rows.height, of, "requests", f" to {listed([*names, *more])}")


def _failed(asked: Asked, rows: pl.DataFrame, of: int) -> str:
    outcomes = list(_in_order(rows, ["outcome"]))
    head, bounds = _head(asked, rows, of), within(rows.height, of)
    if len(outcomes) == 1:
        return f"{head} {_answered(outcomes[0][0][0], rows.height)}{bounds}{_because(': ', rows)}"
    if rows.select(ROUTE).n_unique() > 1:
        return f"{head} failed{bounds}{_because(': ', rows)}"
    told = [
        f"{some.height:,} {_answered(name, some.height)}{_because(', ', some)}" for (name,), some in outcomes[:_SHOWN]
    ]
    more = sum(some.height for _, some in outcomes[_SHOWN:])
    return f"{head} failed{bounds}: {'; '.join([*told, *([f'{more:,} in other ways'] if more else [])])}"


def _went_on(asked: Asked, rows: pl.DataFrame, of: int) -> str:
    by = rows["swallowed_by"].drop_nulls().mode().sort()
    dealt = f", and {operation(*by[0].split('::', 1))} went on" if by.len() else ""
    outcome = rows["outcome"].mode().sort()[0]
    said = f" {named(outcome)}" if outcome[:1].isdigit() else " without an error"
    failed = f"though {named(rows['culprit'][0])} failed{within(rows.height, of)}"
    return f"{_head(asked, rows, of)} {were(rows.height)} answered{said} {failed}: {_reasons(rows)}{dealt}"


def _went_well(asked: Asked, rows: pl.DataFrame, of: int) -> str:
    return f"{_head(asked, rows, of)} needed another attempt{within(rows.height, of)}: {_reasons(rows)}"


def _elsewhere(asked: Asked, failures: pl.DataFrame, told: pl.DataFrame) -> Iterator[Finding]:
    """Say what failed in traces that are no requests: messages, jobs, and parts whose caller is not known.

    What failed in the same way below requests has been told there.
    """
    same, top = ["culprit", "exception_type"], ["top_service", "top_name"]
    apart = failures.filter(~pl.col("asked"), ~pl.col("blamed"))
    apart = apart.join(told.select(same).unique(), on=same, how="anti", nulls_equal=True)
    tops = asked.frame.filter(~pl.Series(asked.forest.has_parent))
    tops = tops.select(pl.col("service_name").alias(top[0]), pl.col("name").alias(top[1]))
    own = pl.when(pl.col("culprit") == pl.col("top_service")).then(pl.col("top_name")).otherwise(pl.lit(""))
    apart = apart.unique(["place", "culprit"], keep="first", maintain_order=True).with_columns(own=own)
    for (culprit, only), rows in _in_order(apart, ["culprit", "own"]):
        again = rows.filter(pl.col("attempts") > pl.col("failed_attempts"), ~pl.col("reached"))
        of = tops.join(rows.select(top).unique(), on=top, how="semi").height
        begin = list(_in_order(rows, top))
        names = [operation(*key) for key, _ in begin[:_SHOWN]]
        more = [f"{len(begin) - _SHOWN:,} more"] if len(begin) > _SHOWN else []
        fragments = asked.frame[rows["place"]]["parent_span_id"].null_count() < rows.height
        what = "messages" if rows["began"].all() else "fragments" if fragments else "traces"
        some = part(rows.height, of, what, f" that {'begins' if of == 1 else 'begin'} with {listed([*names, *more])}")
        reasons = _because(": ", rows.rename({"service_name": "failing_service", "name": "failing_name"}))
        own_only = rows["own_answer"].all()
        text = f"{some} failed" if own_only else f"In {some[:1].lower()}{some[1:]} something failed"
        yield Finding(
            sentence(f"{text}{within(rows.height, of)}{reasons}"),
            "failure",
            culprit,
            begin[0][0][1],
            rows.height,
            of,
            again.height * RETRIED + (rows.height - again.height) * UNTOLD,
            "error_origins",
            rows.sort("start_time", "trace_id")["trace_id"][(rows.height - 1) // 2],
            same=f"elsewhere {only}",
        )


def _in_order(rows: pl.DataFrame, keys: list[str]) -> Iterator[tuple[tuple[Any, ...], pl.DataFrame]]:
    """Give the groups, the largest first."""
    groups = rows.partition_by(keys, as_dict=True, maintain_order=True)
    yield from sorted(groups.items(), key=lambda one: (-one[1].height, tuple(map(str, one[0]))))


def _answered(outcome: str, count: int) -> str:
    """Say how requests were answered; `error` says only that they failed."""
    return f"{were(count)} answered {named(outcome)}" if outcome not in {"error", "unset"} else "failed"


def _because(mark: str, rows: pl.DataFrame) -> str:
    """Give the reasons behind a mark, or nothing."""
    reasons = _reasons(rows)
    return f"{mark}{reasons}" if reasons else ""


def _reasons(rows: pl.DataFrame) -> str:
    """Say where requests failed, and how; how often, where that is not the same for all.

    Nothing is said where they failed by themselves and do not say why.
    """
    keys = ["culprit", "timed_out", "failing_service", "failing_name", "exception_type", "kind"]
    kinds = list(_in_order(rows, keys))
    said = [_reason(dict(zip(keys, key, strict=True)), some) for key, some in kinds]
    if len(said) == 1:
        return said[0]
    counted = [
        f"{times(some.height)} {text or 'no span below failed'}"
        for (_, some), text in zip(kinds[:_SHOWN], said, strict=False)
    ]
    more = sum(some.height for _, some in kinds[_SHOWN:])
    return listed([*counted, *([f"{more:,} other failures"] if more else [])])


def _reason(how: Mapping[str, Any], rows: pl.DataFrame) -> str:
    answer = _ANSWER.fullmatch(how["exception_type"] or "")
    is_call = how["kind"] in {"client", "producer"} and how["culprit"] != how["failing_service"]
    attempts = _all_attempts(rows)
    if rows["own_answer"].all() and (answer is not None or (not rows["message"].count() and not how["exception_type"])):
        return ""
    if answer is not None and (is_call or how["kind"] in {"server", "consumer"}):
        return f"{named(how['culprit'])} answered {answer[1] or answer[2]}{f' to {attempts}' if attempts else ''}"
    if how["timed_out"] and is_call:
        none = attempts.replace("both", "either of two").replace("all", "any of")
        return f"{named(how['culprit'])} gave no answer in time{f' to {none}' if none else ''}"
    where = operation(how["failing_service"], how["failing_name"])
    if is_call:
        where = f"the call {named(how['failing_name'])} from {named(how['failing_service'])} to {named(how['culprit'])}"
    failed = "timed out" if how["timed_out"] and not how["exception_type"] else "failed"
    kind = how["exception_type"]
    said = f" with {named(kind)}" if kind and not kind.isdigit() else ""
    messages = rows["message"].drop_nulls().mode().sort()
    told = f' ("{named(messages[0])}")' if messages.len() else ""
    return f"{where} {failed}{said}{told}{f' at {attempts}' if attempts else ''}"


def _all_attempts(rows: pl.DataFrame) -> str:
    """Say to how many attempts it failed, where (nearly) all requests made as many, and all of them failed."""
    usual = rows["attempts"].mode().sort()[0]
    same = rows.filter(pl.col("attempts") == usual, pl.col("failed_attempts") == usual).height
    if usual < 2 or same < _NEARLY_ALL * rows.height:
        return ""
    return "both attempts" if usual == 2 else f"all {NUMBERS.get(usual, f'{usual:,}')} attempts"
