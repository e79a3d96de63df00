"""The world as a whole: runs from their creation to their end."""

from __future__ import annotations

from datetime import timedelta

import pytest

from asyncflow.core.commands import CallBack, NeedTimetable, RunEnded, SaveRun
from asyncflow.core.models import TaskKey
from asyncflow.core.specs import DagSpec
from asyncflow.core.states import RunType
from asyncflow.core.timetable import CronIntervalTimetable, CustomTimetable
from asyncflow.errors import Conflict, NotFound
from tests.core.simulate import DAY, START, Game, a_dag, a_task, failed, skipped, success


def chain(*names: str, **dag: object) -> DagSpec:
    pairs = zip((None, *names), names, strict=False)
    return a_dag(*[a_task(name, upstream=[before] if before else []) for before, name in pairs], **dag)


def test_linear_dag_runs_in_order_to_success() -> None:
    game = Game(chain("a", "b", "c"))
    game.trigger()
    game.play()
    assert game.states() == {"a": "success", "b": "success", "c": "success"}
    assert game.run_state() == "success"
    assert [j.task_id for j in game.journal if j.event == "task.queued"] == ["a", "b", "c"]
    assert RunEnded(dag_id="dag", run_id="run0", state="success") in game.acts


def test_failure_fails_everything_below() -> None:
    game = Game(a_dag(a_task("a", retries=1), a_task("b", upstream=["a"]), a_task("c", upstream=["b"])))
    game.trigger()
    game.play({"a": failed()})
    assert game.states() == {"a": "failed", "b": "upstream_failed", "c": "upstream_failed"}
    assert game.tries_of() == {"a": 2, "b": 0, "c": 0}
    assert game.run_state() == "failed"


def test_skip_runs_down_and_the_run_succeeds() -> None:
    game = Game(chain("a", "b"))
    game.trigger()
    game.play({"a": skipped()})
    assert game.states() == {"a": "skipped", "b": "skipped"}
    assert game.run_state() == "success"


def test_empty_tasks_need_no_process() -> None:
    game = Game(a_dag(a_task("a", is_empty=True), a_task("b", upstream=["a"], is_empty=True)))
    game.trigger()
    game.turn()
    assert game.states() == {"a": "success", "b": "success"}
    assert game.tries_of() == {"a": 1, "b": 1}
    assert game.run_state() == "success"
    assert not game.launched


def test_a_dag_without_tasks_succeeds_at_once() -> None:
    game = Game(a_dag())
    game.trigger()
    game.turn()
    assert game.run_state() == "success"


def test_planning_twice_with_no_new_fact_gives_nothing() -> None:
    game = Game(chain("a", "b"))
    game.trigger()
    game.turn()
    assert not game.turn()


def test_a_successor_starts_in_the_turn_that_sees_the_end() -> None:
    game = Game(chain("a", "b"))
    game.trigger()
    game.turn()
    game.end(game.start("a"))
    game.turn()
    assert [key.task_id for key in game.launched.values()] == ["b"]


def test_all_moves_of_a_turn_are_written_once_with_the_state_before() -> None:
    game = Game(chain("a"))
    game.trigger()
    effects = game.turn()
    saves = [write for write in effects.writes if type(write).__name__ == "SaveTask"]
    assert [(save.ti.state, save.expected) for save in saves] == [("queued", None)]
    assert [j.after for j in game.journal if j.task_id == "a"] == ["scheduled", "queued"]


def test_rows_handed_out_do_not_change_afterwards() -> None:
    game = Game(chain("a"))
    game.trigger()
    effects = game.turn()
    game.end(game.start("a"))
    saved = next(write.ti for write in effects.writes if type(write).__name__ == "SaveTask")
    assert saved.state == "queued"


# ---- creating runs


def test_run_id_and_logical_date_are_unique() -> None:
    game = Game(chain("a"))
    game.trigger(0)
    with pytest.raises(Conflict, match="already has the run 'run0'"):
        game.trigger(0)
    with pytest.raises(Conflict):
        game.trigger(0, run_id="other")
    with pytest.raises(Conflict):
        game.trigger(5, run_id="run0")


def test_runs_without_a_logical_date_do_not_conflict() -> None:
    game = Game(chain("a"))
    game.trigger(0, logical_date=None, data_interval=None, run_type=RunType.MANUAL)
    game.trigger(1, logical_date=None, data_interval=None, run_type=RunType.MANUAL)
    game.play()
    assert game.run_state("run0") == game.run_state("run1") == "success"
    assert game.runs["dag", "run0"].external_trigger


