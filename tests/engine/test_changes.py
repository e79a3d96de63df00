from __future__ import annotations

from datetime import UTC, datetime

import pytest

from asyncflow.core.commands import Journal, SaveCallBack, SaveRun, SaveTask
from asyncflow.core.models import DagRun, TaskInstance
from asyncflow.engine.changes import KEPT, Changes

NOW = datetime(2026, 1, 1, tzinfo=UTC)
RUN = SaveRun(run=DagRun(dag_id="d", run_id="r", run_after=NOW))
TASK = SaveTask(ti=TaskInstance(dag_id="d", run_id="r2", task_id="t"))
PAUSED = Journal(at=NOW, event="dag.paused", dag_id="e")


def test_a_listener_hears_which_runs_and_dags_a_commit_was_about() -> None:
    changes, heard = Changes(), []
    stop = changes.listen(heard.append)
    changes.committed([RUN, TASK, PAUSED, SaveCallBack(callback_id="c", payload={})], 7)
    stop()
    changes.noted("f")
    assert heard == [{("d", "r"), ("d", "r2"), ("e", ""), ("", "")}]


def test_who_was_away_learns_what_happened_since() -> None:
    changes = Changes()
    changes.committed([RUN], 3)
    before = str(changes.mark)
    assert changes.since(before) == frozenset()
    changes.noted("f")
    changes.committed([TASK], 4)
    assert changes.since(before) == {("f", ""), ("d", "r2")}


def test_too_long_ago_is_not_known() -> None:
    changes = Changes()
    start = str(changes.mark)
    for _ in range(KEPT):
        changes.noted("d")
    assert changes.since(start) == {("d", "")}
    changes.noted("d")
    assert changes.since(start) is None


@pytest.mark.parametrize("text", ["", "nonsense", "0-1-2", "a-b-c", "--"])
def test_a_mark_of_another_server_is_not_known(text: str) -> None:
    assert Changes().since(text) is None


def test_a_commit_without_a_line_in_the_journal_is_told_too() -> None:
    changes = Changes()
    changes.committed([RUN], 3)
    before = str(changes.mark)
    changes.committed([TASK], 3)
    assert changes.since(before) == {("d", "r2")}
