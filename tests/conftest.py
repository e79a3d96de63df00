"""Fixtures that every test may use."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# how fast the machine is today says nothing about the code
settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

#: a project of its own, whose tests run in an environment of its own (tests/acceptance/test_users_project.py)
collect_ignore = ["acceptance/movies"]
