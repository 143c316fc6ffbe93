"""On a labelled set the rules find what rules can find, and leave good answers alone."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.bench import verifier_table
from tests.bench.verifier_table import Tally, entries, tallies

CLASSES = {
    "empty",
    "truncated",
    "refusal",
    "repetition",
    "wrong_language",
    "wrong_format",
    "invalid_json",
    "schema_violation",
    "missing_parts",
    "must_include_length",
    "broken_code",
    "placeholder_leak",
}


@pytest.fixture(scope="module")
def labelled():
    return entries()


@pytest.fixture(scope="module")
def counts(labelled):
    return tallies(labelled)


def test_the_set_is_large_and_every_class_has_good_and_bad_answers(labelled):
    assert len(labelled) >= 160
    assert {entry.defect_class for entry in labelled} == CLASSES
    kinds = Counter((entry.defect_class, entry.bad) for entry in labelled)
    assert min(kinds.values()) >= 7
    assert len({entry.id for entry in labelled}) == len(labelled)


def test_the_halves_are_alike(labelled):
    sizes = Counter((entry.defect_class, entry.bad, entry.half) for entry in labelled)
    for defect_class in CLASSES:
        for bad in (True, False):
            assert abs(sizes[defect_class, bad, "tuned"] - sizes[defect_class, bad, "held"]) <= 1


def test_the_rules_find_95_percent_of_what_rules_can_find(counts):
    assert counts["total"].recall >= 0.95


def test_at_most_2_percent_of_the_good_answers_are_refused(counts):
    assert counts["total"].false_alarms <= 0.02


@pytest.mark.parametrize("half", ["tuned", "held"])
def test_what_was_tuned_on_one_half_holds_on_the_other(labelled, half):
    total = tallies(entry for entry in labelled if entry.half == half)["total"]
    assert total.recall >= 0.95
    assert total.false_alarms <= 0.02


@pytest.mark.parametrize("defect_class", sorted(CLASSES))
def test_no_class_is_left_out(counts, defect_class):
    tally = counts[defect_class]
    assert tally.detectable >= 6
    assert tally.recall >= 0.8
    assert tally.false_alarms <= 0.1


def test_defects_are_short_and_say_where_and_what(labelled):
    defects = [defect for entry in labelled for defect in entry.verdict().defects]
    assert len(defects) > 100
    for defect in defects:
        assert defect.part
        assert "\n" not in defect.problem
        assert 8 < len(defect.problem) < 400


def test_the_tally_counts_misses_and_alarms(labelled):
    bad = next(entry for entry in labelled if entry.bad and entry.detectable)
    good = next(entry for entry in labelled if not entry.bad)
    tally = Tally()
    for entry, passed in [(bad, True), (bad, False), (good, True), (good, True), (good, True), (good, False)]:
        tally.count(entry, passed)
    assert (tally.recall, tally.false_alarms) == (0.5, 0.25)


def test_the_table_is_printed_by_a_command():
    script = Path(verifier_table.__file__)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    *table, last = done.stdout.splitlines()
    assert table[0].startswith("| class |")
    assert len(table) == len(CLASSES) + 3
    assert json.loads(last)["recall"] >= 0.95
