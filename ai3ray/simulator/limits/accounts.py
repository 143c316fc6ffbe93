"""The accounts of the simulated vendors: one per key, and one without a key."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from typing import Any

from pydantic import ValidationError

from ai3ray.errors import RequestError, first_problem
from ai3ray.simulator.limits.limit_settings import Limits
from ai3ray.simulator.limits.prompt_cache import PromptCache
from ai3ray.simulator.limits.vendor_limits import VendorLimits
from ai3ray.simulator.simulator_settings import SimulatorSettings
from ai3ray.simulator.vendors import VENDORS, VendorName


class VendorAccount:
    """The limits and the prompt cache of one key."""

    def __init__(self, vendor: VendorName, key: str, limits: VendorLimits, cache: PromptCache) -> None:
        self.vendor: VendorName = vendor
        self.label = f"{vendor}/{sha256(key.encode()).hexdigest()[:8] if key else 'none'}"
        """The vendor and a few digits of the key's hash."""
        self.limits = limits
        self.cache = cache


class Accounts:
    """All accounts, created on first use.

    Args:
        settings: limits and caches.
        clock: monotonic seconds.
        epoch: seconds since 1970 when the clock showed 0.
    """

    def __init__(self, settings: SimulatorSettings, clock: Callable[[], float], epoch: float) -> None:
        self._settings = settings
        self._clock = clock
        self._epoch = epoch
        self._accounts: dict[tuple[VendorName, str], VendorAccount] = {}
        self._limits: dict[VendorName, Limits] = {}
        self._until: float | None = None
        self.reset()

    def of(self, vendor: VendorName, key: str) -> VendorAccount:
        """Return the account of a key."""
        self._restore_when_due()
        account = self._accounts.get((vendor, key))
        if account is None:
            limits = VendorLimits(vendor, self._limits[vendor], self._clock(), epoch=self._epoch)
            account = VendorAccount(vendor, key, limits, PromptCache(self._settings.caching))
            self._accounts[vendor, key] = account
        return account

    def change(self, data: object) -> None:
        """Change limits.

        Args:
            data: decoded JSON: by vendor the changed fields, or `factor` to multiply the settings. A `factor` beside
                the vendors applies to the others. After `seconds` the settings apply again.

        Raises:
            RequestError: the data is invalid; nothing was changed.
        """
        if not isinstance(data, Mapping) or not data:
            raise RequestError("give limits by vendor, or a factor", "limits")
        unknown = data.keys() - {*VENDORS, "factor", "seconds"}
        if unknown:
            name = str(min(unknown))
            raise RequestError(f"{name}: no such vendor; the vendors are {', '.join(VENDORS)}", name)
        changed, seconds = dict(_changes(data, self._settings)), data.get("seconds")
        duration_s = None if seconds is None else _positive("seconds", seconds)
        now = self._clock()
        self._limits |= changed
        self._until = None if duration_s is None else now + duration_s
        self._apply(now)

    def restore(self) -> None:
        """Restore the configured limits; past use still counts."""
        self._limits = {vendor: self._settings.limits_of(vendor) for vendor in VENDORS}
        self._until = None
        self._apply(self._clock())

    def reset(self) -> None:
        """Forget all accounts."""
        self._accounts = {}
        self.restore()

    def state(self) -> dict[str, Any]:
        """Return the body of `GET /_sim/limits`: limits by vendor, and each account's state."""
        self._restore_when_due()
        now = self._clock()
        return {
            "limits": {vendor: limits.model_dump(mode="json") for vendor, limits in self._limits.items()},
            "restored_in_s": None if self._until is None else round(self._until - now, 3),
            "accounts": {account.label: account.limits.state(now) for account in self._accounts.values()},
        }

    def _restore_when_due(self) -> None:
        if self._until is not None and self._clock() >= self._until:
            self.restore()

    def _apply(self, now: float) -> None:
        for account in self._accounts.values():
            if account.limits.limits != self._limits[account.vendor]:
                account.limits.change(now, self._limits[account.vendor])


def _changes(data: Mapping[str, Any], settings: SimulatorSettings) -> Iterator[tuple[VendorName, Limits]]:
    for vendor in VENDORS:
        fields = data.get(vendor, {"factor": data["factor"]} if "factor" in data else None)
        if fields is None:
            continue
        if not isinstance(fields, Mapping):
            raise RequestError(f"{vendor}: give an object of its limits by name", vendor)
        limits = settings.limits_of(vendor)
        given = dict(fields)
        if "factor" in given:
            limits = limits.scaled(_positive(f"{vendor}.factor", given.pop("factor")))
        try:
            merged = Limits.model_validate({**limits.model_dump(), **given})
            SimulatorSettings.model_validate({"limits": {vendor: merged}})
        except ValidationError as error:
            problem = first_problem(error)
            field = ".".join([vendor, *problem.path])
            raise RequestError(f"{field}: {problem.demand}", field) from error
        yield vendor, merged


def _positive(name: str, value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise RequestError(f"{name}: give a number above 0", name)
    return float(value)
