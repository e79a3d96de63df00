"""Sensors without a process: what they wait for is kept here, and looked at when it may have changed.

A try of such a sensor begins when its dependencies are met, like any other. It is in state `up_for_reschedule` while it
waits, takes no slot of any kind, and ends as a poking process would have ended it: with the same states, try numbers,
timeouts and messages.

    other run   indexed by (DAG, logical date) and task: looked at when one of these moves, or the run appears
    time        a timer
    file        a timer every poke_interval; the engine looks and says what it has seen

A sensor that is `attended` (callbacks, outlets, hooks) gets a process for its last poke: it is only woken here.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from asyncflow.core import tries
from asyncflow.core.awaited import date_of, moment_of, poking, sentence, some_of, states_of, what
from asyncflow.core.commands import LogLines, LookForFile, LookUpRun, SaveRendered, SaveTry
from asyncflow.core.conditions import Condition, FilePresent, OtherRun
from asyncflow.core.expecting import nearest, outlook
from asyncflow.core.live import LiveDag, LiveRun
from asyncflow.core.messages import TryResult
from asyncflow.core.models import DagRun, TaskInstance, TaskKey
from asyncflow.core.sentence import Sentence
from asyncflow.core.specs import SensorSpec
from asyncflow.core.states import Event, TaskState
from asyncflow.core.timers import InstanceDue

if TYPE_CHECKING:
    from asyncflow.core.machine import Machine

RunDate = tuple[str, datetime]

#: stand for the run itself and for any task of it among the names that are waited for
_RUN, _ANY = "", "*"


class Finding(NamedTuple):
    """What a look at a condition came to."""

    outcome: Literal["waiting", "success", "failed", "skipped"]
    words: str = ""
    until: datetime | None = None  #: "waiting": look again then at the latest
    unsure: bool = False  #: "waiting": the store has been asked


class _Wait(NamedTuple):
    condition: Condition
    place: RunDate | None  #: for OtherRun: where its names are indexed


class Watching:
    """The sensors that wait, by what they wait for."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._waits: dict[TaskKey, _Wait] = {}
        #: DAG and logical date -> task id (or _RUN, _ANY) -> who waits for it
        self._places: dict[RunDate, dict[str, dict[TaskKey, None]]] = {}
        self._dates: dict[str, dict[datetime, None]] = {}  #: the dates in `_places` by DAG
        #: runs that are neither in memory nor in the store, with the runs next to them; None = the store is asked
        self._missing: dict[RunDate, tuple[DagRun, ...] | None] = {}
        self._woken: dict[TaskKey, None] = {}
        self._found: dict[TaskKey, str] = {}  #: files that have been seen
        self._given_up: set[TaskKey] = set()  #: files that were not there at the last look before the timeout

    # ---- taking over ------------------------------------------------------------------------------------------------

    def take(self, live: LiveRun, ti: TaskInstance, now: datetime) -> bool:
        """A sensor's dependencies are met and its time has come: have it wait, or end. False: it needs a process."""
        sensor = live.dag.graph.tasks[ti.task_id].sensor
        condition = _condition_of(live, ti, sensor)
        if sensor is None or condition is None:
            ti.condition = None
            return False
        finding = self._look(live, ti, sensor, condition, now)
        if finding.outcome == "waiting" and self._is_over(ti, sensor, condition, now) and not finding.unsure:
            finding = _timed_out(ti, sensor, now)
        if finding.outcome == "waiting":
            self._wait(live, ti, sensor, condition, finding, now)
            return True
        self.forget(ti.key)
        if sensor.attended:
            ti.condition = None
            return False
        self._end(live, ti, condition, finding, now)
        return True

    def _is_over(self, ti: TaskInstance, sensor: SensorSpec, condition: Condition, now: datetime) -> bool:
        if ti.key in self._given_up:
            return True
        late = now - (ti.first_poke_at or now) >= sensor.timeout
        return late and not isinstance(condition, FilePresent)

    def _wait(
        self, live: LiveRun, ti: TaskInstance, sensor: SensorSpec, condition: Condition, finding: Finding, now: datetime
    ) -> None:
        begins = ti.state is not TaskState.UP_FOR_RESCHEDULE
        if begins:
            self._begin(live, ti, condition, now)
        deadline = ti.first_poke_at + sensor.timeout if ti.first_poke_at else now
        if finding.unsure or deadline <= now:  # an answer is out; without it, look again
            until = finding.until or now + _PATIENCE
        else:
            until = min(deadline, finding.until or deadline)
        ti.not_before = until
        self._machine.timers.set(until, InstanceDue(ti.key, until))
        self._register(live, ti, condition)
        if begins:
            words = f"{sentence(condition, live)} The server waits by itself, until {deadline.isoformat()} at most."
            self._log(ti, now, words)
            self._machine.move(live, ti, Event.RESCHEDULE, now, waits_for=finding.words)
            self._machine.ledger.write(_row(ti))
        if isinstance(condition, FilePresent):
            assert ti.token is not None
            look = LookForFile(key=ti.key, token=ti.token, pattern=condition.pattern, recursive=condition.recursive)
            self._machine.ledger.act(look)

    def _begin(self, live: LiveRun, ti: TaskInstance, condition: Condition, now: datetime) -> None:
        """A try starts; its record and the head of its log."""
        ti.token = self._machine.new_token()
        ti.queued_at = ti.started_at = now
        ti.pid = ti.pid_started = ti.host_pid = ti.host_pid_started = None
        ti.first_poke_at = ti.first_poke_at or now
        live.set_skips(ti, ())
        task = live.dag.graph.tasks[ti.task_id]  # without templates its fields stand in the file as they are
        fields = {name: task.extra[name] for name in task.template_fields if name in task.extra}
        self._machine.ledger.write(SaveRendered(key=ti.key, fields=fields))
        self._log(ti, now, f"Starting attempt {ti.try_number} of {ti.max_tries + 1}", poking(condition, live))

    def _end(self, live: LiveRun, ti: TaskInstance, condition: Condition, finding: Finding, now: datetime) -> None:
        """The try is over, as if its process had said so."""
        if ti.state is not TaskState.UP_FOR_RESCHEDULE:
            self._begin(live, ti, condition, now)
        failed = finding.outcome == "failed"
        result = TryResult(
            outcome="success" if finding.outcome == "success" else "failed" if failed else "skipped",
            started_at=ti.started_at or now,
            ended_at=now,
            error=finding.words if failed else None,
            retryable=not finding.words.startswith(_TIMEOUT),
        )
        ti.condition = None
        tries.unattended(self._machine, live, ti, result)
        self._log(ti, now, *finding.words.splitlines(), f"Marking task as {ti.state.value.upper()}")

    def _log(self, ti: TaskInstance, now: datetime, *lines: str) -> None:
        self._machine.ledger.act(LogLines(key=ti.key, try_number=ti.try_number, at=now, lines=lines))

    def resume(self, live: LiveRun, ti: TaskInstance) -> None:
        """An instance comes from the store: one that waited here is to be taken over again at once."""
        task = live.dag.graph.tasks.get(ti.task_id)
        if ti.state is TaskState.UP_FOR_RESCHEDULE and task is not None and _condition_of(live, ti, task.sensor):
            ti.not_before = None

    # ---- the index --------------------------------------------------------------------------------------------------

    def _register(self, live: LiveRun, ti: TaskInstance, condition: Condition) -> None:
        known = self._waits.get(ti.key)
        place = (condition.dag_id, date_of(condition, live)) if isinstance(condition, OtherRun) else None
        if known == (condition, place):
            return
        self.forget(ti.key)
        self._waits[ti.key] = _Wait(condition, place)
        if place is not None and isinstance(condition, OtherRun):
            names = self._places.setdefault(place, {})
            self._dates.setdefault(place[0], {})[place[1]] = None
            for name in _names(condition):
                names.setdefault(name, {})[ti.key] = None

    def forget(self, key: TaskKey) -> None:
        """It does not wait any more, or for something else."""
        self._found.pop(key, None)
        self._given_up.discard(key)
        wait = self._waits.pop(key, None)
        if wait is None or wait.place is None:
            return
        names = self._places[wait.place]
        for name in [name for name, waiting in names.items() if key in waiting]:
            del names[name][key]
            if not names[name]:
                del names[name]
        if not names:
            del self._places[wait.place]
            del self._dates[wait.place[0]][wait.place[1]]
            self._missing.pop(wait.place, None)

    # ---- what happens -----------------------------------------------------------------------------------------------

    def task_moved(self, live: LiveRun, ti: TaskInstance) -> None:
        """An instance has another state."""
        if self._waits and live.run.logical_date is not None:
            names = self._places.get((live.run.dag_id, live.run.logical_date), {})
            self._woken.update(names.get(ti.task_id, {}))
            self._woken.update(names.get(_ANY, {}))

    def run_moved(self, live: LiveRun) -> None:
        """A run has another state."""
        if self._waits and live.run.logical_date is not None:
            place = (live.run.dag_id, live.run.logical_date)
            self._missing.pop(place, None)
            self._woken.update(self._places.get(place, {}).get(_RUN, {}))

    def run_appeared(self, live: LiveRun) -> None:
        """A run has come into memory, new or from the store."""
        if self._waits and live.run.logical_date is not None:
            self._missing.pop((live.run.dag_id, live.run.logical_date), None)
            self._wake_all((live.run.dag_id, live.run.logical_date))

    def dag_changed(self, dag: LiveDag) -> None:
        """A DAG has a new version: its sensors may wait for something else, and others for another group of it."""
        for date in self._dates.get(dag.spec.dag_id, {}):
            self._wake_all((dag.spec.dag_id, date))
        for live in dag.runs.values():
            for ti in live.instances():
                if ti.state is TaskState.UP_FOR_RESCHEDULE and (ti.condition or ti.key in self._waits):
                    self.forget(ti.key)
                    ti.condition = ti.not_before = None

    def looked_up(self, dag_id: str, date: datetime, near: tuple[DagRun, ...] | None, now: datetime) -> None:
        """What the store knows: the run, which is in memory now (None), or the runs next to the date."""
        place = (dag_id, date)
        if place not in self._places:
            return
        if near is None:
            self._missing.pop(place, None)
        else:
            self._missing[place] = near
        for key in self._waiting_at(place):
            live, ti, _ = self._sensor(key)
            if near is not None:
                self._log(ti, now, self._absence(place))
            self._go_on(live, ti)

    def _wake_all(self, place: RunDate) -> None:
        self._woken.update(dict.fromkeys(self._waiting_at(place)))

    def _waiting_at(self, place: RunDate) -> list[TaskKey]:
        return [key for waiting in self._places.get(place, {}).values() for key in waiting]

    def looked_for(self, key: TaskKey, token: str, path: str | None, now: datetime) -> None:
        """What a look for a file has shown; one that somebody has cleared meanwhile does not ask any more."""
        if key not in self._waits:
            return
        live, ti, sensor = self._sensor(key)
        if ti.token != token:
            return
        if path is not None:
            self._found[key] = path
        elif now - (ti.first_poke_at or now) >= sensor.timeout:
            self._given_up.add(key)
        else:
            return
        self._go_on(live, ti)

    @property
    def is_woken(self) -> bool:
        """Whether `look` has something to do."""
        return bool(self._woken)

    def look(self, now: datetime, limit: int) -> int:
        """Look at conditions that may have changed, at most `limit`; those that are met `Machine.settle` schedules.

        The number of conditions looked at.
        """
        keys = list(islice(self._woken, limit))
        for key in keys:
            del self._woken[key]
            wait = self._waits.get(key)
            if wait is not None:
                live, ti, sensor = self._sensor(key)
                if self._look(live, ti, sensor, wait.condition, now).outcome != "waiting":
                    self._go_on(live, ti)
        return len(keys)

    def _sensor(self, key: TaskKey) -> tuple[LiveRun, TaskInstance, SensorSpec]:
        """An instance that waits here: it is in memory, and so is its task, or it would have been forgotten."""
        found = self._machine.find(key)
        assert found is not None
        sensor = found[0].dag.graph.tasks[key.task_id].sensor
        assert sensor is not None
        return *found, sensor

    def _go_on(self, live: LiveRun, ti: TaskInstance) -> None:
        ti.not_before = None
        live.mark(ti.task_id, ti.map_index)
        self._machine.look_again(live)

    # ---- looking ----------------------------------------------------------------------------------------------------

    def _look(
        self, live: LiveRun, ti: TaskInstance, sensor: SensorSpec, condition: Condition, now: datetime
    ) -> Finding:
        if isinstance(condition, OtherRun):
            return self._look_at_run(live, sensor, condition, now)
        if isinstance(condition, FilePresent):
            if ti.key in self._found:
                return Finding("success", f"Found File {self._found[ti.key]}\n{_MET}")
            return Finding("waiting", f"the file {condition.pattern}", now + sensor.poke_interval)
        moment = moment_of(condition, live, ti, now)
        if now >= moment:
            return Finding("success", _MET)
        return Finding("waiting", f"the time {moment.isoformat()}", moment)

    def _look_at_run(self, live: LiveRun, sensor: SensorSpec, condition: OtherRun, now: datetime) -> Finding:
        date = date_of(condition, live)
        other = self._run_at(condition.dag_id, date)
        words = f"{what(condition)} on {date.isoformat()}"
        if other is None:
            return Finding("waiting", words, unsure=self._ask(condition.dag_id, date))
        states, complete = states_of(other, condition)
        if any(state in condition.failed for state in states):
            if sensor.soft_fail:
                return Finding("skipped", f"{some_of(condition)} failed. Skipping due to soft_fail.")
            return Finding("failed", f"AirflowException: {some_of(condition)} failed.")
        if any(state in condition.skipped for state in states):
            return Finding("skipped", f"{some_of(condition)} reached a state in our states-to-skip-on list. Skipping.")
        if complete and all(state in condition.allowed for state in states):
            return Finding("success", _MET)
        return Finding("waiting", words)

    def _run_at(self, dag_id: str, date: datetime) -> LiveRun | None:
        dag = self._machine.dags.get(dag_id)
        return next((run for run in dag.runs.values() if run.run.logical_date == date), None) if dag else None

    def _ask(self, dag_id: str, date: datetime) -> bool:
        """Have the store looked at, once; True while the answer is out."""
        place = (dag_id, date)
        if place not in self._missing:
            self._missing[place] = None
            self._machine.ledger.act(LookUpRun(dag_id=dag_id, logical_date=date))
        return self._missing[place] is None

    # ---- words ------------------------------------------------------------------------------------------------------

    def why(self, live: LiveRun, ti: TaskInstance) -> str | None:
        """The sentence for a sensor that waits here; None for others."""
        wait = self._waits.get(ti.key)
        if wait is None:
            return None
        if wait.place is None or not isinstance(wait.condition, OtherRun):
            return sentence(wait.condition, live)
        other = self._run_at(*wait.place)
        found: dict[str, Any] = {"what": what(wait.condition), "date": wait.place[1].isoformat()}
        if other is None:
            absence = self._absence(wait.place)
            return Sentence("It waits for {what} in the run of {date}. {absence}", absence=absence, **found)
        states, _ = states_of(other, wait.condition)
        so_far = tuple(dict.fromkeys(states)) or Sentence("not there yet")
        return Sentence("It waits for {what} in the run of {date} ({states}).", states=so_far, **found)

    def _absence(self, place: RunDate) -> str:
        """What is known of a run that is not there: will it come, and which are next to it."""
        dag_id, date = place
        dag = self._machine.dags.get(dag_id)
        if dag is None or not dag.active:
            return Sentence("No DAG {dag!r} is known.", dag=dag_id)
        absence = Sentence("No run of DAG {dag!r} has the logical date {date}.", dag=dag_id, date=date.isoformat())
        expected = outlook(dag, date)
        runs = [*(self._missing.get(place) or ()), *(live.run for live in dag.runs.values())]
        near = nearest(runs, date)
        if not expected:
            planned = dag.next_run if dag.next_run and dag.next_run.logical_date == date else None
            if planned is None:
                return absence
            due = planned.run_after.isoformat()
            return Sentence("{absence} It is planned for {date}.", absence=absence, date=due)
        if not near:
            return Sentence("{absence} {expected} It has no runs.", absence=absence, expected=expected)
        found = {"absence": absence, "expected": expected, "runs": near}
        return Sentence("{absence} {expected} The nearest runs are {runs}.", **found)


