"""The rule of budgets: when a call begins, waits or is refused, and what is left however calls end."""

from datetime import date

import pytest
from hypothesis import Phase
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ai3ray.pool.budget.ledger import TOLERANCE_USD, Affordable, BudgetLedger, Quote
from tests.bench import bench_money

CHEAP, DEAR = Quote(0.001, 0.01, 0.04), Quote(0.01, 0.1, 0.4)
BOTH = {"cheap": CHEAP, "dear": DEAR}


class Days:
    """Tells the day that a test says."""

    def __init__(self) -> None:
        self.day = date(2026, 11, 22)

    def __call__(self) -> date:
        return self.day


def ledger(cap: float | None = None, *, day: float | None = None, spent: float = 0.0) -> BudgetLedger:
    made = BudgetLedger(Days(), day)
    made.open_run("run", cap, owner="ann", spent=spent)
    return made


def names(affordable: Affordable) -> tuple[set[str], set[str]]:
    return set(affordable.allowed), set(affordable.ready)


def test_every_model_that_is_expected_to_fit_may_be_called():
    assert names(ledger(1.0).affordable("run", BOTH)) == ({"cheap", "dear"}, {"cheap", "dear"})


def test_money_that_gets_scarce_leaves_the_cheaper_models_only():
    assert names(ledger(1.0, spent=0.95).affordable("run", BOTH)) == ({"cheap"}, {"cheap"})


def test_what_calls_in_flight_hold_is_waited_for_and_no_reason_to_go_elsewhere():
    book = ledger(0.5)
    book.reserve("a", "run", DEAR)
    book.reserve("b", "run", Quote(0.01, 0.1, 0.09))
    assert names(book.affordable("run", BOTH)) == ({"cheap", "dear"}, {"cheap"})
    book.settle("a", 0.05, maybe_paid=False)
    assert names(book.affordable("run", BOTH)) == ({"cheap", "dear"}, {"cheap", "dear"})


def test_a_call_that_only_its_estimate_speaks_against_waits_until_nothing_is_in_flight_and_then_begins():
    book = ledger(0.05)
    book.reserve("a", "run", CHEAP)
    assert names(book.affordable("run", {"dear": DEAR})) == ({"dear"}, set())
    book.settle("a", 0.002, maybe_paid=False)
    assert names(book.affordable("run", {"dear": DEAR})) == ({"dear"}, {"dear"})


def test_the_last_of_a_budget_goes_to_the_cheapest_model():
    assert names(ledger(1.0, spent=0.995).affordable("run", {**BOTH, "other": Quote(0.002, 0.02, 0.08)})) == (
        {"cheap"},
        {"cheap"},
    )


def test_a_call_that_can_be_left_out_does_not_stretch_a_budget():
    book = ledger(0.05)
    assert names(book.affordable("run", {"dear": DEAR}, stretch=False)) == (set(), set())
    book.reserve("a", "run", CHEAP)
    assert names(book.affordable("run", {"dear": DEAR}, stretch=False)) == ({"dear"}, set()), "it may still get cheaper"


def test_what_costs_more_than_is_left_even_at_its_least_is_over_budget_whatever_is_in_flight():
    book = ledger(0.1, spent=0.0995)
    book.reserve("a", "run", Quote(0.0, 0.0, 0.0))
    assert names(book.affordable("run", BOTH)) == (set(), set())


def test_a_model_that_costs_nothing_is_never_over_budget():
    book = ledger(0.1, spent=0.3)
    assert names(book.affordable("run", {**BOTH, "free": Quote(0.0, 0.0, 0.0)})) == ({"free"}, {"free"})


def test_an_unknown_bill_counts_with_the_most_that_the_call_can_have_cost():
    book = ledger(1.0)
    (budget,) = book.budgets("run")
    for attempt in ("lost", "refused", "known"):
        book.reserve(attempt, "run", DEAR)
    book.settle("refused", None, maybe_paid=False)
    assert budget.spent == 0.0
    book.settle("known", 0.03, maybe_paid=True)
    book.settle("lost", None, maybe_paid=True)
    assert budget.spent == pytest.approx(0.43)
    assert book.spent_today("ann") == pytest.approx(0.43)


def test_a_run_goes_on_with_what_it_had_spent():
    assert names(ledger(1.0, spent=0.92).affordable("run", BOTH)) == ({"cheap"}, {"cheap"})


def test_the_days_budget_holds_for_all_runs_and_beside_their_own():
    book = ledger(10.0, day=0.5)
    book.open_run("other", None, owner="bob")
    book.reserve("a", "other", DEAR)
    book.settle("a", 0.47, maybe_paid=False)
    assert names(book.affordable("run", BOTH)) == ({"cheap"}, {"cheap"})
    assert names(book.affordable("other", BOTH)) == ({"cheap"}, {"cheap"})
    assert (book.spent_today("ann"), book.spent_today("bob")) == (0.0, 0.47)


