"""Deferred tasks are played without a server."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from typing import Any

import pytest

from asyncflow.authoring.baseoperator import BaseOperator
from asyncflow.authoring.dag import DAG
from asyncflow.authoring.decorators import task
from asyncflow.authoring.triggers import BaseTrigger, TriggerEvent
from asyncflow.authoring.variable import Variable
from asyncflow.sensors.date_time import DateTimeSensorAsync
from asyncflow.sensors.time_delta import TimeDeltaSensorAsync
from asyncflow.testing.memory import MemoryApi
from asyncflow.testing.player import Player, play, run_one

START = dt.datetime(2024, 5, 1, tzinfo=dt.UTC)


class Counting(BaseTrigger):
    """Fires with a Variable and its number; "broken" raises, "silent" ends without an event, "slow" takes for ever."""

    def __init__(self, number: int, way: str) -> None:
        super().__init__()
        self.number, self.way = number, way

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{__name__}.Counting", {"number": self.number, "way": self.way}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        if self.way == "broken":
            raise ValueError("no luck")
        if self.way == "slow":
            await asyncio.Event().wait()
        if self.way != "silent":
            yield TriggerEvent(f"{Variable.get('who')} {self.number}")


class Twice(BaseOperator):
    """Defers itself two times, and returns both events."""

    def __init__(self, way: str = "", timeout: float | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.way, self.timeout = way, timeout

    def execute(self, context: Any) -> Any:
        self.defer(trigger=Counting(1, self.way), method_name="again", timeout=self.timeout)

    def again(self, context: Any, event: str) -> Any:
        self.defer(trigger=Counting(2, self.way), method_name="done", kwargs={"first": event})

    def done(self, context: Any, first: str, event: str) -> Any:
        return [first, event]


def api() -> MemoryApi:
    return MemoryApi(variables={"who": "number"})


def dag_of(**options: Any) -> DAG:
    with DAG("d", start_date=START, schedule=None) as dag:
        Twice(task_id="t", **options)
    return dag


def test_a_deferred_task_goes_on_with_each_event() -> None:
    result = play(dag_of(), START, api=api(), logs=False)
    assert (result.state, result.tries) == ("success", {"t": 1})
    assert result.xcoms == {"t": {"return_value": ["number 1", "number 2"]}}
    assert run_one(dag_of(), "t", START, api=api(), logs=False).outcome == "success"


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"way": "broken"}, "TaskDeferralError: Trigger failure"),
        ({"way": "silent"}, "TaskDeferralError: Trigger failure"),
        ({"way": "slow", "timeout": 0.01}, "TaskDeferralTimeout: Trigger timeout"),
    ],
)
def test_a_trigger_that_never_fires_fails_the_task(options: dict[str, Any], error: str) -> None:
    assert play(dag_of(**options), START, api=api(), logs=False).errors == {"t": error}


def test_a_trigger_may_end_the_task_by_itself() -> None:
    with DAG("ends", schedule=None, start_date=START) as dag:
        DateTimeSensorAsync(task_id="wait", target_time=START, end_from_trigger=True)
    assert play(dag, START).tasks == {"wait": "success"}


def test_a_task_may_begin_in_its_trigger() -> None:
    with DAG("begins", schedule=None, start_date=START) as dag:
        DateTimeSensorAsync(task_id="wait", target_time=START, start_from_trigger=True)
        DateTimeSensorAsync(task_id="never", target_time=START, start_from_trigger=True, end_from_trigger=True)
    result = play(dag, START)
    assert (result.tasks, result.tries) == ({"wait": "success", "never": "success"}, {"wait": 1, "never": 1})


def test_moments_are_jumped_to_like_pokes() -> None:
    with DAG("jumps", schedule=None, start_date=START) as dag:
        TimeDeltaSensorAsync(task_id="wait", delta=dt.timedelta(days=40_000))
        DateTimeSensorAsync(task_id="begin", target_time=START + dt.timedelta(days=50_000), start_from_trigger=True)
    player = Player(dag, jump_pokes=True)
    run_id = player.add_run(START)
    player.play()
    assert player.result(run_id).state == "success"


def test_async_tasks_run_to_their_end() -> None:
    async def nap(n: int) -> int:
        await asyncio.sleep(0)
        return n

    with DAG("naps", schedule=None, start_date=START) as dag:
        task(nap).expand(n=[1, 2])
    assert play(dag, START).xcoms["nap[1]"]["return_value"] == 2
