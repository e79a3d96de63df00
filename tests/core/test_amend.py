"""Notes; undo of clear and mark."""

from __future__ import annotations

import copy

import pytest

from asyncflow.core.amend import LeftAlone, PutBack
from asyncflow.core.commands import TriggerEndedFact
from asyncflow.core.models import DagRun, Pool, TaskInstance, TaskKey
from asyncflow.core.specs import ExpandSpec, LiteralInput, TaskSpec, XComInput
from asyncflow.core.states import RunState, TaskState
from asyncflow.errors import NotFound
from tests.core.simulate import SECOND, Game, Script, a_dag, a_task, deferred, failed, success

CHAIN = a_dag(a_task("a"), a_task("b", upstream=["a"]), a_task("c", upstream=["b"]))


def key(task_id: str) -> TaskKey:
    return TaskKey("dag", "run0", task_id)


def played(script: Script | None = None) -> Game:
    game = Game(CHAIN)
    game.trigger()
    game.play(script)
    return game


def copies(game: Game) -> tuple[DagRun, list[TaskInstance]]:
    run = game.world.run("dag", "run0")
    assert run is not None
    return copy.copy(run), [copy.copy(ti) for ti in game.world.tasks_of("dag", "run0")]


def undo(game: Game, before: tuple[DagRun, list[TaskInstance]]) -> PutBack:
    """Undo, and see that the rows in the store become what is in memory."""
    run, tis = before
    found = game.world.put_back(run, [copy.copy(ti) for ti in tis], now=game.now, actor="ui")
    game.take(game.world.drain())
    assert game.rows == {ti.key: ti for ti in game.world.tasks_of("dag", "run0")}
    return found


def renew(game: Game, *tasks: TaskSpec) -> None:
    """A new version of the DAG, with these tasks."""
    game.world.put_dag(a_dag(*tasks), "v2", paused=False, now=game.now)
    game.turn()


@pytest.mark.parametrize("script", [None, {"b": [failed()]}], ids=["success", "failed"])
def test_a_cleared_run_is_what_it_was(script: Script | None) -> None:
    game = played(script)
    before = copies(game)
    game.world.clear("dag", run_ids=["run0"], now=game.now)
    assert sorted(undo(game, before).done) == [key("a"), key("b"), key("c")]
    assert copies(game) == before
    game.turn()
    assert copies(game) == before, "nothing starts again"


def test_what_waits_for_a_slot_goes_back_too() -> None:
    game = played()
    before = copies(game)
    game.world.set_paused("dag", True, game.now)
    game.world.clear("dag", run_ids=["run0"], now=game.now)
    game.turn()
    assert sorted(undo(game, before).done) == [key("a"), key("b"), key("c")]
    assert copies(game) == before


def test_what_has_started_again_is_left_alone() -> None:
    game = played()
    before = copies(game)
    game.world.clear("dag", run_ids=["run0"], now=game.now)
    game.turn()
    game.start("a")
    found = undo(game, before)
    assert sorted(found.done) == [key("b"), key("c")]
    assert found.left == {key("a"): LeftAlone.TRIED}
    game.turn()
    assert game.states()["a"] == "running"
    assert game.runs["dag", "run0"].state is RunState.RUNNING


def test_what_has_been_tried_since_is_left_alone() -> None:
    game = played()
    before = copies(game)
    game.world.clear("dag", run_ids=["run0"], now=game.now)
    game.now += SECOND
    game.play()
    ended = game.runs["dag", "run0"].ended_at
    assert undo(game, before) == ([], [], dict.fromkeys([key("a"), key("b"), key("c")], LeftAlone.TRIED))
    assert game.runs["dag", "run0"].ended_at == ended, "the run has ended anew"


def test_a_mark_that_ended_a_run_lets_it_go_on() -> None:
    game = Game(CHAIN)
    game.trigger()
    game.world.set_paused("dag", True, game.now)
    game.turn()
    before = copies(game)
    game.world.set_run_state("dag", "run0", RunState.FAILED, now=game.now)
    assert game.world.run("dag", "run0").state is RunState.FAILED  # type: ignore[union-attr]
    assert len(undo(game, before).done) == 3
    game.world.set_paused("dag", False, game.now)
    game.play()
    assert game.states() == {"a": "success", "b": "success", "c": "success"}