def test_a_run_is_not_held_up_by_others_when_only_its_own_budget_is_scarce():
    book = ledger(0.05, day=100.0)
    book.open_run("other", None)
    book.reserve("a", "other", DEAR)
    assert names(book.affordable("run", {"dear": DEAR})) == ({"dear"}, {"dear"})


def test_a_new_day_begins_with_nothing_spent_and_late_bills_belong_to_the_day_of_their_call():
    days = Days()
    book = BudgetLedger(days, 0.5)
    book.open_run("run", None, owner="ann")
    book.add_spent("ann", 0.2)
    for attempt in ("today", "overnight"):
        book.reserve(attempt, "run", DEAR)
    book.settle("today", 0.25, maybe_paid=False)
    assert book.spent_today("ann") == pytest.approx(0.45)
    assert names(book.affordable("run", {"dear": DEAR})) == ({"dear"}, set()), "what is held may come free"
    days.day = date(2026, 11, 23)
    assert book.spent_today("ann") == 0.0
    assert names(book.affordable("run", {"dear": DEAR})) == ({"dear"}, {"dear"})
    book.settle("overnight", 0.4, maybe_paid=False)
    assert book.spent_today("ann") == 0.0
    assert [budget.spent for budget in book.budgets("run")] == [0.0]


def test_without_a_cap_spending_is_counted_and_limits_nobody():
    book = ledger()
    assert book.budgets("run") == ()
    book.reserve("a", "run", DEAR)
    assert book.settle("a", 0.3, maybe_paid=False) is False
    assert book.spent_today("ann") == 0.3


class LedgerMachine(RuleBasedStateMachine):
    """Two runs and a day, whatever begins and ends in whatever order and at whatever cost."""

    def __init__(self) -> None:
        super().__init__()
        self.book = BudgetLedger(Days(), 3.0)
        self.caps = {"r1": 1.0, "r2": 0.2}
        for run, cap in self.caps.items():
            self.book.open_run(run, cap)
        self.flying: dict[str, tuple[str, Quote]] = {}
        self.greatest = 0.0
        self.made = 0

    @rule(
        run=st.sampled_from(["r1", "r2"]),
        quotes=st.dictionaries(
            st.sampled_from("abc"),
            st.tuples(*[st.integers(0, 50)] * 3).map(lambda cents: Quote(*sorted(cent / 100 for cent in cents))),
            min_size=1,
        ),
        stretch=st.booleans(),
    )
    def ask(self, run: str, quotes: dict[str, Quote], stretch: bool) -> None:
        affordable = self.book.affordable(run, quotes, stretch=stretch)
        assert affordable.ready <= affordable.allowed <= quotes.keys()
        budgets = self.book.budgets(run)
        left = min(budget.left for budget in budgets)
        if not affordable.allowed and stretch:
            assert min(quote.least for quote in quotes.values()) > left, "it would have fitted"
        if not affordable.ready and affordable.allowed:
            assert any(not budget.idle for budget in budgets), "nobody will ever free what it waits for"
        if affordable.ready:
            model = min(affordable.ready)
            self.made += 1
            self.book.reserve(f"att{self.made}", run, quotes[model])
            self.flying[f"att{self.made}"] = (run, quotes[model])
            self.greatest = max(self.greatest, quotes[model].most)

    @precondition(lambda self: self.flying)
    @rule(data=st.data(), part=st.floats(0.0, 1.0), known=st.booleans(), maybe_paid=st.booleans())
    def settle(self, data: st.DataObject, part: float, known: bool, maybe_paid: bool) -> None:
        attempt = data.draw(st.sampled_from(sorted(self.flying)))
        _, quote = self.flying.pop(attempt)
        self.book.settle(attempt, part * quote.most if known else None, maybe_paid=maybe_paid)

    @invariant()
    def no_budget_is_exceeded_by_more_than_one_reservation_even_if_all_in_flight_cost_their_most(self) -> None:
        for run in self.caps:
            for budget in self.book.budgets(run):
                assert budget.spent + budget.held <= budget.cap + self.greatest + TOLERANCE_USD

    @invariant()
    def what_is_held_is_what_is_in_flight(self) -> None:
        for run in self.caps:
            own = self.book.budgets(run)[0]
            assert own.held == pytest.approx(sum(quote.most for name, quote in self.flying.values() if name == run))


TestLedgerKeepsItsPromises = LedgerMachine.TestCase
TestLedgerKeepsItsPromises.settings = hypothesis_settings(
    max_examples=60,
    stateful_step_count=30,
    deadline=None,
    phases=[Phase.reuse, Phase.generate],  # shrinking takes minutes here and makes nothing clearer
)


@pytest.mark.parametrize("form", bench_money.forms(120), ids=lambda form: form.name)
def test_many_calls_at_once_stay_within_a_reservation_of_the_cap_and_none_is_refused_that_would_have_fitted(form):
    outcome = bench_money.play(form, seed=3)
    assert outcome.good, outcome
    assert outcome.refused > 0 or form.name == "just enough"
    assert outcome.begun + outcome.refused == form.calls