_MET = "Success criteria met. Exiting."
_TIMEOUT = "AirflowSensorTimeout"
#: how long the store may take to say whether it knows a run, before the sensor looks again
_PATIENCE = timedelta(seconds=10)


def _condition_of(live: LiveRun, ti: TaskInstance, sensor: SensorSpec | None) -> Condition | None:
    """What an instance waits for as far as the server can see it; None: a process must poke."""
    condition = sensor.condition if sensor is not None else None
    if condition is None and ti.condition is not None and ti.state is TaskState.UP_FOR_RESCHEDULE:
        made: Any = msgspec.convert(ti.condition, Condition)
        condition = made
    if isinstance(condition, OtherRun) and live.run.logical_date is None:
        return None
    return condition


def _row(ti: TaskInstance) -> SaveTry:
    assert ti.token is not None
    return SaveTry(
        key=ti.key,
        try_number=ti.try_number,
        token=ti.token,
        state=ti.state,
        queued_at=ti.queued_at,
        started_at=ti.started_at,
    )


def _timed_out(ti: TaskInstance, sensor: SensorSpec, now: datetime) -> Finding:
    waited = (now - (ti.first_poke_at or now)).total_seconds()
    words = (
        f"Sensor has timed out; run duration of {waited} seconds exceeds the specified timeout of "
        f"{sensor.timeout.total_seconds()}."
    )
    return Finding("skipped", words) if sensor.soft_fail else Finding("failed", f"{_TIMEOUT}: {words}")


def _names(condition: OtherRun) -> Iterator[str]:
    if condition.task_ids:
        yield from condition.task_ids
    else:
        yield _RUN if condition.group_id is None else _ANY