def test_what_was_at_work_cannot_come_back() -> None:
    game = Game(CHAIN)
    game.trigger()
    game.turn()
    game.start("a")
    before = copies(game)
    game.world.mark("dag", run_ids=["run0"], task_ids=["a"], state=TaskState.FAILED, now=game.now)
    found = undo(game, before)
    assert (found.done, found.left) == ([], {key("a"): LeftAlone.WAS_AT_WORK})
    assert undo(game, (DagRun(dag_id="dag", run_id="none", run_after=game.now), before[1])) == ([], [], {})


def test_a_task_that_a_newer_version_added_is_taken_away_again() -> None:
    game = played()
    game.world.put_pool(Pool(name="default_pool", slots=0))
    renew(game, *CHAIN.tasks.values(), a_task("d", upstream=["c"]))
    before = copies(game)
    game.world.clear("dag", run_ids=["run0"], task_ids=["c"], now=game.now)
    game.turn()
    assert game.states()["d"] == "none"
    found = undo(game, before)
    assert (found.done, found.gone, found.left) == ([key("c")], [key("d")], {})
    assert copies(game) == before
    game.world.put_pool(Pool(name="default_pool", slots=8))
    game.play()
    assert copies(game) == before, "nothing starts again"


def test_one_that_waits_for_a_slot_or_is_empty_is_taken_away_too() -> None:
    game = played()
    game.world.put_pool(Pool(name="default_pool", slots=0))
    renew(game, *CHAIN.tasks.values(), a_task("d"), a_task("e", is_empty=True), a_task("f", upstream=["e"]))
    before = copies(game)
    game.world.clear("dag", run_ids=["run0"], task_ids=["c"], now=game.now)
    game.turn()
    states = game.states()
    assert (states["d"], states["e"], states["f"]) == ("scheduled", "success", "scheduled")
    assert sorted(undo(game, before).gone) == [key("d"), key("e"), key("f")]
    assert copies(game) == before
    game.world.put_pool(Pool(name="default_pool", slots=8))
    game.play()
    assert copies(game) == before


def test_one_that_has_started_stays_and_so_does_its_run() -> None:
    game = played()
    renew(game, *CHAIN.tasks.values(), a_task("d", priority_weight=10), a_task("e", upstream=["c"]))
    before = copies(game)
    game.world.set_paused("dag", True, game.now)
    game.world.clear("dag", run_ids=["run0"], task_ids=["c"], now=game.now)
    game.world.set_paused("dag", False, game.now)
    game.world.put_pool(Pool(name="default_pool", slots=1))
    game.turn()
    game.start("d")
    found = undo(game, before)
    assert found.left == {key("d"): LeftAlone.MADE, key("e"): LeftAlone.MADE}
    assert (found.done, found.gone) == ([key("c")], [])
    game.play()
    assert game.states() == dict.fromkeys("abcde", "success")


def test_a_task_that_a_newer_version_has_not_is_what_it_was() -> None:
    game = played()
    game.world.put_pool(Pool(name="default_pool", slots=0))
    renew(game, a_task("a"), a_task("b", upstream=["a"]))
    before = copies(game)
    game.world.clear("dag", run_ids=["run0"], task_ids=["b"], now=game.now)
    game.turn()
    assert game.states()["c"] == "removed"
    assert sorted(undo(game, before).done) == [key("b"), key("c")]
    assert copies(game) == before


def test_copies_that_took_the_place_of_a_mapped_task_give_it_back() -> None:
    def mapped(number: int) -> list[TaskSpec]:
        listed = ExpandSpec(inputs={"x": LiteralInput(length=number)})
        return [a_task("a"), a_task("m", is_mapped=True, expand=listed, upstream=["a"])]

    game = Game(a_dag(*mapped(0)))
    game.trigger()
    game.play()
    assert game.states() == {"a": "success", "m": "skipped"}
    renew(game, *mapped(2))
    before = copies(game)
    game.world.set_paused("dag", True, game.now)
    game.world.clear("dag", run_ids=["run0"], task_ids=["a"], now=game.now)
    game.turn()
    assert [name for name in game.states() if name.startswith("m")] != ["m"]
    found = undo(game, before)
    assert found.left == {}
    assert copies(game) == before


