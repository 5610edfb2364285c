"""Failures: those that users saw, those that somebody made up for, and those that nobody has been told of."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from tracelab.reporting.asking import ROUTE, Asked
from tracelab.reporting.kinds import main_causes
from tracelab.reporting.sentences.rows import FAILED, RETRIED, UNTOLD, Finding
from tracelab.reporting.sentences.words import NUMBERS, interval, listed, named, operation, part, sentence

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ANSWER: Final = re.compile(r"HTTP (\d+)|gRPC (\w+)")
_NEARLY_ALL: Final = 0.95
_SHOWN: Final = 3
_HOW: Final = ["culprit", "timed_out", "service_name", "name", "exception_type"]


def failure_findings(asked: Asked) -> tuple[list[Finding], pl.DataFrame]:
    """Say what failed, one sentence per route and whoever is to blame there.

    Returns
    -------
    The findings, and the requests that they speak of (`place`), whose time is told of with them.
    """
    failures = asked.failures.filter(~pl.col("blamed") | pl.col("reached"))
    requests = asked.requests
    seen = _seen(requests, failures)
    held = _held(requests, failures)
    blamed = pl.concat([seen, held.select(seen.columns)])
    found = [
        finding
        for (service, route, culprit), rows in _in_order(blamed, [*ROUTE, "culprit"])
        if (finding := _of_route(asked, (service, route, culprit), rows)) is not None
    ]
    return [*found, *_elsewhere(asked, failures, blamed)], blamed.select("place").unique()


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


def _of_route(asked: Asked, key: tuple[str, str, str], rows: pl.DataFrame) -> Finding | None:
    """Say what one culprit did to one route."""
    service, route, culprit = key
    here = (pl.col("service_name") == service) & (pl.col("route") == route)
    of = asked.requests.filter(here).height
    seen, held, retried = (rows.filter(pl.col("how") == how) for how in ("seen", "held", "retried"))
    worst = next(part for part in (seen, held, retried) if part.height)
    text = {id(seen): _failed, id(held): _went_on, id(retried): _went_well}[id(worst)](asked, route, worst, of)
    if retried.height and worst is not retried:
        text = f"{text}; in {retried.height:,} more another attempt went well"
    if held.height and worst is seen:
        text = f"{text}; {held.height:,} more were answered all the same"
    middle = worst.sort("duration", "trace_id")["trace_id"][(worst.height - 1) // 2]
    return Finding(
        sentence(text),
        "failure",
        culprit,
        route,
        worst.height,
        of,
        seen.height * FAILED + held.height * UNTOLD + retried.height * RETRIED,
        "outcomes" if worst is seen else "error_origins",
        middle,
    )


def _failed(asked: Asked, route: str, rows: pl.DataFrame, of: int) -> str:
    outcomes = list(_in_order(rows, ["outcome"]))
    head = f"{part(rows.height, of, 'requests')} to {named(route)}{_entry(asked, rows)}"
    bounds = f" ({interval(rows.height, of)})"
    if len(outcomes) == 1:
        return f"{head} {_answered(outcomes[0][0][0], rows.height)}{bounds}: {_reasons(rows)}"
    told = [f"{some.height:,} {_answered(name, some.height)}, {_reasons(some)}" for (name,), some in outcomes[:_SHOWN]]
    more = sum(some.height for _, some in outcomes[_SHOWN:])
    return f"{head} failed{bounds}: {'; '.join([*told, *([f'{more:,} in other ways'] if more else [])])}"


def _went_on(asked: Asked, route: str, rows: pl.DataFrame, of: int) -> str:
    by = rows["swallowed_by"].drop_nulls().mode().sort()
    dealt = f", and {operation(*by[0].split('::', 1))} went on" if by.len() else ""
    outcome = rows["outcome"].mode().sort()[0]
    said = f" {named(outcome)}" if outcome[:1].isdigit() else " without an error"
    head = f"{part(rows.height, of, 'requests')} to {named(route)}{_entry(asked, rows)}"
    be = "was" if rows.height == 1 else "were"
    failed = f"though {named(rows['culprit'][0])} failed ({interval(rows.height, of)})"
    return f"{head} {be} answered{said} {failed}: {_reasons(rows)}{dealt}"


def _went_well(asked: Asked, route: str, rows: pl.DataFrame, of: int) -> str:
    head = f"{part(rows.height, of, 'requests')} to {named(route)}{_entry(asked, rows)}"
    return f"{head} needed another attempt ({interval(rows.height, of)}): {_reasons(rows)}"


def _elsewhere(asked: Asked, failures: pl.DataFrame, told: pl.DataFrame) -> Iterator[Finding]:
    """Say what failed in traces that are no requests: messages, jobs, and parts whose caller is not known.

    What failed in the same way below requests has been told there.
    """
    same = ["culprit", "exception_type"]
    apart = failures.filter(~pl.col("asked"), ~pl.col("blamed"))
    apart = apart.join(told.select(same).unique(), on=same, how="anti", nulls_equal=True)
    tops = asked.frame.filter(~pl.Series(asked.forest.has_parent))
    for (service, name, culprit), rows in _in_order(
        apart.unique(["place", "culprit"], keep="first", maintain_order=True), ["top_service", "top_name", "culprit"]
    ):
        again = rows.filter(pl.col("attempts") > pl.col("failed_attempts"), ~pl.col("reached"))
        of = tops.filter((pl.col("service_name") == service) & (pl.col("name") == name)).height
        told_of = rows.rename({"service_name": "failing_service", "name": "failing_name"})
        what = "messages" if rows["began"].all() else "traces"
        text = f"In {part(rows.height, of, what)} that begin with {operation(service, name)}"
        yield Finding(
            sentence(f"{text} something failed ({interval(rows.height, of)}): {_reasons(told_of)}"),
            "failure",
            culprit,
            name,
            rows.height,
            of,
            again.height * RETRIED + (rows.height - again.height) * UNTOLD,
            "error_origins",
            rows.sort("start_time", "trace_id")["trace_id"][(rows.height - 1) // 2],
        )


def _in_order(rows: pl.DataFrame, keys: list[str]) -> Iterator[tuple[tuple[Any, ...], pl.DataFrame]]:
    """Give the groups, the largest first."""
    groups = rows.partition_by(keys, as_dict=True, maintain_order=True)
    yield from sorted(groups.items(), key=lambda one: (-one[1].height, tuple(map(str, one[0]))))


def _entry(asked: Asked, rows: pl.DataFrame) -> str:
    """Name the service that was asked, where there are several."""
    return "" if asked.requests["service_name"].n_unique() == 1 else f" of {named(rows['service_name'][0])}"


def _answered(outcome: str, count: int) -> str:
    """Say how requests were answered; `error` says only that they failed."""
    be = "was" if count == 1 else "were"
    return f"{be} answered {named(outcome)}" if outcome not in {"error", "unset"} else "failed"


def _reasons(rows: pl.DataFrame) -> str:
    """Say where requests failed, and how; how often, where that is not the same for all."""
    keys = ["culprit", "timed_out", "failing_service", "failing_name", "exception_type", "kind"]
    kinds = list(_in_order(rows, keys))
    said = [_reason(dict(zip(keys, key, strict=True)), some) for key, some in kinds]
    if len(said) == 1:
        return said[0]
    counted = [f"{some.height:,} times {text}" for (_, some), text in zip(kinds[:_SHOWN], said, strict=False)]
    more = sum(some.height for _, some in kinds[_SHOWN:])
    return listed([*counted, *([f"{more:,} other failures"] if more else [])])


def _reason(how: Mapping[str, Any], rows: pl.DataFrame) -> str:
    answer = _ANSWER.fullmatch(how["exception_type"] or "")
    is_call = how["kind"] in {"client", "producer"} and how["culprit"] != how["failing_service"]
    attempts = _all_attempts(rows)
    if answer is not None and (is_call or how["kind"] in {"server", "consumer"}):
        return f"{named(how['culprit'])} answered {answer[1] or answer[2]}{f' to {attempts}' if attempts else ''}"
    if how["timed_out"] and is_call:
        return f"{named(how['culprit'])} gave no answer in time{f' to {attempts}' if attempts else ''}"
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
