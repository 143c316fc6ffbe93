"""A provider that says what it is told to: deterministic, without network, for tests of all that call models."""

from __future__ import annotations

import asyncio
import copy
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ai3ray.domain.call import FinishReason, ModelCall, Reply, Usage
from ai3ray.errors import ProviderError
from ai3ray.providers.failures.deadline import Deadline
from ai3ray.providers.port import OnText
from ai3ray.providers.usage import estimate, prompt_text

_PIECE = re.compile(r"\S+\s*|\s+")


@dataclass(frozen=True)
class ScriptedReply:
    """One answer of a script."""

    text: str = ""
    """What is said; with an `error`, what is said before it when the call is streamed."""
    finish: FinishReason = "stop"
    """Why the answer ends."""
    error: ProviderError | None = None
    """How the call fails."""
    usage: Usage | None = None
    """Tokens; four characters each when absent."""
    cost_usd: float | None = None
    """The bill, when this provider is to tell it."""
    wait_s: float = 0.0
    """Seconds of silence before the first piece."""


Script = Sequence[str | ScriptedReply | ProviderError] | Callable[[ModelCall], str | ScriptedReply | ProviderError]
"""The answers in the order of the calls, or what to answer to a call."""


def echo(call: ModelCall) -> str:
    """The script of those who need no particular answer: the last message comes back."""
    return call.prompt.messages[-1].text


class ScriptedChat:
    """A ChatModel that follows a script.

    Args:
        script: its answers, one per call, or a function from the call to its answer.
        provider: its name in the configuration.
    """

    def __init__(self, script: Script = echo, *, provider: str = "scripted") -> None:
        self._script = script
        self._provider = provider
        self.calls: list[ModelCall] = []
        """Every call that was made, in order."""
        self.in_flight = 0
        """Calls that have not ended."""

    async def send(self, call: ModelCall, on_text: OnText | None = None) -> Reply:
        """Make one call; see ChatModel. Raises LookupError when a script of answers has run out."""
        self.calls.append(call)
        said, request_id, began = self._next(call), f"req_{len(self.calls)}", time.perf_counter()
        self.in_flight += 1
        try:
            first_token_s = await self._say(said, call, on_text, began)
        except ProviderError as error:
            error.provider, error.model = self._provider, call.model
            error.request_id = error.request_id or request_id
            raise
        finally:
            self.in_flight -= 1
        return Reply(
            text=said.text,
            finish=said.finish,
            usage=said.usage or _counted(call, said.text),
            model=call.model,
            request_id=request_id,
            first_token_s=first_token_s,
            seconds=time.perf_counter() - began,
            cost_usd=said.cost_usd,
        )

    async def aclose(self) -> None:
        """Nothing to close."""

    def _next(self, call: ModelCall) -> ScriptedReply:
        if callable(self._script):
            said = self._script(call)
        elif len(self.calls) <= len(self._script):
            said = self._script[len(self.calls) - 1]
        else:
            raise LookupError(f"the script has {len(self._script)} answers and this is call {len(self.calls)}")
        if isinstance(said, ScriptedReply):
            return said
        return ScriptedReply(error=said) if isinstance(said, ProviderError) else ScriptedReply(text=said)

    async def _say(self, said: ScriptedReply, call: ModelCall, on_text: OnText | None, began: float) -> float | None:
        """Speak, under the call's clocks. Returns the seconds to the first piece when it was streamed."""
        timeouts, first_token_s = call.timeouts, None
        silence_s = timeouts.total_s if on_text is None else min(timeouts.first_token_s, timeouts.total_s)
        async with Deadline(silence_s, f"nothing was said within {silence_s:g} s"):
            await asyncio.sleep(said.wait_s)
        if on_text is not None:
            for piece in _PIECE.findall(said.text):
                first_token_s = first_token_s or time.perf_counter() - began
                on_text(piece)
                await asyncio.sleep(0)
        if said.error is not None:
            raise copy.copy(said.error)  # a script may be played twice, and errors gather tracebacks
        return first_token_s


def _counted(call: ModelCall, text: str) -> Usage:
    return Usage(input_tokens=estimate(prompt_text(call.prompt)), output_tokens=estimate(text))
