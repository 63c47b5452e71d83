"""Settings for all tests: of Hypothesis, and of the signal that interrupts."""

import signal

from hypothesis import HealthCheck, settings

# No time limits: a busy machine can take any time.
settings.register_profile("refdot", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("refdot")
# A shell starts commands in the background with SIGINT ignored, which tests of interrupts need.
signal.signal(signal.SIGINT, signal.default_int_handler)
