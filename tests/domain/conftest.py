"""Property tests on a shared machine: no deadline per example, and no examples kept between runs."""

from hypothesis import HealthCheck, settings

settings.register_profile("ai3ray", deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("ai3ray")
