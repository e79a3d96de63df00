"""An active run whose DAG changes under it."""

from __future__ import annotations

from typing import Any

from asyncflow.core.commands import DeleteTask
from asyncflow.core.specs import DagSpec, ExpandSpec, LiteralInput, XComInput
from asyncflow.core.states import TaskState
from tests.core.simulate import DAY, START, Game, a_dag, a_task, success


def put(game: Game, *tasks: Any, **dag: Any) -> None:
    game.world.put_dag(a_dag(*tasks, **dag), "v2", paused=False, now=game.now)


def mapped(length: int, **fields: Any) -> Any:
    return a_task("m", is_mapped=True, expand=ExpandSpec(inputs={"x": LiteralInput(length=length)}), **fields)


def started(spec: DagSpec, **world: Any) -> Game:
    game = Game(spec, **world)
    game.trigger()
    game.turn()
    return game


def test_a_new_task_joins_an_active_run() -> None:
    game = started(a_dag(a_task("a")))
    put(game, a_task("a"), a_task("b", upstream=["a"]), a_task("not yet", start_date=START + DAY))
    game.play()
    assert game.states() == {"a": "success", "b": "success"}


def test_a_task_that_is_gone_is_removed_and_comes_back() -> None:
    game = started(a_dag(a_task("a"), a_task("b", upstream=["a"])))
    put(game, a_task("a"))
    game.turn()
    assert game.states() == {"a": "queued", "b": "removed"}
    put(game, a_task("a"))
    put(game, a_task("a"), a_task("b", upstream=["a"]))
    game.play()
    assert game.states() == {"a": "success", "b": "success"}


def test_a_run_ends_without_the_tasks_that_are_gone() -> None:
    game = started(a_dag(a_task("a"), a_task("b", upstream=["a"])))
    put(game, a_task("a"))
    game.play()
    assert game.run_state() == "success"


def test_new_edges_count_at_once() -> None:
    game = started(a_dag(a_task("a"), a_task("b"), a_task("c", upstream=["b"])))
    put(game, a_task("a"), a_task("b"), a_task("c", upstream=["a", "b"]))
    game.end(game.start("b"))
    game.turn()
    assert game.row("c").state == "none"


def test_a_scheduled_instance_takes_over_new_limits() -> None:
    game = started(a_dag(a_task("a", priority_weight=5), a_task("b")), parallelism=0)
    put(game, a_task("a", max_active_tis_per_dag=0), a_task("b"))
    game.world._machine.parallelism = 2
    game.turn()
    assert game.states() == {"a": "scheduled", "b": "queued"}


def test_finished_runs_stay_as_they_are() -> None:
    game = started(a_dag(a_task("a"), a_task("b")))
    game.play()
    put(game, a_task("a"), a_task("c"))
    game.turn()
    assert game.states() == {"a": "success", "b": "success"}


def test_a_shorter_literal_removes_copies_and_a_longer_one_restores_them() -> None:
    game = started(a_dag(a_task("first"), mapped(3, upstream=["first"])))
    put(game, a_task("first"), mapped(1, upstream=["first"]))
    game.turn()
    assert game.states() == {"first": "queued", "m[0]": "none", "m[1]": "removed", "m[2]": "removed"}
    put(game, a_task("first"), mapped(4, upstream=["first"]))
    game.play()
    assert game.states() == {"first": "success", **{f"m[{i}]": "success" for i in range(4)}}


def test_a_running_copy_without_a_place_is_ended() -> None:
    game = started(a_dag(mapped(2)))
    token = game.start("m[1]")
    put(game, mapped(1))
    game.turn()
    assert game.row("m[1]").state == "removed"
    assert [kill.token for kill in game.killed] == [token]


def test_a_task_becomes_mapped_and_plain_again() -> None:
    game = started(a_dag(a_task("first"), a_task("m", upstream=["first"])))
    put(game, a_task("first"), mapped(2, upstream=["first"]))
    game.turn()
    assert game.states() == {"first": "queued", "m": "removed", "m[0]": "none", "m[1]": "none"}
    put(game, a_task("first"), a_task("m", upstream=["first"]))
    game.play()
    assert game.states() == {"first": "success", "m": "success", "m[0]": "removed", "m[1]": "removed"}
    assert game.run_state() == "success"


def test_copies_over_an_output_stay_while_its_length_is_unknown() -> None:
    m = a_task("m", upstream=["src"], is_mapped=True, expand=ExpandSpec(inputs={"x": XComInput(task_id="src")}))
    game = started(a_dag(a_task("src"), m))
    game.play({"src": success(map_length=2)})
    game.world.clear("dag", run_ids=["run0"], now=game.now)
    game.turn()
    put(game, a_task("src"), m)
    game.turn()
    assert game.states() == {"src": "queued", "m[0]": "none", "m[1]": "none"}
    game.play({"src": success(map_length=1)})
    put(game, a_task("src"), m)
    game.turn()
    assert game.states() == {"src": "success", "m[0]": "success", "m[1]": "removed"}


def test_an_unexpanded_copy_is_replaced_when_the_first_one_is_there_already() -> None:
    """After plain -> mapped over an output, both an old copy and an unexpanded instance can exist."""
    m = a_task("m", upstream=["src"], is_mapped=True, expand=ExpandSpec(inputs={"x": XComInput(task_id="src")}))
    game = started(a_dag(a_task("src"), mapped(2, upstream=["src"])))
    put(game, a_task("src"), a_task("m", upstream=["src"]))
    game.turn()
    assert game.states() == {"src": "queued", "m": "none", "m[0]": "removed", "m[1]": "removed"}
    put(game, a_task("src"), m)
    game.play({"src": success(map_length=2)})
    assert game.states() == {"src": "success", "m[0]": "success", "m[1]": "success"}


def test_an_instance_that_is_made_and_expanded_in_one_turn_leaves_no_trace() -> None:
    game = started(a_dag(a_task("src"), a_task("other")))
    game.end(game.start("src"), success(map_length=2))
    game.turn()
    m = a_task("m", upstream=["src"], is_mapped=True, expand=ExpandSpec(inputs={"x": XComInput(task_id="src")}))
    put(game, a_task("src"), a_task("other"), m)
    effects = game.turn()
    assert not [write for write in effects.writes if isinstance(write, DeleteTask)]
    assert game.states() == {"src": "success", "other": "queued", "m[0]": "queued", "m[1]": "queued"}


def test_a_version_with_a_shorter_dagrun_timeout_counts_from_the_start_of_the_run() -> None:
    game = started(a_dag(a_task("a")))
    put(game, a_task("a"), dagrun_timeout=DAY)
    game.turn()
    assert game.world.next_wakeup() == START + DAY


def test_a_dag_whose_spec_was_only_loaded_is_filled_in_by_its_file() -> None:
    game = started(a_dag(a_task("a")))
    fresh = Game(tokens="second")
    fresh.runs, fresh.rows, fresh.dag_id = dict(game.runs), dict(game.rows), "dag"
    fresh.world.load_run(game.runs["dag", "run0"].__copy__(), [ti.__copy__() for ti in game.rows.values()], START)
    assert fresh.world.dag("dag") is None
    assert not fresh.turn()
    fresh.end("t1")
    fresh.turn()
    assert fresh.row("a").state is TaskState.SUCCESS
    put(fresh, a_task("a"))
    fresh.play()
    assert fresh.run_state() == "success"
