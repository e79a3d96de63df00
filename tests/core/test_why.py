"""The sentence that says why an instance waits."""

from __future__ import annotations

from datetime import timedelta

from asyncflow.core.models import Pool, TaskKey
from asyncflow.core.specs import ExpandSpec, LiteralInput
from asyncflow.core.states import RunState, TaskState
from tests.core.simulate import DAY, START, Game, a_dag, a_task, again, deferred, failed, started, success


def why(game: Game, name: str, run_id: str = "run0") -> str:
    task_id, _, index = name.partition("[")
    return game.world.why(TaskKey("dag", run_id, task_id, int(index.rstrip("]")) if index else -1), game.now)


def test_states_that_need_no_reason() -> None:
    game = started(a_task("a", retries=1), a_task("b"))
    assert why(game, "nobody") == ""
    assert why(game, "a") == "It has its slots; its process is being started."
    game.start("a")
    assert why(game, "a") == "It is running."
    game.world.clear("dag", run_ids=["run0"], task_ids=["a"], now=game.now)
    assert why(game, "a") == "It was cleared while running; it starts again once its process has ended."
    game.end(game.token_of("b"), deferred())
    assert why(game, "b") == "It is deferred and waits for its trigger triggers.Ever."
    game.world.mark("dag", run_ids=["run0"], task_ids=["b"], state=TaskState.SUCCESS, now=game.now)
    assert why(game, "b") == "It has finished: success."


def test_a_trigger_with_an_end() -> None:
    game = started(a_task("a"))
    game.end(game.start("a"), deferred(timeout=3600.0))
    end = "It is deferred and waits for its trigger triggers.Ever, at most until 2024-01-01 01:00:00 UTC."
    assert why(game, "a") == end


def test_the_dag() -> None:
    game = started(a_task("a"), a_task("b", upstream=["a"]))
    game.world.set_paused("dag", True, game.now)
    assert why(game, "b") == "The DAG 'dag' is paused."
    game.world.remove_dag("dag", game.now)
    assert why(game, "b") == "No file defines the DAG 'dag' any more."


def test_the_run() -> None:
    game = started(a_task("a"), runs=5, max_active_runs=4)
    game.trigger(9, run_after=START + DAY)
    assert why(game, "a", "run4") == (
        "The run waits: max_active_runs=4 of the DAG is reached by run0, run1, run2 and 1 more."
    )
    assert why(game, "a", "run9") == "The run starts at 2024-01-02 00:00:00 UTC."
    game.world.put_dag(a_dag(a_task("a"), a_task("b", upstream=["a"])), "v2", paused=False, now=game.now)
    game.end(game.token_of("a", "run0"))
    game.world.mark("dag", run_ids=["run0"], task_ids=["b"], state=TaskState.SUCCESS, now=game.now)
    game.turn()
    game.world.put_dag(a_dag(a_task("a"), a_task("b", upstream=["a"]), a_task("c")), "v3", paused=False, now=game.now)
    game.world.mark("dag", run_ids=["run0"], task_ids=["b"], state=TaskState.SUCCESS, now=game.now)
    assert why(game, "c") == "The run is over (success)."


def test_upstream() -> None:
    mapped = a_task("m", is_mapped=True, expand=ExpandSpec(inputs={"x": LiteralInput(length=2)}))
    game = started(a_task("a"), a_task("b"), a_task("c"), a_task("z", upstream=["a", "b", "c", "m"]), mapped)
    assert why(game, "z") == (
        "Its trigger rule all_success waits for upstream a (queued), b (queued), c (queued) and 2 more."
    )
    for name in ("a", "b", "c", "m[0]"):
        game.end(game.start(name))
    game.turn()
    assert why(game, "z") == "Its trigger rule all_success waits for upstream m[1] (queued)."


def test_upstream_that_can_never_satisfy() -> None:
    game = started(
        a_task("a"), a_task("gone", start_date=START + DAY), a_task("z", upstream=["a", "gone"], depends_on_past=True)
    )
    game.end(game.start("a"))
    game.turn()
    assert why(game, "z") == "Its trigger rule all_success can never be met: upstream is <1 success of 2>."


def test_setups() -> None:
    game = started(
        a_task("s", is_setup=True),
        a_task("w", upstream=["s"], trigger_rule="always"),
        a_task("x", upstream=["w"]),
        a_task("t", upstream=["s", "x"], is_teardown=True),
    )
    game.end(game.start("w"))
    game.turn()
    assert why(game, "x") == "It waits for its setup tasks s."


