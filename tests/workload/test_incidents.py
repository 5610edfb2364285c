"""Incidents: the same for the same seed, normal in one window, and wrong where the truth says in the other."""

from __future__ import annotations

import polars as pl
import pytest

import tracelab as tl
from tracelab.errors import TracelabError
from tracelab.schema import SPAN_SCHEMA
from tracelab.synthetic import generate_incident
from tracelab.workload.incidents.causes import FAILING, KINDS


@pytest.mark.parametrize("kind", KINDS)
def test_an_incident_is_two_windows_of_one_system_and_what_is_wrong(kind: str) -> None:
    abnormal, normal, truth = generate_incident(5, kind=kind, traces=150)
    row = truth.row(0, named=True)
    assert row["kind"] == kind
    assert row["calls"] >= 10
    for side in (abnormal, normal):
        assert all(side.schema[name] == dtype for name, dtype in SPAN_SCHEMA.items())
        assert side["service_name"].is_in([row["service_name"]]).any()
    assert set(abnormal["trace_id"]).isdisjoint(normal["trace_id"])
    assert normal["start_time"].max() < abnormal["start_time"].min()  # type: ignore[operator]
    assert abnormal["service_name"].n_unique() <= normal["service_name"].n_unique() + 1


@pytest.mark.parametrize("kind", KINDS)
def test_the_cause_can_be_seen_where_the_truth_says(kind: str) -> None:
    """Over some incidents: what fails fails more often there, what is slow takes longer."""
    more: list[bool] = []
    for seed in range(2):
        abnormal, normal, truth = generate_incident(seed, kind=kind, traces=150)
        row = truth.row(0, named=True)
        measured: list[float] = []
        for side in (abnormal, normal):
            there = side.filter((pl.col("service_name") == row["service_name"]) & pl.col("name").is_in(row["names"]))
            failing = (there["status_code"] == "error").mean()
            length = there["duration"].dt.total_nanoseconds().mean()
            figure = failing if kind in FAILING else length
            assert isinstance(figure, float)
            measured.append(figure)
        more.append(measured[0] > measured[1])
    assert any(more)


def test_the_same_seed_gives_the_same_incident() -> None:
    one, other = (generate_incident(7, kind="retries", traces=100) for _ in range(2))
    assert all(first.equals(second) for first, second in zip(one, other, strict=True))
    assert not one[0].equals(generate_incident(8, kind="retries", traces=100)[0])


def test_an_edge_may_be_named_by_either_of_its_services() -> None:
    row = generate_incident(2, kind="lossy edge", traces=100)[2].row(0, named=True)
    assert row["services"] == [row["service_name"], row["callee"]]


def test_wrong_arguments() -> None:
    with pytest.raises(TracelabError, match="kind"):
        tl.synthetic.generate_incident(kind="flood")
    with pytest.raises(TracelabError, match="traces"):
        tl.synthetic.generate_incident(traces=3)
    with pytest.raises(TracelabError, match="seed"):
        tl.synthetic.generate_incident(-1)
