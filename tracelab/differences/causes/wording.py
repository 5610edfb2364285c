"""What is said of a cause: a sentence with the evidence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tracelab.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Mapping


def named(row: Mapping[str, Any]) -> str:
    """Say what to look at."""
    service, name, callee = row["service_name"], row["name"], row["callee"]
    if callee is not None:
        return f"{service} > {callee}" if name is None else f"{service} > {callee} ({name})"
    return f"{service}::{name}" if name is not None else service


def because(row: Mapping[str, Any], traces: tuple[int, int]) -> str:
    """Say why, in one sentence: what was gained, and how many traces that rests on."""
    said = []
    if row["time_counts"]:
        said.append(_time(row))
    if row["errors_counts"]:
        said.append(
            f"errors start there in {_share(row['errors_gained'])} more of the traces "
            f"({row['error_traces']:,} of {traces[0]:,} in all)"
        )
    if row["lost_counts"]:
        said.append(f"{row['lost_gained']:.2g} calls a trace more get no answer")
    if row["calls_counts"]:
        said.append(
            f"it is called {row['calls_gained']:.2g} times more a trace than its callers did before, "
            f"which takes {format_duration(row['called_time'])}"
        )
    text = "; ".join(said)
    rests = f"it is in {row['abnormal_traces']:,} traces, and in {row['normal_traces']:,} normal ones"
    doubt = "" if row["certain"] else " It may be chance."
    return f"{text[:1].upper()}{text[1:]}; {rests}.{doubt}"


def _time(row: Mapping[str, Any]) -> str:
    if row["new"]:
        return f"new: it takes {format_duration(max(row['self_gained'], 0))} of self time a trace"
    if row["self_gained"] > 0:
        before = format_duration(row["self_before"])
        gained = f"{format_duration(row['self_gained'])} more self time a trace (before: {before})"
    else:
        gained = f"usually {format_duration(row['self_harm'])} more self time a trace, though a few slow ones hide it"
    path = max(row["path_gained"], 0)
    if not path:
        return f"{gained}, none of it on the critical path"
    part = f"{format_duration(path)} of it" if path < row["self_gained"] else "all"
    return f"{gained}, {part} on the critical path"


def _share(value: float) -> str:
    return f"{value * 100:.3g} %"
