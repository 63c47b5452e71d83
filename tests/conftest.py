"""Settings of Hypothesis for all tests: no time limits, since a busy machine can take any time."""

from hypothesis import HealthCheck, settings

settings.register_profile("refdot", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("refdot")
