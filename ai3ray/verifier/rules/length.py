"""The answer is as long as the plan demands."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ai3ray.domain.call import Reply
from ai3ray.domain.plan import Task
from ai3ray.domain.verdict import Defect

# Chinese and Japanese write no spaces between words: there a character counts as one, as word processors do.
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")


def length(task: Task, reply: Reply) -> Iterator[Defect]:
    """Require between `checks.min_words` and `checks.max_words` words, both inclusive."""
    if task.checks is None:
        return
    words = count_words(reply.text)
    if task.checks.min_words is not None and words < task.checks.min_words:
        yield Defect(part="answer", problem=f"it has {words} words; at least {task.checks.min_words} are required")
    if task.checks.max_words is not None and words > task.checks.max_words:
        yield Defect(part="answer", problem=f"it has {words} words; at most {task.checks.max_words} are allowed")


def count_words(text: str) -> int:
    """Count the words with a letter or digit in them."""
    unspaced = len(_UNSPACED.findall(text))
    rest = _UNSPACED.sub(" ", text)
    return unspaced + sum(any(char.isalnum() for char in word) for word in rest.split())
