"""Sensors that the server watches by itself: they hold nothing, and end when what they wait for is there."""

from __future__ import annotations

import copy
from datetime import time, timedelta
from typing import Any

import msgspec
import pytest

from asyncflow.core.commands import LaunchTry, LogLines, LookForFile, LookUpRun, SaveRendered
from asyncflow.core.conditions import Condition, FilePresent, IntervalOver, MomentPassed, OtherRun, TimeOfDay
from asyncflow.core.machine import LOOKS
from asyncflow.core.models import DagRun, TaskInstance, TaskKey
from asyncflow.core.specs import DagSpec, SensorSpec, TaskGroupSpec, TaskSpec
from asyncflow.core.states import RunState, RunType, TaskState
from asyncflow.core.timetable import CronIntervalTimetable, CustomTimetable
from tests.core.simulate import DAY, SECOND, START, Game, a_dag, a_task, again, failed, success

HOUR = timedelta(hours=1)
KEY = TaskKey("waits", "run0", "s")


def sensor(condition: Condition | None = None, **fields: Any) -> TaskSpec:
    spec = {"mode": "reschedule", "timeout": HOUR, "condition": condition}
    for name in ("mode", "timeout", "soft_fail", "attended", "poke_interval"):
        if name in fields:
            spec[name] = fields.pop(name)
    return a_task(fields.pop("task_id", "s"), sensor=SensorSpec(**spec), **fields)  # type: ignore[arg-type]


def waits(*tasks: TaskSpec, **fields: Any) -> DagSpec:
    return a_dag(*tasks, dag_id="waits", **fields)


def other(*tasks: TaskSpec, **fields: Any) -> DagSpec:
    return a_dag(*(tasks or (a_task("x"), a_task("y", upstream=["x"]))), dag_id="other", **fields)


def waiting(condition: Condition | None, *more: DagSpec, **fields: Any) -> Game:
    """A game in which the only task of a run has begun to wait."""
    game = Game(waits(sensor(condition, **fields)), *more)
    game.trigger()
    game.turn()
    return game


def lines(game: Game) -> list[str]:
    return [line for act in game.acts if isinstance(act, LogLines) for line in act.lines]


def asked(game: Game, kind: type) -> list[Any]:
    return [act for act in game.acts if isinstance(act, kind)]


def no_run(game: Game, *near: DagRun) -> None:
    """The store's answer to the last question."""
    act = asked(game, LookUpRun)[-1]
    game.world.run_looked_up(act.dag_id, act.logical_date, None, near=near, now=game.now)
    game.turn()


def a_run(run_id: str, date: Any, state: RunState = RunState.SUCCESS) -> DagRun:
    return DagRun(dag_id="other", run_id=run_id, state=state, logical_date=date, run_after=date)


# ---- another run


def test_waits_without_slot_or_process_and_ends_with_the_other_task() -> None:
    game = waiting(OtherRun(dag_id="other", task_ids=("x",)), other())
    no_run(game)
    game.trigger(dag_id="other")
    game.turn()
    assert game.states(dag_id="waits") == {"s": "up_for_reschedule"}
    assert game.world.pool_usage()["default_pool"]["occupied"] == 1  # x alone
    game.end(game.start("x"))
    game.turn()
    row = game.row("s")
    assert (row.state, row.try_number, row.started_at, row.ended_at) == ("success", 1, START, START)
    assert game.run_state() == "success"
    assert not any(act.key == KEY for act in asked(game, LaunchTry))
    assert game.tries[KEY, 1].state is TaskState.SUCCESS


def test_its_template_fields_are_shown_as_they_stand_in_the_file() -> None:
    game = Game(
        waits(sensor(MomentPassed(at=START), template_fields=("target_time", "x"), extra={"target_time": "now"}))
    )
    game.trigger()
    assert SaveRendered(key=KEY, fields={"target_time": "now"}) in game.turn().writes


def test_what_is_there_already_ends_it_at_once() -> None:
    game = Game(other(a_task("x")), waits(sensor(OtherRun(dag_id="other", task_ids=("x",)))))
    game.trigger(dag_id="other")
    game.play()
    game.trigger(dag_id="waits")
    game.turn()
    assert game.states(dag_id="waits") == {"s": "success"}
    assert lines(game) == [
        "Starting attempt 1 of 1",
        "Poking for tasks ['x'] in dag other on 2024-01-01T00:00:00+00:00 ... ",
        "Success criteria met. Exiting.",
        "Marking task as SUCCESS",
    ]


