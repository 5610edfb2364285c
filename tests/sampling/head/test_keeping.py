"""The spans that head samplers keep, and what they stand for."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import polars as pl
import pytest

import tracelab as tl
from tests.sampling.head.fleets import SERVICES, Call, frame_of, ours, random_recipe
from tests.sampling.ids_by_the_thousand import one_span_each, random_ids
from tracelab.sampling import (
    AlwaysOff,
    AlwaysOn,
    ParentBased,
    ParentThreshold,
    ProbabilitySampler,
    Sampler,
    TraceIdRatioBased,
    sample_head,
)
from tracelab.sampling.head import cells
from tracelab.sampling.head.replay import replay
from tracelab.synthetic import draw

SHOP = draw("""
web::GET /pay     ==========
  web::render     .==
  bank::charge    ...====      kind=server
    bank::audit   ....=
    db::SELECT    .....=
""")
HALF = TraceIdRatioBased(0.5)


def kept(spans: pl.DataFrame, sampler: Any, **options: Any) -> list[str]:
    return sample_head(spans, sampler, **options)["name"].to_list()


def test_always_on_keeps_all_and_always_off_nothing() -> None:
    assert kept(SHOP, AlwaysOn()) == SHOP["name"].to_list()
    assert kept(SHOP, AlwaysOff()) == []


def test_the_columns_are_those_of_before_and_the_weight_at_the_end() -> None:
    found = sample_head(SHOP, AlwaysOn())
    assert found.columns == [*SHOP.columns, "sampling_weight"]
    assert found.schema["sampling_weight"] == pl.Float64
    again = sample_head(found.with_columns(sampling_weight=9.0), HALF)
    assert again.columns == found.columns
    assert again["sampling_weight"].to_list() in ([], [2.0] * 5)


def test_a_fleet_decides_by_service_and_a_star_is_the_rest() -> None:
    assert kept(SHOP, {"web": AlwaysOn(), "*": AlwaysOff()}) == ["GET /pay", "render"]
    assert kept(SHOP, {"bank": AlwaysOff(), "*": AlwaysOn()}) == ["GET /pay", "render", "SELECT"]


def test_a_parent_based_sampler_follows_the_root_across_services() -> None:
    below = ParentBased(AlwaysOff())
    assert kept(SHOP, {"web": AlwaysOn(), "*": below}) == SHOP["name"].to_list()
    assert kept(SHOP, {"web": AlwaysOff(), "*": below}) == []


@pytest.mark.parametrize(
    ("delegates", "expected"),
    [
        ({"remote_parent_sampled": AlwaysOff()}, ["GET /pay", "render", "SELECT"]),
        ({"local_parent_sampled": AlwaysOff()}, ["GET /pay", "render", "charge", "SELECT"]),
        ({"remote_parent_sampled": AlwaysOff(), "local_parent_not_sampled": AlwaysOn()},
         ["GET /pay", "render", "audit", "SELECT"]),
    ],
)  # fmt: skip
def test_delegates_are_told_apart_by_where_the_parent_is(delegates: dict[str, Sampler], expected: list[str]) -> None:
    fleet = {"bank": ParentBased(AlwaysOn(), **delegates), "*": AlwaysOn()}
    assert kept(SHOP, fleet) == expected


def test_flags_say_where_the_parent_is_if_they_say_anything() -> None:
    fleet = {"bank": ParentBased(AlwaysOn(), remote_parent_sampled=AlwaysOff()), "*": AlwaysOn()}
    local = SHOP.with_columns(flags=pl.lit(0x101, dtype=pl.UInt32))
    remote = SHOP.with_columns(flags=pl.lit(0x301, dtype=pl.UInt32))
    assert "charge" in kept(local, fleet)
    assert "audit" not in kept(remote, fleet)


@pytest.mark.parametrize(
    ("option", "expected"), [("root", ["late"]), ("sampled", ["late", "below"]), ("not_sampled", ["below"])]
)
def test_the_children_of_missing_parents_are_decided_on_as_one_says(option: str, expected: list[str]) -> None:
    spans = draw("""
    gone::lost
      web::late   .==      kind=server
      web::below  ...==    kind=server
    """)
    ids = {"late": AlwaysOn(), "below": AlwaysOff()}
    found = []
    for name, root in ids.items():
        opposite = AlwaysOff() if root == AlwaysOn() else AlwaysOn()
        fleet = ParentBased(root, remote_parent_sampled=AlwaysOn(), remote_parent_not_sampled=opposite)
        found += [each for each in kept(spans, fleet, missing_parents=option) if each == name]
    assert found == expected


def test_weights_are_one_over_the_share_of_ids() -> None:
    frame = one_span_each(random_ids(2000))
    for sampler, weight in ((HALF, 2.0), (TraceIdRatioBased(0.1, sdk="go"), 10.0), (AlwaysOn(), 1.0)):
        found = sample_head(frame, sampler)["sampling_weight"]
        assert found.to_numpy() == pytest.approx(np.full(found.len(), weight))


def test_a_span_has_the_weight_of_the_decision_that_kept_it() -> None:
    calls = repeated([(None, "web"), (0, "shop"), (1, "bank"), (2, "mail")], 4000)
    fleet = {
        "web": ParentBased(TraceIdRatioBased(0.5)),
        "shop": ParentBased(AlwaysOff()),
        "bank": TraceIdRatioBased(0.25, sdk="js"),
        "mail": ParentBased(AlwaysOff(), remote_parent_sampled=TraceIdRatioBased(0.5)),
    }
    weights = sample_head(frame_of(calls), fleet).group_by("service_name").agg(pl.col("sampling_weight").unique())
    found = {service: pytest.approx(values) for service, values in weights.rows()}
    assert found == {"web": [2.0], "shop": [2.0], "bank": [4.0], "mail": [8.0]}


def test_decisions_that_agree_on_nested_ranges_have_the_share_of_the_smaller() -> None:
    calls = repeated([(None, "web"), (0, "shop")], 2000)
    fleet = {
        "web": TraceIdRatioBased(0.5),
        "shop": ParentBased(AlwaysOff(), remote_parent_sampled=TraceIdRatioBased(0.2, sdk="ruby")),
    }
    shop = sample_head(frame_of(calls), fleet).filter(service_name="shop")
    assert shop["sampling_weight"].to_numpy() == pytest.approx(np.full(shop.height, 5.0))


def test_what_cannot_be_known_has_no_weight() -> None:
    calls = repeated([(None, "web"), (0, "shop")], 2000)
    fleet = {
        "web": ProbabilitySampler(0.5),
        "shop": ParentBased(AlwaysOff(), remote_parent_sampled=TraceIdRatioBased(0.5)),
    }
    found = sample_head(frame_of(calls), fleet)
    assert set(found.filter(service_name="web")["sampling_weight"]) == {2.0}
    assert set(found.filter(service_name="shop")["sampling_weight"]) == {None}


@pytest.mark.parametrize("sdk", ["cpp", "dotnet"])
def test_short_ids_have_no_weight_for_sdks_that_look_at_what_they_lack(sdk: str) -> None:
    frame = one_span_each([f"{number:016x}" for number in range(1, 50)])
    found = sample_head(frame, TraceIdRatioBased(0.5, sdk=sdk))
    assert found["sampling_weight"].to_list() == [None] * 49


@pytest.mark.parametrize("seed", range(12))
def test_spans_are_kept_as_often_as_their_weight_says(seed: int) -> None:
    random_draw = random.Random(seed)
    shape: list[tuple[int | None, str]] = [(None, "web")]
    shape += [(random_draw.randrange(number), random_draw.choice(SERVICES)) for number in range(1, 8)]
    sdks = ("python", "js", "java", "go", "php", "dotnet", "erlang", "swift")
    fleet = {service: ours(random_recipe(random_draw), lambda: random_draw.choice(sdks)) for service in SERVICES}
    traces = 20_000
    frame = frame_of(repeated(shape, traces, seed))
    found = replay(frame, fleet, missing_parents="root")
    share = found.kept.reshape(traces, len(shape)).mean(axis=0)
    probability = found.probability.reshape(traces, len(shape))
    assert (probability[0] == probability[-1])[~np.isnan(probability[0])].all()
    error = np.sqrt(probability[0] * (1 - probability[0]) / traces)
    assert (np.abs(share - probability[0]) <= 4.5 * error + 1e-9)[~np.isnan(probability[0])].all()


def repeated(shape: list[tuple[int | None, str]], traces: int, seed: int = 0) -> list[Call]:
    """Make the same tree many times over, under random ids."""
    ids = random.Random(seed)
    calls = []
    for trace in range(traces):
        trace_id, first = f"{ids.getrandbits(128):032x}", trace * len(shape)
        for number, (parent, service) in enumerate(shape):
            above = None if parent is None else first + parent
            remote = parent is not None and shape[parent][1] != service
            calls.append(Call(trace_id, f"{first + number + 1:016x}", above, service, remote))
    return calls


def test_a_fleet_of_more_ratios_than_cells_decides_alike(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = frame_of(repeated([(None, "web"), (0, "shop"), (1, "bank")], 500))
    fleet = {
        "web": ParentBased(TraceIdRatioBased(0.5)),
        "*": ParentBased(AlwaysOff(), remote_parent_sampled=TraceIdRatioBased(0.5, sdk="js")),
    }
    expected = sample_head(frame, fleet)
    monkeypatch.setattr(cells, "_MOST", 1)
    found = sample_head(frame, fleet)
    assert found.drop("sampling_weight").equals(expected.drop("sampling_weight"))
    assert found["sampling_weight"].null_count() == found.height


def test_consistent_samplers_write_thresholds_and_the_children_keep_to_them() -> None:
    spans = draw("""
    web::a    ====
      db::b   .==
    """).with_columns(trace_state=pl.lit("x=1,ot=rv:f0000000000000;th:8;p:7,y=2"))
    found = sample_head(spans, {"web": ProbabilitySampler(0.25), "db": ParentThreshold(AlwaysOff())})
    assert found["trace_state"].to_list() == ["ot=th:c;rv:f0000000000000;p:7,x=1,y=2"] * 2
    assert found["sampling_weight"].to_list() == [4.0, 4.0]


def test_an_explicit_random_value_counts_instead_of_the_id_for_consistent_samplers_only() -> None:
    spans = draw("api ===")  # its id is 1: the least
    low, high = (spans.with_columns(trace_state=pl.lit(f"ot=rv:{digit}0000000000000")) for digit in ("0", "f"))
    assert kept(low, ProbabilitySampler(0.5)) == kept(spans, ProbabilitySampler(0.5)) == []
    assert kept(high, ProbabilitySampler(0.5)) == ["api"]
    assert kept(low, HALF) == kept(high, HALF) == ["api"]


def test_below_a_sampled_parent_without_a_threshold_nothing_is_written() -> None:
    spans = draw("""
    web::a    ====
      db::b   .==
    """).with_columns(trace_state=pl.lit("ot=th:8,x=1"))
    found = sample_head(spans, {"web": AlwaysOn(), "db": ParentThreshold(AlwaysOff())})
    assert found["trace_state"].to_list() == ["x=1", "x=1"]


def test_a_missing_parents_threshold_is_that_in_the_trace_state_of_the_child() -> None:
    spans = draw("""
    gone::a
      db::b   .==
    """).with_columns(trace_state=pl.lit("ot=th:c;rv:d0000000000000"))
    sampler = ParentThreshold(AlwaysOff())
    assert kept(spans, sampler) == []
    found = sample_head(spans, sampler, missing_parents="sampled")
    assert found["trace_state"].to_list() == ["ot=th:c;rv:d0000000000000"]


@pytest.mark.parametrize("text", ["abc", "0" * 32, "g" * 32, "1" * 31])
def test_spans_without_a_trace_id_are_counted_and_kept_only_where_no_id_matters(text: str) -> None:
    spans = SHOP.with_columns(trace_id=pl.lit(text))
    assert len(kept(spans, AlwaysOn())) == 5
    with pytest.warns(tl.SamplingWarning, match=rf"5 spans have a trace id .* such as '{text}'"):
        assert kept(spans, TraceIdRatioBased(1.0 - 1e-9)) == []


def test_more_thresholds_than_fleets_have_are_refused_where_they_matter() -> None:
    frame = one_span_each(random_ids(600))
    frame = frame.with_columns(trace_state="ot=th:" + pl.col("trace_id").str.slice(0, 8))
    assert sample_head(frame, ParentThreshold(AlwaysOn())).height == 600
    with pytest.raises(tl.TracelabError, match="different thresholds"):
        sample_head(frame, ParentThreshold(AlwaysOn()), missing_parents="sampled")


def test_a_chain_of_thousands_of_spans_is_walked_to_its_end() -> None:
    depth = 30_000
    frame = frame_of(repeated([(None, "web"), *((number, "web") for number in range(depth - 1))], 1))
    assert sample_head(frame, ParentBased(AlwaysOn())).height == depth
    assert sample_head(frame, ParentBased(AlwaysOff())).height == 0


def test_an_empty_frame_is_an_empty_frame() -> None:
    assert sample_head(SHOP.clear(), {"web": HALF}).height == 0
    assert sample_head(SHOP.clear(), ParentBased(HALF)).height == 0


@pytest.mark.parametrize("sampler", [HALF, ParentBased(HALF), ProbabilitySampler(0.3)])
def test_any_kind_of_frame_gives_the_same(sampler: Sampler) -> None:
    spans = frame_of(repeated([(None, "web"), (0, "shop")], 50))
    expected = sample_head(spans, sampler)
    lazy = sample_head(spans.lazy(), sampler)
    assert isinstance(lazy, pl.LazyFrame)
    assert lazy.collect().equals(expected)
    assert sample_head(spans.to_pandas(), sampler).equals(expected)
    assert sample_head(spans.with_columns(duration=pl.col("duration").cast(pl.Duration("us"))), sampler).equals(
        expected
    )
    shuffled = sample_head(spans.sample(fraction=1, shuffle=True, seed=1), sampler)
    assert shuffled.sort("tree_left").equals(expected.sort("tree_left"))


def test_ids_in_other_parts_of_the_frame_are_decided_alike() -> None:
    spans = pl.concat([SHOP, SHOP.with_columns(start_time=pl.col("start_time").dt.offset_by("1h"))])
    found = sample_head(tl.with_tree(spans), HALF)
    assert found.height in (0, 10)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TraceIdRatioBased(1.5), r"`ratio` must lie between 0 and 1, got 1.5. 10 % is 0.1."),
        (lambda: TraceIdRatioBased(float("nan")), r"`ratio` must lie between 0 and 1, got nan"),
        (lambda: TraceIdRatioBased("0.1"), r"`ratio` must lie between 0 and 1, got '0.1'"),  # type: ignore[arg-type]
        (lambda: TraceIdRatioBased(0.1, sdk="pyton"), r"Did you mean 'python'\?"),
        (lambda: ParentBased(AlwaysOn), r"`root` must be a sampler.*with brackets"),  # type: ignore[arg-type]
        (lambda: ParentBased(HALF, local_parent_sampled=0.1), r"`local_parent_sampled` must be a sampler"),  # type: ignore[arg-type]
        (lambda: ProbabilitySampler(0.1, precision=15), r"`precision` must be from 1 to 14"),
        (lambda: sample_head(SHOP, 0.1), r"`sampler` must be a sampler, such as TraceIdRatioBased\(0.1\), got 0.1"),
        (lambda: sample_head(SHOP, {}), r"this one names none"),
        (lambda: sample_head(SHOP, {1: HALF}), r"names services by text, got 1"),
        (lambda: sample_head(SHOP, {"web": HALF}), r"no sampler for 'bank', 'db'. Name them, or add `\*`"),
        (lambda: sample_head(SHOP, HALF, missing_parents="roots"), r"Did you mean 'root'\?"),
    ],
)
def test_what_is_no_sampler_is_refused_with_what_to_do(make: Any, message: str) -> None:
    with pytest.raises(tl.TracelabError, match=message):
        make()


def test_a_service_that_there_is_not_is_pointed_out_where_another_is_meant() -> None:
    with pytest.warns(tl.QueryWarning, match=r"for 'banc', and no span is of that service. Did you mean 'bank'\?"):
        sample_head(SHOP, {"banc": AlwaysOff(), "*": AlwaysOn()})
    assert sample_head(SHOP, {"banc": AlwaysOff(), "bank": HALF, "elsewhere": HALF, "*": AlwaysOn()}).height >= 3