def test_an_unknown_dag_is_not_found_with_near_names() -> None:
    game = Game(chain("a", dag_id="sales"))
    with pytest.raises(NotFound, match="no DAG 'sale'. Did you mean 'sales'"):
        game.trigger(dag_id="sale")


def test_tasks_outside_their_own_dates_are_left_out() -> None:
    spec = a_dag(
        a_task("always"),
        a_task("later", start_date=START + DAY),
        a_task("earlier", end_date=START),
        a_task("below", upstream=["always", "later"], trigger_rule="all_done"),
    )
    game = Game(spec)
    game.trigger(0)
    game.trigger(1)
    game.trigger(2, run_type=RunType.BACKFILL)
    game.turn()
    assert set(game.states("run0")) == {"always", "earlier", "below"}
    assert set(game.states("run1")) == {"always", "later", "below"}
    assert set(game.states("run2")) == {"always", "later", "earlier", "below"}


def test_a_run_ahead_of_its_time_waits() -> None:
    game = Game(chain("a"))
    game.trigger(run_after=START + DAY)
    game.turn()
    assert game.run_state() == "queued"
    assert game.world.next_wakeup() == START + DAY
    game.play()
    assert game.now == START + DAY
    assert game.run_state() == "success"


def test_max_active_runs_holds_later_runs_back_in_order_of_date() -> None:
    game = Game(chain("a", max_active_runs=1))
    for number in (2, 0, 1):
        game.trigger(number)
    game.turn()
    assert [game.run_state(f"run{n}") for n in range(3)] == ["running", "queued", "queued"]
    game.play()
    started = [j.run_id for j in game.journal if j.event == "run.running"]
    assert started == ["run0", "run1", "run2"]


def test_the_version_of_its_time_is_noted_on_the_run() -> None:
    game = Game(chain("a"))
    game.trigger()
    game.turn()
    assert game.runs["dag", "run0"].version == "v1"


# ---- ends


@pytest.mark.parametrize(("outcome", "word"), [(success(), "success"), (failed(), "failure")])
def test_the_end_of_a_run_calls_the_dags_callbacks(outcome: object, word: str) -> None:
    game = Game(chain("a", callbacks=frozenset({"success", "failure"})))
    game.trigger()
    game.play({"a": outcome})
    reason = {"success": "success", "failure": "task_failure"}[word]
    assert game.callbacks() == [CallBack(kind=f"dag_{word}", dag_id="dag", run_id="run0", reason=reason)]


def test_a_run_that_nothing_can_wake_is_a_deadlock() -> None:
    spec = a_dag(a_task("a"), a_task("b", upstream=["a"]), a_task("c", upstream=["b"]))
    game = Game(spec)
    game.trigger()
    game.turn()
    without_a = a_dag(a_task("a", start_date=START + DAY), a_task("b", upstream=["a"]))
    game2 = Game(without_a)
    game2.trigger()
    game2.turn()
    assert game2.states() == {"b": "none"}
    assert game2.run_state() == "failed"
    assert game2.journal[-1].details == {"reason": "all_tasks_deadlocked"}


@pytest.mark.parametrize("limit", ["max_active_tis_per_dag", "max_active_tis_per_dagrun"])
def test_no_verdict_of_deadlock_while_something_outside_might_matter(limit: str) -> None:
    game = Game(a_dag(a_task("a", start_date=START + DAY), a_task("b", upstream=["a"], **{limit: 1})))
    game.trigger()
    game.play()
    assert game.run_state() == "running"


def test_a_run_that_takes_too_long_fails_and_skips_the_rest() -> None:
    game = Game(chain("first", "a", "b", dagrun_timeout=timedelta(hours=1), callbacks=frozenset({"failure"})))
    game.trigger()
    game.turn()
    game.end(game.start("first"))
    game.turn()
    token = game.start("a")
    game.turn()
    assert game.world.next_wakeup() == START + timedelta(hours=1)
    game.advance(timedelta(hours=1))
    game.turn()
    assert game.states() == {"first": "success", "a": "skipped", "b": "skipped"}
    assert game.run_state() == "failed"
    assert [kill.token for kill in game.killed] == [token]
    assert game.callbacks()[0].reason == "timed_out"


def test_a_timeout_is_forgotten_when_the_run_ends_in_time() -> None:
    game = Game(chain("a", dagrun_timeout=timedelta(hours=1)))
    game.trigger()
    game.play()
    assert game.world.next_wakeup() is None
    game.advance(DAY)
    assert not game.turn()


