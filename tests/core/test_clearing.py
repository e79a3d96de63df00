"""Clear, mark and run states: what the golden cases (tests/golden/test_clear_mark.py) do not hold."""

from __future__ import annotations

from datetime import timedelta

import pytest

from asyncflow.core.clearing import clearing_subset
from asyncflow.core.graph import DagGraph
from asyncflow.core.models import TaskKey
from asyncflow.core.specs import DagSpec, ExpandSpec, LiteralInput
from asyncflow.core.states import RunState, TaskState
from asyncflow.errors import Conflict, NotFound
from tests.core.simulate import Game, Script, a_dag, a_task, again, failed

CHAIN = a_dag(a_task("a"), a_task("b", upstream=["a"], retries=1), a_task("c", upstream=["b"]))


def key(task_id: str, map_index: int = -1) -> TaskKey:
    return TaskKey("dag", "run0", task_id, map_index)


def played(spec: DagSpec = CHAIN, script: Script | None = None) -> Game:
    game = Game(spec)
    game.trigger()
    game.play(script)
    return game


def test_a_dry_run_lists_and_touches_nothing() -> None:
    game = played()
    world, now = game.world, game.now
    touched = world.clear("dag", run_ids=["run0"], task_ids=["b"], downstream=True, dry_run=True, now=now)
    assert touched == [key("b"), key("c")]
    assert world.mark("dag", run_ids=["run0"], task_ids=["b"], state=TaskState.FAILED, dry_run=True, now=now) == [
        key("b")
    ]
    for state in RunState:
        world.set_run_state("dag", "run0", state, dry_run=True, now=now)
    assert not game.turn()


def test_clearing_runs_the_tasks_again_and_counts_on_the_run() -> None:
    game = played()
    game.world.clear("dag", run_ids=["run0"], task_ids=["a"], upstream=True, now=game.now, actor="cli:ann")
    game.turn()
    assert game.runs["dag", "run0"].clear_number == 1
    assert game.runs["dag", "run0"].ended_at is None
    game.play()
    assert game.tries_of() == {"a": 2, "b": 1, "c": 1}
    assert {j.actor for j in game.journal if j.event == "task.none"} == {"cli:ann"}


def test_only_running_and_only_failed_choose_by_state() -> None:
    game = Game(CHAIN)
    game.trigger()
    game.turn()
    game.start("a")
    assert game.world.clear("dag", run_ids=["run0"], only_running=True, dry_run=True, now=game.now) == [key("a")]
    assert game.world.clear("dag", run_ids=["run0"], only_failed=True, dry_run=True, now=game.now) == []


def test_runs_that_are_not_there_are_left_out() -> None:
    game = played()
    assert game.world.clear("dag", run_ids=["nowhere"], now=game.now) == []
    with pytest.raises(NotFound, match="no run of DAG 'dag' named 'run9'"):
        game.world.set_run_state("dag", "run9", RunState.FAILED, now=game.now)


def test_a_waiting_sensor_that_is_cleared_starts_afresh() -> None:
    game = Game(a_dag(a_task("s")))
    game.trigger()
    game.turn()
    game.end(game.start("s"), again(timedelta(hours=1)))
    game.world.clear("dag", run_ids=["run0"], now=game.now)
    game.turn()
    row = game.row("s")
    assert (row.state, row.try_number, row.poke_count, row.first_poke_at) == ("queued", 2, 0, None)


def test_a_running_instance_without_a_process_is_left_alone() -> None:
    """Only states written by hand look so; Airflow leaves them alone, too."""
    game = Game(CHAIN)
    game.trigger()
    game.turn()
    game.start("a")
    game.turn()
    rows = [ti.__copy__() for ti in game.rows.values()]
    rows[0].token = None
    fresh = Game(CHAIN)
    fresh.runs, fresh.rows = dict(game.runs), {ti.key: ti.__copy__() for ti in rows}
    fresh.world.load_run(game.runs["dag", "run0"].__copy__(), rows, game.now)
    fresh.world.clear("dag", run_ids=["run0"], task_ids=["a"], now=game.now)
    fresh.turn()
    assert fresh.row("a").state == "running"
    assert not fresh.killed


def test_an_instance_whose_task_is_gone_can_be_marked_but_not_revived() -> None:
    game = played()
    game.world.put_dag(a_dag(a_task("a")), "v2", paused=False, now=game.now)
    game.world.set_run_state("dag", "run0", RunState.QUEUED, now=game.now)
    game.turn()
    assert game.states() == {"a": "success", "b": "removed", "c": "removed"}
    assert game.run_state() == "success"


