"""The world as a whole: runs from their creation to their end."""

from __future__ import annotations

from tests.core.simulate import Game, a_dag, a_task, failed


def test_linear_dag_runs_in_order_to_success() -> None:
    game = Game(a_dag(a_task("a"), a_task("b", upstream=["a"]), a_task("c", upstream=["b"])))
    game.trigger()
    game.play()
    assert game.states() == {"a": "success", "b": "success", "c": "success"}
    assert game.run_state() == "success"
    assert [j.task_id for j in game.journal if j.event == "task.queued"] == ["a", "b", "c"]


def test_failure_fails_everything_below() -> None:
    game = Game(a_dag(a_task("a", retries=1), a_task("b", upstream=["a"]), a_task("c", upstream=["b"])))
    game.trigger()
    game.play({"a": failed()})
    assert game.states() == {"a": "failed", "b": "upstream_failed", "c": "upstream_failed"}
    assert game.tries_of() == {"a": 2, "b": 0, "c": 0}
    assert game.run_state() == "failed"
