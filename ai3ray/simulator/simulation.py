"""The simulated providers: what they know between requests, and whom they let in."""

from __future__ import annotations

import math
import random
import time
from collections import Counter
from collections.abc import Mapping
from typing import NamedTuple, get_args

from ai3ray.simulator.asked import Asked, Refused, tokens
from ai3ray.simulator.buckets import Allowance
from ai3ray.simulator.faults import Fault, Faults
from ai3ray.simulator.ledger import Ledger
from ai3ray.simulator.settings import Account, SimulatorSettings

FAMILIES: dict[Account, tuple[str, ...]] = {
    "anthropic": ("claude-",),
    "openai": ("gpt-", "chatgpt-", "o1", "o3", "o4"),
    "xai": ("grok-",),
}
"""How the ids of each account's models begin; any id of a family is served."""


class Tempo(NamedTuple):
    """How fast one answer comes."""

    first_token_s: float
    """Seconds until it begins."""
    tokens_per_s: float
    """Speed of writing after that."""


class Simulation:
    """Faults, ledger and rate limits of the three accounts.

    Args:
        settings: how it behaves.
    """

    def __init__(self, settings: SimulatorSettings) -> None:
        self.settings = settings
        self.ledger = Ledger(settings)
        self.faults = Faults(settings.seed)
        self.busy: Counter[Account] = Counter()
        """Requests that are being answered, by account."""
        self._requests = 0
        self._allowances: dict[Account, Allowance] = {}
        self._fill()

    def reset(self) -> None:
        """Forget faults, counters, ledger and what was taken from the rate limits."""
        self.faults.set(())
        self.ledger.reset()
        self._fill()

    def allowance(self, account: Account) -> Allowance:
        """What an account may still do."""
        return self._allowances[account]

    def next_id(self) -> str:
        """The id of the next request; never given twice."""
        self._requests += 1
        return f"req_sim{self.settings.seed}x{self._requests:06d}"

    def admit(self, asked: Asked, key: str) -> Fault | None:
        """Let a request in. Returns the fault that is to strike its answer.

        Raises:
            Refused: key, model, size, a fault or a rate limit is against it.
        """
        if not key or "bad" in key:
            raise Refused("auth", f"Incorrect API key provided: {key}." if key else "You did not provide an API key.")
        self._check_model(asked)
        size = tokens(asked.prompt)
        if size > self.settings.context_tokens:
            raise Refused("too_long", _too_long(asked, size, self.settings.context_tokens), "messages")
        fault = self.faults.strike(asked)
        if fault is not None:
            _refuse(fault)
        self.allowance(asked.account).admit(time.monotonic(), self.busy[asked.account], size)
        return fault

    def tempo(self, asked: Asked) -> Tempo:
        """The speed of an answer: the same for the same request and seed."""
        pace = self.settings.pace
        rng = random.Random(f"{self.settings.seed}:pace:{asked.model}:{asked.prompt}")  # noqa: S311
        return Tempo(
            pace.first_token_s * math.exp(rng.gauss(0.0, pace.first_token_sigma)),
            pace.tokens_per_s * math.exp(rng.gauss(0.0, pace.tokens_sigma)),
        )

    def models(self, account: Account) -> list[str]:
        """Ids with a price that the account serves."""
        return [model for model in self.settings.prices if model.startswith(FAMILIES[account])]

    def _check_model(self, asked: Asked) -> None:
        own = asked.model.startswith(FAMILIES[asked.account])
        anyones = asked.model in self.settings.prices and not asked.model.startswith(sum(FAMILIES.values(), ()))
        known = own or anyones
        if not known or asked.model in self.settings.retired:
            words = f"model: {asked.model}"
            if asked.account != "anthropic":
                words = f"The model `{asked.model}` does not exist or you do not have access to it."
            raise Refused("unknown_model", words, "model")

    def _fill(self) -> None:
        now = time.monotonic()
        accounts: tuple[Account, ...] = get_args(Account)
        self._allowances = {account: Allowance(self.settings.limits_of(account), now) for account in accounts}


def account_of(model: object) -> Account:
    """Whose model it is, for requests on a path that does not say."""
    return "xai" if str(model).startswith(FAMILIES["xai"]) else "openai"


def key_of(headers: Mapping[str, str]) -> str:
    """The key of a request, in either form."""
    scheme, _, token = headers.get("authorization", "").partition(" ")
    return headers.get("x-api-key") or (token.strip() if scheme.lower() == "bearer" else "")


def _refuse(fault: Fault) -> None:
    """Raise the refusal that a fault is; a fault of the answer passes."""
    wait_s, status = fault.retry_after, fault.status
    match fault.fault:
        case "rate_limit":
            wait_s = 1.0 if wait_s is None else wait_s
            raise Refused("rate_limit", "Rate limit reached, slow down", status=status, retry_after_s=wait_s)
        case "quota":
            raise Refused("quota", "Your account has no credits left: spending limit reached", status=status)
        case "auth":
            raise Refused("auth", "This key was revoked", status=status)
        case "server_error":
            raise Refused("server_error", "Internal server error", status=status, retry_after_s=wait_s)
        case "overloaded":
            raise Refused("overloaded", "Overloaded", status=status, retry_after_s=wait_s)


def _too_long(asked: Asked, size: int, most: int) -> str:
    if asked.account == "anthropic":
        return f"prompt is too long: {size} tokens > {most} maximum"
    return f"This model's maximum context length is {most} tokens, but the request has {size} tokens."