def test_marking_a_task_of_an_active_run_lets_it_go_on() -> None:
    game = Game(CHAIN)
    game.trigger()
    game.turn()
    game.world.mark("dag", run_ids=["run0"], task_ids=["a"], state=TaskState.SUCCESS, now=game.now)
    game.turn()
    assert game.states() == {"a": "success", "b": "queued", "c": "none"}


def test_marking_with_relatives_marks_them_all() -> None:
    game = played(script={"a": failed()})
    touched = game.world.mark(
        "dag", run_ids=["run0"], task_ids=["b"], state=TaskState.SKIPPED, upstream=True, downstream=True, now=game.now
    )
    assert touched == [key("a"), key("b"), key("c")]
    game.play()
    assert set(game.states().values()) == {"skipped"}


def test_marking_one_copy_leaves_the_others() -> None:
    task = a_task("m", is_mapped=True, expand=ExpandSpec(inputs={"x": LiteralInput(length=3)}))
    game = played(a_dag(task), {"m": failed()})
    game.world.mark("dag", run_ids=["run0"], task_ids=["m"], map_indexes=[1], state=TaskState.SUCCESS, now=game.now)
    game.turn()
    assert game.states() == {"m[0]": "failed", "m[1]": "success", "m[2]": "failed"}


def test_failing_a_run_ends_what_runs_and_leaves_teardowns_to_work() -> None:
    spec = a_dag(
        a_task("w"),
        a_task("later", upstream=["w"]),
        a_task("t", upstream=["later"], is_teardown=True, trigger_rule="all_done"),
    )
    game = Game(spec)
    game.trigger()
    game.turn()
    token = game.start("w")
    game.world.set_run_state("dag", "run0", RunState.FAILED, now=game.now)
    game.turn()
    assert game.states() == {"w": "failed", "later": "skipped", "t": "queued"}
    assert [kill.token for kill in game.killed] == [token]
    assert game.run_state() == "running"
    game.play()
    assert game.states()["t"] == "success"
    assert game.run_state() == "success"  # as in Airflow: the leaf "later" is skipped


@pytest.mark.parametrize("state", [RunState.FAILED, RunState.SUCCESS])
def test_a_run_of_a_dag_that_is_gone_can_be_ended(state: RunState) -> None:
    spec = a_dag(a_task("w"), a_task("later", upstream=["w"]), a_task("t", upstream=["later"], is_teardown=True))
    game = Game(spec)
    game.trigger()
    game.turn()
    token = game.start("w")
    game.world.remove_dag("dag", game.now)
    with pytest.raises(Conflict, match="not in the DAG folder any more"):
        game.world.set_run_state("dag", "run0", RunState.QUEUED, now=game.now)
    game.world.set_run_state("dag", "run0", state, now=game.now)
    game.turn()
    assert game.run_state() == state
    assert "running" not in game.states().values()
    assert [kill.token for kill in game.killed] == [token]


def test_succeeding_a_run_marks_everything() -> None:
    game = Game(CHAIN)
    game.trigger()
    game.turn()
    assert len(game.world.set_run_state("dag", "run0", RunState.SUCCESS, now=game.now)) == 3
    game.turn()
    assert set(game.states().values()) == {"success"}
    assert game.run_state() == "success"


def test_setting_the_state_it_has_changes_nothing() -> None:
    game = played()
    game.world.set_run_state("dag", "run0", RunState.SUCCESS, now=game.now)
    before = len(game.journal)
    game.turn()
    assert len(game.journal) == before


def test_queueing_an_active_run_starts_it_over_from_where_it_is() -> None:
    game = Game(CHAIN)
    game.trigger()
    game.turn()
    game.world.set_run_state("dag", "run0", RunState.QUEUED, now=game.now)
    game.play()
    assert game.run_state() == "success"


SETUPS = DagGraph(
    a_dag(
        a_task("s", is_setup=True),
        a_task("w", upstream=["s"]),
        a_task("x", upstream=["w"]),
        a_task("t", upstream=["s", "x"], is_teardown=True),
        a_task("s2", is_setup=True),
        a_task("y", upstream=["x", "s2"]),
        a_task("t2", upstream=["s2", "y"], is_teardown=True),
    )
)


@pytest.mark.parametrize(
    ("task", "upstream", "downstream", "expected"),
    [
        ("w", False, False, {"s", "w", "t"}),
        ("s", False, False, {"s", "t"}),
        ("t", False, False, {"t"}),
        ("x", True, False, {"s", "w", "x", "t"}),
        ("x", False, True, {"s", "x", "t", "y", "s2", "t2"}),
        ("gone", False, True, set()),
    ],
)
def test_clearing_takes_the_setups_and_teardowns_along(
    task: str, upstream: bool, downstream: bool, expected: set[str]
) -> None:
    assert clearing_subset(SETUPS, [task], upstream=upstream, downstream=downstream) == expected
