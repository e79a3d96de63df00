"""SLAs and deadlines: timers that fire while a run is late."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from asyncflow.core.commands import Journal, SaveSlaMiss
from asyncflow.core.specs import DeadlineSpec
from asyncflow.core.states import RunType
from tests.core.simulate import DAY, START, Game, a_dag, a_task, failed

HOUR = timedelta(hours=1)
EXPECTED = START + DAY  #: the end of the data interval of run 0


def late(*tasks: Any, **fields: Any) -> Game:
    """A run that has begun on time, and is still at it."""
    game = Game(a_dag(*(tasks or (a_task("a", sla=HOUR),)), **fields))
    game.now = EXPECTED
    game.trigger()
    game.turn()
    return game


def missed(game: Game) -> list[tuple[str, Any]]:
    lines = [line for line in game.journal if line.event in ("task.sla_miss", "run.deadline_miss")]
    return [(line.task_id, line.details["deadline"]) for line in lines]


def test_a_task_that_is_not_done_in_time_is_recorded_and_told_once() -> None:
    game = late(a_task("a", sla=HOUR), a_task("b", upstream=("a",)), sla_miss_callback=True)
    game.now += HOUR
    writes = game.turn().writes
    assert [write for write in writes if isinstance(write, SaveSlaMiss)] == [
        SaveSlaMiss(dag_id="dag", run_id="run0", task_id="a", deadline=EXPECTED + HOUR, missed_at=game.now)
    ]
    (call,) = game.callbacks()
    assert (call.kind, call.run_id, call.details["tasks"]) == ("sla_miss", "run0", ["a"])
    assert [(ti["task_id"], ti["state"]) for ti in call.details["blocking"]] == [("a", "queued"), ("b", None)]
    game.world.put_dag(a_dag(a_task("a", sla=HOUR), sla_miss_callback=True), "v2", paused=False, now=game.now)
    game.turn()
    assert len(game.callbacks()) == 1


def test_the_timer_fires_by_itself() -> None:
    game = late()
    assert game.world.next_wakeup() == EXPECTED + HOUR


def test_a_task_that_is_done_misses_nothing() -> None:
    game = late()
    game.end(game.start("a"))
    game.turn()
    game.now += HOUR
    game.turn()
    assert missed(game) == []


def test_one_that_has_failed_in_a_run_that_goes_on_has_missed_it() -> None:
    game = late(a_task("a", sla=HOUR), a_task("b"))
    game.end(game.start("a"), failed())
    game.turn()
    game.now += HOUR
    game.turn()
    assert missed(game) == [("a", (EXPECTED + HOUR).isoformat())]


def test_nobody_is_told_without_a_callback_or_an_address() -> None:
    game = late()
    game.now += HOUR
    game.turn()
    assert missed(game)
    assert game.callbacks() == []


def test_an_address_is_enough() -> None:
    game = late(a_task("a", sla=HOUR, email=("me@example.com",)))
    game.now += HOUR
    game.turn()
    assert [call.kind for call in game.callbacks()] == ["sla_miss"]


def test_runs_by_hand_have_no_sla() -> None:
    game = Game(a_dag(a_task("a", sla=HOUR)))
    game.trigger(run_type=RunType.MANUAL)
    game.trigger(1, logical_date=None, data_interval=None)
    game.turn()
    assert game.world.next_wakeup() is None


def test_deadlines_are_about_the_whole_run() -> None:
    deadlines = (
        DeadlineSpec(reference="logical_date", interval=DAY + HOUR),
        DeadlineSpec(reference="queued_at", interval=2 * HOUR),
        DeadlineSpec(reference="fixed", at=EXPECTED, interval=3 * HOUR),
    )
    game = late(a_task("a"), deadlines=deadlines)
    for _ in range(3):
        game.now += HOUR
        game.turn()
    assert missed(game) == [("", (EXPECTED + n * HOUR).isoformat()) for n in (1, 2, 3)]
    assert [(call.kind, call.details["number"]) for call in game.callbacks()] == [("deadline", n) for n in range(3)]


def test_a_deadline_from_a_date_that_is_not_there_never_comes() -> None:
    game = Game(a_dag(a_task("a"), deadlines=(DeadlineSpec(interval=HOUR),)))
    game.trigger(run_type=RunType.MANUAL, logical_date=None, data_interval=None)
    game.turn()
    assert game.world.next_wakeup() is None


def test_after_a_restart_only_what_was_not_told_is_told() -> None:
    game = late()
    game.now += 2 * HOUR
    for known in (True, False):
        again = Game(a_dag(a_task("a", sla=HOUR)), tokens="u")
        again.now = game.now
        again.runs, again.rows = dict(game.runs), dict(game.rows)
        if known:
            again.world.load_missed([("dag", "run0", EXPECTED + HOUR)])
        run = next(iter(game.runs.values()))
        again.world.load_run(run.__copy__(), [ti.__copy__() for ti in game.rows.values()], again.now)
        writes = again.turn().writes
        assert bool([w for w in writes if isinstance(w, Journal) and w.event == "task.sla_miss"]) is not known


def test_what_was_told_of_a_run_is_forgotten_with_it() -> None:
    game = late()
    game.world._machine.keep_ended = timedelta(0)
    game.now += HOUR
    game.turn()
    game.end(game.start("a"))
    game.turn()
    game.now += HOUR
    game.turn()
    assert not game.world._machine.told