def test_a_run_is_looked_up_in_the_store_once() -> None:
    condition = OtherRun(dag_id="other", task_ids=("x",))
    game = Game(waits(sensor(condition), sensor(condition, task_id="t")), other())
    game.trigger()
    game.turn()
    assert asked(game, LookUpRun) == [LookUpRun(dag_id="other", logical_date=START)]
    run = a_run("old", START)
    ti = TaskInstance(dag_id="other", run_id="old", task_id="x", state=TaskState.SUCCESS)
    game.world.run_looked_up("other", START, (run, [ti]), now=game.now)
    game.turn()
    assert game.states(dag_id="waits") == {"s": "success", "t": "success"}


def test_a_run_from_the_store_that_is_not_enough_is_waited_for() -> None:
    game = waiting(OtherRun(dag_id="other"), other(), timeout=timedelta(0))
    game.world.run_looked_up("other", START, (a_run("old", START, RunState.FAILED), []), now=game.now)
    game.turn()
    assert game.row("s").state == "failed"  # its timeout is over


def test_an_answer_nobody_waits_for_is_nothing() -> None:
    game = waiting(OtherRun(dag_id="other"), other())
    game.world.mark("waits", run_ids=["run0"], task_ids=["s"], state=TaskState.SUCCESS, now=game.now)
    game.turn()
    no_run(game)
    assert game.run_state() == "success"


def test_the_store_may_take_longer_than_the_timeout() -> None:
    game = waiting(OtherRun(dag_id="other"), other(), timeout=timedelta(0))
    assert game.row("s").state == "up_for_reschedule"
    game.advance(timedelta(minutes=1))
    game.turn()
    assert game.row("s").state == "up_for_reschedule"
    no_run(game)
    assert game.row("s").state == "failed"


def test_delta_chooses_the_date() -> None:
    game = waiting(OtherRun(dag_id="other", delta=DAY), other(a_task("x")))
    no_run(game)
    game.trigger(-1, dag_id="other")
    game.play()
    assert game.states(dag_id="waits") == {"s": "success"}


def test_all_of_several_tasks_must_be_there() -> None:
    game = waiting(OtherRun(dag_id="other", task_ids=("x", "y")), other())
    game.trigger(dag_id="other")
    game.turn()
    game.end(game.start("x"))
    game.turn()
    assert game.row("s").state == "up_for_reschedule"
    game.end(game.start("y"))
    game.turn()
    assert game.row("s").state == "success"


def test_a_task_that_the_run_does_not_have_never_comes() -> None:
    game = waiting(OtherRun(dag_id="other", task_ids=("x", "z")), other())
    game.trigger(dag_id="other")
    game.turn()
    game.end(game.start("x"))
    game.play()
    assert game.row("s").state == "failed"
    assert game.now == START + HOUR


def test_the_tasks_of_a_group_and_of_its_subgroups() -> None:
    inner = [a_task("g.x", group_id="g"), a_task("g.h.y", group_id="g.h"), a_task("z")]
    groups = [TaskGroupSpec(group_id="g"), TaskGroupSpec(group_id="g.h", parent="g")]
    game = waiting(OtherRun(dag_id="other", group_id="g"), other(*inner, groups=groups))
    game.trigger(dag_id="other")
    for name in ("g.x", "g.h.y"):
        game.turn()
        assert game.row("s").state == "up_for_reschedule"
        game.end(game.start(name))
    game.turn()
    assert game.row("s").state == "success"


def test_the_group_of_a_dag_that_is_not_loaded_is_known_by_its_names() -> None:
    game = waiting(OtherRun(dag_id="other", group_id="g"))
    tis = [
        TaskInstance(dag_id="other", run_id="old", task_id=name, state=state)
        for name, state in [("g.x", TaskState.SUCCESS), ("z", TaskState.FAILED)]
    ]
    game.world.run_looked_up("other", START, (a_run("old", START), tis), now=game.now)
    game.turn()
    assert game.row("s").state == "success"


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ({"task_ids": ("x",)}, "Some of the external tasks ['x'] in DAG other failed."),
        ({"group_id": "g"}, "The external task_group 'g' in DAG 'other' failed."),
        ({}, "The external DAG other failed."),
    ],
)
def test_a_failed_state_fails_it_and_retries_apply(target: dict[str, Any], words: str) -> None:
    condition = OtherRun(dag_id="other", failed=("failed",), **target)
    groups = [TaskGroupSpec(group_id="g")]
    game = waiting(condition, other(a_task("x", group_id="g"), groups=groups), retries=1, retry_delay=HOUR)
    game.trigger(dag_id="other")
    game.turn()
    game.end(game.start("x"), failed())
    game.turn()
    assert game.row("s").state == "up_for_retry"
    assert game.tries[KEY, 1].error == f"AirflowException: {words}"
    game.play()
    assert (game.row("s").state, game.row("s").try_number) == ("failed", 2)


