"""Amounts in words, and what a run counts as spent."""

import pytest

from ai3ray.domain.call import Attempt
from ai3ray.domain.events import Decision, RunFailed, RunStart, parse_event
from ai3ray.domain.money import dollars, spent
from ai3ray.domain.run import fold


@pytest.mark.parametrize(
    ("usd", "words"),
    [
        (0, "$0"),
        (12.0, "$12"),
        (0.25, "$0.25"),
        (0.1 + 0.2, "$0.3"),
        (0.0487123456, "$0.048712"),
        (2.1e-6, "$0.0000021"),
    ],
)
def test_an_amount_has_the_digits_that_it_needs(usd, words):
    assert dollars(usd) == words


def call(attempt, status, cost=None, maybe_paid=False):
    return Attempt(
        run_id="r",
        attempt_id=attempt,
        role="task",
        n=1,
        provider="p",
        model="p/m",
        status=status,
        cost_usd=cost,
        maybe_paid=maybe_paid,
    )


def history(*last):
    decided = [
        Decision(attempt_id=name, role="task", model="p/m", provider="p", candidates=(), reserved_usd=reserved)
        for name, reserved in {"a": 0.5, "b": 0.25, "c": 0.125, "d": 0.0625, "e": None}.items()
    ]
    events = [RunStart(request={"prompt": "p"}), *decided, *last]
    return [event.model_copy(update={"run_id": "r", "seq": seq, "ts": "t"}) for seq, event in enumerate(events, 1)]


def test_a_bill_that_nobody_knows_counts_with_what_was_reserved_for_it():
    calls = [
        call("a", "succeeded", cost=0.01),
        call("b", "lost", maybe_paid=True),
        call("c", "started"),
        call("d", "failed"),
        call("e", "cancelled", maybe_paid=True),
    ]
    assert spent(fold(history(), calls)) == 0.01 + 0.25 + 0.125


def test_a_run_that_failed_for_want_of_money_shows_what_it_has():
    failed = parse_event('{"type": "error", "error": {"type": "budget", "message": "spent"}, "output": "Half."}')
    state = fold(history(failed))
    assert (state.status, state.output, state.error.type) == ("failed", "Half.", "budget")


def test_an_error_without_an_output_reads_as_before():
    plain = RunFailed(error={"type": "run", "message": "no"})
    assert "output" not in plain.line()
    assert fold(history(plain)).output is None
