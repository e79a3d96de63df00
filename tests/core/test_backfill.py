"""Backfills beyond what the golden cases show: slots, limits, options, ends, restarts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from asyncflow.core.backfill import Plan
from asyncflow.core.commands import SaveBackfill, SaveBackfillProgress
from asyncflow.core.models import Backfill, BackfillDate, BackfillOptions, Pool
from asyncflow.core.states import RunState, RunType
from asyncflow.errors import InvalidInput
from tests.core.simulate import DAY, START, Game, a_dag, a_task, failed, success


def dates(count: int, first: int = 0) -> list[BackfillDate]:
    return [BackfillDate(START + n * DAY, START + n * DAY, START + (n + 1) * DAY) for n in range(first, first + count)]


def options(count: int, first: int = 0, **how: Any) -> BackfillOptions:
    return BackfillOptions(start=START + first * DAY, end=START + (first + count - 1) * DAY, **how)


def begin(
    game: Game, count: int, *, first: int = 0, number: int = 1, task_regex: str | None = None, **how: Any
) -> Plan:
    return game.world.backfill(
        game.dag_id,
        options(count, first, **how),
        dates(count, first),
        backfill_id=number,
        task_regex=task_regex,
        now=game.now,
        actor="test",
    )


def name(number: int) -> str:
    return f"backfill__{(START + number * DAY).isoformat()}"


def end_of(game: Game, number: int = 1) -> tuple[str, str]:
    """State and reason of a backfill that has ended."""
    lines = [line for line in game.journal if line.event.startswith("backfill.")]
    mine = [line for line in lines if line.details["backfill_id"] == number]
    return mine[-1].event.removeprefix("backfill."), mine[-1].details["reason"]


def a_game(*tasks: Any, paused: bool = True, parallelism: int = 1000, **fields: Any) -> Game:
    return Game(a_dag(*(tasks or (a_task("a"),)), **fields), paused=paused, parallelism=parallelism)


def test_only_as_many_runs_are_active_as_it_may_have() -> None:
    game = a_game()
    begin(game, 5, max_active_runs=2)
    game.turn()
    assert sorted(run.run_id for run in game.runs.values()) == [name(0), name(1)]
    game.end(game.token_of("a", name(0)))
    game.turn()
    assert game.run_state(name(2)) == "running"
    assert len(game.runs) == 3


def test_its_runs_do_not_count_against_the_dag() -> None:
    game = a_game(paused=False, max_active_runs=1)
    begin(game, 3, first=10)
    game.trigger(0)
    game.turn()
    assert {run.run_id for run in game.runs.values() if run.state is RunState.RUNNING} == {"run0", name(10)}


def test_fresh_runs_win() -> None:
    game = a_game(a_task("a", priority_weight=9), paused=False, parallelism=1)
    begin(game, 3)
    game.turn()
    game.trigger(20, run_type=RunType.MANUAL)
    game.turn()
    game.end(game.token_of("a"))
    game.turn()
    assert [key.run_id for key in game.launched.values()] == ["run20"]


def test_a_paused_dag_runs_nothing_else() -> None:
    game = a_game()
    game.trigger(20)
    begin(game, 1)
    game.play()
    assert game.run_state(name(0)) == "success"
    assert game.run_state("run20") == "queued"


def test_tasks_of_another_paused_dag_stay_in_the_queue() -> None:
    game = a_game(paused=False, parallelism=1)
    begin(game, 2)
    game.trigger(20)
    game.turn()
    game.world.set_paused("dag", True, game.now)
    game.end(game.token_of("a"))
    game.play()
    assert game.run_state(name(0)) == game.run_state(name(1)) == "success"


def test_only_chosen_tasks_and_what_is_before_them_run() -> None:
    game = a_game(a_task("a"), a_task("b", upstream=("a",)), a_task("c", upstream=("b",)), a_task("other"))
    plan = begin(game, 1, task_regex="^b$")
    assert plan.tasks == ("a", "b")
    game.play({"b": failed()})
    assert game.states() == {"a": "success", "b": "failed"}
    assert game.run_state(name(0)) == "failed"


def test_chosen_tasks_keep_their_setup_and_teardown() -> None:
    game = a_game(
        a_task("make", is_setup=True),
        a_task("work", upstream=("make",)),
        a_task("drop", upstream=("make", "work"), is_teardown=True),
    )
    assert begin(game, 1, task_regex="work", ignore_dependencies=True).tasks == ("make", "work", "drop")


def test_a_new_version_adds_no_task_that_was_not_chosen() -> None:
    game = a_game(a_task("a"), a_task("b"))
    begin(game, 1, task_regex="a")
    game.turn()
    game.world.put_dag(a_dag(a_task("a"), a_task("b"), a_task("c")), "v2", paused=True, now=game.now)
    game.play()
    assert game.states() == {"a": "success"}


@pytest.mark.parametrize(("regex", "words"), [("(", "regular expression"), ("nothing", "No task")])
def test_a_pattern_that_is_none_or_matches_nothing_is_refused(regex: str, words: str) -> None:
    game = a_game()
    with pytest.raises(InvalidInput, match=words):
        begin(game, 1, task_regex=regex)


def test_dependencies_can_be_ignored_but_not_the_retry_delay() -> None:
    later = a_task("b", upstream=("a",), retries=1, retry_delay=timedelta(minutes=5))
    game = a_game(a_task("a"), later)
    begin(game, 1, ignore_dependencies=True)
    game.turn()
    game.end(game.start("b"), failed())
    game.turn()
    assert game.states() == {"a": "queued", "b": "up_for_retry"}
    game.advance(timedelta(minutes=5))
    game.turn()
    assert game.states() == {"a": "queued", "b": "queued"}


def test_tasks_take_the_slots_of_another_pool() -> None:
    game = a_game(a_task("a"), a_task("empty", is_empty=True))
    game.world.put_pool(Pool(name="slow", slots=1))
    begin(game, 3, pool="slow")
    game.turn()
    assert len(game.launched) == 1
    assert game.row("a", name(0)).pool == "slow"


def test_no_retry_is_waited_for_without_retries() -> None:
    game = a_game(a_task("a", retries=3, retry_delay=timedelta(seconds=1)))
    begin(game, 1, disable_retry=True)
    game.play({"a": failed()})
    assert game.tries_of(name(0)) == {"a": 1}
    assert end_of(game) == ("failed", f"a failed in {name(0)}")


def test_marked_success_runs_nothing() -> None:
    game = a_game(a_task("a"), a_task("b", upstream=("a",)))
    begin(game, 2, mark_success=True)
    game.turn()
    assert not game.launched
    assert end_of(game) == ("success", "")


def test_a_failure_lets_active_runs_end_and_makes_no_more() -> None:
    game = a_game()
    begin(game, 5, max_active_runs=2)
    game.turn()
    game.end(game.token_of("a", name(0)), failed())
    game.turn()
    assert game.run_state(name(1)) == "running"
    game.end(game.token_of("a", name(1)))
    game.turn()
    assert len(game.runs) == 2
    assert end_of(game) == ("failed", f"a failed in {name(0)}")


def test_cancelled_it_makes_no_more() -> None:
    game = a_game()
    begin(game, 5, max_active_runs=1)
    game.turn()
    assert game.world.cancel_backfill(1, now=game.now, actor="ann")
    game.play()
    assert len(game.runs) == 1
    assert end_of(game) == ("cancelled", "cancelled by ann")
    assert not game.world.cancel_backfill(1, now=game.now)


def test_it_waits_for_a_run_that_the_schedule_has_begun_meanwhile() -> None:
    game = a_game(paused=False)
    begin(game, 2, max_active_runs=1)
    game.turn()
    game.trigger(1)
    game.turn()
    game.end(game.token_of("a", name(0)))
    game.turn()
    assert game.runs["dag", "run1"].run_type is RunType.SCHEDULED
    game.play()
    assert game.run_state("run1") == "success"
    assert end_of(game) == ("success", "")


def test_runs_that_are_there_are_planned_and_reset() -> None:
    game = a_game(paused=False)
    game.trigger(0)
    game.play()
    plan = game.world.backfill(
        "dag", options(2, reset=True), dates(2), backfill_id=1, dry_run=True, now=game.now, actor="test"
    )
    assert plan.existing.keys() == {START}
    assert [key.run_id for key in plan.cleared] == ["run0"]
    assert game.run_state("run0") == "success"
    assert not any(isinstance(write, SaveBackfill) for write in game.world.drain().writes)
    begin(game, 2, reset=True)
    game.play()
    assert game.tries_of("run0") == {"a": 2}


def test_two_backfills_of_the_same_dates_are_refused() -> None:
    game = a_game()
    begin(game, 5, max_active_runs=1)
    assert "Backfill 1" in begin(game, 2, first=3, number=2).refused
    assert not begin(game, 2, first=5, number=2).refused
    assert game.world.last_backfill == 2


def test_it_is_deadlocked_behind_a_past_that_failed() -> None:
    game = a_game(a_task("a", depends_on_past=True))
    begin(game, 3, continue_on_failures=True)
    game.play({"a": failed()})
    assert end_of(game)[0] == "failed"
    assert "deadlocked" in end_of(game)[1]


def test_it_waits_for_a_run_outside_of_it_that_its_past_is() -> None:
    game = a_game(a_task("a", depends_on_past=True), paused=False)
    begin(game, 2, max_active_runs=1)
    game.turn()
    between = START + timedelta(hours=12)
    game.trigger(run_type=RunType.MANUAL, logical_date=between, run_id="between")
    game.end(game.token_of("a", name(0)))
    game.turn()
    assert "depends_on_past" in game.world.why(game.row("a", name(1)).key, game.now)
    game.play()
    assert end_of(game) == ("success", "")


def test_tasks_after_the_end_date_never_start_and_say_so() -> None:
    game = a_game(end_date=START)
    begin(game, 2)
    game.play()
    assert game.states(name(1)) == {"a": "scheduled"}
    assert "end date" in game.world.why(game.row("a", name(1)).key, game.now)
    assert "deadlocked" in end_of(game)[1]


def test_a_run_cleared_later_on_starts_like_any_other() -> None:
    game = a_game(paused=False)
    begin(game, 1, mark_success=True)
    game.play()
    game.world.clear("dag", run_ids=[name(0)], now=game.now)
    game.turn()
    assert game.states() == {"a": "queued"}


def restarted(game: Game, rows: Sequence[Backfill]) -> Game:
    """What another server makes of the rows."""
    again = Game(tokens="u")
    again.world.put_dag(a_dag(a_task("a")), "v1", paused=True, now=game.now)
    again.runs, again.rows = dict(game.runs), dict(game.rows)
    for row in rows:
        again.world.load_backfill(row)
    for run in game.runs.values():
        tis = [ti.__copy__() for ti in game.rows.values() if ti.run_id == run.run_id]
        again.world.load_run(run.__copy__(), tis, game.now)
    again.now = game.now
    return again


def test_a_restart_goes_on_where_it_was() -> None:
    game = a_game()
    begin(game, 3, max_active_runs=1)
    writes = game.turn().writes
    saved = next(write.backfill for write in writes if isinstance(write, SaveBackfill))
    position = next(write.position for write in writes if isinstance(write, SaveBackfillProgress))
    saved.position = position
    again = restarted(game, [saved])
    again.turn()
    assert len(again.runs) == 1
    again.end(next(iter(game.launched)))
    again.play()
    assert [run.state for run in again.runs.values()] == [RunState.SUCCESS] * 3
    assert end_of(again) == ("success", "")


def test_a_dag_that_is_gone_holds_its_backfill() -> None:
    game = a_game()
    begin(game, 1)
    game.world.remove_dag("dag", game.now)
    game.turn()
    assert not game.runs
    unknown = Backfill(backfill_id=2, dag_id="other", options=options(1), dates=tuple(dates(1)), created_at=game.now)
    game.world.load_backfill(unknown)
    game.turn()
    assert not game.runs


def test_runs_to_come_stay_in_memory() -> None:
    game = Game(a_dag(a_task("a")), tokens="t")
    game.world._machine.keep_ended = timedelta(minutes=1)
    game.trigger(1)
    game.trigger(9)
    game.play()
    begin(game, 2, max_active_runs=1)
    game.turn()
    game.advance(timedelta(minutes=2))
    game.turn()
    assert {run.run_id for run in game.world.runs_of("dag")} == {name(0), "run1"}


def test_a_deleted_run_is_no_longer_waited_for() -> None:
    game = a_game()
    begin(game, 1)
    game.turn()
    game.world._machine.dags["dag"].runs.clear()
    game.turn()
    assert end_of(game) == ("success", "")


def test_a_sensor_between_two_pokes_is_no_deadlock() -> None:
    game = a_game(a_task("a"), a_task("b", retries=1, retry_delay=timedelta(minutes=1)))
    begin(game, 1)
    game.play({"b": [failed(), success()]})
    assert end_of(game) == ("success", "")


def test_runs_with_nothing_to_do_do_not_take_one_turn_for_all() -> None:
    game = a_game(a_task("a", is_empty=True))
    begin(game, 100, max_active_runs=2)
    game.turn()
    assert 0 < len(game.runs) < 20
    assert game.world.next_wakeup() == game.now
    game.play()
    assert len(game.runs) == 100
    assert end_of(game) == ("success", "")
