"""Write prose, Markdown, JSON and code that look like answers."""

from __future__ import annotations

import json
import random
import re
from functools import lru_cache
from typing import Any

from ai3ray.simulator.author.foreign_languages import (
    UNSUPPORTED_ANSWER,
    asks_for_unsupported_language,
    paragraphs_in,
    requested_language,
)
from ai3ray.simulator.author.goal import asks_for_code, read_goal, topic_of, word_range
from ai3ray.simulator.wires.parsed_request import CHARS_PER_TOKEN

_OPENINGS = (
    "{T} begins with a plain question: what should be easier than it is today?",
    "Few people who work with {t} every day would have guessed how quickly it would spread.",
    "{T} is best understood through the small decisions that it changes.",
    "There is no single story of {t}, but there is a pattern that keeps coming back.",
)
_MIDDLES = (
    "In practice the first gain is time, because routine steps no longer wait for a person to be free.",
    "A team of {n} can now do what took a department a year to set up.",
    "The difficult part is not the first version but the {n}th, when exceptions have piled up.",
    "Careful users of {t} keep a record of what they tried, what it cost and what they learned.",
    "That record turns out to matter more than any tool that was chosen along the way.",
    "Where figures exist they point in one direction, although the spread between cases is wide.",
    "Most failures have an ordinary cause: a goal that nobody wrote down.",
    "Others come from scale, since what works for {n} cases may not work for a thousand.",
    "Good practice separates what is known from what is assumed and says so early.",
    "The economics are simple enough: fixed effort up front, small effort for every case after it.",
    "Training helps, but an example from the next desk usually helps more.",
    "Rules written for older methods rarely fit {t} without some adjustment.",
    "It pays to begin with a narrow task whose result can be checked within a day.",
    "Over {n} weeks such checks add up to a fair picture of what can be relied on.",
    "None of this removes judgement; it moves it to the places where it counts.",
    "Critics of {t} have a point when they ask who answers for a mistake.",
    "A short review at fixed intervals keeps small errors from becoming habits.",
    "Those who share their results find partners more easily than those who wait for certainty.",
)
_CLOSINGS = (
    "What remains is to choose one case, set a date and look honestly at the outcome.",
    "The next step is modest: measure, adjust and measure again.",
    "Seen that way, {t} is less a leap than a series of reasonable steps.",
    "Whoever starts now with a small and honest trial will know more than any forecast can tell.",
)
_ASKS_FOR_JSON = re.compile(r"\b(as|in|valid|return|only|a) json\b", re.IGNORECASE)
_ASKS_FOR_MARKDOWN = re.compile(r"\b(markdown|section|heading|blog|article|part \d+)\b", re.IGNORECASE)
_TITLE = re.compile(r"titled '([^'\n]{1,120})'")
_REQUIRED_TEXT = re.compile(r'letter for letter, ("(?:[^"\\]|\\.)*"(?:, "(?:[^"\\]|\\.)*")*)')
DEFECT = "DEFECT: this passage was left unfinished and names no source."


def write_text(prompt: str, rng: random.Random, *, defective: bool = False) -> str:
    """Answer a prompt without a schema with JSON, code or prose; a judge must refuse a `defective` text."""
    goal_text = read_goal(prompt).text
    topic = topic_of(goal_text)
    if "one JSON value" in prompt or _ASKS_FOR_JSON.search(goal_text):
        body: dict[str, Any] = {"summary": _fill(rng.choice(_OPENINGS), topic, rng), "items": [topic], "count": 1}
        return json.dumps({**body, "note": DEFECT} if defective else body, indent=2, ensure_ascii=False)
    if "complete code in fenced" in prompt or asks_for_code(goal_text):
        return _code(topic, defective=defective)
    language = requested_language(goal_text)
    if language is not None:
        return f"{paragraphs_in(language, rng)}\n\n{DEFECT}" if defective else paragraphs_in(language, rng)
    if asks_for_unsupported_language(goal_text) and not defective:
        return UNSUPPORTED_ANSWER
    return _prose(prompt, goal_text, rng, defective=defective)


@lru_cache(maxsize=64)
def filler_text(size: int) -> str:
    """Return prose of exactly `size` tokens, full stop included."""
    chars = size * CHARS_PER_TOKEN
    text = "\n\n".join(_paragraphs("the subject", chars // 4, random.Random(size)))  # noqa: S311 - seeded on purpose
    return f"{text[: chars - 1].rstrip().ljust(chars - 1, '.')}."


def _prose(prompt: str, goal_text: str, rng: random.Random, *, defective: bool) -> str:
    low, high = word_range(prompt)
    words = rng.randint(low, high)
    paragraphs = [DEFECT] if defective else _paragraphs(topic_of(goal_text), words, rng)
    required = _REQUIRED_TEXT.findall(prompt)
    if required and not defective:
        paragraphs.append(", ".join(json.loads(f"[{required[-1]}]")))
    if _ASKS_FOR_MARKDOWN.search(goal_text):
        found = _TITLE.search(goal_text)
        paragraphs.insert(0, f"## {found[1] if found else topic_of(goal_text).capitalize()}")
    return "\n\n".join(paragraphs)


def _paragraphs(topic: str, words: int, rng: random.Random) -> list[str]:
    """Write at least `words` words and a closing sentence, five sentences to a paragraph."""
    sentences = [_fill(rng.choice(_OPENINGS), topic, rng)]
    said = len(sentences[0].split())
    pool: list[str] = []
    while said < words:
        pool = pool or rng.sample(_MIDDLES, len(_MIDDLES))
        sentences.append(_fill(pool.pop(), topic, rng))
        said += len(sentences[-1].split())
    sentences.append(_fill(rng.choice(_CLOSINGS), topic, rng))
    return [" ".join(sentences[start : start + 5]) for start in range(0, len(sentences), 5)]


def _fill(sentence: str, topic: str, rng: random.Random) -> str:
    capital = topic[:1].upper() + topic[1:]
    return sentence.replace("{T}", capital).replace("{t}", topic).replace("{n}", str(rng.randint(4, 9)))


def _code(topic: str, *, defective: bool) -> str:
    name = re.sub(r"\W+", "_", topic.lower()).strip("_") or "answer"
    name = name if name[0].isalpha() else f"answer_{name}"
    lines = [
        "```python",
        f"def {name}(count: int = 3) -> list[int]:",
        f'    """Squares, as an example for {topic}."""',
        f"    # {DEFECT}" if defective else "    # One entry for each number.",
        "    return [number * number for number in range(count)]",
        "",
        "",
        'if __name__ == "__main__":',
        f"    print({name}())",
        "```",
    ]
    return "\n".join(lines)