def test_a_failed_state_skips_a_soft_one() -> None:
    game = waiting(OtherRun(dag_id="other", failed=("failed",)), other(a_task("x")), soft_fail=True)
    game.trigger(dag_id="other")
    game.play({"x": failed()})
    assert game.states(dag_id="waits") == {"s": "skipped"}
    assert "The external DAG other failed. Skipping due to soft_fail." in lines(game)


def test_a_skipped_state_skips_it() -> None:
    game = waiting(OtherRun(dag_id="other", task_ids=("x",), skipped=("failed",)), other(a_task("x")))
    game.trigger(dag_id="other")
    game.play({"x": failed()})
    assert game.states(dag_id="waits") == {"s": "skipped"}


def test_a_run_without_a_date_needs_a_process() -> None:
    game = Game(waits(sensor(OtherRun(dag_id="other"))), other())
    game.trigger(logical_date=None, data_interval=None)
    game.turn()
    assert game.row("s").state == "queued"


def test_a_new_version_waits_for_something_else() -> None:
    game = waiting(OtherRun(dag_id="other", task_ids=("x",)), other())
    no_run(game)
    game.world.put_dag(waits(sensor(OtherRun(dag_id="other", delta=DAY))), "v2", paused=False, now=game.now)
    game.turn()
    assert asked(game, LookUpRun)[-1].logical_date == START - DAY
    assert game.row("s").try_number == 1
    game.world.put_dag(waits(a_task("t")), "v3", paused=False, now=game.now)
    game.turn()
    assert game.row("s").state == "removed"
    assert "waits for" not in game.world.why(KEY, game.now)


def test_a_paused_dag_ends_no_sensor_until_it_goes_on() -> None:
    game = waiting(OtherRun(dag_id="other"), other(a_task("x")))
    game.world.set_paused("waits", True, game.now)
    game.trigger(dag_id="other")
    game.play()
    assert game.states(dag_id="waits") == {"s": "up_for_reschedule"}
    game.world.set_paused("waits", False, game.now)
    game.turn()
    assert game.states(dag_id="waits") == {"s": "success"}


def test_a_cleared_run_is_followed() -> None:
    game = waiting(OtherRun(dag_id="other", task_ids=("x",)), other(a_task("x")))
    game.trigger(dag_id="other")
    game.turn()
    game.end(game.start("x"), failed())
    game.turn()
    assert game.row("s").state == "up_for_reschedule"
    game.world.clear("other", run_ids=["run0"], now=game.now)
    game.turn()
    game.end(game.start("x"))
    game.turn()
    assert game.row("s").state == "success"


def test_a_crowd_is_woken_over_several_turns() -> None:
    tasks = [sensor(OtherRun(dag_id="other"), task_id=f"s{n}") for n in range(LOOKS + 1)]
    game = Game(waits(*tasks), other(a_task("x")))
    game.trigger()
    game.turn()
    game.trigger(dag_id="other")
    for _ in range(2):  # it is queued, and running
        game.turn()
    game.end(game.start("x"))
    game.turn()
    assert list(game.states(dag_id="waits").values()).count("up_for_reschedule") > 0
    assert game.world.next_wakeup() < game.now
    for _ in range(3):
        game.turn()
    assert set(game.states(dag_id="waits").values()) == {"success"}


# ---- time


@pytest.mark.parametrize(
    ("condition", "moment"),
    [
        (MomentPassed(at=START + 5 * SECOND), START + 5 * SECOND),
        (IntervalOver(delta=timedelta(hours=-23, minutes=-30)), START + HOUR / 2),
        (TimeOfDay(time=time(1, 30), timezone="Europe/Berlin"), START + HOUR / 2),
    ],
)
def test_the_time_comes(condition: Condition, moment: Any) -> None:
    game = waiting(condition)
    assert game.world.next_wakeup() == moment
    assert "It waits for" in game.world.why(KEY, game.now)
    game.play()
    assert (game.row("s").state, game.now) == ("success", moment)


