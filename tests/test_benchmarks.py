"""The benchmark itself runs, on loads small enough for a test."""

from __future__ import annotations

import pytest

from benchmarks import run, virtual_time, workloads
from benchmarks.server import Server

pytestmark = pytest.mark.slow


def test_a_small_workload_gives_figures() -> None:
    load = workloads.fan_out(3)
    with Server() as server:
        server.put(load.files)
        server.wait_for_dags(load.dag_ids)
        figures = run.run_workload(server, load)
        assert server.cpu_seconds() > 0
    shown = figures.shown(limit=1000.0)
    assert shown["tasks"] == 5
    assert len(figures.handoffs_ms) == 1
    assert 0 < shown["handoff_median_ms"] < 5000
    table = run.table({"limit_forks_per_second": {"one_after_another": 1, "one_per_cpu": 2}, "workloads": [shown]})
    assert "fan-out of 3" in table


def test_virtual_time_is_measured() -> None:
    assert virtual_time.runs_per_second(2, execute=True, runs=20) > 1


def test_the_limit_of_the_machine_is_measured() -> None:
    assert run.machine_limit(1, seconds=0.05) > 1