def test_too_many_failed_runs_in_a_row_pause_the_dag() -> None:
    game = Game(chain("a", max_consecutive_failed_dag_runs=2, max_active_runs=1))
    for number in range(4):
        game.trigger(number)
    game.play({"a": [failed(), success(), failed()]})
    assert [game.run_state(f"run{n}") for n in range(4)] == ["failed", "success", "failed", "failed"]
    assert game.dag_states["dag"].paused
    assert next(j for j in game.journal if j.event == "dag.paused").actor == "scheduler"


def test_a_run_in_between_breaks_the_row_of_failures() -> None:
    game = Game(chain("a", max_consecutive_failed_dag_runs=2, max_active_runs=3))
    for number in range(3):
        game.trigger(number)
    game.turn()
    game.end(game.token_of("a", "run0"), failed())
    game.end(game.token_of("a", "run2"), failed())
    game.turn()
    assert not game.dag_states["dag"].paused


# ---- pausing


def test_a_paused_dag_starts_nothing_but_lets_running_tasks_end() -> None:
    game = Game(chain("a", "b"))
    game.trigger(0)
    game.turn()
    game.world.set_paused("dag", True, game.now)
    game.trigger(1)
    game.end(game.start("a"))
    game.turn()
    assert game.states("run0") == {"a": "success", "b": "none"}
    assert game.run_state("run1") == "queued"
    game.world.set_paused("dag", False, game.now)
    game.play()
    assert game.run_state("run0") == game.run_state("run1") == "success"


def test_a_paused_dag_keeps_what_is_scheduled() -> None:
    game = Game(chain("a"), parallelism=0)
    game.trigger()
    game.turn()
    assert game.states() == {"a": "scheduled"}
    game.world.set_paused("dag", True, game.now)
    game.world._machine.parallelism = 1
    game.turn()
    assert game.states() == {"a": "scheduled"}


def test_a_run_of_a_paused_dag_may_end() -> None:
    game = Game(chain("a", "b"))
    game.trigger()
    game.turn()
    game.world.set_paused("dag", True, game.now)
    game.end(game.start("a"), failed())
    game.turn()
    assert game.states() == {"a": "failed", "b": "upstream_failed"}
    assert game.run_state() == "failed"


def test_pausing_twice_says_so_once() -> None:
    game = Game(chain("a"))
    game.world.set_paused("dag", True, game.now, actor="ui:ann")
    game.world.set_paused("dag", True, game.now, actor="ui:ann")
    game.turn()
    assert [(j.event, j.actor) for j in game.journal] == [("dag.paused", "ui:ann")]


# ---- DAGs that leave


def test_a_removed_dag_starts_nothing_and_comes_back_where_it_was() -> None:
    game = Game(chain("a", "b"))
    game.trigger()
    game.turn()
    game.world.remove_dag("dag", game.now)
    game.world.remove_dag("never there", game.now)
    game.end(game.start("a"))
    game.turn()
    assert game.states() == {"a": "success", "b": "none"}
    assert game.world.dag("dag") is None
    with pytest.raises(Conflict, match="not in the DAG folder any more"):
        game.world.set_paused("dag", True, game.now)
    game.world.put_dag(chain("a", "b"), "v2", paused=False, now=game.now)
    game.play()
    assert game.run_state() == "success"


# ---- loading


def reloaded(game: Game, spec: DagSpec, **world: object) -> Game:
    """A new world that knows what the old one has committed."""
    fresh = Game(tokens="second", **world)
    fresh.now, fresh.dag_id = game.now, game.dag_id
    fresh.runs, fresh.rows = dict(game.runs), dict(game.rows)
    for (dag_id, run_id), run in game.runs.items():
        tis = [ti.__copy__() for ti in game.rows.values() if (ti.dag_id, ti.run_id) == (dag_id, run_id)]
        fresh.world.load_run(run.__copy__(), tis, fresh.now)
    fresh.world.put_dag(spec, "v1", paused=False, now=fresh.now)
    return fresh


def test_a_new_server_goes_on_where_the_old_one_stopped() -> None:
    spec = a_dag(
        a_task("run", execution_timeout=timedelta(hours=1)),
        a_task("wait", retries=1, retry_delay=timedelta(minutes=5)),
        a_task("slot"),
        a_task("end", upstream=["run", "wait", "slot"]),
        dagrun_timeout=timedelta(hours=3),
    )
    game = Game(spec, parallelism=2)
    game.trigger()
    game.turn()
    game.start("run")
    game.end(game.start("wait"), failed())
    game.world._machine.parallelism = 1
    game.turn()
    assert game.states() == {"run": "running", "wait": "up_for_retry", "slot": "scheduled", "end": "none"}
    fresh = reloaded(game, spec)
    fresh.turn()
    assert set(fresh.world.live_tokens()) == {*game.launched, *fresh.launched}
    assert [key.task_id for key in fresh.launched.values()] == ["slot"]
    assert fresh.world.next_wakeup() == START + timedelta(minutes=5)
    fresh.launched.update(game.launched)
    fresh.play()
    assert fresh.run_state() == "success"
    assert fresh.tries_of() == {"run": 1, "wait": 2, "slot": 1, "end": 1}


