"""What is kept of an answer that was cut off by the model's own cap."""

import pytest

from ai3ray.providers.embedded.tidy import trim_to_sentences

LOOP = "It is used in many ways to help people with their work."


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("One is done. Two is do", "One is done."),
        ('He said: "Go!" Then he', 'He said: "Go!"'),
        ("Para one.\n\nPara two beg", "Para one."),
        ("A line\nAnother line\nA third li", "A line\nAnother line"),
        ("Steps:\n1. Wash it.\n2. Dry it.\n3. Fo", "Steps:\n1. Wash it.\n2. Dry it."),
        ("Steps:\n1. Wash it\n2. Dry it\n3.", "Steps:\n1. Wash it\n2. Dry it"),
        ("Fruits.\n- apple\n- ", "Fruits.\n- apple"),
        ("It is good. Here is more:\nmo", "It is good. Here is more:"),
        ("It is good.\n\nHere is more:\nmo", "It is good."),
        ("no end at all in here", "no end at all in here"),
        ("  spaced out. And then", "spaced out."),
        ("It costs 3.50 dollars a pie", "It costs 3.50 dollars a pie"),
        ("这是一句话。这是另", "这是一句话。"),
        ("", ""),
        (f"{LOOP} True. {LOOP} True. {LOOP}", f"{LOOP} True."),
        (f"{LOOP}\n\n{LOOP.upper()}", LOOP),
        ("Yes. Yes. Yes. N", "Yes. Yes. Yes."),
    ],
)
def test_an_answer_ends_with_its_last_whole_sentence_or_line(text, kept):
    assert trim_to_sentences(text) == kept


def test_open_code_is_closed_behind_its_last_whole_line():
    text = "Here it is.\n```python\ndef f(x):\n    return x\n\nprint(f(1"
    assert trim_to_sentences(text) == "Here it is.\n```python\ndef f(x):\n    return x\n\n```"
    assert trim_to_sentences("```\ncode\n```\nDone. And mo") == "```\ncode\n```\nDone."


def test_long_texts_take_no_time():
    for text in ("a\n" * 50_000, "1.\n" * 50_000, " " * 100_000 + "x", "x:\n" * 50_000, "```\n" * 50_001):
        trim_to_sentences(text)
