"""The simulated vendors' state, and the admission of requests."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError

from ai3ray.errors import RequestError, SettingsError, first_problem
from ai3ray.simulator.billing import BillingLedger
from ai3ray.simulator.fault_rules import FaultInjector, InjectedFault, rules_from_rates
from ai3ray.simulator.limits.accounts import Accounts, VendorAccount
from ai3ray.simulator.limits.prompt_cache import CacheRead
from ai3ray.simulator.limits.vendor_limits import AdmittedCall, Rejection, TokensSpent
from ai3ray.simulator.pricing import TICKS_PER_USD, Price, UsedTokens
from ai3ray.simulator.response_times import AnswerSpeed, Pace, ResponseTimes, read_latency
from ai3ray.simulator.simulator_settings import SimulatorSettings
from ai3ray.simulator.vendors import FAMILIES, VendorName, is_served
from ai3ray.simulator.wires.parsed_request import ParsedRequest, RequestRefused
from ai3ray.simulator.wires.refusals import no_such_model, refusal_of, too_long

_RATE_LIMITED = 429


@dataclass(frozen=True, eq=False, slots=True)
class AdmittedRequest:
    """An admitted request with all that is settled at its end."""

    account: VendorAccount
    call: AdmittedCall
    """The request as its rate limits count it."""
    cache_read: CacheRead
    fault: InjectedFault | None
    rates: Mapping[str, str]


class Simulation:
    """Faults, ledger, pace and accounts of the three vendors.

    Raises:
        SettingsError: a file named by the settings cannot be used.
    """

    def __init__(self, settings: SimulatorSettings) -> None:
        self.settings = settings
        self.ledger = BillingLedger(settings)
        self.faults = FaultInjector(settings.seed)
        self.clock = time.monotonic
        self.accounts = Accounts(settings, self.clock, time.time() - self.clock())
        self._response_times = ResponseTimes(settings.pace, settings.seed)
        self._requests = 0
        self._calls = 0
        self._set_faults()

    def reset(self) -> None:
        """Clear ledger and accounts; restore faults, limits and pace to the settings."""
        self.ledger.reset()
        self.accounts.reset()
        if self.pace is not self.settings.pace:
            self._response_times = ResponseTimes(self.settings.pace, self.settings.seed)
        self._calls = 0
        self._set_faults()

    @property
    def pace(self) -> Pace:
        """The current pace."""
        return self._response_times.pace

    def set_pace(self, data: object) -> Pace:
        """Change the pace and return it.

        Args:
            data: decoded JSON: the changed fields of a Pace, or `{"spec": ...}` as on the command line.

        Raises:
            RequestError: the data is invalid; nothing was changed.
        """
        if not isinstance(data, Mapping):
            raise RequestError("give an object with the fields of a pace, or with 'spec'", "pace")
        fields = dict(data)
        try:
            if "spec" in fields:
                fields |= read_latency(str(fields.pop("spec")))
            pace = Pace.model_validate({**self.pace.model_dump(), **fields})
            self._response_times = ResponseTimes(pace, self.settings.seed)
        except ValidationError as error:
            problem = first_problem(error)
            raise RequestError(problem.message, problem.field) from error
        except SettingsError as error:
            raise RequestError(str(error), error.param or "data") from error
        return pace

    def next_id(self) -> str:
        """Return a new request id."""
        self._requests += 1
        return f"req_sim{self.settings.seed}x{self._requests:06d}"

    def admit(self, request: ParsedRequest, account: VendorAccount, key: str) -> AdmittedRequest:
        """Admit a request; the caller must call `finish` for it.

        Raises:
            RequestRefused: the key, the model, the size, a fault or a limit forbids it.
        """
        try:
            fault = self._check(request, key)
        except RequestRefused:
            account.limits.record_refusal(self.clock())
            raise
        now, price = self.clock(), self.price(request.model)
        counts_writes = price is not None and price.cache_write is not None
        cache_read = account.cache.read(now, request, counts_writes=counts_writes)
        call = AdmittedCall(request.input_tokens, request.max_tokens if request.capped else None, cache_read.read)
        rejection = account.limits.admit(now, call)
        if rejection is not None:
            raise _refusal(rejection)
        return AdmittedRequest(account, call, cache_read, fault, account.limits.headers(now))

    def answer_began(self, admitted: AdmittedRequest) -> None:
        """Make a prompt readable from the cache, because its answer has begun."""
        if admitted.cache_read.entries:
            admitted.account.cache.mark_readable(self.clock(), admitted.cache_read)

    def record_output(self, admitted: AdmittedRequest, tokens: int) -> None:
        """Count output tokens that were just sent."""
        admitted.account.limits.record_output(self.clock(), admitted.call, tokens)

    def finish(self, admitted: AdmittedRequest, used: UsedTokens | None, ticks: int | None) -> None:
        """Settle an ended request; without `used` nothing was answered."""
        spent = None
        if used is not None:
            cost_usd = (ticks or 0) / TICKS_PER_USD
            spent = TokensSpent(used.input_tokens, used.cache_read, used.output_tokens, cost_usd)
        admitted.account.limits.finish(self.clock(), admitted.call, spent)

    def answer_speed(self, request: ParsedRequest) -> AnswerSpeed:
        """Return an answer's speed; equal requests and seeds give equal speeds."""
        return self._response_times.draw(request.model, request.stable_prompt)

    def price(self, model: str) -> Price | None:
        """Return a model's price; None when unknown."""
        return self.settings.prices.get(model)

    def models(self, vendor: VendorName) -> list[str]:
        """Return the priced models of a vendor."""
        return [model for model in self.settings.prices if model.startswith(FAMILIES[vendor])]

    def _check(self, request: ParsedRequest, key: str) -> InjectedFault | None:
        """Return the fault to inject; raise RequestRefused for any reason but a limit."""
        settings = self.settings
        if "bad" in key:
            raise RequestRefused("auth", f"Incorrect API key provided: {key}.")
        if not is_served(request.model, request.vendor, settings.prices) or request.model in settings.retired:
            raise RequestRefused("unknown_model", no_such_model(request), "model")
        if request.input_tokens > settings.context_tokens:
            raise RequestRefused("too_long", too_long(request, settings.context_tokens), "messages")
        fault = self.faults.select(request)
        refused = fault and refusal_of(fault, request)
        if refused:
            raise refused
        self._fail_like_measured_calls()
        return fault

    def _fail_like_measured_calls(self) -> None:
        self._calls += 1
        error = self._response_times.error(self._calls)
        if error == _RATE_LIMITED:
            raise RequestRefused("rate_limit", "Rate limit reached, slow down", retry_after_s=1.0)
        if error is not None:
            raise RequestRefused("server_error", "Internal server error", status=error if 500 <= error < 600 else None)

    def _set_faults(self) -> None:
        self.faults.set((*self.settings.faults, *rules_from_rates(self.settings.rates)))


def _refusal(rejection: Rejection) -> RequestRefused:
    """Return the refusal for a rejection; vendors announce whole seconds."""
    wait_s = rejection.retry_after
    return RequestRefused(
        "quota" if rejection.bound == "spend" else "ramp" if rejection.bound == "ramp" else "rate_limit",
        rejection.message,
        retry_after_s=None if wait_s is None else float(max(1, math.ceil(wait_s - 1e-6))),
        code=rejection.code,
        exact_wait_s=wait_s,
    )
