"""Who gets a slot, in which order, and who waits for what."""

from __future__ import annotations

from datetime import timedelta

from asyncflow.core.models import Pool
from asyncflow.core.specs import ExpandSpec, LiteralInput
from asyncflow.core.states import RunState
from tests.core.simulate import Game, a_dag, a_task, again, deferred, name_of


def launched(game: Game) -> list[str]:
    return [name_of(key) for key in game.launched.values()]


def test_higher_weight_goes_first_then_earlier_run_then_order() -> None:
    game = Game(a_dag(a_task("low"), a_task("high", priority_weight=5), a_task("low2")), parallelism=0)
    game.trigger(1)
    game.trigger(0)
    game.turn()
    order = []
    game.world._machine.parallelism = 1
    while True:
        game.turn()
        if not game.launched:
            break
        token, key = next(iter(game.launched.items()))
        order.append((key.run_id, key.task_id))
        game.end(token)
    assert order == [
        ("run0", "high"),
        ("run1", "high"),
        ("run0", "low"),
        ("run0", "low2"),
        ("run1", "low"),
        ("run1", "low2"),
    ]


def test_parallelism_is_never_exceeded_and_freed_by_an_end() -> None:
    game = Game(a_dag(*[a_task(f"t{i}") for i in range(5)]), parallelism=2)
    game.trigger()
    game.turn()
    assert launched(game) == ["t0", "t1"]
    game.end(game.token_of("t0"))
    game.turn()
    assert launched(game) == ["t1", "t2"]


def test_a_full_pool_does_not_hold_up_others() -> None:
    game = Game(a_dag(a_task("a", pool="small", priority_weight=9), a_task("b", pool="small"), a_task("c")))
    game.world.put_pool(Pool(name="small", slots=1))
    game.trigger()
    game.turn()
    assert launched(game) == ["a", "c"]
    usage = game.world.pool_usage()["small"]
    assert usage == {"running": 0, "queued": 1, "occupied": 1, "deferred": 0, "scheduled": 1, "open": 0}


def test_the_dags_that_name_a_pool_are_known() -> None:
    game = Game(a_dag(a_task("a", pool="p"), a_task("b", pool="p"), a_task("c")))
    assert game.world.pool_dags("p") == {game.dag_id: 2}
    game.world.remove_dag(game.dag_id, game.now)
    assert game.world.pool_dags("p") == {}


def test_who_uses_a_pool_and_who_waits_is_known_in_order() -> None:
    tasks = [a_task("late", pool="p"), a_task("first", pool="p", priority_weight=9), a_task("wide", pool="p")]
    game = Game(a_dag(*tasks, a_task("other")))
    game.world.put_pool(Pool(name="p", slots=1))
    game.trigger()
    game.turn()
    use = game.world.pool_use("p", limit=2)
    assert [[ti.task_id for ti in part] for part in use] == [["first"], [], ["late", "wide"]]
    game.start("first")
    assert game.world.pool_usage()["p"]["running"] == 1
    game.end(game.token_of("first"), deferred())
    game.turn()
    use = game.world.pool_use("p", limit=1)
    assert [[ti.task_id for ti in part] for part in use] == [["late"], ["first"], ["wide"]]


def test_a_task_that_needs_many_slots_lets_smaller_ones_pass() -> None:
    game = Game(a_dag(a_task("big", pool="p", pool_slots=3, priority_weight=9), a_task("small", pool="p")))
    game.world.put_pool(Pool(name="p", slots=2))
    game.trigger()
    game.turn()
    assert launched(game) == ["small"]


def test_an_unlimited_pool_has_no_limit() -> None:
    game = Game(a_dag(*[a_task(f"t{i}", pool="sea", pool_slots=100) for i in range(5)]))
    game.world.put_pool(Pool(name="sea", slots=-1))
    game.trigger()
    game.turn()
    assert len(game.launched) == 5
    assert game.world.pool_usage()["sea"]["open"] == -1


