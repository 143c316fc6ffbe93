"""The prompt of the judge, and the schema of its verdict."""

from __future__ import annotations

from typing import Any

from ai3ray.domain.call import Message, Prompt
from ai3ray.domain.plan import Task
from ai3ray.prompts.packaged_prompts import filled_prompt, packaged_prompt

MAX_ANSWER = 24_000
"""Characters of an answer that the judge reads, from both ends."""
MAX_TASK = 6_000
"""Characters of the task that the judge reads."""
JUDGE_OUTPUT_TOKENS = 600

VERDICT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "passed": {"type": "boolean", "description": "Whether the answer may be used as it is."},
        "score": {"type": "number", "description": "How good it is, from 0 to 1."},
        "defects": {
            "type": "array",
            "description": "What has to be mended; empty when it passed.",
            "items": {
                "type": "object",
                "properties": {
                    "part": {"type": "string", "description": "Where: a section, a field, or `answer`."},
                    "problem": {"type": "string", "description": "What is wrong, in one sentence."},
                },
                "required": ["part", "problem"],
                "additionalProperties": False,
            },
        },
    },
    "required": ["passed", "score", "defects"],
    "additionalProperties": False,
}


def judge_prompt(task: Task, answer: str, *, fence: str) -> Prompt:
    """Build the judge's prompt from the task and the answer alone."""
    text = filled_prompt(
        "judge_request",
        fence=fence,
        task=_both_ends(task.prompt.replace(fence, ""), MAX_TASK),
        form="JSON" if task.output == "json" else task.output,
        answer=_both_ends(answer.replace(fence, ""), MAX_ANSWER),
    )
    return Prompt(
        system=packaged_prompt("judge"),
        messages=(Message(role="user", text=text),),
        max_output_tokens=JUDGE_OUTPUT_TOKENS,
        json_schema=VERDICT_SCHEMA,
        schema_name="verdict",
    )


def _both_ends(text: str, limit: int) -> str:
    """Cut a text in the middle, so that the judge sees both ends."""
    if len(text) <= limit:
        return text
    half = limit // 2
    return f"{text[:half]}\n[… {len(text) - limit} characters left out …]\n{text[-half:]}"
