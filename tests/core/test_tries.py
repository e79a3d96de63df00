"""What the end of a try means for its instance and for others."""

from __future__ import annotations

from datetime import timedelta

import pytest

from asyncflow.core.commands import (
    CallBack,
    ClearXComs,
    EndTry,
    SaveRendered,
    SaveXComs,
    TryEndedFact,
    TryStartedFact,
)
from asyncflow.core.machine import TIMEOUT_GRACE
from asyncflow.core.models import TaskKey
from asyncflow.core.states import TaskState
from asyncflow.core.tries import MAX_LOST
from tests.core.simulate import SECOND, START, Game, Outcome, a_dag, a_task, again, deferred, died, failed, success

KEY = TaskKey("dag", "run0", "a")


def one(**fields: object) -> Game:
    game = Game(a_dag(a_task("a", **fields), a_task("b", upstream=["a"])))
    game.trigger()
    game.turn()
    return game


# ---- retries


def test_a_failed_try_waits_for_its_delay() -> None:
    game = one(retries=1, retry_delay=timedelta(minutes=5))
    game.end(game.start("a"), failed())
    game.turn()
    assert game.row("a").state == "up_for_retry"
    assert game.row("a").not_before == START + timedelta(minutes=5)
    assert game.world.next_wakeup() == START + timedelta(minutes=5)
    game.advance(timedelta(minutes=5))
    game.turn()
    assert game.row("a").state == "queued"
    assert game.row("a").try_number == 2


def test_each_try_has_its_row_and_its_token() -> None:
    game = one(retries=1)
    game.play({"a": [failed(error="ValueError: no"), success()]})
    first, second = game.tries[KEY, 1], game.tries[KEY, 2]
    assert (first.state, first.error, second.state, second.error) == ("up_for_retry", "ValueError: no", "success", "")
    assert first.token != second.token


def test_a_new_try_clears_the_xcoms_of_the_one_before() -> None:
    game = one(retries=1)
    game.end(game.start("a"), failed())
    assert ClearXComs(key=KEY) in game.turn().writes


def test_what_is_not_retryable_fails_at_once() -> None:
    game = one(retries=3)
    game.play({"a": failed(retryable=False)})
    assert game.tries_of() == {"a": 1, "b": 0}
    assert game.run_state() == "failed"


def test_the_world_caps_the_backoff() -> None:
    task = a_task("a", retries=1, retry_delay=timedelta(hours=2), retry_exponential_backoff=2.0)
    game = Game(a_dag(task), max_retry_delay=timedelta(hours=1))
    game.trigger()
    game.turn()
    game.end(game.start("a"), failed())
    game.turn()
    assert game.row("a").not_before == START + timedelta(hours=1)


# ---- what a try leaves behind


def test_results_are_kept() -> None:
    game = one()
    outcome = success(xcoms={"return_value": "1"}, rendered_fields={"cmd": "ls"}, rendered_map_index="x", map_length=3)
    game.end(game.start("a"), outcome)
    effects = game.turn()
    assert SaveXComs(key=KEY, values={"return_value": "1"}) in effects.writes
    assert SaveRendered(key=KEY, fields={"cmd": "ls"}) in effects.writes
    assert (game.row("a").map_length, game.row("a").rendered_map_index) == (3, "x")


def test_a_try_that_ends_before_its_start_is_reported_has_the_times_of_its_result() -> None:
    game = one()
    game.advance()
    game.end(game.token_of("a"))
    game.turn()
    assert game.row("a").started_at == game.row("a").ended_at == START + SECOND


# ---- reschedule and deferral


def test_a_rescheduled_sensor_keeps_its_try_and_holds_nothing() -> None:
    game = one(retries=2)
    game.end(game.start("a"), again(timedelta(minutes=1)))
    game.turn()
    row = game.row("a")
    assert (row.state, row.try_number, row.poke_count, row.first_poke_at) == ("up_for_reschedule", 1, 1, START)
    assert game.world.pool_usage()["default_pool"]["occupied"] == 0
    game.advance(timedelta(minutes=1))
    game.end(game.start_next("a"), again(timedelta(minutes=1)))
    game.turn()
    assert (game.row("a").poke_count, game.row("a").first_poke_at) == (2, START)
    game.play()
    assert game.tries_of() == {"a": 1, "b": 1}


