"""Which model answers which prompt how well, and at what price: the public set, or one of the same shape."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from random import Random

from ai3ray.domain.plan import KINDS, Kind

FILE = "llmrouter_outcomes.json"
CHARS_PER_TOKEN = 4
OUTPUT_TOKENS = 256
"""Length that answers are taken to have: the public set does not tell."""


@dataclass(frozen=True)
class Prompt:
    """One prompt, and what each model's answer to it is worth."""

    kind: Kind
    """The context that a router may know."""
    input_tokens: int
    """Estimate of its length."""
    scores: tuple[float, ...]
    """Per model, 0 to 1."""


@dataclass(frozen=True)
class Outcomes:
    """All prompts, in an order that says nothing."""

    source: str
    """Where they come from, for the report."""
    models: tuple[str, ...]
    """Names of the models."""
    usd_per_mtok: tuple[float, ...]
    """Their prices, the same for input and output."""
    prompts: tuple[Prompt, ...]
    """The prompts."""

    def cost(self, prompt: Prompt, model: int) -> float:
        """US dollars of one answer."""
        return self.usd_per_mtok[model] * (prompt.input_tokens + OUTPUT_TOKENS) / 1e6

    def shuffled(self, seed: int) -> tuple[Prompt, ...]:
        """The prompts in another order."""
        prompts = list(self.prompts)
        Random(seed).shuffle(prompts)
        return tuple(prompts)

    def expected(self) -> dict[Kind, tuple[float, ...]]:
        """Mean score of each model per kind: what a router that knew everything but the prompt would know."""
        by_kind: dict[Kind, list[Prompt]] = {}
        for prompt in self.prompts:
            by_kind.setdefault(prompt.kind, []).append(prompt)
        return {
            kind: tuple(sum(column) / len(own) for column in zip(*(prompt.scores for prompt in own), strict=True))
            for kind, own in by_kind.items()
        }


def load_outcomes(folder: Path | None, seed: int = 1, count: int | None = None) -> Outcomes:
    """The public set from a folder that holds FILE, a synthetic one when none is given.

    Args:
        folder: where FILE is.
        seed: of the synthetic set.
        count: so many prompts at most.
    """
    if folder is None:
        return synthetic(seed, count or 5600)
    data = json.loads((folder / FILE).read_text(encoding="utf-8"))
    kinds = dict(zip(sorted({row["kind"] for row in data["rows"]}), KINDS, strict=False))
    prompts = tuple(
        Prompt(kinds[row["kind"]], row["prompt_chars"] // CHARS_PER_TOKEN, tuple(row["scores"])) for row in data["rows"]
    )
    prices = tuple(data["prices"][model]["input_usd_per_mtok"] for model in data["models"])
    return Outcomes(FILE, tuple(data["models"]), prices, prompts[:count])


def synthetic(seed: int, count: int) -> Outcomes:
    """Right or wrong by chance, with the public set's models, prices, kinds and share of right answers per kind."""
    rng = Random(seed)
    prompts = []
    for _ in range(count):
        kind = rng.choices(KINDS[: len(_KIND_SHARES)], _KIND_SHARES)[0]
        scores = tuple(float(rng.random() < chance) for chance in _MEANS[KINDS.index(kind)])
        prompts.append(Prompt(kind, rng.randint(20, 130), scores))
    return Outcomes(f"synthetic, seed {seed}", tuple(_PRICES), tuple(_PRICES.values()), tuple(prompts))


_PRICES = {
    "codegemma-7b": 0.2,
    "gemma-2-9b-it": 0.1,
    "llama-3.1-8b-instruct": 0.2,
    "llama-3.1-nemotron-51b-instruct": 0.9,
    "llama-3.3-nemotron-super-49b-v1": 0.9,
    "llama3-chatqa-1.5-70b": 0.9,
    "llama3-chatqa-1.5-8b": 0.2,
    "mistral-7b-instruct-v0.3": 0.2,
    "qwen2.5-7b-instruct": 0.2,
}
_KIND_SHARES = (0.39, 0.33, 0.28)
_MEANS = (
    (0.04, 0.10, 0.13, 0.17, 0.17, 0.04, 0.02, 0.06, 0.12),
    (0.61, 0.88, 0.91, 0.95, 0.78, 0.38, 0.43, 0.73, 0.93),
    (0.31, 0.73, 0.74, 0.86, 0.91, 0.19, 0.10, 0.37, 0.60),
)
