"""Counts of what asks for attention."""

from __future__ import annotations

import pytest

from asyncflow.core.commands import SaveCallBack, SaveRun, SaveSlaMiss
from asyncflow.core.messages import ImportFailure
from asyncflow.core.models import DagRun
from asyncflow.core.states import RunState
from asyncflow.store.database import Store
from tests.store.builders import NOW

pytestmark = pytest.mark.anyio


async def test_what_is_open_is_counted_and_what_is_over_is_not(store: Store) -> None:
    assert await store.attention() == (0, 0, 0, 0)
    states = ((RunState.RUNNING, None), (RunState.SUCCESS, NOW))
    runs = [
        DagRun(dag_id="d", run_id=str(state), state=state, run_after=NOW, started_at=NOW, ended_at=end)
        for state, end in states
    ]
    misses = [
        SaveSlaMiss(dag_id="d", run_id=run.run_id, task_id=task_id, deadline=NOW, missed_at=NOW)
        for run in runs
        for task_id in ("a", "b")
    ]
    due = [SaveCallBack(callback_id=name, payload={}) for name in ("one", "two")]
    await store.commit([*(SaveRun(run=run) for run in runs), *misses, *due])
    await store.callback_done("one", NOW, None)
    await store.save_import_error("a.py", ImportFailure(file="a.py", message="no"), NOW)
    assert await store.attention() == (1, 1, 1, 0)
