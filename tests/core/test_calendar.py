"""When runs are made: schedule, catchup, limits, pauses, custom timetables."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from asyncflow.core.calendar import restriction
from asyncflow.core.commands import NeedTimetable
from asyncflow.core.models import DagRun
from asyncflow.core.specs import DagSpec
from asyncflow.core.states import RunType
from asyncflow.core.timetable import (
    ContinuousTimetable,
    CronIntervalTimetable,
    CustomTimetable,
    DagRunInfo,
    DataInterval,
)
from asyncflow.errors import NotFound
from tests.core.simulate import DAY, START, Game, a_dag, a_task

DAILY = CronIntervalTimetable(expression="0 0 * * *")


def daily(**fields: Any) -> DagSpec:
    values = {"timetable": DAILY, "start_date": START, "catchup": True}
    return a_dag(a_task("a", is_empty=True), **values | fields)


def dates(game: Game) -> list[int]:
    """Days of the runs made, in the order of creation."""
    made = [j.run_id for j in game.journal if j.event == "run.created"]
    return [(game.runs["dag", run_id].logical_date - START).days for run_id in made]


def turns(game: Game, number: int = 20) -> None:
    for _ in range(number):
        game.turn()


def test_a_run_is_made_when_its_interval_is_over() -> None:
    game = Game(daily())
    game.turn()
    assert dates(game) == []
    assert game.world.next_wakeup() == START + DAY
    game.now = START + DAY
    game.turn()
    run = game.runs["dag", "scheduled__2024-01-01T00:00:00+00:00"]
    assert (run.run_type, run.data_interval_start, run.data_interval_end) == ("scheduled", START, START + DAY)
    assert run.run_after == START + DAY
    assert not run.external_trigger
    assert run.state == "success"


def test_the_plan_is_written_down() -> None:
    game = Game(daily())
    game.turn()
    plan = game.dag_states["dag"]
    assert (plan.next_logical_date, plan.next_interval_end, plan.next_run_after) == (START, START + DAY, START + DAY)
    game.now = START + DAY
    game.turn()
    assert game.dag_states["dag"].next_logical_date == START + DAY


def test_catchup_makes_all_runs_one_per_turn_in_order() -> None:
    game = Game(daily(), paused=True)
    game.now = START + 4 * DAY + timedelta(hours=1)
    game.world.set_paused("dag", False, game.now)
    game.turn()
    assert dates(game) == [0]
    wakeup = game.world.next_wakeup()
    assert wakeup is not None
    assert wakeup <= game.now
    turns(game)
    assert dates(game) == [0, 1, 2, 3]


def test_without_catchup_only_the_latest_interval_runs() -> None:
    game = Game()
    game.now = START + 4 * DAY + timedelta(hours=1)
    game.world.put_dag(daily(catchup=False), "v1", paused=False, now=game.now)
    turns(game)
    assert dates(game) == [3]


def test_a_wakeup_that_comes_late_makes_the_planned_run_first() -> None:
    game = Game(daily(catchup=False))
    game.turn()
    game.now = START + 5 * DAY
    turns(game)
    assert dates(game) == [0, 4]


def test_time_that_goes_backwards_makes_nothing_twice() -> None:
    game = Game(daily())
    game.now = START + DAY
    game.turn()
    game.now = START
    game.turn()
    game.now = START + DAY + timedelta(hours=1)
    game.turn()
    assert dates(game) == [0]


def test_a_paused_dag_plans_but_makes_nothing() -> None:
    game = Game(daily(), paused=True)
    game.now = START + 3 * DAY
    turns(game)
    assert dates(game) == []
    assert game.dag_states["dag"].next_run_after == START + DAY
    assert game.world.next_wakeup() is None


def test_max_active_runs_stops_the_making_of_runs() -> None:
    limits = {"max_active_runs": 2, "end_date": START + 4 * DAY}
    game = Game(a_dag(a_task("a"), timetable=DAILY, start_date=START, catchup=True, **limits))
    game.now = START + 5 * DAY
    turns(game)
    assert dates(game) == [0, 1]
    assert game.world.next_wakeup() is None
    game.play()
    assert dates(game) == [0, 1, 2, 3, 4]


def test_without_catchup_the_plan_jumps_ahead_after_having_waited() -> None:
    game = Game(a_dag(a_task("a"), timetable=DAILY, start_date=START, catchup=False, max_active_runs=1))
    game.now = START + DAY
    game.turn()
    game.now = START + 5 * DAY
    game.turn()
    assert dates(game) == [0]
    game.end(game.start("a"))
    turns(game, 3)
    assert dates(game) == [0, 4]


def test_a_manual_run_that_takes_the_room_holds_back_the_planned_one() -> None:
    game = Game(a_dag(a_task("a"), timetable=DAILY, start_date=START, catchup=True, max_active_runs=1))
    game.turn()
    game.trigger(9, run_type=RunType.MANUAL)
    game.now = START + DAY
    game.turn()
    assert dates(game) == [9]
    game.end(game.start("a"))
    turns(game, 3)
    assert dates(game) == [9, 0]


def test_a_logical_date_that_has_a_run_is_passed_over() -> None:
    game = Game(daily())
    game.trigger(0, run_type=RunType.MANUAL)
    game.now = START + 2 * DAY
    turns(game)
    assert dates(game) == [0, 1]


def test_a_logical_date_stays_taken_when_its_run_has_left_memory() -> None:
    game = Game(daily())
    game.world._machine.keep_ended = timedelta(minutes=1)
    game.turn()
    for day in (1, 3):
        game.trigger(day, run_type=RunType.MANUAL)
    game.turn()
    game.now = START + timedelta(minutes=2)
    game.turn()
    assert game.world.runs_of("dag") == []
    game.now = START + 5 * DAY
    turns(game)
    assert dates(game) == [1, 3, 0, 2, 4]


def test_dates_that_runs_in_the_store_have_are_taken() -> None:
    game = Game()
    game.world.put_dag(daily(), "v1", paused=False, now=START, taken=[START])
    assert game.world.has_run_at("dag", START)
    game.now = START + 2 * DAY
    turns(game)
    assert dates(game) == [1]


def test_continuous_makes_the_next_run_when_the_last_has_ended() -> None:
    game = Game()
    game.advance()
    spec = a_dag(a_task("a"), timetable=ContinuousTimetable(), start_date=START, max_active_runs=1)
    game.world.put_dag(spec, "v1", paused=False, now=game.now)
    game.turn()
    game.turn()
    assert len(dates(game)) == 1
    game.advance()
    game.end(game.start("a"))
    turns(game, 3)
    assert len(dates(game)) == 2


def test_no_start_date_means_no_runs() -> None:
    game = Game(daily(start_date=None))
    game.now = START + 100 * DAY
    turns(game)
    assert dates(game) == []


def test_end_date_is_the_last() -> None:
    game = Game(daily(end_date=START + DAY))
    game.now = START + 9 * DAY
    turns(game)
    assert dates(game) == [0, 1]


def test_the_last_run_in_the_store_says_where_to_go_on() -> None:
    game = Game()
    game.now = START + 5 * DAY
    last = DagRun(
        dag_id="dag",
        run_id="r",
        run_type=RunType.SCHEDULED,
        logical_date=START + 2 * DAY,
        data_interval_start=START + 2 * DAY,
        data_interval_end=START + 3 * DAY,
        run_after=START,
    )
    game.world.put_dag(daily(), "v1", paused=False, now=game.now, last_run=last)
    turns(game)
    assert dates(game) == [3, 4]


def test_a_run_without_an_interval_stands_for_its_logical_date() -> None:
    game = Game()
    game.now = START + 5 * DAY
    last = DagRun(dag_id="dag", run_id="r", run_type="scheduled", logical_date=START + 3 * DAY, run_after=START)
    game.world.put_dag(daily(), "v1", paused=False, now=game.now, last_run=last)
    turns(game)
    assert dates(game) == [3, 4]


def test_manual_runs_do_not_move_the_plan() -> None:
    game = Game(daily())
    game.trigger(50, run_type=RunType.MANUAL)
    game.turn()
    assert game.dag_states["dag"].next_logical_date == START


def test_missed_intervals_can_be_skipped() -> None:
    game = Game(daily(), paused=True)
    game.now = START + 5 * DAY + timedelta(hours=1)
    game.world.skip_missed("dag", game.now)
    game.world.set_paused("dag", False, game.now)
    turns(game)
    assert dates(game) == []
    assert game.dag_states["dag"].next_logical_date == START + 5 * DAY
    with pytest.raises(NotFound):
        game.world.skip_missed("nowhere", game.now)


def test_skipping_with_nothing_missed_changes_nothing() -> None:
    game = Game(daily())
    game.world.skip_missed("dag", START)
    game.turn()
    assert game.dag_states["dag"].next_logical_date == START


def test_a_new_version_plans_anew() -> None:
    game = Game(daily())
    game.turn()
    hourly = CronIntervalTimetable(expression="0 * * * *")
    game.world.put_dag(daily(timetable=hourly), "v2", paused=False, now=game.now)
    game.turn()
    assert game.dag_states["dag"].next_run_after == START + timedelta(hours=1)


def test_a_removed_dag_makes_no_runs() -> None:
    game = Game(daily())
    game.world.remove_dag("dag", game.now)
    game.now = START + 3 * DAY
    turns(game)
    assert dates(game) == []
    assert game.world.next_wakeup() is None


# ---- custom timetables


def custom(**fields: Any) -> DagSpec:
    return daily(timetable=CustomTimetable(name="Mine", **fields), end_date=START + 9 * DAY)


def info(number: int) -> DagRunInfo:
    start = START + number * DAY
    return DagRunInfo(start, DataInterval(start, start + DAY), start + DAY)


def test_a_custom_timetable_is_asked_and_its_answer_planned() -> None:
    game = Game(custom())
    game.turn()
    assert game.acts == [NeedTimetable(dag_id="dag")]
    question = game.world.timetable_question("dag", game.now)
    assert question is not None
    assert (question.question, question.last_start, question.earliest, question.latest) == (
        "next",
        None,
        START,
        START + 9 * DAY,
    )
    game.world.set_next_run("dag", info(0), game.now)
    game.now = START + DAY
    game.turn()
    assert dates(game) == [0]
    assert game.acts.count(NeedTimetable(dag_id="dag")) == 2
    question = game.world.timetable_question("dag", game.now)
    assert question is not None
    assert (question.last_start, question.last_end) == (START, START + DAY)


def test_an_answer_may_be_never() -> None:
    game = Game(custom())
    game.world.set_next_run("dag", None, game.now)
    game.turn()
    assert game.world.next_wakeup() is None


def test_what_cannot_be_scheduled_is_not_asked() -> None:
    game = Game(custom(can_be_scheduled=False))
    game.turn()
    assert game.acts == []


def test_an_answer_for_a_dag_that_has_changed_is_ignored() -> None:
    game = Game(daily())
    game.world.set_next_run("dag", info(5), game.now)
    game.world.set_next_run("nowhere", info(5), game.now)
    game.turn()
    assert game.dag_states["dag"].next_logical_date == START
    assert game.world.timetable_question("dag", game.now) is None
    assert game.world.timetable_question("nowhere", game.now) is None


def test_missed_intervals_of_a_custom_timetable_are_not_known_here() -> None:
    game = Game(custom())
    game.turn()
    game.world.skip_missed("dag", game.now)
    assert not game.turn()


# ---- from when to when


@pytest.mark.parametrize(
    ("dag", "tasks", "expected"),
    [
        ({}, [{}], (None, None)),
        ({"start_date": START + DAY}, [{"start_date": START}, {}], (START, None)),
        ({"end_date": START}, [{"end_date": START + DAY}, {}], (None, START)),
        ({"end_date": START}, [{"end_date": START + DAY}], (None, START + DAY)),
        ({}, [{"end_date": START + DAY}, {"end_date": START}], (None, START + DAY)),
        ({"end_date": START}, [], (None, START)),
    ],
)
def test_dates_of_the_dag_and_its_tasks_count_together(
    dag: dict[str, Any], tasks: list[dict[str, Any]], expected: Any
) -> None:
    spec = a_dag(*[a_task(f"t{i}", **fields) for i, fields in enumerate(tasks)], **dag)
    assert restriction(spec) == expected
