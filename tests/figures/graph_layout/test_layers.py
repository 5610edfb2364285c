from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tracelab.figures.graph_layout.layers import Layers, layered

NAMES = [f"n{number}" for number in range(9)]
EDGES = st.dictionaries(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), st.integers(1, 1000), max_size=25)


def laid(edges: dict[tuple[str, str], int], *, height: float = 30) -> Layers:
    return layered(NAMES, edges, dict.fromkeys(NAMES, height))


def depth(layers: Layers) -> dict[str, int]:
    return {item.name: item.layer for item in layers.items if item.name}


@given(EDGES)
def test_every_edge_has_a_way_through_all_layers_between_its_ends(edges: dict[tuple[str, str], int]) -> None:
    layers = laid(edges)
    place = depth(layers)
    assert set(place) == set(NAMES)
    for start, end in edges:
        if place[start] == place[end]:
            assert (start, end) in layers.bows
            continue
        route = [layers.items[number] for number in layers.routes[start, end]]
        ends = [route[0].name, route[-1].name]
        assert ends == ([end, start] if (start, end) in layers.turned else [start, end])
        assert [item.layer for item in route] == list(range(route[0].layer, route[-1].layer + 1))
        assert not any(item.name for item in route[1:-1])


@given(EDGES)
def test_nothing_in_a_layer_overlaps(edges: dict[tuple[str, str], int]) -> None:
    layers = laid(edges)
    for layer in layers.layers:
        for above, below in pairwise(layers.items[number] for number in layer):
            assert above.y + above.height / 2 < below.y - below.height / 2


@given(EDGES)
def test_the_order_of_edges_changes_nothing(edges: dict[tuple[str, str], int]) -> None:
    assert laid(edges) == laid(dict(reversed(edges.items())))


def test_callers_stand_left_of_whom_they_call_where_there_is_no_cycle() -> None:
    layers = laid({("n0", "n1"): 1, ("n1", "n2"): 1, ("n0", "n2"): 1})
    assert [depth(layers)[name] for name in ("n0", "n1", "n2")] == [0, 1, 2]
    assert not layers.turned
    assert len(layers.routes["n0", "n2"]) == 3


def test_a_cycle_begins_with_whom_others_call() -> None:
    layers = laid({("n1", "n2"): 1, ("n2", "n1"): 1, ("n0", "n2"): 1})
    assert [depth(layers)[name] for name in ("n0", "n2", "n1")] == [0, 1, 2]
    assert layers.turned == {("n1", "n2")}


def test_a_caller_stands_next_to_the_first_that_it_calls() -> None:
    layers = laid({("n0", "n1"): 1, ("n1", "n2"): 1, ("n2", "n3"): 1, ("n8", "n3"): 1})
    assert depth(layers)["n8"] == depth(layers)["n3"] - 1


def test_ways_cross_no_more_than_they_must() -> None:
    layers = laid({("n0", "n5"): 1, ("n1", "n4"): 1, ("n2", "n3"): 1})
    left, right = layers.layers[0], layers.layers[1]
    ends = [right.index(layers.items[number].behind[0]) for number in left if layers.items[number].behind]
    assert ends == sorted(ends)