def test_a_pool_that_does_not_exist_starts_nothing_until_it_does() -> None:
    game = Game(a_dag(a_task("a", pool="nowhere")))
    game.trigger()
    game.turn()
    assert launched(game) == []
    game.world.put_pool(Pool(name="nowhere", slots=1))
    game.turn()
    assert launched(game) == ["a"]


def test_a_removed_pool_starts_nothing_more() -> None:
    game = Game(a_dag(a_task("a")))
    game.world.remove_pool("default_pool")
    game.trigger()
    game.turn()
    assert launched(game) == []
    assert "default_pool" not in game.world.pool_usage()


def test_lowered_slots_leave_running_tasks_alone() -> None:
    game = Game(a_dag(*[a_task(f"t{i}") for i in range(3)]))
    game.trigger()
    game.turn()
    game.world.put_pool(Pool(name="default_pool", slots=1))
    assert game.world.pool_usage()["default_pool"]["open"] == 0
    assert game.killed == []


def test_deferred_tasks_hold_slots_only_where_the_pool_says_so() -> None:
    for include, expected in ((True, ["a"]), (False, ["a", "b"])):
        game = Game(a_dag(a_task("a"), a_task("b")))
        game.world.put_pool(Pool(name="default_pool", slots=1, include_deferred=include))
        game.trigger()
        game.turn()
        game.end(game.token_of("a"), deferred())
        game.turn()
        assert sorted({name_of(key) for key, _ in game.tries}) == expected


def test_max_active_tasks_counts_all_runs_of_the_dag() -> None:
    game = Game(a_dag(a_task("a"), a_task("b"), max_active_tasks=3))
    game.trigger(0)
    game.trigger(1)
    game.turn()
    assert len(game.launched) == 3


def test_max_active_tis_per_dag_counts_over_runs() -> None:
    game = Game(a_dag(a_task("a", max_active_tis_per_dag=1), a_task("b")))
    game.trigger(0)
    game.trigger(1)
    game.turn()
    assert sorted(launched(game)) == ["a", "b", "b"]


def test_max_active_tis_per_dagrun_counts_within_a_run() -> None:
    game = Game(
        a_dag(
            a_task(
                "a",
                is_mapped=True,
                expand=ExpandSpec(inputs={"x": LiteralInput(length=3)}),
                max_active_tis_per_dagrun=2,
            )
        )
    )
    game.trigger(0)
    game.trigger(1)
    game.turn()
    assert sorted(launched(game)) == ["a[0]", "a[0]", "a[1]", "a[1]"]
    game.play()
    assert set(game.states("run1").values()) == {"success"}


def test_an_instance_that_is_marked_while_it_waits_leaves_the_queue() -> None:
    game = Game(a_dag(a_task("a"), a_task("b")), parallelism=1)
    game.trigger()
    game.turn()
    game.world.set_run_state("dag", "run0", RunState.FAILED, now=game.now)
    game.turn()
    assert game.states() == {"a": "skipped", "b": "skipped"}
    game.end("t1")
    game.turn()
    assert not game.launched


def test_a_sensor_that_reschedules_queues_again_with_its_weight() -> None:
    game = Game(a_dag(a_task("s", priority_weight=9), a_task("a"), a_task("b")), parallelism=1)
    game.trigger()
    game.turn()
    game.end(game.token_of("s"), again(timedelta(seconds=5)))
    game.turn()
    assert launched(game) == ["a"]
    game.advance(timedelta(seconds=5))
    game.end(game.token_of("a"))
    game.turn()
    assert launched(game) == ["s"]


def test_a_cleared_instance_in_the_queue_is_queued_once() -> None:
    game = Game(a_dag(a_task("a"), a_task("b")), parallelism=1)
    game.trigger()
    game.turn()
    game.world.clear("dag", run_ids=["run0"], task_ids=["b"], now=game.now)
    game.play()
    assert [j.task_id for j in game.journal if j.event == "task.queued"] == ["a", "b"]
    assert game.run_state() == "success"
