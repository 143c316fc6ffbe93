"""Which runs a copy has missed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ai3ray.sql.isolated.changes import ChangedRuns

RUNS = st.sampled_from(["a", "b", "c"])
ACTS = st.one_of(st.lists(RUNS, max_size=2), st.sampled_from(["mark", "delete", "forget"]))


def test_only_what_was_touched_after_the_mark_has_changed() -> None:
    changes = ChangedRuns()
    changes.mark()
    changes.note(["a", "b"])
    mark = changes.mark()
    assert changes.since(mark) == ()
    changes.note(["b"])
    assert changes.since(mark) == ("b",)


def test_nothing_is_remembered_while_nobody_has_a_copy() -> None:
    changes = ChangedRuns()
    changes.note(["a"])
    assert changes.since(0) is None
    mark = changes.mark()
    changes.forget(None)
    changes.note(["b"])
    changes.mark()
    assert changes.since(mark) is None


def test_after_a_deletion_no_older_copy_is_worth_updating() -> None:
    changes = ChangedRuns()
    mark = changes.mark()
    changes.note_deletion()
    assert changes.since(mark) is None
    assert changes.since(changes.mark()) == ()


@given(st.lists(ACTS, max_size=30))
def test_no_touched_run_is_ever_left_out(acts: list[list[str] | str]) -> None:
    """Whatever the order of commits, marks and deletions: what `since` leaves out was not touched."""
    changes = ChangedRuns()
    marks: dict[int, set[str] | None] = {}
    for act in acts:
        if act == "mark":
            marks[changes.mark()] = set()
        elif act == "delete":
            changes.note_deletion()
            marks = dict.fromkeys(marks)
        elif act == "forget":
            changes.forget(max(marks, default=None))
            marks = {mark: touched for mark, touched in marks.items() if mark == max(marks)}
        else:
            changes.note(act)
            for touched in marks.values():
                if touched is not None:
                    touched.update(act)
        for mark, touched in marks.items():
            said = changes.since(mark)
            assert said is None if touched is None else said is not None and set(said) == touched
