"""Notes; undo of clear and mark."""

from __future__ import annotations

import copy

import pytest

from asyncflow.core.models import DagRun, TaskInstance, TaskKey
from asyncflow.core.states import RunState, TaskState
from asyncflow.errors import NotFound
from tests.core.simulate import Game, Script, a_dag, a_task, failed

CHAIN = a_dag(a_task("a"), a_task("b", upstream=["a"]), a_task("c", upstream=["b"]))


def key(task_id: str) -> TaskKey:
    return TaskKey("dag", "run0", task_id)


def played(script: Script | None = None) -> Game:
    game = Game(CHAIN)
    game.trigger()
    game.play(script)
    return game


def copies(game: Game) -> tuple[list[DagRun], list[TaskInstance]]:
    run = game.world.run("dag", "run0")
    assert run is not None
    return [copy.copy(run)], [copy.copy(ti) for ti in game.world.tasks_of("dag", "run0")]


def undo(game: Game, before: tuple[list[DagRun], list[TaskInstance]]) -> list[TaskKey]:
    return game.world.put_back(*before, now=game.now, actor="ui")


@pytest.mark.parametrize("script", [None, {"b": [failed()]}], ids=["success", "failed"])
def test_a_cleared_run_is_what_it_was(script: Script | None) -> None:
    game = played(script)
    before = copies(game)
    game.world.clear("dag", run_ids=["run0"], now=game.now)
    assert sorted(undo(game, before)) == [key("a"), key("b"), key("c")]
    assert copies(game) == before
    game.turn()
    assert copies(game) == before, "nothing starts again"


def test_what_waits_for_a_slot_goes_back_too() -> None:
    game = played()
    before = copies(game)
    game.world.set_paused("dag", True, game.now)
    game.world.clear("dag", run_ids=["run0"], now=game.now)
    game.turn()
    assert sorted(undo(game, before)) == [key("a"), key("b"), key("c")]
    assert copies(game) == before


def test_what_has_started_again_is_left_alone() -> None:
    game = played()
    before = copies(game)
    game.world.clear("dag", run_ids=["run0"], now=game.now)
    game.turn()
    game.start("a")
    assert sorted(undo(game, before)) == [key("b"), key("c")]
    game.turn()
    assert game.states()["a"] == "running"
    assert game.runs["dag", "run0"].state is RunState.RUNNING


def test_what_has_been_tried_since_is_left_alone() -> None:
    game = played()
    before = copies(game)
    game.world.clear("dag", run_ids=["run0"], now=game.now)
    game.play()
    assert undo(game, before) == []


def test_a_mark_that_ended_a_run_lets_it_go_on() -> None:
    game = Game(CHAIN)
    game.trigger()
    game.world.set_paused("dag", True, game.now)
    game.turn()
    before = copies(game)
    game.world.set_run_state("dag", "run0", RunState.FAILED, now=game.now)
    assert game.world.run("dag", "run0").state is RunState.FAILED  # type: ignore[union-attr]
    assert len(undo(game, before)) == 3
    game.world.set_paused("dag", False, game.now)
    game.play()
    assert game.states() == {"a": "success", "b": "success", "c": "success"}


def test_what_was_at_work_cannot_come_back() -> None:
    game = Game(CHAIN)
    game.trigger()
    game.turn()
    game.start("a")
    before = copies(game)
    game.world.mark("dag", run_ids=["run0"], task_ids=["a"], state=TaskState.FAILED, now=game.now)
    assert key("a") not in undo(game, before)
    gone = before[1][0]
    gone.task_id = "gone"
    assert undo(game, ([DagRun(dag_id="dag", run_id="none", run_after=game.now)], [gone])) == []


def test_notes_are_written_and_journaled() -> None:
    game = played()
    game.world.set_note("dag", "run0", "late", now=game.now, actor="ui")
    game.world.set_note("dag", "run0", "mine", task_id="a", now=game.now, actor="ui")
    game.turn()
    assert game.runs["dag", "run0"].note == "late"
    assert game.row("a").note == "mine"
    assert [(line.event, line.details) for line in game.journal[-2:]] == [
        ("run.note", {"note": "late"}),
        ("task.note", {"note": "mine"}),
    ]


@pytest.mark.parametrize(("run_id", "task_id"), [("none", None), ("run0", "none")])
def test_a_note_needs_something_to_be_on(run_id: str, task_id: str | None) -> None:
    game = played()
    with pytest.raises(NotFound):
        game.world.set_note("dag", run_id, "x", task_id=task_id, now=game.now)
