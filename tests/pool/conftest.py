from collections.abc import Iterable
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from ai3ray.domain.call import ErrorInfo
from ai3ray.domain.lease import Lease, LeaseRequest, Refusal, Settled, Settlement
from ai3ray.pool.pool import ProviderPool
from ai3ray.registry.registry import Registry
from ai3ray.settings.model import ProviderSettings, Settings

WEIGHTS = {"quality": 0.495, "success": 0.495, "load": 0.01}


class World:
    """A pool in virtual time. Model `x/m1` is better than `x/m2`, provider `a` better than `b` better than `c`."""

    def __init__(
        self, limits: dict[str, int], models: int = 1, rates: dict[str, int] | None = None, **traits: Any
    ) -> None:
        self.now = 1000.0
        providers = {
            name: ProviderSettings(
                base_url=f"http://{name}", api_key_env=f"{name.upper()}_KEY", max_concurrency=limit, **(rates or {})
            )
            for name, limit in limits.items()
        }
        ids = [f"{name}/m{n}" for n in range(1, models + 1) for name in limits]
        cards = {
            name: {"provider": name[0], "id": name[2:], "quality": 0.9 - 0.05 * rank, **traits}
            for rank, name in enumerate(ids)
        }
        self.settings = Settings(
            home=Path("/nowhere"),
            providers=providers,
            models={"models": cards, "prices": {name: {"input": 1.0, "output": 2.0} for name in ids}},
            router={"presets": {"balanced": WEIGHTS}},
        )
        ids_of_attempts = count(1)
        self.registry = Registry.load(self.settings)
        self.pool = ProviderPool(
            self.registry,
            self.settings,
            tuple(limits),
            clock=lambda: self.now,
            new_id=lambda: f"att_{next(ids_of_attempts)}",
        )
        self._requests = count(1)

    def request(self, run: str = "r1", **fields: Any) -> LeaseRequest:
        return LeaseRequest(request_id=f"w{next(self._requests)}", run_id=run, **{"run_limit": 1000, **fields})

    def lease(self, run: str = "r1", **fields: Any) -> Lease | Refusal | None:
        return self.pool.lease(self.request(run, **fields))

    def take(self, run: str = "r1", **fields: Any) -> Lease:
        """A lease that has to be granted at once."""
        lease = self.lease(run, **fields)
        assert isinstance(lease, Lease), lease
        return lease

    def succeed(self, lease: Lease, seconds: float = 1.0, cost: float | None = 0.01) -> Settled:
        return self.pool.settle(
            Settlement(
                attempt_id=lease.attempt_id, token=lease.token, status="succeeded", seconds=seconds, cost_usd=cost
            )
        )

    def fail(self, lease: Lease, kind: str, message: str = "no", retry_after_s: float | None = None) -> Settled:
        error = ErrorInfo(type=kind, message=message, provider=lease.provider, model=lease.model, request_id="req_7")
        return self.pool.settle(
            Settlement(
                attempt_id=lease.attempt_id,
                token=lease.token,
                status="failed",
                error=error,
                retry_after_s=retry_after_s,
                request_id="req_7",
            )
        )

    def wait(self, seconds: float) -> Iterable[Lease | Refusal]:
        """Let time pass as the host does: `expire` is called whenever it is due."""
        end = self.now + seconds
        answers: list[Lease | Refusal] = []
        while (due := self.pool.next_expiry()) is not None and self.now + due <= end:
            self.now += due
            answers += self.pool.expire()[1].grants
        self.now = end
        return answers


@pytest.fixture
def world():
    return World