def test_a_run_may_be_loaded_after_its_dag() -> None:
    spec = chain("a", "b")
    game = Game(spec, parallelism=0)
    game.trigger()
    game.turn()
    fresh = Game(spec, tokens="second")
    fresh.runs, fresh.rows = dict(game.runs), dict(game.rows)
    fresh.world.load_run(game.runs["dag", "run0"].__copy__(), [ti.__copy__() for ti in game.rows.values()], START)
    fresh.play()
    assert fresh.states() == {"a": "success", "b": "success"}


def test_loading_a_run_twice_changes_nothing() -> None:
    game = Game(chain("a"))
    game.trigger()
    game.turn()
    run = game.world.run("dag", "run0")
    game.world.load_run(run.__copy__(), [], game.now)
    assert len(game.world.tasks_of("dag", "run0")) == 1
    assert game.world.runs_of("dag") == [run]


def test_history_is_looked_at_but_does_not_run() -> None:
    spec = chain("a")
    old = Game(spec)
    old.trigger()
    old.turn()
    game = Game(spec)
    rows = [ti.__copy__() for ti in old.rows.values()]
    game.world.load_run(old.runs["dag", "run0"].__copy__(), rows, game.now, history=True)
    assert not game.turn().acts
    assert game.world.has_run_at("dag", START)


def test_runs_that_failed_before_the_start_count() -> None:
    spec = chain("a", max_consecutive_failed_dag_runs=2)
    old = Game(spec)
    old.trigger(0)
    old.play({"a": failed()})
    game = Game(spec)
    game.runs.update(old.runs)
    game.rows.update(old.rows)
    tis = [ti.__copy__() for ti in old.rows.values()]
    game.world.load_run(old.runs["dag", "run0"].__copy__(), tis, game.now, history=True)
    game.trigger(1)
    game.play({"a": failed()})
    assert game.dag_states["dag"].paused


def test_what_is_not_there_is_none_or_empty() -> None:
    game = Game(chain("a"))
    world = game.world
    assert world.run("dag", "x") is None
    assert world.run("x", "x") is None
    assert world.runs_of("x") == []
    assert world.tasks_of("x", "y") == []
    assert world.task_instance(TaskKey("x", "y", "z")) is None
    assert world.dag("dag") is not None
    assert not world.has_run_at("x", START)


def test_finished_runs_are_forgotten_after_a_while_but_not_if_the_next_may_need_them() -> None:
    for past, remembered in ((False, []), (True, ["run1"])):
        game = Game(a_dag(a_task("a", depends_on_past=past)))
        game.world._machine.keep_ended = timedelta(minutes=1)
        game.trigger(0)
        game.trigger(1)
        game.trigger(2, logical_date=None, data_interval=None)
        game.play()
        assert len(game.world.runs_of("dag")) == 3
        game.advance(timedelta(minutes=2))
        game.turn()
        assert [run.run_id for run in game.world.runs_of("dag")] == remembered


def test_a_run_that_was_cleared_is_not_forgotten() -> None:
    game = Game(chain("a"))
    game.world._machine.keep_ended = timedelta(minutes=1)
    game.trigger()
    game.play()
    game.world.clear("dag", run_ids=["run0"], now=game.now)
    game.advance(timedelta(minutes=2))
    game.turn()
    assert game.run_state() == "running"


# ---- custom timetables (the rest is in test_calendar)


def test_a_custom_timetable_is_asked_for() -> None:
    game = Game(chain("a", timetable=CustomTimetable(name="mine"), start_date=START))
    game.turn()
    assert NeedTimetable(dag_id="dag") in game.acts


def test_a_dag_whose_file_is_gone_gets_no_runs_until_it_is_back() -> None:
    """As after a restart: it is in the world because a run of it is still under way."""
    game = Game(a_dag(a_task("a")))
    spec = a_dag(a_task("a"), timetable=CronIntervalTimetable(expression="0 0 * * *"), start_date=START, catchup=True)

    def runs_made(active: bool) -> int:
        game.world.put_dag(spec, "v2", paused=False, active=active, now=START + 3 * DAY)
        game.world.poll(START + 3 * DAY)
        return sum(isinstance(write, SaveRun) for write in game.world.drain().writes)

    assert runs_made(active=False) == 0
    assert runs_made(active=True) > 0
