"""What instances wait for, counted."""

from __future__ import annotations

from datetime import timedelta

import pytest

from asyncflow.core import census as module
from asyncflow.core.models import Pool, TaskKey
from tests.core.simulate import Game, a_dag, a_task, again, deferred, failed, started


def counts(game: Game) -> dict[tuple[str, str], int]:
    return {(group.kind, group.name): group.number for group in game.world.census().groups}


def test_nothing_waits() -> None:
    assert Game(a_dag(a_task("a"))).world.census().groups == []


def test_each_state_has_its_kind() -> None:
    names = ("starts", "runs", "defers", "retries", "pokes")
    game = started(*(a_task(name, retries=1) for name in names), a_task("after", upstream=["starts"]))
    game.start("runs")
    game.end(game.token_of("defers"), deferred())
    game.end(game.token_of("retries"), failed())
    game.end(game.token_of("pokes"), again(timedelta(minutes=1)))
    found = game.world.census()
    assert counts(game) == {(kind, ""): 1 for kind in ("starting", "running", "trigger", "retry", "sensor", "upstream")}
    assert (found.busy, found.slots, found.cut) == (2, 1000, False)
    running = next(group for group in found.groups if group.kind == "running")
    assert running.example == TaskKey("dag", "run0", "runs", -1)
    assert running.since == game.now


def test_the_pool_the_dag_and_the_task_limit() -> None:
    game = started(a_task("a", pool="none"), a_task("b"))
    assert counts(game)["pool", "none"] == 1
    assert counts(started(a_task("a"), a_task("b"), a_task("c"), max_active_tasks=1))["dag_limit", "dag"] == 2
    assert counts(started(a_task("a", max_active_tis_per_dag=1), runs=3))["task_limit", "dag"] == 2


def test_the_executor_and_the_event_loop() -> None:
    assert counts(started(a_task("a"), a_task("b"), parallelism=1)) == {("starting", ""): 1, ("slots", ""): 1}
    game = Game(a_dag(a_task("a", is_async=True), a_task("b", is_async=True)), async_concurrency=1)
    game.trigger(0)
    game.turn()
    assert counts(game) == {("starting", ""): 1, ("async_slots", ""): 1}


def test_what_has_ended_waits_for_nothing() -> None:
    game = started(a_task("a"), a_task("b", upstream=["a"]))
    game.end(game.token_of("a"))
    assert counts(game) == {("upstream", ""): 1}


def test_next_in_line() -> None:
    game = Game(a_dag(a_task("a"), a_task("b"), a_task("c", is_async=True)))
    game.world.put_pool(Pool(name="default_pool", slots=0))
    game.trigger(0)
    game.turn()
    assert counts(game) == {("pool", "default_pool"): 3}
    game.world.put_pool(Pool(name="default_pool", slots=128))
    assert counts(game) == {("next", ""): 3}


def test_runs_that_may_not_start_and_dags_that_are_paused() -> None:
    game = started(a_task("a"), a_task("b", upstream=["a"]), runs=2, max_active_runs=1)
    assert counts(game)["run", "dag"] == 2
    game.world.set_paused("dag", True, game.now)
    assert counts(game) == {("starting", ""): 1, ("paused", ""): 3}


def test_the_largest_comes_first_and_the_count_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    game = started(a_task("a", pool="none"), a_task("b", pool="none"), a_task("c"), runs=3)
    game.world.put_pool(Pool(name="other", slots=1))
    assert [(group.kind, group.number) for group in game.world.census().groups] == [("pool", 6), ("starting", 3)]
    monkeypatch.setattr(module, "MOST", 2)
    assert game.world.census().cut


def test_the_instance_of_a_token() -> None:
    game = started(a_task("a"), a_task("b"))
    assert game.world.instance_of(game.token_of("a")) == TaskKey("dag", "run0", "a", -1)
    game.end(game.token_of("b"), deferred())
    token = next(iter(game.world.live_tokens() - {game.token_of("a")}))
    assert game.world.instance_of(token) == TaskKey("dag", "run0", "b", -1)
    assert game.world.instance_of("nobody's") is None


def test_the_example_is_the_one_that_waits_for_longest() -> None:
    game = started(a_task("a", pool="none"), a_task("b", upstream=["a"]))
    game.world.set_paused("dag", True, game.now)
    (group,) = game.world.census().groups
    assert (group.kind, group.number, group.example.task_id, group.since) == ("paused", 2, "a", game.now)
