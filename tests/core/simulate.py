"""Plays DAGs on a `World` with scripted results: no processes, no files, virtual time.

    game = Game(a_dag(a_task("a"), a_task("b", upstream=("a",))))
    game.trigger()
    game.play({"a": [failed(), success()]})
    assert game.states() == {"a": "success", "b": "success"}

`apply` also keeps the rows as the store would and checks what every write expects, so each test that plays a run checks
the writes, too.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from asyncflow.core.commands import (
    CallBack,
    DeleteRun,
    DeleteTask,
    Effects,
    EndTry,
    Journal,
    LaunchTry,
    SaveDagState,
    SaveRun,
    SaveTask,
    SaveTry,
    TryEndedFact,
    TryStartedFact,
)
from asyncflow.core.messages import TryResult
from asyncflow.core.models import DagRun, Pool, TaskInstance, TaskKey
from asyncflow.core.specs import DagSpec, TaskGroupSpec, TaskSpec
from asyncflow.core.states import RunType, TaskState
from asyncflow.core.timetable import DataInterval, NullTimetable
from asyncflow.core.world import World

START = datetime(2024, 1, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)


def a_task(task_id: str, *, upstream: Sequence[str] = (), **fields: Any) -> TaskSpec:
    return TaskSpec(task_id=task_id, upstream=tuple(upstream), **{"retry_delay": timedelta(0)} | fields)


def a_dag(*tasks: TaskSpec, groups: Sequence[TaskGroupSpec] = (), **fields: Any) -> DagSpec:
    """A DAG of these tasks; only their `upstream` needs to be given."""
    down: dict[str, list[str]] = {task.task_id: [] for task in tasks}
    for task in tasks:
        for above in task.upstream:
            down[above].append(task.task_id)
    wired = {task.task_id: _replaced(task, downstream=tuple(sorted(down[task.task_id]))) for task in tasks}
    defaults = {"dag_id": "dag", "timetable": NullTimetable(), "max_active_tasks": 1000}
    return DagSpec(tasks=wired, groups={g.group_id: g for g in groups}, **defaults | fields)


def _replaced(task: TaskSpec, **fields: Any) -> TaskSpec:
    return TaskSpec(**{name: getattr(task, name) for name in task.__struct_fields__} | fields)


@dataclass
class Outcome:
    """What a scripted try comes to; `died`: its process is gone without a result."""

    outcome: str = "success"
    died: bool = False
    lost: bool = False
    signal: int | None = None
    fields: Mapping[str, Any] | None = None


def success(**fields: Any) -> Outcome:
    return Outcome("success", fields=fields)


def failed(**fields: Any) -> Outcome:
    return Outcome("failed", fields={"error": "told to fail"} | fields)


def skipped(**fields: Any) -> Outcome:
    return Outcome("skipped", fields=fields)


def again(after: timedelta = timedelta(0), **fields: Any) -> Outcome:
    """A sensor that wants to poke again."""
    return Outcome("reschedule", fields={"after": after} | fields)


def deferred(timeout: float | None = None, **method_kwargs: Any) -> Outcome:
    """A task that waits for a trigger, to go on with `resume(**method_kwargs)`."""
    trigger = {"classpath": "triggers.Ever", "kwargs": {"n": 1}, "local": False, "timeout": timeout}
    return Outcome("deferred", fields={"trigger": {**trigger, "method": "resume", "method_kwargs": method_kwargs}})


def died(signal: int = 9) -> Outcome:
    return Outcome(died=True, signal=signal)


Script = Mapping[str, Sequence[Outcome] | Outcome | Callable[[TaskInstance], Outcome]]


def name_of(ti: TaskInstance | TaskKey) -> str:
    return ti.task_id if ti.map_index < 0 else f"{ti.task_id}[{ti.map_index}]"


class Game:
    """A world, the rows its writes have made, and what is running."""

    def __init__(
        self, *specs: DagSpec, parallelism: int = 1000, paused: bool = False, tokens: str = "t", **world: Any
    ) -> None:
        numbers = count(1)
        self.now = START
        self.world = World(
            parallelism=parallelism, new_token=lambda: f"{tokens}{next(numbers)}", keep_ended=None, **world
        )
        self.world.put_pool(Pool(name="default_pool", slots=128))
        self.runs: dict[tuple[str, str], DagRun] = {}
        self.rows: dict[TaskKey, TaskInstance] = {}
        self.tries: dict[tuple[TaskKey, int], SaveTry] = {}
        self.journal: list[Journal] = []
        self.dag_states: dict[str, SaveDagState] = {}
        self.acts: list[Any] = []
        self.launched: dict[str, TaskKey] = {}  #: tries whose end is to be reported, in order
        self.killed: list[EndTry] = []
        for spec in specs:
            self.world.put_dag(spec, "v1", paused=paused, now=self.now)
        self.dag_id = specs[0].dag_id if specs else "dag"

    # ---- the engine's side

    def turn(self) -> Effects:
        """Poll, drain, and do with the writes what the store does."""
        self.world.poll(self.now)
        return self.take(self.world.drain())

    def take(self, effects: Effects) -> Effects:
        """Commit the writes and note the acts."""
        for write in effects.writes:
            self._commit(write)
        for act in effects.acts:
            self.acts.append(act)
            if isinstance(act, LaunchTry):
                assert self.rows[act.key].state is TaskState.QUEUED
                assert self.rows[act.key].token == act.token
                self.launched[act.token] = act.key
            elif isinstance(act, EndTry):
                self.killed.append(act)
        return effects

    def _commit(self, write: Any) -> None:
        match write:
            case SaveRun():
                old = self.runs.get((write.run.dag_id, write.run.run_id))
                assert write.expected == (old.state if old else None)
                self.runs[write.run.dag_id, write.run.run_id] = write.run
            case SaveTask():
                ti = self.rows.get(write.ti.key)
                assert write.expected == (ti.state if ti else None), write
                assert (write.ti.dag_id, write.ti.run_id) in self.runs
                self.rows[write.ti.key] = write.ti
            case DeleteRun():
                del self.runs[write.dag_id, write.run_id]
                gone = [key for key in self.rows if (key.dag_id, key.run_id) == (write.dag_id, write.run_id)]
                for key in gone:
                    del self.rows[key]
            case DeleteTask():
                del self.rows[write.key]
            case SaveTry():
                assert write.key in self.rows
                self.tries[write.key, write.try_number] = write
            case Journal():
                self.journal.append(write)
            case SaveDagState():
                self.dag_states[write.dag_id] = write

    def advance(self, delta: timedelta = SECOND) -> None:
        self.now += delta

    # ---- what people do

    def trigger(self, number: int = 0, *, run_type: RunType = RunType.SCHEDULED, **fields: Any) -> str:
        """Make the run of day `number`; its run id."""
        date = START + number * DAY
        values: dict[str, Any] = {
            "run_type": run_type,
            "logical_date": date,
            "data_interval": DataInterval(date, date + DAY),
            "run_after": START,
            "run_id": f"run{number}",
            "now": self.now,
        }
        return self.world.create_run(fields.pop("dag_id", self.dag_id), **values | fields).run_id

    def start(self, name: str) -> str:
        """Report that the process of the launched try of `name` is up; its token."""
        token = self.token_of(name)
        self.world.try_started(TryStartedFact(token=token, at=self.now, pid=1, pid_started=1))
        return token

    def start_next(self, name: str) -> str:
        """Take a turn and report that the next try of `name` is up; its token."""
        self.turn()
        return self.start(name)

    def token_of(self, name: str, run_id: str | None = None) -> str:
        found = [t for t, key in self.launched.items() if name_of(key) == name and run_id in (None, key.run_id)]
        assert len(found) == 1, f"{name}: {found}"
        return found[0]

    def end(self, token: str, outcome: Outcome | None = None) -> None:
        """Report the end of a try."""
        outcome = outcome or success()
        self.launched.pop(token, None)
        result = None if outcome.died or outcome.lost else self._result(outcome)
        reason = "" if result else "the process died"
        fact = TryEndedFact(
            token=token, at=self.now, result=result, reason=reason, signal=outcome.signal, lost=outcome.lost
        )
        self.world.try_ended(fact)

    def _result(self, outcome: Outcome) -> TryResult:
        fields = dict(outcome.fields or {})
        after = fields.pop("after", None)
        if after is not None:
            fields["reschedule_at"] = self.now + after
        return TryResult(outcome=outcome.outcome, started_at=self.now, ended_at=self.now, **fields)  # type: ignore[arg-type]

    def play(
        self,
        script: Script | None = None,
        *,
        order: Callable[[Sequence[str]], Sequence[str]] = lambda tokens: tokens[:1],
        limit: int = 10_000,
    ) -> None:
        """Run everything that starts until nothing happens any more; waits are jumped over.

        `script`: by name ("task" or "task[index]", the latter first): outcomes of its tries, one for all tries, or a
        function; the last outcome of a list stays; what is not in it succeeds. `order`: picks from the launched tries
        (in the order of their launch) those that end before the next turn.
        """
        given = {name: list(o) if isinstance(o, Sequence) else o for name, o in (script or {}).items()}
        for _ in range(limit):
            self.turn()
            if self.launched:
                for token in order(list(self.launched)):
                    self._run_one(token, given)
                continue
            wakeup = self.world.next_wakeup()
            if wakeup is None:
                return
            self.now = max(self.now, wakeup)
        raise AssertionError(f"still busy after {limit} turns: {self.states()}")

    def _run_one(self, token: str, script: Mapping[str, Any]) -> None:
        key = self.launched[token]
        ti = self.world.task_instance(key)
        self.world.try_started(TryStartedFact(token=token, at=self.now, pid=1, pid_started=1))
        given = script.get(name_of(key), script.get(key.task_id, success()))
        if isinstance(given, list):
            given = given.pop(0) if len(given) > 1 else given[0]
        elif callable(given):
            given = given(copy.copy(ti))
        self.end(token, given)

    # ---- what there is to see

    def states(self, run_id: str | None = None, dag_id: str | None = None) -> dict[str, str]:
        """States of the instances of a run (of the only one, if not given) as committed."""
        keys = [key for key in self.runs if run_id in (None, key[1]) and (dag_id or self.dag_id) == key[0]]
        assert len(keys) == 1, keys
        return {name_of(ti): ti.state.value for ti in self.rows.values() if (ti.dag_id, ti.run_id) == keys[0]}

    def tries_of(self, run_id: str = "run0") -> dict[str, int]:
        return {name_of(ti): ti.try_number for ti in self.rows.values() if ti.run_id == run_id}

    def run_state(self, run_id: str = "run0") -> str:
        return self.runs[self.dag_id, run_id].state.value

    def callbacks(self) -> list[CallBack]:
        return [act for act in self.acts if isinstance(act, CallBack)]

    def row(self, name: str, run_id: str = "run0") -> TaskInstance:
        return next(ti for ti in self.rows.values() if name_of(ti) == name and ti.run_id == run_id)


def started(*tasks: Any, runs: int = 1, parallelism: int = 1000, **dag: Any) -> Game:
    """A game whose one DAG has `runs` runs under way."""
    game = Game(a_dag(*tasks, **dag), parallelism=parallelism)
    for number in range(runs):
        game.trigger(number)
    game.turn()
    return game