@pytest.mark.parametrize(
    "condition",
    [
        MomentPassed(at=START),
        IntervalOver(delta=timedelta(0) - DAY),
        TimeOfDay(time=time(0, 30), timezone="Europe/Berlin"),  # it is one o'clock there
    ],
)
def test_the_time_has_come(condition: Condition) -> None:
    assert waiting(condition).row("s").state == "success"


def test_a_run_without_interval_counts_from_its_date_or_its_start() -> None:
    game = Game(waits(sensor(IntervalOver(delta=HOUR))))
    game.trigger(data_interval=None)
    game.trigger(1, logical_date=None, data_interval=None)
    game.turn()
    assert [ti.not_before for ti in game.rows.values()] == [START + HOUR, START + HOUR]
    assert all("2024-01-01T01:00:00" in game.world.why(key, game.now) for key in game.rows)


# ---- a file


def test_a_file_is_looked_for_every_interval() -> None:
    game = waiting(FilePresent(pattern="/in/*.csv", recursive=True))
    [look] = asked(game, LookForFile)
    assert (look.pattern, look.recursive) == ("/in/*.csv", True)
    game.world.file_looked_for(look.key, look.token, None, game.now)
    game.turn()
    assert game.world.next_wakeup() == START + timedelta(seconds=60)
    game.advance(timedelta(seconds=60))
    game.turn()
    assert len(asked(game, LookForFile)) == 2
    assert "/in/*.csv" in game.world.why(KEY, game.now)
    game.world.file_looked_for(look.key, look.token, "/in/a.csv", game.now)
    game.turn()
    assert game.row("s").state == "success"
    assert "Found File /in/a.csv" in lines(game)


def test_a_file_is_looked_for_once_more_at_the_timeout() -> None:
    game = waiting(FilePresent(pattern="/in/a"), timeout=timedelta(seconds=90), retries=2)
    look = asked(game, LookForFile)[0]
    for seconds in (60, 90):
        game.now = START + timedelta(seconds=seconds)
        game.turn()
    assert game.row("s").state == "up_for_reschedule"
    assert len(asked(game, LookForFile)) == 3
    assert game.world.next_wakeup() == START + timedelta(seconds=150)  # in case no answer comes
    game.world.file_looked_for(look.key, look.token, None, game.now)
    game.turn()
    assert (game.row("s").state, game.row("s").try_number) == ("failed", 1)


def test_what_is_seen_for_a_cleared_sensor_does_not_count() -> None:
    game = waiting(FilePresent(pattern="/in/a"))
    look = asked(game, LookForFile)[0]
    game.world.clear("waits", run_ids=["run0"], now=game.now)
    game.world.file_looked_for(look.key, look.token, "/in/a", game.now)
    game.turn()
    game.world.file_looked_for(look.key, look.token, "/in/a", game.now)
    game.turn()
    assert game.row("s").state == "up_for_reschedule"


# ---- timeouts


@pytest.mark.parametrize(("soft_fail", "state"), [(False, "failed"), (True, "skipped")])
@pytest.mark.parametrize("mode", ["poke", "reschedule"])
def test_a_timeout_is_for_good(soft_fail: bool, state: str, mode: str) -> None:
    game = waiting(MomentPassed(at=START + DAY), soft_fail=soft_fail, mode=mode, retries=3)
    game.play()
    assert (game.row("s").state, game.row("s").try_number, game.now) == (state, 1, START + HOUR)
    words = "Sensor has timed out; run duration of 3600.0 seconds exceeds the specified timeout of 3600.0."
    assert any(line.endswith(words) for line in lines(game))


def test_a_rescheduled_sensor_counts_its_time_from_the_first_try() -> None:
    """As in Airflow; a cleared one begins anew."""
    condition = OtherRun(dag_id="other", task_ids=("x",), failed=("failed",))
    game = waiting(condition, other(a_task("x")), retries=3, retry_delay=HOUR / 2)
    no_run(game)
    game.advance(HOUR / 4)
    game.trigger(dag_id="other")
    game.turn()
    game.end(game.start("x"), failed())
    game.turn()
    game.world.clear("other", run_ids=["run0"], now=game.now)
    game.turn()
    game.advance(HOUR / 2)
    game.turn()
    assert (game.row("s").state, game.row("s").try_number) == ("up_for_reschedule", 2)
    assert game.row("s").first_poke_at == START
    game.now = START + HOUR
    game.turn()
    assert game.row("s").state == "failed"
    game.world.clear("waits", run_ids=["run0"], now=game.now)
    game.turn()
    assert (game.row("s").state, game.row("s").first_poke_at) == ("up_for_reschedule", game.now)


