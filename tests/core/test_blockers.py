"""What an instance waits for, by name."""

from __future__ import annotations

from datetime import timedelta

from asyncflow.core.blockers import Blockers
from asyncflow.core.models import Pool, TaskKey
from tests.core.simulate import START, Game, a_dag, a_task, failed
from tests.core.test_why import started


def waits_for(game: Game, task_id: str, run_id: str = "run0") -> Blockers:
    return game.world.blockers(TaskKey("dag", run_id, task_id, -1), game.now)


def key(task_id: str) -> TaskKey:
    return TaskKey("dag", "run0", task_id, -1)


def test_what_runs_has_not_begun_or_is_unknown_waits_for_nobody() -> None:
    game = started(a_task("a", retries=1, retry_delay=timedelta(hours=1)))
    assert waits_for(game, "nobody") == Blockers()
    assert waits_for(game, "a") == Blockers()
    game.end(game.start("a"), failed())
    game.turn()
    assert waits_for(game, "a") == Blockers(), "it waits for its time"
    game.trigger(9, run_after=START + timedelta(days=1))
    assert waits_for(game, "a", "run9") == Blockers()


def test_upstream_that_is_open() -> None:
    game = started(a_task("a"), a_task("c"), a_task("b", upstream=["a", "c"]))
    assert waits_for(game, "b").tasks == (key("a"), key("c"))
    game.world.set_paused("dag", True, game.now)
    assert waits_for(game, "b") == Blockers(), "the DAG is paused"


def test_a_full_pool() -> None:
    game = Game(a_dag(a_task("a", pool="p"), a_task("b", pool="p")))
    game.world.put_pool(Pool(name="p", slots=1))
    game.trigger()
    game.turn()
    assert waits_for(game, "b") == Blockers(tasks=(key("a"),), pool="p")


def test_slots_of_the_dag_and_of_the_executor() -> None:
    assert waits_for(started(a_task("a"), a_task("b"), max_active_tasks=1), "b").tasks == (key("a"),)
    game = started(a_task("a"), a_task("b"), parallelism=1)
    assert waits_for(game, "b").tasks == (key("a"),)
    game.end(game.start("a"))
    assert waits_for(game, "b") == Blockers(), "its turn comes now"


def test_runs_that_are_before_it() -> None:
    game = started(a_task("a"), runs=3, max_active_runs=2)
    assert waits_for(game, "a", "run2").runs == (("dag", "run0"), ("dag", "run1"))
