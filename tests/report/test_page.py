"""The page holds all of a run as text, and nothing that runs or loads anything."""

import base64
import hashlib
import re
from html.parser import HTMLParser

import pytest

from ai3ray.domain.call import ErrorInfo
from ai3ray.domain.events import Candidate, Decision
from ai3ray.report.graph import graph_figure
from ai3ray.report.markup import joined, tag
from ai3ray.report.page import page
from ai3ray.report.sections import decisions_table
from tests.cli.recorded import EVENTS, run_result, task
from tests.report.samples import call, record

EVIL = """</style></title><script>alert(1)</script><img src=x onerror="alert(1)">' & "quoted" \x1b[2J\u202e"""


TAGS = {"html", "head", "meta", "title", "style", "body", "main", "header", "nav", "section", "blockquote", "p"}
TAGS |= {"h1", "h2", "h3", "a", "div", "dl", "dt", "dd", "span", "table", "thead", "tbody", "tr", "th", "td"}
TAGS |= {"svg", "g", "defs", "marker", "path", "rect", "line", "text"}


class Reader(HTMLParser):
    """Collects what a browser would see."""

    VOID = frozenset({"meta"})

    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes, self.texts, self.open = [], [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.texts.append(data)

    def values(self, *names):
        return [value for name, value in self.attributes if name in names]


def evil_record():
    evil = task("a", "failed", title=EVIL, output=EVIL, model=f"sim/{EVIL}", error=ErrorInfo(type="x", message=EVIL))
    result = run_result(prompt=EVIL, output=EVIL, tasks=(evil,), warnings=(EVIL,))
    plan = {"type": "plan", "plan": {"tasks": [{"id": "a", "prompt": EVIL}]}, "ts": "2026-11-23T10:00:00.000Z"}
    decision = Decision(
        attempt_id=EVIL,
        role="task",
        model=EVIL,
        provider=EVIL,
        candidates=(
            Candidate(model=EVIL, score=1, terms={EVIL: 1}),
            Candidate(model="x", score=0, terms={}, excluded=EVIL),
        ),
    )
    events = [plan, decision.model_dump(mode="json")]
    return record(result=result, events=events, attempts=[call(EVIL, model=EVIL, error_type=EVIL)])


@pytest.mark.parametrize("make", [record, evil_record])
def test_nothing_on_the_page_runs_loads_or_leaves_it(make):
    seen = Reader(page(make()))
    assert seen.open == []
    assert set(seen.tags) <= TAGS
    assert not [name for name, _ in seen.attributes if name.startswith("on") or name in ("style", "src", "srcset")]
    assert all(href.startswith("#") for href in seen.values("href", "xlink:href"))
    assert set(seen.values("marker-end")) <= {"url(#arrow)"}


@pytest.mark.parametrize("make", [record, evil_record])
def test_every_link_has_its_one_target(make):
    seen = Reader(page(make()))
    ids = seen.values("id")
    assert len(ids) == len(set(ids))
    assert {href[1:] for href in seen.values("href")} <= set(ids)


def test_the_policy_lets_in_this_style_sheet_and_nothing_else():
    text = page(record())
    style = re.search(r"<style>(.*)</style>", text, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = dict(part.split(" ", 1) for part in Reader(text).values("content")[0].split("; "))
    assert policy == {
        "default-src": "'none'",
        "style-src": f"'sha256-{digest}'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    assert not re.search(r"url\(|@import|http", style)


def test_what_models_wrote_is_shown_to_the_letter():
    shown = "".join(Reader(page(evil_record())).texts)
    assert shown.count("<script>alert(1)</script>") > 10
    assert "\x1b" not in shown
    assert "␛[2J" in shown


def test_the_page_has_figures_tasks_calls_decisions_answer_and_texts():
    shown = " ".join(Reader(page(record())).texts)
    for words in (
        "Write something",
        "partial",
        "$0.0123",
        "12.3 s",
        "a provider is out",
        "not passed 0.25 by sim/judge",
        "overloaded: try later",
        "sim/slow 0.500",
        "1 excluded: retired",
        "quality +0.700, cost +0.200",
        "the intro",
        "Intro",  # the prompt of the first task
        "$1.2500 + unknown",
    ):
        assert words in shown, words


def test_a_run_that_has_barely_begun_is_a_page_too():
    bare = run_result("queued", None, tasks=(), warnings=(), prompt="")
    shown = " ".join(Reader(page(record(result=bare, events=[], attempts=[]))).texts)
    assert "There is no plan." in shown
    assert "There is no answer." in shown


def test_a_graph_too_large_to_be_seen_is_not_drawn():
    assert "<svg" not in graph_figure([task(f"t{n}", "pending") for n in range(301)])


def test_a_dependency_that_is_no_task_draws_no_edge():
    assert "arrow)" not in graph_figure([task("a", "pending", depends_on=("gone",))])


def test_texts_are_escaped_unless_they_are_markup_already():
    assert (
        tag("p", "a<b", tag("i", "&"), None, class_="x y", data_n=1.5)
        == '<p class="x y" data-n="1.5">a&lt;b<i>&amp;</i></p>'
    )
    assert joined("<", tag("b")) == "&lt;<b></b>"


def test_the_many_others_of_a_decision_are_counted():
    others = [Candidate(model=f"m/{n}", score=1 - n / 10, terms={}) for n in range(6)]
    event = next(event for event in EVENTS if isinstance(event, Decision))
    crowded = event.model_copy(update={"candidates": (*event.candidates, *others)})
    assert "sim/slow 0.500; m/0 1.000; m/1 0.900; 4 more; 1 excluded: retired" in decisions_table([crowded])
