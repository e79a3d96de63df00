"""Deleting runs."""

from __future__ import annotations

from datetime import timedelta

import pytest

from asyncflow.core.models import BackfillDate, BackfillOptions
from asyncflow.core.states import RunState
from asyncflow.errors import Conflict, NotFound
from tests.core.simulate import DAY, START, Game, a_dag, a_task, again

CHAIN = a_dag(a_task("a"), a_task("b", upstream=["a"]))


def delete(game: Game, run_id: str = "run0") -> None:
    game.world.remove_run("dag", run_id, now=game.now, actor="ui")
    game.turn()


def test_a_finished_run_is_gone_with_its_instances() -> None:
    game = Game(CHAIN)
    game.trigger()
    game.trigger(1)
    game.play()
    delete(game)
    assert [run_id for _, run_id in game.runs] == ["run1"]
    assert {key.run_id for key in game.rows} == {"run1"}
    assert game.world.run("dag", "run0") is None
    line = game.journal[-1]
    assert (line.event, line.run_id, line.before, line.actor) == ("run.deleted", "run0", "success", "ui")


def test_its_logical_date_is_free_again() -> None:
    game = Game(CHAIN)
    game.trigger()
    game.play()
    assert game.world.has_run_at("dag", START)
    delete(game)
    assert not game.world.has_run_at("dag", START)
    assert game.trigger() == "run0"
    game.play()
    assert game.run_state() == "success"


def test_a_run_without_a_logical_date_is_deleted() -> None:
    game = Game(CHAIN)
    game.trigger(logical_date=None, data_interval=None)
    game.play()
    delete(game)
    assert not game.runs


def test_a_running_run_is_refused() -> None:
    game = Game(CHAIN)
    game.trigger()
    game.turn()
    with pytest.raises(Conflict, match="is running"):
        delete(game)
    assert game.run_state() == "running"


def test_a_queued_run_is_deleted_and_another_one_goes_on() -> None:
    game = Game(a_dag(a_task("a"), max_active_runs=1))
    game.trigger()
    game.trigger(1)
    game.turn()
    assert game.run_state("run1") == "queued"
    delete(game, "run1")
    game.play()
    assert game.run_state("run0") == "success"
    assert ("dag", "run1") not in game.runs


def test_a_queued_run_with_a_process_is_refused() -> None:
    game = Game(CHAIN)
    game.trigger()
    game.turn()
    game.world.set_run_state("dag", "run0", RunState.QUEUED, now=game.now)
    with pytest.raises(Conflict, match="are at work"):
        delete(game)


def test_what_waits_for_a_slot_or_a_poke_leaves_its_queue() -> None:
    game = Game(a_dag(a_task("a"), a_task("poke")), parallelism=1)
    game.trigger()
    game.turn()
    running = next(iter(game.launched))
    game.end(running, again(timedelta(hours=1)))
    game.turn()
    other = next(token for token in game.launched)
    game.end(other, again(timedelta(hours=1)))
    game.turn()
    game.world.set_paused("dag", True, game.now)
    game.world.set_run_state("dag", "run0", RunState.QUEUED, now=game.now)
    delete(game)
    game.world.set_paused("dag", False, game.now)
    game.advance(timedelta(hours=2))
    game.turn()
    assert not game.launched
    assert game.world.pool_usage()["default_pool"]["open"] == 128


def test_one_that_waits_in_the_queue_is_withdrawn() -> None:
    game = Game(a_dag(a_task("a"), max_active_tasks=0))
    game.trigger()
    game.turn()
    assert game.states("run0") == {"a": "scheduled"}
    game.world.set_paused("dag", True, game.now)
    game.world.set_run_state("dag", "run0", RunState.QUEUED, now=game.now)
    delete(game)
    assert game.world.pool_usage()["default_pool"]["scheduled"] == 0


def test_a_run_of_a_backfill_under_way_is_refused() -> None:
    game = Game(CHAIN, paused=True)
    dates = [BackfillDate(START + n * DAY, START + n * DAY, START + (n + 1) * DAY) for n in range(2)]
    options = BackfillOptions(start=START, end=START + DAY, max_active_runs=1)
    game.world.backfill("dag", options, dates, backfill_id=1, now=game.now)
    game.turn()
    (run_id,) = (run_id for _, run_id in game.runs)
    game.world.set_run_state("dag", run_id, RunState.QUEUED, now=game.now)
    with pytest.raises(Conflict, match="backfill"):
        delete(game, run_id)


def test_a_dry_run_only_says_whether_it_would_be_refused() -> None:
    game = Game(CHAIN)
    game.trigger()
    game.turn()
    with pytest.raises(Conflict, match="is running"):
        game.world.remove_run("dag", "run0", dry_run=True, now=game.now)
    game.play()
    game.world.remove_run("dag", "run0", dry_run=True, now=game.now)
    assert not game.turn().writes


def test_an_unknown_run_is_named() -> None:
    with pytest.raises(NotFound, match="nope"):
        delete(Game(CHAIN), "nope")