def test_a_retry_of_a_sensor_starts_counting_afresh() -> None:
    game = one(retries=1)
    game.end(game.start("a"), again())
    game.end(game.start_next("a"), failed())
    game.turn()
    assert (game.row("a").try_number, game.row("a").poke_count, game.row("a").first_poke_at) == (2, 0, None)


def test_a_deferred_task_waits_without_a_process() -> None:
    game = one()
    game.end(game.start("a"), deferred())
    game.turn()
    assert game.states() == {"a": "deferred", "b": "none"}
    assert game.run_state() == "running"
    assert game.world.next_wakeup() is None


# ---- processes that die


@pytest.mark.parametrize(("retries", "state", "word"), [(0, "failed", "failure"), (1, "queued", "retry")])
def test_a_process_that_dies_is_a_failure_with_callbacks_run_for_it(retries: int, state: str, word: str) -> None:
    game = one(retries=retries, callbacks=frozenset({"failure", "retry"}))
    game.end(game.start("a"), died(signal=11))
    game.turn()
    assert game.row("a").state == state
    assert game.tries[KEY, 1].signal == 11
    assert game.tries[KEY, 1].reason == "the process died"
    expected = CallBack(
        kind=f"task_{word}", dag_id="dag", run_id="run0", task_id="a", map_index=-1, reason="the process died"
    )
    assert expected in game.acts


def test_a_task_that_fails_by_itself_has_run_its_callbacks() -> None:
    game = one(callbacks=frozenset({"failure"}))
    game.end(game.start("a"), failed())
    game.turn()
    assert game.callbacks() == []


def test_a_lost_try_that_was_running_follows_the_retry_rules() -> None:
    game = one()
    game.end(game.start("a"), Outcome(lost=True))
    game.turn()
    assert game.row("a").state == "failed"


def test_a_try_lost_before_its_start_is_repeated_as_a_new_one() -> None:
    game = one()
    game.end(game.token_of("a"), Outcome(lost=True))
    game.turn()
    row = game.row("a")
    assert (row.state, row.try_number, row.max_tries) == ("queued", 2, 1)
    assert game.tries[KEY, 1].reason == "the process died"
    game.play()
    assert game.run_state() == "success"


def test_but_not_for_ever() -> None:
    game = one()
    for _ in range(MAX_LOST):
        game.end(game.token_of("a"), Outcome(lost=True))
        game.turn()
    assert game.row("a").state == "queued"
    game.end(game.token_of("a"), Outcome(lost=True))
    game.turn()
    assert game.row("a").state == "failed"


def test_a_start_ends_the_row_of_losses() -> None:
    game = one(retries=9)
    for _ in range(MAX_LOST + 2):
        game.end(game.token_of("a"), Outcome(lost=True))
        game.turn()
        game.end(game.start("a"), failed())
        game.turn()
    assert game.row("a").state == "queued"


def test_a_task_that_left_the_dag_is_not_repeated_when_lost() -> None:
    game = one()
    token = game.token_of("a")
    game.world.put_dag(a_dag(a_task("b")), "v2", paused=False, now=game.now)
    game.end(token, Outcome(lost=True))
    game.turn()
    assert game.row("a").state == "removed"


def test_a_task_that_left_the_dag_may_end_as_it_does() -> None:
    for outcome, state in ((success(), "success"), (failed(), "failed"), (died(), "failed")):
        game = one(retries=3, execution_timeout=timedelta(hours=1))
        token = game.token_of("a")
        game.world.put_dag(a_dag(a_task("b")), "v2", paused=False, now=game.now)
        game.start("a")
        game.end(token, outcome)
        game.play()
        assert game.states() == {"a": state, "b": "success"}
        assert game.run_state() == "success"


