"""Tasks stand in layers, apart from each other, and edges lead on."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai3ray.report.layers import NODE_H, NODE_W, TALL, WIDE, depths_of, layout

DIAMOND = {"top": [], "left": ["top"], "right": ["top"], "bottom": ["left", "right"]}


@st.composite
def graphs(draw):
    deps = {"t0": []}
    for n in range(1, draw(st.integers(1, 25))):
        deps[f"t{n}"] = sorted(draw(st.sets(st.sampled_from(list(deps)), max_size=3)))
    return deps


@settings(deadline=None, max_examples=60)
@given(graphs())
def test_no_two_tasks_overlap_and_all_is_on_the_drawing(graph):
    drawing = layout(graph)
    assert drawing.nodes.keys() == graph.keys()
    places = list(drawing.nodes.values())
    for number, a in enumerate(places):
        assert NODE_W / 2 <= a.x <= drawing.width - NODE_W / 2
        assert NODE_H / 2 <= a.y <= drawing.height - NODE_H / 2
        assert all(abs(a.x - b.x) >= NODE_W or abs(a.y - b.y) >= NODE_H for b in places[:number])


@settings(deadline=None, max_examples=60)
@given(graphs())
def test_edges_lead_on_from_the_dependency_to_the_task(graph):
    drawing = layout(graph)
    assert len(drawing.edges) == sum(map(len, graph.values()))
    ends = iter(drawing.edges)
    for task, deps in graph.items():
        for dep in deps:
            edge = next(ends)
            along = [point.y if drawing.down else point.x for point in edge]
            start, end = drawing.nodes[dep], drawing.nodes[task]
            assert along == sorted(along)
            across = [edge[0].x, edge[-1].x] if drawing.down else [edge[0].y, edge[-1].y]
            assert across == ([start.x, end.x] if drawing.down else [start.y, end.y])


def test_a_layer_is_the_longest_way_from_a_beginning():
    assert depths_of(DIAMOND | {"late": ["top", "bottom"]}) == {"top": 0, "left": 1, "right": 1, "bottom": 2, "late": 3}


def test_a_diamond_runs_to_the_right_and_is_symmetric():
    drawing = layout(DIAMOND)
    top, left, right, bottom = (drawing.nodes[name] for name in DIAMOND)
    assert not drawing.down
    assert top.x < left.x == right.x < bottom.x
    assert top.y == bottom.y == pytest.approx((left.y + right.y) / 2)


def test_a_long_chain_runs_downwards_and_stays_narrow():
    drawing = layout({f"t{n}": [f"t{n - 1}"] if n else [] for n in range(40)})
    assert drawing.down
    assert drawing.width == NODE_W


def test_many_independent_tasks_fit_a_page():
    drawing = layout({f"t{n}": [] for n in range(40)})
    assert (drawing.width <= WIDE, drawing.height <= TALL) == (True, True)
    assert len({point.x for point in drawing.nodes.values()}) > 1


def test_edges_that_need_not_cross_do_not():
    drawing = layout({"a": [], "b": [], "c": [], "x": ["c"], "y": ["b"], "z": ["a"]})
    order = [sorted("abc", key=lambda n: drawing.nodes[n].y), sorted("xyz", key=lambda n: drawing.nodes[n].y)]
    partner = {"x": "c", "y": "b", "z": "a"}
    assert order[0] == [partner[name] for name in order[1]]


def test_an_empty_graph_is_an_empty_drawing():
    drawing = layout({})
    assert (drawing.nodes, list(drawing.edges)) == ({}, [])
