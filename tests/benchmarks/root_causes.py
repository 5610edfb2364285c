"""Whether root_causes finds what is wrong, beside MicroRank and TraceRCA on the same spans.

    pip install 'tracelab-kit[benchmark]'
    python -m tests.benchmarks.root_causes [COUNT] [FIRST_SEED]

takes 200 generated incidents of six kinds, asks all three, and prints how often the cause is the first that they
name, among the first three, and Avg@5, which is the mean of how often it is among the first one, two, ... five.
MicroRank (G. Yu et al., WWW 2021) and TraceRCA (Z. Li et al., IWQoS 2021) are those of RCAEval (L. Pham et al., ASE
2024), as they are installed, with their defaults. They get the same spans in the columns that RCAEval's data sets have:
times in microseconds, the name of the span as method, the start of the abnormal window as the moment of injection. Both
stop at an operation that the normal window does not have: the few spans of such operations are kept from them. They
rank operations, which count for the services that they belong to; so do the rows of root_causes. An edge between two
services is found by naming either of them. Last it says how often root_causes is certain of anything where nothing went
wrong.
"""

from __future__ import annotations

import contextlib
import importlib.util
import io
import sys
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

import tracelab as tl
from tracelab.synthetic import generate_incident
from tracelab.workload.incidents.causes import KINDS
from tracelab.workload.incidents.windows import draw_calm

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

METHODS: Final = ("tracelab", "MicroRank", "TraceRCA")
COUNT: Final = 200
FIRST_SEED: Final = 1_000
"""The seeds below were used for development."""
NOWHERE: Final = 1_000
CALM: Final = 60
_FEWEST_TRACES, _MOST_TRACES = 200, 500
_BEGIN = 1_777_636_800 * 10**9


def incident(seed: int) -> tuple[pl.DataFrame, pl.DataFrame, dict[str, Any]]:
    """Generate the incident of a seed: kinds take turns, sizes are chance."""
    traces = int(np.random.default_rng(seed).integers(_FEWEST_TRACES, _MOST_TRACES))
    abnormal, normal, truth = generate_incident(seed, kind=KINDS[seed % len(KINDS)], traces=traces)
    return abnormal, normal, truth.row(0, named=True)


