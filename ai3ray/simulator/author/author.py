"""What the simulated model answers to a request."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from typing import Any

from ai3ray.simulator.author.merge import merged, parts
from ai3ray.simulator.author.plans import broken_plan, write_plan
from ai3ray.simulator.author.prose import DEFECT, filler, write_text
from ai3ray.simulator.author.schema_instances import instance
from ai3ray.simulator.fault_rules import FaultName
from ai3ray.simulator.simulator_settings import Answers
from ai3ray.simulator.wires.parsed_request import CHARS_PER_TOKEN, Figures, ParsedRequest, WrittenAnswer, tokens

REFUSAL = "I can't help with that."
MARK = "DEFECT"
"""The word in a text that a simulated judge objects to."""


_FIGURES: dict[FaultName | None, Figures] = {
    "no_usage": "missing",
    "zero_usage": "zero",
    "negative_usage": "negative",
    "huge_usage": "huge",
    "string_usage": "text",
}
_PLAIN = Answers()


def write(asked: ParsedRequest, seed: int, fault: FaultName | None, answers: Answers = _PLAIN) -> WrittenAnswer:
    """The answer: the same for the same request and seed.

    Args:
        asked: the request.
        seed: the simulator's seed.
        fault: what is to be wrong with the answer, if anything.
        answers: what is answered where no JSON Schema is asked for.
    """
    text = _fixed(asked, answers)
    if text is None or fault == "defect":
        rng = random.Random(f"{seed}:{asked.account}:{asked.model}:{asked.gist}")  # noqa: S311 - seeded on purpose
        text = _text(asked, rng, defective=fault == "defect")
    written = WrittenAnswer(text, reasoning_tokens=_reasoning(asked, text), figures=_FIGURES.get(fault, "real"))
    if fault == "empty":
        return replace(written, text="")
    if fault == "refusal":
        return replace(written, text=REFUSAL, finish="refusal")
    if fault == "max_tokens":
        return replace(written, text=text[: len(text) // 2], finish="length")
    if tokens(text) > asked.max_tokens:
        return replace(written, text=text[: asked.max_tokens * CHARS_PER_TOKEN], finish="length")
    return written


def _fixed(asked: ParsedRequest, answers: Answers) -> str | None:
    """The answer that does not depend on the request, where there is one."""
    if asked.schema is not None:
        return None
    if answers.text is not None:
        return answers.text
    return filler(answers.tokens) if answers.tokens is not None else None


def _text(asked: ParsedRequest, rng: random.Random, *, defective: bool) -> str:
    if asked.schema is None and parts(asked.user_text):
        return merged(asked.user_text, defective=defective)
    if asked.schema is None:
        return write_text(asked.user_text, rng, defective=defective)
    if asked.role == "plan":
        return _json(broken_plan(asked.user_text) if defective else write_plan(asked.user_text))
    if asked.role == "judge":
        return _json(_verdict(asked, rng, defective=defective))
    value = instance(asked.schema, rng)
    if defective:
        value = {"note": DEFECT}
    return _json(value)


def _verdict(asked: ParsedRequest, rng: random.Random, *, defective: bool) -> dict[str, Any]:
    bad = defective or MARK in asked.user_text
    problem = {"part": "answer", "problem": "One passage is unfinished: complete it or leave it out."}
    return {
        "passed": not bad,
        "score": round(0.3 if bad else rng.uniform(0.85, 0.98), 2),
        "defects": [problem] if bad else [],
    }


def _reasoning(asked: ParsedRequest, text: str) -> int:
    # Grok thinks before it speaks, and xAI's chat wire counts that beside the completion.
    return max(1, tokens(text) // 10) if asked.account == "xai" else 0


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
