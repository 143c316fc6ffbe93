"""Which tasks are shown, and below which of their dependencies."""

from collections import Counter

import pytest

from cli.live.live_run import TaskLine
from cli.live.tree import visible_tasks


def task(task_id, *depends_on, status="pending"):
    return TaskLine(task_id, task_id, depends_on, status, "", None, None, "", None)


def drawn(tasks, room=99):
    return [f"{row.guide}{row.task.id}" for row in visible_tasks(tasks, room).rows]


def test_a_task_stands_below_the_last_of_what_it_needs():
    tasks = [task("a"), task("b", "a"), task("c", "a"), task("d", "b", "c"), task("e")]
    assert drawn(tasks) == ["├a", "│├b", "│└c", "│ └d", "└e"]
    also = {row.task.id: row.other_dependencies for row in visible_tasks(tasks, 99).rows}
    assert (also["d"], also["b"]) == (("b",), ())


def test_dependencies_may_come_later_in_the_plan_or_not_at_all():
    assert drawn([task("z", "a"), task("a", "not-there-yet")]) == ["└a", " └z"]


def test_a_long_chain_is_no_trouble():
    tasks = [task("t0"), *(task(f"t{n}", f"t{n - 1}") for n in range(1, 3000))]
    assert len(visible_tasks(tasks, 5000).rows) == 3000


@pytest.mark.parametrize("room", [1, 2, 5, 20])
def test_with_little_room_finished_tasks_give_way_and_are_counted(room):
    states = ["succeeded"] * 100 + ["pending"] * 60 + ["running"] * 30 + ["failed"] * 10
    tasks = [task(f"t{n}", status=status) for n, status in enumerate(states)]
    fits = visible_tasks(tasks, room)
    assert len(fits.rows) + len(fits.hidden) <= max(room, 4)
    visible = Counter(row.task.status for row in fits.rows)
    assert Counter(fits.hidden) + visible == Counter(states)
    if room == 20:
        assert visible == {"failed": 10, "running": 7}


def test_a_task_whose_dependency_is_hidden_stands_at_the_root():
    tasks = [task("a", status="succeeded"), task("b", status="succeeded"), task("c", "a", status="running")]
    fits = visible_tasks(tasks, 2)
    assert ([row.guide for row in fits.rows], fits.hidden) == (["└"], {"succeeded": 2})
