"""The answer repeats no data marks, chat template or instructions of its prompt."""

# ruff: noqa: RUF001 - letters of other alphabets are meant
from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from ai3ray.domain.call import Reply
from ai3ray.domain.plan import Task
from ai3ray.domain.verdict import Defect
from ai3ray.prompts.packaged_prompts import packaged_prompt
from ai3ray.verifier.words import excerpt, prompt_excerpt, shortened, words

RUN = 9
"""Consecutive words of the instructions that cannot be a coincidence."""

_FENCE = re.compile(r"</?data-[0-9a-f]{8,}\b[^>\n]{0,120}>?|\bdata-[0-9a-f]{16}\b")
_CHAT = re.compile(
    r"<\|(?:im_start|im_end|im_sep|endoftext|eot_id|start_header_id|end_header_id|begin_of_text|end_of_text|system|user"
    r"|assistant|end|eom_id|fim_prefix|channel|message|return)\|>"
    r"|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>|<｜(?:begin|end)▁of▁sentence｜>|</?think>"
    r"|^[ \t]{0,8}(?:###[ \t]*(?:System|Instruction|Human|Assistant|Response)[ \t]*:"
    r"|Human:[ \t]*\S[^\n]{0,2000}\n{1,3}Assistant:)",
    re.MULTILINE,
)
_ABOUT_PROMPTS = re.compile(
    r"chat ?template|chatml|llama|special token|tokeni[sz]|prompt (?:format|template|engineer|inject)|im_start"
    r"|<\||\[inst\]"
    r"|system prompt|fine.?tun|</?think",
    re.IGNORECASE,
)


def leak(task: Task, reply: Reply) -> Iterator[Defect]:
    """Forbid the answer to repeat what surrounds a task in its call."""
    text = excerpt(reply.text)
    fence = _FENCE.search(text)
    if fence and fence[0] not in task.prompt:
        yield _defect(fence[0], "a tag of the data that you were given; leave such tags out")
    if _ABOUT_PROMPTS.search(prompt_excerpt(task)):
        return
    token = _CHAT.search(text)
    if token:
        yield _defect(token[0], "a mark of the chat's own format; give the answer alone, and end there")
    found = words(text)
    grams = zip(*(found[shift:] for shift in range(RUN)), strict=False)
    repeated = " ".join(next((gram for gram in grams if gram in _system_grams()), ()))
    if repeated and repeated not in " ".join(words(task.prompt)):
        yield _defect(repeated, "a part of your instructions; give the answer alone")


@cache
def _system_grams() -> frozenset[tuple[str, ...]]:
    found = words(packaged_prompt("task"))
    return frozenset(zip(*(found[shift:] for shift in range(RUN)), strict=False))


def _defect(said: str, what: str) -> Defect:
    return Defect(part="answer", problem=f"it holds {shortened(said.strip())!r}, {what}")