def test_a_mapped_task_that_was_unrolled_since_is_one_again() -> None:
    listed = ExpandSpec(inputs={"x": XComInput(task_id="a")})
    mapped = a_task("m", is_mapped=True, expand=listed, upstream=["a", "b"])
    game = Game(a_dag(a_task("a"), a_task("b"), mapped))
    game.trigger()
    game.play({"a": success(map_length=2), "b": failed()})
    assert game.states() == {"a": "success", "b": "failed", "m": "upstream_failed"}
    game.world.put_pool(Pool(name="default_pool", slots=0))
    before = copies(game)
    game.world.mark("dag", run_ids=["run0"], task_ids=["b"], state=TaskState.SUCCESS, now=game.now)
    game.turn()
    assert game.states() == {"a": "success", "b": "success", "m[0]": "scheduled", "m[1]": "scheduled"}
    found = undo(game, before)
    assert (found.done, found.gone) == ([key("b"), key("m")], [key("m")._replace(map_index=at) for at in (0, 1)])
    assert copies(game) == before


def test_an_empty_task_that_passed_again_is_what_it_was() -> None:
    game = Game(a_dag(a_task("start", is_empty=True), a_task("b", upstream=["start"])))
    game.trigger()
    game.play()
    before = copies(game)
    game.world.put_pool(Pool(name="default_pool", slots=0))
    game.now += SECOND
    game.world.clear("dag", run_ids=["run0"], now=game.now)
    game.turn()
    assert game.states() == {"start": "success", "b": "scheduled"}
    assert sorted(undo(game, before).done) == [key("b"), key("start")]
    assert copies(game) == before


def test_what_waited_for_a_slot_does_so_again() -> None:
    game = Game(CHAIN)
    game.world.put_pool(Pool(name="default_pool", slots=0))
    game.trigger()
    game.turn()
    before = copies(game)
    game.world.mark("dag", run_ids=["run0"], task_ids=["a"], state=TaskState.SUCCESS, now=game.now)
    assert undo(game, before).done == [key("a")]
    game.turn()
    assert (game.row("a").state, game.row("a").try_number) == (TaskState.SCHEDULED, 1)
    game.world.put_pool(Pool(name="default_pool", slots=8))
    game.play()
    assert game.states() == dict.fromkeys("abc", "success")


def test_what_waited_to_be_retried_does_so_again() -> None:
    game = Game(a_dag(a_task("a", retries=1, retry_delay=60 * SECOND)))
    game.trigger()
    game.turn()
    game.end(game.token_of("a"), failed())
    game.turn()
    before = copies(game)
    game.world.mark("dag", run_ids=["run0"], task_ids=["a"], state=TaskState.SUCCESS, now=game.now)
    game.turn()
    assert undo(game, before).done == [key("a")]
    assert copies(game)[1] == before[1]
    game.play({"a": success()})
    assert (game.row("a").state, game.row("a").try_number) == (TaskState.SUCCESS, 2)


def test_a_deferred_try_that_waited_to_go_on_cannot_come_back() -> None:
    game = Game(a_dag(a_task("a")))
    game.trigger()
    game.turn()
    game.end(game.token_of("a"), deferred())
    game.turn()
    game.world.put_pool(Pool(name="default_pool", slots=0))
    game.world.trigger_ended(TriggerEndedFact(token=game.row("a").token or "", at=game.now))
    game.turn()
    assert game.states() == {"a": "scheduled"}
    before = copies(game)
    game.world.mark("dag", run_ids=["run0"], task_ids=["a"], state=TaskState.SUCCESS, now=game.now)
    assert undo(game, before).left == {key("a"): LeftAlone.WAS_AT_WORK}


def test_notes_are_written_and_journaled() -> None:
    game = played()
    game.world.set_note("dag", "run0", "late", now=game.now, actor="ui")
    game.world.set_note("dag", "run0", "mine", task_id="a", now=game.now, actor="ui")
    game.turn()
    assert game.runs["dag", "run0"].note == "late"
    assert game.row("a").note == "mine"
    assert [(line.event, line.details) for line in game.journal[-2:]] == [
        ("run.note", {"note": "late"}),
        ("task.note", {"note": "mine"}),
    ]


@pytest.mark.parametrize(("run_id", "task_id"), [("none", None), ("run0", "none")])
def test_a_note_needs_something_to_be_on(run_id: str, task_id: str | None) -> None:
    game = played()
    with pytest.raises(NotFound):
        game.world.set_note("dag", run_id, "x", task_id=task_id, now=game.now)
