"""The samples: one file or more for every format, named after it, with a trace of a few spans each."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tracelab.conforming import conform
from tracelab.loaders import load_report, read
from tracelab.loaders.formats import NAMES

SAMPLES = sorted((Path(__file__).parent / "samples").iterdir())
README = (Path(__file__).parents[2] / "README.md").read_text()


def format_of(sample: Path) -> str:
    return sample.name.partition(".")[0]


@pytest.mark.parametrize("name", NAMES)
def test_every_format_has_a_sample_and_a_row_in_the_readme(name: str) -> None:
    assert name in {format_of(sample) for sample in SAMPLES}
    assert f"| `{name}`" in README


@pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_sample_is_told_by_its_content_alone(sample: Path) -> None:
    content = sample.read_bytes() if sample.is_file() else sample
    spans, report = read(content), load_report(content)
    assert report["format"].unique().to_list() == [format_of(sample)]
    assert report.filter(pl.col("problem") == "spans")["count"].item() == spans.height + report["lost_spans"].sum()
    assert spans.height >= 2
    assert_frame_equal(read(content, format=format_of(sample)), spans)
    assert_frame_equal(conform(spans), spans)


@pytest.mark.filterwarnings("ignore::tracelab.errors.LoadWarning")
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_sample_has_a_tree_and_times_of_this_century(sample: Path) -> None:
    spans = read(sample)
    assert spans["depth"].max() != 0
    assert spans.filter(pl.col("duration") > pl.duration(), pl.col("start_time").dt.year() > 2000).height >= 1
    assert spans["service_name"].n_unique() - spans["service_name"].eq("unknown_service").any() >= 1
