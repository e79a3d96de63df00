"""Mapped tasks and groups: lengths, expansion, which instances belong together."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from asyncflow.core.machine import DECISIONS
from asyncflow.core.specs import DagSpec, ExpandSpec, LiteralInput, MapInput, TaskGroupSpec, XComInput
from asyncflow.core.states import Event
from tests.core.simulate import Game, Outcome, a_dag, a_task, failed, skipped, success


def over(*inputs: MapInput, kind: str = "product") -> dict[str, Any]:
    names = ("x", "y", "z")
    given = dict(zip(names, inputs, strict=False)) if kind == "product" else {"kwargs": inputs[0]}
    return {"is_mapped": True, "expand": ExpandSpec(kind=kind, inputs=given)}  # type: ignore[arg-type]


def three() -> LiteralInput:
    return LiteralInput(length=3)


def out(task_id: str = "src") -> XComInput:
    return XComInput(task_id=task_id)


def of_length(length: int | None) -> Outcome:
    return success(map_length=length, xcoms={"return_value": "[]"})


def played(game: Game, script: Any = None) -> dict[str, str]:
    game.trigger()
    game.play(script)
    return game.states()


def test_a_literal_is_expanded_from_the_start() -> None:
    game = Game(a_dag(a_task("m", **over(three()))))
    game.trigger()
    game.turn()
    assert game.states() == {"m[0]": "queued", "m[1]": "queued", "m[2]": "queued"}


def test_the_product_of_inputs_is_the_length() -> None:
    game = Game(a_dag(a_task("m", **over(three(), LiteralInput(length=2)))))
    assert len(played(game)) == 6


def test_an_empty_literal_leaves_one_skipped_instance() -> None:
    game = Game(a_dag(a_task("m", **over(LiteralInput(length=0))), a_task("n", upstream=["m"])))
    assert played(game) == {"m": "skipped", "n": "skipped"}
    assert game.run_state() == "success"


def test_an_output_is_expanded_when_it_is_there() -> None:
    game = Game(a_dag(a_task("src"), a_task("m", upstream=["src"], **over(out()))))
    game.trigger()
    game.turn()
    assert game.states() == {"src": "queued", "m": "none"}
    game.play({"src": of_length(2)})
    assert game.states() == {"src": "success", "m[0]": "success", "m[1]": "success"}
    assert game.tries_of() == {"src": 1, "m[0]": 1, "m[1]": 1}


def test_expand_kwargs_has_the_length_of_its_list() -> None:
    game = Game(a_dag(a_task("src"), a_task("m", upstream=["src"], **over(out(), kind="expand_kwargs"))))
    assert len(played(game, {"src": of_length(4)})) == 5


@pytest.mark.parametrize(
    ("length", "state"), [(0, "skipped"), (None, "upstream_failed")], ids=["empty", "never reported"]
)
def test_an_output_without_members_starts_nothing(length: int | None, state: str) -> None:
    game = Game(a_dag(a_task("src"), a_task("m", upstream=["src"], **over(out()))))
    assert played(game, {"src": success(map_length=length)}) == {"src": "success", "m": state}


@pytest.mark.parametrize(("outcome", "state"), [(failed(), "upstream_failed"), (skipped(), "skipped")])
def test_no_rule_starts_a_task_whose_input_will_never_be_there(outcome: Outcome, state: str) -> None:
    game = Game(a_dag(a_task("src"), a_task("m", upstream=["src"], trigger_rule="all_done", **over(out()))))
    assert played(game, {"src": outcome})["m"] == state


def test_a_removed_source_leaves_its_users_waiting() -> None:
    spec = a_dag(a_task("src"), a_task("m", upstream=["src"], trigger_rule="all_done", **over(out())))
    game = Game(spec)
    game.trigger()
    game.turn()
    run = game.world._machine.dags["dag"].runs["run0"]
    game.world._machine.move(run, run.tis["src"][-1], Event.REMOVE, game.now)
    game.turn()
    assert game.states()["m"] == "none"


def test_mapped_over_mapped_counts_what_was_returned() -> None:
    spec = a_dag(a_task("m", **over(three())), a_task("n", upstream=["m"], trigger_rule="all_done", **over(out("m"))))
    script = {"m[0]": success(xcoms={"return_value": "1"}), "m[1]": success(), "m[2]": of_length(7)}
    states = played(Game(spec), script)
    assert sorted(states) == ["m[0]", "m[1]", "m[2]", "n[0]", "n[1]"]


@pytest.mark.parametrize(
    ("combined", "length"),
    [
        (XComInput(transform="zip", parts=(out("src"), three())), 2),
        (XComInput(transform="zip", longest=True, parts=(out("src"), three())), 3),
        (XComInput(transform="concat", parts=(out("src"), three())), 5),
    ],
    ids=["zip", "zip longest", "concat"],
)
def test_lengths_of_combined_inputs(combined: XComInput, length: int) -> None:
    game = Game(a_dag(a_task("src"), a_task("m", upstream=["src"], **over(combined))))
    assert len(played(game, {"src": of_length(2)})) == 1 + length


def test_a_combined_input_waits_for_all_its_parts() -> None:
    combined = XComInput(transform="zip", parts=(out("a"), out("b")))
    game = Game(a_dag(a_task("a"), a_task("b"), a_task("m", upstream=["a", "b"], **over(combined))))
    states = played(game, {"a": of_length(2), "b": success()})
    assert states["m"] == "upstream_failed"


def test_a_longer_list_on_the_second_time_makes_more_copies_and_a_shorter_one_removes_some() -> None:
    game = Game(a_dag(a_task("src"), a_task("m", upstream=["src"], **over(out()))))
    played(game, {"src": of_length(2)})
    game.world.clear("dag", run_ids=["run0"], now=game.now)
    game.play({"src": of_length(3)})
    assert game.states() == {"src": "success", "m[0]": "success", "m[1]": "success", "m[2]": "success"}
    game.world.clear("dag", run_ids=["run0"], now=game.now)
    game.play({"src": of_length(1)})
    assert game.states() == {"src": "success", "m[0]": "success", "m[1]": "removed", "m[2]": "removed"}
    assert game.run_state() == "success"


@pytest.mark.parametrize(("length", "state"), [(0, "removed"), (None, "success")], ids=["empty", "not reported"])
def test_copies_whose_list_is_empty_the_second_time_are_removed(length: int | None, state: str) -> None:
    game = Game(a_dag(a_task("src"), a_task("m", upstream=["src"], **over(out()))))
    played(game, {"src": of_length(2)})
    game.world.clear("dag", run_ids=["run0"], now=game.now)
    game.play({"src": success(map_length=length)})
    assert game.states() == {"src": "success", "m[0]": state, "m[1]": state}
    assert game.run_state() == "success"


def test_a_mapped_source_has_no_length_before_all_its_copies_have_ended() -> None:
    fast = a_task("n", upstream=["m"], trigger_rule="one_success", **over(out("m")))
    game = Game(a_dag(a_task("m", **over(three())), fast))
    game.trigger()
    game.turn()
    game.end(game.start("m[0]"))
    game.turn()
    assert game.row("n").state == "upstream_failed"


def test_copies_wait_together_for_an_upstream_without_being_looked_at() -> None:
    game = Game(a_dag(a_task("a"), a_task("b"), a_task("m", upstream=["a", "b"], **over(three()))))
    game.trigger()
    game.turn()
    game.end(game.start("a"))
    game.turn()
    assert set(game.states().values()) == {"success", "queued", "none"}


def test_a_task_below_a_mapped_one_waits_for_all_copies() -> None:
    game = Game(a_dag(a_task("m", **over(three())), a_task("n", upstream=["m"])))
    game.trigger()
    game.turn()
    for index in (0, 1):
        game.end(game.start(f"m[{index}]"))
    game.turn()
    assert game.row("n").state == "none"
    game.end(game.start("m[2]"), failed())
    game.turn()
    assert game.row("n").state == "upstream_failed"


# ---- groups


def in_group(*tasks: Any, length: MapInput | None = None, **more: Any) -> Game:
    group = TaskGroupSpec(group_id="g", expand=ExpandSpec(inputs={"v": length or three()}))
    return Game(a_dag(*tasks, groups=[group], **more))


def test_instances_of_a_mapped_group_belong_together_by_index() -> None:
    game = in_group(a_task("g.a", group_id="g"), a_task("g.b", group_id="g", upstream=["g.a"]))
    states = played(game, {"g.a[1]": failed()})
    assert [states[f"g.b[{i}]"] for i in range(3)] == ["success", "upstream_failed", "success"]


def test_a_finished_instance_starts_its_own_successor_at_once() -> None:
    game = in_group(a_task("g.a", group_id="g"), a_task("g.b", group_id="g", upstream=["g.a"]))
    game.trigger()
    game.turn()
    game.end(game.start("g.a[1]"))
    game.turn()
    assert [game.row(f"g.b[{i}]").state for i in range(3)] == ["none", "queued", "none"]


def test_a_group_over_an_output_unrolls_as_it_goes() -> None:
    game = in_group(
        a_task("src"),
        a_task("g.a", group_id="g", upstream=["src"]),
        a_task("g.b", group_id="g", upstream=["g.a", "src"]),
        length=out(),
    )
    assert sorted(played(game, {"src": of_length(2)})) == ["g.a[0]", "g.a[1]", "g.b[0]", "g.b[1]", "src"]


def test_a_fast_rule_in_a_group_looks_at_all_instances() -> None:
    game = in_group(
        a_task("g.a", group_id="g"), a_task("g.b", group_id="g", upstream=["g.a"], trigger_rule="one_failed")
    )
    states = played(game, {"g.a[1]": failed()})
    assert {states[f"g.b[{i}]"] for i in range(3)} == {"success"}


def test_a_fast_rule_in_a_group_waits_for_the_list_it_is_mapped_over() -> None:
    game = in_group(
        a_task("first"),
        a_task("src"),
        a_task("g.a", group_id="g", upstream=["first", "src"], trigger_rule="one_success"),
        length=out(),
    )
    game.trigger()
    game.turn()
    game.end(game.start("first"))
    game.turn()
    assert game.row("g.a").state == "none"
    game.play({"src": of_length(2)})
    assert game.states() == {"first": "success", "src": "success", "g.a[0]": "success", "g.a[1]": "success"}


def test_a_fast_rule_on_a_mapped_task_fails_without_its_list_as_in_airflow() -> None:
    spec = a_dag(
        a_task("first"),
        a_task("src"),
        a_task("m", upstream=["first", "src"], trigger_rule="one_success", **over(out())),
    )
    game = Game(spec)
    game.trigger()
    game.turn()
    game.end(game.start("first"))
    game.turn()
    assert game.row("m").state == "upstream_failed"


def test_nested_groups_multiply_and_inner_instances_share_the_outer_one() -> None:
    outer = TaskGroupSpec(group_id="o", expand=ExpandSpec(inputs={"v": LiteralInput(length=2)}))
    inner = TaskGroupSpec(group_id="o.i", parent="o", expand=ExpandSpec(inputs={"v": three()}))
    game = Game(
        a_dag(
            a_task("o.a", group_id="o"),
            a_task("o.i.b", group_id="o.i", upstream=["o.a"]),
            a_task("o.c", group_id="o", upstream=["o.i.b"]),
            groups=[outer, inner],
        )
    )
    states = played(game, {"o.a[1]": failed()})
    assert [states[f"o.i.b[{i}]"] for i in range(6)] == ["success"] * 3 + ["upstream_failed"] * 3
    assert [states[f"o.c[{i}]"] for i in range(2)] == ["success", "upstream_failed"]


def test_an_empty_group_is_skipped() -> None:
    game = in_group(
        a_task("src"),
        a_task("g.a", group_id="g", upstream=["src"]),
        a_task("g.b", group_id="g", upstream=["g.a", "src"]),
        a_task("end", upstream=["g.b"], trigger_rule="all_done"),
        length=out(),
    )
    assert played(game, {"src": of_length(0)}) == {
        "src": "success",
        "g.a": "skipped",
        "g.b": "skipped",
        "end": "success",
    }


def test_a_task_outside_sees_all_instances_of_the_group() -> None:
    game = in_group(a_task("g.a", group_id="g"), a_task("end", upstream=["g.a"]))
    assert played(game, {"g.a[2]": failed()})["end"] == "upstream_failed"


def test_two_groups_do_not_share_indexes() -> None:
    other = TaskGroupSpec(group_id="h", expand=ExpandSpec(inputs={"v": three()}))
    group = TaskGroupSpec(group_id="g", expand=ExpandSpec(inputs={"v": three()}))
    game = Game(
        a_dag(a_task("g.a", group_id="g"), a_task("h.b", group_id="h", upstream=["g.a"]), groups=[group, other])
    )
    assert {s for n, s in played(game, {"g.a[0]": failed()}).items() if n.startswith("h")} == {"upstream_failed"}


def test_setups_inside_a_group_count_by_index() -> None:
    game = in_group(
        a_task("g.s", group_id="g", is_setup=True),
        a_task("g.w", group_id="g", upstream=["g.s"]),
        a_task("g.t", group_id="g", upstream=["g.s", "g.w"], is_teardown=True, trigger_rule="all_done_setup_success"),
    )
    states = played(game, {"g.s[1]": failed(), "g.w[0]": failed()})
    assert [states[f"g.t[{i}]"] for i in range(3)] == ["success", "upstream_failed", "success"]


def test_a_short_circuit_inside_a_group_skips_its_own_index_only() -> None:
    game = in_group(
        a_task("g.s", group_id="g"),
        a_task("g.b", group_id="g", upstream=["g.s"]),
        a_task("g.c", group_id="g", upstream=["g.b"]),
    )
    states = played(game, {"g.s[1]": success(skip_tasks=("g.b", "g.c"), skip_map_index=1)})
    assert [states[f"g.b[{i}]"] for i in range(3)] == ["success", "skipped", "success"]
    assert [states[f"g.c[{i}]"] for i in range(3)] == ["success", "skipped", "success"]


def test_a_branch_skips_the_unexpanded_instance_only_if_told_so() -> None:
    game = Game(a_dag(a_task("b"), a_task("m", upstream=["b"], **over(three()))))
    assert set(played(game, {"b": success(skip_tasks=("m",))}).values()) == {"success", "skipped"}
    game = Game(a_dag(a_task("b"), a_task("m", upstream=["b"], **over(three()))))
    assert set(played(game, {"b": success(skip_tasks=("m",), skip_map_index=-1)}).values()) == {"success"}


# ---- thousands of copies


def many(number: int) -> DagSpec:
    mapped = a_task("m", **over(LiteralInput(length=number)))
    return a_dag(mapped, a_task("last", upstream=["m"]), max_active_tasks=10**6)


def test_thousands_of_copies_are_scheduled_over_several_turns() -> None:
    game = Game(many(DECISIONS + 10))
    game.trigger()
    game.turn()
    assert list(game.states().values()).count("none") == 11  # the last task among them
    assert game.world.next_wakeup() < game.now
    game.turn()
    assert list(game.states().values()).count("none") == 1
    game.turn()
    assert game.world.next_wakeup() is None


def test_a_run_does_not_end_between_two_turns_over_it() -> None:
    """What is not looked at yet must not be taken for a deadlock."""
    dag = many(3 * DECISIONS)
    mapped = msgspec.structs.replace(dag.tasks["m"], upstream=("first",))
    first = a_task("first")
    game = Game(a_dag(first, mapped, dag.tasks["last"]))
    game.trigger()
    game.play({"first": failed()})
    assert set(game.states().values()) == {"failed", "upstream_failed"}
    assert game.run_state() == "failed"
    assert [line.details["reason"] for line in game.journal if line.event == "run.failed"] == ["task_failure"]


def test_a_paused_dag_is_looked_at_once() -> None:
    game = Game(many(DECISIONS + 10))
    game.trigger()
    game.world.poll(game.now)
    game.world.set_paused("dag", True, game.now)
    game.take(game.world.drain())
    for _ in range(3):
        game.turn()
    assert game.world.next_wakeup() is None
    game.world.set_paused("dag", False, game.now)
    for _ in range(3):
        game.turn()
    assert list(game.states().values()).count("none") == 1
