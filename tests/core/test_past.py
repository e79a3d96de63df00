"""depends_on_past and wait_for_downstream."""

from __future__ import annotations

from typing import Any

from asyncflow.core.past import history_wanted
from asyncflow.core.specs import DagSpec
from asyncflow.core.states import RunType
from tests.core.simulate import DAY, START, Game, a_dag, a_task, failed, skipped, success


def past_dag(**fields: Any) -> DagSpec:
    dag = {name: fields.pop(name) for name in ("catchup",) if name in fields}
    return a_dag(a_task("a", depends_on_past=True, **fields), a_task("b", upstream=["a"]), **dag)


def by_run(**outcomes: Any) -> Any:
    return lambda ti: outcomes.get(ti.run_id, success())


def test_a_run_waits_for_the_one_before() -> None:
    game = Game(past_dag())
    game.trigger(0)
    game.trigger(1)
    game.turn()
    assert (game.row("a", "run0").state, game.row("a", "run1").state) == ("queued", "none")
    game.end(game.start("a"))
    game.turn()
    assert game.row("a", "run1").state == "queued"


def test_skipped_counts_as_good() -> None:
    game = Game(past_dag())
    game.trigger(0)
    game.trigger(1)
    game.play({"a": by_run(run0=skipped())})
    assert game.run_state("run1") == "success"


def test_a_past_that_failed_keeps_the_run_running_for_good() -> None:
    game = Game(past_dag())
    game.trigger(0)
    game.trigger(1)
    game.play({"a": by_run(run0=failed())})
    assert game.states("run1") == {"a": "none", "b": "none"}
    assert game.run_state("run1") == "running"


def test_until_the_past_is_mended() -> None:
    game = Game(past_dag())
    game.trigger(0)
    game.trigger(1)
    game.play({"a": by_run(run0=failed())})
    game.world.clear("dag", run_ids=["run0"], now=game.now)
    game.play()
    assert game.run_state("run0") == game.run_state("run1") == "success"


def test_wait_for_downstream_waits_for_what_is_below_in_the_run_before() -> None:
    game = Game(past_dag(wait_for_downstream=True))
    game.trigger(0)
    game.trigger(1)
    game.turn()
    game.end(game.start("a"))
    game.turn()
    assert game.row("a", "run1").state == "none"
    game.end(game.start("b"))
    game.turn()
    assert game.row("a", "run1").state == "queued"


def test_with_catchup_manual_runs_do_not_count() -> None:
    for catchup, state in ((True, "queued"), (False, "none")):
        game = Game(past_dag(catchup=catchup))
        game.trigger(0, run_type=RunType.MANUAL)
        game.trigger(1)
        game.turn()
        assert game.row("a", "run1").state == state


def test_with_catchup_a_run_before_the_tasks_start_does_not_count() -> None:
    for catchup, state in ((True, "queued"), (False, "none")):
        game = Game(past_dag(catchup=catchup, start_date=START + DAY))
        game.trigger(0, run_type=RunType.BACKFILL)
        game.trigger(1)
        game.turn()
        assert game.row("a", "run1").state == state


def test_a_run_without_a_logical_date_has_no_past() -> None:
    game = Game(past_dag())
    game.trigger(0)
    game.trigger(1, logical_date=None, data_interval=None)
    game.turn()
    assert game.row("a", "run1").state == "queued"
    game.end(game.token_of("a", "run1"))
    game.turn()
    assert game.row("b", "run1").state == "queued"


def test_a_new_task_starts_though_the_run_before_did_not_have_it() -> None:
    for ignore, state in ((True, "queued"), (False, "none")):
        game = Game(a_dag(a_task("b")))
        game.trigger(0)
        game.play()
        game.world.put_dag(past_dag(ignore_first_depends_on_past=ignore), "v2", paused=False, now=game.now)
        game.trigger(1)
        game.turn()
        assert game.row("a", "run1").state == state


def test_a_task_that_was_away_for_a_run_waits() -> None:
    game = Game(past_dag())
    game.trigger(0)
    game.play()
    game.world.put_dag(a_dag(a_task("b")), "v2", paused=False, now=game.now)
    game.trigger(1)
    game.play()
    game.world.put_dag(past_dag(), "v3", paused=False, now=game.now)
    game.trigger(2)
    game.turn()
    assert game.row("a", "run2").state == "none"


def test_a_dag_says_how_much_history_its_rules_look_at() -> None:
    assert history_wanted(a_dag(a_task("a"))) == 0
    assert history_wanted(past_dag()) == 1
    assert history_wanted(a_dag(a_task("a"), max_consecutive_failed_dag_runs=3)) == 3


def test_skipping_waits_for_the_past_only_if_asked() -> None:
    for wait, state in ((False, "skipped"), (True, "none")):
        task = a_task("b", upstream=["a"], depends_on_past=True, wait_for_past_depends_before_skipping=wait)
        game = Game(a_dag(a_task("a"), task))
        game.trigger(0)
        game.trigger(1)
        game.turn()
        game.end(game.token_of("a", "run1"), skipped())
        game.turn()
        assert game.row("b", "run1").state == state
        game.play()
        assert game.row("b", "run1").state == "skipped"
