"""What the health page makes of the server's figures."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from asyncflow.core.census import Census, Group
from asyncflow.core.models import TaskKey
from asyncflow.dagfiles.loader import Progress
from asyncflow.engine.measures import Process
from asyncflow.engine.monitor import BARS, Bar, Jump, Lag
from asyncflow.engine.server_pages import Alarms, Vitals
from asyncflow.web import health_view as view
from asyncflow.web.i18n import Language

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
EN = Language("en")
WELL = Alarms(None, 100_000_000_000, 50_000_000_000, None)
KEY = TaskKey("etl", "run/1", "load", 3)


def vitals(*groups: Group, **changed: Any) -> Vitals:
    """A server that is well."""
    given: dict[str, Any] = {
        "now": NOW,
        "started_at": NOW - timedelta(hours=1),
        "lag": Lag(0.0001, 0.002, 0.02),
        "worst_lag": 0.3,
        "history": [],
        "alarms": WELL,
        "census": Census(list(groups), False, 1, 8),
        "inbox": 0,
        "callbacks_due": 0,
        "late_runs": 0,
        "backfills": 0,
        "starts": Lag(0.001, 0.002, 0.003),
        "writes": Lag(0.001, 0.002, 0.003),
        "database": 1,
        "wal": 0,
        "home": Path("/home"),
        "processes": [Process("server", "", "", 1, 9, 8, (), 0), Process("zygote", "", "", 2, 9, 8, (), 0)],
        "start_mode": "fork",
        "slots": 8,
        "folder": Path("/dags"),
        "folder_exists": True,
        "progress": Progress(1, (), 0, 0, frozenset(), True),
        "last_load": None,
        "import_errors": 0,
        "last_event": None,
        "seq": 0,
        **changed,
    }
    return Vitals(**given)


def group(kind: str, name: str = "", number: int = 1, ago: float | None = None) -> Group:
    return Group(kind, name, number, None if ago is None else NOW - timedelta(seconds=ago), KEY)


def test_a_server_that_is_well_has_no_problems() -> None:
    assert view.problems(vitals(group("next", ago=2), group("upstream")), EN) == []


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"alarms": WELL._replace(trouble="The disk is full.")}, "The disk is full."),
        ({"lag": Lag(0.1, 0.25, 1)}, "The event loop is slow: every hundredth turn came 0.25 s late or more."),
        ({"alarms": WELL._replace(disk_free=900_000_000)}, "The disk has only 900 MB left."),
        ({"alarms": WELL._replace(disk_free=4_000_000_000)}, "The disk has only 4.0 GB left."),
        (
            {"alarms": WELL._replace(jump=Jump(NOW, 3600))},
            "The clock of this machine jumped 1 h ahead: it was set, or the machine slept.",
        ),
        ({"alarms": WELL._replace(jump=Jump(NOW, -90))}, "The clock of this machine was set back by 1 min 30 s."),
        ({"processes": []}, "The process that DAG hosts are forked from does not run; it is being started."),
        ({"folder_exists": False}, "The DAG folder /dags does not exist."),
        ({"import_errors": 2}, "2 DAG files cannot be loaded."),
        ({"late_runs": 1}, "1 active run has missed its deadline."),
    ],
)
def test_what_needs_attention_is_a_sentence(changed: dict[str, Any], sentence: str) -> None:
    assert [problem.words for problem in view.problems(vitals(**changed), EN)] == [sentence]


def test_spawned_hosts_need_no_zygote() -> None:
    assert view.problems(vitals(processes=[], start_mode="spawn"), EN) == []


def test_an_instance_that_does_not_start_needs_attention() -> None:
    (problem,) = view.problems(vitals(group("next", ago=90)), EN)
    assert problem.words == "etl.load[3] should have started 1 min 30 s ago."
    assert problem.href == "/dags/etl/runs/run%2F1/tasks/load?map_index=3"


def test_every_kind_of_waiting_has_words() -> None:
    lines = view.wait_lines(vitals(*(group(kind, "{odd} <name>", ago=5) for kind in view.REASONS)), EN)
    assert len({line.words for line in lines}) == len(view.REASONS)
    assert lines[5].words == "pool {odd} <name> has too few open slots"
    assert (lines[0].seconds, lines[0].href) == (5, "/dags/etl/runs/run%2F1/tasks/load?map_index=3")
    assert view.wait_lines(vitals(group("upstream")), EN)[0].seconds is None


def test_processes_with_work_come_first_and_lists_are_bounded() -> None:
    keys = [TaskKey("d", "r", f"t{number}") for number in range(5)]
    hosts = [Process("host", f"{n}.py", "import", n + 10, 1000 * n, 0, (), 0) for n in range(200)]
    busy = Process("host", "busy.py", "loop", 0, 0, 0, keys, 5_000_000)
    lines = view.process_lines(vitals(processes=[Process("server", "", "", 1, 9, 8, (), 0), *hosts, busy]), EN)
    assert len(lines) == 100
    assert [line.name for line in lines[:3]] == ["asyncflow serve", "busy.py", "199.py"]
    assert (lines[1].pid, lines[1].memory, lines[1].task_memory) == ("starting", "", "5.0 MB")
    assert ([name for name, _ in lines[1].tasks], lines[1].more) == (["d.t0", "d.t1", "d.t2"], 2)


def test_a_host_of_no_file_runs_triggers() -> None:
    (line,) = view.process_lines(vitals(processes=[Process("host", "", "loop", 3, 1, 1, (), 0)]), EN)
    assert (line.name, line.kind) == ("triggers of packages", "triggers and async tasks")


def test_the_chart_is_logarithmic_and_ends_at_the_right() -> None:
    history = [Bar(NOW, Lag(0, 0.001, seconds)) for seconds in (0.00001, 0.01, 50)]
    columns = view.chart(history, EN)
    assert [column.x for column in columns] == [view.WIDTH - step * view.STEP for step in (3, 2, 1)]
    assert [column.y for column in columns] == [view.HEIGHT, view.HEIGHT / 2, 0]
    assert columns[1].height == view.HEIGHT / 2
    assert columns[1].title == "12:00:00 UTC: 1.0 ms, at most 10 ms"
    assert view.chart([Bar(NOW, Lag(0, 0, 0))] * BARS, EN)[0].x == view.LEFT
    assert [label for _, label in view.lines()] == ["1 ms", "10 ms", "100 ms", "1 s"]