def test_the_past() -> None:
    game = started(a_task("a", depends_on_past=True), runs=2)
    assert why(game, "a", "run1") == ("It waits for the past: depends_on_past: it is queued in the run before (run0).")


def test_wait_for_downstream() -> None:
    game = started(a_task("a", depends_on_past=True, wait_for_downstream=True), a_task("b", upstream=["a"]), runs=2)
    game.end(game.start("a"))
    game.turn()
    assert why(game, "a", "run1") == (
        "It waits for the past: wait_for_downstream: b has not succeeded in the run before (run0)."
    )


def test_a_past_without_the_task() -> None:
    game = started(a_task("b"))
    game.play()
    past = a_task("a", depends_on_past=True, ignore_first_depends_on_past=False)
    game.world.put_dag(a_dag(past, a_task("b")), "v2", paused=False, now=game.now)
    game.trigger(1)
    game.turn()
    assert why(game, "a", "run1") == (
        "It waits for the past: its depends_on_past finds no instance of it in the run before (run0)."
    )


def test_time() -> None:
    game = started(a_task("a", retries=1, retry_delay=timedelta(minutes=5)), a_task("s"))
    game.end(game.start("a"), failed())
    game.end(game.start("s"), again(timedelta(minutes=1)))
    game.turn()
    assert why(game, "a") == "Try 1 has failed; the next one starts at 2024-01-01 00:05:00 UTC."
    assert why(game, "s") == "The sensor pokes again at 2024-01-01 00:01:00 UTC."
    game.advance(timedelta(minutes=5))
    assert why(game, "a") == "It is about to be scheduled."


def test_a_pool_and_who_fills_it() -> None:
    game = Game(a_dag(*[a_task(f"t{i}", pool="p") for i in range(5)], a_task("big", pool="p", pool_slots=2)))
    game.world.put_pool(Pool(name="p", slots=4))
    game.trigger()
    game.turn()
    assert why(game, "t4") == (
        "It waits for a slot: pool 'p' is full (4 of 4 slots taken) by dag.t0, dag.t1, dag.t2 and 1 more."
    )
    assert why(game, "big").startswith("It waits for a slot: pool 'p' is full (4 of 4 slots taken, it needs 2) by")
    game.world.remove_pool("p")
    assert why(game, "t4") == "It waits for a slot: pool 'p' does not exist."


def test_limits() -> None:
    game = started(a_task("a"), a_task("b"), max_active_tasks=1)
    assert why(game, "b") == "It waits for a slot: max_active_tasks=1 of the DAG is reached."
    game = started(a_task("a", max_active_tis_per_dag=1), runs=2)
    assert why(game, "a", "run1") == "It waits for a slot: max_active_tis_per_dag=1 of the task is reached."
    copies = ExpandSpec(inputs={"x": LiteralInput(length=2)})
    game = started(a_task("m", is_mapped=True, expand=copies, max_active_tis_per_dagrun=1))
    assert why(game, "m[1]") == "It waits for a slot: max_active_tis_per_dagrun=1 of the task is reached."


def test_executor_slots() -> None:
    game = started(a_task("a"), a_task("b"), parallelism=1)
    assert why(game, "b") == "All 1 executor slots are taken."
    game.end(game.start("a"), success())
    assert why(game, "b") == "It is next in line for a slot."


def test_an_instance_without_a_task() -> None:
    game = started(a_task("a"), a_task("b"))
    game.start("a")
    game.world.clear("dag", run_ids=["run0"], task_ids=["a"], now=game.now)
    run = game.world._machine.dags["dag"].runs["run0"]
    ti = run.tis["b"][-1]
    game.world.put_dag(a_dag(a_task("a"), a_task("b")), "v2", paused=False, now=game.now)
    ti.state = TaskState.NONE
    run.dag.replace(a_dag(a_task("a")), "v3")
    assert why(game, "b") == "Its task is no longer in the DAG."


def test_a_finished_run_with_something_left() -> None:
    game = started(a_task("a"), a_task("t", is_teardown=True, upstream=["a"]))
    game.world.set_run_state("dag", "run0", RunState.SUCCESS, now=game.now)
    assert why(game, "t") == "It is about to be scheduled."
