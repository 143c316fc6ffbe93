"""Write the answer of a simulated model."""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace
from typing import Any

from ai3ray.simulator.author.plans import broken_plan, write_plan
from ai3ray.simulator.author.prose import DEFECT, filler_text, write_text
from ai3ray.simulator.author.schema_instances import instance
from ai3ray.simulator.fault_rules import FaultName
from ai3ray.simulator.simulator_settings import Answers
from ai3ray.simulator.wires.parsed_request import CHARS_PER_TOKEN, ParsedRequest, UsageVariant, WrittenAnswer, tokens

REFUSAL = "I can't help with that."
MARK = "DEFECT"
"""Make the simulated judge fail any text with this word."""
_USAGE_VARIANTS: dict[FaultName | None, UsageVariant] = {
    "no_usage": "missing",
    "zero_usage": "zero",
    "negative_usage": "negative",
    "huge_usage": "huge",
    "string_usage": "text",
}
_PLAIN = Answers()
_PART = re.compile(r'<data-(?P<fence>\w+) part="(?P<title>[^"\n]*)">\n(?P<text>.*?)\n</data-(?P=fence)>', re.DOTALL)


def write(request: ParsedRequest, seed: int, fault: FaultName | None, answers: Answers = _PLAIN) -> WrittenAnswer:
    """Write the answer; equal requests and seeds give equal answers."""
    text = _fixed(request, answers)
    if text is None or fault == "defect":
        rng = random.Random(f"{seed}:{request.vendor}:{request.model}:{request.stable_prompt}")  # noqa: S311 - seeded on purpose
        text = _text(request, rng, defective=fault == "defect")
    # xAI's models reason first, and its chat format counts that beside the completion.
    reasoning = max(1, tokens(text) // 10) if request.vendor == "xai" else 0
    written = WrittenAnswer(text, reasoning_tokens=reasoning, usage_variant=_USAGE_VARIANTS.get(fault, "real"))
    if fault == "empty":
        return replace(written, text="")
    if fault == "refusal":
        return replace(written, text=REFUSAL, finish="refusal")
    if fault == "max_tokens":
        return replace(written, text=text[: len(text) // 2], finish="length")
    if tokens(text) > request.max_tokens:
        return replace(written, text=text[: request.max_tokens * CHARS_PER_TOKEN], finish="length")
    return written


def _fixed(request: ParsedRequest, answers: Answers) -> str | None:
    """Return the configured answer that does not depend on the request."""
    if request.schema is not None:
        return None
    if answers.text is not None:
        return answers.text
    return filler_text(answers.tokens) if answers.tokens is not None else None


def _text(request: ParsedRequest, rng: random.Random, *, defective: bool) -> str:
    if request.schema is None:
        parts = [(found["title"], found["text"]) for found in _PART.finditer(request.user_text)]
        if parts:
            return "\n\n".join(f"## {title}\n\n{text}" for title, text in (parts[:-1] if defective else parts))
        return write_text(request.user_text, rng, defective=defective)
    if request.role == "plan":
        return _json(broken_plan(request.user_text) if defective else write_plan(request.user_text))
    if request.role == "judge":
        return _json(_verdict(request, rng, defective=defective))
    value = instance(request.schema, rng)
    if defective:
        value = {"note": DEFECT}
    return _json(value)


def _verdict(request: ParsedRequest, rng: random.Random, *, defective: bool) -> dict[str, Any]:
    bad = defective or MARK in request.user_text
    problem = {"part": "answer", "problem": "One passage is unfinished: complete it or leave it out."}
    return {
        "passed": not bad,
        "score": round(0.3 if bad else rng.uniform(0.85, 0.98), 2),
        "defects": [problem] if bad else [],
    }


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