def calm(seed: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Generate two windows of a system in which nothing went wrong."""
    rng = np.random.default_rng(seed)
    first, second = draw_calm(rng, traces=int(rng.integers(_FEWEST_TRACES, _MOST_TRACES)), begin=_BEGIN)
    return tl.conform(second), tl.conform(first)


def ours(abnormal: pl.DataFrame, normal: pl.DataFrame) -> list[tuple[str, str | None]]:
    """Rank services with their operations by root_causes."""
    found = tl.root_causes(abnormal, normal)
    return [(service, name) for service, name in found.select("service_name", "name").rows() if service is not None]


def theirs(method: str, abnormal: pl.DataFrame, normal: pl.DataFrame) -> list[tuple[str, str | None]]:
    """Rank services with their operations by a method of RCAEval."""
    known = abnormal.join(normal.select("service_name", "name").unique(), on=["service_name", "name"], how="semi")
    spans = pl.concat([normal, known], how="diagonal_relaxed")
    micros = spans.select(
        "trace_id",
        "span_id",
        "parent_span_id",
        "service_name",
        "name",
        pl.col("start_time").dt.epoch("us").alias("start"),
        pl.col("duration").dt.total_microseconds().alias("duration"),
        pl.col("status_code").cast(pl.String).alias("status"),
    )
    names = dict(
        zip(
            ("trace_id", "span_id", "parent_span_id", "service_name", "name", "start", "status"),
            ("traceID", "spanID", "parentSpanID", "serviceName", "methodName", "startTime", "statusCode"),
            strict=True,
        )
    )
    frame = micros.rename(names).with_columns(operationName=pl.col("methodName")).to_pandas()
    injected = int(abnormal.select(pl.col("start_time").dt.epoch("us").min()).item())
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        ranks = rcaeval(method)(frame, inject_time=injected)["ranks"]
    pairs = spans.select("service_name", "name").unique().rows()
    operations = {f"{service}_{name}": (service, name) for service, name in pairs}
    return [operations[rank] for rank in ranks]


def rcaeval(method: str) -> Callable[..., dict[str, Any]]:
    """Load one method of the installed package, without what its other methods need."""
    name = method.lower()
    package = importlib.util.find_spec("RCAEval")
    if package is None or package.origin is None:
        sys.exit("RCAEval is not installed: pip install 'tracelab-kit[benchmark]'.")
    path = Path(package.origin).parent / "e2e" / f"{name}.py"
    spec = importlib.util.spec_from_file_location(f"rcaeval_{name}", path)
    if spec is None or spec.loader is None:
        sys.exit(f"RCAEval has no {method} at {path}.")
    module = importlib.util.module_from_spec(spec)
    with warnings.catch_warnings():
        spec.loader.exec_module(module)
    function: Callable[..., dict[str, Any]] = getattr(module, name)
    return function


def places(ranking: Iterable[tuple[str, str | None]], truth: dict[str, Any]) -> tuple[int, int]:
    """Give the places of the service and of the operation at fault, from 1; NOWHERE if they are not named."""
    services: dict[str, int] = {}
    operation = NOWHERE
    for place, (service, name) in enumerate(ranking, start=1):
        services.setdefault(service, len(services) + 1)
        if service == truth["service_name"] and (name in truth["names"]):
            operation = min(operation, place)
    return min((services[service] for service in truth["services"] if service in services), default=NOWHERE), operation


def accuracy(found: list[int]) -> tuple[float, float, float]:
    """Give top-1, top-3 and Avg@5."""
    place = np.array(found)
    return (
        float((place <= 1).mean()),
        float((place <= 3).mean()),
        float(np.mean([(place <= most).mean() for most in range(1, 6)])),
    )


def run(seeds: Iterable[int], methods: tuple[str, ...] = METHODS) -> tuple[pl.DataFrame, dict[str, float]]:
    """Ask all methods about all incidents; give the places that they name the cause at, and seconds per incident."""
    rows, spent, asked = [], dict.fromkeys(methods, 0.0), 0
    for seed in seeds:
        abnormal, normal, truth = incident(seed)
        asked += 1
        for method in methods:
            begin = time.perf_counter()
            ranking = ours(abnormal, normal) if method == "tracelab" else theirs(method, abnormal, normal)
            spent[method] += time.perf_counter() - begin
            service, operation = places(ranking, truth)
            rows.append((seed, truth["kind"], method, service, operation))
    places_found = pl.DataFrame(rows, schema=["seed", "kind", "method", "service", "operation"], orient="row")
    return places_found, {method: seconds / max(asked, 1) for method, seconds in spent.items()}


def table(found: pl.DataFrame, level: str) -> str:
    """Write what was found as a table, a row per kind."""
    methods = found["method"].unique(maintain_order=True).to_list()
    lines = [f"| incident | {' | '.join(methods)} |", f"| --- |{' --- |' * len(methods)}"]
    for kind in (*KINDS, None):
        some = found if kind is None else found.filter(kind=kind)
        if some.height:
            cells = [
                " / ".join(f"{value:.2f}" for value in accuracy(some.filter(method=method)[level].to_list()))
                for method in methods
            ]
            asked = some["seed"].n_unique()
            lines.append(f"| {kind or 'all'} ({asked}) | {' | '.join(cells)} |")
    return "\n".join(lines)


def main(count: int = COUNT, first: int = FIRST_SEED) -> None:
    found, seconds = run(range(first, first + count))
    for level in ("service", "operation"):
        print(f"\nThe {level} at fault: top-1 / top-3 / Avg@5\n\n{table(found, level)}")  # noqa: T201
    print("\n" + ", ".join(f"{method}: {spent:.2f} s an incident" for method, spent in seconds.items()))  # noqa: T201
    wrong = sum(bool(tl.root_causes(*calm(seed))["certain"].any()) for seed in range(first, first + CALM))
    print(f"\nOf {CALM} pairs of windows in which nothing went wrong, {wrong} have a cause that is certain.")  # noqa: T201


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
