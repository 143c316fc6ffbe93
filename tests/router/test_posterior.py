"""What is believed of a model's answers: from its card, its verdicts, and what has changed."""

import pytest

from ai3ray.registry.cards import ModelCard
from ai3ray.router.posterior import Posterior, reward
from ai3ray.router.tuning import Evidence

GOOD = ModelCard(provider="a", id="good", quality={"coding": 0.8, "writing": 0.8})
OTHER = ModelCard(provider="b", id="other", quality={"coding": 0.8})
BLANK = ModelCard(provider="c", id="blank")


@pytest.fixture
def posterior(clock) -> Posterior:
    return Posterior(clock, Evidence())


def teach(posterior, card, values, kind="coding"):
    return [posterior.learn(kind, card, value) for value in values]


def test_before_anything_is_seen_the_card_is_believed_and_a_blank_one_is_open(posterior):
    assert posterior.belief("coding", GOOD).mean == pytest.approx(0.8)
    assert posterior.belief("coding", BLANK).mean == pytest.approx(0.5)
    assert posterior.belief("coding", BLANK).deviation > 2 * posterior.belief("coding", GOOD).deviation


def test_answers_move_the_belief_and_make_it_surer(posterior):
    before = posterior.belief("coding", GOOD)
    teach(posterior, GOOD, [0.2, 0.4] * 20)
    after = posterior.belief("coding", GOOD)
    assert after.mean < 0.5 < before.mean
    assert after.deviation < before.deviation


def test_an_answer_that_was_sent_back_is_worth_nothing_however_it_scored():
    assert reward(passed=False, score=0.6) == 0.0
    assert reward(passed=True, score=0.6) == 0.6


def test_what_proves_bad_at_one_kind_is_expected_less_of_at_another(posterior):
    teach(posterior, OTHER, [0.8] * 10)
    teach(posterior, GOOD, [0.1] * 10)
    untried = posterior.belief("writing", GOOD)
    assert 0.3 < untried.mean < 0.7
    assert untried.deviation > posterior.belief("coding", GOOD).deviation


def test_a_hard_kind_says_nothing_against_the_model_that_was_asked(posterior):
    """Everybody is bad at it: the next one is expected to be bad at it, too, and none of them at other kinds."""
    for card in (GOOD, OTHER) * 20:
        posterior.learn("coding", card, 0.2)
    assert posterior.belief("coding", BLANK).mean < 0.3
    assert posterior.belief("writing", GOOD).mean > 0.65


def test_evidence_fades_with_time(posterior, clock):
    teach(posterior, GOOD, [0.0] * 20)
    low = posterior.belief("coding", GOOD)
    clock.now += 20 * Evidence().answers_half_life_s
    assert low.mean < 0.45
    assert posterior.belief("coding", GOOD).mean == pytest.approx(0.8, abs=0.01)


def test_evidence_fades_with_the_answers_of_others(clock):
    posterior = Posterior(clock, Evidence(answers_kept=0.9))
    teach(posterior, GOOD, [0.0] * 20)
    low = posterior.belief("coding", GOOD).mean
    teach(posterior, OTHER, [0.8] * 60)
    assert posterior.belief("coding", GOOD).mean > low + 0.2


def test_a_model_that_was_good_for_long_and_is_bad_now_is_found_out_soon(posterior):
    teach(posterior, GOOD, [1.0] * 500)
    changes = teach(posterior, GOOD, [0.0] * 10)
    assert changes.count(True) == 1
    assert posterior.belief("coding", GOOD).mean < 0.6


def test_a_change_puts_in_doubt_what_is_known_of_its_rivals_and_of_itself_elsewhere(posterior):
    third = ModelCard(provider="c", id="third", quality={"coding": 0.8, "writing": 0.8})
    for card, value in ((GOOD, 1.0), (OTHER, 0.0), (third, 0.5)):
        teach(posterior, card, [value] * 200)
        teach(posterior, card, [value] * 200, kind="writing")
    pairs = (("coding", OTHER), ("writing", GOOD), ("writing", OTHER))
    rival, self_elsewhere, unconcerned = (posterior.belief(*pair).deviation for pair in pairs)
    assert any(teach(posterior, GOOD, [0.0] * 10))
    after = [posterior.belief(*pair).deviation for pair in pairs]
    assert after[0] > 2 * rival
    assert after[1] > 2 * self_elsewhere
    assert after[2] == pytest.approx(unconcerned, rel=0.2)


def test_chance_is_no_change(posterior):
    """Seven of ten, in every order that a hundred give."""
    values = [float((7 * number) % 10 < 7) for number in range(400)]
    assert not any(teach(posterior, GOOD, values))
    rare = [float(number % 20 == 0) for number in range(400)]
    assert not any(teach(posterior, OTHER, rare))
