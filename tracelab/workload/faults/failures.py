"""Failures that contradict themselves: status, error.type, codes and exceptions that do not agree.

Each takes one service's failing (or succeeding) spans, and at most one of these faults is planted in a service, since
two of them on the same spans would be a third one. What else would tell of the failure is taken away.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from tracelab.schema import ATTRIBUTES, STATUS_CODE
from tracelab.workload.faults.plot import HANDFUL, Fault, Plot
from tracelab.workload.systems.endpoints import INTERNAL, SERVER
from tracelab.workload.systems.landscape import DATABASE, HTTP, RPC, WORK

if TYPE_CHECKING:
    from tracelab.array_types import Flags, Ints
    from tracelab.workload.systems.draft import Draft

_UNSET = pl.lit("unset", dtype=STATUS_CODE)
_LEAST = 5
_USUAL = 1 / 3
_NEW_NAMES = ("span.http.request.method", "span.url.full", "span.db.system.name", "span.rpc.system.name")
_OLD_NAMES = ("span.http.method", "span.http.url", "span.db.system", "span.rpc.system")


def error_attribute_without_status(plot: Plot) -> Fault | None:
    """Let failing work of a service say `error=true` and nothing else."""
    draft = plot.draft
    rows = _taken(plot, ((draft.hop == WORK) | (draft.hop == DATABASE)), least=HANDFUL)
    if rows is None:
        return None
    rows = _some(plot, rows)
    shown = _on(plot, rows)
    _calm(plot, shown)
    draft.put("span.error", shown, pl.lit(value=True))
    return _fault(plot, "error-attribute-without-status", "says error=true and leaves the status unset.", rows)


def server_error_without_status(plot: Plot) -> Fault | None:
    """Let a service answer 5xx and leave its status unset."""
    draft = plot.draft
    column = "span.http.response.status_code"
    if column not in draft.frame.columns:
        return None
    answered = (draft.frame[column].fill_null(0) >= 500).to_numpy()
    rows = _taken(plot, (draft.kind == SERVER) & (draft.hop == HTTP) & answered, least=_LEAST)
    if rows is None:
        return None
    _calm(plot, _on(plot, rows))
    return _fault(plot, "server-error-without-status", "answers 5xx and leaves the status unset.", rows)


def exception_without_error(plot: Plot) -> Fault | None:
    """Let work of a service record exceptions on spans that are not failed."""
    draft = plot.draft
    fine = (draft.frame["status_code"] != "error").to_numpy()
    rows = _taken(plot, (draft.kind == INTERNAL) & (draft.hop == WORK) & fine, least=3 * HANDFUL)
    if rows is None:
        return None
    service = int(draft.service[rows[0]])
    plot.claim(("events", service))
    rows = np.sort(plot.rng.permutation(rows)[: max(HANDFUL, rows.size // 5)])
    attributes = pl.concat_list(
        [
            pl.struct(key=pl.lit(key), value=pl.lit(value))
            for key, value in (
                ("exception.type", "OSError"),
                ("exception.message", "broken pipe"),
                ("exception.stacktrace", "OSError: broken pipe\n"),
            )
        ]
    ).cast(ATTRIBUTES)
    added = pl.DataFrame({"row": rows, "after": draft.duration[rows]}).with_columns(
        name=pl.lit("exception"), attributes=attributes
    )
    draft.events = pl.concat([draft.events, added])
    draft.put("status_code", _on(plot, rows), _UNSET)
    return _fault(plot, "exception-without-error", "records exceptions on spans that are not failed.", rows)


def error_without_type(plot: Plot) -> Fault | None:
    """Let failing calls and answers of a service say nothing of what failed.

    Only spans of instrumentation libraries that write today's conventions count: a service's own spans may fail in
    their own words. Where hardly any other service writes the attribute, nobody expects it: only worth to know. Nor
    does anybody of a library that another fault has brought back to names from before there was such an attribute.
    """
    draft = plot.draft
    typed = draft.frame["span.error.type"].is_not_null().to_numpy()
    failed = (draft.frame["status_code"] == "error").to_numpy() & typed & np.isin(draft.hop, (HTTP, RPC, DATABASE))
    rows = _taken(plot, failed, least=_LEAST)
    if rows is None:
        return None
    service = int(draft.service[rows[0]])
    draft.put("span.error.type", _on(plot, rows), pl.lit(None))
    fault = _fault(plot, "error-without-type", "does not say what failed: no error.type.", rows)
    fault.only_worth_to_know = lambda draft: _usual_elsewhere(draft, service) < _USUAL or _under_old_names(draft, rows)
    return fault


def _usual_elsewhere(draft: Draft, service: int) -> float:
    """Give the share of the other services with failed spans whose failed spans have an error.type."""
    failed = draft.keep & (draft.frame["status_code"] == "error").to_numpy() & (draft.service != service)
    typed = failed & draft.frame["span.error.type"].is_not_null().to_numpy()
    counts, writing = (np.bincount(draft.service[shown]) for shown in (failed, typed))
    writing = np.pad(writing, (0, counts.size - writing.size))
    has = counts > 0
    return float((writing[has] >= 0.9 * counts[has]).mean()) if has.any() else 0.0


def _under_old_names(draft: Draft, rows: Ints) -> bool:
    """Tell whether spans describe what they do by old names alone."""

    def carry(names: tuple[str, ...]) -> Flags:
        there = [draft.frame[name].gather(rows).is_not_null() for name in names if name in draft.frame.columns]
        return np.any(there, axis=0) if there else np.zeros(rows.size, dtype=bool)

    return bool(carry(_OLD_NAMES).all() and not carry(_NEW_NAMES).any())


def error_type_on_success(plot: Plot) -> Fault | None:
    """Let spans of a service that did not fail carry an error.type."""
    draft = plot.draft
    fine = (draft.frame["status_code"] != "error").to_numpy() & draft.frame["span.error.type"].is_null().to_numpy()
    refused = pl.Series(fine)
    column = "span.http.response.status_code"
    if column in draft.frame.columns:
        refused = refused & (draft.frame[column].fill_null(200) < 400)
    rows = _taken(plot, refused.to_numpy() & np.isin(draft.hop, (HTTP, DATABASE, WORK)), least=HANDFUL)
    if rows is None:
        return None
    rows = _some(plot, rows)
    value = str(plot.rng.choice(["none", "OK", "200"]))
    draft.put("span.error.type", _on(plot, rows), pl.lit(value))
    return _fault(plot, "error-type-on-success", f"sets error.type to {value} where nothing failed.", rows)


def _taken(plot: Plot, shown: Flags, *, least: int) -> Ints | None:
    service = plot.pick(plot.services(shown, subject="failures", least=least))
    if service is None:
        return None
    plot.claim(("failures", service))
    return np.flatnonzero(shown & plot.draft.keep & (plot.draft.service == service))


def _some(plot: Plot, rows: Ints) -> Ints:
    """Take one span in ten, or a handful."""
    return np.sort(plot.rng.permutation(rows)[: max(HANDFUL, rows.size // 10)])


def _on(plot: Plot, rows: Ints) -> Flags:
    shown = np.zeros(plot.draft.parent.size, dtype=bool)
    shown[rows] = True
    return shown


def _calm(plot: Plot, shown: Flags) -> None:
    """Take away whatever else tells of a failure."""
    draft = plot.draft
    draft.put("status_code", shown, _UNSET)
    draft.put("status_message", shown, pl.lit(None))
    draft.put("span.error.type", shown, pl.lit(None))
    raised = (draft.events["name"] == "exception").to_numpy() & shown[draft.events["row"].to_numpy()]
    draft.events = draft.events.filter(~pl.Series(raised))


def _fault(plot: Plot, kind: str, says: str, rows: Ints) -> Fault:
    service = int(plot.draft.service[rows[0]])
    return Fault(kind, (kind,), f"{plot.name(service)} {says}", rows, services=(service,))
