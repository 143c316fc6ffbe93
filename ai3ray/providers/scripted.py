"""A deterministic provider without network, for tests."""

from __future__ import annotations

import asyncio
import copy
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ai3ray.domain.call import FinishReason, ModelCall, Reply, Usage
from ai3ray.domain.tokens import estimated_tokens
from ai3ray.errors import ProviderError
from ai3ray.providers.failures.deadline import Deadline
from ai3ray.providers.port import OnText
from ai3ray.providers.usage import prompt_text

_PIECE = re.compile(r"\S+\s*|\s+")


@dataclass(frozen=True)
class ScriptedReply:
    """One reply of a script; with an `error`, the text is streamed before it."""

    text: str = ""
    finish: FinishReason = "stop"
    error: ProviderError | None = None
    usage: Usage | None = None
    """Estimated when absent."""
    cost_usd: float | None = None
    wait_s: float = 0.0
    """Seconds of silence before the first piece."""


Script = Sequence[str | ScriptedReply | ProviderError] | Callable[[ModelCall], str | ScriptedReply | ProviderError]
"""The replies in the order of the calls, or a function from a call to its reply."""


def echo(call: ModelCall) -> str:
    """Return the last message; this is the default script."""
    return call.prompt.messages[-1].text


class ScriptedChat:
    """A ChatModel that follows a script; `calls` holds all calls so far, `in_flight` counts the open ones."""

    def __init__(self, script: Script = echo, *, provider: str = "scripted") -> None:
        self._script = script
        self._provider = provider
        self.calls: list[ModelCall] = []
        self.in_flight = 0

    async def send(self, call: ModelCall, on_text: OnText | None = None) -> Reply:
        """Make one call. Raises LookupError after the script's last reply."""
        self.calls.append(call)
        scripted, request_id, began = self._next(call), f"req_{len(self.calls)}", time.perf_counter()
        self.in_flight += 1
        try:
            first_token_s = await self._play(scripted, call, on_text, began)
        except ProviderError as error:
            error.provider, error.model = self._provider, call.model
            error.request_id = error.request_id or request_id
            raise
        finally:
            self.in_flight -= 1
        estimated = Usage(
            input_tokens=estimated_tokens(len(prompt_text(call.prompt))),
            output_tokens=estimated_tokens(len(scripted.text)),
        )
        return Reply(
            text=scripted.text,
            finish=scripted.finish,
            usage=scripted.usage or estimated,
            model=call.model,
            request_id=request_id,
            first_token_s=first_token_s,
            seconds=time.perf_counter() - began,
            cost_usd=scripted.cost_usd,
        )

    async def aclose(self) -> None:
        """Do nothing: there is no connection."""

    def _next(self, call: ModelCall) -> ScriptedReply:
        if callable(self._script):
            scripted = self._script(call)
        elif len(self.calls) <= len(self._script):
            scripted = self._script[len(self.calls) - 1]
        else:
            raise LookupError(f"the script has {len(self._script)} replies and this is call {len(self.calls)}")
        if isinstance(scripted, ScriptedReply):
            return scripted
        return ScriptedReply(error=scripted) if isinstance(scripted, ProviderError) else ScriptedReply(text=scripted)

    async def _play(
        self, scripted: ScriptedReply, call: ModelCall, on_text: OnText | None, began: float
    ) -> float | None:
        """Play a reply within the call's time limits; return the seconds to its first streamed piece."""
        timeouts, first_token_s = call.timeouts, None
        silence_s = timeouts.total_s if on_text is None else min(timeouts.first_token_s, timeouts.total_s)
        async with Deadline(silence_s, f"no output within {silence_s:g} s"):
            await asyncio.sleep(scripted.wait_s)
        if on_text is not None:
            for piece in _PIECE.findall(scripted.text):
                first_token_s = first_token_s or time.perf_counter() - began
                on_text(piece)
                await asyncio.sleep(0)
        if scripted.error is not None:
            raise copy.copy(scripted.error)  # a script may be played twice, and errors collect tracebacks
        return first_token_s
