"""What was asked of the simulator, and what it billed: the ground truth of tests about cost and concurrency."""

from __future__ import annotations

import asyncio
import time
from dataclasses import asdict, dataclass, field
from typing import Any

from ai3ray.simulator.asked import Asked, Written, tokens
from ai3ray.simulator.settings import SimulatorSettings


@dataclass
class Call:
    """One request as it was served. Times are seconds since the epoch."""

    n: int
    """Which request since the last reset, from 1."""
    request_id: str
    """The id that the reply carried."""
    provider: str
    """The account."""
    model: str
    """The model."""
    role: str
    """What it was probably for: plan, judge or task."""
    stream: bool
    """Whether a stream was asked for."""
    prompt_chars: int
    """Length of all that the model had to read, in characters."""
    started: float
    """When the request was there."""
    status: int = 0
    """HTTP status of the reply; 0 when there was none."""
    fault: str | None = None
    """The fault that struck it."""
    input_tokens: int = 0
    """Billed input; 0 when it was refused."""
    output_tokens: int = 0
    """Billed output, reasoning included: what was sent, when it was cut short."""
    cost_usd: float | None = 0.0
    """The bill in US dollars; None when the model has no price."""
    first_token: float | None = None
    """When the first piece was sent."""
    ended: float | None = None
    """When it was over; None while it is not."""
    complete: bool = False
    """Whether the whole answer was sent."""
    cancelled: bool = False
    """Whether the client went away before."""
    system: str = field(default="", repr=False)
    """The system prompt."""
    turns: tuple[tuple[str, str], ...] = field(default=(), repr=False)
    """Role and text of each message."""


class Ledger:
    """All requests since the last reset.

    Args:
        settings: where the prices are.
    """

    def __init__(self, settings: SimulatorSettings) -> None:
        self._settings = settings
        self._open: set[int] = set()
        self.calls: list[Call] = []
        """Every request, in order of arrival."""
        self.max_in_flight = 0
        """The most requests that were open at once."""
        self.idle = asyncio.Event()
        """Set while no request is open."""
        self.idle.set()
        self._arrival = asyncio.Event()

    @property
    def in_flight(self) -> int:
        """Requests that are open now."""
        return len(self._open)

    async def arrived(self, count: int) -> None:
        """Wait until there have been so many requests since the last reset."""
        while len(self.calls) < count:
            await self._arrival.wait()

    def begin(self, asked: Asked, request_id: str) -> Call:
        """Enter a request."""
        call = Call(
            n=len(self.calls) + 1,
            request_id=request_id,
            provider=asked.account,
            model=asked.model,
            role=asked.role,
            stream=asked.stream,
            prompt_chars=len(asked.prompt),
            started=time.time(),
            system=asked.system,
            turns=asked.turns,
        )
        self.calls.append(call)
        self._open.add(id(call))
        self.idle.clear()
        self._arrival.set()
        self._arrival = asyncio.Event()
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        return call

    def end(self, call: Call, asked: Asked, written: Written | None, said: str) -> None:
        """Close a request and write its bill.

        Args:
            call: the entry.
            asked: the request.
            written: the answer; None when it was refused.
            said: the part of the answer that was sent.
        """
        call.ended = time.time()
        self._open.discard(id(call))
        if not self._open:
            self.idle.set()
        if written is None:
            return
        call.input_tokens = tokens(asked.prompt)
        call.output_tokens = written.output_tokens if call.complete else tokens(said)
        price = self._settings.prices.get(call.model)
        call.cost_usd = price.cost(call.input_tokens, call.output_tokens) if price else None

    def reset(self) -> None:
        """Forget all requests; those that are open end unrecorded."""
        self.calls = []
        self.max_in_flight = self.in_flight

    def to_json(self, *, prompts: bool = False) -> dict[str, Any]:
        """What `GET /_sim/ledger` answers.

        Args:
            prompts: whether the entries carry what was asked, too.
        """
        hidden = set() if prompts else {"system", "turns"}
        calls = [{name: value for name, value in asdict(call).items() if name not in hidden} for call in self.calls]
        return {
            "calls": calls,
            "totals": self._totals(),
            "in_flight": self.in_flight,
            "max_in_flight": self.max_in_flight,
        }

    def _totals(self) -> dict[str, Any]:
        unfinished = [call for call in self.calls if call.status == 200 and not call.complete]
        return {
            **_sum(self.calls),
            "cost_unfinished_usd": _sum(unfinished)["cost_usd"],
            "cost_complete": all(call.cost_usd is not None for call in self.calls),
            "by_model": {
                model: _sum([call for call in self.calls if call.model == model])
                for model in sorted({call.model for call in self.calls})
            },
        }


def _sum(calls: list[Call]) -> dict[str, Any]:
    return {
        "calls": len(calls),
        "completed": sum(call.complete for call in calls),
        "input_tokens": sum(call.input_tokens for call in calls),
        "output_tokens": sum(call.output_tokens for call in calls),
        "cost_usd": sum(call.cost_usd or 0.0 for call in calls),
    }
