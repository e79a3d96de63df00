"""What the pages of runs and task instances show. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from shlex import quote
from typing import Any

import msgspec

from asyncflow.core.asking import question_of
from asyncflow.core.models import DagRun, TaskInstance, TaskKey
from asyncflow.core.specs import DagSpec, TaskSpec
from asyncflow.core.states import AWAITING_INPUT
from asyncflow.engine.pages import InstancePage, RunPage, StoredTry
from asyncflow.web import address
from asyncflow.web.i18n import ENGLISH, Language
from asyncflow.web.views import instance_name, lasted

#: the order in which counts of states are shown: what needs somebody first
ORDER = (
    *("failed", "upstream_failed", "up_for_retry", "awaiting_input", "running", "restarting"),
    *("deferred", "up_for_reschedule", "queued", "scheduled", "none", "skipped", "removed", "success"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One task instance of a run."""

    task_id: str
    map_index: int
    name: str
    operator: str
    state: str
    path: str
    log: str
    pick: str  #: how a form names it
    tries: str
    started_at: datetime | None
    seconds: float | None
    why: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Count:
    """How many instances are in a state, and the link that shows them alone."""

    state: str
    count: int
    href: str
    current: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Try:
    """One try beside the others."""

    number: int
    state: str
    queued_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    waited: float | None  #: seconds from the slot to the start
    seconds: float | None
    cpu_seconds: float | None
    memory: str
    ended_by: str  #: exit code or signal
    reason: str
    error: str
    version: str
    log: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbour:
    """A task before or after another."""

    task_id: str
    path: str
    states: tuple[tuple[str, int], ...]


def key(run: DagRun, task_id: str, map_index: int) -> TaskKey:
    """The name of an instance of a run."""
    return TaskKey(run.dag_id, run.run_id, task_id, map_index)


def lines(page: RunPage, now: datetime) -> list[Line]:
    """The rows of one page of task instances."""
    return [line(row.ti, row.why, now) for row in page.rows]


def line(ti: TaskInstance, why: str, now: datetime) -> Line:
    """One task instance, and why it waits."""
    names = (ti.dag_id, ti.run_id, ti.task_id, ti.map_index)
    most = max(ti.max_tries + 1, ti.try_number)
    return Line(
        task_id=ti.task_id,
        map_index=ti.map_index,
        name=instance_name(ti.task_id, ti.map_index, ti.rendered_map_index),
        operator=ti.operator,
        state=shown_state(ti),
        path=address.task_path(*names),
        log=address.task_path(*names, page="/log"),
        pick=pick(ti.task_id, ti.map_index),
        tries=f"{ti.try_number}/{most}" if ti.try_number and most > 1 else str(ti.try_number or ""),
        started_at=ti.started_at,
        seconds=lasted(ti.started_at, ti.ended_at, now),
        why=why,
        note=ti.note or "",
    )


def shown_state(ti: TaskInstance) -> str:
    """Its state; that it waits for a person is said in its place."""
    return AWAITING_INPUT if question_of(ti) is not None else ti.state.value


def pick(task_id: str, map_index: int) -> str:
    """A task instance as the value of a field; `picked` reads it."""
    return f"{map_index}:{task_id}"


def picked(text: str) -> tuple[str, int]:
    """(task_id, map_index). Raises ValueError for what `pick` did not make."""
    index, _, task_id = text.partition(":")
    return task_id, int(index)


def counts(page: RunPage, params: Mapping[str, str]) -> list[Count]:
    """The states that instances of a run are in."""
    return [
        Count(
            state=state,
            count=page.states[state],
            href=address.query(params, state=None if params.get("state") == state else state, page=None) or "?",
            current=params.get("state") == state,
        )
        for state in ORDER
        if state in page.states
    ]


def params(spec: DagSpec, run: DagRun) -> list[tuple[str, str, bool]]:
    """(name, JSON, whether the run's conf gave it) of a run's params."""
    return [
        (name, msgspec.json.encode(run.conf.get(name, param.value)).decode(), name in run.conf)
        for name, param in spec.params.items()
    ]


def tries(page: InstancePage, now: datetime) -> list[Try]:
    """All tries, oldest first."""
    return [_try(page.ti, row, now) for row in page.tries]


def _try(ti: TaskInstance, row: StoredTry, now: datetime) -> Try:
    ended_by = "" if row.exit_code is None else str(row.exit_code)
    path = address.task_path(*ti.key, page="/log")
    return Try(
        number=row.try_number,
        state=row.state.value,
        queued_at=row.queued_at,
        started_at=row.started_at,
        ended_at=row.ended_at,
        waited=lasted(row.queued_at, row.started_at, now) if row.started_at else None,
        seconds=lasted(row.started_at, row.ended_at, now),
        cpu_seconds=row.cpu_seconds,
        memory=f"{row.peak_rss_kb / 1024:,.0f} MB" if row.peak_rss_kb else "",
        ended_by=f"signal {row.signal}" if row.signal else ended_by,
        reason=row.reason,
        error=row.error,
        version=row.version,
        log=f"{path}{'&' if '?' in path else '?'}try={row.try_number}",
    )


def neighbours(page: InstancePage, names: tuple[str, ...]) -> list[Neighbour]:
    """Tasks beside the one of the page, with the states of their instances."""
    return [
        Neighbour(
            task_id=name,
            path=address.task_path(
                page.ti.dag_id, page.ti.run_id, name, page="/copies" if sum(page.states[name].values()) > 1 else ""
            ),
            states=tuple(sorted(page.states[name].items())),
        )
        for name in names
    ]


def reproduce(run: DagRun, ti: TaskInstance, folder: Path) -> str:
    """The command that runs a task once, in the terminal, without a server; `folder`: where its DAG file is."""
    date = (run.logical_date or run.run_after).isoformat()
    copy = f" --map-index {ti.map_index}" if ti.map_index >= 0 else ""
    conf = f" --task-params {quote(msgspec.json.encode(run.conf).decode())}" if run.conf else ""
    what = f"{quote(ti.dag_id)} {quote(ti.task_id)} {quote(date)}"
    return f"asyncflow test {what}{copy}{conf} --dags {quote(str(folder))}"


def facts(task: TaskSpec | None, _: Language = ENGLISH) -> dict[str, Any]:
    """What a task's definition says about how it runs."""
    if task is None:
        return {}
    said: dict[str, Any] = {
        _("Trigger rule"): task.trigger_rule.value.replace("_", " "),
        _("Pool"): task.pool if task.pool_slots == 1 else f"{task.pool} ({task.pool_slots})",
        _("Priority weight"): task.priority_weight,
        _("Retries"): task.retries,
        _("Depends on past"): _("yes") if task.depends_on_past else None,
        _("Timeout"): _.duration(task.execution_timeout.total_seconds()) if task.execution_timeout else None,
        _("SLA"): _.duration(task.sla.total_seconds()) if task.sla else None,
        _("Owner"): task.owner,
    }
    return {name: value for name, value in said.items() if value is not None}


def shown(value: Any) -> str:
    """A rendered template field as text: a string as it is, anything else as JSON."""
    return value if isinstance(value, str) else msgspec.json.format(msgspec.json.encode(value)).decode()
