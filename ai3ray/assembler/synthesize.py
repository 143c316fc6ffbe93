"""`synthesize`: a model merges the outputs into one text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ai3ray.assembler.concat import concat
from ai3ray.assembler.port import Parts, Strategy
from ai3ray.domain.plan import Task, TaskGraph
from ai3ray.errors import AnswerRejected
from ai3ray.prompts.asking import Ask, Asking
from ai3ray.prompts.synthesis_prompt import synthesis_prompt

KEPT_SHARE = 0.2
"""A part is lost when the answer keeps less than this share of its own words."""
LEAST_WORDS = 5
"""A part with fewer words of its own cannot be judged by them."""

_WORD = re.compile(r"[^\W\d_]{4,}|\d+(?:[.,]\d+)?")
# Scripts without spaces: two letters are about a word.
_PAIR = re.compile(r"(?=([\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{2}))")


def synthesize(parts: Parts) -> Asking[str]:
    """Have a model merge the parts; a single part needs no call.

    Raises:
        AnswerRejected: the merged answer lost a part.
    """
    sinks = parts.graph.sinks()
    if len(sinks) == 1:
        return concat(parts)
    present = [(task, parts.outputs[task.id]) for task in sinks if task.id in parts.outputs]
    missing = [task for task in sinks if task.id in parts.holes]
    prompt = synthesis_prompt(parts.prompt, present, missing, fence=parts.fence)
    merged = yield Ask(prompt, role="assemble", kind="writing", stretch=False)
    lost = lost_parts(parts.graph, parts.outputs, merged.reply.text)
    if lost:
        raise AnswerRejected(f"the merged answer lost {', '.join(repr(task.title) for task in lost)}")
    return merged.reply.text


SYNTHESIZE = Strategy(synthesize)


def lost_parts(graph: TaskGraph, outputs: Mapping[str, str], answer: str) -> tuple[Task, ...]:
    """Return the parts that the merged answer has mostly lost, by the words that no other part has.

    A rewording keeps names, figures and terms; an answer without the part keeps none of them.
    """
    parts = {task.id: frozenset(_words(outputs[task.id])) for task in graph.sinks() if task.id in outputs}
    kept = frozenset(_words(answer))
    lost = []
    for task in graph.sinks():
        others = frozenset().union(*(words for other, words in parts.items() if other != task.id))
        words = parts.get(task.id, frozenset())
        own = words - others if len(words - others) >= LEAST_WORDS else words
        if len(own) >= LEAST_WORDS and len(own & kept) < KEPT_SHARE * len(own):
            lost.append(task)
    return tuple(lost)


def _words(text: str) -> Iterator[str]:
    lowered = text.lower()
    yield from _WORD.findall(lowered)
    yield from _PAIR.findall(lowered)