# ---- sensors with more to run than pokes


def test_an_attended_sensor_is_woken_for_its_last_poke() -> None:
    game = waiting(MomentPassed(at=START + HOUR / 2), attended=True)
    assert game.row("s").state == "up_for_reschedule"
    game.advance(HOUR / 2)
    game.turn()
    assert (game.row("s").state, game.row("s").try_number) == ("queued", 1)
    game.end(game.start("s"))
    game.turn()
    assert game.row("s").state == "success"


def test_an_attended_sensor_with_nothing_to_wait_for_is_a_task_like_others() -> None:
    game = waiting(MomentPassed(at=START), attended=True)
    assert (game.row("s").state, game.row("s").try_number) == ("queued", 1)


# ---- conditions from the first poke


def handed_over(condition: Condition) -> Any:
    return again(condition=msgspec.to_builtins(condition))


def test_a_sensor_hands_its_waiting_over_after_the_first_poke() -> None:
    game = Game(waits(sensor()))
    game.trigger()
    token = game.start_next("s")
    game.advance()
    game.end(token, handed_over(MomentPassed(at=START + HOUR / 2)))
    game.turn()
    assert game.row("s").condition == {"type": "moment", "at": "2024-01-01T00:30:00Z"}
    game.play()
    assert (game.row("s").state, game.row("s").try_number, game.now) == ("success", 1, START + HOUR / 2)
    assert game.row("s").condition is None


def test_a_restarted_server_goes_on_watching() -> None:
    game = Game(waits(sensor(), sensor(OtherRun(dag_id="other", task_ids=("x",)), task_id="t")), other())
    game.trigger()
    game.end(game.start_next("s"), handed_over(OtherRun(dag_id="other", task_ids=("y",))))
    game.turn()
    no_run(game)
    after = Game(waits(sensor(), sensor(OtherRun(dag_id="other", task_ids=("x",)), task_id="t")), other(), tokens="u")
    after.rows, after.runs = dict(game.rows), dict(game.runs)
    after.world.load_run(copy.copy(game.runs["waits", "run0"]), [copy.copy(ti) for ti in game.rows.values()], after.now)
    after.turn()
    assert after.states(dag_id="waits") == {"s": "up_for_reschedule", "t": "up_for_reschedule"}
    no_run(after)
    after.trigger(dag_id="other")
    after.play()
    assert after.states(dag_id="waits") == {"s": "success", "t": "success"}
    assert not any(act.key.dag_id == "waits" for act in asked(after, LaunchTry))


def test_a_new_version_has_a_handed_over_sensor_poke_again() -> None:
    game = Game(waits(sensor()))
    game.trigger()
    game.end(game.start_next("s"), handed_over(MomentPassed(at=START + DAY)))
    game.turn()
    game.world.put_dag(waits(sensor(timeout=DAY)), "v2", paused=False, now=game.now)
    game.turn()
    assert game.row("s").state == "queued"
    assert game.row("s").condition is None


# ---- why


def test_why_names_the_task_and_its_state() -> None:
    game = waiting(OtherRun(dag_id="other", task_ids=("x",)), other())
    game.trigger(dag_id="other")
    game.turn()
    assert game.world.why(KEY, game.now) == (
        "It waits for tasks ['x'] in dag other in the run of 2024-01-01T00:00:00+00:00 (queued)."
    )


def test_why_says_that_a_task_is_not_there_yet() -> None:
    game = waiting(OtherRun(dag_id="other", task_ids=("nope",)), other())
    game.trigger(dag_id="other")
    game.turn()
    assert game.world.why(KEY, game.now).endswith("(not there yet).")


