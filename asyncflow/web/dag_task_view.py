"""What the page of one task, or task group, over all runs shows. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from asyncflow.core.models import DagRun
from asyncflow.core.specs import DagSpec, TaskSpec
from asyncflow.web import address, dag_tree, views
from asyncflow.web.dag_tree import Line
from asyncflow.web.grid_view import Part
from asyncflow.web.i18n import Language
from asyncflow.web.run_view import ORDER, Count

#: what is in one of these takes as long as until now
_AT_WORK = ("running", "restarting", "deferred")


class Subject(NamedTuple):
    """What the page is about."""

    line: Line
    task: TaskSpec | None  #: None: it is a group
    gone: bool = False  #: no longer in the newest version


class Fact(NamedTuple):
    """Something that the file says about it."""

    label: str
    value: str
    href: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """It in one run."""

    run: DagRun
    run_path: str
    href: str  #: its page: that of the instance, of the copies, or of the run with those of the group
    log: str  #: "" where there are several
    states: tuple[tuple[str, int], ...]
    tries: int
    started_at: datetime | None
    seconds: float | None


def subject(spec: DagSpec, older: Iterable[DagSpec], name: str) -> Subject | None:
    """A task of the newest definition or of an older one, or a group; None when there is no such thing."""
    task = spec.tasks.get(name)
    if task is not None:
        return Subject(_line(task), task)
    if name in spec.groups:
        found = (line for line in dag_tree.lines(spec, frozenset(spec.groups)) if line.id == name)
        empty = Line(id=name, label=name, depth=0, task_ids=(), is_group=True)
        return Subject(next(found, empty), None)
    for version in older:
        if name in version.tasks:
            return Subject(_line(version.tasks[name]), version.tasks[name], gone=True)
    return None


def _line(task: TaskSpec) -> Line:
    name = task.task_id
    return Line(id=name, label=name, depth=0, task_ids=(name,), operator=task.operator, mapped=task.is_mapped)


def charted(line: Line) -> Line:
    """The line for its chart: the dots of a group lead to its instances, as those of a mapped task do."""
    return replace(line, mapped=line.mapped or line.is_group, is_open=False)


def rows(found: Subject, runs: Sequence[DagRun], cells: Sequence[Sequence[Part]], now: datetime) -> list[Row]:
    """The runs that had it, newest first. `cells[i]` are its parts in `runs[i]`, which are oldest first."""
    both = zip(runs, cells, strict=True)
    return [_row(found, run, parts, now) for run, parts in both if parts][::-1]


def _row(found: Subject, run: DagRun, parts: Sequence[Part], now: datetime) -> Row:
    path, name = address.run_path(run.dag_id, run.run_id), found.line.id
    alone = found.task is not None and not any(part.mapped for part in parts)
    if found.task is None:
        href = f"{path}?task_id={address.segment(name)}"
    else:
        href = address.task_path(run.dag_id, run.run_id, name, page="" if alone else "/copies")
    start = min((part.started_at for part in parts if part.started_at), default=None)
    ends = [part.ended_at for part in parts if part.ended_at]
    end = None if any(part.state in _AT_WORK for part in parts) else max(ends, default=start)
    ranked = sorted(parts, key=lambda part: ORDER.index(part.state))
    return Row(
        run=run,
        run_path=path,
        href=href,
        log=address.task_path(run.dag_id, run.run_id, name, page="/log") if alone else "",
        states=tuple((part.state, part.many) for part in ranked),
        tries=max(part.try_number for part in parts),
        started_at=start,
        seconds=views.lasted(start, end, now),
    )


def counts(dag_id: str, found: Subject, rows: Sequence[Row]) -> list[Count]:
    """In which states a task was in these runs; each leads to the list of its instances in the state."""
    if found.task is None:
        return []
    many: Counter[str] = Counter()
    for row in rows:
        many.update(dict(row.states))
    query = {"dag_id": dag_id, "task_id": found.line.id}
    return [
        Count(
            state=state,
            count=many[state],
            href=f"/tasks{address.query(query, state=state)}",
            current=False,
        )
        for state in ORDER
        if many[state]
    ]


def facts(task: TaskSpec, dag_id: str, _: Language) -> list[Fact]:
    """What its file says about it; what is as it usually is, is left out."""
    said = [
        Fact(_("Operator"), task.operator),
        Fact(_("Owner"), task.owner),
        Fact(_("Trigger rule"), task.trigger_rule.value.replace("_", " ")),
        Fact(_("Retries"), _retries(task, _)),
        Fact(_("Pool"), _pool(task, _), f"/pools/{address.segment(task.pool)}"),
        Fact(_("Queue"), task.queue),
        Fact(_("Priority weight"), str(task.priority_weight)),
    ]
    if task.group_id:
        said.append(Fact(_("Task group"), task.group_id, path_of(dag_id, task.group_id)))
    spans = ((_("Timeout"), task.execution_timeout), (_("SLA"), task.sla))
    said += [Fact(label, _.duration(span.total_seconds())) for label, span in spans if span]
    if task.depends_on_past:
        said.append(Fact(_("Depends on past"), _("yes")))
    return said


def _retries(task: TaskSpec, _: Language) -> str:
    if not task.retries:
        return _("none")
    return _("{n}, every {time}", n=task.retries, time=_.duration(task.retry_delay.total_seconds()))


def _pool(task: TaskSpec, _: Language) -> str:
    return task.pool if task.pool_slots == 1 else _("{pool} ({n} slots)", pool=task.pool, n=task.pool_slots)


def kind(found: Subject, _: Language) -> str:
    """What sort of thing it is, where it is no plain task."""
    line, task = found.line, found.task
    if task is None:
        return _("mapped task group") if line.mapped else _("task group")
    if task.is_setup or task.is_teardown:
        return _("setup") if task.is_setup else _("teardown")
    return _("mapped") if line.mapped else ""


def path_of(dag_id: str, name: str) -> str:
    """Where the page of a task or group of a DAG is."""
    return f"{address.dag_path(dag_id)}/tasks/{address.segment(name)}"


def beside(spec: DagSpec, found: Subject) -> tuple[list[Fact], list[Fact]]:
    """The tasks right before and right after it, with the label of the arrow; of a group, those outside of it."""
    inside = set(found.line.task_ids)
    tasks = [spec.tasks[name] for name in found.line.task_ids if name in spec.tasks]
    tasks = tasks or ([found.task] if found.task else [])
    before = dict.fromkeys(name for task in tasks for name in task.upstream if name not in inside)
    after = {name: task.edge_labels.get(name, "") for task in tasks for name in task.downstream if name not in inside}
    dag = spec.dag_id
    return (
        [
            Fact(
                name,
                spec.tasks[name].edge_labels.get(found.line.id, "") if name in spec.tasks else "",
                path_of(dag, name),
            )
            for name in before
        ],
        [Fact(name, label, path_of(dag, name)) for name, label in after.items()],
    )
