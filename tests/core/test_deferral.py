"""Deferred instances: triggers start, fire, fail, time out, are stopped, and survive a restart; async tasks' places."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Literal

import pytest

from asyncflow.core.commands import (
    CallBack,
    ClearXComs,
    Journal,
    SaveXComs,
    StartTrigger,
    StopTrigger,
    TriggerEndedFact,
)
from asyncflow.core.models import Pool
from asyncflow.core.states import RunState, TaskState
from tests.core.simulate import SECOND, START, Game, a_dag, a_task, deferred, failed, name_of

DIRECT = {"classpath": "triggers.Ever", "kwargs": {}, "local": False, "method": "resume", "method_kwargs": {"x": 1}}


def waiting(timeout: float | None = None, *, dag: dict[str, Any] | None = None, **fields: Any) -> Game:
    """A game in which "a" is deferred."""
    game = Game(a_dag(a_task("a", **fields), a_task("b", upstream=("a",)), **dag or {}))
    game.trigger()
    game.turn()
    game.end(game.start("a"), deferred(timeout, y=2))
    game.turn()
    return game


def fire(game: Game, event: Any = "now", **fields: Any) -> None:
    token = game.row("a").token
    assert token is not None
    game.world.trigger_ended(TriggerEndedFact(token=token, at=game.now, event=event, **fields))
    game.turn()


def acts(game: Game, kind: type) -> list[Any]:
    return [act for act in game.acts if isinstance(act, kind)]


def test_the_trigger_starts_under_a_token_of_its_own() -> None:
    game = waiting()
    row = game.row("a")
    assert [(act.key, act.token) for act in acts(game, StartTrigger)] == [(row.key, row.token)]
    assert row.token not in game.launched
    assert row.token in game.world.live_tokens()
    assert row.trigger == {"classpath": "triggers.Ever", "kwargs": {"n": 1}, "local": False}


def test_an_event_goes_on_with_the_method_in_the_same_try() -> None:
    game = waiting()
    begun = game.row("a").started_at
    game.advance(5 * SECOND)
    fire(game, {"n": 7})
    row = game.row("a")
    assert (row.state, row.try_number) == (TaskState.QUEUED, 1)
    assert (row.next_method, row.next_kwargs) == ("resume", {"y": 2, "event": {"n": 7}})
    assert (row.trigger, row.trigger_timeout) == (None, None)
    game.start("a")
    assert game.row("a").started_at == begun
    assert game.row("a").first_poke_at == begun


def test_a_second_event_is_refused() -> None:
    game = waiting()
    token = game.row("a").token
    fire(game)
    game.world.trigger_ended(TriggerEndedFact(token=str(token), at=game.now, event=2))
    effects = game.turn()
    assert [w.event for w in effects.writes if isinstance(w, Journal)] == ["message.refused"]
    assert game.row("a").next_kwargs == {"y": 2, "event": "now"}


def test_a_broken_trigger_goes_on_with_a_failure() -> None:
    game = waiting()
    fire(game, error="Traceback: ...")
    row = game.row("a")
    assert row.next_method == "__fail__"
    assert row.next_kwargs == {"error": "Trigger failure", "traceback": "Traceback: ..."}


def test_a_retry_begins_with_execute_again() -> None:
    game = waiting(retries=1)
    fire(game, error="broken")
    game.end(game.start("a"), failed())
    game.turn()
    row = game.row("a")
    assert (row.state, row.try_number, row.next_method, row.next_kwargs) == (TaskState.QUEUED, 2, None, None)


@pytest.mark.parametrize(
    ("timeout", "execution_timeout", "after"),
    [
        (10, None, 10),
        (None, timedelta(seconds=20), 20),
        (10, timedelta(seconds=20), 10),
        (30, timedelta(seconds=20), 20),
    ],
)
def test_the_timeout_is_the_triggers_or_the_tasks(
    timeout: float | None, execution_timeout: timedelta | None, after: int
) -> None:
    game = waiting(timeout, execution_timeout=execution_timeout)
    assert game.row("a").trigger_timeout == game.now + after * SECOND
    game.advance((after - 1) * SECOND)
    game.turn()
    assert game.row("a").state is TaskState.DEFERRED
    game.advance()
    game.turn()
    assert (game.row("a").next_method, game.row("a").next_kwargs) == ("__fail__", {"error": "Trigger timeout"})
    assert len(acts(game, StopTrigger)) == 1


def test_a_trigger_that_fired_has_no_timeout_any_more() -> None:
    game = waiting(10)
    fire(game)
    game.advance(11 * SECOND)
    game.turn()
    assert game.row("a").next_method == "resume"


@pytest.mark.parametrize("wish", ["clear", "mark", "run"])
def test_what_people_do_stops_the_trigger(wish: str) -> None:
    game = waiting()
    token = game.row("a").token
    if wish == "clear":
        game.world.clear("dag", run_ids=["run0"], task_ids=["a"], now=game.now)
    elif wish == "mark":
        game.world.mark("dag", run_ids=["run0"], task_ids=["a"], state=TaskState.SUCCESS, now=game.now)
    else:
        game.world.set_run_state("dag", "run0", RunState.FAILED, now=game.now)
    game.turn()
    assert [act.token for act in acts(game, StopTrigger)] == [token]
    expected = {"clear": TaskState.QUEUED, "mark": TaskState.SUCCESS, "run": TaskState.FAILED}
    assert game.row("a").state is expected[wish]
    assert game.row("a").trigger is None
    if wish == "clear":
        assert (game.row("a").try_number, game.row("a").next_method) == (2, None)


def test_a_restarted_server_starts_the_trigger_again() -> None:
    game = waiting(60)
    fresh = Game(a_dag(a_task("a"), a_task("b", upstream=("a",))))
    take_over(fresh, game)
    effects = fresh.world.drain()
    assert [(a.key, a.token) for a in effects.acts if isinstance(a, StartTrigger)] == [
        (game.row("a").key, game.row("a").token)
    ]
    assert fresh.world.next_wakeup() == game.now + 60 * SECOND


def test_a_task_that_left_the_dag_is_removed_when_its_trigger_fires() -> None:
    game = waiting()
    live = game.world.task_instance(game.row("a").key)
    assert live is not None
    game.world.put_dag(a_dag(a_task("b")), "v2", paused=False, now=game.now)
    game.turn()
    assert game.row("a").state is TaskState.REMOVED
    assert len(acts(game, StopTrigger)) == 1


def test_a_trigger_of_a_dag_that_nobody_knows_any_more_ends_its_task() -> None:
    game = waiting()
    fresh = Game()
    row = game.row("a")
    take_over(fresh, game)
    fresh.world.trigger_ended(TriggerEndedFact(token=str(row.token), at=game.now, event=1))
    ti = fresh.world.task_instance(row.key)
    assert ti is not None
    assert ti.state is TaskState.REMOVED


# ---- events that end the task


@pytest.mark.parametrize(
    ("end", "state", "callback"),
    [
        ("success", "success", "task_success"),
        ("failed", "failed", "task_failure"),
        ("skipped", "skipped", "task_skipped"),
    ],
)
def test_an_end_event_needs_no_process(end: Literal["success", "failed", "skipped"], state: str, callback: str) -> None:
    game = waiting(retries=3, callbacks=frozenset({"success", "failure", "skipped"}))
    launched = len(game.launched)
    token = game.row("a").token
    assert token is not None
    game.world.trigger_ended(TriggerEndedFact(token=token, at=game.now, end=end, xcoms={"k": "1"}))
    effects = game.turn()
    assert game.states()["a"] == state
    assert [w.values for w in effects.writes if isinstance(w, SaveXComs)] == [{"k": "1"}]
    assert [act.kind for act in acts(game, CallBack)] == [callback]
    assert len(game.launched) == launched + (end == "success")
    assert game.row("a").ended_at == game.now


def test_a_failing_end_event_without_callbacks_may_end_the_run() -> None:
    game = Game(a_dag(a_task("a"), a_task("c"), fail_fast=True))
    game.trigger()
    game.turn()
    game.end(game.start("a"), deferred())
    game.turn()
    fire(game, end="failed")
    assert game.states()["a"] == "failed"
    assert game.states()["c"] == "skipped"
    assert game.callbacks() == []


# ---- start_from_trigger


def direct(**fields: Any) -> Game:
    game = Game(a_dag(a_task("a", start_trigger=DIRECT, **fields)))
    game.trigger()
    game.turn()
    return game


def test_a_task_may_begin_in_its_trigger() -> None:
    game = direct()
    row = game.row("a")
    assert (row.state, row.try_number, row.started_at) == (TaskState.DEFERRED, 1, START)
    assert not game.launched
    fire(game, 5)
    assert game.row("a").next_kwargs == {"x": 1, "event": 5}
    assert len(game.launched) == 1


def test_its_retry_begins_there_again() -> None:
    game = direct(retries=1)
    fire(game)
    game.end(game.start("a"), failed())
    effects = game.turn()
    row = game.row("a")
    assert (row.state, row.try_number) == (TaskState.DEFERRED, 2)
    assert [type(w) for w in effects.writes if isinstance(w, ClearXComs)] == [ClearXComs]


# ---- async tasks


def crowd(number: int, *, parallelism: int, places: int, is_async: bool = True, **fields: Any) -> Game:
    tasks = [a_task(f"t{n}", is_async=is_async, **fields) for n in range(number)]
    game = Game(a_dag(*tasks, a_task("plain")), parallelism=parallelism, async_concurrency=places)
    game.trigger()
    game.turn()
    return game


def take_over(fresh: Game, game: Game) -> None:
    """What a restarted server does with the run of the earlier one."""
    run = game.world.run("dag", "run0")
    assert run is not None
    fresh.world.load_run(run, game.world.tasks_of("dag", "run0"), game.now)


def names(game: Game) -> list[str]:
    return sorted(name_of(ti) for ti in game.world.tasks_of("dag", "run0") if ti.state is TaskState.QUEUED)


def test_async_tasks_need_no_process() -> None:
    game = crowd(3, parallelism=1, places=10)
    assert names(game) == ["plain", "t0", "t1", "t2"]


def test_async_tasks_have_places_of_their_own() -> None:
    game = crowd(3, parallelism=1, places=2)
    assert names(game) == ["plain", "t0", "t1"]
    game.end(game.start("t0"))
    game.turn()
    assert names(game) == ["plain", "t1", "t2"]


def test_full_places_do_not_hold_up_processes() -> None:
    game = crowd(3, parallelism=1, places=0)
    assert names(game) == ["plain"]


def test_why_an_async_task_waits() -> None:
    game = crowd(2, parallelism=1, places=1)
    key = game.row("t1").key
    assert game.world.why(key, game.now) == "All 1 places for async tasks are taken."
    game.end(game.start("t0"))
    game.world.drain()
    assert game.world.why(key, game.now) == "It is next in line for a slot."


def test_pools_bound_async_tasks_too() -> None:
    game = Game(a_dag(*[a_task(f"t{n}", is_async=True, pool="p") for n in range(3)]))
    game.world.put_pool(Pool(name="p", slots=1))
    game.trigger()
    game.turn()
    assert names(game) == ["t0"]


def test_an_async_task_that_was_deferred_goes_on_in_a_process() -> None:
    game = Game(a_dag(a_task("a", is_async=True), a_task("z")), parallelism=1)
    game.trigger()
    game.turn()
    game.end(game.start("a"), deferred())
    game.turn()
    fire(game)
    assert game.row("a").state is TaskState.SCHEDULED
    assert game.world.why(game.row("a").key, game.now) == "All 1 executor slots are taken."


def test_places_are_counted_again_after_a_restart() -> None:
    game = crowd(3, parallelism=2, places=2)
    spec = game.world.dag("dag")
    assert spec is not None
    fresh = Game(spec, parallelism=2, async_concurrency=2, tokens="fresh")
    take_over(fresh, game)
    key = game.row("t2").key
    assert fresh.world.why(key, fresh.now) == "All 2 places for async tasks are taken."
    fresh.trigger(1)
    fresh.turn()
    assert [name for name, state in fresh.states("run1").items() if state == "queued"] == ["plain"]
