"""Fixtures that every test may use."""

from __future__ import annotations

#: a project of its own, whose tests run in an environment of its own (tests/acceptance/test_users_project.py)
collect_ignore = ["acceptance/movies"]
