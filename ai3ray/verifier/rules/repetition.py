"""The answer does not repeat itself.

A model in a loop repeats itself word for word, so only exact repeats count.
"""

# ruff: noqa: RUF001 - letters of other alphabets are meant
from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from itertools import groupby, pairwise

from ai3ray.domain.call import Reply
from ai3ray.domain.plan import Task
from ai3ray.domain.verdict import Defect
from ai3ray.verifier.clean import wants_json
from ai3ray.verifier.words import ITEM, excerpt, prompt_excerpt, prose, sentences, shortened, words

GRAM = 8
"""Words by which a loop is found."""
MIN_ROUNDS = 4
"""Equal rounds in a row that make a loop."""
MIN_LOOP_WORDS = 24
"""Words of all rounds together; fewer may be meant: no, no, no."""
MIN_SENTENCE_WORDS = 5
"""A shorter sentence may well occur twice."""
MAX_REPEATED = 0.4
"""Share of the words that may be in repeated sentences."""
NEAR = 8
"""The most sentences between a sentence and its repetition in a loop; a refrain has more."""
MIN_SHARE = 0.15
"""A smaller part of the text may repeat: in a long reference it is a formula."""
MIN_PARAGRAPH_WORDS = 40
"""A paragraph of this length occurs once."""
MIN_EQUAL_LINES = 20
"""More equal lines in a row than any table, drawing or program needs."""
VERSE = 3
"""Factor of allowed repetition in verse."""

_ASKED = re.compile(
    r"\b(?:repeat|repetit|\w+ times\b|copies|wiederhol|mal hintereinander|répét|répèt|fois\b|repit|veces\b|ripet"
    r"|over and over|again and again|boilerplate|palindrom|test data|sample data|filler)"
    r"|\d ?[x×]\b|重复|повтор",
    re.IGNORECASE,
)
_VERSE = re.compile(
    r"\b(?:poem|poetry|song|lyric|chorus|refrain|rhyme|ballad|villanelle|haiku|chant|mantra|prayer|litany|hymn|rap\b"
    r"|lullaby|verse|stanza|slogan|gedicht|lied\b|liedtext|strophe|poème|chanson|poema|canción|poesia|canzone)"
    r"|стих|песн|诗|歌",
    re.IGNORECASE,
)


def repetition(task: Task, reply: Reply) -> Iterator[Defect]:
    """Forbid loops, texts that mostly repeat themselves, equal paragraphs and endless equal lines."""
    if wants_json(task) or _ASKED.search(prompt_excerpt(task)):
        return
    text = excerpt(reply.text)
    found = _equal_lines(text)
    if not found and task.output != "code":
        running = prose(text)
        verse = _VERSE.search(prompt_excerpt(task))
        found = _loop(words(running), VERSE if verse else 1)
        if not found and not verse:
            verbatim = task.kind in {"extraction", "translation"}
            found = _said_again(running) or (None if verbatim else _paragraph_twice(running))
    if found:
        said, times = found
        problem = f"it repeats itself: {shortened(said)!r} comes {times} times; say it once, go on, and end when done"
        yield Defect(part="answer", problem=problem)


def _loop(found: list[str], patience: int) -> tuple[str, int] | None:
    """Return the longest run of equal rounds, found by the most frequent words."""
    grams = list(zip(*(found[shift:] for shift in range(GRAM)), strict=False))
    for gram, count in Counter(grams).most_common(2):
        if count < MIN_ROUNDS - 1:
            break
        places = [place for place, words_here in enumerate(grams) if words_here == gram]
        rounds = [tuple(found[begin:end]) for begin, end in pairwise(places)]
        for said, equal in groupby(rounds):
            times = len(list(equal)) + 1
            least = max(MIN_LOOP_WORDS * patience, MIN_SHARE * len(found))
            if times >= MIN_ROUNDS * patience and times * len(said) >= least:
                return " ".join(said), times
    return None


def _said_again(text: str) -> tuple[str, int] | None:
    counts: Counter[tuple[str, ...]] = Counter()
    latest: dict[tuple[str, ...], int] = {}
    total = again = 0
    for place, sentence in enumerate(sentences(text)):
        said = tuple(words(ITEM.sub("", sentence)))
        total += len(said)
        if len(said) >= MIN_SENTENCE_WORDS:
            counts[said] += 1
            again += len(said) if place - latest.get(said, -NEAR - 1) <= NEAR else 0
            latest[said] = place
    if not counts or again <= MAX_REPEATED * total:
        return None
    said, times = counts.most_common(1)[0]
    return (" ".join(said), times) if times >= MIN_ROUNDS else None


def _paragraph_twice(text: str) -> tuple[str, int] | None:
    counts = Counter(tuple(words(block)) for block in re.split(r"\n\s*\n", text))
    total = sum(times * len(said) for said, times in counts.items())
    for said, times in counts.items():
        if times > 1 and len(said) >= MIN_PARAGRAPH_WORDS and times * len(said) >= MIN_SHARE * total:
            return " ".join(said), times
    return None


def _equal_lines(text: str) -> tuple[str, int] | None:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    for line, equal in groupby(lines):
        times = len(list(equal))
        if times >= MIN_EQUAL_LINES and 2 * times >= len(lines) and any(map(str.isalnum, line)):
            return line, times
    return None
