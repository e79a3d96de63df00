"""Runs that follow the updates of datasets: conditions, queues, data intervals, pauses, limits."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asyncflow.core.commands import (
    Journal,
    SaveDatasetConsumer,
    SaveDatasetEvent,
    SaveDatasetQueue,
    TakeDatasetEvents,
    Write,
)
from asyncflow.core.datasets import met, names, words
from asyncflow.core.models import DatasetConsumer, DatasetState
from asyncflow.core.specs import DagSpec
from asyncflow.core.timetable import CronIntervalTimetable, DataInterval, DatasetOrTimeTimetable, DatasetTimetable
from tests.core.simulate import DAY, SECOND, START, Game, Outcome, a_dag, a_task, failed, skipped, success

BOTH = {"all": ["a", "b"]}
TICK = timedelta(microseconds=1)


def consumer(expression: Any = BOTH, dag_id: str = "consumer", **fields: Any) -> DagSpec:
    timetable = DatasetTimetable(expression=expression)
    values = {"timetable": timetable, "dataset_expression": expression, "dag_id": dag_id}
    return a_dag(a_task("read", is_empty=True), **values | fields)


class Board(Game):
    """A game that keeps the writes about datasets."""

    def __init__(self, *specs: DagSpec, **options: Any) -> None:
        self.kept: list[Write] = []
        super().__init__(*specs, **options)

    def _commit(self, write: Any) -> None:
        if isinstance(write, SaveDatasetEvent | SaveDatasetQueue | SaveDatasetConsumer | TakeDatasetEvents):
            self.kept.append(write)
        super()._commit(write)

    def update(self, *uris: str, after: timedelta = SECOND) -> None:
        """Update datasets from outside, one after the other, with a turn after each."""
        for uri in uris:
            self.now += after
            self.world.update_dataset(uri, extra={}, now=self.now, actor="user")
            self.turn()

    def made(self, dag_id: str = "consumer") -> list[str]:
        return [line.run_id for line in self.journal if line.event == "run.created" and line.dag_id == dag_id]

    def taken(self) -> list[TakeDatasetEvents]:
        return [write for write in self.kept if isinstance(write, TakeDatasetEvents)]


@pytest.mark.parametrize(
    ("expression", "queued", "expected"),
    [
        ("a", ["a"], True),
        ("a", ["b"], False),
        ({"all": ["a", "b"]}, ["a"], False),
        ({"all": ["a", "b"]}, ["a", "b"], True),
        ({"any": ["a", "b"]}, ["b"], True),
        ({"any": ["a", "b"]}, [], False),
        ({"any": ["a", {"all": ["b", "c"]}]}, ["b"], False),
        ({"any": ["a", {"all": ["b", "c"]}]}, ["c", "b"], True),
        ({"all": ["a", {"alias": "x"}]}, ["a"], False),
        ({"all": ["a", {"alias": "x"}]}, ["a", "behind"], True),
        ({"alias": "unknown"}, ["a"], False),
    ],
)
def test_a_condition_is_met_by_what_is_queued(expression: Any, queued: list[str], expected: bool) -> None:
    assert met(expression, dict.fromkeys(queued), {"x": ["behind"]}) is expected


def test_the_names_in_a_condition_come_once_and_in_order() -> None:
    expression = {"all": ["b", {"any": ["a", {"alias": "x"}, "b"]}, {"all": []}, {"alias": "x"}]}
    assert names(expression) == (["b", "a"], ["x"])


def test_a_run_is_made_when_all_datasets_were_updated() -> None:
    game = Board(consumer())
    game.update("a", "a", "unrelated")
    assert game.made() == []
    assert game.world.dataset_queue("consumer") == {"a": START + SECOND, "b": None}
    game.update("b")
    date = START + 4 * SECOND
    run = game.runs["consumer", "dataset_triggered__2024-01-01T00:00:04+00:00"]
    assert (run.run_type, run.logical_date, run.run_after) == ("dataset_triggered", date, date)
    assert (run.state, run.external_trigger, run.triggered_by) == ("success", False, "dataset")
    assert game.world.dataset_queue("consumer") == {"a": None, "b": None}
    (taken,) = game.taken()
    assert (taken.run_id, taken.uris, taken.after, taken.upto) == (run.run_id, ("a", "b"), START, date)


def test_the_next_run_needs_all_of_them_again() -> None:
    game = Board(consumer())
    game.update("a", "b", "a")
    assert len(game.made()) == 1
    game.update("b")
    assert len(game.made()) == 2
    assert [taken.after for taken in game.taken()] == [START, START + 2 * SECOND]


def test_each_update_makes_a_run_where_one_dataset_is_enough() -> None:
    game = Board(consumer({"any": ["a", "b"]}))
    game.update("a", "b", "b")
    assert len(game.made()) == 3


def test_updates_of_one_moment_are_told_apart() -> None:
    game = Board(consumer("a"))
    for _ in range(3):
        game.world.update_dataset("a", extra={}, now=game.now, actor="user")
    game.turn()
    game.turn()
    events = [write for write in game.kept if isinstance(write, SaveDatasetEvent)]
    assert [(event.event_id, event.at) for event in events] == [(n, START + n * TICK) for n in (1, 2, 3)]
    game.update("a", after=timedelta(0))
    assert game.made() == [
        "dataset_triggered__2024-01-01T00:00:00.000001+00:00",
        "dataset_triggered__2024-01-01T00:00:00.000004+00:00",
    ]


def test_a_date_that_is_taken_is_passed_over() -> None:
    game = Board(consumer("a"))
    game.trigger(logical_date=START + SECOND)
    game.update("a")
    assert game.runs["consumer", game.made()[-1]].logical_date == START + SECOND + TICK


def producer() -> DagSpec:
    return a_dag(a_task("write"), dag_id="producer")


def says(uri: str, **fields: Any) -> dict[str, Any]:
    return {"uri": uri, **fields}


def test_a_task_that_succeeds_updates_its_datasets() -> None:
    game = Board(producer(), consumer("a"))
    run_id = game.trigger()
    game.play({"write": success(dataset_events=(says("a", name="A", extra={"rows": 3}),))})
    event = next(write for write in game.kept if isinstance(write, SaveDatasetEvent))
    assert (event.uri, event.name, event.extra) == ("a", "A", {"rows": 3})
    assert (event.source_dag_id, event.source_run_id, event.source_task_id) == ("producer", run_id, "write")
    run = game.runs["consumer", game.made()[0]]
    assert (run.data_interval_start, run.data_interval_end) == (START, START + DAY)
    lines = [line for line in game.journal if line.event == "dataset.updated"]
    assert [(line.dag_id, line.task_id, line.actor, line.details) for line in lines] == [
        ("producer", "write", "task:write", {"uri": "a", "event_id": 1})
    ]


@pytest.mark.parametrize("told", [failed, skipped])
def test_only_success_updates_datasets(told: Callable[..., Outcome]) -> None:
    game = Board(producer(), consumer("a"))
    game.trigger()
    game.play({"write": told()})
    assert game.made() == []


def test_the_data_interval_spans_the_runs_that_made_the_updates() -> None:
    game = Board(producer(), consumer())
    game.trigger(-3)
    game.play({"write": success(dataset_events=(says("a"),))})
    assert game.made() == []
    game.update("b")
    (run_id,) = game.made()
    run = game.runs["consumer", run_id]
    assert (run.data_interval_start, run.data_interval_end) == (START - 3 * DAY, game.now)


def test_an_update_by_a_run_without_an_interval_stands_for_its_moment() -> None:
    game = Board(producer(), consumer("a"))
    game.trigger(logical_date=None, data_interval=None)
    game.play({"write": success(dataset_events=(says("a"),))})
    (run_id,) = game.made()
    assert game.runs["consumer", run_id].data_interval_start == START + TICK


def test_a_full_dag_gets_its_run_when_there_is_room() -> None:
    spec = consumer("a", max_active_runs=1)
    game = Board(msgspec.structs.replace(spec, tasks={"read": a_task("read")}))
    game.update("a", "a", "a")
    assert len(game.made()) == 1
    game.play({"read": success()})
    assert len(game.made()) == 2
    first, second = game.taken()
    assert (first.upto, second.after, second.upto) == (START + SECOND, START + SECOND, START + 2 * SECOND)
    run = game.runs["consumer", game.made()[1]]
    assert (run.data_interval_start, run.data_interval_end) == (START + 2 * SECOND, START + 2 * SECOND)


def test_nothing_is_queued_for_a_paused_dag_but_its_next_run_has_the_events() -> None:
    game = Board(consumer(), paused=True)
    game.update("a", "b")
    game.world.set_paused("consumer", False, game.now)
    game.turn()
    assert game.made() == []
    game.update("b", "a")
    (run_id,) = game.made()
    assert game.taken()[0].after == START
    assert game.runs["consumer", run_id].data_interval_start == START + SECOND


def test_what_was_queued_before_a_pause_makes_a_run_after_it() -> None:
    game = Board(consumer())
    game.world.update_dataset("a", extra={}, now=game.now, actor="user")
    game.world.update_dataset("b", extra={}, now=game.now, actor="user")
    game.world.set_paused("consumer", True, game.now)
    game.turn()
    assert game.made() == []
    game.world.set_paused("consumer", False, game.now)
    game.turn()
    assert len(game.made()) == 1


def test_a_dag_whose_file_is_gone_gets_no_run() -> None:
    game = Board(consumer("a"))
    game.world.remove_dag("consumer", game.now)
    game.world.remove_dag("nobody", game.now)
    game.update("a")
    assert game.made() == []
    game.world.put_dag(consumer("a"), "v2", paused=False, now=game.now)
    game.turn()
    assert game.made() == []
    game.update("a")
    assert len(game.made()) == 1


def test_a_new_version_waits_for_what_it_says() -> None:
    game = Board(consumer())
    game.update("a")
    game.world.put_dag(consumer({"all": ["b", "c"]}), "v2", paused=False, now=game.now)
    game.turn()
    assert game.world.dataset_queue("consumer") == {"b": None, "c": None}
    assert game.kept[-1] == SaveDatasetConsumer(dag_id="consumer", since=START, queued=())
    game.update("c", "a", "b")
    assert len(game.made()) == 1
    game.world.put_dag(consumer({"all": ["b", "c"]}), "v3", paused=False, now=game.now)
    game.turn()
    assert len(game.made()) == 1


def test_a_new_version_may_need_less() -> None:
    game = Board(consumer())
    game.update("a")
    game.world.put_dag(consumer("a"), "v2", paused=False, now=game.now)
    game.turn()
    assert len(game.made()) == 1


def test_a_schedule_without_datasets_ends_the_waiting() -> None:
    game = Board(consumer("a"))
    plain = a_dag(a_task("read", is_empty=True), dag_id="consumer")
    game.world.put_dag(plain, "v2", paused=False, now=game.now)
    game.update("a")
    assert game.made() == []
    assert game.world.dataset_queue("consumer") == {}
    assert SaveDatasetConsumer(dag_id="consumer", since=None) in game.kept


def test_an_alias_brings_the_datasets_that_were_updated_under_it() -> None:
    game = Board(producer(), consumer({"alias": "x"}))
    game.update("real")
    assert game.made() == []
    game.trigger()
    game.play({"write": success(dataset_events=(says("real", aliases=["x", "y"]),))})
    assert len(game.made()) == 1
    game.update("real", "other")
    assert len(game.made()) == 2
    assert game.taken()[-1].uris == ("real",)


def test_a_timetable_may_run_it_besides() -> None:
    timetable = DatasetOrTimeTimetable(expression="a", inner=CronIntervalTimetable(expression="0 0 * * *"))
    game = Board(consumer("a", timetable=timetable, start_date=START, catchup=True))
    game.update("a")
    game.now = START + DAY
    game.turn()
    assert [run_id.split("__")[0] for run_id in game.made()] == ["dataset_triggered", "scheduled"]


def test_the_queue_can_be_emptied_by_hand() -> None:
    game = Board(consumer({"all": ["a", "b", "c"]}))
    game.update("a", "b")
    assert game.world.forget_dataset_queue("consumer", "a") == ["a"]
    assert game.world.forget_dataset_queue("consumer", "a") == []
    assert game.world.forget_dataset_queue("nobody") == []
    game.turn()
    assert game.kept[-1] == SaveDatasetConsumer(dag_id="consumer", since=START, queued=("b",))
    assert game.world.forget_dataset_queue("consumer") == ["b"]


def known(**fields: Any) -> DatasetState:
    values: dict[str, Any] = {"dag_id": "consumer", "expression": BOTH, "since": START - DAY}
    return DatasetState(consumers=(DatasetConsumer(**values | fields),), last_id=7, last_at=START)


def interval(days: int) -> DataInterval:
    return DataInterval(START + days * DAY, START + (days + 1) * DAY)


def test_what_the_store_knows_counts_before_the_file_is_loaded() -> None:
    game = Board()
    queued: dict[str, datetime] = {"a": START - SECOND}
    game.world.load_datasets(known(queued=queued, before=interval(-5), after=interval(-3)))
    game.update("b")
    assert game.made() == []
    assert game.kept[0].event_id == 8  # type: ignore[union-attr]
    game.world.put_dag(consumer(), "v1", paused=False, now=game.now)
    game.turn()
    (run_id,) = game.made()
    run = game.runs["consumer", run_id]
    assert (run.logical_date, run.data_interval_start, run.data_interval_end) == (
        START + SECOND,
        START - 5 * DAY,
        START + SECOND,
    )
    assert game.taken()[0].after == START - DAY


def test_a_run_that_was_due_when_the_server_ended_is_made_after_its_start() -> None:
    game = Board()
    game.world.load_datasets(known(queued={"a": START - 2 * SECOND, "b": START - SECOND}))
    game.world.put_dag(consumer(), "v1", paused=False, now=game.now)
    game.turn()
    (run_id,) = game.made()
    run = game.runs["consumer", run_id]
    assert (run.data_interval_start, run.data_interval_end) == (START - SECOND, START - SECOND)


def test_aliases_are_known_after_a_start() -> None:
    game = Board()
    game.world.load_datasets(DatasetState(aliases={"x": ("real",)}))
    game.world.put_dag(consumer({"alias": "x"}), "v1", paused=False, now=game.now)
    game.update("real")
    assert len(game.made()) == 1


def test_an_update_is_in_the_journal_with_who_made_it() -> None:
    game = Board(consumer("a"))
    game.update("a")
    lines: list[Journal] = [line for line in game.journal if line.event == "dataset.updated"]
    assert [(line.dag_id, line.actor) for line in lines] == [("", "user")]


@pytest.mark.parametrize(
    ("expression", "text"),
    [
        ("a", "a"),
        ({"all": ["a"]}, "a"),
        ({"all": ["a", "b"]}, "a and b"),
        ({"any": ["a", {"all": ["b", "c"]}]}, "a or (b and c)"),
        ({"all": [{"any": ["a", "b"]}]}, "a or b"),
        ({"all": ["a", {"any": ["b"]}, {"alias": "x"}]}, "a and b and alias x"),
    ],
)
def test_a_condition_in_words(expression: Any, text: str) -> None:
    assert words(expression) == text


def test_an_asset_is_meant_by_its_name_too() -> None:
    game = Board(producer(), consumer("orders"))
    assert game.world.dataset_queue("consumer") == {"orders": None}
    game.trigger()
    game.play({"write": success(dataset_events=(says("s3://orders", name="orders"),))})
    assert len(game.made()) == 1
    assert game.taken()[0].uris == ("orders", "s3://orders")
    assert game.world.dataset_queue("consumer") == {"s3://orders": None}


def test_an_event_that_is_told_late_comes_after_what_is_known() -> None:
    game = Board(producer())
    game.trigger()
    game.turn()
    token = game.start("write")
    early, game.now = game.now, game.now + DAY
    game.world.put_dag(consumer("a"), "v1", paused=False, now=game.now)
    game.now = early
    game.end(token, success(dataset_events=(says("a"),)))
    game.now = early + DAY
    game.turn()
    (taken,) = game.taken()
    assert (taken.after, taken.upto) == (early + DAY, early + DAY + TICK)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("update"), st.sampled_from("abc")),
        st.tuples(st.just("pause"), st.booleans()),
        st.tuples(st.just("turn"), st.just(None)),
        st.tuples(st.just("say"), st.sampled_from(["a", BOTH, {"any": ["b", "c"]}, {"all": ["a", "b", "c"]}])),
    ),
    max_size=40,
)


@given(steps=STEPS, max_active_runs=st.integers(1, 3))
@settings(max_examples=100)
def test_runs_take_the_events_one_after_the_other(steps: list[tuple[str, Any]], max_active_runs: int) -> None:
    """Nothing is taken twice or left out; while the condition stays, the data interval spans what was taken."""
    game = Board(consumer(max_active_runs=max_active_runs))
    for what, value in steps:
        game.now += SECOND
        if what == "update":
            game.world.update_dataset(value, extra={}, now=game.now, actor="user")
        elif what == "pause":
            game.world.set_paused("consumer", value, game.now)
        elif what == "say":
            spec = consumer(value, max_active_runs=max_active_runs)
            game.world.put_dag(spec, f"v{game.now}", paused=False, now=game.now)
        else:
            game.turn()
    game.turn()
    events = [write for write in game.kept if isinstance(write, SaveDatasetEvent)]
    assert len({event.at for event in events}) == len(events)
    taken = game.taken()
    assert [one.after for one in taken[1:]] == [one.upto for one in taken[:-1]]
    for one in taken:
        mine = [event.at for event in events if event.uri in one.uris and one.after < event.at <= one.upto]
        run = game.runs["consumer", one.run_id]
        assert one.upto in mine
        assert run.logical_date == one.upto
        if all(what != "say" for what, _ in steps):  # else the spans are those of the datasets it waited for then
            assert (run.data_interval_start, run.data_interval_end) == (min(mine), max(mine))


def test_it_is_known_beforehand_what_an_update_would_lead_to() -> None:
    game = Board(consumer(), consumer("a", "one"), consumer("a", "asleep"))
    game.world.set_paused("asleep", True, game.now)
    assert game.world.dataset_waiters("a") == {"consumer": False, "one": True}
    game.update("b")
    assert game.world.dataset_waiters("a") == {"consumer": True, "one": True}
    assert game.world.dataset_waiters("b") == {}
    assert game.world.dataset_waiters("nothing") == {}