def test_a_run_that_no_schedule_makes_is_named_with_the_nearest_ones() -> None:
    daily = CronIntervalTimetable(expression="30 5 * * *")
    game = waiting(OtherRun(dag_id="other", group_id="g"), other(timetable=daily, start_date=START - 9 * DAY))
    no_run(game, a_run("before", START - HOUR), a_run("after", START + HOUR, RunState.RUNNING))
    words = (
        "No run of DAG 'other' has the logical date 2024-01-01T00:00:00+00:00. The schedule of DAG 'other' "
        "(Every day at 05:30) never comes to that date. The nearest runs are before (success) and after (running)."
    )
    assert lines(game)[-1] == words
    assert game.world.why(KEY, game.now).endswith(words)


def test_a_planned_run_is_announced() -> None:
    daily = CronIntervalTimetable(expression="0 0 * * *")
    game = waiting(OtherRun(dag_id="other"), other(timetable=daily, start_date=START))
    no_run(game)
    assert lines(game)[-1].endswith("It is planned for 2024-01-02T00:00:00+00:00.")


def test_of_a_schedule_that_nobody_can_foresee_nothing_is_promised() -> None:
    game = waiting(OtherRun(dag_id="other"), other(timetable=CustomTimetable(name="when_it_likes")))
    no_run(game)
    assert lines(game)[-1] == "No run of DAG 'other' has the logical date 2024-01-01T00:00:00+00:00."


def test_an_unknown_dag_is_said_to_be_so() -> None:
    game = waiting(OtherRun(dag_id="nope"))
    no_run(game)
    assert lines(game)[-1] == "No DAG 'nope' is known."


# ---- sensors that sleep in their process


def test_a_sleeping_process_gives_its_executor_slot_and_its_place_in_the_dag_back() -> None:
    game = Game(waits(sensor(mode="poke"), a_task("a"), max_active_tasks=1), parallelism=1)
    game.trigger()
    game.turn()
    token = game.start("s")
    assert game.row("a").state == "scheduled"
    for _ in range(2):
        game.world.try_rests(token, True)
    game.turn()
    assert (game.row("s").state, game.row("a").state) == ("running", "queued")
    assert game.world.pool_usage()["default_pool"]["occupied"] == 2
    game.world.try_rests(token, False)
    game.end(token)
    game.turn()
    game.end(game.start("a"))
    game.turn()
    assert game.run_state() == "success"
    game.world.try_rests(token, True)
    game.trigger(1)
    game.turn()
    assert len(game.launched) == 1


def test_a_sleeper_that_ends_or_is_killed_leaves_no_slot_over() -> None:
    game = Game(waits(sensor(mode="poke"), a_task("a"), a_task("b"), max_active_tasks=1), parallelism=1)
    game.trigger()
    game.turn()
    token = game.start("s")
    game.world.try_rests(token, True)
    game.turn()
    game.end(token, success())
    game.turn()
    assert sorted(game.states().values()) == ["queued", "scheduled", "success"]


def test_only_the_running_try_can_sleep() -> None:
    game = Game(waits(sensor(mode="poke"), a_task("a")), parallelism=1)
    game.trigger()
    game.turn()
    game.world.try_rests("nobody", True)
    game.world.try_rests(game.token_of("s"), True)  # its start has not been reported
    game.turn()
    assert game.row("a").state == "scheduled"


def test_a_backfilled_run_waits_too() -> None:
    game = Game(waits(sensor(MomentPassed(at=START + HOUR / 2))))
    game.trigger(run_type=RunType.BACKFILL)
    game.play()
    assert game.row("s").state == "success"


def test_a_new_version_of_the_other_dag_may_have_the_group() -> None:
    game = waiting(OtherRun(dag_id="other", group_id="g"), other(a_task("x")))
    game.trigger(dag_id="other")
    game.turn()
    game.end(game.start("x"))
    game.turn()
    assert game.row("s").state == "up_for_reschedule"
    game.world.put_dag(
        other(a_task("x", group_id="g"), groups=[TaskGroupSpec(group_id="g")]), "v2", paused=False, now=game.now
    )
    game.turn()
    assert game.row("s").state == "success"


def test_one_that_is_cleared_while_it_is_woken_is_left_alone() -> None:
    game = waiting(OtherRun(dag_id="other", task_ids=("x",)), other(a_task("x")))
    game.trigger(dag_id="other")
    game.turn()
    game.end(game.start("x"))
    game.world.mark("waits", run_ids=["run0"], task_ids=["s"], state=TaskState.FAILED, now=game.now)
    game.turn()
    assert game.row("s").state == "failed"
