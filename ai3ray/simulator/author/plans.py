"""Write task graphs."""

from __future__ import annotations

from typing import Any

from ai3ray.simulator.author.goal import CONTEXT_LABEL, Goal, asks_for_code, read_goal

_ASPECTS = (
    "What {} is",
    "Where {} comes from",
    "How {} works",
    "How {} is used today",
    "What {} costs and saves",
    "The risks of {}",
    "Who works with {}",
    "Common mistakes with {}",
    "How to begin with {}",
    "What is still unknown about {}",
    "How to measure {}",
    "The future of {}",
)


def write_plan(user_text: str) -> dict[str, Any]:
    """Return a valid plan for the user's turn, in the planner's schema."""
    goal = read_goal(user_text)
    if goal.diamond:
        return _diamond(goal)
    if asks_for_code(goal.text) and not goal.numbered:
        program = _task("program", goal.topic.capitalize(), goal.text, kind="coding", output="code")
        return {"tasks": [program], "assembly": "last"}
    if goal.parts == 1:
        answer = _task("answer", goal.topic.capitalize(), goal.text, kind="other", output="text", tier="small")
        return {"tasks": [answer], "assembly": "last"}
    sections = [_section(goal, index) for index in range(goal.parts)]
    if goal.numbered:
        return {"tasks": sections, "assembly": "concat"}
    combine = _task(
        "combine",
        f"{goal.topic.capitalize()}: the whole",
        f"Join the given parts into one answer about {goal.topic}. Keep their facts and remove what is said twice.",
        depends_on=[section["id"] for section in sections],
    )
    return {"tasks": [*sections, combine], "assembly": "last"}


def broken_plan(user_text: str) -> dict[str, Any]:
    """Return a plan that fits the schema but depends on a missing task."""
    plan = write_plan(user_text)
    plan["tasks"][0]["depends_on"] = ["DEFECT-no-such-task"]
    return plan


def _section(goal: Goal, index: int) -> dict[str, Any]:
    number, topic = index + 1, goal.topic
    title = _ASPECTS[index].format(topic) if index < len(_ASPECTS) else f"{topic}, part {number}"
    prompt = f"Write part {number} of {goal.parts}, titled '{title}'. {CONTEXT_LABEL} {goal.text}"
    return _task(f"part{number}", title[:1].upper() + title[1:], prompt)


def _diamond(goal: Goal) -> dict[str, Any]:
    topic = goal.topic
    outline = f"Write an outline of {topic}. {CONTEXT_LABEL} {goal.text}"
    tasks = [
        _task("a", f"Outline of {topic}", outline),
        _task("b", f"The case for {topic}", f"Write from the outline the case for {topic}.", depends_on=["a"]),
        _task("c", f"The case against {topic}", f"Write from the outline the doubts about {topic}.", depends_on=["a"]),
        _task("d", f"{topic}: conclusion", f"Weigh both texts about {topic} and conclude.", depends_on=["b", "c"]),
    ]
    return {"tasks": tasks, "assembly": "last"}


def _task(
    name: str,
    title: str,
    prompt: str,
    *,
    depends_on: list[str] | None = None,
    kind: str = "writing",
    output: str = "markdown",
    tier: str = "standard",
) -> dict[str, Any]:
    return {
        "id": name,
        "title": title,
        "prompt": prompt,
        "kind": kind,
        "depends_on": depends_on or [],
        "output": output,
        "tier": tier,
    }
