"""Backfills that are paused, and those that choose by the state of the runs that are there."""

from __future__ import annotations

import pytest

from asyncflow.core.states import Reprocess, RunState
from tests.core.simulate import Game, failed
from tests.core.test_backfill import a_game, begin, end_of, name


def test_paused_it_makes_no_more_until_it_is_resumed() -> None:
    game = a_game()
    begin(game, 3, max_active_runs=1)
    game.turn()
    assert game.world.pause_backfill(1, True, now=game.now)
    game.play()
    assert [run.run_id for run in game.runs.values()] == [name(0)]
    assert game.run_state(name(0)) == "success"
    assert game.world.pause_backfill(1, False, now=game.now)
    game.play()
    assert len(game.runs) == 3
    assert end_of(game) == ("success", "")


def test_paused_twice_is_said_once() -> None:
    game = a_game()
    begin(game, 3, max_active_runs=1)
    game.turn()
    for _ in range(2):
        assert game.world.pause_backfill(1, True, now=game.now, actor="ann")
    game.turn()
    assert [line.actor for line in game.journal if line.event == "backfill.paused"] == ["ann"]


def test_what_has_ended_can_not_be_paused() -> None:
    game = a_game()
    begin(game, 1)
    game.play()
    assert not game.world.pause_backfill(1, True, now=game.now)


def test_a_paused_one_can_be_cancelled() -> None:
    game = a_game()
    begin(game, 3, max_active_runs=1)
    game.turn()
    game.world.pause_backfill(1, True, now=game.now)
    game.world.cancel_backfill(1, now=game.now, actor="ann")
    game.play()
    assert end_of(game) == ("cancelled", "cancelled by ann")


def _with_runs() -> Game:
    """Day 0 succeeded, day 1 failed, day 2 is queued (its DAG is paused)."""
    game = a_game(paused=False)
    for day in (0, 1):
        game.trigger(day)
        game.turn()
        game.end(game.token_of("a", f"run{day}"), failed() if day else None)
        game.turn()
    game.world.set_paused("dag", True, game.now)
    game.trigger(2)
    game.turn()
    return game


@pytest.mark.parametrize(
    ("which", "again", "left"),
    [
        (Reprocess.NONE, [], ["run0", "run1", "run2"]),
        (Reprocess.FAILED, ["run1"], ["run0", "run2"]),
        (Reprocess.COMPLETED, ["run0", "run1"], ["run2"]),
    ],
)
def test_runs_that_are_there_run_again_by_their_state(which: Reprocess, again: list[str], left: list[str]) -> None:
    game = _with_runs()
    plan = begin(game, 4, reprocess=which)
    assert (sorted(run.run_id for run in plan.existing.values()), [run.run_id for run in plan.left]) == (again, left)
    assert sorted({key.run_id for key in plan.cleared}) == again
    game.play()
    assert game.run_state(name(3)) == "success"
    assert game.run_state("run2") == "queued"
    assert game.run_state("run1") == ("failed" if which is Reprocess.NONE else "success")


def test_when_every_run_is_there_nothing_is_begun() -> None:
    game = _with_runs()
    plan = begin(game, 2, reprocess=Reprocess.NONE)
    assert "are there already" in plan.refused
    assert not plan.dates


def test_without_a_date_nothing_is_begun() -> None:
    assert "no run between" in begin(a_game(), 0, reprocess=Reprocess.FAILED).refused


def test_a_run_that_was_made_meanwhile_is_left_alone() -> None:
    game = a_game()
    begin(game, 2, max_active_runs=1, reprocess=Reprocess.NONE)
    game.turn()
    game.trigger(1)
    game.play()
    assert game.run_state(name(0)) == "success"
    assert game.run_state("run1") == RunState.QUEUED
    assert end_of(game) == ("success", "")
