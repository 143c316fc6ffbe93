"""Checks requests before they cost anything."""

from __future__ import annotations

from dataclasses import dataclass

from ai3ray.domain.events import Warned
from ai3ray.domain.plan import parse_graph
from ai3ray.domain.request import RunRequest
from ai3ray.errors import MissingKey
from ai3ray.executor.configured_models import key_variables
from ai3ray.registry.registry import Registry
from ai3ray.settings.configured import embedded_model_files
from ai3ray.settings.model import Settings
from ai3ray.verifier.check import refuse_bad_schemas


@dataclass(frozen=True)
class CheckedRequest:
    """A complete, valid request."""

    request: RunRequest
    """With defaults and full model names."""
    warnings: tuple[Warned, ...]


def check_request(
    request: RunRequest, settings: Settings, registry: Registry, configured: tuple[str, ...]
) -> CheckedRequest:
    """Return the request with defaults and full model names.

    Raises:
        PlanError: the plan is invalid.
        UnknownModel: a model or provider does not exist.
        MissingKey: no provider has a key, or the requested one has none.
    """
    max_tasks = request.max_tasks or settings.max_tasks
    if request.plan is not None:
        graph = parse_graph(request.plan, max_tasks=max_tasks)
        refuse_bad_schemas(graph)
    if not configured:
        remedy = embedded_model_files(settings).remedy()
        other = f", or {remedy}" if remedy else ""
        variables = ", ".join(key_variables(settings))
        raise MissingKey(f"no provider has a key: set one of {variables}{other}", "models")
    warnings: list[str] = []
    models = tuple(
        dict.fromkeys(_resolve(name, "models", settings, registry, configured, warnings) for name in request.models)
    )
    planner = request.planner_model
    if planner is not None:
        planner = _resolve(planner, "planner_model", settings, registry, configured, warnings)
    elif settings.planner_model and request.plan is None and not models:
        planner = _resolve(settings.planner_model, "planner_model", settings, registry, configured, warnings)
    filled = request.model_copy(
        update={
            "models": models,
            "planner_model": planner,
            "max_concurrency": request.max_concurrency or settings.max_concurrency,
            "max_tasks": max_tasks,
            "budget_usd": settings.budget_usd if request.budget_usd is None else request.budget_usd,
            "verify": settings.verify if request.verify is None else request.verify,
            "repair_limit": settings.repair_limit if request.repair_limit is None else request.repair_limit,
        }
    )
    return CheckedRequest(filled, tuple(Warned(code="model_name", message=message) for message in warnings))


def _resolve(
    name: str,
    field: str,
    settings: Settings,
    registry: Registry,
    configured: tuple[str, ...],
    warnings: list[str],
) -> str:
    resolved = registry.resolve(name)
    warnings.extend(warning for warning in resolved.warnings if warning not in warnings)
    model, name = resolved.card.name, resolved.card.provider
    if name in configured:
        return model
    provider = settings.providers.get(name)
    if provider is not None and provider.wire == "local":
        remedy = embedded_model_files(settings).remedy() or "`ai3 down`, then try again"
        raise MissingKey(f"{model} is not installed: {remedy}", field)
    variable = provider.api_key_env if provider is not None else None
    remedy = f"set {variable}" if variable else f"configure [providers.{name}]"
    raise MissingKey(f"no key for {model}: {remedy}", field)
