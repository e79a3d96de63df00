"""What a new server takes from the store about runs that are over, so that it decides as the old one would have."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from asyncflow.core.commands import SaveRun, SaveTask
from asyncflow.core.messages import Parsed
from asyncflow.core.specs import DagSpec
from asyncflow.core.states import RunType
from asyncflow.engine.history import dates_ahead, finished_runs
from asyncflow.store.database import Store
from tests.core.simulate import DAY, START, Game, a_dag, a_task, failed, success

pytestmark = pytest.mark.anyio


@pytest.fixture
async def store(tmp_path: Path, anyio_backend: str) -> AsyncIterator[Store]:
    async with await Store.open(tmp_path / "asyncflow.db", now=lambda: START) as opened:
        yield opened


async def stored(store: Store, spec: DagSpec, runs: dict[int, Any], **trigger: Any) -> None:
    """Play the runs of these days, each with an outcome for its tasks."""
    await store.save_dags("f.py", [(spec, "v1")], parsed=Parsed(host_id="h", file="f.py"), now=START)
    game = Game(spec)
    for number, outcome in runs.items():
        game.trigger(number, **trigger)
        game.play(dict.fromkeys(spec.tasks, outcome))
    rows = [*(SaveRun(run=run) for run in game.runs.values()), *(SaveTask(ti=ti) for ti in game.rows.values())]
    await store.commit(rows)


PAST = a_dag(a_task("a", depends_on_past=True))


async def test_a_dag_that_does_not_look_back_needs_nothing(store: Store) -> None:
    spec = a_dag(a_task("a"))
    await stored(store, spec, {0: success()})
    assert await finished_runs(store, spec) == []


async def test_the_newest_finished_run_is_brought(store: Store) -> None:
    await stored(store, PAST, {0: success(), 1: failed()})
    found = await finished_runs(store, PAST)
    assert [(run.run_id, [ti.state for ti in tis]) for run, tis in found] == [("run1", ["failed"])]


async def test_a_next_run_waits_for_a_past_that_failed_before_the_restart(store: Store) -> None:
    await stored(store, PAST, {0: failed()})
    game = Game(tokens="second")
    for run, tis in await finished_runs(store, PAST):
        game.runs["dag", run.run_id] = run.__copy__()
        game.rows.update({ti.key: ti.__copy__() for ti in tis})
        game.world.load_run(run, tis, game.now, history=True)
    game.world.put_dag(PAST, "v1", paused=False, now=game.now)
    game.trigger(1)
    game.turn()
    assert game.row("a", "run1").state == "none"


async def test_the_run_before_one_that_is_about_to_be_made_is_brought(store: Store) -> None:
    await stored(store, PAST, {0: success(), 5: success()})
    found = await finished_runs(store, PAST, before=START + 3 * DAY)
    assert sorted(run.run_id for run, _ in found) == ["run0", "run5"]


async def test_with_catchup_manual_runs_are_passed_over(store: Store) -> None:
    spec = a_dag(a_task("a", depends_on_past=True), catchup=True)
    await stored(store, spec, {0: success()}, run_type=RunType.MANUAL)
    found = await finished_runs(store, spec, before=START + DAY)
    assert [run.run_id for run, _ in found] == ["run0"]  # only as the newest, not as the run before


async def test_dates_of_manual_runs_ahead_are_known(store: Store) -> None:
    spec = a_dag(a_task("a"))
    await stored(store, spec, {2: success(), 7: success()}, run_type=RunType.MANUAL)
    assert await dates_ahead(store, spec, START + 3 * DAY) == [START + 7 * DAY]
    assert len(await dates_ahead(store, spec, None)) == 2