# ---- fencing


def test_an_unknown_token_is_refused() -> None:
    game = one()
    game.world.try_started(TryStartedFact(token="stranger", at=START, pid=1, pid_started=1))
    game.world.try_ended(TryEndedFact(token="stranger", at=START))
    effects = game.turn()
    refused = [j.details for j in game.journal if j.event == "message.refused"]
    assert refused == [{"token": "stranger", "said": "started"}, {"token": "stranger", "said": "ended"}]
    assert [act.token for act in effects.acts if isinstance(act, EndTry)] == ["stranger"]
    assert game.row("a").state == "queued"


def test_an_end_counts_once() -> None:
    game = one()
    token = game.start("a")
    game.end(token)
    game.end(token, failed())
    game.turn()
    assert game.row("a").state == "success"


def test_a_host_that_tells_again_changes_only_the_process() -> None:
    game = one()
    game.start("a")
    fact = TryStartedFact(token="t1", at=START + SECOND, pid=77, pid_started=5, host_pid=3, host_pid_started=4)
    game.world.try_started(fact)
    game.turn()
    row = game.row("a")
    assert (row.pid, row.host_pid, row.started_at, row.state) == (77, 3, START, "running")


def test_the_end_of_an_earlier_try_does_not_touch_the_present_one() -> None:
    game = one()
    token = game.start("a")
    game.turn()
    game.world.mark("dag", run_ids=["run0"], task_ids=["a"], state=TaskState.SUCCESS, now=game.now)
    game.turn()
    assert [kill.token for kill in game.killed] == [token]
    game.end(token, failed())
    game.turn()
    assert game.row("a").state == "success"
    assert game.tries[KEY, 1].error == "told to fail"


def test_a_queued_try_that_is_ended_frees_its_slot_at_once() -> None:
    game = Game(a_dag(a_task("a"), a_task("b")), parallelism=1)
    game.trigger()
    game.turn()
    token = game.token_of("a")
    game.world.mark("dag", run_ids=["run0"], task_ids=["a"], state=TaskState.SUCCESS, now=game.now)
    game.turn()
    assert game.row("b").state == "queued"
    game.world.try_started(TryStartedFact(token=token, at=game.now, pid=1, pid_started=1))
    game.turn()
    assert [kill.token for kill in game.killed] == [token, token]


def test_a_start_that_is_told_after_the_kill_changes_nothing() -> None:
    game = one()
    token = game.start("a")
    game.world.mark("dag", run_ids=["run0"], task_ids=["a"], state=TaskState.FAILED, now=game.now)
    game.world.try_started(TryStartedFact(token=token, at=game.now, pid=9, pid_started=9))
    game.turn()
    assert (game.row("a").state, game.row("a").pid) == ("failed", 1)


# ---- restarts


def test_a_task_cleared_while_it_runs_restarts_when_its_process_is_gone() -> None:
    game = one(retries=1)
    token = game.start("a")
    game.world.clear("dag", run_ids=["run0"], task_ids=["a"], now=game.now)
    game.turn()
    assert game.row("a").state == "restarting"
    assert [kill.token for kill in game.killed] == [token]
    game.world.clear("dag", run_ids=["run0"], task_ids=["a"], now=game.now)
    game.turn()
    assert game.row("a").state == "restarting"
    game.end(token, died(signal=15))
    game.turn()
    row = game.row("a")
    assert (row.state, row.try_number, row.max_tries) == ("queued", 2, 2)
    assert game.tries[KEY, 1].signal == 15


def test_a_restarting_task_that_leaves_the_dag_is_removed() -> None:
    game = one()
    token = game.start("a")
    game.world.clear("dag", run_ids=["run0"], task_ids=["a"], now=game.now)
    game.world.put_dag(a_dag(a_task("b")), "v2", paused=False, now=game.now)
    game.end(token, died())
    game.play()
    assert game.run_state() == "success"


