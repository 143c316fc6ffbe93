"""A task graph as a tree."""

from ai3ray.domain.listings import PlanPreview
from ai3ray.domain.plan import parse_graph
from cli.render.plan_tree import preview_text

GRAPH = parse_graph(
    {
        "tasks": [
            {"id": "a", "title": "Facts [red]", "prompt": "p", "kind": "analysis"},
            {"id": "b", "prompt": "p", "depends_on": ["a"], "tier": "frontier"},
            {"id": "c", "prompt": "p", "depends_on": ["a", "b"]},
        ]
    },
    max_tasks=9,
)


def shown(estimate, width=100):
    return preview_text(PlanPreview(plan=GRAPH, estimate=estimate), width=width)


def test_a_task_stands_below_the_last_of_its_dependencies():
    assert shown({"cost_usd": 0.0123, "seconds": 34.0}).splitlines() == [
        "3 tasks, assembly last",
        "└── a  Facts [red]  analysis, text, standard",
        "    └── b  other, text, frontier",
        "        └── c  other, text, standard, also after a",
        "Estimate: about $0.0123, 34.0 s",
    ]


def test_an_unknown_price_is_said():
    assert shown({"cost_usd": None, "seconds": None}).splitlines()[-1] == "Estimate: cost unknown"


def test_a_narrow_terminal_wraps_and_loses_nothing():
    lines = shown({"cost_usd": None, "seconds": 1.0}, width=30).splitlines()[:-1]
    assert all(len(line) <= 30 for line in lines)
    assert "also after a" in " ".join(" ".join(lines).split())
