"""`synthesize`: a model merges the outputs into one text. Here: what it is asked, and whether it lost a part.

The call itself is a runner's business; when it fails or loses a part, the outputs are joined as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from ai3ray.domain.call import Message, Prompt
from ai3ray.domain.plan import Task, TaskGraph
from ai3ray.settings.packaged import prompt_text, prompt_with

CHARS_PER_TOKEN = 3
"""Low on purpose: the merged answer must never be cut short by its own cap."""
LEAST_TOKENS = 1024
"""The cap of a merged answer is never below this."""
KEPT_SHARE = 0.2
"""A part of whose own words fewer than this share are left in the answer is lost."""
LEAST_WORDS = 5
"""A part with fewer words of its own cannot be judged by them."""

_WORD = re.compile(r"[^\W\d_]{4,}|\d+(?:[.,]\d+)?")
# Scripts without spaces: two letters are about a word.
_PAIR = re.compile(r"(?=([\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]{2}))")


def synthesis_prompt(
    graph: TaskGraph, asked: str, outputs: Mapping[str, str], holes: Mapping[str, str], *, fence: str
) -> Prompt:
    """What the merging model is asked.

    Args:
        graph: the plan; the outputs of the tasks that nobody depends on are the parts.
        asked: the run's prompt.
        outputs: output of each task that has one, by id.
        holes: why there is none, by id of each other task.
        fence: a random word that no text can know.
    """
    present = [task for task in graph.sinks() if task.id in outputs]
    missing = [task for task in graph.sinks() if task.id in holes]
    blocks = "\n".join(_block(task, outputs[task.id], fence) for task in present)
    gone = "".join(f"Missing: {' '.join(task.title.split())}.\n" for task in missing)
    text = prompt_with("synthesize_request", blocks=blocks, holes=gone, prompt=asked)
    size = sum(len(outputs[task.id]) for task in present) // CHARS_PER_TOKEN
    return Prompt(
        system=prompt_text("synthesize"),
        messages=(Message(role="user", text=text),),
        max_output_tokens=max(LEAST_TOKENS, 2 * size),
    )


def lost_parts(graph: TaskGraph, outputs: Mapping[str, str], answer: str) -> tuple[Task, ...]:
    """The parts of which too little is left in the merged answer.

    A part is recognised by its own words: those that no other part has. A rewording keeps names, figures
    and terms; a part that was left out keeps none of them.
    """
    parts = {task.id: frozenset(_words(outputs[task.id])) for task in graph.sinks() if task.id in outputs}
    kept = frozenset(_words(answer))
    return tuple(task for task in graph.sinks() if task.id in parts and _is_lost(task.id, parts, kept))


def _is_lost(task_id: str, parts: Mapping[str, frozenset[str]], kept: frozenset[str]) -> bool:
    others = frozenset().union(*(words for other, words in parts.items() if other != task_id))
    own = parts[task_id] - others
    if len(own) < LEAST_WORDS:
        own = parts[task_id]
    return len(own) >= LEAST_WORDS and len(own & kept) < KEPT_SHARE * len(own)


def _words(text: str) -> Iterator[str]:
    lowered = text.lower()
    yield from _WORD.findall(lowered)
    yield from _PAIR.findall(lowered)


def _block(task: Task, text: str, fence: str) -> str:
    title = " ".join(task.title.split()).replace('"', "'").replace(fence, "")
    return f'<data-{fence} part="{title}">\n{text.replace(fence, "")}\n</data-{fence}>'
