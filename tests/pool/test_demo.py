"""A demo model is routed to only when it is named or alone."""

from ai3ray.domain.lease import LeaseRequest, Refusal
from ai3ray.pool.pool import ProviderPool
from ai3ray.registry.registry import Registry
from ai3ray.settings.load import load_settings


def pool(tmp_path, *configured):
    settings = load_settings(env={"AI3_HOME": str(tmp_path)}, cwd=tmp_path)
    ids = iter(range(100))
    return ProviderPool(
        Registry.load(settings), settings, configured, clock=lambda: 0.0, new_id=lambda: f"att_{next(ids)}"
    )


def request(name):
    return LeaseRequest(request_id=name, run_id="run")


def ask(pool, request, **fields):
    return pool.lease(request._replace(**{"run_limit": 100, **fields}))


def test_calls_that_name_no_model_never_see_it_beside_others(tmp_path):
    candidate_index = pool(tmp_path, "local", "xai")
    lease = ask(candidate_index, request("1"))
    assert lease.provider == "xai"
    assert not any(candidate.model.startswith("local/") for candidate in lease.candidates)
    excluded = tuple(candidate.model for candidate in lease.candidates)
    assert isinstance(ask(candidate_index, request("2"), exclude=excluded), Refusal)


def test_named_it_is_called_beside_others_and_unnamed_alone(tmp_path):
    named = ask(pool(tmp_path, "local", "xai"), request("1"), models=("local/smollm2-135m",))
    alone = ask(pool(tmp_path, "local"), request("1"))
    assert named.model == alone.model == "local/smollm2-135m"
    assert ask(pool(tmp_path, "local"), request("1"), budget_usd=0.01).model == "local/smollm2-135m"


def test_it_takes_two_calls_at_a_time(tmp_path):
    candidate_index = pool(tmp_path, "local")
    assert [ask(candidate_index, request(str(n))) is None for n in range(3)] == [False, False, True]
