"""A simulated model answers in the language that it is asked for, and the rules agree."""

from __future__ import annotations

import random

import pytest

from ai3ray.domain.call import Reply, Usage
from ai3ray.domain.plan import Task
from ai3ray.simulator.author.foreign_languages import SENTENCES, requested_language
from ai3ray.simulator.author.prose import write_text
from ai3ray.verifier.check import check


@pytest.mark.parametrize(
    ("wish", "language"),
    [
        ("Translate the letter into French.", "fr"),
        ("Write about tea in German", "de"),
        ("Schreibe auf Deutsch über Tee", "de"),
        ("Write about the French Revolution.", None),
        ("Write about tea.", None),
    ],
)
def test_the_language_is_the_one_that_is_named(wish, language):
    assert requested_language(wish) == language


@pytest.mark.parametrize(
    ("language", "name"), [("fr", "French"), ("de", "German"), ("es", "Spanish"), ("it", "Italian")]
)
def test_the_rules_take_it_for_that_language(language, name):
    task = Task(id="t", title="t", prompt=f"Translate the report into {name}.", kind="translation")
    text = write_text(task.prompt, random.Random(1))
    assert any(sentence in text for sentence in SENTENCES[language])
    verdict = check(task, Reply(text=text, finish="stop", usage=Usage(), model="m"), content=True)
    assert verdict.passed, verdict.defects


@pytest.mark.parametrize("name", ["Japanese", "Russian", "Dutch", "Arabic"])
def test_a_language_that_it_does_not_speak_gets_a_word_and_no_english(name):
    task = Task(id="t", title="t", prompt=f"Translate the report into {name}.", kind="translation")
    text = write_text(task.prompt, random.Random(1))
    verdict = check(task, Reply(text=text, finish="stop", usage=Usage(), model="m"), content=True)
    assert verdict.passed, verdict.defects
