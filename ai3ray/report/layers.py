"""Lay a task graph out in layers with few crossings.

After Sugiyama, Tagawa and Toda, "Methods for Visual Understanding of Hierarchical System Structures" (1981):
layers by longest path, a waypoint in every layer that an edge crosses, order within the layers by the mean
position of the neighbours, then coordinates.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from statistics import fmean
from typing import NamedTuple

NODE_W, NODE_H = 190.0, 58.0
DEPTH_GAP, SIDE_GAP, WAYPOINT = 38.0, 14.0, 12.0
WIDE = 1020.0  # the width of a page
TALL = 900.0  # a longer layer is split into several columns
SWEEPS = 8

Graph = Mapping[str, Sequence[str]]
"""The dependencies of each id."""
Slot = str | tuple[str, str, int]
"""A task, or the waypoint of an edge (source, target) in a layer."""


class Point(NamedTuple):
    """A point of the drawing; of a task, its centre."""

    x: float
    y: float


@dataclass(frozen=True)
class Drawing:
    """A graph with coordinates."""

    nodes: Mapping[str, Point]
    edges: Sequence[Sequence[Point]]
    """Each edge from the side of its source through its waypoints to the side of its target."""
    down: bool
    """Whether the edges run downwards instead of to the right."""
    width: float
    height: float


def layout(graph: Graph) -> Drawing:
    """Place the tasks: from left to right if that fits a page, else downwards."""
    depths = depths_of(graph)
    layers = _ordered(_layers(graph, depths), graph, depths)
    down = len(layers) * (NODE_W + DEPTH_GAP) - DEPTH_GAP > WIDE
    places, length, breadth = _places(layers, down=down)
    points = {slot: Point(side, depth) if down else Point(depth, side) for slot, (depth, side) in places.items()}
    return Drawing(
        nodes={slot: point for slot, point in points.items() if isinstance(slot, str)},
        edges=[_route(edge, points, depths, down=down) for edge in _edges(graph)],
        down=down,
        width=breadth if down else length,
        height=length if down else breadth,
    )


def depths_of(graph: Graph) -> dict[str, int]:
    """Return each task's layer: one more than the deepest of its dependencies."""
    depths: dict[str, int] = {}
    waiting = list(graph)
    while waiting:
        ready = [task for task in waiting if all(dep in depths for dep in graph[task])]
        assert ready, "a plan has no cycles"
        depths |= {task: 1 + max((depths[dep] for dep in graph[task]), default=-1) for task in ready}
        waiting = [task for task in waiting if task not in depths]
    return depths


def _edges(graph: Graph) -> list[tuple[str, str]]:
    return [(dep, task) for task, deps in graph.items() for dep in deps]


def _layers(graph: Graph, depths: Mapping[str, int]) -> list[list[Slot]]:
    layers: list[list[Slot]] = [[] for _ in range(1 + max(depths.values(), default=-1))]
    for task in graph:
        layers[depths[task]].append(task)
    for source, target in _edges(graph):
        for depth in range(depths[source] + 1, depths[target]):
            layers[depth].append((source, target, depth))
    return layers


def _chain(edge: tuple[str, str], depths: Mapping[str, int]) -> list[Slot]:
    source, target = edge
    return [source, *((source, target, depth) for depth in range(depths[source] + 1, depths[target])), target]


def _ordered(layers: list[list[Slot]], graph: Graph, depths: Mapping[str, int]) -> list[list[Slot]]:
    """Sort the layers by the mean position of the neighbours, to and fro; return the best order found."""
    before: dict[Slot, list[Slot]] = {slot: [] for layer in layers for slot in layer}
    after: dict[Slot, list[Slot]] = {slot: [] for layer in layers for slot in layer}
    for edge in _edges(graph):
        chain = _chain(edge, depths)
        for left, right in pairwise(chain):
            before[right].append(left)
            after[left].append(right)
    best, fewest = layers, _crossings(layers, after)
    for sweep in range(SWEEPS if fewest else 0):
        layers = _swept(layers, before) if sweep % 2 == 0 else _swept(layers[::-1], after)[::-1]
        found = _crossings(layers, after)
        if found < fewest:
            best, fewest = layers, found
    return best


def _swept(layers: Sequence[list[Slot]], neighbours: Mapping[Slot, Sequence[Slot]]) -> list[list[Slot]]:
    sorted_layers = [list(layers[0])]
    for layer in layers[1:]:
        place = {slot: at for at, slot in enumerate(sorted_layers[-1])}
        mean = {slot: float(at) for at, slot in enumerate(layer)}  # a slot without neighbours keeps its position
        mean |= {slot: fmean(place[near] for near in neighbours[slot]) for slot in layer if neighbours[slot]}
        sorted_layers.append(sorted(layer, key=mean.__getitem__))
    return sorted_layers


def _crossings(layers: Sequence[Sequence[Slot]], after: Mapping[Slot, Sequence[Slot]]) -> int:
    count = 0
    for layer, following in pairwise(layers):
        place = {slot: at for at, slot in enumerate(following)}
        ends: list[int] = []
        for left in reversed(layer):
            reached = [place[slot] for slot in after[left]]
            count += sum(bisect_left(ends, end) for end in reached)
            for end in reached:
                insort(ends, end)
    return count


def _places(layers: Sequence[Sequence[Slot]], *, down: bool) -> tuple[dict[Slot, tuple[float, float]], float, float]:
    """Return each slot's depth and side, and the drawing's depth and breadth."""
    deep, broad = (NODE_H, NODE_W) if down else (NODE_W, NODE_H)
    rows = [row for layer in layers for row in _rows(layer, broad, WIDE if down else TALL)]
    breadth = max((_breadth(row, broad) for row in rows), default=0.0)
    places: dict[Slot, tuple[float, float]] = {}
    for number, row in enumerate(rows):
        depth, side = number * (deep + DEPTH_GAP) + deep / 2, (breadth - _breadth(row, broad)) / 2
        for slot in row:
            size = _size(slot, broad)
            places[slot] = (depth, side + size / 2)
            side += size + SIDE_GAP
    return places, max(len(rows) * (deep + DEPTH_GAP) - DEPTH_GAP, 0.0), breadth


def _rows(layer: Sequence[Slot], broad: float, most: float) -> list[list[Slot]]:
    """Split a layer into as many rows of equal length as it needs."""
    count = ceil(_breadth(layer, broad) / most)
    each = -(-len(layer) // count)
    return [list(layer[first : first + each]) for first in range(0, len(layer), each)]


def _breadth(row: Sequence[Slot], broad: float) -> float:
    return sum(_size(slot, broad) for slot in row) + SIDE_GAP * (len(row) - 1)


def _size(slot: Slot, broad: float) -> float:
    return broad if isinstance(slot, str) else WAYPOINT


def _route(
    edge: tuple[str, str], points: Mapping[Slot, Point], depths: Mapping[str, int], *, down: bool
) -> list[Point]:
    start, *between, end = (points[slot] for slot in _chain(edge, depths))
    reach = Point(0, NODE_H / 2) if down else Point(NODE_W / 2, 0)
    return [Point(start.x + reach.x, start.y + reach.y), *between, Point(end.x - reach.x, end.y - reach.y)]
