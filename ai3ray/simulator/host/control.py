"""The `/_sim` routes: read the ledger, and change faults, limits and pace."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from ai3ray.errors import RequestError
from ai3ray.simulator.fault_rules import InjectedFault, read_faults
from ai3ray.simulator.host.chat_endpoint import decoded
from ai3ray.simulator.simulation import Simulation


class ControlApi:
    """The `/_sim` routes."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    def routes(self) -> list[BaseRoute]:
        """Return all routes."""
        return [
            Route("/_sim/ledger", self.ledger, methods=["GET"]),
            Route("/_sim/faults", self.faults, methods=["GET"]),
            Route("/_sim/faults", self.set_faults, methods=["POST"]),
            Route("/_sim/faults", self.clear_faults, methods=["DELETE"]),
            Route("/_sim/limits", self.limits, methods=["GET"]),
            Route("/_sim/limits", self.set_limits, methods=["POST"]),
            Route("/_sim/limits", self.restore_limits, methods=["DELETE"]),
            Route("/_sim/latency", self.latency, methods=["GET"]),
            Route("/_sim/latency", self.set_latency, methods=["POST"]),
            Route("/_sim/reset", self.reset, methods=["POST", "DELETE"]),
        ]

    async def ledger(self, request: Request) -> Response:
        """Show requests and bills.

        `?wait_calls=N` waits for N requests and `?wait_idle=true` until none is open, for at most `?seconds=S` (10);
        `?prompts=true` includes the prompts; `?summary=1` shows only the sums.
        """
        query, ledger = request.query_params, self._simulation.ledger
        with contextlib.suppress(TimeoutError):  # the reply shows how far it got
            async with asyncio.timeout(float(query.get("seconds", 10))):
                await ledger.arrived(int(query.get("wait_calls", 0)))
                if query.get("wait_idle") == "true":
                    await ledger.idle.wait()
        yes = {name for name in ("prompts", "summary") if query.get(name) in ("true", "1")}
        return JSONResponse(self._simulation.ledger.to_json(prompts="prompts" in yes, summary="summary" in yes))

    async def faults(self, _request: Request) -> Response:
        """Show the rules in force."""
        return JSONResponse(_shown(self._simulation.faults.rules))

    async def set_faults(self, request: Request) -> Response:
        """Replace all rules."""
        return await _changed(request, self._set_faults)

    async def clear_faults(self, _request: Request) -> Response:
        """Remove all rules."""
        self._simulation.faults.set(())
        return JSONResponse([])

    async def limits(self, _request: Request) -> Response:
        """Show the limits in force and each account's state."""
        return JSONResponse(self._simulation.accounts.state())

    async def set_limits(self, request: Request) -> Response:
        """Change limits."""
        return await _changed(request, self._set_limits)

    async def restore_limits(self, _request: Request) -> Response:
        """Restore the configured limits."""
        self._simulation.accounts.restore()
        return JSONResponse(self._simulation.accounts.state())

    async def latency(self, _request: Request) -> Response:
        """Show the pace."""
        return JSONResponse(self._simulation.pace.model_dump(mode="json"))

    async def set_latency(self, request: Request) -> Response:
        """Change the pace."""
        return await _changed(request, lambda data: self._simulation.set_pace(data).model_dump(mode="json"))

    async def reset(self, _request: Request) -> Response:
        """Reset the simulation."""
        self._simulation.reset()
        return JSONResponse({"reset": True})

    def _set_faults(self, data: object) -> Any:
        rules = read_faults(data)
        self._simulation.faults.set(rules)
        return _shown(rules)

    def _set_limits(self, data: object) -> Any:
        self._simulation.accounts.change(data)
        return self._simulation.accounts.state()


async def _changed(request: Request, change: Callable[[object], Any]) -> Response:
    """Apply a body; answer 400 if it is invalid."""
    try:
        return JSONResponse(change(decoded(await request.body())))
    except RequestError as error:
        shown = {"type": error.type, "message": str(error), "param": error.param}
        return JSONResponse({"error": shown}, status_code=400)


def _shown(rules: tuple[InjectedFault, ...]) -> list[dict[str, Any]]:
    return [rule.model_dump(mode="json", by_alias=True, exclude_unset=True) for rule in rules]