# ---- timeouts


def test_a_try_that_does_not_end_itself_in_time_is_ended() -> None:
    game = one(execution_timeout=timedelta(minutes=1))
    token = game.start("a")
    game.turn()
    game.advance(timedelta(minutes=1) + TIMEOUT_GRACE)
    game.turn()
    assert [(kill.token, kill.reason) for kill in game.killed] == [
        (token, "execution_timeout is over and the task has not ended itself")
    ]
    assert game.row("a").state == "running"


def test_a_timeout_of_an_earlier_try_does_not_matter() -> None:
    game = one(execution_timeout=timedelta(minutes=1), retries=1)
    game.end(game.start("a"), failed())
    game.start_next("a")
    game.turn()
    game.advance(timedelta(minutes=1))
    game.turn()
    game.end(game.token_of("a"))
    game.advance(TIMEOUT_GRACE)
    game.turn()
    assert game.killed == []


# ---- skipping others


def test_a_branch_skips_what_it_did_not_choose_whatever_its_state() -> None:
    game = Game(a_dag(a_task("branch"), a_task("left", upstream=["branch"]), a_task("right", upstream=["branch"])))
    game.trigger()
    game.turn()
    game.world.mark("dag", run_ids=["run0"], task_ids=["left"], state=TaskState.SUCCESS, now=game.now)
    game.end(game.start("branch"), success(skip_tasks=("left", "gone")))
    game.play()
    assert game.states() == {"branch": "success", "left": "skipped", "right": "success"}


def test_a_running_task_that_is_skipped_is_ended() -> None:
    game = Game(a_dag(a_task("branch"), a_task("x", upstream=["branch"], trigger_rule="always")))
    game.trigger()
    game.turn()
    token = game.start("x")
    game.end(game.start("branch"), success(skip_tasks=("x",)))
    game.turn()
    assert game.row("x").state == "skipped"
    assert [kill.token for kill in game.killed] == [token]


def test_a_skipped_task_that_is_cleared_alone_stays_skipped() -> None:
    game = Game(a_dag(a_task("branch"), a_task("x", upstream=["branch"])))
    game.trigger()
    game.play({"branch": success(skip_tasks=("x",))})
    game.world.clear("dag", run_ids=["run0"], task_ids=["x"], now=game.now)
    game.play()
    assert game.states() == {"branch": "success", "x": "skipped"}
    assert game.row("branch").skips == ("x",)


def test_a_branch_that_runs_again_may_choose_anew() -> None:
    game = Game(a_dag(a_task("branch"), a_task("x", upstream=["branch"])))
    game.trigger()
    game.play({"branch": success(skip_tasks=("x",))})
    game.world.clear("dag", run_ids=["run0"], now=game.now)
    game.play()
    assert game.states() == {"branch": "success", "x": "success"}
    assert game.row("branch").skips == ()


def test_a_try_that_fails_skips_nothing() -> None:
    game = Game(a_dag(a_task("branch"), a_task("x", upstream=["branch"], trigger_rule="all_done")))
    game.trigger()
    game.play({"branch": failed(skip_tasks=("x",))})
    assert game.states() == {"branch": "failed", "x": "success"}


# ---- fail_fast


def test_fail_fast_ends_everything_but_teardowns() -> None:
    spec = a_dag(
        a_task("bad"),
        a_task("done"),
        a_task("running"),
        a_task("later", upstream=["running"]),
        a_task("down", upstream=["later"], is_teardown=True, trigger_rule="all_done"),
        fail_fast=True,
    )
    game = Game(spec)
    game.trigger()
    game.turn()
    game.end(game.start("done"))
    token = game.start("running")
    game.end(game.start("bad"), failed())
    game.turn()
    assert game.states() == {
        "bad": "failed",
        "done": "success",
        "running": "failed",
        "later": "skipped",
        "down": "queued",
    }
    assert [kill.token for kill in game.killed] == [token]
